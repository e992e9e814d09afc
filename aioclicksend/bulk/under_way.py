"""Which messages of a journal are under way, and who else wants to learn their outcomes."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import repeat
from typing import Any

from .batch import Sink
from .outcome import Outcome


class UnderWay:
    """Rows of the journal that are queued, on the wire or in doubt."""

    def __init__(self) -> None:
        self._others: dict[int, list[tuple[Sink, Any]] | None] = {}

    def __contains__(self, row: int) -> bool:
        return row in self._others

    def enter(self, rows: Iterable[int]) -> None:
        """Note that messages are under way."""
        self._others.update(dict.fromkeys(rows))

    def join(self, row: int, sink: Sink, token: object = None) -> None:
        """Let somebody else learn the outcome of a message."""
        others = self._others[row] = self._others[row] or []
        others.append((sink, token))

    def settle(self, rows: Sequence[int], outcomes: Sequence[Outcome]) -> None:
        """Note that messages have their outcomes, and tell who joined."""
        joined = list(map(self._others.pop, rows, repeat(None)))
        if any(joined):
            for others, outcome in zip(joined, outcomes, strict=True):
                for sink, token in others or ():
                    sink.settle([token], [outcome])
