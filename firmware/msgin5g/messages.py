# MSGin5G messages: the information elements of TS 23.554 as a dict {element number: value}, to and from JSON or CBOR.
#
# Decoding is tolerant about spelling and unknown members, and strict about what is missing or of the wrong type: such a
# message raises BadMessage with the Failure Cause that its sender is told. The two formats are in messages_json.py and
# messages_cbor.py; each is loaded when it is used.

from binascii import a2b_base64, b2a_base64, hexlify

from . import wire
from .coap import numbers as coap

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


# -- octets


def decode(payload, content_format=coap.JSON, implied=None):
    # Octets -> elements, checked. implied: what a message in CBOR need not say (messages_cbor.py).
    try:
        elements = _codec(content_format).read(payload, implied)
    except BadMessage as bad:
        _drop_unusable(bad.elements)
        raise
    try:
        check(elements)
    except BadMessage as bad:
        bad.elements = elements
        raise
    return elements


def format_of(body):
    # A store may have been filled by a client that was set otherwise.
    return coap.JSON if body[:1] == b"{" else coap.CBOR


def encode(elements, content_format=coap.JSON, implied=None):
    return _codec(content_format).write(elements, implied)


_codecs = {}


def _codec(content_format):
    codec = _codecs.get(content_format)
    if codec is None:
        if content_format == coap.CBOR:
            from . import messages_cbor as codec
        else:
            from . import messages_json as codec
        _codecs[content_format] = codec
    return codec


# What a list of a kind is a list of.
_OF_LIST = {"w": "s", "n": "i"}


def typed(number, value):
    # The value of an element whose kind is no object and no address, in its own type.
    kind = wire.KINDS[number]
    if kind in _OF_LIST:
        if isinstance(value, list):
            return [_typed(number, _OF_LIST[kind], one) for one in value]
        raise invalid(number)
    return _typed(number, kind, value)


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
        # Of 64 bits, as all formats and stores have them.
        if isinstance(value, int) and not isinstance(value, bool) and value >> 63 in (0, -1):
            return value
    elif kind == "t" and isinstance(value, str):
        try:
            _rfc3339().parse(value)
            return value
        except ValueError:
            pass
    raise invalid(number)


def invalid(number):
    return _bad(wire.INVALID_IE, number)


def missing(number):
    return _bad(wire.MANDATORY_IE_MISSING, number)


def _bad(what, number):
    # Named as in TS 23.554, whatever format it came in.
    from . import wire_names

    return BadMessage(what + wire_names.name(number))


# -- what a message must have


def check(elements):
    kind = elements.get(wire.MESSAGE_TYPE)
    if kind is None:
        _drop_unusable(elements)
        raise missing(wire.MESSAGE_TYPE)
    mandatory = wire.MANDATORY.get(kind)
    if mandatory is None:
        kind = elements[wire.MESSAGE_TYPE] = kind.upper()
        mandatory = wire.MANDATORY.get(kind)
        if mandatory is None:
            _drop_unusable(elements)
            raise BadMessage(wire.UNKNOWN_MESSAGE_TYPE)
    parts = None
    for element in wire.PARTS:
        if element in elements:
            from . import messages_parts as parts

            mandatory = parts.mandatory(elements, kind)
            break
    check_one(elements, mandatory)
    if parts:
        parts.check(elements, kind)


def check_one(elements, mandatory):
    # A message, or one of those in an aggregate.
    unusable = _drop_unusable(elements)
    if unusable is not None:
        raise invalid(unusable)
    for element in mandatory:
        if element == wire.ORIGINATOR:
            value = originator(elements)[1]
        elif element == wire.DESTINATION:
            value = recipient(elements)[1]
        else:
            value = elements.get(element)
        if value is None or value == "":
            raise missing(element)
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


def registration_result(kind, ue_service_id, cause=None) -> dict:
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
            raise invalid(wire.PAYLOAD)
    return value


def set_payload(elements, value):
    # Text goes as it is, octets that are not UTF-8 as base64.
    if not isinstance(value, str):
        if not isinstance(value, (bytes, bytearray, memoryview)):
            from . import mistakes

            raise mistakes.payload(value)
        try:
            value = str(bytes(value), "utf-8")
        except UnicodeError:
            value = str(b2a_base64(bytes(value)).rstrip(), "ascii")
            elements[wire.PAYLOAD_ENCODING] = wire.BASE64
    elements[wire.PAYLOAD] = value


def stored_id(elements):
    # What a store knows a message by, besides its originator. Message IDs are their senders' choice: one
    # recipient may report on messages of several senders that have the same.
    message_id = elements.get(wire.MESSAGE_ID)
    kind = elements[wire.MESSAGE_TYPE]
    status = elements.get(wire.DELIVERY_STATUS, "")
    if kind == wire.IMDN:
        # A hop that gave up tells a failure, and could not know that only the answer to it was lost.
        return "\t".join((message_id,) + recipient(elements) + (status,))
    if kind == wire.MSGRESP:
        # Failed, after it was stored for later: two message responses.
        return message_id + "\t" + status
    return message_id


def priority(elements):
    # 0 HIGH, 1 MIDDLE, 2 LOW, as in delivery.py; what is not known is MIDDLE.
    text = elements.get(wire.PRIORITY_TYPE)
    if text is None:
        return 1
    text = text.upper()
    return 0 if text == wire.HIGH else 2 if text == wire.LOW else 1


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
    text = str(hexlify(bytes(octets)), "ascii")
    return "-".join((text[:8], text[8:12], text[12:16], text[16:20], text[20:]))


def _rfc3339():
    # Loaded when the first date-time is met.
    from . import rfc3339

    return rfc3339
