"""The delay that two processes on this machine have anyway: a datagram to ``python -m bench.echo`` and back."""

from __future__ import annotations

import socket
import subprocess
import sys
import time


def round_trips(count: int, octets: int) -> list[float]:
    """Milliseconds of each round trip to a process that does nothing but send back."""
    process = subprocess.Popen([sys.executable, "-m", "bench.echo"], stdout=subprocess.PIPE, text=True)
    assert process.stdout
    took = []
    try:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
            sender.settimeout(5)
            sender.connect(("127.0.0.1", int(process.stdout.readline())))
            for _ in range(count):
                since = time.perf_counter()
                sender.send(bytes(octets))
                sender.recv(2048)
                took.append(1000 * (time.perf_counter() - since))
    finally:
        process.kill()
        process.wait()
    return took


def main() -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as server:
        server.bind(("127.0.0.1", 0))
        print(server.getsockname()[1], flush=True)
        while True:
            server.sendto(*server.recvfrom(2048))


if __name__ == "__main__":
    main()
