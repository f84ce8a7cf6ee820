"""The contract of L3 messages and of those who take them, under any input. The same examples in every run."""

from application_world import Setup
from hypothesis import given, settings
from hypothesis import strategies as st
from msgin5g import l3
from msgin5g import l3_table as table

repeatable = settings(derandomize=True, deadline=None, max_examples=500, database=None)

values = st.fixed_dictionaries(
    {},
    optional={
        element: st.binary(max_size=300) | st.none() | st.integers(-1, 1 << 25)
        if not length and most <= 3
        else st.binary(max_size=300)
        for element, (length, _, most, _) in table.ELEMENTS.items()
    },
)
datagrams = st.binary(max_size=80) | st.builds(
    lambda kind, rest: bytes([kind]) + rest, st.sampled_from(sorted(table.MESSAGES)), st.binary(max_size=80)
)


@given(datagrams)
@repeatable
def test_any_octets_are_decoded_or_refused(octets):
    try:
        told = l3.decode(octets)
    except l3.BadL3:
        return
    assert l3.decode(bytes(l3.encode(octets[0], told))) == told


@given(st.sampled_from(sorted(table.MESSAGES)), values)
@repeatable
def test_any_values_are_encoded_or_refused(kind, given_values):
    try:
        octets = l3.encode(kind, given_values)
    except l3.BadL3:
        return
    told = l3.decode(bytes(octets))
    assert told.pop(table.MESSAGE_TYPE) == kind


@given(st.lists(datagrams, max_size=12))
@settings(repeatable, max_examples=60)
def test_whatever_arrives_gateway_and_client_go_on(arriving):
    setup = Setup()
    client = setup.client()
    client.register(setup.world.now)
    setup.world.advance(1000)
    for octets in arriving:
        setup.endpoint.receive(octets, len(octets), "stranger", setup.world.now)
        client.receive(octets, len(octets), "gateway-5", setup.world.now)
    setup.world.advance(2000)
    setup.down("on", "d-1")
    setup.world.advance(60000)
    assert client.messages[-1][1] == b"on"
