"""One UE or one Application Server for a shell: ``msgin5g send`` and ``msgin5g watch``."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager, suppress
from typing import TYPE_CHECKING, Any, NamedTuple

import httpx2
from msgin5g.application import RegistrationRefused

from host_tools.application_server import ApplicationServer, Message, Refused, Report
from host_tools.server.rest.http_server import HttpServer
from host_tools.settings import host_and_port
from host_tools.ue import client

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable
    from pathlib import Path

    from msgin5g.application import Received
    from msgin5g.client import Client

Outcome = dict[str, Any]

# Seconds that a gateway or a server has for answering the de-registration.
_FAREWELL = 2.0


class UeAs(NamedTuple):
    """Who a UE is, for :func:`host_tools.ue.client`."""

    gateway: str | None
    device: Path | None
    identity: str | None


@asynccontextmanager
async def _ue(ue_as: UeAs) -> AsyncIterator[Client]:
    with client(ue_as.gateway, ue_as.device, ue_as.identity) as ue:
        try:
            yield ue
        finally:
            if ue.registered:
                with suppress(TimeoutError):
                    await asyncio.wait_for(ue.deregister(), _FAREWELL)


@asynccontextmanager
async def serving(application_server: ApplicationServer, listener: HttpServer) -> AsyncIterator[None]:
    """An Application Server's listener runs meanwhile; at the end it is de-registered and closed."""
    await listener.start()
    try:
        yield
    finally:
        with suppress(TimeoutError, Refused, httpx2.TransportError):
            await asyncio.wait_for(application_server.deregister(), _FAREWELL)
        await application_server.close()
        await listener.stop()


async def send_as_ue(
    ue_as: UeAs,
    payload: str,
    to_ue: str | None,
    to_as: str | None,
    report: bool,
    wait: float,
) -> Outcome:
    """Register, send one message, wait for its fate, de-register."""
    outcome: Outcome = {"ok": False}
    async with _ue(ue_as) as ue:
        try:
            async with asyncio.timeout(wait):
                await ue.register()
                sent = await ue.send(payload, ue=to_ue, application_server=to_as, report=report)
                outcome |= {"message_id": sent.message_id, "state": sent.state}
                try:
                    outcome["ok"] = await (sent.delivered() if report else sent.accepted())
                finally:
                    outcome |= {"state": sent.state, "cause": sent.cause}
        except TimeoutError:
            what = (
                "nothing heard of the message"
                if ue.registered
                else f"no answer from the gateway at {_where(ue)}"
            )
            outcome["error"] = f"{what} within {wait:g} s"
        except RegistrationRefused as refused:
            outcome["error"] = f"registration refused: {refused}"
    return outcome


def _where(ue: Client) -> str:
    # Its gateway, with what it may be that there is no answer.
    where = "{}:{}".format(*ue.registration.address[:2])
    if ue.endpoint.security and ue.endpoint.security.told:
        return f"{where} that can be believed (is the device revoked? is that its gateway, and protected?)"
    return where


async def send_as_as(
    identity: str, server: str, token: str, payload: str, to_ue: str, report: bool, wait: float
) -> Outcome:
    """Register, send one message, wait for its report, de-register."""
    reported: asyncio.Queue[Report] = asyncio.Queue()
    outcome: Outcome = {"ok": False}
    application_server = ApplicationServer(identity, server, token, on_report=reported.put_nowait)
    listener = HttpServer(application_server.app)
    registered = False
    async with serving(application_server, listener):
        try:
            async with asyncio.timeout(wait):
                await application_server.register(listener.url)
                registered = True
                message_id, status = await application_server.send(payload, to_ue, report)
                outcome |= {"message_id": message_id, "status": status, "ok": not report}
                while report:
                    told = await reported.get()
                    if told.message_id == message_id:
                        outcome |= {"ok": told.delivered, "cause": told.cause}
                        break
        except TimeoutError:
            what = "nothing heard of the message" if registered else f"no answer from the server at {server}"
            outcome["error"] = f"{what} within {wait:g} s"
        except Refused as refused:
            outcome["error"] = str(refused)
    return outcome


async def watch_as_ue(ue_as: UeAs, count: int, tell: Callable[..., None]) -> None:
    """Register and print messages until interrupted, or ``count`` have come."""
    async with _ue(ue_as) as ue:
        ue.on_registration = lambda registered, cause: tell(
            event="registered" if registered else "not registered", cause=cause
        )
        try:
            await ue.register()
        except RegistrationRefused as refused:
            raise Refused(f"registration refused: {refused}") from refused
        async for message in ue:
            _tell_message(message, tell)
            count -= 1
            if count == 0:
                break
        # The report on the last one.
        await ue.settled()


async def watch_as_as(
    identity: str, server: str, token: str, listen: str, count: int, tell: Callable[..., None]
) -> None:
    """Register with a listener and print messages until interrupted, or ``count`` have come."""
    arrived: asyncio.Queue[Message] = asyncio.Queue()
    application_server = ApplicationServer(identity, server, token, on_message=arrived.put_nowait)
    listener = HttpServer(application_server.app, *host_and_port(listen, "--listen"))
    async with serving(application_server, listener):
        await application_server.register(listener.url)
        tell(event="registered", target_uri=listener.url)
        while True:
            _tell_message(await arrived.get(), tell)
            count -= 1
            if count == 0:
                break


def _tell_message(message: Message | Received, tell: Callable[..., None]) -> None:
    tell(
        event="message",
        originator=message.originator,
        message_id=message.message_id,
        payload=_text(message.payload),
        application=message.application,
    )


def _text(payload: str | bytes | None) -> str | None:
    return payload.hex() if isinstance(payload, bytes) else payload
