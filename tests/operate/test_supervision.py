"""What a process tells systemd, and a person at a terminal."""

import asyncio
import os
import socket
from pathlib import Path

import pytest

from host_tools import supervision


@pytest.fixture
def told(tmp_path, monkeypatch):
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as one:
        one.bind(str(tmp_path / "notify"))
        one.settimeout(10)
        monkeypatch.setenv("NOTIFY_SOCKET", str(tmp_path / "notify"))
        monkeypatch.delenv("WATCHDOG_USEC", raising=False)
        monkeypatch.delenv("WATCHDOG_PID", raising=False)
        yield one


async def test_begin_signs_of_life_and_end(told, monkeypatch):
    monkeypatch.setenv("WATCHDOG_USEC", "2000")
    async with supervision.supervised():
        assert told.recv(100) == b"READY=1"
        for _ in range(3):
            await asyncio.sleep(0.002)
        assert told.recv(100) == told.recv(100) == b"WATCHDOG=1"
    left = told.recv(100)
    while left == b"WATCHDOG=1":
        left = told.recv(100)
    assert left == b"STOPPING=1"


async def test_no_watchdog_unless_it_is_asked_of_this_process(told, monkeypatch):
    assert supervision.watchdog_interval() is None
    monkeypatch.setenv("WATCHDOG_USEC", "30000000")
    assert supervision.watchdog_interval() == 15.0
    monkeypatch.setenv("WATCHDOG_PID", str(os.getpid() + 1))
    assert supervision.watchdog_interval() is None


def test_an_abstract_socket(monkeypatch):
    name = f"msgin5g-test-{os.getpid()}"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as one:
        one.bind("\0" + name)
        monkeypatch.setenv("NOTIFY_SOCKET", "@" + name)
        assert supervision.notify("READY=1")
        assert one.recv(100) == b"READY=1"


def test_nobody_to_tell(monkeypatch):
    monkeypatch.delenv("NOTIFY_SOCKET", raising=False)
    assert not supervision.notify("READY=1")
    monkeypatch.setenv("NOTIFY_SOCKET", "/nowhere/at/all")
    assert not supervision.notify("READY=1")


def test_a_person_is_told_how_to_look_at_it():
    addresses = {
        "coap": "coap://127.0.0.1:5683",
        "http": "http://127.0.0.1:8081",
        "operator_key_file": "x.operator",
    }
    text = supervision.greeting(addresses, Path("gateway.toml"))
    for part in (
        "coap://127.0.0.1:5683",
        "x.operator",
        "msgin5g top gateway.toml",
        "http://127.0.0.1:8081/metrics",
    ):
        assert part in text
    assert "top" not in supervision.greeting({"coap": "coap://h:1"}, Path("server.toml"))
