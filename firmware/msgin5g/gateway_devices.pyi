"""The devices of a gateway on a board, in a file with a line of JSON for each."""

from collections.abc import Callable
from typing import Any, Final

from .oscore.contexts import Contexts
from .store.numbers import Numbers

REVOKED: Final = "oscore_revoked"
"""The counter of requests that were refused since their device is revoked."""

class NotEnrolled(Exception):
    """args[0] says why a device can't be enrolled or revoked, and what can be done."""

class Devices:
    """Who may speak to a gateway, each by a key of its own."""

    gateway: str
    most: int
    bad: int
    """Lines that can't be used."""

    def __init__(self, file: str, gateway: str, most: int, tell: Callable[[str], object]) -> None:
        """Read the file, if there is one.

        Args:
            file: its name.
            gateway: the UE Service ID of the gateway.
            most: devices, revoked ones too.
            tell: called with what is wrong with a line.

        Raises:
            OSError: it can't be read.
        """

    def __len__(self) -> int: ...
    def all(self) -> list[tuple[str, bool]]:
        """Return (UE Service ID, is it revoked?) of each, by name."""

    def kid(self, name: str) -> bytes | None:
        """Return what a device calls itself by in OSCORE, None when it is not known."""

    def find(self, kid: bytes) -> tuple[str, dict[str, Any] | None] | None:
        """Return (name, keys) of a device, keys None when it is revoked; None when nobody is called that."""

    def enrol(self, name: str, address: str | None = None) -> dict[str, Any]:
        """Make a key; return the contents of the device's device.json.

        Args:
            name: its UE Service ID.
            address: host:port of the gateway as the device reaches it; None when it is to find it.

        Raises:
            NotEnrolled: it is enrolled already, it is no name, or there are too many.
            OSError: it can't be stored.
        """

    def revoke(self, name: str) -> None:
        """Refuse a device from now on.

        Raises:
            NotEnrolled: there is no such device, or it is revoked already.
            OSError: that can't be stored.
        """

class DeviceContexts(Contexts):
    """What the endpoint towards the devices is secured by."""

    devices: Devices
    on_revoked: Callable[[str], object]
    """Called with the UE Service ID of a device that is revoked."""

    def __init__(self, devices: Devices, numbers: Numbers, open_paths: tuple[str, ...] = ()) -> None: ...
    def join(self, endpoint: Any) -> None: ...
    def enrol(self, name: str, address: str | None = None) -> dict[str, Any]:
        """See Devices."""

    def revoke(self, name: str) -> None:
        """See Devices."""

    def of(self, name: str, address: Any) -> Any: ...
    def held(self) -> int: ...
