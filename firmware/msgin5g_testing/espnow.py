# ESP-NOW without radios: the modules `espnow` and `network` of any number of boards that share the air.
#
#     air = Air()
#     board = air.board(b"\x24\x0a\xc4\x00\x00\x01")
#     board.install()                     import espnow, network: from here on they are this board's
#     air.loss = 20                       percent of all frames
#     board.reachable = False             out of reach; nobody's radio confirms a frame to it
#
# What is modelled, after MicroPython's ports/esp32: the errors of a radio that is off, of a peer that is not
# registered, and of too many peers; frames of up to max_data_len octets; the receive buffer, which drops what it has
# no room for; whether a unicast frame is confirmed. A frame longer than a v1 radio takes is not heard by it.

# pyright: reportAttributeAccessIssue=false, reportArgumentType=false

import io
import random
import sys

BROADCAST = b"\xff\xff\xff\xff\xff\xff"

_NAMES = ("NOT_INIT", "ARG", "NO_MEM", "FULL", "NOT_FOUND", "INTERNAL", "EXIST", "IF")
# Of the receive buffer: what the driver keeps with each frame, and its size by default.
_FRAME_OVERHEAD = 14
_RXBUF = 526

MAX_DATA_LEN = 1470
MAX_TOTAL_PEER_NUM = 20
# What msgin5g_testing.network says that it has.
_MAC = b"\x02\x00\x00\x00\x00\x02"
_alone = None

_POLL = 3
_POLLIN = 1
_POLLOUT = 4


def _error(name):
    return OSError(-0x3065 - _NAMES.index(name), "ESP_ERR_ESPNOW_" + name)


def ESPNow():  # noqa: N802 (a class, elsewhere)
    global _alone
    if _alone is None:
        _alone = Air().board(_MAC)
        # Its interface is in the module network, whose state is not looked at here.
        _alone.interface.active(True)
    return _alone.radio


class Air:
    def __init__(self, seed=1):
        self.boards = {}
        self.loss = 0
        random.seed(seed)

    def board(self, mac, max_data_len=MAX_DATA_LEN):
        board = self.boards[mac] = Board(self, mac, max_data_len)
        return board

    def lost(self):
        return random.getrandbits(14) % 100 < self.loss

    def send(self, sender, mac, data):
        # Whether somebody's radio has confirmed it; nobody's confirms a broadcast, which always counts as sent.
        for board in list(self.boards.values()):
            if board is sender or mac not in (BROADCAST, board.mac):
                continue
            if sender.hears(board) and not self.lost():
                board.radio.arrived(sender.mac, data)
                if mac != BROADCAST:
                    return True
        return mac == BROADCAST


class _Module:
    pass


class Board:
    def __init__(self, air, mac, max_data_len):
        self.air = air
        self.mac = mac
        self.reachable = True
        self.max_data_len = max_data_len
        self.interface = Interface(mac)
        self.radio = Radio(self)
        self.espnow = _Module()
        # A singleton, as on a board.
        self.espnow.ESPNow = lambda: self.radio
        self.espnow.MAX_DATA_LEN = max_data_len
        self.espnow.MAX_TOTAL_PEER_NUM = MAX_TOTAL_PEER_NUM
        self.network = _Module()
        self.network.WLAN = Wlan(self.interface)

    def install(self):
        sys.modules["espnow"] = self.espnow
        sys.modules["network"] = self.network

    def hears(self, other):
        on = self.interface.on and other.interface.on
        return on and self.reachable and other.reachable and self.interface.channel == other.interface.channel


class Wlan:
    # network.WLAN: a class with constants.
    IF_STA = 0
    IF_AP = 1

    def __init__(self, interface):
        self._interface = interface

    def __call__(self, which=0):
        return self._interface


class Interface:
    def __init__(self, mac):
        self.mac = mac
        self.on = False
        self.channel = 1

    def active(self, on=None):
        if on is not None:
            self.on = on
        return self.on

    def config(self, name=None, channel=None):
        if channel is not None:
            self.channel = channel
        return {"mac": self.mac, "channel": self.channel}.get(name)


class Radio(io.IOBase):
    def __init__(self, board):
        self.board = board
        self.peers_table = {}
        self._on = False
        self._rxbuf = _RXBUF
        self._peers = []
        self._waiting = []
        self._used = 0
        self._data = [None, bytearray(board.max_data_len)]
        # Frames sent, confirmed or not, not confirmed; received, dropped.
        self._sent = self._failed = self._received = self._dropped = 0

    def active(self, on=None):
        if on is not None and bool(on) != self._on:
            self._on = bool(on)
            self._peers = []
            self._waiting = []
            self._used = 0
        return self._on

    def config(self, name=None, rxbuf=None):
        if rxbuf is not None:
            self._rxbuf = rxbuf
        return self._rxbuf

    def add_peer(self, mac):
        self._check(mac)
        if mac in self._peers:
            raise _error("EXIST")
        if len(self._peers) >= MAX_TOTAL_PEER_NUM:
            raise _error("FULL")
        self._peers.append(bytes(mac))

    def del_peer(self, mac):
        self._check(mac)
        if mac not in self._peers:
            raise _error("NOT_FOUND")
        self._peers.remove(mac)

    def get_peers(self):
        self._check(BROADCAST)
        return tuple((mac, b"", 0, 0, False) for mac in self._peers if mac != BROADCAST)

    def send(self, mac, data, sync=True):
        self._check(mac)
        if not 0 < len(data) <= self.board.max_data_len:
            raise _error("ARG")
        if mac not in self._peers:
            raise _error("NOT_FOUND")
        if not self.board.interface.on:
            raise _error("IF")
        confirmed = self.board.air.send(self.board, mac, bytes(data))
        self._sent += 1
        self._failed += not confirmed
        return confirmed or not sync

    def stats(self):
        return (self._sent, self._sent, self._failed, self._received, self._dropped)

    def any(self):
        self._check(BROADCAST)
        return bool(self._waiting)

    def irecv(self, timeout_ms=None):
        # The same list and buffer each time.
        self._check(BROADCAST)
        if not self._waiting:
            return (None, None)
        mac, data = self._waiting.pop(0)
        self._used -= len(data) + _FRAME_OVERHEAD
        self.peers_table[mac] = [-40, 0]
        self._data[0] = mac
        self._data[1][:] = data
        return self._data

    def arrived(self, mac, data):
        if not self._on or len(data) > self.board.max_data_len:
            return
        if self._used + len(data) + _FRAME_OVERHEAD >= self._rxbuf:
            self._dropped += 1
            return
        self._used += len(data) + _FRAME_OVERHEAD
        self._received += 1
        self._waiting.append((mac, data))

    def ioctl(self, request, flags):
        if request != _POLL:
            return -1
        if not self._on:
            return 0
        return flags & ((_POLLIN if self._waiting else 0) | _POLLOUT)

    def _check(self, mac):
        if len(mac) != 6:
            raise ValueError("invalid buffer length")
        if not self._on:
            raise _error("NOT_INIT")
