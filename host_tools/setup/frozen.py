"""MicroPython with the firmware frozen in, for measuring: `python -m host_tools.setup.frozen`.

It is Debian's MicroPython (the same version as micropython-i386) built from its source package for the 32-bit sibling
of this machine, with `boards/manifest.py`. A frozen module's code and names stay in the program, on a board in its
flash, and cost no heap. It needs gcc, make and patch, and lands in `build/micropython/bin/frozen-i386`; that a machine
can't build it is said, and no failure.
"""

import os
import shutil
import subprocess
import sys
from pathlib import Path

from host_tools.setup import debian, micropython, mpy

FOLDER = micropython.FOLDER / "frozen"
LAUNCHER = micropython.FOLDER / "bin" / "frozen-i386"
BUNDLED = micropython.FOLDER / "bin" / "bundled-frozen-i386"
MANIFEST = mpy.ROOT / "boards" / "manifest.py"
_LIBRARIES = "libc6-dev libgcc-14-dev libmbedtls-dev libffi-dev"
# As Debian builds it, without the modules that call C from Python and have no place on a board.
_OPTIONS = [
    "MICROPY_SSL_AXTLS=0",
    "MICROPY_SSL_MBEDTLS=1",
    "MICROPY_PY_BTREE=0",
    "MICROPY_PY_FFI=0",
    "MICROPY_PY_JNI=0",
    "STRIP=true",
]


def build(*, bundled: bool = False) -> Path:
    """Build it and return what starts it.

    Args:
        bundled: with what is always loaded together in one module.

    Raises:
        debian.Unavailable: this machine can't; the text says why.
    """
    for tool in ("gcc", "make", "patch"):
        if not shutil.which(tool):
            raise debian.Unavailable(f"{tool} is not here")
    if debian.native_architecture() not in ("amd64", "i386"):
        raise debian.Unavailable("only a gcc for x86 builds for i386 here")
    archives = [debian.debian_archive(micropython.DEBIAN_SUITE)]
    source, tree = FOLDER / "source", FOLDER / "i386"
    if not source.exists():
        debian.unpack_source("micropython", archives, source)
    if not tree.exists():
        debian.unpack(_LIBRARIES, archives, "i386", tree)
        # Debian's /lib is /usr/lib; the linker looks there, in the tree.
        (tree / "lib").symlink_to("usr/lib")
    complaints = mpy.compile_all()
    if complaints:
        raise debian.Unavailable(complaints[0])
    _make(source / "mpy-cross")
    # Apart: what is compiled already is known by its name there.
    built = FOLDER / ("build-bundled" if bundled else "build")
    manifest = FOLDER / "manifest.py"
    manifest.write_text(f'include("$(MPY_DIR)/extmod/asyncio")\ninclude("{MANIFEST}", bundled={bundled})\n')
    gcc = f"gcc -m32 --sysroot={tree} -DMICROPY_FLOAT_USE_NATIVE_FLT16=0"
    for folder in (tree / "usr/lib/gcc/i686-linux-gnu/14", tree / "usr/lib/i386-linux-gnu"):
        gcc += f" -B{folder} -L{folder}"
    _make(source / "ports/unix", f"CC={gcc}", f"FROZEN_MANIFEST={manifest}", f"BUILD={built}", *_OPTIONS)
    launcher = BUNDLED if bundled else LAUNCHER
    program = tree / "usr/bin" / launcher.name.replace("frozen-i386", "micropython-frozen")
    program.parent.mkdir(parents=True, exist_ok=True)
    shutil.copy2(built / "micropython", program)
    debian.write_launcher(tree, program.name, launcher)
    return launcher


def _make(folder: Path, *options: str) -> None:
    # Options of the make that calls this are not for that one.
    environment = {name: value for name, value in os.environ.items() if not name.startswith("MAKE")}
    command = ["make", f"--jobs={os.cpu_count()}", "--silent", "--directory", str(folder), *options]
    done = subprocess.run(command, check=False, capture_output=True, text=True, env=environment)
    if done.returncode:
        lines = [line for line in done.stderr.splitlines() if "rror" in line] or [f"exit {done.returncode}"]
        raise debian.Unavailable(f"{folder.name}: {lines[0]}")


def main() -> int:
    """Build it and say where it is, or why there is none."""
    try:
        print("frozen:", build())
    except (debian.Unavailable, OSError) as error:
        print(f"frozen: not available ({error})")
    return 0


if __name__ == "__main__":
    sys.exit(main())
