"""What a bulk would cost: the same encoder, batches and limits as `run`, at the price endpoint."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterable, Iterable
from contextlib import aclosing
from decimal import Decimal
from itertools import islice
from operator import attrgetter
from typing import Any

import anyio

from ..models.messages import new_ref
from .channel import Channel
from .intake import Batching
from .outcome import Quote
from .replies import REFUSALS, Priced, parts, status_word
from .replies import price as price_of

_columns = attrgetter("status", "country", "message_price", "message_parts")


async def price(
    channel: Channel,
    messages: Iterable[Any] | AsyncIterable[Any],
    batching: Batching,
    lanes: int,
) -> Quote:
    """Return what messages would cost.

    Raises:
        ValueError: a message cannot be sent.
        ClickSendError: a price could not be had.

    """
    quote = Quote()
    failures: list[Exception] = []
    turn = asyncio.Lock()
    source: Any = aiter(messages) if isinstance(messages, AsyncIterable) else iter(messages)

    async def lane() -> None:
        try:
            while True:
                # One lane reads at a time: an async generator cannot be advanced by two.
                async with turn:
                    chunk = await _take(source, batching.size)
                if not chunk:
                    return
                encoded = channel.encode(chunk, prefix=f"{new_ref()}-")
                if encoded.bad:
                    raise ValueError(encoded.bad[0].error)
                for places in encoded.requests(batching.max_bytes):
                    _add(quote, await channel.price(encoded.body(places)))
        # Raised outside of the group: the caller gets the error itself, not an ExceptionGroup.
        except Exception as error:
            failures.append(error)
            tasks.cancel_scope.cancel()

    async with anyio.create_task_group() as tasks:
        for _ in range(lanes):
            tasks.start_soon(lane)
    if failures:
        # Closed here and now, not by the garbage collector in another task.
        if hasattr(source, "aclose"):
            async with aclosing(source):
                pass
        raise failures[0]
    return quote


async def _take(source: Any, size: int) -> list[Any]:
    if hasattr(source, "__next__"):
        return list(islice(source, size))
    chunk: list[Any] = []
    async for message in source:
        chunk.append(message)
        if len(chunk) == size:
            break
    return chunk


def _add(quote: Quote, priced: Priced) -> None:
    if quote.currency is None:
        quote.currency = priced.currency or None
    # Mostly all rows are alike and are added up in one step.
    for (status, country, amount, count), messages in Counter(map(_columns, priced.rows)).items():
        if status_word(status) in REFUSALS:
            quote.rejected[status] = quote.rejected.get(status, 0) + messages
            continue
        cost = (price_of(amount) or Decimal(0)) * messages
        quote.count += messages
        quote.parts += (parts(count) or 0) * messages
        where = country or "?"
        quote.by_country[where] = quote.by_country.get(where, Decimal(0)) + cost
        quote.total += cost
