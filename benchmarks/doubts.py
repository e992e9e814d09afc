"""What broken posts cost: a run at a strict 10 requests a second against the same without faults.

The sandbox runs in its own process. One post in twenty is broken, half of those after the server
has taken them. The history filters by several numbers, or ignores the filter.
"""

from __future__ import annotations

import asyncio
import multiprocessing
import time
from decimal import Decimal
from typing import Any

import aioclicksend as ac
from aioclicksend.sandbox import Arrival, Fault, HistoryBehaviour, Sandbox

from .harness import Bar, Line, main, seconds

_EVERY = 20
"""One post in so many is broken."""


def _serve(pipe: Any, history: dict[str, Any], *, broken: bool) -> None:
    async def run() -> None:
        posts = 0

        def choose(arrival: Arrival) -> Fault | None:
            nonlocal posts
            if not arrival.path.endswith("/sms/send"):
                return None
            posts += 1
            if posts % _EVERY != _EVERY // 2:
                return None
            return Fault.RESET_AFTER if posts // _EVERY % 2 else Fault.RESET_BEFORE

        behaviour = HistoryBehaviour(**history)
        async with Sandbox(history=behaviour, balance="1000000") as sandbox:
            sandbox.fail_every(choose if broken else None)
            pipe.send(sandbox.url)
            await asyncio.to_thread(pipe.recv)
            pipe.send((len(sandbox.messages), len({it["to"] for it in sandbox.messages})))

    asyncio.run(run())


async def _send(url: str, count: int) -> tuple[float, ac.Report]:
    auth = ac.BasicAuth("sandbox", "sandbox")
    limit = ac.RateLimit(10, 1.0)
    reconcile = ac.Reconcile(settle=3.0, resend=True)
    async with (
        ac.ClickSend(auth=auth, base_url=url, rate_limit=limit) as client,
        client.sms.bulk(reconcile=reconcile, ramp=None) as bulk,
    ):
        began = time.monotonic()
        messages = (ac.SmsMessage(to=f"+614{it:08d}", body="Hello") for it in range(count))
        report = await bulk.run(messages)
        return time.monotonic() - began, report


def run(count: int, history: dict[str, Any], *, broken: bool) -> float:
    """Send messages and return the seconds that took; nothing may arrive twice or be lost."""
    ours, theirs = multiprocessing.Pipe()
    options = {"broken": broken}
    server = multiprocessing.Process(target=_serve, args=(theirs, history), kwargs=options)
    server.start()
    took, report = asyncio.run(_send(ours.recv(), count))
    ours.send(None)
    arrived, distinct = ours.recv()
    server.join()
    if arrived != distinct or report.accepted + report.unknown != count:
        raise AssertionError(f"{arrived} arrived, {distinct} different, {report}")
    assert report.cost >= Decimal(0)
    return took


def measure(*, quick: bool) -> list[Line]:
    """Compare runs with broken posts with one without."""
    count = 20_000 if quick else 100_000
    clean = run(count, {}, broken=False)
    lines = []
    for what, history, bar in (
        ("filters by OR", {}, 4.0),
        ("ignores the filter", {"filter": "ignore"}, 10.0),
    ):
        took = run(count, history, broken=True)
        lines.append(
            Line(
                f"{count} SMS at 10 requests/s, 5 % of posts broken, history {what}",
                seconds(took),
                seconds(clean),
                ratio=took / clean,
                bar=Bar(bar, most=True),
            )
        )
    return lines


if __name__ == "__main__":
    main(measure)
