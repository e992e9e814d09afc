"""The report of a campaign: each row of its list with what happened to its message."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Generator
from contextlib import closing
from typing import NamedTuple

from ..bulk.journal.reader import Line
from ..bulk.outcome import Reason
from . import roster
from .record import Record

_MESSAGES = "create table message (key integer, place integer primary key, line text not null)"


class ReportRow(NamedTuple):
    """One row of the list; or a message whose row was removed from it."""

    row: int | None
    """Its number in the list."""
    name: str
    number: str
    """The number as it is written in the list."""
    to: str | None
    """The number in E.164."""
    outcome: str
    """``left_out``, ``not_reached`` (no run came to it), or as in `Line.outcome`."""
    reason: str | None
    """Why it was left out or not accepted."""
    delivery: str | None
    """``delivered``, ``failed`` or ``pending``; None if no receipt was seen."""
    failure: str | None
    """Why it was not delivered."""
    parts: int | None
    price: str | None
    message_id: str | None
    ref: str | None

    @property
    def has_failed(self) -> bool:
        """Whether the recipient certainly did not get the message, though it was tried.

        Not of people who opted out meanwhile: a list of the failed is made to be sent again.
        """
        if (self.reason or "").startswith(Reason.OPTED_OUT):
            return False
        return self.outcome in ("rejected", "not_sent", "held") or self.delivery == "failed"


def report_rows(record: Record) -> Generator[ReportRow, None, None]:
    """Yield the rows of the list in their order, then messages whose rows are gone from it.

    The messages are joined in a temporary database on disk, so memory stays flat.
    """
    by_message = record.facts.get("unique") == "message"
    with closing(sqlite3.connect("")) as db:
        # A list and a journal may each have millions of rows, in different orders.
        db.execute(_MESSAGES)
        # The last message of a number counts: a corrected row replaces one that was never sent.
        db.executemany(
            "insert into message (key, line) values (?, ?)",
            (
                (roster.key_of(entry.to, entry.body, by_message=by_message), _packed(line))
                for entry, line in zip(record.entries(), record.lines(), strict=False)
            ),
        )
        db.execute("create index by_key on message (key, place)")
        for row in roster.rows_of(record.path):
            if row.key is None:
                yield _left_out(row)
                continue
            found = db.execute(
                "select line from message where key = ? order by place desc limit 1", (row.key,)
            ).fetchone()
            if found is None:
                yield _left_out(row, "not_reached")
            else:
                # What is left in the end belongs to rows that are gone from the list.
                db.execute("delete from message where key = ?", (row.key,))
                yield _joined(row, _unpacked(found[0]))
        for (line,) in db.execute("select line from message order by place"):
            yield _joined(None, _unpacked(line))


def _left_out(row: roster.ListRow, outcome: str = "left_out") -> ReportRow:
    reason = row.reason and (f"{row.reason}: {row.detail}" if row.detail else row.reason)
    return ReportRow(row.row, row.name, row.number, None, outcome, reason, *(None,) * 6)


def _joined(row: roster.ListRow | None, line: Line) -> ReportRow:
    return ReportRow(
        row and row.row,
        row.name if row else "",
        row.number if row else "",
        line.to,
        line.outcome,
        line.reason and (f"{line.reason}: {line.detail}" if line.detail else line.reason),
        line.delivery,
        line.failure,
        line.parts,
        line.price,
        line.message_id,
        line.ref,
    )


def _packed(line: Line) -> str:
    return json.dumps(line)


def _unpacked(packed: str) -> Line:
    return Line._make(json.loads(packed))
