"""`msgin5g monitor`: what a board prints, as it runs."""

import json
import subprocess
import sys
import time
from pathlib import Path

import pytest
from command_line import call, told
from pretended import deployed, needs_board

from host_tools.boards import monitor
from host_tools.boards.board import BoardError

TALKS = """
import asyncio
async def main(ue, board):
    n = 0
    while True:
        board.log.complain('reading', n)
        n += 1
        await asyncio.sleep(0.2)
"""


def test_a_line_of_the_log_is_taken_apart():
    assert monitor.parsed("12 W network: gone") == ("network: gone", "warning", 12)
    assert monitor.parsed("12 E crashed\n  Traceback") == ("crashed\n  Traceback", "error", 12)
    assert monitor.parsed("rst:0x1 (POWERON)") == ("rst:0x1 (POWERON)", None, None)


@pytest.fixture
def board(tmp_path, library):
    with deployed(tmp_path, library, TALKS) as pretended:
        yield pretended


def until(lines, text, seconds=30):
    end = time.monotonic() + seconds
    for line in lines:
        if line is not None and text in line.text:
            return line
        assert time.monotonic() < end, f"no {text!r}"
    raise AssertionError(text)


@needs_board
def test_what_it_prints_is_shown_as_it_comes_and_after_a_reset(board):
    watched = monitor.Monitor(str(board.port))
    lines = watched.lines()
    assert until(lines, "reading 3").level == "warning"
    board.__exit__()
    with board:
        # What it printed before its port was opened again is gone.
        assert int(until(lines, "reading").text.split()[1]) < 100
        until(lines, "reading")
    watched.close()


@needs_board
def test_its_state_is_said_while_it_runs(board):
    until(monitor.Monitor(str(board.port)).lines(), "reading 1")
    found = monitor.state(str(board.port), 20)
    assert found["board"] == "ESP32_GENERIC" and found["network"] is True
    assert found["registered"] is False and found["safe_mode"] is False and found["ue"] == "ue-1@lab"
    assert board.resets == 0


def test_a_text_of_its_state_that_is_empty_has_no_line(monkeypatch):
    state = {"network": None, "registered": False, "heap_free": 0, "slot": "", "update": 5, "outcome": ""}
    monkeypatch.setattr(monitor, "state", lambda port: state)
    said = call("monitor", "--port", "/dev/ttyUSB0", "--state").stdout
    assert [line.split() for line in said.splitlines()] == [
        ["network", "-"],
        ["registered", "no"],
        ["heap", "free", "0"],
        ["update", "5"],
    ]
    # Programs get all of it.
    assert told("monitor", "--port", "/dev/ttyUSB0", "--state") == state


@needs_board
def test_the_log_on_its_flash(board):
    until(monitor.Monitor(str(board.port)).lines(), "reading 3")
    said = call("monitor", "--port", board.port, "--log", "--json").stdout
    lines = [json.loads(line) for line in said.splitlines()]
    assert lines[0]["text"].startswith("started: ") and lines[0]["level"] == "info"
    assert any(line["text"] == "reading 2" for line in lines)


@needs_board
def test_on_the_command_line(board):
    done = subprocess.run(
        [Path(sys.executable).parent / "msgin5g", "monitor", "--port", board.port, "--seconds", "6"],
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    assert "reading" in done.stdout


def test_a_port_that_never_was_there_is_not_waited_for():
    with pytest.raises(BoardError, match=r"/dev/none: .*boards --ports"):
        next(monitor.Monitor("/dev/none").lines())


def test_a_board_that_says_nothing_is_named(tmp_path):
    import os

    master, slave = os.openpty()
    with pytest.raises(BoardError, match="says nothing: does its program run"):
        monitor.state(os.ttyname(slave), 0.5)
    os.close(master)
    os.close(slave)
