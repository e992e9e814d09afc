"""The journal's file: SQLite with the WAL, readable with any sqlite3.

Tables (times are unix seconds, UTC)::

    meta     name, value          schema, campaign, channel, runs
    lease    owner, pid, host, born, beat     who writes; at most one row
    batch    id, state, intent, tries
             state: intent    durable before the first byte of the request left
                    answered | refused | not_sent | unknown   how its request ended
    message  id, key, nth, run, batch, ref, body, kind
             key    hash of the message as it was handed in; nth counts equal ones
             run    the stream that last asked for it
             batch  the request it was last sent in, null if never
             body   its JSON, frozen: sent word for word at every try
             kind   the media file of an MMS, which travels beside the messages
    result   message, state, message_id, parts, price, reason, at
             state: accepted | rejected | unknown   not sent again by itself
                    not_sent | held                 will be sent by the next run

and the view ``outcome``: one row a message with the state it is in, ``planned`` (never sent) and
``in_doubt`` (sent, no result) included.

Everything here is synchronous and meant for one thread.
"""

from __future__ import annotations

import json
import os
import secrets
import socket
import sqlite3
import time
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from msgspec import Struct

from ..errors import ConfigurationError
from ..models.messages import REF_PREFIX

SCHEMA = 1

LEASE = 30.0
"""Seconds after which a lease that is not renewed may be taken over."""

_CREATE = """
create table meta (name text primary key, value text not null) without rowid;
create table lease (one integer primary key check (one = 1), owner text not null,
    pid integer not null, host text not null, born text not null, beat real not null);
create table batch (id integer primary key, state text not null, intent real not null,
    tries integer not null);
create table message (id integer primary key, key blob not null, nth integer not null,
    run integer not null, batch integer, ref text not null, body text not null, kind text);
create unique index message_key on message (key, nth);
create table result (message integer primary key, state text not null, message_id text,
    parts integer, price text, reason text, at real not null);
create view outcome as
    select message.id, message.ref, json_extract(message.body, '$.to') as "to",
        coalesce(result.state,
            case when message.batch is null then 'planned' else 'in_doubt' end) as state,
        result.message_id, result.parts, result.price, result.reason
    from message left join result on result.message = message.id;
"""


_KNOWN = """
select message.id, ref, body,
    coalesce(result.state, case when message.batch is null then 'planned' else 'in_doubt' end),
    message_id, parts, price, reason, kind, message.batch,
    coalesce(batch.intent, 0)
from message left join result on result.message = message.id
left join batch on batch.id = message.batch
"""


