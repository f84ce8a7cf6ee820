# Being configured (TS 23.554, 8.1; TS 24.546, annex C; TS 24.538, 7.2): the UE configuration document is asked for,
# kept in a file, and watched. What is in the file holds after a restart, with or without a network.
#
#     configuration = Configuration(ue, "urn:uuid:...")
#     values = configuration.values or await configuration.get()
#
# A segment size is applied at once. Another server or another UE Service ID is for the application to act on: a Client
# has one of each for its lifetime.

import asyncio
import json
import os

from . import cbor, ticks
from . import wire_configuration as wire
from .coap import numbers as coap
from .coap.endpoint import Full
from .coap.message import ABSENT, dotted, uri_options

# Keys of the values, and of the file.
SERVER_ADDRESS = "server_address"
UE_SERVICE_ID = "ue_service_id"
SEGMENT_SIZE = "segment_size"

_ENTITIES = (("&lt;", "<"), ("&gt;", ">"), ("&quot;", '"'), ("&apos;", "'"), ("&amp;", "&"))
_LONGEST_VALUE = 255
_LARGEST_SEGMENT = 65535
# How often it is asked again when the response is interim, and after how many seconds at most.
_MOST_AGAIN = 3
_LONGEST_PAUSE = 3600
# What comes of reading what only seems to be a document. RuntimeError: nested deeper than the parser goes.
_NONSENSE = (ValueError, TypeError, KeyError, AttributeError, OverflowError, RuntimeError)


class NotConfigured(Exception):
    # args[0] says why.
    pass


class Configuration:
    def __init__(self, ue, msgin5g_ue_id, file="configuration.json", val_service=wire.VAL_SERVICE):
        # msgin5g_ue_id: the device's own identity, not that of its subscription to the service.
        self.counters = {"documents": 0, "not_ours": 0, "bad_documents": 0, "not_saved": 0}
        # on_change(values): they are others now.
        self.on_change = _nobody_minds
        self._ue = ue
        self._msgin5g_ue_id = msgin5g_ue_id
        self._file = file
        self._val_service = val_service
        self._observation = None
        self.values = self._load()
        self._apply()

    async def get(self):
        # The values, from the network; watched from here on. Raises NotConfigured when there are none for this UE, or
        # nobody to ask. A gateway may say when to ask again (8.1.4, the interim response).
        self._ue.must_run()
        response = await self._ask()
        for _ in range(_MOST_AGAIN):
            if response.code != coap.SERVICE_UNAVAILABLE or response.max_age == ABSENT:
                break
            await self._pause(min(response.max_age, _LONGEST_PAUSE))
            response = await self._ask()
        if not response.success():
            raise NotConfigured("no answer" if response.code is None else "refused: " + dotted(response.code))
        for document in self._documents(response.payload):
            if self._take(document):
                self._watch(document)
                return self.values
        raise NotConfigured("no document for " + self._msgin5g_ue_id)

    async def _ask(self):
        options = uri_options(wire.COLLECTION_PATH % self._val_service)
        options.append((coap.URI_QUERY, wire.QUERY_URI + self._msgin5g_ue_id))
        answered = asyncio.Event()
        responses = []

        def on_response(response, now):
            responses.append(response)
            answered.set()

        ue = self._ue
        try:
            ue.coap.request(ue.registration.address, coap.GET, options, b"", on_response, ue.link.now())
        except Full:
            raise NotConfigured("nobody can be asked now")
        ue.link.flush()
        await answered.wait()
        return responses[0]

    async def _pause(self, seconds):
        endpoint = self._ue.endpoint
        due = ticks.add(self._ue.link.now(), seconds * 1000)
        over = asyncio.Event()

        def on_timer(now):
            if ticks.diff(due, now) > 0:
                endpoint.arm(due)
            else:
                over.set()

        endpoint.on_timer.append(on_timer)
        try:
            endpoint.arm(due)
            self._ue.link.flush()
            await over.wait()
        finally:
            endpoint.on_timer.remove(on_timer)

    # -- documents

    def _documents(self, payload):
        try:
            documents = cbor.decode(payload)
        except ValueError:
            documents = None
        if not isinstance(documents, list):
            self.counters["bad_documents"] += 1
            return []
        return documents

    def _take(self, document):
        self.counters["documents"] += 1
        try:
            if not self._is_ours(document):
                self.counters["not_ours"] += 1
                return False
            values = _values_of(document)
        except _NONSENSE:
            values = None
        if values is None:
            self.counters["bad_documents"] += 1
            return False
        if values != self.values:
            self.values = values
            self._save()
            self._apply()
            self.on_change(values)
        return True

    def _is_ours(self, document):
        if document.get(wire.SERVICE_ID, self._val_service) != self._val_service:
            return False
        ids = document.get(wire.UE_IDS) or {}
        # Who is named by an IMEI was found by it: the server has looked.
        return wire.URIS not in ids or self._msgin5g_ue_id in ids[wire.URIS] or wire.IMEI_RANGES in ids

    def _watch(self, document):
        identifier = document.get(wire.DOCUMENT_ID) or document.get(wire.DOCUMENT_ID_TOO)
        now = self._ue.link.now()
        if self._observation:
            self._observation.cancel(now)
            self._observation = None
        if identifier is None:
            return
        options = uri_options(wire.DOCUMENT_PATH % (self._val_service, identifier))
        try:
            self._observation = self._ue.coap.observe(
                self._ue.registration.address, options, self._on_document, now
            )
        except Full:
            # The next get() tries again.
            pass
        self._ue.link.flush()

    def _on_document(self, response, now):
        if response.code == coap.CONTENT:
            try:
                self._take(cbor.decode(response.payload))
            except ValueError:
                self.counters["bad_documents"] += 1
        if self._observation and self._observation.over:
            self._observation = None

    # -- applied, and kept

    def _apply(self):
        if self.values and self.values.get(SEGMENT_SIZE):
            self._ue.segment_size = self.values[SEGMENT_SIZE]

    def _load(self):
        try:
            with open(self._file) as file:
                values = json.load(file)
            return _checked(values[SERVER_ADDRESS], values[UE_SERVICE_ID], values.get(SEGMENT_SIZE))
        except _NONSENSE + (OSError,):
            # None yet, or what a power cut has left of it.
            return None

    def _save(self):
        new = self._file + ".new"
        try:
            with open(new, "w") as file:
                json.dump(self.values, file)
            os.rename(new, self._file)
        except OSError:
            # It holds until the next restart.
            self.counters["not_saved"] += 1


