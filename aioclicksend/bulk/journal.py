"""A crash-safe record of a bulk run: what was about to be sent, and what became of it.

The order of writing is what makes it safe: a message's intent is durable before its first byte
leaves, its result may be lost. So whatever a crash leaves is on the safe side: a message with an
intent and without a result is looked up, never just sent again.

The file is written by one thread; its tables are told in `aioclicksend.bulk.store`. What is to be
written queues up meanwhile, so that intents of several lanes become durable together.
"""

from __future__ import annotations

import asyncio
import logging
import os
import sqlite3
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from itertools import groupby, repeat
from pathlib import Path
from typing import Any, ParamSpec, Self, TypeVar

import anyio

from ..errors import ConfigurationError
from ..models.messages import REF_PREFIX, request_body
from .known import Known
from .lease import LEASE
from .lookup import Entries, Index
from .matching import ACCOUNT_REFUSALS
from .outcome import Accepted, NotSent, Outcome, Rejected, Unknown
from .rows import AllAccepted, parts, price, read_all
from .store import Results, Store

log = logging.getLogger("aioclicksend")

P = ParamSpec("P")
T = TypeVar("T")

_COMMIT_EVERY = 1.0
"""Seconds for which results may wait for an intent to be committed with."""


class Journal:
    """A journal on SQLite; hand it, or its path, to `bulk(journal=...)`.

    Reopened with the same input it goes on where it stopped: what was accepted is not sent again,
    what was in doubt is looked up, the rest is sent.
    """

    _thread: ThreadPoolExecutor
    _next_write: asyncio.Future[None]

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self.path = Path(path)
        self._begin()

    def _begin(self) -> None:
        """Know nothing of the file yet."""
        self._store: Store | None = None
        self._index: Index | None = None
        self._runs = 0
        self._first_run = 0
        self._next_row = 1
        self._next_batch = 1
        self._write_waits = False
        """Whether the last write that was asked for has not begun."""
        self._to_write: deque[Callable[[], None]] = deque()
        self._uncommitted: list[Callable[[], None]] = []
        self.remembers = False
        """Whether messages may be known already, so that each has to be looked for."""

    @classmethod
    def open(cls, path: str | os.PathLike[str]) -> Self:
        """Return the journal of a path; the file is opened, or created, when the run begins."""
        return cls(path)

    async def start(self, channel: str) -> None:
        """Open the file and take its lease.

        Raises:
            ConfigurationError: it is no journal, of a newer version, of another channel, or in use.

        """
        self._begin()
        self._thread = ThreadPoolExecutor(1, "aioclicksend-journal")
        self._store = Store(self.path)
        try:
            await self._run(self._store.open, channel)
        except BaseException:
            # A cancelled wait does not keep the thread from opening the file.
            with anyio.CancelScope(shield=True):
                await self.stop()
            raise
        self._next_row, self._next_batch = self._store.next_row, self._store.next_batch

    async def stop(self) -> None:
        """Write what is left and give the file back."""
        closing = self._submit(self._close)
        cancelled: asyncio.CancelledError | None = None
        while not closing.done():
            try:
                await asyncio.wait([closing])
            except asyncio.CancelledError as error:
                cancelled = error  # whoever opens the file next must not find it in use
        self._thread.shutdown(wait=False)
        closing.result()
        if cancelled is not None:
            raise cancelled

    async def keep(self) -> None:
        """Renew the lease and commit results from time to time, until cancelled.

        Raises:
            ConfigurationError: another process took the journal over.

        """
        beat_at = time.monotonic() + LEASE / 3
        while True:
            await asyncio.sleep(_COMMIT_EVERY)
            await self._run(self._write)
            if time.monotonic() >= beat_at:
                await self._run(self._beat)
                beat_at = time.monotonic() + LEASE / 3

    def new_run(self) -> int:
        """Return the number of a new run: equal messages within it are different messages."""
        if self._runs or self._next_row > 1:
            self.remember()
        self._runs += 1
        return self._runs

    def remember(self) -> None:
        """Look for each message from now on, among all that were ever handed in."""
        if not self.remembers:
            self.remembers = True
            self._first_run = self._runs

    def places(self, count: int) -> tuple[range, str]:
        """Return free rows, and what the refs of the messages in them begin with."""
        first = self._next_row
        self._next_row += count
        return range(first, first + count), f"{REF_PREFIX}{self._opened.campaign}-{first:x}-"

    def enter(self, rows: range, body: bytes, kind: str | None = None) -> None:
        """Take messages that are new; they are written before their intent.

        Args:
            rows: free ones.
            body: ``{"messages": [...]}``, as they will be sent.
            kind: their media file, if they are MMS.

        """
        self._to_write.append(partial(self._opened.enter, rows.start, len(rows), body, kind))

    def enter_all(self, entries: Entries, places: Sequence[int]) -> None:
        """Take messages that are new, a chunk for each run of neighbours of one kind."""
        for first, last, kind in _runs(places, entries.kinds):
            body = request_body(entries.frozen[first : last + 1])
            self.enter(entries.rows[first : last + 1], body, kind)

    async def claim(self, run: int, entries: Entries) -> range | list[Known]:
        """Enter the messages of a run; return their rows if all are new, else all as known."""
        return await self._run(self._claim, run, entries)

    async def look(self, rows: Sequence[int]) -> list[Known]:
        """Return messages by their rows, with all results taken so far."""
        return await self._run(self._ask, self._opened.look, rows)

    async def intend(self, rows: Sequence[int], intent: float, tries: int) -> int:
        """Make durable that messages are about to leave, and return the number of their batch."""
        batch = self._next_batch
        self._next_batch += 1
        self._to_write.append(partial(self._opened.intend, rows, batch, intent, tries))
        if not self._write_waits:
            self._write_waits = True
            self._next_write = self._submit(self._write)
        # One write is for all the lanes that came before it begins.
        await asyncio.shield(self._next_write)
        return batch

    def end(self, batch: int, state: str) -> None:
        """Take how a request ended: ``answered``, ``refused``, ``not_sent`` or ``unknown``."""
        self._to_write.append(partial(self._opened.end, batch, state))

    def record(self, rows: Sequence[int], outcomes: Sequence[Outcome]) -> None:
        """Take results; they are written with the next intent, or soon."""
        results = _accepted(outcomes) if isinstance(outcomes, AllAccepted) else _results(outcomes)
        self._to_write.append(partial(self._opened.record, rows, results, time.time()))

    async def in_doubt(self) -> list[Known]:
        """Return what was sent and has no final result."""
        return await self._run(self._ask, self._opened.in_doubt)

    async def planned(self, after: int, limit: int) -> list[Known]:
        """Return messages that wait to be sent, from one row on."""
        return await self._run(self._ask, self._opened.planned, after, limit)

    async def counts(self) -> dict[str, int]:
        """Return how many messages are in each state."""
        return await self._run(self._ask, self._opened.counts)

    async def accept(self, rows: Sequence[int], reason: str) -> None:
        """Take messages for accepted that no reply told of."""
        none: repeat[Any] = repeat(None)
        results: Results = repeat("accepted"), none, none, none, [reason] * len(rows)
        self._to_write.append(partial(self._opened.record, rows, results, time.time()))
        await self._run(self._write)

    async def unsend(self, rows: Sequence[int]) -> None:
        """Have messages sent by the next run as if they never had been."""
        self._to_write.append(partial(self._opened.unsend, rows))
        await self._run(self._write)

    @property
    def _opened(self) -> Store:
        if self._store is None:
            raise RuntimeError("the journal is not open")
        return self._store

    # On the thread.

    def _write(self) -> None:
        """Make everything taken so far durable; if that fails it waits for the next try."""
        self._write_waits = False  # what is taken from now on may be too late for this one
        self._apply()
        if self._uncommitted:
            self._try(self._opened.commit)
            self._uncommitted.clear()

    def _apply(self) -> None:
        """Write everything taken so far, not yet durably."""
        while self._to_write:
            self._uncommitted.append(self._to_write.popleft())
            self._try(self._uncommitted[-1])

    def _try(self, work: Callable[[], None]) -> None:
        try:
            work()
        except BaseException:
            # A lane whose intent failed does not send. Another's must not pass for written.
            self._opened.rollback()
            self._to_write.extendleft(reversed(self._uncommitted))
            self._uncommitted.clear()
            raise

    def _beat(self) -> None:
        self._write()
        self._opened.beat()

    def _ask(self, question: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        self._apply()
        return question(*args, **kwargs)

    def _claim(self, run: int, entries: Entries) -> range | list[Known]:
        # What was taken first: a claim may be for what just ended.
        self._apply()
        if self._index is None:
            self._index = Index(self._opened, self._first_run)
        rows, known = self._index.claim(run, entries)
        new = [place for place, row in enumerate(entries.rows) if rows[place] == row]
        self.enter_all(entries, new)
        self._apply()
        if len(new) == len(rows):
            return entries.rows
        known |= {it.row: it for it in self._opened.look(set(rows) - known.keys())}
        return [known[row] for row in rows]

    def _close(self) -> None:
        store, index = self._opened, self._index
        if index is not None:
            index.close()
        try:
            if store.is_open:
                self._write()
        except (sqlite3.Error, ConfigurationError) as error:
            log.warning("the journal lacks the last results, they will be in doubt: %s", error)
        finally:
            self._store = None
            if store.is_open:
                store.close()

    async def _run(self, work: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Run work on the journal's thread; a cancelled wait does not cut it short."""
        return await asyncio.shield(self._submit(work, *args, **kwargs))

    def _submit(self, work: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> asyncio.Future[T]:
        return asyncio.wrap_future(self._thread.submit(work, *args, **kwargs))

    def __repr__(self) -> str:
        return f"Journal({str(self.path)!r})"


def _runs(
    places: Sequence[int], kinds: Sequence[str | None] | None
) -> Iterator[tuple[int, int, str | None]]:
    """Yield runs of neighbouring places of one kind: the first, the last, the kind."""
    numbered = groupby(
        enumerate(places), key=lambda it: (it[1] - it[0], kinds[it[1]] if kinds else None)
    )
    for (_, kind), run in numbered:
        some = [place for _, place in run]
        yield some[0], some[-1], kind


def _accepted(outcomes: AllAccepted) -> Results:
    rows = outcomes.rows
    return (
        repeat("accepted"),
        outcomes.ids,
        read_all([row.message_parts for row in rows], parts),
        rows.prices(_told),
        repeat(None),
    )


def _told(amount: Any) -> str | None:
    found = price(amount)
    return None if found is None else str(found)


def _results(outcomes: Sequence[Outcome]) -> Results:
    return tuple(zip(*map(_result, outcomes), strict=True))  # type: ignore[return-value]


def _result(outcome: Outcome) -> tuple[str, str | None, int | None, str | None, str | None]:
    match outcome:
        case Accepted():
            amount = None if outcome.price is None else str(outcome.price)
            return "accepted", outcome.message_id, outcome.parts, amount, None
        case Rejected():
            # An account without credit refuses what it would take tomorrow.
            state = "held" if outcome.status in ACCOUNT_REFUSALS else "rejected"
            return state, None, None, None, outcome.status
        case NotSent():
            return "not_sent", None, None, None, outcome.reason
        case Unknown():
            return "unknown", None, None, None, outcome.reason
