# Device triggering (TS 23.554, 8.9.3): the network wakes a UE that can't be reached by MSGin5G, with an SMS or over
# NIDD. Whatever receives these on the board hands the payload over here.
#
# The standard leaves the payload to operators. Whatever it is, the UE gets in touch, so that gateway and server send
# what they have; a payload that is an MSGin5G message (8.9.3 lets it carry one) is a message received like any other.

from . import messages, wire
from .store import Full


def triggered(ue, payload):
    # payload: bytes. True when it was a message, which receive() gives; False when it is for the application.
    now = ue.link.now()
    ue.registration.confirm(now)
    is_message = _take(ue, payload)
    ue.link.flush()
    return is_message


def _take(ue, payload):
    implied = (wire.DESTINATION, ue.ue_service_id)
    try:
        elements = messages.decode(payload, messages.format_of(payload), implied)
    except messages.BadMessage:
        return False
    if elements[wire.MESSAGE_TYPE] != wire.MSG or messages.recipient(elements) != (wire.UE, ue.ue_service_id):
        return False
    for element in wire.PARTS:
        if element in elements:
            # Several messages, or not a whole one.
            return False
    try:
        ue.inbox.put(((elements, messages.encode(elements, ue.content_format)),))
    except Full:
        # Whoever sent the trigger keeps the message: it comes again when there is room.
        ue.counters["inbox_full"] += 1
    return True
