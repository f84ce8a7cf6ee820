# A store on flash: an append-only log (log.py, records.py), and in RAM where each item is (index.py). Bodies stay on
# flash and are read when they are asked for.
#
# commit() appends all that was put and removed since the last one, at once. When it raises Broken nothing of that may
# be relied on, and the next commit() tries it again. What was committed before is there, and is served.
#
# Room: at most half of the log's octets are live, and half of these are the inbox's. When the log gets too long, what
# is live in its oldest segment is appended once more and the segment is dropped.

from ..delivery import MIDDLE
from . import INCOMING, REPORTS, Broken, Full, identify, records
from .index import Index, Known
from .log import EMPTY, OVERHEAD, Log, length_of

# What put() does when there is no room for what is to go out: refuse it; drop the oldest of the lowest priority, but
# none of a higher one than the new one has; drop the oldest. What has come in is never dropped.
REFUSE = 0
DROP_LOWEST = 1
DROP_OLDEST = 2

# Keys that are left out when entries are lost, so that none of those is given again.
_LEAP = 1 << 16
# Keys to be revoked; with more, nothing new is taken as long as the flash fails.
_MOST_VOID = 64
_ENOENT = 2


class FlashStore:
    # most_inbox: messages that have come in, their segments, and the reports on them.
    # folder: is made when it does not exist, not so the one it is in; OSError when it can't be used. most_octets: what
    # the log takes on flash, about. most_known: identities of incoming messages to remember, and a quarter as many of
    # others. may_drop(item): a policy may drop it. on_error(text): what is wrong with the flash.
    def __init__(
        self,
        folder,
        most_octets=65536,
        most_items=32,
        most_inbox=16,
        most_known=64,
        when_full=REFUSE,
        may_drop=None,
        on_error=None,
    ):
        self.on_dropped = None
        self.may_drop = may_drop
        self.when_full = when_full
        self.on_error = on_error
        # What is wrong with the flash, "" when nothing is.
        self.health = ""
        # refused: put() raised Full. dropped: by a policy. failed: a commit. damaged: places of the log that can't be
        # read. torn: appending was cut off. foreign: files that are not the log's. moved: items, to make room.
        self.counters = {
            "refused": 0,
            "dropped": 0,
            "failed": 0,
            "damaged": 0,
            "torn": 0,
            "foreign": 0,
            "moved": 0,
        }
        self._most_octets = most_octets
        self._segment_octets = most_octets >> 3
        if self._segment_octets < 4 * (EMPTY + 10 * most_known + 4 * OVERHEAD):
            raise ValueError("most_octets is too small for most_known")
        # Pairs and lists of two are for what goes out, then for the inbox.
        self._most = (most_items, most_inbox)
        self._used = ([0, 0], [0, 0])
        self._known = self._memory(most_known)
        self._index = Index(most_items + most_inbox)
        # Hops by the number that stands in the index.
        self._hops = list(INCOMING)
        self.next_key = 0
        # Since the last commit: items put; keys removed; identities put and removed at once; keys that may be on flash
        # and must not; keys whose removal may be on flash, and must not.
        self._new = []
        self._gone = set()
        self._passed = []
        self._void = []
        self._unsure = []
        self._log = Log(folder, self._tell, self.counters)
        try:
            self._log.open(self._apply)
        except OSError as error:
            from .. import mistakes

            raise mistakes.folder(folder, error)
        if self.counters["damaged"]:
            self.next_key += _LEAP
        # Random octets of this log: with them, a key is unique for ever.
        self.birth = self._log.birth[:3]
        for position in range(len(self._index)):
            self._use(self._index.at(position), 1)

    def __len__(self):
        return self._used[0][0] + self._used[1][0]

    def _memory(self, most_known):
        return Known(max(most_known >> 2, 1)), Known(most_known)

    def _apply(self, kind, number, offset, length, start):
        # An entry of the log, while it is opened.
        if kind == records.REMOVE:
            for key in records.keys_in(start):
                self._index.remove(key)
        elif kind == records.KNOWN:
            next_key, inbox, only, identities = records.known_in(start)
            self.next_key = max(self.next_key, next_key)
            known = self._known[inbox]
            if only:
                known.clear()
            for identity in identities:
                known.add(identity)
        elif kind in (records.PUT, records.COPY):
            key, expires, identity, priority, hop = records.index_fields(start)
            self.next_key = max(self.next_key, key + 1)
            self._index.put((key, number, offset, length, expires, identity, self._hop(hop), priority))
            if kind == records.PUT:
                self._known[hop in INCOMING].add(identity)

    # -- what all stores have

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
        if self._knows(identity):
            return None
        if len(self._void) >= _MOST_VOID:
            self.commit()
        key = self.next_key
        item = records.FlashItem(
            self, key, hop, originator, kind, message_id, body, expires, report, priority, segment
        )
        item.identity = identity
        parts = records.of_item(item)
        if parts is None:
            raise Full
        item.size = length_of(parts)
        self._make_room(item)
        self.next_key = key + 1
        self._new.append(item)
        self._use_new(item, 1)
        return item

    def knows(self, hop, originator, kind, message_id, segment):
        return self._knows(identify(hop, originator, kind, message_id, segment))

    def remove(self, item):
        new = self._take_new(item)
        if new:
            self._passed.append(new)
            return
        record = self._index.get(item.key)
        if record and item.key not in self._gone:
            self._gone.add(item.key)
            self._use(record, -1)

    def keep(self, item):
        record = self._index.get(item.key)
        if record and item.key in self._gone:
            self._gone.discard(item.key)
            self._use(record, 1)
            self._unsure.append(item.key)

    def withdraw(self, item):
        if not self._take_new(item):
            self.remove(item)

    def pending(self, hop, after, most, priority=None):
        if most <= 0:
            return []
        number = self._hops.index(hop) if hop in self._hops else None
        return self._items(
            self._index.first_from(after + 1 if after >= 0 else 0),
            most,
            lambda record: record[6] == number and (priority is None or record[7] == priority),
            lambda item: (
                item.hop == hop and item.key > after and (priority is None or item.priority == priority)
            ),
        )

    def expired(self, seconds, most):
        return self._items(
            0,
            most,
            lambda record: record[4] != records.NEVER and record[4] <= seconds,
            lambda item: item.expires is not None and item.expires <= seconds,
        )

    def commit(self):
        if not (self._new or self._gone or self._passed or self._void or self._unsure):
            return
        try:
            self._write()
        except (OSError, MemoryError) as error:
            for item in self._new:
                item.doubtful = True
            self.counters["failed"] += 1
            self._tell(f"can't store: {error}")
            raise Broken(self.health)
        self.health = ""
        self._drop_dead()

    def body(self, key):
        # What FlashItem.body reads.
        record = self._index.get(key)
        file = self._open(record) if record else None
        if file is None:
            raise OSError(_ENOENT, "not stored any more")
        with file:
            return records.read_body(file, record[3])

    # -- finding

    def _knows(self, identity):
        return (
            identity in self._known[0]
            or identity in self._known[1]
            or identity in self._index
            or any(item.identity == identity for item in self._new)
            or any(item.identity == identity for item in self._passed)
        )

    def _items(self, position, most, of_records, of_new):
        items = []
        while position < len(self._index) and len(items) < most:
            record = self._index.at(position)
            if record[0] not in self._gone and of_records(record):
                item = self._read(record)
                if item:
                    items.append(item)
                elif self._index.get(record[0]) is None:
                    # Lost, and the next one is in its place.
                    continue
            position += 1
        items.extend([item for item in self._new if of_new(item)])
        return items[:most]

    def _read(self, record):
        # An item, None when it can't be read.
        try:
            file = self._open(record)
            if file is None:
                return None
            with file:
                return records.read_item(file, record[3], self)
        except OSError as error:
            self._tell(f"can't read: {error}")
            return None

    def _open(self, record):
        # A file at the payload of an item; None when the item is damaged, and is lost.
        file = self._log.payload(record[1], record[2], record[3])
        if file is None:
            if record[0] not in self._gone:
                self._use(record, -1)
            self._gone.discard(record[0])
            self._index.remove(record[0])
            self.counters["damaged"] += 1
            self._tell("a stored message is damaged")
        return file

    def _hop(self, name):
        # The number of a hop in the index.
        if name in self._hops:
            return self._hops.index(name)
        for number in range(len(INCOMING), len(self._hops)):
            if not self._index.uses_hop(number):
                self._hops[number] = name
                return number
        self._hops.append(name)
        return len(self._hops) - 1

    # -- room

    def _use(self, record, items):
        used = self._used[record[6] < len(INCOMING)]
        used[0] += items
        used[1] += items * record[3]

    def _use_new(self, item, items):
        used = self._used[item.hop in INCOMING]
        used[0] += items
        used[1] += items * item.size

    def _take_new(self, item):
        # Takes out an item that is not written yet; None when it is none.
        for new in self._new:
            if new.key == item.key:
                self._new.remove(new)
                self._use_new(new, -1)
                if new.doubtful:
                    self._void.append(new.key)
                return new
        return None

    def _make_room(self, item):
        inbox = item.hop in INCOMING
        items, octets = self._used[inbox]
        items += 1 - self._most[inbox]
        octets += item.size - (self._most_octets >> 2)
        if items <= 0 and (octets <= 0 or item.hop == REPORTS):
            # A report has the place of its message, also when it is longer.
            return
        dropped = None
        if not inbox and self.when_full != REFUSE and item.size <= self._most_octets >> 2:
            from .policy import choose

            dropped = choose(self, item.priority, items, octets)
        if dropped is None:
            self.counters["refused"] += 1
            raise Full
        for victim in dropped:
            self.remove(victim)
            self.counters["dropped"] += 1
            if self.on_dropped:
                self.on_dropped(victim)

    def outgoing(self):
        # (priority, key) of all that is to go out.
        found = [
            (record[7], record[0])
            for record in map(self._index.at, range(len(self._index)))
            if record[6] >= len(INCOMING) and record[0] not in self._gone
        ]
        found.extend([(item.priority, item.key) for item in self._new if item.hop not in INCOMING])
        return found

    def find(self, key):
        # An item, None when it is not there or can't be read.
        for item in self._new:
            if item.key == key:
                return item
        record = self._index.get(key)
        return self._read(record) if record else None

    # -- writing

    def _write(self):
        entries = [(records.PUT, records.of_item(item)) for item in self._new]
        entries.extend(records.removed(list(self._gone) + self._void))
        for item in self._passed:
            entries.extend(records.known(self.next_key, item.hop in INCOMING, (item.identity,)))
        unsure = [record for record in map(self._index.get, set(self._unsure) - self._gone) if record]
        entries.extend([(records.COPY, [record[1:4]]) for record in unsure])
        if not entries:
            self._unsure = []
            return
        size = sum(OVERHEAD + length_of(parts) for _, parts in entries)
        most = self._most_octets - self._segment_octets
        rounds = len(self._log.segments)
        # Where what is copied was must not move meanwhile.
        while not unsure and self._log.octets() + size > most and rounds > 1 and self._move_oldest():
            rounds -= 1
        places = self._log.append(entries, self._all_known, self._segment_octets)
        for item, place, entry in zip(self._new, places, entries):
            expires = records.index_fields(entry[1][0])[1]
            hop = self._hop(item.hop)
            self._index.put(
                (item.key, place[0], place[1], item.size, expires, item.identity, hop, item.priority)
            )
            self._known[item.hop in INCOMING].add(item.identity)
            item.body = None
        for key in self._gone:
            self._index.remove(key)
        for item in self._passed:
            self._known[item.hop in INCOMING].add(item.identity)
        self._new = []
        self._gone = set()
        self._passed = []
        self._void = []
        for record, place in zip(unsure, places[len(places) - len(unsure) :]):
            self._index.put((record[0], place[0], place[1]) + record[3:])
        self._unsure = []

    def _all_known(self):
        # The entries that a segment begins with, so that older ones can be dropped.
        entries = []
        for inbox, known in enumerate(self._known):
            entries.extend(records.known(self.next_key, inbox, known.oldest_first(), True))
        return entries

    def _move_oldest(self):
        # Drops the oldest segment, False when that can't be; what is live in it is appended first.
        number = self._log.segments[0][0]
        moved = []
        for record in self._index.in_segment(number):
            file = self._open(record)
            if file:
                file.close()
                moved.append(record)
        if moved:
            entries = [(records.COPY, [record[1:4]]) for record in moved]
            places = self._log.append(entries, self._all_known, self._segment_octets)
            for record, place in zip(moved, places):
                self._index.put((record[0], place[0], place[1]) + record[3:])
            self.counters["moved"] += len(moved)
        return self._log.drop_oldest()

    def _drop_dead(self):
        segments = self._log.segments
        while len(segments) > 1 and not self._index.uses_segment(segments[0][0]):
            if not self._log.drop_oldest():
                return

    def _tell(self, text):
        self.health = text
        if self.on_error:
            self.on_error(text)
