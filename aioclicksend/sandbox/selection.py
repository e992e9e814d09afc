"""Choose messages by recipient, text, channel and time."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from .codes import find_code
from .phones import parse
from .records import Record


@dataclass(frozen=True, slots=True, kw_only=True)
class Selection:
    """What a message must meet; None is met by all.

    `to` is a number in any form or an email address, `body` a part of the text in any case,
    `since` unix seconds (from then on) or the id of a message (after it).
    """

    to: str | None = None
    body: str | None = None
    channel: str | None = None
    since: float | str | None = None
    has_code: bool = False

    def of(self, rows: Sequence[Record], number: str = "to") -> list[Record]:
        """Return the rows that meet it, in their order; `number` is the field `to` is about."""
        wanted = None if self.to is None else _same(self.to)
        text = None if self.body is None else self.body.lower()
        since = self.since
        if isinstance(since, str):
            # An id that was forgotten selects everything: what it stood before is not known any
            # more.
            place = next((n for n, row in enumerate(rows) if row["message_id"] == since), -1)
            rows, since = rows[place + 1 :], None
        if since is not None:
            rows = [row for row in rows if row["accepted_at"] >= since]
        if wanted is not None:
            # Numbers of sent messages are in their one form already.
            rows = [
                row
                for row in rows
                if row[number] == wanted
                or (row[number][:1] != "+" and _same(row[number]) == wanted)
            ]
        if self.channel is not None:
            rows = [row for row in rows if row["channel"] == self.channel]
        if text is not None:
            rows = [row for row in rows if text in row["body"].lower()]
        if self.has_code:
            rows = [row for row in rows if find_code(row["body"])]
        return list(rows)


def _same(address: str) -> str:
    """Return a number in its one form, or an email address in lower case."""
    if address.startswith("+") and address[1:].isdigit():
        return address
    phone = parse(address)
    return phone.number if phone else address.strip().lower()
