"""Messaging Topics (TS 23.554, 8.8): subscriptions over CoAP, until when, how many, and messages for a topic."""

import pytest
from msgin5g import messages, messages_json, rfc3339, wire
from msgin5g.coap import numbers as coap
from msgin5g.coap.message import dotted, uri_options
from msgin5g.resource import request_options, told

from host_tools.server.service import ACCEPTED
from host_tools.settings import Topics
from tests.server.lab import SERVER, UE1, UE2, UE3, Lab

SUBSCRIBED = {wire.SUBSCRIPTION_STATUS: wire.SUBSCRIBED}
BOUNDS = Topics(longest=1000, most_for_one=3, most_for_topic=2, most=4)


@pytest.fixture
def lab(tmp_path):
    lab = Lab(tmp_path / "server.sqlite", topics=BOUNDS)
    yield lab
    lab.store.close()


@pytest.fixture
def ues(lab):
    peers = [lab.peer(ue) for ue in (UE1, UE2, UE3)]
    for peer, ue in zip(peers, (UE1, UE2, UE3), strict=True):
        peer.register(ue)
    return peers


def ask(peer, method, options, body=b""):
    responses = []
    peer.client.request(
        SERVER, method, options, body, lambda response, now: responses.append(response), peer.world.now
    )
    peer.world.settle()
    (response,) = responses
    return dotted(response.code), told(response)


def get(peer, topic, ue, observe: int | None = coap.OBSERVE_REGISTER, expires=None):
    query = f"topic={topic}&ori={ue}" + (f"&exp={expires}" if expires else "")
    options = uri_options(wire.TOPICS_PATH, query)
    if observe is not None:
        options.append((coap.OBSERVE, observe))
    return ask(peer, coap.GET, options)


def post(peer, topics, ue, expires=None, method=coap.POST):
    elements: dict = {wire.ORIGINATING_UE: ue, wire.MESSAGING_TOPICS: topics}
    if expires:
        elements[wire.EXPIRATION] = expires
    return ask(peer, method, request_options(wire.TOPICS_PATH), messages.encode(elements))


def topic_msg(message_id="m-1", topic="alarms", origin=(wire.UE, UE1), held=True, report=False):
    elements = messages.message(origin, (wire.TOPIC, topic), message_id, held, report)
    messages.set_payload(elements, "fire")
    return elements


def ends(lab, seconds=1000):
    return rfc3339.format(lab.world.wall_clock() + seconds)


def test_subscribe_by_get_and_receive(lab, ues):
    code, answer = get(ues[1], "alarms", UE2)
    assert (code, answer) == ("2.05", SUBSCRIBED | {wire.EXPIRATION: ends(lab)})
    assert ues[0].post(topic_msg()) == ("2.04", {})
    lab.world.settle()
    (copy,) = ues[1].received
    assert (copy[wire.RECIPIENT_UE], copy[wire.MESSAGING_TOPIC]) == (UE2, "alarms")
    assert ues[2].received == []


def test_subscribe_by_post_to_a_list(lab, ues):
    code, answer = post(ues[1], ["alarms", "news"], UE2, ends(lab, 10))
    assert (code, answer) == ("2.05", SUBSCRIBED | {wire.EXPIRATION: ends(lab, 10)})
    ues[0].post(topic_msg("m-1", "alarms"))
    ues[0].post(topic_msg("m-2", "news"))
    lab.world.settle()
    assert ues[1].ids() == ["m-1", "m-2"]
    assert len(lab.topics) == 2


def test_the_sender_gets_no_copy(lab, ues):
    get(ues[0], "alarms", UE1)
    ues[0].post(topic_msg())
    lab.world.settle()
    assert ues[0].received == []


def test_a_report_goes_to_the_sender(lab, ues):
    get(ues[1], "alarms", UE2)
    ues[0].post(topic_msg(report=True))
    lab.world.settle()
    ues[1].post(messages.report_on(ues[1].received[0]))
    lab.world.settle()
    (report,) = ues[0].received
    assert (report[wire.MESSAGE_TYPE], report[wire.ORIGINATING_UE]) == (wire.IMDN, UE2)


