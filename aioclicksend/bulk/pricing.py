"""What a bulk would cost: the same messages and batches, posted to the price endpoint."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterable, Iterable
from decimal import Decimal
from operator import attrgetter
from typing import Any

import anyio

from ..models.messages import freeze, new_ref, with_ref
from ..models.results import ACCEPTED
from . import express
from .batcher import Batching
from .channel import Channel
from .report import Quote
from .rows import Priced, parts
from .rows import price as price_of
from .sources import Lingering, Prompt

_told = attrgetter("status", "country", "message_price", "message_parts")


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


async def _ask(channel: Channel, messages: list[Any], check: Any) -> Priced:
    prefix = new_ref()
    usual = express.body_of(messages, channel.message, f"{prefix}-")
    if usual is not None:
        return await channel.price(usual[1])
    bodies = []
    for place, message in enumerate(messages):
        check(message)
        body = freeze(message)
        bodies.append(body if message.custom_string else with_ref(body, f"{prefix}-{place:x}"))
    return await channel.price(channel.body(messages, bodies))


def _by_kind(channel: Channel, messages: list[Any]) -> list[list[Any]]:
    kinds: dict[object, list[Any]] = {}
    for message in messages:
        kind = channel.kind(message) if isinstance(message, channel.message) else None
        kinds.setdefault(kind, []).append(message)
    return list(kinds.values())


def _add(quote: Quote, priced: Priced) -> None:
    if quote.currency is None:
        quote.currency = priced.currency or None
    rejected = dict(quote.rejected)
    for (status, country, told, count), messages in Counter(map(_told, priced.rows)).items():
        if status != ACCEPTED:
            rejected[status] = rejected.get(status, 0) + messages
            continue
        cost = (price_of(told) or Decimal(0)) * messages
        quote.count += messages
        quote.parts += (parts(count) or 0) * messages
        quote.by_country[country or "?"] = quote.by_country.get(country or "?", Decimal(0)) + cost
        quote.total += cost
    quote.rejected = rejected
