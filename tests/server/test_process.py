"""The server and the gateway as processes: nothing leaves before it is durable."""

import asyncio
import sqlite3

import pytest

from host_tools import housekeeping
from host_tools.gateway.process import GatewayProcess
from host_tools.server.process import ServerProcess
from host_tools.settings import GatewaySettings, Group, ServerSettings, SettingsError, UeConfiguration


@pytest.fixture
def server(tmp_path):
    process = ServerProcess(
        ServerSettings(database=tmp_path / "server.sqlite", host="127.0.0.1", port=0, http_port=0)
    )
    yield process
    process.link.close()
    process.store.close()


async def test_one_who_stops_waiting_for_the_commit_disturbs_nobody(server):
    server.link.start()
    first = asyncio.create_task(server.committed())
    second = asyncio.create_task(server.committed())
    await asyncio.sleep(0)
    first.cancel()
    await asyncio.wait_for(second, 5)
    with pytest.raises(asyncio.CancelledError):
        await first
    await asyncio.wait_for(server.committed(), 5)


def test_a_handler_that_fails_is_in_the_log(server, capsys):
    server.link.endpoint.on_error(ValueError("broken"))
    assert "broken" in capsys.readouterr().out


class Broken:
    path = "x.sqlite"

    def commit(self):
        raise sqlite3.OperationalError("database or disk is full")

    def close(self):
        pass


def test_a_server_that_cannot_store_sends_nothing_and_ends(server, monkeypatch):
    sent = []
    monkeypatch.setattr(server, "store", Broken())
    monkeypatch.setattr(server.link, "transmit", lambda: sent.append(1))
    with pytest.raises(SystemExit, match=r"x\.sqlite: database or disk is full"):
        server._settle()
    assert sent == []


def test_a_gateway_that_cannot_store_sends_nothing_and_ends(tmp_path, monkeypatch):
    gateway = GatewayProcess(
        GatewaySettings(
            ue_service_id="gateway@a",
            server_security="none",
            server="127.0.0.1",
            host="127.0.0.1",
            port=0,
            http_port=0,
            database=tmp_path / "gateway.sqlite",
        )
    )
    sent = []
    gateway.store.close()
    monkeypatch.setattr(gateway, "store", Broken())
    for link in (gateway.down, gateway.up):
        monkeypatch.setattr(link, "transmit", lambda: sent.append(1))
    with pytest.raises(SystemExit, match="nothing can be stored"):
        gateway._settle()
    assert sent == []
    gateway.down.close()
    gateway.up.close()


def test_a_database_works_for_one_process_only(tmp_path):
    path = tmp_path / "server.sqlite"
    lock = housekeeping.take(path)
    with pytest.raises(SettingsError, match="another process works with it"):
        housekeeping.take(path)
    lock.close()
    housekeeping.take(path).close()


def test_a_database_in_a_folder_that_is_not_there_is_named(tmp_path):
    with pytest.raises(SettingsError, match="nowhere"):
        housekeeping.take(tmp_path / "nowhere" / "server.sqlite")


@pytest.mark.parametrize(
    ("further", "said"),
    [
        ({"groups": [Group(service_id="g", members=["a"])] * 2}, "groups: g is there twice"),
        (
            {"ue_configurations": [UeConfiguration(ue_service_id="a", server="coap://s")] * 2},
            "ue_configurations: a is there twice",
        ),
    ],
)
def test_what_is_there_twice_ends_the_start(tmp_path, further, said):
    with pytest.raises(SettingsError, match=said):
        ServerProcess(ServerSettings(database=tmp_path / "server.sqlite", port=0, **further))


def test_groups_topics_and_configurations_are_counted(tmp_path):
    settings = ServerSettings(
        database=tmp_path / "server.sqlite",
        host="127.0.0.1",
        port=0,
        groups=[Group(service_id="g", members=["a"])],
        ue_configurations=[UeConfiguration(ue_service_id="a", server="coap://s")],
    )
    process = ServerProcess(settings)
    process.topics.subscribe(("UE", "a"), ["alarms"])
    counts = process.snapshot()
    assert (counts["groups"], counts["configurations"], counts["topic_subscriptions"]) == (1, 1, 1)
    process.link.close()
    process.store.close()
