"""From messages to batches: checked, given their refs, frozen, and known to the journal."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import AsyncIterable, Awaitable, Callable, Iterable, Iterator, Sequence
from itertools import count
from typing import Any

import anyio
from msgspec import Struct

from ..errors import NotSentError
from ..models.messages import REF_PREFIX, Message, MmsMessage, check, freeze, thaw, with_ref
from . import express
from .batch import Batch, Remade
from .batcher import Batcher, Batching
from .channel import Channel
from .engine import Engine
from .intake import Feed
from .journal import Journal
from .known import Known
from .lookup import Entries
from .outcome import Accepted, NotSent, Outcome, Rejected, Unknown
from .rows import Distinct, price
from .sources import Lingering, Prompt


class Plan(Struct):
    """Messages that will be sent, and what is already known of others."""

    messages: Sequence[Message]
    refs: list[str]
    frozen: list[bytes]
    rows: Sequence[int]
    outcomes: list[Outcome]
    joined: list[Known]
    """Messages that are under way already; they will be told when those are."""
    body: bytes | None = None
    """The request of all of them, if they are as usual."""


class Planner:
    """Gives messages their refs; with a journal, the same ones to the same messages."""

    def __init__(
        self, engine: Engine, channel: Channel, journal: Journal | None, max_bytes: int
    ) -> None:
        self._engine = engine
        self._channel = channel
        self._journal = journal
        self._max_bytes = max_bytes
        self._prefix = f"{REF_PREFIX}{secrets.token_hex(6)}-"
        self._numbers = count()

    def new_ref(self) -> str:
        """Return a ref that no other message has."""
        return f"{self._prefix}{next(self._numbers):x}"

    async def plan(self, messages: list[Message], run: int, *, counted: bool) -> Plan:
        """Return what to do with messages of a stream; bad ones are NotSent, with the reason.

        Those whose outcomes are only counted need not be kept.
        """
        looked_for = self._journal is not None and self._journal.remembers
        if not looked_for and (plan := self._usual(messages, counted=counted)) is not None:
            return plan
        bodies = express.bodies_of(messages, self._channel.message)
        good, outcomes = messages, list[Outcome]()
        if bodies is None:
            good, bodies, outcomes = self._checked(messages)
        rows, prefix = self._places(len(good))
        refs = [it.custom_string or f"{prefix}{place:x}" for place, it in enumerate(good)]
        frozen = [
            body if message.custom_string else with_ref(body, ref)
            for message, body, ref in zip(good, bodies, refs, strict=True)
        ]
        if self._journal is None:
            return Plan(good, refs, frozen, (), outcomes, [])
        kinds = list(map(self.kind, good)) if self._channel.message is MmsMessage else None
        entries = Entries(rows, refs, bodies, frozen, kinds)
        if looked_for:
            try:
                known = await self.known(run, entries)
            except NotSentError as error:
                outcomes += [NotSent(*it, str(error)) for it in zip(good, refs, strict=True)]
                return Plan([], [], [], (), outcomes, [])
            if not isinstance(known, range):
                return self._sorted(list(zip(good, known, strict=True)), outcomes)
        else:
            self._journal.enter_all(entries, range(len(good)))
        self._engine.under_way.enter(rows)
        return Plan(good, refs, frozen, rows, outcomes, [])

    def _usual(self, messages: list[Message], *, counted: bool) -> Plan | None:
        """Return what to do with messages that are all new and as usual, None if one is not."""
        rows, prefix = self._places(len(messages))
        usual = express.body_of(messages, self._channel.message, prefix)
        if usual is None or len(usual[1]) > self._max_bytes:
            return None
        refs, body = usual
        if self._journal is not None:
            self._journal.enter(rows, body)
            self._engine.under_way.enter(rows)
        kept: Sequence[Message] = messages
        if counted:
            named = not isinstance(refs, Distinct)
            kept = Remade(body, self._channel.message, len(messages), named=named)
        return Plan(kept, refs, [], rows, [], [], body)

    def _places(self, count: int) -> tuple[range, str]:
        """Return rows of the journal for new messages, and what their refs begin with."""
        if self._journal is not None:
            return self._journal.places(count)
        return range(0), f"{self._prefix}{next(self._numbers):x}-"

    async def known(self, run: int, entries: Entries) -> range | list[Known]:
        """Return the rows of messages that are new to the journal, or all as it knows them now.

        Raises:
            NotSentError: the journal does not tell; nothing more is sent.

        """
        if self._journal is None or not entries.rows:
            return []
        try:
            return await self._known(self._journal, run, entries)
        except Exception as error:
            raise NotSentError(self._engine.lose_journal(error)) from error

    async def _known(self, journal: Journal, run: int, entries: Entries) -> range | list[Known]:
        known = await journal.claim(run, entries)
        if isinstance(known, range):
            return known
        # What was in doubt when the journal looked may have been settled on the way here.
        stale = [
            it.row
            for it in known
            if it.state in ("in_doubt", "unknown") and it.row not in self._engine.under_way
        ]
        if stale:
            fresh = {it.row: it for it in await journal.look(stale)}
            known = [fresh.get(it.row, it) for it in known]
        return known

    def again(self, known: Sequence[Known]) -> Plan:
        """Return what to do with messages that the journal held back."""
        return self._sorted([(thawed(self._channel, it), it) for it in known], [])

    def _sorted(self, messages: list[tuple[Message, Known]], outcomes: list[Outcome]) -> Plan:
        """Part messages the journal knows into those to send, those under way and those settled."""
        to_send, joined = [], []
        for message, known in messages:
            if known.row in self._engine.under_way:
                joined.append(known)
            elif (outcome := outcome_of(message, known)) is not None:
                outcomes.append(outcome)
            else:
                self._engine.under_way.enter([known.row])
                to_send.append((message, known))
        return Plan(
            [message for message, _ in to_send],
            [known.ref for _, known in to_send],
            [known.body for _, known in to_send],
            [known.row for _, known in to_send],
            outcomes,
            joined,
        )

    def _checked(
        self, messages: Sequence[Message]
    ) -> tuple[list[Message], list[bytes], list[Outcome]]:
        good: list[Message] = []
        bodies: list[bytes] = []
        bad: list[Outcome] = []
        for message in messages:
            try:
                self.check(message)
                bodies.append(freeze(message))
                good.append(message)
            except ValueError as error:
                bad.append(
                    NotSent(message, getattr(message, "custom_string", None) or "", str(error))
                )
        return good, bodies, bad

    def check(self, message: Any) -> None:
        """Check one message of a bulk.

        Raises:
            ValueError: what is wrong with it.

        """
        if message.__class__ is not self._channel.message:
            wanted = self._channel.message.__name__
            raise ValueError(f"not a {wanted} but a {type(message).__name__}")
        check(message, single=True)

    def kind(self, message: Message) -> str | None:
        """Return what a message shares with the others of its request, as the journal keeps it."""
        kind = self._channel.kind(message)
        return None if kind is None else str(kind)


class Feeder:
    """Reads a stream's messages as fast as its feed has room, and submits them in batches."""

    def __init__(
        self,
        engine: Engine,
        planner: Planner,
        channel: Channel,
        batching: Batching,
        ramp: Sequence[int],
    ) -> None:
        self._engine = engine
        self._planner = planner
        self._channel = channel
        self._batching = batching
        self._ramp = [step for step in ramp if step < batching.size]

    async def run(self, feed: Feed, run: int) -> None:
        """Feed until the source, the feed's reader or the sending ends."""
        source = feed.messages
        try:
            if isinstance(source, AsyncIterable):
                lingering = Lingering(source, self._batching)
                async with anyio.create_task_group() as tasks:
                    tasks.start_soon(lingering.read)
                    await self._take_all(feed, run, lingering.take)
                    tasks.cancel_scope.cancel()
            else:
                await self._take_all(feed, run, Prompt(source).take)
        finally:
            feed.end()

    async def _take_all(
        self, feed: Feed, run: int, take: Callable[[int], Awaitable[list[Any]]]
    ) -> None:
        try:
            size = self._step()
            while not self._over(feed):
                plan = await self._next_plan(feed, run, take, size)
                if plan is None:
                    break
                await self._submit(feed, plan, ramped=True)
                if not plan.messages:
                    await asyncio.sleep(0)  # many bad ones in a row must not keep others waiting
                # Where the journal knows all there is, nothing is sent that calls for a ramp.
                size = self._step() if plan.messages else self._batching.size
        except Exception as error:
            feed.failure = error

    async def _next_plan(
        self, feed: Feed, run: int, take: Callable[[int], Awaitable[list[Any]]], size: int
    ) -> Plan | None:
        # Apart from its caller, so that nobody holds the chunk while its request is waited for.
        if not (chunk := await take(size)):
            return None
        return await self._planner.plan(chunk, run, counted=feed.report is not None)

    async def resume(self, feed: Feed, journal: Journal) -> None:
        """Feed what the journal held back."""
        after = 0
        try:
            while not self._over(feed):
                await feed.room.acquire()
                feed.room.release()
                known = await journal.planned(after, self._batching.size)
                if not known:
                    return
                after = known[-1].row
                await self._submit(feed, self._planner.again(known), ramped=False)
        except Exception as error:
            feed.failure = error
        finally:
            feed.end()

    def join(self, feed: Feed, known: Iterable[Known]) -> None:
        """Let a feed learn the outcomes of messages that are under way already."""
        for it in known:
            feed.expect(1)
            self._engine.under_way.join(it.row, feed)

    async def _submit(self, feed: Feed, plan: Plan, *, ramped: bool) -> None:
        self.join(feed, plan.joined)  # at once, before one of them is settled
        if plan.outcomes:
            await feed.room.acquire()
            feed.expect(len(plan.outcomes))
            feed.settle((), plan.outcomes)
            feed.answered()
        whole = Batch(
            plan.messages,
            plan.refs,
            plan.frozen,
            feed,
            plan.messages,
            body=plan.body,
            rows=plan.rows,
        )
        for places in self._ramped(plan) if ramped else self._parts(plan):
            batch = whole if len(places) == len(whole) else whole.part(places)
            await feed.room.acquire()
            feed.expect(len(batch))
            batch.abandoned = feed.is_closed
            # A ref of the caller's may come again: then it is the ids that tell messages apart.
            batch.counted = (
                feed.report is not None and not plan.rows and isinstance(plan.refs, Distinct)
            )
            answered = asyncio.Event() if ramped and self._ramp else None
            batch.when_answered(
                feed.answered if answered is None else _both(feed.answered, answered.set)
            )
            self._engine.submit(batch)
            if answered is not None:
                await answered.wait()
                del self._ramp[:1]  # another stream may have taken the last step

    def _ramped(self, plan: Plan) -> Iterator[Sequence[int]]:
        """Yield the places of the messages of each request, the first ones as the ramp has it."""
        for places in self._parts(plan):
            rest = places
            while self._ramp and len(rest) > self._ramp[0]:
                step = self._ramp[0]
                yield rest[:step]
                rest = rest[step:]
            yield rest

    def _parts(self, plan: Plan) -> list[Sequence[int]]:
        """Return the places of the messages of each request."""
        everything = range(len(plan.messages))
        if plan.body is not None:
            return [everything]
        kinds = {self._channel.kind(it) for it in plan.messages}
        if len(kinds) <= 1 and sum(map(len, plan.frozen)) <= self._batching.max_bytes:
            return [everything] if plan.messages else []
        parts: list[Sequence[int]] = []
        batcher: Batcher[int] = Batcher(self._batching)
        for place in sorted(everything, key=lambda it: str(self._channel.kind(plan.messages[it]))):
            kind = self._channel.kind(plan.messages[place])
            parts += batcher.add(place, len(plan.frozen[place]), 0.0, kind)
        return [*parts, batcher.cut()] if len(batcher) else parts

    def _step(self) -> int:
        return self._ramp[0] if self._ramp else self._batching.size

    def _over(self, feed: Feed) -> bool:
        return feed.closed or self._engine.stopped is not None


def outcome_of(message: Message, known: Known) -> Outcome | None:
    """Return the outcome the journal holds for a message, None if it is to be sent."""
    match known.state:
        case "accepted":
            return Accepted(message, known.ref, known.message_id, known.parts, price(known.price))
        case "rejected":
            return Rejected(message, known.ref, known.reason or "")
        case "unknown" | "in_doubt":
            return Unknown(message, known.ref, known.reason or "")
        case _:
            return None


def thawed(channel: Channel, known: Known) -> Message:
    """Return the message that a body in the journal came from."""
    return thaw(known.body, channel.message, known.kind)


def _both(first: Callable[[], object], second: Callable[[], object]) -> Callable[[], None]:
    def call() -> None:
        first()
        second()

    return call
