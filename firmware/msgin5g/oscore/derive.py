# A context from its master secret: HKDF SHA-256 (RFC 5869) with the info of RFC 8613, 3.2.1. Used once for each.

from binascii import unhexlify
from hashlib import sha256

from .context import Context

_ALGORITHM = 10


def from_credentials(stored, storage, name="", window=32, stride=64):
    # stored: a dict of hexadecimal strings, as provisioning writes it: master_secret, master_salt, sender_id,
    # recipient_id, and id_context, which may be null. The other side's are the same with the two ids exchanged.
    id_context = stored.get("id_context")
    id_context = None if id_context is None else unhexlify(id_context)
    sender_id, recipient_id = unhexlify(stored["sender_id"]), unhexlify(stored["recipient_id"])
    if sender_id == recipient_id:
        raise ValueError("sender_id and recipient_id are the same")
    secret, salt = unhexlify(stored["master_secret"]), unhexlify(stored.get("master_salt") or "")
    derived = keys(secret, salt, sender_id, recipient_id, id_context)
    return Context(name, sender_id, recipient_id, id_context, derived, storage, window, stride)


def keys(secret, salt, sender_id, recipient_id, id_context):
    # (sender key, recipient key, common IV)
    extracted = hmac(salt, (secret,))
    return (
        _expand(extracted, _info(sender_id, id_context, "Key", 16), 16),
        _expand(extracted, _info(recipient_id, id_context, "Key", 16), 16),
        _expand(extracted, _info(b"", id_context, "IV", 13), 13),
    )


def _info(identifier, id_context, kind, length):
    # A CBOR array of five.
    context = b"\xf6" if id_context is None else _byte_string(id_context)
    kind = bytes((0x60 | len(kind),)) + kind.encode()
    return b"\x85" + _byte_string(identifier) + context + bytes((_ALGORITHM,)) + kind + bytes((length,))


def _byte_string(octets):
    # Less than 2**8 octets.
    size = len(octets)
    return (bytes((0x40 | size,)) if size < 24 else bytes((0x58, size))) + octets


def _expand(extracted, info, length):
    # One block of the hash is enough.
    return hmac(extracted, (info, b"\x01"))[:length]


def hmac(key, pieces):
    # RFC 2104, of a message in pieces; MicroPython has no module for it.
    if len(key) > 64:
        key = sha256(key).digest()
    key = key + bytes(64 - len(key))
    inner = sha256(bytes([octet ^ 0x36 for octet in key]))
    for piece in pieces:
        inner.update(piece)
    return sha256(bytes([octet ^ 0x5C for octet in key]) + inner.digest()).digest()
