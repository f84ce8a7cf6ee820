"""Messaging Topics (TS 23.554, 8.8): who has subscribed to which, until when, and messages for a topic.

A topic exists as long as it has subscribers. Subscriptions are durable with the store's next commit; they outlive a
restart of the server, and their subscriber's being away: what comes meanwhile is stored for it, like any message.
"""

from __future__ import annotations

import heapq
from typing import TYPE_CHECKING

import structlog
from msgin5g import wire
from msgin5g.store import Full

from host_tools import settings
from host_tools.server.fan_out import fan_out
from host_tools.server.service import ACCEPTED, Outcome

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from host_tools.server.fan_out import Address
    from host_tools.server.service import Elements, Service

_SCHEMA = """
CREATE TABLE IF NOT EXISTS subscriptions (
    topic TEXT NOT NULL,
    kind TEXT NOT NULL,
    service_id TEXT NOT NULL,
    expires INTEGER NOT NULL,
    PRIMARY KEY (topic, kind, service_id)
) WITHOUT ROWID;
"""

# Entries of the heap that may be out of date, beyond as many as there are others.
_STALE = 64

_log = structlog.get_logger("msgin5g.server")


class TooManyTopics(Exception):
    """One subscriber wants more topics than it may have."""


class Topics:
    """All subscriptions, and the target of messages for topics.

    Args:
        service: what the messages come from; its copies go back to it.
        bounds: of subscriptions.
    """

    def __init__(self, service: Service, bounds: settings.Topics | None = None) -> None:
        self._service = service
        self._store = service.store
        self._bounds = bounds or settings.Topics()
        # topic -> subscriber -> when it ends, by the clock of what is held; and the other way round, without that.
        self._subscribers: dict[str, dict[Address, int]] = {}
        self._topics: dict[Address, set[str]] = {}
        self._count = 0
        # Whatever ends next; what has been renewed or ended meanwhile is found out when its time comes.
        self._ends: list[tuple[int, str, Address]] = []
        self._store.add_tables(_SCHEMA)
        for topic, kind, service_id, expires in self._store.rows("SELECT * FROM subscriptions"):
            self._index(topic, (kind, service_id), expires)
        service.counters.update(
            subscriptions=0, subscriptions_refused=0, subscriptions_expired=0, topics_without_subscribers=0
        )
        service.targets[wire.TOPIC] = self.message

    def __len__(self) -> int:
        """How many subscriptions there are."""
        return self._count

    def subscribe(self, subscriber: Address, topics: Sequence[str], expires: int | None = None) -> int:
        """Subscribe to topics, all or none of them; who has subscribed already renews that (8.8.1).

        Args:
            subscriber: (kind, Service ID).
            topics: one or more.
            expires: when it shall end, in seconds since 1970.

        Returns:
            When it ends.

        Raises:
            TooManyTopics: one subscriber has only so many.
            Full: there are too many subscriptions, or too many to one of the topics.
        """
        has = self._topics.get(subscriber, set())
        fresh = set(topics) - has
        if len(has) + len(fresh) > self._bounds.most_for_one:
            self._service.counters["subscriptions_refused"] += 1
            raise TooManyTopics
        busy = any(len(self._subscribers.get(topic, ())) >= self._bounds.most_for_topic for topic in fresh)
        if busy or self._count + len(fresh) > self._bounds.most:
            self._service.counters["subscriptions_refused"] += 1
            raise Full
        longest = self._bounds.longest
        if expires is not None:
            longest = min(longest, expires - int(self._service.wall_clock()))
        ends = int(self._service.held_clock()) + longest
        for topic in set(topics):
            self._index(topic, subscriber, ends)
        self._store.change(
            "INSERT OR REPLACE INTO subscriptions VALUES (?, ?, ?, ?)",
            *((topic, *subscriber, ends) for topic in set(topics)),
        )
        self._service.counters["subscriptions"] += 1
        _log.info("subscribed", subscriber=subscriber, topics=topics)
        return self._date(ends)

    def unsubscribe(self, subscriber: Address, topics: Iterable[str]) -> None:
        """End subscriptions (8.8.3); those that are none are as they shall be."""
        for topic in topics:
            if self._subscribers.get(topic, {}).pop(subscriber, None) is None:
                continue
            if not self._subscribers[topic]:
                del self._subscribers[topic]
            self._topics[subscriber].discard(topic)
            if not self._topics[subscriber]:
                del self._topics[subscriber]
            self._count -= 1
            self._store.change(
                "DELETE FROM subscriptions WHERE topic = ? AND kind = ? AND service_id = ?",
                (topic, *subscriber),
            )

    def ends(self, subscriber: Address, topic: str) -> int | None:
        """When a subscription ends, in seconds since 1970; None for none."""
        ends = self._subscribers.get(topic, {}).get(subscriber)
        return self._date(ends) if ends is not None and ends > self._service.held_clock() else None

    def _date(self, ends: int) -> int:
        # As a time of day.
        return ends + round(self._service.wall_clock() - self._service.held_clock())

    def expire(self, most: int = 1000) -> None:
        """End the subscriptions whose time has come. To be called every second or so."""
        now = self._service.held_clock()
        while self._ends and self._ends[0][0] <= now and most:
            most -= 1
            ends, topic, subscriber = heapq.heappop(self._ends)
            if self._subscribers.get(topic, {}).get(subscriber) == ends:
                self.unsubscribe(subscriber, [topic])
                self._service.counters["subscriptions_expired"] += 1

    def message(self, elements: Elements, body: bytes, now: int) -> Outcome:
        """Take in a message for a topic: it goes to all subscribers (8.8.1), and is dropped where there are none."""
        at = self._service.held_clock()
        subscribers = self._subscribers.get(elements[wire.MESSAGING_TOPIC], {})
        recipients = [subscriber for subscriber, ends in subscribers.items() if ends > at]
        if not recipients:
            self._service.counters["topics_without_subscribers"] += 1
            return ACCEPTED
        return fan_out(self._service, elements, recipients, now)

    def _index(self, topic: str, subscriber: Address, ends: int) -> None:
        subscribers = self._subscribers.setdefault(topic, {})
        if subscriber not in subscribers:
            self._count += 1
            self._topics.setdefault(subscriber, set()).add(topic)
        if subscribers.get(subscriber) != ends:
            subscribers[subscriber] = ends
            heapq.heappush(self._ends, (ends, topic, subscriber))
            if len(self._ends) > 2 * self._count + _STALE:
                # Most of them have been renewed or ended meanwhile.
                self._ends = [
                    (at, name, who)
                    for name, all_of in self._subscribers.items()
                    for who, at in all_of.items()
                ]
                heapq.heapify(self._ends)
