# Messages of several parts, and parts of messages, checked: segments (TS 23.554, 8.5), aggregated messages and delivery
# status reports (8.4), registrations of several UEs at once (8.2.7). Loaded when the first of them is met.

from . import wire
from .messages import check_one, invalid, missing

# Numbers of segments that nobody exceeds: 8 MiB in segments of 2,048 octets.
_MOST_SEGMENTS = 4096

# (Message Type, list, its count, what each of the list must have)
_LISTS = (
    (wire.MSG, wire.INDIVIDUAL_MESSAGES, wire.NUMBER_OF_MESSAGES, (wire.MESSAGE_ID,)),
    (
        wire.IMDN,
        wire.INDIVIDUAL_REPORTS,
        wire.NUMBER_OF_REPORTS,
        (wire.MESSAGE_ID, wire.DELIVERY_STATUS),
    ),
    (
        wire.REG,
        wire.REGISTRATION_REQUESTS,
        wire.NUMBER_OF_REGISTRATION_REQUESTS,
        (wire.UE_SERVICE_ID,),
    ),
    (
        wire.REG,
        wire.REGISTRATION_RESPONSES,
        wire.NUMBER_OF_REGISTRATION_RESPONSES,
        (wire.UE_SERVICE_ID, wire.REGISTRATION_RESULT),
    ),
)
# What an aggregate itself must have: what each of its parts says is not asked for.
_MANDATORY = {
    wire.MSG: (wire.ORIGINATOR, wire.DESTINATION, wire.MESSAGE_ID),
    wire.IMDN: (wire.ORIGINATOR, wire.DESTINATION, wire.MESSAGE_ID),
    wire.REG: (),
}


def mandatory(elements, kind):
    # What this one must have besides its Message Type.
    for of_kind, parts, count, _ in _LISTS:
        if of_kind == kind and (parts in elements or count in elements):
            return _MANDATORY[kind] + (parts,)
    return wire.MANDATORY[kind]


def check(elements, kind):
    for of_kind, parts, count, each in _LISTS:
        if parts in elements:
            if of_kind != kind or wire.SEGMENT_NUMBER in elements:
                raise invalid(parts)
            _check_list(elements[parts], parts, each)
            if elements.get(count, len(elements[parts])) != len(elements[parts]):
                raise invalid(count)
    _check_segment(elements)


def _check_list(parts, number, each):
    if not parts:
        raise missing(number)
    for part in parts:
        for _, inner, _, _ in _LISTS:
            # An aggregate in an aggregate.
            if inner in part:
                raise invalid(inner)
        if wire.SEGMENT_NUMBER in part:
            raise invalid(wire.SEGMENT_NUMBER)
        check_one(part, each)


def _check_segment(elements):
    total = elements.get(wire.TOTAL_SEGMENTS, _MOST_SEGMENTS)
    if not 1 <= total <= _MOST_SEGMENTS:
        raise invalid(wire.TOTAL_SEGMENTS)
    # Some count from 0, which shows when the segments are put together.
    if not 0 <= elements.get(wire.SEGMENT_NUMBER, 0) <= total:
        raise invalid(wire.SEGMENT_NUMBER)
    numbers = elements.get(wire.MISSING_SEGMENT_NUMBERS)
    if numbers is not None and not (numbers and 0 <= min(numbers) and max(numbers) <= _MOST_SEGMENTS):
        raise invalid(wire.MISSING_SEGMENT_NUMBERS)
