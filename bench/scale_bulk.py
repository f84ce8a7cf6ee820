"""How long 10,000 devices take to be registered together: ``python -m bench scale_bulk``."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from bench.machine import cores, on_core
from bench.scale_field import Devices
from bench.scale_gateway import enrol, folder, gateway, server, server_keys

if TYPE_CHECKING:
    from collections.abc import Callable

TITLE = "Registration in bulk"
NOTES = """\
Devices that are enrolled and that neither gateway nor server has ever heard of register, 256 at a time, and have
patience (TS 23.554, 8.2.7): the gateway (`bulk_registration_seconds = 5`) tells them when to expect their registration,
and registers them at a server (`msgin5g server`), many with one request. Each device is told the result in a request of
its own, which it acknowledges: the time ends when all are. Everything is stored on disk on the way, at gateway and
server; OSCORE on all links. The gateway has one core, devices and server share the other."""

DEVICES = (1_000, 10_000)
_WINDOW = 256


def measure(quick: bool, tell: Callable[[str], None]) -> list[dict]:
    with on_core(cores()[1]):
        return [_of(count, tell) for count in ((200,) if quick else DEVICES)]


def _of(count: int, tell: Callable[[str], None]) -> dict:
    with folder() as here:
        tell(f"{count} devices")
        server_keys(here)
        devices = Devices(enrol(here, count), ("127.0.0.1", 0))
        with (
            server(here) as upstream,
            gateway(here, upstream.port, "bulk_registration_seconds = 5\n") as running,
        ):
            devices.gateway = ("127.0.0.1", running.port)
            # Until the gateway itself is registered it refuses.
            while not devices.acknowledged:
                time.sleep(0.5)
                devices.run(iter([(0, devices.registration(0))]), 1, None)
            begin, cpu, server_cpu = time.monotonic(), running.cpu(), upstream.cpu()
            devices.refused = 0
            requests = ((number, devices.registration(number, 5)) for number in range(1, count))
            devices.run(requests, _WINDOW, None, lambda: devices.results >= count - 1)
            seconds = time.monotonic() - begin
            cpu, server_cpu = running.cpu() - cpu, upstream.cpu() - server_cpu
    return {
        "devices": count,
        "seconds": round(seconds, 2),
        "CPU seconds of the gateway": round(cpu, 2),
        "CPU seconds of the server": round(server_cpu, 2),
        "refused": devices.refused,
        "sent again": devices.retransmitted,
    }
