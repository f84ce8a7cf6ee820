# The options of a message that is protected, where they are not all inside (RFC 8613, 4.1).

from ..coap import numbers as n
from ..coap.message import encode_options

# Class U: outside.
_OUTSIDE = (n.URI_HOST, n.URI_PORT, n.PROXY_URI, n.PROXY_SCHEME)


def split(encoded, value, response):
    # Encoded options, and the value of the OSCORE option: (those inside, those outside, whether it observes).
    inside, outside, observes = [], [(n.OSCORE, value)], False
    for option in pairs(encoded):
        if option[0] == n.OBSERVE:
            observes = True
            outside.append(option)
            # The order of notifications is told by their Partial IVs (RFC 8613, 4.1.3.5.2).
            inside.append((n.OBSERVE, b"") if response else option)
        elif option[0] in _OUTSIDE:
            outside.append(option)
        else:
            inside.append(option)
    return encode_options(inside), encode_options(outside), observes


def with_echo(encoded, echo):
    return encode_options(pairs(encoded) + [(n.ECHO, echo)])


def pairs(encoded):
    # Encoded options, which are well-formed, as (number, value) pairs.
    found, at, number = [], 0, 0
    while at < len(encoded):
        header = encoded[at]
        delta, at = _extended(encoded, at + 1, header >> 4)
        length, at = _extended(encoded, at, header & 15)
        number += delta
        found.append((number, encoded[at : at + length]))
        at += length
    return found


def _extended(encoded, at, nibble):
    if nibble < 13:
        return nibble, at
    if nibble == 13:
        return 13 + encoded[at], at + 1
    return 269 + (encoded[at] << 8 | encoded[at + 1]), at + 2
