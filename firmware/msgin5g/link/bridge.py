# A bridge between ESP-NOW and a serial line: a board that carries frames of other boards to a gateway and back, without
# knowing what is in them.
#
#     Bridge(machine.UART(1, 921600, timeout=0, rxbuf=4096)).start()
#
# Frames on the line are those of slip.py, with a MAC address before each datagram: upwards that of the board that has
# sent it, downwards that of the board that it is for. Behind the address NOBODY is what is about the bridge itself:
# nothing is a question, and its answer is ABOUT. The bridge says that by itself when it starts.

import struct

from .. import ticks
from .espnow import EspNowLink
from .serial import SerialLink

MAC_OCTETS = 6
NOBODY = bytes(MAC_OCTETS)
# The radio's MAC address; octets of the longest frame; frames that no radio has confirmed, and that were lost here.
ABOUT = ">6sHII"
# ms between two looks whether the radio is still on.
_LOOK_INTERVAL = 1000
_LARGEST_COUNT = 0xFFFFFFFF


class Bridge:
    # stream, output, waits: of SerialLink; most_octets, interface: of EspNowLink.
    def __init__(self, stream, output=None, waits=False, most_octets=None, interface=None):
        self._air = _Side(self._from_air)
        self._wire = _Side(self._from_wire)
        self.radio = EspNowLink(self._air, most_octets, interface)
        self.line = SerialLink(self._wire, stream, output, waits, self.radio.most_octets + MAC_OCTETS)
        # Frames of the line that were none of a gateway.
        self.bad_frames = 0

    def start(self):
        self._air.look_at(self.radio.now())
        self.radio.start()
        self.line.start()
        self._tell()

    def close(self):
        self.radio.close()
        self.line.close()

    def _from_air(self, data, size, address, now):
        self._wire.put(address + bytes(memoryview(data)[:size]), None)
        self.line.flush()

    def _from_wire(self, data, size, address, now):
        view = memoryview(data)
        mac = bytes(view[: min(size, MAC_OCTETS)])
        if mac == NOBODY:
            self._tell()
        elif size > MAC_OCTETS:
            self._air.put(bytes(view[MAC_OCTETS:size]), mac)
            self.radio.flush()
        else:
            self.bad_frames += 1

    def _tell(self):
        radio = self.radio
        lost = radio.errors + radio.oversized + self.line.errors + self.line.oversized + self.bad_frames
        counts = [min(count, _LARGEST_COUNT) for count in (radio.unconfirmed(), lost)]
        mac = radio.resolve(radio.layer_2_id)
        self._wire.put(NOBODY + struct.pack(ABOUT, mac, radio.most_octets, *counts), None)
        self.line.flush()


class _Side:
    # What a link takes for its endpoint.
    def __init__(self, receive):
        self.receive = receive
        self._outgoing = []
        self._due = None

    def put(self, datagram, address):
        # A link takes it at once, or counts it as lost.
        self._outgoing.append((datagram, address))

    def datagrams_to_send(self):
        outgoing = self._outgoing
        self._outgoing = []
        return outgoing

    def look_at(self, now):
        self._due = ticks.add(now, _LOOK_INTERVAL)

    def timer(self):
        return self._due

    def handle_timer(self, now):
        if self._due is not None and ticks.diff(self._due, now) <= 0:
            self.look_at(now)
