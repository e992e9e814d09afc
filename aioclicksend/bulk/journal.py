"""A crash-safe record of a bulk run: what was about to be sent, and what became of it.

The order of writing is what makes it safe: a message's intent is durable before its first byte
leaves, its result may be lost. So whatever a crash leaves is on the safe side: a message with an
intent and without a result is looked up, never just sent again.

The file is written by one thread; its tables are told in `aioclicksend.bulk.store`.
"""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, ParamSpec, Self, TypeAlias, TypeVar

import anyio
import msgspec

from .lease import LEASE
from .matching import ACCOUNT_REFUSALS
from .outcome import Accepted, NotSent, Outcome, Rejected, Unknown
from .rows import AllAccepted, parts, price
from .store import Entries, Known, Store, Uniform

P = ParamSpec("P")
T = TypeVar("T")

_Result: TypeAlias = tuple[Any, ...] | Uniform

_COMMIT_EVERY = 1.0
"""Seconds for which results may wait for an intent to be committed with."""


class Journal:
    """A journal on SQLite; hand it, or its path, to `bulk(journal=...)`.

    Reopened with the same input it goes on where it stopped: what was accepted is not sent again,
    what was in doubt is looked up, the rest is sent.
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self.path = Path(path)
        self._store: Store | None = None
        self._thread: ThreadPoolExecutor | None = None
        self._results: list[_Result] = []
        self._ended: list[tuple[str, int]] = []

    @classmethod
    def open(cls, path: str | os.PathLike[str]) -> Self:
        """Return the journal of a path; the file is opened, or created, when the run begins."""
        return cls(path)

    async def start(self, channel: str) -> None:
        """Open the file and take its lease.

        Raises:
            ConfigurationError: it is no journal, of a newer version, of another channel, or in use.

        """
        self._thread = ThreadPoolExecutor(1, "aioclicksend-journal")
        self._store = Store(self.path)
        try:
            await self._run(self._store.open, channel)
        except BaseException:
            # A cancelled wait does not keep the thread from opening the file.
            with anyio.CancelScope(shield=True):
                await self.stop()
            raise

    async def stop(self) -> None:
        """Write what is left and give the file back."""
        assert self._thread is not None
        thread = self._thread
        try:
            await self._run(self._close, *self._taken())
        finally:
            thread.shutdown(wait=False)

    async def keep(self) -> None:
        """Renew the lease and commit results from time to time, until cancelled.

        Raises:
            ConfigurationError: another process took the journal over.

        """
        beat_at = time.monotonic() + LEASE / 3
        while True:
            await asyncio.sleep(_COMMIT_EVERY)
            await self._run(self._write, *self._taken())
            if time.monotonic() >= beat_at:
                await self._run(self._opened.beat)
                beat_at = time.monotonic() + LEASE / 3

    @property
    def campaign(self) -> str:
        """The eight characters that its refs share."""
        return self._opened.campaign

    async def new_run(self) -> int:
        """Return the number of a new run: equal messages within it are different messages."""
        return await self._run(self._opened.new_run)

    async def claim(self, run: int, entries: Entries) -> range | list[Known]:
        """Enter the messages of a run; return their rows if all are new, else all as known."""
        return await self._run(self._claim, *self._taken(), run, entries)

    async def look(self, rows: Sequence[int]) -> list[Known]:
        """Return messages by their rows, with all results taken so far."""
        await self._run(self._write, *self._taken())
        return await self._run(self._opened.look, rows)

    async def intend(self, rows: Sequence[int], intent: float, tries: int) -> int:
        """Make durable that messages are about to leave, and return the number of their batch."""
        return await self._run(self._intend, *self._taken(), rows, intent, tries)

    def end(self, batch: int, state: str) -> None:
        """Take how a request ended: ``answered``, ``refused``, ``not_sent`` or ``unknown``."""
        self._ended.append((state, batch))

    def record(self, rows: Sequence[int], outcomes: Sequence[Outcome]) -> None:
        """Take results; they are written with the next intent, or soon."""
        now = time.time()
        if isinstance(outcomes, AllAccepted) and (uniform := _uniform(rows, outcomes, now)):
            self._results.append(uniform)
        else:
            self._results += [_result(*it, now) for it in zip(rows, outcomes, strict=True)]

    async def in_doubt(self) -> list[Known]:
        """Return what was sent and has no final result."""
        return await self._run(self._opened.in_doubt)

    async def planned(self, after: int, limit: int) -> list[Known]:
        """Return messages that wait to be sent, from one row on."""
        return await self._run(self._opened.planned, after, limit)

    async def counts(self) -> dict[str, int]:
        """Return how many messages are in each state."""
        await self._run(self._write, *self._taken())
        return await self._run(self._opened.counts)

    @property
    def _opened(self) -> Store:
        if self._store is None:
            raise RuntimeError("the journal is not open")
        return self._store

    def _taken(self) -> tuple[list[_Result], list[tuple[str, int]]]:
        results, self._results = self._results, []
        ended, self._ended = self._ended, []
        return results, ended

    def _record(self, results: list[_Result], ended: list[tuple[str, int]]) -> Store:
        self._opened.record(results)
        self._opened.end(ended)
        return self._opened

    def _write(self, results: list[_Result], ended: list[tuple[str, int]]) -> None:
        self._record(results, ended).commit()

    def _close(self, results: list[_Result], ended: list[tuple[str, int]]) -> None:
        store, self._store = self._opened, None
        if store.is_open:
            try:
                store.record(results)
                store.end(ended)
            finally:
                store.close()

    def _claim(
        self,
        results: list[_Result],
        ended: list[tuple[str, int]],
        run: int,
        entries: Entries,
    ) -> range | list[Known]:
        # Results first: a claim may be for what just ended.
        return self._record(results, ended).claim(run, entries)

    def _intend(
        self,
        results: list[_Result],
        ended: list[tuple[str, int]],
        rows: Sequence[int],
        intent: float,
        tries: int,
    ) -> int:
        return self._record(results, ended).intend(rows, intent, tries)

    async def _run(self, work: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Run work on the journal's thread; a cancelled wait does not cut it short."""
        assert self._thread is not None
        future = self._thread.submit(work, *args, **kwargs)
        return await asyncio.shield(asyncio.wrap_future(future))

    def __repr__(self) -> str:
        return f"Journal({str(self.path)!r})"


def _uniform(rows: Sequence[int], outcomes: AllAccepted, now: float) -> Uniform | None:
    """Return the results of a whole batch in one piece, None if they are not alike enough."""
    first = rows[0]
    if rows[-1] - first != len(rows) - 1 or list(rows) != list(range(first, rows[-1] + 1)):
        return None
    if not outcomes.is_uniform:
        return None
    one = outcomes.rows[0]
    amount = price(one.message_price)
    return Uniform(
        first,
        msgspec.json.encode(outcomes.ids),
        parts(one.message_parts),
        None if amount is None else str(amount),
        now,
    )


def _result(row: int, outcome: Outcome, now: float) -> tuple[Any, ...]:
    match outcome:
        case Accepted():
            price = None if outcome.price is None else str(outcome.price)
            return row, "accepted", outcome.message_id, outcome.parts, price, None, now
        case Rejected():
            # An account without credit refuses what it would take tomorrow.
            state = "held" if outcome.status in ACCOUNT_REFUSALS else "rejected"
            return row, state, None, None, None, outcome.status, now
        case NotSent():
            return row, "not_sent", None, None, None, outcome.reason, now
        case Unknown():
            return row, "unknown", None, None, None, outcome.reason, now
