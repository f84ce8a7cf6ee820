# Ticks wrap, and nothing notices.

from msgin5g import ticks


def test_differences_across_the_wrap():
    for start in (0, 1000, ticks.PERIOD - 5, ticks.PERIOD // 2):
        end = ticks.add(start, 10)
        assert 0 <= end < ticks.PERIOD
        assert ticks.diff(end, start) == 10
        assert ticks.diff(start, end) == -10
        assert ticks.diff(start, start) == 0


def test_differences_up_to_three_days():
    days = 3 * 86400 * 1000
    for start in (0, ticks.PERIOD - 1):
        assert ticks.diff(ticks.add(start, days), start) == days
        assert ticks.diff(start, ticks.add(start, days)) == -days


def test_age_up_to_six_days():
    days = 6 * 86400 * 1000
    for start in (0, ticks.PERIOD - 1):
        assert ticks.age(start, ticks.add(start, days)) == days
        assert ticks.age(start, start) == 0


def test_a_difference_of_two_values_is_a_small_int_on_a_32_bit_board():
    assert ticks.PERIOD * 2 <= 1 << 30
