"""A client that always has something to ask."""

from __future__ import annotations

import asyncio

import aioclicksend as ac

from .ours import client


def ask(url: str, rate: int, seconds: float) -> dict[str, float]:
    """Ask for as long, as often as the limit allows."""
    return asyncio.run(_ask(url, rate, seconds))


async def _ask(url: str, rate: int, seconds: float) -> dict[str, float]:
    loop = asyncio.get_running_loop()
    over = loop.time() + seconds
    asked = 0
    async with client(url, ac.RateLimit(rate, 1.0)) as it:

        async def worker() -> None:
            nonlocal asked
            while loop.time() < over:
                await it.request("GET", "/v3/account")
                asked += 1

        await asyncio.gather(*(worker() for _ in range(min(50, 2 * rate))))
    return {"asked": asked}
