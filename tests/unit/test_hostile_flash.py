# A client whose flash fails, is read-only, full or damaged: it says so, sends what can be sent, and never tells two
# stories about one message.

import flash
from hostile_gateway import AS, UE, Setup, incoming
from msgin5g import messages, wire
from msgin5g.application import ACCEPTED, FAILED
from msgin5g.coap import numbers as coap
from msgin5g.store import Broken, Full, log
from msgin5g.store.flash import FlashStore
from msgin5g.store.memory import MemoryStore
from msgin5g.stored_message import discard, update

OPTIONS = {"most_octets": 32768, "most_items": 16, "most_inbox": 8, "most_known": 32}


class FaultyStore(FlashStore):
    # Broken as long as `broken` is true; `late`: only after everything was written.
    broken = False
    late = False

    def _write(self):
        if self.broken and not self.late:
            raise OSError(30)
        if not self.broken:
            super()._write()
            return
        sync = log.sync
        log.sync = not_synced
        try:
            super()._write()
        finally:
            log.sync = sync


def not_synced(file):
    file.flush()
    raise OSError(5)


class FlashSetup(Setup):
    def __init__(self, seed=1, **options):
        self.place = flash.folder(blocks=112)
        self.store = FaultyStore(self.place, **OPTIONS)
        super().__init__(seed, store=self.store, **options)

    async def restarted(self, **options):
        if self.client._running:
            self.client.close()
        self.store = FaultyStore(self.place, **OPTIONS)
        self.client = self.new_client(store=self.store, **options)
        return await self.registered()

    def payloads(self):
        return [messages.payload(one) for one in self.gateway.received if one[wire.MESSAGE_TYPE] == wire.MSG]

    def reports(self):
        return [one[wire.MESSAGE_ID] for one in self.gateway.received if one[wire.MESSAGE_TYPE] == wire.IMDN]

    async def received(self):
        return (await self.world.run(self.client.receive())).payload


async def three(setup):
    several = []
    for number in range(3):
        several.append(await setup.client.send(str(number), application_server=AS, report=False))
    return several


async def broken(coroutine):
    try:
        await coroutine
    except Broken:
        return True
    return False


async def test_what_was_stored_is_sent_while_the_flash_is_read_only():
    setup = FlashSetup()
    several = await three(setup)
    setup.store.broken = True
    await setup.registered()
    for sent in several:
        assert await setup.world.run(sent.accepted())
    assert setup.payloads() == ["0", "1", "2"]
    assert setup.store.health and setup.store.counters["failed"]
    # What can't be stored is neither taken nor acknowledged.
    assert await broken(setup.client.send("4", application_server=AS))
    answers = setup.gateway.post("ue", incoming("in", "m-1"))
    setup.world.settle()
    assert answers[0].code == wire.UNAVAILABLE and setup.client.counters["inbox_full"] == 1
    assert setup.client.inbox.take(setup.world.now) is None
    # It is well again: all of it.
    setup.store.broken = False
    answers = setup.gateway.post("ue", incoming("in", "m-1"))
    setup.world.settle()
    assert answers[0].code == wire.ACCEPTED and await setup.received() == "in"
    await setup.goes_on()
    assert setup.store.health == ""
    await setup.restarted()
    await setup.goes_on()
    assert setup.payloads()[:3] == ["0", "1", "2"] and setup.payloads().count("0") == 1


async def test_what_can_not_be_taken_durably_is_not_taken():
    for late in (False, True):
        for again in (False, True):
            setup = await FlashSetup().registered()
            setup.gateway.post("ue", incoming("in", "m-1"))
            setup.world.settle()
            setup.store.broken, setup.store.late = True, late
            for _ in range(3):
                assert await broken(setup.client.receive())
            setup.world.advance(60000)
            assert setup.reports() == []
            if again:
                await setup.restarted()
            setup.store.broken = False
            if late and again:
                # It was written and not known to be, and nothing was after it: it is as if it had been taken.
                assert setup.client.inbox.take(setup.world.now) is None
                await setup.goes_on()
                assert setup.reports().count("m-1") == 1
                continue
            assert await setup.received() == "in"
            await setup.world.run(setup.client.settled())
            assert setup.reports() == ["m-1"]
            await setup.goes_on()
            await setup.restarted()
            assert setup.client.inbox.take(setup.world.now) is None
            await setup.goes_on()
            assert setup.reports()[0] == "m-1" and setup.reports().count("m-1") == 1


