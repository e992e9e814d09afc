"""What a worker does, in steps that any engine may run, any number of times, at once or again.

A step decides nothing by being run: what may be sent stands in the journal. So it does no harm if
Celery retries it, Temporal replays it, or two hosts run it at the same moment; a step that was
killed is made up for by the next one. Never send in a step of your own: an engine's retry is not a
retry of a message.

::

    for it in await steps.due(cluster):
        if it.rescue:
            await steps.rescue(cluster, client, it.journal, it.channel)
        if it.send:
            await steps.send(cluster, client, it.journal, it.channel)
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from datetime import datetime, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import anyio
import anyio.abc
import anyio.lowlevel
from msgspec import Struct

from ..bulk.dispatch import Suppression
from ..bulk.intake import Batching
from ..bulk.outcome import Reason, Report
from ..bulk.reconcile import Reconcile
from ..bulk.replies import ACCOUNT_REFUSALS
from ..bulk.sender import BulkSender
from ..client import ClickSend
from ..errors import ClickSendError, ConfigurationError
from ..quiet import Gate, QuietHours
from . import campaigns, opt_outs, outbox
from .database import Connection
from .journal import bury_neighbours
from .process import clock

if TYPE_CHECKING:
    from .cluster import Cluster

log: logging.Logger = logging.getLogger("aioclicksend")

OBEY = 1.0
"""Seconds after which a pause or a cancellation is noticed."""
LOOK = 1.0
"""Seconds between two looks for what dead workers left, while ours waits for others."""
OUTBOX_POLL = 0.2
"""Seconds between two looks into the outbox: no notification, which would serialize commits."""
LINGER = 30.0
"""Seconds for which an empty outbox is watched before its step ends."""
REST = 30.0
"""Seconds for which a journal is left alone by all whose messages the API would not take."""
SHORT_REST = 3.0
"""The same where the API could not be reached, perhaps from here only."""

_REFUSALS = ACCOUNT_REFUSALS | {
    it.value for it in (Reason.HELD, Reason.REFUSED, Reason.THROTTLED, Reason.NOT_PRICED)
}
_RESUMES = 4
"""Runs of a sender over its journal at a time: one in doubt must not hold back the next."""
_WOKEN = 10_000
"""Messages whose time has come that one look makes sendable."""

# Before the look for what is due: a message that waits is not among what can be sent.
_WAKE = """
with awake as materialized (
    select s.id, s.journal from standing s join journal j on j.id = s.journal
    join account a on a.id = j.account
    where a.name = %(account)s and s.due <= clock_timestamp()
        and s.state in ('planned', 'not_sent', 'held')
    order by s.due limit %(limit)s for update of s skip locked),
woken as (update standing s set due = null from awake where s.id = awake.id)
update journal set rest_until = '-infinity' where id in (select journal from awake)
"""

_DUE = """
select j.name, j.channel,
    (c.journal is null and j.name like 'outbox.%%' or c.state = 'ready'
        and c.starts <= clock_timestamp())
    and j.rest_until <= clock_timestamp()
    and exists (select 1 from standing s where s.journal = j.id
        and s.state in ('planned', 'not_sent', 'held') and s.due is null
        and coalesce(s.reason, '') not in ('opted_out', 'invalid')),
    exists (select 1 from standing s left join owner o on o.id = s.owner
        where s.journal = j.id and s.state in ('in_flight', 'in_doubt')
        and (o.id is null or o.ended is not null or o.lease_until < clock_timestamp()))
