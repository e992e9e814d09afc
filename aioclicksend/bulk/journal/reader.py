"""Reading a journal's file while a run may be writing it, and what others keep in it.

A run writes through `sqlite.Journal`; status, report and receipts read through `JournalReader`,
with connections of their own that never block the writer. Two things in the file belong to others:
facts about a campaign, in the table ``meta``, and the view ``delivery_state`` (message_id, ref,
state, reason) that followers of receipts create.
"""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Iterator, Mapping
from contextlib import closing
from decimal import Decimal
from os import PathLike
from pathlib import Path
from typing import Any, NamedTuple

from ...errors import ConfigurationError
from .lease import LEASE, is_gone

_BY_ID = "(select {0} from delivery_state as it where it.message_id = outcome.message_id)"
_DELIVERY = f"coalesce({_BY_ID}, by_ref.{{0}})"
_STATE, _REASON = _DELIVERY.format("state"), _DELIVERY.format("reason")
_WITH_DELIVERY = """
select {} from outcome left join (
    -- One row a ref, however many ids have it: SQLite takes the columns of the row with the max.
    select ref, state, reason, max((state != 'pending') * 1e12 + coalesce(timestamp, 0))
    from delivery_state where ref is not null group by ref
) as by_ref on by_ref.ref = outcome.ref and outcome.message_id is null
"""
_LINE = '"to", outcome.state, outcome.reason, outcome.detail, outcome.message_id, parts, price, '
_LINE += "outcome.ref"
_TEXTS = """
select json_extract(body, '$.to'), json_extract(body, '$.body'),
    case when state = 'not_sent' and reason = 'opted_out' then reason
        else coalesce(state, case when batch is null then 'planned' else 'in_doubt' end) end
from message_state order by id
"""
_LATEST = """
select state, count(*) from (select state, max(id) from outcome group by "to") group by state
"""


class Line(NamedTuple):
    """One message of a journal."""

    to: str
    outcome: str
    """A `State`: ``planned`` (never sent), ``in_doubt`` (no verdict yet), ``accepted``,
    ``rejected``, ``unknown``, or ``not_sent`` and ``held``, which the next run sends."""
    reason: str | None
    """The server's status where it was refused, else the value of a `Reason`."""
    detail: str | None
    """The circumstances, for people."""
    message_id: str | None
    parts: int | None
    price: str | None
    ref: str
    delivery: str | None
    """``delivered``, ``failed`` or ``pending``; None without a receipt."""
    failure: str | None
    """Why it was not delivered."""


