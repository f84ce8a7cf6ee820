# Message IDs: in text everywhere, as few octets as may be in CBOR on the constrained hop.
#
# A UUID is its 16 octets there. A board can do with less: what its store is born with (a few random octets) and the
# key under which the message is stored, which only grows. These octets never repeat for one UE, so the UE Service ID
# and they make an identifier. In text that is a UUID of version 8 (RFC 9562, 5.8), which both ends derive:
#
#     octets  0-8   the beginning of SHA-256 of the UE Service ID, with
#             6     version 8 in the upper half, the number of short octets, 1 to 7, in the lower
#             8     the variant in the upper two bits
#             9-15  the short octets, behind as many zeros as it takes
#
# So the short octets are found again in the text, by whoever knows whose message it is: a report on it is as short.
#
# Could two be the same? Of one UE: only if its store was made anew, was born with the same octets, and has come to
# the same key, all within the seven days that a Message ID is remembered: with 3 octets at birth, one in 16 million
# for each pair of stores. A store in RAM is made anew at each start: 4 octets. Of two UEs: their identifiers differ
# in 62 bits of SHA-256, and stores know a message by its originator as well.

from binascii import hexlify, unhexlify
from hashlib import sha256

_MOST_SHORT = 7


def short(birth, key):
    # The short octets for a message that is stored under a key, in a store with that birth. None: no room for them.
    size = 1
    while key >> (8 * size):
        size += 1
    return birth + key.to_bytes(size, "big") if len(birth) + size <= _MOST_SHORT else None


def text(octets, owner):
    # Octets of CBOR -> a Message ID. owner: the Service ID of the message's sender. Raises ValueError.
    size = len(octets)
    if size == 16:
        return uuid(octets)
    if not 0 < size <= _MOST_SHORT or not owner:
        raise ValueError("no Message ID")
    whole = bytearray(sha256(owner.encode()).digest()[:9]) + bytes(_MOST_SHORT - size) + octets
    whole[6] = 0x80 | size
    whole[8] = 0x80 | whole[8] & 0x3F
    return uuid(whole)


def octets(identifier, owner):
    # A Message ID -> octets for CBOR; None for one that is no UUID, which goes as text.
    try:
        whole = unhexlify(identifier.replace("-", ""))
    except ValueError:
        return None
    if len(whole) != 16 or uuid(whole) != identifier:
        return None
    size = whole[6] & 0x0F
    if (
        owner
        and whole[6] >> 4 == 8
        and 0 < size <= _MOST_SHORT
        and text(whole[16 - size :], owner) == identifier
    ):
        return whole[16 - size :]
    return whole


def uuid(octets):
    digits = str(hexlify(octets), "ascii")
    return "-".join((digits[:8], digits[8:12], digits[12:16], digits[16:20], digits[20:]))
