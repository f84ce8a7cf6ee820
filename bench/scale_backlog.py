"""What a message costs the gateway when very many others wait: ``python -m bench scale_backlog``."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from bench.machine import cores, on_core
from bench.scale_field import Devices, Upstream
from bench.scale_gateway import enrol, fill, folder, gateway, register, server_keys, wait

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

TITLE = "Cost of a message and the depth of the back-log"
NOTES = """\
So many messages with a payload of 100 octets are in the store of a gateway when it starts, in turn of 1,000 devices,
or for each of them; OSCORE on both sides, `aggregate = false`. "Taken" is what it costs to take, store and acknowledge
one more for a server that is silent; "sent up" what it costs to send one of those that wait when the server answers
again, and to take it out of the store; "sent down" the same towards the devices, where as many travel as one as a
device takes. Each is the gateway's CPU time, its kernel's included, over thousands of messages. Start-up is the time
until the gateway has registered at its server; what waits for the server is counted then."""

DEPTHS = (10_000, 100_000, 1_000_000)
_DEVICES = 1_000
_TAKEN = 4_000
_SENT = 6_000
_WARM_UP = 1_000
_WINDOW = 64


def measure(quick: bool, tell: Callable[[str], None]) -> list[dict]:
    with on_core(cores()[1]):
        return [_of(depth, tell) for depth in ((8_000,) if quick else DEPTHS)]


def _of(depth: int, tell: Callable[[str], None]) -> dict:
    with folder() as here:
        tell(f"{depth} for the server")
        upwards = _up(here, depth)
    with folder() as here:
        tell(f"{depth} for devices")
        return {"waiting": depth} | upwards | {"sent down, µs": _down(here, depth)}


def _up(here: Path, depth: int) -> dict:
    upstream = Upstream(server_keys(here))
    devices = Devices(enrol(here, _DEVICES), ("127.0.0.1", 0))
    register(here, _DEVICES, devices.port)
    fill(here, depth, _DEVICES, down=False)
    more = f"aggregate = false\nmost_messages = {2 * depth}\nmost_messages_per_ue = {2 * depth}\n"
    begin = time.monotonic()
    with gateway(here, upstream.port, more) as running:
        devices.gateway = ("127.0.0.1", running.port)
        wait(upstream, lambda: upstream.registrations > 0)
        started, cpu, memory = time.monotonic() - begin, running.cpu(), running.resident()
        upstream.silent = True
        devices.run(_messages(devices, _WARM_UP), _WINDOW, upstream)
        before = running.cpu()
        devices.run(_messages(devices, _TAKEN), _WINDOW, upstream)
        taken = running.cpu() - before
        upstream.silent = False
        wait(upstream, lambda: upstream.arrived > _WARM_UP)
        before, arrived = running.cpu(), upstream.arrived
        wait(upstream, lambda: upstream.arrived > arrived + _SENT)
        sent = (running.cpu() - before) / (upstream.arrived - arrived)
    return {
        "start-up s": round(started, 2),
        "of that CPU s": round(cpu, 2),
        "MB": round(memory),
        "taken, µs": round(taken / _TAKEN * 1e6),
        "sent up, µs": round(sent * 1e6),
    }


def _down(here: Path, depth: int) -> int:
    upstream = Upstream(server_keys(here))
    devices = Devices(enrol(here, _DEVICES), ("127.0.0.1", 0))
    register(here, _DEVICES, devices.port)
    fill(here, depth, _DEVICES, down=True)
    with gateway(here, upstream.port, f"most_messages = {2 * depth}\n") as running:
        devices.gateway = ("127.0.0.1", running.port)
        nothing: Iterator[tuple[int, bytes]] = iter(())
        # The first of each makes the gateway load its keys.
        devices.run(nothing, 1, upstream, lambda: devices.delivered > 2 * _WARM_UP)
        before, delivered = running.cpu(), devices.delivered
        devices.run(nothing, 1, upstream, lambda: devices.delivered > delivered + _SENT - _WARM_UP)
        return round((running.cpu() - before) / (devices.delivered - delivered) * 1e6)


def _messages(devices: Devices, number: int) -> Iterator[tuple[int, bytes]]:
    return ((one % _DEVICES, devices.message(one % _DEVICES)) for one in range(number))
