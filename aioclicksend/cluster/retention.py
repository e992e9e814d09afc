"""Deleting what is no longer needed: old campaigns, or everything about one person."""

from __future__ import annotations

import contextlib
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, NamedTuple

from ..errors import ConfigurationError
from .database import Connection

if TYPE_CHECKING:
    from .cluster import Cluster

_CHUNK = 10_000

# What still waits or is in doubt is kept, however old: a message is settled before it is deleted.
_SETTLED = "s.state in ('accepted', 'rejected', 'unknown', 'not_sent', 'held', 'key_conflict')"

_OLD = f"""
select s.id from standing s join journal j on j.id = s.journal join account a on a.id = j.account
where a.name = %(account)s and {_SETTLED} and s.settled < clock_timestamp() - %(age)s
limit %(limit)s for update of s skip locked
"""  # noqa: S608 - a constant
_OF_PERSON = """
select s.id from message m join standing s using (id) join journal j on j.id = m.journal
join account a on a.id = j.account
where a.name = %(account)s
    and ltrim(regexp_replace(m."to", '[^0-9]', '', 'g'), '0') = %(digits)s
for update of s
"""
# Counts stay, by state and reason. A key keeps its hash and how its message ended, unless that was
# never sent.
_COUNT = """
insert into erased select s.journal, s.state, s.reason, count(*), coalesce(sum(s.parts), 0),
    coalesce(sum(s.price), 0)
from standing s where s.id = any(%(ids)s) group by 1, 2, 3
"""
_FREE_KEYS = """
delete from key using standing s where key.message = s.id and s.id = any(%(ids)s)
    and s.state in ('planned', 'not_sent', 'held')
"""
_KEEP_KEYS = """
update key set content = null, state = s.state, message_id = s.message_id
from standing s where key.message = s.id and s.id = any(%(ids)s)
"""
_DELETE = """
with texts as (delete from message where id = any(%(ids)s))
delete from standing where id = any(%(ids)s)
"""
_SQUEEZE = """
with old as (delete from erased returning *)
insert into erased select journal, state, reason, sum(messages), sum(parts), sum(cost)
from old group by 1, 2, 3
"""
_ORPHANS = """
with batches as (delete from batch b where b.begun < clock_timestamp() - %(age)s
    and not exists (select 1 from standing s where s.batch = b.id and s.journal = b.journal
        and s.state in ('in_flight', 'in_doubt', 'unknown')))
delete from push where received < clock_timestamp() - %(age)s and due is null
"""
_BUSY = """
select count(*) from owner o join journal j on j.id = o.journal join account a on a.id = j.account
where a.name = %(account)s and o.ended is null and o.lease_until > clock_timestamp()
"""
# A negative number is no batch that a process made; it says since when to look.
_RESTORED_BATCHES = """
insert into batch (id, journal, owner, attempt, begun, size)
select -j.id, j.id, 0, 1, %(taken)s, 0 from journal j join account a on a.id = j.account
where a.name = %(account)s
on conflict (id) do update set begun = excluded.begun
"""
_RESTORED = """
update standing s set state = 'in_doubt', owner = null, batch = -s.journal,
    attempt = greatest(s.attempt, 1), lookups = 0
from journal j join account a on a.id = j.account
where s.journal = j.id and a.name = %(account)s and s.state in ('planned', 'not_sent', 'held')
"""
# Their refs were made after the backup, so that nothing can look these up.
_RESTORED_OUTBOX = """
update outbox set dead = 'in a restored backup: it may have been sent since'
from account a where a.id = outbox.account and a.name = %(account)s and dead is null
"""
_PERSON_ELSEWHERE = (
    """delete from push p using account a where a.id = p.account and a.name = %(account)s
    and p.sender = %(digits)s""",
    """delete from delivery d using account a where a.id = d.account and a.name = %(account)s
    and d.message_id = any(%(message_ids)s)""",
    """delete from change c using account a where a.id = c.account and a.name = %(account)s
    and c.message_id = any(%(message_ids)s)""",
    """delete from outbox o using account a where a.id = o.account and a.name = %(account)s
    and ltrim(regexp_replace(o.message ->> 'to', '[^0-9]', '', 'g'), '0') = %(digits)s""",
)


