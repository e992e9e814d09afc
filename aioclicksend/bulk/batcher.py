"""Grouping items into requests by count, bytes and age. Pure: no clock, no waiting."""

from __future__ import annotations

from typing import Generic, TypeVar

from msgspec import Struct

T = TypeVar("T")


class Batching(Struct, frozen=True):
    """How messages are put together into requests."""

    size: int = 1000
    """Messages per request; the API takes 1000."""
    linger: float = 0.05
    """Seconds a message waits for company."""
    max_bytes: int = 4_000_000
    """Bytes of messages per request."""
    queue: int = 10_000
    """Messages that may wait to be sent before `send` makes its caller wait."""

    def __post_init__(self) -> None:
        if not 1 <= self.size <= 1000:
            raise ValueError("Batching: size must be from 1 to 1000, the API's limit")
        if self.linger < 0 or self.max_bytes < 1 or self.queue < 1:
            raise ValueError("Batching: linger, max_bytes and queue must be positive")


class Batcher(Generic[T]):
    """Collects items until a batch is full, too heavy, too old or of another kind."""

    def __init__(self, batching: Batching) -> None:
        self._batching = batching
        self._items: list[T] = []
        self._bytes = 0
        self._kind: object = None
        self.due: float | None = None
        """When the open batch should be cut, on the clock of `add`."""

    def __len__(self) -> int:
        return len(self._items)

    def add(self, item: T, size: int, now: float, kind: object = None) -> list[list[T]]:
        """Add an item of so many bytes and return the batches that are complete by it.

        Items of different kinds never share a batch.
        """
        ready = []
        if self._items and (kind != self._kind or self._bytes + size > self._batching.max_bytes):
            ready.append(self.cut())
        if not self._items:
            self.due = now + self._batching.linger
            self._kind = kind
        self._items.append(item)
        self._bytes += size
        if len(self._items) >= self._batching.size:
            ready.append(self.cut())
        return ready

    def cut(self) -> list[T]:
        """Return the open batch, however small, and begin a new one."""
        items, self._items = self._items, []
        self._bytes = 0
        self.due = None
        return items
