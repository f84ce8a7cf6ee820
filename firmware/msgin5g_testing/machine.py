# MicroPython's module machine without hardware: what a test looks at, and what it makes happen.

import time

PWRON_RESET, HARD_RESET, WDT_RESET, DEEPSLEEP_RESET, SOFT_RESET = 1, 2, 3, 4, 5

# {pin: level}; called with (pin, level) at each change.
levels = {}
on_level = None
# {number of a UART: stream}, where a test or a pretended board has put one.
uarts = {}
# What reset_cause() says.
cause = PWRON_RESET
# Called with what the outside has to see, where there is one: {"reset": ms until it starts again, "cause": why}
tell = None


class Reset(SystemExit):
    # What reset() does to the program.
    pass


class Pin:
    IN, OUT, OPEN_DRAIN, PULL_UP, PULL_DOWN = 0, 1, 2, 1, 2

    def __init__(self, id, mode=-1, pull=-1, value=None):
        self._id = id
        if value is not None:
            self.value(value)

    def value(self, level=None):
        if level is None:
            return levels.get(self._id, 0)
        if levels.get(self._id) != level:
            levels[self._id] = level
            if on_level:
                on_level(self._id, level)
        return None

    __call__ = value

    def on(self):
        self.value(1)

    def off(self):
        self.value(0)


class Timer:
    # It fires by fire(), and by itself where `runs` is set: on a pretended board.
    ONE_SHOT, PERIODIC = 0, 1
    runs = False

    def __init__(self, id=-1, **options):
        self._mode = Timer.PERIODIC
        self._period = 0
        self._callback = None
        if options:
            self.init(**options)

    def init(self, mode=PERIODIC, period=-1, callback=None):
        self._callback = callback
        self._mode = mode
        self._period = period
        if Timer.runs:
            import _thread

            _thread.start_new_thread(self._run, (callback,))

    def deinit(self):
        self._callback = None

    def fire(self, argument=None):
        callback = self._callback
        if self._mode == Timer.ONE_SHOT:
            self._callback = None
        if callback:
            callback(self)

    def _run(self, callback):
        import micropython

        while self._callback is callback:
            time.sleep_ms(self._period)
            if self._callback is callback:
                try:
                    # In the program's own thread, as a board's does.
                    micropython.schedule(self.fire, None)
                except RuntimeError:
                    # It has not got to the last one yet.
                    pass


class WDT:
    def __init__(self, id=0, timeout=5000):
        self.timeout = timeout
        self.fed = 0

    def feed(self):
        self.fed += 1


def UART(id, *arguments, **options):  # noqa: N802 (a class, elsewhere)
    if id not in uarts:
        raise ValueError("UART(%d) doesn't exist" % id)
    return uarts[id]


def _restart(cause, after=0):
    if tell is None:
        raise Reset(cause)
    tell({"reset": after, "cause": cause})
    while True:
        # Whoever has been told ends this.
        time.sleep(1)


def reset():
    _restart(HARD_RESET)


def soft_reset():
    raise Reset(0)


def bootloader(timeout=None):
    _restart(HARD_RESET)


def reset_cause():
    return cause


def unique_id():
    return b"\x02pretd"


def freq(value=None):
    return 160000000


def lightsleep(milliseconds=0):
    time.sleep_ms(milliseconds)


def deepsleep(milliseconds=0):
    _restart(DEEPSLEEP_RESET, milliseconds)


def idle():
    pass
