"""UE configuration documents (TS 24.546, annex C): what they are, for whom, and where they are kept.

A document is a dict of text keys as it travels in CBOR. Those of the settings are there from the start and can't be
changed over the air; the others are durable with the store's next commit.
"""

from __future__ import annotations

import secrets
from hashlib import blake2b
from typing import TYPE_CHECKING, Any
from xml.sax.saxutils import escape

from msgin5g import cbor
from msgin5g import wire_configuration as wire
from msgin5g.store import Full

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from host_tools import settings
    from host_tools.store import SqliteStore

Document = dict[str, Any]

_SCHEMA = """
CREATE TABLE IF NOT EXISTS configurations (id TEXT PRIMARY KEY, document BLOB NOT NULL) WITHOUT ROWID;
"""
_LONGEST_NAME = 255
# Of a serial number in an IMEI.
_DIGITS = 6


class BadDocument(ValueError):
    """A document that is none; the text says why."""


def decode(octets: bytes) -> Document:
    """CBOR to a document, checked; members that are not known are left out.

    Raises:
        BadDocument: it is no UeConfigDoc.
    """
    try:
        value = cbor.decode(octets)
    except cbor.NotCbor as error:
        raise BadDocument(f"not CBOR: {error}") from None
    return check(value)


def check(value: object) -> Document:
    """A UeConfigDoc, as far as it is known.

    Raises:
        BadDocument: it is none.
    """
    given = _map(value, "the document")
    document: Document = {
        wire.NAME: _text(given, wire.NAME),
        wire.DOMAIN: _text(given, wire.DOMAIN),
    }
    if wire.SERVICE_ID in given:
        document[wire.SERVICE_ID] = _text(given, wire.SERVICE_ID)
    if wire.UE_IDS in given:
        document[wire.UE_IDS] = _ue_ids(_map(given[wire.UE_IDS], wire.UE_IDS))
    if wire.CONFIGURATIONS in given:
        configurations = [
            {wire.TYPE: _text(one, wire.TYPE), wire.DATA: _text(one, wire.DATA, None)}
            for one in _maps(given, wire.CONFIGURATIONS)
        ]
        if len({one[wire.TYPE] for one in configurations}) < len(configurations):
            raise BadDocument(f"{wire.CONFIGURATIONS}: two have the same {wire.TYPE}")
        document[wire.CONFIGURATIONS] = configurations
    return document


def _ue_ids(given: Mapping) -> Document:
    ids: Document = {}
    if wire.URIS in given:
        ids[wire.URIS] = _texts(given, wire.URIS)
    if wire.IMEI_RANGES in given:
        ids[wire.IMEI_RANGES] = [_imei_range(one) for one in _maps(given, wire.IMEI_RANGES)]
    return ids


def _imei_range(given: Mapping) -> Document:
    imei_range: Document = {wire.TAC: _text(given, wire.TAC)}
    if wire.SERIAL_NUMBERS in given:
        imei_range[wire.SERIAL_NUMBERS] = _texts(given, wire.SERIAL_NUMBERS)
    if wire.SERIAL_NUMBER_RANGE in given:
        ends = _map(given[wire.SERIAL_NUMBER_RANGE], wire.SERIAL_NUMBER_RANGE)
        imei_range[wire.SERIAL_NUMBER_RANGE] = {
            wire.LOW: _text(ends, wire.LOW),
            wire.HIGH: _text(ends, wire.HIGH),
        }
    return imei_range


def _map(value: object, what: str) -> Mapping:
    if not isinstance(value, dict):
        raise BadDocument(f"{what}: not a map")
    return value


def _maps(given: Mapping, name: str) -> list[Mapping]:
    values = given[name]
    if not isinstance(values, list) or not values:
        raise BadDocument(f"{name}: not a list of one or more")
    return [_map(one, name) for one in values]


def _text(given: Mapping, name: str, longest: int | None = _LONGEST_NAME) -> str:
    text = given.get(name)
    if not isinstance(text, str):
        raise BadDocument(f"{name}: not a text" if name in given else f"{name}: missing")
    if longest is not None and len(text) > longest:
        raise BadDocument(f"{name}: longer than {longest} characters")
    return text


def _texts(given: Mapping, name: str) -> list[str]:
    texts = given[name]
    if not isinstance(texts, list) or not texts or not all(isinstance(one, str) for one in texts):
        raise BadDocument(f"{name}: not a list of one or more texts")
    return texts


# -- for whom


def applies(document: Document, uri: str | None, tac: str | None, serial_number: str | None) -> bool:
    """Is a document for a UE of this MSGin5G UE ID or IMEI?

    One that names no UEs is for all, and who asks without saying who it is gets everything.
    """
    ids = document.get(wire.UE_IDS)
    if not ids or (uri is None and tac is None and serial_number is None):
        return True
    if uri is not None and uri in ids.get(wire.URIS, ()):
        return True
    return tac is not None and any(
        one[wire.TAC] == tac and _in_range(one, serial_number) for one in ids.get(wire.IMEI_RANGES, ())
    )


