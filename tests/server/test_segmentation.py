"""Messages in segments at the server: passed through, put together, cut anew, and everything about them durable."""

import asyncio
import random

import pytest
from msgin5g import messages, wire
from msgin5g.client import NOT_PROTECTED, Client
from msgin5g.segmentation import Large
from msgin5g.store.memory import MemoryStore
from world import FakeLink

from host_tools.server.service import ACCEPTED
from tests.server.lab import AS, SERVER, UE1, UE2, Lab


class Way:
    """The way out to Application Servers: what was sent there."""

    def __init__(self):
        self.items = []

    def reachable(self, service_id):
        return service_id == AS

    known = wants_storing = reachable

    def opens(self, service_id):
        return None

    def add(self, item, now):
        self.items.append(messages.decode(item.body))

    def under_way(self, item):
        return False

    def discard(self, item):
        pass


@pytest.fixture
def lab(tmp_path):
    lab = Lab(tmp_path / "server.sqlite")
    yield lab
    lab.store.close()


@pytest.fixture
def ends(lab):
    """Two UEs; the second supports segments of 500 octets."""
    first, second = lab.peer("one"), lab.peer("two")
    assert first.register(UE1)[0] == "2.01"
    register(second, UE2, 500)
    lab.service.outbound[wire.AS] = Way()
    return first, second


def register(peer, ue, size):
    code, _ = peer.post(messages.registration(ue, {wire.SUPPORTED_SEGMENT_SIZE: size}))
    assert code == "2.01"


def whole(payload, message_id="m-1", origin=(wire.UE, UE1), to=(wire.UE, UE2), report=True):
    elements = messages.message(origin, to, message_id, True, report)
    messages.set_payload(elements, payload)
    return elements


def cut(elements, size):
    large = Large(messages.encode(elements), size, messages.encode, messages.decode)
    return [messages.decode(large.body(number)) for number in range(1, large.total + 1)]


def of(peer, kind=wire.MSG):
    return [elements for elements in peer.received if elements[wire.MESSAGE_TYPE] == kind]


def octets_of(elements):
    payload = messages.payload(elements) or b""
    return payload.encode() if isinstance(payload, str) else payload


def joined(segments):
    return b"".join([octets_of(one) for one in sorted(segments, key=lambda one: one[wire.SEGMENT_NUMBER])])


def said(kind, set_id, origin=(wire.UE, UE2), to=(wire.UE, UE1), missing=None):
    elements = {wire.MESSAGE_TYPE: kind, wire.SEGMENTATION_SET_ID: set_id}
    messages.set_originator(elements, *origin)
    messages.set_recipient(elements, *to)
    if missing:
        elements[wire.MISSING_SEGMENT_NUMBERS] = missing
    return elements


# -- towards a UE


def test_a_large_message_of_an_as_goes_in_segments_of_the_ues_size(lab, ends):
    elements = whole("x" * 1800, origin=(wire.AS, AS))
    lab.service.submit(elements, messages.encode(elements), 0)
    lab.world.settle()
    segments = of(ends[1])
    assert [segment[wire.SEGMENT_NUMBER] for segment in segments] == [1, 2, 3, 4]
    assert joined(segments) == b"x" * 1800 and max(len(one[wire.PAYLOAD]) for one in segments) <= 500
    # Kept until it is confirmed; then the report passes.
    assert lab.held(UE2) == ["m-1"]
    assert ends[1].post(said(wire.SEGCONFIR, "m-1", to=(wire.AS, AS)))[0] == "2.04"
    assert lab.held(UE2) == []
    assert ends[1].post(messages.report_on(elements))[0] == "2.04"
    assert lab.service.outbound[wire.AS].items[-1][wire.DELIVERY_STATUS] == wire.REPORT_SUCCESS


