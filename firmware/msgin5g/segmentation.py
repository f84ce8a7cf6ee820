# Segmentation (TS 23.554, 8.5): a message that is too large for its recipient or its link goes out in segments.
#
# The store has it as one item, and segments are cut as they are sent, one after the other. send() is to such an item
# what a request is to another: on_response is called once, with the response to the last segment, or with the first
# that does not accept. Whoever sent an item that was accepted so says KEPT to its Delivery. It stays stored until its
# recipient confirms that it has everything, or has asked for nothing for a while; segments that the recipient
# misses are sent again until then. After a restart all are sent again, which their receivers know as duplicates: so
# the size of the pieces is part of what is stored (prepare).
#
# Where to cut does not depend on what is between the cuts: piece n begins n sizes from the start, or up to 3 octets
# before, where a character of text begins there. So their number is known before the payload is read, any piece can
# be read alone, and text stays text.

from binascii import b2a_base64

from . import messages, ticks, wire
from .coap import numbers as coap
from .coap.client import Response
from .coap.endpoint import CANCELLED, Full
from .resource import ACCEPTED, NOT_NOW, REFUSED, failure_cause, meaning

# Cuts go back by so many octets at most.
_SLACK = 3
# The recipient has so long to confirm, or to ask for what it misses; and asks so often at most.
_HOLD = 60000
# For so long it is remembered which segments a hop that does not answer has accepted: longer than Delivery pauses.
_POSITION = 300000
_MOST_RECOVERIES = 3


