"""A worker: one process that sends the outbox and the campaigns of an account with the others.

::

    tick, each half second:  I am here · who died? · what is due? ──▶ jobs that are missing
    procrastinate:           fetches jobs ──▶ steps (send, rescue, receipts), several at a time

Every worker ticks; jobs have locks, so it does not matter how many do. Without a database nothing
is sent, and both parts begin again once it is back.
"""

from __future__ import annotations

import asyncio
import logging
import secrets
from typing import TYPE_CHECKING

import anyio
import procrastinate
from msgspec import Struct
from procrastinate.exceptions import ProcrastinateException

from ..bulk.dispatch import Suppression
from ..bulk.intake import Batching
from ..client import ClickSend
from ..errors import ClickSendError
from . import jobs, steps
from .database import Connection
from .process import Process

if TYPE_CHECKING:
    from .cluster import Cluster

log: logging.Logger = logging.getLogger("aioclicksend")

TICK = 0.5
SEEN = 10.0
"""Seconds after which a worker that was not seen counts as dead."""

_JOBS = 16
"""Steps at a time; they share the pace, and each has its own sender."""
_GRACE = 60.0
"""Seconds that steps get to finish when the job engine has to begin again."""

_HERE = """
insert into worker (id, account, host, pid, place, birth)
select %(id)s, id, %(host)s, %(pid)s, %(place)s, %(birth)s from account where name = %(account)s
on conflict (id) do update set seen = clock_timestamp()
"""
_ALIVE = """
with gone as (delete from worker where seen < clock_timestamp() - make_interval(days => 1))
select w.id from worker w join account a on a.id = w.account
where a.name = %(account)s and w.seen > clock_timestamp() - make_interval(secs => %(seen)s)
"""
_LIST = """
select w.host, w.pid, extract(epoch from clock_timestamp() - w.seen)::float8,
    extract(epoch from w.seen - w.started)::float8
from worker w join account a on a.id = w.account
where a.name = %(account)s order by w.started
"""


class WorkerState(Struct, frozen=True, kw_only=True):
    """A worker as the database knows it."""

    host: str
    pid: int
    seen: float
    """Seconds since its last sign of life."""
    uptime: float
    is_alive: bool


