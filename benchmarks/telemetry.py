"""What OpenTelemetry costs a client: CPU of a bulk run and of single calls, with and without.

``python benchmarks/telemetry.py [ROUNDS]``

Both run in one process against a server in another, in turns; shown is the median of the ratios.
Spans go through a batch processor to an exporter that drops them, metrics to a reader in memory.
"""

from __future__ import annotations

import asyncio
import multiprocessing
import statistics
import sys
import time
from collections.abc import Awaitable, Callable
from multiprocessing.connection import Connection

from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import (
    BatchSpanProcessor,
    SpanExporter,
    SpanExportResult,
)

from aioclicksend import BasicAuth, ClickSend, SmsMessage
from aioclicksend.sandbox import Sandbox
from aioclicksend.telemetry import instrument

MESSAGES = 20_000
CALLS = 200
RATE = 10
"""Requests a second, the default pace."""


class Dropping(SpanExporter):
    """Exports nothing."""

    def export(self, spans: object) -> SpanExportResult:
        """Drop the spans."""
        assert spans is not None
        return SpanExportResult.SUCCESS


def serve(ready: Connection) -> None:
    """Run a sandbox until the process ends."""

    async def run() -> None:
        async with Sandbox(balance="1000000") as sandbox:
            ready.send((sandbox.url, sandbox.username, sandbox.api_key))
            await asyncio.to_thread(ready.recv)

    asyncio.run(run())


async def bulk_run(client: ClickSend) -> None:
    """Send many messages."""
    async with client.sms.bulk() as bulk:
        await bulk.run(
            SmsMessage(to=f"+6149{number:07}", body=f"Hello {number}") for number in range(MESSAGES)
        )


async def single_calls(client: ClickSend) -> None:
    """Make small calls one after another."""
    for number in range(CALLS):
        await client.sms.send(SmsMessage(to="+61491570006", body=f"Hello {number}"))


async def main(rounds: int, account: tuple[str, str, str]) -> None:
    """Print a line for each kind of work."""
    url, username, key = account
    auth = BasicAuth(username, key)
    tracers = TracerProvider()
    tracers.add_span_processor(BatchSpanProcessor(Dropping()))
    meters = MeterProvider([InMemoryMetricReader()])
    works: dict[str, tuple[Callable[[ClickSend], Awaitable[None]], int]] = {
        f"bulk.run of {MESSAGES} messages": (bulk_run, MESSAGES // 1000),
        f"{CALLS} sms.send one after another": (single_calls, CALLS),
    }
    for name, (work, requests) in works.items():
        ratios, costs = [], []
        for _ in range(rounds):
            spent = []
            for instrumented in (False, True):
                async with ClickSend(auth=auth, base_url=url, rate_limit=None) as client:
                    if instrumented:
                        instrument(client, tracer_provider=tracers, meter_provider=meters)
                    before = time.process_time()
                    await work(client)
                    spent.append(time.process_time() - before)
            ratios.append(spent[1] / spent[0] - 1)
            costs.append((spent[1] - spent[0]) / requests)
        cost = statistics.median(costs)
        print(
            f"{name:36} {statistics.median(ratios):+.1%} CPU, unpaced; {cost * 1e6:.0f} µs a "
            f"request, {cost * RATE:.2%} of a core at {RATE} requests a second"
        )


if __name__ == "__main__":
    ours, theirs = multiprocessing.Pipe()
    server = multiprocessing.get_context("spawn").Process(target=serve, args=(theirs,), daemon=True)
    server.start()
    asyncio.run(main(int(sys.argv[1]) if len(sys.argv) > 1 else 9, ours.recv()))
    ours.send("end")
    server.join()
