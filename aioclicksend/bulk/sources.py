"""Chunks of messages from plain and from asynchronous iterables."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterable, Iterable
from itertools import islice
from typing import Any

from .batcher import Batching


class Prompt:
    """Chunks of a plain iterable, which never makes us wait."""

    def __init__(self, source: Iterable[Any]) -> None:
        self._source = iter(source)
        self._failure: Exception | None = None

    async def take(self, size: int) -> list[Any]:
        """Return up to `size` messages, none at the end.

        Raises:
            Exception: what the source raised, after all it had given before.

        """
        if self._failure is not None:
            raise self._failure
        chunk: list[Any] = []
        try:
            chunk.extend(islice(self._source, size))
        except Exception as error:
            if not chunk:
                raise
            self._failure = error
        return chunk


class Lingering:
    """Chunks of an asynchronous iterable: full ones, or what came within the linger."""

    def __init__(self, source: AsyncIterable[Any], batching: Batching) -> None:
        self._source = source
        self._batching = batching
        self._waiting: deque[Any] = deque()
        self._since = 0.0
        self._failure: Exception | None = None
        self._ended = False
        self._came = asyncio.Event()
        self._went = asyncio.Event()

    async def read(self) -> None:
        """Read the source, at most a batch ahead."""
        now = asyncio.get_running_loop().time
        try:
            async for message in self._source:
                if not self._waiting:
                    self._since = now()
                    self._came.set()
                self._waiting.append(message)
                if len(self._waiting) >= self._batching.size:
                    self._came.set()
                    self._went.clear()
                    await self._went.wait()
        except Exception as error:
            self._failure = error
        self._ended = True
        self._came.set()

    async def take(self, size: int) -> list[Any]:
        """Return messages as soon as they fill a chunk or have waited long enough.

        Raises:
            Exception: what the source raised, after all it had given before.

        """
        now = asyncio.get_running_loop().time
        while len(self._waiting) < size and not self._ended:
            left = self._since + self._batching.linger - now() if self._waiting else None
            if left is not None and left <= 0:
                break
            self._came.clear()
            try:
                async with asyncio.timeout(left):
                    await self._came.wait()
            except TimeoutError:
                break
        if not self._waiting and self._failure is not None:
            raise self._failure
        chunk = [self._waiting.popleft() for _ in range(min(size, len(self._waiting)))]
        self._since = now()
        self._went.set()
        return chunk
