"""What this client adds to the time one message takes."""

from __future__ import annotations

import statistics

from .harness import Bar, Line, Result, Sink, fresh, main, median, seconds


def measure(*, quick: bool) -> list[Line]:
    """Compare `sms.send` of one message with aiohttp alone, and an idle `bulk.send` with it."""
    count, rounds = (500, 3) if quick else (2_000, 5)
    with Sink() as sink:
        results = [fresh("contestants.web.latency", sink.url, count=count) for _ in range(rounds)]
    return [
        _line(results, "single_p50", "raw_p50", "one `sms.send`: p50, against aiohttp alone"),
        _line(results, "single_p99", "raw_p99", "one `sms.send`: p99, against aiohttp alone"),
        _line(
            results,
            "idle_p50",
            "single_p50",
            "one idle `bulk.send`: p50, against `sms.send`",
            Bar(2, most=True),
        ),
    ]


def _line(results: list[Result], mine: str, other: str, what: str, bar: Bar | None = None) -> Line:
    each = [it[mine] / it[other] for it in results]
    added = statistics.median(it[mine] - it[other] for it in results)
    return Line(
        f"{what} (adds {seconds(added)})" if added > 0 else what,
        seconds(median(results, mine)),
        seconds(median(results, other)),
        statistics.median(each),
        (min(each), max(each)),
        bar,
    )


if __name__ == "__main__":
    main(measure)
