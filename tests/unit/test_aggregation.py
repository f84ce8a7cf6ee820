# Aggregation: which messages travel as one, for how long they wait for each other, and that what comes apart is what
# went in.

from msgin5g import messages, wire
from msgin5g.aggregation import Gather, aggregated, join, split
from msgin5g.coap.endpoint import Endpoint, Parameters
from msgin5g.delivery import DONE, HIGH, LATER, LOW, MIDDLE, Delivery
from msgin5g.store.memory import MemoryStore
from world import World

UE1, UE2, UE3, AS = (wire.UE, "ue1@a"), (wire.UE, "ue2@a"), (wire.UE, "ue3@a"), (wire.AS, "as@a")


def msg(message_id, to=AS, payload="23.5 C", report=False, held=True):
    elements = messages.message(UE1, to, message_id, held, report)
    messages.set_payload(elements, payload)
    return elements


def imdn(message_id, to=UE2, cause=None):
    return messages.report_on(messages.message(to, UE1, message_id), cause)


def there_and_back(several):
    # As it travels.
    return messages.decode(messages.encode(join(several)))


def test_messages_come_apart_as_they_went_in():
    several = [
        msg("m-1", report=True),
        msg("m-2", payload=b"\xff\x00\x80"),
        msg("m-3", held=False),
        msg("m-4", payload=""),
    ]
    several[0][wire.APPLICATION_ID] = "meter"
    several[1][wire.PRIORITY_TYPE] = wire.LOW
    messages.set_expiration(several[3], 1800000000)
    whole = there_and_back(several)
    assert aggregated(whole) and not aggregated(several[0])
    assert split(whole) == several
    for one in split(whole):
        messages.check(one)


def test_what_all_have_is_said_once():
    whole = join([msg("m-1"), msg("m-2", held=False)])
    assert messages.originator(whole) == UE1 and messages.recipient(whole) == AS
    assert whole[wire.NUMBER_OF_MESSAGES] == 2
    first, second = whole[wire.INDIVIDUAL_MESSAGES]
    assert first == {wire.MESSAGE_ID: "m-1", wire.PAYLOAD: "23.5 C"}
    assert second == {wire.MESSAGE_ID: "m-2", wire.PAYLOAD: "23.5 C", wire.STORE_AND_FORWARD_FLAG: False}
    assert len(messages.encode(whole)) < len(messages.encode(msg("m-1"))) * 2 + 120


def test_the_same_messages_have_the_same_message_id_together():
    several = [msg("m-1"), msg("m-2"), msg("m-3")]
    assert join(several)[wire.MESSAGE_ID] == join(several)[wire.MESSAGE_ID]
    assert join(several)[wire.MESSAGE_ID] != join(several[:2])[wire.MESSAGE_ID]
    assert len(join(several)[wire.MESSAGE_ID]) == 36


def test_a_group_message_for_one_member_keeps_both():
    several = [msg("m-1", UE2), msg("m-2", UE2)]
    for one in several:
        one[wire.GROUP_SERVICE_ID] = "group@a"
    assert split(there_and_back(several)) == several


def test_reports_come_apart_as_they_went_in():
    several = [imdn("m-1"), imdn("m-2", cause=wire.EXPIRED)]
    whole = there_and_back(several)
    assert aggregated(whole) and whole[wire.NUMBER_OF_REPORTS] == 2 and wire.DELIVERY_STATUS not in whole
    assert split(whole) == several


def test_parts_do_not_say_from_whom_and_to_whom():
    whole = join([msg("m-1"), msg("m-2")])
    lie = whole[wire.INDIVIDUAL_MESSAGES][0]
    lie[wire.ORIGINATING_UE] = "other@a"
    lie[wire.RECIPIENT_UE] = "other@a"
    lie[wire.MESSAGE_TYPE] = wire.IMDN
    lie[wire.SEGMENTATION_SET_ID] = "s"
    first, second = split(messages.decode(messages.encode(whole)))
    assert first == msg("m-1") and second == msg("m-2")


def test_lies_are_refused():
    def lie(change):
        whole = join([msg("m-1"), msg("m-2")])
        change(whole)
        try:
            messages.decode(messages.encode(whole))
        except messages.BadMessage as bad:
            return bad.cause
        return None

    parts = wire.INDIVIDUAL_MESSAGES
    assert lie(lambda whole: None) is None
    assert lie(lambda whole: whole.update({wire.NUMBER_OF_MESSAGES: 3}))
    assert lie(lambda whole: whole.update({parts: []}))
    assert lie(lambda whole: whole[parts][0].pop(wire.MESSAGE_ID))
    assert lie(lambda whole: whole[parts][0].update({wire.MESSAGE_ID: "x" * 300}))
    assert lie(lambda whole: whole[parts][0].update({parts: [{wire.MESSAGE_ID: "m-9"}]}))
    assert lie(lambda whole: whole[parts][0].update({wire.SEGMENT_NUMBER: 1}))
    assert lie(lambda whole: whole[parts][0].update({wire.PAYLOAD: "x", wire.PAYLOAD_ENCODING: wire.BASE64}))


# -- which travel as one


