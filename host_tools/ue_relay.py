"""The UE-1 relay (TS 23.554, 5.2, figure 5.2-2): datagrams between devices and the server, which nobody opens here.

A device behind the relay speaks MSGin5G-1 with the server, protected from end to end: its key is the server's. Each
device has a socket of its own towards the server. So to the server each has an address of its own, to which it sends
by itself as well, and the Message IDs and tokens of two devices never meet; nothing in a datagram is read or changed.
(With one socket for all, tokens would have to be read and Message IDs rewritten, and what the server begins would not
say for whom it is.)

:class:`UeRelay` does no I/O and reads no clock; to a link it is an endpoint. The one thing that it answers itself is
the request of a device that looks for a relay (8.2.8).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from msgin5g import ticks, wire
from msgin5g.coap import numbers as coap
from msgin5g.coap.endpoint import Endpoint, Parameters
from msgin5g.coap.message import FormatError, Message, NotCoap
from msgin5g.coap.server import Server
from msgin5g.gateway_selection import SelectionResponder

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

# A device that is not heard for so many ms gives way to a new one where there is no room.
_GIVES_WAY = 60_000
# A device to which the server has never said anything is forgotten after so many ms.
_UNANSWERED = 60_000
# ms between two looks for devices that are to be forgotten.
_LOOK_INTERVAL = 5_000
# Devices that come for the first time, in a second.
_MOST_NEW = 50
_SELECTION = wire.SELECTION_PATH.rpartition("/")[2].encode()


class Uplink(Protocol):
    """A socket that is connected to the server."""

    def send(self, datagram: bytes) -> None:
        """Send a datagram, or lose it."""

    def close(self) -> None:
        """Close it."""


class _Device:
    # One that is relayed.
    def __init__(self, address: tuple, now: int) -> None:
        self.address = address
        self.uplink: Uplink
        self.heard = self.active = now
        self.answered = False
        self.up = _Share()
        self.down = _Share()


class _Share:
    # How much has been carried in this second.
    def __init__(self) -> None:
        self._second = 0
        self._count = 0

    def is_used_up(self, most: int, now: int) -> bool:
        if ticks.age(self._second, now) >= 1000:
            self._second = now
            self._count = 0
        self._count += 1
        return self._count > most


class UeRelay:
    """Relays datagrams between devices and one server.

    Args:
        open_uplink: makes a socket towards the server; gets what is to be called with each datagram from there, and the
            time. May raise OSError.
        most_devices: bound of devices at once.
        idle: ms after which a device that neither sends nor is sent anything is forgotten.
        most_a_second: datagrams of one device, each way.
    """

    def __init__(
        self,
        open_uplink: Callable[[Callable[[bytes, int], None]], Uplink],
        most_devices: int = 500,
        idle: int = 3_600_000,
        most_a_second: int = 100,
    ) -> None:
        self.counters = {
            "devices_new": 0,
            "devices_refused": 0,
            "devices_forgotten": 0,
            "up": 0,
            "down": 0,
            "up_octets": 0,
            "down_octets": 0,
            "too_many": 0,
            "empty": 0,
        }
        self._open_uplink = open_uplink
        self._most_devices = most_devices
        self._idle = idle
        self._most_a_second = most_a_second
        # The one that was heard longest ago is the first.
        self._devices: dict[tuple, _Device] = {}
        self._new = _Share()
        self._outgoing: list[tuple[bytes | bytearray, tuple]] = []
        self._due: int | None = None
        self._message = Message()
        self._responder: Endpoint | None = None

    def answer_selections(
        self,
        ue_service_id: str,
        server_service_id: str,
        random_bits: Callable[[int], int],
        packet_size: Callable[[tuple], int],
    ) -> None:
        """Answer devices that look for a relay.

        Args:
            ue_service_id: of the UE that relays.
            server_service_id: of the server: what the keys of the devices are for.
            random_bits: ``random_bits(n)`` has n of them.
            packet_size: octets of the longest packet on the link of a device.
        """
        self._responder = Endpoint(Parameters(most_peers=256, most_recent=256), random_bits)
        self.ue_service_id = ue_service_id
        SelectionResponder(self, Server(self._responder), self._responder, packet_size, server_service_id)

    # -- what a link calls

    def receive(self, data: bytes | bytearray, size: int, address: tuple, now: int) -> None:
        """A datagram of a device."""
        datagram = bytes(memoryview(data)[:size])
        if not datagram:
            self.counters["empty"] += 1
        elif self._responder and _SELECTION in datagram and self._is_selection(datagram):
            self._responder.receive(datagram, size, address, now)
        elif device := self._device(address, now):
            if device.up.is_used_up(self._most_a_second, now):
                self.counters["too_many"] += 1
                return
            self.counters["up"] += 1
            self.counters["up_octets"] += size
            device.uplink.send(datagram)

    def datagrams_to_send(self) -> Sequence[tuple[bytes | bytearray, tuple]]:
        """What is for devices."""
        outgoing = self._outgoing
        self._outgoing = []
        return outgoing + list(self._responder.datagrams_to_send()) if self._responder else outgoing

    def timer(self) -> int | None:
        """When there is something to do."""
        other = self._responder.timer() if self._responder else None
        if self._due is None or other is None:
            return other if self._due is None else self._due
        return other if ticks.diff(other, self._due) < 0 else self._due

    def handle_timer(self, now: int) -> None:
        """Forget who is gone."""
        if self._responder:
            self._responder.handle_timer(now)
        if self._due is None or ticks.diff(self._due, now) > 0:
            return
        for device in list(self._devices.values()):
            if ticks.age(device.active, now) >= (self._idle if device.answered else _UNANSWERED):
                self._forget(device)
        self._due = ticks.add(now, _LOOK_INTERVAL) if self._devices else None

    def occupancy(self) -> dict[str, int]:
        """How many devices there are."""
        return {"devices": len(self._devices)}

    def close(self) -> None:
        """Forget all devices."""
        for device in list(self._devices.values()):
            self._forget(device)

    # --

    def _is_selection(self, datagram: bytes) -> bool:
        # A request in clear: what is protected has no path that could be seen.
        message = self._message
        try:
            message.decode(datagram, len(datagram))
        except (NotCoap, FormatError):
            return False
        return (
            message.code == coap.POST and message.path() == wire.SELECTION_PATH and message.oscore() is None
        )

    def _device(self, address: tuple, now: int) -> _Device | None:
        device = self._devices.pop(address, None)
        if device is None:
            device = self._admitted(address, now)
            if device is None:
                self.counters["devices_refused"] += 1
                return None
        device.heard = device.active = now
        self._devices[address] = device
        return device

    def _admitted(self, address: tuple, now: int) -> _Device | None:
        if self._new.is_used_up(_MOST_NEW, now):
            return None
        if len(self._devices) >= self._most_devices:
            longest = next(iter(self._devices.values()))
            if ticks.age(longest.heard, now) < _GIVES_WAY:
                # Those that are heard keep their places, whoever else comes.
                return None
            self._forget(longest)
        device = _Device(address, now)
        try:
            device.uplink = self._open_uplink(lambda datagram, at: self._from_server(device, datagram, at))
        except OSError:
            # As many files are open as may be.
            return None
        self.counters["devices_new"] += 1
        if self._due is None:
            self._due = ticks.add(now, _LOOK_INTERVAL)
        return device

    def _from_server(self, device: _Device, datagram: bytes, now: int) -> None:
        if device.down.is_used_up(self._most_a_second, now):
            self.counters["too_many"] += 1
            return
        device.answered = True
        device.active = now
        self.counters["down"] += 1
        self.counters["down_octets"] += len(datagram)
        self._outgoing.append((datagram, device.address))

    def _forget(self, device: _Device) -> None:
        self.counters["devices_forgotten"] += 1
        del self._devices[device.address]
        device.uplink.close()
