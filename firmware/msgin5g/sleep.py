# Sleeping between wake windows (TS 23.554, 8.2.1 and 8.9): the Client Profile of the registration has told gateway and
# server when this UE listens, and they keep what is for it until then.
#
#     while True:
#         await sleep.drain()        both ways, until the gateway says that it has nothing more
#         sleep.until_window()
#
# Nobody listens for this UE from the moment on when it was told that there is nothing more: what arrives at the gateway
# after that waits for the next window.

from . import availability, ticks, wire

# Messages that were promised and do not come are asked for again after so many ms.
_PROMISE = 5000
_MOST_DRAIN = 120000


class Sleep:
    def __init__(self, ue, schedule, wall_clock, machine, early=3):
        # schedule: the Communication Availability as in the Client Profile. machine: has deepsleep(ms) and
        # lightsleep(ms). early: seconds to be awake before a window begins.
        self.counters = {"drained": 0, "not_drained": 0, "slept": 0}
        self._ue = ue
        self._schedule = schedule
        self._wall_clock = wall_clock
        self._machine = machine
        self._early = early
        self._due = None
        ue.registration.on_answer = ue.changed.set
        ue.endpoint.on_timer.append(self._on_timer)

    async def drain(self, most=_MOST_DRAIN):
        # True: everything stored here has been accepted, and the gateway has nothing more. False: not in `most` ms.
        # The application has to receive() meanwhile.
        ue = self._ue
        end = ticks.add(ue.link.now(), most)
        promised = answers = patience = None
        while True:
            now = ue.link.now()
            if ticks.diff(end, now) <= 0:
                self.counters["not_drained"] += 1
                return False
            if not ue.registered or not ue.outbox.empty():
                # Whatever was said before may not hold any more.
                promised = answers = None
                self._wake_at(end)
            elif answers is None:
                answers = ue.registration.answers
                ue.registration.confirm(now)
                ue.link.flush()
                self._wake_at(end)
            elif ue.registration.answers != answers and promised is None:
                waiting = ue.registration.answer.get(wire.MESSAGES_WAITING, 0)
                if waiting <= 0:
                    self.counters["drained"] += 1
                    return True
                promised = ue.inbox.arrived + waiting
                patience = ticks.add(now, _PROMISE)
                self._wake_at(patience)
                continue
            elif promised is not None and (
                ue.inbox.arrived >= promised or ticks.diff(patience or now, now) <= 0
            ):
                promised = answers = None
                continue
            await ue.change()

    def until_window(self, deep=False):
        # The next one, when this one has not ended yet. After a deep sleep the board starts anew, with what its store
        # holds; after a light one the link finds out for itself what has become of its network.
        pause = self._milliseconds_to_next_window()
        self._ue.store.commit()
        self.counters["slept"] += 1
        if deep:
            self._ue.close()
            self._machine.deepsleep(pause)
        else:
            self._machine.lightsleep(pause)

    def _milliseconds_to_next_window(self):
        wall = self._wall_clock()
        if wall is None:
            return 0
        is_open, change = availability.open_at(self._schedule, wall)
        if is_open and change is not None:
            is_open, change = availability.open_at(self._schedule, change)
        return max(0, int(change - wall - self._early)) * 1000 if change is not None else 0

    def _wake_at(self, due):
        self._due = due
        self._ue.endpoint.arm(due)

    def _on_timer(self, now):
        if self._due is None:
            return
        if ticks.diff(self._due, now) <= 0:
            self._due = None
            self._ue.changed.set()
        else:
            self._ue.endpoint.arm(self._due)
