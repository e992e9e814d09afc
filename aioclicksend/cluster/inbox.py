"""The inbox in PostgreSQL: pushes, deliveries and opt-outs that all hosts of an account share.

The tables and their meaning are those of `SqliteInbox`. Every process may answer pushes, handle
events and poll. What appends changes first locks the account's `inbox_clock`, so that a change with
a higher seq is never visible before one with a lower; the same lock puts merges in a row.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Collection, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any

import msgspec
import psycopg

from ..errors import ConfigurationError
from ..models.messages import REF_PREFIX
from ..webhooks.events import DeliveryReceipt, DeliveryState, InboundMessage, dedupe_key
from ..webhooks.merge import Change, MessageDelivery, is_change, merge
from ..webhooks.parse import parse
from ..webhooks.store import UNREADABLE, Arrival, Claimed, DeadLetter, Push
from ..webhooks.suppression import asked_keys, number_key, stored_keys
from .database import Connection
from .journal import storable

if TYPE_CHECKING:
    from .cluster import Cluster

_POLL = 1.0
"""Seconds between two looks for events that other processes stored, without a notification."""

_OPEN = "select id from account where name = %(account)s"
_CLOCK = """
insert into inbox_clock (account, seq) values (%(account)s, %(more)s)
on conflict (account) do update set seq = inbox_clock.seq + %(more)s returning seq
"""
_STORE = """
insert into push (account, dedupe, body, content_type, query, due, is_dead, reason, sender,
    answers, ref)
values (%(account)s, %(dedupe)s, %(body)s, %(content_type)s, %(query)s,
    case when %(is_dead)s then null else clock_timestamp() end, %(is_dead)s, %(reason)s, %(sender)s,
    %(answers)s, %(ref)s)
on conflict (account, dedupe) where dedupe is not null do nothing
"""
_KNOWN = """
select message_id, known::text from delivery
where account = %(account)s and message_id = any(%(ids)s)
"""
_DELIVER = """
insert into delivery (account, message_id, state, reason, ref, at, known)
values (%(account)s, %(message_id)s, %(state)s, %(reason)s, %(ref)s, %(at)s, %(known)s)
on conflict (account, message_id) do update set state = excluded.state, reason = excluded.reason,
    ref = excluded.ref, at = excluded.at, known = excluded.known
"""
_CHANGE = (
    "insert into change values (%(account)s, %(seq)s, %(message_id)s, %(previous)s, %(known)s)"
)
_SUPPRESS = """
insert into suppressed (account, key, number)
select %(account)s, unnest(%(keys)s::text[]), %(number)s
on conflict do nothing
"""
_NOTE_POLLED = """
insert into polled_receipt values (%(account)s, %(dedupe)s, %(message_id)s, %(ref)s, %(made)s,
    %(look)s, %(look)s)
on conflict (account, dedupe) do update set last_seen = excluded.last_seen
"""
_NEWEST = """
select max(made) from polled_receipt where account = %(account)s and first_seen <= %(until)s
"""
_OLDEST_FOREIGN = """
select min(made) from polled_receipt where account = %(account)s and last_seen = %(look)s
    and coalesce(left(ref, %(length)s), '') <> %(prefix)s
"""
_SOME_MARKABLE = """
select exists (select 1 from polled_receipt
    where account = %(account)s and last_seen = %(look)s and made < %(before)s)
"""
_CLAIM = """
with claimed as (
    select id from push where account = %(account)s and due <= clock_timestamp()
    order by due, id limit %(limit)s for update skip locked)
update push set due = clock_timestamp() + make_interval(secs => %(lease)s), attempts = attempts + 1
from claimed where push.id = claimed.id
returning push.id, body, content_type, query, attempts
"""
# Only of what is still claimed: a handler may have ended meanwhile.
_RENEW = """
update push set due = clock_timestamp() + make_interval(secs => %(lease)s)
where account = %(account)s and id = any(%(ids)s) and due is not null
"""
_FINISH = """
update push set due = null, is_dead = false, reason = null
where account = %(account)s and id = any(%(ids)s)
"""
_FAIL = """
update push set due = clock_timestamp() + make_interval(secs => %(retry_in)s::float8),
    reason = %(reason)s, is_dead = %(retry_in)s::float8 is null
