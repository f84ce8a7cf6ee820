"""What `msgin5g top` shows, and what keys do."""

from typing import Any

from rich.console import Console

from host_tools.cli_top import View
from host_tools.top_screen import Shown, plain, span


def state(now=1000.0, **counters):
    return {
        "gateway": "gateway@example.org",
        "started": 400.0,
        "now": now,
        "listening": {"coap": "coap://127.0.0.1:5683", "http": "http://127.0.0.1:8081"},
        "protection": "oscore",
        "uplink": {
            "server": "127.0.0.1:5693",
            "protection": "oscore",
            "registered": False,
            "waiting": 7,
            "oldest_waiting_since": 820.0,
            "oldest_before_start": False,
        },
        "ports": [],
        "devices": {
            "enrolled": 9, "revoked": 1, "registered": 5, "waiting_up": 7, "waiting_down": 3, "ues_waiting": 2,
        },
        "delivery_seconds": {
            "up": {"count": 2, "last": 0.1, "p50": 0.012, "p99": 3.0},
            "down": {"count": 0, "last": None, "p50": None, "p99": None},
        },
        "per_minute": {"up": [0] * 58 + [11, 12], "down": [0] * 60},
        "counters": counters,
    }  # fmt: skip


def device(ue, **more):
    row = {"ue": ue, "state": "registered", "link": "UDP 192.0.2.1:5683", "last_seen": 940.0}
    return row | {"waiting_down": 0, "waiting_up": 2, "took": 0.25, "enrolled": 1} | more


def lines(shown, width=80, height=24, keys="q quit"):
    console = Console(width=width, height=height, color_system=None)
    with console.capture() as capture:
        console.print(shown.screen(width, height, keys))
    return capture.get().splitlines()


def test_a_screen_of_80_by_24_has_it_all():
    found = lines(Shown(state(), [device(f"meter-{number}@example.org") for number in range(50)]))
    assert len(found) <= 24 and all(len(line) <= 80 for line in found)
    text = "\n".join(found)
    assert "gateway@example.org" in found[0] and "running 10 min" in found[0]
    assert "NOT REGISTERED; 7 wait, the oldest 3 min" in text
    assert "5 registered, 9 enrolled, 1 revoked; 3 messages for 2 wait" in text
    assert "12 stored this minute, 11 the last; delivered in 12 ms, 99 % in 3 s" in text
    assert "meter-0@example.org" in text or "meter-0@exampl" in text
    assert "60 s" in text and "250 ms" in text
    assert found[-1].strip() == "q quit"


def test_serial_ports_have_a_line_and_those_that_are_not_open_are_first():
    shown = Shown(state(), [device(f"meter-{number}@example.org") for number in range(50)])
    shown.state["ports"] = [
        {"port": "/dev/ttyUSB0", "state": "open"},
        {"port": "/dev/ttyACM\x1b[1", "state": "missing"},
    ]
    found = lines(shown)
    assert "serial  ttyACM?[1 missing ttyUSB0 open" in found
    assert len(found) <= 24 and found[-1].strip() == "q quit"


def test_a_narrow_and_low_screen_is_none_of_its_business():
    found = lines(Shown(state(), [device("meter@example.org")]), 40, 5)
    assert all(len(line) <= 40 for line in found)


def test_counters_that_move_are_told_by_the_second_and_messages_first():
    before = Shown(state(1000.0, messages_up=10, down_sent=100, down_peers=1, still=5), [])
    shown = Shown(state(1002.0, messages_up=16, down_sent=300, down_peers=9, still=5), [], before)
    assert shown.rates() == [("messages_up", 3.0), ("down_sent", 100.0)]
    assert "messages_up 3  down_sent 100" in "\n".join(lines(shown))
    assert before.rates() == []


def test_a_name_does_not_reach_the_terminal_as_a_command():
    assert plain("a\x1b[2Jb\u202e\n") == "a?[2Jb??"
    text = "\n".join(lines(Shown(state(), [device("\x1b]0;x\x07", link="serial \x1b[31m")])))
    assert "\x1b" not in text and "\x07" not in text


def test_times_are_short():
    told = [span(one) for one in (None, 0, 0.0123, 1.4, 119, 121, 7300, 3 * 86400, -5)]
    assert told == ["", "0 ms", "12 ms", "1 s", "119 s", "2 min", "2 h", "3 d", "0 ms"]


class Client:
    def __init__(self):
        self.asked = []

    def get(self, path, **parameters):
        self.asked.append((path, parameters))
        return {"devices": []} if path == "devices" else state()


def test_keys_sort_filter_and_end():
    client: Any = Client()
    view = View(client, "seen", "")
    assert all(view.press(key) for key in "s/qa\x7fb")
    assert view.footer().startswith("filter: qb_") and view.search == ""
    assert view.press("\r") and view.search == "qb"
    view.look()
    assert client.asked[0] == ("devices", {"sort": "queue", "search": "qb", "most": 200})
    assert "now queue" in view.footer() and "now 'qb'" in view.footer()
    assert all(view.press(key) for key in "/x\x1b") and view.search == "qb"
    assert not view.press("q")
