"""Each unit test runs on CPython and on every MicroPython at hand.

A file here is portable Python: functions `test_*`, plain or `async`, with bare asserts, no fixtures and no pytest.
pytest shows each function once for CPython, `test_x.py::test_name`, and once for each interpreter,
`test_x.py::micropython-i386::test_name`. An interpreter runs a file once, for all of the tests that were selected.

A file that suits only some runtimes says so: `RUNTIMES = ("cpython",)` or `("micropython",)`. A test that can't run
where it finds itself raises SkipTest (support/skipping.py).
"""

import ast
import asyncio
import inspect
import json
import os
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import pytest
import runner

from host_tools.setup import micropython, mpy
from host_tools.setup.constants import Package

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
# A board has less, but the tests come on top of what they test. System tests set the heap of a real board.
HEAP = "1M"
# What interpreters run: the source, or what boards get, UNIT_FIRMWARE=build/mpy after `make lint`.
FIRMWARE = ROOT / os.environ.get("UNIT_FIRMWARE", "firmware")
FILE_TIMEOUT_S = float(os.environ.get("UNIT_FILE_TIMEOUT_S", "60"))


def pytest_pycollect_makemodule(module_path: Path, parent: pytest.Collector) -> pytest.Module:
    return PortableModule.from_parent(parent, path=module_path)


class PortableModule(pytest.Module):
    """A file of unit tests. The names of its tests are read from its source, as it may not import on CPython."""

    def collect(self) -> Iterator[pytest.Item | pytest.Collector]:
        tree = ast.parse(self.path.read_bytes(), str(self.path))
        names = [
            node.name
            for node in tree.body
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.name.startswith("test_")
        ]
        runtimes = declared_runtimes(tree)
        if "cpython" in runtimes:
            for name in names:
                function = synchronous(getattr(self.obj, name))
                yield pytest.Function.from_parent(self, name=name, callobj=function)
        if "micropython" in runtimes:
            for name, interpreter in micropython.interpreters():
                yield OnMicroPython.from_parent(self, name=name, interpreter=interpreter, tests=names)


def declared_runtimes(tree: ast.Module) -> tuple[str, ...]:
    """The value of a file's RUNTIMES, by default both."""
    for node in tree.body:
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "RUNTIMES":
            return ast.literal_eval(node.value)
    return ("cpython", "micropython")


def synchronous(function):
    """Let pytest call a coroutine function, under the time limit of the runner."""
    if not inspect.iscoroutinefunction(function):
        return function
    return lambda: asyncio.run(asyncio.wait_for(function(), runner.TIMEOUT_S))


@dataclass
class Outcome:
    """What became of one test on an interpreter."""

    outcome: str
    text: str
    printed: str


class OnMicroPython(pytest.Collector):
    """The tests of one file on one interpreter."""

    def __init__(self, *, interpreter: Path, tests: list[str], **kwargs) -> None:
        super().__init__(**kwargs)
        self.interpreter = interpreter
        self.tests = tests
        self._outcomes: dict[str, Outcome] | None = None

    def collect(self) -> Iterator[pytest.Item]:
        for name in self.tests:
            yield MicroPythonTest.from_parent(self, name=name)

    def outcome(self, name: str) -> Outcome:
        """What became of a test; the first question runs all that were selected."""
        if self._outcomes is None:
            selected = [item.name for item in self.session.items if item.parent is self]
            self._outcomes = run_tests(self.interpreter, self.path, selected)
        return self._outcomes[name]


class MicroPythonTest(pytest.Item):
    """One test function on one interpreter."""

    parent: OnMicroPython

    def runtest(self) -> None:
        outcome = self.parent.outcome(self.name)
        if outcome.printed:
            self.add_report_section("call", "stdout", outcome.printed)
        if outcome.outcome == "skipped":
            pytest.skip(outcome.text)
        if outcome.outcome != "passed":
            raise MicroPythonFailure(outcome.text)

    def repr_failure(self, excinfo, style=None):
        if isinstance(excinfo.value, MicroPythonFailure):
            return str(excinfo.value)
        return super().repr_failure(excinfo, style)

    def reportinfo(self):
        return self.path, None, f"{self.parent.name}::{self.name}"


class MicroPythonFailure(Exception):
    """The traceback that an interpreter printed."""


@cache
def inlined_tests() -> Path:
    """A copy of the tests with constants in place, as the firmware has them that is compiled for boards."""
    target = mpy.INLINED / "tests"
    target.mkdir(parents=True, exist_ok=True)
    package = Package(mpy.SOURCE, "msgin5g")
    for source in (*HERE.glob("test_*.py"), HERE / "runner.py", *HERE.glob("support/*.py")):
        (target / source.name).write_text(mpy.inlined(package, source))
    return target


def run_tests(interpreter: Path, path: Path, names: list[str]) -> dict[str, Outcome]:
    """Run tests of a file on an interpreter. Where it dies or hangs, the tests not yet reported have failed."""
    folder = path.parent if FIRMWARE == mpy.SOURCE else inlined_tests()
    program = runner.__file__ if FIRMWARE == mpy.SOURCE else folder / "runner.py"
    folders = [FIRMWARE, folder, HERE / "support", ".frozen"]
    command = [str(interpreter), "-X", f"heapsize={HEAP}", str(program), path.stem, *names]
    environment = os.environ | {"MICROPYPATH": ":".join(map(str, folders))}
    try:
        done = subprocess.run(
            command,
            check=False,
            env=environment,
            cwd=ROOT,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            timeout=FILE_TIMEOUT_S,
        )
        output, end = done.stdout, f"ended with exit status {done.returncode}"
    except subprocess.TimeoutExpired as error:
        output, end = error.stdout or b"", f"was stopped after {FILE_TIMEOUT_S:g} s"

    outcomes: dict[str, Outcome] = {}
    printed = ""
    # str.splitlines would take the mark itself for the end of a line.
    for line in output.decode(errors="replace").replace("\r\n", "\n").split("\n"):
        text, mark, record = line.partition(runner.MARK)
        printed += text if mark else line + "\n"
        if mark:
            fields = json.loads(record)
            text = fields["text"].strip()
            if fields["outcome"] == "failed":
                # The error before its traceback, since pytest's summary shows the first line.
                text = text.rpartition("\n")[2] + "\n" + text
            outcomes[fields["name"]] = Outcome(fields["outcome"], text, printed)
            printed = ""
    missing = [name for name in names if name not in outcomes]
    for name in missing:
        where = f"in {name}" if name == missing[0] else f"in {missing[0]}, before {name}"
        shown = printed if name == missing[0] else ""
        outcomes[name] = Outcome("failed", f"{interpreter.name} {end} {where}", shown)
    return outcomes
