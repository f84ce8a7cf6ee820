"""Whatever arrives, an Application Client over CoAP and its gateway go on. The same examples in every run."""

import json

from application_world import AS, METER, Setup, coap_registered
from hypothesis import given, settings
from hypothesis import strategies as st
from msgin5g import wire_application as names

repeatable = settings(derandomize=True, deadline=None, max_examples=1000, database=None)

texts = st.sampled_from(
    ["MSG", "IMDN", "REG", "DEREG", "", "UE", "AS", AS, METER, "a secret", "base64", "Zg=="]
)
anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(st.characters(), max_size=8) | texts,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=4,
)
members = st.fixed_dictionaries(
    {},
    optional={
        value: texts | anything
        for name, value in vars(names).items()
        if name.startswith("NAME_OF_") and isinstance(value, str)
    },
)
payloads = st.binary(max_size=60) | members.map(lambda some: json.dumps(some).encode())
requests = st.builds(
    lambda first, code, rest, payload: bytes([first, code, 1, 2]) + rest + names.OPTIONS + payload,
    st.sampled_from([0x40, 0x50]),
    st.sampled_from([2, 2, 2, 1, 0x44]),
    st.binary(max_size=2),
    payloads,
)
datagrams = st.binary(max_size=80) | requests


@given(datagrams)
@repeatable
def test_any_octets_are_answered_or_ignored(octets):
    client = Setup().coap_client()
    client.register(0)
    client.datagrams_to_send()
    client.receive(octets, len(octets), None, 0)
    answers = [answer for answer, _ in client.datagrams_to_send()]
    assert len(answers) <= 2
    for answer in answers:
        # An acknowledgement or a RST, with a code of RFC 7252 for what came; or the next of its own.
        assert answer[0] >> 6 == 1
        assert answer[2:4] == octets[2:4] or answer[0] == 0x42


@given(st.lists(datagrams, max_size=12), st.sampled_from(["stranger", "meter"]))
@settings(repeatable, max_examples=100)
def test_whatever_arrives_gateway_and_client_go_on(arriving, source):
    setup, client = coap_registered()
    for octets in arriving:
        setup.endpoint.receive(octets, len(octets), source, setup.world.now)
        client.receive(octets, len(octets), "gateway-5", setup.world.now)
    setup.world.advance(20000)
    # It may have been de-registered in its own name.
    client.register(setup.world.now)
    setup.world.advance(20000)
    setup.down("on", "d-1")
    setup.world.advance(120000)
    assert client.messages[-1] == (AS, "on")
    assert setup.counters()["handler_errors"] == 0
    assert len(setup.endpoint._outgoing) == 0
