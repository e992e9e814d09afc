"""The transactional outbox: what applications enqueued moves into a journal, exactly once.

::

    application                          worker
    begin                                begin
      insert into orders …                 outbox rows, for update skip locked
      select clicksend.enqueue(…)   ──▶    message + standing + key     (duplicates found here)
    commit                                 delete from outbox, or dead: why
                                         commit

An application's transaction only inserts: it waits for no other one, and no lock of a key is taken
before it commits. Rolled back, its row never existed. A row is moved by one transaction, so it is
in the outbox or in the journal, never in both.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any

import msgspec
from msgspec import Struct

from ..bulk.encode import encode
from ..bulk.journal import State
from ..models.messages import Message
from .campaigns import KINDS
from .database import Connection

if TYPE_CHECKING:
    from .cluster import Cluster
    from .journal import PostgresJournal

_NAME = "outbox.{}"
_CHUNK = 500

_WAITING = """
select o.id, o.message, o.key from outbox o join account a on a.id = o.account
where a.name = %(account)s and o.channel = %(channel)s and o.dead is null
order by o.id limit %(limit)s for update of o skip locked
"""
_CHANNELS = """
select distinct o.channel from outbox o join account a on a.id = o.account
where a.name = %(account)s and o.dead is null
"""
_BURY = """
update outbox set dead = g.why
from unnest(%(ids)s::bigint[], %(reasons)s::text[]) as g (id, why) where outbox.id = g.id
"""
_DEAD = """
select o.id, o.channel, o.key, o.dead, o.enqueued from outbox o join account a on a.id = o.account
where a.name = %(account)s and o.dead is not null order by o.id limit %(limit)s
"""
_REPLAY = """
update outbox set dead = null from account a where a.id = outbox.account
and a.name = %(account)s and dead is not null
and (%(ids)s::bigint[] is null or outbox.id = any(%(ids)s))
"""


class DeadRow(Struct, frozen=True, kw_only=True):
    """A row of the outbox that cannot be sent. Number and text are left in the database."""

    id: int
    channel: str
    key: str | None
    reason: str
    enqueued: datetime


def journal_name(channel: str) -> str:
    """Return the name of the journal in which the outbox's messages of a channel are."""
    return _NAME.format(channel)


async def waiting_channels(cluster: Cluster) -> list[str]:
    """Return the channels for which the outbox holds messages."""

    async def work(connection: Connection) -> list[str]:
        found = await connection.execute(_CHANNELS, {"account": cluster.account})
        return [channel for (channel,) in await found.fetchall()]

    return await cluster.database.run(work)


async def move(cluster: Cluster, journal: PostgresJournal, channel: str) -> int:
    """Move messages from the outbox into an open journal, and return how many rows were taken.

    What is no message, or has a key that belongs to another one, stays in the outbox as dead.
    """

    async def work(connection: Connection) -> int:
        values = {"account": cluster.account, "channel": channel, "limit": _CHUNK}
        # Skipping what others hold: they commit it or, if they die, give it back unmoved.
        taken = await (await connection.execute(_WAITING, values)).fetchall()
        if not taken:
            return 0
        dead: dict[int, str] = {}
        good: list[tuple[int, Message, str | None]] = []
        for row, fields, key in taken:
            try:
                good.append((row, _message(fields, KINDS[channel]), key))
            except ValueError as error:
                dead[row] = f"bad message: {error}"
        # In the same transaction as the deletion below: a row is never in both places.
        if good:
            dead |= await _enter(connection, journal, channel, good)
        await connection.execute(
            "delete from outbox where id = any(%(ids)s)",
            {"ids": [row for row, _, _ in taken if row not in dead]},
        )
        if dead:
            await connection.execute(
                _BURY, {"ids": list(dead), "reasons": [it[:500] for it in dead.values()]}
            )
        return len(taken)

    return await cluster.database.run(work)


async def dead_rows(cluster: Cluster, limit: int = 1000) -> list[DeadRow]:
    """Return the oldest rows of the outbox that cannot be sent."""

    async def work(connection: Connection) -> list[DeadRow]:
        found = await connection.execute(_DEAD, {"account": cluster.account, "limit": limit})
        return [
            DeadRow(id=row, channel=channel, key=key, reason=dead, enqueued=enqueued)
            for row, channel, key, dead, enqueued in await found.fetchall()
        ]

    return await cluster.database.run(work)


async def replay(cluster: Cluster, ids: Sequence[int] | None = None) -> int:
    """Have dead rows tried again, all if no ids are given, and return how many."""

    async def work(connection: Connection) -> int:
        wanted = None if ids is None else list(ids)
        values = {"account": cluster.account, "ids": wanted}
        return (await connection.execute(_REPLAY, values)).rowcount

    return await cluster.database.run(work)


async def _enter(
    connection: Connection,
    journal: PostgresJournal,
    channel: str,
    good: Sequence[tuple[int, Message, str | None]],
) -> dict[int, str]:
    """Enter messages into the journal; return the rows that were not, and why."""
    messages = [message for _, message, _ in good]
    keys = [key for _, _, key in good]
    encoded = encode(messages, kind=KINDS[channel], prefix=journal.ref_prefix(), keys=keys)
    dead = {good[bad.position][0]: f"bad message: {bad.error}" for bad in encoded.bad}
    rows = [row for row, _, _ in good if row not in dead]
    draft = journal.draft(0, encoded, outbox=rows)
    planned = await journal.enter(connection, draft)
    for position, entry in planned.known.items():
        if entry.state is State.KEY_CONFLICT:
            dead[rows[position]] = "key conflict: the key belongs to another number or text"
    return dead


def _message(fields: Any, kind: type[Message]) -> Message:
    """Return the message that a row of the outbox holds.

    Raises:
        ValueError: it is none; the text names the field and not its value.

    """
    unknown = set(fields) - set(kind.__struct_encode_fields__)
    if unknown:
        # A misspelt field would be left out in silence, and with it a sender or a schedule.
        raise ValueError(f"unknown field {min(map(repr, unknown))[:60]}")
    try:
        return msgspec.convert(fields, kind)
    except msgspec.ValidationError as error:
        raise ValueError(str(error)) from None
