# A store in RAM: what a client uses until it has one on flash, and what tests use. Bounded; power loss empties it.

import os

from ..delivery import MIDDLE, Item
from . import INCOMING, Full, identify


class MemoryStore:
    # most_known: identities remembered, of the inbox and of the others each.
    def __init__(self, most_items=8, most_known=32, most_inbox=8):
        self.on_dropped = None
        self._most_items = most_items
        self._most_inbox = most_inbox
        self._most_known = most_known
        self._items = []
        # Identities of messages seen, oldest first: what makes a duplicate a duplicate.
        self._known = []
        self._known_inbox = []
        # What Message IDs are made of (message_id.py).
        self.birth = os.urandom(4)
        self.next_key = 0

    def __len__(self):
        return len(self._items)

    def put(
        self,
        hop,
        originator,
        kind,
        message_id,
        segment,
        body,
        expires=None,
        report=False,
        priority=MIDDLE,
    ):
        identity = identify(hop, originator, kind, message_id, segment)
        known = self._memory(hop)
        if identity in known:
            return None
        inbox = hop in INCOMING
        used = sum((item.hop in INCOMING) == inbox for item in self._items)
        if used >= (self._most_inbox if inbox else self._most_items):
            raise Full
        if len(known) >= self._most_known:
            known.pop(0)
        known.append(identity)
        item = Item(
            self.next_key, hop, originator, kind, message_id, body, expires, report, priority, segment
        )
        self.next_key += 1
        self._items.append(item)
        return item

    def knows(self, hop, originator, kind, message_id, segment):
        return identify(hop, originator, kind, message_id, segment) in self._memory(hop)

    def remove(self, item):
        self._items = [other for other in self._items if other.key != item.key]

    def keep(self, item):
        later = [other for other in self._items if other.key > item.key]
        self._items = [other for other in self._items if other.key < item.key] + [item] + later

    def withdraw(self, item):
        self.remove(item)
        identity = identify(item.hop, item.originator, item.kind, item.message_id, item.segment)
        known = self._memory(item.hop)
        if identity in known:
            known.remove(identity)

    def pending(self, hop, after, most, priority=None):
        return [
            item
            for item in self._items
            if item.hop == hop and item.key > after and (priority is None or item.priority == priority)
        ][:most]

    def expired(self, seconds, most):
        due = [item for item in self._items if item.expires is not None and item.expires <= seconds]
        return due[:most]

    def commit(self):
        pass

    def _memory(self, hop):
        return self._known_inbox if hop in INCOMING else self._known
