# Date and time (RFC 3339).

from msgin5g import rfc3339


def refused(text):
    try:
        rfc3339.parse(text)
    except ValueError:
        return True
    return False


def test_both_ways():
    for text, seconds in (
        ("1970-01-01T00:00:00Z", 0),
        ("2000-02-29T12:00:00Z", 951825600),
        ("2030-01-01T00:00:00Z", 1893456000),
        ("2038-01-19T03:14:08Z", 1 << 31),
        ("2100-03-01T00:00:00Z", 4107542400),
        ("9999-12-31T23:59:59Z", 253402300799),
        ("1969-12-31T23:59:59Z", -1),
        ("0001-01-01T00:00:00Z", -62135596800),
    ):
        assert rfc3339.parse(text) == seconds, text
        assert rfc3339.format(seconds) == text, seconds


def test_every_day_of_four_centuries_follows_the_one_before():
    # In steps of 13 days, so that boards are not kept busy.
    seconds = rfc3339.parse("1999-01-01T00:00:00Z")
    for _ in range(400 * 366 // 13):
        assert rfc3339.parse(rfc3339.format(seconds)) == seconds
        seconds += 13 * 86400


def test_offsets_fractions_and_small_letters():
    for text in (
        "2030-01-01T02:00:00+02:00",
        "2029-12-31T18:30:00-05:30",
        "2030-01-01t00:00:00z",
        "2030-01-01 00:00:00Z",
        "2030-01-01T00:00:00.5Z",
        "2030-01-01T00:00:00.999999999Z",
        "2030-01-01T02:00:00.25+02:00",
        "2030-01-01T00:00:00-00:00",
    ):
        assert rfc3339.parse(text) == 1893456000, text


def test_a_leap_second_is_the_next_minute():
    assert rfc3339.parse("2016-12-31T23:59:60Z") == rfc3339.parse("2017-01-01T00:00:00Z")


def test_what_is_no_date_time():
    for text in (
        "",
        "2030",
        "2030-01-01",
        "2030-01-01T00:00:00",
        "2030-01-01T00:00:00.Z",
        "2030-01-01T00:00:00.5",
        "2030-01-01T00:00Z",
        "2030-13-01T00:00:00Z",
        "2030-00-01T00:00:00Z",
        "2030-02-29T00:00:00Z",
        "2100-02-29T00:00:00Z",
        "2030-01-32T00:00:00Z",
        "2030-01-00T00:00:00Z",
        "2030-01-01T24:00:00Z",
        "2030-01-01T00:60:00Z",
        "2030-01-01T00:00:61Z",
        "2030-01-01T00:00:00+24:00",
        "2030-01-01T00:00:00+00:60",
        "2030-01-01T00:00:00+0000",
        "2030-01-01T00:00:00Zulu",
        "2030-01-01X00:00:00Z",
        "+030-01-01T00:00:00Z",
        "2030-1-01T00:00:000Z",
        " 2030-01-01T00:00:0Z",
        "20 0-01-01T00:00:00Z",
        "2030-01-01T00:00:00Z ",
        "tomorrow, at about noon",
    ):
        assert refused(text), text
