"""The delivery to Application Servers (TS 23.554, 8.3.3)."""

import asyncio
import json
from itertools import pairwise

import httpx2
import pytest
from msgin5g import messages, wire


async def test_message_to_target_uri(server):
    await server.register("as1", target="http://as.example/in?key=1")
    server.from_ue("m1", payload="hello", report=True)
    await server.idle()
    (request,) = server.application_server.requests
    assert request.method == "POST" and str(request.url) == "http://as.example/in?key=1"
    assert request.headers["content-type"] == "application/json"
    assert json.loads(request.content) == {
        "oriAddr": {"addrType": "UE", "addr": "ue1"},
        "destAddr": {"addrType": "AS", "addr": "as1"},
        "msgId": "m1",
        "delivStReqInd": True,
        "payload": "hello",
        "stoAndFwInd": True,
    }
    assert len(server.store) == 0 and server.settled == 1


async def test_what_arrives_is_what_was_sent(server, message, tokens):
    await server.register("as2")
    body = message(
        "UE",
        "ue1",
        "as2",
        "AS",
        appId="app",
        payload="/w==",
        segInd=True,
        segParams={"segId": "s", "totalSegCount": 2, "segNumb": 1, "lastSegFlag": False},
        stoAndFwParams={"exprTime": "2027-01-15T09:30:00Z"},
        **{"Payload encoding": "base64"},
    )
    assert (
        await server.post("/msgs-msgdelivery/v1/deliver-ue-message", body, tokens["gateway"])
    ).status_code == 200
    await server.idle()
    assert json.loads(server.application_server.requests[0].content) == body


async def test_priority_and_latency_are_for_the_server_alone(server, message):
    await server.register("as2")
    await server.post(
        "/msgs-msgdelivery/v1/deliver-as-message", message(to="as2", to_kind="AS", priority="LOW", latency=5)
    )
    await server.idle()
    received = json.loads(server.application_server.requests[0].content)
    assert "priority" not in received and "latency" not in received


async def test_octets_that_are_no_text_travel_as_base64(server):
    await server.register("as1")
    server.from_ue("m1", payload=b"\xff\0")
    await server.idle()
    received = json.loads(server.application_server.requests[0].content)
    assert received["payload"] == "/wA=" and received["Payload encoding"] == "base64"


@pytest.mark.parametrize(
    ("target", "expected"),
    [
        ("http://as.example", "http://as.example/deliver-report"),
        ("http://as.example/in/", "http://as.example/in/deliver-report"),
        ("http://as.example/in?key=1", "http://as.example/in/deliver-report?key=1"),
        ("http://as.example/a%2Fb", "http://as.example/a%2Fb/deliver-report"),
    ],
)
async def test_report_goes_behind_the_target_uri(server, message, target, expected):
    await server.register("as1", target=target)
    await server.post("/msgs-msgdelivery/v1/deliver-as-message", message())
    report = messages.report_on(messages.decode(server.ues.items[0].body), "EXPIRED")
    assert server.service.submit(report, messages.encode(report), 0).status is None
    await server.idle()
    (request,) = server.application_server.requests
    assert str(request.url) == expected
    assert json.loads(request.content) == {
        "oriAddr": {"addrType": "UE", "addr": "ue1"},
        "destAddr": {"addrType": "AS", "addr": "as1"},
        "msgId": "m1",
        "failureCause": "EXPIRED",
        "delivSt": "REPT_DELY_FAILED",
    }


@pytest.mark.parametrize("answer", [200, 201, 202, 204])
async def test_any_2xx_accepts(server, answer):
    await server.register()
    server.application_server.answer = lambda request: answer
    server.from_ue()
    await server.idle()
    assert len(server.store) == 0 and server.callback.counters["delivered"] == 1


