"""The server's service on a real store: target resolution, store and forward, reports, duplicates, expiry."""

import pytest
from msgin5g import messages, wire
from msgin5g.delivery import HIGH, LOW, MIDDLE

from host_tools.server.service import ACCEPTED, Outcome, Service, party
from host_tools.store import SqliteStore

UE1, UE2, AS = "ue1@a", "ue2@a", "as@a"


class Clock:
    def __init__(self):
        self.seconds = 1_800_000_000

    def __call__(self):
        return self.seconds


class Way:
    """A way out: who is reachable, who is known, and what was sent."""

    def __init__(self, *reachable, known=()):
        self.there = set(reachable)
        self.ours = set(known)
        self.items = []
        self.open = set()

    def reachable(self, service_id):
        return service_id in self.there

    def known(self, service_id):
        return service_id in self.there | self.ours

    def opens(self, service_id):
        return None

    def wants_storing(self, service_id):
        return True

    def add(self, item, now):
        self.items.append(item)

    def discard(self, item):
        pass

    def under_way(self, item):
        return item.key in self.open


class Server:
    def __init__(self, path, most_messages=10):
        self.clock = Clock()
        self.store = SqliteStore(path, most_messages, self.clock)
        self.service = Service(self.store, self.clock)
        self.ues = Way(UE1, UE2)
        self.application_servers = Way(AS)
        self.service.outbound |= {wire.UE: self.ues, wire.AS: self.application_servers}

    def submit(self, elements):
        return self.service.submit(elements, messages.encode(elements), 0)

    def stored(self, kind=wire.MSG, address=(wire.UE, UE2)):
        return [item for item in self.store.pending(party(address), -1, 100) if item.kind == kind]

    def reports(self, address=(wire.UE, UE1)):
        return [messages.decode(item.body) for item in self.stored(wire.IMDN, address)]

    @property
    def counters(self):
        return {key: value for key, value in self.service.counters.items() if value}


@pytest.fixture
def server(tmp_path):
    server = Server(tmp_path / "server.sqlite")
    yield server
    server.store.close()


def msg(message_id="m-1", to=(wire.UE, UE2), origin=(wire.UE, UE1), held=True, report=True, expires=None):
    elements = messages.message(origin, to, message_id, held, report)
    messages.set_payload(elements, "x")
    if expires is not None:
        messages.set_expiration(elements, expires)
    return elements


# -- target resolution (5.3.2.2)


def test_a_message_goes_the_way_of_its_recipient(server):
    assert server.submit(msg("1")) == ACCEPTED
    assert server.submit(msg("2", to=(wire.AS, AS))) == ACCEPTED
    assert [item.message_id for item in server.ues.items] == ["1"]
    assert [item.message_id for item in server.application_servers.items] == ["2"]
    assert server.counters == {"messages": 2}


def test_a_ue_and_an_as_of_the_same_name_are_two(server):
    server.application_servers.there.add(UE2)
    server.submit(msg("1"))
    server.submit(msg("1", to=(wire.AS, UE2)))
    assert len(server.ues.items) == len(server.application_servers.items) == 1
    assert server.ues.items[0].hop != server.application_servers.items[0].hop


@pytest.mark.parametrize("kind", [wire.GROUP, wire.BROADCAST, wire.TOPIC])
def test_recipients_that_are_not_supported_are_refused(server, kind):
    outcome = server.submit(msg(to=(kind, "x")))
    assert outcome == Outcome(wire.NO_SUCH_RECIPIENT, wire.DELIVERY_FAILED, wire.UNSUPPORTED_RECIPIENT)
    assert server.counters == {"unsupported_recipient": 1}
    assert len(server.store) == 0


# -- store and forward (8.3.6)


@pytest.mark.parametrize("held", [True, False])
def test_reachable_is_delivered_now(server, held):
    assert server.submit(msg(held=held)) == ACCEPTED
    assert [item.message_id for item in server.ues.items] == ["m-1"]


def test_not_reachable_and_held_is_stored(server):
    server.ues.there.remove(UE2)
    assert server.submit(msg()) == Outcome(wire.ACCEPTED, wire.DELIVERY_STORED)
    assert server.ues.items == []
    assert len(server.stored()) == 1
    assert server.counters == {"messages": 1, "stored_for_later": 1}


def test_not_reachable_and_not_held_fails(server):
    server.ues.there.remove(UE2)
    outcome = server.submit(msg(held=False))
    assert outcome == Outcome(wire.NO_SUCH_RECIPIENT, wire.DELIVERY_FAILED, wire.UNKNOWN_RECIPIENT)
    server.ues.ours.add(UE2)
    outcome = server.submit(msg(held=False))
    assert outcome == Outcome(wire.ACCEPTED, wire.DELIVERY_FAILED, wire.RECIPIENT_NOT_REACHABLE)
    assert len(server.store) == 0
    # It was not accepted: its sender may try again.
    server.ues.there.add(UE2)
    assert server.submit(msg(held=False)) == ACCEPTED
    assert len(server.ues.items) == 1