def _values_of(document):
    for configuration in document[wire.CONFIGURATIONS]:
        if configuration[wire.TYPE] == wire.ON_NETWORK:
            text = configuration[wire.DATA].strip()
            members = json.loads(text) if text[:1] == "{" else _Xml(text)
            return _checked(
                members.get(wire.SERVER_ADDRESS_ELEMENT),
                members.get(wire.UE_SERVICE_ID_ELEMENT),
                members.get(wire.SEGMENT_SIZE_ELEMENT),
            )
    return None


def _checked(server_address, ue_service_id, segment_size):
    # None when what has to be there is not.
    for text in (server_address, ue_service_id):
        if not isinstance(text, str) or not 0 < len(text) <= _LONGEST_VALUE:
            return None
    values = {SERVER_ADDRESS: server_address, UE_SERVICE_ID: ue_service_id}
    if segment_size is not None:
        size = int(segment_size)
        if not 0 < size <= _LARGEST_SEGMENT or segment_size is True:
            return None
        values[SEGMENT_SIZE] = size
    return values


class _Xml:
    # As much of XML as there is in an on-network element.
    def __init__(self, text):
        self._text = text

    def get(self, name):
        # The content of the first element of that local name, which has no others inside; None when there is none.
        text = self._text
        at = 0
        while True:
            at = text.find("<", at)
            end = text.find(">", at)
            if at < 0 or end < 0:
                return None
            tag = text[at + 1 : end].split()
            at = end + 1
            if tag and tag[0].split(":")[-1] == name:
                close = text.find("<", at)
                return _without_entities(text[at:close].strip()) if close >= 0 else None


def _without_entities(text):
    for entity, character in _ENTITIES:
        text = text.replace(entity, character)
    return text


def _nobody_minds(values):
    pass
