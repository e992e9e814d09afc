"""The journal's file: SQLite with the WAL, readable with any sqlite3.

Tables (times are unix seconds, UTC)::

    meta     name, value          schema, campaign, channel
    lease    owner, pid, host, born, beat     who writes; at most one row
    batch    id, state, intent, tries
             state: intent    durable before the first byte of the request left
                    answered | refused | not_sent | unknown   how its request ended
    message  id, batch, ref, body, kind
             batch  the request it was last in; it was sent if that stands in ``batch``
             body   its JSON, frozen: sent word for word at every try
             kind   the media file of an MMS, which travels beside the messages
    result   message, state, message_id, parts, price, reason, at
             state: accepted | rejected | unknown   not sent again by itself
                    not_sent | held                 will be sent by the next run

and the view ``outcome``: one row a message with the state it is in, ``planned`` (never sent) and
``in_doubt`` (sent, no result) included.

Messages are found again by a hash of what was handed in. The index of these keys is kept in memory
(about 25 bytes a message) and made anew when the file is opened: hashes fall all over an index, so
that on disk every commit would have to write most of it.

A thousand rows are written by one statement over a JSON array, not by a thousand: sqlite3 lets the
event loop's thread run only between statements, and waits for it at each.

Everything here is synchronous and meant for one thread.
"""

from __future__ import annotations

import json
import os
import secrets
import sqlite3
from collections.abc import Iterable, Sequence
from itertools import groupby
from pathlib import Path
from typing import Any

import msgspec
from msgspec import Struct

from ..errors import ConfigurationError
from ..models.messages import REF_PREFIX
from .lease import Lease
from .lookup import Index, runs_of

SCHEMA = 1

_CREATE = """
create table meta (name text primary key, value text not null) without rowid;
create table lease (one integer primary key check (one = 1), owner text not null,
    pid integer not null, host text not null, born text not null, beat real not null);
create table batch (id integer primary key, state text not null, intent real not null,
    tries integer not null);
create table message (id integer primary key, batch integer, ref text not null,
    body text not null, kind text);
create table result (message integer primary key, state text not null, message_id text,
    parts integer, price text, reason text, at real not null);
create view outcome as
    select message.id, message.ref, json_extract(message.body, '$.to') as "to",
        coalesce(result.state,
            case when batch.id is null then 'planned' else 'in_doubt' end) as state,
        result.message_id, result.parts, result.price, result.reason
    from message left join result on result.message = message.id
    left join batch on batch.id = message.batch;
"""

_json = msgspec.json.encode

_KNOWN = """
select message.id, ref, body,
    coalesce(result.state, case when batch.id is null then 'planned' else 'in_doubt' end),
    message_id, parts, price, reason, kind, message.batch, coalesce(batch.intent, 0)
from message left join result on result.message = message.id
left join batch on batch.id = message.batch
"""


class Entries(Struct):
    """Messages handed in, to be found again or written down: a column for each of their parts."""

    keys: list[int]
    refs: list[str]
    bodies: list[bytes]
    kinds: list[str | None] | None = None
    once: bool = False
    """Whether an equal message is this one, even in the same run."""


class Uniform(Struct):
    """Results of messages in neighbouring rows that were all accepted at one price."""

    first: int
    message_ids: bytes
    """A JSON array of their `message_id`s."""
    parts: int | None
    price: str | None
    at: float


class Known(Struct):
    """A message of the journal."""

    row: int
    ref: str
    body: bytes
    state: str
    """``planned``, ``in_doubt`` or one of the states of `result`."""
    message_id: str | None = None
    parts: int | None = None
    price: str | None = None
    reason: str | None = None
    kind: str | None = None
    batch: int | None = None
    intent: float = 0.0


