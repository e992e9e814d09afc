"""Every call emits one `EndEvent`, in whatever way it ends."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

import aioclicksend as ac
from aioclicksend import EndEvent, Hooks, RateLimit, Retry, Timeout
from aioclicksend.wire import Request

from ..hostile import Arrival, Hostile, Line, data_for, refused_url
from .helpers import CALLS, MESSAGE, REPEATABLE, client_of, failure_of

kinds = pytest.mark.parametrize("kind", CALLS)


async def answer(line: Line, arrival: Arrival) -> None:
    await line.ok(data_for(arrival))


async def reset(line: Line, _: Arrival) -> None:
    line.reset()


def refuse(status: int) -> Any:
    async def serve(line: Line, _: Arrival) -> None:
        await line.reply(status, {"response_code": "SOME_CODE", "response_msg": "No."})

    return serve


ENDS: dict[str, tuple[Any, str, int | None, str | None]] = {
    "ok": (answer, "ok", 200, None),
    "400": (refuse(400), "refused", 400, "SOME_CODE"),
    "429": (refuse(429), "refused", 429, "SOME_CODE"),
    "307": (refuse(307), "not_sent", 307, None),
    "reset": (reset, "unknown", None, None),
}


@kinds
@pytest.mark.parametrize("how", ENDS)
async def test_a_call_ends_once_and_says_how(kind: str, how: str) -> None:
    script, outcome, status, code = ENDS[how]
    ends: list[EndEvent] = []
    options: dict[str, Any] = {
        "retry": Retry(attempts=2, base=0),
        "hooks": Hooks(on_end=ends.append),
    }
    async with Hostile(script) as server, client_of(server.url, **options) as client:
        operation, call = CALLS[kind]
        await asyncio.gather(call(client), return_exceptions=True)
    (end,) = ends
    assert (end.operation, end.outcome, end.status) == (operation, outcome, status)
    assert end.response_code == code
    assert end.attempts == len(server.arrivals)
    assert end.seconds >= 0
    assert len(end.id) == 16


@kinds
async def test_a_server_error_is_refused_where_the_call_may_be_repeated(kind: str) -> None:
    ends: list[EndEvent] = []
    async with Hostile(refuse(503)) as server:
        async with client_of(server.url, hooks=Hooks(on_end=ends.append)) as client:
            await failure_of(CALLS[kind][1](client))
    (end,) = ends
    assert end.outcome == ("refused" if kind in REPEATABLE else "unknown")
    assert end.status == 503


async def test_a_call_that_reached_nobody_ends_as_not_sent() -> None:
    ends: list[EndEvent] = []
    async with refused_url() as url:
        async with client_of(url, hooks=Hooks(on_end=ends.append)) as client:
            await failure_of(client.sms.send(MESSAGE))
        with pytest.raises(RuntimeError, match="closed"):
            await client.sms.send(MESSAGE)
    first, second = ends
    assert (first.outcome, first.attempts, first.status) == ("not_sent", 3, None)
    assert second.outcome == "not_sent"


@pytest.mark.parametrize("sent", [True, False])
async def test_a_cancelled_call_ends_as_cancelled(*, sent: bool) -> None:
    ends: list[EndEvent] = []
    options: dict[str, Any] = {"hooks": Hooks(on_end=ends.append)}
    async with Hostile(lambda line, _: line.hang()) as server:
        async with client_of(server.url, **options) as client:
            if not sent:
                client._session._pace.hold(60)
            call = asyncio.create_task(client.sms.send(MESSAGE))
            if sent:
                await server.until_arrivals(1)
            else:
                await asyncio.sleep(0)
            call.cancel()
            await asyncio.wait([call])
    (end,) = ends
    assert (end.outcome, end.status, end.attempts) == ("cancelled", None, int(sent))


async def test_calls_at_once_have_ids_of_their_own() -> None:
    events: list[Any] = []
    note: Any = events.append
    hooks = Hooks(before_request=note, after_reply=note, on_end=note)
    async with Hostile(answer) as server, client_of(server.url, hooks=hooks) as client:
        await asyncio.gather(*(client.sms.send(MESSAGE) for _ in range(20)))
    assert len({it.id for it in events}) == 20
    assert len(events) == 60


async def test_a_request_says_how_long_it_waited_for_the_pace() -> None:
    waits: list[float] = []
    hooks = Hooks(before_request=lambda it: waits.append(it.waited))
    limit = RateLimit(1, 0.2)
    async with Hostile(answer) as server:
        async with client_of(server.url, hooks=hooks, rate_limit=limit) as client:
            for _ in range(2):
                await client.account.get()
    assert waits[0] < 0.1 < waits[1]


def test_hooks_must_be_plain_functions() -> None:
    async def late(_: object) -> None: ...

    for wrong in (late, "print", 7):
        with pytest.raises(ac.ConfigurationError, match="on_end must be a plain function"):
            Hooks(on_end=wrong)  # type: ignore[arg-type]


async def test_hooks_can_be_added_and_removed() -> None:
    ends: list[EndEvent] = []
    async with Hostile(answer) as server, client_of(server.url) as client:
        remove = client.add_hooks(Hooks(on_end=ends.append))
        await client.account.get()
        remove()
        await client.account.get()
    assert len(ends) == 1


# The fence before the first byte


class FencedError(Exception):
    """What a fence raises."""


async def test_a_fence_stops_a_request_before_its_first_byte() -> None:
    passed: list[int] = []

    async def fence() -> None:
        passed.append(1)
        if len(passed) > 1:
            raise FencedError

    ends: list[EndEvent] = []
    async with Hostile(answer) as server:
        async with client_of(server.url, hooks=Hooks(on_end=ends.append)) as client:
            request = Request(
                "POST /v3/sms/send", "POST", f"{server.url}/v3/sms/send", b"{}", fence=fence
            )
            await client._session.exchange(request, lambda reply: reply)
            with pytest.raises(FencedError):
                await client._session.exchange(request, lambda reply: reply)
    assert len(server.arrivals) == 1
    assert [it.outcome for it in ends] == ["ok", "not_sent"]


# Timeout.turn


async def test_a_call_whose_turn_does_not_come_in_time_is_not_sent() -> None:
    async with Hostile(answer) as server:
        async with client_of(server.url, timeout=Timeout(turn=0.05)) as client:
            client._session._pace.hold(60)
            for call in (client.sms.send(MESSAGE), client.account.get()):
                error = await failure_of(call)
                assert type(error) is ac.NotSentError
                assert "no turn within 0.05 s (Timeout.turn)" in str(error)
    assert server.arrivals == []


async def test_the_turn_at_the_wire_counts_too() -> None:
    class Slow:
        """A pace that grants a connection and then no byte."""

        async def turn(self, operation: str) -> None: ...

        async def at_wire(self) -> None:
            await asyncio.sleep(60)

        def hold(self, seconds: float, operation: str | None = None) -> None: ...

        def held_for(self, operation: str) -> float:
            return 0.0 if operation else 1.0

    async with Hostile(answer) as server:
        async with client_of(server.url, timeout=Timeout(turn=0.05), pace=Slow()) as client:
            error = await failure_of(client.sms.send(MESSAGE))
        await server.until_all_closed()
    assert type(error) is ac.NotSentError
    assert "Timeout.turn" in str(error)
    assert server.arrivals == []


async def test_a_pause_that_outlasts_the_turn_is_the_429_that_began_it() -> None:
    async with Hostile(lambda line, _: line.reply(429, b"", {"Retry-After": "30"})) as server:
        async with client_of(server.url, timeout=Timeout(turn=0.1)) as client:
            error = await failure_of(client.sms.send(MESSAGE))
    assert isinstance(error, ac.TooManyRequests)
    assert error.retry_after == 30
    assert len(server.arrivals) == 1


@pytest.mark.parametrize("bad", [0, -1])
def test_a_turn_takes_some_time(bad: float) -> None:
    with pytest.raises(ac.ConfigurationError, match="turn must be greater than 0"):
        Timeout(turn=bad)
