# Delivery in which nobody's backlog keeps others waiting: what is in memory of the messages for a hop is of as many
# originators as there is room for, however much one of them has stored.
#
# The store is read in order, and of each originator only so many are taken; one with more is left behind: its others
# stay in the store, and are asked for by its name when those are on their way. Within an originator the order is kept.
# What is read to find the others is bounded each time, so the cost of a message does not grow with the backlog.

from .delivery import Delivery

# Messages of one originator in memory, at most: as many as travel as one.
_MOST_OF_ONE = 16
_LEAST_OF_ONE = 2
# Pages read at a time to find originators that are not left behind; originators left behind that are asked for.
_PAGES = 2
_ASKED = 4


class FairDelivery(Delivery):
    def add(self, item, now):
        hop = self._hops.get(item.hop)
        if hop is None:
            self.resume(item.hop, now)
            return
        window = hop.window(item.priority)
        behind = _behind(window)
        if not behind.ahead:
            behind.ahead = not self._place(window, behind, item)
        window.more = behind.ahead or bool(behind.queue)
        self._pump(hop, now)

    def _place(self, window, behind, item):
        # The next in order: taken, or left behind. False: there is no room for who is new.
        originator = item.originator
        lane = window.lanes.get(originator)
        if originator in behind.after:
            window.last_key = item.key
        elif lane and len(lane) >= self._share(window):
            behind.leave(originator, lane[-1].key)
            window.last_key = item.key
        elif window.loaded < self.most_loaded:
            self._load(window, item)
        else:
            return False
        return True

    def _share(self, window):
        # How many of one originator may be in memory, by how many there are.
        return max(_LEAST_OF_ONE, min(_MOST_OF_ONE, self.most_loaded // (1 + len(window.lanes))))

    def _refill(self, hop, window):
        behind = _behind(window)
        for _ in range(_PAGES):
            if not behind.ahead or window.loaded >= self.most_loaded:
                break
            self._look_ahead(hop, window, behind)
        for _ in range(min(_ASKED, len(behind.queue))):
            self._ask(hop, window, behind)
        window.more = behind.ahead or bool(behind.queue)

    def _look_ahead(self, hop, window, behind):
        # No more than there is room for, unless some of them are likely to be left behind.
        wanted = self.most_loaded if behind.after else self.most_loaded - window.loaded
        items = self._store.pending(hop.name, window.last_key, wanted, window.priority)
        behind.ahead = len(items) == wanted
        for item in items:
            if not self._place(window, behind, item):
                behind.ahead = True
                return

    def _ask(self, hop, window, behind):
        # The next ones of who was left behind, unless enough of them are here.
        originator = behind.queue.pop(0)
        here = len(window.lanes.get(originator, ()))
        wanted = min(self._share(window) - here, self.most_loaded - window.loaded)
        if wanted <= 0 or here > wanted:
            behind.queue.append(originator)
            return
        last = window.last_key
        items = self._of(hop.name, originator, behind.after[originator], last, wanted, window.priority)
        for item in items:
            self._load(window, item)
        window.last_key = last
        if len(items) == wanted:
            behind.after[originator] = items[-1].key
            behind.queue.append(originator)
        else:
            del behind.after[originator]

    def _of(self, hop, originator, after, last, most, priority):
        # The oldest of one originator with a key above `after` and up to `last`.
        if hasattr(self._store, "pending_of"):
            return self._store.pending_of(hop, originator, after, last, most, priority)
        found = []
        while after < last:
            items = self._store.pending(hop, after, self.most_loaded, priority)
            for item in items:
                if item.key <= last and item.originator == originator:
                    found.append(item)
                    if len(found) == most:
                        return found
            if len(items) < self.most_loaded:
                break
            after = items[-1].key
        return found


class _Behind:
    # The originators of a window that are left behind.
    def __init__(self, ahead):
        # The store may hold more behind the window's last_key.
        self.ahead = ahead
        # originator -> the key of its last message that was taken; the originators, who is asked for first in front.
        self.after = {}
        self.queue = []

    def leave(self, originator, key):
        self.after[originator] = key
        self.queue.append(originator)


def _behind(window):
    if not hasattr(window, "behind"):
        window.behind = _Behind(window.more)
    return window.behind
