"""The pace of requests, and the pauses a server asks for.

What holds for any window is tried in virtual time, to the microsecond; on the wire it is tried once
more against a server that counts.
"""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Sequence
from typing import Any

import aiohttp
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import aioclicksend as ac
from aioclicksend import HoldEvent, Hooks, RateLimit, Retry
from aioclicksend.pacing import Pacer

from ..hostile import Arrival, Hostile, Line
from . import virtual
from .helpers import MESSAGE, client_of, failure_of

RESOLUTION = 1e-9
"""Seconds: the floating point of the clock."""


def crowded(starts: Sequence[float], limit: RateLimit) -> float:
    """Return by how much the tightest run of one too many is shorter than the window."""
    spans = zip(starts, starts[limit.requests :], strict=False)
    return max((limit.per - (last - first) for first, last in spans), default=-limit.per)


async def starts_of(
    limit: RateLimit, seconds: float, *, handshake: float = 0.0, tasks: int = 40
) -> list[float]:
    """Return when requests start while `tasks` callers ask without a pause."""
    pacer, starts, chance = Pacer(limit), list[float](), random.Random(1)
    loop = asyncio.get_running_loop()
    end = loop.time() + seconds

    async def caller() -> None:
        while loop.time() < end:
            await pacer.turn("GET /v3/account")
            await asyncio.sleep(chance.random() * handshake)
            await pacer.at_wire()
            starts.append(loop.time())

    await asyncio.gather(*(caller() for _ in range(tasks)))
    return [start for start in starts if start < end]


LIMITS = [
    RateLimit(10, 1.0),
    RateLimit(100, 1.0),
    RateLimit(5, 0.5),
    RateLimit(1, 1.0),
    RateLimit(2, 0.1),
    RateLimit(20, 60.0),
    RateLimit(1000, 1.0),
]


@pytest.mark.parametrize("limit", LIMITS, ids=str)
def test_no_window_holds_more_starts_than_allowed(limit: RateLimit) -> None:
    starts = virtual.run(starts_of(limit, 5 * limit.per))
    assert crowded(starts, limit) <= RESOLUTION


@pytest.mark.parametrize("limit", LIMITS, ids=str)
def test_at_least_95_percent_of_the_rate_are_reached_under_load(limit: RateLimit) -> None:
    windows = 40 if limit.requests < 100 else 4
    starts = virtual.run(starts_of(limit, windows * limit.per))
    assert len(starts) >= 0.95 * windows * limit.requests


@pytest.mark.parametrize("limit", LIMITS[:4], ids=str)
def test_slow_handshakes_do_not_bunch_what_was_spaced(limit: RateLimit) -> None:
    starts = virtual.run(starts_of(limit, 10 * limit.per, handshake=2 * limit.per))
    assert crowded(starts, limit) <= RESOLUTION


@given(st.integers(1, 300), st.floats(0.05, 100.0))
@settings(max_examples=30)
def test_any_limit_is_kept_and_reached(requests: int, per: float) -> None:
    limit = RateLimit(requests, per)
    windows = 2 + 40 // requests
    starts = virtual.run(starts_of(limit, windows * per, tasks=10))
    assert crowded(starts, limit) <= RESOLUTION
    assert len(starts) >= 0.95 * windows * requests - 1


@pytest.mark.parametrize("limit", LIMITS[:4], ids=str)
def test_rest_saves_up_no_burst(limit: RateLimit) -> None:
    async def main() -> list[float]:
        pacer, starts = Pacer(limit), list[float]()

        async def start() -> None:
            await pacer.turn("GET /v3/account")
            await pacer.at_wire()
            starts.append(virtual.loop().time())

        for _ in range(3):
            await asyncio.gather(*(start() for _ in range(2 * limit.requests)))
            await asyncio.sleep(100 * limit.per)
        return starts

    assert crowded(virtual.run(main()), limit) <= RESOLUTION


def test_a_program_that_stalls_makes_no_burst_of_what_it_missed() -> None:
    limit = RateLimit(10, 1.0)

    async def main() -> list[float]:
        async def stalls() -> None:
            for seconds in (0.3, 2.0, 0.05, 5.0):
                await asyncio.sleep(1.7)
                virtual.loop().stall(seconds)

        stalling = asyncio.create_task(stalls())
        starts = await starts_of(limit, 20.0)
        await stalling
        return starts

    assert crowded(virtual.run(main()), limit) <= RESOLUTION


def test_no_limit_paces_nothing() -> None:
    async def main() -> float:
        pacer = Pacer(None)
        for _ in range(10_000):
            await pacer.turn("GET /v3/account")
            await pacer.at_wire()
        return virtual.loop().time()

    assert virtual.run(main()) < 0.001


# Pauses


