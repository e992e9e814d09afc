"""The rows of a campaign's list, kept beside its messages so that a report can name them.

They stand in a table of their own in the journal's file, written when a run begins::

    list_row  row      its number in the list
              key      the message it became: `key_of` of number and text; null if it was left out
              name     of the recipient, if the list has one
              number   the cell as it was written
              reason   why it was left out, and the detail; null if it was not
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import NamedTuple

from .number_set import as_integer, message_hash

_PATIENCE = 60.0
"""Seconds to wait for a run that is writing."""
_SIGN = 1 << 63

_CREATE = """
create table if not exists list_row (row integer primary key, key integer, name text not null,
    number text not null, reason text, detail text)
"""


class ListRow(NamedTuple):
    """A row of the list."""

    row: int
    key: int | None
    name: str
    number: str
    reason: str | None
    detail: str | None


def key_of(number: str, body: str, *, by_message: bool) -> int:
    """Return the integer that stands for a message to a number, within 64 signed bits."""
    key = message_hash(number, body) if by_message else as_integer(number)
    return key - 2 * _SIGN if key >= _SIGN else key


def begin(path: Path) -> None:
    """Make room for the rows of the list as it is now."""
    with _connected(path) as db:
        db.execute(_CREATE)
        db.execute("delete from list_row")


def add(path: Path, rows: Iterable[ListRow]) -> None:
    """Write some of the rows."""
    with _connected(path) as db:
        db.executemany("insert or replace into list_row values (?, ?, ?, ?, ?, ?)", rows)


def rows_of(path: Path) -> Iterator[ListRow]:
    """Yield the rows of the list; none if the journal was not written by a campaign's run."""
    with _connected(path) as db:
        if not db.execute("select 1 from sqlite_master where name = 'list_row'").fetchone():
            return
        for row in db.execute("select * from list_row order by row"):
            yield ListRow(*row)


@contextmanager
def _connected(path: Path) -> Iterator[sqlite3.Connection]:
    uri = f"{path.absolute().as_uri()}?mode=rw"
    with closing(sqlite3.connect(uri, uri=True, timeout=_PATIENCE)) as db, db:
        yield db