class Store:
    """One file, opened by `open`."""

    _db: sqlite3.Connection
    _lease: Lease
    _index: Index

    def __init__(self, path: Path) -> None:
        self._path = path
        self._next = 0
        self._next_batch = 0
        self._reserved: dict[tuple[int, int], int] = {}
        self._run = 0
        self.campaign = ""
        self.is_open = False

    def open(self, channel: str) -> None:
        """Create or check the file and take its lease.

        Raises:
            ConfigurationError: it is no journal, of a newer version, of another channel, or in use.

        """
        self._db = self._connect()
        self._lease = Lease(self._db, self._path)
        try:
            self._prepare(channel)
        except sqlite3.DatabaseError as error:
            self._db.close()
            raise ConfigurationError(f"{self._path} cannot be used as a journal: {error}") from None
        except ConfigurationError:
            self._db.close()
            raise
        self.is_open = True

    def close(self) -> None:
        """Give the lease back and close the file."""
        self.is_open = False
        try:
            self._lease.give_back()
            self._db.commit()
        finally:
            self._db.close()

    def beat(self) -> None:
        """Renew the lease.

        Raises:
            ConfigurationError: somebody took it over.

        """
        self._lease.renew()
        self._db.commit()

    def new_run(self) -> int:
        """Return the number of a new run: equal messages within it are different messages."""
        self._run += 1
        return self._run

    def claim(self, run: int, entries: Entries) -> range | list[Known]:
        """Enter the messages of a run; return their rows if all are new, else all as known."""
        count = len(entries.keys)
        rows = range(self._next, self._next + count)
        self._next += count
        if self._index.add(entries.keys, rows.start, run) == count:
            self._enter(rows, entries, range(count))
            return rows
        new = [
            place
            for place, row in enumerate(rows)
            if self._index.is_first(entries.keys[place], row)
        ]
        self._enter([rows[place] for place in new], entries, new)
        found: dict[int, Known | None] = dict.fromkeys(new)
        for place in range(count):
            if place not in found:
                found[place] = self._find(run, rows[place], entries, place)
        first = set(new)
        more = [place for place, it in found.items() if it is None and place not in first]
        self._enter([rows[place] for place in more], entries, more)
        entered = {it.row: it for it in self.look(rows[place] for place in (*new, *more))}
        return [found[place] or entered[rows[place]] for place in range(count)]

    def intend(self, rows: Sequence[int], intent: float, tries: int) -> int:
        """Write down durably that messages are about to leave, and return their batch."""
        self._lease.check()
        first, last = min(rows), max(rows)
        neighbours = last - first == len(rows) - 1
        batch = self._reserved.pop((first, last), None) if neighbours else None
        if batch is None:
            batch = self._new_batch()
            self._db.executemany(
                "update message set batch = ? where id = ?", [(batch, row) for row in rows]
            )
            self._db.executemany("delete from result where message = ?", [(row,) for row in rows])
        else:
            # A batch that was withdrawn unsent left results: they must not outlive this intent.
            self._db.execute("delete from result where message between ? and ?", (first, last))
        self._db.execute("insert into batch values (?, 'intent', ?, ?)", (batch, intent, tries))
        self._db.commit()
        return batch

    def end(self, batches: Iterable[tuple[str, int]]) -> None:
        """Write down how requests ended: state and batch."""
        self._db.executemany("update batch set state = ? where id = ?", batches)

    def record(self, results: Iterable[tuple[Any, ...] | Uniform]) -> None:
        """Write results down; they become durable with the next intent or commit.

        A lost one costs a search in the history, not a second message.
        """
        for uniform, group in groupby(results, key=lambda it: isinstance(it, Uniform)):
            if uniform:
                self._record_uniform(group)  # type: ignore[arg-type]
            else:
                self._db.executemany("insert or replace into result values (?,?,?,?,?,?,?)", group)  # type: ignore[arg-type]

    def commit(self) -> None:
        """Make what was written durable."""
        self._db.commit()

    def in_doubt(self) -> list[Known]:
        """Return what was sent and has no final result: a crash or an unknown outcome left it."""
        return self._select(
            "where batch.id is not null and (result.state is null or result.state = 'unknown')"
        )

    def look(self, rows: Iterable[int]) -> list[Known]:
        """Return messages by their rows."""
        return [it for row in rows for it in self._select("where message.id = ?", (row,))]

    def planned(self, after: int, limit: int) -> list[Known]:
        """Return messages that wait to be sent, in the order of their rows."""
        return self._select(
            "where message.id > ? and (result.state in ('not_sent', 'held') "
            "or (batch.id is null and result.state is null)) order by message.id limit ?",
            (after, limit),
        )

    def counts(self) -> dict[str, int]:
        """Return how many messages are in each state."""
        return dict(self._db.execute("select state, count(*) from outcome group by state"))

    def _record_uniform(self, results: Iterable[Uniform]) -> None:
        self._db.executemany(
            "insert or replace into result (message, state, message_id, parts, price, at) "
            "select ? + key, 'accepted', value, ?, ?, ? from json_each(?)",
            [(it.first, it.parts, it.price, it.at, it.message_ids.decode()) for it in results],
        )

    def _enter(self, rows: Sequence[int], entries: Entries, places: Sequence[int]) -> None:
        """Write new messages down, with the number of the batch they will most likely be sent in.

        It means nothing until that batch is written, by `intend`.
        """
        for first, some in runs_of(list(zip(rows, places, strict=True))):
            batch = self._reserved[first, first + len(some) - 1] = self._new_batch()
            self._db.execute(
                "insert into message (id, batch, ref, body) select ? + key, ?, "
                "json_extract(value, '$.custom_string'), value from json_each(?)",
                (first, batch, _json([entries.bodies[it].decode() for it in some])),
            )
        if entries.kinds is not None:
            self._db.executemany(
                "update message set kind = ? where id = ?",
                [(entries.kinds[it], row) for it, row in zip(places, rows, strict=True)],
            )

    def _find(self, run: int, row: int, entries: Entries, place: int) -> Known | None:
        """Return the message an entry stands for, None if it is one more of its kind."""
        key, ref = entries.keys[place], entries.refs[place]
        known = self._index.find(key)
        for nth, found, last_run in known:
            if entries.once or last_run != run:
                it = self.look([found])
                if it and it[0].ref in (ref, nth_equal(ref, b"{}", nth)[0]):
                    self._index.asked(key, nth, run)
                    return it[0]
        nth = self._index.add_more(key, row, run)
        entries.refs[place], entries.bodies[place] = nth_equal(ref, entries.bodies[place], nth)
        return None

    def _new_batch(self) -> int:
        batch = self._next_batch
        self._next_batch += 1
        return batch

    def _select(self, where: str, values: tuple[Any, ...] = ()) -> list[Known]:
        cursor = self._db.execute(f"{_KNOWN} {where}", values)
        return [Known(it[0], it[1], it[2].encode(), *it[3:]) for it in cursor]

    def _connect(self) -> sqlite3.Connection:
        try:
            # It holds numbers and texts: nobody else on the machine needs to read them.
            os.close(os.open(self._path, os.O_CREAT | os.O_RDWR, 0o600))
            # IMMEDIATE: a transaction that begins by reading fails at its first write, without
            # waiting, if somebody else (a follower of receipts) is just writing.
            db = sqlite3.connect(
                self._path, check_same_thread=False, timeout=10.0, isolation_level="IMMEDIATE"
            )
        except (sqlite3.Error, OSError) as error:
            raise ConfigurationError(f"{self._path} cannot be opened: {error}") from None
        return db

    def _prepare(self, channel: str) -> None:
        db = self._db
        db.execute("pragma journal_mode = wal")
        # FULL: with NORMAL a loss of power could forget an intent whose request was sent.
        db.execute("pragma synchronous = full")
        # The WAL is copied into the file every 40 MB, not every 4: each time costs two more syncs.
        db.execute("pragma wal_autocheckpoint = 10000")
        db.execute("begin immediate")
        tables = {name for (name,) in db.execute("select name from sqlite_master")}
        if not tables:
            for statement in _CREATE.split(";\n"):
                db.execute(statement)
            started = {"schema": SCHEMA, "campaign": secrets.token_hex(4), "channel": channel}
            db.executemany(
                "insert into meta values (?, ?)",
                [(name, str(value)) for name, value in started.items()],
            )
        elif "meta" not in tables or "message" not in tables:
            raise ConfigurationError(f"{self._path} is another program's database, not a journal")
        if int(self._meta("schema")) > SCHEMA:
            raise ConfigurationError(f"{self._path} was written by a newer version of aioclicksend")
        if (kept := self._meta("channel")) != channel:
            raise ConfigurationError(f"{self._path} is a journal of {kept} messages, not {channel}")
        self._lease.take()
        db.commit()
        self.campaign = self._meta("campaign")
        # A batch that was never sent left its number in messages only.
        last, batch, sent = db.execute(
            "select coalesce(max(id), 0), coalesce(max(batch), 0), "
            "(select coalesce(max(id), 0) from batch) from message"
        ).fetchone()
        self._next, self._next_batch = last + 1, max(batch, sent) + 1
        self._index = Index(db, self.campaign)
        db.commit()

    def _meta(self, name: str) -> str:
        row = self._db.execute("select value from meta where name = ?", (name,)).fetchone()
        if row is None:
            raise ConfigurationError(f"{self._path} is no journal: it tells no {name}")
        return str(row[0])


def nth_equal(ref: str, body: bytes, nth: int) -> tuple[str, bytes]:
    """Return ref and body of the n-th equal message, from 0; a ref of the caller's stays."""
    if nth == 0 or not ref.startswith(REF_PREFIX):
        return ref, body
    ref = f"{ref}-{nth}"
    message = json.loads(body) | {"custom_string": ref}
    return ref, json.dumps(message, separators=(",", ":"), ensure_ascii=False).encode()
