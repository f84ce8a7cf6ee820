"""Changing a message that is stored for later, or taking it back (TS 23.554, 8.3.6.1, release 19).

Store and forward parameters in the request are the message's from then on; without any it is discarded. The request is
about what its own originator has sent, by Message ID: nobody reaches a message of somebody else. Of a message for many
all copies that are still here are meant. A copy that is under way at the moment stays as it is.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import structlog
from msgin5g import messages, wire

from host_tools.server.service import ACCEPTED, Outcome, party

if TYPE_CHECKING:
    from msgin5g.delivery import Item

    from host_tools.server.service import Elements, Service

_log = structlog.get_logger("msgin5g.server")


class Amendments:
    """The procedure of the Message Type for it.

    Args:
        service: whose messages are changed.
    """

    def __init__(self, service: Service) -> None:
        self._service = service
        self._store = service.store
        service.counters.update(updated=0, discarded=0, too_late=0)
        service.procedures[wire.SFUPD] = self.amend

    def amend(self, elements: Elements, body: bytes, now: int) -> Outcome:
        """Take in a request: 2.04; 4.00, 4.04 or, when all copies are under way, 4.03."""
        update = wire.STORE_AND_FORWARD_PARAMETERS in elements
        expires = messages.expiration(elements)
        if update and expires is None:
            cause = wire.MANDATORY_IE_MISSING + wire.name(wire.MESSAGE_EXPIRATION_TIME)
            return Outcome(wire.INVALID, wire.DELIVERY_FAILED, cause)
        stored = self._store.items_where(
            "originator = ? AND message_id = ? AND kind = ?",
            (party(messages.originator(elements)), elements[wire.MESSAGE_ID], wire.MSG),
        )
        if not stored:
            self._service.counters["unknown_message"] += 1
            return Outcome(wire.NO_SUCH_RECIPIENT, wire.DELIVERY_FAILED, wire.UNKNOWN_MESSAGE)
        waiting = [item for item in stored if not self._service.under_way(item)]
        if not waiting:
            self._service.counters["too_late"] += 1
            return Outcome(wire.REFUSED, wire.DELIVERY_FAILED, wire.DELIVERY_UNDER_WAY)
        for item in waiting:
            self._service.forget(item)
            if expires is None:
                self._store.remove(item)
            else:
                self._update(item, expires, now)
        self._service.counters["discarded" if expires is None else "updated"] += 1
        _log.info(
            "amended", originator=waiting[0].originator, message_id=waiting[0].message_id, expires=expires
        )
        return ACCEPTED

    def _update(self, item: Item, expires: int, now: int) -> None:
        # What travels on says it too: the next hop may hold it for as long.
        elements = messages.decode(item.body)
        messages.set_expiration(elements, expires)
        changed = self._store.replace(item, messages.encode(elements), self._service.expires(elements))
        self._service.send(changed, messages.recipient(elements), now)
