"""`aioclicksend campaign … --database`: campaigns that several hosts send.

The commands of `campaign` call these where a database is chosen; their positional is then the name
of a campaign instead of the path of a journal.
"""

from __future__ import annotations

import asyncio
import contextlib
import shlex
import sys
import time
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import aclosing, asynccontextmanager
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, TypeVar

from msgspec import Struct

from ..bulk.outcome import Counts
from ..campaign import Campaign, Draft, Recipients
from ..campaign.identity import Entry, Match
from ..client import ClickSend
from ..errors import ClickSendError, ConfigurationError
from . import loop
from .campaign_tables import COUNTED
from .database import Database
from .errors import Exit
from .output import Column, Output, grid, show
from .progress import watch

if TYPE_CHECKING:
    from ..cluster import Cluster
    from ..cluster.campaigns import Stage, Status
    from ..cluster.steps import Stop

T = TypeVar("T")

_LOOK = 2.0
"""Seconds between two looks at a campaign that others send, too."""


def status(name: str, database: Database, out: Output, *, reasons: bool = False) -> int:
    """Show where a campaign stands, also while other hosts send it."""
    from ..cluster import campaigns  # noqa: PLC0415 - an extra

    found = _on(database, lambda cluster: campaigns.status(cluster, name))
    if out.json:
        out.document(found)
    else:
        _show(found, reasons=reasons)
    return _code(found)


def report(
    name: str, database: Database, out: Output, csv: Path | None, *, failed: bool = False
) -> int:
    """Show how a campaign went; with `csv`, write a row for each recipient.

    With `failed`, of those whose message certainly did not arrive, and as a list to be sent again.
    """
    from ..campaign.writing import table_file, table_text  # noqa: PLC0415
    from ..cluster import campaigns  # noqa: PLC0415 - an extra

    if failed and csv is None:
        raise ValueError("--failed needs --csv")
    heading = campaigns.Failed._fields if failed else campaigns.Line._fields
    read: Callable[[Cluster, str], AsyncGenerator[tuple[Any, ...]]]
    read = campaigns.failed if failed else campaigns.lines

    async def write(cluster: Cluster, row: Callable[[Sequence[Any]], object]) -> None:
        async with aclosing(read(cluster, name)) as lines:
            async for line in lines:
                row(_printable(line))

    if csv == Path("-"):
        with table_text(sys.stdout, heading) as row:
            _on(database, lambda it: write(it, row))
        return status_code(name, database)
    if csv is not None:
        with table_file(csv, heading) as row:
            _on(database, lambda it: write(it, row))
        if failed:
            out.note(f"{csv} holds the messages to send again; nothing was sent")
            return status_code(name, database)
    return status(name, database, out, reasons=True)


def status_code(name: str, database: Database) -> int:
    """Return the exit code that the state of a campaign stands for."""
    from ..cluster import campaigns  # noqa: PLC0415 - an extra

    return _code(_on(database, lambda cluster: campaigns.status(cluster, name)))


def list_campaigns(database: Database, out: Output) -> int:
    """List the campaigns of the account, the newest first."""
    from ..cluster import campaigns  # noqa: PLC0415 - an extra

    async def found(cluster: Cluster) -> list[Status]:
        return [await campaigns.status(cluster, it) for it in await campaigns.names(cluster)]

    out.rows([_Listed.of(it) for it in _on(database, found)], _LISTED)
    return Exit.OK


class _Listed(Struct):
    """A line of `campaign list`."""

    name: str
    state: str
    starts: datetime | None
    accepted: int
    rejected: int
    unknown: int
    open: int

    @classmethod
    def of(cls, found: Status) -> _Listed:
        """Return the line of a campaign."""
        counts = found.counts
        return cls(
            found.name,
            found.stage or "",
            found.starts,
            counts.get("accepted", 0),
            counts.get("rejected", 0),
            counts.get("unknown", 0) + counts.get("in_doubt", 0),
            sum(counts.get(it, 0) for it in ("planned", "not_sent", "held", "in_flight")),
        )


_LISTED = (
    Column("campaign", "name", whole=True),
    Column("state", "state"),
    Column("starts (UTC)", "starts", whole=True),
    *COUNTED,
)


