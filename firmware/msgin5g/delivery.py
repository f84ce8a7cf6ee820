# Store and forward towards the next hop: what a store holds is sent until it is accepted, refused or expired.
#
# A hop is where a message goes next: a UE, an Application Server, or (for a gateway and a client) the one above.
# Within a hop, messages of one originator travel one after the other, in the order they were stored; different
# originators travel side by side. A hop that does not answer is left alone for a while that doubles each time,
# and is tried at once when it gives a sign of life. The store is the truth: what is in memory is a window on it.
#
# A hop that was forgotten and resumed sends what is under way once more: its peer may be at another address now, and
# whoever gets a message twice knows it. What was sent before counts only when it is accepted after all.
#
# Messages of a higher priority overtake those of a lower one; within a priority the order is kept.
#
# send(hop, item, done, now) starts one transmission and must call done(verdict, now) exactly once. Where several
# messages may travel as one, gather(items, now) says how many of the first ones do, and send() gets a list of them;
# 0 lets them wait until somebody calls pump().

from . import ticks

# Verdicts: it need not be sent again; it must, after a pause; it must, now that what was in the way is not any more;
# it need not, but stays in the store until release().
DONE = 0
LATER = 1
AGAIN = 2
KEPT = 3

# Priorities (the Priority type of a message): lower goes first.
HIGH = 0
MIDDLE = 1
LOW = 2

_FIRST_PAUSE = 1000
_LONGEST_PAUSE = 60000


class Item:
    # A stored message on its way to one hop. body is what goes on the wire; key is the store's.

    # Whoever sends it has asked for another attempt at once.
    again = False
    # What is in its body, kept by whoever has read it and will need it again.
    elements = None

    def __init__(
        self,
        key,
        hop,
        originator,
        kind,
        message_id,
        body,
        expires=None,
        report=False,
        priority=MIDDLE,
        segment=0,
    ):
        self.key = key
        self.hop = hop
        self.originator = originator
        self.kind = kind
        self.message_id = message_id
        self.body = body
        # Seconds since 1970, None for never.
        self.expires = expires
        # The originator wants a delivery status report.
        self.report = report
        self.priority = priority
        # 0 when the message is not segmented.
        self.segment = segment


class Window:
    # What is in memory of the messages of one priority for a hop.
    def __init__(self, priority):
        self.priority = priority
        # originator -> its items, oldest first; those of them with nothing under way.
        self.lanes = {}
        self.ready = []
        self.loaded = 0
        # The store may hold more, behind last_key.
        self.more = True
        self.last_key = -1


class Hop:
    def __init__(self, name):
        self.name = name
        # () while nothing waits, in the store neither.
        self.windows = _windows()
        self.under_way = 0
        self.paused_until = None
        self.failures = 0

    def window(self, priority):
        if not self.windows:
            self.windows = _windows()
            for window in self.windows:
                window.more = False
        return self.windows[priority]

    def rest(self):
        # There may be very many hops, and nothing waits for most of them.
        for window in self.windows:
            if window.lanes or window.more:
                return
        self.windows = ()


def _windows():
    return Window(HIGH), Window(MIDDLE), Window(LOW)


