"""The operator key and its file; logins, sessions, wrong keys."""

import stat

import pytest

from host_tools.gateway import operators
from host_tools.gateway.operators import Operators, operator_key
from host_tools.settings import GatewaySettings, SettingsError

KEY = "abcd-efgh-jkmn-pqrs-tuvw"


class Clock:
    now = 1000.0

    def __call__(self):
        return self.now


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def door(clock):
    return Operators(KEY, clock)


@pytest.fixture
def settings(tmp_path):
    return GatewaySettings(
        ue_service_id="gateway@a", server="127.0.0.1", database=tmp_path / "gateway.sqlite"
    )


def test_the_key_is_made_once_and_is_for_its_owner_only(settings):
    key = operator_key(settings)
    assert len(key.replace("-", "")) == 20 and operator_key(settings) == key
    file = settings.database.with_name("gateway.sqlite.operator")
    assert file.read_text().strip() == key and stat.S_IMODE(file.stat().st_mode) == 0o600


def test_two_gateways_have_two_keys(tmp_path):
    keys = {
        operator_key(GatewaySettings(ue_service_id="gateway@a", server="127.0.0.1", database=tmp_path / name))
        for name in ("1.sqlite", "2.sqlite")
    }
    assert len(keys) == 2


@pytest.mark.parametrize(
    ("content", "mode", "said"),
    [
        (KEY, 0o640, "others can read the operator key"),
        ("short", 0o600, "expected a key of 16 to 255 characters"),
        ("é" * 20, 0o600, "ascii"),
    ],
)
def test_a_key_file_that_cannot_be_used_says_why(settings, content, mode, said):
    file = operators.key_file(settings)
    file.write_text(content)
    file.chmod(mode)
    with pytest.raises(SettingsError, match=said):
        operator_key(settings)


def test_a_key_file_that_cannot_be_made_is_named(settings):
    settings.database = settings.database.parent / "nowhere" / "gateway.sqlite"
    with pytest.raises(SettingsError, match=r"nowhere/gateway\.sqlite\.operator"):
        operator_key(settings)


def test_a_session_lasts_until_its_end_or_its_logout(door, clock):
    token = door.login(f" {KEY}\n", "a")
    other = door.login(KEY, "a")
    assert token != other and door.knows(token) and door.knows(other)
    door.logout(token)
    assert not door.knows(token) and door.knows(other)
    clock.now += operators.SESSION_SECONDS
    assert not door.knows(other)
    assert not door.knows(None) and not door.knows("") and not door.knows("é\udc80")


def test_sessions_are_bounded(door):
    tokens = [door.login(KEY, "a") for _ in range(operators._MOST_SESSIONS + 1)]
    assert [door.knows(token) for token in tokens] == [False] + [True] * operators._MOST_SESSIONS


def test_whoever_tries_many_keys_has_to_wait_and_nobody_else(door, clock):
    for _ in range(5):
        assert door.wait("a") == 0
        assert door.login("wrong", "a") is None
    assert 0 < door.wait("a") <= operators._WRONG_INTERVAL
    assert door.wait("b") == 0
    assert door.counters == {"logins": 0, "wrong_keys": 5, "too_many_wrong_keys": 1}
    clock.now += operators._WRONG_INTERVAL
    assert door.wait("a") == 0 and door.login(KEY, "a")


def test_addresses_that_tried_wrong_keys_are_bounded(door):
    for number in range(operators._MOST_ADDRESSES + 10):
        door.login("wrong", str(number))
    assert len(door._wrong) == operators._MOST_ADDRESSES


@pytest.mark.parametrize(
    ("authorization", "let_in"),
    [
        (f"Bearer {KEY}", True),
        (f"bearer  {KEY} ", True),
        (f"Basic {KEY}", False),
        (KEY, False),
        ("Bearer", False),
        ("Bearer " + KEY[:-1], False),
        ("Bearer é\udcff", False),
    ],
)
def test_a_bearer_token_is_the_key(door, authorization, let_in):
    assert door.bearer(authorization, "a") is let_in
