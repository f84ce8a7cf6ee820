"""The contract of MSGin5G messages under any input. The same examples in every run.

* Whatever the octets, messages.decode returns a dict or raises BadMessage; nothing else.
* What it returns is encoded to what decodes to the same, in either format.
* Whatever is POSTed to the resource, its handler does not fail, and there is one answer; to the real server as well.
"""

import contextlib
import json
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from msgin5g import cbor, messages, messages_json, wire, wire_names
from msgin5g.coap import numbers as coap
from msgin5g.coap.client import Client
from msgin5g.coap.endpoint import Endpoint, Parameters
from msgin5g.coap.message import uri_options
from msgin5g.coap.server import Server
from msgin5g.resource import MessageResource
from world import World

from host_tools.server.coap_face import CoapFace
from host_tools.server.service import Service
from host_tools.store import SqliteStore

repeatable = settings(
    derandomize=True,
    deadline=None,
    max_examples=400,
    database=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)

UE, OTHER = "ue1@a", "ue2@a"

NUMBERS = [int(line.split("|")[0]) for line in wire_names.all_lines()]
names = st.builds(wire.name, st.sampled_from(NUMBERS), st.sampled_from([wire.STAGE_2, wire.API]))
odd_names = st.builds(
    lambda name, mark: mark.join(name.split(" ")).upper(), names, st.sampled_from(["", "_", "-", " \t"])
)
kinds = st.sampled_from([*wire.MANDATORY, "msg", "HELLO"])
scalars = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(),
    st.text(st.characters(), max_size=20),
    st.sampled_from([UE, OTHER, "", "\ud800", "a\tb", "x" * 300, "2030-01-01T00:00:00Z", wire.UE, wire.AS]),
    kinds,
)
values = st.recursive(
    scalars,
    lambda inner: st.one_of(
        st.lists(inner, max_size=4),
        st.dictionaries(st.one_of(names, odd_names, st.text()), inner, max_size=4),
    ),
    max_leaves=12,
)
objects = st.dictionaries(st.one_of(names, odd_names, st.text(max_size=8)), values, max_size=8)

VALID = [
    messages.registration(UE, {wire.CLIENT_PROFILE: {wire.PORT_NUMBER: 5683}}),
    messages.deregistration(UE),
    messages.message((wire.UE, UE), (wire.UE, OTHER), "m-1", True, True),
    messages.message((wire.UE, UE), (wire.AS, "as@a"), "m-2", False),
    messages.message((wire.UE, UE), (wire.GROUP, "g@a"), "m-3"),
    messages.report_on(messages.message((wire.UE, OTHER), (wire.UE, UE), "m-4"), "BROKEN"),
    messages.response((wire.UE, UE), "m-1", wire.DELIVERY_FAILED, wire.EXPIRED),
]
messages.set_expiration(VALID[2], 1893456000)


@st.composite
def nearly_valid(draw):
    """A valid message, in either spelling, with some members changed, missing or more."""
    members = messages_json.to_members(
        draw(st.sampled_from(VALID)), draw(st.sampled_from([wire.STAGE_2, wire.API]))
    )
    members = dict(members)
    for key in draw(st.lists(st.sampled_from(sorted(members)), max_size=2)):
        members.pop(key, None)
    members.update(draw(st.dictionaries(names, values, max_size=2)))
    return json.dumps(members).encode()


@st.composite
def mutated(draw):
    """A valid message that something has happened to on octet level."""
    octets = bytearray(messages.encode(draw(st.sampled_from(VALID))))
    for _ in range(draw(st.integers(1, 4))):
        at = draw(st.integers(0, max(0, len(octets) - 1)))
        what = draw(st.integers(0, 3))
        if what == 0 and octets:
            octets[at] = draw(st.integers(0, 255))
        elif what == 1:
            del octets[at:]
        elif what == 2:
            octets[at:at] = draw(
                st.sampled_from([b'"', b"{", b"}", b":", b",", b"\\", b"\0", b"\xff", b"\\ud800"])
            )
        else:
            octets[at:at] = octets[at : at + draw(st.integers(1, 40))]
    return bytes(octets)


