# MicroPython's module network without a radio: `air` says which networks there are.
#
#     network.air["a network"] = "its password"
#
# A pretended board reads the file air.json beside its flash instead, each time that it looks.

import time

STA_IF, AP_IF = 0, 1
# As on an ESP32.
STAT_IDLE, STAT_CONNECTING, STAT_GOT_IP = 1000, 1001, 1010
STAT_BEACON_TIMEOUT, STAT_NO_AP_FOUND, STAT_WRONG_PASSWORD = 200, 201, 202
STAT_ASSOC_FAIL, STAT_HANDSHAKE_TIMEOUT = 203, 204

# {name: password}
air = {}
# Milliseconds that joining takes, and the clock by which it does.
delay = 300
# To be called before `air` is looked at.
refresh = None


def now():
    return time.ticks_ms() if hasattr(time, "ticks_ms") else int(time.monotonic() * 1000)


def _there():
    if refresh:
        refresh()
    return air


class WLAN:
    IF_STA, IF_AP = 0, 1
    PM_NONE, PM_PERFORMANCE, PM_POWERSAVE = 0, 1, 2

    def __init__(self, interface=STA_IF):
        self._active = False
        self._wanted = None
        self._since = 0
        self.options = {}

    def active(self, on=None):
        if on is None:
            return self._active
        self._active = bool(on)
        if not on:
            self._wanted = None
        return None

    def connect(self, name, password=None):
        if not self._active:
            raise OSError("Wifi Not Started")
        self._wanted = (name, password)
        self._since = now()

    def disconnect(self):
        self._wanted = None

    def status(self, what=None):
        if what == "rssi":
            return -55
        if self._wanted is None:
            return STAT_IDLE
        if now() - self._since < delay:
            return STAT_CONNECTING
        name, password = self._wanted
        there = _there()
        if name not in there:
            return STAT_NO_AP_FOUND
        return STAT_GOT_IP if there[name] == password else STAT_WRONG_PASSWORD

    def isconnected(self):
        return self._active and self.status() == STAT_GOT_IP

    def ifconfig(self, addresses=None):
        return ("127.0.0.1", "255.0.0.0", "127.0.0.1", "127.0.0.1")

    def scan(self):
        return [(name.encode(), b"\x02\x00\x00\x00\x00\x01", 1, -55, 3, False) for name in _there()]

    def config(self, *names, **options):
        self.options.update(options)
        if names == ("mac",):
            return b"\x02\x00\x00\x00\x00\x02"
        return None
