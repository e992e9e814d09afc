"""What this client adds to the time one message takes."""

from __future__ import annotations

import statistics

from .harness import Line, Result, Sink, fresh, main, median, seconds


def measure(*, quick: bool) -> list[Line]:
    """Compare `sms.send` of one message with the same post by aiohttp alone."""
    count, rounds = (500, 3) if quick else (2_000, 5)
    with Sink() as sink:
        results = [fresh("contestants.web.latency", sink.url, count=count) for _ in range(rounds)]
    return [_line(results, name) for name in ("p50", "p99")]


def _line(results: list[Result], name: str) -> Line:
    each = [it[name] / it[f"raw_{name}"] for it in results]
    added = statistics.median(it[name] - it[f"raw_{name}"] for it in results)
    return Line(
        f"one `sms.send`: {name}, against aiohttp alone (adds {seconds(added)})",
        seconds(median(results, name)),
        seconds(median(results, f"raw_{name}")),
        statistics.median(each),
        (min(each), max(each)),
    )


if __name__ == "__main__":
    main(measure)
