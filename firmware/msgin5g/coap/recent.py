# What was received lately, so that a duplicate is answered again and not acted on again (RFC 7252, 4.5).
#
# Entries live for EXCHANGE_LIFETIME. They are bounded in number and in octets of stored answers; when a bound
# is reached the oldest go early, and `shed` counts them.

from collections import deque

from .. import ticks

# In place of an answer that is too long to be kept: a duplicate is acted on again.
_NOT_KEPT = False


class Recent:
    def __init__(self, lifetime, most_entries, most_octets):
        self._lifetime = lifetime
        self._most_entries = most_entries
        self._most_octets = most_octets
        self._answers = {}
        self._order = deque([], most_entries)
        self.octets = 0
        self.shed = 0

    def __len__(self):
        return len(self._answers)

    def knows(self, key, now):
        # Oldest first, so that what remains is young enough to count as a duplicate.
        order = self._order
        if order and ticks.age(order[0][1], now) >= self._lifetime:
            self.expire(now)
        return self._answers.get(key, _NOT_KEPT) is not _NOT_KEPT

    def expire(self, now):
        # Returns the tick at which the oldest that remains expires, or None.
        order = self._order
        while order:
            since = order[0][1]
            if ticks.age(since, now) < self._lifetime:
                return ticks.add(since, self._lifetime)
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
        self._order.append((key, now))
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
        answer = self._answers.pop(self._order.popleft()[0])
        if answer:
            self.octets -= len(answer)
