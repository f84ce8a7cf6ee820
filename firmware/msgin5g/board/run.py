# What main.py does: the network, the client, and the application in app.py, kept going.
#
# app.py is the user's:
#
#     async def main(ue, board):           ue: the MSGin5G Client, already told to register; board.log: the log
#
# It is started when the client is there, whether registered or not: what it sends until then is stored. When it raises,
# the board restarts; after three starts that did not go well it is left alone (safe mode), so that the board can be
# reached and given another one. That it returns is no mistake. An update of it comes by message (update.py).

import asyncio
import gc
import sys
import time

from .. import provisioning, ticks, wire
from ..application import RegistrationRefused
from . import led as patterns
from . import settings as board_settings
from .console import Console
from .crashes import Crashes
from .led import Led
from .log import Log
from .slots import Slots
from .watchdog import Watchdog

# Of looking after network, LED and watchdog, in ms.
_PERIOD = 100
# After so many seconds a start has gone well.
_WELL = 60
# Before a refused registration, or a network without our gateway's name, is tried again.
_AGAIN = 30
# Small segments: a heap has less room in one piece than in all.
_SEGMENT_SIZE = 768
_CLOCK_SET = 1704067200
_EPOCH_2000 = 946684800
_PRINTED_CAUSES = ("PWRON_RESET", "HARD_RESET", "WDT_RESET", "DEEPSLEEP_RESET", "SOFT_RESET")


class Board:
    def __init__(self, settings, machine, log):
        self.settings = settings
        self.log = log
        self.machine = machine
        self.ue = None
        self.wifi = None
        self.safe_mode = False
        self.slots = Slots()
        self.led = Led(*_led_pin(settings, machine))
        self.watchdog = None
        self._refused = False

    # -- for an application

    def state(self):
        # What `msgin5g monitor` and `doctor` ask for.
        ue = self.ue
        return {
            "board": self.settings.get("board"),
            "link": self.settings["link"],
            "network": None if self.wifi is None else self.wifi.up,
            "cause": None if self.wifi is None else self.wifi.cause,
            "ue": ue and ue.ue_service_id,
            "registered": bool(ue and ue.registered),
            "safe_mode": self.safe_mode,
            "heap_free": gc.mem_free() if hasattr(gc, "mem_free") else None,
            "clock_set": time.time() + _epoch() > _CLOCK_SET,
            "slot": self.slots.active,
            "update": self.slots.version,
            "outcome": self.slots.outcome,
        }

    # -- running

    async def run(self, crashes):
        if not self.slots.begin():
            self.log.complain("update", self.slots.version, "rolled back:", self.slots.why)
            crashes.well()
        self.safe_mode = crashes.begin()
        if self.safe_mode:
            self.log.complain(
                "safe mode: app.py is left alone after", crashes.count, "starts that did not go well"
            )
        if self.settings["watchdog"]:
            self.watchdog = Watchdog(
                self.machine.Timer(0 if sys.platform == "esp32" else -1),
                self.settings["watchdog"],
                _now,
                self.restart,
            )
            self.watchdog.start()
        tending = asyncio.create_task(self._tend(crashes))
        updating = None
        try:
            await self._network()
            self.ue = await self._client()
            updating = await self._updates(crashes)
            registering = asyncio.create_task(self._register())
            if not self.safe_mode:
                await self._application()
            await registering
            # Kept registered, for those who send to it.
            await tending
        finally:
            tending.cancel()
            if updating:
                updating.cancel()

    def stop(self):
        # Somebody works on the board: nothing may reset it.
        if self.watchdog:
            self.watchdog.stop()

    def restart(self):
        self.log.flush()
        self.machine.reset()

    async def _tend(self, crashes):
        started = _now()
        well = False
        # What comes later has its trial after the next start.
        on_trial = self.slots.on_trial
        console = Console(self.state)
        while True:
            now = _now()
            if self.wifi:
                self.wifi.step(now)
            self.led.show(self._pattern(), now)
            self.led.step(now)
            console.step()
            if self.watchdog:
                self.watchdog.feed()
            if not well and ticks.diff(now, started) > _WELL * 1000:
                well = True
                if not self.safe_mode:
                    crashes.well()
            if on_trial and ticks.diff(now, started) > self.settings["trial"] * 1000:
                on_trial = False
                self._end_trial(crashes)
            await asyncio.sleep_ms(_PERIOD)  # type: ignore[attr-defined]

    async def _updates(self, crashes):
        # Installs what has come; the task that waits for more, None when something is wrong with it.
        from .update import Updates

        def restart():
            crashes.well()
            self.restart()

        one = Updates(self.ue, self.slots, self.log, restart)
        try:
            if await one.install(self.ue.link.now()):
                restart()
        except Exception as error:
            self.log.crash(error, "no updates until the next start")
            return None
        one.hide()
        return asyncio.create_task(one.run())

    def _end_trial(self, crashes):
        one = self.slots
        if self.ue and self.ue.registered:
            one.well()
            self.log.tell("update", one.version, "has passed its trial")
            # Its sender is to be told.
            self.ue.changed.set()
            return
        one.back("not registered %d s after its start" % self.settings["trial"])
        self.log.complain("update", one.version, "rolled back:", one.why)
        crashes.well()
        self.restart()

    def _pattern(self):
        if self.safe_mode:
            return patterns.SAFE_MODE
        if self.wifi and not self.wifi.up:
            return patterns.FAILED if self.wifi.failures > 2 else patterns.JOINING
        if self.ue is None or not self.ue.registered:
            return patterns.FAILED if self._refused else patterns.REGISTERING
        return patterns.REGISTERED

    async def _network(self):
        if self.settings["link"] == "serial":
            return
        import network

        wlan = network.WLAN(network.STA_IF)
        if self.settings["link"] == "espnow":
            wlan.active(True)
            wlan.config(channel=self.settings["channel"])
            return
        from .wifi import Wifi

        self.wifi = Wifi(wlan, self.settings["networks"], network, self._on_wifi)
        while not self.wifi.up:
            await asyncio.sleep_ms(_PERIOD)  # type: ignore[attr-defined]
        try:
            # Power save would cost half a second for each answer.
            wlan.config(pm=network.WLAN.PM_NONE)
        except (AttributeError, ValueError, OSError):
            pass
        self._set_clock()

    def _on_wifi(self, up, text):
        (self.log.tell if up else self.log.complain)("network:", text)

    def _set_clock(self):
        server = self.settings["ntp"]
        if not server:
            return
        try:
            import ntptime

            ntptime.host = server
            ntptime.settime()
            self.log.tell("clock: set by", server)
        except (ImportError, OSError) as error:
            self.log.complain("clock: %s does not answer (%r); messages can't expire here" % (server, error))

    async def _client(self):
        from ..store.flash import FlashStore

        options = {
            # As many segments as a large message may have, and others.
            "store": FlashStore("messages", most_octets=393216, most_inbox=72, most_known=128),
            "profile": {wire.SUPPORTED_SEGMENT_SIZE: _SEGMENT_SIZE},
        }
        link = self._link()
        if link:
            options["link"] = link
        while True:
            try:
                ue = provisioning.client(**options)
                ue.on_registration = self._on_registration
                return ue
            except OSError as error:
                # The gateway's name is not known in this network, or not yet.
                self.log.complain("gateway:", error)
                await asyncio.sleep(_AGAIN)

    def _link(self):
        kind = self.settings["link"]
        if kind == "serial":
            from ..link.serial import SerialLink

            pins = self.settings["pins"]
            uart = self.machine.UART(
                pins["uart"], self.settings["baud"], tx=pins["tx"], rx=pins["rx"], timeout=0, rxbuf=2048
            )
            return lambda endpoint: SerialLink(endpoint, uart)
        if kind == "espnow":
            from ..link.espnow import EspNowLink

            return EspNowLink
        return None

    async def _register(self):
        while True:
            try:
                await self.ue.register()
                return
            except RegistrationRefused as refused:
                self._refused = True
                self.log.complain("registration: refused:", refused.args[0])
                await asyncio.sleep(_AGAIN)

    def _on_registration(self, registered, cause):
        if registered:
            self._refused = False
            self.log.tell("registered as", self.ue.ue_service_id)
        else:
            self.log.complain("not registered:", cause or "no answer")

    async def _application(self):
        self.slots.use_path()
        try:
            import app
        except ImportError as error:
            if str(error) != "no module named 'app'":
                raise
            self.log.complain("there is no app.py: `msgin5g deploy` puts one")
            return
        gc.collect()
        await app.main(self.ue, self)
        self.log.tell("the application has ended")


