# Power that fails at any block written, with the last one written in part: what was committed is there, what was
# removed and committed is not, and identities are known. LittleFS on a block device in RAM.

import gc
import os

import flash
from msgin5g.store import INBOX, Broken, Full
from msgin5g.store.flash import FlashStore

RUNTIMES = ("micropython",)

OPTIONS = {"most_octets": 8192, "most_known": 8, "most_items": 6, "most_inbox": 4}
MESSAGES = 50


class Run:
    # 50 messages through a store: in and out, committed in groups, removed a little later. It notes what each commit
    # made durable: what is stored, which identities are known at least, the next key.
    def __init__(self, place):
        self.place = place
        self.store = FlashStore(place, **OPTIONS)
        self.stored = {}
        self.last = []
        self.key = 0
        # What held before a commit and after it.
        self.before = self.after = self.state()

    def state(self):
        return dict(self.stored), list(self.last), self.key

    def steps(self):
        # Yields before each commit.
        for number in range(MESSAGES):
            hop = INBOX if number % 3 == 1 else ""
            if number % 7 == 6:
                # One that stays long: it has to be moved.
                hop = "long"
            message_id = f"m-{number}"
            item = self.store.put(hop, "ue-1", "MSG", message_id, number & 1, bytes([number]) * (number * 5))
            self.stored[message_id] = (hop, number)
            self.key = item.key + 1
            if hop == INBOX:
                self.last.append(message_id)
                self.last = self.last[-6:]
            if number % 4 != 2:
                yield
            if number % 2:
                self.take_out(INBOX, 1, number)
                self.take_out("", 2, number)
                yield
            elif number % 14 == 0:
                self.take_out("long", 1, number)
                yield

    def take_out(self, hop, most, number):
        for item in self.store.pending(hop, -1, most):
            self.store.remove(item)
            del self.stored[item.message_id]
            if hop == INBOX and number % 3 == 0:
                # Its report.
                report = f"r-{item.message_id}"
                self.store.put("", "ue-2", "IMDN", report, number & 1, bytes([number]) * (number * 5))
                self.stored[report] = ("", number)


def found(store):
    stored = {}
    for hop in (INBOX, "", "long"):
        for item in store.pending(hop, -1, 100):
            number = item.body[0] if item.body else 0
            assert item.body == bytes([number]) * (number * 5)
            stored[item.message_id] = (hop, number)
    assert len(stored) == len(store)
    return stored


def holds(store, state):
    stored, last, key = state
    number = {name: int(name[2:]) & 1 for name in last}
    return (
        found(store) == stored
        and all(store.knows(INBOX, "ue-1", "MSG", name, number[name]) for name in last)
        and store.next_key >= key
    )


def check(device, before, after, write):
    # After the power has come back.
    place = flash.mount(device, fresh=False) + "/outbox"
    store = FlashStore(place, **OPTIONS)
    assert holds(store, before) or holds(store, after), (sorted(found(store)), before, after)
    assert store.counters["damaged"] == 0 and store.health == "", (store.counters, store.health)
    if write:
        # It goes on from there.
        key = store.put("more", "ue-1", "MSG", "more", 0, b"more").key
        stored = len(store)
        for item in store.pending("", -1, 1):
            store.remove(item)
            stored -= 1
        store.commit()
        store = FlashStore(place, **OPTIONS)
        (item,) = store.pending("more", -1, 2)
        assert (item.key, item.body, len(store)) == (key, b"more", stored)
    flash.unmount()


def recorded(device):
    # (device as it was before the first write, journal, [(writes done, before, after)] for each commit)
    place = flash.mount(device) + "/outbox"
    run = Run(place)
    image = bytes(device.data)
    device.journal = []
    commits = [(0, run.state(), run.state())]
    moved = 0
    for _ in run.steps():
        before = commits[-1][2]
        run.store.commit()
        commits.append((len(device.journal), before, run.state()))
        moved = run.store.counters["moved"]
    assert moved > 0 and len(run.store._log.segments) > 2
    flash.unmount()
    return image, device.journal, commits


