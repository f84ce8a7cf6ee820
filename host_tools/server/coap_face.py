"""The server's CoAP face: MSGin5G-1, towards MSGin5G UEs and Gateway UEs (TS 24.538; TS 23.554, 8.2 and 8.3)."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

import structlog
from msgin5g import messages, wire
from msgin5g.coap import numbers as coap
from msgin5g.coap.client import Client, Response
from msgin5g.coap.endpoint import Endpoint, Full, Request
from msgin5g.delivery import AGAIN, DONE, KEPT, LATER, Delivery
from msgin5g.registry import LONGEST_REQUEST, Registered, Registry
from msgin5g.resource import (
    ACCEPTED,
    NOT_NOW,
    MessageResource,
    failure_cause,
    from_peer,
    in_json,
    meaning,
    outgoing,
)
from msgin5g.segmentation import Segmentation

from host_tools.server.aggregation import Companions
from host_tools.server.bulk_registration import register_several
from host_tools.server.coap_server import ResourceServer
from host_tools.server.gateways import Gateways
from host_tools.server.presence import Lifetimes, Windows
from host_tools.server.segmentation import Sizes

if TYPE_CHECKING:
    from collections.abc import Callable, Collection

    from msgin5g.delivery import Item

    from host_tools.server.service import Elements, Service

# Of one resource.
_MOST_OBSERVERS = 1000
# Registrations that end at a time.
_MOST_ENDED = 1000

_log = structlog.get_logger("msgin5g.server")


class CoapFace:
    """Registrations of UEs, messages from them, and the delivery to them.

    Args:
        endpoint: what UEs and gateways reach the server by.
        service: takes the messages.
        wall_clock: seconds since 1970.
        gateways: UE Service IDs of the gateways that may register UEs other than themselves (33.501 Y.6).
        most_ues: bound of registered UEs.
        most_body: bound of a message's size in octets.
        lifetime: seconds without a sign of life after which a registration ends.
        aggregate: let small messages that wait for a UE travel as one (8.4.3).
    """

    def __init__(
        self,
        endpoint: Endpoint,
        service: Service,
        wall_clock: Callable[[], float],
        gateways: Collection[str],
        most_ues: int = 100_000,
        most_body: int = 65536,
        lifetime: int = 86400,
        aggregate: bool = False,
    ) -> None:
        self.counters: Counter[str] = Counter(
            registrations=0,
            registrations_refused=0,
            registrations_expired=0,
            windows_opened=0,
            not_registered=0,
            refused=0,
        )
        self._endpoint = endpoint
        self._service = service
        self._gateways = Gateways(gateways)
        self._client = Client(endpoint, most_body=most_body)
        self.server = ResourceServer(endpoint, most_body, most_transfers=1024, most_observers=_MOST_OBSERVERS)
        self.resource = MessageResource(
            self.server,
            {
                wire.REG: self._on_reg,
                wire.DEREG: self._on_dereg,
                wire.MSG: self._on_message,
                wire.IMDN: self._on_message,
                wire.SFUPD: self._on_message,
                wire.SEGREC: self._on_message,
                wire.SEGCONFIR: self._on_message,
            },
            implied=from_peer,
        )
        self.registry = Registry(endpoint, service.store, most_ues)
        self.sizes = Sizes()
        self._companions = Companions(endpoint, self._fits)
        gather = self._companions.gather if aggregate else None
        self._delivery = Delivery(endpoint, service.store, self._send, service.held_clock, 4, 16, gather)
        self.segmentation = Segmentation(
            endpoint,
            service.store,
            self._post,
            self._delivery.release,
            self._on_lost,
            most_sets=1024,
        )
        self._windows = Windows(wall_clock)
        self._lifetimes = Lifetimes(service.held_clock, lifetime)
        for entry in self.registry:
            self._gateways.add(entry)
            self._lifetimes.heard(entry.ue_service_id)

    def start(self, now: int) -> None:
        """Resume the delivery of what was stored before."""
        for hop in self._service.store.hops():
            if self.reachable(hop):
                self._delivery.resume(hop, now)

    def pass_time(self, now: int) -> None:
        """Send to those whose window has opened, and end registrations that are too old. To be called every second."""
        for ue in self._windows.opened():
            if self.reachable(ue):
                self.counters["windows_opened"] += 1
                self._delivery.resume(ue, now)
        for ue in self._lifetimes.ended(_MOST_ENDED):
            entry = self.registry.get(ue)
            if entry and entry.via and self.registry.get(entry.via):
                # Its gateway looks after it, and de-registers it when it is gone.
                self._lifetimes.heard(ue)
            elif entry:
                self.counters["registrations_expired"] += 1
                _log.info("registration expired", ue=ue)
                self._away(ue)

    def clock_jumped(self, now: int) -> None:
        """The time of day is another: look anew who listens."""
        self._windows.clock_jumped()
        self.pass_time(now)

    # -- the way out to UEs (service.Outbound)

    def reachable(self, service_id: str) -> bool:
        """Is the UE registered, and can it be spoken to at this time?"""
        entry = self.registry.get(service_id)
        return entry is not None and self._is_open(entry)

    def known(self, service_id: str) -> bool:
        """A UE is known as long as it is registered: nothing is provisioned beforehand."""
        return self.registry.get(service_id) is not None

    def opens(self, service_id: str) -> float | None:
        """When the next window of the UE opens, if it has said so."""
        entry = self.registry.get(service_id)
        return self._windows.opens(entry) if entry else None

    def wants_storing(self, service_id: str) -> bool:
        """Does the UE want messages that come while it is not reachable?"""
        entry = self.registry.get(service_id)
        return entry is None or self._windows.wants_storing(entry)

    def add(self, item: Item, now: int) -> None:
        """Send what has just been stored."""
        self._delivery.add(item, now)

    def under_way(self, item: Item) -> bool:
        """Is its outcome still open?"""
        return self._delivery.under_way(item)

    def discard(self, item: Item) -> None:
        """Do not send what changes in the store."""
        self._delivery.discard(item)

    def _is_open(self, entry: Registered) -> bool:
        if self._windows.is_open(entry):
            return True
        # What is stored meanwhile is found in the store when the window opens.
        self._delivery.forget(entry.ue_service_id)
        return False

    def _fits(self, ue_service_id: str) -> int:
        # A gateway that has to give one up would report on none of its parts.
        entry = self.registry.get(ue_service_id)
        return self.sizes.of(entry) if entry and not entry.via else 0

    def _send(self, hop: str, items: Item | list[Item], done: Callable[[int, int], None], now: int) -> None:
        entry = self.registry.get(hop)
        if entry is None or not self._is_open(entry):
            self._delivery.forget(hop)
            done(LATER, now)
            return

        item = items[0] if isinstance(items, list) else items
        size = self.sizes.of(entry)
        large = item.kind == wire.MSG and not item.segment and len(item.body) > size

        def on_response(response: Response, now: int) -> None:
            outcome = meaning(response)
            if outcome == ACCEPTED:
                self._lifetimes.heard(hop)
                done(KEPT if large else DONE, now)
            elif self.registry.get(hop) is not entry:
                # It has registered anew meanwhile: what is said where it was before means nothing.
                done(LATER, now)
            elif response.code == wire.NO_SUCH_RECIPIENT and entry.via:
                # The gateway does not have it (any more): it waits here until the UE registers again.
                done(LATER, now)
                self._away(hop)
            elif outcome == NOT_NOW or response.code == wire.NO_SUCH_RECIPIENT:
                done(LATER, now)
            elif isinstance(items, list):
                # It need not know aggregates: each by itself.
                self._companions.refused(hop)
                done(AGAIN, now)
            else:
                self._service.counters["refused_by_recipient"] += 1
                cause = failure_cause(response)
                _log.warning("refused by recipient", recipient=hop, cause=cause)
                asleep = entry.via and cause == wire.RECIPIENT_NOT_REACHABLE
                self._service.fail(item, cause if asleep else wire.REJECTED_BY_RECIPIENT, now)
                done(DONE, now)

        try:
            if isinstance(items, list):
                self._post(item, Companions.body(items), on_response, now)
            elif large:
                self.segmentation.send(item, on_response, now, size)
            else:
                self._post(item, item.body, on_response, now)
        except Full:
            done(LATER, now)

    def _post(self, item: Item, body: bytes, on_response: Callable[[Response, int], None], now: int) -> None:
        entry = self.registry.get(item.hop)
        if entry is None:
            # It has gone between two segments.
            raise Full
        options, body, context = outgoing(entry, body, self._endpoint)
        self._client.request(entry.address, coap.POST, options, body, on_response, now, True, context)

    def _on_lost(self, item: Item, cause: str, now: int) -> None:
        # A segment that was sent again was refused.
        self._service.counters["refused_by_recipient"] += 1
        _log.warning("refused by recipient", recipient=item.hop, cause=cause)
        self._service.fail(item, wire.REJECTED_BY_RECIPIENT, now)

    def expel(self, ue_service_id: str) -> None:
        """De-register a UE whose key is revoked; with a gateway, those that it has vouched for."""
        for behind in self._gateways.forget(ue_service_id):
            self._away(behind)
        if self.registry.get(ue_service_id):
            self._away(ue_service_id)

    def _away(self, ue_service_id: str) -> None:
        self._delivery.forget(ue_service_id)
        self._remove(ue_service_id)

    # -- registration (8.2.1, 8.2.2)

    def _on_reg(self, request: Request, elements: Elements, now: int) -> None:
        if wire.UE_SERVICE_ID not in elements:
            # Several UEs at once: a gateway's right.
            gateway = self._gateways.that_asks(request)
            if gateway is None or wire.REGISTRATION_REQUESTS not in elements:
                self.resource.refuse(request, wire.REFUSED, elements, wire.NOT_AUTHORIZED, now)
            else:
                self._heard(request, now)
                register_several(self, request, elements, gateway, self._gateways, now)
            return
        ue = elements[wire.UE_SERVICE_ID]
        if len(request.payload) > LONGEST_REQUEST:
            self._refuse_registration(request, elements, wire.TOO_LARGE, wire.MALFORMED, now)
            return
        self._heard(request, now)
        gateway = self._gateways.that_asks(request)
        if gateway is not None and gateway != ue:
            # The gateway vouches for the UEs behind it (33.501 Y.6), also for one that comes from another gateway.
            # No UE is a gateway, though, whatever it calls itself.
            if ue in self._gateways:
                self._refuse_registration(request, elements, wire.REFUSED, wire.UE_SERVICE_ID_NOT_OWNED, now)
            else:
                self._register(request, elements, gateway, now)
            return

        def decided(granted: bool, now: int) -> None:
            if granted:
                self._register(request, elements, None, now)
            else:
                self._refuse_registration(request, elements, wire.REFUSED, wire.UE_SERVICE_ID_NOT_OWNED, now)

        if request.context:
            # It has proved who it is: nobody else need be asked.
            decided(request.context.name == ue, now)
        else:
            self.registry.claim(ue, request.peer.address, decided, now)

    def _heard(self, request: Request, now: int) -> None:
        # Who has keys is where it is heard: nobody else has them.
        entry = self.registry.get(request.context.name) if request.context else None
        if entry is None or entry.via or self._gateways.is_there(entry, request.peer.address, now):
            return
        ue = entry.ue_service_id
        self._remove_index(ue)
        entry = Registered(ue, request.peer.address, None, entry.body, entry.content_format)
        self.registry.save(entry)
        self._gateways.add(entry)
        _log.info("moved", ue=ue, address=entry.address)
        self._delivery.forget(ue)
        if self.reachable(ue):
            self._delivery.resume(ue, now)
        if ue in self._gateways:
            self._gateway_moved(entry, now)

    def _register(self, request: Request, elements: Elements, via: str | None, now: int) -> None:
        ue = elements[wire.UE_SERVICE_ID]
        body = in_json(request, elements)
        resume = self.enter(Registered(ue, request.peer.address, via, body, request.content_format))
        if resume is None:
            self._refuse_registration(request, elements, wire.UNAVAILABLE, wire.STORE_FULL, now)
            return
        self.resource.answer(request, wire.REGISTERED, now, messages.registration_result(wire.REG, ue))
        resume(now)

    def enter(self, entry: Registered) -> Callable[[int], None] | None:
        """Register a UE; what is returned is to be called when it has been answered. None: there is no room."""
        ue = entry.ue_service_id
        before = self.registry.get(ue)
        if before is None and self.registry.full():
            return None
        self._remove_index(ue)
        self.registry.save(entry)
        self._gateways.add(entry)
        self._lifetimes.heard(ue)
        self.counters["registrations"] += 1
        _log.info("registered", ue=ue, via=entry.via, address=entry.address)

        def resume(now: int) -> None:
            if before is not None and before.address != entry.address:
                # What is under way to where it was need not be waited for.
                self._delivery.forget(ue)
            if self.reachable(ue):
                self._delivery.resume(ue, now)
            if ue in self._gateways:
                self._gateway_moved(entry, now)

        return resume

    def _gateway_moved(self, gateway: Registered, now: int) -> None:
        # What it has registered is where it is now.
        for ue in self._gateways.behind(gateway.ue_service_id):
            entry = self.registry.get(ue)
            if entry and entry.address != gateway.address:
                self.registry.save(
                    Registered(ue, gateway.address, entry.via, entry.body, entry.content_format)
                )
                self._delivery.forget(ue)
            self._delivery.resume(ue, now)

    def _refuse_registration(
        self, request: Request, elements: Elements, code: int, cause: str, now: int
    ) -> None:
        self.counters["registrations_refused"] += 1
        _log.warning("registration refused", ue=elements[wire.UE_SERVICE_ID], cause=cause)
        self.resource.refuse(request, code, elements, cause, now, _max_age(code))

    def _on_dereg(self, request: Request, elements: Elements, now: int) -> None:
        ue = elements[wire.UE_SERVICE_ID]
        if not self._owns(request, ue, elements, now):
            return
        self._away(ue)
        _log.info("de-registered", ue=ue)
        self.resource.answer(request, wire.DEREGISTERED, now, messages.registration_result(wire.DEREG, ue))

    def _remove_index(self, ue: str) -> None:
        entry = self.registry.get(ue)
        if entry is not None:
            self._gateways.remove(entry)

    def _remove(self, ue: str) -> None:
        self._remove_index(ue)
        self.registry.remove(ue)
        self._windows.forget(ue)
        self.sizes.forget(ue)
        self._lifetimes.forget(ue)

    # -- messages (8.3.2, 8.3.4)

    def refusal(self, request: Request, ue: str, now: int) -> str | None:
        """Why a request can't be made for a UE from where it comes; None where it is registered there."""
        self._heard(request, now)
        entry = self.registry.get(ue)
        if entry is not None and self._is_from(request, entry):
            self._lifetimes.heard(ue)
            if self._delivery.waiting(ue):
                self._delivery.resume(ue, now)
            return None
        self.counters["not_registered"] += 1
        return wire.UE_SERVICE_ID_NOT_OWNED if entry else wire.NOT_REGISTERED

    @staticmethod
    def _is_from(request: Request, entry: Registered) -> bool:
        if request.context:
            return request.context.name == (entry.via or entry.ue_service_id)
        return entry.address == request.peer.address

    def _owns(self, request: Request, ue: str, elements: Elements, now: int) -> bool:
        refusal = self.refusal(request, ue, now)
        if refusal:
            self.resource.refuse(request, wire.REFUSED, elements, refusal, now)
        return refusal is None

    def _on_message(self, request: Request, elements: Elements, now: int) -> None:
        kind, originator = messages.originator(elements)
        if kind != wire.UE:
            # An Application Server speaks over MSGin5G-3.
            self.counters["refused"] += 1
            self.resource.refuse(request, wire.REFUSED, elements, wire.NOT_AUTHORIZED, now)
            return
        if self._gateways.that_asks(request) and self.registry.get(originator):
            self._heard(request, now)
            self._lifetimes.heard(originator)
        elif not self._owns(request, originator, elements, now):
            return
        outcome = self._service.submit(elements, in_json(request, elements), now)
        if outcome.status is None:
            self.resource.answer(request, outcome.code, now)
            return
        told = messages.response(
            (wire.UE, originator), elements[wire.MESSAGE_ID], outcome.status, outcome.cause
        )
        self.resource.answer(request, outcome.code, now, told, _max_age(outcome.code))


def _max_age(code: int) -> int | None:
    # When to try again, where that helps.
    return 5 if code == wire.UNAVAILABLE else None
