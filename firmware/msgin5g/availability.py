# When a UE can be spoken to, as it has said in its registration (TS 23.554, 8.2.1): the Communication Availability of
# the Client Profile as windows in time. Times are in seconds, durations and intervals too.

from . import rfc3339, wire


def of(registration):
    # The Communication Availability in the elements of a registration; None where it says nothing.
    profile = registration.get(wire.CLIENT_PROFILE)
    return profile.get(wire.COMMUNICATION_AVAILABILITY) if profile else None


def open_at(schedule, seconds):
    # schedule: what of() found. Returns whether a window is open at a time, in seconds since 1970, and when that
    # changes; None for never. What does not say when a window ends or when the next one begins closes nothing: whoever
    # is thought away for good gets nothing any more.
    try:
        start = rfc3339.parse(schedule[wire.SCHEDULED_COMMUNICATION_TIME])
    except (KeyError, ValueError):
        return True, None
    since = int(seconds) - start
    if since < 0:
        return False, start
    duration = schedule.get(wire.COMMUNICATION_DURATION_TIME, 0)
    interval = schedule.get(wire.PERIODIC_INTERVAL, 0) if schedule.get(wire.PERIODIC_INDICATOR, True) else 0
    if not 0 < duration < interval:
        return True, None
    begun = start + since // interval * interval
    if since % interval < duration:
        return True, begun + duration
    return False, begun + interval


def wants_storing(schedule):
    # Shall what comes for it meanwhile be stored? Only a plain no is one.
    return schedule.get(wire.STORE_AND_FORWARD_OPTION) is not False


def segment_size(registration):
    # The octets of payload in one segment that it supports; None where it says nothing of use.
    profile = registration.get(wire.CLIENT_PROFILE)
    size = profile.get(wire.SUPPORTED_SEGMENT_SIZE) if profile else None
    return size if size is not None and size > 0 else None
