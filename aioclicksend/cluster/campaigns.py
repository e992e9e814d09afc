"""Campaigns whose list, text and options stand in the database, for whichever worker is alive.

::

    enter() ─▶ planning ─▶ ready ⇄ paused          messages are entered while it is planning;
                             └──▶ cancelled         workers send those of a ready one once it starts

What a campaign is made of is written once and compared when it is entered again: the same name
with another text is another campaign. How it is sent may be changed by entering it again, and its
list extended or corrected: who compares it with `entries` does so inside `planning`.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator, Mapping, Sequence
from contextlib import aclosing, asynccontextmanager
from datetime import datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

import anyio
import psycopg
from msgspec import Struct
from psycopg.types.json import Jsonb

from ..bulk.encode import encode
from ..errors import ConfigurationError
from ..models.messages import Message, MmsMessage, SmsMessage, VoiceMessage
from .database import Connection

if TYPE_CHECKING:
    from .cluster import Cluster
    from .journal import PostgresJournal

KINDS: dict[str, type[Message]] = {"sms": SmsMessage, "mms": MmsMessage, "voice": VoiceMessage}
"""What the messages of each channel are."""

_CHUNK = 1000

Stage = Literal["planning", "ready", "paused", "cancelled"]

_FIND = """
select j.id, j.channel, c.facts, c.options, c.state, c.starts,
    c.journal is null or c.state = 'ready' and c.starts <= clock_timestamp()
from journal j join account a on a.id = j.account left join campaign c on c.journal = j.id
where a.name = %(account)s and j.name = %(name)s
"""
_ENTER = """
insert into campaign (journal, facts, options, starts)
select j.id, %(facts)s, %(options)s, coalesce(%(starts)s, clock_timestamp())
from journal j join account a on a.id = j.account
where a.name = %(account)s and j.name = %(name)s
on conflict (journal) do nothing
"""
_SET_OPTIONS = """
update campaign set options = options || %(options)s where journal = %(journal)s
    and not options @> %(options)s
"""
_OPEN_JOURNAL = """
insert into journal (account, name, channel)
select id, %(name)s, %(channel)s from account where name = %(account)s
on conflict (account, name) do nothing
"""
# A planned message of a cancelled campaign is never sent; a begun one is settled.
_SET_STAGE = """
with changed as (
    update campaign set state = %(stage)s from journal j join account a on a.id = j.account
    where campaign.journal = j.id and a.name = %(account)s and j.name = %(name)s
        and campaign.state = any(%(before)s) returning campaign.journal)
update journal set rest_until = '-infinity' from changed where journal.id = changed.journal
"""
_COUNTS = """
select state, sum(messages)::bigint, coalesce(sum(parts), 0)::bigint, coalesce(sum(cost), 0)
from (
    select state, count(*) as messages, sum(parts) as parts, sum(price) as cost
    from standing where journal = %(journal)s group by state
    union all
    select state, messages, parts, cost from erased where journal = %(journal)s) it
group by state
"""
_REASONS = """
select state, reason, sum(messages)::bigint from (
    select state, coalesce(reason, detail) as reason, count(*) as messages from standing
    where journal = %(journal)s and state not in ('accepted', 'planned', 'in_flight')
    group by 1, 2
    union all
    select state, reason, messages from erased where journal = %(journal)s
        and reason is not null) it
where reason is not null group by 1, 2 order by 3 desc
"""
_WAITING = """
select count(*), min(due) from standing where journal = %(journal)s and due is not null
    and state in ('planned', 'not_sent', 'held')
"""
_SILENT = """
select count(*) from standing s left join owner o on o.id = s.owner
where s.journal = %(journal)s and s.state = 'in_flight'
    and (o.id is null or o.ended is not null or o.lease_until < clock_timestamp())
"""
_SENDERS = """
select host, pid from owner where journal = %(journal)s and ended is null
    and lease_until > clock_timestamp() order by id
"""
_DELIVERY = """
select coalesce(d.state, 'pending'), count(*) from standing s
join journal j on j.id = s.journal
left join delivery d on d.account = j.account and d.message_id = s.message_id
where s.journal = %(journal)s and s.state = 'accepted' group by 1
"""
# In pages of short transactions: the reader of a report may take hours over it. What else a row
# shows is looked up by each id of a page: a join would read the other tables from their beginning.
_PAGE = 2000
_IDS = """
(select id, "to", body from message where journal = %(journal)s and id > %(after)s
    order by id limit %(limit)s) m
