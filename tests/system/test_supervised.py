"""The gateway as systemd starts it, with what it expects to be told; and on a terminal."""

import asyncio
import os
import pty
import signal
import socket
from pathlib import Path

import pytest

from tests.system.processes import MSGIN5G, PATIENCE, free_ports, until


@pytest.fixture
def settings(tmp_path) -> Path:
    port, http_port = free_ports(2)
    file = tmp_path / "gateway.toml"
    file.write_text(
        'ue_service_id = "gateway@example.org"\nserver = "127.0.0.1:9"\nhost = "127.0.0.1"\n'
        f'port = {port}\nhttp_port = {http_port}\nsecurity = "none"\nserver_security = "none"\n'
    )
    return file


async def test_systemd_is_told_of_begin_life_and_end(place, settings, tmp_path):
    told = []
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listener:
        listener.bind(str(tmp_path / "notify"))
        listener.setblocking(False)
        asyncio.get_running_loop().add_reader(listener, lambda: told.append(listener.recv(100)))
        environment = {"NOTIFY_SOCKET": str(tmp_path / "notify"), "WATCHDOG_USEC": "100000"}
        program = place.program("gateway", settings, environment=environment)
        await program.start()
        await until(lambda: told.count(b"WATCHDOG=1") > 2, program.errors)
        assert told[0] == b"READY=1"
        assert b"STOPPING=1" not in told
        assert await program.end() == 0
        await until(lambda: told[-1] == b"STOPPING=1" or b"STOPPING=1" in told, lambda: told)
        asyncio.get_running_loop().remove_reader(listener)


async def test_a_person_is_told_where_page_top_capture_and_metrics_are(settings):
    master, slave = pty.openpty()
    shown = bytearray()
    loop = asyncio.get_running_loop()
    loop.add_reader(master, lambda: shown.extend(os.read(master, 65536)))
    process = await asyncio.create_subprocess_exec(
        MSGIN5G, "gateway", settings, stdout=asyncio.subprocess.DEVNULL, stderr=slave
    )
    await until(lambda: b"/metrics" in shown, lambda: bytes(shown))
    process.send_signal(signal.SIGTERM)
    assert await asyncio.wait_for(process.wait(), PATIENCE) == 0
    loop.remove_reader(master)
    os.close(master)
    os.close(slave)
    text = shown.decode()
    for part in (
        "listens at coap://127.0.0.1:",
        "gateway.sqlite.operator",
        "msgin5g top ",
        "msgin5g capture ",
    ):
        assert part in text, text
    # Lines for people, not objects.
    assert '{"' not in text


@pytest.mark.parametrize(("form", "is_json"), [("json", True), ("text", False)])
async def test_the_form_of_logs_can_be_chosen(place, settings, form, is_json):
    program = place.program("gateway", settings, environment={"MSGIN5G_LOG_FORMAT": form})
    await program.start()
    await program.line()
    assert await program.end() == 0
    assert program.errors().startswith("{") == is_json
