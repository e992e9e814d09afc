"""What OpenTelemetry costs a client: CPU with and without, for each setting and kind of work.

``python benchmarks/telemetry.py [ROUNDS]``

All settings run in one process against a server in another, in turns, each with a client of its
own that stays open. Shown are medians: of the ratios, of the microseconds a request costs more,
and what that is of a core at the default pace. Spans go through a batch processor to an exporter
that drops them, metrics to a reader in memory.
"""

from __future__ import annotations

import asyncio
import multiprocessing
import statistics
import sys
import time
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from multiprocessing.connection import Connection
from typing import Any

from opentelemetry.metrics import NoOpMeterProvider
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import (
    BatchSpanProcessor,
    SpanExporter,
    SpanExportResult,
)
from opentelemetry.sdk.trace.sampling import ParentBasedTraceIdRatio
from opentelemetry.trace import NoOpTracerProvider

from aioclicksend import BasicAuth, ClickSend, SmsMessage
from aioclicksend.sandbox import Sandbox
from aioclicksend.telemetry import instrument

MESSAGES = 20_000
CALLS = 40
TURNS = 20
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


async def web_app(client: ClickSend) -> None:
    """Send what requests of a web application bring, twenty at a time; look things up."""
    async with client.sms.bulk() as bulk:
        for _ in range(TURNS):
            handles = [
                await bulk.send(SmsMessage(to=f"+61491{number:06}", body="Your code: 1"))
                for number in range(20)
            ]
            for handle in handles:
                await handle
        await client.account.get()


def settings() -> dict[str, tuple[TracerProvider, MeterProvider]]:
    """Return the providers of each setting."""

    def tracers(ratio: float) -> TracerProvider:
        made = TracerProvider(sampler=ParentBasedTraceIdRatio(ratio))
        made.add_span_processor(BatchSpanProcessor(Dropping()))
        return made

    def meters() -> MeterProvider:
        return MeterProvider([InMemoryMetricReader()])

    no_tracer: Any = NoOpTracerProvider()
    no_meter: Any = NoOpMeterProvider()
    return {
        "spans and metrics": (tracers(1), meters()),
        "1 of 10 spans, metrics": (tracers(0.1), meters()),
        "spans only": (tracers(1), no_meter),
        "metrics only": (no_tracer, meters()),
    }


WORKS: dict[str, tuple[Callable[[ClickSend], Awaitable[None]], int]] = {
    f"bulk.run of {MESSAGES} messages": (bulk_run, MESSAGES // 1000),
    "bulk.send, 20 a request": (web_app, TURNS + 1),
    "sms.send one after another": (single_calls, CALLS),
}
"""Kinds of work, and the requests of each."""


async def main(rounds: int, account: tuple[str, str, str]) -> None:
    """Print a line for each kind of work and setting."""
    url, username, key = account
    async with AsyncExitStack() as stack:
        clients: dict[str, ClickSend] = {}
        for setting in ("off", *(providers := settings())):
            client = ClickSend(auth=BasicAuth(username, key), base_url=url, rate_limit=None)
            clients[setting] = await stack.enter_async_context(client)
            if setting in providers:
                tracers, meters = providers[setting]
                instrument(client, tracer_provider=tracers, meter_provider=meters)
        for name, (work, requests) in WORKS.items():
            spent: dict[str, list[float]] = {setting: [] for setting in clients}
            for _ in range(rounds + 1):
                for setting, client in clients.items():
                    before = time.process_time()
                    await work(client)
                    spent[setting].append((time.process_time() - before) / requests)
            plain = spent.pop("off")[1:]  # without the first round, in which things are set up
            for setting, found in spent.items():
                pairs = list(zip(found[1:], plain, strict=True))
                ratio = statistics.median(it / off - 1 for it, off in pairs)
                more = statistics.median(it - off for it, off in pairs)
                print(
                    f"{name:28} {setting:24} {ratio:+6.1%} CPU, {more * 1e6:4.0f} µs a request, "
                    f"{more * RATE:.2%} of a core at {RATE} a second",
                    flush=True,
                )


if __name__ == "__main__":
    ours, theirs = multiprocessing.Pipe()
    server = multiprocessing.get_context("spawn").Process(target=serve, args=(theirs,), daemon=True)
    server.start()
    asyncio.run(main(int(sys.argv[1]) if len(sys.argv) > 1 else 25, ours.recv()))
    ours.send("end")
    server.join()
