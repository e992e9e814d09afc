"""A cancelled call leaves no task, no connection and no doubt about itself."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from typing import Any

import aiohttp
import pytest
from aiolimiter import AsyncLimiter

from aioclicksend import ClickSend, RateLimit, Retry

from ..hostile import PATIENCE, Arrival, Hostile, Line, nothing_left_behind
from .helpers import MESSAGE, client_of


class Stage:
    """A server and a client with room for one connection."""

    def __init__(self, server: Hostile, client: ClickSend) -> None:
        self.server = server
        self.client = client

    @property
    def pacer(self) -> Any:
        return self.client._session._pace


Prepare = Callable[[Stage], Awaitable[None]]
Reached = Callable[[Stage], Awaitable[object]]


async def nothing(_stage: Stage) -> None:
    """Prepare nothing."""


async def turns(_stage: Stage) -> None:
    for _ in range(20):
        await asyncio.sleep(0)


async def use_up_the_pace(stage: Stage) -> None:
    stage.pacer._queue = await used_up()


async def use_up_the_wire(stage: Stage) -> None:
    stage.pacer._wire = await used_up()


async def used_up() -> AsyncLimiter:
    """Return a limiter that lets nothing pass for as long as a test can take."""
    limiter = AsyncLimiter(1, 3600)
    await limiter.acquire()
    return limiter


async def hold(stage: Stage) -> None:
    stage.pacer.hold(60.0)


async def use_up_the_wire_of_a_kept_connection(stage: Stage) -> None:
    await stage.client.account.get()
    await asyncio.sleep(0.15)  # until the pace lets the next one through
    await use_up_the_wire(stage)


async def connected(stage: Stage) -> None:
    await stage.server.until(lambda it: it.open == 1)
    await turns(stage)


async def arrived(stage: Stage) -> None:
    await stage.server.until_arrivals(1)


async def arrived_and_failed(stage: Stage) -> None:
    await stage.server.until_arrivals(1)
    await asyncio.sleep(0.05)


async def half_a_body(line: Line, _arrival: Arrival) -> None:
    await line.reply(200, b"{", length=1000)
    await line.hang()


PHASES: dict[str, tuple[Prepare, Reached, Any]] = {
    "before-its-first-step": (nothing, nothing, None),
    "pace": (use_up_the_pace, turns, None),
    "pause": (hold, turns, None),
    "wire": (use_up_the_wire, connected, None),
    "wire-of-a-kept-connection": (
        use_up_the_wire_of_a_kept_connection,
        turns,
        lambda line, _: line.ok({}),
    ),
    "reply": (nothing, arrived, lambda line, _: line.hang()),
    "body": (nothing, arrived_and_failed, half_a_body),
    "retry": (nothing, arrived_and_failed, lambda line, _: line.reply(429, b"")),
    "pause-of-a-429": (
        nothing,
        arrived_and_failed,
        lambda line, _: line.reply(429, b"", {"Retry-After": "60"}),
    ),
}


@pytest.mark.parametrize("phase", PHASES)
async def test_a_call_cancelled_in_any_phase_leaves_nothing(phase: str) -> None:
    prepare, reached, script = PHASES[phase]
    retry = Retry(base=60, cap=60)
    async with (
        Hostile(script) as server,
        aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=1)) as http,
        client_of(server.url, http=http, rate_limit=RateLimit(10, 1.0), retry=retry) as client,
    ):
        stage = Stage(server, client)
        await prepare(stage)
        arrivals = len(server.arrivals)
        async with nothing_left_behind():
            call = asyncio.create_task(client.sms.send(MESSAGE))
            await reached(stage)
            assert not call.done()
            call.cancel()
            await asyncio.wait([call])
            assert call.cancelled()
        if phase not in {"retry", "pause-of-a-429"}:  # whose connections are whole
            await server.until_all_closed()
        if reached in (nothing, turns, connected):
            assert len(server.arrivals) == arrivals
        # The one place in the pool is free again.
        server.script = lambda line, _: line.ok({})
        async with asyncio.timeout(PATIENCE), http.get(server.url):
            pass


async def test_a_call_cancelled_while_it_waits_for_a_connection_leaves_nothing() -> None:
    async with (
        Hostile(lambda line, _: line.hang()) as server,
        aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=1)) as http,
        client_of(server.url, http=http) as client,
    ):
        blocker = asyncio.create_task(client.account.get())
        await server.until_arrivals(1)
        async with nothing_left_behind():
            call = asyncio.create_task(client.sms.send(MESSAGE))
            await asyncio.sleep(0.02)
            call.cancel()
            await asyncio.wait([call])
        assert call.cancelled()
        blocker.cancel()
        await asyncio.wait([blocker])
        await server.until_all_closed()
        assert len(server.arrivals) == 1


async def test_a_call_cancelled_while_it_connects_leaves_nothing_not_even_a_doubt(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async with Hostile(greet=Line.hang) as server, client_of(server.tls_url) as client:
        async with nothing_left_behind():
            call = asyncio.create_task(client.sms.send(MESSAGE))
            await server.until(lambda it: it.open == 1)
            await asyncio.sleep(0.02)
            call.cancel()
            await asyncio.wait([call])
        assert call.cancelled()
        await server.until_all_closed()
    assert caplog.messages == []


async def never_reads(_line: Line, _arrival: Arrival) -> None:
    await asyncio.sleep(60)


async def test_a_call_cancelled_in_the_middle_of_a_large_body_leaves_nothing() -> None:
    huge = {"text": "x" * 20_000_000}
    async with (
        Hostile(never_reads, heads_only=True) as server,
        client_of(server.url) as client,
    ):
        async with nothing_left_behind():
            call = asyncio.create_task(client.request("POST", "/v3/uploads", json=huge))
            await server.until_arrivals(1)
            await asyncio.sleep(0.05)
            call.cancel()
            await asyncio.wait([call])
        assert call.cancelled()


async def test_a_timeout_of_the_caller_is_a_cancellation_like_any_other() -> None:
    async with Hostile(lambda line, _: line.hang()) as server, client_of(server.url) as client:
        with pytest.raises(TimeoutError):
            async with nothing_left_behind(), asyncio.timeout(None) as limit:
                sending = asyncio.ensure_future(server.until_arrivals(1))
                now = asyncio.get_running_loop().time
                sending.add_done_callback(lambda _: limit.reschedule(now()))
                await client.sms.send(MESSAGE)
        await server.until_all_closed()
        assert len(server.arrivals) == 1


async def test_a_cancelled_send_is_logged_as_unknown_only_if_bytes_left(
    caplog: pytest.LogCaptureFixture,
) -> None:
    told = "POST /v3/sms/send cancelled after bytes left: its outcome is unknown"
    async with Hostile(lambda line, _: line.hang()) as server, client_of(server.url) as client:
        with caplog.at_level(logging.INFO, "aioclicksend"):
            client._session._pace.hold(60)
            waiting = asyncio.create_task(client.sms.send(MESSAGE))
            await asyncio.sleep(0)
            waiting.cancel()
            await asyncio.wait([waiting])
            assert caplog.messages == []

            pace: Any = client._session._pace
            pace._all_until = 0
            reading = asyncio.create_task(client.account.get())
            sending = asyncio.create_task(client.sms.send(MESSAGE))
            await server.until_arrivals(2)
            for task in (reading, sending):
                task.cancel()
            await asyncio.wait([reading, sending])
    assert caplog.messages == [told]


async def test_one_cancelled_call_does_not_disturb_the_others() -> None:
    answer = asyncio.Event()

    async def serve(line: Line, _arrival: Arrival) -> None:
        await answer.wait()
        await line.ok({"user_id": 7})

    async with Hostile(serve) as server, client_of(server.url) as client:
        calls = [asyncio.create_task(client.account.get()) for _ in range(3)]
        await server.until_arrivals(3)
        calls[1].cancel()
        answer.set()
        ends = await asyncio.gather(*calls, return_exceptions=True)
    assert [type(end) for end in ends] == [
        type(await calls[0]),
        asyncio.CancelledError,
        type(await calls[2]),
    ]


async def test_calls_in_a_task_group_end_with_it() -> None:
    async def fails() -> None:
        await server.until_arrivals(3)
        raise LookupError

    async with Hostile(lambda line, _: line.hang()) as server, client_of(server.url) as client:
        with pytest.raises(ExceptionGroup) as raised:
            async with nothing_left_behind(), asyncio.TaskGroup() as group:
                for _ in range(3):
                    group.create_task(client.account.get())
                group.create_task(fails())
        assert [type(it) for it in raised.value.exceptions] == [LookupError]
        await server.until_all_closed()
