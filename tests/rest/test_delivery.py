"""MSGS_MSGDelivery (TS 29.538; TS 23.554, 8.3.2 and 8.3.4)."""

import json

import pytest
from msgin5g import messages, wire

AS_MESSAGE = "/msgs-msgdelivery/v1/deliver-as-message"
UE_MESSAGE = "/msgs-msgdelivery/v1/deliver-ue-message"
REPORT = "/msgs-msgdelivery/v1/deliver-report"


async def test_as_message_reaches_a_ue_with_all_its_elements(server, message):
    body = message(
        appId="app",
        delivStReqInd=True,
        payload="grüße 🙂",
        priority="HIGH",
        segInd=True,
        segParams={"segId": "s", "totalSegCount": 2, "segNumb": 1, "lastSegFlag": False},
        stoAndFwParams={"exprTime": "2027-01-15T08:30:00+00:00"},
        latency=500,
    )
    response = await server.post(AS_MESSAGE, body)
    assert response.status_code == 200
    assert response.headers["content-type"] == "application/json"
    assert response.json() == {"oriAddr": {"addrType": "AS", "addr": "as1"}, "msgId": "m1"}
    assert server.commits == 1
    (item,) = server.ues.items
    assert messages.decode(item.body) == {
        wire.MESSAGE_TYPE: wire.MSG,
        wire.ORIGINATING_AS: "as1",
        wire.RECIPIENT_UE: "ue1",
        wire.MESSAGE_ID: "m1",
        wire.STORE_AND_FORWARD_FLAG: True,
        wire.APPLICATION_ID: "app",
        wire.DELIVERY_STATUS_REQUIRED: True,
        wire.PAYLOAD: "grüße 🙂",
        wire.PRIORITY_TYPE: "HIGH",
        wire.MESSAGE_IS_SEGMENTED: True,
        wire.SEGMENTATION_SET_ID: "s",
        wire.TOTAL_SEGMENTS: 2,
        wire.SEGMENT_NUMBER: 1,
        wire.LAST_SEGMENT_FLAG: False,
        wire.STORE_AND_FORWARD_PARAMETERS: {wire.MESSAGE_EXPIRATION_TIME: "2027-01-15T08:30:00Z"},
        wire.LATENCY: 500,
    }
    assert item.report and item.expires == 1800001800
    # On the constrained side as short as JSON goes.
    assert "🙂".encode() in item.body and b'": ' not in item.body


async def test_octets_as_base64(server, message):
    body = message(payload="/wA=", **{"Payload encoding": "base64"})
    assert (await server.post(AS_MESSAGE, body)).status_code == 200
    (item,) = server.ues.items
    assert messages.payload(messages.decode(item.body)) == b"\xff\0"


async def test_an_answer_is_given_after_the_commit(server, message):
    seen = []
    committed = server.face.committed

    async def watched():
        seen.append(server.store.uncommitted)
        await committed()
        seen.append(server.store.uncommitted)

    server.face.committed = watched
    await server.post(AS_MESSAGE, message())
    assert seen == [True, False]


async def test_stored_for_later(server, message):
    response = await server.post(AS_MESSAGE, message(to="ue2"))
    assert response.status_code == 200
    assert response.json()["status"] == "DELY_STORED" and "failureCause" not in response.json()
    assert server.store.depth("ue2") == 1


async def test_unknown_recipient(server, message, problem):
    response = await server.post(AS_MESSAGE, message(to="ue2", stoAndFwInd=False))
    problem(response, 404, "UNKNOWN_RECIPIENT")
    assert len(server.store) == 0


async def test_known_but_not_reachable(server, message, tokens):
    await server.post("/msgs-asregistration/v1/registrations", {"asSvcId": "as1"})
    body = message("UE", "ue1", "as1", "AS", stoAndFwInd=False)
    response = await server.post(UE_MESSAGE, body, tokens["gateway"])
    assert response.status_code == 200
    assert response.json() == {
        "oriAddr": {"addrType": "UE", "addr": "ue1"},
        "msgId": "m1",
        "status": "DELY_FAILED",
        "failureCause": "RECIPIENT_NOT_REACHABLE",
    }


@pytest.mark.parametrize("kind", ["BC", "SOMETHING_NEW", ""])
async def test_recipients_that_are_not_supported(server, message, problem, kind):
    problem(await server.post(AS_MESSAGE, message(to_kind=kind)), 404, "UNSUPPORTED_RECIPIENT")
    assert server.service.counters["unsupported_recipient"] == 1 and len(server.store) == 0


async def test_duplicate(server, message):
    for _ in range(3):
        assert (await server.post(AS_MESSAGE, message())).status_code == 200
    assert len(server.ues.items) == 1 and server.service.counters["duplicates"] == 2


