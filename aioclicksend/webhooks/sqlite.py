"""The inbox in a SQLite file, for any number of processes of one machine.

One thread per inbox owns the connection. It takes everything that waits in its queue, runs it in
one transaction and commits once (group commit): a disk that syncs in 20 ms still acknowledges
hundreds of pushes a second, each of them after its commit::

    add ─┐
    add ─┼─► queue ─► thread: begin · savepoint each · commit ─► futures
    claim┘

Only what was promised has to be synced to the disk: pushes, decisions, opt-outs. That an event was
claimed or handled may be lost with the power, as it is handled again then.

An operation that fails is rolled back to its savepoint and does not disturb its neighbours. If the
commit fails, all of them failed.
"""

from __future__ import annotations

import asyncio
import json
import queue
import sqlite3
import threading
import time
from collections.abc import AsyncGenerator, Callable, Collection, Sequence
from contextlib import asynccontextmanager, closing, suppress
from datetime import UTC, datetime
from os import PathLike
from pathlib import Path
from types import TracebackType
from typing import Any, NamedTuple, Self, TypeVar

import msgspec

from ..errors import ConfigurationError
from ..files import make_private
from ..models.messages import REF_PREFIX
from . import ledger
from .events import DeliveryReceipt, InboundMessage, dedupe_key
from .merge import Change, MessageDelivery, merge
from .parse import parse
from .store import UNREADABLE, Arrival, Claimed, DeadLetter, Inbox, Push
from .suppression import asked_keys, number_key, stored_keys

T = TypeVar("T")

_APPLICATION = 0x61634962
"""``acIb`` in the header of the file, by which an inbox is recognized."""
_SCHEMA = 1
_TABLES = (
    # due: unix seconds; null once handled or dead. reason: why it is dead or failed last.
    """create table push (id integer primary key, key text unique, received real not null,
        body blob not null, content_type text, query text,
        due real, attempts integer not null default 0, is_dead integer not null default 0,
        reason text, sender text, answers text, ref text)""",
    "create index push_due on push (due) where due is not null",
    "create index push_dead on push (id) where is_dead",
    "create index push_sender on push (sender) where sender is not null",
    "create index push_answers on push (answers) where answers is not null",
    "create index push_ref on push (ref) where ref is not null",
    """create table suppressed (key text not null, number text not null, since real not null,
        primary key (key, number)) without rowid""",
)

_PATIENCE = 10.0
"""Seconds to wait for another process that is writing."""
_TURN = 0.02
"""Seconds until a file is opened again that another process is setting up."""
_GROUP = 500
"""Operations in one transaction at most."""
_HORIZON = 24 * 3600.0
"""Nothing is due later than this from now; what seems to be was written before a clock step."""
_AT_ONCE = 0.0
"""When something new is due: no step of the clock delays it."""
_FOREIGN = f"coalesce(ref, '') not glob '{REF_PREFIX}*'"


class _Operation(NamedTuple):
    work: Callable[[sqlite3.Connection], Any]
    loop: asyncio.AbstractEventLoop
    future: asyncio.Future[Any]
    is_durable: bool
    """Whether its commit has to reach the disk before it is answered."""


