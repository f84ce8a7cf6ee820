"""Subscriptions to Messaging Topics (TS 23.554, 8.8).

until = await ue.topics.subscribe("alarms")
async for message in ue:
    print(message.topic, message.payload)
"""

from typing import Any

class TopicRefused(Exception):
    """The server does not let this UE subscribe; args[0] is the failure cause."""

class Topics:
    """The topics of one Client: `ue.topics`. They are asked for again after each registration."""

    def __init__(self, ue: Any) -> None: ...
    def __len__(self) -> int: ...
    async def subscribe(self, topic: str, expires_at: int | None = None) -> int | None:
        """Subscribe, waiting until there is contact.

        Args:
            topic: at most 8 of them.
            expires_at: when it shall end, in seconds since 1970; None: as long as the server likes.

        Returns:
            When it ends, in seconds since 1970; None where the server does not say.

        Raises:
            TopicRefused: the server says no.
            ValueError: too many topics, or register() was not called yet.
        """

    async def unsubscribe(self, topic: str) -> None:
        """End a subscription.

        Raises:
            TopicRefused: the server does not know it.
        """

    def renew(self, now: int) -> None: ...