from journal j join account a on a.id = j.account left join campaign c on c.journal = j.id
where a.name = %(account)s order by j.name not like 'outbox.%%', j.id
"""
_REST = """
update journal set rest_until = clock_timestamp() + make_interval(secs => %(seconds)s)
from account a where a.id = journal.account and a.name = %(account)s and journal.name = %(name)s
"""


class Due(Struct, frozen=True, kw_only=True):
    """A journal that a step has something to do for."""

    journal: str
    channel: str
    send: bool
    """Whether messages of it may be sent now."""
    rescue: bool
    """Whether a process that has exited left messages in doubt."""


class Stop:
    """Stops running steps: `stop` finishes what is on the wire, `abort` does not."""

    def __init__(self) -> None:
        self.reason: str | None = None
        self._bulks: set[BulkSender[Any]] = set()

    def stop(self, why: str) -> None:
        """Begin nothing more, in running steps and in those to come."""
        self.reason = self.reason or why
        for bulk in self._bulks:
            bulk.stop(why)

    def abort(self, why: str) -> None:
        """Leave at once: what is on the wire or in doubt is for others to look up."""
        self.reason = self.reason or why
        for bulk in self._bulks:
            bulk.abort(why)

    def add(self, bulk: BulkSender[Any]) -> None:
        """Stop a sender, too; at once if it is too late for a beginning."""
        self._bulks.add(bulk)
        if self.reason is not None:
            bulk.stop(self.reason)

    def discard(self, bulk: BulkSender[Any]) -> None:
        """Forget a sender whose block ends."""
        self._bulks.discard(bulk)


async def due(cluster: Cluster) -> list[Due]:
    """Return the journals of the account that there is something to do for, the outbox first."""
    await cluster.open()
    # What a neighbour left that was killed need not wait until its lease is over.
    await bury_neighbours(cluster.database)

    values = {"account": cluster.account, "limit": _WOKEN}

    async def work(connection: Connection) -> list[Any]:
        await connection.execute(_WAKE, values)
        return await (await connection.execute(_DUE, values)).fetchall()

    found = {
        name: Due(journal=name, channel=channel, send=bool(send), rescue=bool(rescue))
        for name, channel, send, rescue in await cluster.database.run(work)
        if send or rescue
    }
    # Its journal may not exist yet: the first worker that moves a row makes it.
    for channel in await outbox.waiting_channels(cluster):
        name = outbox.journal_name(channel)
        rescue_too = name in found and found[name].rescue
        found[name] = Due(journal=name, channel=channel, send=True, rescue=rescue_too)
    return list(found.values())


async def send(
    cluster: Cluster,
    client: ClickSend,
    journal: str,
    channel: str,
    *,
    lanes: int = 4,
    batching: Batching | None = None,
    suppress: Suppression | None = None,
    stop: Stop | None = None,
    linger: float = 0.0,
) -> Report:
    """Send what a journal holds back, together with all other workers, until that is all.

    Nothing is sent of a campaign that is paused, cancelled or not due yet. The report counts what
    this step has read, also what another worker was faster with, and twice what two of its looks
    have read at once: `campaigns.status` counts each message once.

    Args:
        cluster: where the journal is.
        client: sends; made with ``pace=cluster.pace(...)``.
        journal: a campaign's name, or that of an outbox (see `due`).
        channel: ``sms``, ``mms`` or ``voice``.
        lanes: requests under way at a time.
        batching: how messages are put together; as `Batching` has it if absent.
        suppress: numbers on it are not written to, nor those of the cluster's inbox.
        stop: stops it from outside.
        linger: seconds for which an empty outbox is watched.

    Raises:
        ConfigurationError: the database cannot be used.

    """
    stop = stop or Stop()
    stored = await campaigns.find(cluster, journal)
    if stored is not None and not stored.may_be_sent:
        return Report()
    options = stored.options if stored is not None else {}
    try:
        gate = await _gate(cluster, client, options, suppress)
    except ConfigurationError as error:
        log.warning("the campaign %r is paused: %s", journal, error)
        await campaigns.pause(cluster, journal)
        raise
    except ClickSendError:
        # Whom not to write to is unknown, so nothing is sent; later it is asked again.
        await _rest(cluster, journal, SHORT_REST)
        raise
    own = cluster.journal(journal)
    bulk = _of(client, channel).bulk(
        journal=own,
        batching=batching,
        lanes=lanes,
        reconcile=_reconcile(options),
        budget=_budget(options),
        suppress=gate,
    )
    total = Report()
    try:
        async with bulk, anyio.create_task_group() as tasks:
            stop.add(bulk)
            try:
                if stored is not None:
                    tasks.start_soon(_obey, cluster, journal, bulk)
                    await _send_campaign(cluster, bulk, journal, stop, total)
                else:
                    await _empty_outbox(cluster, bulk, own, channel, stop, linger, total)
            finally:
                stop.discard(bulk)
                tasks.cancel_scope.cancel()
    except BaseExceptionGroup as errors:
        # Callers learn the error itself, not in which task it happened.
        raise _first(errors) from None
    # What was left unread because of a stop need not wait for the hours of what was read.
    opens_in = gate.opens_in if stop.reason is None else 0.0
    await _rest_after(cluster, journal, total, opens_in, is_campaign=stored is not None)
    return total


async def rescue(
    cluster: Cluster,
    client: ClickSend,
    journal: str,
    channel: str,
    *,
    lanes: int = 4,
    suppress: Suppression | None = None,
    stop: Stop | None = None,
) -> None:
    """Look up what processes that are gone left in doubt. Sends nothing new.

    With the campaign's `resend` option, what was provably not taken is sent again if its process is
    known to have exited.
    """
    stop = stop or Stop()
    stored = await campaigns.find(cluster, journal)
    options = stored.options if stored is not None else {}
    bulk = _of(client, channel).bulk(
        journal=cluster.journal(journal),
        lanes=lanes,
        reconcile=_reconcile(options),
        # For what is sent again.
        budget=_budget(options),
        suppress=await _gate(cluster, client, options, suppress),
    )
    async with bulk:
        stop.add(bulk)
        try:
            await bulk.flush()
        finally:
            stop.discard(bulk)


async def poll_receipts(cluster: Cluster, client: ClickSend) -> int:
    """Store the receipts that are unread in the cluster's inbox; return how many are new.

    The account needs an automation rule that keeps them for polling.
    """
    from .. import delivery  # noqa: PLC0415 - above us for those who only send

    inbox = cluster.inbox()
    await inbox.open()
    return await delivery.look(client, inbox)


class _Resumes:
    """Runs of `bulk.resume`, a few at a time.

    One does not end before the outcomes of all it has read are known, also of those that another
    worker was faster with, and that one may stand still. So it must not hold back the next.
    """

    def __init__(self, bulk: BulkSender[Any], tasks: anyio.abc.TaskGroup, total: Report) -> None:
        self._bulk = bulk
        self._tasks = tasks
        self._total = total
        self._running = 0
        self._ended = anyio.Event()

    @property
    def has_room(self) -> bool:
        """Whether another one may be started."""
        return self._running < _RESUMES

    @property
    def is_idle(self) -> bool:
        """Whether nothing is being sent from here, and nothing was that could not be."""
        counts = self._bulk.statistics()
        return not (counts.queued or counts.on_wire or counts.not_sent)

    def start(self) -> None:
        """Send what the journal holds back."""
        self._running += 1
        self._tasks.start_soon(self._run)

    async def wait(self, seconds: float) -> bool:
        """Wait until all have ended, and return whether they have."""
        if self._running:
            with anyio.move_on_after(seconds):
                await self._ended.wait()
        return not self._running

    async def _run(self) -> None:
        _add(self._total, await self._bulk.resume())
        self._running -= 1
        if not self._running:
            self._ended.set()
            self._ended = anyio.Event()


async def _send_campaign(
    cluster: Cluster, bulk: BulkSender[Any], journal: str, stop: Stop, total: Report
) -> None:
    """Send what is planned, and what workers that die meanwhile leave behind."""
    async with anyio.create_task_group() as tasks:
        resumes = _Resumes(bulk, tasks, total)
        resumes.start()
        while not await resumes.wait(LOOK):
            may_start = stop.reason is None and resumes.has_room and resumes.is_idle
            if may_start and await _is_due(cluster, journal):
                resumes.start()


async def _empty_outbox(  # noqa: PLR0917 - called once
    cluster: Cluster,
    bulk: BulkSender[Any],
    own: Any,
    channel: str,
    stop: Stop,
    linger: float,
    total: Report,
) -> None:
    """Move messages from the outbox and send them, until it stays empty for long enough."""
    idle_since = looked_at = anyio.current_time()
    async with anyio.create_task_group() as tasks:
        resumes = _Resumes(bulk, tasks, total)
        resumes.start()
        while stop.reason is None and not _is_lost(total):
            now = anyio.current_time()
            if resumes.has_room and await outbox.move(cluster, own, channel):
                idle_since = anyio.current_time()
                resumes.start()
                await anyio.lowlevel.checkpoint()
            elif resumes.has_room and resumes.is_idle and now >= looked_at + LOOK:
                looked_at = now
                if await _is_due(cluster, own.name):
                    resumes.start()
            elif now - idle_since >= linger:
                break
            else:
                await anyio.sleep(OUTBOX_POLL)


async def _is_due(cluster: Cluster, journal: str) -> bool:
    return any(it.journal == journal and it.send for it in await due(cluster))


async def _obey(cluster: Cluster, journal: str, bulk: BulkSender[Any]) -> None:
    """Stop when the campaign is paused or cancelled, by any process."""
    while True:
        # Polled: a notification would be lost with its connection, and with it the stop.
        await anyio.sleep(OBEY)
        if not await campaigns.is_to_be_sent(cluster, journal):
            bulk.stop("the campaign was paused or cancelled")
            return


async def _rest_after(
    cluster: Cluster, journal: str, report: Report, opens_in: float | None, *, is_campaign: bool
) -> None:
    """Leave alone for a while what could not be sent; pause what needs a person."""
    reasons = set(report.reasons)
    if is_campaign and Reason.BUDGET.value in reasons:
        log.warning("the campaign %r is paused: its budget is used up", journal)
        await campaigns.pause(cluster, journal)
        return
    # Not after a lost lease, a stop or an opt-out: those concern this process or that message.
    seconds = 0.0
    if reasons & _REFUSALS:
        seconds = REST
    elif Reason.NOT_CONNECTED.value in reasons:
        seconds = SHORT_REST
    elif Reason.QUIET_HOURS.value in reasons:
        seconds = REST if opens_in is None else max(opens_in, 0.0)
    if seconds:
        await _rest(cluster, journal, seconds)


async def _rest(cluster: Cluster, journal: str, seconds: float) -> None:
    """Have all workers leave a journal alone for a while."""

    async def work(connection: Connection) -> None:
        values = {"account": cluster.account, "name": journal, "seconds": seconds}
        await connection.execute(_REST, values)

    await cluster.database.run(work)


async def _gate(
    cluster: Cluster, client: ClickSend, options: dict[str, Any], suppress: Suppression | None
) -> Gate:
    """Return what holds numbers back that must not be written to, or not at this hour.

    Raises:
        ClickSendError: the account's opt-outs could not be read.

    """
    stores = [cluster.inbox()] if suppress is None else [cluster.inbox(), suppress]
    store = await opt_outs.of_campaign(client, options, stores)
    quiet = QuietHours.of_stored(options["quiet"]) if "quiet" in options else None
    return Gate(store, quiet, await _server_clock(cluster))


async def _server_clock(cluster: Cluster) -> Callable[[], datetime]:
    """Return the time of the server: that of this machine may be an hour off."""

    async def work(connection: Connection) -> datetime:
        found = await (await connection.execute("select clock_timestamp()")).fetchone()
        assert found is not None
        now: datetime = found[0]
        return now

    then, since = await cluster.database.run(work), clock()
    return lambda: then + timedelta(seconds=clock() - since)


def _of(client: ClickSend, channel: str) -> Any:
    return getattr(client, channel)


def _budget(options: dict[str, Any]) -> Decimal | None:
    return Decimal(options["budget"]) if options.get("budget") else None


def _reconcile(options: dict[str, Any]) -> Reconcile:
    return Reconcile(
        settle=float(options.get("settle", 60.0)), resend=bool(options.get("resend", False))
    )


def _first(error: BaseException) -> BaseException:
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    return error


def _is_lost(report: Report) -> bool:
    return Reason.JOURNAL.value in report.reasons or Reason.HELD.value in report.reasons


def _add(total: Report, more: Report) -> None:
    total.accepted += more.accepted
    total.rejected += more.rejected
    total.not_sent += more.not_sent
    total.unknown += more.unknown
    total.cost += more.cost
    for reason, count in more.reasons.items():
        total.reasons[reason] = total.reasons.get(reason, 0) + count
