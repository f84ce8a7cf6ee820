# Messages in CBOR, for the constrained hop: a map with the numbers of the wire table as keys, and the same elements as
# in JSON when it has been read. In place of their text are
#
#     date-times      seconds since 1970
#     UUIDs           16 octets, or the short ones of message_id.py
#     payloads        octets where JSON has base64
#     values          of enumerations: their number in wire_values.py
#
# A message that says nothing else is an MSG, to be stored and forwarded. And what both ends know of the UE whose hop it
# is need not be said: implied is (wire.ORIGINATOR, UE Service ID) for what comes from that UE, (wire.DESTINATION, UE
# Service ID) for what goes to it, and None where neither end can be sure who the other is. Then the UE is filled in
# where the Message Type demands it and nobody is named, and octets in place of a Service ID are one of the UE's domain.

from binascii import a2b_base64, b2a_base64

from . import cbor, message_id, wire, wire_values
from .messages import BadMessage, invalid, typed

# Message, individual message within it, everything else: how far in an element is.
_TOP = 0
_INDIVIDUAL = 1
_INNER = 2
# Of individual messages: their identifiers belong to whoever the message's own belongs to.
_LISTS = (wire.INDIVIDUAL_MESSAGES, wire.INDIVIDUAL_REPORTS)

_YEAR_10000 = 253402300800


def read(payload, implied=None):
    try:
        members = cbor.decode(payload)
    except ValueError:
        members = None
    if not isinstance(members, dict):
        raise BadMessage(wire.MALFORMED)
    wrong = None
    try:
        elements = _read(members, _domain(implied), _TOP)
    except BadMessage as bad:
        wrong = bad
        elements = bad.elements
    _fill(elements, implied)
    wrong = _read_ids(elements) or wrong
    if wrong:
        wrong.elements = elements
        raise wrong
    return elements


def write(elements, implied=None):
    left_out = _left_out(elements, implied)
    return cbor.encode(_written(elements, left_out, _domain(implied), _owner(elements), _TOP))


# -- from CBOR


def _read(members, domain, depth):
    # As from_members() of JSON does: what is unknown is ignored, what is wrong is told when the rest has been read.
    elements = {}
    wrong = None
    octets = False
    for number, value in members.items():
        if not isinstance(number, int) or not 0 <= number < len(wire.KINDS) or value is None:
            continue
        kind = wire.KINDS[number]
        if kind == "a" or number == wire.SEGMENTATION_PARAMETERS:
            # Only in the APIs of TS 29.538.
            continue
        try:
            if kind == "o" and isinstance(value, dict):
                value = _read(value, domain, _INNER)
            elif kind == "l" and isinstance(value, list):
                inner = _INDIVIDUAL if depth == _TOP and number in _LISTS else _INNER
                value = [_read_object(number, one, domain, inner) for one in value]
            elif number == wire.PAYLOAD and isinstance(value, bytes):
                value = _base64(value)
                octets = True
            elif depth == _INNER or number not in wire_values.IDS or not isinstance(value, bytes):
                value = typed(number, _as_text(number, value, domain))
        except BadMessage as bad:
            wrong = wrong or bad
            continue
        elements[number] = value
    if octets:
        elements[wire.PAYLOAD_ENCODING] = wire.BASE64
    if wrong:
        wrong.elements = elements
        raise wrong
    return elements


def _read_object(number, value, domain, depth):
    if isinstance(value, dict):
        return _read(value, domain, depth)
    raise invalid(number)


def _as_text(number, value, domain):
    # What stands in CBOR for a text; anything else as it is.
    if isinstance(value, bytes):
        if domain and number in wire_values.LOCAL:
            try:
                return str(value, "utf-8") + domain
            except UnicodeError:
                pass
    elif isinstance(value, int) and not isinstance(value, bool):
        if number in wire_values.VALUES:
            values = wire_values.VALUES[number]
            return values[value] if 0 <= value < len(values) else value
        if wire.KINDS[number] == "t" and 0 <= value < _YEAR_10000:
            from . import rfc3339

            return rfc3339.format(value)
    return value


