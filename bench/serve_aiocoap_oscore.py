"""The peer: an aiocoap server for devices with OSCORE; it answers each POST and stores nothing.

``python -m bench.serve_aiocoap_oscore``, with what the devices were given as JSON on standard input. Prints its port.
"""

import asyncio
import json
import sys

from aiocoap import CHANGED, Context, Message, oscore, resource
from aiocoap.credentials import CredentialsMap
from aiocoap.oscore_sitewrapper import OscoreSiteWrapper
from msgin5g import wire

from bench.machine import free_port


class Sink(resource.Resource):
    async def render_post(self, request: Message) -> Message:
        return Message(code=CHANGED)


class Device(oscore.CanProtect, oscore.CanUnprotect, oscore.SecurityContextUtils):  # type: ignore[misc]
    """The context of one device, kept in memory only."""

    def __init__(self, device: dict) -> None:
        keys = device["oscore"]
        self.alg_aead = oscore.algorithms[oscore.DEFAULT_ALGORITHM]
        self.hashfun = oscore.hashfunctions[oscore.DEFAULT_HASHFUNCTION]
        self.sender_id = bytes.fromhex(keys["recipient_id"])
        self.recipient_id = bytes.fromhex(keys["sender_id"])
        self.id_context = device["gateway_ue_service_id"].encode()
        self.sender_sequence_number = 0
        self.echo_recovery = None
        self.recipient_replay_window = oscore.ReplayWindow(32, lambda: None)
        self.recipient_replay_window.initialize_empty()
        self.derive_keys(bytes.fromhex(keys["master_salt"]), bytes.fromhex(keys["master_secret"]))

    def post_seqnoincrease(self) -> None:
        """Nothing is kept."""


class Devices(CredentialsMap):
    """All of them, found at once: aiocoap's own map tries one after the other."""

    def __init__(self, devices: list[dict]) -> None:
        super().__init__()
        self._by_kid = {one.recipient_id: one for one in map(Device, devices)}

    def find_oscore(self, unprotected: dict) -> Device:
        return self._by_kid[unprotected[oscore.COSE_KID]]


async def main() -> None:
    site = resource.Site()
    site.add_resource([wire.PATH], Sink())
    devices = Devices(json.load(sys.stdin))
    port = free_port()
    # Kept in a name: a context that is collected stops serving.
    _context = await Context.create_server_context(
        OscoreSiteWrapper(site, devices), bind=("127.0.0.1", port), server_credentials=devices
    )
    print(port, flush=True)
    await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(main())
