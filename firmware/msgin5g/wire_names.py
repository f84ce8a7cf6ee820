# The part of the wire table that names the members, and how a name is looked up, in any spelling.

from . import wire

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

# What has been looked up so far: peers use few spellings. Bounded, so that one that uses many costs only time.
_found = {}
_names = {}
_MOST_FOUND = 128
# Longer ones are not looked up: the longest name has 54 characters.
_LONGEST_NAME = 96

# _ELEMENTS with every name in its plain spelling; made when the first odd spelling is met.
_plain_elements = None


def name(element, column=wire.STAGE_2):
    # An element that TS 29.538 has no name for goes by its name of TS 23.554.
    key = element << 2 | column
    found = _names.get(key)
    if found is None:
        at = _ELEMENTS.find("\n%d " % element)
        columns = _ELEMENTS[at : _ELEMENTS.find("\n", at + 1)].split("|")
        found = _names[key] = columns[column] or columns[wire.STAGE_2]
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
    return wire.FAILED


_STATUS_WORDS = (
    ("fail", wire.FAILED),
    ("unsuccess", wire.FAILED),
    ("success", wire.SUCCESS),
    ("stored", wire.STORED),
    ("reject", wire.REJECTED),
)
