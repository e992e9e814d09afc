"""A set of numbers that is small in memory, and fast whatever is put into it."""

from __future__ import annotations

import secrets
from array import array
from hashlib import blake2b

_MASK = (1 << 64) - 1
_LARGE = 1 << 18


class NumberSet:
    """A set of positive integers of 64 bits, at 12 to 24 bytes each: a tenth of a `set`.

    The multiplier that spreads them is drawn anew for each set: numbers chosen to collide under a
    known one would make each lookup walk through all of them.
    """

    def __init__(self) -> None:
        self._slots = array("Q", bytes(8 * 1024))
        self._shift = 64 - 10
        self._count = 0
        self._spread = secrets.randbits(64) | 1

    def add(self, number: int) -> bool:
        """Add a number and return whether it was absent."""
        slots = self._slots
        place = (number * self._spread & _MASK) >> self._shift
        while held := slots[place]:
            if held == number:
                return False
            place = (place + 1) % len(slots)
        slots[place] = number
        self._count += 1
        if self._count * 3 > len(slots) * 2:
            self._grow()
        return True

    def __contains__(self, number: int) -> bool:
        if not self._count:
            return False
        slots = self._slots
        place = (number * self._spread & _MASK) >> self._shift
        while held := slots[place]:
            if held == number:
                return True
            place = (place + 1) % len(slots)
        return False

    def __len__(self) -> int:
        return self._count

    def _grow(self) -> None:
        # Small sets grow faster: each growth adds all numbers anew.
        more = 2 if len(self._slots) < _LARGE else 1
        old, self._slots = self._slots, array("Q", bytes(8 * len(self._slots) << more))
        self._shift -= more
        self._count = 0
        for number in filter(None, old):
            self.add(number)


def as_integer(number: str) -> int:
    """Return an E.164 number as an integer."""
    return int(number[1:])


def message_hash(number: str, body: str) -> int:
    """Return an integer that stands for a message to a number; equal ones are as good as equal."""
    digest = blake2b(f"{number}\0{body}".encode("utf-8", "surrogatepass"), digest_size=8)
    return int.from_bytes(digest.digest(), "big") or 1
