"""Components that mip installs from a local HTTP server, and a client that has these files and no others."""

import asyncio
import functools
import http.server
import threading

import pytest

from host_tools.setup import micropython, packages
from tests.system.field import AS, Field
from tests.system.processes import until

# What is installed loads nothing else, and a message goes all the way.
SENDS = f"""
import asyncio, gc
gc.threshold(4096)
from msgin5g import provisioning
from msgin5g.store.memory import MemoryStore
async def main():
    async with provisioning.client(store=MemoryStore()) as ue:
        sent = await ue.send("from a minimal client", application_server="{AS}")
        print("delivered", await sent.delivered())
        print("received", (await ue.receive()).payload)
    try:
        print(ue.topics)
    except ImportError as error:
        print(error)
asyncio.run(main())
"""


@pytest.fixture
def served():
    """A folder on HTTP; returns its URL."""
    servers = []

    def serve(folder):
        handler = functools.partial(http.server.SimpleHTTPRequestHandler, directory=folder)
        server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        servers.append(server)
        return f"http://127.0.0.1:{server.server_port}"

    yield serve
    for server in servers:
        server.shutdown()
        server.server_close()


async def install(url, target):
    """What a board does: mip.install(); MicroPython 1.25's takes no relative paths."""
    wheel = dict(micropython.interpreters()).get("micropython-wheel")
    if wheel is None:
        pytest.skip("no newer MicroPython is here; `make micropython` says why")
    script = f"import mip; mip.install({url!r}, target={str(target)!r})"
    process = await asyncio.create_subprocess_exec(wheel, "-c", script, stdout=asyncio.subprocess.PIPE)
    told, _ = await process.communicate()
    assert process.returncode == 0 and told.decode().endswith("Done\n"), told


@pytest.mark.parametrize("compiled", [False, True], ids=["py", "mpy"])
async def test_a_client_with_the_minimal_package_alone(place, library, served, tmp_path, compiled):
    if compiled:
        packages.write_compiled(tmp_path / "packages")
    url = served(tmp_path / "packages" if compiled else packages.mpy.SOURCE)
    target = tmp_path / "lib"
    await install(f"{url}/package-minimal.json", target)
    field = await Field(place, library).start()
    board = await field.boot("minimal@example.org", SENDS, library=target)
    await until(field.application_server.received, lambda: board.lines)
    await field.application_server.send("tariff 2", "minimal@example.org")
    assert await board.ended() == 0, board.lines
    assert board.lines == ["delivered True", "received tariff 2", "no module named 'msgin5g.topics'"]


async def test_a_component_comes_on_top(served, tmp_path):
    url = served(packages.mpy.SOURCE)
    for name in ("package-minimal.json", "package-configuration.json"):
        await install(f"{url}/{name}", tmp_path)
    assert (tmp_path / "msgin5g" / "configuration.py").exists()
    assert (tmp_path / "msgin5g" / "cbor.py").exists()
    assert not (tmp_path / "msgin5g" / "topics.py").exists()