def main():
    import machine

    log = Log(_seconds)
    log.tell("started:", _cause(machine), sys.implementation._machine)
    crashes = Crashes()
    try:
        settings = board_settings.read()
    except board_settings.Unusable as unusable:
        log.complain(unusable.args[0])
        if isinstance(unusable, board_settings.Missing):
            from . import paste

            paste.ask(machine, log)
        return
    board = Board(settings, machine, log)
    try:
        asyncio.run(board.run(crashes))
    except KeyboardInterrupt:
        # That is no crash.
        board.stop()
        crashes.well()
        log.tell("interrupted")
        log.flush()
    except provisioning.NotProvisioned as error:
        board.stop()
        crashes.well()
        log.complain(error.args[0])
    except Exception as error:
        log.crash(error, "crashed, start", crashes.count + 1)
        board.restart()


def _led_pin(settings, machine):
    pin = settings["pins"].get("led")
    if pin is None:
        return ()
    on = settings["pins"].get("led_on", 1)
    return machine.Pin(pin, machine.Pin.OUT, value=1 - on).value, on


def _cause(machine):
    for name in _PRINTED_CAUSES:
        if hasattr(machine, name) and machine.reset_cause() == getattr(machine, name):
            return name
    return "unknown cause"


def _now():
    return time.ticks_ms() & (ticks.PERIOD - 1)  # type: ignore[attr-defined]


def _epoch():
    return _EPOCH_2000 if time.gmtime(0)[0] == 2000 else 0


def _seconds():
    wall = time.time() + _epoch()
    return wall if wall > _CLOCK_SET else time.ticks_ms() // 1000  # type: ignore[attr-defined]
