"""Subscriptions to Messaging Topics over HTTP: two operations of TS 29.538's MSGS_TopiclistEvent (TS 23.554, 8.8.1)."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

from msgin5g import wire
from msgin5g.store import Full
from msgspec import UNSET
from starlette.responses import Response
from starlette.routing import Route

from host_tools.server.rest import schemas, validation, wire_api
from host_tools.server.rest.problems import Problem, no_room
from host_tools.server.topics import TooManyTopics

if TYPE_CHECKING:
    from starlette.requests import Request
    from starlette.routing import BaseRoute

    from host_tools.server.fan_out import Address
    from host_tools.server.rest.app import RestFace
    from host_tools.server.topics import Topics

_LONGEST_ID = 255


class TopicOperations:
    """The operations.

    Args:
        face: has what all requests have.
        topics: the subscriptions.
    """

    def __init__(self, face: RestFace, topics: Topics) -> None:
        self._face = face
        self._topics = topics

    def routes(self) -> list[BaseRoute]:
        """For :meth:`RestFace.app`."""
        return [
            Route(wire_api.SUBSCRIBE, self._face.bounded(self._subscribe), methods=["POST"]),
            Route(wire_api.UNSUBSCRIBE, self._face.bounded(self._unsubscribe), methods=["POST"]),
        ]

    async def _subscribe(self, request: Request) -> Response:
        credential = self._face.credentials.of(request)
        body = await self._face.body(request, schemas.TopicSubscription)
        subscriber = _subscriber(body)
        credential.require(*subscriber)
        stated = body.message_expiration_time
        expires = None if stated is UNSET else int(stated.timestamp())
        try:
            ends = self._topics.subscribe(subscriber, body.messaging_topics, expires)
        except TooManyTopics:
            raise Problem(
                wire_api.REFUSED, "too many topics for one subscriber", wire.TOO_MANY_TOPICS
            ) from None
        except Full:
            raise no_room("there are too many subscriptions") from None
        await self._face.committed()
        ack = schemas.TopicSubscriptionAck(
            subscription_status=wire.SUBSCRIBED, message_expiration_time=datetime.fromtimestamp(ends, UTC)
        )
        return self._face.answer(ack, wire_api.DELIVERED)

    async def _unsubscribe(self, request: Request) -> Response:
        credential = self._face.credentials.of(request)
        body = await self._face.body(request, schemas.TopicUnsubscription)
        subscriber = _subscriber(body)
        credential.require(*subscriber)
        self._topics.unsubscribe(subscriber, body.messaging_topics)
        await self._face.committed()
        return Response(status_code=wire_api.DEREGISTERED)


def _subscriber(body: schemas.TopicUnsubscription) -> Address:
    address = body.originator.address
    if body.originator.address_type not in dict(wire.ORIGINATORS) or not _usable(address):
        raise validation.invalid("originator", f"no UE or AS of 1 to {_LONGEST_ID} printable characters")
    if not all(_usable(topic) for topic in body.messaging_topics):
        raise validation.invalid("messaging_topics", f"not 1 to {_LONGEST_ID} printable characters each")
    return body.originator.address_type, address


def _usable(text: str) -> bool:
    return 0 < len(text) <= _LONGEST_ID and text.isprintable()