def test_a_full_store_asks_the_sender_to_wait(server):
    for number in range(10):
        server.submit(msg(str(number)))
    outcome = server.submit(msg("too many"))
    assert outcome == Outcome(wire.UNAVAILABLE, wire.DELIVERY_FAILED, wire.STORE_FULL)
    assert server.counters == {"messages": 10, "store_full": 1}


@pytest.mark.parametrize(
    ("stated", "held", "expected"),
    [
        (None, True, wire.DEFAULT_EXPIRATION),
        (None, False, wire.REPORT_WAIT),
        (30, True, 30),
        (30, False, 30),
        (10**9, True, wire.LONGEST_EXPIRATION),
        (-30, True, -30),
    ],
)
def test_how_long_a_message_is_held(server, stated, held, expected):
    expires = None if stated is None else server.clock.seconds + stated
    server.submit(msg(held=held, expires=expires))
    assert server.ues.items[0].expires == server.clock.seconds + expected


@pytest.mark.parametrize(
    ("latency", "expected"), [(0, 0), (1, 1), (1500, 2), (-5, 0), (10**30, wire.LONGEST_EXPIRATION)]
)
def test_a_latency_is_how_long_it_is_held_at_most(server, latency, expected):
    elements = msg(held=False)
    elements[wire.LATENCY] = latency
    server.submit(elements)
    assert server.ues.items[0].expires == server.clock.seconds + expected
    held = msg("2")
    held[wire.LATENCY] = latency
    server.submit(held)
    assert server.ues.items[1].expires == server.clock.seconds + wire.DEFAULT_EXPIRATION


@pytest.mark.parametrize(
    ("stated", "expected"),
    [("HIGH", HIGH), ("High", HIGH), ("MIDDLE", MIDDLE), ("LOW", LOW), ("URGENT", MIDDLE), (None, MIDDLE)],
)
def test_priority_is_kept_with_the_message(server, stated, expected):
    elements = msg()
    if stated:
        elements[wire.PRIORITY_TYPE] = stated
    server.submit(elements)
    assert server.ues.items[0].priority == expected
    assert server.stored()[0].priority == expected


def test_steps_come_before_the_target_and_the_first_that_decides_ends_it(server):
    passed = []
    server.service.steps += [
        lambda elements, body, now: passed.append(1),
        lambda elements, body, now: ACCEPTED if elements[wire.MESSAGE_ID] == "m-1" else None,
        lambda elements, body, now: passed.append(3),
    ]
    assert server.submit(msg("m-1")) == ACCEPTED
    assert (passed, server.ues.items) == ([1], [])
    server.submit(msg("m-2"))
    assert (passed, len(server.ues.items)) == ([1, 1, 3], 1)


# -- duplicates


def test_a_duplicate_is_accepted_and_not_delivered_again(server):
    server.submit(msg())
    assert server.submit(msg()) == ACCEPTED
    server.store.remove(server.ues.items[0])
    assert server.submit(msg()) == ACCEPTED
    assert len(server.ues.items) == 1
    assert server.counters == {"messages": 1, "duplicates": 2}


def test_a_duplicate_of_what_was_delivered_does_not_fail_when_its_recipient_has_left(server):
    server.submit(msg(held=False))
    server.store.remove(server.ues.items[0])
    server.ues.there.remove(UE2)
    assert server.submit(msg(held=False)) == ACCEPTED
    assert server.submit(msg()) == ACCEPTED
    assert server.counters == {"messages": 1, "duplicates": 2}


def test_segments_are_no_duplicates_of_each_other(server):
    for number in (1, 2, 3):
        elements = msg()
        elements[wire.SEGMENT_NUMBER] = number
        server.submit(elements)
        server.submit(elements)
    assert server.counters == {"messages": 3, "duplicates": 3}


# -- reports (8.3.4, 8.3.5)


def test_a_report_goes_back_to_the_sender(server):
    server.submit(msg())
    assert server.submit(messages.report_on(msg())) == ACCEPTED
    report = server.ues.items[-1]
    assert (report.hop, report.kind) == (UE1, wire.IMDN)
    assert messages.decode(report.body)[wire.MESSAGE_ID] == "m-1"
    server.submit(msg("2", origin=(wire.AS, AS)))
    server.submit(messages.report_on(msg("2", origin=(wire.AS, AS))))
    assert server.application_servers.items[-1].kind == wire.IMDN


def test_a_report_waits_for_a_sender_that_is_away(server):
    server.submit(msg())
    server.ues.there.remove(UE1)
    assert server.submit(messages.report_on(msg())) == ACCEPTED
    assert len(server.reports()) == 1
    assert len(server.ues.items) == 1