class Worker:
    """Sends what is due for an account until it is stopped.

    Args:
        cluster: where the journals are.
        client: sends; made with ``pace=cluster.pace(...)``.
        lanes: requests under way at a time, for each campaign.
        batching: how messages are put together; as `Batching` has it if absent.
        suppress: numbers on it are not written to, nor those of the cluster's inbox.
        receipts: whether to poll for receipts.

    """

    def __init__(
        self,
        cluster: Cluster,
        client: ClickSend,
        *,
        lanes: int = 4,
        batching: Batching | None = None,
        suppress: Suppression | None = None,
        receipts: bool = True,
    ) -> None:
        self._cluster = cluster
        self._client = client
        self._lanes = lanes
        self._batching = batching
        self._suppress = suppress
        self._receipts = receipts
        self._id = secrets.token_hex(6)
        self._sending: set[str] = set()
        """The journals that a step sends just now."""
        self._stop = steps.Stop()
        self._ending = asyncio.Event()

    def stop(self, reason: str) -> None:
        """Begin nothing more and return from `run` once what is on the wire is finished."""
        self._stop.stop(reason)
        self._ending.set()

    def abort(self, reason: str) -> None:
        """Return from `run` at once; what is on the wire is for others to look up."""
        self._stop.abort(reason)
        self._ending.set()

    async def run(self) -> None:
        """Work until `stop`.

        Raises:
            ConfigurationError: the database cannot be used.

        """
        await self._cluster.open()
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(self._run_jobs)
            await self._ending.wait()
            # `_run_jobs` hears of it by itself, and finishes its steps.
        await self._leave()

    async def run_once(self) -> None:
        """Do what is due now, here and without the job engine, and return."""
        await self._cluster.open()
        while self._stop.reason is None:
            wanted = await steps.due(self._cluster)
            if not wanted:
                break
            for it in wanted:
                if it.rescue:
                    await self.rescue(it.journal, it.channel)
                if it.send and self._stop.reason is None:
                    await self.send(it.journal, it.channel, linger=0.0)
        if self._receipts and self._stop.reason is None:
            await self.poll_receipts()

    # The steps, as jobs call them.

    async def send(self, journal: str, channel: str, *, linger: float = steps.LINGER) -> None:
        """Send what a journal holds back."""
        # Still at it if its job was given up while the process stood still.
        if self._stop.reason is not None or journal in self._sending:
            return
        self._sending.add(journal)
        try:
            await steps.send(
                self._cluster,
                self._client,
                journal,
                channel,
                lanes=self._lanes,
                batching=self._batching,
                suppress=self._suppress,
                stop=self._stop,
                linger=linger,
            )
        finally:
            self._sending.discard(journal)

    async def rescue(self, journal: str, channel: str) -> None:
        """Look up what a dead process left."""
        if self._stop.reason is None:
            await steps.rescue(
                self._cluster,
                self._client,
                journal,
                channel,
                lanes=self._lanes,
                suppress=self._suppress,
                stop=self._stop,
            )

    async def poll_receipts(self) -> None:
        """Store unread receipts; an account without the rule has none."""
        if self._receipts:
            try:
                await steps.poll_receipts(self._cluster, self._client)
            except ClickSendError as error:
                log.warning("receipts were not polled: %s", error)

    # The parts.

    async def _run_jobs(self) -> None:
        """Run the job engine, again after it lost the database."""
        while not self._ending.is_set():
            try:
                app = jobs.make_app(self._cluster)
                async with app.open_async():
                    await self._run_app(app)
            except* (ProcrastinateException, ClickSendError, OSError) as errors:
                log.warning("the job engine begins again: %s", _causes(errors))
                await anyio.sleep(1.0)

    async def _run_app(self, app: procrastinate.App) -> None:
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(self._tick, app)
            working = asyncio.ensure_future(
                app.run_worker_async(
                    queues=[
                        jobs.queue_of(self._cluster.account),
                        jobs.queue_of(self._cluster.account, self._id),
                    ],
                    name=f"clicksend {self._cluster.account}",
                    concurrency=_JOBS,
                    wait=True,
                    install_signal_handlers=False,
                    delete_jobs="successful",
                    fetch_job_polling_interval=2.0,
                    update_heartbeat_interval=2.0,
                    stalled_worker_timeout=60.0,
                    shutdown_graceful_timeout=_GRACE,
                    additional_context={"worker": self},
                )
            )
            ending = asyncio.ensure_future(self._ending.wait())
            try:
                await asyncio.wait([working, ending], return_when=asyncio.FIRST_COMPLETED)
            finally:
                ending.cancel()
                # Cancelling stops it gracefully: it fetches no more jobs and awaits those it has.
                working.cancel()
                with anyio.CancelScope(shield=True):
                    await asyncio.wait([working])
                tasks.cancel_scope.cancel()
            if not working.cancelled():
                working.result()

    async def _tick(self, app: procrastinate.App) -> None:
        """Say that we are here, give up the jobs of dead workers, and place what is due."""
        account = self._cluster.account
        has_failed = False
        while True:
            try:
                # Our sign of life comes first: others must not give up our jobs meanwhile.
                await jobs.give_up_dead(app, account, await self._announce())
                wanted = await steps.due(self._cluster)
                await jobs.place(app, account, wanted, self._id, self._sending)
                has_failed = False
            except (ClickSendError, ProcrastinateException) as error:
                # Once for each disturbance; a short one is nothing for a person.
                level = logging.DEBUG if has_failed else logging.WARNING
                log.log(level, "no work is placed: %s", str(error) or type(error).__name__)
                has_failed = True
            await anyio.sleep(TICK)

    async def _announce(self) -> set[str]:
        """Renew our sign of life and return the ids of the account's workers that are alive."""
        process = Process.current()
        values = {
            "id": self._id,
            "account": self._cluster.account,
            "host": process.host,
            "pid": process.pid,
            "place": process.place,
            "birth": process.birth,
            "seen": SEEN,
        }

        async def work(connection: Connection) -> set[str]:
            await connection.execute(_HERE, values)
            found = await connection.execute(_ALIVE, values)
            return {worker for (worker,) in await found.fetchall()}

        return await self._cluster.database.run(work)

    async def _leave(self) -> None:
        async def work(connection: Connection) -> None:
            await connection.execute("delete from worker where id = %s", [self._id])

        try:
            await self._cluster.database.run(work, patience=1.0)
        except ClickSendError as error:
            log.debug("the worker could not sign off: %s", error)


async def workers(cluster: Cluster) -> list[WorkerState]:
    """Return the workers of the account, for probes and people."""
    await cluster.open()

    async def work(connection: Connection) -> list[WorkerState]:
        found = await connection.execute(_LIST, {"account": cluster.account})
        return [
            WorkerState(host=host, pid=pid, seen=seen, uptime=uptime, is_alive=seen <= SEEN)
            for host, pid, seen, uptime in await found.fetchall()
        ]

    return await cluster.database.run(work)


def _causes(errors: BaseExceptionGroup[BaseException]) -> str:
    return ", ".join(type(it).__name__ for it in errors.exceptions)
