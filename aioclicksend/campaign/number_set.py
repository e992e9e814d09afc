"""A set of numbers that is small in memory.

New numbers go into a `set`. When it is full they become a run: a sorted array of 8 bytes each,
which is searched by halving. Eight small runs are merged into a large one, so that there are few::

    recent (a set of up to 131 072) │ small runs, up to 7 │ large runs of 1 048 576

Nothing here depends on a hash of ours, so no list can be made that fills one slot with all its
numbers.
"""

from __future__ import annotations

from array import array
from bisect import bisect_left
from hashlib import blake2b
from itertools import chain

_RUN = 1 << 17
_MERGED = 8


class NumberSet:
    """A set of positive integers of 64 bits; large ones take about 10 bytes a number."""

    def __init__(self, run: int = _RUN) -> None:
        self._run = run
        self._recent: set[int] = set()
        self._runs: list[array[int]] = []
        self.count: int = 0

    def add(self, number: int) -> bool:
        """Add a number and return whether it was absent."""
        recent = self._recent
        if number in recent or (self._runs and self._in_runs(number)):
            return False
        recent.add(number)
        self.count += 1
        if len(recent) >= self._run:
            self._spill()
        return True

    def __contains__(self, number: int) -> bool:
        return number in self._recent or self._in_runs(number)

    def __len__(self) -> int:
        return self.count

    def _in_runs(self, number: int) -> bool:
        for run in self._runs:
            place = bisect_left(run, number)
            if place < len(run) and run[place] == number:
                return True
        return False

    def _spill(self) -> None:
        # A sorted array takes 8 bytes a number, a set of Python integers about 60.
        self._runs.append(array("Q", sorted(self._recent)))
        self._recent = set()
        small = [it for it in self._runs if len(it) == self._run]
        if len(small) == _MERGED:
            large = [it for it in self._runs if len(it) != self._run]
            self._runs = [*large, array("Q", sorted(chain.from_iterable(small)))]


def as_integer(number: str) -> int:
    """Return an E.164 number as an integer."""
    return int(number[1:])


def message_hash(number: str, body: str) -> int:
    """Return an integer that stands for a message to a number; equal ones are as good as equal."""
    digest = blake2b(f"{number}\0{body}".encode("utf-8", "surrogatepass"), digest_size=8)
    return int.from_bytes(digest.digest(), "big") or 1