bodies = st.one_of(
    st.binary(max_size=100), mutated(), nearly_valid(), objects.map(lambda o: json.dumps(o).encode())
)


def check_decode(octets, content_format=coap.JSON, implied=None):
    try:
        elements = messages.decode(octets, content_format, implied)
    except messages.BadMessage as bad:
        # What its sender is answered with.
        for answered_in in (coap.JSON, coap.CBOR):
            messages.encode({**bad.elements, wire.FAILURE_CAUSE: bad.cause}, answered_in, implied)
        return
    assert elements[wire.MESSAGE_TYPE] in wire.MANDATORY
    for number in wire.IDENTIFIERS:
        text = elements.get(number, "")
        assert len(text) <= 255
        # Fit for a store and a log.
        text.encode()
    messages.expiration(elements)
    messages.payload(elements)
    again = messages.encode(elements)
    assert messages.encode(messages.decode(again)) == again
    compact = messages.encode(elements, coap.CBOR, implied)
    back = messages.decode(compact, coap.CBOR, implied)
    assert messages.encode(back, coap.CBOR, implied) == compact
    # Half of a surrogate pair is in JSON alone.
    assert back == elements or has_surrogates(elements)


@repeatable
@given(st.binary(max_size=200))
def test_any_octets(octets):
    check_decode(octets)


@repeatable
@given(st.one_of(objects, values))
def test_any_json(value):
    check_decode(json.dumps(value).encode())


@repeatable
@given(nearly_valid())
def test_nearly_valid_messages(octets):
    check_decode(octets)


@repeatable
@given(mutated())
def test_mutated_messages(octets):
    check_decode(octets)


# -- CBOR


def has_surrogates(value):
    """Whether there is half of a surrogate pair in it, somewhere."""
    if isinstance(value, str):
        return any("\ud800" <= letter < "\ue000" for letter in value)
    if isinstance(value, dict):
        return any(has_surrogates(one) for one in value.values())
    return isinstance(value, list) and any(has_surrogates(one) for one in value)


implications = st.sampled_from(
    [None, (wire.ORIGINATOR, UE), (wire.DESTINATION, UE), (wire.DESTINATION, "plain")]
)
items = st.recursive(
    st.one_of(
        st.none(),
        st.booleans(),
        st.integers(-(1 << 64), (1 << 64) - 1),
        st.text(st.characters(exclude_categories=["Cs"]), max_size=20),
        st.binary(max_size=20),
        st.sampled_from([UE, OTHER, "", "x" * 300, "2030-01-01T00:00:00Z"]),
    ),
    lambda inner: st.one_of(
        st.lists(inner, max_size=4), st.dictionaries(st.integers(-2, len(wire.KINDS) + 2), inner, max_size=4)
    ),
    max_leaves=12,
)


@st.composite
def cbor_bodies(draw):
    """Any octets, any map, or a valid message in CBOR that something has happened to."""
    what = draw(st.integers(0, 3))
    if what == 0:
        return draw(st.binary(max_size=60))
    if what == 1:
        return cbor.encode(draw(st.dictionaries(st.integers(0, len(wire.KINDS)), items, max_size=8)))
    octets = messages.encode(draw(st.sampled_from(VALID)), coap.CBOR, draw(implications))
    if what == 2:
        members: Any = cbor.decode(octets)
        return cbor.encode(members | draw(st.dictionaries(st.integers(0, 70), items, max_size=3)))
    octets = bytearray(octets)
    for _ in range(draw(st.integers(1, 4))):
        at = draw(st.integers(0, max(0, len(octets) - 1)))
        if draw(st.booleans()) and octets:
            octets[at] = draw(st.integers(0, 255))
        else:
            octets[at : at + draw(st.integers(0, 3))] = draw(st.binary(max_size=3))
    return bytes(octets)


@repeatable
@given(cbor_bodies(), implications)
def test_any_cbor(octets, implied):
    check_decode(octets, coap.CBOR, implied)


@repeatable
@given(st.one_of(objects, nearly_valid()), implications)
def test_any_json_goes_on_in_cbor(value, implied):
    octets = value if isinstance(value, bytes) else json.dumps(value).encode()
    try:
        elements = messages.decode(octets)
    except messages.BadMessage:
        return
    compact = messages.encode(elements, coap.CBOR, implied)
    back = messages.decode(compact, coap.CBOR, implied)
    assert back == elements or has_surrogates(elements)


