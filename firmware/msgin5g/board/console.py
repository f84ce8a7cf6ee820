# What is typed at a board whose program runs: Ctrl-T says how it is (as it does to programs on BSD), for `msgin5g
# monitor`. All else is passed over; Ctrl-C is MicroPython's.

import json
import select
import sys

STATE = b"\x14"
# Before the JSON, on a line of its own.
MARK = "state "


class Console:
    # state() -> what is to be said.
    def __init__(self, state, echo=print, stream=None):
        self._state = state
        self._echo = echo
        self._stream = stream or sys.stdin.buffer
        self._poller = select.poll()
        self._poller.register(self._stream, select.POLLIN)

    def step(self):
        for _ in range(16):
            if not self._poller.poll(0):
                return
            octet = self._stream.read(1)
            if not octet:
                return
            if octet == STATE:
                self._echo(MARK + json.dumps(self._state()))
