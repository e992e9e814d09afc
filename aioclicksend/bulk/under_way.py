"""Which messages of a journal are under way, and who else wants to learn their outcomes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from .batch import Sink
from .outcome import Outcome


class UnderWay:
    """Rows of the journal that are queued, on the wire or in doubt.

    Those of new messages are kept as ranges, as long as nobody asks for one of them.
    """

    def __init__(self) -> None:
        self._ranges: dict[int, range] = {}
        self._others: dict[int, list[tuple[Sink, Any]]] = {}

    def __contains__(self, row: int) -> bool:
        return row in self._others or any(row in it for it in self._ranges.values())

    def enter(self, rows: Sequence[int]) -> None:
        """Note that messages are under way."""
        if isinstance(rows, range):
            self._ranges[rows.start] = rows
        else:
            self._others.update((row, []) for row in rows)

    def join(self, row: int, sink: Sink, token: object = None) -> None:
        """Let somebody else learn the outcome of a message."""
        self._part([row])
        self._others[row].append((sink, token))

    def settle(self, rows: Sequence[int], outcomes: Sequence[Outcome]) -> None:
        """Note that messages have their outcomes, and tell who joined."""
        if rows == self._ranges.get(rows[0]):
            del self._ranges[rows[0]]
            return
        self._part(rows)
        for row, outcome in zip(rows, outcomes, strict=True):
            for sink, token in self._others.pop(row, ()):
                sink.settle([token], [outcome])

    def _part(self, rows: Sequence[int]) -> None:
        """Keep each message of the ranges that hold some of these by itself."""
        wanted = [it for it in self._ranges.values() if any(row in it for row in rows)]
        for it in wanted:
            del self._ranges[it.start]
            self._others.update((row, []) for row in it)
