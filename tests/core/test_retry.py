"""What is tried again, after how long, and when it is enough."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

import aioclicksend as ac
from aioclicksend import Hooks, Retry, retry
from aioclicksend.retry import Fate

from ..hostile import Arrival, Hostile, Line, refused_url, sent
from .helpers import BODY, CALLS, MESSAGE, NUMBER, client_of, failure_of

# The rule


@pytest.mark.parametrize(
    ("sent", "status", "fate"),
    [
        (False, None, Fate.NOT_SENT),
        (True, None, Fate.UNKNOWN),
        *((True, status, Fate.TAKEN) for status in (200, 201, 202, 204, 299)),
        *((True, status, Fate.REFUSED) for status in (307, 308)),
        *((True, status, Fate.REFUSED) for status in (400, 401, 403, 404, 405, 413, 418, 451)),
        (True, 429, Fate.THROTTLED),
        *((True, status, Fate.UNKNOWN) for status in (100, 101, 300, 301, 302, 303, 304, 408, 499)),
        *((True, status, Fate.UNKNOWN) for status in (500, 502, 503, 504, 520, 599, 999)),
    ],
)
def test_the_fate_of_an_attempt(sent: bool, status: int | None, fate: Fate) -> None:  # noqa: FBT001
    assert retry.fate(sent=sent, status=status) is fate


def test_what_may_be_repeated() -> None:
    always = {it for it in Fate if retry.may_repeat(it, repeatable=False)}
    where_harmless = {it for it in Fate if retry.may_repeat(it, repeatable=True)}
    assert always == {Fate.NOT_SENT, Fate.THROTTLED}
    assert where_harmless == {Fate.NOT_SENT, Fate.THROTTLED, Fate.UNKNOWN}


def test_waits_double_up_to_the_cap_and_are_random_below_that() -> None:
    policy = Retry(base=0.5, cap=30)
    longest = [retry.delay(attempt, policy, lambda: 1.0) for attempt in range(1, 9)]
    assert longest == [1, 2, 4, 8, 16, 30, 30, 30]
    assert [retry.delay(attempt, policy, lambda: 0.25) for attempt in (1, 2)] == [0.25, 0.5]
    assert retry.delay(5, policy, lambda: 0.0) == 0


def test_the_servers_word_goes_before_ours_and_is_capped() -> None:
    policy = Retry(server_cap=120)
    assert retry.delay(1, policy, lambda: 1.0, asked=39.0) == 39
    assert retry.delay(9, policy, lambda: 1.0, asked=0.0) == 0
    assert retry.delay(1, policy, lambda: 1.0, asked=99_999.0) == 120


@given(st.integers(1, 10**6), st.floats(0, 1), st.none() | st.floats(0, 1e300))
def test_a_wait_is_never_negative_nor_beyond_its_cap(
    attempt: int, chance: float, asked: float | None
) -> None:
    policy = Retry()
    wait = retry.delay(attempt, policy, lambda: chance, asked)
    assert 0 <= wait <= (policy.cap if asked is None else policy.server_cap)


def test_a_budget_is_drained_by_failures_and_filled_slowly_by_successes() -> None:
    budget = retry.Budget(20)
    assert budget.spend(timed_out=True)
    assert budget.spend()
    assert not budget.spend(timed_out=True)
    assert budget.spend()
    assert not budget.spend()
    for _ in range(5):
        budget.earn()
    assert budget.spend()
    for _ in range(1000):
        budget.earn()
    assert budget.left == 20


# On the wire


@pytest.mark.parametrize("attempts", [1, 2, 5])
async def test_attempts_count_the_first_try(attempts: int) -> None:
    async with Hostile(lambda line, _: line.reply(500)) as server:
        async with client_of(server.url, retry=Retry(attempts=attempts, base=0)) as client:
            await failure_of(client.account.get())
    assert len(server.arrivals) == attempts


async def test_a_call_that_may_be_repeated_gets_through_a_short_trouble() -> None:
    async def at_third_try(line: Line, _: Arrival) -> None:
        if len(server.arrivals) < 3:
            line.reset()
        else:
            await line.ok({"user_id": 7})

    async with Hostile(at_third_try) as server:
        async with client_of(server.url) as client:
            assert (await client.account.get()).user_id == 7
    assert len(server.arrivals) == 3


async def test_an_outage_is_not_answered_with_a_storm() -> None:
    """Of a thousand calls that fail only as many are tried again as the budget pays for."""
    async with Hostile(lambda line, _: line.reply(503)) as server:
        async with client_of(server.url, retry=Retry(attempts=5, base=0, budget=100)) as client:
            errors = await asyncio.gather(
                *(failure_of(client.lists.get(number)) for number in range(300))
            )
    assert {type(error) for error in errors} == {ac.ServerError}
    assert len(server.arrivals) == 300 + 100 // 5


async def test_a_timeout_costs_twice_as_much() -> None:
    policy = Retry(attempts=10, base=0, budget=40)
    async with Hostile(lambda line, _: line.hang()) as server:
        async with client_of(server.url, retry=policy, timeout=ac.Timeout(read=0.03)) as client:
            await failure_of(client.account.get())
    assert len(server.arrivals) == 1 + 40 // 10


async def test_the_budget_is_the_whole_clients() -> None:
    async with refused_url() as url:
        async with client_of(url, retry=Retry(attempts=100, base=0, budget=25)) as client:
            tries: list[ac.RetryEvent] = []
            client.add_hooks(Hooks(on_retry=tries.append))
            await failure_of(client.account.get())
            await failure_of(client.sms.send(MESSAGE))
    assert [it.operation for it in tries] == ["GET /v3/account"] * 5


async def test_a_wait_longer_than_the_policy_allows_is_given_up_at_once() -> None:
    async with Hostile(lambda line, _: line.reply(429, b"", {"Retry-After": "3600"})) as server:
        async with client_of(server.url, retry=Retry(server_cap=120)) as client:
            started = time.monotonic()
            error = await failure_of(client.account.get())
            assert time.monotonic() - started < 1
    assert len(server.arrivals) == 1
    assert isinstance(error, ac.TooManyRequests)
    assert error.retry_after == 3600


@pytest.mark.parametrize("status", [429, 503])
async def test_the_server_says_when_to_try_again(status: int) -> None:
    async def at_second_try(line: Line, _: Arrival) -> None:
        if len(server.arrivals) == 1:
            await line.reply(status, b"", {"Retry-After": "0.2"})
        else:
            await line.ok({})

    async with Hostile(at_second_try) as server:
        async with client_of(server.url) as client:
            await client.account.get()
    first, second = server.arrivals
    assert 0.2 <= second.at - first.at < 1


async def test_a_reset_of_the_limit_does_not_delay_a_retry_the_limit_did_not_cause() -> None:
    """Live replies tell the limit whatever their status."""
    headers = {"x-ratelimit-remaining": "5999", "ratelimit-reset": "47"}

    async def at_second_try(line: Line, _: Arrival) -> None:
        await (line.reply(500, b"", headers) if len(server.arrivals) == 1 else line.ok({}))

    async with Hostile(at_second_try) as server:
        async with client_of(server.url) as client, asyncio.timeout(2):
            await client.account.get()


async def test_a_date_says_when_to_try_again() -> None:
    soon = time.strftime("%a, %d %b %Y %H:%M:%S GMT", time.gmtime(time.time() + 500))
    async with Hostile(lambda line, _: line.reply(429, b"", {"Retry-After": soon})) as server:
        async with client_of(server.url) as client:
            error = await failure_of(client.account.get())
    assert isinstance(error, ac.TooManyRequests)
    assert error.retry_after == pytest.approx(500, abs=5)


# Hooks


class Watcher:
    """Collects every event."""

    def __init__(self) -> None:
        self.events: list[Any] = []
        note: Callable[[object], object] = self.events.append
        self.hooks = Hooks(
            before_request=note, after_reply=note, on_retry=note, on_hold=note, on_end=note
        )


async def test_hooks_receive_every_step() -> None:
    async def at_third_try(line: Line, arrival: Arrival) -> None:
        match len(server.arrivals):
            case 1:
                await line.reply(429, b"", {"Retry-After": "0"})
            case 2:
                await line.reply(500)
            case _:
                await line.ok(sent(arrival))

    watcher = Watcher()
    async with Hostile(at_third_try) as server:
        async with client_of(server.url, hooks=watcher.hooks) as client:
            await client.sms.price(MESSAGE)
    name = "POST /v3/sms/price"
    first, refused, held, again, second, broken, retried, third, done, end = watcher.events
    id_ = first.id
    assert all((it.id, it.operation) == (id_, name) for it in watcher.events)
    assert (first.attempt, second.attempt, third.attempt) == (1, 2, 3)
    assert (refused.attempt, refused.status) == (1, 429)
    assert held == ac.HoldEvent(id_, name, 0, everything=True)
    assert again == ac.RetryEvent(id_, name, 1, "HTTP 429", 0)
    assert (broken.attempt, broken.status) == (2, 500)
    assert retried == ac.RetryEvent(id_, name, 2, "HTTP 500", 0)
    assert (done.attempt, done.status) == (3, 200)
    assert 0 <= done.seconds < 1
    assert end == ac.EndEvent(id_, name, 3, end.seconds, 200, None, "ok")
    assert end.seconds >= done.seconds


@pytest.mark.parametrize("kind", ["GET", "POST-send"])
async def test_hooks_receive_nothing_personal(kind: str) -> None:
    _, call = CALLS[kind]
    watcher = Watcher()
    async with Hostile(lambda line, _: line.reply(429, b"", {"Retry-After": "0"})) as server:
        async with client_of(server.url, hooks=watcher.hooks) as client:
            await failure_of(call(client))
            path = f"/v3/contacts/{NUMBER}/Jane%20Citizen"
            await failure_of(client.request("GET", path, query={"q": f"to:{NUMBER}"}))
    shown = repr(watcher.events)
    assert len(watcher.events) > 6
    assert NUMBER.strip("+") not in shown
    assert BODY not in shown
    assert "Jane" not in shown


async def test_a_hook_that_raises_changes_nothing(caplog: pytest.LogCaptureFixture) -> None:
    def fails(event: object) -> None:
        raise RuntimeError(f"{NUMBER} {event}")

    async def at_second_try(line: Line, arrival: Arrival) -> None:
        await (
            line.reply(429, b"", {"Retry-After": "0"})
            if len(server.arrivals) == 1
            else line.ok(sent(arrival))
        )

    hooks = Hooks(before_request=fails, after_reply=fails, on_retry=fails, on_hold=fails)
    async with Hostile(at_second_try) as server:
        with caplog.at_level(logging.WARNING):
            async with client_of(server.url, hooks=hooks) as client:
                assert len((await client.sms.send(MESSAGE)).accepted) == 1
    assert len(server.arrivals) == 2
    assert caplog.text.count("failed: RuntimeError") == 6
    assert NUMBER not in caplog.text
