# Configuration in bulk (TS 23.554, 8.1.4): what clients ask for within a while goes to the server as one request (a
# FETCH of the collection), and its answers are split. Who has to wait longer than a request can be left open is told
# when to ask again, which is the interim response; its answer is kept until then.

from . import cbor, rfc3339, ticks
from . import wire_configuration as wire
from .coap import numbers as coap
from .coap.client import Response
from .coap.endpoint import Full
from .coap.message import uri_options
from .resource import NOT_NOW, meaning

# Different questions in one request; who asks the same one at the same time; octets of a question.
_MOST = 100
_MOST_ASKERS = 16
_LONGEST = 512
# Seconds that a request is left open.
_OPEN = 10
# A server that does not know this is asked one by one for so long, in ms.
_UNKNOWN_FOR = 3600000


class BulkConfiguration:
    # single(request, now): asks for one by itself. answered(request, response, now): the answer to one, to be kept;
    # request is None where nobody waits for it. unavailable(request, now): there is none.
    def __init__(self, forwarding, endpoint, wall_clock, seconds, counters):
        counters["bulk_configurations"] = 0
        self._forwarding = forwarding
        self._endpoint = endpoint
        self._wall_clock = wall_clock
        self._seconds = seconds
        self._counters = counters
        # path -> query -> the requests that are open
        self._held = {}
        self._count = 0
        self._due = None
        self._unknown_at = None
        endpoint.on_timer.append(self._on_timer)

    def __len__(self):
        return self._count

    def hold(self, request, now):
        # False: it is to be asked for by itself.
        if self._unknown_at is not None:
            if ticks.age(self._unknown_at, now) < _UNKNOWN_FOR:
                return False
            self._unknown_at = None
        if not request.query or len(request.query) > _LONGEST:
            return False
        questions = self._held.setdefault(request.path, {})
        askers = questions.get(request.query)
        if askers is None:
            askers = questions[request.query] = []
            self._count += 1
        elif len(askers) >= _MOST_ASKERS:
            return False
        if self._due is None:
            self._due = ticks.add(now, self._seconds * 1000)
            self._endpoint.arm(self._due)
        if self._seconds <= _OPEN:
            askers.append(request)
        else:
            self._tell_when(request, now)
        if self._count >= _MOST:
            self._send(now)
        return True

    def _tell_when(self, request, now):
        left = max(ticks.diff(self._due, now), 0) // 1000 + 2
        wall = self._wall_clock()
        told = {} if wall is None else {wire.EXPECTED_TIME: rfc3339.format(int(wall) + left)}
        self._forwarding.later(request, cbor.encode(told), left, now)

    def _on_timer(self, now):
        if self._due is None:
            return
        if ticks.diff(self._due, now) > 0:
            self._endpoint.arm(self._due)
        else:
            self._send(now)

    def _send(self, now):
        held, self._held = self._held, {}
        self._count = 0
        self._due = None
        for path, questions in held.items():
            self._ask(path, questions, now)

    def _ask(self, path, questions, now):
        self._counters["bulk_configurations"] += 1
        requests = [{wire.QUERY: query} for query in questions]
        body = cbor.encode({wire.NUMBER: len(requests), wire.REQUESTS: requests})
        options = uri_options(path)
        options.append((coap.CONTENT_FORMAT, coap.CBOR))

        def on_response(response, now):
            if response.code == coap.CONTENT:
                self._split(path, questions, response, now)
            elif meaning(response) == NOT_NOW and response.code != coap.NOT_IMPLEMENTED:
                self._forwarding.silent(response, now)
                self._each(questions, self._forwarding.unavailable, now)
            else:
                # It does not know this, or not these: each by itself.
                self._unknown_at = now
                self._each(questions, self._forwarding.single, now)

        try:
            self._forwarding.fetch(options, body, on_response, now)
        except Full:
            self._each(questions, self._forwarding.unavailable, now)

    def _each(self, questions, what, now):
        for requests in questions.values():
            for request in requests:
                what(request, now)

    def _split(self, path, questions, response, now):
        for one in _responses(response.payload):
            requests = questions.pop(one.get(wire.QUERY), None)
            code = one.get(wire.CODE, coap.CONTENT)
            if requests is None or not isinstance(code, int):
                continue
            answer = Response(None)
            answer.code = code
            answer.max_age = response.max_age
            answer.content_format = response.content_format
            if code == coap.CONTENT:
                answer.payload = cbor.encode(one.get(wire.DOCUMENTS, []))
            self._forwarding.answered(path, one[wire.QUERY], requests, answer, now)
        # Those that nothing is said of.
        self._each(questions, self._forwarding.unavailable, now)


def _responses(payload):
    try:
        told = cbor.decode(payload)
    except ValueError:
        told = None
    listed = told.get(wire.RESPONSES) if isinstance(told, dict) else None
    if not isinstance(listed, list):
        return []
    return [one for one in listed if isinstance(one, dict) and isinstance(one.get(wire.QUERY), str)]
