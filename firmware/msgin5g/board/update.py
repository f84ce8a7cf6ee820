# Updates of the application by messages: takes them before the application sees them, puts what is in them into the
# spare slot, and tells their sender what became of it.
#
# A bundle (bundle.py) is a message with an Application ID of its own, mostly in segments. It stays where messages are
# stored until the board has started once more: before the application is loaded there is room in the heap to read it.
# What is told is another message, back to its sender: {"update": its Message ID, "version": ..., "outcome": ...,
# "why": ...}.

import asyncio
import json

from .. import forget, messages, provisioning, wire
from ..store import INBOX, SEGMENTS, Full
from . import slots

# Application ID of messages with a bundle, and of those that tell what became of it.
APPLICATION = "msgin5g-update"
# Seconds that the report on it has to go out before the board restarts.
_FAREWELL = 5
# That wait to be told; more are not.
_MOST_OUTCOMES = 8
REFUSED = "refused"


class Updates:
    # device_file: where the key is. restart(): called when there is something to be done before the application starts.
    def __init__(self, ue, in_slots, log, restart, device_file="device.json"):
        self._ue = ue
        self._slots = in_slots
        self._log = log
        self._restart = restart
        self._device_file = device_file
        # How many messages had come when it was looked the last time, and how far it was.
        self._arrived = -1
        self._after = -1
        # One is there that was not when the application was started.
        self.waiting = False
        # What is to be told: (sender, version, outcome, why).
        self._outcomes = []

    async def install(self, now):
        # Before the application is loaded: what is there. True when another one is to be started.
        self._ue.inbox.start(now)
        if self._slots.on_trial:
            # One after the other.
            return False
        self._look(now, self._take)
        await self._tell()
        return self._slots.on_trial

    def hide(self):
        # From the application, which would take it as one of its own messages.
        take = self._ue.inbox.take

        def others(now):
            self._look(now, self._found)
            return None if self.waiting else take(now)

        self._ue.inbox.take = others

    async def run(self):
        while True:
            self._look(self._ue.link.now(), self._found)
            await self._tell()
            if self.waiting and not self._slots.on_trial:
                self._log.tell("an update has come: restarting")
                # What is stored until now goes out before, if it can.
                try:
                    await asyncio.wait_for(self._ue.settled(), _FAREWELL)
                except asyncio.TimeoutError:
                    pass
                self._restart()
            await self._ue.change()

    # -- finding it

    def _look(self, now, on_found):
        # Among all that has come, in whatever order the application takes that.
        inbox, store = self._ue.inbox, self._ue.store
        if inbox.arrived == self._arrived or self.waiting:
            return
        arrived = inbox.arrived
        while True:
            items = store.pending(INBOX, self._after, 1)
            if not items:
                break
            elements = inbox.elements_of(items[0])
            if elements and elements.get(wire.APPLICATION_ID) == APPLICATION:
                on_found(elements, items[0], None, now)
                if self.waiting or self._slots.on_trial:
                    # The others, after it.
                    return
            self._after = items[0].key
        if store.pending(SEGMENTS, -1, 1):
            for large in list(inbox.reassembly().whole):
                try:
                    elements = large.elements()
                except (OSError, ValueError):
                    # The inbox says so when it gets there.
                    continue
                if elements.get(wire.APPLICATION_ID) == APPLICATION:
                    on_found(elements, None, large, now)
                    if self.waiting or self._slots.on_trial:
                        return
        self._arrived = arrived

    def _found(self, elements, item, large, now):
        if messages.originator(elements)[0] == wire.AS:
            self.waiting = True
        else:
            # It costs no restart.
            self._take(elements, item, large, now)

    def _take(self, elements, item, large, now):
        # Cut off before it is taken from the store, it is found again, and known by its version then.
        from ..application import Received

        inbox = self._ue.inbox
        received = Received(elements, large)
        sender = (received.originator_type, received.originator, received.message_id)
        version, outcome, why = 0, REFUSED, "updates are sent by Application Servers"
        if sender[0] == wire.AS:
            version, outcome, why = self._install(received.pieces, sender)
        if outcome != slots.TRIAL and len(self._outcomes) < _MOST_OUTCOMES:
            self._outcomes.append((sender, version, outcome, why))
        try:
            if item:
                inbox.hand_over(item, elements, now)
            else:
                # The application may be reading another one.
                other, inbox.reading = inbox.reading, (large, elements)
                inbox.finish(now)
                inbox.reading = other
        except Full:
            # The flash fails.
            pass

    # -- installing it

    def _install(self, pieces, sender):
        # (version, outcome, why)
        from . import bundle

        version = 0
        try:
            credentials = provisioning.read(self._device_file)["oscore"]
            found = bundle.Bundle(pieces, bundle.key(credentials))
            version = found.version
            self._unpack(found, sender)
            self._log.tell("update %d: written, to be tried" % version)
            return version, slots.TRIAL, ""
        except bundle.Refused as refused:
            outcome, why = REFUSED, refused.args[0]
        except _Ended as ended:
            outcome, why = ended.args
        except (OSError, ValueError, MemoryError) as error:
            outcome, why = REFUSED, "it can't be read or written: %r" % error
        self._log.complain("update %d: %s: %s" % (version, outcome, why))
        forget("msgin5g.board.bundle")
        forget("msgin5g.oscore.derive")
        return version, outcome, why

    def _unpack(self, found, sender):
        one = self._slots
        signature = "".join(["%02x" % octet for octet in found.signature[:8]])
        if found.version == one.version and signature == one.signature:
            # It has come again.
            raise _Ended(one.outcome, one.why)
        if found.version <= one.version:
            raise _Ended(
                REFUSED, "version %d came before, and %d is not newer" % (one.version, found.version)
            )
        try:
            found.unpack(one.spare())
        except BaseException:
            # It may have filled the flash.
            one.spare()
            raise
        one.switch(found.version, signature, sender)

    # -- telling it

    async def _tell(self):
        one = self._slots
        if one.sender and not one.on_trial:
            self._outcomes.append((one.sender, one.version, one.outcome, one.why))
        try:
            while self._outcomes:
                await self._send(*self._outcomes[0])
                self._outcomes.pop(0)
        except Full:
            # There is room when others have gone out.
            return
        if one.sender and not one.on_trial:
            one.told()

    async def _send(self, sender, version, outcome, why):
        kind, identity, message_id = sender
        to = {"ue" if kind == wire.UE else "application_server": identity}
        text = json.dumps({"update": message_id, "version": version, "outcome": outcome, "why": why})
        await self._ue.send(text, application=APPLICATION, report=False, **to)


class _Ended(Exception):
    # args: outcome, why.
    pass
