"""OpenTelemetry for a client: spans and metrics, made of its hooks. Extra ``[otel]``.

::

    telemetry = instrument(client)         # the global providers, or those given
    async with client.sms.bulk() as bulk:
        with telemetry.watch(bulk):        # queue depth, messages in doubt, spend
            await bulk.run(messages)

A span is made when its call or batch ends, with the start time counted back: until then nothing is
kept but the events of the call. Spans follow the semantic conventions for HTTP clients; the names
below are stable.

What a call costs is nearly all the SDK's own work, which its code and data make several times
dearer where they are used now and then, between other work. So a call makes one span and nothing
else: what can be counted is counted here, values of histograms are kept, and both are handed over
when metrics are collected, or hundreds at a time (benchmarks/telemetry.py has the figures).

==============================  =========================================================
span ``POST /v3/sms/send``      one call: ``http.request.method``, ``url.template``,
                                ``server.address``, ``server.port``,
                                ``http.response.status_code``, ``http.request.resend_count``,
                                ``error.type``, ``clicksend.call.id``, ``clicksend.outcome``,
                                ``clicksend.response_code``; retries and pauses are its events
span ``clicksend.batch``        one batch: ``clicksend.batch.size``, ``.attempt``, and of
                                ``.accepted``, ``.rejected``, ``.not_sent``, ``.unknown``
                                those that are not 0
``http.client.request.duration``  s, each request that was answered
``clicksend.calls``             calls that ended, by operation and outcome
``clicksend.pace.wait``         s, of requests that waited for the rate limit or a pause
``clicksend.retries``           by operation
``clicksend.holds``             pauses the server asked for; ``clicksend.hold.duration`` in s
``clicksend.messages``          messages of batches, by outcome
``clicksend.batch.duration``    s
``clicksend.bulk.queued``, ``.in_doubt``, ``.spend``  of the senders that are watched
``clicksend.receipt.lag``       s, from a message to its receipt, by status
==============================  =========================================================

No attribute holds a number, a text, a credential or a word of the server's free text: hooks do not
get any.
"""

from __future__ import annotations

import time
from collections import Counter, deque
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from datetime import datetime
from typing import TYPE_CHECKING, Protocol, TypeAlias
from weakref import WeakKeyDictionary

from opentelemetry import metrics, trace
from opentelemetry.metrics import CallbackOptions, MeterProvider, Observation
from opentelemetry.trace import SpanKind, StatusCode, TracerProvider
from opentelemetry.util.types import Attributes, AttributeValue
from yarl import URL

from .client import ClickSend
from .codes import shown_code
from .hooks import BatchEvent, EndEvent, HoldEvent, Hooks, ReplyEvent, RequestEvent, RetryEvent
from .version import __version__

if TYPE_CHECKING:
    from .bulk.outcome import Statistics

_SCOPE = "aioclicksend"

_DURATIONS = (0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1, 2.5, 5, 7.5, 10, 30, 60)
_AT_ONCE = 0.001
"""Seconds; less is no wait, but the turn of the event loop."""
_LAGS = (1, 2, 5, 10, 30, 60, 300, 900, 3600, 6 * 3600, 24 * 3600, 72 * 3600)
"""Seconds; receipts can take three days."""


_KEPT = 500
"""Values of histograms that are kept before they are handed over."""
_MESSAGE = "{message}"

_Counts: TypeAlias = Counter[tuple[tuple[str, AttributeValue], ...]]
"""How often something happened, by its attributes."""


class Watched(Protocol):
    """What is read of a bulk sender."""

    def statistics(self) -> Statistics:
        """Return its counters."""
        ...


class Receipt(Protocol):
    """What is read of a receipt, polled or pushed."""

    @property
    def timestamp(self) -> datetime | None:
        """When the status was reached."""
        ...

    @property
    def timestamp_send(self) -> datetime | None:
        """When the message was sent."""
        ...


def instrument(
    client: ClickSend,
    *,
    tracer_provider: TracerProvider | None = None,
    meter_provider: MeterProvider | None = None,
) -> Telemetry:
    """Report the calls and batches of a client to OpenTelemetry.

    Args:
        client: may have calls under way.
        tracer_provider: the global one if absent.
        meter_provider: the global one if absent.

    """
    tracer = trace.get_tracer(_SCOPE, __version__, tracer_provider)
    provider = meter_provider or metrics.get_meter_provider()
    shared = _metrics_of.get(provider)
    if shared is None:
        shared = _metrics_of[provider] = _Metrics(provider.get_meter(_SCOPE, __version__))
    return Telemetry(client, tracer, shared)


