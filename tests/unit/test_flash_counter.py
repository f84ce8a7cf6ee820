# The durable number: alternating files, damage, power that fails.

import random

import flash
from msgin5g.store.counter import Counter

STRIDE = 64


def place():
    return flash.folder()[: -len("/outbox")]


def test_what_was_saved_is_loaded():
    path = place() + "/number"
    counter = Counter(path)
    assert counter.load() is None and not counter.doubtful
    for number in (0, 5, 2**31, 2**32 - 1, 7):
        counter.save(number)
        other = Counter(path)
        assert other.load() == number and not other.doubtful
        counter = other


def test_damage_leaves_the_number_before_and_is_said():
    folder = place()
    for last in (1, 2):
        counter = Counter(folder + "/number")
        counter.load()
        for number in range(2 + last):
            counter.save(100 * last + number)
    whole = flash.files(folder)
    newest = max(whole, key=lambda name: whole[name][:4])
    source = random.Random(5) if not flash.MICROPYTHON else random
    if flash.MICROPYTHON:
        random.seed(5)
    for _ in range(200):
        octets = bytearray(whole[newest])
        kind = source.getrandbits(2)
        if kind == 0:
            octets = octets[: source.getrandbits(8) % len(octets)]
        elif kind == 1:
            octets += b"\0"
        else:
            octets[source.getrandbits(8) % len(octets)] ^= 1 << source.getrandbits(3)
        flash.write(folder, newest, octets)
        counter = Counter(folder + "/number")
        assert counter.load() == 202 and counter.doubtful
    flash.write(folder, newest, whole[newest])
    assert Counter(folder + "/number").load() == 203


def test_both_damaged_is_said_before_a_number_is_used_twice():
    folder = place()
    for which in "01":
        flash.write(folder, "number." + which, b"")
    counter = Counter(folder + "/number")
    try:
        counter.load()
        raise AssertionError("loaded")
    except ValueError as error:
        assert "number" in error.args[0]


def test_a_first_save_that_was_cut_off_counts_for_nothing():
    folder = place()
    flash.write(folder, "number.1", b"12345")
    counter = Counter(folder + "/number")
    assert counter.load() is None and counter.doubtful
    counter.save(3)
    assert Counter(folder + "/number").load() == 3


def test_power_fails_at_each_write_and_within_it():
    if not flash.MICROPYTHON:
        return
    device = flash.Device(256, 32)
    scratch = flash.Device(256, 32)
    path = flash.mount(device) + "/number"
    image = bytes(device.data)
    device.journal = []
    counter = Counter(path)
    counter.load()
    # (writes done, number)
    saves = [(0, None)]
    for number in range(30):
        counter.save(number * STRIDE)
        saves.append((len(device.journal), number * STRIDE))
    flash.unmount()
    journal, device.journal = device.journal, None
    device.data[:] = image
    save = 0
    for done, change in enumerate(journal):
        while saves[save][0] <= done and save + 1 < len(saves):
            save += 1
        for part in (0, 1, len(change[1]) // 2, len(change[1]) - 1):
            scratch.data[:] = device.data
            scratch.play(change, part)
            counter = Counter(flash.mount(scratch, fresh=False) + "/number")
            assert counter.load() in (saves[save - 1][1], saves[save][1]), (done, part)
            counter.save(1)
            assert Counter(path).load() == 1
            flash.unmount()
        device.play(change)
    assert len(journal) > 60
