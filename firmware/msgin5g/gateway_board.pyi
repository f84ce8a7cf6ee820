"""A gateway on a board with PSRAM.

gateway = gateway_board.from_file("gateway.json")
asyncio.run(gateway.run(machine.WDT(timeout=30000).feed))
"""

from asyncio import Event
from collections.abc import Callable
from typing import Any

from .gateway import Gateway
from .gateway_devices import DeviceContexts
from .gateway_settings import Settings
from .link.common import Link
from .store.gateway import GatewayStore

def from_file(file: str = "gateway.json", **options: Any) -> GatewayBoard:
    """Return a gateway with the settings of a file. options: of GatewayBoard.

    Raises:
        BadSettings: a setting can't be used; the message says which, and what is expected.
        NotProvisioned: its key for the server can't be used.
        OSError: the folder of its messages, or the file of its devices, can't be used.
    """

class GatewayBoard:
    """The gateway service between two links, its store on flash, its devices in a file."""

    settings: Settings
    on_event: Callable[[str, dict[str, Any]], object]
    """Called with what an operator wants to read: (what, {detail})."""
    gateway: Gateway | None
    """None until the address of the server is known."""
    store: GatewayStore
    contexts: DeviceContexts | None
    """None when the links to the devices are not protected."""
    down: Link
    up: Link

    def __init__(
        self,
        settings: Settings,
        link: Callable[[Any], Link] | None = None,
        on_event: Callable[[str, dict[str, Any]], object] | None = None,
        uplink: Callable[[Any], Link] | None = None,
    ) -> None:
        """Make one. link, uplink: make the links to the devices and to the server for an endpoint; UDP by default."""

    async def run(self, feed: Callable[[], object] | None = None, done: Event | None = None) -> None:
        """Run.

        Args:
            feed: called once a second, as long as the board gets round to it: a watchdog's feed().
            done: ends it, when it is set; it runs for ever otherwise.
        """

    def enrol(self, name: str, address: str | None = None) -> dict[str, Any]:
        """Make a key for a device; return the contents of its device.json.

        Raises:
            NotEnrolled, OSError: see Devices.
            BadSettings: the devices need no keys here.
        """

    def revoke(self, name: str) -> None:
        """Refuse a device from now on, and de-register it.

        Raises:
            NotEnrolled, OSError, BadSettings: see enrol().
        """

    def counts(self) -> dict[str, Any]:
        """Return everything that is counted."""