class SqliteInbox:
    """An `Inbox` in a file, created if it is missing; only its owner may read it.

        async with SqliteInbox("inbox.db") as inbox:
            await inbox.suppress(["+61411111111"])

    Args:
        path: the file.
        clock: the present time in unix seconds.

    """

    def __init__(
        self, path: str | PathLike[str], *, clock: Callable[[], float] = time.time
    ) -> None:
        self.path: Path = Path(path)
        """The file."""
        self._clock = clock
        self._queue: queue.SimpleQueue[_Operation | None] = queue.SimpleQueue()
        self._users = 0
        self._thread: threading.Thread | None = None
        self._waiting = set[asyncio.Future[None]]()

    def __repr__(self) -> str:
        return f"SqliteInbox({str(self.path)!r})"

    async def __aenter__(self) -> Self:
        await self.open()
        return self

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self.close()

    async def open(self) -> None:
        """Open the file.

        Raises:
            ConfigurationError: it cannot be opened, or is no inbox.

        """
        # Counted: a hook and `delivery.follow` share one inbox, and the last to leave closes it.
        self._users += 1
        if self._users > 1:
            return
        self._thread = threading.Thread(target=self._run, name="aioclicksend-inbox", daemon=True)
        self._thread.start()
        try:
            await self._do(lambda _db: None)
        except BaseException:
            await self.close()
            raise

    async def close(self) -> None:
        """Finish what was handed in and close the file, if this was its last user."""
        self._users -= 1
        if self._users == 0 and self._thread is not None:
            thread, self._thread = self._thread, None
            self._queue.put(None)
            # Off the loop: the thread may still be committing to a slow disk.
            await asyncio.to_thread(thread.join)

    async def add(self, arrivals: Sequence[Arrival]) -> list[bool]:
        """Store pushes durably and return for each whether it is new."""
        new = await self._do(lambda db: [self._store(db, it) for it in arrivals])
        if any(new):
            self._wake()
        return new

    async def record(self, receipts: Sequence[DeliveryReceipt], look: float) -> int:
        """Store polled receipts durably and return how many of them are new."""
        arrivals = [
            # json: what came as an escaped lone surrogate can be encoded so only.
            Arrival(push=Push(body=json.dumps(it.raw).encode(), content_type="application/json"),
                    event=it)
            for it in receipts if it.message_id
        ]  # fmt: skip

        def work(db: sqlite3.Connection) -> int:
            ledger.note_polled(db, receipts, look)
            return sum(self._store(db, it) for it in arrivals)

        new = await self._do(work)
        if new:
            self._wake()
        return new

    async def markable(self, look: float, grace: float, *, others: bool) -> int | None:
        """Return the unix time before which all receipts may be marked read."""
        foreign = None if others else _FOREIGN
        return await self._do(
            lambda db: ledger.markable(db, look, grace, foreign=foreign, names={})
        )

    async def claim(self, limit: int, lease: float) -> list[Claimed]:
        """Return up to `limit` events that are due, for `lease` seconds."""

        def work(db: sqlite3.Connection) -> list[Claimed]:
            now = self._clock()
            rows = db.execute(
                "update push set due = ?, attempts = attempts + 1 where id in (select id from push "
                "where due is not null and (due <= ? or due > ?) order by due, id limit ?) "
                "returning id, body, content_type, query, attempts",
                (now + lease, now, now + _HORIZON, limit),
            ).fetchall()
            return [
                Claimed(id=row[0], push=Push(body=row[1], content_type=row[2], query=row[3]),
                        attempt=row[4])
                # `returning` promises no order; the oldest event is handled first.
                for row in sorted(rows)
            ]  # fmt: skip

        return await self._do(work, is_durable=False)

    async def renew(self, ids: Collection[int], lease: float) -> None:
        """Extend the leases of events that are still being handled."""
        due = self._clock() + lease
        # Only of what is still claimed: a handler may have ended meanwhile.
        statement = "update push set due = ? where id = ? and due is not null"
        values = [(due, it) for it in ids]
        await self._do(lambda db: db.executemany(statement, values), is_durable=False)

    async def finish(self, ids: Collection[int]) -> None:
        """Note that events, or dead letters, were dealt with."""
        statement = "update push set due = null, is_dead = 0, reason = null where id = ?"
        values = [(it,) for it in ids]
        await self._do(lambda db: db.executemany(statement, values), is_durable=False)

    async def fail(self, event_id: int, reason: str, retry_in: float | None) -> None:
        """Make an event due again in `retry_in` seconds, or a dead letter for None."""
        due = None if retry_in is None else self._clock() + retry_in
        await self._do(
            lambda db: db.execute(
                "update push set due = ?, reason = ?, is_dead = ? where id = ?",
                (due, reason, due is None, event_id),
            )
        )

    async def wait(self, seconds: float) -> None:
        """Return when this process added something, or after some time."""
        future = asyncio.get_running_loop().create_future()
        self._waiting.add(future)
        try:
            async with asyncio.timeout(seconds):
                await future
        except TimeoutError:
            pass
        finally:
            self._waiting.discard(future)

    async def dead_letters(self, limit: int) -> list[DeadLetter]:
        """Return the oldest dead letters."""
        rows = await self._all(
            "select id, body, content_type, query, reason, attempts, received from push "
            "where is_dead order by id limit ?",
            limit,
        )
        return [
            DeadLetter(
                id=row[0],
                push=Push(body=row[1], content_type=row[2], query=row[3]),
                reason=row[4],
                attempts=row[5],
                received=datetime.fromtimestamp(row[6], UTC),
            )
            for row in rows
        ]

    async def replay(self, ids: Collection[int]) -> int:
        """Make dead letters due again, as if never attempted; return how many there were."""

        def work(db: sqlite3.Connection) -> int:
            return db.executemany(
                "update push set due = ?, attempts = 0, is_dead = 0, reason = null "
                "where id = ? and is_dead",
                [(_AT_ONCE, it) for it in ids],
            ).rowcount

        count = await self._do(work)
        self._wake()
        # sqlite3 counts -1 for no rows at all.
        return max(count, 0)

    async def changes(self, after: int, limit: int) -> list[Change]:
        """Return the changes behind the seq `after`, in order."""
        return await self._do(lambda db: ledger.changes(db, after, limit), is_durable=False)

    async def deliveries(self, ids: Collection[str]) -> dict[str, MessageDelivery]:
        """Return what is known of messages, by their ids."""
        return await self._do(lambda db: ledger.deliveries(db, list(ids)), is_durable=False)

    async def counts(self) -> dict[tuple[str, str | None], int]:
        """Return how many messages have each state and reason."""
        return await self._do(ledger.counts, is_durable=False)

    async def suppress(self, numbers: Collection[str], *, on: bool = True) -> None:
        """Put numbers on the suppression list, or take them off."""

        def work(db: sqlite3.Connection) -> None:
            for number in numbers:
                if on:
                    self._suppress(db, number)
                else:
                    db.execute("delete from suppressed where number = ?", (number_key(number),))

        await self._do(work)

    async def blocked(self, numbers: Collection[str]) -> set[str]:
        """Return which of some numbers are on the suppression list, as they were written."""
        keys = {number: asked_keys(number) for number in numbers}
        asked = msgspec.json.encode(list(set().union(*keys.values()))).decode()
        rows = await self._all(
            "select distinct key from suppressed where key in (select value from json_each(?))",
            asked,
        )
        found = {key for (key,) in rows}
        return {number for number, mine in keys.items() if not found.isdisjoint(mine)}

    async def replies(self, to: str, limit: int) -> list[InboundMessage]:
        """Return messages received from a number, or in answer to an id or a `custom_string`."""
        rows = await self._all(
            "select body, content_type, query from push "
            "where sender = ? or answers = ? or ref = ? order by id desc limit ?",
            number_key(to), to, to, limit,
        )  # fmt: skip
        events = [parse(body, content_type=kind, query=query) for body, kind, query in rows]
        return [it for it in events if isinstance(it, InboundMessage)]

    async def forget(self, before: datetime) -> int:
        """Delete the pushes that came before a time and were handled; return how many.

        They hold numbers and texts. Deliveries, dead letters and the suppression list stay. A
        repetition of what was deleted would be an event again: keep a week at least.
        """
        statement = "delete from push where received < ? and due is null and not is_dead"
        return await self._do(lambda db: db.execute(statement, (before.timestamp(),)).rowcount)

    def _store(self, db: sqlite3.Connection, arrival: Arrival) -> bool:
        push, event, now = arrival.push, arrival.event, self._clock()
        sender = answers = ref = key = None
        if event is not None:
            key = dedupe_key(event)
        if isinstance(event, InboundMessage):
            sender = number_key(event.from_ or "") or None
            answers, ref = event.original_message_id, event.custom_string
        dead = event is None
        # The unique key is the dedupe: also between processes, and between pushes and polls.
        new = db.execute(
            "insert or ignore into push (key, received, body, content_type, query, due, is_dead, "
            "reason, sender, answers, ref) values (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
            (key, now, push.body, push.content_type, push.query, None if dead else _AT_ONCE, dead,
             UNREADABLE if dead else None, sender, answers, ref),
        ).rowcount  # fmt: skip
        # A repetition changes nothing: neither the delivery nor the list.
        if not new:
            return False
        if isinstance(event, DeliveryReceipt) and event.message_id:
            ledger.apply(db, merge(None, event))
        if arrival.opt_out is not None:
            self._suppress(db, arrival.opt_out)
        return True

    def _suppress(self, db: sqlite3.Connection, number: str) -> None:
        now, digits = self._clock(), number_key(number)
        db.executemany(
            "insert or ignore into suppressed values (?, ?, ?)",
            [(key, digits, now) for key in stored_keys(number)],
        )

    async def _all(self, statement: str, *values: object) -> list[Any]:
        return await self._do(lambda db: db.execute(statement, values).fetchall(), is_durable=False)

    async def _do(self, work: Callable[[sqlite3.Connection], T], *, is_durable: bool = True) -> T:
        """Run an operation in the thread; it is done even if this wait is cancelled."""
        if self._thread is None:
            raise RuntimeError(f"{self!r} is not open: use it in `async with`")
        loop = asyncio.get_running_loop()
        future: asyncio.Future[T] = loop.create_future()
        # The thread answers by the loop of the caller: several loops may share one inbox.
        self._queue.put(_Operation(work, loop, future, is_durable))
        return await future

    def _wake(self) -> None:
        # Only a hint: a reader that misses it looks again by itself within half a second.
        # A copy: loops of other threads add to it and take from it.
        for future in tuple(self._waiting):
            if not future.done():
                future.get_loop().call_soon_threadsafe(_settle, future, None, None)

    def _run(self) -> None:
        try:
            db = _connect(self.path)
        except (OSError, sqlite3.Error, ConfigurationError) as error:
            broken = _cannot_open(self.path, error)
            while (operation := self._queue.get()) is not None:
                _answer(operation, None, broken)
            return
        with closing(db):
            ended = False
            while not ended:
                batch, ended = self._next()
                _transact(db, batch)

    def _next(self) -> tuple[list[_Operation], bool]:
        """Return everything that waits in the queue, and whether the end was among it."""
        batch: list[_Operation] = []
        item = self._queue.get()
        while item is not None:
            batch.append(item)
            if len(batch) == _GROUP:
                return batch, False
            try:
                item = self._queue.get_nowait()
            except queue.Empty:
                return batch, False
        return batch, True


