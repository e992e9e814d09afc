"""The unit that travels: messages with their refs and frozen JSON, and where outcomes go."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from decimal import Decimal
from typing import Any, Protocol, overload

from msgspec import Struct

from ..models.messages import Message, thaw
from .known import Known, bodies_of
from .outcome import Outcome


class Sink(Protocol):
    """Receives outcomes; `tokens` are what it had given along with the messages."""

    def settle(self, tokens: Sequence[Any], outcomes: Sequence[Outcome]) -> None:
        """Take outcomes for good. Must not raise."""
        ...


def _never() -> bool:
    return False


class Remade(Sequence[Message]):
    """Messages that are made anew from their request when one of them is looked at.

    As objects a thousand of them take three times the memory; to free that when it has left the
    processor's caches costs more than all else that is done with them.
    """

    def __init__(self, body: bytes, kind: type[Message], count: int, *, named: bool) -> None:
        self._body = body
        self._kind = kind
        self._count = count
        self._named = named
        self._messages: list[Message] | None = None

    def __len__(self) -> int:
        return self._count

    @overload
    def __getitem__(self, index: int) -> Message: ...

    @overload
    def __getitem__(self, index: slice) -> list[Message]: ...

    def __getitem__(self, index: int | slice) -> Message | list[Message]:
        if self._messages is None:
            self._messages = [thaw(it, self._kind) for it in bodies_of(self._body)]
            if not self._named:
                for message in self._messages:
                    message.custom_string = None
        return self._messages[index]


class Batch:
    """Messages of one request. Never mixed anew: it is sent as it is, or in parts of itself.

    It is the sink of its own parts.
    """

    __slots__ = (
        "_done",
        "_frozen",
        "_on_answer",
        "_on_done",
        "abandoned",
        "body",
        "counted",
        "intent",
        "messages",
        "open",
        "refs",
        "reserved",
        "rows",
        "sink",
        "tokens",
        "tries",
    )

    def __init__(
        self,
        messages: Sequence[Message],
        refs: Sequence[str],
        frozen: Sequence[bytes],
        sink: Sink,
        tokens: Sequence[Any],
        *,
        body: bytes | None = None,
        rows: Sequence[int] = (),
        tries: int = 1,
    ) -> None:
        self.messages = messages
        self.refs = refs
        self._frozen = frozen
        self.body = body
        """The request it makes, if that is known already."""
        self.sink = sink
        self.tokens = tokens
        self.rows = rows
        """Their places in the journal, if there is one."""
        self.tries = tries
        """The how-manieth time these messages are sent, this one included."""
        self.open = len(messages)
        """Messages without an outcome."""
        self.reserved: list[Decimal] = []
        """What each may cost, if a budget is kept."""
        self.intent = 0.0
        """Wall time before the first byte left."""
        self.abandoned = _never
        """Tells whether nobody waits for it any more, so that it need not be sent."""
        self.counted = False
        """Whether its outcomes are only counted, and not looked at."""
        self._done: asyncio.Event | None = None
        self._on_done: Callable[[Batch], object] | None = None
        self._on_answer: Callable[[], object] | None = None

    def __len__(self) -> int:
        return len(self.messages)

    @property
    def frozen(self) -> Sequence[bytes]:
        """The JSON of each message, as it was or will be sent."""
        if self.body is not None and not self._frozen:
            self._frozen = bodies_of(self.body)
        return self._frozen

    def part(self, places: Sequence[int]) -> Batch:
        """Return a batch of some of the messages, which settles through this one."""
        other = Batch(
            [self.messages[it] for it in places],
            [self.refs[it] for it in places],
            [self.frozen[it] for it in places],
            self,
            [self.tokens[it] for it in places],
            rows=[self.rows[it] for it in places] if self.rows else (),
            tries=self.tries,
        )
        other.reserved = [self.reserved[it] for it in places] if self.reserved else []
        return other

    def settle(self, tokens: Sequence[Any], outcomes: Sequence[Outcome]) -> None:
        """Hand outcomes on and count them."""
        self.sink.settle(tokens, outcomes)
        self.open -= len(outcomes)
        if self.open == 0:
            if self._done is not None:
                self._done.set()
            if self._on_done is not None:
                self._on_done(self)

    def when_done(self, callback: Callable[[Batch], object]) -> None:
        """Have something called once every message has its outcome."""
        self._on_done = callback

    def when_answered(self, callback: Callable[[], object]) -> None:
        """Have something called once its request ended, however it did."""
        self._on_answer = callback

    def answered(self) -> None:
        """Say that its request ended."""
        if self._on_answer is not None:
            self._on_answer()

    async def wait(self) -> None:
        """Wait until every message has its outcome."""
        if self.open:
            if self._done is None:
                self._done = asyncio.Event()
            await self._done.wait()


class Doubt(Struct, eq=False):
    """A message whose bytes left and whose verdict is missing."""

    message: Message
    ref: str
    frozen: bytes
    sink: Sink
    token: Any
    origin: object
    """What it shared its request with, and may share the next one with."""
    row: int | None
    """Its place in the journal."""
    reserved: Decimal
    intent: float
    """Wall time before its bytes left."""
    failed: float
    """Monotonic time at which its verdict went missing."""
    reason: str
    tries: int
    passes: int = 0
    """Full searches of the history that did not show it."""
    due: float = 0.0
    """Monotonic time of the next search."""


def doubts_of(batch: Batch, places: Sequence[int], reason: str, now: float) -> list[Doubt]:
    """Return the doubts about some messages of a batch."""
    return [
        Doubt(
            message=batch.messages[it],
            ref=batch.refs[it],
            frozen=batch.frozen[it],
            sink=batch,
            token=batch.tokens[it],
            origin=batch,
            row=batch.rows[it] if batch.rows else None,
            reserved=batch.reserved[it] if batch.reserved else Decimal(0),
            intent=batch.intent,
            failed=now,
            reason=reason,
            tries=batch.tries,
        )
        for it in places
    ]


class _DoubtSink:
    """Hands the outcomes of messages sent again to where their first try came from."""

    def settle(self, tokens: Sequence[Any], outcomes: Sequence[Outcome]) -> None:
        for doubt, outcome in zip(tokens, outcomes, strict=True):
            doubt.sink.settle([doubt.token], [outcome])


def batch_of(doubts: Sequence[Doubt]) -> Batch:
    """Return a batch that sends doubtful messages again, under their refs and word for word."""
    batch = Batch(
        [it.message for it in doubts],
        [it.ref for it in doubts],
        [it.frozen for it in doubts],
        _DoubtSink(),
        doubts,
        rows=[it.row for it in doubts if it.row is not None],
        tries=doubts[0].tries + 1,
    )
    batch.reserved = [it.reserved for it in doubts]
    return batch


class _Nobody:
    """The sink of messages whose process is gone; the journal is told, and who joins."""

    def settle(self, tokens: Sequence[Any], outcomes: Sequence[Outcome]) -> None:
        pass


def batch_left(left: Sequence[tuple[Message, Known]]) -> Batch:
    """Return the batch that an earlier process left in doubt, by what the journal knows of it."""
    known = [it for _, it in left]
    batch = Batch(
        [message for message, _ in left],
        [it.ref for it in known],
        [it.body for it in known],
        _Nobody(),
        known,
        rows=[it.row for it in known],
    )
    batch.intent = known[0].intent
    return batch
