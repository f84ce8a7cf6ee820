# Observing resources (RFC 7641): who observes what, and which of two notifications is newer.

from .. import ticks

_SEQUENCE_BITS = 24


def is_newer(sequence, now, last_sequence, last_now):
    # RFC 7641, 3.4: newer by the number, or so much later that the number may have wrapped.
    ahead = (sequence - last_sequence) & ((1 << _SEQUENCE_BITS) - 1)
    return 0 < ahead < 1 << (_SEQUENCE_BITS - 1) or ticks.diff(now, last_now) > 128000


class Observer:
    def __init__(self):
        # The latest request that has registered it.
        self.request = None
        # A notification that is not acknowledged yet, and whether the state has changed since it was sent.
        self.exchange = None
        self.changed = False


class Observers:
    # The observers of one resource, by who they are and token, bounded in number.
    def __init__(self, most):
        self._most = most
        self._entries = {}
        self._sequence = 0

    def __len__(self):
        return len(self._entries)

    def __iter__(self):
        return iter(list(self._entries.values()))

    def add(self, request):
        # None when there are too many: the client gets a plain response then (RFC 7641, 4.1). Who registers
        # again keeps its place.
        key = (request.source(), request.token)
        observer = self._entries.get(key)
        if observer is None:
            if len(self._entries) >= self._most:
                return None
            observer = self._entries[key] = Observer()
        observer.request = request
        return observer

    def remove(self, request):
        # The observer that was, or None.
        return self._entries.pop((request.source(), request.token), None)

    def sequence(self):
        return self._sequence

    def advance(self):
        self._sequence = (self._sequence + 1) & ((1 << _SEQUENCE_BITS) - 1)
