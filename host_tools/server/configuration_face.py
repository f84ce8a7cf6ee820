"""UE configuration documents over CoAP (TS 24.546, annex C): a collection, and each document, which can be observed."""

from __future__ import annotations

from hashlib import blake2b
from typing import TYPE_CHECKING, Any

import structlog
from msgin5g import cbor
from msgin5g import wire_configuration as wire
from msgin5g.coap import numbers as coap
from msgin5g.coap.message import ABSENT
from msgin5g.store import Full

from host_tools.server.configuration import BadDocument, Documents, decode

if TYPE_CHECKING:
    from collections.abc import Callable

    from host_tools.server.coap_server import ResourceServer
    from host_tools.server.configuration import Document

    # With what the CoAP server adds to it: query, observe, content_format, path.
    Request = Any

_MAX_AGE = 60
_AGAIN = 5
_MOST_BODY = 65536
# Questions in one request; characters of one; octets of an answer beside the documents and the question.
_MOST_QUERIES = 100
_LONGEST_QUERY = 512
_FRAME = 64

_log = structlog.get_logger("msgin5g.server")


class ConfigurationFace:
    """The CoAP resources.

    Args:
        server: what they are resources of.
        documents: the documents.
        may_write: may the sender of a request change documents?
        val_service: the VAL service they are of.
        content_format: the number of their content format.
    """

    def __init__(
        self,
        server: ResourceServer,
        documents: Documents,
        may_write: Callable[[Request], bool],
        val_service: str = wire.VAL_SERVICE,
        content_format: int = wire.CONTENT_FORMAT,
    ) -> None:
        self._server = server
        self._documents = documents
        self._may_write = may_write
        self._val_service = val_service
        self._content_format = content_format
        collection = wire.COLLECTION_PATH % val_service
        server.add(collection, coap.GET, self._on_list)
        server.add(collection, coap.POST, self._on_post)
        server.add(collection, coap.FETCH, self._on_fetch)
        for document_id in documents:
            self._add(document_id)

    # -- the collection

    def _on_list(self, request: Request, now: int) -> None:
        payload = cbor.encode(self._matching(request.query))
        if len(payload) > _MOST_BODY:
            self._refuse(request, coap.REQUEST_ENTITY_TOO_LARGE, "too many documents: say for which UE", now)
        else:
            self._tell(request, payload, now)

    def _matching(self, query: str) -> list[Document]:
        asked = {}
        for parameter in query.split("&"):
            name, _, value = parameter.partition("=")
            asked[name + "="] = value
        return self._documents.matching(
            asked.get(wire.QUERY_URI), asked.get(wire.QUERY_TYPE), asked.get(wire.QUERY_SERIAL_NUMBER)
        )

    def _on_fetch(self, request: Request, now: int) -> None:
        # The questions of several UEs at once, from their gateway (TS 23.554, 8.1.4).
        try:
            queries = _queries(request.payload)
        except ValueError as error:
            self._refuse(request, coap.BAD_REQUEST, str(error), now)
            return
        responses: list[dict[str, Any]] = []
        octets = sum(len(query.encode()) + _FRAME for query in queries)
        for query in queries:
            documents = self._matching(query)
            size = len(cbor.encode(documents))
            # Who asks for too much is told so, and the others get theirs.
            fits = octets + size <= _MOST_BODY
            octets += size if fits else 0
            response: dict[str, Any] = {wire.QUERY: query}
            response |= {wire.DOCUMENTS: documents} if fits else {wire.CODE: coap.REQUEST_ENTITY_TOO_LARGE}
            responses.append(response)
        self._tell(request, cbor.encode({wire.NUMBER: len(responses), wire.RESPONSES: responses}), now)

    def _on_post(self, request: Request, now: int) -> None:
        document = self._document(request, now)
        if document is None:
            return
        try:
            document_id = self._documents.add(document)
        except Full:
            self._refuse(request, coap.SERVICE_UNAVAILABLE, "there are too many documents", now)
            return
        self._add(document_id)
        _log.info("configuration added", id=document_id)
        location = wire.DOCUMENT_PATH % (self._val_service, document_id)
        options = [(coap.LOCATION_PATH, segment) for segment in location.split("/")]
        self._server.respond(request, coap.CREATED, now, options=options)

    # -- a document

    def _add(self, document_id: str) -> None:
        path = wire.DOCUMENT_PATH % (self._val_service, document_id)

        def render(_query: str) -> tuple[int, int, bytes]:
            document = self._documents.get(document_id)
            if document is None:
                return (
                    coap.NOT_FOUND,
                    wire.PROBLEM_CONTENT_FORMAT,
                    _problem(coap.NOT_FOUND, "no such document"),
                )
            return coap.CONTENT, self._content_format, cbor.encode(document)

        def on_get(request: Request, now: int) -> None:
            document = self._documents.get(document_id)
            if document is not None and request.observe == ABSENT:
                self._tell(request, cbor.encode(document), now)
            else:
                observed(request, now)

        self._server.add_observable(path, render, _MAX_AGE)
        observed = self._server.handler(path, coap.GET)
        self._server.add(path, coap.GET, on_get)
        self._server.add(path, coap.PUT, lambda request, now: self._on_put(document_id, path, request, now))
        self._server.add(
            path, coap.DELETE, lambda request, now: self._on_delete(document_id, path, request, now)
        )

    def _on_put(self, document_id: str, path: str, request: Request, now: int) -> None:
        document = self._document(request, now, document_id)
        if document is None:
            return
        self._documents.put(document_id, document)
        _log.info("configuration changed", id=document_id)
        self._server.respond(request, coap.CHANGED, now)
        self._server.notify(path, now)

    def _on_delete(self, document_id: str, path: str, request: Request, now: int) -> None:
        if not self._allowed(request, now, document_id):
            return
        self._documents.remove(document_id)
        _log.info("configuration removed", id=document_id)
        self._server.respond(request, coap.DELETED, now)
        # Its observers learn of it, and are none any more.
        self._server.notify(path, now)
        self._server.remove(path)

    def _document(self, request: Request, now: int, document_id: str | None = None) -> Document | None:
        if not self._allowed(request, now, document_id):
            return None
        if request.content_format not in (ABSENT, self._content_format, coap.CBOR):
            self._refuse(request, coap.UNSUPPORTED_CONTENT_FORMAT, "not the content format of documents", now)
            return None
        try:
            return decode(request.payload)
        except BadDocument as bad:
            self._refuse(request, coap.BAD_REQUEST, str(bad), now)
            return None

    def _allowed(self, request: Request, now: int, document_id: str | None) -> bool:
        if document_id is not None and self._documents.get(document_id) is None:
            self._refuse(request, coap.NOT_FOUND, "no such document", now)
        elif document_id is not None and self._documents.fixed(document_id):
            self._refuse(request, coap.FORBIDDEN, "it is one of the server's settings", now)
        elif not self._may_write(request):
            self._refuse(request, coap.FORBIDDEN, "documents are not changed from here", now)
        else:
            return True
        return False

    # -- answers

    def _tell(self, request: Request, payload: bytes, now: int) -> None:
        etag = blake2b(payload, digest_size=8).digest()
        options = [(coap.ETAG, etag), (coap.MAX_AGE, _MAX_AGE)]
        self._server.respond(request, coap.CONTENT, now, payload, self._content_format, options)

    def _refuse(self, request: Request, code: int, detail: str, now: int) -> None:
        options = [(coap.MAX_AGE, _AGAIN)] if code == coap.SERVICE_UNAVAILABLE else []
        payload = _problem(code, detail)
        self._server.respond(request, code, now, payload, wire.PROBLEM_CONTENT_FORMAT, options)


def _queries(payload: bytes) -> list[str]:
    try:
        asked: Any = cbor.decode(payload)
        queries = [one[wire.QUERY] for one in asked[wire.REQUESTS]]
    except (cbor.NotCbor, TypeError, KeyError) as error:
        raise ValueError(f"no list of {wire.REQUESTS}, each with a {wire.QUERY}") from error
    if not 0 < len(queries) <= _MOST_QUERIES:
        raise ValueError(f"{wire.REQUESTS}: expected 1 to {_MOST_QUERIES}, got {len(queries)}")
    if not all(isinstance(query, str) and 0 < len(query) <= _LONGEST_QUERY for query in queries):
        raise ValueError(f"{wire.QUERY}: expected a text of 1 to {_LONGEST_QUERY} characters")
    return queries


def _problem(code: int, detail: str) -> bytes:
    return cbor.encode({wire.PROBLEM_DETAIL: detail, wire.PROBLEM_RESPONSE_CODE: code})
