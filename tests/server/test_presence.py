"""When UEs are there (TS 23.554, 8.2.1): windows of availability, and registrations that nobody renews."""

import pytest
from msgin5g import messages, rfc3339, wire
from msgin5g.registry import Registered

from host_tools.server.presence import Lifetimes, Windows
from tests.server.lab import UE1, UE2, Lab, msg


@pytest.fixture
def lab(tmp_path):
    lab = Lab(tmp_path / "server.sqlite")
    yield lab
    lab.store.close()


@pytest.fixture
def sender(lab):
    peer = lab.peer("sender")
    peer.register(UE1)
    return peer


@pytest.fixture
def sleeper(lab):
    """Awake for 60 s each hour, the next time in 100 s."""
    peer = lab.peer("sleeper")
    assert peer.post(messages.registration(UE2, profile(lab, 100)))[0] == "2.01"
    return peer


def profile(lab, begin, duration=60, **further):
    schedule = {
        wire.SCHEDULED_COMMUNICATION_TIME: rfc3339.format(lab.world.wall_clock() + begin),
        wire.COMMUNICATION_DURATION_TIME: duration,
        wire.PERIODIC_INDICATOR: True,
        wire.PERIODIC_INTERVAL: 3600,
    }
    if "storing" in further:
        schedule[wire.STORE_AND_FORWARD_OPTION] = further["storing"]
    return {wire.COMMUNICATION_AVAILABILITY: schedule}


def advance(lab, seconds):
    for _ in range(seconds):
        lab.world.advance(1000)
        lab.face.pass_time(lab.world.now)
        lab.service.expire(lab.world.now)
    lab.world.settle()


def failed(answer):
    code, told = answer
    return code, told.get(wire.DELIVERY_STATUS), told.get(wire.FAILURE_CAUSE)


def test_outside_a_window_it_is_stored_and_delivered_when_one_opens(lab, sender, sleeper):
    assert failed(sender.post(msg())) == ("2.04", wire.DELIVERY_STORED, None)
    advance(lab, 99)
    assert sleeper.received == []
    advance(lab, 1)
    assert sleeper.ids() == ["m-1"]
    assert lab.face.counters["windows_opened"] == 1
    # Within the window there is nothing to wait for.
    assert sender.post(msg("m-2")) == ("2.04", {})
    lab.world.settle()
    assert sleeper.ids() == ["m-1", "m-2"]
    advance(lab, 60)
    assert failed(sender.post(msg("m-3")))[1] == wire.DELIVERY_STORED
    advance(lab, 3600)
    assert sleeper.ids() == ["m-1", "m-2", "m-3"]


def test_outside_a_window_without_the_flag_it_fails(lab, sender, sleeper):
    assert failed(sender.post(msg(held=False))) == (
        "2.04",
        wire.DELIVERY_FAILED,
        wire.RECIPIENT_NOT_REACHABLE,
    )
    assert len(lab.store) == 0


def test_a_latency_that_reaches_to_the_window_lets_it_wait(lab, sender, sleeper):
    soon = msg("m-1", held=False)
    soon[wire.LATENCY] = 90_000
    assert failed(sender.post(soon))[1] == wire.DELIVERY_FAILED
    later = msg("m-2", held=False)
    later[wire.LATENCY] = 110_000
    assert failed(sender.post(later))[1] == wire.DELIVERY_STORED
    advance(lab, 100)
    assert sleeper.ids() == ["m-2"]


def test_one_who_does_not_want_storing_gets_none(lab, sender):
    peer = lab.peer("sleeper")
    peer.post(messages.registration(UE2, profile(lab, 100, storing=False)))
    assert failed(sender.post(msg()))[1:] == (wire.DELIVERY_FAILED, wire.RECIPIENT_NOT_REACHABLE)


def test_after_a_restart_the_window_is_known(lab, sender, sleeper):
    sender.post(msg())
    lab.restart()
    advance(lab, 99)
    assert sleeper.received == []
    advance(lab, 1)
    assert sleeper.ids() == ["m-1"]


