# The flash of a pretended board: a file as a block device, with MicroPython's LittleFS on it as on a board. Full is
# full, and what was written outlives the process.

import os
import sys

BLOCK = 4096


class FlashImage:
    # As machine's block devices are (MicroPython's os.AbstractBlockDev); errors are codes, an exception out of here
    # would leave LittleFS in the midst of something.
    def __init__(self, path, blocks):
        try:
            os.stat(path)
        except OSError:
            with open(path, "wb") as file:
                for _ in range(blocks):
                    file.write(b"\xff" * BLOCK)
        self._file = open(path, "r+b")
        self._blocks = blocks

    def readblocks(self, block, buffer, offset=0):
        self._file.seek(block * BLOCK + offset)
        self._file.readinto(buffer)

    def writeblocks(self, block, buffer, offset=0):
        self._file.seek(block * BLOCK + offset)
        self._file.write(buffer)
        self._file.flush()

    def ioctl(self, operation, argument):
        if operation == 4:
            return self._blocks
        if operation == 5:
            return BLOCK
        return 0


def file_system(path, blocks):
    # Formatted when it is new.
    import vfs

    device = FlashImage(path, blocks)
    try:
        return vfs.VfsLfs2(device)
    except OSError:
        vfs.VfsLfs2.mkfs(device)
        return vfs.VfsLfs2(device)


def become_root(path, blocks):
    # From here on "/" is the board's file system and nothing else; what is loaded stays loaded.
    import vfs

    system = file_system(path, blocks)
    vfs.umount("/")
    vfs.mount(system, "/")
    os.chdir("/")
    sys.path[:] = ["", ".frozen", "/lib"]
