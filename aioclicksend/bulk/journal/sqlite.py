"""A journal in a SQLite file, for one process at a time.

::

    event loop            begin, finish, plan, claim …          one thread
    ──────────▶ queue of writes ──▶ one transaction for all that waits ──▶ commit (fsync)

The file is written by one thread. What is to be written queues up meanwhile, so that the intents of
several lanes become durable together. Results may wait for the next intent: one that is lost is
looked up again.

Invariants: a write that failed is tried again, except for intents, whose lanes do not send; every
commit checks the lease; rows are entered before their intent, at the latest in its transaction.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import sqlite3
import time
from collections import defaultdict, deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from decimal import Decimal
from functools import partial
from hashlib import blake2b, sha256
from itertools import groupby, repeat
from pathlib import Path
from typing import Any, Literal, ParamSpec, Self, TypeVar

import anyio
import msgspec

from ...errors import ConfigurationError
from ...files import make_private
from ...models.messages import REF_PREFIX, request_body
from ..budget import says_charge
from ..encode import Encoded, bodies_of
from ..outcome import Acceptances, Accepted, Column, NotSent, Outcome, Rejected, Unknown
from ..replies import ACCOUNT_REFUSALS
from . import AllAccepted, Begun, Entry, Planned, State, schema
from .index import Chunk, Index
from .lease import LEASE, Lease

log: logging.Logger = logging.getLogger("aioclicksend")

P = ParamSpec("P")
T = TypeVar("T")

_json = msgspec.json.encode
_unjson = msgspec.json.decode

_COMMIT_EVERY = 1.0
"""Seconds for which results may wait for an intent to be committed with."""

# Sendable: no request holds the message, or its last one provably took nothing of it.
_SENDABLE = "(state in ('not_sent', 'held') or (state is null and batch is null))"
_UNDECIDED = "(batch is not null and (state is null or state = 'unknown'))"

# Claim and intent in one statement: of two tasks that begin a message, one finds it sendable.
_BEGIN_CHUNK = """
insert or replace into chunk_result
select first, chunk.size, ?, null, null, null, null, null, null, ?, {earlier}, null
from chunk left join chunk_result on chunk_result.chunk = first
where first = ? and chunk.size = ? and ({condition})
and not exists (select 1 from message_result where id = first)
"""
_BEGIN_MESSAGE = """
update message_result set batch = ?, state = null, message_id = null, parts = null, price = null,
reason = null, detail = null, earlier = {earlier}, reserved = ?, at = null
where id = ? and ({condition})
"""
_EARLIER = "earlier", "round(coalesce(earlier, 0) + coalesce(reserved, 0), 10)"
"""What earlier attempts may have cost: at a first one (also after `resolve`), at a further one."""


_RECORD = """
update {} set state = ?, message_id = ?, parts = ?, price = ?, reason = ?, detail = ?, at = ?,
reserved = iif(?, reserved, null) where {}
"""


class _Refs(msgspec.Struct):
    messages: list[_Ref]


class _Ref(msgspec.Struct):
    custom_string: str = ""


_refs = msgspec.json.Decoder(_Refs).decode


class Journal:
    """A crash-safe record of a bulk run in a file; hand it, or its path, to `bulk(journal=...)`.

    Reopened with the same input it continues where it stopped: what was accepted is not sent again,
    what was in doubt is looked up, the rest is sent.
    """

    _thread: ThreadPoolExecutor
    _db: sqlite3.Connection
    _lease: Lease
    _next_write: asyncio.Future[None]

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self.path: Path = Path(path)
        self._is_open = False
        self._reset()

    def _reset(self) -> None:
        """Know nothing of the file yet."""
        self._index: Index | None = None
        self._runs = 0
        self._remembers = False
        """Whether messages may be in the journal already, so that each is looked for."""
        self._next_row = 1
        self._next_batch = 1
        self._first_batch = 1
        """The first request of this process; earlier ones have no owner any more."""
        self._first_row = 1
        """The first message of this process."""
        self.last_sent: float | None = None
        """When it was last sent from before this process, in unix seconds; None if it is new."""
        self._file: tuple[int, int] | None = None
        self._in_transaction: list[_Write] = []
        self._to_write: deque[_Write] = deque()
        self._write_waits = False
        """Whether the last write that was asked for has not begun."""
        self._unindexed: deque[tuple[int, range]] = deque()
        """By run, the rows that were entered without being looked for."""
        self._looked_up: set[int] = set()
        """Rows in doubt that this process has claimed to look up."""
        self._waiting: dict[int, list[asyncio.Event]] = defaultdict(list)
        self.campaign: str = ""
        """The journal's own part of its refs."""

    @classmethod
    def open(cls, path: str | os.PathLike[str]) -> Self:
        """Return the journal of a path; the file is opened, or created, when the run begins."""
        return cls(path)

    # Owning.

    async def start(self, channel: str) -> None:
        """Open the file, or create it, and take its lease.

        Raises:
            ConfigurationError: it is no journal, of a newer version, of another channel, or in use.

        """
        # What the first sender knows of the file must not be forgotten.
        if self._is_open:
            raise ConfigurationError(f"{self.path} is in use by another sender of this process")
        self._reset()
        self._thread = ThreadPoolExecutor(1, "aioclicksend-journal")
        self._is_open = True
        try:
            await self._run(self._start, channel)
        except BaseException:
            # A cancelled wait does not keep the thread from opening the file.
            with anyio.CancelScope(shield=True):
                await self.close()
            raise

    async def close(self) -> None:
        """Write what is left and give the file back."""
        if not self._is_open:
            return
        self._is_open = False
        closing = self._submit(self._close)
        cancelled: asyncio.CancelledError | None = None
        while not closing.done():
            try:
                await asyncio.wait([closing])
            except asyncio.CancelledError as error:
                cancelled = error  # the next process must not find the file in use
        self._thread.shutdown(wait=False)
        closing.result()
        if cancelled is not None:
            raise cancelled

    async def heartbeat(self) -> None:
        """Renew the lease and commit results from time to time, until cancelled.

        Raises:
            ConfigurationError: another process took the journal over, or its file was deleted.

        """
        beat_at = time.monotonic() + LEASE / 3
        while True:
            await asyncio.sleep(_COMMIT_EVERY)
            # Results for which no intent has come along.
            await self._run(self._write)
            if time.monotonic() >= beat_at:
                await self._run(self._beat)
                beat_at = time.monotonic() + LEASE / 3

    def fence(self) -> None:
        """Check just before the first byte leaves that the journal is still ours.

        Raises:
            ConfigurationError: this process did not run for so long that another one may own it.

        """
        self._lease.fence()

    # Entering.

    def new_run(self) -> int:
        """Return the number of a new run: equal messages within it are different messages."""
        if self._runs or self._next_row > 1:
            self._remembers = True
        self._runs += 1
        return self._runs

    def ref_prefix(self) -> str:
        """Return what the refs of the next chunk begin with."""
        self._next_row += 1  # rows are numbers without meaning: a gap keeps prefixes apart
        return f"{REF_PREFIX}{self.campaign}-{self._next_row:x}-"

    async def plan(self, run: int, messages: Encoded) -> Planned:
        """Enter messages, or find those that were entered before."""
        first = self._next_row
        self._next_row += len(messages)
        rows = range(first, first + len(messages))
        # Single messages are looked for only by what their caller named: a key or a ref.
        named = run == 0 and not messages.has_unique_refs
        # The usual case, a new list in a new journal: nothing can be known, so nothing is awaited.
        if messages.keys is None and not named and not (run and self._remembers):
            self._enter(messages, range(len(messages)), rows)
            # Single messages are in the index that is made later, but not in one that exists.
            if run or self._remembers:
                self._unindexed.append((run, rows))
            return Planned(rows, {})
        self._remembers = True  # for what is entered from now on an index exists
        return await self._run(self._plan, run, messages, rows)

    # Sending.

    async def begin(
        self,
        rows: Sequence[int],
        attempt: int,
        *,
        reserved: Sequence[Decimal] = (),
        limit: Decimal | None = None,  # noqa: ARG002 - one process: its budget is exact
    ) -> Begun:
        """Claim messages for one request and make that durable."""
        batch = self._next_batch
        self._next_batch += 1
        won: list[Sequence[int]] = []
        write = partial(
            self._begin, rows, batch, time.time(), attempt=attempt, reserved=reserved, won=won
        )
        self._to_write.append(_Write(write, won))
        if not self._write_waits:
            self._write_waits = True
            self._next_write = self._submit(self._write)
        # One write is for all the lanes that came before it begins.
        # A cancelled lane leaves the write to the others that wait for it.
        await asyncio.shield(self._next_write)
        if not won:  # its transaction failed, perhaps while another question was asked
            raise ConfigurationError(f"{self.path} could not record the request")
        return Begun(batch, won[-1])

    async def finish(
        self, rows: Sequence[int], outcomes: Sequence[Outcome], batch: int | None = None
    ) -> Sequence[int]:
        """Take outcomes; they are written with the next intent, or soon."""
        lost: Sequence[int] = ()
        try:
            if batch is None:
                lost = await self._run(self._withdraw, rows, outcomes, time.time())
            else:
                columns = _columns_of(outcomes)
                self._to_write.append(_Write(partial(self._record, rows, columns, time.time())))
        finally:
            # Also where nothing could be written: who waits for an outcome looks again, and learns
            # of the failure. Mostly empty: a run without doubts pays nothing for it.
            if self._looked_up:
                self._looked_up.difference_update(rows)
            if self._waiting:
                for row in rows:
                    for event in self._waiting.pop(row, ()):
                        event.set()
        return lost

    # Reading.

    async def claim(
        self, state: Literal[State.PLANNED, State.IN_DOUBT], limit: int, after: int = 0
    ) -> list[Entry]:
        """Return messages that can be sent, or that are in doubt and become ours to look up."""
        entries = await self._run(self._ask, self._find, state, limit, after)
        if state is State.IN_DOUBT:
            self._looked_up.update(it.row for it in entries)
        return entries

    async def outcome(self, rows: Sequence[int]) -> list[Entry]:
        """Wait until messages that another task of this process has begun are settled."""
        while True:
            event = asyncio.Event()
            # Before the look: an outcome that comes between the two must wake us.
            for row in rows:
                self._waiting[row].append(event)
            entries = await self._run(self._ask, self._look, rows)
            if all(it.state is not State.IN_FLIGHT for it in entries):
                for row in rows:
                    if event in self._waiting.get(row, ()):
                        self._waiting[row].remove(event)
                    if not self._waiting.get(row):
                        self._waiting.pop(row, None)
                return entries
            await event.wait()

    async def look(self, rows: Sequence[int]) -> list[Entry]:
        """Return messages by their rows, in the order of these, with all results taken so far."""
        return await self._run(self._ask, self._look, rows)

    async def resolve(self, refs: Sequence[str] | None, verdict: Literal["sent", "resend"]) -> int:
        """Decide manually on messages whose outcome is unknown, and return on how many."""
        # Only what is undecided: a wrong ref must not send an accepted message again.
        doubtful = await self._run(self._ask, self._find, State.IN_DOUBT, -1, 0)
        rows = [it.row for it in doubtful if refs is None or it.ref in refs]
        if not rows:
            return 0
        if verdict == "sent":
            none: Any = repeat(None)
            columns: _Columns = (
                repeat("accepted"),
                none,
                none,
                none,
                none,
                repeat("resolved manually"),
            )
            self._to_write.append(_Write(partial(self._record, rows, columns, time.time())))
        else:
            self._to_write.append(_Write(partial(self._forget, rows)))
        await self._run(self._write)
        self._looked_up.difference_update(rows)
        return len(rows)

    async def committed(self) -> Decimal:
        """Return what was spent, and what attempts without a verdict may have cost."""
        return await self._run(self._ask, self._committed)

    async def reserve(self, rows: Sequence[int], amounts: Sequence[Decimal]) -> None:
        """Do nothing: each opening claims all that is in doubt, and has it priced anew."""

    async def taken(self, message_ids: Sequence[str]) -> set[str]:
        """Return those of some message ids that messages of this journal hold."""
        return await self._run(self._ask, self._taken, message_ids)

    async def lacks(self, refs: Sequence[str]) -> bool:
        """Return whether some of these refs are of this journal, which has not sent them."""
        prefix = f"{REF_PREFIX}{self.campaign}-"
        ours = {it for it in refs if it.startswith(prefix)}
        return bool(ours) and await self._run(self._ask, self._lacks, ours)

    # On the thread: opening and closing.

    def _start(self, channel: str) -> None:
        try:
            # It holds numbers and texts: others on the machine need not read them.
            make_private(self.path)
            # IMMEDIATE: a transaction that begins by reading fails at its first write, without
            # waiting, if another connection (a follower of receipts) is just writing.
            self._db = sqlite3.connect(
                self.path, check_same_thread=False, timeout=10.0, isolation_level="IMMEDIATE"
            )
        except (sqlite3.Error, OSError) as error:
            raise ConfigurationError(f"{self.path} cannot be opened: {error}") from None
        self._lease = Lease(self._db, self.path)
        try:
            self._prepare(channel)
        except sqlite3.DatabaseError as error:
            self._db.close()
            raise ConfigurationError(f"{self.path} cannot be used as a journal: {error}") from None
        except BaseException:
            self._db.close()
            raise

    def _prepare(self, channel: str) -> None:
        db = self._db
        # A request of a thousand messages fills many pages; each costs two writes to the WAL.
        db.execute("pragma page_size = 8192")
        db.execute("pragma journal_mode = wal")
        # FULL: with NORMAL a loss of power could forget an intent whose request was sent.
        db.execute("pragma synchronous = full")
        # The WAL is copied into the file every 4 MB, and then written from its start again: to sync
        # a file that does not grow costs half.
        db.execute("pragma wal_autocheckpoint = 512")
        db.execute("begin immediate")
        tables = schema.tables_of(db)
        if not tables:  # new, or its first process was killed before it had created anything
            schema.create(db, channel)
        elif "meta" not in tables or "message" not in tables:
            raise ConfigurationError(f"{self.path} is another program's database, not a journal")
        else:
            schema.migrate(db, self.path, int(self._meta("schema")))
        if (kept := self._meta("channel")) != channel:
            raise ConfigurationError(f"{self.path} is a journal of {kept} messages, not {channel}")
        # In the same transaction as the tables: of two processes that start together one fails.
        if self._lease.take():
            # An owner that is only stopped may wake and complete its requests.
            db.execute(
                "update batch set silent = 1 where id in "
                f"(select batch from message_state where {_UNDECIDED})"
            )
        db.commit()
        self._file = self._identity()
        self.campaign = self._meta("campaign")
        self._next_row, self._next_batch = db.execute(
            "select (select coalesce(max(first + size), 1) from chunk), "
            "(select coalesce(max(id), 0) + 1 from batch)"
        ).fetchone()
        self._first_batch = self._next_batch
        self._first_row = self._next_row
        if self._first_row > 1:
            (last,) = db.execute("select max(intent) from batch").fetchone()
            self.last_sent = last or 0.0

    def _close(self) -> None:
        if self._index is not None:
            self._index.close()
        if self._file is None:
            return  # it was not opened
        # Each by itself: results that cannot be written must not keep the lease from being
        # released.
        for last in (self._write, self._release):
            try:
                last()
            except (sqlite3.Error, ConfigurationError) as error:
                log.warning("the journal lacks the last results, they will be in doubt: %s", error)
        with contextlib.suppress(sqlite3.Error):
            self._db.close()

    def _release(self) -> None:
        self._lease.release()
        self._db.commit()

    def _meta(self, name: str) -> str:
        row = self._db.execute("select value from meta where name = ?", (name,)).fetchone()
        if row is None:
            raise ConfigurationError(f"{self.path} is no journal: it has no {name}")
        return str(row[0])

    def _identity(self) -> tuple[int, int]:
        found = self.path.stat()
        return found.st_dev, found.st_ino

    # On the thread: writing.

    def _write(self) -> None:
        """Make everything taken so far durable; if that fails it waits for the next try."""
        self._write_waits = False  # what is taken from now on may be too late for this one
        self._apply()
        if self._in_transaction:
            self._try(self._commit)
            self._in_transaction.clear()

    def _apply(self) -> None:
        """Write everything taken so far, not yet durably.

        Raises:
            ConfigurationError: it was taken over; the new owner must not be locked out.

        """
        # Once at the beginning; `_commit` checks the lease again at the end.
        if not self._db.in_transaction:
            self._try(self._lease.check)
        while self._to_write:
            write = self._to_write.popleft()
            # Noted before it runs: a rollback undoes all of these, and they are queued again.
            self._in_transaction.append(write)
            self._try(write.work)

    def _commit(self) -> None:
        # Inside the transaction, which only one process can have: the owner cannot change before
        # the commit.
        self._lease.check()
        self._check_file()
        self._db.commit()

    def _try(self, work: Callable[[], object]) -> None:
        try:
            work()
        except BaseException as error:
            with contextlib.suppress(sqlite3.Error):
                self._db.rollback()
            # Lanes whose intent failed do not send, so it must not be written later; nor those that
            # are still queued, as their lanes may wait for this very write.
            again = self._in_transaction.copy()
            self._in_transaction.clear()
            while self._to_write:
                again.append(self._to_write.popleft())
            for write in again:
                if write.won is not None:
                    write.won.clear()
            self._to_write.extendleft(it for it in reversed(again) if it.won is None)
            raise self._explained(error) from error

    def _explained(self, error: BaseException) -> BaseException:
        if isinstance(error, sqlite3.Error):
            return ConfigurationError(f"{self.path} cannot be written: {error}")
        return error

    def _check_file(self) -> None:
        try:
            identity = self._identity()
        except OSError:
            identity = None
        # A deleted file can still be written to, but the next run would not find it.
        if identity != self._file:
            raise ConfigurationError(
                f"{self.path} was deleted or replaced while this process was writing it"
            )

    def _beat(self) -> None:
        self._check_file()
        self._write()
        if self._index is not None:
            self._index_entered(self._index)
        self._lease.renew()
        self._db.commit()

    def _ask(self, question: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        # A question must see all results taken so far, durable or not.
        self._apply()
        try:
            return question(*args, **kwargs)
        except sqlite3.DatabaseError as error:
            raise ConfigurationError(f"{self.path} cannot be read: {error}") from error

    def _enter(self, messages: Encoded, places: Sequence[int], rows: range) -> None:
        """Take new messages: a chunk for each run of neighbours with one media file."""
        files = messages.media_files
        if files is None and len(places) == len(messages):
            work = partial(self._insert, rows.start, len(rows), messages.whole_body(), None)
            self._to_write.append(_Write(work))
            return
        numbered = groupby(
            enumerate(places), key=lambda it: (it[1] - it[0], files[it[1]] if files else None)
        )
        for (_, media_file), neighbours in numbered:
            some = [place for _, place in neighbours]
            body = request_body([messages.bodies[it] for it in some])
            work = partial(self._insert, rows[some[0]], len(some), body, media_file)
            self._to_write.append(_Write(work))

    def _insert(self, first: int, size: int, body: bytes, media_file: str | None) -> None:
        self._db.execute(
            "insert into chunk values (?, ?, ?, ?)", (first, size, media_file, body.decode())
        )

    def _begin(
        self,
        rows: Sequence[int],
        batch: int,
        intent: float,
        *,
        attempt: int,
        reserved: Sequence[Decimal],
        won: list[Sequence[int]],
    ) -> None:
        self._db.execute("insert into batch values (?, ?, ?, 0)", (batch, intent, attempt))
        # A first attempt takes what is sendable, a further one what is in doubt: neither can claim
        # the other's messages.
        condition = _SENDABLE if attempt == 1 else _UNDECIDED
        earlier = _EARLIER[attempt > 1]
        amounts = list(map(str, reserved))
        if _is_run(rows):
            statement = _BEGIN_CHUNK.format(condition=condition, earlier=earlier)
            shared = _shared(amounts) if amounts else None
            # Of a further attempt each message has its own earlier reservation.
            is_simple = attempt == 1
            values = (batch, shared, rows[0], len(rows))
            if is_simple and self._db.execute(statement, values).rowcount:
                won.append(rows)
                return
        # A part of a chunk, or a chunk of which another task claimed some: each message gets its
        # own result.
        self._explode(rows)
        statement = _BEGIN_MESSAGE.format(condition=condition, earlier=earlier)
        some = [
            row
            for place, row in enumerate(rows)
            if self._db.execute(
                statement, (batch, amounts[place] if amounts else None, row)
            ).rowcount
        ]
        won.append(some)

    def _record(self, rows: Sequence[int], columns: _Columns, at: float) -> None:
        """Write results. A lost one costs a search in the history, not a second message."""
        shared = tuple(map(_shared, columns))
        reservation = _shared(_keep_reservation(columns[0], columns[3], len(rows)))
        alike = not any(str(it).startswith("[") for it in (shared[0], reservation))
        # The usual case: a whole chunk went the same way, and one row holds a thousand results.
        if alike and _is_run(rows):
            statement = _RECORD.format("chunk_result", "chunk = ? and size = ?")
            values = (*shared, at, reservation, rows[0], len(rows))
            if self._db.execute(statement, values).rowcount:
                return
        self._explode(rows)
        # Not strict, as a value that is shared has no end.
        kept = _keep_reservation(columns[0], columns[3], len(rows))
        each = zip(*columns, repeat(at), kept, rows, strict=False)
        self._db.executemany(_RECORD.format("message_result", "id = ?"), list(each))

    def _withdraw(self, rows: Sequence[int], outcomes: Sequence[Outcome], at: float) -> list[int]:
        """Write results of messages that were never begun here; return those begun elsewhere."""
        self._apply()
        self._explode(rows)
        lost = []
        for row, (state, _, _, _, reason, detail) in zip(rows, map(_row_of, outcomes), strict=True):
            changed = self._db.execute(
                f"update message_result set state = ?, reason = ?, detail = ?, at = ? "
                f"where id = ? and {_SENDABLE}",
                (state, reason, detail, at, row),
            ).rowcount
            # Begun meanwhile: its outcome belongs to that request.
            if not changed:
                lost.append(row)
        return lost

    def _forget(self, rows: Sequence[int]) -> None:
        """Have messages sent by the next run as if they never had been."""
        self._explode(rows)
        # The reservation moves to `earlier`: the attempt without a verdict may have been charged.
        self._db.executemany(
            "update message_result set batch = null, state = null, message_id = null, "
            "parts = null, price = null, reason = null, detail = null, at = null, "
            f"earlier = {_EARLIER[1]}, reserved = null where id = ?",
            [(row,) for row in rows],
        )

    def _explode(self, rows: Sequence[int]) -> None:
        """Give each message of the chunks of some rows its own result."""
        for first in {self._chunk_of(row) for row in rows}:
            self._db.execute(
                "insert or ignore into message_result select id, batch, state, message_id, parts, "
                "price, reason, detail, reserved, earlier, at from message_state where chunk = ?",
                (first,),
            )
            self._db.execute("delete from chunk_result where chunk = ?", (first,))

    def _chunk_of(self, row: int) -> int:
        query = "select max(first) from chunk where first <= ?"
        return int(self._db.execute(query, (row,)).fetchone()[0])

    # On the thread: planning.

    def _plan(self, run: int, messages: Encoded, rows: range) -> Planned:
        self._apply()
        # A key comes before content: equal texts under two keys are two messages.
        keyed = self._plan_keys(messages, rows) if messages.keys is not None else {}
        if self._index is None:
            self._index = Index(self.campaign, self._chunks)
        self._index_entered(self._index)
        if not keyed and run and (chunk := self._index.find_chunk(run, messages)) is not None:
            accepted = self._all_accepted(chunk)
            if accepted is not None:
                return Planned(chunk, {}, accepted)
            return Planned(chunk, dict(enumerate(self._look(chunk))))
        if run:
            found = self._index.find(run, messages, rows, once=False)
        else:
            found = self._find_named(self._index, messages, rows, keyed)
        for place, entry in keyed.items():
            found[place] = entry if isinstance(entry, int) else entry.row
        new = [place for place, row in enumerate(rows) if found[place] == row]
        self._enter(messages, new, rows)
        self._apply()
        # Only a chunk that is new as a whole can be found again as a whole.
        if run and len(new) == len(rows):
            self._index.add(messages, rows, run)
        earlier = [row for row in set(found) if row not in rows and row]
        entries = {it.row: it for it in self._look(earlier)} if earlier else {}
        known = {place: entries[row] for place, row in enumerate(found) if row in entries}
        known |= {place: it for place, it in keyed.items() if isinstance(it, Entry)}
        return Planned(found, known)

    def _index_entered(self, index: Index) -> None:
        """Index what was entered without being looked for."""
        query = "select first, size, media_file, body from chunk where first between ? and ?"
        while self._unindexed:
            run, rows = self._unindexed[0]
            chunks = self._db.execute(query, (rows[0], rows[-1])).fetchall()
            if sum(size for _, size, *_ in chunks) < len(rows):
                return  # taken just now, and not written yet
            for first, size, media_file, body in chunks:
                index.enter((first, size, media_file, body.encode()))
            if run:
                index.mark(run, rows)
            self._unindexed.popleft()

    def _find_named(
        self, index: Index, messages: Encoded, rows: range, keyed: Iterable[int]
    ) -> list[int]:
        """Return the rows of single messages, which are found by a ref of the caller's only."""
        if messages.has_unique_refs:
            return list(rows)
        generated = {it for it in range(len(messages)) if messages.has_unique_ref(it)}
        return index.find(0, messages, rows, once=True, without=generated.union(keyed))

    def _plan_keys(self, messages: Encoded, rows: range) -> dict[int, int | Entry]:
        """Return, by position, the row or the entry that a message's key stands for."""
        assert messages.keys is not None
        planned: dict[int, int | Entry] = {}
        for place, key in enumerate(messages.keys):
            if key is None:
                continue
            # As a hash: a key may be personal data, and it is kept longer than its message.
            hashed = sha256(key.encode("utf-8", "surrogatepass")).digest()
            content = _content_of(messages, place)
            held = self._db.execute(
                "select content, id from key where hash = ?", (hashed,)
            ).fetchone()
            entry: Entry | None = None
            if held is not None:
                row = int(held[1])
                same = held[0] == content
                if row in rows:  # an earlier message of this very call
                    planned[place] = row if same else _conflict(messages, place)
                    continue
                found = self._look([row])
                entry = found[0] if found else None
                if entry is not None and entry.state is State.HELD:
                    entry.state = State.REJECTED  # what the first caller was given
                # `NotSent` frees a key for another text; the same text is the same message, sent by
                # this run.
                if entry is not None and (same or entry.state is not State.NOT_SENT):
                    planned[place] = entry if same else _conflict(messages, place)
                    continue
            planned[place] = rows[place]
            self._db.execute(
                "insert or replace into key values (?, ?, ?)", (hashed, content, rows[place])
            )
        return planned

    def _all_accepted(self, rows: range) -> AllAccepted | None:
        """Return the columns of a chunk whose messages were all accepted, else None."""
        row = self._db.execute(
            "select message_id, parts, price, body from chunk_result join chunk on first = chunk "
            "where chunk = ? and state = 'accepted'",
            (rows.start,),
        ).fetchone()
        if row is None:
            return None
        message_id, parts, price, body = row
        amounts = _spread(price)
        prices: Column[Decimal | None]
        if isinstance(amounts, repeat):
            prices = repeat(_decimal(next(amounts)))
        else:
            prices = list(map(_decimal, amounts))
        return AllAccepted(
            [it.custom_string for it in _refs(body).messages],
            _spread(message_id),
            _spread(parts),
            prices,
        )

    # On the thread: reading.

    def _find(self, state: State, limit: int, after: int) -> list[Entry]:
        condition = _UNDECIDED if state is State.IN_DOUBT else _SENDABLE
        # By chunk as well, which has an index: a condition on the row alone would read everything.
        rows = self._db.execute(
            "select id from message_state where chunk >= coalesce((select max(first) from chunk "
            f"where first <= ?), 0) and id > ? and {condition} order by chunk, place limit ?",
            (after, after, limit),
        ).fetchall()
        return self._look([row for (row,) in rows])

    def _look(self, rows: Iterable[int]) -> list[Entry]:
        """Return messages by their rows, in the order of these."""
        wanted = list(rows)
        found: dict[int, Entry] = {}
        for first, some in groupby(sorted(set(wanted)), self._chunk_of):
            found |= {it.row: it for it in self._entries(first, set(some))}
        return [found[row] for row in wanted if row in found]

    def _entries(self, first: int, rows: set[int]) -> Iterator[Entry]:
        media_file, body = self._db.execute(
            "select media_file, body from chunk where first = ?", (first,)
        ).fetchone()
        refs, bodies = [it.custom_string for it in _refs(body).messages], bodies_of(body)
        batches = dict[int | None, tuple[float, int, int]]()
        query = (
            "select id, batch, state, message_id, parts, price, reason, detail, reserved "
            "from message_state where chunk = ?"
        )
        ours = f"{REF_PREFIX}{self.campaign}-"
        for row, batch, state, *result, reserved in self._db.execute(query, (first,)):
            if row not in rows:
                continue
            if batch not in batches:
                batches[batch] = self._db.execute(
                    "select intent, attempt, silent from batch where id = ?", (batch,)
                ).fetchone() or (0.0, 0, 0)
            intent, attempt, silent = batches[batch]
            message_id, parts, price, reason, detail = result
            yield Entry(
                row=row,
                ref=refs[row - first],
                body=bodies[row - first],
                media_file=media_file,
                state=self._state(row, batch, state),
                message_id=message_id,
                parts=parts,
                price=_decimal(price),
                reason=reason,
                detail=detail,
                batch=batch,
                attempt=attempt,
                intent=intent,
                reserved=(_decimal(reserved) or Decimal(0)),
                owner_exited=not silent,
                has_unique_ref=refs[row - first].startswith(ours),
            )

    def _state(self, row: int, batch: int | None, state: str | None) -> State:
        # Begun by this process without a result yet, or claimed by it to be looked up: not
        # another's to take.
        if batch is not None and state in (None, "unknown"):
            ours = row in self._looked_up or (batch >= self._first_batch and state is None)
            if ours:
                return State.IN_FLIGHT
            return State.IN_DOUBT if state is None else State.UNKNOWN
        return State(state or "planned")

    def _chunks(self) -> Iterator[Chunk]:
        query = "select first, size, media_file, body from chunk order by first"
        for first, size, media_file, body in self._db.execute(query):
            yield first, size, media_file, body.encode()

    def _committed(self) -> Decimal:
        total = Decimal(0)
        query = (
            "select state, price, reserved, earlier, count(*) from message_state "
            "where batch is not null or earlier is not null group by 1, 2, 3, 4"
        )
        for state, price, reserved, earlier, count in self._db.execute(query):
            one = (_decimal(reserved) or Decimal(0)) + (_decimal(earlier) or Decimal(0))
            if state == "accepted" and price is not None:
                one += max(_decimal(price) or Decimal(0), Decimal(0))
            total += one * count
        return total

    def _taken(self, message_ids: Sequence[str]) -> set[str]:
        # A chunk keeps its ids in one text, so this scans; only rows without a ref of ours are
        # asked about. In quotes, as an id may be a part of another one.
        return {
            it
            for it in message_ids
            if self._db.execute(
                "select exists (select 1 from message_result where message_id = ?) or exists "
                "(select 1 from chunk_result where message_id = ? or instr(message_id, ?))",
                (it, it, _json(it).decode()),
            ).fetchone()[0]
        }

    def _lacks(self, refs: set[str]) -> bool:
        # The number in a prefix is larger than the last row that was there when it was made.
        if any(_chunk_number(it) > self._first_row for it in refs):
            return True
        never_begun = self._db.execute(
            "select body from chunk where first < ? and not exists "
            "(select 1 from chunk_result where chunk = first) and not exists "
            "(select 1 from message_result where id >= first and id < first + size)",
            (self._first_row,),
        )
        return any(
            it.custom_string in refs for (body,) in never_begun for it in _refs(body).messages
        )

    # The thread.

    async def _run(self, work: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Run work on the journal's thread; a cancelled wait does not cut it short."""
        return await asyncio.shield(self._submit(work, *args, **kwargs))

    def _submit(self, work: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> asyncio.Future[T]:
        return asyncio.wrap_future(self._thread.submit(work, *args, **kwargs))

    def __repr__(self) -> str:
        return f"Journal({str(self.path)!r})"


class _Write(msgspec.Struct):
    """Something to be written."""

    work: Callable[[], object]
    won: list[Sequence[int]] | None = None
    """Of an intent: what it claims, once its transaction is committed."""


_Columns = tuple[
    "Column[str]",
    "Column[str | None]",
    "Column[int | None]",
    "Column[str | None]",
    "Column[str | None]",
    "Column[str | None]",
]
"""The results of messages: state, message_id, parts, price, reason, detail."""


def _columns_of(outcomes: Sequence[Outcome]) -> _Columns:
    if isinstance(outcomes, Acceptances):
        prices: Column[str | None]
        if isinstance(outcomes.prices, repeat):
            prices = repeat(_text(next(outcomes.prices)))
        else:
            prices = list(map(_text, outcomes.prices))
        none: Any = repeat(None)
        return repeat("accepted"), outcomes.ids, outcomes.parts, prices, none, none
    return tuple(zip(*map(_row_of, outcomes), strict=True))  # type: ignore[return-value]


def _row_of(
    outcome: Outcome,
) -> tuple[str, str | None, int | None, str | None, str | None, str | None]:
    match outcome:
        case Accepted():
            return "accepted", outcome.message_id, outcome.parts, _text(outcome.price), None, None
        case Rejected():
            # An account without credit refuses what it would take tomorrow.
            state = "held" if outcome.status in ACCOUNT_REFUSALS else "rejected"
            return state, None, None, None, outcome.status, None
        case NotSent():
            return "not_sent", None, None, None, outcome.reason.value, outcome.detail
        case Unknown():
            return "unknown", None, None, None, outcome.reason.value, outcome.detail


def _keep_reservation(
    states: Column[str], prices: Column[str | None], count: int
) -> Sequence[bool]:
    """Return of which results the messages may still cost what was reserved for them.

    A reservation ends with a result that says what was charged.
    """
    if isinstance(states, repeat) and isinstance(prices, repeat):
        return [_may_cost(next(states), next(prices))] * count
    # Not strict, as a value that is shared has no end.
    each = zip(states, prices, range(count), strict=False)
    return [_may_cost(state, price) for state, price, _ in each]


def _may_cost(state: str, price: str | None) -> bool:
    if state == "accepted":
        return price is None or not says_charge(Decimal(price))
    return state == "unknown"


def _chunk_number(ref: str) -> int:
    """Return the number in the prefix of one of our refs."""
    try:
        return int(ref.split("-")[2], 16)
    except (IndexError, ValueError):  # no ref as we make them
        return 0


def _text(amount: Decimal | None) -> str | None:
    return None if amount is None else str(amount)


def _decimal(amount: Any) -> Decimal | None:
    return None if amount is None else Decimal(str(amount))


def _is_run(rows: Sequence[int]) -> bool:
    """Whether rows are neighbours, so that they may be a chunk."""
    return isinstance(rows, range) or list(rows) == list(range(rows[0], rows[0] + len(rows)))


def _shared(values: Column[Any]) -> Any:
    """Return what messages share, or a JSON array of what each has."""
    if isinstance(values, repeat):
        return next(values)
    # Compared with the last value first: mostly that settles it for ids, which all differ.
    first = values[0]
    # A text that looks like an array must not be taken for one.
    if first != values[-1] or values.count(first) < len(values) or str(first).startswith("["):
        return _json(values).decode()
    return first


def _spread(value: Any) -> Column[Any]:
    """Return the opposite of `_shared`."""
    if isinstance(value, str) and value.startswith("["):
        column: list[Any] = _unjson(value)
        return column
    return repeat(value)


def _content_of(messages: Encoded, place: int) -> bytes:
    """Return what a key stands for: number and text (and the media file of an MMS)."""
    message = messages.messages[place]
    media_file = messages.media_files[place] if messages.media_files else None
    return blake2b(_json([message.to, message.body, media_file]), digest_size=16).digest()


def _conflict(messages: Encoded, place: int) -> Entry:
    return Entry(
        row=0,
        ref=messages.refs[place],
        body=messages.bodies[place],
        state=State.KEY_CONFLICT,
    )
