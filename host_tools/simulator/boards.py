"""Start and command simulated boards: one MicroPython process each, with the heap of a board."""

from __future__ import annotations

import asyncio
import json
import os
from collections import deque
from pathlib import Path
from typing import TYPE_CHECKING, Any

from msgin5g.coap import numbers as coap

if TYPE_CHECKING:
    from collections.abc import Callable

_HERE = Path(__file__).parent
Event = dict[str, Any]


class BoardFailed(Exception):
    """The board's process has ended by itself; the message is what it said last."""


class Board:
    """A simulated board.

    Args:
        ue_service_id: of its MSGin5G Client.
        gateway: (host, port) of its gateway; (device, 0) when it is at the other end of a serial line.
        micropython: the interpreter.
        library: folder with the ``msgin5g`` package, compiled (``build/mpy``) or not.
        heap: bytes of heap with a suffix, as ``-X heapsize=`` takes it; None for the interpreter's default.
        ack_timeout: CoAP's ACK_TIMEOUT in milliseconds.
        on_event: called with every event.
        folder: with its ``device.json``, where it keeps its messages too; None for one that is not protected, and has
            its messages in memory.
        content_format: of its messages, :data:`msgin5g.coap.numbers.JSON` or ``CBOR``.
    """

    def __init__(  # noqa: PLR0913, PLR0917 (all that a board is)
        self,
        ue_service_id: str,
        gateway: tuple[str, int],
        micropython: Path,
        library: Path,
        heap: str | None = "160K",
        ack_timeout: int = 2000,
        on_event: Callable[[Event], None] | None = None,
        folder: Path | None = None,
        content_format: int = coap.JSON,
    ) -> None:
        self.ue_service_id = ue_service_id
        self.events: list[Event] = []
        self._arguments = [str(micropython)]
        if heap:
            self._arguments += ["-X", f"heapsize={heap}"]
        host, port = gateway
        self._arguments += ["-m", "board", ue_service_id, host, str(port), str(ack_timeout)]
        self._arguments += [str(folder or ""), str(content_format)]
        # board.py itself, unless the library has it compiled.
        self._path = f"{library}:{_HERE}:.frozen"
        self.on_event = on_event
        self._process: asyncio.subprocess.Process | None = None
        self._readers: list[asyncio.Task[None]] = []
        self._complaints: deque[str] = deque(maxlen=20)
        self._changed = asyncio.Event()

    async def start(self) -> None:
        """Start the process; returns when the client is ready to register."""
        self._process = await asyncio.create_subprocess_exec(
            *self._arguments,
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
            env={**os.environ, "MICROPYPATH": self._path},
        )
        begin = len(self.events)
        self._readers = [asyncio.create_task(self._read(self._process))]
        await self.wait(lambda event: event["event"] == "ready", since=begin)

    @property
    def complaint(self) -> str | None:
        """What its interpreter said last, if it has ended by itself or a task of it has."""
        return self._complaints[-1] if self._complaints else None

    def tell(self, do: str, **detail: Any) -> None:
        """Give a command; see board.py."""
        assert self._process
        assert self._process.stdin
        self._process.stdin.write(json.dumps({"do": do, **detail}).encode() + b"\n")

    async def wait(
        self, condition: Callable[[Event], object], since: int = 0, timeout: float | None = 120.0
    ) -> Event:
        """The first event, among those from number ``since`` on, that meets a condition.

        Raises:
            BoardFailed: the process has ended, or nothing like it has come in ``timeout`` seconds (None: no bound).
        """
        try:
            async with asyncio.timeout(timeout):
                while True:
                    for event in self.events[since:]:
                        if condition(event):
                            return event
                    since = len(self.events)
                    self._changed.clear()
                    if all(reader.done() for reader in self._readers):
                        raise BoardFailed(f"{self.ue_service_id} ended: {' / '.join(self._complaints)}")
                    await self._changed.wait()
        except TimeoutError:
            last = self.events[-3:]
            raise BoardFailed(
                f"{self.ue_service_id}: nothing in {timeout:g} s; last: {last} {' / '.join(self._complaints)}"
            ) from None

    async def register(self) -> None:
        """Register, and wait for it."""
        begin = len(self.events)
        self.tell("register")
        event = await self.wait(lambda event: event["event"] in ("registered", "refused"), since=begin)
        if event["event"] == "refused":
            raise BoardFailed(f"{self.ue_service_id}: registration refused: {event['cause']}")

    async def deregister(self) -> None:
        """De-register, and wait for it."""
        begin = len(self.events)
        self.tell("deregister")
        await self.wait(lambda event: event["event"] == "deregistered", since=begin)

    async def memory(self) -> Event:
        """Octets of heap, ``free`` and ``used``, after a collection."""
        begin = len(self.events)
        self.tell("memory")
        return await self.wait(lambda event: event["event"] == "memory", since=begin)

    async def stop(self) -> None:
        """End the process, if need be by force."""
        if self._process is None:
            return
        if self._process.returncode is None:
            self.tell("quit")
            try:
                await asyncio.wait_for(self._process.wait(), 3)
            except TimeoutError:
                self._process.kill()
        await asyncio.gather(*self._readers)

    async def kill(self) -> None:
        """End the process without a word, as a power cut does."""
        assert self._process
        self._process.kill()
        await self._process.wait()
        await asyncio.gather(*self._readers)

    async def _read(self, process: asyncio.subprocess.Process) -> None:
        assert process.stdout
        async for line in process.stdout:
            try:
                event = json.loads(line)
            except ValueError:
                # A traceback, or an interpreter that complains.
                self._complaints.append(line.decode(errors="replace").rstrip())
                continue
            self.events.append(event)
            if self.on_event:
                self.on_event(event)
            self._changed.set()
        self._changed.set()
