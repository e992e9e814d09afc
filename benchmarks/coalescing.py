"""Whether thousands of single sends at once become few requests."""

from __future__ import annotations

import statistics

from .harness import Bar, Line, Sink, fresh, main, median, seconds, spaced

SENDS = 2_000


def measure(*, quick: bool) -> list[Line]:
    """Count the requests that concurrent single `bulk.send` calls make under `RateLimit(10, 1)`."""
    results, requests = [], []
    for _ in range(3):
        with Sink() as sink:
            results.append(fresh("contestants.web.burst", sink.url, count=SENDS))
            requests.append(sink.stats()["posts"])
    walls = [it["wall"] for it in results]
    what = f"{spaced(SENDS)} concurrent `bulk.send` under RateLimit(10, 1)"
    lines = [
        Line(
            f"{what}: requests",
            f"{statistics.median(requests):g}",
            ratio=max(requests),
            bar=Bar(10, most=True, unit="requests"),
        ),
        Line(
            f"{what}: until all are settled",
            seconds(median(results, "wall")),
            ratio=statistics.median(walls),
            spread=(min(walls), max(walls)),
            bar=Bar(1.5, most=True, unit="s"),
        ),
    ]
    if not quick:
        with Sink() as sink:
            steady = fresh("contestants.web.steady", sink.url, count=20_000, each_second=5_000)
            posts = sink.stats()["posts"]
        lines.append(
            Line(
                "20 000 `bulk.send` at 5000 a second under RateLimit(10, 1): wait p50, p99",
                f"{seconds(steady['p50'])}, {seconds(steady['p99'])}",
                f"{posts} requests",
            )
        )
    return lines


if __name__ == "__main__":
    main(measure)
