"""What the benchmarks of the whole system measure on: a lab, an Application Server, and boards."""

from __future__ import annotations

import asyncio
import json
import shutil
import sys
import tempfile
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from msgin5g.coap import numbers as coap

from bench.machine import BUILD
from host_tools.application_server import ApplicationServer, Message
from host_tools.lab import enrol
from host_tools.server.rest.http_server import HttpServer
from host_tools.settings import NONE, OSCORE, host_and_port
from host_tools.simulator.boards import Board, Event

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

AS = "as@bench.example"


class Rig:
    """A running lab with an Application Server that reports on each message.

    Attributes:
        gateway: (host, port) of the gateway.
        folder: of the lab, where it is protected; None otherwise.
        application_server: registered at the server.
        messages: what the Application Server has got.
    """

    def __init__(self, addresses: dict) -> None:
        server = addresses["server"]
        self.gateway = host_and_port(addresses["gateway"]["coap"])
        self.folder = Path(addresses["dir"]) if addresses["security"] == OSCORE else None
        self.messages: list[Message] = []
        self.application_server = ApplicationServer(
            AS, server["rest"], server["as_token"], self.messages.append
        )


@asynccontextmanager
async def rig(security: str = NONE) -> AsyncIterator[Rig]:
    """Start a lab in a process of its own, and an Application Server in this one."""
    BUILD.mkdir(parents=True, exist_ok=True)
    folder = Path(tempfile.mkdtemp(prefix="lab-", dir=BUILD))
    lab = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "bench.serve_lab", str(folder), security, stdout=asyncio.subprocess.PIPE
    )
    assert lab.stdout
    try:
        found = Rig(json.loads(await lab.stdout.readline()))
        listener = HttpServer(found.application_server.app)
        await listener.start()
        await found.application_server.register(listener.url)
        yield found
        await found.application_server.close()
        await listener.stop()
    finally:
        lab.kill()
        await lab.wait()
        shutil.rmtree(folder)


@asynccontextmanager
async def board(
    name: str,
    gateway: tuple[str, int],
    micropython: Path,
    library: Path,
    heap: str,
    lab: Path | None = None,
    content_format: int = coap.JSON,
) -> AsyncIterator[Board]:
    """A board that is registered; at a lab that is protected, named by its folder, it is enrolled."""
    name = f"{name}@bench.example"
    folder = enrol(lab, name).parent if lab else None
    made = Board(name, gateway, micropython, library, heap, folder=folder, content_format=content_format)
    await made.start()
    try:
        await made.register()
        yield made
    finally:
        await made.stop()


async def send(sender: Board, payload: str) -> Event:
    """Send from a board to the Application Server; returns the event when the report has come back.

    Raises:
        RuntimeError: the message was not delivered.
    """
    begin = len(sender.events)
    sender.tell("send", payload=payload, **{"as": AS})
    told = await sender.wait(
        lambda event: event["event"] == "state" and event["state"] in ("delivered", "failed", "expired"),
        since=begin,
    )
    if told["state"] != "delivered":
        raise RuntimeError(f"a message was not delivered: {told}")
    return told
