# MSGin5G messages: the information elements of TS 23.554 as a dict {element number: value}, to and from JSON.
#
# Decoding is tolerant about spelling (wire.py) and unknown members, and strict about what is missing or of the
# wrong type: such a message raises BadMessage with the Failure Cause that its sender is told.

import json
from binascii import a2b_base64, b2a_base64

from . import wire, wire_names

# Longer identifiers are nobody's: a UE Service ID or a Message ID is a few dozen characters.
_LONGEST_ID = 255
# CPython's quick answer for nearly every identifier; MicroPython has none.
_is_printable = getattr(str, "isprintable", None)


class BadMessage(ValueError):
    def __init__(self, cause):
        super().__init__(cause)
        self.cause = cause
        # What could be read of it, to answer its sender with.
        self.elements = {}


# -- JSON


def decode(payload):
    # Octets of a JSON object -> elements, checked.
    try:
        # RFC 8259 knows UTF-8 only, where no octet of JSON is 0; CPython would take UTF-16 as well. Some MicroPythons
        # take an object that is cut off.
        usable = payload.rstrip()[-1:] == b"}" and b"\0" not in payload
        members = loads(payload) if usable else None
        elements = from_members(members) if isinstance(members, dict) else None
    except BadMessage as bad:
        _drop_unusable(bad.elements)
        raise
    except (ValueError, RuntimeError):
        # RuntimeError: nested deeper than the parser goes, or than anything sensible.
        raise BadMessage(wire.MALFORMED)
    if elements is None:
        raise BadMessage(wire.MALFORMED)
    try:
        check(elements)
    except BadMessage as bad:
        bad.elements = elements
        raise
    return elements


def from_members(members):
    # A JSON object, with any spelling of its members -> elements. Unknown members are ignored. What is of the
    # wrong type is left out, and told when the rest has been read.
    elements = {}
    wrong = None
    for key, value in members.items():
        found = wire_names.element(key)
        if found is None or value is None:
            continue
        number, kind = found
        if kind != "s" or not isinstance(value, str):
            try:
                if kind == "a":
                    number, value = _address(number, value)
                elif number == wire.SEGMENTATION_PARAMETERS and isinstance(value, dict):
                    # One object in the APIs, single members on CoAP.
                    elements.update(from_members(value))
                    continue
                elif number == wire.MESSAGING_TOPIC and isinstance(value, list):
                    number = wire.MESSAGING_TOPICS
                    value = _typed(number, "w", value)
                else:
                    value = _typed(number, kind, value)
            except BadMessage as bad:
                wrong = wrong or bad
                continue
        elements[number] = value
    if wrong:
        wrong.elements = elements
        raise wrong
    return elements


def to_members(elements, column=wire.STAGE_2):
    members = {}
    for number, value in elements.items():
        if isinstance(value, dict):
            value = to_members(value, column)
        elif isinstance(value, list):
            value = [to_members(one, column) if isinstance(one, dict) else one for one in value]
        members[wire_names.name(number, column)] = value
    return members


def encode(elements):
    return dumps(to_members(elements))


# JSON from and to octets. A host has quicker ones and sets them here.
loads = json.loads


def dumps(members):
    return json.dumps(members, separators=(",", ":")).encode()


# What a list of a kind is a list of.
_OF_LIST = {"w": "s", "n": "i", "l": "o"}


def _typed(number, kind, value):
    if kind == "s":
        if isinstance(value, str):
            return value
        # A number where a string belongs: other stacks write Message IDs so.
        if isinstance(value, int) and not isinstance(value, bool):
            return str(value)
    elif kind == "b":
        if isinstance(value, bool):
            return value
        if value in (0, 1, "true", "false"):
            return value in (1, "true")
    elif kind == "i":
        if isinstance(value, int) and not isinstance(value, bool):
            return value
    elif kind == "t":
        if isinstance(value, str):
            try:
                _rfc3339().parse(value)
                return value
            except ValueError:
                pass
    elif kind == "o":
        if isinstance(value, dict):
            return from_members(value)
    elif isinstance(value, list):
        kind = _OF_LIST[kind]
        return [_typed(number, kind, one) for one in value]
    raise BadMessage(wire.INVALID_IE + wire_names.name(number))


