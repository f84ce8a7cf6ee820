"""What the tools take for a board is one to mpremote too."""

import subprocess
import sys
import time
from pathlib import Path

import pytest
from pretended import needs_board

from host_tools.boards import board as boards
from host_tools.boards.serial_board import SerialBoard
from host_tools.simulator.pretended_board import Pretence, PretendedBoard

pytestmark = needs_board


def mpremote(board: PretendedBoard, *arguments: str) -> str:
    done = subprocess.run(
        [Path(sys.executable).parent / "mpremote", "connect", board.port, *arguments],
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture
def board(tmp_path):
    with PretendedBoard(tmp_path / "board", Pretence(file_system=256 << 10)) as found:
        yield found


def test_it_says_which_board_it_is(board):
    said = mpremote(board, "exec", "import sys; print(sys.platform, sys.implementation._machine)")
    assert said.split() == ["esp32", "Generic", "ESP32", "module", "with", "ESP32"]


def test_files_stay_when_its_plug_is_pulled(board, tmp_path):
    (tmp_path / "x.py").write_text("print('x was run')\n")
    mpremote(board, "fs", "cp", str(tmp_path / "x.py"), ":main.py")
    board.__exit__()
    with board:
        assert "main.py" in mpremote(board, "fs", "ls")
        assert mpremote(board, "resume", "exec", "import main").strip() == "x was run"


def test_a_soft_reset_forgets_what_was_loaded(board):
    mpremote(board, "exec", "a = 1")
    assert mpremote(board, "resume", "exec", "print('a' in globals())").strip() == "True"
    mpremote(board, "soft-reset")
    assert mpremote(board, "resume", "exec", "print('a' in globals())").strip() == "False"
    assert board.resets >= 2


def test_full_is_full(board):
    said = mpremote(
        board,
        "exec",
        "try:\n with open('f', 'wb') as f:\n  for _ in range(100): f.write(bytes(4096))\n"
        "except OSError as e: print(e.errno)",
    )
    assert said.strip() == "28"


def test_nothing_of_this_machine_is_in_its_reach(board):
    assert mpremote(board, "exec", "import os; print(os.listdir('/'))").strip() == "[]"


@pytest.mark.parametrize(("name", "has"), [("RPI_PICO", []), ("RPI_PICO_W", ["network", "socket"])])
def test_it_has_no_module_that_the_board_has_not(tmp_path, name, has):
    # (A built-in one of this machine's MicroPython is there, and empty.)
    uses = "network.WLAN", "socket.socket", "espnow.ESPNow"
    program = "".join(
        f"try:\n import {use.split('.')[0]}\n {use}\n print('{use.split('.')[0]}')\n"
        "except (ImportError, AttributeError):pass\n"
        for use in uses
    )
    with PretendedBoard(tmp_path / "board", boards.load(name).pretence()) as found:
        assert mpremote(found, "exec", program).split() == has


def test_what_nobody_reads_stops_nothing(tmp_path):
    files = tmp_path / "files"
    files.mkdir()
    (files / "main.py").write_text(
        "import machine\nfor _ in range(2000): print('x' * 60)\nmachine.Pin(2, machine.Pin.OUT, value=1)\n"
    )
    board = PretendedBoard(tmp_path / "board", Pretence(file_system=256 << 10))
    board.fill(files)
    with board:
        end = time.monotonic() + 20
        while 2 not in board.levels and time.monotonic() < end:
            time.sleep(0.05)
        assert board.levels[2] == 1


def test_a_program_that_never_waits_can_be_interrupted(tmp_path):
    files = tmp_path / "files"
    files.mkdir()
    (files / "main.py").write_text("while True:\n    pass\n")
    board = PretendedBoard(tmp_path / "board", Pretence(file_system=256 << 10))
    board.fill(files)
    with board, SerialBoard(board.port) as found:
        assert found.ask("print(6 * 7)") == 42
