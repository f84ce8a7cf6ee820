# Block-wise transfer (RFC 7959): the value of a Block option, and which octets of a body it names.

# A Block option value is NUM << 4 | M << 3 | SZX; a block has 2**(SZX + 4) octets, SZX 7 is reserved.
RESERVED_SZX = 7
LARGEST_SZX = 6
MOST_BLOCKS = 1 << 20
# What CoAP's header, token and options, and OSCORE, need of a datagram beside a block of payload.
_AROUND_A_BLOCK = 96


def value(number, more, szx):
    return number << 4 | (8 if more else 0) | szx


def number(block):
    return block >> 4


def more(block):
    return bool(block & 8)


def szx(block):
    return block & 7


def size(szx):
    return 16 << szx


def szx_for(octets):
    # The largest block that fits into a datagram of so many octets.
    exponent = LARGEST_SZX
    while exponent and size(exponent) + _AROUND_A_BLOCK > octets:
        exponent -= 1
    return exponent


def fills(block, payload):
    # Every block but the last is full (RFC 7959, 2.2).
    if more(block):
        return len(payload) == size(szx(block))
    return len(payload) <= size(szx(block))


def cut(body, number, exponent):
    # (block, more) of a body; block is None when there is no such number.
    start = number << (exponent + 4)
    if start > len(body) or (start == len(body) and number):
        return None, False
    end = start + size(exponent)
    return body[start:end], end < len(body)