def resolve(
    name: str,
    database: Database,
    out: Output,
    verdict: Literal["sent", "resend", "reconcile"],
    refs: Sequence[str] | None = None,
) -> int:
    """Decide on messages whose outcome is unknown, or have them looked up once more."""
    from ..cluster import campaigns, steps  # noqa: PLC0415 - an extra

    if verdict == "reconcile":

        async def look_up(cluster: Cluster) -> None:
            await campaigns.reconsider(cluster, name)
            stored = await campaigns.load(cluster, name)
            async with ClickSend(pace=cluster.pace()) as client:
                await cluster.bind(client)
                await steps.rescue(cluster, client, name, stored.channel)

        _on(database, look_up)
    else:
        count = _on(database, lambda it: campaigns.resolve(it, name, verdict, refs))
        out.note(f"{count:,} messages decided on")
    return status(name, database, out)


def set_stage(
    name: str,
    database: Database,
    out: Output,
    stage: Literal["pause", "resume", "cancel", "undo_cancel"],
) -> int:
    """Pause, resume or cancel a campaign on all hosts, or lift a cancellation."""
    from ..cluster import campaigns  # noqa: PLC0415 - an extra

    change = {
        "pause": campaigns.pause,
        "resume": campaigns.resume,
        "cancel": campaigns.cancel,
        "undo_cancel": campaigns.undo_cancel,
    }
    _on(database, lambda cluster: change[stage](cluster, name))
    return status(name, database, out)


async def recipients(cluster: Cluster, name: str, campaign: Campaign) -> Recipients | None:
    """Return who is in a stored campaign, if it is this one."""
    from ..cluster import campaigns  # noqa: PLC0415 - an extra

    stored = await campaigns.find(cluster, name)
    if stored is None or any(
        stored.facts.get(fact, value) != value for fact, value in campaign.settings.items()
    ):
        return None
    known = Recipients(by_message=campaign.by_message)
    async with aclosing(campaigns.entries(cluster, name)) as entries:
        async for it in entries:
            known.add(Entry(*it))
    return known


async def store(
    cluster: Cluster,
    name: str,
    campaign: Campaign,
    drafts: AsyncIterator[Draft],
    *,
    options: Mapping[str, Any],
    starts: datetime | None = None,
) -> Stage:
    """Store a campaign with all of its messages, so that any worker can send it.

    Handed in again, the list may be extended or corrected: no recipient who has received a message,
    or may have, is sent another one. Once this returned everything is committed.

    Args:
        cluster: where.
        name: of the campaign.
        campaign: what it is made of is compared when it is handed in again.
        drafts: its messages, in the order of the list.
        options: how it is sent: ``settle`` (seconds), ``resend``, ``budget`` (a decimal as text),
            ``quiet`` (hours, as they are stored).
        starts: when to send it, at the earliest.

    Returns:
        Its stage: a paused one stays so.

    Raises:
        ConfigurationError: it was cancelled, or the name belongs to another.

    """
    from ..cluster import campaigns  # noqa: PLC0415 - an extra

    channel, facts = campaign.channel.name, campaign.settings
    async with campaigns.planning(cluster, name):
        before = await campaigns.find(cluster, name)
        if before is not None and before.stage == "cancelled":
            raise ConfigurationError(
                f'the campaign "{name}" was cancelled; to lift that: '
                f"aioclicksend campaign cancel --undo {shlex.quote(name)} --database ..."
            )
        stored = await campaigns.enter(
            cluster, name, channel, facts, options=options, starts=starts
        )
        known = await recipients(cluster, name, campaign)

        async def timed() -> AsyncGenerator[campaigns.Timed]:
            async for it in drafts:
                match = known.match(it.message.to or "", it.message.body) if known else Match.NEW
                # What is due by the start of the campaign needs no time of its own.
                is_later = it.due is not None and it.due > stored.starts
                if not match.is_settled:
                    yield campaigns.Timed(
                        it.message,
                        it.due if is_later else None,
                        is_correction=match is Match.CORRECTED,
                    )

        async with aclosing(timed()) as entered:
            await campaigns.plan(cluster, name, channel, entered)
        if stored.stage in ("planning", "ready"):
            await campaigns.release(cluster, name)
        return (await campaigns.load(cluster, name)).stage


