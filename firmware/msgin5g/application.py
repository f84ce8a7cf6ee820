# What an application has in its hands: a message it has sent, a message it has received.

import asyncio

from . import messages, wire


class RegistrationRefused(Exception):
    # args[0] is the failure cause.
    pass


class Sent:
    # A message on its way, as its sender sees it.
    STORED = "stored"
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
        # Ticks at which it was stored and at which its state last changed.
        self.since = self.until = since
        self._changed = asyncio.Event()

    def final(self):
        if self.state == Sent.ACCEPTED:
            return not self.report
        return self.state != Sent.STORED

    async def accepted(self):
        # True when the next hop has taken it over, False when it will not.
        while self.state == Sent.STORED:
            await self._wait()
        return self.state in (Sent.ACCEPTED, Sent.DELIVERED)

    async def delivered(self):
        # True when the recipient's delivery status report says so. Only for messages sent with report=True.
        while not self.final():
            await self._wait()
        return self.state == Sent.DELIVERED

    async def _wait(self):
        self._changed.clear()
        await self._changed.wait()

    def _become(self, state, cause, now):
        self.state = state
        self.cause = cause
        self.until = now
        self._changed.set()


class Received:
    # A message for the application.
    def __init__(self, elements):
        self._elements = elements
        # "UE" or "AS", and its Service ID.
        self.originator_type, self.originator = messages.originator(elements)
        self.message_id = elements[wire.MESSAGE_ID]
        self.application = elements.get(wire.APPLICATION_ID)
        # str, or bytes where the sender sent octets that are not text; None where there is none.
        self.payload = messages.payload(elements)