class Delivery:
    def __init__(self, endpoint, store, send, wall_clock, most_under_way=1, most_loaded=16, gather=None):
        self._endpoint = endpoint
        self._store = store
        self._send = send
        # Seconds since 1970, None while the time of day is not known.
        self._wall_clock = wall_clock
        self._most_under_way = most_under_way
        # Of one hop and priority, in memory. May be changed.
        self.most_loaded = most_loaded
        self._gather = gather
        self._hops = {}
        # Those that are paused: a timer looks at no others, and there may be very many.
        self._paused = {}
        # key -> how often it is under way
        self._under_way = {}
        # The latest that the clock has said when something was passed over as expired.
        self.passed_over = 0
        # Keys of those that the hop has accepted and that are kept all the same.
        self._kept = set()
        endpoint.on_timer.append(self._on_timer)

    def add(self, item, now):
        # The item has just been stored. When nothing older waits in the store it need not be read back.
        hop = self._hops.get(item.hop)
        if hop is None:
            self.resume(item.hop, now)
            return
        window = hop.window(item.priority)
        if not window.more and window.loaded < self.most_loaded:
            self._load(window, item)
            self._pump(hop, now)
        else:
            window.more = True

    def resume(self, name, now):
        # The hop gave a sign of life, or a reason to try: send what is stored for it.
        hop = self._hops.get(name)
        if hop is None:
            hop = self._hops[name] = Hop(name)
        self._end_pause(hop)
        hop.failures = 0
        self._pump(hop, now)

    def pump(self, name, now):
        # What gather() let wait need not wait any more.
        hop = self._hops.get(name)
        if hop is not None:
            self._pump(hop, now)

    def waiting(self, name):
        # Is the hop paused, after it did not answer?
        hop = self._hops.get(name)
        return hop is not None and hop.paused_until is not None

    def silent(self, name):
        # Has the hop not answered the last time?
        hop = self._hops.get(name)
        return hop is not None and hop.failures > 0

    def under_way(self, item):
        # Has it been sent, with the outcome still open? Then it has not expired, whatever the clock says.
        return item.key in self._under_way or item.key in self._kept

    def forget(self, name):
        # The hop is gone: what is stored for it stays stored.
        self._paused.pop(name, None)
        self._hops.pop(name, None)

    def release(self, item):
        # One that was KEPT.
        self._kept.discard(item.key)
        self._store.remove(item)

    def discard(self, item):
        # Whoever takes an item that is not under way out of the store says so here.
        hop = self._hops.get(item.hop)
        if hop is None:
            return
        window = hop.window(item.priority)
        lane = window.lanes.get(item.originator, [])
        for one in lane:
            if one.key == item.key:
                lane.remove(one)
                window.loaded -= 1
                if not lane:
                    del window.lanes[item.originator]
                    window.ready.remove(item.originator)
                return

    def _pump(self, hop, now):
        try:
            while (
                hop.paused_until is None
                and hop.under_way < self._most_under_way
                and self._hops.get(hop.name) is hop
                and self._start_next(hop, now)
            ):
                pass
            if not hop.under_way:
                hop.rest()
        except Exception as error:
            # No memory, or a store that can't be read now.
            self._failed(error)
            self._pause(hop, now)

    def _failed(self, error):
        self._endpoint.counters["callback_errors"] += 1
        self._endpoint.on_error(error)

    def _start_next(self, hop, now):
        for window in hop.windows:
            if window.more and window.loaded <= self.most_loaded >> 1:
                self._refill(hop, window)
            if not window.ready:
                continue
            for originator in window.ready:
                lane = window.lanes[originator]
                count = self._gather(lane, now) if self._gather else 1
                if count:
                    window.ready.remove(originator)
                    self._start(hop, window, originator, lane[:count], now)
                    return True
        return False

    def _refill(self, hop, window):
        wanted = self.most_loaded - window.loaded
        items = self._store.pending(hop.name, window.last_key, wanted, window.priority)
        window.more = len(items) == wanted
        for item in items:
            self._load(window, item)

    def _load(self, window, item):
        window.last_key = item.key
        if item.key in self._kept:
            return
        window.loaded += 1
        lane = window.lanes.get(item.originator)
        if lane is None:
            window.lanes[item.originator] = [item]
            window.ready.append(item.originator)
        else:
            lane.append(item)

    def _start(self, hop, window, originator, items, now):
        wall = self._wall_clock()
        if wall is not None:
            for item in items:
                if item.expires is not None and item.expires <= wall:
                    # Whoever watches expiry removes it from the store and tells the originator.
                    self.passed_over = max(self.passed_over, wall)
                    self._unload(window, originator, (item,))
                    return
        hop.under_way += 1
        for item in items:
            self._under_way[item.key] = self._under_way.get(item.key, 0) + 1
        over = False

        def done(verdict, now):
            nonlocal over
            if not over:
                over = True
                self._done(hop, window, originator, items, verdict, now)

        try:
            self._send(hop.name, items[0] if len(items) == 1 else items, done, now)
        except Exception as error:
            # No memory, most likely: what else waits for this hop goes out all the same.
            self._failed(error)
            done(LATER, now)

    def _done(self, hop, window, originator, items, verdict, now):
        hop.under_way -= 1
        for item in items:
            times = self._under_way.pop(item.key) - 1
            if times:
                self._under_way[item.key] = times
            if verdict == DONE:
                self._store.remove(item)
            elif verdict == KEPT:
                self._kept.add(item.key)
        if self._hops.get(hop.name) is not hop:
            # Forgotten meanwhile.
            return
        if verdict in (DONE, KEPT):
            hop.failures = 0
            self._unload(window, originator, items)
        else:
            window.ready.append(originator)
            if verdict == LATER:
                self._pause(hop, now)
        self._pump(hop, now)

    def _unload(self, window, originator, items):
        # Their lane may be ready again.
        lane = window.lanes[originator]
        window.loaded -= len(items)
        if len(lane) == len(items):
            # Nothing was added meanwhile, as nearly always.
            del window.lanes[originator]
            return
        for item in items:
            lane.remove(item)
        window.ready.append(originator)

    def _pause(self, hop, now):
        if hop.paused_until is not None:
            return
        pause = min(_FIRST_PAUSE << min(hop.failures, 10), _LONGEST_PAUSE)
        hop.failures += 1
        # Up to a quarter more, so that many who lost the same peer do not come back at the same moment.
        hop.paused_until = ticks.add(now, pause + self._endpoint.random(pause >> 2))
        self._paused[hop.name] = hop
        self._endpoint.arm(hop.paused_until)

    def _end_pause(self, hop):
        hop.paused_until = None
        self._paused.pop(hop.name, None)

    def _on_timer(self, now):
        for hop in list(self._paused.values()):
            if hop.paused_until is None:
                # Resumed by what another one brought about.
                continue
            if ticks.diff(hop.paused_until, now) <= 0:
                self._end_pause(hop)
                self._pump(hop, now)
            else:
                self._endpoint.arm(hop.paused_until)
