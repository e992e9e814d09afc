"""The bulk sender: many messages in few requests, each with exactly one outcome.

::

    send(m) ─ room? ─▶ Batcher ─ full | aged | flush ──┐
    stream(ms) ─▶ Feeder, a batch at a time ───────────┴─▶ queue ─▶ lanes ─ pace ─▶ POST messages[]
                                                                                     │
    handle, stream, run ◀── outcomes ◀── rows matched by ref ◀── verdict ◀───────────┤
          ▲                                                                          │
          └──── found, or Unknown ◀── Reconciler: the history, by ref ◀── no verdict ┘

Handing over and settling are two waits, as with Kafka's producers: `send` waits for room, its
handle for the outcome. A lane sends one batch at a time and shields it: neither a caller who goes
away nor the end of the block stops a request whose bytes may have left.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterable, AsyncIterator, Iterable, Sequence
from contextlib import asynccontextmanager
from decimal import Decimal
from os import PathLike
from typing import Generic, TypeVar

import anyio
import anyio.abc

from ..models.messages import Message, freeze, with_ref
from . import pricing
from .batch import Batch
from .batcher import Batcher, Batching
from .channel import Channel
from .claims import claimed
from .engine import Engine
from .feeding import Feeder, Planner, thawed
from .intake import Feed, Handle, HandleSink
from .journal import Journal
from .outcome import Accepted, NotSent, Outcome, Rejected, Unknown
from .reconcile import Reconcile
from .report import Quote, Report, Statistics

M = TypeVar("M", bound=Message)

RAMP = (1, 10, 100, 1000)
"""Sizes of the first requests of a stream, each sent once the one before was answered."""


_AHEAD = 1
"""Batches of a stream that are made ready while the lanes are all busy, or that wait to be read."""

_LARGE_BLOCK = 4 << 20
"""Bytes allocated once and freed at once, untouched: a block larger than any request or reply.

