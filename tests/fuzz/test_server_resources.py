"""The server's resources for topics and configuration documents under any input. The same examples in every run.

* Whatever the octets, configuration.decode returns a document that is encoded to what decodes to the same, or raises
  BadDocument; nothing else.
* Whatever is asked of the resources, their handlers do not fail, and there is one answer.
* Whatever a Communication Availability says, a window is open or the time when one opens is not past.
"""

from __future__ import annotations

import contextlib

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from msgin5g import availability, cbor, rfc3339, wire
from msgin5g import wire_configuration as configuration_wire
from msgin5g.coap import numbers as coap
from msgin5g.coap.message import uri_options

from host_tools.server.configuration import BadDocument, Documents, decode
from host_tools.server.configuration_face import ConfigurationFace
from tests.server.lab import SERVER, UE1, Lab

repeatable = settings(
    derandomize=True,
    deadline=None,
    max_examples=300,
    database=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)

names = st.sampled_from(
    [
        value
        for name, value in vars(configuration_wire).items()
        if name.isupper() and isinstance(value, str) and "/" not in value
    ]
)
scalars = (
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**64 - 1)
    | st.text(max_size=20)
    | st.binary(max_size=9)
)
anything = st.recursive(
    scalars,
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(names | st.text(max_size=5), inner, max_size=5)
    ),
    max_leaves=12,
)
nearly = st.fixed_dictionaries(
    {configuration_wire.NAME: st.text(max_size=9), configuration_wire.DOMAIN: st.text(max_size=9)},
    optional={
        configuration_wire.UE_IDS: anything,
        configuration_wire.CONFIGURATIONS: anything,
        configuration_wire.SERVICE_ID: anything,
    },
)


def encoded(value) -> bytes:
    # Half of a surrogate pair is no text.
    with contextlib.suppress(ValueError):
        return cbor.encode(value)
    return b""


bodies = st.binary(max_size=64) | st.builds(encoded, anything | nearly)


@repeatable
@given(bodies)
def test_any_octets_are_a_document_or_none(octets):
    try:
        document = decode(octets)
    except BadDocument:
        return
    assert decode(cbor.encode(document)) == document


class Attacked(Lab):
    """A server that anyone may write documents to, and someone who asks it things."""

    def __init__(self, path):
        super().__init__(path)
        self.errors = []
        self.world.endpoints[SERVER].on_error = self.errors.append
        ConfigurationFace(self.face.server, Documents(self.store, most=50), lambda _request: True)
        self.attacker = self.peer("attacker")
        self.attacker.register(UE1)


@pytest.fixture(scope="module")
def lab(tmp_path_factory):
    lab = Attacked(tmp_path_factory.mktemp("fuzz") / "server.sqlite")
    yield lab
    lab.store.close()


queries = st.lists(
    st.builds(
        lambda name, value: (name + value)[:200],
        st.sampled_from(["topic=", "ori=", "exp=", "ue-uri=", "ue-type=", "ue-snr=", "", "="]),
        st.sampled_from([UE1, "a", "", "12", "2027-01-15T08:00:00Z"]) | st.text(max_size=12),
    ),
    max_size=5,
)
places = st.sampled_from([wire.TOPICS_PATH, configuration_wire.COLLECTION_PATH % "msgin5g"])


@repeatable
@given(
    places,
    st.sampled_from([coap.GET, coap.POST, coap.PUT, coap.DELETE]),
    queries,
    st.sampled_from([None, 0, 1, 7]),
    st.sampled_from([None, coap.JSON, coap.CBOR]),
    bodies | st.sampled_from([b'{"Messaging Topics":["a"]}', b'{"Originating UE Service ID":"ue1@a"}', b"{"]),
)
def test_anything_asked_is_answered(lab, path, method, query, observe, content_format, body):
    options = uri_options(path)
    if observe is not None:
        options.append((coap.OBSERVE, observe))
    if content_format is not None:
        options.append((coap.CONTENT_FORMAT, content_format))
    options += [(coap.URI_QUERY, one) for one in query if "&" not in one]
    answers = []
    try:
        lab.attacker.client.request(
            SERVER, method, options, body, lambda response, now: answers.append(response), lab.world.now
        )
    except UnicodeEncodeError:
        # Half of a surrogate pair can't be sent.
        return
    lab.world.settle()
    assert [answer.code is not None for answer in answers] == [True]
    assert lab.errors == []
    lab.world.advance(250_000)


numbers = st.integers(-(2**70), 2**70) | st.integers(-5, 100_000)


@repeatable
@given(st.integers(0, 2**33), st.integers(0, 2**33), numbers, numbers, st.sampled_from([None, True, False]))
def test_a_window_is_open_or_opens_later(start, at, duration, interval, periodic):
    schedule = {
        wire.SCHEDULED_COMMUNICATION_TIME: rfc3339.format(start),
        wire.COMMUNICATION_DURATION_TIME: duration,
        wire.PERIODIC_INTERVAL: interval,
    }
    if periodic is not None:
        schedule[wire.PERIODIC_INDICATOR] = periodic
    is_open, change = availability.open_at(schedule, at)
    assert is_open or change is not None
    if change is not None:
        assert change > at
        assert availability.open_at(schedule, change)[0] is not is_open
        assert availability.open_at(schedule, change - 1)[0] is is_open
