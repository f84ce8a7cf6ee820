"""Subscriptions to Messaging Topics of Application Servers (TS 29.538, MSGS_TopiclistEvent; TS 23.554, 8.8)."""

import json

import pytest
from msgin5g import messages, wire

SUBSCRIBE = "/msgs-topiclistevent/v1/request-topic-subscription"
UNSUBSCRIBE = "/msgs-topiclistevent/v1/request-topic-unsubscription"


def subscription(*topics, service_id="as1", kind="AS", **members):
    return {"oriAddr": {"addrType": kind, "addr": service_id}, "msgTopics": list(topics)} | members


def publish(server, message_id="m1", topic="alarms"):
    elements = messages.message((wire.UE, "ue1"), (wire.TOPIC, topic), message_id, True, True)
    messages.set_payload(elements, "fire")
    return server.service.submit(elements, messages.encode(elements), server.world.now)


async def test_an_as_subscribes_and_gets_what_it_subscribed_to(server):
    await server.register()
    response = await server.post(SUBSCRIBE, subscription("alarms", "news"))
    assert response.status_code == 200
    assert response.json() == {"subStat": wire.SUBSCRIBED, "exprTime": "2027-02-14T08:00:00Z"}
    publish(server)
    await server.idle()
    (request,) = server.application_server.requests
    body = json.loads(request.content)
    assert body["destAddr"] == {"addrType": "AS", "addr": "as1"}
    assert (body["msgId"], body["payload"], body["Messaging Topic"]) == ("m1", "fire", "alarms")


async def test_the_report_of_an_as_goes_to_the_sender(server, report):
    await server.register()
    await server.post(SUBSCRIBE, subscription("alarms"))
    publish(server)
    await server.idle()
    assert (await server.post("/msgs-msgdelivery/v1/deliver-report", report())).status_code == 200
    (item,) = server.ues.items
    assert messages.decode(item.body)[wire.ORIGINATING_AS] == "as1"


async def test_until_when(server):
    response = await server.post(SUBSCRIBE, subscription("alarms", exprTime="2027-01-15T09:00:00+01:00"))
    assert response.json()["exprTime"] == "2027-01-15T08:00:00Z"


async def test_unsubscribe(server):
    await server.post(SUBSCRIBE, subscription("alarms", "news"))
    assert (await server.post(UNSUBSCRIBE, subscription("alarms"))).status_code == 204
    assert len(server.topics) == 1
    # Once more is no error.
    assert (await server.post(UNSUBSCRIBE, subscription("alarms"))).status_code == 204


async def test_an_answer_is_given_after_the_commit(server):
    await server.post(SUBSCRIBE, subscription("alarms"))
    assert server.commits == 1
    assert not server.store.uncommitted


async def test_only_for_itself(server, problem):
    problem(await server.post(SUBSCRIBE, subscription("a", service_id="as2")), 403, wire.NOT_AUTHORIZED)
    problem(await server.post(UNSUBSCRIBE, subscription("a", service_id="as2")), 403, wire.NOT_AUTHORIZED)
    problem(await server.post(SUBSCRIBE, subscription("a"), token="nobody's"), 401)
    assert len(server.topics) == 0


async def test_a_message_gateway_subscribes_for_a_ue(server, tokens):
    body = subscription("alarms", service_id="ue2", kind="UE")
    assert (await server.post(SUBSCRIBE, body, token=tokens["gateway"])).status_code == 200
    publish(server)
    assert server.store.depth("ue2") == 1


async def test_too_many(server, tokens, problem):
    await server.post(SUBSCRIBE, subscription("a", "b"))
    problem(await server.post(SUBSCRIBE, subscription("c")), 403, wire.TOO_MANY_TOPICS)
    others = subscription("a", "c", service_id="as2")
    problem(await server.post(SUBSCRIBE, others, token=tokens["as2"]), 503, wire.STORE_FULL)


@pytest.mark.parametrize(
    ("body", "cause"),
    [
        ({}, "MANDATORY_IE_MISSING"),
        (subscription(), "MANDATORY_IE_INCORRECT"),
        (subscription(7), "MANDATORY_IE_INCORRECT"),
        (subscription(""), "MANDATORY_IE_INCORRECT"),
        (subscription("x" * 256), "MANDATORY_IE_INCORRECT"),
        (subscription("a\tb"), "MANDATORY_IE_INCORRECT"),
        (subscription("a", kind="GROUP"), "MANDATORY_IE_INCORRECT"),
        (subscription("a", service_id=""), "MANDATORY_IE_INCORRECT"),
        (subscription("a", exprTime="tomorrow"), "OPTIONAL_IE_INCORRECT"),
    ],
)
async def test_bad_bodies(server, problem, body, cause):
    problem(await server.post(SUBSCRIBE, body), 400, cause)


async def test_an_as_sends_to_a_topic_and_to_a_group(server, message, tokens, problem):
    path = "/msgs-msgdelivery/v1/deliver-as-message"
    await server.post(SUBSCRIBE, subscription("news", service_id="ue1", kind="UE"), token=tokens["gateway"])
    assert (await server.post(path, message(to="news", to_kind="TOPIC"))).status_code == 200
    assert (await server.post(path, message(to="pumps", to_kind="GROUP", message_id="m2"))).status_code == 200
    topic, group = [messages.decode(item.body) for item in server.ues.items]
    assert (topic[wire.MESSAGING_TOPIC], topic[wire.RECIPIENT_UE]) == ("news", "ue1")
    assert (group[wire.GROUP_SERVICE_ID], group[wire.ORIGINATING_AS]) == ("pumps", "as1")
    stranger = message(origin="as2", to="pumps", to_kind="GROUP")
    problem(await server.post(path, stranger, token=tokens["as2"]), 403, wire.NOT_AUTHORIZED)
    problem(await server.post(path, message(to="valves", to_kind="GROUP")), 404, wire.UNKNOWN_RECIPIENT)
