# Milliseconds that wrap, the same way on every runtime.
#
# MicroPython's ticks_ms() wraps at 2**30 on a 32-bit board and at 2**62 on a 64-bit one, CPython's clock
# never does. The core counts modulo 2**29: every value, sum and difference below is then a small int on a
# 32-bit board (no heap), and a wrap-around can be tested anywhere. Two ticks may lie 3.1 days apart.
# Deadlines are never compared with "<", always by the sign of diff().

PERIOD = 1 << 29
_MASK = PERIOD - 1
_HALF = 1 << 28


def add(tick, milliseconds):
    return (tick + milliseconds) & _MASK


def diff(end, start):
    return ((end - start + _HALF) & _MASK) - _HALF


def age(start, now):
    # How long ago start was, which is never in the future: right for 6.2 days.
    return (now - start) & _MASK
