# What a board runs besides its application, piece by piece: LED, watchdog, crashes, log, settings.

import json
import os
import sys

from msgin5g.board import crashes, led, log, settings, watchdog
from msgin5g_testing import machine

_FOLDER = "board-parts-test/"


def fresh():
    try:
        os.mkdir(_FOLDER[:-1])
    except OSError:
        for name in os.listdir(_FOLDER[:-1]):
            os.remove(_FOLDER + name)


def content(name):
    try:
        with open(_FOLDER + name) as file:
            return file.read()
    except OSError:
        return None


def test_the_led_follows_its_pattern():
    seen = []
    one = led.Led(seen.append)
    one.show(led.REGISTERING, 0)
    for now in range(0, 2000, 50):
        one.step(now)
    assert seen == [1, 0, 1, 0]
    one.show(led.FAILED, 2000)
    assert seen[-1] == 1


def test_an_led_that_shines_at_0():
    seen = []
    one = led.Led(seen.append, 0)
    one.show(led.JOINING, 0)
    one.step(500)
    assert seen == [0, 1]


def test_without_an_led_nothing_happens():
    one = led.Led()
    one.show(led.FAILED, 0)
    one.step(1000)
    assert one.pattern == led.FAILED


def test_a_program_that_is_stuck_is_reset():
    now = [0]
    resets = []
    timer = machine.Timer()
    dog = watchdog.Watchdog(timer, 5, lambda: now[0], lambda: resets.append(now[0]))
    dog.start()
    for now[0] in range(1000, 20000, 1000):
        dog.feed()
        timer.fire()
    assert resets == []
    for now[0] in range(20000, 26000, 1000):
        timer.fire()
    assert resets[0] == 25000


def test_a_watchdog_that_is_stopped_resets_nobody():
    resets = []
    timer = machine.Timer()
    dog = watchdog.Watchdog(timer, 5, lambda: 10**6, resets.append)
    dog.start()
    dog.stop()
    timer.fire()
    assert resets == []


def test_the_fourth_start_that_does_not_go_well_is_in_safe_mode():
    fresh()
    begun = [crashes.Crashes(_FOLDER + "crashes").begin() for _ in range(5)]
    assert begun == [False, False, False, True, True]


def test_a_start_that_goes_well_ends_the_count():
    fresh()
    for _ in range(3):
        one = crashes.Crashes(_FOLDER + "crashes")
        one.begin()
    one.well()
    assert not crashes.Crashes(_FOLDER + "crashes").begin()


def test_a_damaged_count_is_none():
    fresh()
    with open(_FOLDER + "crashes", "w") as file:
        file.write("\0\0?")
    assert not crashes.Crashes(_FOLDER + "crashes").begin()


def a_log(octets=400):
    fresh()
    said = []
    return log.Log(lambda: 7, _FOLDER, octets, said.append), said


def test_the_log_is_printed_at_once_and_kept():
    one, said = a_log()
    one.tell("started", 3)
    assert said == ["7 I started 3"]
    assert content("log.0") is None
    one.complain("careful")
    assert content("log.0") == "7 I started 3\n7 W careful\n"


def test_the_log_takes_no_more_than_its_room():
    one, said = a_log(400)
    for number in range(100):
        one.tell("line", number)
    one.flush()
    assert len(content("log.0")) <= 200 and len(content("log.1")) <= 200
    assert content("log.0").strip().endswith("line 99")
    assert one.lost == 0


def test_an_entry_is_one_whatever_is_in_it():
    one, said = a_log()
    one.complain("name\r\n8 E forged")
    assert said == ["7 W name\n  8 E forged"]


def test_an_error_tells_where():
    one, said = a_log(4000)
    try:
        said[3]
    except IndexError as error:
        one.crash(error, "crashed")
    assert said[0].startswith("7 E crashed ") and "IndexError" in said[0]
    if sys.implementation.name == "micropython":
        assert "test_board_parts.py" in said[0]
    assert "IndexError" in content("log.0")


def test_a_log_that_can_not_be_written_counts():
    said = []
    one = log.Log(lambda: 7, "no-such-folder/x/", 400, said.append)
    one.complain("careful")
    assert one.lost == 1 and said == ["7 W careful"]


def read(text):
    fresh()
    with open(_FOLDER + "settings.json", "w") as file:
        file.write(text)
    try:
        return settings.read(_FOLDER + "settings.json")
    except settings.Unusable as unusable:
        return unusable.args[0].replace(_FOLDER, "")


def test_settings_have_defaults():
    found = read('{"link": "wifi", "networks": [["home", "secret"]]}')
    assert found["watchdog"] == 60 and found["baud"] == 115200 and found["pins"] == {}


def test_what_is_wrong_with_settings_is_named():
    assert "provision" in read("not JSON")
    assert read("[]") == "settings.json is no JSON object: `msgin5g provision` writes it"
    for wrong, complaint in (
        ({"link": "radio"}, "link = 'radio': expected one of wifi, serial, espnow"),
        ({"link": "wifi"}, "networks: link = 'wifi' needs one"),
        ({"link": "wifi", "networks": [["home"]]}, 'networks: expected [["name", "password"], ...]'),
        ({"link": "wifi", "networks": "home"}, 'networks: expected [["name", "password"], ...]'),
        ({"link": "espnow", "watchdog": "60"}, "watchdog = '60': expected a number"),
        ({"link": "serial", "pins": {"uart": 1}}, "pins: link = 'serial' needs uart, tx and rx"),
        ({"link": "espnow", "pins": []}, "pins: expected an object"),
    ):
        assert read(json.dumps(wrong)) == "settings.json: " + complaint
    os.remove(_FOLDER + "settings.json")
    try:
        settings.read(_FOLDER + "settings.json")
        raise AssertionError
    except settings.Unusable as unusable:
        assert "there is no file" in unusable.args[0]