def _in_range(imei_range: Document, serial_number: str | None) -> bool:
    listed = imei_range.get(wire.SERIAL_NUMBERS)
    ends = imei_range.get(wire.SERIAL_NUMBER_RANGE)
    if listed is None and ends is None:
        return True
    if serial_number is None:
        return False
    # Digits, of which leading zeros may be left out.
    number = serial_number.zfill(_DIGITS)
    if listed is not None and number in [one.zfill(_DIGITS) for one in listed]:
        return True
    return ends is not None and ends[wire.LOW].zfill(_DIGITS) <= number <= ends[wire.HIGH].zfill(_DIGITS)


# -- what MSGin5G has in it (TS 24.538, 7.2)


def on_network(server_address: str, ue_service_id: str, segment_size: int | None = None) -> str:
    """The XML fragment that goes into a document, with what a UE needs to know."""
    members: list[tuple[str, object]] = [
        (wire.SERVER_ADDRESS_ELEMENT, server_address),
        (wire.UE_SERVICE_ID_ELEMENT, ue_service_id),
    ]
    if segment_size is not None:
        members.append((wire.SEGMENT_SIZE_ELEMENT, segment_size))
    inner = "".join(f"<m:{name}>{escape(str(value))}</m:{name}>" for name, value in members)
    return (
        f'<{wire.ON_NETWORK_ELEMENT} xmlns="{wire.NAMESPACE}" xmlns:m="{wire.MSGIN5G_NAMESPACE}">{inner}'
        f"</{wire.ON_NETWORK_ELEMENT}>"
    )


def of_settings(one: settings.UeConfiguration, domain: str, service: str = wire.VAL_SERVICE) -> Document:
    """The document of one entry of the settings."""
    data = on_network(one.server, one.ue_service_id, one.segment_size)
    document: Document = {
        wire.NAME: one.name or one.ue_service_id,
        wire.DOMAIN: domain,
        wire.SERVICE_ID: service,
        wire.CONFIGURATIONS: [{wire.TYPE: wire.ON_NETWORK, wire.DATA: data}],
    }
    if one.ue_ids:
        document[wire.UE_IDS] = {wire.URIS: list(one.ue_ids)}
    return document


def of_all_settings(
    configurations: Iterable[settings.UeConfiguration], domain: str, service: str = wire.VAL_SERVICE
) -> dict[str, Document]:
    """Identifier -> document. An identifier is the same after a restart, and tells nobody whose the document is.

    Raises:
        ValueError: two of them are for the same UE Service ID.
    """
    documents = {}
    for one in configurations:
        document_id = blake2b(one.ue_service_id.encode(), digest_size=9).hexdigest()
        if document_id in documents:
            raise ValueError(f"ue_configurations: {one.ue_service_id} is there twice")
        documents[document_id] = of_settings(one, domain, service)
    return documents


class Documents:
    """All documents, by identifier.

    Args:
        store: keeps those that are not of the settings.
        fixed: identifier -> document of the settings.
        most: bound of documents.
    """

    def __init__(
        self, store: SqliteStore, fixed: Mapping[str, Document] | None = None, most: int = 10_000
    ) -> None:
        self._store = store
        self._most = most
        store.add_tables(_SCHEMA)
        self._documents = {
            document_id: check(cbor.decode(octets))
            for document_id, octets in store.rows("SELECT id, document FROM configurations")
        }
        self._fixed = dict(fixed or {})
        self._documents |= self._fixed

    def __len__(self) -> int:
        """How many there are."""
        return len(self._documents)

    def __iter__(self) -> Iterator[str]:
        """Their identifiers."""
        return iter(list(self._documents))

    def get(self, document_id: str) -> Document | None:
        """A document with its identifier in it."""
        document = self._documents.get(document_id)
        return document and {wire.DOCUMENT_ID: document_id, **document}

    def fixed(self, document_id: str) -> bool:
        """Is it one of the settings?"""
        return document_id in self._fixed

    def matching(
        self, uri: str | None = None, tac: str | None = None, serial_number: str | None = None
    ) -> list[Document]:
        """Those for a UE; the ones that name it, or any UE at all, are first."""
        found = [
            {wire.DOCUMENT_ID: document_id, **document}
            for document_id, document in self._documents.items()
            if applies(document, uri, tac, serial_number)
        ]
        return sorted(found, key=lambda document: wire.UE_IDS not in document)

    def add(self, document: Document) -> str:
        """Add a document.

        Returns:
            Its identifier.

        Raises:
            Full: there are too many.
        """
        if len(self) >= self._most:
            raise Full
        document_id = secrets.token_urlsafe(9)
        self.put(document_id, document)
        return document_id

    def put(self, document_id: str, document: Document) -> None:
        """Replace a document."""
        self._documents[document_id] = document
        self._store.change(
            "INSERT OR REPLACE INTO configurations VALUES (?, ?)", (document_id, cbor.encode(document))
        )

    def remove(self, document_id: str) -> None:
        """Take a document out."""
        del self._documents[document_id]
        self._store.change("DELETE FROM configurations WHERE id = ?", (document_id,))
