"""Finding messages of a journal again, by what was handed in.

It is made when a journal has something to be found again: when a second run begins, or a message
comes with a ref of the caller's. Within a run equal messages are different messages, in two runs
they are the same: the first of them in this run is the first in the journal, and so on.

Two ways lead there. A list that is run again comes in the chunks it came in before, so whole chunks
are compared by a digest first. What does not match is looked up by the digest of each message, in a
table in memory that takes some 50 bytes a message and is made when it is first needed.
"""

from __future__ import annotations

import re
import sqlite3
from bisect import bisect_right, insort
from collections import defaultdict
from collections.abc import Callable, Container, Iterator, Sequence
from hashlib import blake2b
from typing import TypeAlias

import msgspec

from ...models.messages import REF_PREFIX
from ..encode import Encoded, bodies_of

Chunk: TypeAlias = "tuple[int, int, str | None, bytes]"
"""First row, number of messages, media file, and ``{"messages": [...]}``."""

_CREATE = """
create table known (key text, nth integer, row integer, primary key (key, nth)) without rowid;
create table asked (run integer, row integer, primary key (run, row)) without rowid
"""


class Index:
    """The rows of messages, by what was handed in."""

    def __init__(self, campaign: str, chunks: Callable[[], Iterator[Chunk]]) -> None:
        """Index what a journal holds.

        Args:
            campaign: the journal's own part of its refs.
            chunks: yields everything the journal holds.

        """
        self._chunks = chunks
        pattern = rf',"custom_string":"{REF_PREFIX}{campaign}-[0-9a-f]+-[0-9a-f]+"'
        self._our_ref = re.compile(pattern.encode())
        self._by_digest: dict[bytes, list[int]] = defaultdict(list)
        self._firsts: list[int] = []
        self._sizes: dict[int, int] = {}
        self._whole: dict[int, set[int]] = defaultdict(set)
        """By run, the chunks that it asked for as a whole."""
        self._touched: dict[int, set[int]] = defaultdict(set)
        """By run, the chunks of which it asked for single messages."""
        self._db: sqlite3.Connection | None = None
        for first, size, media_file, body in chunks():
            self._add_chunk(first, size, None if media_file else self._content(body))

    def close(self) -> None:
        """Forget everything."""
        if self._db is not None:
            self._db.close()

    def enter(self, chunk: Chunk) -> None:
        """Index a chunk that was entered without being looked for."""
        first, size, media_file, body = chunk
        if first in self._sizes:
            return
        self._add_chunk(first, size, None if media_file else self._content(body))
        if self._db is not None:
            self._index_messages(self._db, first, media_file, body)

    def mark(self, run: int, rows: range) -> None:
        """Note that a run has asked for what it entered in some rows."""
        self._whole[run].update(it for it in self._firsts if it in rows)

    def find_chunk(self, run: int, messages: Encoded) -> range | None:
        """Return the rows of a chunk of exactly these messages that the run did not ask for yet."""
        if messages.media_files is not None:
            return None  # a chunk has one of them only
        for first in self._by_digest.get(self._content(messages.whole_body()), ()):
            # Within a run equal chunks are different messages, so each is found once.
            if first not in self._whole[run] and first not in self._touched[run]:
                self._whole[run].add(first)
                return range(first, first + self._sizes[first])
        return None

    def find(
        self,
        run: int,
        messages: Encoded,
        rows: range,
        *,
        once: bool,
        without: Container[int] = (),
    ) -> list[int]:
        """Return the row that each message stands for; new ones stand for the row they are given.

        Args:
            run: the run that looks for them.
            messages: what is looked for.
            rows: free rows for those that are new.
            once: whether an equal message is the same one even within the run.
            without: places of messages that are not looked for, and not indexed.

        """
        if self._db is None:
            self._db = self._build()
        bare, files = messages.bare, messages.media_files
        keys = [_key(it, files[place] if files else None) for place, it in enumerate(bare)]
        groups = self._groups(keys)
        found: list[int] = []
        for place, key in enumerate(keys):
            if place in without:
                found.append(rows[place])
                continue
            group = groups.setdefault(key, [])
            # The first equal message that this run has not asked for yet.
            row = next((it for it in group if once or not self._was_asked(run, it)), None)
            if row is None:
                row = rows[place]
                self._db.execute("insert into known values (?, ?, ?)", (key, len(group), row))
                group.append(row)
            self._ask(run, row)
            found.append(row)
        return found

    def add(self, messages: Encoded, rows: Sequence[int], run: int) -> None:
        """Index a chunk of messages that `find` has found to be new."""
        if messages.media_files is None:
            self._add_chunk(rows[0], len(rows), self._content(messages.whole_body()))
            self._whole[run].add(rows[0])

    def _add_chunk(self, first: int, size: int, content: bytes | None) -> None:
        if content is not None:
            self._by_digest[content].append(first)
        insort(self._firsts, first)
        self._sizes[first] = size

    def _build(self) -> sqlite3.Connection:
        db = sqlite3.connect(":memory:", isolation_level=None, check_same_thread=False)
        db.executescript(_CREATE)
        for first, _, media_file, body in self._chunks():
            self._index_messages(db, first, media_file, body)
        return db

    def _index_messages(
        self, db: sqlite3.Connection, first: int, media_file: str | None, body: bytes
    ) -> None:
        keys = [_key(self._bare(it), media_file) for it in bodies_of(body)]
        # One statement a chunk. Only chunks with equal messages are entered one by one.
        before = db.total_changes
        db.execute(
            "insert or ignore into known select value, 0, ? + key from json_each(?)",
            (first, msgspec.json.encode(keys)),
        )
        if db.total_changes - before < len(keys):  # equal messages, here or before
            for row, key in enumerate(keys, first):
                self._insert(db, key, row)

    def _insert(self, db: sqlite3.Connection, key: str, row: int) -> None:
        rows = [it for (it,) in db.execute("select row from known where key = ?", (key,))]
        if row not in rows:
            db.execute("insert into known values (?, ?, ?)", (key, len(rows), row))

    def _groups(self, keys: list[str]) -> dict[str, list[int]]:
        """Return the rows of all messages with some keys."""
        assert self._db is not None
        groups: dict[str, list[int]] = {}
        query = (
            "select key, row from known where key in (select value from json_each(?)) "
            "order by key, nth"
        )
        for key, row in self._db.execute(query, (msgspec.json.encode(keys),)):
            groups.setdefault(key, []).append(row)
        return groups

    def _was_asked(self, run: int, row: int) -> bool:
        assert self._db is not None
        if self._chunk_of(row) in self._whole[run]:
            return True
        query = "select 1 from asked where run = ? and row = ?"
        return self._db.execute(query, (run, row)).fetchone() is not None

    def _ask(self, run: int, row: int) -> None:
        assert self._db is not None
        self._touched[run].add(self._chunk_of(row))
        self._db.execute("insert or ignore into asked values (?, ?)", (run, row))

    def _chunk_of(self, row: int) -> int:
        place = bisect_right(self._firsts, row)
        first = self._firsts[place - 1] if place else 0
        return first if first and row < first + self._sizes[first] else row

    def _content(self, body: bytes) -> bytes:
        """Return a digest of a chunk as it was handed in."""
        # No text can hold the pattern: its quotes would be escaped.
        return blake2b(self._our_ref.sub(b"", body), digest_size=16).digest()

    def _bare(self, body: bytes) -> bytes:
        """Return a message as it was handed in, before it was given a ref."""
        return self._our_ref.sub(b"", body, 1)


def _key(bare: bytes, media_file: str | None) -> str:
    """Return a digest long enough for equal digests to mean equal messages."""
    content = bare if media_file is None else b"%b\n%b" % (bare, media_file.encode())
    return blake2b(content, digest_size=12).hexdigest()