class Sender:
    def __init__(self, most_octets=1000, **options):
        self.world = World()
        self.endpoint = self.world.join("here", Endpoint(Parameters(), self.world.random.bits))
        self.store = MemoryStore(200, 200)
        gather = Gather(self.endpoint, most_octets, **options)
        self.delivery = Delivery(
            self.endpoint, self.store, self.send, lambda: None, most_loaded=64, gather=gather
        )
        gather.pump = self.delivery.pump
        self.gather = gather
        self.sent = []
        self.open = []
        self.verdict = DONE

    def send(self, hop, items, done, now):
        if isinstance(items, list):
            # What a client does with several.
            body = messages.encode(join([messages.decode(item.body) for item in items]))
            parts = split(messages.decode(body))
        else:
            body = items.body
            parts = [messages.decode(body)]
        self.sent.append([part[wire.MESSAGE_ID] for part in parts])
        self.largest = max(len(body), getattr(self, "largest", 0))
        if self.verdict is None:
            self.open.append(done)
        else:
            done(self.verdict, now)

    def put(self, *several, priority=MIDDLE):
        for elements in several:
            kind = elements[wire.MESSAGE_TYPE]
            item = self.store.put(
                "",
                "ue1@a",
                kind,
                messages.stored_id(elements),
                messages.segment(elements),
                messages.encode(elements),
                None,
                False,
                priority,
            )
            self.delivery.add(item, self.world.now)

    def after(self, milliseconds):
        self.world.advance(milliseconds)
        sent, self.sent = self.sent, []
        return sent


def test_they_wait_for_each_other_and_travel_as_one():
    sender = Sender()
    sender.put(msg("m-1"), msg("m-2"))
    assert sender.after(1900) == []
    sender.put(msg("m-3"))
    # As long as the first has waited.
    assert sender.after(200) == [["m-1", "m-2", "m-3"]]
    assert len(sender.store) == 0 and not sender.gather._waiting and not sender.gather._targets


def test_one_alone_goes_alone():
    sender = Sender(linger=500)
    sender.put(msg("m-1"))
    assert sender.after(400) == [] and sender.after(200) == [["m-1"]]


def test_without_lingering_what_waits_anyway_goes_together():
    sender = Sender(linger=0)
    sender.verdict = None
    sender.put(msg("m-1"), msg("m-2"), msg("m-3"))
    assert sender.after(0) == [["m-1"]]
    sender.open.pop()(DONE, sender.world.now)
    assert sender.after(0) == [["m-2", "m-3"]]


def test_high_priority_never_waits_and_never_joins():
    sender = Sender()
    sender.put(msg("m-1"))
    sender.put(msg("m-2"), msg("m-3"), priority=HIGH)
    assert sender.after(0) == [["m-2"], ["m-3"]]
    sender.put(msg("m-4"), msg("m-5"), priority=LOW)
    assert sender.after(2100) == [["m-1"], ["m-4", "m-5"]]


def test_another_target_is_not_waited_for():
    sender = Sender()
    sender.put(msg("m-1"), msg("m-2"), msg("m-3", UE2))
    assert sender.after(0) == [["m-1", "m-2"]]
    sender.put(msg("m-4", UE3))
    assert sender.after(0) == [["m-3"]]
    assert sender.after(2100) == [["m-4"]]


def test_reports_to_one_recipient_travel_as_one():
    sender = Sender()
    sender.put(imdn("m-1"), imdn("m-2"), imdn("m-3", UE3))
    assert sender.after(2100) == [["m-1", "m-2"], ["m-3"]]
    # A message and a report do not mix.
    sender.put(msg("m-4", UE2), imdn("m-5"))
    assert sender.after(2100) == [["m-4"], ["m-5"]]


def test_so_many_and_no_more():
    sender = Sender(most_octets=100000)
    sender.put(*[msg("m-%d" % number) for number in range(20)])
    assert sender.after(0) == [["m-%d" % number for number in range(16)]]
    assert sender.after(2100) == [["m-%d" % number for number in range(16, 20)]]


def test_so_many_octets_and_no_more():
    sender = Sender(most_octets=800)
    sender.put(*[msg("m-%d" % number, payload="x" * 60) for number in range(9)])
    sent = sender.after(2100)
    assert sum([len(one) for one in sent]) == 9 and len(sent) <= 4
    assert sender.largest <= 800


def test_a_large_one_goes_by_itself():
    sender = Sender(most_octets=800)
    sender.put(msg("m-1"), msg("m-2", payload="x" * 300), msg("m-3"))
    assert sender.after(0) == [["m-1"], ["m-2"]]
    assert sender.after(2100) == [["m-3"]]


def test_segments_aggregates_and_rubbish_go_by_themselves():
    sender = Sender()
    segment = msg("m-1")
    segment.update({wire.SEGMENTATION_SET_ID: "m-1", wire.SEGMENT_NUMBER: 2})
    sender.put(segment, join([msg("m-2"), msg("m-3")]))
    assert sender.after(0) == [["m-1"], [join([msg("m-2"), msg("m-3")])[wire.MESSAGE_ID]]]
    item = sender.store.put("", "ue1@a", wire.MSG, "m-4", 0, b"{")
    assert sender.gather([item, item], 0) == 1


def test_after_a_failure_they_go_together_again():
    sender = Sender()
    sender.verdict = LATER
    sender.put(msg("m-1"), msg("m-2"))
    assert sender.after(2100) == [["m-1", "m-2"]]
    sender.verdict = DONE
    sender.put(msg("m-3"))
    assert sender.after(10000) == [["m-1", "m-2", "m-3"]] and len(sender.store) == 0


def test_a_hop_that_is_paused_or_gone():
    sender = Sender()
    for number in range(100):
        sender.put(msg("m-%d" % number))
        sender.delivery.forget("")
        sender.world.advance(100)
    assert len(sender.gather._waiting) <= 32 and len(sender.gather._targets) <= 32
    sender.delivery.resume("", sender.world.now)
    sent = [message_id for several in sender.after(60000) for message_id in several]
    assert sorted(sent) == sorted(["m-%d" % number for number in range(100)])