async def test_duplicate_when_the_store_is_full(make_server, message, problem):
    server = make_server(most_messages=1)
    assert (await server.post(AS_MESSAGE, message())).status_code == 200
    assert (await server.post(AS_MESSAGE, message())).status_code == 200
    response = await server.post(AS_MESSAGE, message(message_id="m2"))
    problem(response, 503, "STORE_FULL")
    assert response.headers["retry-after"] == "5"
    assert server.face.counters["status_503"] == 1


async def test_message_of_a_ue_by_a_message_gateway(server, message, tokens):
    response = await server.post(UE_MESSAGE, message("UE", "legacy1"), tokens["gateway"])
    assert response.json() == {"oriAddr": {"addrType": "UE", "addr": "legacy1"}, "msgId": "m1"}


@pytest.mark.parametrize(
    ("path", "who", "kind", "origin"),
    [
        (AS_MESSAGE, "as2", "AS", "as1"),
        (AS_MESSAGE, "as1", "AS", "AS1"),
        (AS_MESSAGE, "as1", "UE", "as1"),
        (AS_MESSAGE, "gateway", "AS", "as1"),
        (AS_MESSAGE, "gateway", "UE", "ue1"),
        (UE_MESSAGE, "as1", "UE", "ue1"),
        (UE_MESSAGE, "as1", "AS", "as1"),
        (UE_MESSAGE, "lab", "UE", "ue1"),
        (UE_MESSAGE, "gateway", "AS", "as1"),
        (UE_MESSAGE, "gateway", "GROUP", "g"),
        (REPORT, "as1", "UE", "ue1"),
        (REPORT, "as2", "AS", "as1"),
        (REPORT, "gateway", "AS", "as1"),
        (REPORT, "gateway", "TOPIC", "t"),
    ],
)
async def test_who_may_send_for_whom(server, message, report, problem, tokens, path, who, kind, origin):
    body = report(kind, origin) if path == REPORT else message(kind, origin)
    problem(await server.post(path, body, tokens[who]), 403, "NOT_AUTHORIZED")
    assert len(server.store) == 0 and server.commits == 0


@pytest.mark.parametrize(
    ("status", "members"), [("REPT_DELY_SUCCESS", {}), ("REPT_DELY_FAILED", {"failureCause": "no"})]
)
async def test_report_on_a_message(server, report, status, members):
    server.from_ue("m1", "as1")
    response = await server.post(REPORT, report(delivSt=status, **members))
    assert response.status_code == 200
    assert response.json() == {"oriAddr": {"addrType": "AS", "addr": "as1"}, "msgId": "m1"}
    (item,) = server.ues.items
    elements = messages.decode(item.body)
    assert elements[wire.MESSAGE_TYPE] == wire.IMDN and elements[wire.DELIVERY_STATUS] == status
    assert elements.get(wire.FAILURE_CAUSE) == members.get("failureCause")


async def test_report_by_a_message_gateway(server, message, report, tokens):
    assert (await server.post(AS_MESSAGE, message(to="legacy1"))).status_code == 200
    response = await server.post(REPORT, report("UE", "legacy1", "as1", "AS"), tokens["gateway"])
    assert response.status_code == 200


async def test_report_on_a_message_nobody_sent(server, report, problem):
    problem(await server.post(REPORT, report()), 404, "UNKNOWN_MESSAGE")
    server.from_ue("m1", "as2")
    problem(await server.post(REPORT, report()), 404, "UNKNOWN_MESSAGE")
    assert server.service.counters["unknown_message"] == 2 and server.ues.items == []


async def test_a_message_that_grows_too_large_on_its_way(server, message, problem):
    room = 65536 - len(json.dumps(message(payload=""), separators=(",", ":")))
    content = json.dumps(message(payload="x" * room), separators=(",", ":"))
    response = await server.client.post(
        AS_MESSAGE, content=content, headers={"Content-Type": "application/json"}
    )
    problem(response, 413)
    assert len(server.store) == 0


async def test_a_ue_and_an_as_of_the_same_name_are_two(server, message, tokens):
    # As recipients,
    assert server.from_ue("m1", "x").status == wire.DELIVERY_STORED
    assert server.store.depth("x") == 0
    # as originators,
    await server.post(AS_MESSAGE, message("AS", "x", message_id="m2"), tokens["lab"])
    await server.post(UE_MESSAGE, message("UE", "x", message_id="m2"), tokens["gateway"])
    assert [item.message_id for item in server.ues.items] == ["m2", "m2"]


async def test_a_report_is_for_the_one_of_the_same_name_that_sent(server, report, problem, tokens):
    server.ues.registered.add("x")
    server.from_ue("m1", "as1")
    body = report(to="ue1", to_kind="AS")
    problem(await server.post(REPORT, body), 404, "UNKNOWN_MESSAGE")