class _Metrics:
    """The instruments of a meter provider, shared by all clients that report to it.

    Two observable instruments of one name would be two streams of one name, of which a backend
    keeps either.
    """

    def __init__(self, meter: metrics.Meter) -> None:
        def seconds(
            name: str, description: str, bounds: Iterable[float] = _DURATIONS
        ) -> metrics.Histogram:
            return meter.create_histogram(
                name, "s", description, explicit_bucket_boundaries_advisory=list(bounds)
            )

        def counted(name: str, unit: str, counts: _Counts) -> None:
            def observe(_options: CallbackOptions) -> Iterable[Observation]:
                # A copy: collectors run in threads of their own.
                return [Observation(count, dict(key)) for key, count in list(counts.items())]

            meter.create_observable_counter(name, [observe], unit)

        self.request: metrics.Histogram = seconds(
            "http.client.request.duration", "Requests that were answered"
        )
        self.wait: metrics.Histogram = seconds(
            "clicksend.pace.wait", "Waiting for the rate limit and for pauses"
        )
        self.hold: metrics.Histogram = seconds(
            "clicksend.hold.duration", "Pauses the server asked for"
        )
        self.batch: metrics.Histogram = seconds(
            "clicksend.batch.duration", "Batches of bulk senders"
        )
        self.lag: metrics.Histogram = seconds(
            "clicksend.receipt.lag", "From a message to its receipt", _LAGS
        )
        self._values: deque[tuple[metrics.Histogram, float, Attributes]] = deque()
        # Asked before values of histograms are collected, so that the last ones are among them.
        meter.create_observable_gauge(
            "clicksend.bulk.queued", [self._flushed, self._observed(lambda it: it.queued)], _MESSAGE
        )
        meter.create_observable_gauge(
            "clicksend.bulk.in_doubt", [self._observed(lambda it: it.in_doubt)], _MESSAGE
        )
        meter.create_observable_counter(
            "clicksend.bulk.spend", [self._spend], "1", "Amount in the currency of the account"
        )
        self.calls: _Counts = Counter()
        self.messages: _Counts = Counter()
        self.retries: _Counts = Counter()
        self.holds: _Counts = Counter()
        counted("clicksend.calls", "{call}", self.calls)
        counted("clicksend.messages", _MESSAGE, self.messages)
        counted("clicksend.retries", "{retry}", self.retries)
        counted("clicksend.holds", "{pause}", self.holds)
        self.watched: list[Watched] = []
        self.spent_before: float = 0.0

    def record(
        self, histogram: metrics.Histogram, value: float, attributes: Attributes = None
    ) -> None:
        """Keep a value for its histogram until metrics are collected."""
        self._values.append((histogram, value, attributes))
        if len(self._values) >= _KEPT:
            self._flush()

    def _flush(self) -> None:
        # By one value at a time: the event loop adds to them while a collector's thread is here.
        with suppress(IndexError):
            while True:
                histogram, value, attributes = self._values.popleft()
                histogram.record(value, attributes)

    def _flushed(self, _options: CallbackOptions) -> Iterable[Observation]:
        self._flush()
        return ()

    def _observed(
        self, value: Callable[[Statistics], int]
    ) -> Callable[[CallbackOptions], Iterable[Observation]]:
        def observe(_options: CallbackOptions) -> Iterable[Observation]:
            yield Observation(sum(value(bulk.statistics()) for bulk in list(self.watched)))

        return observe

    def _spend(self, _options: CallbackOptions) -> Iterable[Observation]:
        now = sum(float(bulk.statistics().cost) for bulk in list(self.watched))
        yield Observation(self.spent_before + now)


_metrics_of: WeakKeyDictionary[MeterProvider, _Metrics] = WeakKeyDictionary()


