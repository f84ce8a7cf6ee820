# What the entries of a store's log hold.
#
#     PUT, COPY   an item; a COPY is one that was moved
#     REMOVE      keys of items, 4 octets each
#     KNOWN       next key, 1 for the inbox, 1 when all that was known before is forgotten; identities, 8 octets each

import struct

from ..delivery import Item

PUT = 1
COPY = 2
REMOVE = 3
KNOWN = 4

NEVER = 0xFFFFFFFF
# Key, expiration time, segment number, identity, priority, report, lengths of hop, originator, kind and Message ID;
# these follow, and the body.
_HEAD = "<III8sBBBHBH"
_HEAD_SIZE = 28
_KNOWN = "<IBB"
# Keys or identities in one entry.
_AT_ONCE = 32


class FlashItem(Item):
    def __init__(self, store, *fields):
        super().__init__(*fields)
        self.store = store
        # Of its payload on flash.
        self.size = 0
        # Of those not written yet: its identity; was a commit of it tried? Then it may be on flash.
        self.identity = b""
        self.doubtful = False

    @property
    def body(self):
        # Once it is on flash it is read when it is asked for: OSError when it was removed or can't be read.
        return self._body if self._body is not None else self.store.body(self.key)

    @body.setter
    def body(self, body):
        self._body = body


def of_item(item):
    # The parts of an item's payload, None when it can't be stored.
    texts = [text.encode() for text in (item.hop, item.originator, item.kind, item.message_id)]
    lengths = [len(text) for text in texts]
    if max(lengths[0], lengths[2]) > 255 or max(lengths) > 65535:
        return None
    expires = NEVER if item.expires is None else min(max(int(item.expires), 0), NEVER - 1)
    head = struct.pack(
        _HEAD, item.key, expires, item.segment, item.identity, item.priority, bool(item.report), *lengths
    )
    return [head + b"".join(texts), item.body]


def index_fields(start):
    # Key, expiration time, identity, priority, and the hop, from the start of an item's payload.
    head = struct.unpack_from(_HEAD, start)
    return head[0], head[1], head[3], head[4], str(start[_HEAD_SIZE : _HEAD_SIZE + head[6]], "utf-8")


def read_item(file, length, store):
    # An item from a file at its payload; its body stays there.
    head = struct.unpack(_HEAD, file.read(_HEAD_SIZE))
    texts = [str(file.read(count), "utf-8") for count in head[6:]]
    expires = None if head[1] == NEVER else head[1]
    hop, originator, kind, message_id = texts
    item = FlashItem(
        store,
        head[0],
        hop,
        originator,
        kind,
        message_id,
        None,
        expires,
        bool(head[5]),
        head[4],
        head[2],
    )
    item.size = length
    return item


def read_body(file, length):
    head = struct.unpack(_HEAD, file.read(_HEAD_SIZE))
    skipped = sum(head[6:])
    file.seek(skipped, 1)
    return file.read(length - _HEAD_SIZE - skipped)


def removed(keys):
    # Entries that say so.
    return [
        (REMOVE, [b"".join([struct.pack("<I", key) for key in keys[at : at + _AT_ONCE]])])
        for at in range(0, len(keys), _AT_ONCE)
    ]


def keys_in(payload):
    return [struct.unpack_from("<I", payload, at)[0] for at in range(0, len(payload), 4)]


def known(next_key, inbox, pieces, only=False):
    # Entries that say that these are known; only: no others are, at least one entry says so.
    entries = []
    for identities in pieces:
        for at in range(0, len(identities), 8 * _AT_ONCE):
            head = struct.pack(_KNOWN, next_key, inbox, only and not entries)
            entries.append((KNOWN, [head, identities[at : at + 8 * _AT_ONCE]]))
    if only and not entries:
        entries.append((KNOWN, [struct.pack(_KNOWN, next_key, inbox, True)]))
    return entries


def known_in(payload):
    # Next key, of the inbox, all others are forgotten, identities.
    next_key, inbox, only = struct.unpack_from(_KNOWN, payload)
    return next_key, inbox, only, [payload[at : at + 8] for at in range(6, len(payload), 8)]
