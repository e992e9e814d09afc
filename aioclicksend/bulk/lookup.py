"""Finding messages of a journal again: an index of what was handed in, kept in memory."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from hashlib import blake2b
from itertools import groupby

import msgspec

from ..models.messages import REF_PREFIX

_CREATE = """
attach database ':memory:' as memory;
create table memory.known (key integer, nth integer, row integer, run integer,
    primary key (key, nth)) without rowid;
"""


class Index:
    """The rows of messages by the hash of what was handed in; equal messages share a key.

    It lives in a database in memory on the journal's own connection, so that what is rolled back
    there is forgotten here.
    """

    def __init__(self, db: sqlite3.Connection, campaign: str) -> None:
        self._db = db
        self._campaign = campaign
        db.executescript(_CREATE)
        cursor = db.execute("select id, ref, body, kind from message order by id")
        while some := cursor.fetchmany(1000):
            self._add_stored(
                [(row, self._key(ref, body.encode(), kind)) for row, ref, body, kind in some]
            )

    def add(self, keys: list[int], first: int, run: int) -> int:
        """Enter neighbouring rows as the first of their kind; return how many of them are."""
        before = self._db.total_changes
        self._db.execute(
            "insert or ignore into memory.known select value, 0, ? + key, ? from json_each(?)",
            (first, run, msgspec.json.encode(keys)),
        )
        return self._db.total_changes - before

    def add_more(self, key: int, row: int, run: int) -> int:
        """Enter a row as one more of its kind and return how many there were."""
        query = "select count(*) from memory.known where key = ?"
        (nth,) = self._db.execute(query, (key,)).fetchone()
        self._db.execute("insert into memory.known values (?, ?, ?, ?)", (key, nth, row, run))
        return int(nth)

    def is_first(self, key: int, row: int) -> bool:
        """Whether a row is the first with its key."""
        query = "select row from memory.known where key = ? and nth = 0"
        return bool(self._db.execute(query, (key,)).fetchone()[0] == row)

    def find(self, key: int) -> list[tuple[int, int, int]]:
        """Return the messages with a key: which of its kind, row, run that last asked for it."""
        query = "select nth, row, run from memory.known where key = ? order by nth"
        return self._db.execute(query, (key,)).fetchall()

    def asked(self, key: int, nth: int, run: int) -> None:
        """Note that a run asked for a message."""
        self._db.execute(
            "update memory.known set run = ? where key = ? and nth = ?", (run, key, nth)
        )

    def _add_stored(self, keys: list[tuple[int, int]]) -> None:
        for first, near in runs_of(keys):
            if self.add(near, first, 0) < len(near):
                for row, key in enumerate(near, first):
                    if not self.is_first(key, row):
                        self.add_more(key, row, 0)

    def _key(self, ref: str, body: bytes, kind: str | None) -> int:
        """Return the key of a message: of what was handed in, before it was given a ref."""
        if ref.startswith(f"{REF_PREFIX}{self._campaign}-"):
            bare = body.removesuffix(f',"custom_string":"{ref}"}}'.encode()) + b"}"
            digest = digest_of(bare, kind)
            if ref.split("-")[2] == digest.hex():
                return key_of(digest)
        return key_of(digest_of(body, kind))


def runs_of(rows: list[tuple[int, int]]) -> Iterator[tuple[int, list[int]]]:
    """Yield runs of neighbouring rows: the first of each, and what came with all of them."""
    numbered = groupby(enumerate(rows), key=lambda it: it[1][0] - it[0])
    for _, run in numbered:
        some = [pair for _, pair in run]
        yield some[0][0], [value for _, value in some]


def digest_of(body: bytes, kind: str | None) -> bytes:
    """Return the hash of a message as it was handed in."""
    digest = blake2b(body, digest_size=9)
    if kind is not None:
        digest.update(kind.encode())
    return digest.digest()


def key_of(digest: bytes) -> int:
    """Return the part of a digest that messages are found by; the ref tells the rest."""
    return int.from_bytes(digest[:8], signed=True)
