# The part of the wire table that an Application Client over CoAP has (TS 24.538, A.3): the member names that it reads
# and writes, as wire_names.py has them. Constants, so that a board holds those names and no table.

NAME_OF_MESSAGE_TYPE = "Message Type"
NAME_OF_MESSAGE_ID = "Message ID"
NAME_OF_PAYLOAD = "Payload"
NAME_OF_DELIVERY_STATUS_REQUIRED = "Delivery status required"
NAME_OF_APPLICATION_ID = "Application ID"
NAME_OF_DELIVERY_STATUS = "Delivery Status"
NAME_OF_PAYLOAD_ENCODING = "Payload encoding"
NAME_OF_UE_CREDENTIAL_INFORMATION = "UE credential information"
NAME_OF_TARGET_ADDRESS = "Target address"
NAME_OF_TARGET_TYPE = "Target type"

# The options of a POST that carries a message in JSON, Uri-Path and Content-Format, and the mark before its payload.
OPTIONS = b"\xb7msgin5g\x11\x32\xff"