@pytest.mark.parametrize(
    "answer",
    [
        408,
        429,
        500,
        502,
        503,
        599,
        301,
        307,
        304,
        httpx2.ConnectError("refused"),
        httpx2.ReadError("reset"),
        httpx2.ReadTimeout("slow"),
        httpx2.RemoteProtocolError("not HTTP"),
        OSError("no route"),
        RuntimeError("a bug"),
    ],
)
async def test_not_now_is_tried_again(server, answer):
    await server.register()
    server.application_server.answer = lambda request: answer
    server.from_ue()
    await server.idle()
    assert len(server.application_server.requests) == 1 and len(server.store) == 1
    server.application_server.answer = lambda request: 204
    await server.advance(900)
    assert len(server.application_server.requests) == 1
    await server.advance(400)
    assert len(server.application_server.requests) == 2 and len(server.store) == 0


async def test_pauses_double_up_to_a_minute(server):
    await server.register()
    server.application_server.answer = lambda request: 503
    server.from_ue()
    await server.idle()
    times = []
    for _ in range(400):
        before = len(server.application_server.requests)
        await server.advance(1000)
        if len(server.application_server.requests) > before:
            times.append(server.world.now // 1000)
    gaps = [b - a for a, b in pairwise(times)]
    assert gaps[:3] == sorted(gaps[:3]) and 60 <= gaps[-1] <= 76 and len(times) < 14


class NoBody(httpx2.AsyncByteStream):
    async def __aiter__(self):
        return
        yield b""


async def test_redirects_are_not_followed(server):
    await server.register()
    moved = httpx2.Response(307, headers={"Location": "http://internal.example/"}, stream=NoBody())
    server.application_server.answer = lambda request: moved
    server.from_ue()
    await server.idle()
    assert [request.url.host for request in server.application_server.requests] == ["as.example"]


async def test_one_that_never_answers(server):
    await server.register()
    server.application_server.answer = lambda request: asyncio.sleep(60, 204)
    server.from_ue()
    await asyncio.wait_for(server.idle(), 5)
    assert server.callback.counters["timeouts"] == 1 and len(server.store) == 1


async def test_one_whose_answer_never_ends(server):
    class Endless(httpx2.AsyncByteStream):
        sent = 0

        async def __aiter__(self):
            while True:
                Endless.sent += 1
                yield b"x" * 4096

    await server.register()
    server.application_server.answer = lambda request: httpx2.Response(200, stream=Endless())
    server.from_ue()
    await asyncio.wait_for(server.idle(), 5)
    # Its status was enough.
    assert Endless.sent < 20 and len(server.store) == 0


@pytest.mark.parametrize("answer", [400, 401, 403, 404, 410, 413, 422])
async def test_refused(server, answer):
    await server.register()
    server.application_server.answer = lambda request: answer
    server.from_ue("m1", report=True)
    server.from_ue("m2")
    await server.idle()
    assert server.service.counters["refused_by_recipient"] == 2
    assert server.store.depth("ue1") == len(server.store) == 1
    (item,) = server.ues.items
    elements = messages.decode(item.body)
    assert elements[wire.MESSAGE_TYPE] == wire.IMDN and elements[wire.MESSAGE_ID] == "m1"
    assert elements[wire.DELIVERY_STATUS] == wire.REPORT_FAILED
    assert elements[wire.FAILURE_CAUSE] == wire.REJECTED_BY_RECIPIENT
    assert messages.originator(elements) == (wire.AS, "as1")
    assert server.settled == 2


async def test_registration_brings_what_was_stored(server):
    assert server.from_ue("m1").status == wire.DELIVERY_STORED
    server.from_ue("m2")
    await server.register()
    await server.idle()
    assert [json.loads(request.content)["msgId"] for request in server.application_server.requests] == [
        "m1",
        "m2",
    ]


async def test_deregistration_holds_back(server):
    location = (await server.register()).headers["location"]
    server.application_server.answer = lambda request: 503
    server.from_ue("m1")
    await server.idle()
    await server.client.delete(location)
    await server.advance(200_000)
    assert len(server.application_server.requests) == 1
    assert server.from_ue("m2").status == wire.DELIVERY_STORED and len(server.store) == 2
    server.application_server.answer = lambda request: 204
    await server.register()
    await server.idle()
    assert len(server.store) == 0


async def test_deregistration_while_under_way(server):
    location = (await server.register()).headers["location"]
    answered = asyncio.Event()

    async def slow():
        await answered.wait()
        return 204

    server.application_server.answer = lambda request: slow()
    server.from_ue("m1")
    server.from_ue("m2")
    await asyncio.sleep(0.01)
    await server.client.delete(location)
    answered.set()
    await server.idle()
    # What was under way is accepted, the rest waits.
    assert len(server.application_server.requests) == 1 and len(server.store) == 1


async def test_registering_elsewhere_sends_there_at_once(server):
    await server.register(target="http://a.example")
    server.application_server.answer = lambda request: 503
    server.from_ue("m1")
    await server.idle()
    server.application_server.answer = lambda request: 204
    await server.register(target="http://b.example")
    await server.idle()
    assert [request.url.host for request in server.application_server.requests] == ["a.example", "b.example"]


async def test_held_over_a_restart(make_server):
    first = make_server()
    await first.register()
    first.application_server.answer = lambda request: 503
    first.from_ue("m1")
    await first.idle()
    await first.close()
    second = make_server()
    second.callback.start(second.world.now)
    await second.idle()
    assert len(second.application_server.requests) == 1 and len(second.store) == 0


async def test_stopped_in_the_middle_it_stays_stored(make_server):
    first = make_server()
    await first.register()
    first.application_server.answer = lambda request: asyncio.sleep(60, 204)
    first.from_ue("m1")
    await asyncio.sleep(0.01)
    await first.close()
    second = make_server()
    assert len(second.store) == 1


async def test_expired_while_waiting(server):
    await server.register()
    server.application_server.answer = lambda request: 503
    server.from_ue("m1", report=True)
    await server.idle()
    await server.advance(86_500_000)
    server.service.expire(server.world.now)
    assert server.service.counters["expired"] == 1
    assert messages.decode(server.ues.items[0].body)[wire.FAILURE_CAUSE] == wire.EXPIRED


async def test_a_window_for_each_application_server(server):
    await server.register("as1")
    await server.register("as2", target="http://as2.example")
    hanging = asyncio.Event()

    async def answer(request):
        if request.url.host == "as.example":
            await hanging.wait()
        return 204

    server.application_server.answer = answer
    server.ues.registered.update(f"ue{n}" for n in range(50))
    for n in range(40):
        message = messages.message((wire.UE, f"ue{n}"), (wire.AS, "as1"), "m")
        server.service.submit(message, messages.encode(message), 0)
    await asyncio.sleep(0.02)
    assert len(server.application_server.requests) == 16
    # One that hangs does not hold up another.
    server.from_ue("m", "as2")
    await asyncio.sleep(0.02)
    assert server.application_server.requests[-1].url.host == "as2.example"
    assert server.store.depth("AS\tas2") == 0
    hanging.set()
    await server.idle()
    assert len(server.application_server.requests) == 41 and len(server.store) == 0


async def test_messages_of_one_originator_arrive_in_order(server):
    await server.register()
    for n in range(100):
        server.from_ue(str(n))
    await server.idle()
    assert [json.loads(one.content)["msgId"] for one in server.application_server.requests] == [
        str(n) for n in range(100)
    ]


async def test_configured_one(make_server, configured):
    server = make_server(configured=configured)
    server.from_ue("m1", "static")
    await server.idle()
    assert str(server.application_server.requests[0].url) == "https://static.example/msg"


async def test_environment_sets_no_proxy_and_no_credentials(make_server, monkeypatch):
    monkeypatch.setenv("HTTPS_PROXY", "http://proxy.example:1")
    from host_tools.server.callback import Callback

    server = make_server()
    callback = Callback(
        server.endpoint, server.service, server.application_servers, lambda: 0, lambda: 0, lambda: None
    )
    assert not callback._client.trust_env and not callback._client.follow_redirects
    assert not any(callback._client._mounts.values())
    await callback.stop()
