# Outgoing segmentation: where it cuts, what it sends, in what order, how it ends, and what it does not keep.

import os

from msgin5g import messages, wire
from msgin5g.coap.client import Response
from msgin5g.coap.endpoint import CANCELLED, Endpoint, Full, Parameters
from msgin5g.resource import ACCEPTED, NOT_NOW, REFUSED, failure_cause, meaning
from msgin5g.segmentation import Large, Segmentation, in_file, prepare
from msgin5g.store.memory import MemoryStore
from world import World

UE1, UE2 = (wire.UE, "ue1@a"), (wire.UE, "ue2@a")


def large(payload, size=None, message_id="m-1", report=True, most_body=None):
    elements = messages.message(UE1, UE2, message_id, True, report)
    if payload is not None:
        messages.set_payload(elements, payload)
    if size is not None:
        prepare(elements, size, most_body)
    return elements


def cut(elements, size=2048):
    # All segments of a message, decoded.
    whole = Large(messages.encode(elements), size, messages.encode, messages.decode)
    return [messages.decode(whole.body(number)) for number in range(1, whole.total + 1)]


def joined(segments):
    octets = b""
    for segment in segments:
        piece = messages.payload(segment)
        octets += piece.encode() if isinstance(piece, str) else piece
    return octets


def response(code):
    answer = Response(CANCELLED)
    answer.code = code
    return answer


class Sender:
    # What a client does with a large message: KEPT when it was accepted, released when that is over.
    def __init__(self, **options):
        self.world = World()
        self.endpoint = self.world.join("here", Endpoint(Parameters(), self.world.random.bits))
        self.store = MemoryStore(100, 100)
        self.segmentation = self.begin(**options)
        self.open = []
        self.numbers = []
        self.full = False
        self.outcomes = []
        self.failed = []

    def begin(self, **options):
        return Segmentation(
            self.endpoint, self.store, self.post, self.store.remove, self.on_failed, **options
        )

    def post(self, item, body, on_response, now):
        if self.full:
            raise Full
        segment = messages.decode(body)
        self.numbers.append(segment.get(wire.SEGMENT_NUMBER, 0))
        self.open.append((segment, on_response))

    def on_failed(self, item, cause, now):
        self.failed.append((item.message_id, cause))

    def put(self, elements, body=None):
        return self.store.put(
            "", "ue1@a", wire.MSG, elements[wire.MESSAGE_ID], 0, body or messages.encode(elements)
        )

    def send(self, item):
        def on_response(answer, now):
            self.outcomes.append(meaning(answer))
            self.last = answer
            if meaning(answer) == REFUSED:
                self.store.remove(item)

        self.segmentation.send(item, on_response, self.world.now)

    def answer(self, code=wire.ACCEPTED):
        segment, on_response = self.open.pop(0)
        on_response(response(code), self.world.now)
        return segment

    def answer_all(self):
        segments = []
        while self.open:
            segments.append(self.answer())
        return segments

    def confirm(self, message_id="m-1"):
        return self.segmentation.confirm("", message_id)

    def recover(self, *numbers):
        return self.segmentation.recover("", "m-1", numbers, self.world.now)


def test_elements_of_segments():
    first, second, third = cut(large("x" * 200, 83))
    assert first[wire.TOTAL_SEGMENTS] == 3 and first[wire.DELIVERY_STATUS_REQUIRED] is True
    assert third[wire.LAST_SEGMENT_FLAG] is True
    for number, segment in enumerate((first, second, third)):
        assert segment[wire.SEGMENT_NUMBER] == number + 1
        assert segment[wire.SEGMENTATION_SET_ID] == segment[wire.MESSAGE_ID] == "m-1"
        assert messages.recipient(segment) == UE2 and messages.originator(segment) == UE1
        assert (wire.TOTAL_SEGMENTS in segment) == (wire.DELIVERY_STATUS_REQUIRED in segment) == (number == 0)
        assert (wire.LAST_SEGMENT_FLAG in segment) == (number == 2)
        assert wire.SUPPORTED_SEGMENT_SIZE not in segment
    assert joined((first, second, third)) == b"x" * 200


def test_text_is_never_cut_inside_a_character():
    for character in ("\u00e4", "\u20ac", "\U0001f600", "a\u20ac\U0001f600\u00e4"):
        for size in range(64, 80):
            text = (character * 200)[:200]
            segments = cut(large(text, size))
            # Each is text by itself.
            assert "".join([str(joined([segment]), "utf-8") for segment in segments]) == text
            assert max([len(joined([segment])) for segment in segments]) <= size