class Entry(Struct):
    """A message handed in, to be found again or written down."""

    key: bytes
    ref: str
    body: bytes
    once: bool = False
    """Whether an equal message is this one, even in the same run."""
    kind: str | None = None


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

    def __init__(self, path: Path) -> None:
        self._path = path
        self._owner = secrets.token_hex(8)
        self._next = 0
        self.campaign = ""
        self.is_open = False

    def open(self, channel: str) -> None:
        """Create or check the file and take its lease.

        Raises:
            ConfigurationError: it is no journal, of a newer version, of another channel, or in use.

        """
        self._db = self._connect()
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
            self._db.execute("delete from lease where owner = ?", (self._owner,))
            self._db.commit()
        finally:
            self._db.close()

    def beat(self) -> None:
        """Renew the lease.

        Raises:
            ConfigurationError: somebody took it over.

        """
        cursor = self._db.execute(
            "update lease set beat = ? where owner = ?", (time.time(), self._owner)
        )
        if cursor.rowcount == 0:
            raise ConfigurationError(f"{self._path} was taken over by another process")
        self._db.commit()

    def new_run(self) -> int:
        """Return the number of a new run: equal messages within it are different messages."""
        run = int(self._meta("runs")) + 1
        self._db.execute("update meta set value = ? where name = 'runs'", (str(run),))
        return run

    def claim(self, run: int, entries: Sequence[Entry]) -> list[Known]:
        """Return the messages of this run in the journal, entering those that are new."""
        rows = range(self._next, self._next + len(entries))
        self._next += len(entries)
        before = self._db.total_changes
        self._db.executemany(
            "insert or ignore into message (id, key, nth, run, ref, body, kind) "
            "values (?, ?, 0, ?, ?, ?, ?)",
            [
                (row, it.key, run, it.ref, it.body.decode(), it.kind)
                for row, it in zip(rows, entries, strict=True)
            ],
        )
        if self._db.total_changes - before == len(entries):
            return [
                Known(row, it.ref, it.body, "planned")
                for row, it in zip(rows, entries, strict=True)
            ]
        entered = self._db.execute(
            "select id from message where id between ? and ?", (rows[0], rows[-1])
        )
        new = {row for (row,) in entered}
        return [
            Known(row, it.ref, it.body, "planned") if row in new else self._find(run, row, it)
            for row, it in zip(rows, entries, strict=True)
        ]

    def intend(self, rows: Sequence[int], intent: float, tries: int) -> int:
        """Write down durably that messages are about to leave, and return their batch."""
        self._check_lease()
        cursor = self._db.execute(
            "insert into batch (state, intent, tries) values ('intent', ?, ?)", (intent, tries)
        )
        batch = cursor.lastrowid
        assert batch is not None
        first, last = min(rows), max(rows)
        if last - first == len(rows) - 1:
            self._db.execute(
                "update message set batch = ? where id between ? and ?", (batch, first, last)
            )
            self._db.execute("delete from result where message between ? and ?", (first, last))
        else:
            self._db.executemany(
                "update message set batch = ? where id = ?", [(batch, row) for row in rows]
            )
            self._db.executemany("delete from result where message = ?", [(row,) for row in rows])
        self._db.commit()
        return batch

    def end(self, batches: Iterable[tuple[str, int]]) -> None:
        """Write down how requests ended: state and batch."""
        self._db.executemany("update batch set state = ? where id = ?", batches)

    def record(self, results: Iterable[tuple[Any, ...]]) -> None:
        """Write results down; they become durable with the next intent or commit.

        A lost one costs a search in the history, not a second message.
        """
        self._db.executemany("insert or replace into result values (?, ?, ?, ?, ?, ?, ?)", results)

    def commit(self) -> None:
        """Make what was written durable."""
        self._db.commit()

    def in_doubt(self) -> list[Known]:
        """Return what was sent and has no final result: a crash or an unknown outcome left it."""
        return self._select(
            "where message.batch is not null and (result.state is null or result.state = 'unknown')"
        )

    def look(self, rows: Iterable[int]) -> list[Known]:
        """Return messages by their rows."""
        return [it for row in rows for it in self._select("where message.id = ?", (row,))]

    def planned(self, after: int, limit: int) -> list[Known]:
        """Return messages that wait to be sent, in the order of their rows."""
        return self._select(
            "where message.id > ? and (result.state in ('not_sent', 'held') "
            "or (message.batch is null and result.state is null)) order by message.id limit ?",
            (after, limit),
        )

    def counts(self) -> dict[str, int]:
        """Return how many messages are in each state."""
        return dict(self._db.execute("select state, count(*) from outcome group by state"))

    def _find(self, run: int, row: int, entry: Entry) -> Known:
        """Return the message an entry stands for: an old one not yet asked for, or a new one."""
        known = self._db.execute(
            "select id, run from message where key = ? order by nth", (entry.key,)
        ).fetchall()
        for found, last_run in known:
            if entry.once or last_run != run:
                self._db.execute("update message set run = ? where id = ?", (run, found))
                return self.look([found])[0]
        nth = len(known)
        ref, body = nth_equal(entry, nth)
        self._db.execute(
            "insert into message (id, key, nth, run, ref, body, kind) values (?, ?, ?, ?, ?, ?, ?)",
            (row, entry.key, nth, run, ref, body.decode(), entry.kind),
        )
        return Known(row, ref, body, "planned")

    def _select(self, where: str, values: tuple[Any, ...] = ()) -> list[Known]:
        cursor = self._db.execute(f"{_KNOWN} {where}", values)
        return [Known(it[0], it[1], it[2].encode(), *it[3:]) for it in cursor]

    def _connect(self) -> sqlite3.Connection:
        try:
            # It holds numbers and texts: nobody else on the machine needs to read them.
            os.close(os.open(self._path, os.O_CREAT | os.O_RDWR, 0o600))
            db = sqlite3.connect(self._path, check_same_thread=False, timeout=10.0)
        except (sqlite3.Error, OSError) as error:
            raise ConfigurationError(f"{self._path} cannot be opened: {error}") from None
        return db

    def _prepare(self, channel: str) -> None:
        db = self._db
        db.execute("pragma journal_mode = wal")
        # FULL: with NORMAL a loss of power could forget an intent whose request was sent.
        db.execute("pragma synchronous = full")
        db.execute("pragma cache_size = -65536")
        db.execute("begin immediate")
        tables = {name for (name,) in db.execute("select name from sqlite_master")}
        if not tables:
            for statement in _CREATE.split(";\n"):
                db.execute(statement)
            started = {"schema": SCHEMA, "campaign": secrets.token_hex(4), "channel": channel}
            db.executemany(
                "insert into meta values (?, ?)",
                [(name, str(value)) for name, value in (started | {"runs": 0}).items()],
            )
        elif "meta" not in tables or "message" not in tables:
            raise ConfigurationError(f"{self._path} is another program's database, not a journal")
        if int(self._meta("schema")) > SCHEMA:
            raise ConfigurationError(f"{self._path} was written by a newer version of aioclicksend")
        if (kept := self._meta("channel")) != channel:
            raise ConfigurationError(f"{self._path} is a journal of {kept} messages, not {channel}")
        self._take_lease()
        db.commit()
        self.campaign = self._meta("campaign")
        (last,) = db.execute("select coalesce(max(id), 0) from message").fetchone()
        self._next = last + 1

    def _take_lease(self) -> None:
        held = self._db.execute("select owner, pid, host, born, beat from lease").fetchone()
        if held is not None:
            _, pid, host, born, beat = held
            here = host == socket.gethostname()
            gone = here and _birth(pid) != born
            if not gone and time.time() - beat < LEASE:
                raise ConfigurationError(
                    f"{self._path} is in use by process {pid} on {host}: one runner at a time"
                )
        pid = os.getpid()
        self._db.execute(
            "insert or replace into lease values (1, ?, ?, ?, ?, ?)",
            (self._owner, pid, socket.gethostname(), _birth(pid), time.time()),
        )

    def _check_lease(self) -> None:
        owner = self._db.execute("select owner from lease").fetchone()
        if owner is None or owner[0] != self._owner:
            self._db.rollback()
            raise ConfigurationError(f"{self._path} was taken over by another process")

    def _meta(self, name: str) -> str:
        row = self._db.execute("select value from meta where name = ?", (name,)).fetchone()
        if row is None:
            raise ConfigurationError(f"{self._path} is no journal: it tells no {name}")
        return str(row[0])


def nth_equal(entry: Entry, nth: int) -> tuple[str, bytes]:
    """Return ref and body of the n-th equal message, from 0; a ref of the caller's stays."""
    if nth == 0 or not entry.ref.startswith(REF_PREFIX):
        return entry.ref, entry.body
    ref = f"{entry.ref}-{nth}"
    body = json.loads(entry.body)
    body["custom_string"] = ref
    return ref, json.dumps(body, separators=(",", ":"), ensure_ascii=False).encode()


def _birth(pid: int) -> str:
    """Return what tells a process from a later one with its number; "" if there is none now.

    Where the system does not say, the number itself has to do.
    """
    if os.name != "posix":  # there, os.kill would not ask but kill
        return str(pid)
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return ""
    except OSError:
        pass
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return str(pid)
    return "" if fields[0] in "ZX" else fields[19]
