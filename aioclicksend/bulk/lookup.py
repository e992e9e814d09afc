"""Finding messages of a journal again: an index of what was handed in, kept in memory.

It is made when a journal has something to be found again: when a second run begins, or a message
is handed in under a ref of the caller's. It costs about 25 bytes a message.
"""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Iterable, Sequence
from itertools import repeat
from typing import TypeAlias

import msgspec
from msgspec import Struct

from ..models.messages import REF_PREFIX
from .known import Known
from .store import Store

_Group: TypeAlias = list[tuple[int, int]]

_CREATE = """
create table known (key integer, nth integer, row integer, run integer, primary key (key, nth))
    without rowid;
create table earlier (run integer, key integer, nth integer, primary key (run, key, nth))
    without rowid
"""
"""The run that asked for a message last, and those that had done so before: runs may overlap."""


class Entries(Struct):
    """Messages handed in, to be found again or entered: a column for each of their parts."""

    rows: range
    """Where those that are new will stand."""
    refs: list[str]
    """Those that they will have if they are new."""
    bare: list[bytes]
    """Their JSON as handed in, without a ref that was generated."""
    frozen: list[bytes]
    kinds: list[str | None] | None = None
    once: bool = False
    """Whether an equal message is this one, even in the same run."""


class Index:
    """The rows of messages by the hash of what was handed in; equal messages share a key."""

    def __init__(self, store: Store, run: int) -> None:
        """Index what a store holds, as asked for by a run."""
        self._store = store
        self._our_ref = re.compile(
            rf',"custom_string":"{REF_PREFIX}{store.campaign}-[0-9a-f]+-[0-9a-f]+"'.encode()
        )
        self._db = sqlite3.connect(":memory:", isolation_level=None)
        self._db.executescript(_CREATE)
        for first, kind, bodies in store.chunks():
            keys = _keys(map(self._bare, bodies), repeat(kind))
            if self._add(keys, first, run) < len(keys):
                kin = self._kin(keys)
                for row, key in enumerate(keys, first):
                    if kin[key][0][0] != row:
                        self._add_more(key, kin[key], row, run)

    def close(self) -> None:
        """Forget everything."""
        self._db.close()

    def claim(self, run: int, entries: Entries) -> tuple[Sequence[int], dict[int, Known]]:
        """Return the row of the message each entry stands for, and what is known of these.

        Entries that are new stand for the rows they are given, of which nothing is known.
        """
        rows, bare = entries.rows, entries.bare
        kinds = entries.kinds or [None] * len(bare)
        keys = _keys(bare, kinds)
        if self._add(keys, rows.start, run) == len(keys):
            return rows, {}
        kin = self._kin(keys)
        earlier = {row for group in kin.values() for row, _ in group if row not in rows}
        known = {it.row: it for it in self._store.look(earlier)}

        asked = self._asked(keys, run)

        def is_it(nth: int, place: int) -> bool:
            key = keys[place]
            row, last_run = kin[key][nth]
            if row == rows[place]:
                return True
            if (last_run == run or (key, nth) in asked) and not entries.once:
                return False
            if row in rows:
                it = row - rows.start
                told = bare[it], kinds[it]
            else:
                told = self._bare(known[row].body), known[row].kind
            return told == (bare[place], kinds[place])

        found: list[int] = []
        for place, key in enumerate(keys):
            group = kin[key]
            nth = next((it for it in range(len(group)) if is_it(it, place)), None)
            if nth is None:
                nth = self._add_more(key, group, rows[place], run)
            elif group[nth][1] != run:
                self._ask(key, nth, group[nth][1], run)
                group[nth] = group[nth][0], run
            found.append(group[nth][0])
        return found, known

    def _add(self, keys: list[int], first: int, run: int) -> int:
        """Enter neighbouring rows that are the first of their kind; return how many are."""
        before = self._db.total_changes
        self._db.execute(
            "insert or ignore into known select value, 0, ? + key, ? from json_each(?)",
            (first, run, msgspec.json.encode(keys)),
        )
        return self._db.total_changes - before

    def _add_more(self, key: int, group: _Group, row: int, run: int) -> int:
        """Enter a row as one more of its kind; return how many there were."""
        nth = len(group)
        group.append((row, run))
        self._db.execute("insert into known values (?, ?, ?, ?)", (key, nth, row, run))
        return nth

    def _ask(self, key: int, nth: int, last_run: int, run: int) -> None:
        """Note that a run asked for a message, after another one."""
        if last_run:  # what an earlier process took is asked for by run 0
            self._db.execute("insert or ignore into earlier values (?, ?, ?)", (last_run, key, nth))
        self._db.execute("update known set run = ? where key = ? and nth = ?", (run, key, nth))

    def _kin(self, keys: list[int]) -> dict[int, _Group]:
        """Return all messages with some keys: their rows, and the runs that last asked for them."""
        kin: dict[int, _Group] = {}
        query = (
            "select key, row, run from known where key in (select value from json_each(?)) "
            "order by key, nth"
        )
        for key, row, run in self._db.execute(query, (msgspec.json.encode(keys),)):
            kin.setdefault(key, []).append((row, run))
        return kin

    def _asked(self, keys: list[int], run: int) -> set[tuple[int, int]]:
        """Return which messages with some keys a run had asked for before another one did."""
        query = (
            "select key, nth from earlier where run = ? and key in (select value from json_each(?))"
        )
        return set(self._db.execute(query, (run, msgspec.json.encode(keys))))

    def _bare(self, body: bytes) -> bytes:
        """Return a message as it was handed in, before it was given a ref."""
        return self._our_ref.sub(b"", body, 1)


def _keys(bodies: Iterable[bytes], kinds: Iterable[str | None]) -> list[int]:
    return [
        hash(body) if kind is None else hash((body, kind))
        for body, kind in zip(bodies, kinds, strict=False)
    ]
