"""The one entrance: single messages and streams become batches, when a lane is ready for them.

::

    send(m) ─ room? ─▶ Gathering ─┐                         ┌─▶ bad ones: NotSent
    stream(ms), run ─▶ Gathering ─┴─▶ queue ─▶ a lane takes ─┤─▶ known to the journal: their outcome
                       grows until                  admit    └─▶ Batch, one for each request
                       it is taken, at most `size`

Batching is adaptive: a gathering stands in the queue from its first message on and keeps growing
until a lane takes it. A lane does so when the pace lets its request start. So a message never waits
while a lane and the pace are free; what is handed over in the same turn of the event loop leaves
together; and under load batches fill up by themselves. A `linger` keeps a gathering out of the
queue on purpose. Synchronous sources never wait, so their gatherings are always filled first.

Handles and outcome streams are the two sinks: a single message is a stream of one.

Invariant: a message that was read from a source or accepted by `put` stands in exactly one
gathering until it has its outcome, however the sender ends.
"""

from __future__ import annotations

import asyncio
import secrets
from collections import deque
from collections.abc import (
    AsyncIterable,
    Awaitable,
    Callable,
    Coroutine,
    Generator,
    Iterable,
    Sequence,
)
from functools import partial
from itertools import count, islice
from typing import Any, Protocol

import anyio
from msgspec import Struct

from ..models.messages import REF_PREFIX, Message
from .batch import Batch, Sink
from .channel import Channel
from .encode import Encoded
from .journal import Entry, JournalProtocol, State
from .lifecycle import Lifecycle
from .outcome import Accepted, NotSent, Outcome, Reason, Rejected, Report, Unknown


class Batching(Struct, frozen=True):
    """How messages are put together into requests."""

    size: int = 1000
    """Messages per request, at most 1000."""
    linger: float = 0.0
    """Seconds to wait for further messages on purpose, though a request could leave."""
    max_bytes: int = 4_000_000
    """Bytes of the messages of a request."""
    queue: int = 10_000
    """Single messages that may wait before `send` makes its caller wait."""

    def __post_init__(self) -> None:
        if not 1 <= self.size <= 1000:
            raise ValueError("Batching: size must be from 1 to 1000, the API's limit")
        if not self.linger >= 0 or self.max_bytes < 1 or self.queue < 1:
            raise ValueError("Batching: linger, max_bytes and queue must be positive")


class Handle:
    """One message on its way: await it for the outcome.

    Cancelling the wait does not withdraw the message. Any number of tasks may wait.
    """

    __slots__ = ("_waiters", "message", "outcome", "ref")

    def __init__(self, message: Message, ref: str) -> None:
        self.message: Message = message
        self.ref: str = ref
        """The message's `custom_string`, given or generated."""
        self.outcome: Outcome | None = None
        """None until it is known."""
        self._waiters: list[asyncio.Future[None]] = []

    def __await__(self) -> Generator[Any, None, Outcome]:
        if self.outcome is None:
            # One future per waiter: cancelling one task's wait must not end the others'.
            waiter = asyncio.get_running_loop().create_future()
            self._waiters.append(waiter)
            yield from waiter
        assert self.outcome is not None
        return self.outcome

    def settle(self, outcome: Outcome) -> None:
        """Set the outcome and wake the waiting tasks."""
        self.outcome = outcome
        # A journal may hold the message under the ref of an earlier run.
        self.ref = outcome.ref or self.ref
        for waiter in self._waiters:
            if not waiter.done():
                waiter.set_result(None)
        self._waiters.clear()

    def __repr__(self) -> str:
        return f"Handle(ref={self.ref!r}, outcome={self.outcome!r})"


class _Handles:
    """The sink of single messages, whose tokens are their handles."""

    def settle(self, tokens: Sequence[Handle], outcomes: Sequence[Outcome]) -> None:
        for handle, outcome in zip(tokens, outcomes, strict=True):
            handle.settle(outcome)


