# Incoming segments: all there, some missing, given up, after a restart, and everything about them that can be a lie.

from msgin5g import messages, wire
from msgin5g.coap.endpoint import Endpoint, Parameters
from msgin5g.reassembly import Reassembly
from msgin5g.segmentation import Large
from msgin5g.store.memory import MemoryStore
from world import World

UE1, UE2, AS = (wire.UE, "ue1@a"), (wire.UE, "ue2@a"), (wire.AS, "as@a")
OK = (wire.ACCEPTED, None)


def segments(payload="x" * 200, message_id="m-1", origin=UE1, size=67, report=True):
    elements = messages.message(origin, UE2, message_id, True, report)
    messages.set_payload(elements, payload)
    large = Large(messages.encode(elements), size, messages.encode, messages.decode)
    return [messages.decode(large.body(number)) for number in range(1, large.total + 1)]


class Receiver:
    def __init__(self, most_items=100, **options):
        self.world = World()
        self.endpoint = self.world.join("here", Endpoint(Parameters(), self.world.random.bits))
        self.store = MemoryStore(100, 1000, most_items)
        self.options = options
        self.sent = []
        self.arrived = []
        self.begin()

    def begin(self):
        # Anew, as after a restart.
        del self.endpoint.on_timer[:]
        self.reassembly = Reassembly(self.endpoint, self.store, self.send, self.on_whole, **self.options)
        self.reassembly.load(self.world.now)

    def send(self, elements, now):
        self.sent.append(elements)

    def on_whole(self, message, now):
        self.arrived.append(message)

    def take(self, *elements):
        answer = None
        for one in elements:
            answer = self.reassembly.take(one, messages.encode(one), self.world.now)
        return answer

    def kinds(self):
        return [elements[wire.MESSAGE_TYPE] for elements in self.sent]

    def counted(self):
        return {key: value for key, value in self.reassembly.counters.items() if value}


def altered(elements, **changes):
    # By the names of the wire table; None takes one out.
    elements = elements.copy()
    for name, value in changes.items():
        elements[getattr(wire, name)] = value
        if value is None:
            del elements[getattr(wire, name)]
    return elements


def test_in_order():
    receiver = Receiver()
    first, second, third, fourth = segments()
    assert receiver.take(first) == receiver.take(second) == receiver.take(third) == OK
    assert not receiver.arrived and len(receiver.store) == 3
    assert receiver.take(fourth) == OK
    (message,) = receiver.arrived
    assert message.octets == 200 and message.payload() == "x" * 200 and message.report
    elements = message.elements()
    assert elements == messages.message(UE1, UE2, "m-1", True, True)
    (confirmation,) = receiver.sent
    assert confirmation == {
        wire.MESSAGE_TYPE: wire.SEGCONFIR,
        wire.ORIGINATING_UE: "ue2@a",
        wire.RECIPIENT_UE: "ue1@a",
        wire.SEGMENTATION_SET_ID: "m-1",
    }
    messages.check(confirmation)
    receiver.reassembly.remove(message)
    assert len(receiver.store) == 0 and len(receiver.reassembly) == 0 and not receiver.reassembly.whole


def test_any_order_and_several_at_once():
    receiver = Receiver(most_sets=3)
    sets = [segments("a" * 300, "m-1"), segments("b" * 300, "m-1", AS), segments("c" * 300, "m-2")]
    for number in (3, 0, 4, 2, 1):
        for one in sets:
            assert receiver.take(one[number]) == OK
    assert [message.payload()[0] for message in receiver.arrived] == ["a", "b", "c"]
    assert receiver.arrived[1].origin == AS
    for message in list(receiver.arrived):
        assert b"".join(message.pieces()) == message.payload().encode()
        receiver.reassembly.remove(message)
    assert len(receiver.store) == 0


