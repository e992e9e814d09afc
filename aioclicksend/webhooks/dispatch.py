"""Running handlers from a store: at least once, a bounded number at a time, with backoff.

::

    claim ─► handle ─► finish
               ├─ error ──────► due again after a backoff; a dead letter after the last attempt
               ├─ cancelled ──► due again at once
               └─ killed ─────► due again when the lease ends

The lease of an event is renewed as long as its handler runs, so a slow handler does not run twice
at the same time.
"""

from __future__ import annotations

import asyncio
import logging
import random
from collections.abc import Awaitable, Callable

import anyio
from anyio.streams.memory import MemoryObjectReceiveStream, MemoryObjectSendStream

from ..config import Retry
from ..retry import delay
from .store import Claimed, Inbox, Push

_IDLE = 0.5
"""Seconds between two looks for what became due, or was added by another process."""
_TROUBLE = 1.0
"""Seconds of pause after the store failed."""

log: logging.Logger = logging.getLogger("aioclicksend")


class Dispatcher:
    """Takes events from a store that is open, and hands them to one handler.

    Args:
        store: where the events are.
        handle: handles one event; any exception means that it did not.
        concurrency: events that are handled at the same time.
        retry: attempts, and the longest pause between two.
        lease: seconds for which an event belongs to this process without being renewed.
        grace: seconds that handlers have left after `stop`.

    """

    def __init__(
        self,
        store: Inbox,
        handle: Callable[[Push], Awaitable[None]],
        *,
        concurrency: int,
        retry: Retry,
        lease: float,
        grace: float,
    ) -> None:
        self._store = store
        self._handler = handle
        self._concurrency = concurrency
        self._retry = retry
        self._lease = lease
        self._grace = grace
        self._claiming: anyio.CancelScope | None = None
        self._leased = set[int]()

    async def run(self) -> None:
        """Handle events until `stop`; what is running then has some seconds left."""
        slots = anyio.Semaphore(self._concurrency, max_value=self._concurrency)
        send, receive = anyio.create_memory_object_stream[Claimed](self._concurrency)
        async with anyio.create_task_group() as group:
            with send, receive:
                group.start_soon(self._keep_leases)
                # Started before anything is claimed: a task that is cancelled before its first
                # step could not give its event back.
                for _ in range(self._concurrency):
                    group.start_soon(self._work, receive, slots)
                with anyio.CancelScope() as self._claiming:
                    while True:
                        await self._claim(slots, send)
                with anyio.move_on_after(self._grace):
                    for _ in range(self._concurrency):
                        # All of them: no handler runs any more.
                        await slots.acquire()
                group.cancel_scope.cancel()

    def stop(self) -> None:
        """Claim nothing more."""
        if self._claiming is not None:
            self._claiming.cancel()

    async def _claim(self, slots: anyio.Semaphore, send: MemoryObjectSendStream[Claimed]) -> None:
        async with slots:
            pass  # at least one of them is free now, and this task alone takes them
        room = slots.value
        claimed = list[Claimed]()
        try:
            # Not to be broken off: what is claimed and not handled has to wait for its lease.
            with anyio.CancelScope(shield=True):
                claimed = await self._store.claim(room, self._lease)
        except Exception as error:
            log.error("the inbox failed: %s", type(error).__name__)  # noqa: TRY400
            await anyio.sleep(_TROUBLE)
        # Never more than there is room for: the stream has a place for each slot.
        for event in claimed:
            slots.acquire_nowait()
            self._leased.add(event.id)
            send.send_nowait(event)
        # Otherwise more is due: the next look comes at once.
        if len(claimed) < room:
            await self._store.wait(_IDLE)

    async def _work(
        self, receive: MemoryObjectReceiveStream[Claimed], slots: anyio.Semaphore
    ) -> None:
        async for event in receive:
            try:
                await self._handle(event)
            finally:
                self._leased.discard(event.id)
                slots.release()

    async def _handle(self, event: Claimed) -> None:
        error: BaseException | None = None
        try:
            await self._handler(event.push)
        except BaseException as failure:
            # Kept for the `finally` below: the event must be settled even while this task is
            # cancelled.
            error = failure
            # A CancelledError that a handler leaks is an ordinary error: no cancellation of ours.
            if not isinstance(failure, Exception | asyncio.CancelledError) or _is_cancelled():
                raise
        finally:
            with anyio.CancelScope(shield=True):
                await self._settle(event, error)

    async def _settle(self, event: Claimed, error: BaseException | None) -> None:
        try:
            if error is None:
                await self._store.finish([event.id])
            elif _is_cancelled():
                # Due at once, for the process that takes over from this one.
                await self._store.fail(event.id, "stopped", 0.0)
            else:
                await self._fail(event, error)
        except Exception as failure:
            # The event is not lost: it is due again when its lease ends.
            log.error("an event was not settled: %s", type(failure).__name__)  # noqa: TRY400

    async def _fail(self, event: Claimed, error: BaseException) -> None:
        name, is_last = type(error).__name__, event.attempt >= self._retry.attempts
        what = "it is a dead letter now" if is_last else "it runs again later"
        log.warning("a webhook handler failed (attempt %d, %s): %s", event.attempt, name, what)
        # At DEBUG only: a traceback may show the number and the text of the message.
        log.debug("the error of the handler", exc_info=error)
        retry_in = None if is_last else delay(event.attempt, self._retry, random.random)
        await self._store.fail(event.id, name, retry_in)

    async def _keep_leases(self) -> None:
        while True:
            # Three times per lease, so that one slow commit does not let it end.
            await anyio.sleep(self._lease / 3)
            try:
                if self._leased:
                    await self._store.renew(list(self._leased), self._lease)
            except Exception as error:
                log.error("leases were not renewed: %s", type(error).__name__)  # noqa: TRY400


def _is_cancelled() -> bool:
    task = asyncio.current_task()
    return task is not None and task.cancelling() > 0
