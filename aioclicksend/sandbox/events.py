"""What happens in a sandbox, for those who wait for it: tests, scripts and the inbox page."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple

_BACKLOG = 500
"""Events a slow reader may be behind before it is asked to read everything again."""


class Event(NamedTuple):
    """One thing that happened; `data` is JSON."""

    kind: str
    data: Any


RELOAD = Event("reload", {})
"""Events were lost or everything changed: what was read before no longer holds."""

Subscription = asyncio.Queue[Event]


class Events:
    """Spreads events to subscribers. Publishing works from any thread."""

    def __init__(self) -> None:
        self._subscriptions: set[Subscription] = set()
        self._loop: asyncio.AbstractEventLoop | None = None

    @contextmanager
    def subscribe(self) -> Iterator[Subscription]:
        """Receive what happens from now on."""
        self._loop = asyncio.get_running_loop()
        subscription = Subscription(_BACKLOG)
        self._subscriptions.add(subscription)
        try:
            yield subscription
        finally:
            self._subscriptions.discard(subscription)

    def publish(self, kind: str, data: Callable[[], Any]) -> None:
        """Let subscribers know; without any, `data` is never made."""
        # Nobody listens in most tests, and a view costs more than the message.
        if self._loop is not None and self._subscriptions:
            # From any thread, and never in the middle of a handler.
            self._loop.call_soon_threadsafe(self._spread, Event(kind, data()))

    def reload(self) -> None:
        """Let subscribers read everything again."""
        self.publish(RELOAD.kind, dict)

    def _spread(self, event: Event) -> None:
        for subscription in self._subscriptions:
            if subscription.full():
                # Bounded: a page in a background tab may not be read for hours.
                drain(subscription)
                subscription.put_nowait(RELOAD)
            else:
                subscription.put_nowait(event)


def drain(subscription: Subscription) -> None:
    """Forget what a subscription holds."""
    while not subscription.empty():
        subscription.get_nowait()
