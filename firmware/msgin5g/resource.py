# The one CoAP resource that all MSGin5G messages are POSTed to: decoded, checked, handed on by Message Type.
#
# A handler is called as handler(request, elements, now) and answers with answer(), at once or later. An answer is in
# the format of its request, JSON or CBOR.

from . import messages, wire
from .coap import numbers as coap
from .coap.message import ABSENT, dotted, uri_options


class MessageResource:
    def __init__(self, coap_server, handlers, path=wire.PATH, implied=None):
        # handlers: {Message Type: handler}. implied(request): what need not be said in CBOR (messages_cbor.py).
        self._server = coap_server
        self._handlers = handlers
        self._implied = implied or _nothing
        self.counters = {"bad_messages": 0, "wrong_format": 0, "handler_errors": 0}
        coap_server.on_error = self._on_error
        coap_server.add(path, coap.POST, self._on_post)
        coap_server.add(wire.SHORT_PATH, coap.POST, self._on_post)

    def answer(self, request, code, now, elements=None, max_age=None):
        if not elements and max_age is None:
            self._server.respond(request, code, now)
            return
        options = [] if max_age is None else [(coap.MAX_AGE, max_age)]
        if elements:
            content_format = request.content_format
            body = messages.encode(elements, content_format, self._implied(request))
            self._server.respond(request, code, now, body, content_format, options)
        else:
            self._server.respond(request, code, now, options=options)

    def refuse(self, request, code, elements, cause, now, max_age=None):
        # With the message response (or registration result) that tells why.
        kind = elements.get(wire.MESSAGE_TYPE)
        if kind in (wire.REG, wire.DEREG):
            told = messages.registration_result(kind, elements.get(wire.UE_SERVICE_ID), cause)
        else:
            told = messages.response(
                messages.originator(elements), elements.get(wire.MESSAGE_ID), wire.DELIVERY_FAILED, cause
            )
        self.answer(request, code, now, told, max_age)

    def _on_post(self, request, now):
        if request.content_format == ABSENT:
            request.content_format = coap.CBOR if request.path == wire.SHORT_PATH else coap.JSON
        if request.content_format not in (coap.JSON, coap.CBOR):
            self.counters["wrong_format"] += 1
            self.answer(request, wire.WRONG_FORMAT, now)
            return
        try:
            implied = self._implied(request) if request.content_format == coap.CBOR else None
            elements = messages.decode(request.payload, request.content_format, implied)
        except messages.BadMessage as bad:
            self._bad(request, bad.elements, bad.cause, now)
            return
        handler = self._handlers.get(elements[wire.MESSAGE_TYPE])
        if handler is None:
            self._bad(request, elements, wire.UNKNOWN_MESSAGE_TYPE, now)
        else:
            handler(request, elements, now)

    def _on_error(self, request, error):
        # A handler raised it; its peer has got 5.00, and whoever looks after the endpoint learns why.
        self.counters["handler_errors"] += 1
        self._server.endpoint.on_error(error)

    def _bad(self, request, elements, cause, now):
        self.counters["bad_messages"] += 1
        # Told in a message response, whatever it was meant to be.
        elements[wire.MESSAGE_TYPE] = wire.MSGRESP
        self.refuse(request, wire.INVALID, elements, cause, now)


def _nothing(request):
    return None


def from_peer(request):
    # As implied= where UEs are: the UE that a security context belongs to. An address alone is not enough, somebody
    # else may have it by now.
    return (wire.ORIGINATOR, request.context.name) if request.context else None


def in_json(request, elements):
    # A message as stores have it, and as it goes on.
    return request.payload if request.content_format == coap.JSON else messages.encode(elements)


def request_options(path=wire.PATH, content_format=coap.JSON):
    # The option pairs of a request that carries a message.
    if content_format == coap.CBOR and path == wire.PATH:
        # None: wire.SHORT_PATH.
        return []
    options = uri_options(path)
    options.append((coap.CONTENT_FORMAT, content_format))
    return options


# The options of most requests, once there was one.
_usual_options = []


def outgoing(entry, body, endpoint):
    # The options, the body and the security context of a request to a registered UE: a message from a store, in the
    # format of the UE. Raises Full when there are no keys for it, or somebody else is at its address by now.
    implied = context = None
    if endpoint.security:
        context = endpoint.security.of(entry.via or entry.ue_service_id, entry.address)
        if not entry.via:
            implied = (wire.DESTINATION, entry.ue_service_id)
    if entry.content_format == coap.CBOR:
        try:
            return [], messages.encode(messages.decode(body), coap.CBOR, implied), context
        except messages.BadMessage:
            # Stored by a version that took what this one does not.
            pass
    if not _usual_options:
        _usual_options.extend(request_options())
    return _usual_options, body, context


def told(response):
    # The elements in a response's body; {} when there are none that can be read. Who it is for is not asked: nothing
    # is checked beyond what can be used.
    if not response.payload:
        return {}
    try:
        content_format = coap.CBOR if response.content_format == coap.CBOR else coap.JSON
        return messages.decode(response.payload, content_format)
    except messages.BadMessage as bad:
        return bad.elements


def failure_cause(response):
    # Why a request was refused, as the peer says it, or by its code.
    cause = told(response).get(wire.FAILURE_CAUSE)
    if cause:
        return cause
    return dotted(response.code) if response.code is not None else wire.RECIPIENT_NOT_REACHABLE


# What a response means for the message that was sent.
ACCEPTED = 0
REFUSED = 1
NOT_REGISTERED = 2
NOT_NOW = 3


def meaning(response):
    code = response.code
    if code is None:
        return NOT_NOW
    if code >> 5 == 2:
        return ACCEPTED
    if code == wire.UNAUTHENTICATED:
        return NOT_REGISTERED
    if code == wire.REFUSED:
        cause = told(response).get(wire.FAILURE_CAUSE)
        # Without a cause the benefit of the doubt: to register again cannot do harm.
        if cause in (None, wire.NOT_REGISTERED, wire.UE_SERVICE_ID_NOT_OWNED):
            return NOT_REGISTERED
        return REFUSED
    if code in (wire.OVERLOADED, wire.INCOMPLETE) or code >> 5 == 5:
        return NOT_NOW
    return REFUSED
