# What the LED says. A pattern is how long it shines and is dark, in turn, in ms.

from .. import ticks

JOINING = (500, 500)
REGISTERING = (100, 900)
REGISTERED = (1950, 50)
SAFE_MODE = (100, 150, 100, 650)
FAILED = (100, 100)


class Led:
    # set_level: of its pin; on: the level at which it shines. Without a pin it says nothing.
    def __init__(self, set_level=None, on=1):
        self._set_level = set_level
        self._on = on
        self.pattern = None
        self._place = 0
        self._until = 0

    def show(self, pattern, now):
        if pattern is not self.pattern:
            self.pattern = pattern
            self._place = -1
            self._until = now
            self.step(now)

    def step(self, now):
        if self.pattern is None or self._set_level is None or ticks.diff(self._until, now) > 0:
            return
        self._place = (self._place + 1) % len(self.pattern)
        self._until = ticks.add(now, self.pattern[self._place])
        self._set_level(self._on if self._place & 1 == 0 else 1 - self._on)