def power_cuts():
    # Plays the journal, and looks what would be there if it had ended after each write, and within the next one.
    device = flash.Device(256, 128)
    scratch = flash.Device(256, 128)
    image, journal, commits = recorded(device)
    device.data[:] = image
    assert len(journal) > 350, len(journal)
    commit = 0
    checked = 0
    for done, change in enumerate(journal):
        while commits[commit][0] <= done and commit + 1 < len(commits):
            commit += 1
        # Those up to commit - 1 were done; this one is on its way.
        _, before, after = commits[commit]
        for part in (0, 1, len(change[1]) // 2, len(change[1]) - 1):
            scratch.data[:] = device.data
            scratch.play(change, part)
            check(scratch, before, after, done % 5 == 0)
            checked += 1
        device.play(change)
        if done % 50 == 0:
            gc.collect()
    return checked


def test_power_fails_at_each_write_and_within_it():
    assert power_cuts() > 1000


def failing_at(number):
    # As above, but the device says so, and the program goes on without it until its power is cut.
    device = flash.Device(256, 128)
    place = flash.mount(device) + "/outbox"
    run = Run(place)
    device.fails_at = number
    before = after = run.state()
    failed = False
    try:
        for _ in run.steps():
            before, after = after, run.state()
            run.store.commit()
            assert run.store.health == ""
    except Broken as error:
        failed = True
        assert str(error) and run.store.health and run.store.counters["failed"] == 1
        # In RAM all is as it was put, and the next commit would try again.
        assert {item.message_id for item in run.store._new} <= set(after[0])
        assert len(run.store) == len(after[0])
        try:
            run.store.commit()
            raise AssertionError("committed to a dead device")
        except Full:
            pass
    flash.unmount()
    device.dead = False
    device.fails_at = None
    check(device, before, after, True)
    return failed


def test_a_device_that_fails_for_good_is_said_and_what_was_committed_stays():
    failures = 0
    for number in range(0, 400, 11):
        failures += failing_at(number)
        gc.collect()
    assert failures > 20


def test_a_device_that_recovers_gets_all_that_was_tried():
    for number in range(1, 300, 19):
        device = flash.Device(256, 128)
        place = flash.mount(device) + "/outbox"
        run = Run(place)
        device.fails_at = number
        failed = 0
        for _ in run.steps():
            try:
                run.store.commit()
            except Broken:
                failed += 1
                device.fails_at = None
                device.dead = False
                run.store.commit()
            assert run.store.health == ""
        assert failed == 1
        assert holds(run.store, run.state())
        flash.unmount()
        check(device, run.state(), run.state(), True)
        gc.collect()


def test_read_only_serves_what_is_there():
    device = flash.Device(256, 128)
    place = flash.mount(device) + "/outbox"
    store = FlashStore(place, **OPTIONS)
    store.put("", "ue-1", "MSG", "m-1", 0, b"1")
    store.commit()
    device.read_only = True
    store = FlashStore(place, **OPTIONS)
    said = []
    store.on_error = said.append
    (item,) = store.pending("", -1, 10)
    assert item.body == b"1"
    store.remove(item)
    store.put("", "ue-1", "MSG", "m-2", 0, b"2")
    for failed in (1, 2):
        try:
            store.commit()
            raise AssertionError("committed")
        except Broken:
            assert store.counters["failed"] == failed == len(said) and "can't store" in store.health
    assert [item.message_id for item in store.pending("", -1, 10)] == ["m-2"]
    store.withdraw(store.pending("", -1, 10)[0])
    assert not store.knows("", "ue-1", "MSG", "m-2", 0) and not len(store)
    # And when it can be written again:
    device.read_only = False
    store.commit()
    assert store.health == "" and not len(FlashStore(place, **OPTIONS))
    flash.unmount()


def test_a_full_file_system_is_said_and_gets_over_it():
    device = flash.Device(256, 32)
    place = flash.mount(device)
    with open(place + "/photo", "wb") as file:
        file.write(bytes(5500))
    store = FlashStore(place + "/outbox", **OPTIONS)
    stored = 0
    try:
        for number in range(6):
            store.put("", "ue-1", "MSG", str(number), 0, bytes(250))
            store.commit()
            stored += 1
        raise AssertionError("it fits")
    except Broken:
        assert "28" in store.health
    assert len(store.pending("", -1, 10)) == stored + 1 and stored
    os.remove(place + "/photo")
    store.commit()
    assert len(FlashStore(place + "/outbox", **OPTIONS)) == stored + 1
    flash.unmount()
