"""A server and a gateway on loopback, for a lab: what ``msgin5g up``, the demo, the tests and the benchmarks start.

Everything has a default, nothing needs a file. The folder keeps what survives: started again on the same folder, both
go on where they were. It also has the settings that both run with, for ``msgin5g enrol``, and the key of each device
that was enrolled by this module.
"""

from __future__ import annotations

import os
import secrets
import tempfile
from pathlib import Path
from typing import Any
from urllib.parse import quote

from host_tools.gateway.process import GatewayProcess
from host_tools.security import key_file
from host_tools.security.devices import Devices
from host_tools.server.process import ServerProcess
from host_tools.server.rest import wire_api
from host_tools.settings import (
    OSCORE,
    Coap,
    Credential,
    GatewaySettings,
    ServerSettings,
    load,
)

GATEWAY = "gateway@msgin5g.lab"
SERVER = "server@msgin5g.lab"
GATEWAY_SETTINGS = "gateway.toml"
SERVER_SETTINGS = "server.toml"
TOKEN_FILE = "as_token"  # noqa: S105 (a name)
# Where each device has its key, and what else it keeps.
DEVICES = "devices"
DEVICE_FILE = "device.json"
_GATEWAY_KEY = "gateway-device.json"
_LOOPBACK = "127.0.0.1"


def server_settings(
    directory: Path, port: int = 0, rest_port: int = 0, ack_timeout: int = 2000, security: str = OSCORE
) -> ServerSettings:
    """A server's settings for a lab: on loopback, with one bearer token for any Application Server."""
    token_file = directory / TOKEN_FILE
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
        security=security,
        service_id=SERVER,
    )


def gateway_settings(
    directory: Path,
    server: tuple[str, int],
    port: int = 0,
    page_port: int = 0,
    ack_timeout: int = 2000,
    security: str = OSCORE,
) -> GatewaySettings:
    """A gateway's settings for a lab: on loopback, behind the lab's server, where it is enrolled."""
    key = directory / _GATEWAY_KEY
    if security == OSCORE and not key.exists():
        _enrol(directory / "server.sqlite", SERVER, GATEWAY, key)
    return GatewaySettings(
        ue_service_id=GATEWAY,
        server=f"{server[0]}:{server[1]}",
        host=_LOOPBACK,
        port=port,
        http_port=page_port,
        database=directory / "gateway.sqlite",
        coap=Coap(ack_timeout=ack_timeout),
        security=security,
        server_security=security,
        key_file=key,
    )


def enrol(directory: Path, ue_service_id: str) -> Path:
    """The file with the key of a device of a lab; it is enrolled at the lab's gateway when there is none yet.

    Args:
        directory: the lab's folder.
        ue_service_id: the device's UE Service ID.

    Raises:
        SettingsError: there is no lab in that folder.
    """
    folder = directory / DEVICES / quote(ue_service_id, safe="@")
    file = folder / DEVICE_FILE
    if not file.exists():
        settings = load(directory / GATEWAY_SETTINGS, GatewaySettings)
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        address = f"{settings.host}:{settings.port}"
        _enrol(settings.database, settings.service_id, ue_service_id, file, address)
    return file


def _enrol(
    database: Path, service_id: str, ue_service_id: str, file: Path, address: str | None = None
) -> None:
    devices = Devices(database, service_id)
    try:
        with devices.enrol(ue_service_id, address) as device:
            key_file.write(file, device)
    finally:
        devices.close()


def lab_token(path: Path) -> str:
    """The bearer token in a file; a new one, readable by its owner only, when there is none yet."""
    if not path.exists():
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "w", encoding="ascii") as file:
            file.write(secrets.token_urlsafe(24) + "\n")
    return path.read_text(encoding="ascii").strip()


def rest_url(directory: Path) -> str:
    """Where the HTTP interfaces of a running lab's server are.

    Raises:
        SettingsError: there is no lab in that folder.
    """
    settings = load(directory / SERVER_SETTINGS, ServerSettings)
    return f"http://{settings.host}:{settings.http_port}"


class Lab:
    """A running server and gateway.

    Args:
        directory: where they keep what must survive; a new temporary one when None.
        server_port: the server's CoAP port, 0 for a free one.
        rest_port: the server's HTTP port, 0 for a free one.
        gateway_port: the gateway's CoAP port, 0 for a free one.
        page_port: the gateway's HTTP port, for its page, 0 for a free one.
        ack_timeout: CoAP's ACK_TIMEOUT in milliseconds.
        security: of all CoAP links: "oscore" or "none".
    """

    def __init__(
        self,
        directory: Path | None = None,
        server_port: int = 0,
        rest_port: int = 0,
        gateway_port: int = 0,
        page_port: int = 0,
        ack_timeout: int = 2000,
        security: str = OSCORE,
    ) -> None:
        self.directory = directory or Path(tempfile.mkdtemp(prefix="msgin5g-"))
        self.directory.mkdir(parents=True, exist_ok=True)
        self._gateway_ports = gateway_port, page_port
        self._ack_timeout = ack_timeout
        self._security = security
        self.server = ServerProcess(
            server_settings(self.directory, server_port, rest_port, ack_timeout, security)
        )
        self.gateway: GatewayProcess | None = None

    async def start(self) -> None:
        """Start both; returns when the gateway is registered at the server."""
        await self.server.start()
        self.gateway = GatewayProcess(
            gateway_settings(
                self.directory,
                self.server.link.address,
                *self._gateway_ports,
                self._ack_timeout,
                self._security,
            )
        )
        await self.gateway.start()
        self._write_settings()
        await self.gateway.registered()

    async def stop(self) -> None:
        """Stop both."""
        if self.gateway:
            await self.gateway.stop()
        await self.server.stop()

    def _write_settings(self) -> None:
        # As both run, with the ports that they have.
        assert self.gateway
        server_host, server_port = self.server.link.address
        host, port = self.gateway.down.address
        common = f'security = "{self._security}"\n[coap]\nack_timeout = {self._ack_timeout}\n'
        (self.directory / GATEWAY_SETTINGS).write_text(
            f'ue_service_id = "{GATEWAY}"\nserver = "{server_host}:{server_port}"\nhost = "{host}"\nport = {port}\n'
            f'http_port = {self.gateway.http.address[1]}\nserver_security = "{self._security}"\n{common}',
            encoding="ascii",
        )
        (self.directory / SERVER_SETTINGS).write_text(
            f'service_id = "{SERVER}"\nhost = "{server_host}"\nport = {server_port}\ngateways = ["{GATEWAY}"]\n'
            f"http_port = {self.server.http.address[1]}\n{common}",
            encoding="ascii",
        )

    def addresses(self) -> dict[str, Any]:
        """Where they are, as ``msgin5g up`` prints it."""
        assert self.gateway
        return {
            "dir": str(self.directory),
            "security": self._security,
            "server": self.server.addresses() | {"as_token": lab_token(self.directory / TOKEN_FILE)},
            "gateway": self.gateway.addresses(),
        }