where account = %(account)s and id = %(id)s
"""
_DEAD = """
select id, body, content_type, query, reason, attempts, received from push
where account = %(account)s and is_dead order by id limit %(limit)s
"""
_REPLAY = """
update push set due = clock_timestamp(), attempts = 0, is_dead = false, reason = null
where account = %(account)s and is_dead and id = any(%(ids)s)
"""
_CHANGES = """
select seq, previous, known::text from change
where account = %(account)s and seq > %(after)s order by seq limit %(limit)s
"""
_COUNTS = """
select state, reason, count(*) from delivery where account = %(account)s group by 1, 2
"""
_BLOCKED = """
select distinct key from suppressed where account = %(account)s and key = any(%(keys)s::text[])
"""
_REPLIES = """
select body, content_type, query from push
where account = %(account)s and (sender = %(digits)s or answers = %(to)s or ref = %(to)s)
order by id desc limit %(limit)s
"""

_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder(MessageDelivery).decode


class PostgresInbox:
    """The `Inbox` of an account; made by `cluster.inbox()`."""

    def __init__(self, cluster: Cluster) -> None:
        self._cluster = cluster
        self._account = 0
        self._added: asyncio.Event | None = None

    async def open(self) -> None:
        """Make sure that the database can be used.

        Raises:
            ConfigurationError: it cannot.

        """
        await self._cluster.open()
        rows = await self._all(_OPEN, account=self._cluster.account)
        self._account = rows[0][0]
        self._added = asyncio.Event()

    async def close(self) -> None:
        """Nothing is left open: the connections are the cluster's."""

    async def add(self, arrivals: Sequence[Arrival]) -> list[bool]:
        """Store pushes durably and return for each whether it is new."""

        async def work(connection: Connection) -> list[bool]:
            return await self._store(connection, arrivals)

        return self._wake_if_any(await self._run(work))

    async def record(self, receipts: Sequence[DeliveryReceipt], look: float) -> int:
        """Store polled receipts durably and return how many of them are new."""
        # json: what came as an escaped lone surrogate can be encoded only so.
        arrivals = [
            Arrival(
                push=Push(body=json.dumps(it.raw).encode(), content_type="application/json"),
                event=it,
            )
            for it in receipts
            if it.message_id
        ]

        async def work(connection: Connection) -> list[bool]:
            # In one order everywhere, or two looks at once could wait for each other.
            notes = sorted((self._note(it, look) for it in receipts if it.message_id), key=_dedupe)
            async with connection.cursor() as cursor:
                await cursor.executemany(_NOTE_POLLED, notes)
            return await self._store(connection, arrivals)

        return sum(self._wake_if_any(await self._run(work)))

    async def markable(self, look: float, grace: float, *, others: bool) -> int | None:
        """Return the unix time before which all receipts may be marked read; see `Ledger`."""
        ((newest,),) = await self._all(_NEWEST, until=look - grace)
        if newest is None:
            return None
        before: int = newest + 1
        if not others:
            ((oldest,),) = await self._all(
                _OLDEST_FOREIGN, look=look, prefix=REF_PREFIX, length=len(REF_PREFIX)
            )
            before = before if oldest is None else min(before, oldest - 1)
        ((some,),) = await self._all(_SOME_MARKABLE, look=look, before=before)
        return before if some else None

    async def claim(self, limit: int, lease: float) -> list[Claimed]:
        """Return up to `limit` events that are due, for `lease` seconds."""
        return [
            Claimed(
                id=row[0],
                push=Push(body=row[1], content_type=row[2], query=row[3]),
                attempt=row[4],
            )
            for row in sorted(await self._all(_CLAIM, limit=limit, lease=lease))
        ]

    async def renew(self, ids: Collection[int], lease: float) -> None:
        """Extend the leases of events that are still being handled."""
        await self._execute(_RENEW, ids=list(ids), lease=lease)

    async def finish(self, ids: Collection[int]) -> None:
        """Note that events, or dead letters, were dealt with."""
        await self._execute(_FINISH, ids=list(ids))

    async def fail(self, event_id: int, reason: str, retry_in: float | None) -> None:
        """Make an event due again in `retry_in` seconds, or a dead letter for None."""
        await self._execute(_FAIL, id=event_id, reason=storable(reason), retry_in=retry_in)

    async def wait(self, seconds: float) -> None:
        """Return when this process added something, or after some time.

        What other processes added is found after a second at the latest.
        """
        if self._added is None:
            raise RuntimeError("the inbox is not open")
        self._added.clear()
        try:
            async with asyncio.timeout(min(seconds, _POLL)):
                await self._added.wait()
        except TimeoutError:
            pass

    async def dead_letters(self, limit: int) -> list[DeadLetter]:
        """Return the oldest dead letters."""
        return [
            DeadLetter(
                id=row[0],
                push=Push(body=row[1], content_type=row[2], query=row[3]),
                reason=row[4],
                attempts=row[5],
                received=row[6],
            )
            for row in await self._all(_DEAD, limit=limit)
        ]

    async def replay(self, ids: Collection[int]) -> int:
        """Make dead letters due again, as if never attempted; return how many there were."""
        count = await self._execute(_REPLAY, ids=list(ids))
        self._wake_if_any([bool(count)])
        return count

    async def changes(self, after: int, limit: int) -> list[Change]:
        """Return the changes behind the seq `after`, in order."""
        return [
            Change(
                seq=seq,
                previous=DeliveryState(previous) if previous else None,
                delivery=_decode(known),
            )
            for seq, previous, known in await self._all(_CHANGES, after=after, limit=limit)
        ]

    async def deliveries(self, ids: Collection[str]) -> dict[str, MessageDelivery]:
        """Return what is known of messages, by their ids."""
        rows = await self._all(_KNOWN, ids=[storable(it) for it in ids])
        return {message_id: _decode(known) for message_id, known in rows}

    async def counts(self) -> dict[tuple[str, str | None], int]:
        """Return how many messages have each state and reason."""
        return {(state, reason): count for state, reason, count in await self._all(_COUNTS)}

    async def suppress(self, numbers: Collection[str], *, on: bool = True) -> None:
        """Put numbers on the suppression list, or take them off."""

        async def work(connection: Connection) -> None:
            for number in sorted(numbers):
                if on:
                    await self._suppress(connection, number)
                else:
                    await connection.execute(
                        "delete from suppressed where account = %s and number = %s",
                        [self._account, number_key(number)],
                    )

        await self._run(work)

    async def blocked(self, numbers: Collection[str]) -> set[str]:
        """Return which of some numbers are on the suppression list, as they were written."""
        if not self._account:
            await self.open()
        keys = {number: asked_keys(number) for number in numbers}
        # A mark and digits: nothing that an array's text would have to quote.
        wanted = ",".join(set().union(*keys.values()))
        rows = await self._all(_BLOCKED, keys=f"{{{wanted}}}")
        found = {key for (key,) in rows}
        return {number for number, mine in keys.items() if not found.isdisjoint(mine)}

    async def replies(self, to: str, limit: int) -> list[InboundMessage]:
        """Return messages received from a number, or in answer to an id or a `custom_string`."""
        rows = await self._all(_REPLIES, digits=number_key(to), to=storable(to), limit=limit)
        events = [parse(body, content_type=kind, query=query) for body, kind, query in rows]
        return [it for it in events if isinstance(it, InboundMessage)]

    # Inside a transaction.

    async def _store(self, connection: Connection, arrivals: Sequence[Arrival]) -> list[bool]:
        await self._clock(connection, 0)
        new = [bool((await connection.execute(_STORE, self._push(it))).rowcount) for it in arrivals]
        fresh = [it for it, is_new in zip(arrivals, new, strict=True) if is_new]
        receipts = [
            it.event
            for it in fresh
            if isinstance(it.event, DeliveryReceipt) and it.event.message_id
        ]
        if receipts:
            await self._apply(connection, receipts)
        for arrival in fresh:
            if arrival.opt_out is not None:
                await self._suppress(connection, arrival.opt_out)
        return new

    async def _apply(self, connection: Connection, receipts: Sequence[DeliveryReceipt]) -> None:
        """Merge receipts into the deliveries of their messages and append the changes."""
        ids = list({storable(it.message_id) for it in receipts})
        found = await connection.execute(_KNOWN, {"account": self._account, "ids": ids})
        known = {message_id: _decode(text) for message_id, text in await found.fetchall()}
        steps: list[tuple[DeliveryState | None, MessageDelivery]] = []
        for receipt in receipts:
            before = known.get(storable(receipt.message_id))
            after = merge(before, receipt)
            if after == before:
                continue
            known[storable(receipt.message_id)] = after
            await connection.execute(_DELIVER, self._delivery(after))
            if is_change(before, after):
                steps.append((before.state if before else None, after))
        if steps:
            last = await self._clock(connection, len(steps))
            for seq, (previous, after) in enumerate(steps, last - len(steps) + 1):
                values = self._delivery(after) | {"seq": seq, "previous": previous}
                await connection.execute(_CHANGE, values)

    async def _clock(self, connection: Connection, more: int) -> int:
        """Lock the account's clock until the commit, move it on, and return where it stands."""
        values = {"account": self._account, "more": more}
        row = await (await connection.execute(_CLOCK, values)).fetchone()
        assert row is not None
        return int(row[0])

    async def _suppress(self, connection: Connection, number: str) -> None:
        values = {
            "account": self._account,
            "keys": sorted(stored_keys(number)),
            "number": number_key(number),
        }
        await connection.execute(_SUPPRESS, values)

    def _push(self, arrival: Arrival) -> dict[str, Any]:
        push, event = arrival.push, arrival.event
        values: dict[str, Any] = dict.fromkeys(("dedupe", "sender", "answers", "ref", "reason"))
        if event is not None:
            key = dedupe_key(event)
            values["dedupe"] = None if key is None else storable(key)
        else:
            values["reason"] = UNREADABLE
        if isinstance(event, InboundMessage):
            values["sender"] = number_key(event.from_ or "") or None
            values["answers"] = _storable_or_none(event.original_message_id)
            values["ref"] = _storable_or_none(event.custom_string)
        return values | {
            "account": self._account,
            "body": push.body,
            "content_type": _storable_or_none(push.content_type),
            "query": _storable_or_none(push.query),
            "is_dead": event is None,
        }

    def _delivery(self, it: MessageDelivery) -> dict[str, Any]:
        return {
            "account": self._account,
            "message_id": storable(it.message_id),
            "state": it.state.value,
            "reason": _storable_or_none(it.reason),
            "ref": _storable_or_none(it.custom_string),
            "at": it.timestamp,
            "known": _encode(it).decode(),
        }

    def _note(self, receipt: DeliveryReceipt, look: float) -> dict[str, Any]:
        made: datetime | None = receipt.timestamp
        return {
            "account": self._account,
            "dedupe": storable(dedupe_key(receipt) or ""),
            "message_id": storable(receipt.message_id or ""),
            "ref": _storable_or_none(receipt.custom_string),
            "made": int(made.timestamp()) if made else 0,
            "look": look,
        }

    def _wake_if_any(self, new: list[bool]) -> list[bool]:
        if any(new) and self._added is not None:
            self._added.set()
        return new

    async def _all(self, statement: str, **values: Any) -> list[Any]:
        async def work(connection: Connection) -> list[Any]:
            found = await connection.execute(
                statement.encode(), {"account": self._account} | values
            )
            return await found.fetchall()

        rows: list[Any] = await self._run(work)
        return rows

    async def _execute(self, statement: str, **values: Any) -> int:
        async def work(connection: Connection) -> int:
            found = await connection.execute(
                statement.encode(), {"account": self._account} | values
            )
            return found.rowcount

        count: int = await self._run(work)
        return count

    async def _run(self, work: Any) -> Any:
        try:
            return await self._cluster.database.run(work)
        except psycopg.errors.ForeignKeyViolation:
            raise ConfigurationError("the inbox is not open") from None

    def __repr__(self) -> str:
        return f"PostgresInbox(account={self._cluster.account!r})"


def _dedupe(note: dict[str, Any]) -> str:
    return str(note["dedupe"])


def _storable_or_none(value: str | None) -> str | None:
    return None if value is None else storable(value)