@repeatable
@given(items)
def test_what_cbor_writes_it_reads(value):
    assert cbor.decode(cbor.encode(value), deepest=20) == value


@repeatable
@given(st.binary(max_size=60))
def test_any_octets_as_cbor(octets):
    with contextlib.suppress(cbor.NotCbor):
        cbor.decode(octets)


@repeatable
@given(st.integers(1, 3000), st.sampled_from(["[", '{"segParams":', '{"List of individual messages":[']))
def test_nesting(depth, opening):
    check_decode((opening * depth).encode())
    closing = {"[": "]", "{": "}"}
    ends = "".join(closing[c] for c in reversed(opening) if c in closing) * depth
    for inner in ("{}", "1"):
        check_decode(f"{opening * depth}{inner}{ends}".encode())


# -- the resource


class Poster:
    """Something to POST from, at `address`, and the count of answers."""

    def __init__(self, world, address):
        self.world = world
        self.client = Client(world.join(address, Endpoint(Parameters(), world.random.bits)))

    def post(self, octets, content_format=coap.JSON):
        responses = []
        options = [*uri_options(wire.PATH), (coap.CONTENT_FORMAT, content_format)]
        self.client.request(
            "server",
            coap.POST,
            options,
            octets,
            lambda response, now: responses.append(response),
            self.world.now,
        )
        self.world.settle()
        if not responses:
            # The holder of a UE Service ID is being asked.
            self.world.advance(20_000)
        (response,) = responses
        return response


def endpoint(world):
    parameters = Parameters(most_recent=20, most_peers=20, most_unanswered=20)
    return world.join("server", Endpoint(parameters, world.random.bits))


@repeatable
@given(st.one_of(bodies, cbor_bodies()), st.sampled_from([coap.JSON, coap.JSON, coap.CBOR, coap.CBOR, 0]))
def test_the_resource_always_answers(octets, content_format):
    world = World()
    server = Server(endpoint(world))
    seen = []

    def handler(request, elements, now):
        seen.append(elements)
        resource.answer(request, wire.ACCEPTED, now)

    resource = MessageResource(server, dict.fromkeys((wire.MSG, wire.REG), handler))
    response = Poster(world, "peer").post(octets, content_format)
    assert server.handler_errors == 0
    if seen:
        assert response.code == wire.ACCEPTED
    else:
        assert response.code in (wire.INVALID, wire.WRONG_FORMAT)
        assert sum(resource.counters.values()) == 1


class Lab:
    """A real server that two UEs are registered at."""

    def __init__(self, path):
        self.world = World()
        self.store = SqliteStore(path, 10_000, self.world.wall_clock)
        service = Service(self.store, self.world.wall_clock)
        at: Any = endpoint(self.world)
        self.errors = []
        at.on_error = self.errors.append
        self.face = CoapFace(at, service, self.world.wall_clock, ("gateway@a",))
        server = at.on_request.__self__
        server.on_error = lambda request, error: self.errors.append(error)
        service.outbound[wire.UE] = self.face
        self.world.before_send = [self.store.commit]
        self.ue = Poster(self.world, ("ue", 1))
        # Whoever is registered there is live, and answers 4.04.
        Server(self.ue.client.endpoint)
        self.register()

    def register(self):
        assert self.ue.post(messages.encode(messages.registration(UE))).code == wire.REGISTERED


@pytest.fixture
def lab(tmp_path):
    lab = Lab(tmp_path / "fuzz.sqlite")
    yield lab
    lab.store.close()


@repeatable
@given(posted=st.one_of(st.tuples(bodies, st.just(coap.JSON)), st.tuples(cbor_bodies(), st.just(coap.CBOR))))
def test_the_server_always_answers(lab, posted):
    response = lab.ue.post(*posted)
    assert lab.errors == []
    assert response.code is not None
    assert response.code != coap.INTERNAL_SERVER_ERROR
    # It is in its senses still.
    lab.register()
