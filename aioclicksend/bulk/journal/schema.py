"""The tables of a journal's file, and how a file of an earlier version becomes one of this.

Times are unix seconds, UTC::

    meta            name, value      schema, campaign, channel; and what a campaign enters
    lease           owner, pid, host, space, born, beat      who writes; at most one row
    batch           id, intent, attempt, silent              a request
                    silent: its owner went silent and may still be alive: never sent again
    chunk           first, size, media_file, body
                    Messages that were handed in together; their ids are ``first`` and the next
                    ones. ``body`` is {"messages": [...]}, frozen: sent word for word.
    chunk_result    chunk, size, then the columns of a result
                    What became of a chunk, as long as its messages go the same way. A column
                    holds what they share, or a JSON array: what each of them has.
    message_result  id, then the columns of a result
                    What became of each message of the other chunks: those sent in pieces.
    key             hash, content, id        idempotency keys, by their hash

The columns of a result::

    batch      the request they were last sent in; null: in none
    state      null: no result | accepted | rejected | unknown | not_sent | held
    message_id, parts, price
    reason     the server's status if rejected or held, else the value of a Reason
    detail     the circumstances, for people
    reserved   under a budget: what the last attempt may cost, until a verdict says what it did
    earlier    the same of earlier attempts without a verdict
    at         when the result was recorded

Most chunks go out as one request that is answered as a whole: two rows for a thousand messages
instead of two thousand. That keeps a journal cheap.

Three views have one row a message: ``message`` (id, ref, to, media_file, body), ``message_state``
and ``outcome`` (id, ref, to, state, message_id, parts, price, reason, detail), in which a message
without a result is ``planned`` (never sent) or ``in_doubt`` (sent).
"""

from __future__ import annotations

import secrets
import sqlite3
from pathlib import Path

from ...errors import ConfigurationError

SCHEMA = 3

RESULT = ("state", "message_id", "parts", "price", "reason", "detail", "reserved", "earlier")
"""The columns of a result that may differ within a chunk."""

_COLUMN = """coalesce(iif(substr(chunk_result.{0}, 1, 1) = '[',
    json_extract(chunk_result.{0}, '$[' || it.key || ']'), chunk_result.{0}),
    message_result.{0}) as {0}"""

_TABLES = """
create table meta (name text primary key, value text not null) without rowid;
create table lease (one integer primary key check (one = 1), owner text not null,
    pid integer not null, host text not null, space text not null, born text not null,
    beat real not null);
create table batch (id integer primary key, intent real not null, attempt integer not null,
    silent integer not null default 0);
create table chunk (first integer primary key, size integer not null, media_file text,
    body text not null);
create table chunk_result (chunk integer primary key, size integer not null, batch integer,
    state, message_id, parts, price, reason, detail, reserved, earlier, at real);
create table message_result (id integer primary key, batch integer, state text, message_id text,
    parts integer, price text, reason text, detail text, reserved text, earlier text, at real);
create index message_result_message_id on message_result (message_id) where message_id is not null;
create table key (hash blob primary key, content blob not null, id integer not null) without rowid
"""

_VIEWS = """
create view message as
    select chunk.first + it.key as id, json_extract(it.value, '$.custom_string') as ref,
        json_extract(it.value, '$.to') as "to", chunk.media_file, it.value as body
    from chunk join json_each(chunk.body, '$.messages') as it;
create view message_state as
    select chunk.first as chunk, it.key as place, chunk.first + it.key as id, it.value as body,
        coalesce(chunk_result.batch, message_result.batch) as batch,
        coalesce(chunk_result.at, message_result.at) as at,
        {columns}
    from chunk join json_each(chunk.body, '$.messages') as it
    left join chunk_result on chunk_result.chunk = chunk.first
    left join message_result
        on chunk_result.chunk is null and message_result.id = chunk.first + it.key;
create view outcome as
    select id, json_extract(body, '$.custom_string') as ref, json_extract(body, '$.to') as "to",
        coalesce(state, case when batch is null then 'planned' else 'in_doubt' end) as state,
        message_id, parts, price, reason, detail
    from message_state
"""

_FROM_2 = """
drop view outcome;
drop table lease;
create table batch_2 as select * from batch;
drop table batch;
alter table chunk rename column kind to media_file;
{tables};
insert into batch select id, intent, tries, 0 from batch_2;
insert into chunk_result select chunk, size, batch, state, message_id, parts, price,
    {reason}, {detail}, null, null, at from fate where not {mixed};
insert into message_result select id, batch, state, message_id, parts, price,
    {reason}, {detail}, null, null, at from single;
insert into message_result select id, batch, state, message_id, parts, price,
    {reason}, {detail}, null, null, at from standing
    where chunk in (select chunk from fate where {mixed});
drop view standing;
drop view message;
drop table fate;
drop table single;
drop table batch_2
"""
"""Until schema 2 the column ``reason`` held texts, which are details now."""

_REASON_OF_2 = """case when state in ('rejected', 'held') then reason
    when state = 'unknown' then 'no_verdict' when state = 'not_sent' then 'stopped' end"""
# Without coalesce, chunks in doubt (state null) would be neither mixed nor not, and so be planned.
_MIXED_IN_2 = (
    "(substr(coalesce(state, ''), 1, 1) = '[' or substr(coalesce(reason, ''), 1, 1) = '[')"
)
_DETAIL_OF_2 = "case when state in ('rejected', 'held') then null else reason end"


def create(db: sqlite3.Connection, channel: str) -> None:
    """Create the tables of a new journal, within the caller's transaction."""
    _run(db, _TABLES)
    _run(db, _VIEWS.format(columns=_columns()))
    facts = {"schema": str(SCHEMA), "campaign": secrets.token_hex(4), "channel": channel}
    db.executemany("insert into meta values (?, ?)", list(facts.items()))


def migrate(db: sqlite3.Connection, path: Path, schema: int) -> None:
    """Bring the tables of an older journal up to date, within the caller's transaction.

    Raises:
        ConfigurationError: it is newer than this version, or older than any release.

    """
    if schema == SCHEMA:
        return
    if schema != 2:
        other = "a newer" if schema > SCHEMA else "an older, unreleased"
        raise ConfigurationError(f"{path} was written by {other} version of aioclicksend")
    # These two keep their shape; the others are created and filled from the old ones.
    kept = ("create table meta", "create table chunk ")
    new = [it.strip() for it in _TABLES.split(";\n") if not it.strip().startswith(kept)]
    script = _FROM_2.format(
        tables=";\n".join(new), reason=_REASON_OF_2, detail=_DETAIL_OF_2, mixed=_MIXED_IN_2
    )
    _run(db, script)
    _run(db, _VIEWS.format(columns=_columns()))
    db.execute("update meta set value = ? where name = 'schema'", (str(SCHEMA),))


def tables_of(db: sqlite3.Connection) -> set[str]:
    """Return the names of what a file has; none if it was never written to."""
    return {name for (name,) in db.execute("select name from sqlite_master")}


def _columns() -> str:
    return ", ".join(map(_COLUMN.format, RESULT))


def _run(db: sqlite3.Connection, script: str) -> None:
    # Not executescript, which would commit first.
    for statement in script.split(";\n"):
        if statement.strip():
            db.execute(statement)
