# A store in which no UE has more than its share: of what it has sent, and of what waits for it.

from .store import Full

_AT_ONCE = 500


class OverShare(Full):
    # One UE's; there may be room for those of others.
    pass


class Shares:
    # Everything else is the store's.
    def __init__(self, store, most, counters):
        counters["over_share"] = 0
        self._store = store
        self._most = most
        self._counters = counters
        # UE Service ID -> as many, for those that have a bound of their own.
        self.limits = {}
        self._used = {}
        for name, used in self._stored():
            self._used[name] = self._used.get(name, 0) + used

    def __getattr__(self, name):
        return getattr(self._store, name)

    def put(self, hop, originator, kind, message_id, segment, body, expires=None, report=False, priority=1):
        # What is for a UE counts as its own, what is for the server (whose hop has no name) as its originator's.
        name = hop or "\t" + originator
        used = self._used.get(name, 0)
        most = self.limits.get(hop or originator, self._most) if self.limits else self._most
        if used >= most and not self._store.knows(hop, originator, kind, message_id, segment):
            self._counters["over_share"] += 1
            raise OverShare
        item = self._store.put(hop, originator, kind, message_id, segment, body, expires, report, priority)
        if item:
            self._used[name] = used + 1
        return item

    def used(self, name):
        return self._used.get(name, 0)

    def all_used(self):
        return self._used.items()

    def remove(self, item):
        self._release(item)
        self._store.remove(item)

    def withdraw(self, item):
        self._release(item)
        self._store.withdraw(item)

    def _release(self, item):
        name = item.hop or "\t" + item.originator
        left = self._used.get(name, 0) - 1
        if left > 0:
            self._used[name] = left
        else:
            self._used.pop(name, None)

    def _stored(self):
        # (name, how many) of what is there already.
        if hasattr(self._store, "shares"):
            for hop, originator, used in self._store.shares():
                yield hop or "\t" + originator, used
            return
        for hop in [""] + [entry.ue_service_id for entry in self._store.registered()]:
            items = None
            after = -1
            while items is None or len(items) == _AT_ONCE:
                items = self._store.pending(hop, after, _AT_ONCE)
                for item in items:
                    after = item.key
                    yield hop or "\t" + item.originator, 1
