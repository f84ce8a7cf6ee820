"""How the page says ages, durations and counters, and its small pictures."""

import re

import pytest

from host_tools.gateway.page import pictures, words


@pytest.mark.parametrize(
    ("seconds", "said"),
    [(-5, "now"), (9, "now"), (25, "20 s ago"), (60, "1 min ago"), (7199, "119 min ago"), (7200, "2 h ago")],
)
def test_an_age(seconds, said):
    assert words.age(1000.0, 1000.0 + seconds) == said


def test_an_age_that_is_not_known():
    assert words.age(None) == "–"


@pytest.mark.parametrize(
    ("seconds", "said"),
    [
        (None, "–"),
        (0.0, "1 ms"),
        (0.132, "132 ms"),
        (1.0, "1.0 s"),
        (59.9, "59.9 s"),
        (90, "1 min"),
        (3 * 86400, "3 d"),
    ],
)
def test_a_duration(seconds, said):
    assert words.duration(seconds) == said


def test_counters_are_grouped_by_what_they_are_about():
    counters = {
        "clients": 1,
        "clients_bad_messages": 2,
        "registered": 3,
        "store_full": 4,
        "up_sent": 5,
        "down_sent": 6,
        "something_new": 7,
    }
    assert words.grouped(counters) == {
        "Store": {"store_full": 4},
        "Registration and configuration": {"clients": 1, "registered": 3},
        "Link to devices": {"down_sent": 6},
        "Link to the server": {"up_sent": 5},
        "What clients asked": {"clients_bad_messages": 2},
        "Everything else": {"something_new": 7},
    }
    assert [words.plain(name) for name in ("down_sent", "clients", "refused_by_server")] == [
        "sent",
        "clients",
        "refused by server",
    ]


def test_a_bar_shows_little_and_much():
    def width(waiting):
        return int(re.findall(r'class="full" width="(\d+)"', pictures.bar(waiting, 10_000))[0])

    assert width(0) == 0 < width(1) < width(10) < width(1000) < width(10_000) == width(10**6) == 100


def test_a_sparkline_says_what_it_shows():
    picture = pictures.sparkline([0, 4, 2], [0, 1, 8])
    assert "2 up and 8 down in this one, at most 8 in the last hour" in picture
    assert '<polyline class="down" points="0.0,47.0 120.0,41.5 240.0,3.0"/>' in picture
    assert "nan" not in pictures.sparkline([0, 0], [0, 0])
