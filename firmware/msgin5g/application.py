# What an application has in its hands: a message it has sent, a message it has received.

import asyncio

from . import messages, wire


class RegistrationRefused(Exception):
    # args[0] is the failure cause.
    pass


class Sent:
    # A message on its way, as its sender sees it.
    #
    # stored     it is in the client's store: a power cut does not lose it
    # sent       it has been transmitted, nobody has answered yet
    # accepted   the next hop has it
    # delivered  the recipient's delivery status report says so; of a group or topic: the first such report
    # failed     cause says why
    # expired    its expiration time came first
    STORED = "stored"
    SENT = "sent"
    ACCEPTED = "accepted"
    DELIVERED = "delivered"
    FAILED = "failed"
    EXPIRED = "expired"

    def __init__(self, message_id, report, since):
        self.message_id = message_id
        self.report = report
        self.state = Sent.STORED
        # Why, when the state is FAILED.
        self.cause = None
        # Who has reported last: one member after the other, when it went to a group or a topic.
        self.reporter = None
        # Ticks at which it was stored and at which its state last changed.
        self.since = self.until = since
        self._changed = asyncio.Event()

    def final(self):
        if self.state == Sent.ACCEPTED:
            return not self.report
        return self.state not in (Sent.STORED, Sent.SENT)

    async def accepted(self):
        # True when the next hop has taken it over, False when it will not.
        while self.state in (Sent.STORED, Sent.SENT):
            await self.changed()
        return self.state in (Sent.ACCEPTED, Sent.DELIVERED)

    async def delivered(self):
        # True when the recipient's delivery status report says so. Only for messages sent with report=True.
        while not self.final():
            await self.changed()
        return self.state == Sent.DELIVERED

    async def changed(self):
        # The next change of its state.
        self._changed.clear()
        await self._changed.wait()

    def become(self, state, cause, now):
        self.state = state
        self.cause = cause
        self.until = now
        self._changed.set()


class Received:
    # A message for the application.
    def __init__(self, elements):
        # "UE" or "AS", and its Service ID.
        self.originator_type, self.originator = messages.originator(elements)
        self.message_id = elements[wire.MESSAGE_ID]
        self.application = elements.get(wire.APPLICATION_ID)
        # The group, or the topic, by which it came.
        self.group = elements.get(wire.GROUP_SERVICE_ID)
        self.topic = elements.get(wire.MESSAGING_TOPIC)
        # str, or bytes where the sender sent octets that are not text; None where there is none.
        self.payload = messages.payload(elements)