def inbox_of(store: str | PathLike[str] | Inbox) -> Inbox:
    """Return a store, or the inbox in the file of a path."""
    return SqliteInbox(store) if isinstance(store, str | PathLike) else store


@asynccontextmanager
async def opened(store: str | PathLike[str] | Inbox | None) -> AsyncGenerator[Inbox | None]:
    """Open a store for the length of a block, if there is one."""
    if store is None:
        yield None
        return
    inbox = inbox_of(store)
    await inbox.open()
    try:
        yield inbox
    finally:
        await inbox.close()


def _connect(path: Path) -> sqlite3.Connection:
    make_private(path)
    deadline = time.monotonic() + _PATIENCE
    while True:
        db = sqlite3.connect(path, isolation_level=None, timeout=_PATIENCE)
        try:
            _set_up(db, path)
        except BaseException as error:
            db.close()
            # SQLite does not wait for its turn to switch a new file to WAL.
            is_busy = getattr(error, "sqlite_errorcode", None) == sqlite3.SQLITE_BUSY
            if not is_busy or time.monotonic() > deadline:
                raise
            time.sleep(_TURN)
        else:
            return db


def _set_up(db: sqlite3.Connection, path: Path) -> None:
    # Judged before anything is changed: it may be another program's database. In one transaction,
    # as another process may be creating the tables.
    db.execute("begin")
    ((application,),) = db.execute("pragma application_id").fetchall()
    ((tables,),) = db.execute("select count(*) from sqlite_master").fetchall()
    db.execute("commit")
    if application != _APPLICATION and (application or tables):
        raise ConfigurationError(f"{path} is a database, but no inbox of aioclicksend")
    db.execute("pragma journal_mode = wal")
    db.execute("begin immediate")
    ((schema,),) = db.execute("pragma user_version").fetchall()
    if schema > _SCHEMA:
        raise ConfigurationError(f"{path} was made by a newer version of aioclicksend")
    if not schema:
        for statement in _TABLES:
            db.execute(statement)
        ledger.create(db)
        db.execute(f"pragma application_id = {_APPLICATION}")
        db.execute(f"pragma user_version = {_SCHEMA}")
    db.execute("commit")


