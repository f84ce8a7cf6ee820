"""An ASGI application on granian, in the event loop of the process: HTTP/1.1 and HTTP/2 on one port.

Without TLS, HTTP/2 is spoken to who begins with it (prior knowledge, RFC 9113, 3.3); with TLS, to who offers it (ALPN).
"""

from __future__ import annotations

import asyncio
import socket
from typing import TYPE_CHECKING

from granian.constants import Interfaces, SSLProtocols
from granian.http import HTTP1Settings, HTTP2Settings
from granian.server.embed import Server

from host_tools.link import naming

if TYPE_CHECKING:
    from pathlib import Path

    from starlette.types import ASGIApp

_MOST_HEADERS = 32768
_MOST_CONNECTIONS = 1024
_HEADER_TIMEOUT_MS = 10_000
_KEEP_ALIVE_MS = 30_000
_START_TIMEOUT = 10.0


class HttpServer:
    """Serves an ASGI application.

    Args:
        app: the application; it gets no lifespan events.
        host: address to listen on.
        port: port to listen on; 0 for any free one.
        certificate: PEM file with the certificate chain; with the key, TLS 1.2 or newer is spoken and nothing else.
        key: PEM file with the private key.
    """

    def __init__(
        self,
        app: ASGIApp,
        host: str = "127.0.0.1",
        port: int = 0,
        certificate: Path | None = None,
        key: Path | None = None,
    ) -> None:
        if (certificate is None) != (key is None):
            raise ValueError("TLS needs both a certificate and a key")
        self._app = app
        self._host = host
        self._port = port
        self._certificate = certificate
        self._key = key
        self._reservation: socket.socket | None = None
        self._server: Server | None = None
        self._serving: asyncio.Task[None] | None = None

    @property
    def address(self) -> tuple[str, int]:
        """Where it listens."""
        return self._host, self._port

    @property
    def url(self) -> str:
        """Its URL, without a path."""
        host = f"[{self._host}]" if ":" in self._host else self._host
        return f"{'https' if self._certificate else 'http'}://{host}:{self._port}"

    async def start(self) -> None:
        """Listen; returns when connections are accepted.

        Raises:
            OSError: the address can't be used, or another program listens there.
            ssl.SSLError: certificate and key can't be used.
        """
        self._reservation, self._host, self._port = _reserve(self._host, self._port)
        try:
            self._server = Server(
                self._app,
                self._host,
                self._port,
                interface=Interfaces.ASGINL,
                websockets=False,
                backlog=_MOST_CONNECTIONS,
                backpressure=_MOST_CONNECTIONS,
                http1_settings=HTTP1Settings(
                    header_read_timeout=_HEADER_TIMEOUT_MS, max_buffer_size=_MOST_HEADERS
                ),
                http2_settings=HTTP2Settings(
                    keep_alive_interval=_KEEP_ALIVE_MS, max_headers_size=_MOST_HEADERS
                ),
                log_enabled=False,
                ssl_cert=self._certificate,
                ssl_key=self._key,
                ssl_protocol_min=SSLProtocols.tls12,
            )
            self._serving = asyncio.get_running_loop().create_task(self._server.serve())
            await asyncio.wait_for(self._accepting(self._serving), _START_TIMEOUT)
        except BaseException:
            await self.stop(0)
            raise

    async def stop(self, grace: float = 2.0) -> None:
        """Accept no more connections, let requests under way end, and close; after ``grace`` seconds by force."""
        serving, self._serving = self._serving, None
        if self._server and serving:
            self._server.stop()
            await asyncio.wait([serving], timeout=grace)
            # Idle HTTP/2 connections stay until their clients close them.
            serving.cancel()
            await asyncio.wait([serving])
        if self._reservation:
            self._reservation.close()
            self._reservation = None

    async def _accepting(self, serving: asyncio.Task[None]) -> None:
        while not serving.done():
            try:
                _, writer = await asyncio.open_connection(self._host, self._port)
            except OSError:
                await asyncio.sleep(0.005)
            else:
                writer.close()
                return
        # Tells why it ended.
        serving.result()


def _reserve(host: str, port: int) -> tuple[socket.socket, str, int]:
    # Granian takes an address, not a name, can't tell which port it got, and listens with SO_REUSEPORT: two servers
    # would share a port without knowing. A bind without that option finds out, and a second one, that never listens,
    # holds the port.
    with naming(host, port):
        family, kind, protocol, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
    with socket.socket(family, kind, protocol) as probe, naming(host, port):
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        probe.bind(address)
    reservation = socket.socket(family, kind, protocol)
    reservation.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
    try:
        with naming(host, port):
            reservation.bind(address)
    except OSError:
        reservation.close()
        raise
    return reservation, *reservation.getsockname()[:2]
