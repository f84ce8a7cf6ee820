# A gateway that answers anything but what it should: the client neither stops nor spins, and loses nothing.

from hostile_gateway import AS, UE, Setup, incoming
from msgin5g import messages, wire
from msgin5g.application import ACCEPTED, FAILED
from msgin5g.coap import block
from msgin5g.coap import numbers as coap
from msgin5g.configuration import Configuration
from msgin5g.device_trigger import triggered
from msgin5g.sleep import Sleep

# Both ways, retransmissions and all: a minute of a gateway that always says no.
FEW = 40


async def test_registered_and_told_not_to_be_it_does_not_spin():
    # 4.01 without a cause means "register again", which the gateway accepts: at once once, then with pauses.
    for code in (wire.UNAUTHENTICATED, wire.REFUSED):
        setup = await Setup().registered()
        setup.gateway.always(wire.MSG, code)
        sent = await setup.client.send("x", application_server=AS, report=False)
        setup.world.settle()
        assert await setup.per_minute() < FEW
        setup.gateway.on = {}
        assert await setup.world.run(sent.accepted())
        await setup.goes_on()


async def test_answers_that_can_not_be_used_do_not_make_it_spin():
    # A critical option that nobody knows; a block that is not the first; the reserved block size.
    for options in (
        [(9, b"?")],
        [(coap.BLOCK2, block.value(3, True, 2))],
        [(coap.BLOCK2, 7)],
    ):
        setup = await Setup().registered()
        setup.gateway.raw(wire.MSG, coap.CHANGED, b"x" * 64, -1, options)
        await setup.client.send("x", application_server=AS, report=False)
        setup.world.settle()
        assert await setup.per_minute() < FEW, options
        await setup.goes_on()


async def test_reports_that_are_refused_for_ever_do_not_make_it_spin():
    setup = await Setup().registered()
    setup.gateway.always(wire.IMDN, wire.UNAUTHENTICATED)
    setup.gateway.post("ue", incoming())
    await setup.world.run(setup.client.receive())
    assert await setup.per_minute() < FEW
    setup.gateway.on = {}
    await setup.world.run(setup.client.settled())
    await setup.goes_on()


async def test_registration_answers_that_are_nonsense():
    for payload in (
        b"",
        b"{",
        b"\xff" * 300,
        b"[" * 900,
        b'{"Message Type":"MSG"}',
        b'{"Registration result":7}',
    ):
        for content_format in (-1, coap.JSON, coap.CBOR, 0, 65535):
            setup = await Setup().registered()
            setup.gateway.raw(wire.REG, coap.CHANGED, payload, content_format)
            setup.client.registration.confirm(setup.world.now)
            setup.world.advance(1000)
            assert setup.errors == []
            await setup.goes_on()


async def test_interim_answers_for_ever():
    setup = Setup()
    for until in ("1970-01-01T00:00:00Z", "9999-12-31T23:59:59Z", "0001-01-01T00:00:00Z"):
        setup.gateway.always(
            wire.REG,
            wire.ACCEPTED,
            {wire.MESSAGE_TYPE: wire.REG, wire.UE_SERVICE_ID: UE, wire.EXPECTED_REGISTRATION_TIME: until},
        )
        setup.client.registration.start(setup.world.now)
        setup.client._start_link()
        assert await setup.per_minute() < FEW
        assert not setup.client.registered
    setup.gateway.on = {}
    setup.client.registration.start(setup.world.now)
    setup.world.advance(4000000)
    await setup.goes_on()


async def test_results_that_flip():
    setup = await Setup().registered()
    result = {wire.MESSAGE_TYPE: wire.REG, wire.UE_SERVICE_ID: UE}
    for turn in range(40):
        result[wire.REGISTRATION_RESULT] = wire.REGISTRATION_SUCCESS if turn % 2 else wire.REGISTRATION_FAILED
        setup.gateway.throw("ue", messages.encode(result))
    assert await setup.per_minute() < FEW
    await setup.goes_on()


async def test_a_registration_request_is_no_result():
    # Nobody registers a client by asking it to register.
    setup = await Setup().registered()
    client = setup.client
    client.registration._failed(None, setup.world.now)
    assert not client.registered
    answers = setup.gateway.throw("ue", messages.encode(messages.registration(UE)))
    assert not client.registered and answers[0].code == wire.INVALID
    setup.world.advance(70000)
    await setup.goes_on()


async def test_messages_waiting_that_lies_does_not_make_it_spin():
    # In the same minute: less than none, more than there are, and never any.
    for waiting in (-1, -(1 << 62), 1 << 62, 1):
        setup = await Setup().registered()
        result = messages.registration_result(wire.REG, UE)
        result[wire.MESSAGES_WAITING] = waiting
        setup.gateway.always(wire.REG, wire.REGISTERED, result)
        sleep = Sleep(setup.client, {}, setup.world.wall_clock, None)
        before = setup.world.datagrams
        await setup.world.run(sleep.drain(60000))
        assert setup.world.datagrams - before < FEW + 20, waiting
        await setup.goes_on()


