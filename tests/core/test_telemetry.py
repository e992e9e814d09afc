"""Spans and metrics, in a real SDK with exporters in memory."""

from __future__ import annotations

import io
import json
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from decimal import Decimal
from types import SimpleNamespace
from typing import Any

import pytest
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import ConsoleSpanExporter, SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import StatusCode

import aioclicksend as ac
from aioclicksend import BatchEvent, ClickSend
from aioclicksend.models.base import read
from aioclicksend.models.results import Receipt
from aioclicksend.telemetry import Telemetry, instrument

from ..hostile import Arrival, Hostile, Line, sent
from .helpers import AUTH, BODY, MESSAGE, NUMBER, client_of, failure_of


class Watch:
    """An SDK whose exporters keep what they get."""

    def __init__(self) -> None:
        self.exporter = InMemorySpanExporter()
        self.file = io.StringIO()
        self.tracers = TracerProvider()
        self.tracers.add_span_processor(SimpleSpanProcessor(self.exporter))
        self.tracers.add_span_processor(SimpleSpanProcessor(ConsoleSpanExporter(out=self.file)))
        self.reader = InMemoryMetricReader()
        self.meters = MeterProvider([self.reader])

    def instrument(self, client: ClickSend) -> Telemetry:
        return instrument(client, tracer_provider=self.tracers, meter_provider=self.meters)

    @property
    def spans(self) -> Any:
        return self.exporter.get_finished_spans()

    def metrics(self) -> dict[str, list[dict[str, Any]]]:
        data = self.reader.get_metrics_data()
        if data is None:
            return {}
        (resource,) = json.loads(data.to_json())["resource_metrics"]
        (scope,) = resource["scope_metrics"]
        return {it["name"]: it["data"]["data_points"] for it in scope["metrics"]}


@pytest.fixture
def watch() -> Iterator[Watch]:
    watch = Watch()
    yield watch
    watch.tracers.shutdown()
    watch.meters.shutdown()


async def test_a_call_is_a_span_with_the_conventions_of_http_clients(watch: Watch) -> None:
    async def serve(line: Line, arrival: Arrival) -> None:
        match len(server.arrivals):
            case 1:
                await line.reply(429, b"", {"Retry-After": "0"})
            case 2:
                await line.reply(503)
            case _:
                await line.ok(sent(arrival))

    async with Hostile(serve) as server, client_of(server.url) as client:
        watch.instrument(client)
        await client.sms.price(MESSAGE)
        port = int(server.url.rpartition(":")[2])
    (span,) = watch.spans
    assert span.name == "POST /v3/sms/price"
    assert span.kind.name == "CLIENT"
    assert span.status.status_code is StatusCode.UNSET
    attributes = dict(span.attributes)
    assert len(attributes.pop("clicksend.call.id")) == 16
    assert attributes == {
        "http.request.method": "POST",
        "url.template": "/v3/sms/price",
        "server.address": "127.0.0.1",
        "server.port": port,
        "http.response.status_code": 200,
        "http.request.resend_count": 2,
        "clicksend.outcome": "ok",
    }
    assert [it.name for it in span.events] == ["hold", "retry", "retry"]
    assert span.start_time < span.end_time
    points = watch.metrics()
    assert sum(it["value"] for it in points["clicksend.retries"]) == 2
    assert sum(it["count"] for it in points["http.client.request.duration"]) == 3
    assert sum(it["count"] for it in points["clicksend.hold.duration"]) == 1


@pytest.mark.parametrize(
    ("status", "outcome", "error"),
    [(400, "refused", "400"), (503, "unknown", "503"), (307, "not_sent", "not_sent")],
)
async def test_a_failed_call_says_how(watch: Watch, status: int, outcome: str, error: str) -> None:
    content = {"response_code": "BAD_REQUEST", "response_msg": f"{NUMBER} {BODY}"}
    async with Hostile(lambda line, _: line.reply(status, content)) as server:
        async with client_of(server.url) as client:
            watch.instrument(client)
            await failure_of(client.sms.send(MESSAGE))
    (span,) = watch.spans
    assert span.status.status_code is StatusCode.ERROR
    assert span.attributes["clicksend.outcome"] == outcome
    assert span.attributes["error.type"] == error
    assert span.attributes.get("clicksend.response_code") == (
        "BAD_REQUEST" if status == 400 else None
    )


async def test_no_export_holds_a_number_a_text_or_a_key(
    watch: Watch, caplog: pytest.LogCaptureFixture
) -> None:
    async def echo(line: Line, arrival: Arrival) -> None:
        words = f"{NUMBER} {BODY} {AUTH.api_key} {arrival.target} {arrival.body!r}"
        await line.reply(
            (400, 503, 429, 302)[len(server.arrivals) % 4],
            {"response_code": NUMBER, "response_msg": words},
            {"Retry-After": "0"},
        )

    async with Hostile(echo) as server, client_of(server.url) as client:
        telemetry = watch.instrument(client)
        for _ in range(5):
            await failure_of(client.sms.send(MESSAGE))
            await failure_of(client.sms.history(q=f"to:{NUMBER}").collect())
            await failure_of(client.request("GET", f"/v3/contacts/{NUMBER}/{AUTH.api_key}"))
        telemetry.receipt(read(Receipt, {"timestamp": 9, "timestamp_send": 5}), NUMBER)
    assert len(watch.spans) == 15
    exported = watch.file.getvalue() + json.dumps(watch.metrics()) + caplog.text
    for canary in (NUMBER.strip("+"), BODY, AUTH.api_key, AUTH.username, "Retry-After"):
        assert canary not in exported


