"""What all tests share: the programs of other implementations that they talk to, and MicroPython."""

from pathlib import Path

import pytest

from host_tools.setup import micropython, peers


def pytest_report_header() -> str:
    names = [name for name, _ in micropython.interpreters()]
    return (
        "unit tests run on: " + ", ".join(["cpython", *names]) + ("" if names else " (no MicroPython here)")
    )


def _peer(program: str) -> Path:
    path = peers.find(program)
    if path is None:
        pytest.skip(f"{program} is not here (Debian's libcoap3-bin); `make peers` says why")
    return path


@pytest.fixture(scope="session")
def coap_client() -> Path:
    """libcoap's client with DTLS by OpenSSL."""
    return _peer("coap-client-openssl")


@pytest.fixture(scope="session")
def coap_server() -> Path:
    """libcoap's server with DTLS by OpenSSL."""
    return _peer("coap-server-openssl")


@pytest.fixture(scope="session")
def board() -> Path:
    """The MicroPython with a 32-bit board's object sizes; give it a board's heap by `-X heapsize=56K`."""
    path = micropython.constrained()
    if path is None:
        pytest.skip("no 32-bit MicroPython is here; `make micropython` says why")
    return path
