"""What a device was given before it went out: its UE Service ID, its gateway, its key, in a JSON file.

    {"ue_service_id": "meter-17@example.org",
     "gateway": "192.168.4.1:5683", "gateway_ue_service_id": "gateway-1@example.org",
     "oscore": {"master_secret": "...", "master_salt": "...", "sender_id": "...", "recipient_id": "..."}}

Without "gateway" one is looked for, among those that know this device. Keys are hexadecimal (RFC 8613, 3.2).
"""

from typing import Any

from .client import Client
from .oscore.context import Context
from .oscore.security import Security

class NotProvisioned(Exception):
    """args[0] says what is wrong with the file."""

class DeviceSecurity(Security):
    """The OSCORE contexts of one device with its gateways, one at a time."""

    def __init__(
        self, credentials: dict[str, Any], storage: Any, open_paths: tuple[str, ...] = ()
    ) -> None: ...
    def use(self, gateway: str) -> None:
        """Speak to the gateway with this UE Service ID from here on."""

def context(credentials: dict[str, Any], gateway: str, name: str, storage: Any, window: int = 32) -> Context:
    """Return a device's context with a gateway, or (sender_id and recipient_id exchanged) the gateway's with it.

    Raises:
        KeyError: a key is missing.
        ValueError: a key is not hexadecimal, or both ids are the same.
    """

def read(file: str = "device.json") -> dict[str, Any]:
    """Return what is in the file.

    Raises:
        NotProvisioned: it is not there, or not what it should be.
    """

def client(
    file: str = "device.json", storage: Any = None, folder: str = "messages", **options: Any
) -> Client:
    """Return a Client, protected, with its messages on flash.

        ue = provisioning.client("device.json", segment_size=1024)

    Args:
        file: of what `msgin5g enrol` wrote.
        storage: where OSCORE's sequence number is kept, by default beside the file.
        folder: of the messages on flash; made when it is not there.
        options: of Client.

    Raises:
        NotProvisioned: the file can't be used.
        OSError: the folder can't be used.
    """

def host_and_port(text: str) -> tuple[str, int]:
    """Return both of "host:port", "host" or "[v6]:port".

    Raises:
        ValueError: the port is no number.
    """