async def test_a_batch_is_a_span_and_its_messages_are_counted(watch: Watch) -> None:
    client = client_of("http://127.0.0.1:9")
    watch.instrument(client)
    client._session.emit(BatchEvent(1000, 2, 990, 4, 0, 6, 1.5))
    (span,) = watch.spans
    assert span.name == "clicksend.batch"
    assert span.end_time - span.start_time == 1_500_000_000
    assert span.attributes["clicksend.batch.unknown"] == 6
    counts = {
        it["attributes"]["clicksend.outcome"]: it["value"]
        for it in watch.metrics()["clicksend.messages"]
    }
    assert counts == {"accepted": 990, "rejected": 4, "unknown": 6}


async def test_a_watched_sender_reports_queue_doubts_and_spend(watch: Watch) -> None:
    client = client_of("http://127.0.0.1:9")
    telemetry = watch.instrument(client)
    now = SimpleNamespace(queued=7, in_doubt=2, cost=Decimal("1.25"))
    bulk: Any = SimpleNamespace(statistics=lambda: now)

    def value(name: str) -> float:
        (point,) = watch.metrics()[name]
        return float(point["value"])

    with telemetry.watch(bulk):
        assert value("clicksend.bulk.queued") == 7
        assert value("clicksend.bulk.in_doubt") == 2
        assert value("clicksend.bulk.spend") == 1.25
    assert value("clicksend.bulk.queued") == 0
    assert value("clicksend.bulk.spend") == 1.25


async def test_clients_of_one_provider_are_counted_together(watch: Watch) -> None:
    async with Hostile(lambda line, _: line.ok({})) as server:
        async with client_of(server.url) as one, client_of(server.url) as other:
            watch.instrument(one)
            watch.instrument(other)
            for client in (one, other, other):
                await client.account.get()
    points = watch.metrics()
    (calls,) = points["clicksend.calls"]
    assert calls["value"] == 3
    assert calls["attributes"] == {"url.template": "/v3/account", "clicksend.outcome": "ok"}
    (requests,) = points["http.client.request.duration"]
    assert requests["count"] == 3
    assert "clicksend.pace.wait" not in points


async def test_values_are_handed_over_also_before_metrics_are_collected(watch: Watch) -> None:
    client = client_of("http://127.0.0.1:9")
    telemetry = watch.instrument(client)
    for _ in range(1100):
        client._session.emit(ac.ReplyEvent("id", "GET /v3/account", 1, 200, 0.01))
    assert len(telemetry._metrics._values) < 500
    (point,) = watch.metrics()["http.client.request.duration"]
    assert point["count"] == 1100


async def test_the_lag_of_receipts_is_reported_by_status(watch: Watch) -> None:
    client = client_of("http://127.0.0.1:9")
    telemetry = watch.instrument(client)
    sent_at = datetime(2026, 1, 1, tzinfo=UTC).timestamp()
    row = {"timestamp_send": int(sent_at), "timestamp": int(sent_at) + 42}
    telemetry.receipt(read(Receipt, row), "201")
    telemetry.receipt(read(Receipt, {}), "201")
    (point,) = watch.metrics()["clicksend.receipt.lag"]
    assert (point["count"], point["sum"]) == (1, 42)
    assert point["attributes"] == {"clicksend.status_code": "201"}


async def test_nothing_is_reported_once_it_is_removed(watch: Watch) -> None:
    async with Hostile(lambda line, _: line.ok({})) as server, client_of(server.url) as client:
        telemetry = watch.instrument(client)
        await client.account.get()
        telemetry.uninstrument()
        await client.account.get()
    assert len(watch.spans) == 1


async def test_the_wait_for_the_pace_is_reported(watch: Watch) -> None:
    async with Hostile(lambda line, _: line.ok({})) as server:
        async with client_of(server.url, rate_limit=ac.RateLimit(1, 0.1)) as client:
            watch.instrument(client)
            for _ in range(3):
                await client.account.get()
    (point,) = watch.metrics()["clicksend.pace.wait"]
    assert point["count"] == 2
    assert point["sum"] > 0.1


async def test_hooks_of_the_program_still_run(watch: Watch) -> None:
    ends: list[ac.EndEvent] = []
    async with Hostile(lambda line, _: line.ok({})) as server:
        async with client_of(server.url, hooks=ac.Hooks(on_end=ends.append)) as client:
            watch.instrument(client)
            await client.account.get()
    assert len(ends) == len(watch.spans) == 1
    assert watch.spans[0].attributes["clicksend.call.id"] == ends[0].id


def test_nothing_of_opentelemetry_is_imported_unless_it_is_used() -> None:
    code = "import sys, aioclicksend, aioclicksend.api as a; a.operations(); print(*sys.modules)"
    loaded = subprocess.run(  # noqa: S603
        [sys.executable, "-c", code], check=True, capture_output=True, text=True
    ).stdout
    assert "opentelemetry" not in loaded
