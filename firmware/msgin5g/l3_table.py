# The code points of MSGin5G-5 as L3 messages (TS 24.538, A.2), and nothing else knows them.
#
# Known from the standard: the layout of MESSAGE SENDING REQUEST, its formats, lengths and IEIs. The rest is this
# project's proposal; ACKNOWLEDGEMENT is its own. When the text is at hand, this file changes and no other.

# Message types
MESSAGE_SENDING_REQUEST = 0x01
DELIVERY_REPORT_SENDING_REQUEST = 0x02
MESSAGE_RECEIVED = 0x03
DELIVERY_REPORT_RECEIVED = 0x04
REGISTRATION_REQUEST = 0x05
REGISTRATION_ACCEPT = 0x06
REGISTRATION_REJECT = 0x07
DEREGISTRATION_REQUEST = 0x08
DEREGISTRATION_ACCEPT = 0x09
# A.2 has no answer to some messages, and no retransmission.
ACKNOWLEDGEMENT = 0x0A

# Information elements go by their numbers in wire.py, where they are there. What goes down has its originator as
# target: that is where a report on it goes.
MESSAGE_TYPE = 0
MESSAGE_ID = 3
PAYLOAD = 4
DELIVERY_STATUS_REQUIRED = 5
APPLICATION_ID = 7
DELIVERY_STATUS = 10
FAILURE_CAUSE = 11
CREDENTIAL = 44
LAYER_2_ID = 57
TARGET_ADDRESS = 64
TARGET_TYPE = 65
# Only here.
CAUSE = 96
ACKNOWLEDGED_TYPE = 97

# Element: octets of its length (0: it has a fixed length, and is a number when that is 3 or less), how few and how many
# octets of value, and its IEI, -1 where it is never optional. An optional one is its IEI with the same behind it; an
# IEI with the highest bit set has its value in the lower half of the octet. (V, LV, LV-E, TV, TLV of TS 24.007, 11.2.)
ELEMENTS = {
    TARGET_ADDRESS: (1, 5, 255, -1),
    MESSAGE_ID: (0, 16, 16, -1),
    PAYLOAD: (2, 1, 65535, -1),
    DELIVERY_STATUS: (0, 1, 1, -1),
    LAYER_2_ID: (0, 3, 3, -1),
    CAUSE: (0, 1, 1, -1),
    ACKNOWLEDGED_TYPE: (0, 1, 1, -1),
    APPLICATION_ID: (0, 2, 2, 0x0A),
    FAILURE_CAUSE: (1, 1, 255, 0x0C),
    CREDENTIAL: (2, 1, 255, 0x0E),
    DELIVERY_STATUS_REQUIRED: (0, 0, 0, 0xB0),
    TARGET_TYPE: (0, 0, 0, 0xD0),
}

# Message type: its mandatory elements in order, 0, its optional ones.
_MESSAGE = (TARGET_ADDRESS, MESSAGE_ID, PAYLOAD, 0, APPLICATION_ID, DELIVERY_STATUS_REQUIRED, TARGET_TYPE)
_REPORT = (TARGET_ADDRESS, MESSAGE_ID, DELIVERY_STATUS, 0, FAILURE_CAUSE, TARGET_TYPE)
MESSAGES = {
    MESSAGE_SENDING_REQUEST: _MESSAGE,
    DELIVERY_REPORT_SENDING_REQUEST: _REPORT,
    MESSAGE_RECEIVED: _MESSAGE,
    DELIVERY_REPORT_RECEIVED: _REPORT,
    REGISTRATION_REQUEST: (LAYER_2_ID, APPLICATION_ID, 0, CREDENTIAL),
    REGISTRATION_ACCEPT: (APPLICATION_ID,),
    REGISTRATION_REJECT: (APPLICATION_ID, CAUSE),
    DEREGISTRATION_REQUEST: (APPLICATION_ID,),
    DEREGISTRATION_ACCEPT: (APPLICATION_ID,),
    ACKNOWLEDGEMENT: (ACKNOWLEDGED_TYPE, MESSAGE_ID, CAUSE),
}

# Target Type is 0 for a UE, then AS, group, broadcast area, topic: as wire.RECIPIENTS has them. Delivery status is 0
# for success, 1 for failure.

# Cause of an ACKNOWLEDGEMENT or a REGISTRATION REJECT; CONGESTION is worth another try.
ACCEPTED = 0
NOT_AUTHORIZED = 1
NOT_REGISTERED = 2
CONGESTION = 3
INVALID = 4