async def send(cluster: Cluster, client: ClickSend, name: str, out: Output, *, stop: Stop) -> int:
    """Send a stored campaign as one worker of several, and show how it stands then."""
    from ..cluster import campaigns, steps  # noqa: PLC0415 - an extra

    stored = await campaigns.load(cluster, name)
    async with _watched(cluster, name, out):
        await steps.send(cluster, client, name, stored.channel, stop=stop)
    found = await campaigns.status(cluster, name)
    if out.json:
        out.document(found)
    else:
        _show(found, reasons=True)
    return Exit.INTERRUPTED if stop.reason is not None else _code(found)


@asynccontextmanager
async def _watched(cluster: Cluster, name: str, out: Output) -> AsyncGenerator[None]:
    """Show the progress of a campaign, by whichever processes it is sent."""
    from ..cluster import campaigns  # noqa: PLC0415 - an extra

    found = await campaigns.status(cluster, name)

    async def ask() -> None:
        nonlocal found
        pause = _LOOK
        while True:
            await asyncio.sleep(pause)
            began = time.monotonic()
            # Without its database the campaign stands still, and so may its picture.
            with contextlib.suppress(ClickSendError):
                found = await campaigns.status(cluster, name)
            # Counting a million messages is work that the database has to do beside sending.
            pause = max(_LOOK, 10 * (time.monotonic() - began))

    asking = asyncio.create_task(ask())
    try:
        total = sum(found.counts.values()) - found.waiting
        async with watch(lambda: _counts(found), total, out):
            yield
    finally:
        asking.cancel()
        await asyncio.wait([asking])


def _counts(found: Status) -> Counts:
    """Return the counts of a campaign; what is not sent yet is still to come."""
    counts = found.counts
    return Counts(
        on_wire=counts.get("in_flight", 0),
        in_doubt=counts.get("in_doubt", 0),
        accepted=counts.get("accepted", 0),
        rejected=counts.get("rejected", 0),
        not_sent=0,
        unknown=counts.get("unknown", 0),
        cost=found.cost,
    )


def _on(database: Database, work: Callable[[Cluster], Awaitable[T]]) -> T:
    cluster = database.cluster()

    async def running() -> T:
        async with cluster:
            return await work(cluster)

    return loop.run(running())


def _code(found: Status) -> int:
    counts = found.counts
    if counts.get("unknown") or counts.get("in_doubt"):
        return Exit.UNKNOWN
    if any(counts.get(it) for it in ("rejected", "planned", "not_sent", "held", "in_flight")):
        return Exit.REFUSED
    return Exit.OK


def _show(found: Status, *, reasons: bool) -> None:
    table = grid()
    table.add_row("campaign", f"{found.name} ({found.stage or 'a journal'})")
    for state, count in sorted(found.counts.items()):
        table.add_row(state.replace("_", " "), f"{count:,}")
    if found.starts is not None and found.starts > datetime.now(UTC):
        table.add_row("starts", _shown(found.starts))
    if found.next_due is not None:
        table.add_row("due later", f"{found.waiting:,}, the first on {_shown(found.next_due)}")
    table.add_row("parts", f"{found.parts:,}")
    table.add_row("cost", f"{found.cost:.4f}")
    for state, count in sorted(found.delivery.items()):
        table.add_row(f"delivery {state}", f"{count:,}")
    for sender in found.senders:
        table.add_row("sent by", sender)
    if reasons:
        for state, reason, count in found.reasons:
            table.add_row(f"{state.replace('_', ' ')}: {reason}"[:80], f"{count:,}")
    show(table)


def _shown(moment: datetime) -> str:
    return f"{moment.astimezone(UTC):%Y-%m-%d %H:%M} UTC"


def _printable(line: Sequence[Any]) -> list[Any]:
    """Return the cells of a recipient; amounts as they are written."""
    return [str(it) if isinstance(it, Decimal) else it for it in line]
