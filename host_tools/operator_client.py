"""A running gateway as an operator on the same machine asks it: over its HTTP interface, with the operator key."""

from __future__ import annotations

import ssl
from typing import TYPE_CHECKING, Any

import httpx2

from host_tools.gateway.operators import key_file, operator_key
from host_tools.settings import SettingsError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from host_tools.settings import GatewaySettings

# Addresses to listen on, and how they are reached from the same machine.
_ANY = {"0.0.0.0": "127.0.0.1", "::": "::1"}
_TIMEOUT = 10.0
_LONGEST_REASON = 300


class OperatorClient:
    """Asks one gateway.

    Args:
        settings: what it runs with.

    Raises:
        SettingsError: it can't be asked with these settings; the message has the way out.
    """

    def __init__(self, settings: GatewaySettings) -> None:
        if not settings.page:
            raise SettingsError("page = false: the gateway tells operators nothing; page = true does")
        if settings.http_port == 0:
            raise SettingsError("http_port = 0: nobody knows where the gateway is asked; set a port")
        key = key_file(settings)
        if not key.exists():
            raise SettingsError(f"{key} is missing: the gateway has not run with these settings yet")
        host = _ANY.get(settings.http_host, settings.http_host)
        shown = f"[{host}]" if ":" in host else host
        self.url = f"{'https' if settings.http_certificate else 'http'}://{shown}:{settings.http_port}"
        self._client = httpx2.Client(
            base_url=self.url,
            headers={"Authorization": f"Bearer {operator_key(settings)}"},
            timeout=_TIMEOUT,
            trust_env=False,
            verify=_trust(settings),
        )

    def close(self) -> None:
        """Hang up."""
        self._client.close()

    def get(self, path: str, **parameters: Any) -> Any:
        """JSON from a path under ``/api/``.

        Raises:
            SettingsError: no answer, or a refusal; the message says which.
        """
        try:
            response = self._client.get(f"/api/{path}", params=parameters)
        except httpx2.HTTPError as error:
            raise self._no_answer(error) from error
        if response.status_code != 200:
            raise self._refused(response)
        return response.json()

    def stream(self, path: str, parameters: Mapping[str, str]) -> Iterator[bytes]:
        """Pieces of an answer that may never end.

        Raises:
            SettingsError: as :meth:`get`.
        """
        try:
            with self._client.stream("GET", f"/api/{path}", params=parameters, timeout=None) as response:
                if response.status_code != 200:
                    response.read()
                    raise self._refused(response)
                yield from response.iter_raw()
        except httpx2.RemoteProtocolError as error:
            raise SettingsError("the gateway has ended") from error
        except httpx2.HTTPError as error:
            raise self._no_answer(error) from error

    def _no_answer(self, error: Exception) -> SettingsError:
        return SettingsError(f"no gateway answers at {self.url} ({error}): does it run?")

    def _refused(self, response: httpx2.Response) -> SettingsError:
        return SettingsError(
            f"{self.url} answers {response.status_code}: {response.text.strip()[:_LONGEST_REASON]}"
        )


def _trust(settings: GatewaySettings) -> ssl.SSLContext | bool:
    # The gateway's own certificate and no other, whatever name is in it.
    if not settings.http_certificate:
        return True
    context = ssl.create_default_context(cafile=str(settings.http_certificate))
    context.check_hostname = False
    return context