def _address(number, value):
    # {"addrType": "UE", "addr": "a@b"} -> (element for that kind of address, "a@b")
    if isinstance(value, dict):
        parts = from_members(value)
        kinds = wire.ORIGINATORS if number == wire.ORIGINATOR else wire.RECIPIENTS
        for kind, element in kinds:
            if parts.get(wire.ADDRESS_TYPE) == kind and wire.ADDRESS in parts:
                return element, parts[wire.ADDRESS]
    raise BadMessage(wire.INVALID_IE + wire_names.name(number))


# -- what a message must have


def check(elements):
    unusable = _drop_unusable(elements)
    kind = elements.get(wire.MESSAGE_TYPE)
    if kind is None:
        raise BadMessage(wire.MANDATORY_IE_MISSING + wire_names.name(wire.MESSAGE_TYPE))
    mandatory = wire.MANDATORY.get(kind)
    if mandatory is None:
        kind = elements[wire.MESSAGE_TYPE] = kind.upper()
        mandatory = wire.MANDATORY.get(kind)
        if mandatory is None:
            raise BadMessage(wire.UNKNOWN_MESSAGE_TYPE)
    if unusable is not None:
        raise BadMessage(wire.INVALID_IE + wire_names.name(unusable))
    for element in mandatory:
        if element == wire.ORIGINATOR:
            value = originator(elements)[1]
        elif element == wire.DESTINATION:
            value = recipient(elements)[1]
        else:
            value = elements.get(element)
        if value is None or value == "":
            raise BadMessage(wire.MANDATORY_IE_MISSING + wire_names.name(element))
    if wire.PAYLOAD_ENCODING in elements:
        payload(elements)


def _drop_unusable(elements):
    # Identifiers that nobody has: too long, with control characters, or not text at all (half of a surrogate
    # pair). Stores, logs and answers need not expect them. Returns one of them, or None.
    unusable = None
    for element in wire.IDENTIFIERS:
        text = elements.get(element)
        if text and not _usable(text):
            del elements[element]
            unusable = element if unusable is None else unusable
    return unusable


def _usable(text):
    if len(text) > _LONGEST_ID:
        return False
    if _is_printable and _is_printable(text):
        return True
    if min(text) < " ":
        return False
    if ord(max(text)) < 0xD800:
        return True
    return not [letter for letter in text if 0xD800 <= ord(letter) < 0xE000]


def originator(elements) -> tuple:
    # (kind, Service ID); (None, None) when there is none.
    return _one_of(elements, wire.ORIGINATORS)


def recipient(elements) -> tuple:
    # A group message on its way to one member has both its recipient and its group: the recipient is first.
    return _one_of(elements, wire.RECIPIENTS)


def _one_of(elements, kinds):
    for kind, element in kinds:
        identity = elements.get(element)
        if identity is not None:
            return kind, identity
    return None, None


def set_originator(elements, kind, identity):
    elements[dict(wire.ORIGINATORS)[kind]] = identity


def set_recipient(elements, kind, identity):
    elements[dict(wire.RECIPIENTS)[kind]] = identity


# -- making messages


def message(origin, to, message_id, store_and_forward=True, report=False) -> dict:
    # origin and to are (kind, Service ID) (TS 23.554 table 8.3.2-1).
    elements = {wire.MESSAGE_TYPE: wire.MSG, wire.MESSAGE_ID: message_id}
    set_originator(elements, *origin)
    set_recipient(elements, *to)
    elements[wire.STORE_AND_FORWARD_FLAG] = store_and_forward
    if report:
        elements[wire.DELIVERY_STATUS_REQUIRED] = True
    return elements


def response(origin, message_id, delivery_status=None, cause=None):
    # To the sender of message_id, who is told its fate so far (table 8.3.2-3). origin: that sender.
    elements = {wire.MESSAGE_TYPE: wire.MSGRESP}
    if origin[0]:
        set_originator(elements, *origin)
    if message_id is not None:
        elements[wire.MESSAGE_ID] = message_id
    if delivery_status:
        elements[wire.DELIVERY_STATUS] = delivery_status
    if cause:
        elements[wire.FAILURE_CAUSE] = cause
    return elements