async def test_reports_and_responses_about_others():
    setup = await Setup().registered()
    sent = await setup.client.send("x", application_server=AS)
    await setup.world.run(sent.accepted())
    about = setup.gateway.received[0]
    report = messages.report_on(about)
    report[wire.RECIPIENT_UE] = "other@example.org"
    assert setup.gateway.throw("ue", messages.encode(report))[0].code == wire.NO_SUCH_RECIPIENT
    told = messages.response((wire.UE, "other@example.org"), sent.message_id, wire.DELIVERY_FAILED, "NO")
    assert setup.gateway.throw("ue", messages.encode(told))[0].code == wire.NO_SUCH_RECIPIENT
    assert sent.state == ACCEPTED and setup.client.counters["not_for_us"] == 2
    # About what was never sent: told, counted, bounded.
    for number in range(100):
        about[wire.MESSAGE_ID] = "nobody's-%d" % number
        setup.gateway.throw("ue", messages.encode(messages.report_on(about, "NO")))
    assert setup.client.counters["unknown_reports"] == 100
    assert len(setup.client.outbox._told) <= 16 and len(setup.client.outbox._sent) <= 16
    await setup.goes_on()


async def test_segments_that_nobody_has_asked_for_cost_nothing():
    setup = await Setup().registered()
    for kind in (wire.SEGREC, wire.SEGCONFIR):
        elements = {wire.MESSAGE_TYPE: kind, wire.SEGMENTATION_SET_ID: "none"}
        messages.set_originator(elements, wire.AS, AS)
        messages.set_recipient(elements, wire.UE, UE)
        if kind == wire.SEGREC:
            elements[wire.MISSING_SEGMENT_NUMBERS] = list(range(1, 600))
        assert setup.gateway.throw("ue", messages.encode(elements))[0].code == wire.INVALID
    assert setup.client.outbox._segmentation is None
    await setup.goes_on()


async def test_configuration_documents_that_are_not_documents():
    from msgin5g import cbor
    from msgin5g import wire_configuration as names

    setup = await Setup().registered()
    configuration = Configuration(setup.client, "urn:uuid:1", file="/nowhere/configuration.json")
    size = setup.client.segment_size
    values = '{"%s":"a","%s":"b","%s":' % (
        names.SERVER_ADDRESS_ELEMENT,
        names.UE_SERVICE_ID_ELEMENT,
        names.SEGMENT_SIZE_ELEMENT,
    )
    for data in (
        values + "1e999}",
        values + "-1}",
        values + "true}",
        values + "[" * 900,
        "{" * 900,
        '{"a":' * 900,
        "<" * 900,
        7,
        None,
        [],
        {},
    ):
        document = {names.CONFIGURATIONS: [{names.TYPE: names.ON_NETWORK, names.DATA: data}]}
        assert not configuration._take(document), data
        assert not configuration._take(cbor.decode(cbor.encode(document)))
    for document in (7, None, [], "", b"", {}, {names.CONFIGURATIONS: 7}, {names.CONFIGURATIONS: [7]}):
        assert not configuration._take(document)
    assert setup.client.segment_size == size and setup.errors == []
    await setup.goes_on()


async def test_a_trigger_that_is_a_part_or_a_bundle_is_for_the_application():
    setup = await Setup().registered()
    bundle = messages.message((wire.AS, AS), (wire.UE, UE), "bundle")
    bundle[wire.NUMBER_OF_MESSAGES] = 1
    bundle[wire.INDIVIDUAL_MESSAGES] = [{wire.MESSAGE_ID: "1", wire.PAYLOAD: "x"}]
    part = incoming("x", "part")
    part[wire.SEGMENTATION_SET_ID] = "part"
    part[wire.SEGMENT_NUMBER] = part[wire.TOTAL_SEGMENTS] = 1
    for elements in (bundle, part):
        assert not triggered(setup.client, messages.encode(elements))
        assert setup.client.inbox.take(setup.world.now) is None
    await setup.goes_on()


async def test_a_callback_without_memory_stops_nothing():
    # On a board any step may find no memory. What was on its way is tried again.
    import msgin5g.outbox
    import msgin5g.registration

    for module, name in (
        (msgin5g.outbox, "meaning"),
        (msgin5g.outbox, "told"),
        (msgin5g.registration, "told"),
    ):
        setup = await Setup().registered()
        whole = getattr(module, name)
        fails = [2]

        def failing(response, whole=whole, fails=fails):
            if fails[0]:
                fails[0] -= 1
                raise MemoryError
            return whole(response)

        setattr(module, name, failing)
        try:
            sent = await setup.client.send("x", application_server=AS, report=False)
            setup.client.registration.confirm(setup.world.now)
            setup.world.advance(120000)
            assert fails == [0] and sent.state == ACCEPTED, (name, sent.state)
        finally:
            setattr(module, name, whole)
        await setup.goes_on()


async def test_a_body_without_memory_stops_nothing():
    setup = await Setup().registered()
    whole = setup.client.post
    fails = [3]

    def failing(body, on_response, now):
        if fails[0]:
            fails[0] -= 1
            raise MemoryError
        whole(body, on_response, now)

    setup.client.post = failing
    sent = await setup.client.send("x", application_server=AS, report=False)
    setup.world.advance(60000)
    assert sent.state == ACCEPTED
    assert sent.state != FAILED
    await setup.goes_on()
