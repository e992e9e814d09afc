"""When the next request may start: the rate limit, and the pauses the server asks for.

A plain `AsyncLimiter(n, per)` grants its whole capacity at once and drips on meanwhile: 19 of 10 in
the first second. A leaky bucket with capacity *c* and rate *r* grants n + 1 starts no faster than
in (n + 1 - c) / r seconds, so the bound for **any** window holds with a capacity near one and a
rate a little below the allowed one. Here c = 1 + n/100 and r = 0.965 n/per: n + 1 starts take at
least 1.025 windows, whose slack absorbs the jitter of the way to the server; the hundredth lets a
grant that came late be made up for.

Two buckets in a row: one before a connection is asked for, so that a crowd waits without holding
connections; one at the wire, since a slow handshake would bunch what the first had spaced.
"""

from __future__ import annotations

import asyncio
from typing import Protocol

import aiolimiter

from .config import RateLimit

_RATE = 0.965
_SPARE = 0.01

_AFTER_HOLD = 0.05
"""Seconds added to a pause, as the server's clock may be a little behind ours."""


class Pace(Protocol):
    """Decides when requests may start. A client awaits `turn`, then `at_wire`, for each request.

    One pace can serve several clients. `hold` and `held_for` are called in the event loop and must
    not block.
    """

    async def turn(self, operation: str) -> None:
        """Wait until this operation may ask for a connection, and until no pause holds it."""
        ...

    async def at_wire(self) -> None:
        """Wait, with a connection in hand, until the next byte may leave."""
        ...

    def hold(self, seconds: float, operation: str | None = None) -> None:
        """Hold one operation, or everything, for the next `seconds`."""
        ...

    def held_for(self, operation: str) -> float:
        """Return the seconds for which this operation is still held, 0 if it is not."""
        ...


class Pacer:
    """The pace of one client: spaces its requests and holds them when the server says so."""

    def __init__(self, limit: RateLimit | None) -> None:
        self._queue = _bucket(limit)
        self._wire = _bucket(limit)
        self._all_until = 0.0
        self._until: dict[str, float] = {}

    async def turn(self, operation: str) -> None:
        """Wait until this operation may ask for a connection. One token per HTTP request."""
        while True:
            if self._queue is not None:
                await self._queue.acquire()
            # Looked at after the token: a pause that began while this call waited holds it as well.
            pause = self.held_for(operation)
            if pause <= 0:
                return
            await asyncio.sleep(pause)

    async def at_wire(self) -> None:
        """Wait, with a connection in hand, until the next byte may leave."""
        if self._wire is not None:
            await self._wire.acquire()

    def hold(self, seconds: float, operation: str | None = None) -> None:
        """Hold one operation, or everything, for the next `seconds`."""
        until = _now() + seconds + _AFTER_HOLD
        if operation is None:
            # The longest wins: replies of calls that were in flight name the rest of one and the
            # same window.
            self._all_until = max(self._all_until, until)
        else:
            self._until[operation] = max(self._until.get(operation, 0.0), until)

    def held_for(self, operation: str) -> float:
        """Return the seconds for which this operation is still held, 0 if it is not."""
        until = max(self._all_until, self._until.get(operation, 0.0))
        return max(0.0, until - _now())


def _bucket(limit: RateLimit | None) -> aiolimiter.AsyncLimiter | None:
    if limit is None:
        return None
    capacity = 1 + _SPARE * limit.requests
    rate = _RATE * limit.requests / limit.per
    return aiolimiter.AsyncLimiter(capacity, capacity / rate)


def _now() -> float:
    return asyncio.get_running_loop().time()
