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
import time
import tty
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from msgin5g_testing import fill, flash_image, machine, pretend

from host_tools.setup import micropython, mpy

# The raw REPL (MicroPython's documentation, "Raw mode and raw-paste mode").
_ENTER_RAW = b"\x01"
_LEAVE_RAW = b"\x02"
_INTERRUPT = b"\x03"
_END = b"\x04"
_RAW_BANNER = b"raw REPL; CTRL-B to exit\r\n"
_SOFT_REBOOT = b"MPY: soft reboot\r\n"
_AT_ONCE = 4096
# Seconds after which what it prints is lost when nobody takes it.
_PATIENCE = 0.5
# A program that was found waiting so often in a row waits; one that has not in so many seconds never does.
_WAITS = 4
_NEVER_WAITS = 2.0
_IMAGE = "flash"
_ENVIRONMENT = {"MICROPYPATH": f"{mpy.SOURCE}:.frozen", "TERM": "dumb"}


@dataclass(frozen=True)
class Pretence:
    """What a pretended board says that it is.

    Attributes:
        platform: its ``sys.platform``.
        machine: its ``sys.implementation._machine``.
        file_system: octets of its file system.
        heap: of its MicroPython, as ``-X heapsize=`` takes it.
        without: modules that its MicroPython has not.
    """

    platform: str = "esp32"
    machine: str = "Generic ESP32 module with ESP32"
    file_system: int = 2 << 20
    heap: str = "192K"
    without: tuple[str, ...] = ()


