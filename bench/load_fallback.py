"""What load.c does, for machines without a compiler: ``python -m bench.load_fallback PORT WARM_UP_MS MEASURE_MS``.

Nothing is retransmitted: on loopback a closed loop of this size loses nothing.
"""

from __future__ import annotations

import json
import select
import socket
import sys
import time

_PLACEHOLDER = b"00000000-0000-0000-"


class Source:
    """A socket that registers, and then has one message under way."""

    def __init__(self, port: int, registration: bytes, message: bytes) -> None:
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.connect(("127.0.0.1", port))
        self.socket.settimeout(20)
        self.socket.send(registration)
        if self.socket.recv(2048)[1] >> 5 != 2:
            raise SystemExit("registration refused")
        self.socket.setblocking(False)
        self.sent = 0
        self.since = 0.0
        self._datagram = bytearray(message)
        self._id = message.index(_PLACEHOLDER)

    def send(self, serial: int, run: int) -> None:
        self._datagram[2:4] = (self.sent & 0xFFFF).to_bytes(2, "big")
        self._datagram[4:8] = serial.to_bytes(4, "big")
        self._datagram[self._id : self._id + 18] = b"%08x-%04x-%04x" % (serial, run >> 16 & 0xFFFF, run & 0xFFFF)
        self.sent += 1
        self.since = time.perf_counter()
        self.socket.send(self._datagram)

    def answered(self) -> bytes:
        answer = self.socket.recv(2048)
        return answer if answer[2:8] == self._datagram[2:8] else b""


def main() -> None:
    port, warm_up, measured = int(sys.argv[1]), int(sys.argv[2]) / 1000, int(sys.argv[3]) / 1000
    sources = {}
    poll = select.epoll()
    for registration, message in _pairs(sys.stdin.buffer.read()):
        source = Source(port, registration, message)
        sources[source.socket.fileno()] = source
        poll.register(source.socket, select.EPOLLIN)
    serial, run = 0, time.time_ns() >> 20
    for source in sources.values():
        serial += 1
        source.send(serial, run)
    begin = time.perf_counter() + warm_up
    cpu = 0.0
    latencies, refused = [], 0
    while (now := time.perf_counter()) < begin + measured:
        if now < begin:
            cpu = time.process_time()
        for descriptor, _ in poll.poll(0.02):
            source = sources[descriptor]
            answer = source.answered()
            if not answer:
                continue
            refused += answer[1] >> 5 != 2
            if now >= begin:
                latencies.append(time.perf_counter() - source.since)
            serial += 1
            if source.sent < 65000:
                source.send(serial, run)
    seconds = now - begin
    latencies.sort()
    told = {
        "seconds": seconds,
        "answers": len(latencies),
        "refused": refused,
        "retransmitted": 0,
        "busy": (time.process_time() - cpu) / seconds,
        "p50_us": int(latencies[len(latencies) // 2] * 1e6),
        "p99_us": int(latencies[len(latencies) * 99 // 100] * 1e6),
    }
    print(json.dumps(told))


def _pairs(corpus: bytes) -> list[tuple[bytes, bytes]]:
    datagrams = []
    at = 0
    while at < len(corpus):
        end = at + 2 + int.from_bytes(corpus[at : at + 2], "big")
        datagrams.append(corpus[at + 2 : end])
        at = end
    return list(zip(datagrams[::2], datagrams[1::2], strict=True))


if __name__ == "__main__":
    main()
