"""The bulk sender: many messages in few requests, each with exactly one outcome.

::

    send ─┐                                             ┌─▶ reply ─▶ verdict ─▶ outcome ─▶ Handle,
          ├─▶ Intake ─▶ encode ─▶ Journal ─▶ Dispatcher ─┤                                 stream,
    run  ─┘   gathers             plan, begin   lanes    └─▶ no verdict ─▶ Reconciler ─┘    Report
                                                              (found, resent or Unknown)

Handing over and settling are two waits, as with Kafka's producers: `send` waits for room, its
handle for the outcome. Neither a caller that goes away nor the end of the block stops a request
whose bytes may have left.

The parts: `intake` (the entrance), `encode`, `journal`, `dispatch` (the lanes), `verdict` and
`replies` (what an answer means, pure), `reconcile` and `evidence` (what the history proves),
`budget`, `lifecycle` (the phases of a sender's end), `outcome`.
"""

from __future__ import annotations

import asyncio
from collections.abc import (
    AsyncGenerator,
    AsyncIterable,
    AsyncIterator,
    Awaitable,
    Callable,
    Iterable,
    Sequence,
)
from contextlib import asynccontextmanager
from decimal import Decimal
from os import PathLike
from typing import Any, Generic, TypeVar

import anyio
import anyio.abc

from ..models.messages import Message
from . import pricing
from .batch import Batch, Doubt, Moment
from .budget import Budget
from .channel import Channel
from .dispatch import Dispatcher, Suppression, group_by_batch
from .encode import Encoded
from .intake import Batching, Handle, Intake, OutcomeStream
from .journal import Entry, JournalProtocol, State
from .journal.sqlite import Journal
from .lifecycle import Lifecycle, Phase
from .outcome import Outcome, Quote, Reason, Report, Statistics
from .reconcile import Reconcile, Reconciler

M = TypeVar("M", bound=Message)

RAMP = (1, 10, 100, 1000)
"""Sizes of the first batches of a stream, each sent once the one before was answered."""

_AHEAD = 1
"""Batches of a stream that may wait while all lanes are busy, or until they are read."""

_LARGE_BLOCK = 4 << 20
"""Bytes allocated once and freed at once, untouched: a block larger than any request or reply.

From then on glibc keeps the memory of these for the next ones. Otherwise it returns each to the
system, and a tenth of a run goes into getting it back (see M_TRIM_THRESHOLD in mallopt(3)).
"""

_TAKEN_OVER = 1000
"""Messages in doubt that are read from a journal at a time."""


class _NoSink:
    """The sink of messages of earlier processes; their outcomes are read from the journal."""

    def settle(self, tokens: Sequence[Any], outcomes: Sequence[Outcome]) -> None:
        pass


