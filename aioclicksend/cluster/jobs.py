"""procrastinate: places steps on workers, wakes them, notices dead ones.

Its tables stand in a schema of their own (``clicksend_jobs``), beside ours and any of a user's. A
job names a step and a seat; as many seats as there are workers, and a lock for each, let every
worker send the same campaign once. Nothing is retried: a job that failed or whose worker died is
marked as failed, and the next tick places another one, because the journal says that there is
still something to do.
"""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, Any

import procrastinate
from procrastinate import exceptions
from procrastinate.jobs import Job, Status

from .database import Connection, Database, parse_url
from .steps import Due

if TYPE_CHECKING:
    from .cluster import Cluster
    from .worker import Worker

STALLED = 10.0
"""Seconds without a heartbeat after which a worker's jobs are given up."""

SEND, RESCUE, RECEIPTS = "clicksend.send", "clicksend.rescue", "clicksend.receipts"


def schema_of(database: Database) -> str:
    """Return the schema of procrastinate's tables."""
    return f"{database.schema}_jobs"


async def migrate(database: Database) -> None:
    """Create procrastinate's tables, unless they exist."""
    schema = schema_of(database)

    async def prepare(connection: Connection) -> bool:
        await connection.execute(f"create schema if not exists {schema}".encode())
        found = await connection.execute(
            "select to_regclass(%s) is not null", [f"{schema}.procrastinate_jobs"]
        )
        row = await found.fetchone()
        return bool(row and row[0])

    if not await database.run(prepare):
        async with _app(database).open_async() as app:
            await app.schema_manager.apply_schema_async()


def make_app(cluster: Cluster) -> procrastinate.App:
    """Return the app whose tasks are the steps; they run in the worker of their context."""
    app = _app(cluster.database)

    @app.task(name=SEND, pass_context=True)
    async def send(context: procrastinate.JobContext, *, journal: str, channel: str) -> None:
        await _worker(context).send(journal, channel)

    @app.task(name=RESCUE, pass_context=True)
    async def rescue(context: procrastinate.JobContext, *, journal: str, channel: str) -> None:
        await _worker(context).rescue(journal, channel)

    @app.periodic(cron="* * * * *")
    @app.task(
        name=RECEIPTS,
        queue=cluster.account,
        queueing_lock=f"receipts {cluster.account}",
        lock=f"receipts {cluster.account}",
        pass_context=True,
    )
    async def receipts(context: procrastinate.JobContext, timestamp: int) -> None:  # noqa: ARG001
        await _worker(context).poll_receipts()

    return app


async def place(app: procrastinate.App, account: str, wanted: list[Due], workers: int) -> None:
    """Queue the jobs that are missing: for sending a seat per worker, for a rescue one."""
    jobs: dict[str, tuple[str, Due]] = {}
    for it in wanted:
        if it.send:
            seats = range(max(1, workers))
            jobs |= {f"{account} send {it.journal} {seat}": (SEND, it) for seat in seats}
        if it.rescue:
            jobs[f"{account} rescue {it.journal}"] = (RESCUE, it)
    if not jobs:
        return
    present = [
        *await _jobs(app, account, Status.TODO),
        *await _jobs(app, account, Status.DOING),
    ]
    for lock in jobs.keys() - {it.lock for it in present}:
        task, it = jobs[lock]
        deferrer = app.configure_task(task, lock=lock, queueing_lock=lock, queue=account)
        # Another worker's tick may have been faster.
        with contextlib.suppress(exceptions.AlreadyEnqueued):
            await deferrer.defer_async(journal=it.journal, channel=it.channel)


async def give_up_stalled(app: procrastinate.App, account: str) -> None:
    """Mark the jobs of dead workers as failed, so that their seats are free."""
    manager = app.job_manager
    for job in await manager.get_stalled_jobs(queue=account, seconds_since_heartbeat=STALLED):
        if job.id is not None:
            # It may have ended this very moment.
            with contextlib.suppress(exceptions.ConnectorException):
                await manager.finish_job_by_id_async(job.id, Status.FAILED, delete_job=False)


async def _jobs(app: procrastinate.App, account: str, status: Status) -> list[Job]:
    return list(await app.job_manager.list_jobs_async(queue=account, status=status.value))


def _worker(context: procrastinate.JobContext) -> Worker:
    found: Any = context.additional_context["worker"]
    return found  # type: ignore[no-any-return]


def _app(database: Database) -> procrastinate.App:
    conninfo = database.conninfo_for(parse_url(database.conninfo), schema_of(database))
    connector = procrastinate.PsycopgConnector(
        conninfo=conninfo, min_size=1, max_size=4, timeout=10.0
    )
    return procrastinate.App(connector=connector)
