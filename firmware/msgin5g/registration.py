# Being registered at the next hop up (TS 23.554, 8.2.1 and 8.2.2): how a client keeps its registration at a gateway,
# and a gateway its own at the server.
#
# Once wanted, it is kept: refreshed now and then, done again when the peer has lost it or has fallen silent, with a
# pause that doubles and is never the same for two UEs. Only an explicit refusal of the first attempt ends it.

from . import ticks, wire
from .coap import numbers as coap
from .coap.endpoint import Full
from .resource import failure_cause, request_options

_FIRST_PAUSE = 1000
_LONGEST_PAUSE = 60000


class Registration:
    def __init__(self, coap_client, address, reg, dereg, on_change, refresh=1800):
        # reg, dereg: the request bodies. on_change(registered, cause, now): registered, or not (cause is why, None
        # when contact was lost). refresh: seconds.
        self.registered = False
        self._coap = coap_client
        self._endpoint = coap_client.endpoint
        self._address = address
        self._reg = reg
        self._dereg = dereg
        self._on_change = on_change
        self._refresh = refresh * 1000
        self._wanted = False
        self._ever = False
        self._transfer = None
        self._due = None
        self._failures = 0
        self._endpoint.on_timer.append(self._on_timer)

    def start(self, now):
        self._wanted = True
        self._attempt(now)

    def renew(self, now):
        # The peer does not know this UE any more, or does not answer.
        # When it is not registered already, an attempt is under way or due.
        if self._wanted and self.registered:
            self.registered = False
            self._on_change(False, None, now)
            self._attempt(now)

    def confirm(self, now):
        # Perhaps the peer does not know this UE any more: tell it once more, without doubting it meanwhile.
        if self._wanted and self.registered:
            self._attempt(now)

    def stop(self, on_done, now):
        # on_done(now) when the peer has answered, or does not, or there was nothing to end.
        registered = self.registered
        self._wanted = self.registered = False
        self._due = None
        if self._transfer:
            self._transfer.cancel(now)
            self._transfer = None
        if not registered:
            on_done(now)
            return
        try:
            self._post(self._dereg, lambda response, now: on_done(now), now)
        except Full:
            on_done(now)

    def _post(self, body, on_response, now):
        return self._coap.request(self._address, coap.POST, request_options(), body, on_response, now)

    def _attempt(self, now):
        self._due = None
        if self._transfer:
            return
        try:
            self._transfer = self._post(self._reg, self._on_response, now)
        except Full:
            self._retry(now)

    def _on_response(self, response, now):
        self._transfer = None
        if not self._wanted:
            return
        if response.success():
            self._failures = 0
            self._ever = True
            # Not all at the same moment: up to a tenth earlier.
            self._arm(self._refresh - self._endpoint.random(self._refresh // 10), now)
            if not self.registered:
                self.registered = True
                self._on_change(True, None, now)
            return
        refused = response.code is not None and response.code >> 5 == 4 and response.code != wire.OVERLOADED
        self.registered = False
        if refused and not self._ever:
            self._wanted = False
        else:
            self._retry(now, response.max_age)
        self._on_change(False, failure_cause(response) if refused else None, now)

    def _retry(self, now, at_least=0):
        pause = min(_FIRST_PAUSE << min(self._failures, 10), _LONGEST_PAUSE)
        self._failures += 1
        pause = max(pause, min(at_least, 3600) * 1000)
        self._arm(pause + self._endpoint.random(pause >> 1), now)

    def _arm(self, pause, now):
        self._due = ticks.add(now, pause)
        self._endpoint.arm(self._due)

    def _on_timer(self, now):
        if self._due is None:
            return
        if ticks.diff(self._due, now) <= 0:
            self._attempt(now)
        else:
            self._endpoint.arm(self._due)
