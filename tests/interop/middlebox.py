"""A UDP middle box with seeded faults: it loses, duplicates, delays and so reorders datagrams, both ways."""

import contextlib
import heapq
import random
import selectors
import socket
import threading
import time


class MiddleBox:
    """Relays between clients and one server, from a thread of its own; a context manager.

    Args:
        server_port: where the server listens on loopback.
        loss: percentage of datagrams that are lost.
        duplication: percentage that arrive twice.
        delay: seconds that each is under way.
        jitter: up to so many seconds more, at random, so that they overtake each other.
        seed: the same seed makes the same decisions for the same sequence of datagrams.
    """

    def __init__(self, server_port, loss=0, duplication=0, delay=0.0, jitter=0.0, seed=1):
        self._server = ("127.0.0.1", server_port)
        self._random = random.Random(seed)
        # May be changed while it runs.
        self.loss, self.duplication = loss, duplication
        self.delay, self.jitter = delay, jitter
        self._selector = selectors.DefaultSelector()
        self._front = self._open()
        self._front.bind(("127.0.0.1", 0))
        self.port = self._front.getsockname()[1]
        # A socket towards the server for each client, so that the server can tell them apart.
        self._backs = {}
        self._clients = {}
        self._under_way = []
        self._count = 0
        self._over = False
        # How many clients are to come to the server from another port from now on.
        self._to_rebind = 0
        self.lost = self.duplicated = self.relayed = self.rebound = 0
        self._thread = threading.Thread(target=self._run, daemon=True)

    def __enter__(self):
        self._thread.start()
        return self

    def __exit__(self, *_):
        self._over = True
        self._thread.join()
        for sock in [self._front, *self._backs.values()]:
            sock.close()
        self._selector.close()

    def rebind(self, count):
        """Let so many clients, chosen at random, come from another port, as a NAT does that has forgotten them."""
        self._to_rebind += count

    def _open(self):
        sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        sock.setblocking(False)
        self._selector.register(sock, selectors.EVENT_READ)
        return sock

    def _run(self):
        while not self._over:
            self._rebind()
            wait = self._under_way[0][0] - time.monotonic() if self._under_way else 0.05
            for key, _ in self._selector.select(max(0, min(0.05, wait))):
                self._read(key.fileobj)
            while self._under_way and self._under_way[0][0] <= time.monotonic():
                _, _, sock, datagram, address = heapq.heappop(self._under_way)
                with contextlib.suppress(OSError):
                    sock.sendto(datagram, address)

    def _rebind(self):
        count, self._to_rebind = self._to_rebind, 0
        for client in self._random.sample(list(self._backs), min(count, len(self._backs))):
            sock = self._backs.pop(client)
            del self._clients[sock]
            self._selector.unregister(sock)
            sock.close()
            self.rebound += 1

    def _read(self, sock):
        while True:
            try:
                datagram, source = sock.recvfrom(65536)
            except OSError:
                return
            if sock is self._front:
                self._relay(self._back(source), datagram, self._server)
            else:
                self._relay(self._front, datagram, self._clients[sock])

    def _back(self, client):
        if client not in self._backs:
            self._backs[client] = self._open()
            self._clients[self._backs[client]] = client
        return self._backs[client]

    def _relay(self, sock, datagram, address):
        if self._random.random() * 100 < self.loss:
            self.lost += 1
            return
        copies = 1
        if self._random.random() * 100 < self.duplication:
            self.duplicated += 1
            copies = 2
        for _ in range(copies):
            self._count += 1
            self.relayed += 1
            at = time.monotonic() + self.delay + self._random.random() * self.jitter
            heapq.heappush(self._under_way, (at, self._count, sock, datagram, address))
