# Runs a script, or a module by its name, with the modules of a ROMFS image: IMAGE SCRIPT ..., or IMAGE -m MODULE ...
# The image is mapped into memory, where it is no part of the heap, as it is in a board's flash.
# pyright: reportMissingImports=false

import os
import sys

import ffi
import uctypes
import vfs

_READ = 1
_PRIVATE = 2


def mount(image):
    libc = ffi.open(None)
    size = os.stat(image)[6]  # noqa: PTH116
    file = libc.func("i", "open", "si")(image, 0)
    address = libc.func("p", "mmap", "piiiii")(0, size, _READ, _PRIVATE, file, 0)
    vfs.mount(vfs.VfsRom(uctypes.bytearray_at(address, size)), "/rom")
    # As the interpreter itself does on a board.
    sys.path.insert(0, "/rom")


def main():
    mount(sys.argv[1])
    del sys.argv[:2]
    if sys.argv[0] == "-m":
        del sys.argv[0]
        __import__(sys.argv[0])
        return
    with open(sys.argv[0]) as file:  # noqa: PTH123
        script = file.read()
    exec(script, {"__name__": "__main__"})


main()