class PretendedBoard:
    """A running board; a context manager that switches it on and off.

    Args:
        folder: where its flash is, which outlives it, and the link ``port`` to its terminal.
        pretence: which board it is.

    Attributes:
        port: what the tools take as ``--port``.
        resets: how often it was reset, softly or not.
        levels: of its pins.
    """

    def __init__(self, folder: Path, pretence: Pretence | None = None) -> None:
        self.folder = folder
        self.pretence = pretence or Pretence()
        self.port = folder / "port"
        self.resets = 0
        self.levels: dict[int | str, int] = {}
        self._raw = False
        self._seen = b""
        # What is typed waits until it has begun to listen, and until it has done what was asked for.
        self._begun = self._ready = False
        self._typed = b""
        self._child: subprocess.Popen[bytes] | None = None
        # Its terminal as the tools see it, and that of the MicroPython within.
        self._outer = self._inner = -1
        self._kept_open = -1
        # Does anybody take what it prints?
        self._read = True
        self._wake, self._waker = -1, -1
        # What it tells of its pins, and that it resets.
        self._said = -1
        self._lines = b""
        # How often it has started: what an earlier start has told is not this one's.
        self._boot = 0
        self._thread: threading.Thread | None = None

    def fill(self, files: Path) -> None:
        """Put all of a folder onto its flash; it has to be switched off."""
        self.folder.mkdir(parents=True, exist_ok=True)
        blocks = self.pretence.file_system // flash_image.BLOCK
        subprocess.run(
            [_interpreter(), fill.__file__, str(self.folder / _IMAGE), str(blocks), str(files)],
            env=_ENVIRONMENT,
            check=True,
            stdout=subprocess.DEVNULL,
        )

    def __enter__(self) -> Self:
        """Switch it on."""
        self.folder.mkdir(parents=True, exist_ok=True)
        self._outer, self._kept_open = pty.openpty()
        os.set_blocking(self._outer, False)
        tty.setraw(self._kept_open)
        self.port.unlink(missing_ok=True)
        self.port.symlink_to(os.ttyname(self._kept_open))
        self._wake, self._waker = os.pipe()
        said = self.folder / "said"
        said.unlink(missing_ok=True)
        os.mkfifo(said, 0o600)
        # Open for both, so that it does not end when the board does.
        self._said = os.open(said, os.O_RDWR)
        self._start(machine.PWRON_RESET)
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
        for descriptor in (self._outer, self._kept_open, self._wake, self._said):
            os.close(descriptor)
        self.port.unlink(missing_ok=True)

    def _start(self, cause: int, *, main: bool = True) -> None:
        self._begun = self._ready = False
        self._boot += 1
        self._inner, child_end = pty.openpty()
        _as_usb(child_end)
        board = {
            "platform": self.pretence.platform,
            "machine": self.pretence.machine,
            "image": _IMAGE,
            "blocks": self.pretence.file_system // flash_image.BLOCK,
            "main": main,
            "without": self.pretence.without,
            "cause": cause,
            "boot": self._boot,
        }
        self._child = subprocess.Popen(
            [
                *(_interpreter(), "-X", f"heapsize={self.pretence.heap}"),
                *(pretend.__file__, json.dumps(board)),
            ],
            cwd=self.folder,
            env=_ENVIRONMENT,
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
            ready, _, _ = select.select([self._outer, self._inner, self._wake, self._said], [], [])
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
                    self._soft_reset()
            if self._said in ready:
                self._listen(os.read(self._said, _AT_ONCE))

    def _listen(self, octets: bytes) -> None:
        *lines, self._lines = (self._lines + octets).split(b"\n")
        for line in lines:
            told = json.loads(line)
            if told.pop("boot") != self._boot:
                # Said before it was reset.
                continue
            if "pin" in told:
                self.levels[told["pin"]] = told["level"]
            elif "ready" in told:
                self._begun = self._ready = True
                self._pass_on()
            else:
                self._hard_reset(told["reset"], told["cause"])

    def _to_board(self, octets: bytes) -> None:
        self._typed += octets
        self._pass_on()

    def _pass_on(self) -> None:
        # What comes behind a Ctrl-D waits for what it brings about: after a reset another process hears it.
        while self._ready and self._typed:
            before, end, rest = self._typed.partition(_END)
            if _LEAVE_RAW in before:
                self._raw = False
            if _INTERRUPT in before:
                self._wait_for_a_safe_point()
            os.write(self._inner, before + end)
            self._typed = rest
            self._ready = not end

    def _wait_for_a_safe_point(self) -> None:
        # A board is interrupted between two instructions of its program. MicroPython's Unix port raises out of whatever
        # it is doing, and collecting the heap or writing to the file system must not end half-way: it is interrupted
        # while it waits for something, unless its program never does.
        assert self._child
        end = time.monotonic() + _NEVER_WAITS
        waits = 0
        while waits < _WAITS and time.monotonic() < end:
            try:
                state = (
                    Path(f"/proc/{self._child.pid}/stat")
                    .read_text(encoding="ascii")
                    .rpartition(")")[2]
                    .split()[0]
                )
            except OSError:
                return
            waits = waits + 1 if state == "S" else 0
            time.sleep(0.002)

    def _print(self, octets: bytes) -> None:
        # What nobody takes is lost, as on USB; a board does not wait for those who don't read.
        while octets:
            self._read = bool(select.select([], [self._outer], [], _PATIENCE if self._read else 0)[1])
            if not self._read:
                return
            octets = octets[os.write(self._outer, octets) :]

    def _from_board(self, octets: bytes) -> None:
        self._seen = (self._seen + octets)[-len(_RAW_BANNER) - _AT_ONCE :]
        if _RAW_BANNER in self._seen:
            self._raw, self._seen = True, b""
        self._print(octets)
        if self._begun and self._raw:
            # At the friendly prompt Ctrl-D is always a reset.
            self._ready = True
            self._pass_on()

    def _soft_reset(self) -> None:
        # MicroPython has ended: at Ctrl-D, or because the program has asked for it.
        assert self._child
        self._child.wait()
        os.close(self._inner)
        self.resets += 1
        raw, self._raw, self._seen = self._raw, False, b""
        self._print(_SOFT_REBOOT)
        self._start(machine.SOFT_RESET, main=not raw)
        if raw:
            # A board stays in the raw REPL, and runs boot.py only.
            self._typed = _ENTER_RAW + self._typed

    def _hard_reset(self, after: int, cause: int) -> None:
        self._kill()
        self.resets += 1
        self._raw, self._seen = False, b""
        # Asleep, it hears nothing.
        select.select([self._wake], [], [], after / 1000)
        self._start(cause)


def _interpreter() -> Path:
    found = micropython.constrained()
    if found is None:
        raise FileNotFoundError("no 32-bit MicroPython here: `make setup` says why")
    return found


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
