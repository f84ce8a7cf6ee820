"""The links of a gateway that can be recorded."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from host_tools.gateway.capture import Watched
from host_tools.link import UdpLink

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from host_tools.gateway.process import GatewayProcess
    from host_tools.serial_ports import Links


def links_of(process: GatewayProcess) -> Iterator[Watched]:
    """All links that there are at the moment: serial ports come and go."""
    clients = process.serial.endpoint
    yield from _links("clients", [process.down], process.serial, clients, is_clients=True)
    address = process.up.address
    if process.dtls:
        yield Watched("server inside DTLS", process.dtls, process.dtls.endpoint, address, False, True)
    endpoint: Any = process.dtls.endpoint if process.dtls else process.up.endpoint
    yield Watched("server", process.up, endpoint, address, False)
    if process.field.applications:
        speaker = process.field.applications.endpoint
        yield from _links("applications", process.applications, process.field.applications, speaker)
    if process.relaying and process.field.relay:
        relay: Any = process.relaying.core
        yield from _links("relay", [process.relaying.link], process.field.relay, relay)


def _links(
    name: str, driven: Iterable[Any], ports: Links, endpoint: Any, is_clients: bool = False
) -> Iterator[Watched]:
    # A UDP socket, where there is one, and the serial ports beside it.
    for link in driven:
        if isinstance(link, UdpLink):
            yield Watched(name, link, endpoint, link.address, is_clients)
    for port in ports.ports:
        yield Watched(port.path, port, endpoint, None, is_clients)
