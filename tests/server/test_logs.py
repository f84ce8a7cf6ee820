"""What the logs say, and what they never do."""

import json

import pytest
import structlog
from rich.console import Console

from host_tools import logs
from host_tools.top_screen import Shown


@pytest.fixture(autouse=True)
def configured_as_before():
    yield
    structlog.reset_defaults()


def fail_with(secret):
    raise RuntimeError(f"{len(secret)} octets do not fit")


def test_a_failure_is_told_without_what_the_code_had_in_its_hands(capsys):
    logs.configure(as_json=True)
    secret = b"0123456789abcdef"
    try:
        fail_with(secret)
    except RuntimeError as error:
        structlog.get_logger().error("a handler failed", exc_info=error)
    said = capsys.readouterr().err
    assert "16 octets do not fit" in said and "fail_with" in said
    assert secret.decode() not in said


def test_a_name_is_no_line_of_its_own(capsys):
    name = 'x"}\n{"event": "client registered", "ue": "forged\x1b[2J\u2028'
    logs.configure(as_json=True)
    structlog.get_logger().info("client registered", ue=name)
    said = capsys.readouterr().err
    assert len(said.splitlines()) == 1
    assert json.loads(said)["ue"] == name and "\x1b" not in said
    logs.configure(as_json=False)
    structlog.get_logger().info("client registered", ue=name)
    said = capsys.readouterr().err
    # One line for one event, and nothing that moves a terminal's cursor.
    assert len(said.splitlines()) == 1
    assert "\x1b[2J" not in said


@pytest.mark.parametrize("name", ["[red]pump@x", "[/]@x", "x[link=http://a/]@x", "a\x1b[2J@x", "a\u202eb@x"])
def test_a_name_is_no_markup_of_a_terminal(name):
    device = {"ue": name, "state": "registered", "link": name, "last_seen": None, "took": None}
    shown = Shown({"now": 0}, [device | {"waiting_up": 0, "waiting_down": 0}])
    console = Console(width=160, force_terminal=True, color_system=None)
    with console.capture() as said:
        console.print(shown._table(1, 160))
    assert name.replace("\x1b", "?").replace("\u202e", "?") in said.get()