class OutcomeStream:
    """The outcomes of one run or stream, in the order in which they become known.

    At most `ahead` gatherings are under way or unread, so memory stays flat however slow the reader
    is. With a `report` there is nothing to read: outcomes are counted as they come.
    """

    def __init__(self, ahead: int, report: Report | None = None) -> None:
        self.report = report
        self.is_closed: bool = False
        """Whether the reader has left: nothing more is taken in, what waits is withdrawn."""
        self.failure: BaseException | None = None
        """What the source of the messages raised."""
        self.on_close: Callable[[], object] | None = None
        """Called when the reader leaves: a source may be idle forever."""
        self.room: asyncio.Semaphore = asyncio.Semaphore(ahead)
        self._ready: deque[Sequence[Outcome] | None] = deque()
        self._changed = asyncio.Event()
        self._expected = 0
        self._ended = False

    def expect(self, count: int) -> None:
        """Count messages that were read; each will be settled once."""
        self._expected += count

    def settle(self, tokens: Sequence[Any], outcomes: Sequence[Outcome]) -> None:  # noqa: ARG002
        """Pass outcomes to the reader."""
        self._expected -= len(outcomes)
        if self.report is not None:
            self.report.add(outcomes)
            if self._is_over:
                self._changed.set()
        # Without a reader the outcome is dropped here; it was counted and recorded before.
        elif not self.is_closed:
            self._ready.append(outcomes)
            self._changed.set()

    def gathering_answered(self) -> None:
        """Make room for another gathering once the reader has come this far."""
        # Without a reader the room is free at once, else when its outcomes were read (`next`).
        if self.is_closed or self.report is not None:
            self.room.release()
        else:
            self._ready.append(None)
            self._changed.set()

    def end(self) -> None:
        """Announce that nothing more will be read from the source."""
        self._ended = True
        self._changed.set()

    @property
    def _is_over(self) -> bool:
        return self._ended and not self._expected

    async def next(self) -> Sequence[Outcome] | None:
        """Return the next outcomes, None after the last.

        Raises:
            Exception: what the source raised, after the outcomes of all messages before.

        """
        while True:
            while self._ready:
                outcomes = self._ready.popleft()
                if outcomes is not None:
                    return outcomes
                # A None ends a gathering: all of its outcomes have been read.
                self.room.release()
            if self._is_over:
                if self.failure is not None:
                    raise self.failure
                return None
            self._changed.clear()
            await self._changed.wait()

    def has_left(self) -> bool:
        """Whether the reader has left."""
        return self.is_closed

    def close(self) -> None:
        """Announce that the reader has left."""
        self.is_closed = True
        # The source's task may wait for room: it must wake to see that the reader has left.
        for _ in range(self._ready.count(None)):
            self.room.release()
        self._ready.clear()
        if self.on_close is not None:
            self.on_close()


class Queue(Protocol):
    """What the intake needs of the dispatcher."""

    def submit(self, gathering: Gathering) -> None:
        """Queue a gathering; it may go on growing until a lane takes it."""
        ...

    def track(self, item: Gathering) -> None:
        """Keep account of a gathering until all of its messages are settled."""
        ...

    def lose_journal(self, error: Exception) -> str:
        """Hold the sending, as the journal cannot be used; return the reason for people."""
        ...

    def count(self, outcomes: Sequence[Outcome]) -> None:
        """Count outcomes that no request has brought."""
        ...

    def await_elsewhere(self, batch: Batch) -> None:
        """Settle messages that another task or process sends, when their outcome is known."""
        ...


