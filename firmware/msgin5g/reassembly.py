# Reassembly (TS 23.554, 8.5): segments wait in the store, each durable before it is acknowledged, until all are there.
#
# The index in memory says which of a set are there; it is made from the store at the start (load). When all are, their
# sender is told (SEGCONFIR) and the message is in `whole`, to be read piece by piece or at once, until it is removed.
# When nothing comes for a while, the sender is asked for what is missing (SEGREC), and, when that has not helped, the
# set is given up: as soon as others need its place, or after a long while, since its sender may be without a
# link. Who is told a failure then is told no success, and the other way round.
#
# A message goes by its originator and Message ID, a segment of it in the store by its number plus 1: numbers are
# from 1, but from 0 where the first one, which tells the total, says so.

from . import messages, ticks, wire
from .store import SEGMENTS, Full

# T-seg: how long to wait for the next segment, for each that is missing, at most; how often to ask; and the whole
# wait, all in ms.
_WAIT = 10000
_WAIT_EACH = 2000
_LONGEST_WAIT = 60000
_MOST_REQUESTS = 3
_PATIENCE = 900000
# Most numbers in one request.
_MOST_NUMBERS = 32
# What is known of a message under these numbers: that it was complete, or given up.
_WHOLE = 0
_GIVEN_UP = 0xFFFF


class Message:
    # A message in segments, as far as it has come.
    total = None
    last = None
    # Number of the first.
    base = 1
    report = False
    requests = 0
    # When to ask for what is missing, or to give up; None when it is complete.
    due = None
    # The item found last, where the search for the next begins.
    _at = None

    def __init__(self, hop, elements, store, decode):
        self.hop = hop
        self.message_id = elements[wire.MESSAGE_ID]
        self.set_id = elements[wire.SEGMENTATION_SET_ID]
        self.origin = messages.originator(elements)
        self.to = messages.recipient(elements)
        self.octets = 0
        self.count = 0
        # Bit n + 1 for number n.
        self.there = 0
        self._store = store
        self._decode = decode

    def has(self, number):
        return self.there >> number + 1 & 1

    def complete(self):
        return self.total == self.count

    def add(self, elements, octets):
        number = elements[wire.SEGMENT_NUMBER]
        self.there |= 1 << number + 1
        self.count += 1
        self.octets += octets
        if wire.TOTAL_SEGMENTS in elements:
            self.total = elements[wire.TOTAL_SEGMENTS]
            self.base = number
            self.report = bool(elements.get(wire.DELIVERY_STATUS_REQUIRED))
        if elements.get(wire.LAST_SEGMENT_FLAG):
            self.last = number

    def wrong(self, elements):
        # The element that contradicts what is known, or None.
        number = elements[wire.SEGMENT_NUMBER]
        total = elements.get(wire.TOTAL_SEGMENTS)
        first, last = self.base, self.last
        if total is None:
            total = self.total
            if number == 0 and total is None:
                return wire.SEGMENT_NUMBER
        else:
            if total < 1 or (self.total is not None and (total != self.total or number != first)):
                return wire.TOTAL_SEGMENTS
            if number > 1:
                return wire.SEGMENT_NUMBER
            first = number
        if elements.get(wire.LAST_SEGMENT_FLAG):
            if last is not None and last != number:
                return wire.LAST_SEGMENT_FLAG
            last = number
        if total is not None:
            if last is not None and last != first + total - 1:
                return wire.LAST_SEGMENT_FLAG
            last = first + total - 1
        there = self.there | 1 << number + 1
        if number < first or there & (1 << first + 1) - 1 or (last is not None and there >> last + 2):
            return wire.SEGMENT_NUMBER
        if elements[wire.SEGMENTATION_SET_ID] != self.set_id:
            return wire.SEGMENTATION_SET_ID
        return None

    def missing(self):
        end = self.last
        if self.total is not None:
            end = self.base + self.total - 1
        elif end is None:
            # One more than the highest that is there.
            end = 0
            while self.there >> end + 1:
                end += 1
        numbers = []
        for number in range(self.base, end + 1):
            if not self.has(number):
                numbers.append(number)
                if len(numbers) == _MOST_NUMBERS:
                    break
        return numbers

    # -- what is in the store

    def segment(self, number):
        # Elements; mostly they came in order.
        item = self._find(number, self._at, None) or self._find(number, -1, self._at)
        if item is None:
            raise OSError(wire.PAYLOAD_LOST)
        self._at = item.key
        return self._decode(item.body)

    def _find(self, number, after, before):
        after = -1 if after is None else after
        while before is None or after < before:
            items = self._store.pending(self.hop, after, 1)
            if not items:
                break
            after = items[0].key
            if items[0].segment == number + 1 and self.owns(items[0]):
                return items[0]
        return None

    def owns(self, item):
        return item.message_id == self.message_id and item.originator == "\t".join(self.origin)

    def elements(self):
        # Of the whole message, but its payload.
        elements = self.segment(self.base)
        for element in _OF_SEGMENTS:
            elements.pop(element, None)
        return elements

    def pieces(self):
        # The payload's octets, a segment at a time.
        for number in range(self.base, self.base + self.count):
            yield _octets(self.segment(number))

    def payload(self):
        # str or bytes, as of a message in one piece.
        elements = {}
        messages.set_payload(elements, b"".join(self.pieces()))
        return messages.payload(elements)


