"""Every kind of source, ended in every way, a few steps of the event loop after its beginning.

However it ends: nothing hangs, and everything that was read from the source has one outcome.
"""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any, TypeAlias

import anyio
import pytest

import aioclicksend as ac

from .fickle import account
from .helpers import sms

PATIENCE = 60.0
"""Seconds after which something that should end counts as hanging."""
SOME = 40


class Source:
    """Yields messages and counts them."""

    def __init__(self) -> None:
        self.read = 0

    def next(self) -> ac.SmsMessage:
        self.read += 1
        return sms(self.read)

    def generator(self) -> Iterator[ac.SmsMessage]:
        for _ in range(SOME):
            yield self.next()

    def raising(self) -> Iterator[ac.SmsMessage]:
        yield from self.generator()
        raise ValueError("the source")

    def leaking(self) -> Iterator[ac.SmsMessage]:
        yield from self.generator()
        raise asyncio.CancelledError

    def endless(self) -> Iterator[ac.SmsMessage]:
        return (self.next() for _ in itertools.count())

    async def async_generator(self) -> AsyncIterator[ac.SmsMessage]:
        for _ in range(SOME):
            yield self.next()

    async def async_slow(self) -> AsyncIterator[ac.SmsMessage]:
        for _ in range(SOME):
            yield self.next()
            await asyncio.sleep(0)

    async def async_raising(self) -> AsyncIterator[ac.SmsMessage]:
        for _ in range(SOME):
            yield self.next()
        raise ValueError("the source")

    async def async_leaking(self) -> AsyncIterator[ac.SmsMessage]:
        for _ in range(SOME):
            yield self.next()
        raise asyncio.CancelledError

    async def async_idle(self) -> AsyncIterator[ac.SmsMessage]:
        for _ in range(SOME):
            yield self.next()
        await asyncio.Event().wait()

    async def async_silent(self) -> AsyncIterator[ac.SmsMessage]:
        await asyncio.Event().wait()
        yield self.next()

    async def async_endless(self) -> AsyncIterator[ac.SmsMessage]:
        while True:
            yield self.next()

    def async_stubborn(self) -> AsyncIterator[ac.SmsMessage]:
        """Return an iterator that swallows cancellations."""
        return _Stubborn(self)


class _Stubborn:
    def __init__(self, source: Source) -> None:
        self._source = source

    def __aiter__(self) -> _Stubborn:
        return self

    async def __anext__(self) -> ac.SmsMessage:
        with suppress(asyncio.CancelledError):
            await asyncio.sleep(0.001)
        return self._source.next()


Make: TypeAlias = "Callable[[Source], Any]"

SOURCES: list[Make] = [
    Source.generator,
    Source.raising,
    Source.leaking,
    Source.endless,
    Source.async_generator,
    Source.async_slow,
    Source.async_raising,
    Source.async_leaking,
    Source.async_idle,
    Source.async_silent,
    Source.async_endless,
    Source.async_stubborn,
]
ENDS = [
    "stop",
    "abort",
    "stop, abort",
    "cancel the run",
    "cancel the block",
    "cancel the block again and again",
    "cancel a scope around it",
    "leave the block",
    "close the client, stop",
]


async def _end(
    how: str, api: ac.ClickSend, bulk: ac.BulkSender[Any], run: asyncio.Task[Any], steps: int
) -> None:
    """End a run from inside of the block."""
    block = asyncio.current_task()
    assert block is not None
    match how:
        case "stop":
            bulk.stop()
        case "abort":
            bulk.abort()
        case "stop, abort":
            bulk.stop()
            await _pass(steps)
            bulk.abort()
        case "cancel the run":
            run.cancel()
        case "cancel the block":
            block.cancel()
        case "cancel the block again and again":
            block.cancel()
            loop = asyncio.get_running_loop()
            for number in range(20):
                loop.call_later(0.001 * number, block.cancel)
        case "close the client, stop":
            await api.aclose()
            bulk.stop()
        case _:
            pass


async def _pass(steps: int) -> None:
    for _ in range(steps):
        await asyncio.sleep(0)