"""
_OUTCOME = "cross join lateral (select * from outcome where id = m.id offset 0) o"
_LINES = f"""
select m.id, o."to", o.state, coalesce(o.reason, o.detail), o.message_id, o.parts, o.price, o.ref,
    o.delivery, o.failure
from {_IDS} {_OUTCOME} order by m.id
"""  # noqa: S608 - constants
_FAILED = f"""
select m.id, m."to", case
    when o.reason is not distinct from 'opted_out' then null
    when o.state in ('rejected', 'not_sent', 'held') then m.body::json ->> 'body'
    when o.delivery = 'failed' then m.body::json ->> 'body' end
from {_IDS} {_OUTCOME} order by m.id
"""  # noqa: S608 - constants
_ENTRIES = f"""
select m.id, m."to", m.body::json ->> 'body',
    case when s.reason = 'opted_out' then s.reason else s.state end
from {_IDS} cross join lateral (select * from standing where id = m.id offset 0) s order by m.id
"""  # noqa: S608 - constants
# A message that is being begun is locked, and stays.
_WITHDRAW = """
with old as (
    select s.id from standing s join message m using (id)
    join journal j on j.id = m.journal join account a on a.id = j.account
    where a.name = %(account)s and j.name = %(name)s and m."to" = any(%(numbers)s)
        and s.state in ('planned', 'not_sent', 'held')
    for update of s skip locked),
