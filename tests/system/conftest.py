"""What the system tests share: a place with a server, gateways, boards and Application Servers, all cleaned up."""

import asyncio

import pytest

from host_tools import application_server
from host_tools.server.rest.http_server import HttpServer
from host_tools.setup import mpy
from host_tools.simulator import boards
from tests.system.processes import ACK_TIMEOUT, TOKEN, Daemon, Gateway, Program, Server, interpreter


@pytest.fixture(scope="session")
def library():
    """The firmware as boards get it."""
    assert mpy.main() == 0
    return mpy.TARGET


class Board(boards.Board):
    """A simulated board that keeps what its application has got."""

    def received(self):
        return [event["payload"] for event in self.events if event["event"] == "received"]

    def states(self, state):
        return [event["id"] for event in self.events if event["event"] == "state" and event["state"] == state]

    def complaints(self):
        """What the interpreter said besides: a traceback, most likely."""
        return "\n".join(self._complaints)

    async def send(self, payload, **to):
        """Give a message to the client; returns its Message ID when it is stored."""
        begin = len(self.events)
        self.tell("send", payload=payload, tag=payload, **to)
        event = await self.wait(lambda event: event.get("tag") == payload, since=begin)
        return event["id"]

    async def state(self, message_id, *states, patience: float | None = 120.0):
        """Wait for a state of a message; returns the event."""
        return await self.wait(
            lambda event: (
                event["event"] == "state" and event["id"] == message_id and event["state"] in states
            ),
            timeout=patience,
        )


class ApplicationServer:
    """An Application Server with a listener, that keeps what its application has got."""

    def __init__(self, service_id, server, token=TOKEN, on_message=None, on_report=None):
        self.messages = []
        self.reports = []
        self._as = application_server.ApplicationServer(
            service_id,
            server.url,
            token,
            on_message or self.messages.append,
            on_report or self.reports.append,
        )
        self._listener = HttpServer(self._as.app)
        self.send = self._as.send
        self.register = self._as.register
        self.deregister = self._as.deregister

    async def start(self):
        await self._listener.start()
        await self._as.register(self._listener.url)

    async def stop(self):
        await self._as.close()
        await self._listener.stop()

    def received(self):
        return [message.payload for message in self.messages]

    def report_on(self, message_id):
        return next((report for report in self.reports if report.message_id == message_id), None)


class Place:
    """Where a test starts what it needs; everything is stopped at its end."""

    def __init__(self, directory, library):
        self.directory = directory
        self._library = library
        self._programs = []
        self._others = []

    async def server(self, **options):
        return await self._started(Server(self.directory, **options))

    async def gateway(self, server, **options):
        return await self._started(Gateway(self.directory, server, **options))

    async def gateway_and_server(self, **options):
        server = await self.server(**options)
        return await self.gateway(server), server

    async def board(self, name, at, register=True, by=None, **options):
        """A board at a gateway or a server, or at something in between: `by` is the gateway or server then."""
        by = by or at
        folder = self._provisioned(name, by) if by.security == "oscore" else None
        board = Board(
            name,
            at.address,
            interpreter(),
            self._library,
            ack_timeout=ACK_TIMEOUT,
            folder=folder,
            **options,
        )
        self._others.append(board)
        await board.start()
        if register:
            await board.register()
        return board

    def _provisioned(self, name, by):
        # Its folder, with the key for that gateway or server; the same one for the same board.
        folder = self.directory / "boards" / by.service_id / name
        if not folder.exists():
            folder.mkdir(parents=True)
            by.enrol(name, folder / "device.json")
        return folder

    async def application_server(self, server, service_id="as@example.org"):
        application_server = ApplicationServer(service_id, server)
        self._others.append(application_server)
        await application_server.start()
        return application_server

    def program(self, *arguments, **options):
        """`msgin5g` with arguments, not started yet."""
        log = self.directory / f"program-{len(self._programs)}.log"
        program = Program(*arguments, log=log, **options)
        self._programs.append(program)
        return program

    async def _started(self, daemon: Daemon):
        self._programs.append(daemon)
        await daemon.start()
        return daemon

    async def close(self):
        for one in self._others:
            if isinstance(one, Board) and one.complaints():
                # Shown with a test that fails.
                print(f"{one.ue_service_id}: {one.complaints()}")
        await asyncio.gather(*(one.stop() for one in self._others), return_exceptions=True)
        for program in self._programs:
            if program.running:
                await program.kill()


@pytest.fixture
async def place(tmp_path, library):
    place = Place(tmp_path, library)
    yield place
    await place.close()
