"""The lanes: each takes what is next in the queue, posts it, and acts on the verdict.

::

    queue ─▶ turn (pace) ─▶ admit ─▶ suppressed? ─▶ priced, reserved? ─▶ journal.begin ─▶ POST
                                         │                 │                  │            │
                                      NotSent           NotSent        won elsewhere:   verdict
                                                                       wait for its      │   └─▶ in
                                                                       outcome        settle  doubt

A lane is never interrupted by its task group. `stop` and `abort` cut waits that a batch may be cut
from (`_cut_by_stop`): what has no byte on the wire ends as not sent, what has ends as Unknown, and
only by `abort`. One lane at a time waits for the pace, so that meanwhile messages gather in the
queue instead of in lanes.

Invariants: an intent is durable before its first byte; a batch is settled exactly once for each of
its messages, also after an error; outcomes are counted, booked and recorded in `_settle` only.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections import deque
from collections.abc import Awaitable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from decimal import Decimal
from itertools import groupby
from typing import Protocol, TypeVar

import anyio
import anyio.abc

from ..codes import shown_currency
from ..errors import ClickSendError, ClientClosedError, ConfigurationError
from ..hooks import BatchEvent
from ..wire import Wire
from .batch import Batch, Doubt, Moment, batch_of, doubts_of
from .budget import Budget, quoted
from .channel import Channel
from .intake import Gathering, outcome_of
from .journal import Entry, JournalProtocol
from .lifecycle import Lifecycle, Phase
from .older_copy import is_older_copy
from .outcome import Acceptances, Accepted, Outcome, Reason, Report, Unknown
from .reconcile import Reconciler
from .replies import Reply, match
from .verdict import Verdict, never_sent, of_error, of_reply

T = TypeVar("T")

log: logging.Logger = logging.getLogger("aioclicksend")

_SPARE_TURN = 1.0
"""Seconds for which a turn of the pace that led to no request may be used for another one."""
_PROBE = 2
"""Messages that a paused sender sends to learn whether the history is up to date."""


_OLDER_COPY = (
    "the journal is an older copy of itself: the history shows messages of it that it holds as "
    "unsent. Put the newest copy back; sent from this one, they would arrive twice"
)


class Suppression(Protocol):
    """Numbers that must not be written to, for good or for now."""

    async def blocked(self, numbers: Sequence[str]) -> AbstractSet[str] | Mapping[str, Reason]:
        """Return those of some numbers that are not written to: as opted out, or each with why."""
        ...


async def held_back(suppress: Suppression, numbers: Sequence[str]) -> Mapping[str, Reason]:
    """Return those of some numbers that a suppression holds back, each with why."""
    blocked = await suppress.blocked(numbers)
    return blocked if isinstance(blocked, Mapping) else dict.fromkeys(blocked, Reason.OPTED_OUT)


class _Cut(Exception):
    """A wait was cut by `stop` or `abort`."""


class _Fence:
    """The last check before a first byte: not stopped, and the journal is still ours."""

    def __init__(self, lifecycle: Lifecycle, journal: JournalProtocol | None) -> None:
        self._lifecycle = lifecycle
        self._journal = journal
        self.failure: Exception | None = None
        self.was_passed = False
        """Whether a byte may ever have left; the wire forgets it once a verdict is there."""

    async def __call__(self) -> None:
        # The cancellation of a cut arrives a step later; the byte must not leave meanwhile.
        if self._lifecycle.phase >= Phase.STOPPED:
            raise _Cut
        if self._journal is not None:
            try:
                self._journal.fence()
            except Exception as error:
                # Kept apart from other errors: `_post` must hold the whole run for it.
                self.failure = error
                raise
        self.was_passed = True


class Dispatcher:
    """Sends what is queued, and makes sure that each message gets its outcome."""

    def __init__(
        self,
        channel: Channel,
        lifecycle: Lifecycle,
        tasks: anyio.abc.TaskGroup,
        *,
        journal: JournalProtocol | None,
        budget: Budget | None,
        suppress: Suppression | None,
        pause: bool,
        skew: float,
    ) -> None:
        self._channel = channel
        self._lifecycle = lifecycle
        self._tasks = tasks
        self._journal = journal
        self._budget = budget
        self._suppress = suppress
        self._pause = pause
        self._skew = skew
        self._checking = asyncio.Lock()
        self._is_checked = False
        """Whether it is known that the journal is no older copy."""
        self._reconciler: Reconciler | None = None
        self._currency: str | None = None
        self.totals: Report = Report()
        self.posts: int = 0
        self.failed_posts: int = 0
        self.doubted: int = 0
        self.found: int = 0
        self.resent: int = 0
        self.odd_rows: int = 0
        self._queue: deque[Batch | Gathering] = deque()
        # Apart from the queue, as a pause or a long queue must not delay what is in doubt.
        self._urgent: deque[Batch] = deque()
        """What goes out even while new messages are paused: further attempts, and probes."""
        self._changed = asyncio.Event()
        # Its holder waits for the pace. Without it every lane would take one of the few messages
        # there are, and wait with that.
        self._turnstile = asyncio.Lock()
        self._probing = False
        """Whether what a lane takes next, or has taken, goes out small, during a pause."""
        self._spare_turn: float | None = None
        """When a turn was left unused."""
        # Everything without all of its outcomes, wherever it is: in the queue, in a lane or in
        # doubt.
        self._live: set[Batch | Gathering] = set()
        # Every wait that `stop` or `abort` may cut, with the wire that shows whether a byte has
        # left.
        self._cuttable: dict[anyio.CancelScope, tuple[Wire, int]] = {}
        lifecycle.on_change(self._cut_by_stop)

    def attach(self, reconciler: Reconciler) -> None:
        """Connect the reconciler, which in turn needs a dispatcher."""
        self._reconciler = reconciler

    @property
    def reconciler(self) -> Reconciler:
        """What looks doubts up."""
        assert self._reconciler is not None
        return self._reconciler

    @property
    def queued(self) -> int:
        """Messages waiting for their request."""
        return sum(map(len, self._queue)) + sum(map(len, self._urgent))

    @property
    def on_wire(self) -> int:
        """Messages of requests under way."""
        return sum(size for _, size in self._cuttable.values())

    # The queue.

    def submit(self, gathering: Gathering) -> None:
        """Queue a gathering; it may go on growing until a lane takes it."""
        self._queue.append(gathering)
        self.wake()

    def track(self, item: Batch | Gathering) -> None:
        """Keep account of something until all of its messages are settled."""
        self._live.add(item)
        if isinstance(item, Batch):
            item.on_settled(self._live.discard)
        else:
            item.on_settled = self._live.discard

    def wake(self) -> None:
        """Have the lanes look at the queue."""
        self._changed.set()

    async def drain(self) -> None:
        """Wait until everything handed over before has its outcome."""
        # A snapshot: waiting for later items too, `flush` might never return under steady load.
        for item in list(self._live):
            await item.wait()

    async def finish(self) -> None:
        """Wait until nothing is left without an outcome."""
        # Repeated: a source that is just being read may still add its last gathering.
        while self._live:
            await self.drain()

    async def lane(self) -> None:
        """Send one thing after the other, until cancelled."""
        while True:
            item = await self._next()
            # From here on only this lane knows the item: a cancelled task group must not leave its
            # messages without an outcome.
            with anyio.CancelScope(shield=True):
                if isinstance(item, Batch):
                    await self._handle(item)
                else:
                    await self._handle_gathering(item)

    async def withdraw_on_stop(self) -> None:
        """Settle what is queued as soon as nothing more is sent, also while all lanes are busy."""
        # A separate task, as every lane may be busy for as long as a request can take.
        while True:
            while self._lifecycle.phase < Phase.STOPPED or not (self._queue or self._urgent):
                self._changed.clear()
                await self._changed.wait()
            item = self._urgent.popleft() if self._urgent else self._queue.popleft()
            with anyio.CancelScope(shield=True):
                if isinstance(item, Gathering):
                    for batch in await item.take():
                        await self._withdraw(batch, *self._stopped)
                    item.request_ended()
                else:
                    await self._withdraw(item, *self._stopped)
                    item.answered()

    async def _next(self) -> Batch | Gathering:
        """Return what is to be sent next, once the pace lets it."""
        async with self._turnstile:
            while True:
                # An event, not a condition: `wake` is called from synchronous code all over the
                # sender.
                while not self._has_work():
                    self._changed.clear()
                    if not self._has_work():
                        await self._changed.wait()
                # Nothing is taken yet: messages gather, and `stop` can withdraw all of them.
                if not self._has_spare_turn():
                    await self._channel.turn()
                self._spare_turn = None
                # Looked at only now: the queue or the pause may have changed during the wait for
                # the pace.
                if self._urgent:
                    return self._urgent.popleft()
                if self._queue and not self.is_paused:
                    return self._queue.popleft()
                if self._queue and self._may_probe():
                    self._probing = True
                    return self._queue.popleft()

    def _has_spare_turn(self) -> bool:
        """Whether a turn was taken a moment ago for messages that needed no request."""
        # Safe to use late, as the pace is asked once more at the wire; but a pause that the server
        # asks for is obeyed by waiting for a turn.
        spare = self._spare_turn
        return spare is not None and asyncio.get_running_loop().time() - spare < _SPARE_TURN

    def _has_work(self) -> bool:
        if self._lifecycle.phase >= Phase.STOPPED:
            return False  # `withdraw_on_stop` has the queue
        if self._urgent:
            return True
        return bool(self._queue) and (not self.is_paused or self._may_probe())

    def _may_probe(self) -> bool:
        """Whether a paused sender may send one small batch, as the reconciler lacks a witness."""
        return self.reconciler.wants_probe and not self._probing

    @property
    def is_paused(self) -> bool:
        """Whether new messages wait until the history has been asked about those in doubt."""
        return self._pause and self.reconciler.wants_pause

    async def _handle_gathering(self, gathering: Gathering) -> None:
        try:
            batches = await gathering.take()
        except Exception:
            # Not meant to happen; its messages are unsent and must not be without an outcome.
            log.exception("internal error while preparing a batch")
            raise
        # The ramp and the stream's room wait for the last of the requests it became.
        gathering.requests = max(1, len(batches))
        gathering.was_posted = bool(batches)
        if not batches:
            # All were known to the journal, or bad: a known list is not read at the pace of posts.
            self._spare_turn = asyncio.get_running_loop().time()
            gathering.request_ended()
            return
        for batch in batches:
            batch.on_answered(gathering.request_ended)
        # In front of the queue and in order: they were handed over before what waits there.
        self._queue.extendleft(reversed(batches[1:]))
        if batches[1:]:
            self.wake()
        await self._handle(batches[0])

    async def _handle(self, batch: Batch) -> None:
        # Checked again: the pause may have ended while the gathering was admitted. Further attempts
        # always go out whole.
        if self._probing and self.is_paused and batch.attempt == 1:
            await self._send_probe(batch)
            return
        try:
            await self._deliver(batch)
        finally:
            batch.answered()

    async def _send_probe(self, batch: Batch) -> None:
        """Send a few messages of a batch; the rest waits until the pause is over."""
        few, rest = range(min(_PROBE, len(batch))), range(min(_PROBE, len(batch)), len(batch))
        probe = batch.part(few)
        # The part that is sent last reports the end of both, so that the stream's room is given
        # back once.
        if rest:
            remainder = batch.part(rest)
            remainder.is_abandoned = batch.is_abandoned
            remainder.on_answered(batch.answered)
            self._queue.appendleft(remainder)
        else:
            probe.on_answered(batch.answered)
        try:
            await self._deliver(probe)
        finally:
            # Also after an error: otherwise no further probe could be sent, and the pause would not
            # end.
            self._probing = False
            probe.answered()
            self.wake()

    # One batch.

    async def _deliver(self, batch: Batch) -> None:
        """Send a batch, or what of it may be sent; settle or doubt all of it."""
        # The run may have been stopped or held since the batch was formed.
        refusal = self._lifecycle.refusal
        if refusal is None and batch.is_abandoned():
            refusal = Reason.WITHDRAWN, "its stream was left"
        if refusal is not None:
            await self._withdraw(batch, *refusal)
            return
        # Each step settles what it leaves out, so `batch` is always what has no outcome yet.
        try:
            for step in (self._unless_older_copy, self._unsuppressed, self._affordable):
                batch = await step(batch)
                if not len(batch):
                    return
            await self._post(batch)
        except _Cut:
            await self._withdraw(batch, *self._stopped)
        except Exception as error:
            # Not meant to happen. Before the intent it is not sent, later it is looked up.
            log.exception("internal error while sending a batch")
            await self._apply(batch, of_error(batch, error, sent=batch.sent is not None))

    async def _unless_older_copy(self, batch: Batch) -> Batch:
        """Settle a batch whose journal was put back from a backup; else return it."""
        if self._journal is None or self._is_checked:
            return batch
        # One lane asks, the others wait: nothing may be sent before.
        async with self._checking:
            if not self._is_checked:
                if await self._until_stopped(
                    is_older_copy(self._journal, self._channel, self._skew)
                ):
                    self._lifecycle.hold(Reason.JOURNAL, _OLDER_COPY)
                self._is_checked = True
        if self._lifecycle.refusal is None:
            return batch
        await self._withdraw(batch, *self._lifecycle.refusal)
        return batch.part(())

    async def _unsuppressed(self, batch: Batch) -> Batch:
        """Settle what must not be written to; return the rest."""
        if self._suppress is None:
            return batch
        # Asked as late as possible: a STOP that came a second ago must be obeyed.
        numbers = [it.to or "" for it in batch.messages]
        try:
            reasons = await self._until_stopped(held_back(self._suppress, numbers))
        except _Cut:
            # No failure of the list: `_deliver` withdraws the batch.
            raise
        except Exception as error:
            # Fail closed: a list that cannot be read may hold any of these numbers.
            detail = f"the suppression list cannot be read ({type(error).__name__})"
            self._lifecycle.hold(Reason.HELD, detail)
            await self._withdraw(batch, Reason.HELD, detail)
            return batch.part(())
        if not reasons:
            return batch
        for reason in dict.fromkeys(reasons.values()):
            places = [it for it, number in enumerate(numbers) if reasons.get(number) is reason]
            is_opt_out = reason is Reason.OPTED_OUT
            detail = "on the suppression list" if is_opt_out else "held back by the sender"
            await self._withdraw(batch.part(places), reason, detail)
        return batch.part([it for it, number in enumerate(numbers) if number not in reasons])

    async def _affordable(self, batch: Batch) -> Batch:
        """Price and reserve a batch; settle what does not fit; return the rest."""
        budget = self._budget
        if budget is None:
            return batch
        # Without a price request, which would cost a turn of the pace and could not change the
        # answer.
        if budget.closed:
            await self._withdraw(batch, Reason.BUDGET, "the budget is used up")
            return batch.part(())
        try:
            # The very body that will be posted, so that the quote is for nothing else.
            quote = await self._until_stopped(self._channel.price(batch.body))
            await self._check_currency(quote.currency)
        # Without a quote a message could cost anything, so nothing is sent.
        except (ClickSendError, ClientClosedError) as error:
            await self._withdraw(batch, Reason.NOT_PRICED, str(error))
            return batch.part(())
        quotes = self._quoted(batch, quote.rows)
        # A row without a usable price holds back its own message only.
        unpriced = [place for place, it in enumerate(quotes) if it is None]
        if unpriced:
            detail = "no usable price was quoted for it"
            await self._withdraw(batch.part(unpriced), Reason.NOT_PRICED, detail)
        places = [place for place, it in enumerate(quotes) if it is not None]
        prices = budget.expected([it for it in quotes if it is not None])
        # Reserved before the intent: two lanes must not both spend the last cent.
        count = budget.reserve(prices)
        if count < len(places):
            left_out = batch.part(places[count:])
            await self._withdraw(left_out, Reason.BUDGET, "it does not fit the budget")
        part = batch if count == len(batch) else batch.part(places[:count])
        part.reserved = prices[:count]
        return part

    async def _post(self, batch: Batch) -> None:
        # Before the intent, so that no row of this request can be dated earlier.
        batch.sent = Moment(wall=time.time(), mono=_now())
        if self._journal is not None:
            batch = await self._begin(self._journal, batch)
            if not len(batch):
                return
            # Another lane may have been refused while this one waited for the journal.
            if (refusal := self._lifecycle.refusal) is not None:
                await self._settle(batch, never_sent(batch, *refusal))
                return
        # The lane has waited for the pace already; retries wait for it again.
        wire = Wire(turn_taken=True)
        fence = _Fence(self._lifecycle, self._journal)
        began = _now()
        reply: Reply | None = None
        try:
            # `stop` cuts this while it waits for a connection or a retry; once a byte is out, only
            # `abort` does.
            reply = await self._until_stopped(
                self._channel.post(batch.body, batch.refs, wire, fence, counted=batch.counted),
                wire,
                len(batch),
            )
            verdict = of_reply(batch, reply)
        except _Cut:
            verdict = self._cut_verdict(batch, wire)
        except Exception as error:
            # Of all errors before the first byte this one means that nothing more may be sent at
            # all.
            if fence.failure is not None:
                detail = self.lose_journal(fence.failure)
                verdict = Verdict(never_sent(batch, Reason.JOURNAL, detail))
            else:
                if not isinstance(error, ClickSendError | ClientClosedError):
                    log.exception("internal error while posting a batch")
                verdict = of_error(batch, error, sent=fence.was_passed)
        # The server's time stamp is good even if some rows are missing.
        if reply is not None:
            self._learn_clock(batch, reply)
        self.posts += 1
        self.failed_posts += not verdict.is_clean or reply is None
        await self._apply(batch, verdict)
        self._announce(batch, verdict, _now() - began)

    async def _begin(self, journal: JournalProtocol, batch: Batch) -> Batch:
        """Make the intent durable; return the part of the batch that is ours to send."""
        limit = self._budget.limit if self._budget is not None else None
        try:
            begun = await journal.begin(
                batch.rows, batch.attempt, reserved=batch.reserved, limit=limit
            )
        except Exception as error:
            # Without a durable intent, a crash after the request would leave no trace of it, and
            # the next run would send the messages a second time.
            detail = self.lose_journal(error)
            if self._budget is not None:
                self._budget.release(batch.reserved)
            batch.reserved = ()
            await self._withdraw(batch, Reason.JOURNAL, detail)
            return batch.part(())
        batch.journal_batch = begun.batch
        if len(begun.won) == len(batch):
            return batch
        # Another task or process was faster with some rows: its outcome will be theirs, too.
        won, over = set(begun.won), set(begun.over_budget)
        kept, lost, left_out = list[int](), list[int](), list[int]()
        for place, row in enumerate(batch.rows):
            (kept if row in won else left_out if row in over else lost).append(place)
            won.discard(row)  # of two messages of one row the first is sent
        ours = batch.part(kept)
        # Not sent by this attempt, so nothing of it can be charged.
        for places in (lost, left_out):
            if self._budget is not None and batch.reserved:
                self._budget.release([batch.reserved[it] for it in places])
        if left_out:
            part = batch.part(left_out)
            part.reserved = ()
            await self._withdraw(part, Reason.BUDGET, "it does not fit the budget")
        if lost:
            part = batch.part(lost)
            part.reserved = ()
            self.await_elsewhere(part)
        return ours

    def _cut_verdict(self, batch: Batch, wire: Wire) -> Verdict:
        # No byte is out, or the last attempt was answered with 429: provably not taken.
        if not wire.sent:
            return Verdict(never_sent(batch, *self._stopped))
        detail = f"{self._lifecycle.detail}, while it was on the wire"
        return Verdict(
            [
                Unknown(*it, Reason.ABORTED, detail)
                for it in zip(batch.messages, batch.refs, strict=True)
            ]
        )

    async def _apply(self, batch: Batch, verdict: Verdict) -> None:
        """Act on the end of a request."""
        if verdict.odd_rows:
            self.odd_rows += verdict.odd_rows
            log.warning("a reply held %d rows that belong to no message", verdict.odd_rows)
        # The history may list a message under another ref: its absence proves nothing any more.
        if verdict.altered_refs:
            self._channel.memory.refs_are_altered = True
        # First, as settling waits for the journal: no other lane may begin a request meanwhile.
        if verdict.hold is not None:
            self._lifecycle.hold(Reason.HELD, verdict.hold)
        if verdict.split:
            await self._split(batch)
        elif verdict.is_clean:
            await self._settle(batch, verdict.outcomes)  # type: ignore[arg-type]
        else:
            await self._doubt(batch, verdict)

    async def _split(self, batch: Batch) -> None:
        """Send a request that was too large in two halves."""
        # The claim ends here: each half begins again with its own intent.
        if self._journal is not None and batch.journal_batch is not None:
            await self._journal.finish(
                batch.rows, never_sent(batch, Reason.REFUSED, "too large"), batch.journal_batch
            )
        # `_deliver` prices and reserves each half again.
        if self._budget is not None:
            self._budget.release(batch.reserved)
        # The server takes nothing of a request that is too large, so this was no attempt.
        half = len(batch) // 2
        for places in (range(half), range(half, len(batch))):
            part = batch.part(places)
            part.journal_batch = None
            part.reserved = ()
            await self._deliver(part)

    async def _doubt(self, batch: Batch, verdict: Verdict) -> None:
        """Settle what is decided and look up the rest."""
        outcomes = verdict.outcomes
        open_places = [place for place, it in enumerate(outcomes) if it is None]
        decided = [place for place, it in enumerate(outcomes) if it is not None]
        # Before the settled part is settled: its sink may wake a task that looks at the counts.
        doubts = doubts_of(batch, open_places, verdict.doubt, _now())
        self.doubted += len(doubts)
        self.reconciler.add(doubts)
        if decided:
            part = batch.part(decided)
            await self._settle(part, [it for it in outcomes if it is not None])

    async def _withdraw(self, batch: Batch, reason: Reason, detail: str) -> None:
        """Settle a batch that will not be sent (again)."""
        outcomes = never_sent(batch, reason, detail)
        # Never begun here, so another process may have begun it: the journal decides.
        if self._journal is not None and batch.rows and batch.journal_batch is None:
            if batch.attempt == 1:
                # The journal writes NotSent only where no other owner has begun the row meanwhile.
                lost = set(await self._record(batch.rows, outcomes, None))
                if lost:  # another owner has begun these and reports their outcome
                    places = [it for it, row in enumerate(batch.rows) if row in lost]
                    self.await_elsewhere(batch.part(places))
                    batch = batch.part([it for it, row in enumerate(batch.rows) if row not in lost])
                    if len(batch):
                        self._settle_here(batch, never_sent(batch, reason, detail))
                    return
            else:
                # A further attempt: these rows are ours since the first one.
                await self._record(batch.rows, outcomes, 0)
            self._settle_here(batch, outcomes)
        else:
            await self._settle(batch, outcomes)

    async def _settle(self, batch: Batch, outcomes: Sequence[Outcome]) -> None:
        """Record and settle the outcomes of a whole batch."""
        # First the witness and the ids, then the outcome: its receiver may send the same again.
        self.reconciler.accepted(batch, outcomes)
        if self._journal is not None and batch.rows:
            await self._record(batch.rows, outcomes, batch.journal_batch or 0)
        self._settle_here(batch, outcomes)

    def _settle_here(self, batch: Batch, outcomes: Sequence[Outcome]) -> None:
        # Counted before a sink wakes its reader, so that `statistics` includes every outcome seen.
        self.count(outcomes)
        if self._budget is not None and batch.reserved:
            self._budget.settle(batch.reserved, outcomes)
        batch.settle(batch.tokens, outcomes)

    async def _record(
        self, rows: Sequence[int], outcomes: Sequence[Outcome], batch: int | None
    ) -> Sequence[int]:
        """Hand outcomes to the journal; one that is lost is found again as a doubt."""
        assert self._journal is not None
        try:
            return await self._journal.finish(rows, outcomes, batch)
        except Exception as error:
            self.lose_journal(error)
            return ()

    def count(self, outcomes: Sequence[Outcome]) -> None:
        """Count outcomes."""
        self.totals.add(outcomes)

    def lose_journal(self, error: Exception) -> str:
        """Send nothing more, as it could not be recorded; return the reason for people."""
        what = str(error) if isinstance(error, ClickSendError) else type(error).__name__
        detail = f"the journal cannot be used: {what}"
        self._lifecycle.hold(Reason.JOURNAL, detail)
        return detail

    # Messages that another task or process sends.

    def await_elsewhere(self, batch: Batch) -> None:
        """Settle messages that another task or process sends, when their outcome is known."""
        self._tasks.start_soon(self._await_elsewhere, batch)

    async def _await_elsewhere(self, batch: Batch) -> None:
        assert self._journal is not None
        outcomes: list[Outcome]
        with anyio.CancelScope(shield=True):
            try:
                # Cut by `abort` only: the other owner finishes, or its lease runs out.
                wire = Wire()
                wire.sent = True
                entries = await self._until_stopped(self._journal.outcome(batch.rows), wire, 0)
            except (_Cut, Exception) as error:
                why = (
                    self._lifecycle.detail if isinstance(error, _Cut) else self.lose_journal(error)
                )
                outcomes = [
                    Unknown(*it, Reason.ABORTED, f"sent by another task or process; {why}")
                    for it in zip(batch.messages, batch.refs, strict=True)
                ]
            else:
                found: dict[int, Entry] = {it.row: it for it in entries}
                outcomes = [
                    outcome_of(message, found[row])
                    if row in found
                    # Corrected, or erased: then whether it was sent before is not known any more.
                    else Unknown(message, ref, Reason.NOT_LOOKED_UP, "deleted from the journal")
                    for message, ref, row in zip(
                        batch.messages, batch.refs, batch.rows, strict=True
                    )
                ]
            # Not recorded: these outcomes come from the journal.
            self._settle_here(batch, outcomes)

    # What the reconciler asks for.

    async def conclude(self, verdicts: Sequence[tuple[Doubt, Outcome]], *, found: bool) -> None:
        """Record and settle outcomes of doubtful messages."""
        if not verdicts:
            return
        if found:
            self.found += sum(isinstance(it, Accepted) for _, it in verdicts)
        if self._journal is not None:
            # All at once: the journal writes a chunk's results much faster than a message's.
            entered = [(doubt.row, it) for doubt, it in verdicts if doubt.row is not None]
            if entered:
                rows = [row for row, _ in entered]
                await self._record(rows, [it for _, it in entered], 0)
        self.count([it for _, it in verdicts])
        for doubt, outcome in verdicts:
            if self._budget is not None:  # also what carries no reservation may have been charged
                self._budget.settle([doubt.reserved], [outcome])
            doubt.sink.settle([doubt.token], [outcome])

    def send_again(self, doubts: Sequence[Doubt]) -> None:
        """Queue doubtful messages for another attempt, in requests no larger than before."""
        self.resent += len(doubts)
        # Messages of different first requests are not mixed: a request that is too poisonous to be
        # answered would else infect another one's messages.
        groups: dict[object, list[Doubt]] = {}
        for doubt in doubts:
            groups.setdefault((doubt.attempt, doubt.origin), []).append(doubt)
        for group in groups.values():
            self._urgent.append(batch_of(group))
        self.wake()

    async def price_again(self, batch: Batch) -> list[Decimal | None]:
        """Return what messages may cost that are in doubt and carry no reservation."""
        try:
            return self._quoted(batch, (await self._channel.price(batch.body)).rows)
        # The caller reserves the whole budget for these: without a price there is no upper bound.
        except ClickSendError:
            return [None] * len(batch)

    async def taken(self, message_ids: Sequence[str]) -> set[str]:
        """Return those of some ids that other messages of the journal hold."""
        return set() if self._journal is None else await self._journal.taken(message_ids)

    def has_more_to_send(self) -> bool:
        """Whether new messages wait to be sent."""
        return bool(self._queue) and self._lifecycle.refusal is None

    # Cutting waits.

    @property
    def _stopped(self) -> tuple[Reason, str]:
        return Reason.STOPPED, self._lifecycle.detail

    async def _until_stopped(
        self, work: Awaitable[T], wire: Wire | None = None, size: int = 0
    ) -> T:
        """Await something that `stop` cuts as long as no byte is on the wire, and `abort` always.

        Raises:
            _Cut: it was cut.

        """
        with anyio.CancelScope() as scope:
            self._cuttable[scope] = wire or Wire(), size
            # `stop` may have come between two waits, when there was no scope to cancel.
            if self._is_to_be_cut(self._cuttable[scope][0]):
                scope.cancel()
            try:
                return await work
            finally:
                del self._cuttable[scope]
        # Only a cancellation of this scope leads here; one from outside is raised as itself.
        raise _Cut

    def _cut_by_stop(self) -> None:
        for scope, (wire, _) in list(self._cuttable.items()):
            if self._is_to_be_cut(wire):
                scope.cancel()
        self.wake()

    def _is_to_be_cut(self, wire: Wire) -> bool:
        phase = self._lifecycle.phase
        return phase is Phase.ABORTED or (phase >= Phase.STOPPED and not wire.sent)

    # Small things.

    def _learn_clock(self, batch: Batch, reply: Reply) -> None:
        """Learn the server's time from when it says that it took the first message."""
        assert batch.sent is not None
        assert batch.sent.mono is not None
        # Whether a scheduled message is dated by its schedule is unknown.
        if reply.date is not None and not batch.may_be_scheduled:
            self._channel.memory.clock.learn(reply.date, batch.sent.mono, _now())

    def _announce(self, batch: Batch, verdict: Verdict, seconds: float) -> None:
        if self._channel.on_batch is None:
            return
        counts = Report()
        # The length is enough: a look at the outcomes would make an object of each.
        if isinstance(verdict.outcomes, Acceptances):
            counts.accepted = len(batch)
        else:
            counts.add([it for it in verdict.outcomes if it is not None])
        self._channel.on_batch(
            BatchEvent(
                size=len(batch),
                attempt=batch.attempt,
                accepted=counts.accepted,
                rejected=counts.rejected,
                not_sent=counts.not_sent,
                unknown=len(batch) - counts.accepted - counts.rejected - counts.not_sent,
                seconds=seconds,
            )
        )

    def _quoted(self, batch: Batch, rows: Sequence[object]) -> list[Decimal | None]:
        """Return the price quoted for each message, None where there is none to rely on."""
        return list(map(quoted, match(batch.messages, batch.refs, Reply(rows)).outcomes))

    async def _check_currency(self, quoted_in: str | None) -> None:
        """Make sure that a quote is in the account's currency.

        Raises:
            ConfigurationError: it is not.

        """
        # Asked once per sender: an account's currency does not change during a run.
        if self._currency is None:
            self._currency = await self._until_stopped(self._channel.currency()) or ""
        # A reply may leave out its currency; only two different names prove a mismatch.
        if quoted_in and self._currency and quoted_in != self._currency:
            raise ConfigurationError(
                f"the price is quoted in {shown_currency(quoted_in)}, the account is kept in "
                f"{shown_currency(self._currency)}"
            )


def _now() -> float:
    return asyncio.get_running_loop().time()


def group_by_batch(entries: Sequence[Entry]) -> list[list[Entry]]:
    """Return entries in groups that shared a request."""
    # Messages of one request share its window in the history and its other attempts.
    ordered = sorted(entries, key=lambda it: (it.batch or 0, it.row))
    return [list(group) for _, group in groupby(ordered, key=lambda it: it.batch)]
