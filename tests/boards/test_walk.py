"""From nothing to an updated board, and out again, as a user goes: every step is the command that docs/boards.md names."""

import json
import os
import re
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest
from images import esp
from pretended import needs_board

from host_tools.boards import board as boards
from host_tools.boards.serial_board import SerialBoard
from host_tools.simulator.pretended_board import PretendedBoard

pytestmark = needs_board
BIN = Path(sys.executable).parent
KIND = boards.load("ESP32_GENERIC")
UE, AS = "meter-17@lab", "as-1@lab"
NETWORK, PASSWORD = "home", "a secret of home"
PATIENCE = 60

# What is sent to the board: one that says something else, and one that can't work.
NEWER = """
async def main(ue, board):
    await ue.send("from the newer one", application_server="as-1@lab")
"""
BROKEN = """
async def main(ue, board):
    raise ValueError("can't work")
"""


class Walk:
    """The commands, each as a process."""

    def __init__(self, folder):
        self._folder = folder
        self._environment = os.environ | {"MSGIN5G_WIFI_PASSWORD": PASSWORD}
        self._running = []

    def run(self, *arguments, status=0):
        """A command to its end; what it has printed."""
        done = subprocess.run(
            [BIN / "msgin5g", *map(str, arguments)],
            env=self._environment,
            cwd=self._folder,
            capture_output=True,
            text=True,
            timeout=300,
            check=False,
        )
        assert done.returncode == status, f"{arguments}\n{done.stdout}\n{done.stderr}"
        return done.stdout

    def start(self, *arguments, **environment):
        """A command that goes on."""
        process = subprocess.Popen(
            [BIN / "msgin5g", *map(str, arguments)],
            env=self._environment | environment,
            cwd=self._folder,
            stdout=subprocess.PIPE,
            text=True,
        )
        self._running.append(process)
        return process

    def stop(self):
        for process in self._running:
            process.terminate()
            process.communicate(timeout=30)


@pytest.fixture
def walk(tmp_path):
    walking = Walk(tmp_path)
    yield walking
    walking.stop()


@pytest.fixture
def bootloader():
    """The address of an ESP32 in its boot loader."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = str(free.getsockname()[1])
    program = BIN / "esp32-mock-bootloader"
    subprocess.run([program, "start", "--chip", KIND.chip, "--port", port], check=True, capture_output=True)
    yield f"socket://127.0.0.1:{port}"
    subprocess.run([program, "stop", "--port", port], check=False, capture_output=True)


def message(listener):
    """The next payload that an Application Server gets."""
    while line := listener.stdout.readline():
        told = json.loads(line)
        if told["event"] == "message":
            assert told["originator"] == UE
            return told["payload"]
    raise AssertionError("it has ended")


def until_state(walk, board, **wanted):
    """Wait until a board says so of itself; what it says."""
    end = time.monotonic() + PATIENCE
    while True:
        state = json.loads(walk.run("monitor", "--port", board.port, "--state", "--json"))
        if wanted.items() <= state.items():
            return state
        assert time.monotonic() < end, state


def shorten_the_trial(board):
    """Of an update, so that the walk takes no minutes."""
    with SerialBoard(board.port) as found:
        settings = json.loads(found.read("/settings.json") or "")
        found.write("/settings.json", json.dumps(settings | {"trial": 8}).encode())


def test_from_the_box_to_an_update_and_out_again(walk, bootloader, tmp_path):
    lab = tmp_path / "lab"
    up = walk.start("up", "--dir", lab)
    server = json.loads(up.stdout.readline())["server"]
    listener = walk.start("watch", "--as", AS, "--server", server["rest"], MSGIN5G_TOKEN=server["as_token"])
    assert json.loads(listener.stdout.readline())["event"] == "registered"

    # Flash: the boot loader is pretended alone. The board below has its MicroPython already.
    (tmp_path / "micropython.bin").write_bytes(esp(KIND.chip))
    flashed = walk.run("flash", KIND.name, "--port", bootloader, "--firmware", "micropython.bin", "--json")
    assert json.loads(flashed)["flashed"] == KIND.name

    with PretendedBoard(tmp_path / "board", KIND.pretence()) as board:
        (tmp_path / "board" / "air.json").write_text(json.dumps({NETWORK: PASSWORD}))

        deployed = json.loads(walk.run("deploy", KIND.name, "--port", board.port, "--json"))
        assert deployed["written"] > 40 and deployed["heap_free_with_client"] > 0

        # Provision, while the gateway runs.
        told = walk.run(
            *("provision", KIND.name, lab / "gateway.toml", UE, "--port", board.port, "--wifi", NETWORK),
            "--json",
        )
        assert json.loads(told)["outcome"] == "provisioned" and PASSWORD not in told
        shorten_the_trial(board)

        # The first message, secured.
        assert message(listener) == "hello 1"
        state = until_state(walk, board, registered=True)
        assert state["ue"] == UE
        assert '"state": "enrolled"' in walk.run("devices", lab / "gateway.toml", "--json")
        healthy = walk.run("doctor", "--port", board.port, "--gateway", lab / "gateway.toml", "--json")
        assert [
            check["name"] for check in map(json.loads, healthy.splitlines()) if check["ok"] is False
        ] == []

        # Another application, by message.
        assert message(listener) == "hello 1", "the doctor has let it start again"
        app = tmp_path / "app.py"
        app.write_text(NEWER)
        told = json.loads(walk.run("update", UE, app, "--lab", lab, "--version", 1, "--json"))
        assert told["outcome"] == "installed", told
        assert message(listener) == "from the newer one"

        # One that can't work comes back to the one before.
        app.write_text(BROKEN)
        told = json.loads(walk.run("update", UE, app, "--lab", lab, "--version", 2, "--json", status=1))
        assert told["outcome"] == "rolled back" and "crashed" in told["why"], told
        assert message(listener) == "from the newer one"
        until_state(walk, board, registered=True, safe_mode=False)

        # Out again.
        walk.run("revoke", lab / "gateway.toml", UE)
        found = walk.run(
            "doctor", "--port", board.port, "--gateway", lab / "gateway.toml", "--json", status=1
        )
        [wrong, *_] = [check for check in map(json.loads, found.splitlines()) if not check["ok"]]
        assert re.search("revoked", wrong["said"]), wrong
        until_state(walk, board, registered=False)