def test_what_a_ue_misses_is_sent_again(lab, ends):
    elements = whole("x" * 1800, origin=(wire.AS, AS))
    lab.service.submit(elements, messages.encode(elements), 0)
    lab.world.settle()
    del ends[1].received[:]
    assert ends[1].post(said(wire.SEGREC, "m-1", to=(wire.AS, AS), missing=[3, 9]))[0] == "2.04"
    assert [segment[wire.SEGMENT_NUMBER] for segment in of(ends[1])] == [3]
    # Nobody else has a say in it.
    assert ends[0].post(said(wire.SEGCONFIR, "m-1", (wire.UE, UE1), (wire.AS, AS)))[0] == "4.00"
    assert lab.held(UE2) == ["m-1"]


def test_a_refused_segment_is_reported(lab, ends):
    ends[1].answer = (wire.TOO_LARGE, wire.MALFORMED)
    elements = whole("x" * 1800, origin=(wire.AS, AS))
    lab.service.submit(elements, messages.encode(elements), 0)
    lab.world.settle()
    (report,) = lab.service.outbound[wire.AS].items
    assert report[wire.FAILURE_CAUSE] == wire.REJECTED_BY_RECIPIENT
    assert lab.held(UE2) == [] and len(lab.face.segmentation) == 0


def test_after_a_restart_a_kept_message_is_sent_once_more(lab, ends):
    elements = whole("x" * 1800, origin=(wire.AS, AS))
    lab.service.submit(elements, messages.encode(elements), 0)
    lab.world.settle()
    before = of(ends[1])
    lab.restart()
    lab.world.settle()
    assert of(ends[1]) == before * 2
    lab.world.advance(61000)
    assert lab.held(UE2) == []


# -- between UEs


def test_segments_that_fit_pass_and_what_the_ends_say_does_too(lab, ends):
    segments = cut(whole("x" * 1200), 400)
    for segment in segments:
        assert ends[0].post(segment) == ("2.04", {})
    assert of(ends[1]) == segments
    missing = said(wire.SEGREC, "m-1", missing=[2])
    for _ in range(2):
        assert ends[1].post(missing)[0] == "2.04"
    assert [one[wire.MISSING_SEGMENT_NUMBERS] for one in of(ends[0], wire.SEGREC)] == [[2], [2]]
    assert ends[1].post(said(wire.SEGCONFIR, "m-1"))[0] == "2.04"
    assert len(of(ends[0], wire.SEGCONFIR)) == 1
    assert ends[1].post(messages.report_on(whole("")))[0] == "2.04"
    assert len(of(ends[0], wire.IMDN)) == 1


def test_segments_that_do_not_fit_are_cut_anew(lab, ends):
    segments = cut(whole("\u20ac" * 600), 1000)
    for segment in segments[:-1]:
        assert ends[0].post(segment) == ("2.04", {})
    assert of(ends[1]) == [] and len(lab.store) == len(segments) - 1
    assert ends[0].post(segments[-1]) == ("2.04", {})
    assert joined(of(ends[1])) == ("\u20ac" * 600).encode()
    assert {one[wire.TOTAL_SEGMENTS] for one in of(ends[1]) if wire.TOTAL_SEGMENTS in one} == {4}
    (confirmation,) = of(ends[0], wire.SEGCONFIR)
    assert confirmation[wire.SEGMENTATION_SET_ID] == "m-1"
    assert messages.originator(confirmation) == (wire.UE, UE2)
    # What comes again goes nowhere.
    del ends[1].received[:]
    for segment in segments:
        assert ends[0].post(segment) == ("2.04", {})
    assert ends[1].received == [] and ends[1].post(messages.report_on(whole("")))[0] == "2.04"
    assert len(of(ends[0], wire.IMDN)) == 1


def test_for_a_ue_that_is_not_there_they_are_put_together(lab, ends):
    segments = cut(whole("x" * 1200, to=(wire.UE, "away@a")), 400)
    told = [ends[0].post(segment)[1] for segment in segments]
    assert told[:-1] == [{}] * (len(segments) - 1) and told[-1][wire.DELIVERY_STATUS] == wire.DELIVERY_STORED
    assert lab.held("away@a") == ["m-1"]
    away = lab.peer("three")
    register(away, "away@a", 4000)
    lab.world.settle()
    assert [messages.payload(one) for one in of(away)] == ["x" * 1200]


