"""What travels: a batch is the messages of one request, a doubt one message without a verdict.

A batch is never mixed with others: it is sent as it is, or in parts (a request that was too
large, messages that a budget or another owner left out). Outcomes of a part go through its parent,
so the parent knows when all of its messages are settled.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from decimal import Decimal
from typing import Any, Protocol

from msgspec import Struct

from ..models.messages import Message
from .encode import Encoded
from .outcome import Outcome


class Sink(Protocol):
    """Takes outcomes: handles of single messages, the stream of a run, or a parent batch."""

    def settle(self, tokens: Sequence[Any], outcomes: Sequence[Outcome]) -> None:
        """Take the final outcomes of the messages that came with these tokens. Must not raise."""
        ...


class Moment(Struct, frozen=True):
    """A point in time on two clocks."""

    wall: float
    """Unix seconds. May jump."""
    mono: float | None
    """Seconds on the event loop's clock, which never jumps; None if another process was there."""


def _never() -> bool:
    return False


class Batch:
    """Messages of one request, and where their outcomes go."""

    __slots__ = (
        "_encoded",
        "_on_answered",
        "_on_settled",
        "_places",
        "_settled",
        "attempt",
        "counted",
        "is_abandoned",
        "journal_batch",
        "messages",
        "open",
        "refs",
        "reserved",
        "rows",
        "sent",
        "sink",
        "tokens",
    )

    def __init__(
        self,
        encoded: Encoded,
        places: Sequence[int],
        sink: Sink,
        tokens: Sequence[Any],
        *,
        rows: Sequence[int] = (),
        attempt: int = 1,
    ) -> None:
        # The usual case shares the lists rather than copying a thousand references.
        whole = len(places) == len(encoded)
        self._encoded = encoded
        self._places = places
        self.messages: Sequence[Message] = (
            encoded.messages if whole else [encoded.messages[it] for it in places]
        )
        self.refs: Sequence[str] = encoded.refs if whole else [encoded.refs[it] for it in places]
        self.sink: Sink = sink
        self.tokens: Sequence[Any] = tokens
        self.rows: Sequence[int] = rows
        """Their rows in the journal, if there is one."""
        self.attempt: int = attempt
        """1 for the first time these messages are sent."""
        self.open: int = len(places)
        """Messages without an outcome."""
        self.reserved: Sequence[Decimal] = ()
        """What each may cost, under a budget."""
        self.sent: Moment | None = None
        """Just before its request; None as long as it has not been begun."""
        self.journal_batch: int | None = None
        """How the journal names the request, once it is begun."""
        self.counted: bool = False
        """Whether its outcomes are only counted: then the reply's ids need not be read."""
        self.is_abandoned: Callable[[], bool] = _never
        """Whether the reader of its outcomes has left, so that it need not be sent."""
        self._settled: asyncio.Event | None = None
        self._on_settled: Callable[[Batch], object] | None = None
        self._on_answered: Callable[[], object] | None = None

    def __len__(self) -> int:
        return len(self.refs)

    @property
    def body(self) -> bytes:
        """The body of its request."""
        return self._encoded.body(self._places)

    @property
    def has_unique_refs(self) -> bool:
        """Whether its refs were generated, so that each proves by itself whose a row is."""
        return self._encoded.has_unique_refs

    def has_unique_ref(self, place: int) -> bool:
        """Whether the ref of one message was generated."""
        return self._encoded.has_unique_ref(self._places[place])

    @property
    def may_be_scheduled(self) -> bool:
        """Whether some of its messages may have a `schedule`."""
        return self._encoded.may_be_scheduled

    def json(self, place: int) -> bytes:
        """Return the JSON of one message."""
        return self._encoded.bodies[self._places[place]]

    def media_file(self, place: int) -> str | None:
        """Return the media file of one message."""
        files = self._encoded.media_files
        return files[self._places[place]] if files else None

    def part(self, places: Sequence[int]) -> Batch:
        """Return a batch of some of the messages, which settles through this one."""
        other = Batch(
            self._encoded,
            [self._places[it] for it in places],
            self,
            [self.tokens[it] for it in places] if self.tokens else (),
            rows=[self.rows[it] for it in places] if self.rows else (),
            attempt=self.attempt,
        )
        other.reserved = [self.reserved[it] for it in places] if self.reserved else ()
        # If its request was made, what follows still belongs to that request.
        other.sent = self.sent
        other.journal_batch = self.journal_batch
        return other

    def settle(self, tokens: Sequence[Any], outcomes: Sequence[Outcome]) -> None:
        """Pass outcomes on, and count them."""
        # Passed on before it is counted: a task that waits for the batch finds all outcomes set.
        self.sink.settle(tokens, outcomes)
        self.open -= len(outcomes)
        if self.open == 0:
            if self._settled is not None:
                self._settled.set()
            if self._on_settled is not None:
                self._on_settled(self)

    def on_settled(self, callback: Callable[[Batch], object]) -> None:
        """Have something called once every message has its outcome."""
        self._on_settled = callback

    def on_answered(self, callback: Callable[[], object]) -> None:
        """Have something called once its request has ended, with or without a reply."""
        self._on_answered = callback

    def answered(self) -> None:
        """Announce that its request has ended, or will not be made."""
        if self._on_answered is not None:
            # Once only: a probe, its remainder and a withdrawal can all come here.
            callback, self._on_answered = self._on_answered, None
            callback()

    async def wait(self) -> None:
        """Wait until every message has its outcome."""
        if self.open:
            if self._settled is None:
                self._settled = asyncio.Event()
            await self._settled.wait()


