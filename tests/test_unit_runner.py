"""The unit tests' runner itself: what fails on a MicroPython must be seen to fail."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from host_tools.setup import micropython

ROOT = Path(__file__).parents[1]
INTERPRETERS = micropython.interpreters()

SAMPLE = """
import asyncio, sys
from skipping import SkipTest

def test_good():
    print("seen only when asked for")

def test_bad():
    print("a hint")
    assert 1 + 1 == 3, "the sum"

async def test_bad_async():
    await asyncio.sleep(0)
    raise ValueError("later")

async def test_left_running():
    async def long():
        await asyncio.sleep(30)
    asyncio.create_task(long())

async def test_after_left_running():
    await asyncio.sleep(0)

def test_skipped():
    raise SkipTest("not here")

def test_only_on_micropython():
    assert sys.implementation.name == "micropython", "this is CPython"
"""


@pytest.fixture
def run(tmp_path):
    """Run pytest on a text as a file of unit tests; return its output as lines."""

    def run(text: str, *options: str) -> list[str]:
        (tmp_path / "test_sample.py").write_text(text)
        (tmp_path / "pytest.toml").write_text("")
        path = os.pathsep.join(str(ROOT / folder) for folder in (".", "tests/unit", "tests/unit/support"))
        # The conftest of tests/unit, as it is, for a file elsewhere; without other plugins, which take a second.
        environment = os.environ | {"PYTHONPATH": path, "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"}
        command = [sys.executable, "-m", "pytest", "-p", "tests.unit.conftest", "-p", "no:cacheprovider"]
        # Each test with its outcome on a line, and no summary, whose length depends on where it runs.
        command += ["-v", "-rN", *options]
        done = subprocess.run(
            command, check=False, cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=100
        )
        return [" ".join(line.split("[")[0].split()) for line in done.stdout.splitlines()]

    return run


def cases(lines: list[str]) -> dict[str, str]:
    """The tests and their outcomes in pytest's verbose output."""
    found = (re.match(r"test_sample\.py::(\S+) (PASSED|FAILED|SKIPPED)", line) for line in lines)
    return {match[1]: match[2] for match in found if match}


def test_cpython_cases(run):
    outcomes = cases(run(SAMPLE, "-k", "not micropython-"))
    assert outcomes == {
        "test_good": "PASSED",
        "test_bad": "FAILED",
        "test_bad_async": "FAILED",
        "test_left_running": "PASSED",
        "test_after_left_running": "PASSED",
        "test_skipped": "SKIPPED",
        "test_only_on_micropython": "FAILED",
    }


@pytest.mark.skipif(not INTERPRETERS, reason="no MicroPython is here; `make micropython` says why")
def test_micropython_cases(run):
    lines = run(SAMPLE, "-k", "micropython-")
    expected = {
        "test_good": "PASSED",
        "test_bad": "FAILED",
        "test_bad_async": "FAILED",
        "test_left_running": "PASSED",
        "test_after_left_running": "PASSED",
        "test_skipped": "SKIPPED",
        "test_only_on_micropython": "PASSED",
    }
    assert cases(lines) == {
        f"{name}::{test}": outcome for name, _ in INTERPRETERS for test, outcome in expected.items()
    }
    assert lines.count("AssertionError: the sum") == 2 * len(INTERPRETERS)
    assert lines.count("a hint") == len(INTERPRETERS)
    assert "seen only when asked for" not in lines


@pytest.mark.skipif(not INTERPRETERS, reason="no MicroPython is here; `make micropython` says why")
@pytest.mark.parametrize(
    ("fault", "word", "after"),
    [
        ("sys.exit(0)", "ended with exit status 0 in test_b", "FAILED"),
        ("while True: pass", "was stopped after 2 s in test_b", "FAILED"),
        ("bytearray(2000000)", "MemoryError: memory allocation failed, allocating 2000000 bytes", "PASSED"),
    ],
)
def test_a_file_that_dies(run, monkeypatch, fault, word, after):
    monkeypatch.setenv("UNIT_FILE_TIMEOUT_S", "2")
    text = f"import sys\ndef test_a(): pass\ndef test_b():\n    {fault}\ndef test_c(): pass\n"
    lines = run(text, "-k", INTERPRETERS[0][0])
    assert [outcome for _, outcome in sorted(cases(lines).items())] == ["PASSED", "FAILED", after]
    assert any(line.endswith(word) for line in lines)


@pytest.mark.skipif(not INTERPRETERS, reason="no MicroPython is here; `make micropython` says why")
def test_a_file_that_does_not_import(run):
    lines = run('import nothing\nRUNTIMES = ("micropython",)\ndef test_a(): pass\n')
    assert set(cases(lines).values()) == {"FAILED"}
    assert any("no module named 'nothing'" in line for line in lines)


def test_runtimes(run):
    assert list(cases(run('RUNTIMES = ("cpython",)\ndef test_a(): pass\n'))) == ["test_a"]