class Gathering:
    """Messages that will leave together, as far as they may. The sink of their batches."""

    __slots__ = (
        "_intake",
        "_settled",
        "answered",
        "counted",
        "entries",
        "is_submitted",
        "is_taken",
        "keys",
        "messages",
        "on_settled",
        "open",
        "prefix",
        "requests",
        "run",
        "sink",
        "stream",
        "tokens",
        "was_posted",
    )

    def __init__(
        self, intake: Intake, sink: Sink, *, run: int, prefix: str, stream: OutcomeStream | None
    ) -> None:
        self._intake = intake
        self.sink: Sink = sink
        self.run: int = run
        self.prefix: str = prefix
        self.stream: OutcomeStream | None = stream
        self.counted: bool = stream is not None and stream.report is not None
        self.messages: list[Any] = []
        self.tokens: list[Any] = []
        self.keys: list[str | None] = []
        self.open: int = 0
        """Messages without an outcome."""
        self.requests: int = 0
        """Requests it became that have not ended."""
        self.entries: Sequence[Entry] = ()
        """Instead of messages: what a journal holds back."""
        self.is_submitted: bool = False
        self.is_taken: bool = False
        """Whether a lane has taken it, so that it grows no more."""
        self.was_posted: bool = False
        """Whether it became requests."""
        self.answered: asyncio.Event = asyncio.Event()
        """Set once its requests have ended, or none was needed."""
        self.on_settled: Callable[[Gathering], object] | None = None
        self._settled: asyncio.Event | None = None

    def __len__(self) -> int:
        return len(self.entries) or len(self.messages)

    def append(self, message: Any, token: Any = None, key: str | None = None) -> None:
        """Add a message; one of a stream has no token."""
        self.messages.append(message)
        self.open += 1
        if token is not None:
            self.tokens.append(token)
            self.keys.append(key)

    async def take(self) -> list[Batch]:
        """Return the batches it becomes. It grows no more."""
        return await self._intake.admit(self)

    def settle(self, tokens: Sequence[Any], outcomes: Sequence[Outcome]) -> None:
        """Pass outcomes on, and count them."""
        self.sink.settle(tokens, outcomes)
        self.open -= len(outcomes)
        if self.open == 0:
            if self._settled is not None:
                self._settled.set()
            if self.on_settled is not None:
                self.on_settled(self)

    def request_ended(self) -> None:
        """Count a request that has ended; after the last one the gathering is answered."""
        self.requests -= 1
        # Below 0 if it was withdrawn before its requests were counted.
        if self.requests <= 0 and not self.answered.is_set():
            self.answered.set()
            if self.stream is not None:
                self.stream.gathering_answered()

    async def wait(self) -> None:
        """Wait until every message has its outcome."""
        if self.open:
            if self._settled is None:
                self._settled = asyncio.Event()
            await self._settled.wait()


class _Room:
    """How many single messages may still wait. A stop wakes all tasks that wait for room."""

    def __init__(self, size: int, lifecycle: Lifecycle) -> None:
        self._free = size
        self._lifecycle = lifecycle
        self._waiters: deque[asyncio.Future[None]] = deque()
        lifecycle.on_change(lambda: self._wake(len(self._waiters)))

    async def acquire(self) -> None:
        """Take room for one message.

        Raises:
            RuntimeError: the sender was stopped or closed meanwhile.

        """
        self._lifecycle.raise_unless_open()
        # In a loop: another caller may take the room while this one is being woken.
        while self._free <= 0:
            waiter: asyncio.Future[None] = asyncio.get_running_loop().create_future()
            self._waiters.append(waiter)
            try:
                await waiter
            except asyncio.CancelledError:
                # A wake-up that is lost here would leave room unused forever.
                if waiter.done() and not waiter.cancelled():
                    self._wake(1)  # pass the room on to the next waiter
                raise
            self._lifecycle.raise_unless_open()
        self._free -= 1

    def release(self, size: int) -> None:
        """Give room back."""
        self._free += size
        self._wake(size)

    def _wake(self, size: int) -> None:
        while size > 0 and self._waiters:
            waiter = self._waiters.popleft()
            if not waiter.done():
                waiter.set_result(None)
                size -= 1


