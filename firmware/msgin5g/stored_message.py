# Updating or discarding a message that is stored for later delivery (TS 23.554, 8.3.6.1): in the client's own store as
# long as it has not been sent, at the server afterwards.

import asyncio

from . import messages, wire
from .application import FAILED
from .coap.endpoint import Full as EndpointFull
from .outbox import UP
from .resource import ACCEPTED, failure_cause, meaning
from .store import Full

_AT_ONCE = 16


class NotChanged(Exception):
    # It is too late, or nobody has it. args[0] is the failure cause.
    pass


async def discard(ue, sent):
    # It will not be delivered; its state is FAILED then, with the cause DISCARDED. Raises NotChanged, and store.Full
    # when the store can't be changed.
    item = _own(ue, sent)
    now = ue.link.now()
    if item:
        ue.store.remove(item)
        try:
            ue.store.commit()
        except Full:
            ue.store.keep(item)
            raise
        ue.outbox.delivery.discard(item)
        ue.changed.set()
    else:
        await _ask(ue, sent, None)
    ue.outbox.become(sent.message_id, FAILED, now, wire.DISCARDED)


async def update(ue, sent, expires_at):
    # Another expiration time, in seconds since 1970. Raises NotChanged.
    item = _own(ue, sent)
    if not item:
        await _ask(ue, sent, expires_at)
        return
    elements = ue.outbox.decode(item.body)
    messages.set_expiration(elements, expires_at)
    _replace(ue, item, elements, expires_at)


def _replace(ue, item, elements, expires):
    # With the same Message ID; it goes to the end of the queue. Raises store.Full, and then nothing has changed.
    outbox = ue.outbox
    ue.store.remove(item)
    try:
        # The store knows the message, but not under this number.
        new = outbox._put(elements, expires, item.priority, None, 0, item.segment + 1)
    except (Full, MemoryError):
        ue.store.keep(item)
        raise
    outbox.delivery.discard(item)
    now = ue.link.now()
    outbox.watch_expiry(now)
    outbox.add(new, now)


def _own(ue, sent):
    # The item in the client's own store, unless it is on its way.
    after = -1
    while True:
        items = ue.store.pending(UP, after, _AT_ONCE)
        for item in items:
            after = item.key
            if item.message_id == sent.message_id:
                return None if ue.outbox.delivery.under_way(item) else item
        if len(items) < _AT_ONCE:
            return None


async def _ask(ue, sent, expires_at):
    ue.must_run()
    elements = {
        wire.MESSAGE_TYPE: wire.SFUPD,
        wire.ORIGINATING_UE: ue.ue_service_id,
        wire.MESSAGE_ID: sent.message_id,
    }
    if expires_at is not None:
        messages.set_expiration(elements, expires_at)
    responses = []
    answered = asyncio.Event()

    def on_response(response, now):
        responses.append(response)
        answered.set()

    try:
        ue.post(ue.outbox.encode(elements), on_response, ue.link.now())
    except EndpointFull:
        raise NotChanged(wire.SERVER_NOT_REACHABLE)
    ue.link.flush()
    await answered.wait()
    if meaning(responses[0]) != ACCEPTED:
        raise NotChanged(failure_cause(responses[0]))
