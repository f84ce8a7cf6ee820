# The part of the wire table that the procedures of a small client do without: further names for it, and nothing but
# names. Nobody imports this: `wire.LATENCY` finds it here.

# Latency, segmentation (8.3, 8.5)
LATENCY = 26
MESSAGE_IS_SEGMENTED = 16
LAST_SEGMENT_FLAG = 20

# Client Profile (8.2.1)
TRIGGERING_INFORMATION = 28
UE_IDENTIFIER = 29
PORT_NUMBER = 30
ASSOCIATED_PROTOCOL = 31
COMMUNICATION_AVAILABILITY = 32
SCHEDULED_COMMUNICATION_TIME = 33
COMMUNICATION_DURATION_TIME = 34
PERIODIC_INDICATOR = 35
PERIODIC_INTERVAL = 36
DATA_SIZE_INDICATION = 37
STORE_AND_FORWARD_OPTION = 38
SUPPORTED_SEGMENT_SIZE = 39

# Registration through a gateway (8.2.7)
REGISTRATION_URGENT_DEGREE = 40
REGISTRATION_EXPIRATION_TIME = 41
EXPECTED_REGISTRATION_TIME = 42

# Credentials of release 17
SECURITY_CREDENTIALS = 43
UE_CREDENTIAL_INFORMATION = 44

# Selection of a relay or gateway (8.2.8)
LAYER_2_ID = 57
MSGIN5G_UE_ID = 58
REQUIRED_PACKET_SIZE = 59
ALLOWED_PACKET_SIZE = 60
# Own: of a relay, whose keys devices need that it relays for
SERVER_SERVICE_ID = 70

# Messaging topics (8.8)
SUBSCRIPTION_STATUS = 62
EXPIRATION = 63

# Own: how many messages wait for a UE, told in the answer to its registration (8.9)
MESSAGES_WAITING = 66

# Bulk configuration (8.1.4)
EXPECTED_CONFIGURATION_TIME = 67

# Between an Application Client and the MSGin5G Client on another UE (8.11; TS 24.538, A.3)
TARGET_ADDRESS = 64
TARGET_TYPE = 65

# Resources besides PATH: subscription to topics (8.8), selection of a gateway (8.2.8)
TOPICS_PATH = "msgin5g/topics"
SELECTION_PATH = "msgin5g/selection"

# Uri-Query parameters of a subscription (8.8)
QUERY_TOPIC = "topic="
QUERY_ORIGINATOR = "ori="
QUERY_EXPIRATION = "exp="

# Subscription status (8.8; TS 29.538's subStat): its values are not known
SUBSCRIBED = "SUBSCRIBED"
UNSUBSCRIBED = "UNSUBSCRIBED"
SUBSCRIPTION_FAILED = "FAILED"

# Delivery Status of a group message that an Application Server has not let pass (8.7.4)
DELIVERY_REJECTED = "DELY_REJECTED"

# Failure Cause: this project's words
UNSUPPORTED_RECIPIENT = "UNSUPPORTED_RECIPIENT"
UNKNOWN_MESSAGE = "UNKNOWN_MESSAGE"
TOO_MANY_TOPICS = "TOO_MANY_TOPICS"
DELIVERY_UNDER_WAY = "DELIVERY_UNDER_WAY"
SEGMENTS_MISSING = "SEGMENTS_MISSING"
PAYLOAD_LOST = "PAYLOAD_LOST"
DISCARDED = "DISCARDED"

# Octets of a segment's payload that everybody supports (8.5.1), and what a peer that says less is taken to support.
SEGMENT_SIZE = 2048
LEAST_SEGMENT_SIZE = 64

# Seconds: as long as stores remember a message, so that none can outlive the memory of it.
LONGEST_EXPIRATION = 7 * 86400
