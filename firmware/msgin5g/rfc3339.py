# Date and time on the wire (RFC 3339) to and from seconds since 1970. MicroPython has no datetime, and its epoch
# differs from port to port, so the calendar is reckoned here.


def parse(text):
    # Seconds since 1970-01-01T00:00:00Z. Raises ValueError for anything that is not a date-time.
    if len(text) < 20 or text[4] != "-" or text[7] != "-" or text[10] not in "Tt " or text[13] != ":":
        raise ValueError("not an RFC 3339 date-time")
    if text[16] != ":":
        raise ValueError("not an RFC 3339 date-time")
    year, month, day = _digits(text, 0, 4), _digits(text, 5, 7), _digits(text, 8, 10)
    hour, minute, second = _digits(text, 11, 13), _digits(text, 14, 16), _digits(text, 17, 19)
    if not (1 <= month <= 12 and 1 <= day <= _month_length(year, month)):
        raise ValueError("no such day")
    if hour > 23 or minute > 59 or second > 60:
        raise ValueError("no such time")
    at = 19
    if text[at] == ".":
        at += 1
        while at < len(text) and text[at] in "0123456789":
            at += 1
        if at == 20:
            raise ValueError("no digits behind the point")
    seconds = ((_days(year, month, day) * 24 + hour) * 60 + minute) * 60 + second
    return seconds - _offset(text[at:])


def format(seconds):
    days, rest = divmod(int(seconds), 86400)
    year, month, day = _date(days)
    return "%04d-%02d-%02dT%02d:%02d:%02dZ" % (
        year, month, day, rest // 3600, rest // 60 % 60, rest % 60,
    )  # fmt: skip


def _digits(text, start, end):
    part = text[start:end]
    for digit in part:
        if digit not in "0123456789":
            raise ValueError("not an RFC 3339 date-time")
    return int(part)


def _offset(zone):
    # "+02:00" -> 7200
    if zone in ("Z", "z"):
        return 0
    if len(zone) != 6 or zone[0] not in "+-" or zone[3] != ":":
        raise ValueError("not an RFC 3339 offset")
    hours, minutes = _digits(zone, 1, 3), _digits(zone, 4, 6)
    if hours > 23 or minutes > 59:
        raise ValueError("not an RFC 3339 offset")
    seconds = (hours * 60 + minutes) * 60
    return -seconds if zone[0] == "-" else seconds


def _month_length(year, month):
    if month == 2:
        return 29 if year % 4 == 0 and (year % 100 or year % 400 == 0) else 28
    return 30 if month in (4, 6, 9, 11) else 31


def _days(year, month, day):
    # Days since 1970-01-01 in the Gregorian calendar. The year is taken to begin in March, so that the leap day
    # is its last and the months before it follow one rule (153 days in five).
    year -= month <= 2
    era, of_era = divmod(year, 400)
    of_year = (153 * (month + (-3 if month > 2 else 9)) + 2) // 5 + day - 1
    return era * 146097 + of_era * 365 + of_era // 4 - of_era // 100 + of_year - 719468


def _date(days):
    era, of_era = divmod(days + 719468, 146097)
    year = (of_era - of_era // 1460 + of_era // 36524 - of_era // 146096) // 365
    of_year = of_era - (365 * year + year // 4 - year // 100)
    march = (5 * of_year + 2) // 153
    month = march + (3 if march < 10 else -9)
    return year + era * 400 + (month <= 2), month, of_year - (153 * march + 2) // 5 + 1