class JournalReader:
    """A journal's file, opened for reading.

    Raises:
        ConfigurationError: there is none, it is damaged, or it is something else.

    """

    def __init__(self, path: str | PathLike[str]) -> None:
        self.path: Path = Path(path)
        if not self.path.exists():
            raise ConfigurationError(f"there is no journal {self.path}")
        tables = {name for (name,) in self._rows("select name from sqlite_master")}
        self.meta: dict[str, str] = {}
        """The table of that name; empty if the process that created the file was killed at once."""
        if "meta" in tables:
            self.meta = dict(self._rows("select name, value from meta"))
        if tables and "channel" not in self.meta:
            raise ConfigurationError(f"{self.path} is no journal")
        self.is_empty: bool = not tables
        """Whether nothing was ever written to it."""

    def counts(self) -> dict[str, int]:
        """Return how many messages are in each state."""
        return dict(self._rows("select state, count(*) from outcome group by state"))

    def reasons(self) -> list[tuple[str, str, int]]:
        """Return state, reason and number of what was not accepted, the most frequent first."""
        return self._rows(
            "select state, reason, count(*) from outcome where reason is not null "
            "and state != 'accepted' group by 1, 2 order by 3 desc"
        )

    def spent(self) -> Decimal:
        """Return what the accepted messages cost, as far as the server said."""
        prices = self._rows(
            "select price, count(*) from outcome where state = 'accepted' and price is not null "
            "group by price"
        )
        return sum((Decimal(price) * count for price, count in prices), Decimal(0))

    def parts(self) -> int:
        """Return how many parts the accepted messages have together."""
        (row,) = self._rows("select sum(parts) from outcome where state = 'accepted'") or [(0,)]
        return row[0] or 0

    def lines(self) -> Iterator[Line]:
        """Yield the messages in the order of the input."""
        if self.is_empty:
            return
        statement = f"select {_LINE}, null, null from outcome"
        if self.has_receipts:
            statement = _WITH_DELIVERY.format(f"{_LINE}, {_STATE}, {_REASON}")
        with closing(self._connect()) as db:
            for row in self._read(db, f"{statement} order by id"):
                yield Line(*row)

    def texts(self) -> Iterator[tuple[str, str, str]]:
        """Yield number, text and state of each message, in the order of `lines`.

        In place of ``not_sent`` it says ``opted_out`` where that was the reason: such a message is
        not sent by the next run.
        """
        if self.is_empty:
            return
        with closing(self._connect()) as db:
            yield from self._read(db, _TEXTS)

    def latest_counts(self) -> dict[str, int]:
        """Return how many numbers are in each state, by their last message."""
        return dict(self._rows(_LATEST))

    def deliveries(self) -> dict[str, int]:
        """Return how many accepted messages are ``delivered``, ``failed`` and ``pending``."""
        columns = f"coalesce({_STATE}, 'pending'), count(*)"
        where = "where outcome.state = 'accepted' group by 1"
        return dict(self._rows(f"{_WITH_DELIVERY.format(columns)} {where}"))

    def failures(self) -> list[tuple[str, int]]:
        """Return why messages were not delivered and how many, the most frequent first."""
        statement = _WITH_DELIVERY.format(f"{_REASON} as why, count(*)")
        where = "where outcome.state = 'accepted' and why is not null group by 1 order by 2 desc"
        return self._rows(f"{statement} {where}")

    @property
    def has_receipts(self) -> bool:
        """Whether receipts were ever followed."""
        return bool(self._rows("select 1 from sqlite_master where name = 'delivery_state'"))

    def owner(self) -> str | None:
        """Return the process that writes it now, if any."""
        if self.is_empty:
            return None
        columns = {name for _, name, *_ in self._rows("pragma table_info(lease)")}
        space = "space" if "space" in columns else "host"  # a file of schema 2
        query = f"select pid, host, {space}, born, beat from lease"
        # A lease that is not renewed, or of a process that has exited, is no owner.
        for pid, host, where, born, beat in self._rows(query):
            if not is_gone(pid, where, born) and time.time() - beat < LEASE:
                return f"process {pid} on {host}"
        return None

    def enter(self, facts: Mapping[str, str]) -> None:
        """Write facts into the table ``meta``, replacing what is there under their names."""
        # The only write here: short, and it waits while the run has a transaction open.
        with closing(sqlite3.connect(self.path, timeout=10.0)) as db, db:
            db.executemany("insert or replace into meta values (?, ?)", list(facts.items()))
        self.meta.update(facts)

    def _rows(self, statement: str) -> list[Any]:
        with closing(self._connect()) as db:
            return list(self._read(db, statement))

    def _read(self, db: sqlite3.Connection, statement: str) -> Iterator[Any]:
        try:
            yield from db.execute(statement)
        except sqlite3.DatabaseError as error:
            raise ConfigurationError(f"{self.path} cannot be read as a journal: {error}") from None

    def _connect(self) -> sqlite3.Connection:
        # Not mode=ro, which would leave the files of the WAL behind.
        uri = f"{self.path.absolute().as_uri()}?mode=rw"
        try:
            db = sqlite3.connect(uri, uri=True, timeout=10.0)
            db.execute("pragma query_only = on")
        except sqlite3.DatabaseError as error:
            raise ConfigurationError(f"{self.path} cannot be read as a journal: {error}") from None
        return db
