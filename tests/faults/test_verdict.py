"""The campaign itself: the seed says what happens, and what is lost or doubled does not pass."""

import random
from types import SimpleNamespace

import pytest

from tests.faults import payloads, verdict
from tests.faults.faults import KINDS, plan
from tests.faults.traffic import Ledger, Promise, Traffic

ME, YOU, THEY, BOARD = "me@x", "you@x", "they@x", "board@x"
SITE = SimpleNamespace(units=[ME, YOU, THEY], boards=[BOARD], members=[ME, YOU, BOARD])


def test_a_seed_says_what_goes_wrong_and_what_is_sent():
    happened = set()
    for seed in range(30):
        first, second = (plan(random.Random(seed), 5.0) for _ in range(2))
        assert first == second
        happened.update(fault.kind for fault in first)
    assert happened == set(KINDS)
    sent = [Traffic(SITE, Ledger(), random.Random(9), 5.0)._message(ME, number) for number in range(2)]
    again = [Traffic(SITE, Ledger(), random.Random(9), 5.0)._message(ME, number) for number in range(2)]
    assert sent == again


def ledger(*states, arrived=0, recipients=(YOU,), **promise):
    made = Ledger()
    made.promises.append(Promise("p", ME, recipients, "m", **promise))
    for state, reporter in states:
        made.on_event(ME, {"event": "state", "id": "m", "state": state, "cause": None, "reporter": reporter})
    for _ in range(arrived):
        made.on_event(YOU, {"event": "received", "id": "m", "payload": "p"})
    return made


DELIVERED, EXPIRED, FAILED = ("delivered", YOU), ("expired", None), ("failed", None)


@pytest.mark.parametrize(
    ("made", "outcome"),
    [
        (ledger(DELIVERED, arrived=1), "delivered"),
        (ledger(EXPIRED, DELIVERED, arrived=1), "delivered"),
        (ledger(EXPIRED, short=True), "expired"),
        (ledger(arrived=1, report=False), "delivered"),
        # The sender gave it up when it was on its way already, and one of two has it after all.
        (ledger(EXPIRED, DELIVERED, arrived=1, recipients=(YOU, THEY), short=True), "expired"),
    ],
)
def test_what_is_as_it_should_be(made, outcome):
    outcomes, wrong = verdict.judge(SITE, made)
    assert wrong == [] and outcomes[outcome] == 1
    assert verdict.open_promises(made) == []


@pytest.mark.parametrize(
    ("made", "what"),
    [
        (ledger(), "lost: "),
        (ledger(report=False), "lost: "),
        (ledger(DELIVERED), "lost: "),
        (ledger(DELIVERED, arrived=2), "doubled: "),
        (ledger(DELIVERED, arrived=2, large=True), "doubled: "),
        (ledger(arrived=1), "report lost: "),
        (ledger(EXPIRED, arrived=1, short=True), "report lost: "),
        (ledger(EXPIRED), "not to fail: "),
        (ledger(FAILED), "not to fail: "),
        (ledger(DELIVERED, arrived=1, recipients=(YOU, THEY)), "lost: "),
        (ledger(EXPIRED, DELIVERED, arrived=1, recipients=(YOU, THEY)), "not to fail: "),
        (ledger(("accepted", None), DELIVERED, arrived=1, recipients=(YOU, THEY), short=True), "lost: "),
    ],
)
def test_what_is_not(made, what):
    _, wrong = verdict.judge(SITE, made)
    assert [line for line in wrong if line.startswith(what)], wrong


def test_who_was_killed_while_it_was_handed_over_has_not_lost_it():
    made = ledger(DELIVERED)
    made.on_event(YOU, {"event": "taking", "id": "m"})
    made.on_killed([YOU])
    outcomes, wrong = verdict.judge(SITE, made)
    assert wrong == [] and outcomes["handed over unseen"] == 1
    # Another message is no excuse.
    made = ledger(DELIVERED)
    made.on_event(YOU, {"event": "taking", "id": "another"})
    made.on_killed([YOU])
    assert verdict.judge(SITE, made)[1]


def test_a_payload_that_is_not_whole_is_noticed():
    whole = payloads.make("name", 5000)
    assert payloads.name_of(whole) == "name" and len(whole) == 5000
    for broken in (whole[:2000] + whole[2001:], whole[:100] + "x" + whole[101:]):
        assert payloads.name_of(broken).startswith("damaged")