def test_octets_and_text_come_out_as_they_went_in():
    for payload in (bytes(range(256)), "\u20ac\u00e4" * 50, b"\xff" * 200, ""):
        receiver = Receiver()
        receiver.take(*segments(payload + payload[:0]) if payload else segments("y" * 70))
        (message,) = receiver.arrived
        assert message.payload() == (payload or "y" * 70)


def test_a_duplicate_is_accepted_before_and_after_the_end():
    receiver = Receiver()
    parts = segments()
    receiver.take(parts[0])
    assert receiver.take(parts[0]) == OK and len(receiver.store) == 1
    receiver.take(*parts[1:])
    assert receiver.take(parts[3]) == OK and len(receiver.store) == 4
    receiver.reassembly.remove(receiver.arrived[0])
    for one in parts:
        assert receiver.take(one) == OK
    assert len(receiver.store) == 0 and len(receiver.arrived) == 1 and receiver.kinds() == [wire.SEGCONFIR]


def test_what_is_missing_is_asked_for():
    receiver = Receiver()
    parts = segments("x" * 400)
    receiver.take(parts[0], parts[2], parts[4])
    receiver.world.advance(17000)
    assert not receiver.sent
    # 10 s, and 2 s for each of the 4 that are missing.
    receiver.world.advance(2000)
    (request,) = receiver.sent
    messages.check(request)
    assert request[wire.MESSAGE_TYPE] == wire.SEGREC and request[wire.SEGMENTATION_SET_ID] == "m-1"
    assert request[wire.MISSING_SEGMENT_NUMBERS] == [2, 4, 6, 7]
    assert messages.recipient(request) == UE1 and messages.originator(request) == UE2
    receiver.take(parts[1], parts[3], parts[5], parts[6])
    assert receiver.arrived[0].payload() == "x" * 400


def test_missing_before_the_total_is_known():
    receiver = Receiver()
    parts = segments("x" * 400)
    receiver.take(parts[2])
    receiver.world.advance(13000)
    # And the one after the highest, as there has to be one.
    assert receiver.sent[0][wire.MISSING_SEGMENT_NUMBERS] == [1, 2, 4]
    receiver.take(parts[6])
    receiver.world.advance(13000)
    assert receiver.sent[1][wire.MISSING_SEGMENT_NUMBERS] == [1, 2, 4, 5, 6]


def test_given_up_with_a_report():
    receiver = Receiver()
    parts = segments()
    receiver.take(parts[0], parts[1])
    receiver.world.advance(60000)
    assert receiver.kinds() == [wire.SEGREC] * 3 and len(receiver.store) == 2
    receiver.world.advance(900000)
    assert receiver.kinds() == [wire.SEGREC] * 3 + [wire.IMDN]
    report = receiver.sent[-1]
    messages.check(report)
    assert report[wire.DELIVERY_STATUS] == wire.REPORT_FAILED and report[wire.MESSAGE_ID] == "m-1"
    assert report[wire.FAILURE_CAUSE] == wire.SEGMENTS_MISSING and messages.recipient(report) == UE1
    assert len(receiver.store) == 0 and len(receiver.reassembly) == 0
    # Never both: what comes late finds it ended.
    for one in parts:
        assert receiver.take(one) == (wire.INVALID, wire.SEGMENTS_MISSING)
    receiver.world.advance(2000000)
    assert not receiver.arrived and len(receiver.sent) == 4 and len(receiver.store) == 0


def test_given_up_in_silence_when_no_report_is_wanted():
    receiver = Receiver()
    receiver.take(segments(report=False)[0])
    receiver.world.advance(2000000)
    assert receiver.kinds() == [wire.SEGREC] * 3 and receiver.counted()["given_up"] == 1


def test_a_sender_that_comes_back_in_time_is_waited_for():
    receiver = Receiver()
    parts = segments()
    receiver.take(parts[0])
    receiver.world.advance(600000)
    receiver.take(parts[1])
    receiver.world.advance(600000)
    assert receiver.take(parts[2], parts[3]) == OK
    assert len(receiver.arrived) == 1