def _cannot_open(path: Path, error: Exception) -> ConfigurationError:
    if isinstance(error, ConfigurationError):
        return error
    reason = error.strerror if isinstance(error, OSError) else str(error)
    return ConfigurationError(f"{path} cannot be opened as an inbox: {reason}")


def _transact(db: sqlite3.Connection, batch: Sequence[_Operation]) -> None:
    """Run operations in one transaction and answer each of them after the commit."""
    answers = list[tuple[Any, Exception | None]]()
    try:
        # In WAL mode a commit is synced only if this is full.
        level = "full" if any(it.is_durable for it in batch) else "normal"
        db.execute(f"pragma synchronous = {level}")
        db.execute("begin immediate")
        for operation in batch:
            answers.append(_attempt(db, operation.work))
        db.execute("commit")
    except Exception as failure:  # nothing of it is durable, not even what succeeded
        with suppress(sqlite3.Error):
            db.execute("rollback")
        answers = [(None, failure)] * len(batch)
    for operation, (result, error) in zip(batch, answers, strict=True):
        _answer(operation, result, error)


def _attempt(
    db: sqlite3.Connection, work: Callable[[sqlite3.Connection], Any]
) -> tuple[Any, Exception | None]:
    # A constraint that one operation breaks must not roll back the pushes beside it.
    db.execute("savepoint one")
    try:
        result = work(db)
    except Exception as error:
        db.execute("rollback to one")
        db.execute("release one")
        return None, error
    db.execute("release one")
    return result, None


def _answer(operation: _Operation, result: Any, error: Exception | None) -> None:
    with suppress(RuntimeError):  # the loop is closed, so no task waits any more
        operation.loop.call_soon_threadsafe(_settle, operation.future, result, error)


def _settle(future: asyncio.Future[Any], result: Any, error: Exception | None) -> None:
    if future.done():
        return
    if error is None:
        future.set_result(result)
    else:
        future.set_exception(error)
