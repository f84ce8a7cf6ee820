# What was received lately, so that a duplicate is answered again and not acted on again (RFC 7252, 4.5).
#
# Entries live for EXCHANGE_LIFETIME. They are bounded in number and in octets of stored answers; when a bound
# is reached the oldest go early, and `shed` counts them.

from collections import deque

from .. import ticks

# In place of an answer that is too long to be kept: a duplicate is acted on again.
_NOT_KEPT = False
# Those that were received in so many milliseconds are as old as the newest of them.
_GRAIN = 128


class Recent:
    def __init__(self, lifetime, most_entries, most_octets):
        self._lifetime = lifetime
        self._most_entries = most_entries
        self._most_octets = most_octets
        self._answers = {}
        # Their keys, oldest first; and in turn since when there are how many of them.
        self._order = deque([], most_entries)
        self._ages = []
        self._begun = 0
        self.octets = 0
        self.shed = 0

    def __len__(self):
        return len(self._answers)

    def knows(self, key, now):
        # Oldest first, so that what remains is young enough to count as a duplicate.
        ages = self._ages
        if ages and ticks.age(ages[0], now) >= self._lifetime:
            self.expire(now)
        return self._answers.get(key, _NOT_KEPT) is not _NOT_KEPT

    def expire(self, now):
        # Returns the tick at which the oldest that remains expires, or None.
        ages = self._ages
        while ages:
            if ticks.age(ages[0], now) < self._lifetime:
                return ticks.add(ages[0], self._lifetime)
            for _ in range(ages[1]):
                self._forget_oldest()
        return None

    def add(self, key, now):
        # A key that is not known. Returns whether it is the first: those that come after it expire after it.
        if key in self._answers:
            self._answers[key] = None
            return False
        if len(self._order) >= self._most_entries:
            self._forget_oldest()
            self.shed += 1
        self._answers[key] = None
        self._order.append(key)
        ages = self._ages
        if ages and ticks.diff(now, self._begun) < _GRAIN:
            ages[-2] = now
            ages[-1] += 1
        else:
            self._begun = now
            ages.append(now)
            ages.append(1)
        return len(self._order) == 1

    def answer(self, key):
        # The datagram that answered it; None as long as there is none.
        return self._answers.get(key)

    def keep_answer(self, key, datagram):
        if key not in self._answers:
            return
        if len(datagram) > self._most_octets:
            # It would push out all others, and itself.
            self._answers[key] = _NOT_KEPT
            self.shed += 1
            return
        old = self._answers[key]
        self.octets += len(datagram) - (len(old) if old else 0)
        self._answers[key] = datagram
        while self.octets > self._most_octets:
            self._forget_oldest()
            self.shed += 1

    def _forget_oldest(self):
        ages = self._ages
        ages[1] -= 1
        if not ages[1]:
            del ages[:2]
        answer = self._answers.pop(self._order.popleft())
        if answer:
            self.octets -= len(answer)
