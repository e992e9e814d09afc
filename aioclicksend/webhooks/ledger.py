"""Deliveries in SQLite: receipts merged into one row per message, in any SQLite file.

An inbox and the journal of a campaign both hold these tables::

    message_delivery  message_id, state, reason, ref, at, known
                      what is known of a message; ``known`` is the `MessageDelivery` as JSON
    delivery_change   seq, previous, known
    polled_receipt    key, message_id, ref, made, first_seen, last_seen
                      made: server time (unix seconds); the others: the looks that found it unread

Everything here is synchronous and runs inside the caller's transaction.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Mapping, Sequence

import msgspec

from .events import DeliveryReceipt, DeliveryState, dedupe_key
from .merge import Change, MessageDelivery, combine, is_change

_TABLES = (
    """create table if not exists message_delivery (message_id text primary key,
        state text not null, reason text, ref text, at real, known blob not null)""",
    "create index if not exists message_delivery_ref on message_delivery (ref)",
    # autoincrement: a seq is never given twice, so a reader that remembers one misses nothing.
    """create table if not exists delivery_change (seq integer primary key autoincrement,
        previous text, known blob not null)""",
    """create table if not exists polled_receipt (key text primary key, message_id text not null,
        ref text, made integer not null, first_seen real not null, last_seen real not null)
        without rowid""",
)

_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder(MessageDelivery).decode


def create(db: sqlite3.Connection) -> None:
    """Create the tables, unless they exist."""
    for statement in _TABLES:
        db.execute(statement)


def apply(db: sqlite3.Connection, news: MessageDelivery) -> None:
    """Merge what a receipt or another store says into the delivery of its message."""
    row = db.execute(
        "select known from message_delivery where message_id = ?", (news.message_id,)
    ).fetchone()
    before = _decode(row[0]) if row else None
    after = combine(before, news)
    # A repetition: no write, so that polls that find the same again cost nothing.
    if after == before:
        return
    known = _encode(after)
    at = after.timestamp.timestamp() if after.timestamp else None
    db.execute(
        "insert or replace into message_delivery values (?, ?, ?, ?, ?, ?)",
        (after.message_id, after.state.value, after.reason, after.custom_string, at, known),
    )
    if is_change(before, after):
        db.execute(
            "insert into delivery_change (previous, known) values (?, ?)",
            (before.state.value if before else None, known),
        )


def note_polled(db: sqlite3.Connection, receipts: Iterable[DeliveryReceipt], look: float) -> int:
    """Note that a look found receipts unread; return how many no earlier look had found."""
    new = 0
    for receipt in receipts:
        key = dedupe_key(receipt)
        # Without an id it cannot be recognized at the next look, and would count as new for ever.
        if key is None:
            continue
        made = int(receipt.timestamp.timestamp()) if receipt.timestamp else 0
        # Both looks at first; only the last one moves.
        names = (key, receipt.message_id, receipt.custom_string, made, look, look)
        new += db.execute(
            "insert or ignore into polled_receipt values (?, ?, ?, ?, ?, ?)", names
        ).rowcount
        db.execute("update polled_receipt set last_seen = ? where key = ?", (look, key))
    return new


def markable(
    db: sqlite3.Connection,
    look: float,
    grace: float,
    *,
    foreign: str | None,
    names: Mapping[str, object],
) -> int | None:
    """Return the time before which receipts may be marked read, see `Ledger.markable`.

    Args:
        db: a connection.
        look: the present look.
        grace: seconds a receipt may take until it is listed.
        foreign: an SQL condition on ``polled_receipt`` that holds for receipts of others, which
            are not to be marked; None to mark them, too.
        names: the parameters of `foreign`.

    """
    (newest,) = db.execute(
        "select max(made) from polled_receipt where first_seen <= ?", (look - grace,)
    ).fetchone()
    if newest is None:
        return None
    # Whether the API marks "before" or "up to" is undocumented: both must be right.
    before: int = newest + 1
    if foreign is not None:
        (oldest,) = db.execute(
            f"select min(made) from polled_receipt where last_seen = :look and ({foreign})",  # noqa: S608
            {**names, "look": look},
        ).fetchone()
        before = before if oldest is None else min(before, oldest - 1)
    # Without one of this look there is nothing to mark, and each call could take receipts from
    # others.
    (some,) = db.execute(
        "select exists (select 1 from polled_receipt where last_seen = ? and made < ?)",
        (look, before),
    ).fetchone()
    return before if some else None


def changes(db: sqlite3.Connection, after: int, limit: int) -> list[Change]:
    """Return the changes behind a seq, in order."""
    rows = db.execute(
        "select seq, previous, known from delivery_change where seq > ? order by seq limit ?",
        (after, limit),
    )
    return [
        Change(
            seq=seq,
            previous=DeliveryState(previous) if previous else None,
            delivery=_decode(known),
        )
        for seq, previous, known in rows
    ]


def deliveries(db: sqlite3.Connection, ids: Sequence[str]) -> dict[str, MessageDelivery]:
    """Return what is known of messages, by id."""
    rows = db.execute(
        "select known from message_delivery where message_id in (select value from json_each(?))",
        (msgspec.json.encode(ids).decode(),),
    )
    return {it.message_id: it for (known,) in rows for it in [_decode(known)]}


def counts(db: sqlite3.Connection) -> dict[tuple[str, str | None], int]:
    """Return how many messages have each state and reason."""
    rows = db.execute("select state, reason, count(*) from message_delivery group by 1, 2")
    return {(state, reason): count for state, reason, count in rows}
