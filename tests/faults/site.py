"""Everything that takes part in a run: real processes, and a middle box on either side of the gateway."""

import asyncio
import contextlib
import sys
from pathlib import Path
from typing import Any

from msgin5g.coap import numbers as coap

from host_tools.security import key_file
from host_tools.security.devices import Devices
from host_tools.setup import micropython
from host_tools.simulator import boards
from tests.faults.surroundings import Surroundings
from tests.interop.middlebox import MiddleBox
from tests.system.conftest import ApplicationServer
from tests.system.processes import Gateway, Server

AS = "as@example.org"
GROUP = "group@example.org"
FLEETS = 5
UNITS = 10
BOARDS = 2
# CoAP's ACK_TIMEOUT in milliseconds: one 25th of what it is by default, and so is all that is made of it.
ACK_TIMEOUT = 80


class Hop(MiddleBox):
    """The middle box that one side believes to be the other one, `behind` it."""

    def __init__(self, behind, random):
        super().__init__(behind.port, seed=random.getrandbits(30))
        self.address = ("127.0.0.1", self.port)
        self.security = behind.security
        self.enrol = behind.enrol


def surround(daemon, directory):
    """A daemon that is not started yet: give it surroundings of its own."""
    daemon.surroundings = Surroundings(directory / f"{daemon.file.stem}.surroundings")
    daemon.command = (sys.executable, "-m", "tests.faults.daemon", str(daemon.surroundings.path))
    # Held by whoever kills it, until it runs again.
    daemon.at_work = asyncio.Lock()
    return daemon


class Clients(boards.Board):
    """A process with clients."""

    def __init__(self, *arguments, **options):
        super().__init__(*arguments, **options)
        self.at_work = asyncio.Lock()

    async def up(self):
        """Start it; its clients register."""
        await self.start()

    def complaints(self):
        return list(self._complaints)

    @property
    def pid(self):
        assert self._process
        return self._process.pid

    @property
    def running(self):
        return self._process is not None and self._process.returncode is None


class Fleet(Clients):
    """Several on CPython."""

    def __init__(self, number, folders, gateway, directory, on_event):
        super().__init__(f"fleet-{number}", gateway, Path(sys.executable), directory, on_event=on_event)
        self.surroundings = Surroundings(directory / f"fleet-{number}.surroundings")
        self._arguments = [sys.executable, "-m", "tests.faults.fleet", str(self.surroundings.path)]
        self._arguments += [str(gateway[1]), str(ACK_TIMEOUT), *map(str, folders)]


class Board(Clients):
    """One on a MicroPython with a board's heap."""

    def __init__(self, name, gateway, library, folder, on_event):
        interpreter: Any = micropython.constrained()
        super().__init__(
            name,
            gateway,
            interpreter,
            library,
            ack_timeout=ACK_TIMEOUT,
            folder=folder,
            content_format=coap.CBOR,
            on_event=on_event,
        )

    async def up(self):
        await self.start()
        self.tell("register")


class Site:
    """A server, a gateway, an Application Server and all the clients, in a folder.

    The ledger gets what they all tell.
    """

    def __init__(self, directory, library, random, ledger):
        self.directory = directory
        self._library = library
        self._on_event = ledger.on_event
        self._stack = contextlib.ExitStack()
        self.units = [f"unit-{number:02}@example.org" for number in range(FLEETS * UNITS)]
        self.boards = [f"board-{number}@example.org" for number in range(BOARDS)]
        # Some of each process, and a board.
        self.members = [*self.units[::8], self.boards[0]]
        group = f'[[groups]]\nservice_id = "{GROUP}"\nmembers = {self.members}\n'
        self.server = surround(
            Server(directory, more=group.replace("'", '"'), ack_timeout=ACK_TIMEOUT), directory
        )
        self.uplink = self._stack.enter_context(Hop(self.server, random))
        self.gateway = surround(Gateway(directory, self.uplink, ack_timeout=ACK_TIMEOUT), directory)
        self.access = self._stack.enter_context(Hop(self.gateway, random))
        self.application_server = ApplicationServer(
            AS, self.server, on_message=ledger.on_message, on_report=ledger.on_report
        )
        # UE Service ID -> the process that it is in.
        self.hosts = {}

    async def start(self):
        await asyncio.gather(self.server.start(), self.gateway.start())
        await self.application_server.start()
        folders = self._enrol()
        for number in range(FLEETS):
            names = self.units[number * UNITS : (number + 1) * UNITS]
            mine = [folders[name] for name in names]
            fleet = Fleet(number, mine, self.access.address, self.directory, self._told)
            self.hosts |= dict.fromkeys(names, fleet)
        for name in self.boards:
            self.hosts[name] = Board(
                name, self.access.address, self._library, folders[name], self._tell(name)
            )
        await asyncio.gather(*(host.up() for host in self.processes()))

    def _enrol(self):
        # What `msgin5g enrol` does, for all at once.
        folders = {}
        with contextlib.closing(Devices(self.gateway.database, self.gateway.service_id)) as devices:
            for name in (*self.units, *self.boards):
                folders[name] = self.directory / "clients" / name
                folders[name].mkdir(parents=True)
                with devices.enrol(name, "{}:{}".format(*self.access.address)) as device:
                    key_file.write(folders[name] / "device.json", device)
        return folders

    def _told(self, event):
        self._on_event(event["ue"], event)

    def _tell(self, name):
        return lambda event: self._on_event(name, event)

    def processes(self):
        """The processes of clients."""
        return list(dict.fromkeys(self.hosts.values()))

    def daemons(self):
        return (self.gateway, self.server)

    async def stop(self):
        """Kill all that is left."""
        for daemon in self.daemons():
            if daemon.running:
                await daemon.kill()
        await asyncio.gather(*(host.kill() for host in self.processes() if host.running))
        await self.application_server.stop()
        self._stack.close()


def environment_is_complete():
    """Is there a MicroPython whose objects have a board's size?"""
    return micropython.constrained() is not None
