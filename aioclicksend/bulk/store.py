"""The journal's file: SQLite with the WAL, readable with any sqlite3.

Tables (times are unix seconds, UTC)::

    meta    name, value          schema, campaign, channel
    lease   owner, pid, host, born, beat     who writes; at most one row
    batch   id, state, intent, tries
            state: intent    durable before the first byte of the request left
                   answered | refused | not_sent | unknown   how its request ended
    chunk   first, size, kind, body
            Messages that were handed in together; their ids are ``first`` and the next ones.
            body   {"messages": [...]}, frozen: sent word for word at every try
            kind   the media file of MMS, which travels beside the messages
    fate    chunk, size, batch, state, message_id, parts, price, reason, at
            What became of a chunk, as long as its messages go the same way; none if nothing did.
            A column holds what they share, or a JSON array: what each of them has.
    single  id, batch, state, message_id, parts, price, reason, at
            What became of each message of the other chunks: those that were sent in pieces.

            batch  the request they were last sent in; null: in none
            state: null                            no result
                   accepted | rejected | unknown   not sent again by itself
                   not_sent | held                 will be sent by the next run

and two views, one row a message: ``message`` (id, ref, to, kind, body) and ``outcome`` (id, ref,
to, state, message_id, parts, price, reason), where a message without a result is ``planned`` (never
sent) or ``in_doubt`` (sent).

Most chunks go out as one request that is answered as a whole: two rows for a thousand messages
instead of two thousand. That is what keeps a journal cheap.

Everything here is synchronous and meant for one thread.
"""

from __future__ import annotations

import os
import secrets
import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from itertools import groupby, repeat
from pathlib import Path
from typing import Any, TypeAlias

import msgspec

from ..errors import ConfigurationError
from .known import Known, bodies_of, refs_of
from .lease import Lease
from .rows import Column

SCHEMA = 2

_json = msgspec.json.encode

_CREATE = """
create table meta (name text primary key, value text not null) without rowid;
create table lease (one integer primary key check (one = 1), owner text not null,
    pid integer not null, host text not null, born text not null, beat real not null);
create table batch (id integer primary key, state text not null, intent real not null,
    tries integer not null);
create table chunk (first integer primary key, size integer not null, kind text,
    body text not null);
create table fate (chunk integer primary key, size integer not null, batch integer,
    state, message_id, parts, price, reason, at real);
create table single (id integer primary key, batch integer, state text, message_id text,
    parts integer, price text, reason text, at real);
create view message as
    select chunk.first + it.key as id, json_extract(it.value, '$.custom_string') as ref,
        json_extract(it.value, '$.to') as "to", chunk.kind, it.value as body
    from chunk join json_each(chunk.body, '$.messages') as it;
create view standing as
    select chunk.first as chunk, it.key as place, chunk.first + it.key as id, it.value as body,
        coalesce(fate.batch, single.batch) as batch, coalesce(fate.at, single.at) as at,
        {columns}
    from chunk join json_each(chunk.body, '$.messages') as it
    left join fate on fate.chunk = chunk.first
    left join single on fate.chunk is null and single.id = chunk.first + it.key;
create view outcome as
    select id, json_extract(body, '$.custom_string') as ref, json_extract(body, '$.to') as "to",
        coalesce(state, case when batch is null then 'planned' else 'in_doubt' end) as state,
        message_id, parts, price, reason
    from standing;
"""

_COLUMNS = ("state", "message_id", "parts", "price", "reason")
_COLUMN = """coalesce(iif(substr(fate.{0}, 1, 1) = '[',
    json_extract(fate.{0}, '$[' || it.key || ']'), fate.{0}), single.{0}) as {0}"""

_STANDING = """
select chunk, place, coalesce(standing.state, case when batch is null then 'planned' else 'in_doubt'
    end), message_id, parts, price, reason, batch, coalesce(batch.intent, 0)
from standing left join batch on batch.id = standing.batch
"""
_SET_WHOLE = """
insert or replace into fate select first, chunk.size, {}
from chunk left join fate on fate.chunk = first where first = ? and chunk.size = ?
and not exists (select 1 from single where id = first)
"""
_INTENT = _SET_WHOLE.format("?, null, null, null, null, null, null")
_RESULTS = _SET_WHOLE.format("fate.batch, ?, ?, ?, ?, ?, ?")
_WIPE = (
    "update single set batch = ?, state = null, message_id = null, parts = null, price = null, "
    "reason = null, at = null where id = ?"
)

