"""One UE or one Application Server for a shell: ``msgin5g send`` and ``msgin5g watch``."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from msgin5g.client import RegistrationRefused

from host_tools.application_server import ApplicationServer, Message, Refused, Report
from host_tools.server.rest.http_server import HttpServer
from host_tools.settings import host_and_port
from host_tools.ue import client

if TYPE_CHECKING:
    from collections.abc import Callable

Outcome = dict[str, Any]


async def send_as_ue(
    identity: str,
    gateway: str,
    payload: str,
    to_ue: str | None,
    to_as: str | None,
    report: bool,
    wait: float,
) -> Outcome:
    """Register, send one message, wait for its fate, de-register."""
    ue = client(identity, gateway)
    outcome: Outcome = {"ok": False}
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
        outcome["error"] = f"nothing heard within {wait:g} s"
    except RegistrationRefused as refused:
        outcome["error"] = f"registration refused: {refused}"
    if ue.registered:
        await ue.deregister()
    ue.close()
    return outcome


async def send_as_as(
    identity: str, server: str, token: str, payload: str, to_ue: str, report: bool, wait: float
) -> Outcome:
    """Register, send one message, wait for its report, de-register."""
    reported: asyncio.Queue[Report] = asyncio.Queue()
    outcome: Outcome = {"ok": False}
    application_server = ApplicationServer(identity, server, token, on_report=reported.put_nowait)
    listener = HttpServer(application_server.app)
    await listener.start()
    try:
        async with asyncio.timeout(wait):
            await application_server.register(listener.url)
            message_id, status = await application_server.send(payload, to_ue, report)
            outcome |= {"message_id": message_id, "status": status, "ok": not report}
            while report:
                told = await reported.get()
                if told.message_id == message_id:
                    outcome |= {"ok": told.delivered, "cause": told.cause}
                    break
            await application_server.deregister()
    except TimeoutError:
        outcome["error"] = f"nothing heard within {wait:g} s"
    except Refused as refused:
        outcome["error"] = str(refused)
    await application_server.close()
    await listener.stop()
    return outcome


async def watch_as_ue(identity: str, gateway: str, count: int, tell: Callable[..., None]) -> None:
    """Register and print messages until interrupted, or ``count`` have come."""
    ue = client(identity, gateway)
    ue.on_registration = lambda registered, cause: tell(
        event="registered" if registered else "not registered", cause=cause
    )
    try:
        await ue.register()
        async for message in ue:
            tell(
                event="message",
                originator=message.originator,
                message_id=message.message_id,
                payload=_text(message.payload),
                application=message.application,
            )
            count -= 1
            if count == 0:
                break
        # The report on the last one.
        await ue.settled()
    finally:
        await ue.deregister()
        ue.close()


async def watch_as_as(
    identity: str, server: str, token: str, listen: str, count: int, tell: Callable[..., None]
) -> None:
    """Register with a listener and print messages until interrupted, or ``count`` have come."""
    arrived: asyncio.Queue[Message] = asyncio.Queue()
    application_server = ApplicationServer(identity, server, token, on_message=arrived.put_nowait)
    listener = HttpServer(application_server.app, *host_and_port(listen, "--listen"))
    await listener.start()
    try:
        await application_server.register(listener.url)
        tell(event="registered", target_uri=listener.url)
        while True:
            message = await arrived.get()
            tell(
                event="message",
                originator=message.originator,
                message_id=message.message_id,
                payload=_text(message.payload),
                application=message.application,
            )
            count -= 1
            if count == 0:
                break
    finally:
        await application_server.deregister()
        await application_server.close()
        await listener.stop()


def _text(payload: str | bytes | None) -> str | None:
    return payload.hex() if isinstance(payload, bytes) else payload
