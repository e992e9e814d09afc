"""How messages come in and outcomes go out: handles for single sends, feeds for streams."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterable, Generator, Iterable, Sequence
from typing import Any

from ..models.messages import Message
from .outcome import Outcome
from .report import Report


class Handle:
    """The fate of one message: await it for its outcome.

    Cancelling the wait does not withdraw the message; any number of tasks may wait.
    """

    __slots__ = ("_waiters", "message", "outcome", "ref")

    def __init__(self, message: Message, ref: str) -> None:
        self.message = message
        self.ref = ref
        self.outcome: Outcome | None = None
        """None until it is known."""
        self._waiters: list[asyncio.Future[None]] = []

    def __await__(self) -> Generator[Any, None, Outcome]:
        if self.outcome is None:
            waiter = asyncio.get_running_loop().create_future()
            self._waiters.append(waiter)
            yield from waiter
        assert self.outcome is not None
        return self.outcome

    def settle(self, outcome: Outcome) -> None:
        """Set the outcome and wake who waits."""
        self.outcome = outcome
        for waiter in self._waiters:
            if not waiter.done():
                waiter.set_result(None)
        self._waiters.clear()

    def __repr__(self) -> str:
        return f"Handle(ref={self.ref!r}, outcome={self.outcome!r})"


class HandleSink:
    """Hands outcomes to handles, which are their own tokens."""

    def settle(self, tokens: Sequence[Handle], outcomes: Sequence[Outcome]) -> None:
        """Settle the handles."""
        for handle, outcome in zip(tokens, outcomes, strict=True):
            handle.settle(outcome)


class Feed:
    """The outcomes of one stream, in the order in which they become known.

    At most `ahead` batches are under way or unread, so memory stays flat however slow the reader.
    With a `report` there is nothing to read: outcomes are counted there as they come.
    """

    def __init__(
        self,
        messages: Iterable[Any] | AsyncIterable[Any],
        ahead: int,
        report: Report | None = None,
    ) -> None:
        self.messages = messages
        self.report = report
        self.room = asyncio.Semaphore(ahead)
        self.closed = False
        """The reader has gone: nothing more is taken in, what waits is withdrawn."""
        self.failure: BaseException | None = None
        """What the source of the messages raised."""
        self._ready: deque[Sequence[Outcome] | None] = deque()
        self._news = asyncio.Event()
        self._expected = 0
        self._ended = False

    def expect(self, count: int) -> None:
        """Count messages in, each of which will be settled once."""
        self._expected += count

    def settle(self, tokens: Sequence[Any], outcomes: Sequence[Outcome]) -> None:  # noqa: ARG002
        """Pass outcomes on to the reader."""
        self._expected -= len(outcomes)
        if self.report is not None:
            self.report.add(outcomes)
            if self._is_over:
                self._news.set()
        elif not self.closed:
            self._ready.append(outcomes)
            self._news.set()

    def answered(self) -> None:
        """Make room for another batch once the reader has got this far."""
        if self.closed or self.report is not None:
            self.room.release()
        else:
            self._ready.append(None)
            self._news.set()

    def end(self) -> None:
        """Say that the source is exhausted."""
        self._ended = True
        self._news.set()

    @property
    def _is_over(self) -> bool:
        return self._ended and not self._expected

    async def next(self) -> Sequence[Outcome] | None:
        """Return the next outcomes, None after the last.

        Raises:
            Exception: what the source of the messages raised, after the outcomes of all before.

        """
        while True:
            while self._ready:
                outcomes = self._ready.popleft()
                if outcomes is not None:
                    return outcomes
                self.room.release()
            if self._is_over:
                if self.failure is not None:
                    raise self.failure
                return None
            self._news.clear()
            await self._news.wait()

    def is_closed(self) -> bool:
        """Whether its reader has gone."""
        return self.closed

    def close(self) -> None:
        """Say that nobody reads on."""
        self.closed = True
        for _ in range(self._ready.count(None)):
            self.room.release()
        self._ready.clear()