def _read_ids(elements):
    # Last: whose they are must be known. Returns a BadMessage if one is no identifier.
    wrong = None
    owner = _owner(elements)
    holders = [elements]
    for number in _LISTS:
        holders.extend(elements.get(number, ()))
    for holder in holders:
        for number in wire_values.IDS:
            if isinstance(holder.get(number), bytes):
                try:
                    holder[number] = message_id.text(holder[number], owner)
                except ValueError:
                    del holder[number]
                    wrong = wrong or invalid(number)
    return wrong


def _owner(elements):
    # The Service ID of whoever the message is of that an identifier belongs to.
    side = wire.RECIPIENTS if elements.get(wire.MESSAGE_TYPE) in wire_values.TO_SENDER else wire.ORIGINATORS
    for _, number in side:
        if number in elements:
            return elements[number]
    return None


# -- what need not be said


def _domain(implied):
    at = implied[1].rfind("@") if implied else -1
    return implied[1][at:] if at >= 0 else None


def _implied_element(elements, side):
    # The element that is the UE of this hop unless the message says otherwise; None when there is none, or it does.
    kind = elements.get(wire.MESSAGE_TYPE)
    if kind in (wire.REG, wire.DEREG):
        lists = wire.REGISTRATION_REQUESTS in elements or wire.REGISTRATION_RESPONSES in elements
        return None if lists else wire.UE_SERVICE_ID
    if kind in (wire.MSGRESP, wire.SFUPD):
        # They name the sender of the message that they are about, whichever way they go, and nobody else.
        side = wire.ORIGINATOR
    names = wire.ORIGINATORS if side == wire.ORIGINATOR else wire.RECIPIENTS
    for _, number in names[1:]:
        if number in elements:
            return None
    return names[0][1]


def _fill(elements, implied):
    kind = elements.setdefault(wire.MESSAGE_TYPE, wire.MSG)
    if kind == wire.MSG and wire.INDIVIDUAL_MESSAGES not in elements:
        elements.setdefault(wire.STORE_AND_FORWARD_FLAG, True)
    if implied:
        number = _implied_element(elements, implied[0])
        if number is not None:
            elements.setdefault(number, implied[1])


def _left_out(elements, implied):
    # The opposite of _fill().
    numbers = []
    if elements.get(wire.MESSAGE_TYPE) == wire.MSG:
        numbers.append(wire.MESSAGE_TYPE)
        if elements.get(wire.STORE_AND_FORWARD_FLAG) is True and wire.INDIVIDUAL_MESSAGES not in elements:
            numbers.append(wire.STORE_AND_FORWARD_FLAG)
    if implied:
        number = _implied_element(elements, implied[0])
        if elements.get(number) == implied[1]:
            numbers.append(number)
    return numbers


# -- to CBOR


def _written(elements, left_out, domain, owner, depth):
    members = {}
    octets = _octets_of_base64(elements)
    if octets is not None:
        left_out = [wire.PAYLOAD_ENCODING] + left_out
    for number, value in elements.items():
        if number in left_out:
            continue
        if isinstance(value, dict):
            value = _written(value, [], domain, owner, _INNER)
        elif isinstance(value, list) and wire.KINDS[number] == "l":
            inner = _INDIVIDUAL if depth == _TOP and number in _LISTS else _INNER
            value = [_written(one, [], domain, owner, inner) for one in value]
        elif number == wire.PAYLOAD and octets is not None:
            value = octets
        elif isinstance(value, str):
            if number in wire_values.IDS:
                value = (message_id.octets(value, owner) if depth < _INNER else None) or value
            else:
                value = _as_short(number, value, domain)
        members[number] = value
    return members


def _as_short(number, text, domain):
    if number in wire_values.VALUES:
        values = wire_values.VALUES[number]
        return values.index(text) if text in values else text
    if wire.KINDS[number] == "t":
        from . import rfc3339

        seconds = rfc3339.parse(text)
        return seconds if 0 <= seconds and rfc3339.format(seconds) == text else text
    if domain and number in wire_values.LOCAL and text.endswith(domain):
        return text[: -len(domain)].encode()
    return text


def _octets_of_base64(elements):
    # None where there is none, or none that would come back as it was.
    text = elements.get(wire.PAYLOAD)
    if text is not None and elements.get(wire.PAYLOAD_ENCODING) == wire.BASE64:
        try:
            octets = a2b_base64(text)
            return octets if _base64(octets) == text else None
        except ValueError:
            pass
    return None


def _base64(octets):
    return str(b2a_base64(octets).rstrip(), "ascii")
