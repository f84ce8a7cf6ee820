# The part of the wire table that names the members, and how a name is looked up, in any spelling.

from . import wire
from .wire_status import plain

# The elements that a small client meets; the others are in wire_names_rare.py, which is loaded on use.
#
# One line for each: number|name of TS 23.554 (emitted on CoAP)|name of TS 29.538 (emitted on HTTP)|further spellings
# that are understood|. A spelling is compared without case and without punctuation.
_ELEMENTS = """
0|Message Type|msgType|
1|Originating UE Service ID||Originating UE Service Identifier|
2|Recipient UE Service ID||Target UE Service ID|
3|Message ID|msgId|Message Identifier|
4|Payload|payload|
5|Delivery status required|delivStReqInd|Delivery status report required|
6|Store and forward flag|stoAndFwInd|
7|Application ID|appId|Application Identifier|
8|Recipient AS Service ID||Target AS Service ID|
9|Originating AS Service ID||Originating AS Service Identifier|
10|Delivery Status|delivSt|status|
11|Failure Cause|failureCause|
12|Payload encoding|
13|Store and forward parameters|stoAndFwParams|
14|Message expiration time|exprTime|Expiration time|
15|Priority type|priority|
21|Group Service ID||Recipient Group Service ID|Recipient Group ID|
22|Messaging Topic|
23|UE Service ID|ueSvcId|
24|Registration result|result|
"""

# What has been looked up so far: peers use few spellings. Bounded, so that one that uses many costs only time.
_found = {}
_names = {}
_MOST_FOUND = 128
# Longer ones are not looked up: the longest name has 54 characters.
_LONGEST_NAME = 96

# All elements with every name in its plain spelling; made when the first odd spelling is met.
_plain_elements = None


def name(element, column=wire.STAGE_2):
    # An element that TS 29.538 has no name for goes by its name of TS 23.554.
    key = element << 2 | column
    found = _names.get(key)
    if found is None:
        table = _ELEMENTS
        at = table.find("\n%d|" % element)
        if at < 0:
            table = _others()
            at = table.find("\n%d|" % element)
        columns = table[at : table.find("\n", at + 1)].split("|")
        found = _names[key] = columns[column] or columns[wire.STAGE_2]
    return found


def element(key):
    # (number, kind) of a member name in any spelling; None for one that is not known.
    found = _found.get(key)
    # MicroPython's JSON takes anything for a member name.
    if found is None and isinstance(key, str) and len(key) <= _LONGEST_NAME:
        found = _find(_ELEMENTS, key) or _find(_others(), key) or _find(_all_plain(), plain(key))
        if found and len(_found) < _MOST_FOUND:
            _found[key] = found
    return found


def all_lines():
    return (_ELEMENTS + _others()[1:]).strip().split("\n")


def _others():
    from . import wire_names_rare

    return wire_names_rare.elements


def _find(table, key):
    if not key or "|" in key or "\n" in key:
        return None
    at = table.find("|" + key + "|")
    if at < 0:
        return None
    start = table.rfind("\n", 0, at + 1) + 1
    number = int(table[start : table.find("|", start)])
    return number, wire.KINDS[number]


def _all_plain():
    global _plain_elements
    if _plain_elements is None:
        lines = [""]
        for line in all_lines():
            head, names = line.split("|", 1)
            lines.append(head + "|" + "|".join([plain(one) for one in names.split("|")]))
        _plain_elements = "\n".join(lines)
    return _plain_elements