class BulkSender(anyio.AsyncContextManagerMixin, Generic[M]):
    """Sends messages of one kind in batches. Made by `client.sms.bulk()` and its siblings.

    Leaving its block takes nothing more in, sends what was handed over and waits until all of it is
    settled; an error in the block does the same. When the block is cancelled, what is on the wire
    is finished, what waits is withdrawn (`NotSent`), and what is in doubt becomes `Unknown`.
    """

    def __init__(
        self,
        channel: Channel,
        *,
        batching: Batching,
        lanes: int,
        journal: JournalProtocol | str | PathLike[str] | None,
        reconcile: Reconcile,
        budget: Decimal | None,
        ramp: Sequence[int] | None,
        pause: bool,
        suppress: Suppression | None = None,
    ) -> None:
        if lanes < 1:
            raise ValueError("lanes must be at least 1")
        if any(step < 1 for step in ramp or ()):
            raise ValueError("ramp: sizes must be at least 1")
        # A float would be inexact, and NaN passes every comparison with a limit.
        if budget is not None and not (
            isinstance(budget, Decimal) and budget.is_finite() and budget >= 0
        ):
            raise ValueError("budget: must be a finite Decimal of 0 or more")
        self._channel = channel
        self._batching = batching
        self._lanes = lanes
        self._journal: JournalProtocol | None = (
            Journal(journal) if isinstance(journal, str | PathLike) else journal
        )
        self._policy = reconcile
        self._budget = None if budget is None else Budget(budget)
        self._ramp = tuple(ramp or ())
        self._pause = pause
        self._suppress = suppress
        self._lifecycle = Lifecycle()
        self._parts: _Parts | None = None
        """None outside the block."""

    @asynccontextmanager
    async def __asynccontextmanager__(self) -> AsyncGenerator[BulkSender[M]]:
        # Before the task group: its error is raised as itself, and nothing has begun yet.
        if self._journal is not None:
            await self._journal.start(self._channel.name)
        try:
            failure: BaseException | None = None
            async with anyio.create_task_group() as tasks:
                try:
                    await self._begin(tasks)
                except Exception as error:
                    failure = error  # raised below as itself, in no group
                else:
                    try:
                        yield self
                    except BaseException as error:
                        failure = error
                    failure = await self._leave(failure)
                # They are shielded: a cancellation of the task group alone would not reach them.
                for worker in self._open.workers:
                    worker.cancel()
                tasks.cancel_scope.cancel()
            if failure is not None:
                raise failure
        finally:
            if self._journal is not None:
                # Also when cancelled: a lease that is not released keeps the next process out.
                with anyio.CancelScope(shield=True):
                    await self._journal.close()

    async def send(self, message: M, key: str | None = None) -> Handle:
        """Hand over one message and return its handle; await that for the outcome.

        Waits only while the queue is full. Cancelling this wait withdraws the message; cancelling
        the wait for the handle does not.

        Args:
            message: what to send.
            key: an idempotency key of yours, kept by the journal (which it needs). A key is sent at
                most once; later calls get the first one's outcome. `NotSent` frees it. The same key
                with another number or text is ``NotSent(key_conflict)``.

        Raises:
            ValueError: something is wrong with the message, or a key is given without a journal.
            RuntimeError: outside the block, or sending was stopped.

        """
        return await self._open.intake.put(message, key)

    async def stream(self, messages: Iterable[M] | AsyncIterable[M]) -> AsyncIterator[Outcome]:
        """Send messages and yield the outcome of each as it becomes known.

        Reads them no faster than they are sent and their outcomes are read. A message that is wrong
        is `NotSent`. Leaving the loop withdraws what was not sent yet. If the source raises, its
        error follows the outcomes of all messages before.
        """
        stream = self._start(messages)
        try:
            while (outcomes := await stream.next()) is not None:
                for outcome in outcomes:
                    yield outcome
        finally:
            # Also when the loop is left early: what waits is withdrawn, and the source's task ends.
            stream.close()

    async def run(self, messages: Iterable[M] | AsyncIterable[M]) -> Report:
        """Send messages and return the counts of their outcomes."""
        return await self._report(self._start(messages, Report()))

    async def resume(self) -> Report:
        """Send what the journal holds back and settle what it holds in doubt; return the counts."""
        if self._journal is None:
            raise RuntimeError("resume() needs a journal")
        parts = self._open
        self._lifecycle.raise_unless_open()
        stream = OutcomeStream(self._lanes + _AHEAD, Report())
        # A search for these runs already; the report only has to wait for it.
        if parts.taken_over:
            parts.intake.expect(stream, parts.taken_over)
            parts.taken_over = []
        parts.intake.start(parts.intake.resume(stream, self._journal))
        return await self._report(stream)

    async def price(self, messages: Iterable[M] | AsyncIterable[M]) -> Quote:
        """Return what messages would cost; nothing is sent.

        Raises:
            ValueError: something is wrong with a message.
            ClickSendError: a price could not be had.

        """
        _check_iterable(messages)
        return await pricing.price(self._channel, messages, self._batching, self._lanes)

    async def flush(self) -> None:
        """Send what lingers, and wait until all that was handed over before is settled."""
        self._open.intake.flush()
        await self._open.dispatcher.drain()

    def stop(self, why: str = "stopped") -> None:
        """Take in nothing more: what waits is `NotSent`, what is on the wire is finished."""
        self._lifecycle.advance(Phase.STOPPED, why)
        # What lingers is not in the queue yet, and only the queue is withdrawn.
        if self._parts is not None:
            self._parts.intake.flush()

    def abort(self, why: str = "stopped") -> None:
        """Stop and leave at once: what is on the wire or in doubt becomes `Unknown`."""
        self.stop(why)
        self._lifecycle.advance(Phase.ABORTED, why)

    def statistics(self) -> Statistics:
        """Return the current counts."""
        dispatcher = self._open.dispatcher
        totals, held = dispatcher.totals, self._lifecycle.held
        return Statistics(
            queued=dispatcher.queued,
            on_wire=dispatcher.on_wire,
            in_doubt=len(dispatcher.reconciler),
            accepted=totals.accepted,
            rejected=totals.rejected,
            not_sent=totals.not_sent,
            unknown=totals.unknown,
            cost=totals.cost,
            posts=dispatcher.posts,
            failed_posts=dispatcher.failed_posts,
            doubted=dispatcher.doubted,
            found=dispatcher.found,
            resent=dispatcher.resent,
            odd_rows=dispatcher.odd_rows,
            held=None if held is None else held[1],
        )

    # The block.

    @property
    def _open(self) -> _Parts:
        if self._parts is None:
            raise RuntimeError(
                "a bulk sender works inside its block only: "
                f"'async with client.{self._channel.name}.bulk() as bulk: ...'"
            )
        return self._parts

    async def _begin(self, tasks: anyio.abc.TaskGroup) -> None:
        bytearray(_LARGE_BLOCK)
        dispatcher = Dispatcher(
            self._channel,
            self._lifecycle,
            tasks,
            journal=self._journal,
            budget=self._budget,
            suppress=self._suppress,
            pause=self._pause,
            skew=self._policy.skew,
        )
        reconciler = Reconciler(
            self._channel,
            self._policy,
            dispatcher,
            self._lifecycle,
            now=asyncio.get_running_loop().time,
        )
        dispatcher.attach(reconciler)
        intake = Intake(
            self._channel,
            self._journal,
            self._lifecycle,
            queue=dispatcher,
            batching=self._batching,
            ramp=self._ramp,
        )
        self._parts = parts = _Parts(tasks, intake, dispatcher)
        if self._journal is not None:
            # Before the lanes: the first request must find the budget as earlier processes left it.
            await self._take_over(self._journal, parts)
            parts.start_worker(self._keep_journal, self._journal)
        for _ in range(self._lanes):
            parts.start_worker(dispatcher.lane)
        parts.start_worker(dispatcher.withdraw_on_stop)
        parts.start_worker(reconciler.run)

    async def _take_over(self, journal: JournalProtocol, parts: _Parts) -> None:
        """Look up what earlier processes left in doubt, and begin the budget where they ended."""
        if self._budget is not None:
            self._budget.committed = await journal.committed()
        after = 0
        while entries := await journal.claim(State.IN_DOUBT, _TAKEN_OVER, after):
            after = entries[-1].row
            parts.taken_over += entries
        now = asyncio.get_running_loop().time()
        for group in group_by_batch(parts.taken_over):
            doubts, batch = self._doubts_of(group, now)
            if self._budget is not None and not all(it.reserved for it in doubts):
                amounts = await self._reserve_for_doubts(
                    self._budget, parts.dispatcher, doubts, batch
                )
                await journal.reserve(list(amounts), list(amounts.values()))
            # The block does not end before these are settled either.
            parts.dispatcher.track(batch)
            parts.dispatcher.reconciler.add(doubts)

    async def _reserve_for_doubts(
        self, budget: Budget, dispatcher: Dispatcher, doubts: Sequence[Doubt], batch: Batch
    ) -> dict[int, Decimal]:
        """Reserve for messages in doubt that were sent without a budget; return what, by row."""
        reserved: dict[int, Decimal] = {}
        for doubt, quote in zip(doubts, await dispatcher.price_again(batch), strict=True):
            if doubt.reserved:
                continue
            # Without a price it may have cost anything: until it is settled nothing fits beside it.
            doubt.reserved = budget.limit if quote is None else quote
            budget.committed += doubt.reserved
            if doubt.row is not None:
                reserved[doubt.row] = doubt.reserved
        return reserved

    def _doubts_of(self, entries: Sequence[Entry], now: float) -> tuple[list[Doubt], Batch]:
        messages = [self._channel.thaw(it.body, it.media_file) for it in entries]
        encoded = Encoded(messages, [it.ref for it in entries], bodies=[it.body for it in entries])
        batch = Batch(
            encoded, range(len(entries)), _NoSink(), entries, rows=[it.row for it in entries]
        )
        doubts = [
            Doubt(
                message=message,
                ref=entry.ref,
                json=entry.body,
                media_file=entry.media_file,
                sink=batch,
                token=entry,
                origin=batch,
                row=entry.row,
                reserved=entry.reserved,
                sent=Moment(wall=entry.intent, mono=None),
                # When it really failed is not known, so `settle` begins here.
                failed=now,
                detail="its process ended before a verdict was recorded",
                attempt=max(1, entry.attempt),
                has_unique_ref=entry.has_unique_ref,
                # A silent owner may only be stopped, and finish its request when it wakes.
                may_resend=entry.owner_exited and message.schedule is None,
            )
            for message, entry in zip(messages, entries, strict=True)
        ]
        return doubts, batch

    async def _leave(self, failure: BaseException | None) -> BaseException | None:
        """Settle everything; return what ended the block, None if nothing did."""
        self._lifecycle.advance(Phase.CLOSING)
        dispatcher = self._open.dispatcher
        with anyio.CancelScope(shield=True):
            # Cancelled or interrupted: the program wants to end. After an ordinary error there is
            # time to settle everything.
            if failure is not None and not isinstance(failure, Exception):
                self._hurry()
            while True:
                try:
                    await self._finish()
                    break
                # However often: what is left without an outcome would never get one.
                except asyncio.CancelledError as error:
                    failure = self._interrupted(failure, error)
        if isinstance(failure, Exception):
            totals = dispatcher.totals
            failure.add_note(
                "bulk: the messages handed over before were settled: "
                f"{totals.accepted} accepted, {totals.rejected} rejected, "
                f"{totals.not_sent} not sent, {totals.unknown} unknown"
            )
        return failure

    def _interrupted(
        self, failure: BaseException | None, error: asyncio.CancelledError
    ) -> BaseException:
        """Leave sooner: interrupted once, finish the wire only; twice, not even that."""
        if failure is None or isinstance(failure, Exception):
            self._hurry()
            return error
        self.abort()
        return failure

    async def _finish(self) -> None:
        """Wait until everything that was read or handed over has its outcome."""
        # First, as a source may yield a last message while it is being ended.
        await self._open.intake.end()
        self._open.intake.flush()
        await self._open.dispatcher.finish()

    def _hurry(self) -> None:
        """Stop: a cancelled block or a program that ends does not wait for look-ups."""
        self._lifecycle.advance(Phase.HURRIED, "its block was cancelled")

    async def _keep_journal(self, journal: JournalProtocol) -> None:
        try:
            await journal.heartbeat()
        # Not raised: lanes must still settle what is in flight, only new requests are refused.
        except Exception as error:
            self._open.dispatcher.lose_journal(error)

    # Streams.

    def _start(
        self, messages: Iterable[M] | AsyncIterable[M], report: Report | None = None
    ) -> OutcomeStream:
        parts = self._open
        self._lifecycle.raise_unless_open()
        _check_iterable(messages)
        stream = OutcomeStream(self._lanes + _AHEAD, report)
        run = self._journal.new_run() if self._journal is not None else 0
        parts.intake.start(parts.intake.read(stream, messages, run))
        return stream

    async def _report(self, stream: OutcomeStream) -> Report:
        assert stream.report is not None
        now = asyncio.get_running_loop().time
        began = now()
        try:
            await stream.next()  # nothing but the end, as outcomes are counted
        finally:
            stream.close()
        stream.report.seconds = now() - began
        # What was read and withdrawn is as unsent as what was left unread.
        if stream.report.reasons.get(Reason.STOPPED.value):
            stream.report.stopped = True
        return stream.report


class _Parts:
    """What exists inside the block only."""

    def __init__(self, tasks: anyio.abc.TaskGroup, intake: Intake, dispatcher: Dispatcher) -> None:
        self.tasks = tasks
        self.intake = intake
        self.dispatcher = dispatcher
        self.taken_over: list[Entry] = []
        """What earlier processes left in doubt, until `resume` asks for it."""
        self.workers: list[anyio.CancelScope] = []
        """The scopes of what runs until the end of the block."""

    def start_worker(self, work: Callable[..., Awaitable[None]], *args: Any) -> None:
        """Run something until the block has settled everything.

        A scope around the block that is cancelled reaches the tasks inside as well. These must go
        on all the same: without them nothing could be settled.
        """
        scope = anyio.CancelScope(shield=True)
        self.workers.append(scope)

        async def run() -> None:
            with scope:
                await work(*args)

        self.tasks.start_soon(run)


def _check_iterable(messages: object) -> None:
    if isinstance(messages, Message | str | bytes | dict):
        raise TypeError("messages: an iterable of messages is needed; use send() for one")
