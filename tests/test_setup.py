"""The set-up's reading of a machine's apt configuration, and what it says where there is nothing to be had."""

import fcntl
import os
import subprocess
import sys
from pathlib import Path

import pytest

from host_tools.setup import debian, micropython, mpy

DEB822 = """\
Types: deb deb-src
# a note
URIs: https://mirror.example/debian
Suites: bookworm
 bookworm-updates
Components: main contrib
Signed-By: /usr/share/keyrings/debian-archive-keyring.gpg

Types: deb
Enabled: no
URIs: https://mirror.example/off
Suites: sid
Components: main

Types: deb-src
URIs: https://mirror.example/source
Suites: sid
Components: main

Types: deb
URIs: mirror+file:/etc/apt/mirrors/other.list
Suites: noble
Components: main
Signed-By:
 -----BEGIN PGP PUBLIC KEY BLOCK-----
 .
 xsFNBGY
"""

ONE_LINE = """\
# deb https://mirror.example/commented bookworm main
deb https://mirror.example/plain trixie main contrib # a note
deb [arch=amd64 signed-by=/k.gpg] https://mirror.example/options trixie-updates main
deb-src https://mirror.example/source trixie main
"""

KEYRING = "/usr/share/keyrings/debian-archive-keyring.gpg"


@pytest.fixture
def apt(tmp_path):
    """An apt configuration of two files."""
    (tmp_path / "sources.list.d").mkdir()
    (tmp_path / "sources.list").write_text(ONE_LINE)
    (tmp_path / "sources.list.d" / "distro.sources").write_text(DEB822)
    (tmp_path / "sources.list.d" / "notes.txt").write_text("deb https://mirror.example/ignored sid main\n")
    return tmp_path


def test_apt_sources_in_both_formats(apt):
    assert debian.configured_sources(apt) == [
        debian.Source("https://mirror.example/plain", ("trixie",), ("main", "contrib")),
        debian.Source("https://mirror.example/options", ("trixie-updates",), ("main",), "/k.gpg"),
        debian.Source(
            "https://mirror.example/debian", ("bookworm", "bookworm-updates"), ("main", "contrib"), KEYRING
        ),
        debian.Source("mirror+file:/etc/apt/mirrors/other.list", ("noble",), ("main",)),
    ]


def test_a_machine_without_a_debian_mirror_says_so(apt, monkeypatch):
    (apt / "sources.list").unlink()
    distro = apt / "sources.list.d" / "distro.sources"
    distro.write_text(DEB822.replace("bookworm", "noble"))
    monkeypatch.setattr(debian, "APT_SOURCES", apt)
    with pytest.raises(debian.Unavailable, match="knows no Debian mirror"):
        debian.debian_archive("trixie")


def test_an_unpacked_program_starts_from_a_moved_tree(tmp_path):
    path = micropython.constrained()
    if path is None:
        pytest.skip("no 32-bit MicroPython is here; `make micropython` says why")
    link = tmp_path / "elsewhere"
    link.symlink_to(micropython.FOLDER)
    assert micropython.answers(link / "bin" / path.name)


def test_an_interpreter_of_ones_own_joins(tmp_path):
    own = tmp_path / "mine"
    own.write_text("#!/bin/sh\n")
    command = [sys.executable, "-m", "host_tools.setup.micropython", "--list"]
    environment = os.environ | {"MICROPYTHON": str(own)}
    done = subprocess.run(
        command,
        check=True,
        env=environment,
        cwd=Path(__file__).parents[1],
        capture_output=True,
        text=True,
        timeout=20,
    )
    assert f"micropython-own {own}" in done.stdout.splitlines()


@pytest.fixture
def firmware(tmp_path, monkeypatch):
    """A small firmware in a folder of its own; returns a function that gives it a module."""
    folders = {"SOURCE": "firmware", "TARGET": "mpy", "WITHOUT_LINES": "mpy-small", "INLINED": "inlined"}
    folders |= {"BUNDLED": "bundled", "BUNDLED_TARGET": "mpy-bundled"}
    for name, folder in folders.items():
        monkeypatch.setattr(mpy, name, tmp_path / folder)
    monkeypatch.setattr(mpy, "ROOT", tmp_path)
    board = tmp_path / "board.py"
    board.write_text("print(1)\n")
    monkeypatch.setattr(mpy, "BOARD", board)
    package = tmp_path / "firmware" / "msgin5g"
    package.mkdir(parents=True)
    (package / "__init__.py").write_text("# Nothing to say.\n")

    def write(text):
        (package / "one.py").write_text(text)

    return write


def test_modules_are_compiled_with_and_without_lines(firmware, tmp_path):
    firmware("def f():\n    raise ValueError\n")
    assert mpy.compile_all() == []
    sizes = [(tmp_path / folder / "msgin5g/one.mpy").stat().st_size for folder in ("mpy", "mpy-small")]
    assert sizes[0] > sizes[1]
    assert not list(tmp_path.rglob("__init__.mpy")), "a package without statements needs no module"


def test_only_what_changed_is_compiled_and_what_has_gone_goes(firmware, tmp_path):
    firmware("A = 1\n")
    other = tmp_path / "firmware/msgin5g/other.py"
    other.write_text("from .one import A\nx = A\n")
    mpy.compile_all()
    compiled = tmp_path / "mpy/msgin5g/other.mpy"
    before = compiled.stat().st_mtime_ns
    mpy.compile_all()
    assert compiled.stat().st_mtime_ns == before
    # A constant of another module is part of it.
    firmware("A = 2\n")
    mpy.compile_all()
    assert compiled.stat().st_mtime_ns > before
    other.unlink()
    mpy.compile_all()
    assert not compiled.exists()


def test_who_reads_meanwhile_finds_every_module(firmware, tmp_path, monkeypatch):
    firmware("A = 1\nprint(A)\n")
    mpy.compile_all()
    compiled = tmp_path / "mpy/msgin5g/one.mpy"
    before, found, run = compiled.read_bytes(), [], subprocess.run

    def compiling(*arguments, **options):
        with (tmp_path / "mpy.lock").open("w") as lock, pytest.raises(BlockingIOError):
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        found.append(compiled.read_bytes())
        return run(*arguments, **options)

    firmware("A = 2\nprint(A)\n")
    monkeypatch.setattr(mpy.subprocess, "run", compiling)
    assert mpy.compile_all() == []
    assert found[0] == before != compiled.read_bytes()
    assert sorted(path.name for path in compiled.parent.iterdir()) == ["one.mpy"]


@pytest.mark.parametrize(
    "text",
    ["A = 1\nmatch A:\n    case 1:\n        pass\n", "A = 1\ndef f(:\n    pass\n"],
    ids=["not MicroPython", "not Python"],
)
def test_what_does_not_compile_is_told_with_its_line(firmware, text):
    firmware(text)
    [complaint] = mpy.compile_all()
    assert "one.py" in complaint
    assert "line 2" in complaint