def test_a_recipient_knows_better_than_a_hop_that_gave_up(server):
    server.submit(msg())
    for cause in ("EXPIRED", "EXPIRED", None, "EXPIRED"):
        assert server.submit(messages.report_on(msg(), cause)) == ACCEPTED
    told = [wire.status(report[wire.DELIVERY_STATUS]) for report in server.reports()]
    assert told == [wire.FAILED, wire.SUCCESS]


def test_a_report_is_delivered_once(server):
    server.submit(msg())
    for cause in (None, None, "BROKEN"):
        assert server.submit(messages.report_on(msg(), cause)) == ACCEPTED
    assert len(server.reports()) == 1
    assert wire.status(server.reports()[0][wire.DELIVERY_STATUS]) == wire.SUCCESS
    assert server.counters == {"messages": 1, "reports": 3, "duplicates": 2}


@pytest.mark.parametrize(
    "report",
    [
        messages.report_on(msg("another")),
        messages.report_on(msg(to=(wire.UE, UE1), origin=(wire.UE, UE2))),
        messages.report_on(msg(to=(wire.AS, AS))),
        messages.report_on(msg(origin=(wire.AS, AS))),
        messages.report_on(msg(to=(wire.AS, UE2))),
    ],
    ids=["of another message", "of the sender", "of an AS", "to an AS", "of an AS of that name"],
)
def test_a_report_for_a_message_that_nobody_sent(server, report):
    server.submit(msg())
    outcome = server.submit(report)
    assert outcome == Outcome(wire.NO_SUCH_RECIPIENT, wire.DELIVERY_FAILED, wire.UNKNOWN_MESSAGE)
    assert server.counters == {"messages": 1, "unknown_message": 1}
    assert len(server.store) == 1


def test_a_report_on_a_message_in_segments(server):
    for number in (1, 2):
        elements = msg()
        elements[wire.SEGMENT_NUMBER] = number
        server.submit(elements)
    assert server.submit(messages.report_on(msg())) == ACCEPTED


def test_a_report_is_taken_after_the_message_has_left_the_store(server):
    server.submit(msg())
    server.store.remove(server.ues.items[0])
    assert server.submit(messages.report_on(msg())) == ACCEPTED


# -- failure and expiry


def test_what_fails_is_reported_once(server):
    server.submit(msg())
    server.service.fail(server.ues.items[0], wire.REJECTED_BY_RECIPIENT, 0)
    (report,) = server.reports()
    assert report[wire.FAILURE_CAUSE] == wire.REJECTED_BY_RECIPIENT
    assert messages.originator(report) == (wire.UE, UE2)
    assert server.stored() == []


def test_what_fails_is_not_reported_to_those_who_did_not_ask(server):
    server.submit(msg(report=False))
    server.service.fail(server.ues.items[0], wire.REJECTED_BY_RECIPIENT, 0)
    server.submit(messages.report_on(msg(report=False)))
    server.service.fail(server.ues.items[1], wire.REJECTED_BY_RECIPIENT, 0)
    assert len(server.store) == 0


def test_there_is_room_for_the_report_of_what_fails_in_a_full_store(server):
    for number in range(10):
        server.submit(msg(str(number)))
    server.service.fail(server.ues.items[0], wire.EXPIRED, 0)
    assert len(server.reports()) == 1


def test_expiry_fails_with_a_report(server):
    server.ues.there.remove(UE2)
    server.submit(msg("early", expires=server.clock.seconds + 10))
    server.submit(msg("late", expires=server.clock.seconds + 100))
    server.clock.seconds += 9
    server.service.expire(0)
    assert len(server.stored()) == 2
    server.clock.seconds += 1
    server.service.expire(0)
    assert [item.message_id for item in server.stored()] == ["late"]
    (report,) = server.reports()
    assert (report[wire.MESSAGE_ID], report[wire.FAILURE_CAUSE]) == ("early", wire.EXPIRED)
    assert server.counters["expired"] == 1
    server.service.expire(0)
    assert server.counters["expired"] == 1


def test_what_is_under_way_does_not_expire(server):
    server.submit(msg(expires=server.clock.seconds + 10))
    item = server.ues.items[0]
    server.ues.open.add(item.key)
    server.clock.seconds += 100
    server.service.expire(0)
    assert len(server.stored()) == 1
    server.ues.open.clear()
    server.service.expire(0)
    assert server.stored() == []


def test_one_that_cannot_be_read_any_more_does_not_stop_the_others(server):
    server.store.put(UE2, UE1, wire.MSG, "unreadable", 0, b"{}", 1, True)
    server.submit(msg(expires=2))
    server.service.expire(0)
    assert len(server.reports()) == 1
    assert server.stored() == []


def test_a_sender_of_a_kind_that_is_gone_is_not_told(server):
    server.submit(msg(origin=(wire.AS, AS), expires=1))
    del server.service.outbound[wire.AS]
    server.service.expire(0)
    assert len(server.store) == 0
