# The part of the wire table that only CBOR has: which values are small numbers there, and which elements are octets.

from . import wire

# The number of a value is its place.
VALUES = {
    wire.MESSAGE_TYPE: (
        wire.MSG,
        wire.IMDN,
        wire.MSGRESP,
        wire.REG,
        wire.DEREG,
        wire.SEGREC,
        wire.SEGCONFIR,
        wire.SFUPD,
    ),
    wire.DELIVERY_STATUS: (
        wire.REPORT_SUCCESS,
        wire.REPORT_FAILED,
        wire.DELIVERY_STORED,
        wire.DELIVERY_FAILED,
        wire.DELIVERY_REJECTED,
    ),
    wire.FAILURE_CAUSE: (
        wire.MALFORMED,
        wire.UNKNOWN_MESSAGE_TYPE,
        wire.NOT_REGISTERED,
        wire.UE_SERVICE_ID_NOT_OWNED,
        wire.NOT_AUTHORIZED,
        wire.UNKNOWN_RECIPIENT,
        wire.RECIPIENT_NOT_REACHABLE,
        wire.SERVER_NOT_REACHABLE,
        wire.EXPIRED,
        wire.STORE_FULL,
        wire.REJECTED_BY_RECIPIENT,
        wire.UNSUPPORTED_RECIPIENT,
        wire.UNKNOWN_MESSAGE,
    ),
    wire.PRIORITY_TYPE: (wire.HIGH, wire.MIDDLE, wire.LOW),
    wire.REGISTRATION_RESULT: (wire.REGISTRATION_SUCCESS, wire.REGISTRATION_FAILED),
    wire.TARGET_TYPE: (wire.UE, wire.AS, wire.GROUP, wire.BROADCAST, wire.TOPIC),
}

# Octets here are the part before the domain of the UE that the hop is for: "as" for "as@example.org".
LOCAL = (
    wire.ORIGINATING_UE,
    wire.RECIPIENT_UE,
    wire.RECIPIENT_AS,
    wire.ORIGINATING_AS,
    wire.GROUP_SERVICE_ID,
    wire.UE_SERVICE_ID,
    wire.TARGET_ADDRESS,
)

# Octets here are an identifier of message_id.py.
IDS = (wire.MESSAGE_ID, wire.SEGMENTATION_SET_ID)

# Whose Message ID it is: a report, and what is said about segments, goes to the sender of the message. Everything else
# comes from it, or names it as the originator.
TO_SENDER = (wire.IMDN, wire.SEGREC, wire.SEGCONFIR)
