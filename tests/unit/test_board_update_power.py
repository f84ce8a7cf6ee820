# Power that fails at any block written while a bundle is unpacked, put on trial, passes or goes back: the board starts
# the old application or the new one, each whole. LittleFS and FAT in RAM.

import flash
from bundles import KEY, in_pieces, made
from msgin5g.board.bundle import Bundle
from msgin5g.board.slots import TRIAL, Slots

RUNTIMES = ("micropython",)
ROOT = flash.MOUNTED + "/"
NAMES = ("app.py", "lib/data.txt", "more.py")
LENGTHS = (700, 1500, 40)


def files(version):
    return [(name, (b"%d" % version) * length) for name, length in zip(NAMES, LENGTHS)]


def install(version):
    one = Slots(ROOT)
    bundle = Bundle(in_pieces(made(files(version), version)), KEY)
    bundle.unpack(one.spare())
    one.switch(version, "aa", ["AS", "x", "m-%d" % version])


def passes(version):
    install(version)
    one = Slots(ROOT)
    one.begin()
    one.well()
    one.told()


def goes_back(version):
    install(version)
    for _ in range(3):
        Slots(ROOT).begin()
    Slots(ROOT).told()


def application():
    # The version that would be started, whole; 0: the one that was deployed.
    one = Slots(ROOT)
    one.begin()
    if not one.active:
        return 0
    versions = set()
    for name, length in zip(NAMES, LENGTHS):
        with open(one.folder(one.active) + "/" + name, "rb") as file:
            octets = file.read()
        assert len(octets) == length, (name, len(octets))
        versions |= set(octets)
    assert len(versions) == 1, "a mixture"
    return versions.pop() - 48


def each_cut(kind, before, what, allowed):
    # `what` with power that fails at each write in turn, after `before`; until it needs fewer writes than that.
    seen = set()
    at = 0
    while True:
        device = flash.Device(512, 128)
        flash.mount(device, kind)
        before()
        device.fails_at = at
        try:
            what()
        except OSError:
            assert device.dead
        done = not device.dead
        device.dead = False
        device.fails_at = None
        flash.mount(device, kind, fresh=False)
        version = application()
        assert version in allowed, (at, version)
        seen.add(version)
        # And it takes the next update.
        if Slots(ROOT).outcome != TRIAL:
            passes(8)
            assert application() == 8
        if done:
            break
        at += 1
    flash.unmount()
    assert at > 20
    return seen


def nothing():
    pass


def second():
    passes(1)


def test_the_first_update():
    assert each_cut("VfsLfs2", nothing, lambda: passes(1), (0, 1)) == {0, 1}


def test_a_later_update():
    assert each_cut("VfsLfs2", second, lambda: passes(2), (1, 2)) == {1, 2}


def test_one_that_goes_back():
    assert each_cut("VfsLfs2", second, lambda: goes_back(2), (1, 2)) == {1, 2}


def test_on_fat_the_file_is_there_or_the_one_aside():
    assert each_cut("VfsFat", second, lambda: passes(2), (1, 2)) == {1, 2}