def test_octets_come_out_as_they_went_in():
    octets = bytes([(n * 167 + 13) & 0xFF for n in range(1000)])
    for payload in (octets, b"\x80" * 300, b"abc" * 100 + b"\xff" * 100 + "\u20ac".encode() * 100):
        for size in (64, 67, 100, 999):
            segments = cut(large(payload, size))
            assert joined(segments) == payload
            assert max([len(joined([segment])) for segment in segments]) <= size


def test_segments_fit_the_packet():
    for payload in (b"\xff" * 2000, "x" * 2000, '"' * 2000, "\u0001" * 2000, "\u20ac" * 700):
        elements = large(payload)
        prepare(elements, 2048, 600)
        whole = Large(messages.encode(elements), 2048, messages.encode, messages.decode)
        bodies = [whole.body(number) for number in range(1, whole.total + 1)]
        assert max([len(body) for body in bodies]) <= 600
        # No smaller than they have to be: names take 350 of the 600, and base64 a quarter of the rest.
        assert len(bodies) <= 12, len(bodies)
        octets = payload if isinstance(payload, bytes) else payload.encode()
        assert joined([messages.decode(body) for body in bodies]) == octets


def test_an_absurd_size_is_not_followed():
    elements = large("x" * 200)
    prepare(elements, 1)
    assert len(cut(elements)) == 4
    prepare(elements, 2048, 10)
    assert elements[wire.SUPPORTED_SEGMENT_SIZE] == 64


def test_what_fits_after_all_goes_whole_and_is_not_kept():
    sender = Sender()
    sender.send(sender.put(large("x" * 64, 64)))
    segment = sender.answer()
    assert wire.SEGMENT_NUMBER not in segment and segment[wire.PAYLOAD] == "x" * 64
    assert sender.outcomes == [ACCEPTED] and len(sender.store) == 0 and len(sender.segmentation) == 0


def test_one_after_the_other_then_kept_until_confirmed():
    sender = Sender()
    sender.send(sender.put(large("x" * 200, 64)))
    for number in (1, 2, 3, 4):
        assert sender.numbers == list(range(1, number + 1)) and len(sender.open) == 1 and not sender.outcomes
        sender.answer()
    assert sender.outcomes == [ACCEPTED] and len(sender.store) == 1
    assert sender.confirm()
    assert len(sender.store) == 0 and len(sender.segmentation) == 0
    assert not sender.confirm()
    assert sender.segmentation.counters["confirmed"] == 1


def test_not_confirmed_is_let_go_in_the_end():
    sender = Sender()
    sender.send(sender.put(large("x" * 200, 64)))
    sender.answer_all()
    sender.world.advance(59000)
    assert len(sender.store) == 1
    sender.world.advance(2000)
    assert len(sender.store) == 0 and len(sender.segmentation) == 0 and not sender.failed
    assert sender.segmentation.counters["unconfirmed"] == 1


def test_confirmed_before_the_last_is_answered():
    sender = Sender()
    sender.send(sender.put(large("x" * 100, 64)))
    sender.answer()
    assert sender.confirm() and len(sender.store) == 1
    sender.answer()
    assert sender.outcomes == [ACCEPTED] and len(sender.store) == 0


def test_what_is_missing_is_sent_again():
    sender = Sender()
    sender.send(sender.put(large("x" * 300, 64)))
    sender.answer_all()
    del sender.numbers[:]
    assert sender.recover(2, 4, 4, 0, -1, 99)
    again = sender.answer_all()
    assert sender.numbers == [2, 4]
    assert again[0] == cut(large("x" * 300, 64))[1]
    # The hold timer begins anew.
    sender.world.advance(59000)
    assert len(sender.store) == 1 and sender.confirm() and len(sender.store) == 0


def test_asked_for_while_it_is_sent():
    sender = Sender()
    sender.send(sender.put(large("x" * 300, 64)))
    sender.answer()
    sender.answer()
    # 2 is sent; 3 is under way and 5 comes anyway.
    assert sender.recover(2, 3, 5)
    sender.answer_all()
    assert sender.numbers == [1, 2, 3, 4, 5, 2]


def test_so_often_and_no_more():
    sender = Sender()
    sender.send(sender.put(large("x" * 200, 64)))
    sender.answer_all()
    del sender.numbers[:]
    for _ in range(9):
        assert sender.recover(1)
        sender.answer_all()
    assert sender.numbers == [1, 1, 1]
    assert not sender.segmentation.recover("", "m-2", (1,), 0)


