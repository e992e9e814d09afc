"""The lanes: they take batches from a queue, post them and settle what the replies say.

Every batch goes one of four ways::

    answered ──▶ rows by ref: Accepted, Rejected; no row: in doubt
    refused  ──▶ NotSent; 401 and 403 hold the run, 413 halves the batch
    not sent ──▶ NotSent
    no verdict ─▶ in doubt ──▶ Reconciler ──▶ found: Accepted; else Unknown, or sent again

A message that was in doubt once and is sent again can no longer end as NotSent.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from decimal import Decimal
from itertools import groupby
from typing import Any

import anyio

from ..errors import ClickSendError, NotSentError, ReplyError, UnknownOutcomeError
from ..models.messages import Message
from .batch import Batch, Doubt, batch_left, batch_of, doubts_of
from .budget import Purse, quoted
from .channel import Channel
from .journal import Journal
from .known import Known
from .matching import match, second_thought
from .outcome import Accepted, NotSent, Outcome, Unknown
from .reconcile import Reconcile, Reconciler
from .rows import AllAccepted, AnyRow, date_of
from .tally import Tally
from .under_way import UnderWay

log = logging.getLogger("aioclicksend")

_TOO_LARGE = 413
_ACCOUNT = (401, 403)


class Engine:
    """Sends batches and sees to it that each of their messages gets one outcome."""

    def __init__(
        self,
        channel: Channel,
        *,
        journal: Journal | None,
        reconcile: Reconcile,
        budget: Decimal | None,
        pause: bool,
        prepare: Callable[[Batch], Awaitable[Batch]],
    ) -> None:
        self._channel = channel
        self._journal = journal
        self._purse = None if budget is None else Purse(budget)
        self._pause = pause and reconcile.settle > 0
        self._prepare = prepare
        self.reconciler = Reconciler(
            channel.history,
            reconcile,
            self,
            by_text=channel.by_text,
            now=asyncio.get_running_loop().time,
        )
        self.tally = Tally()
        self.held: str | None = None
        """Why nothing more is sent: the account was refused."""
        self.stopped: str | None = None
        self._paused = False
        self._queue: deque[Batch] = deque()
        self._work = asyncio.Event()
        self._live: set[Batch] = set()
        self.under_way = UnderWay()
        self._wires: dict[anyio.CancelScope, int] = {}

    @property
    def queued(self) -> int:
        """Messages waiting for their request."""
        return sum(map(len, self._queue))

    @property
    def on_wire(self) -> int:
        """Messages in requests under way."""
        return sum(self._wires.values())

    def submit(self, batch: Batch) -> None:
        """Queue a batch."""
        self._live.add(batch)
        batch.when_done(self._live.discard)
        self._queue.append(batch)
        self._wake()

    def refusal(self) -> str | None:
        """Return why a message handed in now would not be sent, None if it would."""
        if self._purse is not None and self._purse.closed:
            return "budget"
        return self.stopped or self.held

    def hold(self, why: str) -> None:
        """Send nothing more: the account was refused, and the next messages would be too."""
        if self.held is None:
            self.held = f"held: {why}"
            log.warning("bulk sending is held: %s", why)

    def lose_journal(self, error: Exception) -> str:
        """Send nothing more, as it could not be written down; return that as a reason."""
        self.hold(f"the journal cannot be written ({error})")
        return str(self.held)

    def stop(self, why: str) -> None:
        """Withdraw what waits, let finish what is on the wire."""
        if self.stopped is None:
            self.stopped = why
        self._paused = False
        self._wake()
        queue, self._queue = self._queue, deque()
        for batch in queue:
            self._withdraw(batch, self.stopped)
            batch.answered()

    def abort(self, why: str) -> None:
        """Stop and leave: what is on the wire or in doubt becomes Unknown now."""
        self.stop(why)
        for scope in list(self._wires):
            scope.cancel()
        self.reconciler.give_up(why)

    async def drain(self) -> None:
        """Wait until everything submitted before has its outcome."""
        for batch in list(self._live):
            await batch.wait()

    async def finish(self) -> None:
        """Wait until nothing is left without an outcome."""
        while self._live:
            await self.drain()

    def take_over(self, left: Sequence[tuple[Message, Known]]) -> None:
        """Take over what an earlier process left in doubt, as if it had failed just now."""
        for _, group in groupby(sorted(left, key=_batch_and_row), key=lambda it: it[1].batch):
            batch = batch_left(list(group))
            batch.when_done(self._live.discard)
            self._live.add(batch)
            self.under_way.enter(batch.rows)
            self._doubt(batch, range(len(batch)), "its process ended before a verdict was written")

    async def lane(self) -> None:
        """Send batch after batch, until cancelled."""
        while True:
            while not self._queue or self._paused:
                self._work.clear()
                await self._work.wait()
            batch = self._queue.popleft()
            with anyio.CancelScope(shield=True) as scope:
                self._wires[scope] = len(batch)
                try:
                    await self._deliver(await self._prepared(batch))
                except NotSentError as error:
                    self._withdraw(batch, str(error))
                except Exception as error:
                    # Never meant to happen; if it does, what is open is looked up like the rest.
                    log.exception("a batch ended in an error of our own")
                    if batch.open == len(batch):
                        self._doubt(batch, range(len(batch)), type(error).__name__)
                finally:
                    del self._wires[scope]
            batch.answered()

    # What the reconciler tells.

    def conclude(self, verdicts: Sequence[tuple[Doubt, Outcome]], *, found: bool) -> None:
        """Book outcomes of doubtful messages."""
        if found:
            self.tally.found += sum(isinstance(it, Accepted) for _, it in verdicts)
        for doubt, outcome in verdicts:
            rows = () if doubt.row is None else (doubt.row,)
            self._book([outcome], rows, (doubt.reserved,))
            doubt.sink.settle([doubt.token], [outcome])

    def send_again(self, doubts: Sequence[Doubt]) -> None:
        """Queue doubtful messages for another try, in requests no larger than before."""
        self.tally.resent += len(doubts)
        groups: dict[object, list[Doubt]] = {}
        for doubt in doubts:
            groups.setdefault((doubt.tries, doubt.origin), []).append(doubt)
        for group in groups.values():
            self._queue.append(batch_of(group))
        self._wake()

    def searched(self) -> None:
        """Go on sending once every doubt has been searched for."""
        if self._paused and not self.reconciler.unsearched:
            self._paused = False
            self._wake()

    # One batch.

    async def _prepared(self, batch: Batch) -> Batch:
        """Return what of a batch is to be sent."""
        try:
            return await self._prepare(batch)
        except asyncio.CancelledError:
            self._withdraw(batch, str(self.stopped))
            raise

    async def _deliver(self, batch: Batch) -> None:
        if not batch.messages:
            return
        why = self.refusal()
        if why is None and batch.abandoned():
            why = "withdrawn: its stream was left"
        if why is not None and not (batch.tries > 1 and why == "budget"):
            self._withdraw(batch, why)
            return
        if self._purse is not None and not batch.reserved:
            batch = await self._afford(self._purse, batch)
        if batch.messages:
            await self._post(batch)

    async def _post(self, batch: Batch) -> None:
        body = self._body(batch)
        batch.intent = time.time()
        failed = True
        journaled = None
        state = "unknown"
        try:
            if self._journal is not None:
                journaled = await self._intend(self._journal, batch)
                if journaled is None:
                    return
            rows = await self._channel.send(body, batch.refs, counted=batch.counted)
        except asyncio.CancelledError:
            self._abandon(batch)
            raise
        except UnknownOutcomeError as error:
            self._doubt(batch, range(len(batch)), str(error))
        except ReplyError as error:
            state = "refused"
            await self._refused(batch, error)
        except NotSentError as error:
            state = "not_sent"
            self._not_taken(batch, str(error))
        except Exception as error:
            log.exception("a batch ended in an error of our own")
            self._doubt(batch, range(len(batch)), type(error).__name__)
        else:
            state = "answered"
            failed = self._answered(batch, rows)
        finally:
            self.tally.posts += 1
            self.tally.failed_posts += failed
            if self._journal is not None and journaled is not None:
                self._journal.end(journaled, state)

    async def _intend(self, journal: Journal, batch: Batch) -> int | None:
        """Write down that a batch is about to leave; None if that failed: then it must not."""
        try:
            return await journal.intend(batch.rows, batch.intent, batch.tries)
        except Exception as error:
            self._withdraw(batch, self.lose_journal(error))
            return None

    def _answered(self, batch: Batch, rows: Sequence[AnyRow]) -> bool:
        """Settle what the rows of a reply say; True if they leave something open."""
        self._read_clock(batch, rows)
        found = match(batch.messages, batch.refs, rows)
        self.tally.odd_rows += found.odd
        if found.odd:
            log.warning("a reply held %d rows that belong to no message", found.odd)
        if found.refusal is not None:
            self.hold(found.refusal)
        if isinstance(found.outcomes, AllAccepted) or None not in found.outcomes:
            self._settle(batch, found.outcomes)  # type: ignore[arg-type]
            return False
        places = [place for place, it in enumerate(found.outcomes) if it is not None]
        open_places = [place for place, it in enumerate(found.outcomes) if it is None]
        self._doubt(batch, open_places, "the reply has no row for it")
        self._settle_part(batch, places, [found.outcomes[it] for it in places])  # type: ignore[misc]
        return True

    async def _refused(self, batch: Batch, error: ReplyError) -> None:
        if error.status == _TOO_LARGE and len(batch) > 1:
            half = len(batch) // 2
            first, second = batch.part(range(half)), batch.part(range(half, len(batch)))
            try:
                await self._deliver(first)
            except asyncio.CancelledError:
                self._withdraw(second, str(self.stopped))
                raise
            await self._deliver(second)
            return
        if error.status in _ACCOUNT:
            self.hold(f"{error.status} {error.response_code}")
        self._not_taken(batch, str(error))

    def _not_taken(self, batch: Batch, why: str) -> None:
        """Settle a batch the server did not take this time."""
        if batch.tries > 1:
            self._doubt(batch, range(len(batch)), f"sent again in vain: {why}")
        else:
            self._settle(batch, [NotSent(*it, why) for it in _named(batch)])

    def _withdraw(self, batch: Batch, why: str) -> None:
        """Settle a batch that will not be sent (again)."""
        kind = Unknown if batch.tries > 1 else NotSent
        self._settle(batch, [kind(*it, why) for it in _named(batch)])

    def _abandon(self, batch: Batch) -> None:
        """Settle a batch whose request was cut off by `abort`."""
        why = f"{self.stopped}, while it was on the wire"
        self._settle(batch, [Unknown(*it, why) for it in _named(batch)])

    def _doubt(self, batch: Batch, places: Sequence[int], reason: str) -> None:
        now = asyncio.get_running_loop().time()
        doubts = doubts_of(batch, places, reason, now)
        self.tally.doubted += len(doubts)
        self.reconciler.add(doubts)
        # Once stopped there is nothing to hold back, and nobody who would go on.
        self._paused = self._pause and self.stopped is None

    def _settle(self, batch: Batch, outcomes: Sequence[Outcome]) -> None:
        """Settle a whole batch."""
        if batch.tries > 1:
            outcomes = list(map(second_thought, outcomes))
        self.reconciler.accepted(batch.refs, outcomes, batch.intent)
        self._book(outcomes, batch.rows, batch.reserved)
        batch.settle(batch.tokens, outcomes)

    def _settle_part(
        self, batch: Batch, places: Sequence[int], outcomes: Sequence[Outcome]
    ) -> None:
        part = batch.part(places)
        part.intent = batch.intent
        if places:
            self._settle(part, outcomes)

    def _book(
        self, outcomes: Sequence[Outcome], rows: Sequence[int], reserved: Sequence[Decimal]
    ) -> None:
        self.tally.add(outcomes)
        if self._journal is not None and rows:
            self._journal.record(rows, outcomes)
            self.under_way.settle(rows, outcomes)
        if self._purse is not None and reserved:
            self._purse.settle(reserved, outcomes)

    async def _afford(self, purse: Purse, batch: Batch) -> Batch:
        """Return the part of a batch that the budget allows, priced and reserved."""
        try:
            quote = await self._channel.price(self._body(batch))
        except asyncio.CancelledError:
            self._withdraw(batch, str(self.stopped))
            raise
        except ClickSendError as error:
            self._withdraw(batch, f"budget: not priced ({error})")
            return batch.part(())
        priced = list(map(quoted, match(batch.messages, batch.refs, quote.rows).outcomes))
        if None in priced:
            unpriced = [place for place, it in enumerate(priced) if it is None]
            self._withdraw(batch.part(unpriced), "budget: not priced")
        places = [place for place, it in enumerate(priced) if it is not None]
        prices = [it for it in priced if it is not None]
        count = purse.reserve(prices)
        if count < len(places):
            self._withdraw(batch.part(places[count:]), "budget")
        part = batch if count == len(batch) else batch.part(places[:count])
        part.reserved = prices[:count]
        return part

    def _read_clock(self, batch: Batch, rows: Sequence[AnyRow]) -> None:
        """Learn the server's time from when it says that it took the first message."""
        # Whether a scheduled message is dated by its schedule is unknown. A usual batch has none.
        if batch.body is None and any(it.schedule is not None for it in batch.messages):
            return
        if (date := date_of(rows)) is not None:
            self.reconciler.clock.observe(date, batch.intent, time.time())

    def _body(self, batch: Batch) -> bytes:
        return batch.body or self._channel.body(batch.messages, batch.frozen)

    def _wake(self) -> None:
        self._work.set()


def _batch_and_row(left: tuple[Message, Known]) -> tuple[int, int]:
    return left[1].batch or 0, left[1].row


def _named(batch: Batch) -> zip[tuple[Any, str]]:
    return zip(batch.messages, batch.refs, strict=True)
