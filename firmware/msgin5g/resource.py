# The one CoAP resource that all MSGin5G messages are POSTed to: decoded, checked, handed on by Message Type.
#
# A handler is called as handler(request, elements, now) and answers with answer(), at once or later.

from . import messages, wire
from .coap import numbers as coap
from .coap.message import ABSENT, dotted, uri_options


class MessageResource:
    def __init__(self, coap_server, handlers, path=wire.PATH):
        # handlers: {Message Type: handler}
        self._server = coap_server
        self._handlers = handlers
        self.counters = {"bad_messages": 0, "wrong_format": 0, "handler_errors": 0}
        coap_server.on_error = self._on_error
        coap_server.add(path, coap.POST, self._on_post)

    def answer(self, request, code, now, elements=None, max_age=None):
        options = [] if max_age is None else [(coap.MAX_AGE, max_age)]
        if elements:
            self._server.respond(request, code, now, messages.encode(elements), coap.JSON, options)
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
        if request.content_format not in (ABSENT, coap.JSON):
            self.counters["wrong_format"] += 1
            self.answer(request, wire.WRONG_FORMAT, now)
            return
        try:
            elements = messages.decode(request.payload)
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


def request_options(path=wire.PATH):
    # The option pairs of a request that carries a message.
    options = uri_options(path)
    options.append((coap.CONTENT_FORMAT, coap.JSON))
    return options


def told(response):
    # The elements in a response's body; {} when there are none that can be read.
    if not response.payload:
        return {}
    try:
        return messages.decode(response.payload)
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
