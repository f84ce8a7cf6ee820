"""Boards that are pretended: what is on their flash, and what they print."""

import json
import os
import re
import select
import shutil
import time

import pytest

from host_tools.boards import board as boards
from host_tools.boards import deploy
from host_tools.setup import micropython, mpy
from host_tools.simulator.pretended_board import PretendedBoard

needs_board = pytest.mark.skipif(micropython.constrained() is None, reason="no 32-bit MicroPython")

SETTINGS = {
    "board": "ESP32_GENERIC",
    "link": "wifi",
    "networks": [["home", "secret"]],
    "pins": {"led": 2, "led_on": 1},
    "watchdog": 2,
}
DEVICE = {
    "ue_service_id": "ue-1@lab",
    "gateway": "127.0.0.1:9",
    "gateway_ue_service_id": "gateway@lab",
    "oscore": {"master_secret": "00" * 16, "master_salt": "01" * 8, "sender_id": "05", "recipient_id": ""},
}


class Console:
    """What a board prints."""

    def __init__(self, board):
        self._file = os.open(board.port, os.O_RDWR)
        self.text = ""

    def close(self):
        os.close(self._file)

    def type(self, text):
        os.write(self._file, text.encode())

    def wait(self, pattern, seconds=20):
        end = time.monotonic() + seconds
        while not re.search(pattern, self.text):
            left = end - time.monotonic()
            assert left > 0, f"no {pattern!r} in:\n{self.text}"
            if select.select([self._file], [], [], left)[0]:
                self.text += os.read(self._file, 4096).decode()
        found, self.text = self.text, ""
        return found


def firmware(folder):
    """Into a folder: what `msgin5g deploy` puts onto an ESP32, but for the application."""
    for file in deploy.library(boards.load("ESP32_GENERIC")):
        path = folder / file.name.lstrip("/")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(file.octets)
    shutil.copy(mpy.SOURCE / "main.py", folder)
    return folder


def deployed(folder, library, app, settings=SETTINGS, device=DEVICE):
    """A board with an application, settings and a key, which reaches the network of SETTINGS; not switched on."""
    files = folder / "files"
    shutil.copytree(library, files)
    (files / "app.py").write_text(app)
    (files / "settings.json").write_text(json.dumps(settings))
    (files / "device.json").write_text(json.dumps(device))
    board = PretendedBoard(folder / "board", boards.load("ESP32_GENERIC").pretence())
    board.fill(files)
    (board.folder / "air.json").write_text(json.dumps(dict(SETTINGS["networks"])))
    return board
