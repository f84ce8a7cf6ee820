# The store of a gateway on a board (gateway_board.py): what is on its way, and who is registered, in one log on flash.
# Both are durable with the same commit.
#
# A registration is an item of the inbox, which has room of its own and of which nothing is ever dropped. All else of a
# gateway is to go out.

import json
from binascii import hexlify, unhexlify

from ..delivery import MIDDLE
from ..registry import Registered
from . import INBOX, INCOMING, Full, identify, records
from .flash import FlashStore
from .index import Known
from .log import length_of
from .records import FlashItem

# Identities of registrations: each is another item, and none is asked for.
_MOST_KNOWN_REGISTRATIONS = 8


class GatewayStore(FlashStore):
    # most_messages: on their way; most_devices: registered; most_known: identities of messages to remember.
    def __init__(
        self, folder, most_octets=524288, most_messages=256, most_devices=64, most_known=1024, on_error=None
    ):
        # UE Service ID -> the item with its registration.
        self._registered = {}
        super().__init__(folder, most_octets, most_messages, most_devices, most_known, on_error=on_error)

    def _memory(self, most_known):
        return Known(most_known), Known(_MOST_KNOWN_REGISTRATIONS)

    # -- messages

    def put(
        self,
        hop,
        originator,
        kind,
        message_id,
        segment,
        body,
        expires=None,
        report=False,
        priority=MIDDLE,
    ):
        if hop in INCOMING:
            # A UE of such a name has no messages here: they would be taken for registrations.
            raise Full
        return super().put(hop, originator, kind, message_id, segment, body, expires, report, priority)

    def pending(self, hop, after, most, priority=None):
        return [] if hop in INCOMING else super().pending(hop, after, most, priority)

    def replace(self, item, body, expires):
        # A message on its way becomes another; it is the newest then. Raises Full, and then nothing has changed.
        key = self.next_key
        new = FlashItem(
            self,
            key,
            item.hop,
            item.originator,
            item.kind,
            item.message_id,
            body,
            expires,
            item.report,
            item.priority,
            item.segment,
        )
        new.identity = identify(item.hop, item.originator, item.kind, item.message_id, item.segment)
        new.size = length_of(records.of_item(new))
        uncommitted = item in self._new
        self.remove(item)
        try:
            self._make_room(new)
        except Full:
            if uncommitted:
                self._passed.remove(item)
                self._new.append(item)
                self._use_new(item, 1)
            else:
                self.keep(item)
            raise
        self.next_key = key + 1
        self._new.append(new)
        self._use_new(new, 1)
        return new

    def holds(self, item):
        # Is it still there? One that is damaged is not, from its first reading on.
        return self._index.get(item.key) is not None or item in self._new

    def on_their_way(self):
        # How many messages.
        return self._used[0][0]

    # -- registrations (registry.py)

    def registered(self):
        entries = []
        for item in super().pending(INBOX, -1, len(self)):
            try:
                entries.append(_entry(item))
            except (OSError, ValueError, TypeError, IndexError):
                # Damaged, or of another version: that UE registers again.
                self.remove(item)
                continue
            self._registered[item.originator] = item
        return entries

    def save_registered(self, entry):
        # Flash is written when something has changed. Raises Full.
        body = _octets(entry)
        old = self._registered.get(entry.ue_service_id)
        if old is not None:
            try:
                if old.body == body:
                    return
            except OSError:
                pass
            self.remove(old)
        try:
            message_id = f"{self.next_key:x}"
            item = super().put(INBOX, entry.ue_service_id, "", message_id, 0, body)
        except Full:
            if old is not None:
                self.keep(old)
            raise
        self._registered[entry.ue_service_id] = item

    def remove_registered(self, ue_service_id):
        item = self._registered.pop(ue_service_id, None)
        if item is not None:
            self.remove(item)


def _octets(entry):
    # A line of JSON, then the request as it came. Addresses are opaque octets on some ports, tuples on others.
    address = entry.address
    if isinstance(address, bytes):
        address = {"octets": str(hexlify(address), "ascii")}
    head = json.dumps([address, entry.via, entry.content_format, entry.body is not None])
    return head.encode() + b"\n" + (entry.body or b"")


def _entry(item):
    head, _, body = item.body.partition(b"\n")
    address, via, content_format, has_body = json.loads(head)
    if isinstance(address, dict):
        address = unhexlify(address["octets"])
    elif isinstance(address, list):
        address = tuple(address)
    return Registered(item.originator, address, via, body if has_body else None, content_format)
