"""What the demo does, step by step."""

from __future__ import annotations

import asyncio
import json
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from msgin5g.coap import numbers as coap

from host_tools import lab
from host_tools.application_server import ApplicationServer, Message, Report
from host_tools.demo.screen import Screen
from host_tools.demo.tally import Tally
from host_tools.server.rest.http_server import HttpServer
from host_tools.settings import host_and_port
from host_tools.setup import micropython, mpy
from host_tools.simulator.boards import Board, BoardFailed, Event

AS = "meters@msgin5g.lab"
_UE_TO_AS = "UE to AS"
_AS_TO_UE = "AS to UE"
_UE_TO_UE = "UE to UE"
_AWAY = "AS to UE that is away"

# Messages in each direction, for each board.
_EACH = 20
# What a board has left for its heap at the least, and the same for objects that are twice as large.
_HEAP = "160K"
_HEAP_64_BIT = "320K"
# Messages of one board that may be under way at once.
_WINDOW = 2
# Seconds until a step has failed.
_PATIENCE = 60.0


class DemoFailed(Exception):
    """A step did not come to its end; the message says which and what to look at."""


class Demo:
    """The main job from registration to de-registration.

    Args:
        devices: how many boards.
        interpreter: the MicroPython to run them on; the most board-like one at hand when None.
        heap: heap of each board, as ``-X heapsize=`` takes it; a small board's when None.
    """

    def __init__(self, devices: int = 3, interpreter: Path | None = None, heap: str | None = None) -> None:
        self._devices = devices
        self._interpreter = interpreter
        self._heap = heap
        self._directory = Path(tempfile.mkdtemp(prefix="msgin5g-demo-"))
        self._log = self._directory / "up.log"
        self._screen = Screen()
        self._tally = Tally()
        self._boards: list[Board] = []
        self._as_sent: dict[str, float] = {}
        self._changed = asyncio.Event()
        self._up: asyncio.subprocess.Process | None = None
        self._application_server: ApplicationServer | None = None
        self._listener: HttpServer | None = None

    async def run(self) -> dict[str, Any]:
        """Run all steps and show them; returns the result as the last line of output tells it."""
        began = time.monotonic()
        failure = None
        try:
            addresses = await self._start()
            await self._register(addresses)
            await self._exchange()
            await self._away()
            await self._deregister()
        except (DemoFailed, BoardFailed, TimeoutError) as error:
            failure = str(error) or type(error).__name__
        finally:
            await self._stop()
        totals = self._tally.of()
        kinds = (_UE_TO_AS, _AS_TO_UE, _UE_TO_UE, _AWAY)
        self._screen.table([(kind, self._tally.of(kind)) for kind in kinds], totals, time.monotonic() - began)
        if failure:
            self._screen.failed(f"{failure}\nlogs: {self._log}")
        ok = failure is None and totals.sent > 0 and totals.delivered == totals.reports == totals.sent
        return {
            "ok": ok and not totals.duplicates,
            "devices": self._devices,
            "sent": totals.sent,
            "delivered": totals.delivered,
            "lost": totals.lost,
            "duplicates": totals.duplicates,
            "reports": totals.reports,
            "p50_ms": _rounded(totals.percentile(50)),
            "p99_ms": _rounded(totals.percentile(99)),
        }

    # -- the steps

    async def _start(self) -> dict[str, Any]:
        self._screen.step("Server and gateway")
        with self._log.open("wb") as log:
            self._up = await asyncio.create_subprocess_exec(
                sys.executable, "-m", "host_tools", "up", "--dir", str(self._directory),
                stdout=asyncio.subprocess.PIPE, stderr=log,
            )  # fmt: skip
        assert self._up.stdout
        line = await asyncio.wait_for(self._up.stdout.readline(), _PATIENCE)
        if not line:
            raise DemoFailed("server and gateway did not start")
        addresses = json.loads(line)
        server, gateway = addresses["server"], addresses["gateway"]
        self._screen.line(f"server   MSGin5G-1 {server['coap']}   MSGin5G-3 {server['rest']}")
        self._screen.line(f"gateway  MSGin5G-6 {gateway['coap']}   registered at the server")
        self._screen.line("all CoAP is protected by OSCORE (RFC 8613), with a key for each device")
        return addresses

    async def _register(self, addresses: dict[str, Any]) -> None:
        server = addresses["server"]
        self._screen.step("AS registration", "TS 23.554, 8.2.5")
        self._application_server = ApplicationServer(
            AS, server["rest"], server["as_token"], self._on_as_message, self._on_as_report
        )
        self._listener = HttpServer(self._application_server.app)
        await self._listener.start()
        await self._application_server.register(self._listener.url)
        self._screen.line(f"{AS}  listens on {self._listener.url}")

        self._screen.step("UE registration through the gateway", "8.2.1, MSGin5G-6")
        interpreter, library = self._find_interpreter()
        gateway = host_and_port(addresses["gateway"]["coap"])
        for number in range(1, self._devices + 1):
            name = f"ue-{number}@msgin5g.lab"
            folder = lab.enrol(self._directory, name).parent
            board = Board(
                name, gateway, interpreter, library, self._heap, folder=folder, content_format=coap.CBOR
            )
            board.on_event = lambda event, board=board: self._on_board_event(board, event)
            self._boards.append(board)
            await board.start()
            await board.register()
            memory = await board.memory()
            about = board.events[0]
            self._screen.line(
                f"{board.ue_service_id}  registered   {about['interpreter']}, heap {self._heap},"
                f" {memory['free'] / 1024:.0f} KiB free"
            )
        self._screen.line(f"their keys and messages are in {self._directory / lab.DEVICES}")

    async def _exchange(self) -> None:
        self._screen.step("Messages, each with a delivery status report", "8.3, 8.7.1 to 8.7.3")
        first, second = self._boards[:2]
        with self._screen.watching(self._tally):
            for board in self._boards:
                for number in range(_EACH):
                    self._ue_sends(board, f"{20 + number / 10:.1f} C", _UE_TO_AS, **{"as": AS})
            await self._complete(_UE_TO_AS, len(self._boards) * _EACH)
            await asyncio.gather(*(self._as_sends(board, _EACH, _AS_TO_UE) for board in self._boards))
            await self._complete(_AS_TO_UE, len(self._boards) * _EACH)
            for board, neighbour in zip(self._boards, [*self._boards[1:], self._boards[0]], strict=True):
                for number in range(_EACH):
                    self._ue_sends(board, f"ping {number}", _UE_TO_UE, ue=neighbour.ue_service_id)
            await self._complete(_UE_TO_UE, len(self._boards) * _EACH)
        self._screen.line(
            f"e.g. {first.ue_service_id} to {second.ue_service_id}: board, gateway, server, gateway, board"
        )

    async def _away(self) -> None:
        self._screen.step("A UE that is away", "8.3.6, store and forward")
        board = self._boards[-1]
        await board.deregister()
        self._screen.line(f"{board.ue_service_id}  de-registered")
        for told in await self._as_sends(board, 3, _AWAY):
            self._screen.line(f"{AS} to {board.ue_service_id}: the server says {told}")
        if self._tally.of(_AWAY).delivered:
            raise DemoFailed("a message reached a UE that is not registered")
        await board.register()
        await self._complete(_AWAY, 3)
        self._screen.line(f"{board.ue_service_id}  is back: 3 messages delivered and reported")

    async def _deregister(self) -> None:
        self._screen.step("De-registration", "8.2.2, 8.2.6")
        for board in self._boards:
            await board.deregister()
        self._screen.line(f"{len(self._boards)} UEs de-registered")
        assert self._application_server
        await self._application_server.deregister()
        self._screen.line(f"{AS}  de-registered")

    async def _stop(self) -> None:
        await asyncio.gather(*(board.stop() for board in self._boards))
        if self._application_server:
            await self._application_server.close()
        if self._listener:
            await self._listener.stop()
        if self._up and self._up.returncode is None:
            self._up.terminate()
            await self._up.wait()

    # -- what they are made of

    def _find_interpreter(self) -> tuple[Path, Path]:
        # The interpreter, and the library for it.
        interpreter = self._interpreter or micropython.constrained()
        if interpreter is None:
            others = micropython.interpreters()
            if not others:
                raise DemoFailed("no MicroPython here: run `make setup`, or name one with MICROPYTHON=/path")
            interpreter = others[0][1]
        if not micropython.answers(interpreter):
            raise DemoFailed(f"{interpreter} is no MicroPython that runs here")
        if self._heap is None:
            self._heap = _HEAP if micropython.has_small_objects(interpreter) else _HEAP_64_BIT
        compiled = mpy.MPY_CROSS.exists() and not mpy.compile_all()
        return interpreter, mpy.TARGET if compiled else mpy.SOURCE

    @staticmethod
    def _ue_sends(board: Board, payload: str, kind: str, **recipient: str) -> None:
        board.tell("send", payload=payload, tag=kind, window=_WINDOW, **recipient)

    async def _as_sends(self, board: Board, count: int, kind: str) -> list[str | None]:
        assert self._application_server
        told = []
        for number in range(count):
            message_id = self._application_server.new_message_id()
            self._as_sent[message_id] = time.monotonic()
            self._tally.sent(message_id, kind)
            _, status = await self._application_server.send(
                f"set {number}", board.ue_service_id, message_id=message_id
            )
            told.append(status)
        return told

    async def _complete(self, kind: str, count: int) -> None:
        try:
            async with asyncio.timeout(_PATIENCE):
                while self._tally.of(kind).sent < count or not self._tally.complete(kind):
                    self._check(kind)
                    self._changed.clear()
                    await self._changed.wait()
        except TimeoutError:
            totals = self._tally.of(kind)
            raise DemoFailed(
                f"{kind}: {totals.sent} of {count} sent, {totals.delivered} delivered, {totals.reports} reported"
            ) from None

    def _check(self, kind: str) -> None:
        if self._tally.failures:
            raise DemoFailed(f"{kind}: {next(iter(self._tally.failures.values()))}")
        for board in self._boards:
            if board.complaint:
                raise DemoFailed(f"{board.ue_service_id}: {board.complaint}")

    def _on_board_event(self, board: Board, event: Event) -> None:
        match event["event"]:
            case "stored":
                self._tally.sent(event["id"], event["tag"])
            case "received":
                self._tally.delivered(event["id"])
            case "state" if event["state"] == "delivered":
                self._tally.reported(event["id"], event["ms"])
            case "state" if event["state"] in ("failed", "expired"):
                self._tally.failed(event["id"], f"{board.ue_service_id}: {event['cause']}")
        self._changed.set()

    def _on_as_message(self, message: Message) -> None:
        self._tally.delivered(message.message_id)
        self._changed.set()

    def _on_as_report(self, report: Report) -> None:
        if report.delivered:
            took = time.monotonic() - self._as_sent[report.message_id]
            self._tally.reported(report.message_id, took * 1000)
        else:
            self._tally.failed(report.message_id, report.cause)
        self._changed.set()


def _rounded(milliseconds: float | None) -> float | None:
    return None if milliseconds is None else round(milliseconds, 1)
