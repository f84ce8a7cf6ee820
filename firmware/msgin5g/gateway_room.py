# Room for what goes up while the server is away. What is for clients waits at the server as well; what they have sent
# is here alone. So when the store is full, the oldest message of the lowest priority that is on its way up makes room
# for one of the same or a higher priority; its sender is told, and it is counted.
#
# The store finds the oldest of a priority by an index, so this costs the same however much is stored.

from . import ticks, wire
from .delivery import LOW
from .store import Full

# The hop of what goes up.
_UP = ""
# Messages of one priority that are looked at for those that may go: the first ones are often enough.
_LOOKS = (4, 128, 512)
# A large message drops so many small ones at most.
_MOST_DROPPED = 256
# Where nothing may go, nobody looks again for so long, in ms.
_PAUSE = 200


class Room:
    def __init__(self, relay, store, counters):
        counters["dropped"] = 0
        counters["dropped_untold"] = 0
        self._relay = relay
        self._store = store
        self._counters = counters
        # priority -> since when nothing may go for it
        self._nothing = {}

    def make(self, full, priority, octets, now):
        # full: what the store has raised. Returns the messages that have made room for one of this size, to be told of
        # when that is stored; () when there is none.
        since = self._nothing.get(priority)
        if type(full) is not Full or (since is not None and ticks.age(since, now) < _PAUSE):
            # A sender's own share is used up, or the disk is: it makes no difference which of them goes.
            return ()
        lacking = self._store.lacks(octets) if hasattr(self._store, "lacks") else 0
        dropped = []
        for item in self._candidates(priority):
            dropped.append(item)
            lacking -= len(item.body)
            if lacking <= 0 or len(dropped) == _MOST_DROPPED:
                break
        if lacking > 0 or not dropped:
            self._nothing[priority] = now
            return ()
        self._nothing.pop(priority, None)
        for item in dropped:
            self._relay.uplink.discard(item)
            self._store.remove(item)
        return dropped

    def tell(self, dropped, now):
        for item in dropped:
            self._counters["dropped"] += 1
            if not self._relay.tell_client(item, wire.DELIVERY_FAILED, wire.STORE_FULL, now):
                self._counters["dropped_untold"] += 1

    def _candidates(self, priority):
        # What may go for one of this priority, in the order in which it goes.
        for each in range(LOW, priority - 1, -1):
            after = -1
            for most in _LOOKS:
                items = self._store.pending(_UP, after, most, each)
                for item in items:
                    if item.kind == wire.MSG and not item.segment and not self._relay.uplink.under_way(item):
                        yield item
                if len(items) < most:
                    break
                after = items[-1].key
