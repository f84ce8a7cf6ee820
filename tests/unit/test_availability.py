# When a UE can be spoken to, from the Communication Availability of its Client Profile.

from msgin5g import availability, messages, rfc3339, wire

START = 1800000000
DAY = 86400


def schedule(duration=60, interval=3600, periodic=True, start=START):
    given = {
        wire.SCHEDULED_COMMUNICATION_TIME: rfc3339.format(start),
        wire.COMMUNICATION_DURATION_TIME: duration,
        wire.PERIODIC_INDICATOR: periodic,
        wire.PERIODIC_INTERVAL: interval,
    }
    return {element: value for element, value in given.items() if value is not None}


def test_before_the_first_window():
    assert availability.open_at(schedule(), START - 1) == (False, START)
    assert availability.open_at(schedule(), START - 1000 * DAY) == (False, START)


def test_windows_come_again():
    for number in (0, 1, 2, 24 * 365):
        begin = START + number * 3600
        assert availability.open_at(schedule(), begin) == (True, begin + 60)
        assert availability.open_at(schedule(), begin + 59) == (True, begin + 60)
        assert availability.open_at(schedule(), begin + 60) == (False, begin + 3600)
        assert availability.open_at(schedule(), begin + 3599) == (False, begin + 3600)


def test_from_one_change_to_the_next_it_is_the_other():
    at = START - 5
    states = []
    for _ in range(6):
        is_open, at = availability.open_at(schedule(), at)
        states.append(is_open)
    assert states == [False, True, False, True, False, True]


def test_an_interval_alone_is_periodic():
    assert availability.open_at(schedule(periodic=None), START + 100) == (False, START + 3600)


def test_a_single_window_closes_until_it_begins_and_not_for_good():
    for once in (schedule(periodic=False), schedule(interval=None), schedule(duration=None)):
        assert availability.open_at(once, START - 1) == (False, START)
        assert availability.open_at(once, START) == (True, None)
        assert availability.open_at(once, START + DAY) == (True, None)


def test_a_fraction_of_a_second_before_the_change():
    assert availability.open_at(schedule(start=1000), 999.5) == (False, 1000)
    assert availability.open_at(schedule(start=1000), 1059.5) == (True, 1060)


def test_a_time_with_an_offset():
    given = schedule()
    given[wire.SCHEDULED_COMMUNICATION_TIME] = "1970-01-01T02:00:00+01:00"
    assert availability.open_at(given, 0) == (False, 3600)


def test_what_makes_no_sense_closes_nothing():
    for bad in (
        {},
        {wire.PERIODIC_INTERVAL: 3600},
        {wire.SCHEDULED_COMMUNICATION_TIME: ""},
        {wire.SCHEDULED_COMMUNICATION_TIME: "noon"},
        {wire.SCHEDULED_COMMUNICATION_TIME: "2027-02-30T00:00:00Z"},
        schedule(duration=0),
        schedule(duration=-1),
        schedule(interval=0),
        schedule(interval=-3600),
        schedule(duration=3600),
        schedule(duration=10**30),
        schedule(duration=1 << 62, interval=(1 << 62) - 1),
    ):
        assert availability.open_at(bad, START + 100) == (True, None), bad


def test_an_interval_of_ages():
    assert availability.open_at(schedule(interval=1 << 62), START + 100) == (False, START + (1 << 62))


def test_storing_is_wanted_unless_it_is_not():
    assert availability.wants_storing({})
    assert availability.wants_storing({wire.STORE_AND_FORWARD_OPTION: True})
    assert not availability.wants_storing({wire.STORE_AND_FORWARD_OPTION: False})


def registration(profile):
    return messages.decode(messages.encode(messages.registration("ue1@a", profile)))


def test_what_a_registration_says():
    told = registration({wire.COMMUNICATION_AVAILABILITY: schedule(), wire.SUPPORTED_SEGMENT_SIZE: 512})
    assert availability.open_at(availability.of(told), START + 100) == (False, START + 3600)
    assert availability.segment_size(told) == 512


def test_a_registration_that_says_nothing():
    for told in (registration(None), registration({wire.SUPPORTED_SEGMENT_SIZE: -1})):
        assert availability.of(told) is None
        assert availability.segment_size(told) is None
