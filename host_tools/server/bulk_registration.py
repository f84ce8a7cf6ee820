"""Registration of several UEs with one request of their gateway (TS 23.554, 8.2.7)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from msgin5g import messages, wire
from msgin5g.registry import LONGEST_REQUEST, Registered

if TYPE_CHECKING:
    from collections.abc import Callable, Container

    from msgin5g.coap.endpoint import Request

    from host_tools.server.coap_face import CoapFace
    from host_tools.server.service import Elements


def register_several(
    face: CoapFace, request: Request, elements: Elements, gateway: str, gateways: Container[str], now: int
) -> None:
    """Register each UE of the request by itself, and answer with the result of each, in the order of the request.

    Args:
        face: where they are registered.
        request: the request, which is answered.
        elements: what it says; checked, and with a list of requests.
        gateway: whose request it is.
        gateways: UE Service IDs that no UE behind a gateway can have.
        now: ticks.
    """
    results: list[dict[int, Any]] = []
    resumes: list[Callable[[int], None]] = []
    for one in elements[wire.REGISTRATION_REQUESTS]:
        ue = one[wire.UE_SERVICE_ID]
        body = messages.encode({**one, wire.MESSAGE_TYPE: wire.REG})
        cause = _refusal(ue, body, gateways)
        if cause is None:
            resume = face.enter(Registered(ue, request.peer.address, gateway, body, request.content_format))
            if resume is None:
                cause = wire.STORE_FULL
            else:
                resumes.append(resume)
        if cause is not None:
            face.counters["registrations_refused"] += 1
        result = messages.registration_result(wire.REG, ue, cause)
        del result[wire.MESSAGE_TYPE]
        results.append(result)
    answer = {
        wire.MESSAGE_TYPE: wire.REG,
        wire.NUMBER_OF_REGISTRATION_RESPONSES: len(results),
        wire.REGISTRATION_RESPONSES: results,
    }
    face.resource.answer(request, wire.REGISTERED, now, answer)
    for resume in resumes:
        resume(now)


def _refusal(ue: str, body: bytes, gateways: Container[str]) -> str | None:
    if ue in gateways:
        # Its own registration is its own business, whatever a UE calls itself.
        return wire.UE_SERVICE_ID_NOT_OWNED
    return wire.MALFORMED if len(body) > LONGEST_REQUEST else None
