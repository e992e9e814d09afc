"""What OpenTelemetry costs a client: CPU with and without, for each setting and kind of work.

``python benchmarks/telemetry.py [ROUNDS]``

All settings run in one process against a server in another, in turns; shown are the medians of the
ratios. Spans go through a batch processor to an exporter that drops them, metrics to a reader in
memory.
"""

from __future__ import annotations

import asyncio
import multiprocessing
import statistics
import sys
import time
from collections.abc import Awaitable, Callable
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

from aioclicksend import BasicAuth, ClickSend, RateLimit, SmsMessage
from aioclicksend.sandbox import Sandbox
from aioclicksend.telemetry import instrument

MESSAGES = 20_000
CALLS = 200
SECONDS = 3
PER_SECOND = 200
"""Messages a second of the web application."""
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
    """Send what requests of a web application bring, at the default pace; look things up."""
    async with client.sms.bulk() as bulk:
        for second in range(SECONDS):
            for number in range(PER_SECOND):
                await bulk.send(SmsMessage(to=f"+6149{second:03}{number:04}", body="Your code: 1"))
                await asyncio.sleep(1 / PER_SECOND)
            await client.account.get()


def settings() -> dict[str, tuple[TracerProvider, MeterProvider]]:
    """Return the providers of each setting."""

    def tracers(ratio: float) -> TracerProvider:
        made = TracerProvider(sampler=ParentBasedTraceIdRatio(ratio))
        made.add_span_processor(BatchSpanProcessor(Dropping()))
        return made

    meters = MeterProvider([InMemoryMetricReader()])
    no_tracer: Any = NoOpTracerProvider()
    no_meter: Any = NoOpMeterProvider()
    return {
        "spans and metrics": (tracers(1), meters),
        "1 of 10 spans, metrics": (tracers(0.1), meters),
        "spans only": (tracers(1), no_meter),
        "metrics only": (no_tracer, meters),
    }


WORKS: dict[str, tuple[Callable[[ClickSend], Awaitable[None]], RateLimit | None]] = {
    f"bulk.run of {MESSAGES} messages": (bulk_run, None),
    f"{PER_SECOND} bulk.send a second, paced": (web_app, RateLimit(RATE)),
    f"{CALLS} sms.send one after another": (single_calls, None),
}


async def main(rounds: int, account: tuple[str, str, str]) -> None:
    """Print a line for each kind of work and setting."""
    url, username, key = account
    auth = BasicAuth(username, key)
    providers = settings()

    async def cost(name: str, setting: str | None) -> float:
        work, pace = WORKS[name]
        async with ClickSend(auth=auth, base_url=url, rate_limit=pace) as client:
            if setting is not None:
                tracers, meters = providers[setting]
                instrument(client, tracer_provider=tracers, meter_provider=meters)
            before = time.process_time()
            await work(client)
            return time.process_time() - before

    for name in WORKS:
        ratios: dict[str, list[float]] = {setting: [] for setting in providers}
        for _ in range(rounds):
            plain = await cost(name, None)
            for setting, found in ratios.items():
                found.append(await cost(name, setting) / plain - 1)
        for setting, found in ratios.items():
            print(f"{name:34} {setting:24} {statistics.median(found):+.1%} CPU", flush=True)


if __name__ == "__main__":
    ours, theirs = multiprocessing.Pipe()
    server = multiprocessing.get_context("spawn").Process(target=serve, args=(theirs,), daemon=True)
    server.start()
    asyncio.run(main(int(sys.argv[1]) if len(sys.argv) > 1 else 9, ours.recv()))
    ours.send("end")
    server.join()