# Compared by identity: two doubts with equal content are two messages.
class Doubt(Struct, eq=False):
    """A message whose bytes left, or may have left, and whose verdict is missing."""

    message: Message
    ref: str
    json: bytes
    media_file: str | None
    sink: Sink
    token: Any
    origin: object
    """What it shared its request with, and may share the next one with."""
    row: int | None
    reserved: Decimal
    sent: Moment
    """Just before its request."""
    failed: float
    """When its verdict went missing, on the event loop's clock."""
    detail: str
    """What went wrong, for people."""
    attempt: int
    has_unique_ref: bool
    may_resend: bool = True
    """False where absence from the history must not lead to another attempt."""
    passes: int = 0
    """Complete searches that did not show it."""
    due: float = 0.0
    """When it is looked up next, on the event loop's clock."""


def doubts_of(batch: Batch, places: Sequence[int], detail: str, now: float) -> list[Doubt]:
    """Return the doubts about some messages of a batch."""
    assert batch.sent is not None
    return [
        Doubt(
            message=batch.messages[it],
            ref=batch.refs[it],
            json=batch.json(it),
            media_file=batch.media_file(it),
            sink=batch,
            token=batch.tokens[it] if batch.tokens else None,
            origin=batch,
            row=batch.rows[it] if batch.rows else None,
            reserved=batch.reserved[it] if batch.reserved else Decimal(0),
            sent=batch.sent,
            failed=now,
            detail=detail,
            attempt=batch.attempt,
            has_unique_ref=batch.has_unique_ref(it),
            # Whether the history shows what is scheduled is unknown: its absence proves nothing.
            may_resend=batch.messages[it].schedule is None,
        )
        for it in places
    ]


class _DoubtSink:
    """Passes the outcomes of a further attempt to where the first attempt came from."""

    def settle(self, tokens: Sequence[Doubt], outcomes: Sequence[Outcome]) -> None:
        for doubt, outcome in zip(tokens, outcomes, strict=True):
            doubt.sink.settle([doubt.token], [outcome])


def batch_of(doubts: Sequence[Doubt]) -> Batch:
    """Return a batch that sends doubtful messages again: same refs, same JSON, same media file."""
    files = [it.media_file for it in doubts]
    # The bytes of the first attempt: the same ref with another text would prove nothing.
    encoded = Encoded(
        [it.message for it in doubts],
        [it.ref for it in doubts],
        bodies=[it.json for it in doubts],
        media_files=files if any(files) else None,
        generated=[it.has_unique_ref for it in doubts],
    )
    return Batch(
        encoded,
        range(len(doubts)),
        _DoubtSink(),
        doubts,
        rows=[it.row for it in doubts if it.row is not None],
        attempt=doubts[0].attempt + 1,
    )