async def retain(cluster: Cluster, days: float) -> int:
    """Delete texts and numbers of messages settled more than some days ago; keep their counts.

    Returns how many messages were deleted. Safe to interrupt and to run from several hosts: it
    works in transactions of ten thousand messages.

    Raises:
        ConfigurationError: the number of days is not positive.

    """
    if not days > 0:
        raise ConfigurationError("days: must be greater than 0")
    await cluster.open()
    values = {"account": cluster.account, "age": timedelta(days=days), "limit": _CHUNK}
    total = 0

    async def work(connection: Connection) -> int:
        found = await connection.execute(_OLD, values)
        ids = [row for (row,) in await found.fetchall()]
        await _delete(connection, ids)
        return len(ids)

    while deleted := await cluster.database.run(work):
        total += deleted

    async def tidy(connection: Connection) -> None:
        # Two of these at once would each add up what the other has just deleted.
        await connection.execute("lock table erased in exclusive mode")
        await connection.execute(_SQUEEZE)
        await connection.execute(_ORPHANS, values)

    await cluster.database.run(tidy)
    return total


async def erase(cluster: Cluster, number: str) -> int:
    """Delete everything about one person, and return how many messages that were.

    Messages in both directions, their receipts and what waits in the outbox. What still waits to
    be sent is not sent. Counts stay, and so do hashes of keys, and an opt-out: it must be obeyed.

    Args:
        cluster: where.
        number: in the international form; blanks and punctuation are ignored.

    Raises:
        ConfigurationError: it holds too few digits, or a message to it is under way.

    """
    digits = "".join(filter(str.isdecimal, number)).lstrip("0")
    if len(digits) < 7:
        raise ConfigurationError("the number must be in the international form: +61411111111")
    await cluster.open()
    values = {"account": cluster.account, "digits": digits}

    async def work(connection: Connection) -> int:
        ids = [row for (row,) in await (await connection.execute(_OF_PERSON, values)).fetchall()]
        open_ones = await connection.execute(
            "select count(*) from standing where id = any(%s) and state in "
            "('in_flight', 'in_doubt')",
            [ids],
        )
        if (count := (await open_ones.fetchone() or (0,))[0]) > 0:
            raise ConfigurationError(
                f"{count} messages to this number are under way or being looked up: "
                "erase them once they are settled"
            )
        found = await connection.execute(
            "select message_id from standing where id = any(%s) and message_id is not null", [ids]
        )
        message_ids = [it for (it,) in await found.fetchall()]
        for statement in _PERSON_ELSEWHERE:
            await connection.execute(statement, values | {"message_ids": message_ids})
        await _delete(connection, ids)
        return len(ids)

    return await cluster.database.run(work)


class Restored(NamedTuple):
    """What a restored backup holds as unsent."""

    doubtful: int
    """Messages that are looked up before anything is sent."""
    dead: int
    """Rows of the outbox, which cannot be looked up; `outbox.replay` sends them."""


async def restored(cluster: Cluster, taken: str) -> Restored:
    """Have everything looked up that a restored backup holds as unsent.

    What was sent after the backup was taken is planned in it. So all of it is in doubt: workers
    look it up from that time on, and what the history does not show is Unknown, for a person to
    decide (`resolve`). What waits in the outbox had no ref yet, so it is put aside as dead.

    Args:
        cluster: where.
        taken: when the backup was taken, as ISO 8601 with an offset.

    Raises:
        ConfigurationError: the time cannot be read, or processes are still at work.

    """
    moment = None
    with contextlib.suppress(ValueError):
        moment = datetime.fromisoformat(taken)
    if moment is None or moment.tzinfo is None:
        raise ConfigurationError("taken: must be a time with an offset: 2026-12-01T09:00:00Z")
    await cluster.open()
    values = {"account": cluster.account, "taken": moment}

    async def work(connection: Connection) -> Restored:
        busy = await connection.execute(_BUSY, values)
        if (await busy.fetchone() or (0,))[0]:
            raise ConfigurationError("processes are at work on this account: stop them first")
        # A look-up begins at the time of its batch: for all of these that of the backup.
        await connection.execute(_RESTORED_BATCHES, values)
        doubtful = (await connection.execute(_RESTORED, values)).rowcount
        return Restored(doubtful, (await connection.execute(_RESTORED_OUTBOX, values)).rowcount)

    return await cluster.database.run(work)


async def _delete(connection: Connection, ids: list[int]) -> None:
    if ids:
        for statement in (_COUNT, _FREE_KEYS, _KEEP_KEYS, _DELETE):
            await connection.execute(statement, {"ids": ids})
