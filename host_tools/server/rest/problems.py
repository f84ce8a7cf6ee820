"""Errors as TS 29.538 answers them: ProblemDetails (TS 29.571, 5.2.4.1; RFC 9457)."""

from __future__ import annotations

from http import HTTPStatus
from typing import TYPE_CHECKING

import msgspec
from msgin5g import wire
from starlette.responses import Response

from host_tools.server.rest import wire_api

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence


class InvalidParam(msgspec.Struct, rename=wire_api.member):
    """A part of a request that is wrong: a JSON Pointer into its body, or ``header NAME``."""

    param: str
    reason: str


class ProblemDetails(msgspec.Struct, omit_defaults=True, rename=wire_api.member):
    """What is told about an error; as the result of a registration also about success."""

    status: int
    title: str
    detail: str | None = None
    cause: str | None = None
    invalid_params: Sequence[InvalidParam] | None = None


def details(status: int, detail: str | None = None, cause: str | None = None) -> ProblemDetails:
    """ProblemDetails with the title that belongs to a status code."""
    return ProblemDetails(int(status), HTTPStatus(status).phrase, detail, cause)


class Problem(Exception):
    """Ends the handling of a request with an error response.

    Args:
        status: HTTP status code.
        detail: for people: what, which value, the way out.
        cause: for machines: a word of TS 29.500 or a Failure Cause.
        invalid_params: the parts of the request that are wrong.
        headers: further headers of the response.
    """

    def __init__(
        self,
        status: int,
        detail: str | None = None,
        cause: str | None = None,
        invalid_params: Sequence[InvalidParam] | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(detail or cause)
        self.details = details(status, detail, cause)
        self.details.invalid_params = invalid_params or None
        self.headers = headers

    @property
    def status(self) -> int:
        """HTTP status code."""
        return self.details.status

    def response(self) -> Response:
        """The response that tells it."""
        return Response(
            msgspec.json.encode(self.details), self.status, self.headers, media_type=wire_api.PROBLEM_JSON
        )


_LATER = {wire_api.RETRY_AFTER: wire_api.RETRY_AFTER_SECONDS}


def no_room(detail: str) -> Problem:
    """A table or the store is full: 503 with Retry-After."""
    return Problem(wire_api.UNAVAILABLE, detail, wire.STORE_FULL, headers=_LATER)


def too_many(most: int) -> Problem:
    """There are too many requests under way: 429 with Retry-After."""
    detail = f"{most} requests are under way"
    return Problem(wire_api.OVERLOADED, detail, wire_api.CONGESTION, headers=_LATER)
