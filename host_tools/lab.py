"""A server and a gateway on loopback, for a lab: what ``msgin5g up``, the demo, the tests and the benchmarks start.

Everything has a default, nothing needs a file. The folder keeps what survives: started again on the same folder, both
go on where they were.
"""

from __future__ import annotations

import os
import secrets
import tempfile
from pathlib import Path
from typing import Any

from host_tools.gateway.process import GatewayProcess
from host_tools.server.process import ServerProcess
from host_tools.server.rest import wire_api
from host_tools.settings import Coap, Credential, GatewaySettings, ServerSettings

GATEWAY = "gateway@msgin5g.lab"
_LOOPBACK = "127.0.0.1"


def server_settings(
    directory: Path, port: int = 0, rest_port: int = 0, ack_timeout: int = 2000
) -> ServerSettings:
    """A server's settings for a lab: on loopback, with one bearer token for any Application Server."""
    token_file = directory / "as_token"
    lab_token(token_file)
    anyone = Credential(
        service_id=wire_api.ANY_SERVICE_ID,
        token_file=token_file,
        roles=[wire_api.ROLE_AS, wire_api.ROLE_MESSAGE_GATEWAY],
    )
    return ServerSettings(
        host=_LOOPBACK,
        port=port,
        http_port=rest_port,
        database=directory / "server.sqlite",
        gateways=[GATEWAY],
        credentials=[anyone],
        coap=Coap(ack_timeout=ack_timeout),
    )


def gateway_settings(
    directory: Path, server: tuple[str, int], port: int = 0, ack_timeout: int = 2000
) -> GatewaySettings:
    """A gateway's settings for a lab: on loopback, behind the lab's server."""
    return GatewaySettings(
        ue_service_id=GATEWAY,
        server=f"{server[0]}:{server[1]}",
        host=_LOOPBACK,
        port=port,
        database=directory / "gateway.sqlite",
        coap=Coap(ack_timeout=ack_timeout),
    )


def lab_token(path: Path) -> str:
    """The bearer token in a file; a new one, readable by its owner only, when there is none yet."""
    if not path.exists():
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "w", encoding="ascii") as file:
            file.write(secrets.token_urlsafe(24) + "\n")
    return path.read_text(encoding="ascii").strip()


class Lab:
    """A running server and gateway.

    Args:
        directory: where they keep what must survive; a new temporary one when None.
        server_port: the server's CoAP port, 0 for a free one.
        rest_port: the server's HTTP port, 0 for a free one.
        gateway_port: the gateway's CoAP port, 0 for a free one.
        ack_timeout: CoAP's ACK_TIMEOUT in milliseconds.
    """

    def __init__(
        self,
        directory: Path | None = None,
        server_port: int = 0,
        rest_port: int = 0,
        gateway_port: int = 0,
        ack_timeout: int = 2000,
    ) -> None:
        self.directory = directory or Path(tempfile.mkdtemp(prefix="msgin5g-"))
        self.directory.mkdir(parents=True, exist_ok=True)
        self._gateway_port = gateway_port
        self._ack_timeout = ack_timeout
        self.server = ServerProcess(server_settings(self.directory, server_port, rest_port, ack_timeout))
        self.gateway: GatewayProcess | None = None

    async def start(self) -> None:
        """Start both; returns when the gateway is registered at the server."""
        await self.server.start()
        self.gateway = GatewayProcess(
            gateway_settings(self.directory, self.server.link.address, self._gateway_port, self._ack_timeout)
        )
        await self.gateway.start()
        await self.gateway.registered()

    async def stop(self) -> None:
        """Stop both."""
        if self.gateway:
            await self.gateway.stop()
        await self.server.stop()

    def addresses(self) -> dict[str, Any]:
        """Where they are, as ``msgin5g up`` prints it."""
        assert self.gateway
        return {
            "dir": str(self.directory),
            "server": self.server.addresses() | {"as_token": lab_token(self.directory / "as_token")},
            "gateway": self.gateway.addresses(),
        }