class Telemetry:
    """What `instrument` returns; it reports until `uninstrument`."""

    def __init__(self, client: ClickSend, tracer: trace.Tracer, shared: _Metrics) -> None:
        self._tracer = tracer
        self._metrics = shared
        address = URL(client.base_url)
        self._server: dict[str, AttributeValue] = {
            "server.address": address.host or "",
            "server.port": address.port or 443,
        }
        self._pending: dict[str, list[tuple[str, int, dict[str, AttributeValue]]]] = {}
        """Events of calls that have not ended, by the id of the call."""
        # Operations and statuses are few: a path that was made up is shown by its template.
        self._operations: dict[str, dict[str, AttributeValue]] = {}
        self._answers: dict[tuple[str, int], dict[str, AttributeValue]] = {}
        self._watched: list[Watched] = []
        self._remove = client.add_hooks(
            Hooks(
                before_request=self._before_request,
                after_reply=self._after_reply,
                on_retry=self._on_retry,
                on_hold=self._on_hold,
                on_end=self._on_end,
                on_batch=self._on_batch,
            )
        )

    def uninstrument(self) -> None:
        """Report nothing more."""
        self._remove()
        self._pending.clear()
        for bulk in self._watched.copy():
            self._forget(bulk)

    @contextmanager
    def watch(self, bulk: Watched) -> Iterator[None]:
        """Report queue depth, messages in doubt and spend of a bulk sender during a block."""
        self._watched.append(bulk)
        self._metrics.watched.append(bulk)
        try:
            yield
        finally:
            self._forget(bulk)

    def _forget(self, bulk: Watched) -> None:
        if bulk in self._watched:
            self._watched.remove(bulk)
            # A counter must not fall when a sender has ended.
            self._metrics.spent_before += float(bulk.statistics().cost)
            self._metrics.watched.remove(bulk)

    def receipt(self, receipt: Receipt, status_code: object = None) -> None:
        """Report how long after its message a receipt came, by its status code."""
        if receipt.timestamp is None or receipt.timestamp_send is None:
            return
        lag = (receipt.timestamp - receipt.timestamp_send).total_seconds()
        attributes = {"clicksend.status_code": shown_code(status_code)}
        self._metrics.record(self._metrics.lag, max(0.0, lag), attributes)

    def _before_request(self, event: RequestEvent) -> None:
        # Zeros would bury the waits that matter: an unpaced client has nothing else.
        if event.waited > _AT_ONCE:
            self._metrics.record(self._metrics.wait, event.waited)

    def _after_reply(self, event: ReplyEvent) -> None:
        key = event.operation, event.status
        attributes = self._answers.get(key)
        if attributes is None:
            method, _, template = event.operation.partition(" ")
            attributes = self._answers[key] = {
                "http.request.method": method,
                "url.template": template,
                "http.response.status_code": event.status,
            }
        self._metrics.record(self._metrics.request, event.seconds, attributes)

    def _on_retry(self, event: RetryEvent) -> None:
        self._metrics.retries[(("url.template", event.operation.partition(" ")[2]),)] += 1
        # Kept until the call ends: its span is made then, and takes its events along.
        self._note(event.id, "retry", {"attempt": event.attempt, "delay": event.delay})

    def _on_hold(self, event: HoldEvent) -> None:
        self._metrics.holds[(("clicksend.everything", event.everything),)] += 1
        self._metrics.record(self._metrics.hold, event.seconds)
        self._note(event.id, "hold", {"seconds": event.seconds})

    def _note(self, call: str, name: str, attributes: dict[str, AttributeValue]) -> None:
        self._pending.setdefault(call, []).append((name, time.time_ns(), attributes))

    def _on_end(self, event: EndEvent) -> None:
        attributes = {
            **self._attributes_of(event.operation),
            "clicksend.call.id": event.id,
            "clicksend.outcome": event.outcome,
        }
        template = attributes["url.template"]
        key = (("url.template", template), ("clicksend.outcome", event.outcome))
        self._metrics.calls[key] += 1
        if event.status is not None:
            attributes["http.response.status_code"] = event.status
        if event.attempts > 1:
            attributes["http.request.resend_count"] = event.attempts - 1
        if event.response_code is not None:
            attributes["clicksend.response_code"] = shown_code(event.response_code) or "…"
        if event.outcome != "ok":
            failed = event.status is not None and event.status >= 400
            attributes["error.type"] = str(event.status) if failed else event.outcome
        end = time.time_ns()
        span = self._tracer.start_span(
            event.operation,
            kind=SpanKind.CLIENT,
            attributes=attributes,
            start_time=end - int(event.seconds * 1e9),
        )
        for name, at, more in self._pending.pop(event.id, ()):
            span.add_event(name, more, at)
        # Also what the server refused: the conventions call a 4xx an error of a client.
        if event.outcome != "ok":
            span.set_status(StatusCode.ERROR)
        span.end(end)

    def _attributes_of(self, operation: str) -> dict[str, AttributeValue]:
        """Return what all spans of an operation have."""
        if (known := self._operations.get(operation)) is not None:
            return known
        method, _, template = operation.partition(" ")
        attributes: dict[str, AttributeValue] = {
            "http.request.method": method,
            "url.template": template,
        }
        if template.startswith("/v3/"):  # not at Maton's control plane
            attributes |= self._server
        self._operations[operation] = attributes
        return attributes

    def _on_batch(self, event: BatchEvent) -> None:
        counts = {
            "accepted": event.accepted,
            "rejected": event.rejected,
            "not_sent": event.not_sent,
            "unknown": event.unknown,
        }
        # A batch that went well has one attribute in place of four.
        counts = {outcome: count for outcome, count in counts.items() if count}
        for outcome, count in counts.items():
            self._metrics.messages[(("clicksend.outcome", outcome),)] += count
        self._metrics.record(self._metrics.batch, event.seconds)
        end = time.time_ns()
        attributes: Attributes = {
            "clicksend.batch.size": event.size,
            "clicksend.batch.attempt": event.attempt,
            **{f"clicksend.batch.{outcome}": count for outcome, count in counts.items()},
        }
        span = self._tracer.start_span(
            "clicksend.batch", attributes=attributes, start_time=end - int(event.seconds * 1e9)
        )
        span.end(end)
