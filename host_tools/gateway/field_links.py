"""What a gateway has beside its UDP socket for clients: serial ports of all kinds, as the settings say."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

from host_tools import espnow_bridge, serial_link
from host_tools.espnow_bridge import BridgePort
from host_tools.link_settings import SerialPorts, serial_settings
from host_tools.serial_link import SerialPort
from host_tools.serial_ports import Links, Plan, PortWatch

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from msgin5g.coap.endpoint import Endpoint

    from host_tools.settings import GatewaySettings
    from host_tools.ue_relay import UeRelay

_APPLICATION_CLIENT = "application client"
_RELAYED = "relayed"


class ApplicationPort(SerialPort):
    """A serial port with an Application Client at the other end (MSGin5G-5)."""

    carries = _APPLICATION_CLIENT


class RelayedPort(SerialPort):
    """A serial port with a device at the other end whose keys are the server's."""

    carries = _RELAYED


class FieldLinks:
    """The links of a gateway's endpoints, with their serial ports.

    Args:
        settings: the gateway's.
        down: the endpoint towards clients.
        application: the endpoint towards Application Clients, where there is one.
        relay: what relays, where anything does.

    Attributes:
        clients, applications, relay: links of these three.
    """

    def __init__(
        self,
        settings: GatewaySettings,
        down: Endpoint,
        application: Endpoint | None = None,
        relay: UeRelay | None = None,
    ) -> None:
        self.clients = Links(down)
        self.applications = Links(application) if application else None
        # To links it is an endpoint.
        self.relay = Links(cast("Endpoint", relay)) if relay else None
        self._watch = PortWatch(self._plans(settings))

    def start(self, *flushes: tuple[Links | None, Callable[[], None]]) -> None:
        """Open the ports of links, with the ``flush`` of what drives each, and look for more from now on."""
        for links, flush in flushes:
            if links:
                links.start(flush)
        self._watch.start()

    def close(self) -> None:
        """Close all ports."""
        self._watch.close()
        for links in self._all():
            links.close()

    def counts(self) -> dict[str, int]:
        """Counters of all ports, by what they are for."""
        counts = {f"down_{key}": value for key, value in self.clients.counts().items()}
        for name, links in (("applications", self.applications), ("relay", self.relay)):
            if links:
                counts |= {f"{name}_{key}": value for key, value in links.counts().items()}
        return counts | {"serial_ports_ignored": self._watch.ignored}

    def status(self) -> list[dict[str, Any]]:
        """What an operator sees of each port: :meth:`SerialPort.status`."""
        return [status for links in self._all() for status in links.status()]

    def packet_size(self, address: tuple, usual: int) -> int:
        """Octets of the longest packet for a client; ``usual`` where it is on no port."""
        port = self.clients.port_at(address)
        return port.packet_size(address) if port else usual

    def layer_2_id(self, address: tuple) -> str:
        """Of this side of the link that a client is on; "" where it has none."""
        port = self.clients.port_at(address)
        return port.layer_2_id() if port else ""

    def _all(self) -> list[Links]:
        return [links for links in (self.clients, self.applications, self.relay) if links]

    def _plans(self, settings: GatewaySettings) -> Iterator[tuple[Plan, Links]]:
        kinds: list[tuple[SerialPorts, type[SerialPort], int, Links | None]] = [
            (settings.serial, SerialPort, serial_link.MOST_OCTETS, self.clients),
            (settings.espnow_bridges, BridgePort, espnow_bridge.MOST_OCTETS, self.clients),
            (
                settings.application_clients_serial,
                ApplicationPort,
                serial_link.MOST_OCTETS,
                self.applications,
            ),
            (settings.relay.serial, RelayedPort, serial_link.MOST_OCTETS, self.relay),
        ]
        for ports, kind, most_octets, links in kinds:
            for port in map(serial_settings, ports):
                if links:
                    yield (
                        Plan(port.path, port.baud or settings.baud, port.packet_size or most_octets, kind),
                        links,
                    )