def prepare(elements, most_payload, most_body=None, encode=messages.encode):
    # Before a large message is stored: settles the size of its pieces. most_payload: octets that the peer supports in
    # a segment; most_body: octets that fit the link in one packet.
    size = most_payload
    if most_body is not None:
        # What a segment costs around its payload at most, and to what 48 octets of payload grow: base64 does, CBOR not.
        worst = _common(elements)
        worst[wire.SEGMENT_NUMBER] = worst[wire.TOTAL_SEGMENTS] = 999999
        worst[wire.LAST_SEGMENT_FLAG] = worst[wire.DELIVERY_STATUS_REQUIRED] = True
        messages.set_payload(worst, b"\xff" * 48)
        once = len(encode(worst))
        messages.set_payload(worst, b"\xff" * 96)
        grown = len(encode(worst)) - once
        size = min(size, (most_body - once + grown) * 48 // grown - _SLACK)
    elements[wire.SUPPORTED_SEGMENT_SIZE] = max(size, wire.LEAST_SEGMENT_SIZE)


def in_file(elements, name, length, encode=messages.encode):
    # The body to store for a message whose payload is a file: that of no other message begins with 0. The file has to
    # stay until the message is released or has failed.
    return b"\0" + name.encode() + b"\0%d\0" % length + encode(elements)


def _common(elements):
    # What every segment has.
    common = elements.copy()
    for element in (wire.PAYLOAD, wire.PAYLOAD_ENCODING, wire.DELIVERY_STATUS_REQUIRED):
        common.pop(element, None)
    common[wire.SEGMENTATION_SET_ID] = elements[wire.MESSAGE_ID]
    return common


def _reader(name):
    def read(offset, size):
        with open(name, "rb") as file:
            file.seek(offset)
            return file.read(size)

    return read


class Large:
    # A message that is cut: number n of total, encoded.
    def __init__(self, body, size, encode, decode):
        if body[0]:
            self._elements = decode(body)
            octets = messages.payload(self._elements) or b""
            if isinstance(octets, str):
                octets = octets.encode()
            self._length = len(octets)
            self._read = lambda offset, size: octets[offset : offset + size]
        else:
            _, name, length, body = body.split(b"\0", 3)
            self._elements = decode(body)
            self._length = int(length)
            self._read = _reader(str(name, "utf-8"))
        size = self._elements.pop(wire.SUPPORTED_SEGMENT_SIZE, size)
        # A piece may begin a little before its place.
        self._size = max(size, wire.LEAST_SEGMENT_SIZE) - _SLACK
        self._encode = encode
        self.total = 1 if self._length <= size else -(-self._length // self._size)

    def body(self, number):
        # Raises OSError when the file of its payload is not as it was. What is not large after all is whole.
        start = self._cut((number - 1) * self._size) if number > 1 else 0
        end = self._cut(number * self._size) if number < self.total else self._length
        octets = self._read(start, end - start)
        if len(octets) != end - start:
            raise OSError(wire.PAYLOAD_LOST)
        elements = self._elements.copy()
        if self.total > 1:
            elements = _common(elements)
            elements[wire.SEGMENT_NUMBER] = number
            if number == 1:
                elements[wire.TOTAL_SEGMENTS] = self.total
                if wire.DELIVERY_STATUS_REQUIRED in self._elements:
                    elements[wire.DELIVERY_STATUS_REQUIRED] = self._elements[wire.DELIVERY_STATUS_REQUIRED]
            elif number == self.total:
                elements[wire.LAST_SEGMENT_FLAG] = True
        elements.pop(wire.PAYLOAD_ENCODING, None)
        messages.set_payload(elements, octets)
        body = self._encode(elements)
        if wire.PAYLOAD_ENCODING not in elements and len(body) > len(octets) * 3 >> 1:
            # Text that JSON has to escape may take more than base64 would.
            elements[wire.PAYLOAD_ENCODING] = wire.BASE64
            elements[wire.PAYLOAD] = str(b2a_base64(octets).rstrip(), "ascii")
            other = self._encode(elements)
            if len(other) < len(body):
                return other
        return body

    def _cut(self, at):
        # Back to where a character begins; in what is not text, anywhere will do.
        octets = self._read(at - _SLACK, _SLACK + 1)
        for back in range(len(octets)):
            if octets[-1 - back] >> 6 != 2:
                return at - back
        return at


class _Set:
    # How far a message is.
    large = None
    # When it is forgotten; None while a segment is under way.
    due = None
    confirmed = False
    recoveries = 0
    # The next to be sent for the first time, of how many.
    number = 1
    total = 1

    def __init__(self, item, size):
        self.hop = item.hop
        self.key = item.key
        self.size = size
        # Numbers to be sent again.
        self.missing = []


class Segmentation:
    def __init__(
        self,
        endpoint,
        store,
        post,
        release,
        on_failed,
        encode=messages.encode,
        decode=messages.decode,
        most_sets=4,
    ):
        # post(item, body, on_response, now): a request to the item's hop; raises the endpoint's Full.
        # release(item): takes one that was KEPT out of the store (Delivery.release).
        # on_failed(item, cause, now): one that was KEPT can't be delivered after all; it is released.
        self.counters = {"confirmed": 0, "unconfirmed": 0, "recovered": 0}
        self._endpoint = endpoint
        self._store = store
        self._post = post
        self._release = release
        self._on_failed = on_failed
        self._encode = encode
        self._decode = decode
        self._most_sets = most_sets
        # (hop, Message ID, which is the set's identifier) -> the set
        self._sets = {}
        endpoint.on_timer.append(self._on_timer)

    def __len__(self):
        return len(self._sets)

    def send(self, item, on_response, now, size=wire.SEGMENT_SIZE):
        # size: of the pieces of an item that prepare() has not seen. Raises the endpoint's Full.
        key = (item.hop, item.message_id)
        one = self._sets.get(key)
        if one is None:
            self._make_room(now)
            one = self._sets[key] = _Set(item, size)
        one.due = None
        try:
            self._next(one, item, on_response, now)
        except (OSError, ValueError):
            del self._sets[key]
            on_response(_lost(), now)
        except Full:
            self._rest(one, now)
            raise

    def confirm(self, hop, set_id):
        # SEGCONFIR. False when there is no such set (any more).
        one = self._sets.get((hop, set_id))
        if one is None:
            return False
        one.confirmed = True
        if one.number > one.total:
            self._end(one, set_id)
        return True

    def recover(self, hop, set_id, numbers, now):
        # SEGREC, as confirm().
        one = self._sets.get((hop, set_id))
        if one is None:
            return False
        if one.recoveries < _MOST_RECOVERIES:
            one.recoveries += 1
            idle = not one.missing
            # Those that have not been sent yet come anyway.
            for number in numbers:
                if 0 < number < one.number and number not in one.missing:
                    one.missing.append(number)
            if idle and one.missing and one.number > one.total:
                self._again(one, set_id, now)
        return True

    # -- the first time

    def _body(self, one, item, number):
        if one.large is None:
            one.large = Large(item.body, one.size, self._encode, self._decode)
            one.total = one.large.total
        return one.large.body(number)

    def _next(self, one, item, on_response, now):
        # Twice at once when the hop was forgotten and resumed meanwhile: what is sent twice does no harm.
        number = min(one.number, one.total)

        def answered(response, now):
            outcome = meaning(response)
            if outcome == ACCEPTED:
                one.number = max(one.number, number + 1)
                if number < one.total:
                    try:
                        self._next(one, item, on_response, now)
                        return
                    except (Full, MemoryError):
                        response = Response(CANCELLED)
                        outcome = NOT_NOW
                    except (OSError, ValueError):
                        response = _lost()
                        outcome = REFUSED
            if outcome == REFUSED:
                self._sets.pop((item.hop, item.message_id), None)
            else:
                self._rest(one, now)
            on_response(response, now)
            if outcome == ACCEPTED:
                self._sent(one, item, now)

        self._post(item, self._body(one, item, number), answered, now)

    def _sent(self, one, item, now):
        key = (item.hop, item.message_id)
        self._sets[key] = one
        if one.confirmed or one.total == 1:
            self._end(one, item.message_id)
        elif one.missing:
            self._again(one, item.message_id, now)

    # -- once more

    def _again(self, one, set_id, now):
        item = self._item(one)
        if item is None:
            self._sets.pop((one.hop, set_id), None)
            return

        def answered(response, now):
            if meaning(response) == REFUSED:
                self._fail(one, set_id, failure_cause(response), now)
            elif response.success():
                self.counters["recovered"] += 1
                one.missing.pop(0)
                if one.missing:
                    self._again(one, set_id, now)
                else:
                    self._rest(one, now)
            else:
                # The recipient asks again.
                one.missing.clear()
                self._rest(one, now)

        one.due = None
        try:
            self._post(item, self._body(one, item, one.missing[0]), answered, now)
        except (Full, MemoryError):
            one.missing.clear()
            self._rest(one, now)
        except (OSError, ValueError):
            self._fail(one, set_id, wire.PAYLOAD_LOST, now)

    def _fail(self, one, set_id, cause, now):
        item = self._item(one)
        if self._sets.pop((one.hop, set_id), None) and item:
            self._release(item)
            self._on_failed(item, cause, now)

    # -- the end

    def _rest(self, one, now):
        # Nothing under way: the payload need not be in memory.
        one.large = None
        one.due = ticks.add(now, _HOLD if one.number > one.total else _POSITION)
        self._endpoint.arm(one.due)

    def _end(self, one, set_id):
        if one.total > 1:
            self.counters["confirmed" if one.confirmed else "unconfirmed"] += 1
        del self._sets[one.hop, set_id]
        item = self._item(one)
        if item:
            self._release(item)

    def _item(self, one):
        # None when it has expired, or was discarded.
        items = self._store.pending(one.hop, one.key - 1, 1)
        return items[0] if items and items[0].key == one.key else None

    def _make_room(self, now):
        if len(self._sets) >= self._most_sets:
            resting = [
                (ticks.diff(one.due, now), key) for key, one in self._sets.items() if one.due is not None
            ]
            if resting:
                self._forget(min(resting)[1])

    def _forget(self, key):
        one = self._sets[key]
        if one.number > one.total:
            # Nobody has asked for anything more.
            self._end(one, key[1])
        else:
            # Not accepted: it begins again when it is sent again.
            del self._sets[key]

    def _on_timer(self, now):
        for key, one in list(self._sets.items()):
            if one.due is None:
                continue
            if ticks.diff(one.due, now) <= 0:
                self._forget(key)
            else:
                self._endpoint.arm(one.due)


def _lost():
    # As if the peer had refused it.
    response = Response(CANCELLED)
    response.code = wire.INVALID
    response.content_format = coap.JSON
    response.payload = messages.encode(
        messages.response((None, None), "-", wire.DELIVERY_FAILED, wire.PAYLOAD_LOST)
    )
    return response