def report_on(elements, cause=None):
    # The delivery status report for a message that came with these elements (table 8.3.4-1).
    report = {wire.MESSAGE_TYPE: wire.IMDN, wire.MESSAGE_ID: elements[wire.MESSAGE_ID]}
    set_originator(report, *_answering(recipient(elements)))
    set_recipient(report, *originator(elements))
    report[wire.DELIVERY_STATUS] = wire.REPORT_FAILED if cause else wire.REPORT_SUCCESS
    if cause:
        report[wire.FAILURE_CAUSE] = cause
    return report


def _answering(to):
    # A report about a group, an area or a topic comes from whoever tells it; only UE and AS can be originators.
    kind, identity = to
    return (kind, identity) if kind in (wire.UE, wire.AS) else (wire.AS, identity)


def registration(ue_service_id, profile=None):
    elements = {wire.MESSAGE_TYPE: wire.REG, wire.UE_SERVICE_ID: ue_service_id}
    if profile:
        elements[wire.CLIENT_PROFILE] = profile
    return elements


def registration_result(kind, ue_service_id, cause=None):
    # kind: wire.REG or wire.DEREG (tables 8.2.1-4 and 8.2.2-2)
    elements = {wire.MESSAGE_TYPE: kind}
    if ue_service_id:
        elements[wire.UE_SERVICE_ID] = ue_service_id
    elements[wire.REGISTRATION_RESULT] = wire.REGISTRATION_FAILED if cause else wire.REGISTRATION_SUCCESS
    if cause:
        elements[wire.FAILURE_CAUSE] = cause
    return elements


def deregistration(ue_service_id):
    return {wire.MESSAGE_TYPE: wire.DEREG, wire.UE_SERVICE_ID: ue_service_id}


# -- single elements


def payload(elements):
    # str, or bytes when it was sent as base64; None when there is none.
    value = elements.get(wire.PAYLOAD)
    if value is not None and elements.get(wire.PAYLOAD_ENCODING) == wire.BASE64:
        try:
            return a2b_base64(value)
        except ValueError:
            raise BadMessage(wire.INVALID_IE + wire_names.name(wire.PAYLOAD))
    return value


def set_payload(elements, value):
    # Text goes as it is, octets that are not UTF-8 as base64.
    if not isinstance(value, str):
        try:
            value = str(bytes(value), "utf-8")
        except UnicodeError:
            value = str(b2a_base64(bytes(value)).rstrip(), "ascii")
            elements[wire.PAYLOAD_ENCODING] = wire.BASE64
    elements[wire.PAYLOAD] = value


def stored_id(elements):
    # What a store on the way up knows a message by, besides its originator. Message IDs are their senders' choice: one
    # recipient may report on messages of several senders that have the same.
    message_id = elements.get(wire.MESSAGE_ID)
    if elements[wire.MESSAGE_TYPE] == wire.IMDN:
        return "\t".join((message_id,) + recipient(elements))
    return message_id


def segment(elements):
    # 0 for a message that is not segmented: part of what tells a duplicate.
    return elements.get(wire.SEGMENT_NUMBER, 0)


def expiration(elements):
    # Seconds since 1970, or None.
    parameters = elements.get(wire.STORE_AND_FORWARD_PARAMETERS)
    text = parameters.get(wire.MESSAGE_EXPIRATION_TIME) if parameters else None
    return _rfc3339().parse(text) if text else None


def set_expiration(elements, seconds):
    elements[wire.STORE_AND_FORWARD_PARAMETERS] = {wire.MESSAGE_EXPIRATION_TIME: _rfc3339().format(seconds)}


def new_message_id(octets):
    # 16 random octets -> the text form of a UUID (RFC 9562, version 4)
    octets = bytearray(octets)
    octets[6] = octets[6] & 0x0F | 0x40
    octets[8] = octets[8] & 0x3F | 0x80
    text = "".join("%02x" % octet for octet in octets)
    return "-".join((text[:8], text[8:12], text[12:16], text[16:20], text[20:]))


def _rfc3339():
    # Loaded when the first date-time is met.
    from . import rfc3339

    return rfc3339