def test_the_set_that_was_asked_for_in_vain_makes_room():
    receiver = Receiver(most_sets=2)
    receiver.take(segments(message_id="m-1")[0], segments(message_id="m-2")[0])
    assert receiver.take(segments(message_id="m-3")[0]) == (wire.UNAVAILABLE, wire.STORE_FULL)
    receiver.world.advance(60000)
    del receiver.sent[:]
    assert receiver.take(segments(message_id="m-3")[0]) == OK
    assert receiver.kinds() == [wire.IMDN] and len(receiver.reassembly) == 2 and len(receiver.store) == 2


def test_complete_ones_never_make_room():
    receiver = Receiver(most_sets=1)
    receiver.take(*segments())
    receiver.world.advance(2000000)
    assert receiver.take(segments(message_id="m-2")[0])[0] == wire.UNAVAILABLE
    receiver.reassembly.remove(receiver.arrived[0])
    assert receiver.take(*segments(message_id="m-2")) == OK


def test_after_a_restart():
    receiver = Receiver()
    parts = segments("x" * 300)
    receiver.take(parts[3], parts[0])
    receiver.take(*segments("whole" * 30, "m-2"))
    del receiver.arrived[:], receiver.sent[:]
    receiver.begin()
    # The complete one is told again, and not confirmed again.
    assert [message.message_id for message in receiver.arrived] == ["m-2"] and not receiver.sent
    assert receiver.take(parts[0]) == OK
    receiver.take(parts[1], parts[2], parts[4])
    assert receiver.arrived[1].payload() == "x" * 300
    for message in list(receiver.arrived):
        receiver.reassembly.remove(message)
    receiver.begin()
    assert len(receiver.store) == 0 and receiver.take(parts[0]) == OK and len(receiver.store) == 0


def test_rubbish_in_the_store_is_taken_out():
    receiver = Receiver()
    receiver.take(segments()[0])
    receiver.store.put("segments", "x", wire.MSG, "m-9", 2, b"{")
    receiver.store.put(
        "segments", "x", wire.MSG, "m-8", 2, messages.encode(messages.message(UE1, UE2, "m-8"))
    )
    receiver.begin()
    assert len(receiver.store) == 1 and len(receiver.reassembly) == 1


def test_numbers_from_0():
    receiver = Receiver()
    parts = segments("x" * 300)
    for one in parts:
        one[wire.SEGMENT_NUMBER] -= 1
    assert receiver.take(parts[0], parts[1], parts[4]) == OK
    receiver.world.advance(15000)
    assert receiver.sent[0][wire.MISSING_SEGMENT_NUMBERS] == [2, 3]
    assert receiver.take(parts[3], parts[2]) == OK
    assert receiver.arrived[0].payload() == "x" * 300


def test_numbers_from_0_where_the_first_comes_last():
    receiver = Receiver()
    parts = segments("x" * 300)
    for one in parts:
        one[wire.SEGMENT_NUMBER] -= 1
    assert receiver.take(parts[1], parts[2], parts[3], parts[4], parts[0]) == OK
    assert receiver.arrived[0].payload() == "x" * 300


def test_never_told_the_total():
    receiver = Receiver()
    parts = segments("x" * 300)
    del parts[0][wire.TOTAL_SEGMENTS]
    assert receiver.take(*parts) == OK
    assert not receiver.arrived
    receiver.world.advance(13000)
    assert receiver.arrived[0].payload() == "x" * 300 and receiver.kinds() == [wire.SEGCONFIR]


