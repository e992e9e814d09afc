"""What a journal knows of deliveries: a `Ledger` in the file of the journal.

The tables are those of `webhooks.ledger`, created when they are first needed and written beside a
run, and the view ``delivery_state``: one row a message, ``delivered``, ``failed`` or ``pending``.
"""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from datetime import UTC, datetime
from pathlib import Path

from ..models.messages import REF_PREFIX
from ..webhooks import DeliveryReceipt, Inbox, MessageDelivery, ledger, merge

_PATIENCE = 60.0
"""Seconds to wait for a run that is writing."""
_MANY = 500
"""Changes that are copied at once."""

_VIEW = """
create view if not exists delivery_state as
    select message_id, ref, at as timestamp, state, reason from message_delivery
"""

_FOREIGN = """
coalesce(ref, '') not glob :ours
    and message_id not in (select message_id from outcome where message_id is not null)
"""


class JournalLedger:
    """The deliveries of one campaign, in its journal, which a run may write at the same time."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._after = 0

    async def prepare(self) -> None:
        """Create the tables, unless they exist."""
        await asyncio.to_thread(_prepare, self._path)

    async def record(self, receipts: Sequence[DeliveryReceipt], look: float) -> int:
        """Store polled receipts durably and return how many of them are new."""
        return await asyncio.to_thread(_record, self._path, receipts, look)

    async def markable(self, look: float, grace: float, *, others: bool) -> int | None:
        """Return the unix time before which all receipts may be marked read; None if none may."""
        return await asyncio.to_thread(_markable, self._path, look, grace, others=others)

    async def copy(self, inbox: Inbox) -> int:
        """Take over what pushes brought of this campaign since the last time; return how much."""
        count = 0
        while changes := await inbox.changes(self._after, _MANY):
            news = [it.delivery for it in changes]
            count += await asyncio.to_thread(_copy, self._path, news)
            self._after = changes[-1].seq
        return count


def _prepare(path: Path) -> None:
    with _transaction(path) as db:
        ledger.create(db)
        former = db.execute("select 1 from sqlite_master where name = 'delivery'").fetchone()
        if former:
            _convert(db)
        db.execute(_VIEW)


def _convert(db: sqlite3.Connection) -> None:
    """Take over the receipts of a journal that an earlier version followed."""
    rows = db.execute(
        "select message_id, status_code, status_text, error_code, error_text, ref, timestamp, "
        "first_seen, last_seen from delivery order by first_seen"
    ).fetchall()
    for message_id, status, status_text, error, error_text, ref, made, first, last in rows:
        receipt = DeliveryReceipt(
            message_id=message_id,
            status_code=int(status) if str(status).isdecimal() else None,
            status_text=status_text,
            error_code=int(error) if str(error).isdecimal() else None,
            error_text=error_text,
            custom_string=ref,
            timestamp=datetime.fromtimestamp(made, UTC),
            raw={"status_code": status, "error_code": error},
        )
        ledger.apply(db, merge(None, receipt))
        for look in (first, last):
            ledger.note_polled(db, [receipt], look)
    # The old view has no place for what is merged now; the new one has its columns.
    db.execute("drop view delivery_state")
    db.execute("drop table delivery")


def _record(path: Path, receipts: Sequence[DeliveryReceipt], look: float) -> int:
    with _transaction(path) as db:
        new = ledger.note_polled(db, receipts, look)
        for receipt in receipts:
            ledger.apply(db, merge(None, receipt))
    return new


def _markable(path: Path, look: float, grace: float, *, others: bool) -> int | None:
    with _transaction(path) as db:
        foreign = None if others else _FOREIGN
        return ledger.markable(db, look, grace, foreign=foreign, names={"ours": f"{_ours(db)}*"})


def _copy(path: Path, news: Sequence[MessageDelivery]) -> int:
    with _transaction(path) as db:
        ours = _ours(db)
        # Without a ref it may be of this campaign, too: its id decides when the journal is read.
        mine = [it for it in news if (it.custom_string or ours).startswith(ours)]
        for delivery in mine:
            ledger.apply(db, delivery)
    return len(mine)


def _ours(db: sqlite3.Connection) -> str:
    """Return what the refs of this campaign begin with."""
    (campaign,) = db.execute("select value from meta where name = 'campaign'").fetchone()
    return f"{REF_PREFIX}{campaign}-"


@contextmanager
def _transaction(path: Path) -> Iterator[sqlite3.Connection]:
    uri = f"{path.absolute().as_uri()}?mode=rw"
    with closing(sqlite3.connect(uri, uri=True, timeout=_PATIENCE)) as db:
        db.execute("pragma synchronous = full")
        with db:
            yield db