async def test_a_report_has_room_where_its_message_was_however_long_it_is():
    setup = await FlashSetup().registered()
    number = 0
    setup.gateway.post("ue", incoming("x", "small"))
    setup.world.settle()
    for size in (1800, 300, 80, 20, 1):
        while True:
            number += 1
            answers = setup.gateway.post("ue", incoming("x" * size, "m-%d" % number))
            setup.world.settle()
            if answers[0].code != wire.ACCEPTED:
                break
    while setup.client.inbox.take(setup.world.now):
        pass
    await setup.world.run(setup.client.settled())
    assert "small" in setup.reports()
    assert sorted(setup.reports()) == sorted(set(setup.reports()))
    await setup.goes_on()


async def test_a_message_on_flash_gets_another_expiration_time():
    setup = FlashSetup()
    sent = await setup.client.send("x", application_server=AS, report=False)
    until = setup.world.wall_clock() + 3600
    for _ in range(3):
        until += 1000
        await update(setup.client, sent, until)
    setup.store.broken = True
    assert await broken(update(setup.client, sent, until + 1000))
    assert await broken(discard(setup.client, sent))
    setup.store.broken = False
    await setup.restarted()
    await setup.goes_on()
    assert setup.payloads().count("x") == 1
    assert messages.expiration(setup.gateway.received[0]) == until


async def test_what_fails_to_be_stored_leaves_nothing_behind():
    setup = await FlashSetup().registered()
    setup.store.broken = True
    for _ in range(300):
        assert await broken(setup.client.send("x", application_server=AS))
        setup.gateway.post("ue", incoming("in", "m-1"))
        setup.world.settle()
    assert len(setup.store._void) <= 64 and setup.store._new == [] and setup.store._passed == []
    assert len(setup.store) == 0 and len(setup.client.outbox._sent) == 0
    setup.store.broken = False
    await setup.goes_on()
    assert setup.payloads() == ["still there 1"]


async def test_a_body_that_is_lost_fails_alone():
    for linger in (None, 1000):
        setup = FlashSetup(linger=linger)
        several = await three(setup)
        await setup.registered()
        setup.gateway.world.leave("server")
        several.append(await setup.client.send("under way", application_server=AS, report=False))
        setup.world.advance(3000)
        lost = await setup.client.send("lost", application_server=AS, report=False)
        last = await setup.client.send("last", application_server=AS, report=False)
        record = setup.store._index.get(lost_key(setup.store, lost.message_id))
        setup.store._index.remove(record[0])
        setup.store._use(record, -1)
        setup.world.join("server", setup.gateway.endpoint)
        for sent in several + [last]:
            assert await setup.world.run(sent.accepted())
        assert (lost.state, lost.cause) == (FAILED, wire.PAYLOAD_LOST)
        await setup.goes_on()


def lost_key(store, message_id):
    for item in store.pending("", -1, 100):
        if item.message_id == message_id:
            return item.key
    raise AssertionError("not stored")


async def test_a_received_body_that_is_lost_or_nonsense_is_passed_over():
    setup = await FlashSetup().registered()
    setup.gateway.post("ue", incoming("1", "m-1"))
    setup.world.settle()
    setup.store.put("in", "x", wire.MSG, "nonsense", 0, b"{]")
    setup.store.put("in", "x", wire.MSG, "nonsense too", 0, b"\xff\xff")
    setup.store.commit()
    setup.gateway.post("ue", incoming("2", "m-2"))
    setup.world.settle()
    assert await setup.received() == "1"
    assert await setup.received() == "2"
    assert setup.client.counters["unreadable"] == 2
    await setup.goes_on()


async def filled_in_another_format(before, after):
    setup = await FlashSetup(content_format=before).registered()
    setup.gateway.post("ue", incoming("in", "m-1"))
    setup.world.settle()
    setup.world.leave("server")
    sent = await setup.client.send("out", application_server=AS, report=False)
    large = await setup.client.send("long" * 800, application_server=AS, report=False)
    assert sent.message_id != large.message_id
    setup.world.join("server", setup.gateway.endpoint)
    await setup.restarted(content_format=after)
    assert await setup.received() == "in"
    await setup.goes_on()
    assert setup.payloads()[0] == "out" and setup.reports()[0] == "m-1"


async def test_a_store_that_was_filled_in_json():
    await filled_in_another_format(coap.JSON, coap.CBOR)