def test_what_ends_a_subscription(lab, ues):
    for subscribe, end in (
        (lambda: get(ues[1], "alarms", UE2), lambda: get(ues[1], "alarms", UE2, coap.OBSERVE_DEREGISTER)),
        (lambda: post(ues[1], ["alarms"], UE2), lambda: post(ues[1], ["alarms"], UE2, method=coap.DELETE)),
    ):
        subscribe()
        assert len(lab.topics) == 1
        assert end() == ("2.05", {wire.SUBSCRIPTION_STATUS: wire.UNSUBSCRIBED})
        assert len(lab.topics) == 0
        # Once more is no error.
        assert end()[0] == "2.05"
    ues[0].post(topic_msg())
    assert len(lab.store) == 0


def test_asking_does_not_subscribe(lab, ues):
    assert get(ues[1], "alarms", UE2, None)[1] == {wire.SUBSCRIPTION_STATUS: wire.UNSUBSCRIBED}
    get(ues[1], "alarms", UE2)
    assert get(ues[1], "alarms", UE2, None)[1] == SUBSCRIBED | {wire.EXPIRATION: ends(lab)}


def test_without_subscribers_it_is_accepted_and_dropped(lab, ues):
    assert ues[0].post(topic_msg()) == ("2.04", {})
    assert len(lab.store) == 0
    assert lab.service.counters["topics_without_subscribers"] == 1


def test_one_who_is_away_gets_it_later_and_after_a_power_cut(lab, ues):
    get(ues[1], "alarms", UE2)
    ues[1].post(messages.deregistration(UE2))
    lab.restart()
    assert len(lab.topics) == 1
    ues[0].post(topic_msg())
    ues[1].register(UE2)
    lab.world.settle()
    assert ues[1].ids() == ["m-1"]


def test_a_subscription_ends(lab, ues):
    get(ues[1], "alarms", UE2, expires=ends(lab, 10))
    lab.world.advance(10_000)
    ues[0].post(topic_msg())
    assert lab.held(UE2) == []
    lab.topics.expire()
    assert len(lab.topics) == 0
    assert lab.service.counters["subscriptions_expired"] == 1
    lab.store.commit()
    lab.restart()
    assert len(lab.topics) == 0


def test_renewed_it_lasts_longer(lab, ues):
    get(ues[1], "alarms", UE2, expires=ends(lab, 10))
    lab.world.advance(5_000)
    get(ues[1], "alarms", UE2, expires=ends(lab, 20))
    lab.world.advance(10_000)
    lab.topics.expire()
    assert len(lab.topics) == 1
    lab.world.advance(10_000)
    lab.topics.expire()
    assert len(lab.topics) == 0


def test_no_subscription_lasts_longer_than_the_longest(lab, ues):
    assert get(ues[1], "alarms", UE2, expires=ends(lab, 10**6))[1][wire.EXPIRATION] == ends(lab)


def test_only_for_a_ue_that_is_registered_there(lab, ues):
    code, answer = get(ues[1], "alarms", UE3)
    assert (code, answer[wire.FAILURE_CAUSE]) == ("4.03", wire.UE_SERVICE_ID_NOT_OWNED)
    assert answer[wire.SUBSCRIPTION_STATUS] == wire.SUBSCRIPTION_FAILED
    code, answer = get(ues[1], "alarms", "nobody@a")
    assert (code, answer[wire.FAILURE_CAUSE]) == ("4.03", wire.NOT_REGISTERED)
    assert len(lab.topics) == 0


def test_a_gateway_subscribes_for_the_ues_behind_it_and_for_no_others(lab, ues):
    gateway = lab.gateway()
    gateway.register("behind@a")
    assert get(gateway, "alarms", "behind@a")[0] == "2.05"
    assert get(gateway, "alarms", UE3)[0] == "4.03"
    ues[0].post(topic_msg())
    lab.world.settle()
    assert [copy[wire.RECIPIENT_UE] for copy in gateway.received] == ["behind@a"]


def test_one_has_only_so_many_topics(lab, ues):
    assert post(ues[1], ["a", "b"], UE2)[0] == "2.05"
    code, answer = post(ues[1], ["c", "d"], UE2)
    assert (code, answer[wire.FAILURE_CAUSE]) == ("4.03", wire.TOO_MANY_TOPICS)
    # All of a list or none of it; and those it has can be renewed.
    assert len(lab.topics) == 2
    assert post(ues[1], ["a", "b", "c"], UE2)[0] == "2.05"
    assert lab.service.counters["subscriptions_refused"] == 1


