# MSGin5G-5 in CoAP and JSON (TS 24.538, A.3): the side of the MSGin5G Client.
#
# Every message is a POST to the one resource, either way, and answered at once. What goes to an Application Client has
# its originator as target: that is where a report on it goes. One message at a time is under way to an Application
# Client, until it has answered, and where a report is wanted until that has come.

from . import messages, messages_json, ticks, wire
from .coap import numbers as coap
from .coap.client import Client as CoapClient
from .coap.endpoint import Full as EndpointFull
from .coap.message import ABSENT
from .coap.server import Server
from .delivery import DONE, LATER
from .resource import ACCEPTED, NOT_NOW, MessageResource, meaning, request_options

# Uploads in blocks at a time, of all Application Clients together.
_MOST_TRANSFERS = 16

# What each Message Type must have here besides that.
_MANDATORY = {
    wire.REG: (wire.APPLICATION_ID,),
    wire.DEREG: (wire.APPLICATION_ID,),
    wire.MSG: (wire.TARGET_ADDRESS, wire.MESSAGE_ID, wire.PAYLOAD),
    wire.IMDN: (wire.TARGET_ADDRESS, wire.MESSAGE_ID, wire.DELIVERY_STATUS),
}


class _UnderWay:
    # A message on its way to an Application Client.
    def __init__(self, entry, item, elements, target, done, transfer=None):
        self.hop = entry.ue_service_id
        self.address = entry.address
        self.item = item
        self.elements = elements
        self.target = target
        self.done = done
        self.transfer = transfer
        # It has been answered: its report is waited for until then.
        self.due = None


class _Resource(MessageResource):
    # A message between Application Client and MSGin5G Client has no originator and need not be checked for one.
    def _on_post(self, request, now):
        if request.content_format == ABSENT:
            request.content_format = coap.JSON
        if request.content_format != coap.JSON:
            self.counters["wrong_format"] += 1
            self.answer(request, wire.WRONG_FORMAT, now)
            return
        try:
            elements = _decode(request.payload)
            self._handlers[elements[wire.MESSAGE_TYPE]](request, elements, now)
        except messages.BadMessage as bad:
            self._bad(request, {}, bad.cause, now)
        except UnicodeError:
            # Half of a surrogate pair.
            self._bad(request, {}, wire.MALFORMED, now)