def test_a_pause_holds_every_operation_or_only_one() -> None:
    async def main() -> tuple[float, float, float]:
        pacer = Pacer(None)
        pacer.hold(3.0, "GET /v3/account")
        one, other = pacer.held_for("GET /v3/account"), pacer.held_for("POST /v3/sms/send")
        pacer.hold(1.0)
        return one, other, pacer.held_for("POST /v3/sms/send")

    one, other, everything = virtual.run(main())
    assert one == pytest.approx(3, abs=0.1)
    assert other == 0
    assert everything == pytest.approx(1, abs=0.1)


def test_a_shorter_pause_does_not_cut_a_longer_one() -> None:
    async def main() -> list[float]:
        pacer = Pacer(None)
        for seconds in (5.0, 1.0):
            pacer.hold(seconds)
            pacer.hold(seconds, "GET /v3/account")
        return [pacer.held_for("GET /v3/account"), pacer.held_for("POST /v3/sms/send")]

    assert min(virtual.run(main())) >= 5


def test_calls_after_a_pause_start_at_the_usual_pace() -> None:
    limit = RateLimit(10, 1.0)

    async def main() -> list[float]:
        pacer, starts = Pacer(limit), list[float]()
        pacer.hold(30.0)

        async def start() -> None:
            await pacer.turn("GET /v3/account")
            await pacer.at_wire()
            starts.append(virtual.loop().time())

        await asyncio.gather(*(start() for _ in range(50)))
        return starts

    starts = virtual.run(main())
    assert min(starts) >= 30
    assert max(starts) < 37
    assert crowded(starts, limit) <= RESOLUTION


def test_a_pause_that_grows_while_it_is_waited_out_is_waited_out_whole() -> None:
    async def main() -> float:
        pacer = Pacer(None)
        pacer.hold(1.0)
        turn = asyncio.create_task(pacer.turn("GET /v3/account"))
        await asyncio.sleep(0.5)
        pacer.hold(2.0)
        await turn
        return virtual.loop().time()

    assert virtual.run(main()) >= 2.5


# On the wire


async def ask_for(client: ac.ClickSend, seconds: float) -> None:
    """Ask without a pause from many tasks."""

    async def caller() -> None:
        while True:
            await client.account.get()

    callers = [asyncio.create_task(caller()) for _ in range(20)]
    ended, going_on = await asyncio.wait(callers, timeout=seconds)
    for task in going_on:
        task.cancel()
    await asyncio.wait(callers)
    assert not ended, ended


def limited(requests: int, per: float) -> Hostile:
    """Return a server that refuses what is one too many in any window."""

    async def serve(line: Line, arrival: Arrival) -> None:
        recent = [it for it in server.arrivals if it.at > arrival.at - per]
        await (line.ok({}) if len(recent) <= requests else line.reply(429, b""))

    server = Hostile(serve)
    return server


@pytest.mark.slow
async def test_ten_a_second_are_kept_on_the_wire() -> None:
    retry = Retry(attempts=1)
    async with limited(10, 1.0) as server:
        async with client_of(server.url, rate_limit=RateLimit(10, 1.0), retry=retry) as client:
            await ask_for(client, 4.0)
        first = server.arrivals[0].at
        # That 95 % are reached is shown in virtual time; here a busy machine takes its part.
        assert len([it for it in server.arrivals if it.at < first + 4.0]) >= 4.0 * 5


async def test_a_hundred_a_second_are_kept_on_the_wire_also_after_a_rest() -> None:
    retry = Retry(attempts=1)
    async with limited(100, 1.0) as server:
        async with client_of(server.url, rate_limit=RateLimit(100, 1.0), retry=retry) as client:
            await ask_for(client, 0.7)
            before = len(server.arrivals)
            await asyncio.sleep(0.1)
            await ask_for(client, 0.7)
        times = [it.at for it in server.arrivals]
        starts = times[0], times[before]
        asked = [at for at in times if any(start <= at < start + 0.6 for start in starts)]
        assert len(asked) >= 1.2 * 50


async def test_two_clients_of_one_borrowed_session_keep_their_own_pace() -> None:
    pace = Pacer(RateLimit(20, 1.0))
    async with Hostile(lambda line, _: line.ok({})) as server, aiohttp.ClientSession() as http:
        async with (
            client_of(server.url, pace=pace, http=http) as one,
            client_of(server.url, rate_limit=None, http=http) as other,
        ):
            started = time.monotonic()
            await asyncio.gather(*(one.account.get() for _ in range(20)))
            assert time.monotonic() - started > 0.95
            pace.hold(3600)
            await asyncio.gather(*(other.account.get() for _ in range(50)))
            with pytest.raises(TimeoutError):
                async with asyncio.timeout(0.05):
                    await one.account.get()


async def test_a_429_holds_all_calls_of_the_client() -> None:
    """Not only the call that met it, nor only the calls that come later: also those that wait."""

    async def first_refused(line: Line, _: Arrival) -> None:
        if len(server.arrivals) == 1:
            await line.reply(429, b"", {"Retry-After": "0.2"})
        else:
            await line.ok({"messages": []})

    async with Hostile(first_refused) as server:
        async with client_of(server.url, rate_limit=RateLimit(20, 1.0)) as client:
            calls = [client.account.get() for _ in range(4)]
            calls_of_others = [client.sms.price(MESSAGE), client.lists.get(1)]
            await asyncio.gather(*calls, *calls_of_others)
        first, *others = server.arrivals
        assert len(others) == 6
        assert min(it.at for it in others) >= first.at + 0.2


