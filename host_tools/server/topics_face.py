"""Subscriptions to Messaging Topics over CoAP (TS 23.554, 8.8.1 and 8.8.3; TS 24.538, 6.1).

One resource: GET with Observe 0 subscribes, with Observe 1 ends that, without Observe asks; each for one topic. POST
subscribes to a list of topics (table 8.8.1-1), DELETE ends that. A subscription is kept by the server until it ends,
whatever becomes of the token, so the answer does not say that the resource is observed (RFC 7641, 4.1).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from msgin5g import messages, messages_json, rfc3339, wire
from msgin5g.coap import numbers as coap
from msgin5g.coap.message import ABSENT
from msgin5g.store import Full

from host_tools.server.topics import TooManyTopics

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    # With what the CoAP server adds to it: query, observe, content_format.
    Request = Any
    from msgin5g.coap.server import Server

    from host_tools.server.fan_out import Address
    from host_tools.server.service import Elements
    from host_tools.server.topics import Topics

# In one request.
_MOST_TOPICS = 100
# Characters, as of all identifiers.
_LONGEST_TOPIC = 255
# Seconds after which a server without room may be asked again.
_AGAIN = 5


class TopicsFace:
    """The CoAP resource.

    Args:
        server: what it is a resource of.
        topics: the subscriptions.
        refusal: (request, UE Service ID, ticks) -> Failure Cause, None where the UE may be spoken for from there.
    """

    def __init__(
        self, server: Server, topics: Topics, refusal: Callable[[Request, str, int], str | None]
    ) -> None:
        self._server = server
        self._topics = topics
        self._refusal = refusal
        server.add(wire.TOPICS_PATH, coap.GET, self._on_get)
        server.add(wire.TOPICS_PATH, coap.POST, self._on_body)
        server.add(wire.TOPICS_PATH, coap.DELETE, self._on_body)

    def _on_get(self, request: Request, now: int) -> None:
        elements = {}
        topics = []
        try:
            for parameter in request.query.split("&"):
                for name, element in _PARAMETERS:
                    if parameter.startswith(name):
                        value = parameter.removeprefix(name)
                        if element == wire.MESSAGING_TOPIC:
                            topics.append(value)
                        else:
                            elements |= messages_json.from_members({wire.name(element): value})
        except messages.BadMessage as bad:
            self._refuse(request, wire.INVALID, bad.cause, now)
            return
        if topics:
            elements[wire.MESSAGING_TOPICS] = topics
        self._handle(request, _OF_OBSERVE.get(request.observe, _ASK), elements, now)

    def _on_body(self, request: Request, now: int) -> None:
        if request.content_format not in (ABSENT, coap.JSON):
            self._server.respond(request, wire.WRONG_FORMAT, now)
            return
        try:
            elements = messages_json.read(request.payload)
        except messages.BadMessage as bad:
            self._refuse(request, wire.INVALID, bad.cause, now)
            return
        if wire.MESSAGING_TOPIC in elements:
            # A single one instead of a list.
            elements.setdefault(wire.MESSAGING_TOPICS, [elements[wire.MESSAGING_TOPIC]])
        self._handle(request, _SUBSCRIBE if request.code == coap.POST else _UNSUBSCRIBE, elements, now)

    def _handle(self, request: Request, what: int, elements: Elements, now: int) -> None:
        topics = elements.get(wire.MESSAGING_TOPICS, [])
        subscriber = messages.originator(elements)
        for element, value in ((wire.ORIGINATOR, subscriber[1]), (wire.MESSAGING_TOPICS, topics)):
            if not value:
                self._refuse(request, wire.INVALID, wire.MANDATORY_IE_MISSING + wire.name(element), now)
                return
        if len(topics) > _MOST_TOPICS or not all(_usable(topic) for topic in topics):
            cause = wire.INVALID_IE + wire.name(wire.MESSAGING_TOPICS)
            self._refuse(request, wire.INVALID, cause, now)
            return
        # An Application Server speaks over MSGin5G-3.
        refusal = (
            wire.NOT_AUTHORIZED if subscriber[0] != wire.UE else self._refusal(request, subscriber[1], now)
        )
        if refusal:
            self._refuse(request, wire.REFUSED, refusal, now)
        elif what == _SUBSCRIBE:
            self._subscribe(request, subscriber, topics, elements, now)
        elif what == _UNSUBSCRIBE:
            self._topics.unsubscribe(subscriber, topics)
            self._answer(request, coap.CONTENT, {wire.SUBSCRIPTION_STATUS: wire.UNSUBSCRIBED}, now)
        else:
            self._tell(request, subscriber, topics, now)

    def _subscribe(
        self, request: Request, subscriber: Address, topics: Sequence[str], elements: Elements, now: int
    ) -> None:
        text = elements.get(wire.EXPIRATION)
        try:
            ends = self._topics.subscribe(subscriber, topics, rfc3339.parse(text) if text else None)
        except TooManyTopics:
            self._refuse(request, wire.REFUSED, wire.TOO_MANY_TOPICS, now)
            return
        except Full:
            self._refuse(request, wire.UNAVAILABLE, wire.STORE_FULL, now)
            return
        self._tell_subscribed(request, ends, now)

    def _tell(self, request: Request, subscriber: Address, topics: Sequence[str], now: int) -> None:
        ends = [self._topics.ends(subscriber, topic) for topic in topics]
        if None in ends:
            self._answer(request, coap.CONTENT, {wire.SUBSCRIPTION_STATUS: wire.UNSUBSCRIBED}, now)
        else:
            self._tell_subscribed(request, min(end for end in ends if end is not None), now)

    def _tell_subscribed(self, request: Request, ends: int, now: int) -> None:
        status = {wire.SUBSCRIPTION_STATUS: wire.SUBSCRIBED, wire.EXPIRATION: rfc3339.format(ends)}
        self._answer(request, coap.CONTENT, status, now)

    def _refuse(self, request: Request, code: int, cause: str, now: int) -> None:
        status = {wire.SUBSCRIPTION_STATUS: wire.SUBSCRIPTION_FAILED, wire.FAILURE_CAUSE: cause}
        self._answer(request, code, status, now)

    def _answer(self, request: Request, code: int, elements: Elements, now: int) -> None:
        # Nobody is to keep the answer for another time.
        options = [(coap.MAX_AGE, _AGAIN if code == wire.UNAVAILABLE else 0)]
        self._server.respond(request, code, now, messages.encode(elements), coap.JSON, options)


def _usable(topic: str) -> bool:
    return 0 < len(topic) <= _LONGEST_TOPIC and topic.isprintable()


_ASK, _SUBSCRIBE, _UNSUBSCRIBE = range(3)
_OF_OBSERVE = {coap.OBSERVE_REGISTER: _SUBSCRIBE, coap.OBSERVE_DEREGISTER: _UNSUBSCRIBE}
_PARAMETERS = (
    (wire.QUERY_TOPIC, wire.MESSAGING_TOPIC),
    (wire.QUERY_ORIGINATOR, wire.ORIGINATING_UE),
    (wire.QUERY_EXPIRATION, wire.EXPIRATION),
)