class CoapFace:
    # What the entry of the registry says of one that speaks CoAP.
    via = "CoAP"

    def __init__(self, clients):
        self._clients = clients
        self._endpoint = clients.endpoint
        self._coap = CoapClient(clients.endpoint)
        # hop -> what is under way to it
        self._under_way = {}
        handlers = {
            wire.REG: self._on_registration,
            wire.DEREG: self._on_deregistration,
            wire.MSG: self._on_message,
            wire.IMDN: self._on_report,
        }
        self._resource = _Resource(Server(clients.endpoint, most_transfers=_MOST_TRANSFERS), handlers)
        self._resource.counters = clients.counters
        clients.endpoint.on_timer.append(self._on_timer)

    def _count(self, what):
        self._clients.counters[what] += 1

    # -- from Application Clients

    def _here(self, request, elements, now):
        # The applications that are registered where this comes from; None when it has sent too much, and is told so.
        address = request.peer.address
        here = self._clients.at(address)
        if self._clients.too_many(address if here else None, now):
            self._resource.answer(request, wire.OVERLOADED, now, max_age=1)
            return None
        return here

    def _on_registration(self, request, elements, now):
        if self._here(request, elements, now) is None:
            return
        application = self._clients.applications.get(elements[wire.APPLICATION_ID])
        credential = elements.get(wire.UE_CREDENTIAL_INFORMATION, "").encode()
        layer_2_id = elements.get(wire.LAYER_2_ID, "").encode()
        address = request.peer.address
        if self._clients.register(application, credential, address, self.via, layer_2_id, now):
            result = messages.registration_result(wire.REG, None)
            self._resource.answer(request, wire.REGISTERED, now, result)
        else:
            self._resource.refuse(request, wire.REFUSED, elements, wire.NOT_AUTHORIZED, now)

    def _on_deregistration(self, request, elements, now):
        here = self._here(request, elements, now)
        if here is None:
            return
        application = self._clients.applications.get(elements[wire.APPLICATION_ID])
        if application in here:
            self._clients.deregister(application, now)
        # One that is not registered here has nothing to lose.
        self._resource.answer(request, wire.DEREGISTERED, now, messages.registration_result(wire.DEREG, None))

    def _mine(self, request, elements, now):
        # The application that has sent it; None when that is not known, which is told.
        here = self._here(request, elements, now)
        if here is None:
            return None
        identity = elements.get(wire.APPLICATION_ID)
        mine = [one for one in here if identity in (None, one.identity)]
        if len(mine) == 1:
            return mine[0]
        self._count("not_registered")
        self._resource.refuse(request, wire.UNAUTHENTICATED, elements, wire.NOT_REGISTERED, now)
        return None

    def _on_message(self, request, elements, now):
        application = self._mine(request, elements, now)
        if application is None:
            return
        taken = self._clients.message(
            application,
            _target(elements),
            elements[wire.MESSAGE_ID],
            messages.payload(elements),
            elements.get(wire.DELIVERY_STATUS_REQUIRED, False),
            now,
        )
        if taken:
            self._resource.answer(request, wire.ACCEPTED, now)
        else:
            self._full(request, elements, now)

    def _on_report(self, request, elements, now):
        application = self._mine(request, elements, now)
        if application is None:
            return
        under_way = self._under_way.get(application.hop)
        if (
            under_way is None
            or not _wants_report(under_way.item)
            or under_way.target != _target(elements)
            or under_way.elements[wire.MESSAGE_ID] != elements[wire.MESSAGE_ID]
        ):
            # The message is reported on already, or never came this way.
            self._count("unexpected")
            self._resource.refuse(request, wire.NO_SUCH_RECIPIENT, elements, wire.UNKNOWN_MESSAGE, now)
            return
        cause = None
        if wire.status(elements[wire.DELIVERY_STATUS]) != wire.SUCCESS:
            cause = elements.get(wire.FAILURE_CAUSE) or wire.REJECTED_BY_RECIPIENT
        if self._clients.report(under_way.elements, cause, now):
            self._resource.answer(request, wire.ACCEPTED, now)
            self._end(under_way, DONE, now)
        else:
            self._full(request, elements, now)

    def _full(self, request, elements, now):
        self._resource.refuse(request, wire.UNAVAILABLE, elements, wire.STORE_FULL, now, max_age=5)

    # -- to Application Clients

    def send(self, application, entry, item, elements, done, now):
        told = _to_application(application, elements, item.kind)
        if told is None:
            # There will be a report.
            done(DONE, now)
            return
        under_way = _UnderWay(entry, item, elements, _target(told), done)

        def on_response(response, now):
            under_way.transfer = None
            if self._under_way.get(under_way.hop) is not under_way:
                # Its report was quicker, or somebody else is there now.
                return
            outcome = meaning(response)
            if outcome == ACCEPTED and _wants_report(item):
                under_way.due = ticks.add(now, self._endpoint.parameters.max_transmit_wait)
                self._endpoint.arm(under_way.due)
            elif outcome == ACCEPTED:
                self._end(under_way, DONE, now)
            elif outcome == NOT_NOW or response.code == wire.NO_SUCH_RECIPIENT:
                # No answer, no room, or somebody else at this address.
                self._end(under_way, LATER, now)
            else:
                del self._under_way[under_way.hop]
                self._clients.refused(item, elements, done, now)

        self._under_way[under_way.hop] = under_way
        try:
            under_way.transfer = self._coap.request(
                entry.address, coap.POST, request_options(), messages.encode(told), on_response, now
            )
        except EndpointFull:
            self._end(under_way, LATER, now)

    def forget(self, hop, now):
        under_way = self._under_way.get(hop)
        if under_way:
            self._end(under_way, None, now)

    def _end(self, under_way, verdict, now):
        # verdict: None when it was forgotten.
        del self._under_way[under_way.hop]
        if under_way.transfer:
            under_way.transfer.cancel(now)
        if verdict is not None:
            self._count("taken" if verdict == DONE else "no_answer")
        under_way.done(LATER if verdict is None else verdict, now)

    def _on_timer(self, now):
        for under_way in list(self._under_way.values()):
            if under_way.due is None:
                continue
            if ticks.diff(under_way.due, now) > 0:
                self._endpoint.arm(under_way.due)
            else:
                # It has not reported: the message goes to it once more.
                self._end(under_way, LATER, now)


def _decode(payload):
    # Octets -> elements, checked.
    elements = messages_json.read(payload)
    kind = elements[wire.MESSAGE_TYPE] = elements.get(wire.MESSAGE_TYPE, "").upper()
    if kind not in _MANDATORY:
        raise messages.BadMessage(wire.UNKNOWN_MESSAGE_TYPE)
    messages.check_one(elements, _MANDATORY[kind])
    return elements


def _wants_report(item):
    return item.kind == wire.MSG and item.report


def _target(elements):
    # (kind, Service ID), of a UE unless it says otherwise.
    kind = elements.get(wire.TARGET_TYPE, wire.UE).upper()
    if kind not in dict(wire.RECIPIENTS):
        raise messages.invalid(wire.TARGET_TYPE)
    return kind, elements[wire.TARGET_ADDRESS]


def _to_application(application, elements, kind):
    # A message, a report or a message response, as an Application Client gets it; None for what it is not told.
    target_type, target = messages.originator(elements)
    told = {
        wire.MESSAGE_TYPE: kind,
        wire.APPLICATION_ID: application.identity,
        wire.MESSAGE_ID: elements[wire.MESSAGE_ID],
        wire.TARGET_ADDRESS: target or "",
        wire.TARGET_TYPE: target_type or wire.AS,
    }
    if kind == wire.MSG:
        told[wire.DELIVERY_STATUS_REQUIRED] = bool(elements.get(wire.DELIVERY_STATUS_REQUIRED))
        taken = (wire.PAYLOAD, wire.PAYLOAD_ENCODING)
    else:
        # On one of its own messages, which it knows by its own Message ID.
        told[wire.MESSAGE_ID] = elements[wire.MESSAGE_ID].split("/", 1)[-1]
        status = elements.get(wire.DELIVERY_STATUS)
        meant = wire.status(status) if status else wire.STORED
        if kind == wire.MSGRESP and meant == wire.STORED:
            return None
        told[wire.MESSAGE_TYPE] = wire.IMDN
        told[wire.DELIVERY_STATUS] = wire.REPORT_SUCCESS if meant == wire.SUCCESS else wire.REPORT_FAILED
        taken = (wire.FAILURE_CAUSE,)
    for element in taken:
        if element in elements:
            told[element] = elements[element]
    return told
