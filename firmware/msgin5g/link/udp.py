# CoAP over UDP. (The host has its own adapter: host_tools/link.py.)
#
# The network may go away and come back, with another address for the board or for the gateway. What notices is a
# datagram that can't be sent, and a message that timed out while nothing at all was heard; udp_again.py then
# makes a new socket and asks again where the gateway is.

import asyncio
import socket

from .. import ticks
from .common import Link

# Datagrams that are taken before other tasks have a turn.
_MOST_AT_ONCE = 16
# There is no use in asking for less: the shortest acknowledgement of a message fits, a message does not.
_LEAST_OCTETS = 200
# Addresses whose names are remembered.
_MOST_NAMES = 8


class UdpLink(Link):
    # Datagrams of more than most_octets are counted in `oversized` and dropped. A device that only asks needs no
    # local_port.
    def __init__(self, endpoint, most_octets=1280, local_port=None):
        super().__init__(endpoint, most_octets)
        # How often less than most_octets had to do for a datagram.
        self.short_of_memory = 0
        # How often there was a new socket.
        self.renewed = 0
        self._local_port = local_port
        # Where the peer is: the address that stands for it may be an earlier one.
        self._target = None
        # {address: (host, port)}: what was asked for.
        self._names = {}
        # ms until the next new socket, and the task that waits for it.
        self._pause = 0
        self._mending = None
        # Messages that have timed out, and when something was received last.
        self._timeouts = 0
        self._heard = self.now()
        self.open(socket.AF_INET)

    def open(self, family):
        self._family = family
        self._socket = self._source = self._receive_from = socket.socket(family, socket.SOCK_DGRAM)
        self._socket.setblocking(False)
        if self._local_port is not None:
            host = "0.0.0.0" if family == socket.AF_INET else "::"
            self._socket.bind(socket.getaddrinfo(host, self._local_port)[0][-1])

    def resolve(self, host, port):
        # An address as receive() will report it: opaque bytes on the Unix port, a tuple on boards.
        try:
            found = socket.getaddrinfo(host, port)[0]
        except OSError as error:
            from .. import mistakes

            raise mistakes.host(host, error)
        if found[0] != self._family:
            self._renew(found[0])
        address = _hashable(found[-1])
        if len(self._names) >= _MOST_NAMES:
            self._names.popitem()
        self._names[address] = (host, port)
        return address

    def broadcast(self, port, group=None):
        # group: another multicast group, or the network's broadcast address.
        from . import udp_again

        return udp_again.broadcast(self, port, group)

    def connect(self, address):
        # The socket drops what comes from others.
        if address is None and self._peer is not None:
            self._peer = None
            self._renew(self._family)
        elif address is not None:
            self._socket.connect(address)
            self._peer = self._target = address

    def close(self):
        super().close()
        if self._mending:
            self._mending.cancel()
            self._mending = None
        self._socket.close()

    def _renew(self, family):
        from . import udp_again

        udp_again.renew(self, family)

    def _send(self, datagram, address):
        if address == self._peer:
            address = self._target
        # A connected socket may tell here what became of the last one, and not send this one.
        for _ in range(2):
            try:
                self._socket.sendto(datagram, address)  # type: ignore[arg-type]
                return True
            except OSError:
                pass
        self._mend()
        return False

    def _drain(self):
        taken = 0
        while taken < _MOST_AT_ONCE:
            try:
                data, address, whole = self._read()
            except OSError:
                # Nothing more to read, or an ICMP error that says what the timeout will say as well.
                break
            taken += 1
            if whole:
                self.endpoint.receive(data, len(data), address, self.now())
            else:
                self.oversized += 1
        if taken:
            self._pause = 0
            self._heard = self.now()
        return taken

    def _read(self):
        # One datagram, where it is from, and whether that is all of it: one octet more than is taken shows that there
        # was more. (readinto() would not do: it fills its buffer from several.)
        #
        # A heap in pieces may not have that many octets in a row, and never again. Most datagrams are much shorter, so
        # less is asked for then: a board must not go deaf.
        octets = self.most_octets + 1
        while True:
            try:
                if self._peer is not None:
                    data, address = self._receive_from.recv(octets), self._peer
                else:
                    data, address = self._receive_from.recvfrom(octets)
                    address = _hashable(address)
                return data, address, len(data) < octets
            except MemoryError:
                if octets < _LEAST_OCTETS:
                    raise
                self.short_of_memory += 1
                octets -= octets >> 2

    def _on_timer(self):
        super()._on_timer()
        timeouts = self.endpoint.counters["timeouts"]
        if timeouts != self._timeouts:
            self._timeouts = timeouts
            # How long a message waits after its last retransmission.
            parameters = self.endpoint.parameters
            if ticks.age(self._heard, self.now()) >= parameters.ack_timeout << parameters.max_retransmit:
                self._mend()

    def _mend(self):
        if self._tasks and self._mending is None:
            from .udp_again import mend

            self._mending = asyncio.create_task(mend(self))


def _hashable(address):
    return bytes(address) if isinstance(address, (bytes, bytearray)) else address
