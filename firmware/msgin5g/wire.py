# The wire table: every name, value, path and code that MSGin5G puts on the wire, and nothing else knows them.
#
# TS 24.538's member names, paths and codes are partly unknown to this project: docs/clauses.md says which, and
# what is done instead. When the text is at hand, this file changes and no other.
#
# An information element is known in the code by its number, which is also its key in CBOR; the numbers below 24
# take one octet there and belong to what a sensor sends.

from .coap import numbers as coap


def __getattr__(name):
    # Names that only few use are in wire_rare, so that a board need not hold them.
    if name.startswith("__"):
        raise AttributeError(name)
    from . import wire_rare

    return getattr(wire_rare, name)


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
SEGMENTATION_SET_ID = 17
SEGMENT_NUMBER = 18
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
# Segment recovery (8.5), messaging topics (8.8)
MISSING_SEGMENT_NUMBERS = 56
MESSAGING_TOPICS = 61

# One line for each: number, kind|name of TS 23.554 (emitted on CoAP)|name of TS 29.538 (emitted on HTTP)|further
# spellings that are understood|. A spelling is compared without case and without punctuation.
# Kinds: s string, b boolean, i integer, t date-time, o object of further elements, a address; lists: w of strings,
# n of integers, l of objects of further elements.
_ELEMENTS = """
0 s|Message Type|msgType|
1 s|Originating UE Service ID||Originating UE Service Identifier|
2 s|Recipient UE Service ID||Target UE Service ID|
3 s|Message ID|msgId|Message Identifier|
4 s|Payload|payload|
5 b|Delivery status required|delivStReqInd|Delivery status report required|
6 b|Store and forward flag|stoAndFwInd|
7 s|Application ID|appId|Application Identifier|
8 s|Recipient AS Service ID||Target AS Service ID|
9 s|Originating AS Service ID||Originating AS Service Identifier|
10 s|Delivery Status|delivSt|status|
11 s|Failure Cause|failureCause|
12 s|Payload encoding|
13 o|Store and forward parameters|stoAndFwParams|
14 t|Message expiration time|exprTime|Expiration time|
15 s|Priority type|priority|
16 b|Message is segmented|segInd|
17 s|Segmentation set identifier|segId|
18 i|Message segment number|segNumb|
19 i|Total number of message segments|totalSegCount|
20 b|Last segment flag|lastSegFlag|
21 s|Group Service ID||Recipient Group Service ID|Recipient Group ID|
22 s|Messaging Topic|
23 s|UE Service ID|ueSvcId|
24 s|Registration result|result|
25 s|Broadcast Area ID|
26 i|Latency|latency|
27 o|MSGin5G Client Profile|clientProfile|Client Profile|
28 o|MSGin5G Client Triggering Information|triggeringInformation|
29 s|UE Identifier|
30 i|Port number|portNumber|Port number(s)|
31 s|Associated protocol|
32 o|MSGin5G Client Communication Availability|communicationAvailability|
33 t|Scheduled communication time|
34 i|Communication duration time|
35 b|Periodic communication indicator|
36 i|Periodic communication interval|
37 i|Data size indication|
38 b|Store and forward option|
39 i|MSGin5G Client Supported Maximum MSGin5G segment size|segSize|Supported Maximum MSGin5G segment size|
40 b|Registration urgent degree|
41 i|Registration request expiration time||Wait time|
42 t|Expected registration time|
43 s|Security credentials|secCred|
44 s|UE credential information|
45 a|Originating UE Service ID/AS Service ID|oriAddr|Originating address|
46 a|Recipient UE Service ID/AS Service ID|destAddr|Destination address|
47 s|Address type|addrType|
48 s|Address|addr|
49 o|Segmentation parameters|segParams|
50 i|Number of individual MSGin5G UE registration requests||Number of individual MSGin5G UE registration request|
51 l|List of individual MSGin5G UE registration request||List of individual MSGin5G UE registration requests|
52 i|Number of individual MSGin5G UE registration responses||Number of individual MSGin5G UE registration response|
53 l|List of individual MSGin5G UE registration response||List of individual MSGin5G UE registration responses|
54 i|Number of individual messages|
55 l|List of individual messages||List of individual message|
56 n|Missing segment numbers|
57 s|Layer-2 ID|
58 s|MSGin5G UE ID|
59 i|Required packet size|
60 i|Allowed packet size|
61 w|Messaging Topics|msgTopics|List of Messaging Topics|
62 s|Subscription status|subStat|
63 t|Expiration|
64 s|Target address|
65 s|Target type|
66 i|Messages waiting|
67 t|Expected configuration time|
68 i|Number of individual delivery status reports|
69 l|List of individual delivery status reports||List of individual delivery status report|
"""

# Columns of _ELEMENTS.
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
}

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

# -- looking things up

# What has been looked up so far: peers use few spellings. Bounded, so that one that uses many costs only time.
_found = {}
_names = {}
_MOST_FOUND = 128
# Longer ones are not looked up: the longest name has 54 characters.
_LONGEST_NAME = 96

# _ELEMENTS with every name in its plain spelling; made when the first odd spelling is met.
_plain_elements = None


def name(element, column=STAGE_2):
    # An element that TS 29.538 has no name for goes by its name of TS 23.554.
    key = element << 2 | column
    found = _names.get(key)
    if found is None:
        at = _ELEMENTS.find("\n%d " % element)
        columns = _ELEMENTS[at : _ELEMENTS.find("\n", at + 1)].split("|")
        found = _names[key] = columns[column] or columns[STAGE_2]
    return found


def element(key):
    # (number, kind) of a member name in any spelling; None for one that is not known.
    found = _found.get(key)
    # MicroPython's JSON takes anything for a member name.
    if found is None and isinstance(key, str) and len(key) <= _LONGEST_NAME:
        found = _find(_ELEMENTS, key) or _find(_all_plain(), _plain(key))
        if found and len(_found) < _MOST_FOUND:
            _found[key] = found
    return found


def _find(table, key):
    if not key or "|" in key or "\n" in key:
        return None
    at = table.find("|" + key + "|")
    if at < 0:
        return None
    start = table.rfind("\n", 0, at + 1) + 1
    number, kind = table[start : table.find("|", start)].split(" ")
    return int(number), kind


def _all_plain():
    global _plain_elements
    if _plain_elements is None:
        lines = [""]
        for line in _ELEMENTS.strip().split("\n"):
            head, names = line.split("|", 1)
            lines.append(head + "|" + "|".join([_plain(one) for one in names.split("|")]))
        _plain_elements = "\n".join(lines)
    return _plain_elements


def _plain(key):
    return "".join([letter for letter in key.lower() if letter.isdigit() or letter.isalpha()])


def status(text):
    # A Delivery Status in any spelling seen in the field; an unknown one is taken for a failure.
    plain = _plain(text)
    for word, meaning in _STATUS_WORDS:
        if word in plain:
            return meaning
    return FAILED


# Meanings of a Delivery Status, apart from how it is spelled.
SUCCESS = "success"
FAILED = "failed"
STORED = "stored"
REJECTED = "rejected"
_STATUS_WORDS = (
    ("fail", FAILED),
    ("unsuccess", FAILED),
    ("success", SUCCESS),
    ("stored", STORED),
    ("reject", REJECTED),
)
