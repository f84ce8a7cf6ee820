# Messages in JSON: members with the names of wire_names.py.

import json

from . import wire
from .messages import BadMessage, invalid, typed
from .wire_names import element, name

# JSON from and to octets. A host has quicker ones and sets them here.
loads = json.loads


def dumps(members):
    return json.dumps(members, separators=(",", ":")).encode()


def read(payload, _implied=None):
    try:
        # RFC 8259 knows UTF-8 only, where no octet of JSON is 0; CPython would take UTF-16 as well. Some MicroPythons
        # take an object that is cut off.
        usable = payload.rstrip()[-1:] == b"}" and b"\0" not in payload
        members = loads(payload) if usable else None
        if isinstance(members, dict):
            return from_members(members)
    except BadMessage:
        raise
    except (ValueError, RuntimeError):
        # RuntimeError: nested deeper than the parser goes, or than anything sensible.
        pass
    raise BadMessage(wire.MALFORMED)


def write(elements, _implied=None):
    return dumps(to_members(elements))


def from_members(members):
    # A JSON object, with any spelling of its members -> elements. Unknown members are ignored. What is of the
    # wrong type is left out, and told when the rest has been read.
    elements = {}
    wrong = None
    for key, value in members.items():
        found = element(key)
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
                    value = typed(number, value)
                elif kind == "o" and isinstance(value, dict):
                    value = from_members(value)
                elif kind == "l" and isinstance(value, list):
                    value = [_object(number, one) for one in value]
                else:
                    value = typed(number, value)
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
        members[name(number, column)] = value
    return members


def _object(number, value):
    if isinstance(value, dict):
        return from_members(value)
    raise invalid(number)


def _address(number, value):
    # {"addrType": "UE", "addr": "a@b"} -> (element for that kind of address, "a@b")
    if isinstance(value, dict):
        parts = from_members(value)
        kinds = wire.ORIGINATORS if number == wire.ORIGINATOR else wire.RECIPIENTS
        for kind, of_kind in kinds:
            if parts.get(wire.ADDRESS_TYPE) == kind and wire.ADDRESS in parts:
                return of_kind, parts[wire.ADDRESS]
    raise invalid(number)
