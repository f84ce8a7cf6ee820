# Which of a gateway's clients listen now (TS 23.554, 8.2.1: Communication Availability). What is for the others waits.
#
# A UE with a schedule listens in its windows, and for a while after each sign of life. One that was told that nothing
# waits for it sleeps from that moment on, until its next window or sign of life (see sleep.py for its side).

# Seconds after a sign of life: as long as a client drains at most.
_AWAKE = 120


class Sleepers:
    def __init__(self, wall_clock, resume):
        # wall_clock() -> seconds since 1970 or None; resume(ue, now): it listens now.
        self._wall_clock = wall_clock
        self._resume = resume
        # UE Service ID -> until when: it sleeps, having been told that nothing waits; it is awake outside its windows.
        self._asleep = {}
        self._awake = {}
        # When a window opens that something waits for.
        self._opens = {}

    def __len__(self):
        # How many something waits for.
        return len(self._opens)

    def listens(self, entry):
        until = self.sleeps(entry)
        if until is None:
            return True
        self._opens[entry.ue_service_id] = until
        return False

    def sleeps(self, entry):
        # Until when; None when it listens.
        schedule = entry.said()[0]
        wall = self._wall_clock()
        if not schedule or wall is None:
            return None
        until = self._asleep.get(entry.ue_service_id)
        if until is None or until <= wall:
            is_open, until = _open_at(schedule, wall)
            if is_open or wall < self._awake.get(entry.ue_service_id, 0):
                return None
        return until

    def refuses(self, entry):
        # Does it want nothing stored that comes while it sleeps (8.2.1, the Store and forward option)?
        schedule = entry.said()[0]
        if not schedule:
            return False
        from .availability import wants_storing

        return not wants_storing(schedule) and not self.listens(entry)

    def heard(self, entry, now):
        # A sign of life.
        if not entry.said()[0]:
            return
        wall = self._wall_clock()
        if wall is None:
            return
        ue = entry.ue_service_id
        self._awake[ue] = wall + _AWAKE
        self._asleep.pop(ue, None)
        if self._opens.pop(ue, None) is not None:
            self._resume(ue, now)

    def silent(self, entry):
        # It did not answer: outside its windows it sleeps already.
        self._awake.pop(entry.ue_service_id, None)

    def told_nothing_waits(self, entry):
        schedule = entry.said()[0]
        wall = self._wall_clock()
        if not schedule or wall is None:
            return
        is_open, change = _open_at(schedule, wall)
        if is_open and change is not None:
            change = _open_at(schedule, change)[1]
        if change is not None:
            self._awake.pop(entry.ue_service_id, None)
            self._asleep[entry.ue_service_id] = change

    def forget(self, ue):
        for table in (self._asleep, self._awake, self._opens):
            table.pop(ue, None)

    def clock_jumped(self, now):
        # What was known is about another time of day. Who is thought to listen and does not is found out at once.
        self._asleep.clear()
        self._awake.clear()
        opens = list(self._opens)
        self._opens.clear()
        for ue in opens:
            self._resume(ue, now)

    def pass_time(self, now):
        # To be called every second.
        wall = self._wall_clock()
        if wall is None:
            return
        for ue, opens in list(self._opens.items()):
            if opens <= wall:
                del self._opens[ue]
                self._resume(ue, now)


def _open_at(schedule, wall):
    # Loaded with the first schedule.
    from .availability import open_at

    return open_at(schedule, wall)
