"""The .pyi files say what the source says: mypy's stubtest compares the two, names, arguments and defaults."""

import ast
import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
FIRMWARE = ROOT / "firmware"
STUBS = sorted(FIRMWARE.glob("msgin5g/**/*.pyi"))
# What stubtest can't look at, and why.
ALLOWED = """
# imports cryptolib, which only MicroPython has
msgin5g\\.oscore\\.aead
"""


def stubtest(folder, tmp_path):
    allowed = tmp_path / "allowed"
    allowed.write_text(ALLOWED)
    settings = ROOT / "host_tools" / "setup" / "stubtest.ini"
    command = [sys.executable, "-m", "mypy.stubtest", "--concise", "--mypy-config-file", settings]
    return subprocess.run(
        [*command, "--allowlist", allowed, "msgin5g"],
        check=False,
        capture_output=True,
        text=True,
        cwd=tmp_path,
        env=os.environ | {"MYPYPATH": str(folder), "PYTHONPATH": str(folder)},
    )


def test_the_stubs_say_what_the_source_says(tmp_path):
    done = stubtest(FIRMWARE, tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr


def test_a_stub_that_does_not_is_found(tmp_path):
    for path in FIRMWARE.glob("msgin5g/**/*.py*"):
        if path.suffix in {".py", ".pyi"}:
            copy = tmp_path / "firmware" / path.relative_to(FIRMWARE)
            copy.parent.mkdir(parents=True, exist_ok=True)
            copy.write_text(path.read_text())
    stub = tmp_path / "firmware" / "msgin5g" / "client.pyi"
    text = stub.read_text()
    stub.write_text(text.replace("port: int = 5683", "port: int = 5684").replace("area:", "region:"))
    done = stubtest(tmp_path / "firmware", tmp_path)
    assert done.returncode
    assert "msgin5g.client.Client.__init__" in done.stdout
    assert "msgin5g.client.Client.send" in done.stdout


@pytest.mark.parametrize("path", STUBS, ids=lambda path: str(path.relative_to(FIRMWARE)))
def test_what_a_stub_tells_it_explains(path):
    tree = ast.parse(path.read_text())
    assert path.with_suffix(".py").exists()
    assert ast.get_docstring(tree)
    for node in tree.body:
        if path.stem != "exchange" and isinstance(
            node, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef
        ):
            assert ast.get_docstring(node), node.name
