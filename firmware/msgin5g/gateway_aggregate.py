# Aggregation towards the server (TS 23.554, 8.4): what waits for it, is small and not of priority HIGH travels as one
# request, messages for one target and reports to one recipient alike. An aggregate has one originator (table 8.4.2-1),
# so what different clients have sent travels side by side, not together.
#
# Nothing waits for company unless it is told to linger: what is one is what waited anyway, because another message of
# its originator was under way, the window was full, or the server away. Each keeps its own Message ID, by which it is
# stored here, known at the server and reported on: one that was sent in company may come again alone.

from . import messages, wire
from .aggregation import Gather, addresses, aggregated, join
from .delivery import AGAIN, DONE, HIGH, LATER
from .resource import ACCEPTED, meaning, told
from .ticks import age
from .wire_names import name

# Octets that travel as one: a block, which fits a packet with what CoAP and its protection add. Those of them that
# carry no message; what JSON puts around a member.
_MOST_OCTETS = 1024
_FRAME = 200
_PUNCTUATION = 6
_SMALL = 2
_MOST_REMEMBERED = 1024
# Codes that have nothing to do with it being several; those that are about what is in it.
_NOT_NOW = (None, wire.UNAVAILABLE, wire.OVERLOADED, wire.INCOMPLETE)
_OF_WHAT_IS_IN_IT = (wire.UNAUTHENTICATED, wire.REFUSED, wire.NO_SUCH_RECIPIENT)
# A server that has refused an aggregate as such is sent single messages for so long, in ms.
_REFUSED_FOR = 3600000


class Together(Gather):
    # The gather of a Delivery. linger: how long the first waits for others, in ms; 0: not at all.
    most_remembered = _MOST_REMEMBERED

    def __init__(self, relay, endpoint, counters, linger=0):
        super().__init__(endpoint, _MOST_OCTETS, linger)
        for word in ("aggregates_up", "aggregated_up", "aggregates_refused"):
            counters[word] = 0
        self._relay = relay
        self._addresses = addresses()
        # Octets of what messages for one target share, by target.
        self._shared = {}
        self._counters = counters
        # Keys of those that have been refused together.
        self._alone = set()
        # When an aggregate was refused as such.
        self._refused_at = None

    def __call__(self, items, now):
        if len(items) == 1 and not self._linger:
            return 1
        if items[0].key in self._alone:
            self._alone.discard(items[0].key)
            return 1
        if self._refused_at is not None:
            if age(self._refused_at, now) < _REFUSED_FOR:
                return 1
            self._refused_at = None
        return super().__call__(items, now)

    def send(self, items, done, now):
        self._counters["aggregates_up"] += 1
        self._counters["aggregated_up"] += len(items)

        def on_response(response, now):
            if meaning(response) == ACCEPTED:
                for item in items:
                    self._relay.delivered(item, now)
                done(DONE, now)
                if response.payload and items[0].kind == wire.MSG:
                    # What is said of all is true of each.
                    said = told(response)
                    for item in items:
                        self._relay.tell_client(
                            item, said.get(wire.DELIVERY_STATUS), said.get(wire.FAILURE_CAUSE), now
                        )
            elif response.code in _NOT_NOW:
                done(LATER, now)
                self._relay.no_answer(response, now)
            else:
                self._refused(items, response.code, now)
                done(AGAIN, now)

        self._relay.post_up(
            messages.encode(join([item.elements or messages.decode(item.body) for item in items])),
            on_response,
            now,
        )

    def _refused(self, items, code, now):
        # Each by itself, then it is clear which of them is meant. The next ones too, if it was none.
        self._counters["aggregates_refused"] += 1
        if len(self._alone) >= self.most_remembered:
            self._alone.clear()
        for item in items:
            self._alone.add(item.key)
        if code not in _OF_WHAT_IS_IN_IT:
            self._refused_at = now

    def _fitting(self, items):
        # See Gather. What all share is counted once.
        octets = _FRAME
        target = None
        for count, item in enumerate(items):
            if count == self._most_messages or item.key in self._alone:
                return max(count, 1), True
            seen = self._look(item)
            if seen is None or (count and seen[0] != target):
                return max(count, 1), True
            target, own, shared = seen
            octets += own if count else own + shared
            if octets > self.most_octets:
                return max(count, 1), True
        return len(items), len(items) == self._most_messages

    def _look(self, item):
        # (target, octets of its own, octets it shares with others for that target); None: it has to travel by itself.
        seen = self._targets.get(item.key)
        if seen is None:
            if item.kind not in (wire.MSG, wire.IMDN) or item.segment or item.priority == HIGH:
                return None
            if len(item.body) * _SMALL > self.most_octets:
                return None
            seen = self._measured(item)
            if seen:
                if len(self._targets) >= self.most_remembered:
                    self._targets.clear()
                self._targets[item.key] = seen
        return seen

    def _measured(self, item):
        elements = item.elements
        if elements is None:
            try:
                # It is not read again when it is sent.
                elements = item.elements = self._decode(item.body)
            except ValueError:
                return None
        if aggregated(elements) or wire.SEGMENTATION_SET_ID in elements:
            return None
        # Those that are to be stored for later share another fate than those that are not.
        target = [item.kind, elements.get(wire.STORE_AND_FORWARD_FLAG)]
        target.extend(map(elements.get, self._addresses))
        target = tuple(target)
        shared = self._shared.get(target)
        if shared is None:
            if len(self._shared) >= self.most_remembered:
                self._shared.clear()
            shared = self._shared[target] = _shared_octets(self._addresses, elements)
        return target, len(item.body) - shared, shared


def _shared_octets(several, elements):
    # Of what all for one target have, in JSON; rather too few.
    octets = len(name(wire.MESSAGE_TYPE)) + len(elements[wire.MESSAGE_TYPE]) + _PUNCTUATION
    if wire.STORE_AND_FORWARD_FLAG in elements:
        octets += len(name(wire.STORE_AND_FORWARD_FLAG)) + _PUNCTUATION
    for element in several:
        value = elements.get(element)
        if value:
            octets += len(name(element)) + len(value) + _PUNCTUATION
    return octets