def test_what_has_begun_to_pass_goes_on_whatever_becomes_of_the_recipient(lab, ends):
    segments = cut(whole("x" * 1200), 400)
    for segment in segments[:2]:
        assert ends[0].post(segment) == ("2.04", {})
    assert ends[1].post(messages.deregistration(UE2))[0] == "2.02"
    # After a restart a sender begins at the beginning.
    for segment in segments:
        assert ends[0].post(segment)[0] == "2.04"
    register(ends[1], UE2, 300)
    lab.world.settle()
    assert of(ends[1]) == segments and len(lab.store) == 0


# -- to an Application Server


def test_an_as_gets_the_message_whole(lab, ends):
    octets = bytes(range(256)) * 8
    for segment in cut(whole(octets, to=(wire.AS, AS)), 900):
        assert ends[0].post(segment) == ("2.04", {})
    (message,) = lab.service.outbound[wire.AS].items
    assert messages.payload(message) == octets
    assert message == whole(octets, to=(wire.AS, AS))
    assert len(of(ends[0], wire.SEGCONFIR)) == 1


def test_a_restart_in_the_middle(lab, ends):
    segments = cut(whole("x" * 3000, to=(wire.AS, AS)), 900)
    for segment in segments[:2]:
        ends[0].post(segment)
    lab.restart()
    lab.service.outbound[wire.AS] = Way()
    for segment in segments:
        assert ends[0].post(segment) == ("2.04", {})
    assert [messages.payload(one) for one in lab.service.outbound[wire.AS].items] == ["x" * 3000]


def test_what_is_missing_is_asked_for_and_given_up_in_the_end(lab, ends):
    segments = cut(whole("x" * 3000, to=(wire.AS, AS)), 900)
    ends[0].post(segments[0])
    lab.world.advance(60000)
    requests = of(ends[0], wire.SEGREC)
    assert [one[wire.MISSING_SEGMENT_NUMBERS] for one in requests] == [[2, 3, 4]] * 3
    assert messages.originator(requests[0]) == (wire.AS, AS)
    lab.world.advance(1000000)
    (report,) = of(ends[0], wire.IMDN)
    assert report[wire.FAILURE_CAUSE] == wire.SEGMENTS_MISSING
    assert len(lab.store) == 0 and len(lab.segments.reassembly) == 0
    code, told = ends[0].post(segments[1])
    assert (code, told[wire.FAILURE_CAUSE]) == ("4.00", wire.SEGMENTS_MISSING)
    assert lab.service.outbound[wire.AS].items == []


def test_an_unknown_recipient_is_told_with_the_last(lab, ends):
    elements = whole("x" * 1000, to=(wire.UE, "nobody@a"))
    elements[wire.STORE_AND_FORWARD_FLAG] = False
    answers = [ends[0].post(segment) for segment in cut(elements, 400)]
    assert [code for code, _ in answers] == ["2.04", "2.04", "4.04"]
    assert len(of(ends[0], wire.IMDN)) == 1 and len(lab.store) == 0


def test_so_many_sets_and_no_more(tmp_path):
    lab = Lab(tmp_path / "server.sqlite")
    lab.segment_limits.update(most_sets=2, most_octets=2000)
    lab.restart()
    lab.service.outbound[wire.AS] = Way()
    peer = lab.peer("one")
    peer.register(UE1)
    for number in range(2):
        assert peer.post(cut(whole("x" * 1500, f"m-{number}", to=(wire.AS, AS)), 900)[0])[0] == "2.04"
    assert peer.post(cut(whole("x" * 1500, "m-3", to=(wire.AS, AS)), 900)[0])[0] == "5.03"
    large = cut(whole("x" * 4000, "m-1", to=(wire.AS, AS)), 900)
    assert {peer.post(segment)[0] for segment in large[2:]} == {"4.00"}
    assert lab.segments.reassembly.counters["contradictions"] == 3
    lab.store.close()


