# CoAP for boards and hosts: RFC 7252, block-wise transfer (RFC 7959), observe (RFC 7641).
#
# numbers       the RFCs' tables: types, codes, options, content formats
# message       one datagram to fields and back
# recent        the memory of what was already received (de-duplication)
# exchange      what the endpoint knows of a peer, of a message of its own, of a request; transmission parameters
# transmission  sending: NSTART places, Message IDs, tokens, retransmission
# endpoint      receiving, and the whole: messages, requests and their responses; no I/O, no clock
# client        the client role on an endpoint: whole requests, whole responses
# server        the server role on an endpoint: resources, whole requests, whole responses
# block         the arithmetic of block-wise transfer
#
# Loaded when they are used:
#
# client_blocks, server_blocks   bodies in several blocks
# observation, observable        a resource that this side observes, and one that others observe; observe has
#                                what both share
