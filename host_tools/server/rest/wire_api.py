"""The table of the HTTP interfaces (TS 29.538): paths, headers, media types, status codes, causes, roles.

Names of members come from the wire table (:mod:`msgin5g.wire`, the API column), those that only the registration of
Application Servers and ProblemDetails have are here. No other file spells any of them.
"""

from __future__ import annotations

from http import HTTPStatus

from msgin5g import wire

# -- paths: {apiRoot}/<apiName>/<apiVersion>/<resource> (TS 29.501, 4.4.1)

REGISTRATIONS = "/msgs-asregistration/v1/registrations"
REGISTRATION_ID = "registrationId"
REGISTRATION = f"{REGISTRATIONS}/{{{REGISTRATION_ID}}}"
DELIVER_AS_MESSAGE = "/msgs-msgdelivery/v1/deliver-as-message"
DELIVER_UE_MESSAGE = "/msgs-msgdelivery/v1/deliver-ue-message"
SUBSCRIBE = "/msgs-topiclistevent/v1/request-topic-subscription"
UNSUBSCRIBE = "/msgs-topiclistevent/v1/request-topic-unsubscription"
DELIVER_REPORT = "/msgs-msgdelivery/v1/deliver-report"

# Behind an Application Server's targetUri. TS 29.538 has no API for that direction: docs/clauses.md says what is done.
CALLBACK_REPORT = "/deliver-report"

# -- media types

JSON = "application/json"
PROBLEM_JSON = "application/problem+json"

# -- headers

AUTHORIZATION = "Authorization"
CONTENT_LENGTH = "Content-Length"
CONTENT_TYPE = "Content-Type"
LOCATION = "Location"
RETRY_AFTER = "Retry-After"
WWW_AUTHENTICATE = "WWW-Authenticate"

# RFC 6750
BEARER = "Bearer"
CHALLENGE = 'Bearer realm="msgin5g"'
CHALLENGE_INVALID = 'Bearer realm="msgin5g", error="invalid_token"'

# Seconds after which a server without room may be asked again.
RETRY_AFTER_SECONDS = "5"

# -- status codes

CREATED = HTTPStatus.CREATED
DELIVERED = HTTPStatus.OK
DEREGISTERED = HTTPStatus.NO_CONTENT
INVALID = HTTPStatus.BAD_REQUEST
UNAUTHENTICATED = HTTPStatus.UNAUTHORIZED
REFUSED = HTTPStatus.FORBIDDEN
NOT_FOUND = HTTPStatus.NOT_FOUND
TOO_SLOW = HTTPStatus.REQUEST_TIMEOUT
TOO_LARGE = HTTPStatus.REQUEST_ENTITY_TOO_LARGE
WRONG_FORMAT = HTTPStatus.UNSUPPORTED_MEDIA_TYPE
BROKEN = HTTPStatus.INTERNAL_SERVER_ERROR
OVERLOADED = HTTPStatus.TOO_MANY_REQUESTS
UNAVAILABLE = HTTPStatus.SERVICE_UNAVAILABLE

# What the service's outcomes (CoAP codes) are on HTTP.
STATUS_OF = {
    wire.ACCEPTED: DELIVERED,
    wire.INVALID: INVALID,
    wire.REFUSED: REFUSED,
    wire.NO_SUCH_RECIPIENT: NOT_FOUND,
    wire.UNAVAILABLE: UNAVAILABLE,
}

_NOT_NOW = (HTTPStatus.REQUEST_TIMEOUT, HTTPStatus.TOO_MANY_REQUESTS)


def accepts(status: int) -> bool:
    """Has an Application Server taken what it was sent?"""
    return status // 100 == 2


def refuses(status: int) -> bool:
    """Will it not take it later either? What neither accepts nor refuses is tried again."""
    return status // 100 == 4 and status not in _NOT_NOW


# -- causes of ProblemDetails (TS 29.500, 5.2.7.2); those about a message are wire's Failure Causes

MALFORMED = "INVALID_MSG_FORMAT"
MANDATORY_MISSING = "MANDATORY_IE_MISSING"
MANDATORY_INCORRECT = "MANDATORY_IE_INCORRECT"
OPTIONAL_INCORRECT = "OPTIONAL_IE_INCORRECT"
NO_SUCH_RESOURCE = "RESOURCE_URI_STRUCTURE_NOT_FOUND"
NO_SUCH_REGISTRATION = "REGISTRATION_NOT_FOUND"
CONGESTION = "NF_CONGESTION_RISK"
FAILURE = "SYSTEM_FAILURE"

# -- who may do what: the roles of a credential, and the kind of address each speaks for

ROLE_AS = "as"
ROLE_MESSAGE_GATEWAY = "message-gateway"
ANY_SERVICE_ID = "*"
ROLE_OF = {wire.AS: ROLE_AS, wire.UE: ROLE_MESSAGE_GATEWAY}

# -- member names

_MEMBERS = {
    # ASRegistration, ASRegistrationAck, ASProfile
    "as_service_id": "asSvcId",
    "target_uri": "targetUri",
    "as_profile": "asProf",
    "result": "result",
    "application_name": "appName",
    "application_providers": "appProviders",
    "application_scenarios": "appSenarios",  # as TS 29.538 spells it
    "application_category": "appCategory",
    "as_status": "asStatus",
    # Not in TS 29.538: as TS 23.554's elements are called
    "payload_encoding": wire.name(wire.PAYLOAD_ENCODING),
    # MessageDeliveryAck
    "status": "status",
    # ProblemDetails
    "title": "title",
    "detail": "detail",
    "cause": "cause",
    "invalid_params": "invalidParams",
    "param": "param",
    "reason": "reason",
}


def element(attribute: str) -> int:
    """The information element that an attribute of a typed body stands for: ``message_id`` is wire.MESSAGE_ID."""
    return getattr(wire, attribute.upper())


def member(attribute: str) -> str:
    """The JSON member that an attribute of a typed body stands for: ``message_id`` is ``msgId``."""
    return _MEMBERS.get(attribute) or wire.name(element(attribute), wire.API)


def pointer(name: str) -> str | None:
    """Where in a body an information element is, by its name of TS 23.554, as a JSON Pointer; None for nowhere."""
    found = wire.element(name)
    number = found[0] if found else None
    for addresses, attribute in ((wire.ORIGINATORS, "originator"), (wire.RECIPIENTS, "destination")):
        if number == element(attribute) or number in dict(addresses).values():
            return f"/{member(attribute)}/{member('address')}"
    return f"/{wire.name(number, wire.API)}" if found else None
