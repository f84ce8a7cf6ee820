"""The memory against duplicates: the identities of messages seen lately, as integers of 64 bits.

They are kept in generations. Each is a hash table in one array, 12 octets for an identity, that is filled up to two
thirds and never grows: the next generation is twice as large, up to an eighth of all. The oldest is forgotten whole,
when all in it are old enough or there are too many.
"""

from __future__ import annotations

from array import array
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Collection

_SMALLEST = 32_768
# A generation is this part of what is remembered at most, in number and in time.
_PART = 8


class _Generation:
    def __init__(self, room: int, at: int) -> None:
        self.room = room
        self.count = 0
        # When its first and its last identity were added, and in which row.
        self.begun = self.ended = at
        self.row = 0
        self.slots = room + (room + 1) // 2
        # Where an identity belongs, or the next place before it that is free, -1 being the last; 0 is free.
        self.table = array("q", bytes(8 * self.slots))

    def add(self, identities: Collection[int]) -> None:
        table, slots = self.table, self.slots
        for identity in identities:
            place = identity % slots
            while table[place]:
                place -= 1
            table[place] = identity
        self.count += len(identities)


class Duplicates:
    """Identities seen lately: any integers of 64 bits with a sign, but 0.

    Args:
        most: bound of identities; the oldest generation is forgotten early beyond it.
        remembered: seconds for which an identity is remembered at least.

    Attributes:
        shed: identities that were forgotten early.
    """

    def __init__(self, most: int, remembered: int) -> None:
        self.shed = 0
        self._most = most
        self._remembered = remembered
        self._generations: list[_Generation] = []
        self._count = 0
        self._forgotten_row = 0

    def __len__(self) -> int:
        """Identities remembered."""
        return self._count

    def __contains__(self, identity: int) -> bool:
        """Is it remembered?"""
        for generation in self._generations:
            table = generation.table
            place = identity % generation.slots
            while found := table[place]:
                if found == identity:
                    return True
                place -= 1
        return False

    def add(self, identities: Collection[int], row: int, at: int) -> None:
        """Remember identities that are not remembered yet.

        Args:
            identities: those of one row of the file.
            row: number of that row, larger than any before.
            at: seconds since 1970.
        """
        generation = self._room_for(len(identities), at)
        generation.add(identities)
        generation.row = row
        generation.ended = at
        self._count += len(identities)
        while self._count > self._most and len(self._generations) > 1:
            self.shed += self._forget_oldest()

    def forget(self, now: int) -> int:
        """Forget what is old enough; returns the last row that holds nothing but what is forgotten, 0 for none."""
        while self._generations and self._generations[0].ended < now - self._remembered:
            self._forget_oldest()
        return self._forgotten_row

    def _room_for(self, number: int, at: int) -> _Generation:
        room = _SMALLEST
        if self._generations:
            last = self._generations[-1]
            if last.count + number <= last.room and at < last.begun + self._remembered // _PART:
                return last
            room = max(room, 2 * last.count)
        generation = _Generation(max(number, min(room, self._most // _PART)), at)
        self._generations.append(generation)
        return generation

    def _forget_oldest(self) -> int:
        oldest = self._generations.pop(0)
        self._count -= oldest.count
        self._forgotten_row = oldest.row
        return oldest.count
