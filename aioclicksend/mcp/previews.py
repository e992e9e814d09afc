"""Previews and what became of them: a small SQLite file beside the journal.

A preview goes one way: made → begun → finished. ``begun`` is durable before the bulk sender is
given anything, so a token that was interrupted is never taken for a fresh one; from there the
journal knows which of its messages left.
"""

from __future__ import annotations

import secrets
import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from decimal import Decimal
from pathlib import Path

import msgspec
from msgspec import Struct

from ..errors import ConfigurationError
from ..files import make_private
from .limits import Limits

_SCHEMA = 1
_PATIENCE = 10.0
"""Seconds to wait while another server writes."""

_CREATE = """
create table if not exists preview (
    token text primary key,
    made real not null,
    messages text not null,
    price text not null,
    currency text not null,
    begun real,
    cost text,
    result text
) without rowid
"""


class Planned(Struct, kw_only=True):
    """One message of a preview."""

    to: str
    body: str
    sender: str | None
    price: Decimal
    key: str
    """Its idempotency key: made of the token and its place."""


class Preview(Struct, kw_only=True):
    """Messages and their price, as they were shown to the agent."""

    token: str
    messages: list[Planned]
    price: Decimal
    currency: str
    begun: float | None = None
    """When sending began, in unix seconds."""
    result: bytes | None = None
    """The first result, as JSON."""


def new_token() -> str:
    """Return a token that cannot be guessed, in the characters that every API keeps."""
    # 96 bits: an agent must not reach a preview that another one made by guessing.
    return secrets.token_hex(12)


class Previews:
    """The previews of one journal. Several servers may share the file.

    Raises:
        ConfigurationError: the file cannot be used.

    """

    def __init__(self, path: Path) -> None:
        self._path = path
        try:
            path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            # It holds numbers and texts: only its owner may read it.
            make_private(path)
            # In one transaction: two servers of one agent program may start at the same time.
            with self._transaction() as db:
                (version,) = db.execute("pragma user_version").fetchone()
                if version not in (0, _SCHEMA):
                    raise ConfigurationError(f"{path} was written by a newer version")
                db.execute(_CREATE)
                db.execute(f"pragma user_version = {_SCHEMA}")
        except (OSError, sqlite3.Error) as error:
            raise ConfigurationError(f"{path} cannot be used for previews: {error}") from None

    def add(self, preview: Preview, now: float) -> None:
        """Store a new preview durably."""
        with self._transaction() as db:
            db.execute(
                "insert into preview (token, made, messages, price, currency) "
                "values (?, ?, ?, ?, ?)",
                (
                    preview.token,
                    now,
                    msgspec.json.encode(preview.messages).decode(),
                    str(preview.price),
                    preview.currency,
                ),
            )

    def get(self, token: str) -> Preview | None:
        """Return a preview; None if no preview has this token."""
        with self._transaction() as db:
            row = db.execute(
                "select messages, price, currency, begun, result from preview where token = ?",
                (token,),
            ).fetchone()
        if row is None:
            return None
        messages, price, currency, begun, result = row
        return Preview(
            token=token,
            messages=msgspec.json.decode(messages, type=list[Planned]),
            price=Decimal(price),
            currency=currency,
            begun=begun,
            result=None if result is None else result.encode(),
        )

    def begin(self, preview: Preview, limits: Limits, now: float) -> None:
        """Reserve the price and mark the preview begun, in one step for all servers.

        Raises:
            Refused: the budget does not allow it.

        """
        with self._transaction() as db:
            limits.check_price(preview.price, _spent(db))
            db.execute(
                # Never set twice: a later time would move the window in which the history is
                # searched.
                "update preview set begun = ? where token = ? and begun is null",
                (now, preview.token),
            )

    def finish(self, token: str, cost: Decimal, result: bytes) -> None:
        """Store the first result of a preview and what it cost, or may have cost, at most."""
        with self._transaction() as db:
            db.execute(
                "update preview set cost = ?, result = ? where token = ? and result is null",
                (str(cost), result.decode(), token),
            )

    def spent(self) -> Decimal:
        """Return what all sends cost together; what is unfinished counts with its price."""
        with self._transaction() as db:
            return _spent(db)

    def sent_since(self, moment: float) -> set[tuple[str, str]]:
        """Return number and text of all messages whose sending began after a time."""
        with self._transaction() as db:
            rows: Sequence[tuple[str]] = db.execute(
                "select messages from preview where begun > ?", (moment,)
            ).fetchall()
        return {
            (it.to, it.body)
            for (messages,) in rows
            for it in msgspec.json.decode(messages, type=list[Planned])
        }

    @contextmanager
    def _transaction(self) -> Iterator[sqlite3.Connection]:
        # A connection each: calls come from the threads of a pool, and are few.
        with closing(sqlite3.connect(self._path, timeout=_PATIENCE, isolation_level=None)) as db:
            db.execute("pragma synchronous = full")
            # Reading and writing in one step: two servers must not both find the budget unspent.
            db.execute("begin immediate")
            try:
                yield db
            except BaseException:
                db.execute("rollback")
                raise
            db.execute("commit")


def _spent(db: sqlite3.Connection) -> Decimal:
    # An unfinished send counts with its whole price until its result is known.
    rows = db.execute("select coalesce(cost, price) from preview where begun is not null")
    return sum((Decimal(amount) for (amount,) in rows), Decimal(0))
