# The wire table: every name, value, path and code that MSGin5G puts on the wire, and nothing else knows them.
#
# TS 24.538's member names, paths and codes are partly unknown to this project: docs/clauses.md says which, and
# what is done instead. When the text is at hand, this table changes and no other code.
#
# Constants only, which compiling for a board puts where they are used: it loads this table only for an application
# that asks for it. The member names are in wire_names.py, with what looks them up.
#
# An information element is known in the code by its number, which is also its key in CBOR; the numbers below 24
# take one octet there and belong to what a sensor sends.

from .coap import numbers as coap


def __getattr__(name):
    # What only few use is elsewhere, so that a board need not hold it.
    if name.startswith("__"):
        raise AttributeError(name)
    from . import wire_rare

    if hasattr(wire_rare, name):
        return getattr(wire_rare, name)
    from . import wire_names, wire_status

    return getattr(wire_status if hasattr(wire_status, name) else wire_names, name)


# -- information elements (TS 23.554 clause 8)

MESSAGE_TYPE = 0
ORIGINATING_UE = 1
RECIPIENT_UE = 2
MESSAGE_ID = 3
PAYLOAD = 4
DELIVERY_STATUS_REQUIRED = 5
STORE_AND_FORWARD_FLAG = 6
APPLICATION_ID = 7
RECIPIENT_AS = 8
ORIGINATING_AS = 9
DELIVERY_STATUS = 10
FAILURE_CAUSE = 11
PAYLOAD_ENCODING = 12
STORE_AND_FORWARD_PARAMETERS = 13
MESSAGE_EXPIRATION_TIME = 14
PRIORITY_TYPE = 15
SEGMENTATION_SET_ID = 17
SEGMENT_NUMBER = 18
TOTAL_SEGMENTS = 19
GROUP_SERVICE_ID = 21
MESSAGING_TOPIC = 22
UE_SERVICE_ID = 23
REGISTRATION_RESULT = 24
BROADCAST_AREA_ID = 25
CLIENT_PROFILE = 27
# Only in the 29.538 APIs: an address is one object there, and the segmentation parameters are another.
ORIGINATOR = 45
DESTINATION = 46
ADDRESS_TYPE = 47
ADDRESS = 48
SEGMENTATION_PARAMETERS = 49
# Registration of several UEs at once (8.2.7), aggregated messages (8.4)
NUMBER_OF_REGISTRATION_REQUESTS = 50
REGISTRATION_REQUESTS = 51
NUMBER_OF_REGISTRATION_RESPONSES = 52
REGISTRATION_RESPONSES = 53
NUMBER_OF_MESSAGES = 54
INDIVIDUAL_MESSAGES = 55
# Segment recovery (8.5), messaging topics (8.8)
MISSING_SEGMENT_NUMBERS = 56
MESSAGING_TOPICS = 61
# Aggregated delivery status reports (8.4)
NUMBER_OF_REPORTS = 68
INDIVIDUAL_REPORTS = 69

# The kind of each element's value, by its number, ten a row: s string, b boolean, i integer, t date-time, o object of
# further elements, a address; lists: w of strings, n of integers, l of objects of further elements.
KINDS = "sssssbbssssssotsbsiibsssssioosisotibiibibitssaassoilililnssiiwstssitils"

# Which of an element's names is emitted: TS 23.554's on CoAP, TS 29.538's on HTTP.
STAGE_2 = 1
API = 2

# -- values

# Message Type (TS 24.538, 7.1)
REG = "REG"
DEREG = "DEREG"
MSG = "MSG"
MSGRESP = "MSGRESP"
IMDN = "IMDN"
SEGREC = "SEGREC"
SEGCONFIR = "SEGCONFIR"
# Update or discard of a stored message (8.3.6.1): the standard's name is not known.
SFUPD = "SFUPD"

# Delivery Status of a message response, and of a delivery status report (TS 29.538)
DELIVERY_FAILED = "DELY_FAILED"
DELIVERY_STORED = "DELY_STORED"
REPORT_SUCCESS = "REPT_DELY_SUCCESS"
REPORT_FAILED = "REPT_DELY_FAILED"

REGISTRATION_SUCCESS = "SUCCESS"
REGISTRATION_FAILED = "FAILED"

