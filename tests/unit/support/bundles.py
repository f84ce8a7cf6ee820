"""Bundles for the tests: as the host makes them, on every runtime."""

import struct

from msgin5g.board import bundle
from msgin5g.oscore.derive import hmac

CREDENTIALS = {"master_secret": "00" * 16, "master_salt": "01" * 8, "sender_id": "05", "recipient_id": ""}
KEY = bundle.key(CREDENTIALS)
APP = b"async def main(ue, board):\n    pass\n"


def body(files, version=1):
    """What is signed; files: [(name, octets)]."""
    parts = [struct.pack(bundle.HEAD, version)]
    for name, octets in files:
        parts.append(struct.pack(bundle.FILE, len(name.encode()), len(octets)) + name.encode() + octets)
    return b"".join(parts)


def signed(octets, key=KEY):
    return bundle.MAGIC + hmac(key, (octets,)) + octets


def made(files=(("app.py", APP),), version=1, key=KEY):
    return signed(body(files, version), key)


def in_pieces(octets, size=100):
    """What a Bundle takes."""
    return lambda: (octets[at : at + size] for at in range(0, len(octets), size))
