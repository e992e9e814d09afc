"""What a web backend does: single sends, many at a time."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable

import aiohttp
import msgspec

import aioclicksend as ac

from ..meter import Meter
from .floor import Sms, decode, encode
from .ours import client, sms

PACE = ac.RateLimit(requests=10, per=1.0)


def burst(url: str, count: int) -> dict[str, float]:
    """Send messages one by one, all at once."""
    return asyncio.run(_burst(url, count))


def steady(url: str, count: int, each_second: float) -> dict[str, float]:
    """Send messages one by one, at this rate a second, and return how long each waited."""
    return asyncio.run(_steady(url, count, each_second))


def latency(url: str, count: int) -> dict[str, float]:
    """Send messages one after the other, in turns by each way of ours and by aiohttp alone."""
    return asyncio.run(_latency(url, count))


async def _burst(url: str, count: int) -> dict[str, float]:
    async with client(url, PACE) as it, it.sms.bulk() as bulk:

        async def send(message: ac.SmsMessage) -> bool:
            return isinstance(await (await bulk.send(message)), ac.Accepted)

        with Meter() as meter:
            accepted = sum(await asyncio.gather(*map(send, sms(count))))
    assert accepted == count
    return meter.result(count)


async def _steady(url: str, count: int, each_second: float) -> dict[str, float]:
    waits: list[float] = []
    async with client(url, PACE) as it, it.sms.bulk() as bulk, asyncio.TaskGroup() as tasks:

        async def send(message: ac.SmsMessage) -> None:
            began = time.perf_counter()
            assert isinstance(await (await bulk.send(message)), ac.Accepted)
            waits.append(time.perf_counter() - began)

        began = time.perf_counter()
        for number, message in enumerate(sms(count)):
            ahead = began + number / each_second - time.perf_counter()
            if ahead > 0:
                await asyncio.sleep(ahead)
            tasks.create_task(send(message))
    return _percentiles(waits)


async def _latency(url: str, count: int) -> dict[str, float]:
    headers = {"Authorization": "Basic c2luazpzaW5r", "Content-Type": "application/json"}
    async with (
        client(url) as ours,
        ours.sms.bulk() as bulk,
        aiohttp.ClientSession(headers=headers) as http,
    ):

        async def raw(message: ac.SmsMessage) -> None:
            assert message.to is not None
            body = encode({"messages": [Sms(message.to, message.body, "raw")]})
            async with http.post(f"{url}/v3/sms/send", data=body) as response:
                response.raise_for_status()
                assert decode(await response.read()).data.messages[0].status == "SUCCESS"

        async def single(message: ac.SmsMessage) -> None:
            assert (await ours.sms.send(message)).messages[0].accepted

        async def idle(message: ac.SmsMessage) -> None:
            assert isinstance(await (await bulk.send(message)), ac.Accepted)

        ways: dict[str, Callable[[ac.SmsMessage], Awaitable[None]]]
        ways = {"raw": raw, "single": single, "idle": idle}
        times: dict[str, list[float]] = {name: [] for name in ways}
        for number, message in enumerate(sms(count)):
            for name, send in ways.items():
                copy = msgspec.structs.replace(message)
                began = time.perf_counter()
                await send(copy)
                if number >= count // 10:  # the first ones warm up
                    times[name].append(time.perf_counter() - began)
    return {
        f"{name}_{share}": value
        for name, taken in times.items()
        for share, value in _percentiles(taken).items()
    }


def _percentiles(times: list[float]) -> dict[str, float]:
    ordered = sorted(times)
    return {"p50": ordered[len(ordered) // 2], "p99": ordered[len(ordered) * 99 // 100]}