# -- with clients


@pytest.mark.parametrize("sizes", [(2048, 2048), (500, 200), (200, 500)])
def test_between_two_clients(lab, sizes):
    octets = random.Random(1).randbytes(3000)

    def client(ue, name, size):
        profile = {wire.SUPPORTED_SEGMENT_SIZE: size}
        link = FakeLink.at(lab.world, (name, 5683))
        store = MemoryStore(8, 100, 40)
        options = {"link": link, "store": store, "profile": profile, "segment_size": size}
        return Client(ue, SERVER, security=NOT_PROTECTED, **options)

    async def exchange():
        first, second = client(UE1, "one", sizes[0]), client(UE2, "two", sizes[1])
        await lab.world.run(first.register())
        await lab.world.run(second.register())
        sent = await first.send(octets, ue=UE2, report=True)
        received = await lab.world.run(second.receive())
        assert received.payload == octets and received.message_id == sent.message_id
        second.inbox.finish(lab.world.now)
        assert await lab.world.run(sent.delivered())
        lab.world.advance(130000)
        return first, second

    for one in asyncio.run(exchange()):
        assert len(one.store) == 0
    assert len(lab.store) == 0 and len(lab.segments.reassembly) == 0 and len(lab.face.segmentation) == 0


# -- seeded


@pytest.mark.parametrize("seed", range(12))
def test_each_arrives_once_whatever_happens(tmp_path, seed):
    chance = random.Random(seed)
    lab = Lab(tmp_path / "server.sqlite")
    lab.world.drop = lambda *_: chance.random() < 0.1  # pyright: ignore[reportAttributeAccessIssue]
    first, second = lab.peer("one"), lab.peer("two")
    way = Way()
    lab.service.outbound[wire.AS] = way
    for peer, ue, size in ((first, UE1, 2048), (second, UE2, 300)):
        profile = {wire.SUPPORTED_SEGMENT_SIZE: size}
        responses = peer.send(messages.registration(ue, profile))
        while not responses:
            lab.world.advance(1000)
    expected = {}
    waiting = []
    for number in range(4):
        payload = chance.randbytes(chance.randrange(700, 4000))
        to = chance.choice([(wire.UE, UE2), (wire.AS, AS)])
        expected[f"m-{number}"] = payload
        waiting += cut(whole(payload, f"m-{number}", to=to), 600)
    chance.shuffle(waiting)
    for segment in waiting:
        code = None
        # As a client does: each again until it is accepted.
        while code != wire.ACCEPTED:
            responses = [first.send(segment) for _ in range(chance.choice((1, 1, 1, 2)))]
            if chance.random() < 0.1:
                lab.restart()
                lab.service.outbound[wire.AS] = way
            while not all(responses):
                lab.world.advance(1000)
            code = responses[0][0].code
    lab.world.drop = None
    lab.world.advance(400000)
    arrived = {one[wire.MESSAGE_ID]: messages.payload(one) for one in way.items}
    assert len(arrived) == len(way.items)
    for message_id in {one[wire.MESSAGE_ID] for one in of(second)}:
        # More than once where the server was killed before it heard; the UE knows them by their numbers.
        numbered = {one[wire.SEGMENT_NUMBER]: one for one in of(second) if one[wire.MESSAGE_ID] == message_id}
        assert message_id not in arrived
        arrived[message_id] = joined(numbered.values())
    assert arrived == expected
    assert not of(first, wire.IMDN)
    assert lab.held(UE2) == [] and len(lab.segments.reassembly) == 0
    lab.store.close()


def test_counters(lab, ends):
    for segment in cut(whole("x" * 1000, to=(wire.AS, AS)), 400):
        ends[0].post(segment)
    assert lab.segments.snapshot()["whole"] == 1 and lab.segments.snapshot()["sets"] == 0
    elements = whole("x")
    assert lab.service.submit(elements, messages.encode(elements), 0) == ACCEPTED