From then on glibc keeps the memory of these for the next ones. Else it hands each back to the
system, and a tenth of a run goes into getting it again (see M_TRIM_THRESHOLD in mallopt(3)).
"""


class BulkSender(anyio.AsyncContextManagerMixin, Generic[M]):
    """Sends messages of one kind in batches. Made by `client.sms.bulk()` and its likes.

    Leaving its block sends what was handed over and waits until all of it is settled; so does an
    error in the block. When the block is cancelled, what is on the wire is finished, what waits is
    withdrawn (NotSent), and what is in doubt becomes Unknown.
    """

    def __init__(
        self,
        channel: Channel,
        *,
        batching: Batching,
        lanes: int,
        journal: Journal | str | PathLike[str] | None,
        reconcile: Reconcile,
        budget: Decimal | None,
        ramp: Sequence[int] | None,
        pause: bool,
    ) -> None:
        if lanes < 1:
            raise ValueError("lanes must be at least 1")
        if any(step < 1 for step in ramp or ()):
            raise ValueError("ramp: sizes must be at least 1")
        if budget is not None and (not isinstance(budget, Decimal) or budget < 0):
            raise ValueError("budget: must be a Decimal of 0 or more")
        self._channel = channel
        self._batching = batching
        self._lanes = lanes
        self._journal = Journal(journal) if isinstance(journal, str | PathLike) else journal
        self._reconcile = reconcile
        self._budget = budget
        self._ramp = tuple(ramp or ())
        self._pause = pause
        self._batcher: Batcher[tuple[Handle, bytes]] = Batcher(batching)
        self._timer: asyncio.TimerHandle | None = None
        self._in_queue = 0
        """Batches of single messages that no lane has taken yet."""
        self._closed = False

    @asynccontextmanager
    async def __asynccontextmanager__(self) -> AsyncGenerator[BulkSender[M]]:
        if self._journal is not None:
            await self._journal.start(self._channel.name)
        try:
            failure: BaseException | None = None
            async with anyio.create_task_group() as tasks:
                await self._begin(tasks)
                try:
                    yield self
                except BaseException as error:
                    failure = error
                failure = await self._leave(failure)
                tasks.cancel_scope.cancel()
            if failure is not None:
                raise failure
        finally:
            if self._journal is not None:
                with anyio.CancelScope(shield=True):
                    await self._journal.stop()

    async def send(self, message: M) -> Handle:
        """Hand over one message and return its handle; await that for the outcome.

        Waits only while the queue is full. Cancelling this wait withdraws the message; cancelling
        the wait for the handle does not.

        Raises:
            ValueError: the message is wrong.
            RuntimeError: the block was left, or sending was stopped.

        """
        self._planner.check(message)
        body = freeze(message)
        self._raise_if_closed()
        await self._room.acquire()
        if self._closed or self._engine.stopped is not None:
            self._room.release()
            self._raise_if_closed()
        ref = message.custom_string or self._planner.new_ref()
        handle = Handle(message, ref)
        frozen = body if message.custom_string else with_ref(body, ref)
        now = asyncio.get_running_loop().time()
        for items in self._batcher.add(
            (handle, frozen), len(frozen), now, self._channel.kind(message)
        ):
            self._submit(items)
        self._set_timer()
        return handle

    async def stream(self, messages: Iterable[M] | AsyncIterable[M]) -> AsyncIterator[Outcome]:
        """Send messages and yield the outcome of each as it becomes known.

        Reads them no faster than they are sent and their outcomes read. A message that is wrong is
        NotSent. Leaving the loop withdraws what was not sent yet. If the source of the messages
        raises, its error follows the outcomes of all messages before.
        """
        feed = await self._feed(messages)
        try:
            while (outcomes := await feed.next()) is not None:
                for outcome in outcomes:
                    yield outcome
        finally:
            feed.close()

    async def run(self, messages: Iterable[M] | AsyncIterable[M]) -> Report:
        """Send messages and return how they fared."""
        return await self._report(await self._feed(messages, Report()))

    async def resume(self) -> Report:
        """Send what the journal holds back, settle what it holds in doubt, and return how."""
        if self._journal is None:
            raise RuntimeError("resume() needs a journal")
        self._raise_if_closed()
        feed = Feed((), self._lanes + _AHEAD, Report())
        left = [it for it in self._left_in_doubt if it.row in self._engine.under_way]
        self._feeder.join(feed, left)
        self._tasks.start_soon(self._feeder.resume, feed, self._journal)
        return await self._report(feed)

    async def price(self, messages: Iterable[M] | AsyncIterable[M]) -> Quote:
        """Return what messages would cost; nothing is sent.

        Raises:
            ValueError: a message is wrong.
            ClickSendError: a price could not be had.

        """
        return await pricing.price(
            self._channel, messages, self._batching, self._lanes, self._planner.check
        )

    async def flush(self) -> None:
        """Send what waits for company, and wait until all handed over so far is settled."""
        self._cut()
        await self._engine.drain()

    def stop(self, why: str = "stopped") -> None:
        """Take in nothing more: what waits is NotSent, what is on the wire is finished."""
        self._engine.stop(why)
        self._cut()

    def abort(self, why: str = "stopped") -> None:
        """Stop and leave at once: what is on the wire or in doubt becomes Unknown."""
        self.stop(why)
        self._engine.abort(why)

    def statistics(self) -> Statistics:
        """Return where the sending stands."""
        tally, engine = self._engine.tally, self._engine
        return Statistics(
            queued=engine.queued + len(self._batcher),
            on_wire=engine.on_wire,
            in_doubt=len(engine.reconciler),
            accepted=tally.by_class[Accepted],
            rejected=tally.by_class[Rejected],
            not_sent=tally.by_class[NotSent],
            unknown=tally.by_class[Unknown],
            cost=tally.cost,
            posts=tally.posts,
            failed_posts=tally.failed_posts,
            doubted=tally.doubted,
            found=tally.found,
            resent=tally.resent,
            odd_rows=tally.odd_rows,
            held=engine.held,
        )

    # The block.

    async def _begin(self, tasks: anyio.abc.TaskGroup) -> None:
        bytearray(_LARGE_BLOCK)
        self._tasks = tasks
        self._engine = engine = Engine(
            self._channel,
            journal=self._journal,
            reconcile=self._reconcile,
            budget=self._budget,
            pause=self._pause,
            prepare=self._prepare,
        )
        self._planner = Planner(engine, self._channel, self._journal, self._batching.max_bytes)
        self._feeder = Feeder(engine, self._planner, self._channel, self._batching, self._ramp)
        self._room = asyncio.Semaphore(self._batching.queue)
        self._left_in_doubt = await self._journal.in_doubt() if self._journal is not None else []
        engine.take_over([(thawed(self._channel, it), it) for it in self._left_in_doubt])
        for _ in range(self._lanes):
            tasks.start_soon(engine.lane)
        tasks.start_soon(engine.reconciler.run)
        if self._journal is not None:
            tasks.start_soon(self._keep, self._journal)

    async def _leave(self, failure: BaseException | None) -> BaseException | None:
        """Settle everything; return what ended the block, None if nothing did."""
        self._closed = True
        with anyio.CancelScope(shield=True):
            if failure is not None and not isinstance(failure, Exception):
                self._hurry()
            self._cut()
            try:
                await self._engine.finish()
            except asyncio.CancelledError as error:
                failure = await self._interrupted(failure, error)
        if isinstance(failure, Exception):
            counts = self._engine.tally.by_class
            failure.add_note(
                "bulk: the messages handed over before were settled: "
                f"{counts[Accepted]} accepted, {counts[Rejected]} rejected, "
                f"{counts[NotSent]} not sent, {counts[Unknown]} unknown"
            )
        return failure

    async def _interrupted(
        self, failure: BaseException | None, error: asyncio.CancelledError
    ) -> BaseException:
        """Leave sooner: once interrupted finish the wire only, twice not even that."""
        if failure is None or isinstance(failure, Exception):
            self._hurry()
            try:
                await self._engine.finish()
            except asyncio.CancelledError:
                self.abort()
                await self._engine.finish()
            return error
        self.abort()
        await self._engine.finish()
        return failure

    def _hurry(self) -> None:
        """Stop: what ends the task or the program is in a hurry; an error of the block is not."""
        self.stop("stopped before it was sent")
        self._engine.reconciler.give_up("stopped before it was settled")

    async def _keep(self, journal: Journal) -> None:
        try:
            await journal.keep()
        except Exception as error:
            self._engine.hold(f"the journal is lost ({error})")

    def _raise_if_closed(self) -> None:
        if self._closed:
            raise RuntimeError("this bulk sender is closed: its block was left")
        if self._engine.stopped is not None:
            raise RuntimeError(f"this bulk sender was stopped: {self._engine.stopped}")

    # Streams.

    async def _feed(
        self, messages: Iterable[M] | AsyncIterable[M], report: Report | None = None
    ) -> Feed:
        self._raise_if_closed()
        if isinstance(messages, Message | str | bytes):
            raise TypeError("messages: an iterable of messages is needed; use send() for one")
        feed = Feed(messages, self._lanes + _AHEAD, report)
        run = self._journal.new_run() if self._journal is not None else 0
        self._tasks.start_soon(self._feeder.run, feed, run)
        return feed

    async def _report(self, feed: Feed) -> Report:
        assert feed.report is not None
        now = asyncio.get_running_loop().time
        began = now()
        try:
            await feed.next()  # there is only the end
        finally:
            feed.close()
        feed.report.seconds = now() - began
        return feed.report

    # Single messages.

    def _submit(self, items: list[tuple[Handle, bytes]]) -> None:
        self._in_queue += 1
        handles = [handle for handle, _ in items]
        self._engine.submit(
            Batch(
                [it.message for it in handles],
                [it.ref for it in handles],
                [frozen for _, frozen in items],
                _HANDLES,
                handles,
            )
        )

    def _set_timer(self) -> None:
        if self._timer is None and self._batcher.due is not None:
            loop = asyncio.get_running_loop()
            self._timer = loop.call_at(self._batcher.due, self._linger_over)

    def _linger_over(self) -> None:
        self._timer = None
        self._send_due()

    def _send_due(self) -> None:
        """Send what has waited long enough; behind another batch it goes on gaining company."""
        due = self._batcher.due
        if due is None:
            return
        if due > asyncio.get_running_loop().time():
            self._set_timer()
        elif self._in_queue == 0:
            self._submit(self._batcher.cut())

    def _cut(self) -> None:
        """Send what waits for company without waiting longer."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if len(self._batcher):
            self._submit(self._batcher.cut())

    async def _prepare(self, batch: Batch) -> Batch:
        """Make room behind a batch that leaves the queue, and return what of it is to be sent."""
        if batch.sink is not _HANDLES:
            return batch
        self._in_queue -= 1
        self._send_due()
        for _ in range(len(batch)):
            self._room.release()
        if self._journal is None:
            return batch
        return await claimed(self._journal, self._planner, self._engine.under_way, batch)


_HANDLES = HandleSink()
