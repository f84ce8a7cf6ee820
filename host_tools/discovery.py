"""Gateways in reach: announced and found by DNS-SD over mDNS (RFC 6762, 6763), and asked for as in TS 23.554, 8.2.8.

mDNS needs the package zeroconf, which is an optional extra. A service ``_coap._udp`` (RFC 7252, 12.8; 7.2 of RFC 6763
for its TXT record) carries the gateway's UE Service ID under ``ue`` and its CoAP path under ``path``.
"""

from __future__ import annotations

import asyncio
import importlib.util
import random
import re
import socket
import zlib
from typing import TYPE_CHECKING, Any, NamedTuple

from msgin5g import wire
from msgin5g.coap.endpoint import Endpoint, Parameters
from msgin5g.selection import Selection

from host_tools.link import UdpLink
from host_tools.settings import SettingsError

if TYPE_CHECKING:
    from collections.abc import Awaitable

    from zeroconf.asyncio import AsyncZeroconf

SERVICE = "_coap._udp.local."
MISSING = "mDNS needs the package zeroconf: pip install 'msgin5g[discovery]'"
# How a gateway was found.
MDNS = "mdns"
SELECTION = "selection"

_UE = "ue"
_PATH = "path"
# Of a label in DNS, and of a string in a TXT record.
_LONGEST_LABEL = 63
_LONGEST_STRING = 255
_ANY = {"0.0.0.0", "::"}
# Milliseconds to wait for the particulars of a service that was heard of.
_PATIENCE = 2000
# Who asks for a gateway has to say a UE Service ID; this one is nobody's.
_ASKER = "find@msgin5g.invalid"
# Any packet at all.
_SMALLEST = 1
_MOST_FOUND = 256


class Found(NamedTuple):
    """A gateway in reach.

    Attributes:
        ue_service_id: its own.
        address: ``host:port`` of its CoAP port.
        how: MDNS or SELECTION.
    """

    ue_service_id: str
    address: str
    how: str


def has_mdns() -> bool:
    """Is there what mDNS needs?"""
    return importlib.util.find_spec("zeroconf") is not None


def check() -> None:
    """Make sure that there is what mDNS needs.

    Raises:
        SettingsError: there is not; the message has the way out.
    """
    if not has_mdns():
        raise SettingsError(MISSING)


class Announcement:
    """A gateway that lets itself be found, from :meth:`start` to :meth:`stop`.

    Args:
        ue_service_id: the gateway's.
        host: the address that it listens on; where that is any, all of the machine are announced.
        port: its CoAP port.
    """

    def __init__(self, ue_service_id: str, host: str, port: int) -> None:
        check()
        self._ue_service_id = ue_service_id
        self._host = host
        self._port = port
        self._zeroconf: AsyncZeroconf | None = None
        self._announcing: Awaitable[None] | None = None

    async def start(self) -> None:
        """Announce it.

        Raises:
            OSError: this machine's network takes no multicast.
        """
        from zeroconf import ServiceInfo  # noqa: PLC0415 (an optional extra)

        self._zeroconf = _zeroconf(self._host)
        info = ServiceInfo(
            SERVICE,
            f"{_label(self._ue_service_id)}.{SERVICE}",
            port=self._port,
            properties={_UE: self._ue_service_id[: _LONGEST_STRING - 3], _PATH: "/" + wire.PATH},
            parsed_addresses=_addresses(self._host),
            server=f"{_label(socket.gethostname())}.local.",
        )
        try:
            # What is awaited makes sure of the name; what it returns goes on announcing it.
            self._announcing = await self._zeroconf.async_register_service(info, allow_name_change=True)
        except BaseException:
            await self.stop()
            raise

    async def stop(self) -> None:
        """Say good-bye."""
        zeroconf, self._zeroconf = self._zeroconf, None
        if zeroconf:
            await zeroconf.async_unregister_all_services()
            await zeroconf.async_close()


async def find(
    seconds: float, interface: str = "0.0.0.0", group: str | None = None, port: int = wire.PORT
) -> list[Found]:
    """Gateways that are in reach, by both ways, sorted; mDNS only where there is the package for it.

    Args:
        seconds: how long to listen.
        interface: address of the network interface to listen on; any for all.
        group: where the standard's request goes; None for "All CoAP Nodes".
        port: the port that it goes to.
    """
    # One may fail where the other works: a network without multicast, or a broadcast address given.
    outcomes = await asyncio.gather(
        by_mdns(seconds, interface), by_selection(seconds, interface, group, port), return_exceptions=True
    )
    errors = [one for one in outcomes if isinstance(one, BaseException)]
    if len(errors) == len(outcomes):
        raise errors[0]
    return sorted({one for found in outcomes if not isinstance(found, BaseException) for one in found})


