"""procrastinate: places steps on workers, wakes them, notices dead ones.

Its tables stand in a schema of their own (``clicksend_jobs``), beside ours and any of a user's. A
job names a step. Each worker has a queue beside the account's: every worker sends every
campaign once, so that none waits for a seat that another one holds and does not use, while a rescue
is for any free worker. Nothing is retried: a job that failed or whose worker died is marked as
failed, and the next tick places another one, because the journal says that there is still something
to do.
"""

from __future__ import annotations

import contextlib
from collections.abc import Collection
from hashlib import blake2b
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

_LONGEST = 24
"""Characters of an account's name in that of a queue; the id of a worker takes 13 more."""

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

    # procrastinate creates its tables but does not ask whether they are there.
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
        queue=queue_of(cluster.account),
        queueing_lock=f"receipts {cluster.account}",
        lock=f"receipts {cluster.account}",
        pass_context=True,
    )
    async def receipts(context: procrastinate.JobContext, timestamp: int) -> None:  # noqa: ARG001
        await _worker(context).poll_receipts()

    return app


async def place(
    app: procrastinate.App, account: str, wanted: list[Due], worker: str, busy: Collection[str]
) -> None:
    """Queue the jobs that are missing: for sending one of this worker's, for a rescue anybody's.

    Args:
        app: where.
        account: whose journals these are.
        wanted: what there is to do.
        worker: the id of the worker that asks.
        busy: the journals that it sends already.

    """
    jobs: dict[str, tuple[str, str, Due]] = {}
    for it in wanted:
        if it.send and it.journal not in busy:
            jobs[f"{account} send {it.journal} {worker}"] = SEND, queue_of(account, worker), it
        if it.rescue:
            jobs[f"{account} rescue {it.journal}"] = RESCUE, queue_of(account), it
    if not jobs:
        return
    # Looked at first: a lock that is taken would be an error in the log of PostgreSQL each time.
    present = {it.lock for it in await _jobs(app, Status.TODO) + await _jobs(app, Status.DOING)}
    for lock in jobs.keys() - present:
        task, queue, it = jobs[lock]
        deferrer = app.configure_task(task, lock=lock, queueing_lock=lock, queue=queue)
        # Another worker's tick may have been faster.
        with contextlib.suppress(exceptions.AlreadyEnqueued):
            await deferrer.defer_async(journal=it.journal, channel=it.channel)


def queue_of(account: str, worker: str = "") -> str:
    """Return the queue of an account, or of what one of its workers is to do itself."""
    # PostgreSQL announces a job on a channel of the queue's name, of which 40 bytes are ours.
    if len(account) > _LONGEST:
        account = (
            f"{account[: _LONGEST - 9]}~{blake2b(account.encode(), digest_size=4).hexdigest()}"
        )
    return f"{account}:{worker}" if worker else account


async def give_up_dead(app: procrastinate.App, account: str, alive: Collection[str]) -> None:
    """Mark the running jobs of dead workers as failed, and remove those that only they would run.

    What was running is free to be placed again; the journal knows how far it came.
    """
    manager = app.job_manager
    for job in await manager.get_stalled_jobs(seconds_since_heartbeat=STALLED):
        if job.id is not None and job.queue.partition(":")[0] == queue_of(account):
            # It may have ended this very moment.
            with contextlib.suppress(exceptions.ConnectorException):
                await manager.finish_job_by_id_async(job.id, Status.FAILED, delete_job=False)
    for job in await _jobs(app, Status.TODO):
        queue, _, worker = job.queue.partition(":")
        if job.id is not None and queue == queue_of(account) and worker and worker not in alive:
            await manager.cancel_job_by_id_async(job.id, delete_job=True)


async def _jobs(app: procrastinate.App, status: Status) -> list[Job]:
    return list(await app.job_manager.list_jobs_async(status=status.value))


def _worker(context: procrastinate.JobContext) -> Worker:
    found: Any = context.additional_context["worker"]
    return found  # type: ignore[no-any-return]


def _app(database: Database) -> procrastinate.App:
    conninfo = database.conninfo_for(parse_url(database.conninfo), schema_of(database))
    connector = procrastinate.PsycopgConnector(
        conninfo=conninfo, min_size=1, max_size=4, timeout=10.0
    )
    return procrastinate.App(connector=connector)
