"""What an endpoint has received lately, for hosts: the face of ``msgin5g.coap.recent`` in a fifth of its memory.

A gateway remembers a quarter of a million requests and its answers for EXCHANGE_LIFETIME (RFC 7252, 4.5). They are kept
in generations: in each a hash table in arrays that is filled up to two thirds, and the answers one behind the other.
The next generation is twice as large, up to a quarter of all. The oldest is forgotten whole, when all in it are old
enough or there are too many.
"""

from __future__ import annotations

from array import array

from msgin5g import ticks
from msgin5g.coap import endpoint

_SMALLEST = 1024
# In place of a key that was forgotten before its generation.
_GONE = -1
# A generation is this part of what is remembered at most.
_PART = 4
# Keys of one peer follow each other, and so do peers: multiplied by this they don't (Knuth, 6.4).
_SPREAD = 0x9E3779B1
# In place of where an answer begins: there is none yet; it is too long to be kept, and a duplicate is acted on again.
_NONE = -1
_NOT_KEPT = -2


def use() -> None:
    """Let all endpoints that are made from now on remember so."""
    endpoint.Recent = Recent  # pyright: ignore[reportAttributeAccessIssue]


class _Generation:
    def __init__(self, room: int, now: int) -> None:
        self.room = room
        # When the first and the last were received.
        self.begun = self.ended = now
        self.slots = room + (room + 1) // 2
        # Where a key belongs, or the next place before it that is free, -1 being the last: the key and one, 0 is free;
        # and which entry it is.
        self.table = array("q", bytes(8 * self.slots))
        self.entries = array("i", bytes(4 * self.slots))
        # Of each entry: when it was received, where its answer begins, and how long that is.
        self.times = array("i")
        self.begins = array("i")
        self.sizes = array("i")
        self.answers = bytearray()

    def find(self, key: int) -> int:
        # Which entry it is, -1 for none.
        table = self.table
        key += 1
        place = (key * _SPREAD >> 20) % self.slots
        while found := table[place]:
            if found == key:
                return self.entries[place]
            place -= 1
        return -1

    def forget(self, key: int) -> None:
        # One that is there: its place is not free, and no key is found in it any more.
        table = self.table
        key += 1
        place = (key * _SPREAD >> 20) % self.slots
        while table[place] != key:
            place -= 1
        table[place] = _GONE

    def add(self, key: int, now: int) -> None:
        table = self.table
        key += 1
        place = (key * _SPREAD >> 20) % self.slots
        while table[place]:
            place -= 1
        table[place] = key
        self.entries[place] = len(self.begins)
        self.times.append(now)
        self.begins.append(_NONE)
        self.sizes.append(0)


class Recent:
    """See ``msgin5g.coap.recent``.

    Args:
        lifetime: milliseconds for which a key is known at least, unless there are too many.
        most_entries: bound of the keys.
        most_octets: bound of the octets of all answers.

    Attributes:
        octets: of all answers.
        shed: those that were forgotten early.
    """

    def __init__(self, lifetime: int, most_entries: int, most_octets: int) -> None:
        self.octets = 0
        self.shed = 0
        self._lifetime = lifetime
        self._most_entries = most_entries
        self._most_octets = most_octets
        self._count = 0
        # The newest in front.
        self._generations: list[_Generation] = []
        # Not known, as knows() has just found.
        self._absent: int | None = None

    def __len__(self) -> int:
        """Keys that are remembered."""
        return self._count

    def knows(self, key: int, now: int) -> bool:
        """Was it received, and answered or not yet? Not when its answer was too long to be kept."""
        generations = self._generations
        if generations and ticks.age(generations[-1].ended, now) >= self._lifetime:
            self.expire(now)
        for generation in generations:
            entry = generation.find(key)
            if entry < 0:
                continue
            if ticks.age(generation.times[entry], now) < self._lifetime:
                return generation.begins[entry] != _NOT_KEPT
            # Its Message ID may be another request's by now.
            generation.forget(key)
            break
        self._absent = key
        return False

    def expire(self, now: int) -> int | None:
        """Forget what is old enough; returns the tick at which more is, None when nothing remains."""
        while self._generations:
            oldest = self._generations[-1]
            if ticks.age(oldest.ended, now) < self._lifetime:
                return ticks.add(oldest.ended, self._lifetime)
            self._forget_oldest()
        return None

    def add(self, key: int, now: int) -> bool:
        """Remember a key that is not known; returns whether it is the first."""
        if key != self._absent:
            for generation in self._generations:
                entry = generation.find(key)
                if entry >= 0:
                    generation.begins[entry] = _NONE
                    return False
        self._absent = None
        generation = self._with_room(now)
        generation.add(key, now)
        generation.ended = now
        self._count += 1
        return self._count == 1

    def answer(self, key: int) -> bytes | None:
        """The datagram that answered it; None as long as there is none."""
        for generation in self._generations:
            entry = generation.find(key)
            if entry >= 0:
                begin = generation.begins[entry]
                return (
                    None if begin < 0 else bytes(generation.answers[begin : begin + generation.sizes[entry]])
                )
        return None

    def keep_answer(self, key: int, datagram: bytes | bytearray) -> None:
        """Remember how a key was answered, unless it is forgotten already."""
        for generation in self._generations:
            entry = generation.find(key)
            if entry >= 0:
                self._keep(generation, entry, datagram)
                return

    def _keep(self, generation: _Generation, entry: int, datagram: bytes | bytearray) -> None:
        size = len(datagram)
        if size > self._most_octets:
            # It would push out all others, and itself.
            generation.begins[entry] = _NOT_KEPT
            self.shed += 1
            return
        generation.begins[entry] = len(generation.answers)
        generation.sizes[entry] = size
        generation.answers += datagram
        self.octets += size
        while self.octets > self._most_octets:
            self.shed += self._forget_oldest()

    def _with_room(self, now: int) -> _Generation:
        while self._count >= self._most_entries:
            self.shed += self._forget_oldest()
        room = min(_SMALLEST, self._most_entries)
        if self._generations:
            newest = self._generations[0]
            # Answers that fill a generation, and not their number, must not keep all of them together.
            full = len(newest.begins) >= newest.room or len(newest.answers) >= self._most_octets // _PART
            if not full and ticks.age(newest.begun, now) < self._lifetime // _PART:
                return newest
            room = max(room, min(2 * newest.room, self._most_entries // _PART))
        made = _Generation(room, now)
        self._generations.insert(0, made)
        return made

    def _forget_oldest(self) -> int:
        oldest = self._generations.pop()
        self._count -= len(oldest.begins)
        self.octets -= len(oldest.answers)
        return len(oldest.begins)
