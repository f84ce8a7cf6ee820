# The part of the wire table about UE configuration documents (TS 24.546, annex C: CBOR over CoAP; TS 24.538, 7.2: what
# MSGin5G has in them, as XML).

from .coap import numbers as coap

# The collection of documents of one VAL service; a document is behind it, by its identifier.
COLLECTION_PATH = "su-uc/v1/val-services/%s/ue-configurations"
DOCUMENT_PATH = COLLECTION_PATH + "/%s"

# The VAL service identifier of MSGin5G: the standard's is not known.
VAL_SERVICE = "msgin5g"

# Content-Format of application/vnd.3gpp.seal-ue-config-info+cbor: it has no number, so that of any CBOR. That of
# application/concise-problem-details+cbor (RFC 9290).
CONTENT_FORMAT = coap.CBOR
PROBLEM_CONTENT_FORMAT = 257

# Uri-Query parameters of the collection: vendor; TAC; serial number; MSGin5G UE ID
QUERY_VENDOR = "ue-vendor="
QUERY_TYPE = "ue-type="
QUERY_SERIAL_NUMBER = "ue-snr="
QUERY_URI = "ue-uri="

# UeConfigDoc. The standard spells its identifier in two ways; both are understood.
DOCUMENT_ID = "UeConfigDocId"
DOCUMENT_ID_TOO = "ueConfigDocId"
NAME = "configName"
DOMAIN = "valServiceDomain"
SERVICE_ID = "valServiceId"
UE_IDS = "valUeIds"
CONFIGURATIONS = "ueConfigs"
# UeConfig
TYPE = "configType"
DATA = "configData"
# ValUeIds: without it, or without what it could have, the document is for all UEs
URIS = "uris"
IMEI_RANGES = "imeiRanges"
# ImeiRange
TAC = "tac"
SERIAL_NUMBERS = "snrs"
SERIAL_NUMBER_RANGE = "snrRange"
LOW = "low"
HIGH = "high"

# Configuration in bulk (TS 23.554, 8.1.4), a FETCH of the collection: its members are not known to this project.
NUMBER = "number"
REQUESTS = "individualRequests"
RESPONSES = "individualResponses"
QUERY = "query"
CODE = "responseCode"
DOCUMENTS = "ueConfigDocs"
# In the interim response
EXPECTED_TIME = "expectedConfigurationTime"

# configType
COMMON = "COMMON"
ON_NETWORK = "ON_NETWORK"

# What is in configData of type ON_NETWORK (TS 24.538, 7.2.3)
NAMESPACE = "urn:3gpp:ns:seal:sealUEConfig:1.0"
MSGIN5G_NAMESPACE = "urn:3gpp:ns:seal:MSGin5GUEConfig:1.0"
ON_NETWORK_ELEMENT = "on-network"
SERVER_ADDRESS_ELEMENT = "MSGin5G-Server-address"
UE_SERVICE_ID_ELEMENT = "MSGin5G-UE-Service-id"
SEGMENT_SIZE_ELEMENT = "Segment-size"

# Members of problem details (RFC 9290, 2)
PROBLEM_TITLE = -1
PROBLEM_DETAIL = -2
PROBLEM_RESPONSE_CODE = -4
