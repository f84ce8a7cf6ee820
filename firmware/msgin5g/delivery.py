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
# send(hop, item, done, now) starts one transmission and must call done(verdict, now) exactly once.

from . import ticks

# Verdicts: it need not be sent again; it must, after a pause; it must, now that what was in the way is not any more.
DONE = 0
LATER = 1
AGAIN = 2

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


class Hop:
    def __init__(self, name):
        self.name = name
        # originator -> its items, oldest first; those of them with nothing under way; how many are under way.
        self.lanes = {}
        self.ready = []
        self.under_way = 0
        self.loaded = 0
        # The store may hold more, behind last_key.
        self.more = True
        self.last_key = -1
        self.paused_until = None
        self.failures = 0


class Delivery:
    def __init__(self, endpoint, store, send, wall_clock, most_under_way=1, most_loaded=16):
        self._endpoint = endpoint
        self._store = store
        self._send = send
        # Seconds since 1970, None while the time of day is not known.
        self._wall_clock = wall_clock
        self._most_under_way = most_under_way
        self._most_loaded = most_loaded
        self._hops = {}
        # Those that are paused: a timer looks at no others, and there may be very many.
        self._paused = {}
        # key -> how often it is under way
        self._under_way = {}
        endpoint.on_timer.append(self._on_timer)

    def add(self, item, now):
        # The item has just been stored. When nothing older waits in the store it need not be read back.
        hop = self._hops.get(item.hop)
        if hop is None:
            self.resume(item.hop, now)
        elif not hop.more and hop.loaded < self._most_loaded:
            self._load(hop, item)
            self._pump(hop, now)
        else:
            hop.more = True

    def resume(self, name, now):
        # The hop gave a sign of life, or a reason to try: send what is stored for it.
        hop = self._hops.get(name)
        if hop is None:
            hop = self._hops[name] = Hop(name)
        self._end_pause(hop)
        hop.failures = 0
        self._pump(hop, now)

    def waiting(self, name):
        # Is the hop paused, after it did not answer?
        hop = self._hops.get(name)
        return hop is not None and hop.paused_until is not None

    def under_way(self, item):
        # Has it been sent, with the outcome still open? Then it has not expired, whatever the clock says.
        return item.key in self._under_way

    def forget(self, name):
        # The hop is gone: what is stored for it stays stored.
        self._paused.pop(name, None)
        self._hops.pop(name, None)

    def _pump(self, hop, now):
        while hop.paused_until is None and self._hops.get(hop.name) is hop:
            if hop.more and hop.loaded <= self._most_loaded >> 1:
                self._refill(hop)
            if not hop.ready or hop.under_way >= self._most_under_way:
                return
            originator = hop.ready.pop(0)
            self._start(hop, originator, hop.lanes[originator][0], now)

    def _refill(self, hop):
        wanted = self._most_loaded - hop.loaded
        items = self._store.pending(hop.name, hop.last_key, wanted)
        hop.more = len(items) == wanted
        for item in items:
            self._load(hop, item)

    def _load(self, hop, item):
        hop.last_key = item.key
        hop.loaded += 1
        lane = hop.lanes.get(item.originator)
        if lane is None:
            hop.lanes[item.originator] = [item]
            hop.ready.append(item.originator)
        else:
            lane.append(item)

    def _start(self, hop, originator, item, now):
        wall = self._wall_clock()
        if item.expires is not None and wall is not None and item.expires <= wall:
            # Whoever watches expiry removes it from the store and tells the originator.
            self._unload(hop, originator)
            return
        hop.under_way += 1
        self._under_way[item.key] = self._under_way.get(item.key, 0) + 1
        self._send(hop.name, item, lambda verdict, now: self._done(hop, originator, item, verdict, now), now)

    def _done(self, hop, originator, item, verdict, now):
        hop.under_way -= 1
        times = self._under_way.pop(item.key) - 1
        if times:
            self._under_way[item.key] = times
        if verdict == DONE:
            self._store.remove(item)
        if self._hops.get(hop.name) is not hop:
            # Forgotten meanwhile.
            return
        if verdict == DONE:
            hop.failures = 0
            self._unload(hop, originator)
        else:
            hop.ready.append(originator)
            if verdict == LATER:
                self._pause(hop, now)
        self._pump(hop, now)

    def _unload(self, hop, originator):
        lane = hop.lanes[originator]
        lane.pop(0)
        hop.loaded -= 1
        if lane:
            hop.ready.append(originator)
        else:
            del hop.lanes[originator]

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
