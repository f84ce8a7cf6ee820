"""An update of the application on boards, sent by an Application Server, until each has told what became of it."""

from __future__ import annotations

import asyncio
import json
from contextlib import suppress
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from msgin5g.board.slots import INSTALLED
from msgin5g.board.update import APPLICATION, REFUSED

from host_tools.application_server import ApplicationServer, Message, Refused, Report
from host_tools.server.rest.http_server import HttpServer
from host_tools.settings import host_and_port
from host_tools.shell import serving

if TYPE_CHECKING:
    from collections.abc import Callable

# How far a device is, for those who watch: sent, on the board, told.
_SENT, _ARRIVED, _TOLD = 0.2, 0.5, 1.0


@dataclass
class Outcome:
    """What became of an update at one device.

    Attributes:
        ue_service_id: the device.
        outcome: "installed", "rolled back" or "refused" as it told; "sent" or "arrived" when it told nothing in time.
        why: where it is not installed.
        message_id: of the message with the bundle.
    """

    ue_service_id: str
    outcome: str = ""
    why: str = ""
    message_id: str = ""

    @property
    def installed(self) -> bool:
        """Does the device run it?"""
        return self.outcome == INSTALLED

    def as_json(self) -> dict[str, Any]:
        """For a script."""
        return asdict(self)


class Update:
    """One update for several devices.

    Args:
        bundles: what each device is sent, signed for it, by UE Service ID.
        step: called with a device and how far it is, 0 to 1.
    """

    def __init__(self, bundles: dict[str, bytes], step: Callable[[str, float], None]) -> None:
        self._bundles = bundles
        self._step = step
        self._outcomes: dict[str, Outcome] = {}
        self._waiting = set(bundles)
        self._all_told = asyncio.Event()

    async def run(self, identity: str, server: str, token: str, listen: str, wait: float) -> list[Outcome]:
        """Send all, and wait for what the devices tell.

        Args:
            identity: AS Service ID.
            server: base URL of the server's HTTP interfaces.
            token: bearer token.
            listen: ``host:port`` at which the server reaches this AS.
            wait: seconds for all of it.

        Raises:
            Refused: the server does not take this AS.
        """
        application_server = ApplicationServer(identity, server, token, self._on_message, self._on_report)
        listener = HttpServer(application_server.app, *host_and_port(listen, "--listen"))
        async with serving(application_server, listener):
            with suppress(TimeoutError):
                async with asyncio.timeout(wait):
                    await application_server.register(listener.url)
                    await asyncio.gather(*(self._send(application_server, ue) for ue in self._bundles))
                    await self._all_told.wait()
        return [self._final(ue, wait) for ue in self._bundles]

    async def _send(self, application_server: ApplicationServer, ue: str) -> None:
        message_id = application_server.new_message_id()
        self._outcomes[message_id] = Outcome(ue, message_id=message_id)
        try:
            await application_server.send(
                self._bundles[ue], ue, application=APPLICATION, message_id=message_id
            )
        except Refused as refused:
            self._end(message_id, REFUSED, f"by the server: {refused}")
        else:
            self._reach(message_id, "sent", _SENT)

    def _on_report(self, report: Report) -> None:
        if report.delivered:
            self._reach(report.message_id, "arrived", _ARRIVED)
        else:
            self._end(report.message_id, REFUSED, f"not delivered: {report.cause}")

    def _on_message(self, message: Message) -> None:
        if message.application != APPLICATION:
            return
        try:
            told = json.loads(message.payload or "")
            message_id, outcome, why = str(told["update"]), str(told["outcome"]), str(told["why"])
        except (ValueError, KeyError, TypeError):
            return
        known = self._outcomes.get(message_id)
        # Nobody speaks for another device.
        if known and known.ue_service_id == message.originator:
            self._end(message_id, outcome, why)

    def _reach(self, message_id: str, state: str, part: float) -> None:
        known = self._outcomes.get(message_id)
        # A device may have told all before the server has answered.
        if known and known.ue_service_id in self._waiting and known.outcome != "arrived":
            known.outcome = state
            self._step(known.ue_service_id, part)

    def _end(self, message_id: str, outcome: str, why: str) -> None:
        known = self._outcomes.get(message_id)
        if known:
            known.outcome, known.why = outcome, why
            self._step(known.ue_service_id, _TOLD)
            self._waiting.discard(known.ue_service_id)
            if not self._waiting:
                self._all_told.set()

    def _final(self, ue: str, wait: float) -> Outcome:
        for outcome in self._outcomes.values():
            if outcome.ue_service_id == ue:
                if ue in self._waiting:
                    outcome.why = f"it has told nothing more in {wait:g} s"
                return outcome
        return Outcome(ue, "not sent", f"no answer from the server in {wait:g} s")