def test_a_refused_segment_fails_the_whole():
    sender = Sender()
    sender.send(sender.put(large("x" * 200, 64)))
    sender.answer()
    sender.answer(wire.TOO_LARGE)
    assert sender.outcomes == [REFUSED] and not sender.open
    assert len(sender.store) == 0 and len(sender.segmentation) == 0


def test_a_refused_repetition_fails_the_whole():
    sender = Sender()
    sender.send(sender.put(large("x" * 200, 64)))
    sender.answer_all()
    sender.recover(3)
    sender.answer(wire.INVALID)
    assert [message_id for message_id, _ in sender.failed] == ["m-1"]
    assert len(sender.store) == 0 and len(sender.segmentation) == 0


def test_it_goes_on_where_it_was_held_up():
    sender = Sender()
    item = sender.put(large("x" * 200, 64))
    sender.send(item)
    sender.answer()
    sender.answer(wire.UNAVAILABLE)
    assert sender.outcomes == [NOT_NOW] and len(sender.store) == 1
    # As long as a pause may be.
    sender.world.advance(75000)
    sender.send(item)
    sender.answer_all()
    assert sender.numbers == [1, 2, 2, 3, 4] and sender.outcomes == [NOT_NOW, ACCEPTED]


def test_a_full_endpoint():
    sender = Sender()
    item = sender.put(large("x" * 200, 64))
    sender.full = True
    try:
        sender.send(item)
        raise AssertionError("not raised")
    except Full:
        pass
    sender.full = False
    sender.send(item)
    sender.full = True
    sender.answer()
    assert sender.outcomes == [NOT_NOW]
    sender.full = False
    sender.send(item)
    sender.answer_all()
    assert sender.numbers == [1, 2, 3, 4] and sender.outcomes == [NOT_NOW, ACCEPTED]


def test_a_hop_that_was_resumed_gets_it_twice_at_once():
    sender = Sender()
    item = sender.put(large("x" * 200, 64))
    sender.send(item)
    sender.answer()
    sender.send(item)
    sender.answer_all()
    assert sender.outcomes == [ACCEPTED, ACCEPTED] and set(sender.numbers) == {1, 2, 3, 4}
    assert sender.confirm() and len(sender.store) == 0


def test_after_a_restart_it_begins_again_with_the_same_cuts():
    sender = Sender()
    item = sender.put(large("x" * 200, 64))
    sender.send(item)
    first = [sender.answer(), sender.answer()]
    del sender.open[:]
    sender.segmentation = sender.begin()
    # What peer and link support now is of no interest.
    sender.segmentation.send(item, lambda answer, now: sender.outcomes.append(meaning(answer)), 0, 2048)
    segments = sender.answer_all()
    assert segments[:2] == first and len(segments) == 4 and joined(segments) == b"x" * 200


def test_removed_meanwhile():
    sender = Sender()
    item = sender.put(large("x" * 200, 64))
    sender.send(item)
    sender.answer_all()
    sender.store.remove(item)
    assert sender.recover(2) and not sender.open and len(sender.segmentation) == 0


def test_most_sets():
    sender = Sender(most_sets=2)
    for number in range(5):
        sender.send(sender.put(large("x" * 100, 64, "m-%d" % number)))
        sender.answer_all()
        sender.world.advance(100)
    # The oldest are taken for confirmed.
    assert len(sender.segmentation) == 2 and len(sender.store) == 2 and sender.outcomes == [ACCEPTED] * 5
    assert not sender.confirm("m-2") and sender.confirm("m-3") and sender.confirm("m-4")


def test_a_payload_in_a_file():
    name = "segments-%d.tmp" % id(test_a_payload_in_a_file)
    octets = bytes([n * 7 & 0xFF for n in range(1000)])
    with open(name, "wb") as file:
        file.write(octets)
    try:
        sender = Sender()
        elements = large(None, 200)
        item = sender.put(elements, in_file(elements, name, len(octets)))
        assert len(item.body) < 300
        sender.send(item)
        assert joined(sender.answer_all()) == octets and len(sender.numbers) == 6
        sender.recover(3)
        assert joined(sender.answer_all()) == joined(cut(large(octets, 200))[2:3])
        # Its file becomes another.
        with open(name, "wb") as file:
            file.write(b"short")
        sender.recover(6)
        assert sender.failed == [("m-1", wire.PAYLOAD_LOST)] and len(sender.store) == 0
    finally:
        os.remove(name)


def test_a_file_that_is_gone():
    sender = Sender()
    elements = large(None, 200)
    sender.send(sender.put(elements, in_file(elements, "no/such/file", 1000)))
    assert sender.outcomes == [REFUSED] and failure_cause(sender.last) == wire.PAYLOAD_LOST
    assert len(sender.segmentation) == 0