class Intake:
    """Takes messages in and turns them into batches."""

    def __init__(
        self,
        channel: Channel,
        journal: JournalProtocol | None,
        lifecycle: Lifecycle,
        *,
        queue: Queue,
        batching: Batching,
        ramp: Sequence[int],
    ) -> None:
        self._channel = channel
        self._journal = journal
        self._lifecycle = lifecycle
        self._queue = queue
        self._batching = batching
        # From the full size on batches do not grow, so waiting for an answer would only cost time.
        self._ramp = deque(step for step in ramp if step < batching.size)
        self._stride = 0
        """Messages that may be read at once behind known ones, also where the ramp has fewer."""
        self._room = _Room(batching.queue, lifecycle)
        self._handles = _Handles()
        self._singles: Gathering | None = None
        """The gathering of single messages that still grows."""
        self._lingering: dict[Gathering, asyncio.TimerHandle] = {}
        self._reading_tasks: set[asyncio.Task[None]] = set()
        # Random for each sender: without a journal nothing else keeps the refs of two processes
        # apart.
        self._prefix = f"{REF_PREFIX}{secrets.token_hex(6)}"
        self._numbers = count()

    # Single messages.

    async def put(self, message: Message, key: str | None) -> Handle:
        """Take one message in, once there is room.

        Raises:
            ValueError: something is wrong with the message or the key.
            RuntimeError: the sender was stopped or closed.

        """
        # Before the wait for room: a bad message is raised to its caller at once.
        self._channel.check(message)
        if key is not None:
            self._check_key(key)
        await self._room.acquire()
        gathering = self._singles
        # A full one is in the queue already and must not grow beyond a request.
        if gathering is None or len(gathering) >= self._batching.size:
            gathering = self._singles = self._gather(self._handles, run=0)
        handle = Handle(message, message.custom_string or f"{gathering.prefix}{len(gathering):x}")
        gathering.append(message, handle, key)
        self._offer(gathering, self._batching.size)
        return handle

    def flush(self) -> None:
        """Queue what lingers."""
        for gathering in list(self._lingering):
            self._submit(gathering)

    def _check_key(self, key: str) -> None:
        if self._journal is None:
            raise ValueError("key: is kept by a journal; open the sender with journal=...")
        if not isinstance(key, str) or not key.strip():
            raise ValueError("key: must be text that is not blank")

    # Streams.

    def start(self, reading: Coroutine[Any, Any, None]) -> None:
        """Read a source in the background."""
        # No task of the sender's group, which may be cancelled before this one has run at all.
        task = asyncio.create_task(reading)
        self._reading_tasks.add(task)
        task.add_done_callback(self._reading_tasks.discard)

    async def read(
        self, stream: OutcomeStream, messages: Iterable[Any] | AsyncIterable[Any], run: int
    ) -> None:
        """Read a source until it, the reader of its outcomes or the sending ends."""
        if isinstance(messages, AsyncIterable):
            await self._reading(stream, partial(self._read_async, stream, messages, run))
        else:
            await self._reading(stream, partial(self._read_sync, stream, messages, run))

    async def resume(self, stream: OutcomeStream, journal: JournalProtocol) -> None:
        """Send what the journal holds back."""
        await self._reading(stream, partial(self._read_journal, stream, journal))

    async def end(self) -> None:
        """Wait until no source is read any more, as after the end of the sending none is."""
        while self._reading_tasks:
            await asyncio.wait(self._reading_tasks)

    async def _reading(
        self, stream: OutcomeStream, read: Callable[[anyio.CancelScope], Awaitable[None]]
    ) -> None:
        """Read for a stream until the sending ends or its reader leaves."""
        try:
            # A source may be idle, and a reader away, forever: only a cancellation ends the wait.
            with anyio.CancelScope() as scope:
                forget = self._lifecycle.on_change(scope.cancel)
                stream.on_close = scope.cancel
                try:
                    # What cancels may have come before.
                    if self._may_read(stream):
                        await read(scope)
                finally:
                    forget()
                    # Not after the scope: it swallows nothing if its task group is cancelled too.
                    if scope.cancel_called:
                        self._note_stop(stream)
        except Exception as error:
            # The reader gets it after the outcomes of everything that was read before.
            stream.failure = error
        finally:
            stream.end()

    async def _read_sync(
        self,
        stream: OutcomeStream,
        messages: Iterable[Any],
        run: int,
        scope: anyio.CancelScope,  # noqa: ARG002
    ) -> None:
        source = iter(messages)
        failure: BaseException | None = None
        while failure is None and await self._make_room(stream):
            chunk: list[Any] = []
            try:
                # In one go, without a turn of the event loop between two messages: that makes
                # synchronous sources fast. What was read before an error is sent all the same.
                chunk.extend(islice(source, self._step()))
            except Exception as error:
                failure = error
            # Raised by the source itself, as this block awaits nothing.
            except asyncio.CancelledError as error:
                failure = _leaked(error)
            if not chunk:
                stream.room.release()
                break
            gathering = self._gather(stream, run=run, stream=stream)
            gathering.messages = chunk
            gathering.open = len(chunk)
            stream.expect(len(chunk))
            self._submit(gathering)
            await self._wait_for_ramp(gathering)
        if failure is not None:
            raise failure

    async def _read_async(
        self,
        stream: OutcomeStream,
        messages: AsyncIterable[Any],
        run: int,
        scope: anyio.CancelScope,
    ) -> None:
        gathering: Gathering | None = None
        try:
            async for message in messages:
                before, step = gathering, self._step()
                fresh = before is None or before.is_taken or len(before) >= step
                if gathering is None or fresh:
                    gathering = self._gather(stream, run=run, stream=stream)
                # In a gathering before anything is waited for: from here on it has an outcome.
                stream.expect(1)
                gathering.append(message)
                # A source that never waits, or swallows a cancellation, continues after it.
                if scope.cancel_called:
                    return
                if fresh:
                    if before is not None:
                        await self._wait_for_ramp(before)
                    if not await self._make_room(stream):
                        return
                self._offer(gathering, step)
        # Ours, of the scope or the task, or raised by the source itself: only the last is its
        # error.
        except asyncio.CancelledError as error:
            if scope.cancel_called or _is_cancelled():
                raise
            raise _leaked(error) from error
        finally:
            if gathering is not None:
                self._submit(gathering)

    async def _read_journal(
        self,
        stream: OutcomeStream,
        journal: JournalProtocol,
        scope: anyio.CancelScope,  # noqa: ARG002
    ) -> None:
        after = 0
        while await self._make_room(stream):
            entries = await journal.claim(State.PLANNED, self._batching.size, after)
            if not entries:
                stream.room.release()
                return
            # By row, not by offset: what is sent meanwhile leaves the set that is being read.
            after = entries[-1].row
            gathering = self._gather(stream, run=0, stream=stream)
            gathering.entries = entries
            gathering.open = len(entries)
            stream.expect(len(entries))
            self._submit(gathering)

    def expect(self, stream: OutcomeStream, entries: Sequence[Entry]) -> None:
        """Let a stream learn the outcomes of messages that are under way already."""
        gathering = self._gather(stream, run=0, stream=stream)
        gathering.open = len(entries)
        stream.expect(len(entries))
        self._queue.track(gathering)
        self._elsewhere(gathering, entries, [self._thaw(it) for it in entries], ())

    async def _make_room(self, stream: OutcomeStream) -> bool:
        """Wait until another gathering may be read; False if nothing more is taken in."""
        # This wait is what keeps memory flat: reading stops while too much is unsent or unread.
        await stream.room.acquire()
        if self._may_read(stream):
            return True
        stream.room.release()
        return False

    def _may_read(self, stream: OutcomeStream) -> bool:
        """Whether more of a stream's source may be read."""
        if self._lifecycle.takes_in and not stream.is_closed:
            return True
        self._note_stop(stream)
        return False

    def _note_stop(self, stream: OutcomeStream) -> None:
        if stream.report is not None:
            stream.report.stopped = True

    async def _wait_for_ramp(self, gathering: Gathering) -> None:
        """At the beginning of a sender: wait until a gathering is answered before the next one."""
        if self._ramp:
            # A wrong text or sender is to be noticed at the first message, not at the thousandth.
            await gathering.answered.wait()
            if not gathering.was_posted:
                # Known and bad messages show nothing, but a long known list must not take long: of
                # what follows it, as many may be tried at once as were known.
                self._stride = min(2 * self._step(), self._batching.size)
            elif self._ramp:  # another stream may have taken the last step
                self._stride = 0
                self._ramp.popleft()

    def _step(self) -> int:
        return max(self._ramp[0], self._stride) if self._ramp else self._batching.size

    # Gatherings.

    def _gather(self, sink: Sink, *, run: int, stream: OutcomeStream | None = None) -> Gathering:
        if self._journal is not None:
            prefix = self._journal.ref_prefix()
        else:
            prefix = f"{self._prefix}-{next(self._numbers):x}-"
        gathering = Gathering(self, sink, run=run, prefix=prefix, stream=stream)
        self._queue.track(gathering)
        return gathering

    def _offer(self, gathering: Gathering, size: int) -> None:
        """Queue a gathering, unless it is to linger."""
        if gathering.is_submitted:
            return
        if self._batching.linger == 0 or len(gathering) >= size:
            self._submit(gathering)
        # The time runs from the first message on: later ones must not prolong its wait.
        elif gathering not in self._lingering:
            self._lingering[gathering] = asyncio.get_running_loop().call_later(
                self._batching.linger, self._submit, gathering
            )

    def _submit(self, gathering: Gathering) -> None:
        timer = self._lingering.pop(gathering, None)
        if timer is not None:
            timer.cancel()
        # The timer, `flush` and a full gathering may all ask for it.
        if not gathering.is_submitted:
            gathering.is_submitted = True
            self._queue.submit(gathering)

    # From gatherings to batches.

    async def admit(self, gathering: Gathering) -> list[Batch]:
        """Return the batches that a gathering becomes; the rest of its messages is settled."""
        # Before the first await: a message that is added later would get no outcome.
        gathering.is_taken = True
        if gathering is self._singles:
            self._singles = None
        # Room is given back here: `queue` bounds what waits, the lanes bound what is in flight.
        if gathering.sink is self._handles:
            self._room.release(len(gathering))
        if (refusal := self._lifecycle.refusal) is not None:
            if gathering.stream is not None:
                self._note_stop(gathering.stream)
            # A journal may know better what became of these: then they are planned like all others,
            # and withdrawn afterwards. One that is lost must not be asked for the whole list.
            if self._journal is None or refusal[0] is Reason.JOURNAL:
                self._refuse(gathering, *refusal)
                return []
        if gathering.entries:
            messages = [self._thaw(it) for it in gathering.entries]
            return self._batches_of_entries(gathering, gathering.entries, messages, ())
        # Keys rule out the encoder's fast path, so a list of None is not passed on.
        encoded = self._channel.encode(
            gathering.messages,
            prefix=gathering.prefix,
            keys=gathering.keys if any(gathering.keys) else None,
            compact=gathering.counted,
        )
        # Their JSON is all that is needed from here on; a run frees a thousand objects by this.
        gathering.messages = []
        tokens = self._settle_bad(gathering, encoded)
        if not len(encoded):
            return []
        if self._journal is None:
            return self._batches(
                gathering, encoded, encoded.requests(self._batching.max_bytes), tokens
            )
        return await self._plan(self._journal, gathering, encoded, tokens)

    async def _plan(
        self,
        journal: JournalProtocol,
        gathering: Gathering,
        encoded: Encoded,
        tokens: Sequence[Any],
    ) -> list[Batch]:
        """Enter messages in the journal and part those it knows from those to send."""
        try:
            # What the journal says here can be outdated by the time of `begin`, which decides.
            planned = await journal.plan(gathering.run, encoded)
        except Exception as error:
            detail = self._queue.lose_journal(error)
            outcomes: list[Outcome] = [
                NotSent(message, ref, Reason.JOURNAL, detail)
                for message, ref in zip(encoded.messages, encoded.refs, strict=True)
            ]
            self._settle(gathering, tokens, outcomes)
            return []
        # The same list again: its outcomes come from the journal in columns, not one by one.
        if planned.accepted is not None:
            self._settle(gathering, tokens, planned.accepted.of(encoded.messages))
            return []
        # The usual case: all are new and different, and the encoded body is sent as it is.
        max_bytes = self._batching.max_bytes
        if not planned.known and len(set(planned.rows)) == len(planned.rows):
            return self._batches(
                gathering, encoded, encoded.requests(max_bytes), tokens, planned.rows
            )
        batches: list[Batch] = []
        new, repeated, entered = list[int](), list[int](), dict[int, int]()
        for place, row in enumerate(planned.rows):
            if place not in planned.known:
                (repeated if row in entered else new).append(place)
                entered.setdefault(row, place)
        if new:
            requests = encoded.requests(max_bytes, new)
            batches += self._batches(gathering, encoded, requests, tokens, planned.rows)
        # Two messages of one row (one key, one ref): the second finds the first one begun. Should
        # that one be free again by then, the bytes go out that were entered.
        if repeated:
            rows = [planned.rows[it] for it in repeated]
            same = encoded.repeated([entered[it] for it in rows], repeated)
            own = [tokens[it] for it in repeated] if tokens else ()
            batches += self._batches(gathering, same, same.requests(max_bytes), own, rows)
        known = sorted(planned.known)
        return batches + self._batches_of_entries(
            gathering,
            [planned.known[it] for it in known],
            [encoded.messages[it] for it in known],
            [tokens[it] for it in known] if tokens else (),
        )

    def _batches(
        self,
        gathering: Gathering,
        encoded: Encoded,
        requests: list[Sequence[int]],
        tokens: Sequence[Any],
        rows: Sequence[int] = (),
    ) -> list[Batch]:
        batches = []
        for places in requests:
            whole = len(places) == len(encoded)
            batch = Batch(
                encoded,
                places,
                gathering,
                tokens if whole or not tokens else [tokens[it] for it in places],
                rows=rows if whole or not rows else [rows[it] for it in places],
            )
            # Ids are left unread only where nothing needs them: no reader, no journal, and refs
            # that prove by themselves whose a row is.
            batch.counted = gathering.counted and self._journal is None and encoded.has_unique_refs
            if gathering.stream is not None:
                batch.is_abandoned = gathering.stream.has_left
            batches.append(batch)
        return batches

    def _batches_of_entries(
        self,
        gathering: Gathering,
        entries: Sequence[Entry],
        messages: Sequence[Message],
        tokens: Sequence[Any],
    ) -> list[Batch]:
        """Settle what a journal knows of messages, and return batches of those to be sent."""
        outcomes: list[Outcome] = []
        settled, to_send, elsewhere = [], [], []
        for place, entry in enumerate(entries):
            if entry.state.is_sendable:
                to_send.append(place)
            elif entry.state in (State.ACCEPTED, State.REJECTED, State.KEY_CONFLICT):
                settled.append(place)
                outcomes.append(outcome_of(messages[place], entry))
            else:
                # In flight, in doubt or unknown: never sent from here. Its owner or a search
                # decides.
                elsewhere.append(place)
        if settled:
            self._settle(gathering, [tokens[it] for it in settled] if tokens else (), outcomes)
        if elsewhere:
            self._elsewhere(
                gathering,
                [entries[it] for it in elsewhere],
                [messages[it] for it in elsewhere],
                [tokens[it] for it in elsewhere] if tokens else (),
            )
        if not to_send:
            return []
        # The bytes that were entered, even if the message was just encoded again.
        chosen = [entries[it] for it in to_send]
        encoded = _encoded_of(chosen, [messages[it] for it in to_send])
        return self._batches(
            gathering,
            encoded,
            encoded.requests(self._batching.max_bytes),
            [tokens[it] for it in to_send] if tokens else (),
            [it.row for it in chosen],
        )

    def _elsewhere(
        self,
        gathering: Gathering,
        entries: Sequence[Entry],
        messages: Sequence[Message],
        tokens: Sequence[Any],
    ) -> None:
        encoded = _encoded_of(entries, messages)
        rows = [it.row for it in entries]
        self._queue.await_elsewhere(
            Batch(encoded, range(len(entries)), gathering, tokens, rows=rows)
        )

    def _thaw(self, entry: Entry) -> Message:
        return self._channel.thaw(entry.body, entry.media_file)

    def _settle_bad(self, gathering: Gathering, encoded: Encoded) -> Sequence[Any]:
        """Settle the messages that cannot be sent; return the tokens of the others."""
        tokens: Sequence[Any] = gathering.tokens
        if not encoded.bad:
            return tokens
        bad = {it.position for it in encoded.bad}
        outcomes: list[Outcome] = [
            NotSent(it.message, _ref_of(it.message), Reason.INVALID, it.error) for it in encoded.bad
        ]
        self._settle(gathering, [tokens[it] for it in sorted(bad)] if tokens else (), outcomes)
        return [it for place, it in enumerate(tokens) if place not in bad]

    def _refuse(self, gathering: Gathering, reason: Reason, detail: str) -> None:
        messages = [self._thaw(it) for it in gathering.entries] or gathering.messages
        outcomes: list[Outcome] = [NotSent(it, _ref_of(it), reason, detail) for it in messages]
        self._settle(gathering, gathering.tokens, outcomes)

    def _settle(
        self, gathering: Gathering, tokens: Sequence[Any], outcomes: Sequence[Outcome]
    ) -> None:
        self._queue.count(outcomes)
        gathering.settle(tokens, outcomes)


