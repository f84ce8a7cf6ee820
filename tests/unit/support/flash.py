"""Folders for stores on flash: LittleFS or FAT in RAM on MicroPython, with wear counted and power that fails; a folder
of the host on CPython."""

# pyright: reportAttributeAccessIssue=false, reportMissingImports=false, reportPossiblyUnboundVariable=false

import os
import sys

MICROPYTHON = sys.implementation.name == "micropython"

if MICROPYTHON:
    import vfs
else:
    import atexit
    import shutil
    import tempfile


class Device:
    """A block device in RAM. It has a journal of what was written and erased, or fails at the write or erase number `fails_at`
    and from then on, with half of the octets written."""

    def __init__(self, block_size=512, blocks=96):
        self.block_size = block_size
        self.data = bytearray(block_size * blocks)
        self.programmed = 0
        self.octets = 0
        self.erased = 0
        self.journal = None
        self.fails_at = None
        self.dead = False
        self.read_only = False

    def readblocks(self, block, buffer, offset=0):
        start = block * self.block_size + offset
        buffer[:] = memoryview(self.data)[start : start + len(buffer)]

    def writeblocks(self, block, buffer, offset=None):
        if offset is None:
            # FAT erases what it writes.
            self.erased += 1
        self.programmed += 1
        self.octets += len(buffer)
        return self._change(block * self.block_size + (offset or 0), buffer)

    def _change(self, start, octets):
        # An error is returned: an exception would leave the file system in the midst of what it does.
        length = len(octets)
        if self.dead or self.read_only:
            return -30 if self.read_only else -5
        if self.fails_at is not None:
            self.fails_at -= 1
            self.dead = self.fails_at < 0
        if self.dead:
            length //= 2
        elif self.journal is not None:
            self.journal.append((start, bytes(octets)))
        self.data[start : start + length] = memoryview(octets)[:length]
        return -5 if self.dead else 0

    def ioctl(self, operation, argument):
        if operation == 4:
            return len(self.data) // self.block_size
        if operation == 5:
            return self.block_size
        if operation == 6:
            self.erased += 1
            return self._change(argument * self.block_size, b"\xff" * self.block_size)
        return 0

    def play(self, change, part=None):
        """Do a write of a journal, or its first octets alone."""
        start, octets = change
        octets = octets[:part]
        self.data[start : start + len(octets)] = octets


MOUNTED = "/flash"


def mount(device, kind="VfsLfs2", fresh=True):
    """The folder that a file system on the device is mounted at."""
    unmount()
    vfs_class = getattr(vfs, kind)
    if fresh:
        vfs_class.mkfs(device)
    vfs.mount(vfs_class(device), MOUNTED)
    return MOUNTED


def unmount():
    try:
        vfs.umount(MOUNTED)
    except OSError:
        pass


def folder(kind="VfsLfs2", block_size=512, blocks=256):
    """An empty place for a store."""
    if MICROPYTHON:
        return mount(Device(block_size, blocks), kind) + "/outbox"
    place = tempfile.mkdtemp(prefix="msgin5g-")
    atexit.register(shutil.rmtree, place, True)
    return place + "/outbox"


def files(place):
    """name -> octets"""
    found = {}
    for name in os.listdir(place):
        with open(place + "/" + name, "rb") as file:
            found[name] = file.read()
    return found


def write(place, name, octets):
    with open(place + "/" + name, "wb") as file:
        file.write(octets)
