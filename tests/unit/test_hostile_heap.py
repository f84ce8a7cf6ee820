# Garbage for ever takes no heap for ever: what is held is bounded, and after a while nothing is.

import gc

from hostile_gateway import AS, UE, Setup, incoming
from msgin5g import messages, wire
from skipping import SkipTest


def nonsense(number):
    # One of each kind, never the same again.
    name = "m-%d" % number
    about = incoming("x", name)
    about[wire.ORIGINATING_AS] = "%d@example.org" % number
    report = messages.report_on(incoming("x", name))
    report[wire.RECIPIENT_UE] = UE
    segment = incoming("x" * 100, name)
    segment[wire.SEGMENTATION_SET_ID] = name
    segment[wire.SEGMENT_NUMBER] = 2
    request = {wire.MESSAGE_TYPE: wire.SEGREC, wire.SEGMENTATION_SET_ID: name}
    messages.set_originator(request, wire.AS, AS)
    messages.set_recipient(request, wire.UE, UE)
    request[wire.MISSING_SEGMENT_NUMBERS] = [1, 2]
    whole = messages.encode(about)
    return [messages.encode(one) for one in (about, report, segment, request)] + [
        whole[: number % len(whole)]
    ]


def flood(setup, first, count):
    for number in range(first, first + count):
        for body in nonsense(number):
            setup.gateway.throw("ue", body)
        while setup.client.inbox.take(setup.world.now):
            pass
        setup.world.advance(3000)
    del setup.gateway.received[:]
    del setup.errors[:]


async def test_a_flood_leaves_nothing_on_the_heap():
    if not hasattr(gc, "mem_alloc"):
        raise SkipTest("a heap that can't be measured")
    setup = await Setup().registered()
    flood(setup, 0, 120)
    gc.collect()
    before = gc.mem_alloc()
    for turn in range(1, 4):
        flood(setup, turn * 120, 120)
    gc.collect()
    grown = gc.mem_alloc() - before
    assert grown < 4096, grown
    await setup.goes_on()