async def by_mdns(seconds: float, interface: str = "0.0.0.0") -> set[Found]:
    """Gateways that announce themselves.

    Raises:
        SettingsError: there is no mDNS here.
        OSError: this machine's network takes no multicast.
    """
    check()
    from zeroconf import ServiceStateChange  # noqa: PLC0415 (an optional extra)
    from zeroconf.asyncio import AsyncServiceBrowser  # noqa: PLC0415

    names: set[str] = set()

    def on_change(name: str, state_change: ServiceStateChange, **_more: Any) -> None:
        if state_change is ServiceStateChange.Removed:
            names.discard(name)
        elif len(names) < _MOST_FOUND:
            names.add(name)

    zeroconf = _zeroconf(interface)
    try:
        browser = AsyncServiceBrowser(zeroconf.zeroconf, SERVICE, handlers=[on_change])
        await asyncio.sleep(seconds)
        await browser.async_cancel()
        found = await asyncio.gather(*(_particulars(zeroconf, name) for name in names))
    finally:
        await zeroconf.async_close()
    return {one for several in found for one in several}


async def _particulars(zeroconf: AsyncZeroconf, name: str) -> list[Found]:
    info = await zeroconf.async_get_service_info(SERVICE, name, _PATIENCE)
    ue = info and info.decoded_properties.get(_UE)
    if not info or not ue:
        # Some other CoAP server.
        return []
    return [Found(ue, _shown(host, info.port or wire.PORT), MDNS) for host in info.parsed_scoped_addresses()]


async def by_selection(
    seconds: float, interface: str = "0.0.0.0", group: str | None = None, port: int = wire.PORT
) -> set[Found]:
    """Gateways that answer when everybody in reach is asked (TS 23.554, 8.2.8).

    Raises:
        OSError: the request can't be sent.
    """
    endpoint = Endpoint(Parameters(), random.SystemRandom().getrandbits)
    link = _Link(endpoint, interface)
    link.group = group
    asking = _Asking(endpoint, link, _ASKER, _SMALLEST, port)
    try:
        # Whether it can be sent at all: the rest only tries again.
        link.broadcast(port)
        link.start()
        async with asyncio.timeout(seconds):
            await asking.find()
    except TimeoutError:
        pass
    finally:
        link.close()
    return {Found(one.ue_service_id, _shown(*one.address[:2]), SELECTION) for one in asking.so_far()}


class _Link(UdpLink):
    # One that asks another group, or a single address.
    group: str | None = None

    def broadcast(self, port: int, group: str | None = None) -> tuple:
        return super().broadcast(port, group or self.group)


class _Asking(Selection):
    _found: list[Any]

    def so_far(self) -> list[Any]:
        return self._found


def _zeroconf(host: str) -> AsyncZeroconf:
    from zeroconf import InterfaceChoice  # noqa: PLC0415 (an optional extra)
    from zeroconf.asyncio import AsyncZeroconf  # noqa: PLC0415

    return AsyncZeroconf(interfaces=InterfaceChoice.All if host in _ANY else [host])


def _addresses(host: str) -> list[str]:
    if host not in _ANY:
        return [host]
    import ifaddr  # noqa: PLC0415 (comes with zeroconf)

    # An IPv6 address is a tuple in ifaddr: without what is only of use on this machine.
    addresses = [
        str(ip.ip if ip.is_IPv4 else ip.ip[0]) for adapter in ifaddr.get_adapters() for ip in adapter.ips
    ]
    v6 = host == "::"
    return [
        address
        for address in addresses
        if (v6 or ":" not in address) and not address.startswith(("127.", "::1", "fe80:"))
    ]


def _label(name: str) -> str:
    # One label of DNS, where a dot would make two: what is not as it was has a checksum, so that no two are the same.
    plain = re.sub(r"[^\w@-]", "-", name)
    if plain == name and len(name.encode()) <= _LONGEST_LABEL:
        return name
    return f"{plain.encode()[: _LONGEST_LABEL - 9].decode(errors='ignore')}-{zlib.crc32(name.encode()):08x}"


def _shown(host: str, port: int) -> str:
    host = host.removeprefix("::ffff:")
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