gone as (delete from standing where id in (select id from old))
delete from message where id in (select id from old) returning "to"
"""
_ERASED = "select exists (select 1 from erased where journal = %(journal)s)"
_LOCK = "select pg_try_advisory_lock(hashtextextended(%(what)s, 0))"


class Campaign(Struct, kw_only=True):
    """What is stored of a campaign."""

    name: str
    channel: str
    facts: dict[str, str]
    """What it is made of: list, text and so on. Never changed."""
    options: dict[str, Any]
    """How it is sent: `settle`, `resend`, `budget` and so on."""
    stage: Stage
    starts: datetime
    may_be_sent: bool
    """Whether messages may be begun: it is ready, and has started."""
    journal: int


class Status(Struct, kw_only=True):
    """The state of a campaign at one moment; any host may ask while others send."""

    name: str
    stage: Stage | None
    """None for a journal that is no stored campaign."""
    starts: datetime | None
    counts: dict[str, int]
    """Messages by state."""
    waiting: int
    """How many of those that are not sent yet are due later."""
    next_due: datetime | None
    """When the first of them is due."""
    reasons: list[tuple[str, str, int]]
    """State, reason and number of what was not accepted, the most frequent first."""
    parts: int
    cost: Decimal
    delivery: dict[str, int]
    """Accepted messages by what their receipts say; those without one are pending."""
    senders: list[str]
    """The processes that have the journal open: ``process 17 on host``."""


class _Found(NamedTuple):
    """A journal, with what is stored of its campaign if it is of one."""

    journal: int
    channel: str
    facts: dict[str, str] | None
    options: dict[str, Any] | None
    stage: Stage | None
    starts: datetime | None
    may_be_sent: bool


class Timed(NamedTuple):
    """A message of a campaign as it is entered."""

    message: Message
    due: datetime | None = None
    """The time before which no worker begins it; None for at once."""
    is_correction: bool = False
    """Whether it takes the place of what was entered for its number, if that is not begun yet; it
    is left out if it is."""


class Line(NamedTuple):
    """One recipient."""

    to: str
    outcome: str
    reason: str | None
    message_id: str | None
    parts: int | None
    price: Decimal | None
    ref: str
    delivery: str | None
    failure: str | None


class Failed(NamedTuple):
    """A message that certainly did not arrive, as the row of a list."""

    to: str
    body: str


async def enter(
    cluster: Cluster,
    name: str,
    channel: str,
    facts: Mapping[str, str],
    *,
    options: Mapping[str, Any] | None = None,
    starts: datetime | None = None,
) -> Campaign:
    """Store a campaign unless it is stored, and return it; workers leave it alone until `release`.

    Args:
        cluster: where.
        name: of the campaign and its journal.
        channel: ``sms``, ``mms`` or ``voice``.
        facts: what it is made of; must be equal when it is entered again.
        options: how workers are to send it; entered again, they replace those that are stored.
        starts: when, at the earliest; now if absent.

    Raises:
        ConfigurationError: the name belongs to a campaign with another text, list or channel.

    """
    await cluster.open()
    values = {
        "account": cluster.account,
        "name": name,
        "channel": channel,
        "facts": Jsonb(dict(facts)),
        "options": Jsonb(dict(options or {})),
        "starts": starts,
    }

    async def work(connection: Connection) -> None:
        # Both or neither: no worker would send a journal without its campaign.
        await connection.execute(_OPEN_JOURNAL, values)
        await connection.execute(_ENTER, values)

    await cluster.database.run(work)
    found = await load(cluster, name)

    async def has_erased(connection: Connection) -> bool:
        ((answer,),) = await _all(connection, _ERASED, {"journal": found.journal})
        return bool(answer)

    if await cluster.database.run(has_erased):
        raise ConfigurationError(
            f'messages of the campaign "{name}" were deleted (cluster retain or erase), so that it '
            "is not known who got them: send to new people only, under another name"
        )
    if found.channel != channel:
        raise ConfigurationError(
            f'the campaign "{name}" is one of {found.channel} messages, not {channel}'
        )
    other = [fact for fact, value in facts.items() if found.facts.get(fact, value) != value]
    if other:
        raise ConfigurationError(
            f'the campaign "{name}" exists with another {" and ".join(sorted(other))}: '
            "give this one a name of its own"
        )

    async def set_options(connection: Connection) -> None:
        await connection.execute(_SET_OPTIONS, values | {"journal": found.journal})

    # Only now: a command that is refused must not change how another campaign is sent.
    await cluster.database.run(set_options)
    return await load(cluster, name)


@asynccontextmanager
async def planning(cluster: Cluster, name: str) -> AsyncIterator[None]:
    """Keep other processes from entering messages of a campaign meanwhile.

    Raises:
        ConfigurationError: another one does so just now, or the database cannot be used.

    """
    await cluster.open()
    what = f"{cluster.database.schema} {cluster.account} {name}"
    try:
        # The lock belongs to its connection: it ends with this process, however that dies.
        connection = await cluster.database.connect()
    except psycopg.OperationalError as error:
        raise cluster.database.unreachable(error) from None
    try:
        ((is_ours,),) = await _all(connection, _LOCK, {"what": what})
        if not is_ours:
            raise ConfigurationError(
                f'the campaign "{name}" is being stored by another process: try again once that is '
                "done"
            )
        yield
    finally:
        with anyio.CancelScope(shield=True):
            await connection.close()


async def find(cluster: Cluster, name: str) -> Campaign | None:
    """Return a stored campaign, None if there is none of that name."""
    found = await _find(cluster, name)
    if found is None or found.facts is None or found.stage is None or found.starts is None:
        return None
    return Campaign(
        name=name,
        channel=found.channel,
        facts=found.facts,
        options=found.options or {},
        stage=found.stage,
        starts=found.starts,
        may_be_sent=found.may_be_sent,
        journal=found.journal,
    )


async def load(cluster: Cluster, name: str) -> Campaign:
    """Return a stored campaign.

    Raises:
        ConfigurationError: there is none of that name.

    """
    found = await find(cluster, name)
    if found is None:
        raise _missing(cluster, name)
    return found


async def names(cluster: Cluster) -> list[str]:
    """Return the names of the stored campaigns, the newest first."""

    async def work(connection: Connection) -> list[str]:
        found = await connection.execute(
            "select j.name from campaign c join journal j on j.id = c.journal "
            "join account a on a.id = j.account where a.name = %s order by j.id desc",
            [cluster.account],
        )
        return [name for (name,) in await found.fetchall()]

    await cluster.open()
    return await cluster.database.run(work)


async def plan(
    cluster: Cluster, name: str, channel: str, messages: AsyncIterator[Message | Timed]
) -> int:
    """Enter the messages of a campaign, a thousand at a time, and return how many are new.

    One that was entered before keeps its time.

    Raises:
        ValueError: something is wrong with a message.
        ConfigurationError: the database cannot be used.

    """
    journal = cluster.journal(name)
    await journal.start(channel)
    new = 0
    try:
        run = journal.new_run()
        chunk: list[Timed] = []
        async for it in messages:
            chunk.append(it if isinstance(it, Timed) else Timed(it))
            if len(chunk) == _CHUNK:
                new += await _plan_chunk(cluster, journal, channel, run, chunk)
                chunk = []
        if chunk:
            new += await _plan_chunk(cluster, journal, channel, run, chunk)
    finally:
        await journal.close()
    return new


async def _plan_chunk(
    cluster: Cluster, journal: PostgresJournal, channel: str, run: int, chunk: Sequence[Timed]
) -> int:
    messages = [it.message for it in chunk]
    encoded = encode(messages, kind=KINDS[channel], prefix=journal.ref_prefix())
    if encoded.bad:
        raise ValueError(f"a message cannot be sent: {encoded.bad[0].error}")
    draft = journal.draft(run, encoded, due=[it.due for it in chunk])
    corrected = [it.message.to or "" for it in chunk if it.is_correction]
    values = {"name": journal.name, "account": cluster.account, "numbers": corrected}

    async def work(connection: Connection) -> int:
        rows = draft
        if corrected:
            withdrawn = {to for (to,) in await _all(connection, _WITHDRAW, values)}
            rows = [
                row
                for row, it in zip(draft, chunk, strict=True)
                # What is sent or under way is not sent again with another text.
                if not it.is_correction or it.message.to in withdrawn
            ]
            rows = [(place, *row[1:]) for place, row in enumerate(rows)]
        planned = await journal.enter(connection, rows)
        return len(rows) - len(planned.known)

    return await cluster.database.run(work)


async def release(cluster: Cluster, name: str) -> None:
    """Let workers send a campaign that was entered completely."""
    await _set_stage(cluster, name, "ready", ("planning", "ready"))


async def pause(cluster: Cluster, name: str) -> None:
    """Have nothing more of a campaign begun, by any process, until `resume`."""
    await _set_stage(cluster, name, "paused", ("planning", "ready", "paused"))


async def resume(cluster: Cluster, name: str) -> None:
    """Go on with a paused campaign."""
    await _set_stage(cluster, name, "ready", ("paused", "ready"))


async def cancel(cluster: Cluster, name: str) -> None:
    """Have nothing more of a campaign begun, by any process."""
    await _set_stage(cluster, name, "cancelled", ("planning", "ready", "paused", "cancelled"))


async def undo_cancel(cluster: Cluster, name: str) -> None:
    """Lift a cancellation: the campaign is paused then, until `resume`."""
    await _set_stage(cluster, name, "paused", ("cancelled",))


async def resolve(
    cluster: Cluster,
    name: str,
    verdict: Literal["sent", "resend"],
    refs: Sequence[str] | None = None,
) -> int:
    """Decide manually on messages whose outcome is unknown, and return on how many.

    Raises:
        ConfigurationError: there is no such journal, or a ref is none of an unknown message.

    """
    found = await _existing(cluster, name)
    journal = cluster.journal(name)
    await journal.start(found.channel)
    try:
        count = await journal.resolve(refs, verdict)
    finally:
        await journal.close()
    if refs is not None and count < len(set(refs)):
        raise ConfigurationError(
            f"{len(set(refs)) - count} of the refs belong to no message whose outcome is unknown; "
            f"{count} were decided on"
        )
    return count


async def reconsider(cluster: Cluster, name: str) -> None:
    """Have what stayed unknown looked up once more, by `steps.rescue` or the next worker."""
    found = await _existing(cluster, name)
    journal = cluster.journal(name)
    await journal.start(found.channel)
    try:
        await journal.reconsider()
    finally:
        await journal.close()


async def status(cluster: Cluster, name: str) -> Status:
    """Return the state of a campaign, or of any journal, also while it is being sent.

    Raises:
        ConfigurationError: there is none of that name.

    """
    existing = await _existing(cluster, name)

    async def work(connection: Connection) -> Status:
        values = {"journal": existing.journal}
        counts: dict[str, int] = {}
        parts, cost = 0, Decimal(0)
        for state, messages, its_parts, its_cost in await _all(connection, _COUNTS, values):
            counts[state] = messages
            if state == "accepted":
                parts, cost = its_parts, its_cost
        ((silent,),) = await _all(connection, _SILENT, values)
        if silent:
            # Their owner has exited, so only a look-up can settle them.
            counts["in_doubt"] = counts.get("in_doubt", 0) + silent
            counts["in_flight"] -= silent
        senders = await _all(connection, _SENDERS, values)
        ((waiting, next_due),) = await _all(connection, _WAITING, values)
        return Status(
            name=name,
            stage=existing.stage,
            starts=existing.starts,
            counts={state: count for state, count in counts.items() if count},
            waiting=waiting,
            next_due=next_due,
            reasons=[(it[0], it[1], it[2]) for it in await _all(connection, _REASONS, values)],
            parts=parts,
            cost=cost,
            delivery=dict(await _all(connection, _DELIVERY, values)),
            senders=[f"process {pid} on {host}" for host, pid in senders],
        )

    return await cluster.database.run(work)


async def lines(cluster: Cluster, name: str) -> AsyncGenerator[Line]:
    """Yield the recipients of a campaign in the order they were entered; memory stays flat.

    Not at one moment, but each as it is when it is read.
    """
    async with aclosing(_rows(cluster, name, _LINES)) as rows:
        async for row in rows:
            yield Line(*row)


async def entries(cluster: Cluster, name: str) -> AsyncGenerator[tuple[str, str, str]]:
    """Yield number, text and state of each message; as the state ``opted_out`` if that is why."""
    async with aclosing(_rows(cluster, name, _ENTRIES)) as rows:
        async for to, body, state in rows:
            yield to, body, state


async def failed(cluster: Cluster, name: str) -> AsyncGenerator[Failed]:
    """Yield what certainly did not arrive, though it was tried; memory stays flat.

    Not what was meant for people who opted out: these rows are made to be sent again.
    """
    async with aclosing(_rows(cluster, name, _FAILED)) as rows:
        async for to, body in rows:
            if body is not None:
                yield Failed(to, body)


async def _rows(cluster: Cluster, name: str, statement: str) -> AsyncGenerator[tuple[Any, ...]]:
    found = await _existing(cluster, name)
    values = {"journal": found.journal, "after": 0, "limit": _PAGE}

    async def page(connection: Connection) -> list[Any]:
        return await _all(connection, statement, values)

    while rows := await cluster.database.run(page):
        values["after"] = rows[-1][0]
        for _, *row in rows:
            yield tuple(row)


async def is_to_be_sent(cluster: Cluster, journal: str) -> bool:
    """Whether messages of a journal may be begun: it is no stored campaign, or a ready one."""
    found = await _find(cluster, journal)
    return found is None or found.may_be_sent


async def _set_stage(cluster: Cluster, name: str, stage: Stage, before: Sequence[Stage]) -> None:
    found = await load(cluster, name)

    async def work(connection: Connection) -> int:
        values = {
            "account": cluster.account,
            "name": name,
            "stage": stage,
            "before": list(before),
        }
        return (await connection.execute(_SET_STAGE, values)).rowcount

    if not await cluster.database.run(work):
        raise ConfigurationError(f'the campaign "{name}" is {found.stage}')


async def _find(cluster: Cluster, name: str) -> _Found | None:
    async def work(connection: Connection) -> _Found | None:
        values = {"account": cluster.account, "name": name}
        row = await (await connection.execute(_FIND, values)).fetchone()
        return None if row is None else _Found(*row)

    await cluster.open()
    return await cluster.database.run(work)


async def _existing(cluster: Cluster, name: str) -> _Found:
    found = await _find(cluster, name)
    if found is None:
        raise _missing(cluster, name)
    return found


def _missing(cluster: Cluster, name: str) -> ConfigurationError:
    return ConfigurationError(
        f'there is no campaign "{name}" of the account "{cluster.account}" in this database'
    )


async def _all(connection: Connection, statement: str, values: dict[str, Any]) -> list[Any]:
    return await (await connection.execute(statement.encode(), values)).fetchall()
