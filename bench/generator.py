"""A closed-loop load over CoAP, to 127.0.0.1 only: ``python -m bench.generator PORT WARM_UP_S MEASURE_S < corpus``.

The corpus holds two datagrams for each source, each behind its length (two octets, big endian): a registration, and a
message that is then sent again and again. Both have a token of four octets. In each message sent, Message ID of CoAP,
token, and the first 16 hex digits of the Message ID of MSGin5G (found by its placeholder) are new.

Every source is a socket of its own and has one message under way, as a constrained client has (NSTART = 1). A Message
ID of CoAP must not come back within EXCHANGE_LIFETIME: a source stops before that. Prints one JSON object.
"""

from __future__ import annotations

import json
import select
import socket
import sys
import time

PLACEHOLDER = b"00000000-0000-0000-"
_MOST_MESSAGES = 65_000
_RETRANSMIT_AFTER_S = 2.0


class Source:
    """A socket that registers, and then has one message under way."""

    def __init__(self, port: int, registration: bytes, message: bytes, run: int) -> None:
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.connect(("127.0.0.1", port))
        self.since = 0.0
        self._sent = 0
        self._run = run
        self._datagram = bytearray(message)
        self._id = message.index(PLACEHOLDER)
        self.socket.settimeout(20)
        self.socket.send(registration)
        if self.socket.recv(2048)[1] >> 5 != 2:
            raise SystemExit("registration refused")
        self.socket.setblocking(False)

    def next(self, serial: int) -> None:
        """Send a new message."""
        if self._sent == _MOST_MESSAGES:
            return
        datagram = self._datagram
        datagram[2:4] = self._sent.to_bytes(2, "big")
        datagram[4:8] = serial.to_bytes(4, "big")
        datagram[self._id : self._id + 18] = b"%08x-%04x-%04x" % (serial, self._run >> 16, self._run & 0xFFFF)
        self._sent += 1
        self.since = time.perf_counter()
        self.socket.send(datagram)

    def again(self) -> None:
        """Retransmit what is under way."""
        self.socket.send(self._datagram)

    def answer(self) -> bytes | None:
        """The answer to what is under way, if it is that."""
        received = self.socket.recv(2048)
        return received if received[2:8] == self._datagram[2:8] else None


class Generator:
    """All sources, and what is counted."""

    def __init__(self, port: int, datagrams: list[bytes]) -> None:
        self.refused = 0
        self.retransmitted = 0
        self.answers = 0
        self.latencies: list[float] = []
        self._serial = 0
        self._poll = select.epoll()
        self._sources: dict[int, Source] = {}
        run = time.time_ns() >> 20 & 0xFFFFFFFF
        for registration, message in zip(datagrams[::2], datagrams[1::2], strict=True):
            source = Source(port, registration, message, run)
            self._sources[source.socket.fileno()] = source
            self._poll.register(source.socket, select.EPOLLIN)

    def start(self) -> None:
        """Send the first message of each."""
        for source in self._sources.values():
            self._serial += 1
            source.next(self._serial)

    def run(self, seconds: float) -> float:
        """Send the next for each that is answered; returns how long it really took."""
        self.latencies.clear()
        begin = now = looked = time.perf_counter()
        while now < begin + seconds:
            for descriptor, _ in self._poll.poll(0.02):
                self._receive(self._sources[descriptor])
            now = time.perf_counter()
            if now > looked + 0.1:
                looked = now
                self._retransmit(now - _RETRANSMIT_AFTER_S)
        return now - begin

    def _receive(self, source: Source) -> None:
        answer = source.answer()
        if answer is None:
            return
        self.refused += answer[1] >> 5 != 2
        self.answers += 1
        self.latencies.append(time.perf_counter() - source.since)
        self._serial += 1
        source.next(self._serial)

    def _retransmit(self, before: float) -> None:
        for source in self._sources.values():
            if source.since < before:
                self.retransmitted += 1
                source.again()


def main() -> None:
    port, warm_up, measured = int(sys.argv[1]), float(sys.argv[2]), float(sys.argv[3])
    generator = Generator(port, split(sys.stdin.buffer.read()))
    generator.start()
    generator.run(warm_up)
    cpu = time.process_time()
    seconds = generator.run(measured)
    cpu = time.process_time() - cpu
    latencies = sorted(generator.latencies)
    told = {
        "rate": len(latencies) / seconds,
        "answers": generator.answers,
        "refused": generator.refused,
        "retransmitted": generator.retransmitted,
        "busy": cpu / seconds,
        "p50_ms": 1000 * latencies[len(latencies) // 2],
        "p99_ms": 1000 * latencies[len(latencies) * 99 // 100],
    }
    print(json.dumps(told))


def split(corpus: bytes) -> list[bytes]:
    datagrams = []
    at = 0
    while at < len(corpus):
        end = at + 2 + int.from_bytes(corpus[at : at + 2], "big")
        datagrams.append(corpus[at + 2 : end])
        at = end
    return datagrams


if __name__ == "__main__":
    main()
