# Finding a gateway (TS 23.554, 8.2.8): everybody in reach is asked, whoever can carry this UE's packets answers, and
# the answers are compared.
#
# The standard does not say how. Here: one that allows the packet size that is required, then the better link where
# the link can tell, then the lower UE Service ID.

import asyncio

from . import messages, ticks, wire
from .coap import numbers as coap
from .coap.client import Response
from .coap.endpoint import RESPONSE, Full
from .coap.message import encode_options
from .resource import request_options, told

# How long answers are waited for, and after how long it is asked again when there were none; in ms.
_PATIENCE = 2000
_LONGEST_PATIENCE = 60000
_MOST_ANSWERS = 8
# After so many attempts to register without an answer another gateway is looked for.
_MOST_SILENT = 3


class Found:
    # A gateway that has answered.
    def __init__(self, ue_service_id, address, allowed, quality, server=None):
        self.ue_service_id = ue_service_id
        self.address = address
        # Octets of the largest packet that it carries for this UE.
        self.allowed = allowed
        # Of the link, higher is better; 0 where the link can't tell.
        self.quality = quality
        # Whom a relay relays for: the one that this UE's key has to be for. None of a gateway.
        self.server = server

    def better_than(self, other):
        if self.quality != other.quality:
            return self.quality > other.quality
        return self.ue_service_id < other.ue_service_id


class Selection:
    def __init__(self, endpoint, link, ue_service_id, required, port=wire.PORT):
        # required: octets of the largest packet that this UE wants to send.
        self.counters = {"asked": 0, "answers": 0, "too_small": 0, "bad_answers": 0}
        self._endpoint = endpoint
        self._link = link
        self._required = required
        self._port = port
        self._request = {
            wire.UE_SERVICE_ID: ue_service_id,
            wire.REQUIRED_PACKET_SIZE: required,
        }
        layer_2_id = getattr(link, "layer_2_id", None)
        if layer_2_id:
            self._request[wire.LAYER_2_ID] = layer_2_id
        self._found = []
        self._exchange = None
        self._due = None
        self._patience = _PATIENCE
        self._settled = asyncio.Event()
        endpoint.on_timer.append(self._on_timer)

    async def find(self):
        # -> [Found], the best first, at least one: waits until there is. To be ended by cancelling its task.
        self._found = []
        self._patience = _PATIENCE
        self._settled.clear()
        try:
            self._ask(self._link.now())
            self._link.flush()
            await self._settled.wait()
        finally:
            self._end(self._link.now())
        return self._found

    def _ask(self, now):
        self._due = ticks.add(now, self._patience)
        self._endpoint.arm(self._due)
        self._patience = min(self._patience * 2, _LONGEST_PATIENCE)
        self.counters["asked"] += 1
        try:
            self._exchange = self._endpoint.request(
                self._link.broadcast(self._port),
                coap.POST,
                encode_options(request_options(wire.SELECTION_PATH)),
                messages.encode(self._request),
                self._on_end,
                now,
                confirmable=False,
                context=False,
            )
            self._exchange.anyone = True
        except (Full, OSError):
            # No room, or no network yet: when it is due it is tried again.
            self._exchange = None

    def _on_end(self, exchange, how, message, now):
        if how != RESPONSE:
            return
        exchange.keep = True
        response = Response(how, message)
        if response.success():
            self._take(told(response), exchange.responder)

    def _take(self, answer, address):
        ue_service_id = answer.get(wire.UE_SERVICE_ID)
        allowed = answer.get(wire.ALLOWED_PACKET_SIZE)
        if not ue_service_id or not allowed or allowed < 0:
            self.counters["bad_answers"] += 1
        elif allowed < self._required:
            self.counters["too_small"] += 1
        elif len(self._found) < _MOST_ANSWERS and not [o for o in self._found if o.address == address]:
            self.counters["answers"] += 1
            quality = getattr(self._link, "quality", _unknown)(address)
            self._insert(Found(ue_service_id, address, allowed, quality, answer.get(wire.SERVER_SERVICE_ID)))

    def _insert(self, found):
        place = 0
        while place < len(self._found) and not found.better_than(self._found[place]):
            place += 1
        self._found.insert(place, found)

    def _end(self, now):
        self._due = None
        if self._exchange:
            self._endpoint.cancel(self._exchange, now)
            self._exchange = None

    def _on_timer(self, now):
        if self._due is None:
            return
        if ticks.diff(self._due, now) > 0:
            self._endpoint.arm(self._due)
            return
        self._end(now)
        if self._found:
            self._settled.set()
        else:
            self._ask(now)


def _unknown(address):
    return 0


class Finder:
    # The gateway of a Client: found, and another one when it has fallen silent.
    def __init__(self, ue, port):
        self._ue = ue
        self._port = port
        self._selection = None
        self._task = None
        self._silent = 0

    async def find(self):
        # Another than the one that it has, where there is one.
        ue = self._ue
        link, registration, security = ue.link, ue.registration, ue.endpoint.security
        if self._selection is None:
            self._selection = Selection(ue.endpoint, link, ue.ue_service_id, link.most_octets, self._port)
        link.connect(None)
        found = await self._selection.find()
        others = [one for one in found if one.address != registration.address]
        best = (others or found)[0]
        if security:
            security.use(best.server or best.ue_service_id)
        link.connect(best.address)
        registration.move(best.address, link.now())

    def on_registration(self, registered):
        self._silent = 0 if registered else self._silent + 1
        if self._silent >= _MOST_SILENT and self._task is None:
            self._task = asyncio.create_task(self._find_another())

    async def _find_another(self):
        try:
            await self.find()
            self._ue.link.flush()
        finally:
            self._task = None
            self._silent = 0

    def cancel(self):
        if self._task:
            self._task.cancel()
            self._task = None
