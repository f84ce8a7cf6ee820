# OSCORE: protection of CoAP from end to end (RFC 8613), with AES-CCM-16-64-128 and HKDF SHA-256.
#
# aead       AES-CCM on a board's AES (aead_host: on the library of a host)
# context    what two peers share: keys, identifiers, sequence numbers, replay window
# security   what an endpoint is given: protects what it sends, opens what it receives
#
# Loaded when they are used:
#
# derive     keys from the master secret, once for each context
# options    messages whose options go inside and outside: observe, Echo
# contexts   the contexts of many peers, loaded when a peer is heard of