_Texts: TypeAlias = "Column[str | None]"
Results: TypeAlias = "tuple[Column[str], _Texts, Column[int | None], _Texts, _Texts]"
"""What became of messages, a column for each part: state, message_id, parts, price, reason.

A column is what each message has, or repeats what they share.
"""


class Store:
    """One file, opened by `open`."""

    _db: sqlite3.Connection
    _lease: Lease

    def __init__(self, path: Path) -> None:
        self._path = path
        self.campaign = ""
        self.next_row = 1
        self.next_batch = 1
        self.is_open = False

    def open(self, channel: str) -> None:
        """Create or check the file and take its lease.

        Raises:
            ConfigurationError: it is no journal, of another version or channel, or in use.

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

    def commit(self) -> None:
        """Make what was written durable.

        Raises:
            ConfigurationError: the journal was taken over.

        """
        self._lease.check()
        self._db.commit()

    def rollback(self) -> None:
        """Take back what was written since the last commit."""
        self._db.rollback()

    # Writing.

    def enter(self, first: int, size: int, body: bytes, kind: str | None) -> None:
        """Write new messages down."""
        self._db.execute("insert into chunk values (?,?,?,?)", (first, size, kind, body.decode()))

    def intend(self, rows: Sequence[int], batch: int, intent: float, tries: int) -> None:
        """Write down that messages are about to leave in a batch."""
        # What a batch left that was withdrawn unsent must not outlive this intent.
        if not self._set_whole(_INTENT, (batch,), rows):
            self._wipe(rows, batch)
        self._db.execute("insert into batch values (?, 'intent', ?, ?)", (batch, intent, tries))

    def end(self, batch: int, state: str) -> None:
        """Write down how a request ended."""
        self._db.execute("update batch set state = ? where id = ?", (state, batch))

    def record(self, rows: Sequence[int], results: Results, at: float) -> None:
        """Write results down.

        A lost one costs a search in the history, not a second message.
        """
        if self._set_whole(_RESULTS, (*map(_shared, results), at), rows):
            return
        self._part(rows)
        self._db.executemany(
            "update single set state = ?, message_id = ?, parts = ?, price = ?, reason = ?, "
            "at = ? where id = ?",
            list(zip(*results, repeat(at), rows, strict=False)),
        )

    def unsend(self, rows: Sequence[int]) -> None:
        """Have messages sent by the next run as if they never had been."""
        self._wipe(rows, None)

    # Reading.

    def in_doubt(self) -> list[Known]:
        """Return what was sent and has no final result: a crash or an unknown outcome left it."""
        return self._known(
            "where batch is not null and (standing.state is null or standing.state = 'unknown') "
            "order by chunk"
        )

    def look(self, rows: Iterable[int]) -> list[Known]:
        """Return messages by their rows, in their order."""
        found: list[Known] = []
        wanted = sorted(rows)
        for first, some in groupby(wanted, self._chunk_of):
            places = {row - first for row in some}
            found += self._known("where chunk = ?", (first,), places)
        return found

    def planned(self, after: int, limit: int) -> list[Known]:
        """Return messages that wait to be sent, in the order of their rows."""
        return self._known(
            "where chunk >= coalesce((select max(first) from chunk where first <= ?), 0) "
            "and standing.id > ? and (standing.state in ('not_sent', 'held') "
            "or (batch is null and standing.state is null)) order by chunk limit ?",
            (after, after, limit),
        )

    def counts(self) -> dict[str, int]:
        """Return how many messages are in each state."""
        return dict(self._db.execute("select state, count(*) from outcome group by state"))

    def chunks(self) -> Iterator[tuple[int, str | None, list[bytes]]]:
        """Yield all messages by their chunks: first row, kind, bodies."""
        for first, kind, body in self._db.execute("select first, kind, body from chunk"):
            yield first, kind, bodies_of(body)

    def _known(
        self, where: str, values: tuple[Any, ...] = (), places: set[int] | None = None
    ) -> list[Known]:
        """Return messages in the order they are found in, of some chunk only those in `places`."""
        found = self._db.execute(f"{_STANDING} {where}", values).fetchall()
        known: list[Known] = []
        for first, standings in groupby(found, key=lambda it: int(it[0])):
            kind, body = self._db.execute(
                "select kind, body from chunk where first = ?", (first,)
            ).fetchone()
            refs, bodies = refs_of(body), bodies_of(body)
            for _, place, state, message_id, parts, price, reason, batch, intent in standings:
                if places is None or place in places:
                    result = state, message_id, parts, price, reason
                    known.append(
                        Known(
                            first + place,
                            refs[place],
                            bodies[place],
                            *result,
                            kind,
                            batch,
                            intent,
                        )
                    )
        return known

    # Chunks.

    def _set_whole(self, statement: str, values: tuple[Any, ...], rows: Sequence[int]) -> bool:
        """Set what all messages of a chunk share; False if the rows are no chunk that shares it."""
        first, size = rows[0], len(rows)
        if rows != range(first, first + size) and list(rows) != list(range(first, first + size)):
            return False
        return self._db.execute(statement, (*values, first, size)).rowcount > 0

    def _wipe(self, rows: Sequence[int], batch: int | None) -> None:
        self._part(rows)
        self._db.executemany(_WIPE, [(batch, row) for row in rows])

    def _part(self, rows: Sequence[int]) -> None:
        """Give each message of the chunks of some rows a fate of its own."""
        for first in {self._chunk_of(row) for row in rows}:
            self._db.execute(
                "insert or ignore into single select id, batch, state, message_id, parts, price, "
                "reason, at from standing where chunk = ?",
                (first,),
            )
            self._db.execute("delete from fate where chunk = ?", (first,))

    def _chunk_of(self, row: int) -> int:
        query = "select max(first) from chunk where first <= ?"
        return int(self._db.execute(query, (row,)).fetchone()[0])

    # Opening.

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
        # A request of a thousand messages fills many pages; each costs two writes to the WAL.
        db.execute("pragma page_size = 8192")
        db.execute("pragma journal_mode = wal")
        # FULL: with NORMAL a loss of power could forget an intent whose request was sent.
        db.execute("pragma synchronous = full")
        # The WAL is copied into the file every 4 MB, and then written from its start again: to sync
        # a file that does not grow costs half.
        db.execute("pragma wal_autocheckpoint = 512")
        db.execute("begin immediate")
        tables = {name for (name,) in db.execute("select name from sqlite_master")}
        if not tables:
            columns = ", ".join(map(_COLUMN.format, _COLUMNS))
            for statement in _CREATE.format(columns=columns).split(";\n"):
                db.execute(statement)
            started = {"schema": SCHEMA, "campaign": secrets.token_hex(4), "channel": channel}
            db.executemany(
                "insert into meta values (?, ?)",
                [(name, str(value)) for name, value in started.items()],
            )
        elif "meta" not in tables or "message" not in tables:
            raise ConfigurationError(f"{self._path} is another program's database, not a journal")
        if (schema := int(self._meta("schema"))) != SCHEMA:
            other = "a newer" if schema > SCHEMA else "an older, unreleased"
            raise ConfigurationError(f"{self._path} was written by {other} version of aioclicksend")
        if (kept := self._meta("channel")) != channel:
            raise ConfigurationError(f"{self._path} is a journal of {kept} messages, not {channel}")
        self._lease.take()
        db.commit()
        self.campaign = self._meta("campaign")
        self.next_row, self.next_batch = db.execute(
            "select (select coalesce(max(first + size), 1) from chunk), "
            "(select coalesce(max(id), 0) + 1 from batch)"
        ).fetchone()

    def _meta(self, name: str) -> str:
        row = self._db.execute("select value from meta where name = ?", (name,)).fetchone()
        if row is None:
            raise ConfigurationError(f"{self._path} is no journal: it tells no {name}")
        return str(row[0])


def _shared(values: Column[Any]) -> Any:
    """Return what messages share, or a JSON array of what each has."""
    if isinstance(values, repeat):
        return next(values)
    first = values[0]
    # A text that looks like an array must not be taken for one.
    if first != values[-1] or values.count(first) < len(values) or str(first).startswith("["):
        return _json(values).decode()
    return first
