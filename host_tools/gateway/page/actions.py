"""What an operator does to devices: enrol, revoke, de-register, flush."""

from __future__ import annotations

import asyncio
import json
import secrets
import sqlite3
import time
from contextlib import closing
from typing import TYPE_CHECKING

from msgin5g import gateway_operator

from host_tools.addresses import check_device_address
from host_tools.housekeeping import commit
from host_tools.link import now
from host_tools.security.devices import Devices, EnrolmentError
from host_tools.settings import SettingsError

if TYPE_CHECKING:
    from host_tools.gateway.process import GatewayProcess

# Device files that wait to be fetched, and for how many seconds they do.
_MOST_TICKETS = 32
_TICKET_SECONDS = 600.0
# Addresses that a gateway listens on and nobody sends to.
_ANY = {"0.0.0.0", "::"}


class Refused(ValueError):
    """It can't be done; the message says why, and what can."""


class Actions:
    """What can be done at a gateway.

    Args:
        process: the gateway.
    """

    def __init__(self, process: GatewayProcess) -> None:
        self._process = process
        # Ticket -> until when, and the device file. It has the device's key in it, and is nowhere else.
        self._tickets: dict[str, tuple[float, bytes]] = {}

    def suggested_address(self, page_host: str | None) -> str:
        """Where a new device reaches the gateway, most likely: where the operator has reached its page."""
        host, port = self._process.down.address
        if host in _ANY:
            host = page_host or host
        return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"

    def enrol(self, ue: str, address: str) -> str:
        """Make a key for a device.

        Returns:
            A ticket for :meth:`fetch`.

        Raises:
            Refused: it is enrolled already, or a name or an address is none.
        """
        with self._devices() as devices:
            try:
                if address:
                    check_device_address(address, "address")
                with devices.enrol(ue, address or None) as device:
                    content = json.dumps(device, indent=2).encode() + b"\n"
            except (EnrolmentError, SettingsError, sqlite3.Error) as error:
                raise Refused(_for_the_page(error)) from error
        self._look()
        return self._ticket(content)

    def fetch(self, ticket: str) -> bytes | None:
        """The device file that a ticket is for, once; None when there is none."""
        until, content = self._tickets.pop(ticket, (0.0, None))
        return content if until > time.monotonic() else None

    async def revoke(self, ue: str) -> None:
        """Refuse a device from now on.

        Raises:
            Refused: it is not enrolled, or revoked already.
        """
        with self._devices() as devices:
            try:
                devices.revoke(ue)
            except (EnrolmentError, sqlite3.Error) as error:
                raise Refused(str(error)) from error
        self._look()

    async def deregister(self, ue: str) -> None:
        """End the registration of a UE, here and at the server.

        Raises:
            Refused: it is not registered.
        """
        if self._process.gateway.registry.get(ue) is None:
            raise Refused(f"{ue} is not registered.")
        self._process.gateway.expel(ue, now())
        self._flush_links()

    async def flush(self, ue: str) -> None:
        """Take out what waits for a UE, but for what is on its way this moment."""
        after: int | None = -1
        while after is not None:
            _, after = gateway_operator.flush(self._process.gateway, ue, after, now())
            self._flush_links()
            # Messages of others go first.
            await asyncio.sleep(0)

    def _devices(self) -> closing[Devices]:
        process = self._process
        if process.contexts is None:
            raise Refused('This gateway takes everybody: security is "none" in its settings.')
        # Nothing of this process may hold the database while it is changed by another connection.
        commit(process.store)
        try:
            return closing(Devices(process.settings.database, process.settings.service_id))
        except (OSError, sqlite3.Error) as error:
            raise Refused(f"The device registry can't be changed: {error}") from error

    def _look(self) -> None:
        # At what was just changed: nobody has to make a request before it counts.
        if self._process.contexts:
            self._process.contexts.look()

    def _flush_links(self) -> None:
        self._process.down.flush()
        self._process.up.flush()

    def _ticket(self, content: bytes) -> str:
        until = time.monotonic()
        self._tickets = {ticket: one for ticket, one in self._tickets.items() if one[0] > until}
        if len(self._tickets) >= _MOST_TICKETS:
            del self._tickets[next(iter(self._tickets))]
        ticket = secrets.token_urlsafe(16)
        self._tickets[ticket] = (until + _TICKET_SECONDS, content)
        return ticket


def _for_the_page(error: Exception) -> str:
    # It is the command line's way out.
    return str(error).replace("`msgin5g revoke` it", "revoke it")
