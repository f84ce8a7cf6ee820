"""Registration of several UEs with one request of their gateway (TS 23.554, 8.2.7)."""

import pytest
from msgin5g import messages, wire

from tests.server.lab import AS, GATEWAY, GATEWAY2, UE1, UE2, UE3, Lab, msg


@pytest.fixture
def lab(tmp_path):
    lab = Lab(tmp_path / "server.sqlite")
    yield lab
    lab.store.close()


def several(*ues):
    return {
        wire.MESSAGE_TYPE: wire.REG,
        wire.NUMBER_OF_REGISTRATION_REQUESTS: len(ues),
        wire.REGISTRATION_REQUESTS: [{wire.UE_SERVICE_ID: ue} for ue in ues],
    }


def results(answer):
    code, elements = answer
    responses = elements[wire.REGISTRATION_RESPONSES]
    assert elements[wire.NUMBER_OF_REGISTRATION_RESPONSES] == len(responses)
    return code, [(one[wire.UE_SERVICE_ID], one.get(wire.FAILURE_CAUSE)) for one in responses]


def test_each_is_registered_and_answered(lab):
    gateway = lab.gateway()
    answer = results(gateway.post(several(UE1, UE2, UE3)))
    assert answer == ("2.01", [(UE1, None), (UE2, None), (UE3, None)])
    assert [lab.via(ue) for ue in (UE1, UE2, UE3)] == [GATEWAY] * 3


def test_what_waits_for_them_goes_through_their_gateway(lab):
    sender = lab.peer("one")
    sender.register(UE1)
    sender.post(msg("1"))
    gateway = lab.gateway()
    gateway.post(several(UE2, UE3))
    assert gateway.ids() == ["1"]


def test_one_that_is_refused_does_not_keep_the_others(lab):
    lab.face.registry._most = 3
    gateway = lab.gateway()
    answer = results(gateway.post(several(UE1, GATEWAY2, UE2, UE3)))
    assert answer == (
        "2.01",
        [(UE1, None), (GATEWAY2, wire.UE_SERVICE_ID_NOT_OWNED), (UE2, None), (UE3, wire.STORE_FULL)],
    )
    assert lab.via(UE3) is None
    assert lab.face.counters["registrations_refused"] == 2


def test_a_profile_of_any_length_is_not_kept(lab):
    gateway = lab.gateway()
    request = several(UE1, UE2)
    request[wire.REGISTRATION_REQUESTS][0][wire.CLIENT_PROFILE] = {
        wire.TRIGGERING_INFORMATION: {wire.UE_IDENTIFIER: "x" * 5000}
    }
    assert results(gateway.post(request))[1] == [(UE1, wire.MALFORMED), (UE2, None)]


def test_what_a_ue_says_of_itself_is_kept(lab):
    gateway = lab.gateway()
    request = several(UE1)
    profile = {wire.SUPPORTED_SEGMENT_SIZE: 512}
    request[wire.REGISTRATION_REQUESTS][0][wire.CLIENT_PROFILE] = profile
    gateway.post(request)
    assert messages.decode(lab.face.registry.get(UE1).body) == messages.registration(UE1, profile)
    assert lab.face.sizes.of(lab.face.registry.get(UE1)) == 512


def test_it_is_a_gateways_right(lab):
    assert lab.peer("one").post(several(UE1, UE2))[0] == "4.03"
    ue = lab.peer("two")
    ue.register(UE3)
    assert ue.post(several(UE1, UE2))[0] == "4.03"
    # Results are no request.
    gateway = lab.gateway()
    one = {wire.UE_SERVICE_ID: UE1, wire.REGISTRATION_RESULT: wire.REGISTRATION_SUCCESS}
    code, _ = gateway.post({wire.MESSAGE_TYPE: wire.REG, wire.REGISTRATION_RESPONSES: [one]})
    assert code == "4.03"
    assert len(lab.face.registry) == 2
    assert lab.via(AS) is None
