# What an application has in its hands: a message it has sent, a message it has received.

import asyncio

from . import messages, wire

# The states of a message that was sent:
# it is in the client's store, and a power cut does not lose it;
STORED = "stored"
# it has been transmitted, and nobody has answered yet;
SENT = "sent"
# the next hop has it;
ACCEPTED = "accepted"
# the recipient's delivery status report says so (of a group or a topic: the first such report);
DELIVERED = "delivered"
# its cause says why;
FAILED = "failed"
# its expiration time came first.
EXPIRED = "expired"


class RegistrationRefused(Exception):
    # args[0] is the failure cause.
    pass


class Sent:
    # A message on its way, as its sender sees it.
    def __init__(self, message_id, report, since):
        self.message_id = message_id
        self.report = report
        self.state = STORED
        # Why it has failed.
        self.cause = None
        # Who has reported last: one member after the other, when it went to a group or a topic.
        self.reporter = None
        # Ticks at which it was stored and at which its state last changed.
        self.since = self.until = since
        # There while somebody waits.
        self._changed = None

    def final(self):
        if self.state == ACCEPTED:
            return not self.report
        return self.state not in (STORED, SENT)

    async def accepted(self):
        # True when the next hop has taken it over, False when it will not.
        while self.state in (STORED, SENT):
            await self.changed()
        return self.state in (ACCEPTED, DELIVERED)

    async def delivered(self):
        # True when the recipient's delivery status report says so. Only for messages sent with report=True.
        while not self.final():
            await self.changed()
        return self.state == DELIVERED

    async def changed(self):
        # The next change of its state.
        if self._changed is None:
            self._changed = asyncio.Event()
        await self._changed.wait()

    def become(self, state, cause, now):
        self.state = state
        self.cause = cause
        self.until = now
        if self._changed:
            self._changed.set()
            self._changed = None


class Received:
    # A message for the application. large: one that came in segments.
    def __init__(self, elements, large=None):
        # "UE" or "AS", and its Service ID.
        self.originator_type, self.originator = messages.originator(elements)
        self.message_id = elements[wire.MESSAGE_ID]
        self.application = elements.get(wire.APPLICATION_ID)
        # The group, or the topic, by which it came.
        self.group = elements.get(wire.GROUP_SERVICE_ID)
        self.topic = elements.get(wire.MESSAGING_TOPIC)
        self._elements = elements
        self._large = large

    @property
    def payload(self):
        # str, or bytes where the sender sent octets that are not text; None where there is none. A large one may not
        # fit into memory, and is to be read before the next message is received.
        return self._large.payload() if self._large else messages.payload(self._elements)

    def pieces(self):
        # Its octets, piece by piece.
        if self._large:
            return self._large.pieces()
        payload = self.payload or b""
        return iter((payload.encode() if isinstance(payload, str) else payload,))

    def save(self, name):
        # Its octets into a file.
        with open(name, "wb") as file:
            for piece in self.pieces():
                file.write(piece)