async def _case(make: Make, how: str, steps: int, journal: Path | None, *, streamed: bool) -> None:
    source = Source()
    settled = 0
    expected: tuple[type[BaseException], ...] = (ValueError, RuntimeError, asyncio.CancelledError)
    async with account() as (it, api):
        it.faults.extend([None, "unanswered", "lost"])

        async def run(bulk: ac.BulkSender[Any]) -> None:
            nonlocal settled
            if streamed:
                async for _ in bulk.stream(make(source)):
                    settled += 1
            else:
                report = await bulk.run(make(source))
                settled = report.total
                # Neither in this way is the whole list reported as sent.
                assert report.stopped or report.total == SOME

        running: list[asyncio.Task[Any]] = []
        scope = anyio.CancelScope()

        async def block() -> None:
            reconcile = ac.Reconcile(settle=0.1)
            batching = ac.Batching(size=7)
            async with api.sms.bulk(
                reconcile=reconcile, batching=batching, lanes=2, journal=journal
            ) as bulk:
                running.append(asyncio.create_task(run(bulk)))
                await _pass(steps)
                if how == "cancel a scope around it":
                    scope.cancel()
                await _end(how, api, bulk, running[0], steps)
                if how != "leave the block":
                    await running[0]

        async def around() -> None:
            with scope:
                await block()

        results: list[Any] = list(
            await asyncio.gather(asyncio.create_task(around()), return_exceptions=True)
        )
        results += await asyncio.gather(*running, return_exceptions=True)
        for result in results:
            # An error of the source, or of a sender that was stopped before the run began.
            assert result is None or isinstance(result, expected), repr(result)
        assert max(it.arrivals.values(), default=1) == 1
        if results[-1] is None or isinstance(results[-1], ValueError):
            assert settled == source.read or (results[-1] is not None and not streamed)


async def _all(cases: list[tuple[Any, ...]], folder: Path) -> None:
    places = asyncio.Semaphore(16)

    async def one(number: int, make: Make, how: str, steps: int) -> None:
        for variant in range(2):
            journal = folder / f"{number}-{variant}.db" if (number + variant) % 2 else None
            async with places, asyncio.timeout(PATIENCE):
                await _case(make, how, steps, journal, streamed=bool(variant))

    await asyncio.gather(*(one(number, *case) for number, case in enumerate(cases)))


async def test_every_source_ends_in_every_way(tmp_path: Path) -> None:
    steps = itertools.cycle((0, 1, 2, 3, 5, 9, 20))
    cases = [(make, how, next(steps)) for make in SOURCES for how in ENDS]
    await _all(cases[::3], tmp_path)


@pytest.mark.slow
@pytest.mark.timeout(180)
async def test_every_source_ends_in_every_way_at_every_step(tmp_path: Path) -> None:
    steps = (0, 1, 2, 3, 5, 10, 25, 80)
    await _all(list(itertools.product(SOURCES, ENDS, steps)), tmp_path)


async def test_a_stream_whose_task_never_began_ends_with_its_block() -> None:
    async with asyncio.timeout(PATIENCE), account() as (_, api):
        async with api.sms.bulk() as bulk:
            reading = asyncio.create_task(bulk.run(Source().async_idle()))
            await asyncio.sleep(0)
        report = await reading
        assert (report.total, report.stopped) == (0, True)


async def test_a_stop_before_the_first_step_of_a_source_ends_it() -> None:
    async with asyncio.timeout(PATIENCE), account() as (_, api), api.sms.bulk() as bulk:
        reading = asyncio.create_task(bulk.run(Source().async_silent()))
        await asyncio.sleep(0)
        bulk.stop()
        assert (await reading).stopped


async def test_a_closed_client_is_no_internal_error(caplog: pytest.LogCaptureFixture) -> None:
    async with asyncio.timeout(PATIENCE), account() as (it, api):
        it.faults.append("unanswered")
        it.row = lambda row: row | {"custom_string": "altered", "to": None}
        async with api.sms.bulk(reconcile=ac.Reconcile(settle=1000)) as bulk:
            first = await bulk.send(sms(1))
            await it.server.until(lambda _: it.searches > 0)
            await api.aclose()
            outcomes = [await first, await (await bulk.send(sms(2)))]
        assert list(map(type, outcomes)) == [ac.Unknown, ac.NotSent]
        assert "internal error" not in caplog.text
