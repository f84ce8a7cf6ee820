import asyncio
import contextlib
import threading

import pytest
from command_line import GATEWAY, PASSWORD
from pretended import firmware

from host_tools.boards.networks import VARIABLE
from host_tools.lab import Lab
from host_tools.security.devices import Devices


@pytest.fixture(scope="session")
def library(tmp_path_factory):
    """A folder with what is on every board: its lib and main.py."""
    return firmware(tmp_path_factory.mktemp("files"))


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    """A cache folder of the test's own."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    folder = tmp_path / "cache" / "msgin5g" / "firmware"
    folder.mkdir(parents=True)
    return folder


@pytest.fixture
def gateway(tmp_path):
    """The settings of a gateway that does not run."""
    file = tmp_path / "gateway.toml"
    file.write_text(f'ue_service_id = "{GATEWAY}"\nserver = "127.0.0.1:1"\nhost = "192.0.2.1"\n')
    return file


@pytest.fixture
def devices(gateway, tmp_path):
    """Those that it knows."""
    with contextlib.closing(Devices(tmp_path / "gateway.sqlite", GATEWAY)) as found:
        yield found


@pytest.fixture
def password(monkeypatch):
    """That of the network, where `msgin5g provision` looks for it."""
    monkeypatch.setenv(VARIABLE, PASSWORD)


@pytest.fixture(scope="module")
def lab(tmp_path_factory):
    """A gateway and a server that run; the folder with their settings."""
    folder = tmp_path_factory.mktemp("lab")
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever)
    thread.start()

    def run(coroutine):
        return asyncio.run_coroutine_threadsafe(coroutine, loop).result(30)

    async def made():
        return Lab(folder)

    one = run(made())
    run(one.start())
    yield folder
    run(one.stop())
    loop.call_soon_threadsafe(loop.stop)
    thread.join()
