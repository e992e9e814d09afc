"""aioclicksend, as its README says to use it."""

from __future__ import annotations

import asyncio
import contextlib
import importlib
import tempfile
from collections.abc import Coroutine, Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import aioclicksend as ac

from ..meter import Meter
from ..workload import messages

AUTH = ac.BasicAuth("sink", "sink")


def sms(count: int) -> Iterator[ac.SmsMessage]:
    """Yield messages."""
    return (ac.SmsMessage(to=to, body=body) for to, body in messages(count))


def client(url: str, rate_limit: ac.RateLimit | None = None) -> ac.ClickSend:
    """Return a client of the sink."""
    return ac.ClickSend(auth=AUTH, base_url=url, rate_limit=rate_limit)


def run(url: str, count: int, *, journal: bool = False, uvloop: bool = False) -> dict[str, float]:
    """Send messages by `bulk.run`."""
    return _run(_send(url, count, journal=journal), uvloop=uvloop)


def stream(url: str, count: int) -> dict[str, float]:
    """Send messages by `bulk.stream`."""
    return asyncio.run(_stream(url, count))


def price(url: str, count: int) -> dict[str, float]:
    """Price messages by `bulk.price`."""
    return asyncio.run(_price(url, count))


def walk(url: str, prefetch: int, kind: str = "history") -> dict[str, float]:
    """Walk everything there is."""
    return asyncio.run(_walk(url, prefetch, kind))


async def _send(url: str, count: int, *, journal: bool) -> dict[str, float]:
    with contextlib.ExitStack() as stack:
        path = None
        if journal:
            path = Path(stack.enter_context(tempfile.TemporaryDirectory())) / "journal.db"
        with Meter() as meter:
            async with client(url) as it, it.sms.bulk(journal=path) as bulk:
                report = await bulk.run(sms(count))
    assert report.accepted == report.total == count
    return meter.result(count)


async def _stream(url: str, count: int) -> dict[str, float]:
    accepted = 0
    with Meter() as meter:
        async with client(url) as it, it.sms.bulk() as bulk:
            async for outcome in bulk.stream(sms(count)):
                accepted += isinstance(outcome, ac.Accepted)
    assert accepted == count
    return meter.result(count)


async def _price(url: str, count: int) -> dict[str, float]:
    with Meter() as meter:
        async with client(url) as it, it.sms.bulk() as bulk:
            quote = await bulk.price(sms(count))
    assert quote.total == count * Decimal("0.077")
    return meter.result(count)


async def _walk(url: str, prefetch: int, kind: str) -> dict[str, float]:
    count = 0
    async with client(url) as it:
        # Unmeasured, with connections of its own: modules are loaded by the first call.
        await it.sms.history().page(1)
    with Meter() as meter:
        async with client(url) as it:
            pages = (
                it.sms.history(prefetch=prefetch)
                if kind == "history"
                else it.sms.inbound(prefetch=prefetch)
            )
            async for _ in pages:
                count += 1
    return meter.result(count)


def _run(work: Coroutine[Any, Any, dict[str, float]], *, uvloop: bool) -> dict[str, float]:
    if not uvloop:
        return asyncio.run(work)
    with asyncio.Runner(loop_factory=importlib.import_module("uvloop").new_event_loop) as runner:
        return runner.run(work)
