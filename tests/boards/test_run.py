"""A board by itself, from being switched on: Wi-Fi, the application, crashes, the watchdog. There is no gateway here."""

import json
import time

import pytest
from pretended import SETTINGS, Console, deployed, needs_board

pytestmark = needs_board

GOOD = "async def main(ue, board):\n    print('app runs')\n"


@pytest.fixture
def switched_on(library, tmp_path):
    """Switches a board on that has an application and settings; returns it and what it prints."""
    made = []

    def switch_on(app=GOOD, **settings):
        pretended = deployed(tmp_path, library, app, SETTINGS | settings)
        made.append(pretended.__enter__())
        return pretended, Console(pretended)

    yield switch_on
    for pretended in made:
        pretended.__exit__()


def test_it_joins_its_network_and_runs_the_application(switched_on):
    board, console = switched_on(networks=[["gone", "x"], ["home", "secret"]])
    text = console.wait("app runs")
    assert "gone: not there" in text and "in home as" in text
    assert 2 in board.levels


def test_a_wrong_password_is_said_until_it_is_right(switched_on):
    board, console = switched_on(networks=[["home", "Secret"]])
    console.wait("home: wrong password")
    (board.folder / "air.json").write_text(json.dumps({"home": "Secret"}))
    console.wait("app runs")


def test_an_application_that_crashes_is_left_alone_in_the_end(switched_on):
    board, console = switched_on("async def main(ue, board):\n    raise ValueError('bad app')\n")
    text = console.wait("safe mode: app.py is left alone after 3 starts", 40)
    assert text.count("ValueError: bad app") == 3
    assert board.resets == 3


def test_an_application_that_is_stuck_is_reset(switched_on):
    board, console = switched_on(
        "async def main(ue, board):\n    print('stuck')\n    while True:\n        pass\n"
    )
    console.wait("stuck")
    console.wait("started: HARD_RESET")
    assert board.resets >= 1


def test_whoever_works_on_it_is_not_disturbed(switched_on):
    board, console = switched_on()
    console.wait("app runs")
    # MicroPython's Unix port can be interrupted in the midst of collecting its heap, which a board can't; idle, it
    # collects rarely.
    time.sleep(1)
    console.type("\x03")
    console.wait("interrupted")
    console.type("import time; time.sleep(4); print('still', 'here')\r")
    console.wait("still here")
    assert board.resets == 0


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"link": "radio"}, "settings.json: link = 'radio': expected one of"),
        ({"networks": []}, "settings.json: networks: link = 'wifi' needs one"),
    ],
)
def test_settings_that_can_not_be_used_are_named(switched_on, settings, said):
    _, console = switched_on(**settings)
    assert said in console.wait(">>> ")
