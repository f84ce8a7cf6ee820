# Puts files onto the flash of a pretended board that is switched off:
#
#     micropython fill.py IMAGE BLOCKS FOLDER
#
# All of the folder lands in the board's "/".

import os
import sys

from msgin5g_testing import flash_image


def _copy(source, target):
    for name, kind in [entry[:2] for entry in os.ilistdir(source)]:
        if kind == 0x4000:
            try:
                os.mkdir(target + name)
            except OSError:
                # It is there.
                pass
            _copy(source + "/" + name, target + name + "/")
            continue
        with open(source + "/" + name, "rb") as file:
            octets = file.read()
        with open(target + name, "wb") as file:
            file.write(octets)


if __name__ == "__main__":
    import vfs

    vfs.mount(flash_image.file_system(sys.argv[1], int(sys.argv[2])), "/flash")
    _copy(sys.argv[3], "/flash/")