def outcome_of(message: Message, entry: Entry) -> Outcome:
    """Return the outcome that a journal holds for a message."""
    ref, detail = entry.ref, entry.detail or ""
    match entry.state:
        case State.ACCEPTED:
            return Accepted(message, ref, entry.message_id, entry.parts, entry.price)
        case State.REJECTED | State.HELD:
            return Rejected(message, ref, entry.reason or "")
        case State.KEY_CONFLICT:
            why = "its key belongs to a message with another number or text"
            return NotSent(message, ref, Reason.KEY_CONFLICT, why)
        # Another owner had it and stopped before sending it.
        case State.PLANNED | State.NOT_SENT:
            return NotSent(message, ref, _reason(entry.reason, Reason.STOPPED), detail)
        case _:
            return Unknown(message, ref, _reason(entry.reason, Reason.NO_VERDICT), detail)


def _reason(value: str | None, default: Reason) -> Reason:
    try:
        return Reason(value or "")
    except ValueError:  # written by another version
        return default


def _encoded_of(entries: Sequence[Entry], messages: Sequence[Message]) -> Encoded:
    files = [it.media_file for it in entries]
    return Encoded(
        messages,
        [it.ref for it in entries],
        bodies=[it.body for it in entries],
        media_files=files if any(files) else None,
        generated=[it.has_unique_ref for it in entries],
    )


def _ref_of(message: Any) -> str:
    ref = getattr(message, "custom_string", None)
    return ref if isinstance(ref, str) else ""


def _is_cancelled() -> bool:
    task = asyncio.current_task()
    return task is not None and task.cancelling() > 0


def _leaked(error: BaseException) -> RuntimeError:
    """Return what a source's own CancelledError is to its reader, who was not cancelled."""
    leaked = RuntimeError("the source of the messages raised CancelledError")
    leaked.__cause__ = error
    return leaked
