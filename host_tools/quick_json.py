"""Messages to and from JSON by msgspec: several times as quick as Python's own module, and with the same answers.

Nearly all messages of a gateway or server are of a few shapes: the same members in the same order, each of the same
type. What was found out about the first of a shape is true of all of them, unless it depends on a value; only that is
looked at again.
"""

from __future__ import annotations

from typing import Any

import msgspec
from msgin5g import messages, messages_json, wire
from msgin5g.coap.numbers import JSON

_loads, _dumps = messages_json.loads, messages_json.dumps
_thorough = messages.decode
_decode = msgspec.json.Decoder().decode
_encode = msgspec.json.Encoder().encode

# Whose values are no more than what their type says.
_PLAIN = {"s": str, "b": bool}
# More shapes than peers have reason to use are not remembered: their messages only take longer.
_MOST_SHAPES = 256
_LONGEST_ID = 255


class _Shape:
    # numbers: of the elements, in the order of the members. kinds: the Message Types that have been found to have all
    # that they must have. texts: elements that must not be empty, nor have what no identifier has.
    def __init__(self, elements: dict[int, Any]) -> None:
        self.numbers = tuple(elements)
        self.kinds: set[str] = set()
        asked = set(wire.IDENTIFIERS).union(*wire.MANDATORY.values()) - {wire.MESSAGE_TYPE}
        self.texts = tuple(one for one in elements if one in asked and isinstance(elements[one], str))


_shapes: dict[tuple, _Shape] = {}


def use() -> None:
    """Have msgin5g use it in this process."""
    messages_json.loads, messages_json.dumps = loads, dumps
    messages.decode = decode


def loads(octets: bytes) -> Any:
    """Like ``json.loads``."""
    try:
        return _decode(octets)
    except (msgspec.MsgspecError, UnicodeDecodeError):
        # It is stricter: half of a surrogate pair, a number without end.
        return _loads(octets)
    except RecursionError as error:
        # How deep that is depends on who calls.
        raise ValueError("nested too deeply") from error


def dumps(members: dict[str, Any]) -> bytes:
    """JSON in UTF-8, without white space."""
    try:
        return _encode(members)
    except (UnicodeEncodeError, OverflowError):
        return _dumps(members)


def decode(payload: bytes, content_format: int = JSON, implied: tuple | None = None) -> dict[int, Any]:
    """Like ``msgin5g.messages.decode``."""
    if content_format != JSON:
        return _thorough(payload, content_format, implied)
    try:
        members = _decode(payload)
        shape = _shapes.get((*members, *map(type, members.values())))
    except (msgspec.MsgspecError, UnicodeDecodeError, TypeError, AttributeError, RecursionError):
        return _thorough(payload)
    if shape is None:
        return _new(payload, members)
    elements = dict(zip(shape.numbers, members.values(), strict=True))
    if elements[wire.MESSAGE_TYPE] not in shape.kinds:
        return _new(payload, members)
    for number in shape.texts:
        text = elements[number]
        if not text or len(text) > _LONGEST_ID or not text.isprintable():
            return _thorough(payload)
    return elements


def _new(payload: bytes, members: dict[str, Any]) -> dict[int, Any]:
    # The first of its shape, if it has one: each member an element, and nothing in it that depends on a value.
    elements = _thorough(payload)
    if list(elements.values()) != list(members.values()) or len(_shapes) >= _MOST_SHAPES:
        return elements
    for number, value in elements.items():
        if _PLAIN.get(wire.KINDS[number]) is not type(value) or number in _NOT_PLAIN:
            return elements
    key = (*members, *map(type, members.values()))
    _shapes.setdefault(key, _Shape(elements)).kinds.add(elements[wire.MESSAGE_TYPE])
    return elements


# What makes other elements mean something else.
_NOT_PLAIN = {wire.PAYLOAD_ENCODING, *wire.PARTS}
