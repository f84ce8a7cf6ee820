"""From the octets of a request to a typed body: what is wrong with them is said member by member."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeVar, get_args

import msgspec
from msgspec.structs import fields

from host_tools.server.rest import wire_api
from host_tools.server.rest.problems import InvalidParam, Problem

if TYPE_CHECKING:
    from collections.abc import Iterator

T = TypeVar("T", bound=msgspec.Struct)


def decode(octets: bytes, kind: type[T]) -> T:
    """JSON to a typed body.

    Raises:
        Problem: 400; it is not JSON, not an object, or some members are missing or wrong.
    """
    try:
        return msgspec.json.decode(octets, type=kind)
    except msgspec.ValidationError:
        pass
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise _malformed(str(error)) from None
    except RecursionError:
        raise _malformed("nested too deeply") from None
    found = list(_invalid(_decode_any(octets), kind, ""))
    # A JSON Pointer to the whole body is empty: it is no object at all.
    if not found or not found[0][0].param:
        raise _malformed("the body is not a JSON object")
    invalid_params, causes = zip(*found, strict=True)
    detail = ", ".join(f"{one.param}: {one.reason}" for one in invalid_params)
    raise Problem(wire_api.INVALID, detail, causes[0], invalid_params)


def invalid(attribute: str, reason: str, *, required: bool = True) -> Problem:
    """400 about one member of the body, which the schema alone does not refuse."""
    param = InvalidParam("/" + wire_api.member(attribute), reason)
    cause = wire_api.MANDATORY_INCORRECT if required else wire_api.OPTIONAL_INCORRECT
    return Problem(wire_api.INVALID, f"{param.param}: {reason}", cause, [param])


def _malformed(detail: str) -> Problem:
    return Problem(wire_api.INVALID, detail, wire_api.MALFORMED)


def _decode_any(octets: bytes) -> Any:
    try:
        return msgspec.json.decode(octets)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        # Something the typed decoder did not come to.
        return None


def _invalid(value: Any, kind: Any, pointer: str) -> Iterator[tuple[InvalidParam, str]]:
    # Every member that is missing or wrong, with the cause.
    struct = _struct(kind)
    if struct is None or not isinstance(value, dict):
        try:
            msgspec.convert(value, kind)
        except msgspec.ValidationError as error:
            yield InvalidParam(pointer, str(error)), wire_api.MANDATORY_INCORRECT
        return
    for field in fields(struct):
        at = f"{pointer}/{field.encode_name}"
        if field.encode_name in value:
            for param, cause in _invalid(value[field.encode_name], field.type, at):
                yield param, cause if field.required else wire_api.OPTIONAL_INCORRECT
        elif field.required:
            yield InvalidParam(at, "missing"), wire_api.MANDATORY_MISSING


def _struct(kind: Any) -> type[msgspec.Struct] | None:
    for one in (kind, *get_args(kind)):
        if isinstance(one, type) and issubclass(one, msgspec.Struct):
            return one
    return None
