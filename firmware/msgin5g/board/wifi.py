# Joining a Wi-Fi network and staying in it: one network after the other, with pauses that double up to a minute.
#
#     wifi = Wifi(network.WLAN(network.WLAN.IF_STA), settings["networks"], network)
#     while True:
#         wifi.step(now)                   now: ticks in ms; to be called a few times a second
#
# No waiting here, and no clock.

from .. import ticks

_FIRST_PAUSE = 1000
_LONGEST_PAUSE = 60000
# A network that has not let us in after so long will not.
_PATIENCE = 20000

# What a status means, by its name in the module network: the numbers differ from board to board.
_CAUSES = (
    ("STAT_WRONG_PASSWORD", "wrong password"),
    ("STAT_NO_AP_FOUND", "not there"),
    ("STAT_NO_AP_FOUND_W_COMPATIBLE_SECURITY", "protected in a way that this board does not know"),
    ("STAT_ASSOC_FAIL", "refused us"),
    ("STAT_HANDSHAKE_TIMEOUT", "wrong password, or too far"),
    ("STAT_CONNECT_FAIL", "could not be joined"),
)


class Wifi:
    def __init__(self, wlan, networks, module, on_change=None):
        # on_change(up, text): said once for each change, and for each attempt that failed.
        self.up = False
        self.failures = 0
        # Why the last attempt has failed, None after one that has not.
        self.cause = None
        self._wlan = wlan
        self._networks = networks
        self._module = module
        self._on_change = on_change or _nobody_listens
        self._turn = 0
        # Ticks until which an attempt may take, or until which there is a pause.
        self._attempt_until = None
        self._pause_until = None

    @property
    def name(self):
        # Of the network that it is in, or tries.
        return self._networks[self._turn][0]

    def step(self, now):
        if self._wlan.isconnected():
            self._connected()
        elif self.up:
            self.up = False
            self._on_change(False, self.name + " is lost")
            self._begin(now)
        elif self._attempt_until is not None:
            self._look(now)
        elif self._pause_until is None or ticks.diff(self._pause_until, now) <= 0:
            self._begin(now)

    def _connected(self):
        if self.up:
            return
        self.up = True
        self.failures = 0
        self.cause = self._attempt_until = self._pause_until = None
        self._on_change(True, "in %s as %s" % (self.name, self._wlan.ifconfig()[0]))

    def _begin(self, now):
        self._pause_until = None
        self._attempt_until = ticks.add(now, _PATIENCE)
        name, password = self._networks[self._turn]
        try:
            self._wlan.active(True)
            self._wlan.connect(name, password)
        except OSError as error:
            # The driver is busy with an earlier attempt, or has no memory.
            self._failed("could not be joined (%r)" % error, now)

    def _look(self, now):
        status = self._wlan.status()
        for constant, cause in _CAUSES:
            if status == getattr(self._module, constant, None):
                self._failed(cause, now)
                return
        if ticks.diff(self._attempt_until, now) <= 0:
            self._failed("no answer", now)

    def _failed(self, cause, now):
        self.failures += 1
        self.cause = "%s: %s" % (self.name, cause)
        self._on_change(False, self.cause)
        try:
            # The driver of the ESP32 would go on trying by itself.
            self._wlan.disconnect()
        except OSError:
            pass
        self._attempt_until = None
        self._turn = (self._turn + 1) % len(self._networks)
        # All of them in turn, then a pause.
        rounds = self.failures // len(self._networks)
        pause = min(_FIRST_PAUSE << min(rounds, 6), _LONGEST_PAUSE) if self._turn == 0 else 0
        self._pause_until = ticks.add(now, pause)


def _nobody_listens(up, text):
    pass