async def test_a_429_also_holds_calls_that_wait_for_a_connection() -> None:
    async def first_refused(line: Line, _: Arrival) -> None:
        if len(server.arrivals) == 1:
            await line.reply(429, b"", {"Retry-After": "0.2"})
        else:
            await line.ok({})

    connector = aiohttp.TCPConnector(limit=1)
    async with Hostile(first_refused) as server, aiohttp.ClientSession(connector=connector) as http:
        async with client_of(server.url, http=http) as client:
            await asyncio.gather(*(client.account.get() for _ in range(10)))
        first, *others = server.arrivals
        assert len(others) == 10
        assert server.lines <= 3  # no request connects only to find that there is a pause
        assert min(it.at for it in others) >= first.at + 0.2


async def test_waiting_for_the_pace_counts_towards_no_timeout() -> None:
    timeout = ac.Timeout(pool=0.05, connect=0.05, read=1.0)
    async with Hostile(lambda line, _: line.ok({})) as server:
        options: dict[str, Any] = {"timeout": timeout, "retry": Retry(attempts=1)}
        async with client_of(server.url, rate_limit=RateLimit(10, 1.0), **options) as client:
            pacer: Any = client._session._pace
            assert pacer._queue is not None
            assert pacer._wire is not None
            for _ in range(2):
                await pacer._wire.acquire()
            await client.account.get()  # waits with a connection in hand
            for _ in range(3):
                await pacer._queue.acquire()
            await client.account.get()  # waits before it asks for one
    assert len(server.arrivals) == 2


async def test_the_last_request_of_a_window_holds_its_own_operation_before_any_429() -> None:
    last = {"x-ratelimit-limit": "20", "x-ratelimit-remaining": "0", "ratelimit-reset": "0.3"}

    async def serve(line: Line, _: Arrival) -> None:
        await line.reply(200, {"http_code": 200, "data": {}}, last)

    holds: list[HoldEvent] = []
    async with Hostile(serve) as server:
        async with client_of(server.url, hooks=Hooks(on_hold=holds.append)) as client:
            await client.account.get()
            await asyncio.gather(client.account.get(), client.lists.get(1))
        account, other, again = server.arrivals
        assert [it.path for it in (account, other, again)] == [
            "/v3/account",
            "/v3/lists/1",
            "/v3/account",
        ]
        assert other.at < account.at + 0.2
        assert again.at >= account.at + 0.3
        assert holds[0] == HoldEvent(holds[0].id, "GET /v3/account", 0.3, everything=False)


@pytest.mark.parametrize(
    "headers",
    [
        {"x-ratelimit-remaining": "5999", "ratelimit-reset": "47"},
        {"x-ratelimit-remaining": "0"},
        {"ratelimit-reset": "47"},
        {"x-ratelimit-remaining": "0", "ratelimit-reset": "0"},
        {"x-ratelimit-remaining": "none", "ratelimit-reset": "soon"},
        {"x-ratelimit-remaining": "0", "ratelimit-reset": "-47"},
    ],
    ids=str,
)
async def test_limit_headers_that_ask_for_nothing_hold_nothing(headers: dict[str, str]) -> None:
    holds: list[HoldEvent] = []
    async with Hostile(lambda line, _: line.reply(200, {"data": {}}, headers)) as server:
        async with client_of(server.url, hooks=Hooks(on_hold=holds.append)) as client:
            async with asyncio.timeout(1):
                await client.account.get()
                await client.account.get()
    assert holds == []


async def test_a_pause_is_no_longer_than_the_policy_lets_the_server_ask() -> None:
    headers = {"x-ratelimit-remaining": "0", "ratelimit-reset": "99999999"}
    holds: list[HoldEvent] = []
    async with Hostile(lambda line, _: line.reply(200, {"data": {}}, headers)) as server:
        retry = Retry(server_cap=0.1)
        async with client_of(server.url, retry=retry, hooks=Hooks(on_hold=holds.append)) as client:
            async with asyncio.timeout(1):
                await client.account.get()
                await client.account.get()
    assert [it.seconds for it in holds] == [0.1, 0.1]


async def test_a_limit_that_is_passed_although_it_was_kept_ends_in_an_error() -> None:
    async with Hostile(lambda line, _: line.reply(429, b"", {"Retry-After": "0"})) as server:
        async with client_of(server.url, rate_limit=RateLimit(100, 1.0)) as client:
            errors = await asyncio.gather(*(failure_of(client.account.get()) for _ in range(3)))
    assert {type(error) for error in errors} == {ac.TooManyRequests}
    assert len(server.arrivals) == 9
