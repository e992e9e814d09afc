"""What a bulk would cost: the same messages and batches, posted to the price endpoint."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterable, Iterable
from decimal import Decimal
from typing import Any

import anyio

from ..models.messages import freeze, new_ref, with_ref
from ..models.results import SendResult
from .batcher import Batching
from .channel import Channel
from .report import Quote
from .sources import Lingering, Prompt


async def price(
    channel: Channel,
    messages: Iterable[Any] | AsyncIterable[Any],
    batching: Batching,
    lanes: int,
    check: Any,
) -> Quote:
    """Return what messages would cost.

    Raises:
        ValueError: one of them is wrong; nothing is sent in any case.
        ClickSendError: a price could not be had.

    """
    quote = Quote()
    failures: list[Exception] = []
    turn = asyncio.Lock()

    async with anyio.create_task_group() as tasks:
        if isinstance(messages, AsyncIterable):
            lingering = Lingering(messages, batching)
            take = lingering.take
            tasks.start_soon(lingering.read)
        else:
            take = Prompt(messages).take

        async def lane() -> None:
            try:
                while True:
                    async with turn:
                        chunk = await take(batching.size)
                    if not chunk:
                        return
                    for part in _by_kind(channel, chunk):
                        _add(quote, await _ask(channel, part, check))
            except Exception as error:
                failures.append(error)
                tasks.cancel_scope.cancel()

        for _ in range(lanes):
            tasks.start_soon(lane)
    if failures:
        raise failures[0]
    return quote


async def _ask(channel: Channel, messages: list[Any], check: Any) -> SendResult[Any]:
    refs, bodies = [], []
    for message in messages:
        check(message)
        body = freeze(message)
        refs.append(message.custom_string or new_ref())
        bodies.append(body if message.custom_string else with_ref(body, refs[-1]))
    return await channel.price(channel.body(messages, bodies), refs)


def _by_kind(channel: Channel, messages: list[Any]) -> list[list[Any]]:
    kinds: dict[object, list[Any]] = {}
    for message in messages:
        kind = channel.kind(message) if isinstance(message, channel.message) else None
        kinds.setdefault(kind, []).append(message)
    return list(kinds.values())


def _add(quote: Quote, result: SendResult[Any]) -> None:
    if quote.currency is None and result.currency is not None:
        quote.currency = result.currency.name_short or None
    rejected = dict(quote.rejected)
    for row in result.messages:
        if not row.accepted:
            rejected[row.status] = rejected.get(row.status, 0) + 1
            continue
        price = row.message_price or Decimal(0)
        country = row.country or "?"
        quote.count += 1
        quote.parts += row.message_parts or 0
        quote.by_country[country] = quote.by_country.get(country, Decimal(0)) + price
        quote.total += price
    quote.rejected = rejected
