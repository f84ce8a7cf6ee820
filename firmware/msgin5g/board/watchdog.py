# A board whose program is stuck resets itself: a timer looks whether the event loop still runs. (The hardware's
# watchdog can't be stopped again, and would reset a board whose program somebody has interrupted to work on it.)

from .. import ticks

_PERIOD = 1000


class Watchdog:
    # now() -> ticks; reset(): machine.reset. A timer is anything with init(period, callback) and deinit().
    def __init__(self, timer, seconds, now, reset):
        self._timer = timer
        self._patience = seconds * 1000
        self._now = now
        self._reset = reset
        self._fed = now()

    def start(self):
        self.feed()
        # The keywords of machine.Timer; periodic is its default.
        self._timer.init(period=_PERIOD, callback=self._look)

    def feed(self):
        self._fed = self._now()

    def stop(self):
        self._timer.deinit()

    def _look(self, timer):
        if ticks.diff(self._now(), self._fed) > self._patience:
            self._reset()
