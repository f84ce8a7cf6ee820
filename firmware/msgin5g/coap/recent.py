# What was received lately, so that a duplicate is answered again and not acted on again (RFC 7252, 4.5).
#
# Entries live for EXCHANGE_LIFETIME. They are bounded in number and in octets of stored answers; when a bound
# is reached the oldest go early, and `shed` counts them.

from collections import deque

from .. import ticks


class Recent:
    def __init__(self, lifetime, most_entries, most_octets):
        self._lifetime = lifetime
        self._most_entries = most_entries
        self._most_octets = most_octets
        self._answers = {}
        self._order = deque((), most_entries)
        self._octets = 0
        self.shed = 0

    def __len__(self):
        return len(self._answers)

    def knows(self, key, now):
        # Oldest first, so that what remains is young enough to count as a duplicate.
        order = self._order
        while order and ticks.diff(now, order[0][1]) >= self._lifetime:
            self._forget_oldest()
        return key in self._answers

    def add(self, key, now):
        if len(self._order) >= self._most_entries:
            self._forget_oldest()
            self.shed += 1
        self._answers[key] = None
        self._order.append((key, now))

    def answer(self, key):
        # The datagram that answered it; None as long as there is none.
        return self._answers.get(key)

    def keep_answer(self, key, datagram):
        if key not in self._answers:
            return
        old = self._answers[key]
        self._octets += len(datagram) - (len(old) if old else 0)
        self._answers[key] = datagram
        while self._octets > self._most_octets:
            self._forget_oldest()
            self.shed += 1

    def _forget_oldest(self):
        key = self._order.popleft()[0]
        answer = self._answers.pop(key)
        if answer:
            self._octets -= len(answer)
