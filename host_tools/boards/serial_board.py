"""A board at a serial port, with MicroPython on it: what is asked of it, and what is put onto it.

It speaks to the raw REPL by mpremote's transport. What runs on the board is interrupted, and starts again at the end.
"""

from __future__ import annotations

import ast
import io
import os
import time
from contextlib import contextmanager, redirect_stdout, suppress
from typing import TYPE_CHECKING, Any, NamedTuple, Self

import serial
from mpremote.transport import TransportError, TransportExecError
from mpremote.transport_serial import SerialTransport

from host_tools.boards.board import BoardError

try:
    from termios import error as _TERMINAL_ERROR  # noqa: N812 (what a terminal that has gone raises)
except ImportError:
    _TERMINAL_ERROR = OSError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from pathlib import Path

_BAUD = 115200
# Octets in one go: more is quicker, and needs as much of the board's heap three times.
_CHUNK = 1024
# Seconds for an answer.
_PATIENCE = 20
_ATTEMPTS = 4
# Seconds that a program on the board may say nothing: joining a network and registering take half a minute each.
_SILENCE = 60
# Seconds after which a port that somebody else has is not let go any more.
_LET_GO = 2

# The raw REPL's helpers of ours: names are short since they go over the line each time.
_IDENTITY = """
import sys,os,gc
gc.collect()
s=os.statvfs('/')
i=sys.implementation
print((i.name,tuple(i.version[:3]),getattr(i,'_machine',''),getattr(i,'_mpy',0),sys.platform,s[0]*s[3],s[0]*s[2],gc.mem_free(),gc.mem_alloc()))
"""
_HASHES = """
import os,binascii,hashlib
def h(n):
 try:f=open(n,'rb')
 except OSError:return None
 d=hashlib.sha256();b=bytearray(512)
 while 1:
  c=f.readinto(b)
  if not c:break
  d.update(memoryview(b)[:c])
 f.close()
 return binascii.hexlify(d.digest()).decode()
"""
_WALK = """
import os
def w(p):
 try:l=list(os.ilistdir(p))
 except OSError:return
 for e in l:
  n=p.rstrip('/')+'/'+e[0]
  if e[1]&0x4000:w(n)
  else:print(repr((n,e[3] if len(e)>3 else 0)))
"""


class Identity(NamedTuple):
    """What a board says of itself.

    Attributes:
        name: of its Python.
        version: of its MicroPython.
        machine: the kind of board.
        mpy: which compiled modules it takes.
        platform: its port of MicroPython.
        free: octets of its file system that are free.
        file_system: octets of it in all.
        heap_free: octets of its heap that are free, and
        heap_used: that are not.
    """

    name: str
    version: tuple[int, int, int]
    machine: str
    mpy: int
    platform: str
    free: int
    file_system: int
    heap_free: int
    heap_used: int

    @property
    def mpy_version(self) -> tuple[int, int]:
        """Of compiled modules: version and sub-version."""
        return self.mpy & 0xFF, self.mpy >> 8 & 3


