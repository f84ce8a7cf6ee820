# Subscriptions to Messaging Topics (TS 23.554, 8.8): asked for with GET and Observe, one request for each topic.
#
#     until = await ue.topics.subscribe("alarms")
#
# The server keeps them; what is wanted here is asked for again after each registration, since it may be another server
# that answers then.

import asyncio

from . import rfc3339, ticks, wire
from .coap import numbers as coap
from .coap.endpoint import Full
from .coap.message import uri_options
from .resource import NOT_NOW, NOT_REGISTERED, failure_cause, meaning, told

_MOST_TOPICS = 8
# Seconds: who is asked to wait waits no longer.
_LONGEST_PAUSE = 60


class TopicRefused(Exception):
    # args[0] is the failure cause.
    pass


class Topics:
    def __init__(self, ue):
        self._ue = ue
        # topic -> the date-time at which its subscription shall end, "" for as long as the server likes.
        self._wanted = {}
        # When it may be asked again.
        self._due = None
        ue.endpoint.on_timer.append(self._on_timer)

    def __len__(self):
        return len(self._wanted)

    async def subscribe(self, topic, expires_at=None):
        # Returns when it ends, in seconds since 1970, None where the server does not say; waits while there is no
        # contact. expires_at: seconds since 1970. Raises TopicRefused.
        if topic not in self._wanted and len(self._wanted) >= _MOST_TOPICS:
            from . import mistakes

            raise mistakes.topics(_MOST_TOPICS)
        self._wanted[topic] = rfc3339.format(expires_at) if expires_at else ""
        answer = await self._ask(topic, coap.OBSERVE_REGISTER)
        until = answer.get(wire.EXPIRATION)
        return rfc3339.parse(until) if until else None

    async def unsubscribe(self, topic):
        self._wanted.pop(topic, None)
        await self._ask(topic, coap.OBSERVE_DEREGISTER)

    def renew(self, now):
        # After a registration.
        for topic in self._wanted:
            self._request(topic, coap.OBSERVE_REGISTER, _ignore, now)

    async def _ask(self, topic, observe):
        self._ue.must_run()
        await self._ue.until_registered()
        answered = asyncio.Event()
        responses = []

        def on_response(response, now):
            responses.append(response)
            answered.set()

        while True:
            self._request(topic, observe, on_response, self._ue.link.now())
            self._ue.link.flush()
            await answered.wait()
            answered.clear()
            response = responses.pop()
            if response.success():
                return told(response)
            if meaning(response) not in (NOT_NOW, NOT_REGISTERED):
                self._wanted.pop(topic, None)
                raise TopicRefused(failure_cause(response))
            if response.code is not None:
                await self._pause(max(1, min(response.max_age, _LONGEST_PAUSE)))
            # Contact was lost, or the peer has forgotten this UE: with the next registration it is tried again.
            self._ue.registration.renew(self._ue.link.now())
            self._ue.link.flush()
            await self._ue.until_registered()

    async def _pause(self, seconds):
        self._due = ticks.add(self._ue.link.now(), seconds * 1000)
        self._ue.endpoint.arm(self._due)
        while self._due is not None:
            await self._ue.change()

    def _on_timer(self, now):
        if self._due is None:
            return
        if ticks.diff(self._due, now) <= 0:
            self._due = None
            self._ue.changed.set()
        else:
            self._ue.endpoint.arm(self._due)

    def _request(self, topic, observe, on_response, now):
        options = uri_options(wire.TOPICS_PATH)
        options.append((coap.OBSERVE, observe))
        options.append((coap.URI_QUERY, wire.QUERY_TOPIC + topic))
        options.append((coap.URI_QUERY, wire.QUERY_ORIGINATOR + self._ue.ue_service_id))
        if observe == coap.OBSERVE_REGISTER and self._wanted.get(topic):
            options.append((coap.URI_QUERY, wire.QUERY_EXPIRATION + self._wanted[topic]))
        try:
            self._ue.coap.request(self._ue.registration.address, coap.GET, options, b"", on_response, now)
        except Full:
            on_response(_NotAsked, now)


class _NotAsked:
    # Stands for a response when the request could not even be queued.
    code = None
    payload = b""

    @staticmethod
    def success():
        return False


def _ignore(response, now):
    pass
