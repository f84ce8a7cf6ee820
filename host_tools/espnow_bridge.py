"""The gateway's end of a bridge board: one serial port, and behind it any number of devices that speak ESP-NOW.

The board runs ``msgin5g.link.bridge``, which says what is in a frame. A device's address is
``("espnow", path, "24:0a:c4:00:01:10")``.
"""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING, Any

import structlog
from msgin5g import ticks
from msgin5g.link import bridge

from host_tools.link import now
from host_tools.serial_link import Frames, SerialPort

if TYPE_CHECKING:
    import asyncio

_log = structlog.get_logger("msgin5g.espnow")

ESPNOW = "espnow"
# The longest frame of ESP-NOW v2, and what the bridge may not go beyond until it has said what its radio does.
MOST_OCTETS = 1470
_SHORT_OCTETS = 250
_LEAST_OCTETS = 128
# Seconds between two questions to the bridge; it is there if it has answered one of the last three.
_ASK_INTERVAL = 5.0
_LONGEST_SILENCE = 15_000
# Devices that an operator is shown.
_MOST_PEERS = 256


class BridgePort(SerialPort):
    """A serial port with a bridge board at the other end.

    Attributes:
        mac: of its radio, once it has said so.
        peers: when each device was heard last, by its MAC address.
    """

    carries = ESPNOW

    def __init__(self, path: str, baud: int = 115200, most_octets: int = MOST_OCTETS) -> None:
        super().__init__(path, baud, most_octets)
        self.address = (ESPNOW, path, None)
        self.mac: str | None = None
        self.peers: dict[str, int] = {}
        self._radio_octets = _SHORT_OCTETS
        self._about = {"unconfirmed": 0, "lost": 0}
        self._answered: int | None = None
        self._asking: asyncio.TimerHandle | None = None

    def packet_size(self, _address: tuple) -> int:
        """Octets of the longest frame that its radio sends."""
        return min(self.most_octets, self._radio_octets)

    def layer_2_id(self) -> str:
        """The MAC address of its radio; "" until it is known."""
        return self.mac or ""

    @property
    def answers(self) -> bool:
        """Has the bridge said anything lately?"""
        return self._answered is not None and ticks.age(self._answered, now()) <= _LONGEST_SILENCE

    def wrapped(self, datagram: bytes | bytearray, address: tuple | None) -> bytes:
        """A datagram behind the MAC address of the device that it is for."""
        assert address
        return bytes.fromhex(address[2].replace(":", "")) + datagram

    def status(self) -> dict[str, Any]:
        """That of a port, and what the bridge says of its radio."""
        return {
            **super().status(),
            "bridge": self.mac,
            "bridge_answers": self.answers,
            "peers": len(self.peers),
            **self._about,
        }

    def close(self) -> None:
        """Let it go for good."""
        if self._asking:
            self._asking.cancel()
            self._asking = None
        super().close()

    def _deframer(self, most_octets: int) -> Frames:
        return Frames(most_octets + bridge.MAC_OCTETS, self._on_frame)

    def _open(self) -> None:
        super()._open()
        if self.is_open:
            self._ask()

    def _ask(self) -> None:
        if self._asking:
            self._asking.cancel()
            self._asking = None
        if self.is_open and self._loop:
            self._put(bridge.NOBODY)
            self._asking = self._loop.call_later(_ASK_INTERVAL, self._ask)

    def _on_frame(self, buffer: bytearray, size: int) -> None:
        mac = bytes(buffer[: bridge.MAC_OCTETS])
        content = bytes(buffer[bridge.MAC_OCTETS : size])
        if mac == bridge.NOBODY:
            self._on_answer(content)
        elif content:
            text = mac.hex(":")
            self._remember(text)
            self._take(content, len(content), (ESPNOW, self.path, text))

    def _on_answer(self, content: bytes) -> None:
        if len(content) != struct.calcsize(bridge.ABOUT):
            self.errors += 1
            return
        mac, octets, unconfirmed, lost = struct.unpack(bridge.ABOUT, content)
        if octets < _LEAST_OCTETS:
            # Noise, or a bridge that nothing could be sent by.
            self.errors += 1
            return
        self._answered = now()
        self._radio_octets = octets
        self._about = {"unconfirmed": unconfirmed, "lost": lost}
        if mac.hex(":") != self.mac:
            self.mac = mac.hex(":")
            _log.info("ESP-NOW bridge", port=self.path, mac=self.mac, packet_size=octets)

    def _remember(self, mac: str) -> None:
        # The one heard last is at the end.
        self.peers.pop(mac, None)
        self.peers[mac] = now()
        if len(self.peers) > _MOST_PEERS:
            del self.peers[next(iter(self.peers))]