class SerialBoard:
    """A board at a port; a context manager that lets what is on it run again at the end.

    Args:
        port: the serial port.
        restart: let what is on the board run at the end; else it stays at its prompt.

    Raises:
        BoardError: nobody answers there, or somebody else uses the port.
    """

    def __init__(self, port: str | Path, *, restart: bool = True) -> None:
        self.port = str(port)
        self._restart = restart
        self._transport: SerialTransport | None = None

    def __enter__(self) -> Self:
        """Interrupt what runs on the board, and come to its raw REPL."""
        # mpremote knows a pseudo-terminal by its own name.
        path = os.path.realpath(self.port) if self.port.startswith("/") else self.port
        with _explained(self.port):
            self._transport = _opened(path)
            _interrupt(self._transport)
        return self

    def __exit__(self, kind: object, *_: object) -> None:
        """Let it run again, and let go of the port."""
        if self._transport is None:
            return
        with suppress(OSError, TransportError):
            if self._restart and kind is None:
                self._transport.exit_raw_repl()
                # Ctrl-D at the prompt: a soft reset, with boot.py and main.py.
                self._transport.serial.write(b"\x04")
            else:
                self._transport.exit_raw_repl()
        with suppress(OSError):
            self._transport.close()
        self._transport = None

    def run(self, code: str, on_output: Callable[[bytes], None] | None = None) -> str:
        """Run a program on the board; returns what it prints.

        Raises:
            BoardError: it raised an exception, or the board does not answer any more.
        """
        assert self._transport
        with _explained(self.port):
            printed, error = self._transport.exec_raw(code, _SILENCE, on_output)
            if error:
                raise TransportExecError(1, error.decode(errors="replace"))
            return printed.decode(errors="replace")

    def ask(self, code: str) -> Any:
        """Run a program that prints one literal, and read that.

        Raises:
            BoardError: as :meth:`run`, or it printed something else.
        """
        text = self.run(code).strip()
        try:
            return ast.literal_eval(text)
        except (ValueError, SyntaxError) as error:
            raise BoardError(f"the board at {self.port} said {text[:200]!r}, which is no answer") from error

    def identity(self) -> Identity:
        """What it says of itself."""
        return Identity(*self.ask(_IDENTITY))

    def soft_reset(self) -> None:
        """Begin anew, without running main.py: what was loaded is forgotten."""
        assert self._transport
        with _explained(self.port), redirect_stdout(io.StringIO()):
            self._transport.enter_raw_repl(soft_reset=True, timeout_overall=_PATIENCE)

    def sha256(self, names: Iterable[str]) -> dict[str, str | None]:
        """The sums of files, in hexadecimal; None for one that is not there."""
        self.run(_HASHES)
        return {name: self.ask(f"print(repr(h({name!r})))") for name in names}

    def files(self, folder: str = "/") -> dict[str, int]:
        """All files below a folder, with their octets."""
        lines = self.run(f"{_WALK}\nw({folder!r})").splitlines()
        return dict(ast.literal_eval(line) for line in lines if line.strip())

    def write(self, name: str, octets: bytes, on_written: Callable[[int], None] | None = None) -> None:
        """Put a file there, under its name only when all of it is there.

        Args:
            name: its whole path.
            octets: what is in it.
            on_written: called with how many octets were written, again and again.

        Raises:
            BoardError: it can't be; the old one is still there then.
        """
        self._make_folders(name)
        new = name + ".new"
        self.run(f"f=open({new!r},'wb')\nw=f.write")
        try:
            for begin in range(0, len(octets), _CHUNK):
                chunk = octets[begin : begin + _CHUNK]
                self.run(f"w({chunk!r})")
                if on_written:
                    on_written(len(chunk))
            self.run("f.close()")
        except BoardError:
            with suppress(BoardError):
                self.run(f"import os\ntry:\n f.close()\nexcept OSError:pass\nos.remove({new!r})")
            raise
        self.run(f"import os\ntry:os.remove({name!r})\nexcept OSError:pass\nos.rename({new!r},{name!r})")

    def remove(self, name: str) -> None:
        """Take a file away, if it is there."""
        self.run(f"import os\ntry:os.remove({name!r})\nexcept OSError:pass")

    def read(self, name: str) -> bytes | None:
        """What is in a file, None when it is not there."""
        return self.ask(
            f"try:\n f=open({name!r},'rb')\n print(repr(f.read()))\n f.close()\nexcept OSError:print('None')"
        )

    def _make_folders(self, name: str) -> None:
        parts = name.strip("/").split("/")[:-1]
        for depth in range(1, len(parts) + 1):
            path = "/" + "/".join(parts[:depth])
            self.run(f"import os\ntry:os.mkdir({path!r})\nexcept OSError:pass")


def _opened(path: str) -> SerialTransport:
    # One that was let go a moment ago may not be free yet.
    end = time.monotonic() + _LET_GO
    while True:
        try:
            _probe(path)
            return SerialTransport(path, baudrate=_BAUD, timeout=1)
        except (OSError, TransportError):
            if time.monotonic() > end:
                raise
            time.sleep(0.1)


def _interrupt(transport: SerialTransport) -> None:
    # A board that is just starting may not have heard the first time. What mpremote prints of it is nobody's.
    with redirect_stdout(io.StringIO()):
        for _ in range(_ATTEMPTS - 1):
            with suppress(TransportError):
                transport.enter_raw_repl(soft_reset=False, timeout_overall=_PATIENCE // _ATTEMPTS)
                return
        transport.enter_raw_repl(soft_reset=False, timeout_overall=_PATIENCE)


def _probe(path: str) -> None:
    # mpremote says no more than that it failed.
    if path.startswith("/"):
        with serial.Serial(path, _BAUD, exclusive=True):
            pass


# What the system and the board say, and what can be done about it.
_WAYS_OUT = (
    ("ermission", "add yourself to the group dialout and log in again"),
    ("o such file", "plug it in; `msgin5g boards --ports` lists the ports that are here"),
    ("lock", "close the program that uses it: a terminal, an editor, `msgin5g monitor`"),
    ("busy", "close the program that uses it: a terminal, an editor, `msgin5g monitor`"),
    (
        "could not enter raw repl",
        "is MicroPython on it? `msgin5g flash` puts it there; or press its reset button and repeat",
    ),
    ("ENOSPC", "it is full: remove files that are yours (`mpremote fs ls`), or take fewer components"),
    (" 28", "it is full: remove files that are yours (`mpremote fs ls`), or take fewer components"),
    ("MemoryError", "its heap is full: freeze the firmware (docs/board.md)"),
    ("", "plug it in again and repeat the command, which goes on where it stopped"),
)


@contextmanager
def _explained(port: str) -> Iterator[None]:
    try:
        yield
    except TransportExecError as error:
        text = error.error_output.strip().splitlines()[-1] if error.error_output.strip() else "no reason"
        raise BoardError(f"the board at {port}: {text}: {_way_out(text)}") from error
    except (OSError, TransportError, _TERMINAL_ERROR) as error:
        # (What pyserial raises is an OSError.)
        raise BoardError(f"{port}: {error}: {_way_out(str(error))}") from error


def _way_out(text: str) -> str:
    return next(way for sign, way in _WAYS_OUT if sign in text)