def test_a_topic_has_only_so_many_subscribers_and_all_together_too(lab, ues):
    for peer, ue in zip(ues[:2], (UE1, UE2), strict=True):
        assert get(peer, "alarms", ue)[0] == "2.05"
    code, answer = get(ues[2], "alarms", UE3)
    assert (code, answer[wire.FAILURE_CAUSE]) == ("5.03", wire.STORE_FULL)
    assert post(ues[2], ["a", "b"], UE3)[0] == "2.05"
    assert post(ues[2], ["c"], UE3)[0] == "5.03"


def test_subscribers_of_the_other_kind(lab, ues):
    lab.service.outbound[wire.AS] = lab.face
    lab.topics.subscribe((wire.AS, "as@a"), ["alarms"])
    elements = topic_msg()
    assert lab.service.submit(elements, messages.encode(elements), 0) == ACCEPTED
    (item,) = lab.store.pending("AS\tas@a", -1, 10)
    assert messages.decode(item.body)[wire.RECIPIENT_AS] == "as@a"


@pytest.mark.parametrize(
    ("query", "cause"),
    [
        ("", wire.MANDATORY_IE_MISSING),
        ("topic=a", wire.MANDATORY_IE_MISSING),
        (f"ori={UE1}", wire.MANDATORY_IE_MISSING),
        (f"topic=&ori={UE1}", wire.INVALID_IE),
        (f"topic=a&ori={UE1}&exp=tomorrow", wire.INVALID_IE),
        (f"topic=a\tb&ori={UE1}", wire.INVALID_IE),
    ],
)
def test_bad_queries(lab, ues, query, cause):
    options = [*uri_options(wire.TOPICS_PATH, query), (coap.OBSERVE, coap.OBSERVE_REGISTER)]
    code, answer = ask(ues[0], coap.GET, options)
    assert code in ("4.00", "4.03")
    assert answer[wire.FAILURE_CAUSE].startswith(cause)
    assert len(lab.topics) == 0


def test_a_name_that_is_too_long_is_none(lab, ues):
    assert post(ues[0], ["x" * 256], UE1)[0] == "4.00"
    assert post(ues[0], [f"x{number}" for number in range(101)], UE1)[0] == "4.00"


@pytest.mark.parametrize(
    "body",
    [b"", b"{", b"[]", b"7", b"\xff", b'{"Messaging Topics": 7}', b'{"Messaging Topics": [[]]}', b"{}"],
)
def test_bad_bodies(lab, ues, body):
    assert ask(ues[0], coap.POST, request_options(wire.TOPICS_PATH), body)[0] == "4.00"


def test_a_body_in_another_format(lab, ues):
    options = [*uri_options(wire.TOPICS_PATH), (coap.CONTENT_FORMAT, 42)]
    assert ask(ues[0], coap.POST, options, b"{}")[0] == "4.15"


def test_one_topic_instead_of_a_list(lab, ues):
    body = messages_json.dumps({"Originating UE Service ID": UE1, "Messaging Topic": "alarms"})
    assert ask(ues[0], coap.POST, request_options(wire.TOPICS_PATH), body)[0] == "2.05"
    assert lab.topics.ends((wire.UE, UE1), "alarms")


def test_an_as_does_not_subscribe_here(lab, ues):
    body = messages_json.dumps({"Originating AS Service ID": "as@a", "Messaging Topics": ["alarms"]})
    code, answer = ask(ues[0], coap.POST, request_options(wire.TOPICS_PATH), body)
    assert (code, answer[wire.FAILURE_CAUSE]) == ("4.03", wire.NOT_AUTHORIZED)


def test_renewing_again_and_again_takes_no_memory(lab, ues):
    for seconds in range(1, 900):
        lab.topics.subscribe((wire.UE, UE2), ["alarms"], lab.world.wall_clock() + seconds)
    assert len(lab.topics._ends) < 100
    lab.world.advance(899_000)
    lab.topics.expire()
    assert len(lab.topics) == 0
