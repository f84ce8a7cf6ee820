import asyncio
import threading

import pytest
from on_flash import firmware

from host_tools.lab import Lab


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
