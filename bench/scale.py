"""What very many devices cost the gateway: ``python -m bench scale``.

``SCALE_DEVICES=10000 SCALE_MESSAGES=1000000`` for so many.
"""

from __future__ import annotations

import os
import random
import time
from typing import TYPE_CHECKING

from bench.machine import cores, on_core
from bench.scale_field import Devices, Upstream
from bench.scale_gateway import enrol, folder, gateway, register, server_keys, wait

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

TITLE = "Cost of a message and the number of devices"
NOTES = """\
A gateway (`msgin5g gateway`, its defaults but for `most_devices` and `uplink_ports`) starts with so many devices in its
registry, and takes messages with a payload of 100 octets from all of them in turn, in no order, 64 under way at a time;
OSCORE on both sides, stored (SQLite on disk) and acknowledged, and accepted by what is upstream, which stores nothing.
Start-up is the time until it has registered at its server, and the CPU time of it. The first message of each makes the
gateway load its keys, and is counted by itself. CPU time is the gateway's, its kernel's included; MB are 10 ** 6
octets of resident memory. `SCALE_DEVICES` and `SCALE_MESSAGES` say how many instead."""

DEVICES = (1_000, 10_000, 100_000)
MESSAGES = 20_000
_WINDOW = 64


def measure(quick: bool, tell: Callable[[str], None]) -> list[dict]:
    messages = 1_000 if quick else int(os.environ.get("SCALE_MESSAGES", MESSAGES))
    with on_core(cores()[1]):
        return [of(count, messages, tell) for count in ((100,) if quick else _devices())]


def _devices() -> tuple[int, ...]:
    asked = os.environ.get("SCALE_DEVICES")
    return (int(asked),) if asked else DEVICES


def of(count: int, messages: int, tell: Callable[[str], None]) -> dict:
    """One run, with so many devices."""
    with folder() as here:
        tell(f"{count} devices are enrolled and registered")
        upstream = Upstream(server_keys(here))
        devices = Devices(enrol(here, count), ("127.0.0.1", 0))
        register(here, count, devices.port)
        begin = time.monotonic()
        with gateway(here, upstream.port, f"most_devices = {max(count, 10_000)}\n") as running:
            wait(upstream, lambda: upstream.registrations > 0)
            started, cpu, memory = time.monotonic() - begin, running.cpu(), [running.resident()]
            devices.gateway = ("127.0.0.1", running.port)
            costs = []
            for number in (count, messages):
                tell(f"{count} devices: {number} messages")
                before, done = running.cpu(), devices.acknowledged
                requests = _in_turn(devices, count, number)
                devices.run(requests, _WINDOW, upstream, lambda: upstream.arrived >= devices.acknowledged)
                costs.append((running.cpu() - before) / (devices.acknowledged - done))
                memory.append(running.resident())
    if devices.refused:
        raise RuntimeError(f"{devices.refused} of {devices.acknowledged} messages were refused")
    return {
        "devices": count,
        "start-up s": round(started, 2),
        "of that CPU s": round(cpu, 2),
        "MB": round(memory[0]),
        "first of each, µs": round(costs[0] * 1e6),
        "MB then": round(memory[1]),
        "messages": messages,
        "µs each": round(costs[1] * 1e6),
        "MB at the end": round(memory[2]),
        "asked for an Echo": devices.challenged,
        "sent again": devices.retransmitted,
    }


def _in_turn(devices: Devices, count: int, number: int) -> Iterator[tuple[int, bytes]]:
    order = list(range(count))
    random.Random(1).shuffle(order)
    return ((order[place % count], devices.message(order[place % count])) for place in range(number))