_OF_SEGMENTS = (
    wire.PAYLOAD,
    wire.PAYLOAD_ENCODING,
    wire.SEGMENTATION_SET_ID,
    wire.SEGMENT_NUMBER,
    wire.TOTAL_SEGMENTS,
    wire.LAST_SEGMENT_FLAG,
    wire.MESSAGE_IS_SEGMENTED,
)


def _octets(elements):
    octets = messages.payload(elements) or b""
    return octets.encode() if isinstance(octets, str) else octets


class Reassembly:
    def __init__(
        self,
        endpoint,
        store,
        send,
        on_whole,
        decode=messages.decode,
        most_sets=2,
        most_segments=64,
        most_octets=65536,
        put=None,
    ):
        # send(elements, now): puts a SEGREC or SEGCONFIR, which still need a Message ID, or the report on a message
        # that was given up into the store, if there is room. on_whole(message, now): it is complete; durable with the
        # next commit. decode(body) of what take() is given.
        self.counters = {
            "whole": 0,
            "given_up": 0,
            "requests": 0,
            "duplicates": 0,
            "contradictions": 0,
            "refused": 0,
        }
        # Those that are complete, oldest first.
        self.whole = []
        self._endpoint = endpoint
        self._store = store
        # Or what makes it durable as well.
        self._put = put or store.put
        self._send = send
        self._on_whole = on_whole
        self._decode = decode
        self._most_sets = most_sets
        self._most_segments = most_segments
        self._most_octets = most_octets
        # (originator, Message ID) -> Message
        self._sets = {}
        endpoint.on_timer.append(self._on_timer)

    def __len__(self):
        return len(self._sets)

    def load(self, now):
        # What the store holds from before a restart.
        after = -1
        while True:
            items = self._store.pending(SEGMENTS, after, 1)
            if not items:
                break
            after = items[0].key
            self.restore(items[0], now)
        self.loaded(now)

    def restore(self, item, now):
        try:
            elements = self._decode(item.body)
            key = (messages.originator(elements), item.message_id)
            one = self._sets.get(key)
            if one is None:
                one = self._sets[key] = Message(item.hop, elements, self._store, self._decode)
            one.add(elements, len(_octets(elements)))
        except (ValueError, KeyError):
            self._store.remove(item)

    def loaded(self, now):
        for one in self._sets.values():
            if one.complete():
                self.whole.append(one)
                one.due = None
                self._on_whole(one, now)
            else:
                self._wait(one, now)

    def hop(self, origin, message_id) -> str:
        # Where the segments of a message are in the store.
        return SEGMENTS

    def knows(self, elements):
        # Does this segment belong to a message of which there are others, or were?
        origin, message_id = messages.originator(elements), elements[wire.MESSAGE_ID]
        return (origin, message_id) in self._sets or self._ended(origin, message_id) is not None

    def _ended(self, origin, message_id):
        # _WHOLE or _GIVEN_UP, None when neither is known.
        for outcome in (_WHOLE, _GIVEN_UP):
            hop = self.hop(origin, message_id)
            if self._store.knows(hop, "\t".join(origin), wire.MSG, message_id, outcome):
                return outcome
        return None

    def take(self, elements, body, now):
        # A segment -> (code, cause) to answer with once it is durable; cause is None when it is accepted.
        number = elements.get(wire.SEGMENT_NUMBER)
        set_id = elements.get(wire.SEGMENTATION_SET_ID)
        if number is None or not set_id:
            missing = wire.SEGMENT_NUMBER if number is None else wire.SEGMENTATION_SET_ID
            return self._refuse(wire.INVALID, messages.missing(missing).cause)
        if number < 0:
            return self._refuse(wire.INVALID, messages.invalid(wire.SEGMENT_NUMBER).cause)
        if max(number, elements.get(wire.TOTAL_SEGMENTS, 0)) > self._most_segments:
            return self._refuse(wire.TOO_LARGE, messages.invalid(wire.TOTAL_SEGMENTS).cause)
        origin, message_id = messages.originator(elements), elements[wire.MESSAGE_ID]
        one = self._sets.get((origin, message_id))
        if one is None:
            ended = self._ended(origin, message_id)
            if ended == _WHOLE:
                self.counters["duplicates"] += 1
                return wire.ACCEPTED, None
            if ended == _GIVEN_UP:
                return self._refuse(wire.INVALID, wire.SEGMENTS_MISSING)
            if len(self._sets) >= self._most_sets and not self._make_room(now):
                return self._refuse(wire.UNAVAILABLE, wire.STORE_FULL)
            one = Message(self.hop(origin, message_id), elements, self._store, self._decode)
        octets = _octets(elements)
        wrong = one.wrong(elements)
        if wrong is None and one.has(number):
            self.counters["duplicates"] += 1
            if _octets(one.segment(number)) == octets:
                return wire.ACCEPTED, None
            wrong = wire.PAYLOAD
        if wrong is not None:
            self.counters["contradictions"] += 1
            return self._refuse(wire.INVALID, messages.invalid(wrong).cause)
        if one.octets + len(octets) > self._most_octets:
            self._give_up(one, now)
            return self._refuse(wire.TOO_LARGE, wire.SEGMENTS_MISSING)
        return self._keep(one, elements, body, len(octets), now)

    def _keep(self, one, elements, body, octets, now):
        try:
            item = self._put(
                one.hop,
                "\t".join(one.origin),
                wire.MSG,
                one.message_id,
                elements[wire.SEGMENT_NUMBER] + 1,
                body,
            )
        except Full:
            return self._refuse(wire.UNAVAILABLE, wire.STORE_FULL)
        if item is None:
            # It was given up, so long ago that nothing else tells.
            return self._refuse(wire.INVALID, wire.SEGMENTS_MISSING)
        self._sets[one.origin, one.message_id] = one
        one.add(elements, octets)
        one.requests = 0
        if one.complete():
            self._complete(one, now)
        else:
            self._wait(one, now)
        return wire.ACCEPTED, None

    def _refuse(self, code, cause):
        self.counters["refused"] += 1
        return code, cause

    # -- the end

    def _complete(self, one, now):
        one.due = None
        self.counters["whole"] += 1
        self.whole.append(one)
        self._send(self._to_sender(one, wire.SEGCONFIR), now)
        self._on_whole(one, now)

    def remove(self, one):
        # The application has taken it; durable with the next commit.
        self.whole.remove(one)
        self._clear(one, _WHOLE)

    def lose(self, one, now):
        # A complete one that can't be read any more.
        self.whole.remove(one)
        self._give_up(one, now)

    def _give_up(self, one, now):
        self.counters["given_up"] += 1
        self._clear(one, _GIVEN_UP)
        if one.report:
            about = messages.message(one.origin, one.to, one.message_id)
            self._send(messages.report_on(about, wire.SEGMENTS_MISSING), now)

    def _clear(self, one, outcome):
        self._sets.pop((one.origin, one.message_id), None)
        after = -1
        while True:
            items = self._store.pending(one.hop, after, 1)
            if not items:
                break
            after = items[0].key
            if one.owns(items[0]):
                self._store.remove(items[0])
        # Segments that come again later belong to a message that has had its end.
        try:
            item = self._store.put(one.hop, "\t".join(one.origin), wire.MSG, one.message_id, outcome, b"")
        except Full:
            # The flash fails.
            return
        if item:
            self._store.remove(item)

    def _make_room(self, now):
        # One that has not helped itself when it was asked to has to go.
        for one in self._sets.values():
            if one.requests >= _MOST_REQUESTS and not one.complete():
                self._give_up(one, now)
                return True
        return False

    # -- time

    def _wait(self, one, now):
        missing = 1 if one.total is None else one.total - one.count
        one.due = ticks.add(now, min(_WAIT + _WAIT_EACH * missing, _LONGEST_WAIT))
        if one.requests >= _MOST_REQUESTS:
            one.due = ticks.add(now, _PATIENCE)
        self._endpoint.arm(one.due)

    def _on_timer(self, now):
        for one in list(self._sets.values()):
            if one.due is None:
                continue
            if ticks.diff(one.due, now) > 0:
                self._endpoint.arm(one.due)
            else:
                self._late(one, now)

    def _late(self, one, now):
        missing = one.missing()
        if not missing:
            # Whoever never told the total has told the end.
            one.total = one.count
            self._complete(one, now)
        elif one.requests >= _MOST_REQUESTS:
            self._give_up(one, now)
        else:
            one.requests += 1
            self.counters["requests"] += 1
            request = self._to_sender(one, wire.SEGREC)
            request[wire.MISSING_SEGMENT_NUMBERS] = missing
            self._send(request, now)
            self._wait(one, now)

    def _to_sender(self, one, kind):
        # As the report would go.
        told = messages.report_on(messages.message(one.origin, one.to, one.message_id))
        del told[wire.DELIVERY_STATUS], told[wire.MESSAGE_ID]
        told[wire.MESSAGE_TYPE] = kind
        told[wire.SEGMENTATION_SET_ID] = one.set_id
        return told
