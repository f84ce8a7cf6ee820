# Being registered at the next hop up (TS 23.554, 8.2.1 and 8.2.2): how a client keeps its registration at a gateway,
# and a gateway its own at the server.
#
# Once wanted, it is kept: refreshed now and then, done again when the peer has lost it or has fallen silent, with a
# pause that doubles and is never the same for two UEs. Only an explicit refusal of the first attempt ends it.
#
# A gateway may answer that it registers several UEs at once, later (8.2.7): then the result comes in a request of its
# own, or is asked for when it is due.

from . import ticks, wire
from .coap import numbers as coap
from .coap.endpoint import Full
from .resource import failure_cause, request_options, told

_FIRST_PAUSE = 1000
_LONGEST_PAUSE = 60000
# A peer that has lost this UE once more within so many ms is given a pause.
_CALM = 120000
# A result that was expected by now is asked for after so many ms; one that is expected later than that, earlier.
_RESULT_LATE = 10000
_LONGEST_WAIT = 3600


class Registration:
    def __init__(
        self,
        coap_client,
        address,
        reg,
        dereg,
        on_change,
        refresh=1800,
        wall_clock=None,
        content_format=coap.JSON,
    ):
        # reg, dereg: the request bodies. on_change(registered, cause, now): registered, or not (cause is why, None
        # when contact was lost). refresh: seconds.
        self.registered = False
        # Where the peer is, and what it is told; both may be changed.
        self.address = address
        self.reg = reg
        # What the last answer said besides, and how many there have been.
        self.answer = {}
        self.answers = 0
        self.on_answer = None
        self._coap = coap_client
        self._endpoint = coap_client.endpoint
        self._dereg = dereg
        self._content_format = content_format
        # Seconds since 1970, None while they are not known.
        self._wall_clock = wall_clock or _no_clock
        self._on_change = on_change
        self._refresh = refresh * 1000
        self._wanted = False
        self._ever = False
        self._transfer = None
        self._ended = True
        self._due = None
        self._failures = 0
        # How often it was renewed lately, and when last.
        self._renewals = 0
        self._renewed = 0
        self._endpoint.on_timer.append(self._on_timer)

    def start(self, now):
        self._wanted = True
        self._attempt(now)

    def renew(self, now):
        # The peer does not know this UE any more, or does not answer.
        # When it is not registered already, an attempt is under way or due.
        if not (self._wanted and self.registered):
            return
        if ticks.age(self._renewed, now) > _CALM:
            self._renewals = 0
        self._renewed = now
        self._renewals += 1
        self.registered = False
        self._on_change(False, None, now)
        if self._renewals == 1:
            self._attempt(now)
        else:
            # It registers whoever asks, and knows nobody: not as fast as it answers.
            self._failures = self._renewals - 2
            self._retry(now)

    def confirm(self, now):
        # Perhaps the peer does not know this UE any more: tell it once more, without doubting it meanwhile.
        if self._wanted and self.registered:
            self._attempt(now)

    def move(self, address, now):
        # From here on at another peer.
        self.address = address
        self._failures = 0
        self._due = None
        wanted = self._wanted
        self._give_up_transfer(now)
        self._wanted = wanted
        if not wanted:
            return
        if self.registered:
            self.registered = False
            self._on_change(False, None, now)
        self._attempt(now)

    def stop(self, on_done, now):
        # on_done(now) when the peer has answered, or does not, or there was nothing to end.
        registered = self.registered
        self.registered = False
        self._due = None
        self._give_up_transfer(now)
        if not registered:
            on_done(now)
            return
        try:
            self._post(self._dereg, lambda response, now: on_done(now), now)
        except Full:
            on_done(now)

    def _give_up_transfer(self, now):
        self._wanted = False
        if self._transfer:
            self._transfer.cancel(now)
            self._transfer = None

    def _post(self, body, on_response, now):
        options = request_options(content_format=self._content_format)
        return self._coap.request(self.address, coap.POST, options, body, on_response, now)

    def _attempt(self, now):
        self._due = None
        if self._transfer:
            return
        self._ended = False
        try:
            transfer = self._post(self.reg, self._on_response, now)
        except Full:
            self._retry(now)
            return
        # What can't be protected has ended by now.
        if not self._ended:
            self._transfer = transfer

    def _on_response(self, response, now):
        self._transfer = None
        self._ended = True
        if not self._wanted:
            return
        # Should there be no memory for the answer.
        self._arm(_LONGEST_PAUSE, now)
        if response.success():
            self.take_result(told(response), now)
            return
        refused = response.code is not None and response.code >> 5 == 4 and response.code != wire.OVERLOADED
        self._failed(failure_cause(response) if refused else None, now, response.max_age)

    def take_result(self, elements, now):
        # What the peer has decided, in its answer or in a request that came later.
        if not self._wanted:
            return
        self.answer = elements
        self.answers += 1
        if self.on_answer:
            self.on_answer()
        result = elements.get(wire.REGISTRATION_RESULT)
        cause = elements.get(wire.FAILURE_CAUSE)
        if cause or result == wire.REGISTRATION_FAILED:
            self._failed(cause or result, now)
        elif result is None and elements.get(wire.EXPECTED_REGISTRATION_TIME) and not self.registered:
            self._arm(self._until_expected(elements), now)
        else:
            self._failures = 0
            self._ever = True
            # Not all at the same moment: up to a tenth earlier.
            self._arm(self._refresh - self._endpoint.random(self._refresh // 10), now)
            if not self.registered:
                self.registered = True
                self._on_change(True, None, now)

    def _until_expected(self, elements):
        # Milliseconds.
        from . import rfc3339

        wall = self._wall_clock()
        try:
            seconds = rfc3339.parse(elements[wire.EXPECTED_REGISTRATION_TIME]) - wall if wall else 0
        except ValueError:
            seconds = 0
        return max(0, min(seconds, _LONGEST_WAIT)) * 1000 + _RESULT_LATE

    def _failed(self, cause, now, at_least=0):
        # cause: the peer has refused; None: it has not answered, or can't now.
        self.registered = False
        self._due = None
        if cause and not self._ever:
            self._wanted = False
        else:
            self._retry(now, at_least)
        self._on_change(False, cause, now)

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


def _no_clock():
    return None