def test_what_is_not_acknowledged_in_the_window_waits_for_the_next(lab, sender, sleeper):
    sender.post(msg())
    sleeper.leave()
    advance(lab, 170)
    sleeper.back()
    advance(lab, 3600 - 71)
    assert sleeper.received == []
    advance(lab, 1)
    assert sleeper.ids() == ["m-1"]


def test_a_new_registration_replaces_the_schedule(lab, sender, sleeper):
    sender.post(msg())
    sleeper.post(messages.registration(UE2, profile(lab, 10)))
    advance(lab, 10)
    assert sleeper.ids() == ["m-1"]
    sleeper.register(UE2)
    sender.post(msg("m-2"))
    lab.world.settle()
    assert sleeper.ids() == ["m-1", "m-2"]
    assert lab.face._windows.opened() == []


def test_behind_a_gateway_the_gateway_holds(lab, sender):
    gateway = lab.gateway()
    gateway.post(messages.registration(UE2, profile(lab, 100)))
    assert sender.post(msg()) == ("2.04", {})
    lab.world.settle()
    assert gateway.ids() == ["m-1"]


def test_a_registration_that_cannot_be_read_has_no_windows():
    windows = Windows(lambda: 0)
    for body in (b"", b"{}", b"\xff"):
        assert windows.is_open(Registered("ue", ("h", 1), None, body))


# -- latency of those who are there


def test_what_is_not_delivered_within_its_latency_fails(lab, sender):
    peer = lab.peer("two")
    peer.register(UE2)
    peer.leave()
    elements = msg(held=False)
    elements[wire.LATENCY] = 20_000
    sender.post(elements)
    advance(lab, 100)
    (report,) = sender.received
    assert report[wire.FAILURE_CAUSE] == wire.EXPIRED
    assert len(lab.store) == 0


# -- lifetime


def test_a_silent_ue_is_not_registered_any_more(lab, sender):
    peer = lab.peer("two")
    peer.register(UE2)
    advance(lab, 3)
    lab.world.wall += 86390
    sender.register(UE1)
    advance(lab, 7)
    assert (lab.via(UE2), lab.face.known(UE2), lab.face.known(UE1)) == (None, False, True)
    assert lab.face.counters["registrations_expired"] == 1
    lab.restart()
    assert not lab.face.known(UE2)


def test_any_message_and_any_acknowledgement_is_a_sign_of_life(lab, sender):
    peer = lab.peer("two")
    peer.register(UE2)
    for number in range(3):
        lab.world.wall += 50_000
        sender.post(msg(f"m-{number}"))
        advance(lab, 1)
    assert len(peer.received) == 3
    assert len(lab.face.registry) == 2


def test_a_ue_behind_a_gateway_is_there_as_long_as_the_gateway_is(lab):
    gateway = lab.gateway()
    gateway.register(UE2)
    lab.world.wall += 86399
    gateway.register("gateway@a")
    advance(lab, 2)
    assert lab.face.known(UE2)
    # Then the gateway falls silent.
    lab.world.wall += 86400
    advance(lab, 1)
    assert not lab.face.known("gateway@a")
    lab.world.wall += 86400
    advance(lab, 1)
    assert not lab.face.known(UE2)


def test_those_who_are_forgotten_do_not_end():
    lifetimes = Lifetimes(lambda: 100, 0)
    for ue in ("a", "b", "c"):
        lifetimes.heard(ue)
    lifetimes.forget("b")
    assert lifetimes.ended(1) == ["a"]
    assert lifetimes.ended(10) == ["c"]
    assert lifetimes.ended(10) == []


def test_registering_again_and_again_takes_no_memory(lab, sender):
    peer = lab.peer("sleeper")
    for seconds in range(100, 400):
        peer.post(messages.registration(UE2, profile(lab, seconds)))
    assert len(lab.face._windows._next) < 100
    sender.post(msg())
    advance(lab, 399)
    assert peer.ids() == ["m-1"]
