"""`aioclicksend cluster`: the database that several hosts share."""

from __future__ import annotations

from typing import Annotated

from cyclopts import App, Parameter

from . import loop
from .asking import Yes, confirm
from .database import NONE, Database
from .output import PLAIN, Column, Output

app: App = App("cluster", help="Several hosts, one account: the database they share.")
outbox: App = App("outbox", help="Messages that applications enqueued and that cannot be sent.")
app.command(outbox)

_DEAD = (
    Column("id", "id", whole=True),
    Column("channel", "channel"),
    Column("key", "key"),
    Column("reason", "reason"),
    Column("enqueued (UTC)", "enqueued", wide=True),
)


@app.command
def migrate(*, database: Database = NONE, out: Output = PLAIN) -> None:
    """Create the tables or bring them up to date, and make the account known. Safe to repeat."""
    cluster = database.cluster()

    async def work() -> None:
        async with cluster.closing():
            await cluster.migrate()

    loop.run(work())
    out.done(
        f'the schema "{database.schema}" is up to date; the account "{database.account}" is known',
        schema=database.schema,
        account=database.account,
    )


@app.command
def retain(
    *,
    days: Annotated[float, Parameter(help="Keep what was settled within so many days.")],
    database: Database = NONE,
    yes: Yes = False,
    out: Output = PLAIN,
) -> None:
    """Delete texts and numbers of messages settled some days ago; their counts are kept."""
    from ..cluster import retention  # noqa: PLC0415 - an extra

    cluster = database.cluster()
    confirm(f"Delete the messages settled more than {days:g} days ago?", yes=yes)

    async def work() -> int:
        async with cluster.closing():
            return await retention.retain(cluster, days)

    count = loop.run(work())
    out.done(f"{count:,} messages deleted", deleted=count)


@app.command
def erase(
    *,
    number: Annotated[str, Parameter(help="The person's number: +61411111111.")],
    database: Database = NONE,
    yes: Yes = False,
    out: Output = PLAIN,
) -> None:
    """Delete everything about one person. An opt-out is kept, as it must be obeyed."""
    from ..cluster import retention  # noqa: PLC0415 - an extra

    cluster = database.cluster()
    confirm("Delete all messages to and from this number?", yes=yes)

    async def work() -> int:
        async with cluster.closing():
            return await retention.erase(cluster, number)

    count = loop.run(work())
    out.done(f"{count:,} messages deleted", deleted=count)


@app.command
def restored(
    *,
    taken: Annotated[str, Parameter(help="When the backup was taken: 2026-12-01T09:00:00Z.")],
    database: Database = NONE,
    yes: Yes = False,
    out: Output = PLAIN,
) -> None:
    """After a backup was restored: look up everything it holds as unsent before it is sent.

    What was sent after the backup was taken is unknown to it and would be sent twice.
    """
    from ..cluster import retention  # noqa: PLC0415 - an extra

    cluster = database.cluster()
    confirm("Take all unsent messages for possibly sent, and look them up?", yes=yes)

    async def work() -> retention.Restored:
        async with cluster.closing():
            return await retention.restored(cluster, taken)

    found = loop.run(work())
    out.done(
        f"{found.doubtful:,} messages will be looked up; {found.dead:,} rows of the outbox are put "
        "aside, see cluster outbox list",
        doubtful=found.doubtful,
        dead=found.dead,
    )


@outbox.command(name="list")
def dead(
    *,
    limit: Annotated[int, Parameter(help="At most so many.", show_default=True)] = 100,
    database: Database = NONE,
    out: Output = PLAIN,
) -> None:
    """List messages that cannot be sent: bad ones, and those whose key belongs to another text."""
    from ..cluster import outbox as rows  # noqa: PLC0415 - an extra

    cluster = database.cluster()

    async def work() -> list[rows.DeadRow]:
        async with cluster:
            return await rows.dead_rows(cluster, limit)

    out.rows(loop.run(work()), _DEAD)


@outbox.command
def replay(
    ids: Annotated[list[int] | None, Parameter(help="Only these; all if absent.")] = None,
    /,
    *,
    database: Database = NONE,
    out: Output = PLAIN,
) -> None:
    """Have messages tried again, once the cause is removed."""
    from ..cluster import outbox as rows  # noqa: PLC0415 - an extra

    cluster = database.cluster()

    async def work() -> int:
        async with cluster:
            return await rows.replay(cluster, ids)

    count = loop.run(work())
    out.done(f"{count:,} messages will be tried again", replayed=count)
