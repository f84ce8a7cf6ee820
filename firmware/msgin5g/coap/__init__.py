# CoAP for boards and hosts: RFC 7252, block-wise transfer (RFC 7959), observe (RFC 7641).
#
# numbers    the RFCs' tables: types, codes, options, content formats, transmission parameters
# message    one datagram to fields and back
# recent     the memory of what was already received (de-duplication)
# endpoint   reliability: CON, NON, ACK, RST, retransmission, NSTART, tokens; no I/O, no clock
# block      the arithmetic of block-wise transfer, and bodies received block by block
# client     the client role on an endpoint: whole requests, whole responses, observing
# server     the server role on an endpoint: resources, whole requests, whole responses, observers