async def test_a_store_that_was_filled_in_cbor():
    await filled_in_another_format(coap.CBOR, coap.JSON)


def segments(text, size):
    whole = incoming("", "large", True)
    total = -(-len(text) // size)
    for number in range(1, total + 1):
        one = whole.copy()
        one[wire.SEGMENTATION_SET_ID] = "large"
        one[wire.SEGMENT_NUMBER] = number
        if number == 1:
            one[wire.TOTAL_SEGMENTS] = total
        if number == total:
            one[wire.LAST_SEGMENT_FLAG] = True
        messages.set_payload(one, text[(number - 1) * size : number * size])
        yield one


async def test_a_segment_that_is_not_durable_is_not_confirmed():
    for restarts in (False, True):
        setup = await FlashSetup().registered()
        confirmed = []

        def on_confirmed(request, elements, now, setup=setup, confirmed=confirmed):
            confirmed.append(elements[wire.SEGMENTATION_SET_ID])
            setup.gateway.resource.answer(request, wire.ACCEPTED, now)

        setup.gateway.on[wire.SEGCONFIR] = on_confirmed
        text = "0123456789" * 30
        for one in segments(text, 100):
            last = wire.LAST_SEGMENT_FLAG in one
            setup.store.broken = last
            answers = setup.gateway.post("ue", one)
            setup.world.settle()
            assert answers[0].code == (wire.UNAVAILABLE if last else wire.ACCEPTED)
            if last:
                assert confirmed == [] and setup.client.inbox.take(setup.world.now) is None
                setup.store.broken = False
                if restarts:
                    await setup.restarted()
                answers = setup.gateway.post("ue", one)
                setup.world.settle()
                assert answers[0].code == wire.ACCEPTED
        assert await setup.received() == text
        setup.world.advance(60000)
        assert confirmed == ["large"]
        await setup.goes_on()


async def test_a_whole_large_message_whose_segments_are_lost_is_passed_over():
    setup = await FlashSetup().registered()
    for one in segments("0123456789" * 30, 100):
        setup.gateway.post("ue", one)
        setup.world.settle()
    for item in setup.store.pending("segments", -1, 1):
        setup.store.remove(item)
    assert setup.client.inbox.take(setup.world.now) is None
    assert setup.client.counters["unreadable"] == 1
    await setup.goes_on()
    assert setup.reports()[0] == "large"
    assert setup.gateway.received[0][wire.DELIVERY_STATUS] == wire.REPORT_FAILED


async def test_confirmations_that_find_no_room_stop_nothing():
    # The inbox is full of messages that nobody has taken yet when the last segment arrives.
    store = MemoryStore(most_inbox=3)
    setup = await Setup(store=store).registered()
    for one in segments("0123456789" * 30, 100):
        answers = setup.gateway.post("ue", one)
        setup.world.settle()
        assert answers[0].code == wire.ACCEPTED
    assert setup.client.counters["inbox_full"] == 1 and setup.errors == []
    assert (await setup.world.run(setup.client.receive())).payload == "0123456789" * 30
    assert setup.client.inbox.take(setup.world.now) is None
    await setup.goes_on()


async def test_dropped_while_it_is_under_way_it_is_told_once():
    from msgin5g.store.flash import DROP_OLDEST

    setup = FlashSetup()
    setup.store.when_full = DROP_OLDEST
    await setup.registered()
    setup.world.leave("server")
    several = []
    for number in range(40):
        several.append(await setup.client.send(str(number), application_server=AS, report=False))
        setup.world.advance(500)
    setup.world.join("server", setup.gateway.endpoint)
    setup.world.advance(300000)
    states = [sent.state for sent in several]
    assert set(states) == {ACCEPTED, FAILED}
    assert sorted(setup.payloads()) == sorted(
        str(number) for number, sent in enumerate(several) if sent.state == ACCEPTED
    )
    # The first was under way: it has its end, and nothing was in its place.
    assert states[0] == ACCEPTED
    await setup.goes_on()


async def test_a_full_store_says_so_and_goes_on():
    setup = await FlashSetup().registered()
    setup.world.leave("server")
    stored = []
    try:
        while True:
            stored.append(await setup.client.send("x" * 200, application_server=AS, report=False))
    except Full:
        pass
    setup.world.join("server", setup.gateway.endpoint)
    for sent in stored:
        assert await setup.world.run(sent.accepted())
    assert len(setup.payloads()) == len(stored) and UE == setup.client.ue_service_id
    await setup.goes_on()