# Failure Cause: the standard's text is not known; these are this project's words.
MANDATORY_IE_MISSING = "MANDATORY_IE_MISSING:"
INVALID_IE = "INVALID_IE:"
MALFORMED = "MALFORMED"
UNKNOWN_MESSAGE_TYPE = "UNKNOWN_MESSAGE_TYPE"
NOT_REGISTERED = "NOT_REGISTERED"
UE_SERVICE_ID_NOT_OWNED = "UE_SERVICE_ID_NOT_OWNED"
NOT_AUTHORIZED = "NOT_AUTHORIZED"
UNKNOWN_RECIPIENT = "UNKNOWN_RECIPIENT"
RECIPIENT_NOT_REACHABLE = "RECIPIENT_NOT_REACHABLE"
SERVER_NOT_REACHABLE = "SERVER_NOT_REACHABLE"
EXPIRED = "EXPIRED"
STORE_FULL = "STORE_FULL"
REJECTED_BY_RECIPIENT = "REJECTED_BY_RECIPIENT"

BASE64 = "base64"

# Priority type (TS 29.538)
HIGH = "HIGH"
MIDDLE = "MIDDLE"
LOW = "LOW"

# addrType of TS 29.538, and the elements that carry such an address on CoAP
UE = "UE"
AS = "AS"
GROUP = "GROUP"
BROADCAST = "BC"
TOPIC = "TOPIC"
ORIGINATORS = ((UE, ORIGINATING_UE), (AS, ORIGINATING_AS))
RECIPIENTS = (
    (UE, RECIPIENT_UE),
    (AS, RECIPIENT_AS),
    (GROUP, GROUP_SERVICE_ID),
    (BROADCAST, BROADCAST_AREA_ID),
    (TOPIC, MESSAGING_TOPIC),
)

# What each Message Type must have besides its Message Type; an originator and a recipient count as one each.
MANDATORY = {
    REG: (UE_SERVICE_ID,),
    DEREG: (UE_SERVICE_ID,),
    MSG: (ORIGINATOR, DESTINATION, MESSAGE_ID, STORE_AND_FORWARD_FLAG),
    MSGRESP: (ORIGINATOR, MESSAGE_ID),
    IMDN: (ORIGINATOR, DESTINATION, MESSAGE_ID, DELIVERY_STATUS),
    SEGREC: (ORIGINATOR, DESTINATION, SEGMENTATION_SET_ID, MISSING_SEGMENT_NUMBERS),
    SEGCONFIR: (ORIGINATOR, DESTINATION, SEGMENTATION_SET_ID),
    SFUPD: (ORIGINATOR, MESSAGE_ID),
}

# What only messages of several parts, and parts of messages, have.
PARTS = (
    SEGMENTATION_SET_ID,
    SEGMENT_NUMBER,
    TOTAL_SEGMENTS,
    MISSING_SEGMENT_NUMBERS,
    NUMBER_OF_MESSAGES,
    INDIVIDUAL_MESSAGES,
    NUMBER_OF_REPORTS,
    INDIVIDUAL_REPORTS,
    NUMBER_OF_REGISTRATION_REQUESTS,
    REGISTRATION_REQUESTS,
    NUMBER_OF_REGISTRATION_RESPONSES,
    REGISTRATION_RESPONSES,
)

# Identifiers: what a message, its sender or its recipient goes by.
IDENTIFIERS = (
    MESSAGE_ID,
    ORIGINATING_UE,
    RECIPIENT_UE,
    RECIPIENT_AS,
    ORIGINATING_AS,
    UE_SERVICE_ID,
    APPLICATION_ID,
    GROUP_SERVICE_ID,
    BROADCAST_AREA_ID,
    MESSAGING_TOPIC,
    SEGMENTATION_SET_ID,
)

# -- CoAP

PATH = "msgin5g"
# The same resource for messages in CBOR: no Uri-Path at all, and no Content-Format, which is CBOR here if none is
# given. On the constrained hop both are octets of each message, and OSCORE makes neither free.
SHORT_PATH = ""
PORT = 5683

# What answers what: one code for each outcome.
REGISTERED = coap.CREATED
DEREGISTERED = coap.DELETED
ACCEPTED = coap.CHANGED
INVALID = coap.BAD_REQUEST
REFUSED = coap.FORBIDDEN
UNAUTHENTICATED = coap.UNAUTHORIZED
NO_SUCH_RECIPIENT = coap.NOT_FOUND
WRONG_FORMAT = coap.UNSUPPORTED_CONTENT_FORMAT
TOO_LARGE = coap.REQUEST_ENTITY_TOO_LARGE
# The peer has given up what it had of a body in several blocks.
INCOMPLETE = coap.REQUEST_ENTITY_INCOMPLETE
OVERLOADED = coap.TOO_MANY_REQUESTS
UNAVAILABLE = coap.SERVICE_UNAVAILABLE

# Seconds: 24.538's timers are not known; RFC 7252's parameters do the rest.
DEFAULT_EXPIRATION = 86400
REPORT_WAIT = 120

# Meanings of a Delivery Status, apart from how it is spelled.
SUCCESS = "success"
FAILED = "failed"
STORED = "stored"
REJECTED = "rejected"
