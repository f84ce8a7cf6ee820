# CoAP for boards and hosts: RFC 7252, block-wise transfer (RFC 7959), observe (RFC 7641).
#
# numbers       the RFCs' tables: types, codes, options, content formats
# message       one datagram to fields and back
# recent        the memory of what was already received (de-duplication)
# exchange      what the endpoint knows of a peer, of a message of its own, of a request; transmission parameters
# transmission  sending: NSTART places, Message IDs, tokens, retransmission
# endpoint      receiving, and the whole: messages, requests and their responses; no I/O, no clock
# block         the arithmetic of block-wise transfer, and bodies under way
# client        the client role on an endpoint: whole requests, whole responses
# observation   a resource that this side observes
# server        the server role on an endpoint: resources, whole requests, whole responses
# observable    a resource of this side that others observe; observe: what both sides of observing share