def test_lies():
    first, second, third, fourth = segments()
    lies = [
        (altered(second, SEGMENT_NUMBER=5), wire.SEGMENT_NUMBER),
        (altered(second, SEGMENT_NUMBER=0), wire.SEGMENT_NUMBER),
        (altered(second, SEGMENT_NUMBER=-1), wire.SEGMENT_NUMBER),
        (altered(first, TOTAL_SEGMENTS=5), wire.TOTAL_SEGMENTS),
        (altered(first, TOTAL_SEGMENTS=0), wire.TOTAL_SEGMENTS),
        (altered(second, TOTAL_SEGMENTS=4), wire.TOTAL_SEGMENTS),
        (altered(first, SEGMENT_NUMBER=0), wire.TOTAL_SEGMENTS),
        (altered(second, LAST_SEGMENT_FLAG=True), wire.LAST_SEGMENT_FLAG),
        (altered(first, LAST_SEGMENT_FLAG=True), wire.LAST_SEGMENT_FLAG),
        (altered(second, SEGMENTATION_SET_ID="other"), wire.SEGMENTATION_SET_ID),
        (altered(first, PAYLOAD="other"), wire.PAYLOAD),
    ]
    for lie, element in lies:
        receiver = Receiver()
        receiver.take(first)
        assert receiver.take(lie) == (wire.INVALID, wire.INVALID_IE + wire.name(element)), lie
        assert receiver.counted()["refused"] == 1 and len(receiver.store) == 1
        # What is true is accepted all the same.
        assert receiver.take(second, third, fourth) == OK
        assert receiver.arrived[0].payload() == "x" * 200


def test_lies_before_the_truth_is_known():
    first, second, third, fourth = segments()
    for before, then, element in (
        (altered(fourth, SEGMENT_NUMBER=5), first, wire.LAST_SEGMENT_FLAG),
        (altered(second, LAST_SEGMENT_FLAG=True), third, wire.SEGMENT_NUMBER),
        (altered(second, SEGMENT_NUMBER=9), first, wire.SEGMENT_NUMBER),
        (third, altered(second, LAST_SEGMENT_FLAG=True), wire.SEGMENT_NUMBER),
        (third, altered(second, TOTAL_SEGMENTS=4), wire.SEGMENT_NUMBER),
    ):
        receiver = Receiver()
        assert receiver.take(before) == OK
        assert receiver.take(then) == (wire.INVALID, wire.INVALID_IE + wire.name(element)), before


def test_elements_that_are_not_there():
    receiver = Receiver()
    first = segments()[0]
    for name in ("SEGMENT_NUMBER", "SEGMENTATION_SET_ID"):
        answer = receiver.take(altered(first, **{name: None}))
        assert answer == (wire.INVALID, wire.MANDATORY_IE_MISSING + wire.name(getattr(wire, name)))
    assert receiver.take(altered(first, PAYLOAD=None)) == OK
    assert len(receiver.store) == 1


def test_too_many_too_much():
    receiver = Receiver(most_segments=4, most_octets=150)
    first, second, third = segments()[:3]
    for lie in (altered(first, TOTAL_SEGMENTS=5), altered(first, TOTAL_SEGMENTS=1 << 60)):
        assert receiver.take(lie)[0] == wire.TOO_LARGE
    assert receiver.take(altered(second, SEGMENT_NUMBER=1 << 60))[0] == wire.TOO_LARGE
    assert len(receiver.reassembly) == 0
    # One that never ends is given up, with its report.
    assert receiver.take(first, second) == OK
    assert receiver.take(third) == (wire.TOO_LARGE, wire.SEGMENTS_MISSING)
    assert receiver.kinds() == [wire.IMDN] and len(receiver.store) == 0 and len(receiver.reassembly) == 0


def test_no_room_in_the_store():
    receiver = Receiver(most_items=2)
    parts = segments()
    assert receiver.take(parts[0], parts[1]) == OK
    assert receiver.take(parts[2]) == (wire.UNAVAILABLE, wire.STORE_FULL)
    # A set that can't begin leaves nothing behind.
    assert receiver.take(segments(message_id="m-2")[0])[0] == wire.UNAVAILABLE
    assert len(receiver.reassembly) == 1
