"""What a journal knows of deliveries: receipts, as they were polled.

They stand in tables of their own, made when they are first needed and written beside a run::

    delivery  message_id, status_code, status_text, error_code, error_text, ref
              timestamp               when it was made, by the server's clock (unix seconds)
              first_seen, last_seen   the looks that found it unread, by ours

and the view ``delivery_state``: one row a message, ``delivered``, ``failed`` or ``pending``. A
final code wins over a pending one that comes late.

Everything here is synchronous and takes a connection for one short transaction.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Iterator
from contextlib import closing, contextmanager
from datetime import datetime
from pathlib import Path

from ..models.messages import REF_PREFIX
from ..models.results import Receipt

_PATIENCE = 60.0
"""Seconds to wait for a run that is writing."""

_CREATE = """
create table if not exists delivery (message_id text not null, status_code text not null,
    status_text text, error_code text, error_text text, ref text, timestamp integer not null,
    first_seen real not null, last_seen real not null,
    primary key (message_id, status_code)) without rowid;
create view if not exists delivery_state as
    -- SQLite takes the other columns from the row that has the maximum.
    select message_id, ref, timestamp,
        case status_code when '201' then 'delivered' when '301' then 'failed' else 'pending' end
            as state,
        case status_code when '301' then coalesce(nullif(error_text, ''), nullif(status_text, ''),
            'error ' || error_code, 'no reason given') end as reason,
        max((status_code in ('201', '301')) * 1000000000000 + timestamp) as rank
    from delivery group by message_id
"""

_FOREIGN = """
select min(timestamp) from delivery where last_seen = :look
    and coalesce(ref, '') not glob :ours
    and message_id not in (select message_id from outcome where message_id is not null)
"""


def prepare(path: Path) -> None:
    """Make the tables, unless they are there."""
    with _transaction(path) as db:
        for statement in _CREATE.split(";\n"):
            db.execute(statement)


def is_storable(receipt: Receipt) -> bool:
    """Whether it tells of which message it is, and of when."""
    return bool(receipt.message_id) and receipt.timestamp is not None


def store(path: Path, receipts: Iterable[Receipt], look: float) -> int:
    """Write receipts down durably and return how many are new."""
    rows = [_row(it, it.timestamp, look) for it in receipts if it.message_id and it.timestamp]
    with _transaction(path) as db:
        before = db.total_changes
        db.executemany("insert or ignore into delivery values (?, ?, ?, ?, ?, ?, ?, ?, ?)", rows)
        new = db.total_changes - before
        db.executemany(
            "update delivery set last_seen = ? where message_id = ? and status_code = ?",
            [(look, row[0], row[1]) for row in rows],
        )
    return new


def markable(path: Path, look: float, grace: float, *, others: bool) -> int | None:
    """Return the time before which all receipts may be marked read; None if that marks nothing.

    When the newest receipt of an earlier look was found, the server's clock had passed its time.
    `grace` seconds later, nothing of before that time comes in any more; and what did by the
    present look is stored.

    Args:
        path: the journal.
        look: the present look, which has stored everything that was unread.
        grace: seconds a receipt may take from its time until it is listed.
        others: whether to pass over receipts of messages that are not of this journal.

    """
    with _transaction(path) as db:
        (newest,) = db.execute(
            "select max(timestamp) from delivery where first_seen <= ?", (look - grace,)
        ).fetchone()
        if newest is None:
            return None
        # Whether the API marks "before" or "up to" is not told: both must be right.
        before: int = newest + 1
        if not others:
            (campaign,) = db.execute("select value from meta where name = 'campaign'").fetchone()
            names = {"look": look, "ours": f"{REF_PREFIX}{campaign}-*"}
            (foreign,) = db.execute(_FOREIGN, names).fetchone()
            before = before if foreign is None else min(before, foreign - 1)
        (some,) = db.execute(
            "select exists (select 1 from delivery where last_seen = ? and timestamp < ?)",
            (look, before),
        ).fetchone()
    return before if some else None


def _row(receipt: Receipt, timestamp: datetime, look: float) -> tuple[str | float | None, ...]:
    return (
        receipt.message_id,
        receipt.status_code or "",
        receipt.status_text,
        receipt.error_code,
        receipt.error_text,
        receipt.custom_string,
        int(timestamp.timestamp()),
        look,
        look,
    )


@contextmanager
def _transaction(path: Path) -> Iterator[sqlite3.Connection]:
    uri = f"{path.absolute().as_uri()}?mode=rw"
    with closing(sqlite3.connect(uri, uri=True, timeout=_PATIENCE)) as db:
        db.execute("pragma synchronous = full")
        with db:
            yield db
