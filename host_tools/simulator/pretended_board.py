"""A board that is not there: MicroPython's 32-bit Unix port behind a pseudo-terminal that behaves like a board's USB.

It has a file system of its own (LittleFS in a file, as large as the board's), says that it is that board, and comes
back from a soft or a hard reset as a board does: ``boot.py``, ``main.py``, then the REPL. mpremote and every tool here
that takes ``--port`` work with it. What a laptop has not is pretended by ``msgin5g_testing``.
"""

from __future__ import annotations

import json
import os
import pty
import select
import signal
import subprocess
import termios
import threading
import tty
from dataclasses import dataclass
from typing import TYPE_CHECKING, Self

from msgin5g_testing import flash_image, pretend

from host_tools.setup import micropython, mpy

if TYPE_CHECKING:
    from pathlib import Path

# The raw REPL (MicroPython's documentation, "Raw mode and raw-paste mode").
_ENTER_RAW = b"\x01"
_LEAVE_RAW = b"\x02"
_RAW_BANNER = b"raw REPL; CTRL-B to exit\r\n"
_SOFT_REBOOT = b"MPY: soft reboot\r\n"
_AT_ONCE = 4096


@dataclass(frozen=True)
class Pretence:
    """What a pretended board says that it is.

    Attributes:
        platform: its ``sys.platform``.
        machine: its ``sys.implementation._machine``.
        file_system: octets of its file system.
        heap: of its MicroPython, as ``-X heapsize=`` takes it.
    """

    platform: str = "esp32"
    machine: str = "Generic ESP32 module with ESP32"
    file_system: int = 2 << 20
    heap: str = "192K"


class PretendedBoard:
    """A running board; a context manager that switches it on and off.

    Args:
        folder: where its flash is, which outlives it, and the link ``port`` to its terminal.
        pretence: which board it is.

    Attributes:
        port: what the tools take as ``--port``.
        resets: how often it was reset, softly or not.
    """

    def __init__(self, folder: Path, pretence: Pretence | None = None) -> None:
        self.folder = folder
        self.pretence = pretence or Pretence()
        self.port = folder / "port"
        self.resets = 0
        self._raw = False
        self._seen = b""
        self._child: subprocess.Popen[bytes] | None = None
        # Its terminal as the tools see it, and that of the MicroPython within.
        self._outer = self._inner = -1
        self._kept_open = -1
        self._wake, self._waker = -1, -1
        self._thread: threading.Thread | None = None

    def __enter__(self) -> Self:
        """Switch it on."""
        self.folder.mkdir(parents=True, exist_ok=True)
        self._outer, self._kept_open = pty.openpty()
        tty.setraw(self._kept_open)
        self.port.unlink(missing_ok=True)
        self.port.symlink_to(os.ttyname(self._kept_open))
        self._wake, self._waker = os.pipe()
        self._start(main=True)
        self._thread = threading.Thread(target=self._relay, name=f"board {self.port}", daemon=True)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        """Pull its plug."""
        if self._thread is None:
            return
        os.close(self._waker)
        self._thread.join()
        self._thread = None
        self._kill()
        for descriptor in (self._outer, self._kept_open, self._wake):
            os.close(descriptor)
        self.port.unlink(missing_ok=True)

    def _start(self, *, main: bool) -> None:
        interpreter = micropython.constrained()
        if interpreter is None:
            raise FileNotFoundError("no 32-bit MicroPython here: `make setup` says why")
        self._inner, child_end = pty.openpty()
        _as_usb(child_end)
        board = {
            "platform": self.pretence.platform,
            "machine": self.pretence.machine,
            "image": "flash",
            "blocks": self.pretence.file_system // flash_image.BLOCK,
            "main": main,
        }
        self._child = subprocess.Popen(
            [
                *(interpreter, "-X", f"heapsize={self.pretence.heap}"),
                *(pretend.__file__, json.dumps(board)),
            ],
            cwd=self.folder,
            env={"MICROPYPATH": f"{mpy.SOURCE}:.frozen", "TERM": "dumb"},
            stdin=child_end,
            stdout=child_end,
            stderr=child_end,
            start_new_session=True,
            # Ctrl-C is for the program on the board.
            preexec_fn=lambda: _own_terminal(child_end),  # noqa: PLW1509 (nothing else runs in the child before exec)
        )
        os.close(child_end)

    def _kill(self) -> None:
        if self._child:
            self._child.send_signal(signal.SIGKILL)
            self._child.wait()
            os.close(self._inner)
            self._child = None

    def _relay(self) -> None:
        while True:
            ready, _, _ = select.select([self._outer, self._inner, self._wake], [], [])
            if self._wake in ready:
                return
            if self._outer in ready:
                self._to_board(os.read(self._outer, _AT_ONCE))
            if self._inner in ready:
                try:
                    octets = os.read(self._inner, _AT_ONCE)
                except OSError:
                    # Linux says EIO when the other end has closed.
                    octets = b""
                if octets:
                    self._from_board(octets)
                else:
                    self._restart()

    def _to_board(self, octets: bytes) -> None:
        if _LEAVE_RAW in octets:
            self._raw = False
        os.write(self._inner, octets)

    def _from_board(self, octets: bytes) -> None:
        self._seen = (self._seen + octets)[-len(_RAW_BANNER) - _AT_ONCE :]
        if _RAW_BANNER in self._seen:
            self._raw, self._seen = True, b""
        os.write(self._outer, octets)

    def _restart(self) -> None:
        # MicroPython has ended: at Ctrl-D, which is a soft reset on a board, or because the board has reset itself.
        assert self._child
        hard = self._child.wait() == pretend.RESET
        os.close(self._inner)
        self.resets += 1
        raw = self._raw and not hard
        self._raw, self._seen = False, b""
        if not hard:
            os.write(self._outer, _SOFT_REBOOT)
        self._start(main=not raw)
        if raw:
            # A board stays in the raw REPL, and runs boot.py only.
            os.write(self._inner, _ENTER_RAW)


def _as_usb(descriptor: int) -> None:
    # Octets as they are, but for Ctrl-C, which interrupts the program.
    tty.setraw(descriptor)
    attributes = termios.tcgetattr(descriptor)
    attributes[3] |= termios.ISIG | termios.NOFLSH
    attributes[6][termios.VQUIT] = attributes[6][termios.VSUSP] = b"\0"
    termios.tcsetattr(descriptor, termios.TCSANOW, attributes)


def _own_terminal(descriptor: int) -> None:
    import fcntl  # noqa: PLC0415 (in the child)

    fcntl.ioctl(descriptor, termios.TIOCSCTTY, 0)
