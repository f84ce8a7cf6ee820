# Aggregation (TS 23.554, 8.4): small messages for the same target travel as one, reports to the same recipient too.
#
# Gather decides which: it is the `gather` of a Delivery. join() makes the one, split() takes it apart where it
# ends. The individual messages keep their Message IDs, by which they are known against duplicates and reported on: the
# one that carries them needs no memory.

from hashlib import sha256

from . import messages, ticks, wire
from .delivery import HIGH

# A message is small when so many of them would fit.
_SMALL = 2
_MOST_MESSAGES = 16
_LINGER = 2000


_addresses = []


def addresses():
    # The elements that say from whom and to whom.
    if not _addresses:
        _addresses.extend([element for _, element in wire.ORIGINATORS + wire.RECIPIENTS])
    return _addresses


def _lists(kind):
    # The elements of the number and of the list, by Message Type.
    if kind == wire.IMDN:
        return wire.NUMBER_OF_REPORTS, wire.INDIVIDUAL_REPORTS
    return wire.NUMBER_OF_MESSAGES, wire.INDIVIDUAL_MESSAGES


def aggregated(elements):
    # Is it one that carries others?
    return _lists(elements[wire.MESSAGE_TYPE])[1] in elements


def join(several):
    # Messages with the same target, or reports to the same recipient -> the elements of one (tables 8.4.2-1 and -2).
    # The same ones make the same one again, with the same Message ID.
    first = several[0]
    number, individuals = _lists(first[wire.MESSAGE_TYPE])
    common = {}
    for element in addresses():
        if element in first:
            common[element] = first[element]
    common[wire.MESSAGE_TYPE] = first[wire.MESSAGE_TYPE]
    if wire.STORE_AND_FORWARD_FLAG in first:
        common[wire.STORE_AND_FORWARD_FLAG] = first[wire.STORE_AND_FORWARD_FLAG]
    identity = sha256()
    parts = []
    for one in several:
        identity.update(one[wire.MESSAGE_ID].encode() + b"\0")
        parts.append({element: value for element, value in one.items() if common.get(element) != value})
    common[wire.MESSAGE_ID] = messages.new_message_id(identity.digest()[:16])
    common[number] = len(parts)
    common[individuals] = parts
    return common


def split(elements):
    # One that carries others, checked -> the elements of each.
    several = []
    for part in elements[_lists(elements[wire.MESSAGE_TYPE])[1]]:
        one = part.copy()
        one.pop(wire.SEGMENTATION_SET_ID, None)
        # From whom and to whom is what the whole says, whatever its parts say.
        for element in addresses():
            one.pop(element, None)
            if element in elements:
                one[element] = elements[element]
        one[wire.MESSAGE_TYPE] = elements[wire.MESSAGE_TYPE]
        if one[wire.MESSAGE_TYPE] == wire.MSG and wire.STORE_AND_FORWARD_FLAG not in one:
            one[wire.STORE_AND_FORWARD_FLAG] = elements.get(wire.STORE_AND_FORWARD_FLAG, True)
        several.append(one)
    return several


class Gather:
    # Messages whose targets are remembered while they wait.
    most_remembered = 32

    def __init__(
        self,
        endpoint,
        most_octets,
        linger=_LINGER,
        most_messages=_MOST_MESSAGES,
        decode=messages.decode,
    ):
        # most_octets: of all that travel as one. linger: how long the first waits for others, in ms; 0 to take only
        # what waits already. pump(hop, now), to be set: Delivery.pump.
        self.pump = _nobody_waits
        self._endpoint = endpoint
        self.most_octets = most_octets
        self._linger = linger
        self._most_messages = most_messages
        self._decode = decode
        # key -> (hop, until when, None when that is past) of the first of those that wait; key -> target
        self._waiting = {}
        self._targets = {}
        if linger:
            endpoint.on_timer.append(self._on_timer)

    def __call__(self, items, now):
        first = items[0]
        count, ended = self._fitting(items)
        if self._linger and not ended and self._waits(first, now):
            return 0
        self._waiting.pop(first.key, None)
        for item in items[:count]:
            self._targets.pop(item.key, None)
        return count

    def _waits(self, first, now):
        if first.key not in self._waiting:
            if len(self._waiting) >= self.most_remembered:
                self._waiting.clear()
            self._waiting[first.key] = (first.hop, ticks.add(now, self._linger))
            self._endpoint.arm(self._waiting[first.key][1])
        due = self._waiting[first.key][1]
        return due is not None and ticks.diff(due, now) > 0

    def _fitting(self, items):
        # How many of the first may travel as one; and whether it is certain that none will be added to them.
        octets = 0
        target = None
        for count, item in enumerate(items):
            try:
                octets += len(item.body)
            except OSError:
                # Its store has lost it, which shows when it is sent by itself.
                return max(count, 1), True
            if count == self._most_messages or octets > self.most_octets:
                return max(count, 1), True
            if item.priority == HIGH or len(item.body) * _SMALL > self.most_octets:
                return max(count, 1), True
            other = self._target(item)
            if other is None or (count and other != target):
                return max(count, 1), True
            target = other
        return len(items), len(items) == self._most_messages

    def _target(self, item):
        # None when it has to travel by itself.
        target = self._targets.get(item.key)
        if target is None:
            if item.kind not in (wire.MSG, wire.IMDN) or item.segment or not item.body[0]:
                return None
            try:
                elements = self._decode(item.body)
            except ValueError:
                return None
            if aggregated(elements) or wire.SEGMENTATION_SET_ID in elements:
                return None
            target = "\t".join([item.kind] + [elements.get(element, "") for element in addresses()])
            if len(self._targets) >= self.most_remembered:
                self._targets.clear()
            self._targets[item.key] = target
        return target

    def _on_timer(self, now):
        for key, (hop, due) in list(self._waiting.items()):
            if due is None:
                continue
            if ticks.diff(due, now) > 0:
                self._endpoint.arm(due)
            else:
                # It has waited long enough, also when its hop is paused.
                self._waiting[key] = (hop, None)
                self.pump(hop, now)


def _nobody_waits(name, now):
    pass
