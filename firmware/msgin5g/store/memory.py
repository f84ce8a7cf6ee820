# A store in RAM: what a client uses until it has one on flash, and what tests use. Bounded; power loss empties it.

from ..delivery import Item
from . import Full


class MemoryStore:
    def __init__(self, most_items=8, most_known=8):
        self._most_items = most_items
        self._most_known = most_known
        self._items = []
        # Identities of messages seen, oldest first: what makes a duplicate a duplicate.
        self._known = []
        self._next_key = 0

    def __len__(self):
        return len(self._items)

    def put(self, hop, originator, kind, message_id, segment, body, expires=None, report=False):
        identity = (hop, originator, kind, message_id, segment)
        if identity in self._known:
            return None
        if len(self._items) >= self._most_items:
            raise Full
        if len(self._known) >= self._most_known:
            self._known.pop(0)
        self._known.append(identity)
        item = Item(self._next_key, hop, originator, kind, message_id, body, expires, report)
        self._next_key += 1
        self._items.append(item)
        return item

    def remove(self, item):
        self._items = [other for other in self._items if other.key != item.key]

    def pending(self, hop, after, most):
        return [item for item in self._items if item.hop == hop and item.key > after][:most]

    def expired(self, seconds, most):
        due = [item for item in self._items if item.expires is not None and item.expires <= seconds]
        return due[:most]

    def commit(self):
        pass
