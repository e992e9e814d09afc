"""Whether anything grows at full speed for long, with faults."""

from __future__ import annotations

import argparse
import statistics
from collections.abc import Sequence

from .harness import Bar, Line, Sink, fresh, megabytes, per_second, seconds, show
from .sink import Settings

FULL = 600.0
"""Seconds of the whole soak."""
QUICK = 30.0


def measure(*, quick: bool, length: float | None = None) -> list[Line]:
    """Stream messages into a sink with 1 % faults, and compare the samples early and late."""
    length = length or (QUICK if quick else FULL)
    with Sink(Settings(faults=1.0)) as sink:
        result = fresh("contestants.soaked.soak", sink.url, seconds=length)
        stats = sink.stats()
    samples: dict[str, list[float]] = result["samples"]
    outcomes = ", ".join(
        f"{value:,} {name}".replace(",", " ") for name, value in result["outcomes"]
    )
    lines = [
        Line(
            f"soak of {seconds(length)} with {stats['faulty']} faults: {outcomes}",
            per_second(result["count"] / result["wall"]),
        ),
        Line(
            "soak: messages without exactly one outcome",
            f"{result['count'] - result['settled']}",
            ratio=abs(result["count"] - result["settled"]),
            bar=Bar(0, most=True, unit="messages"),
        ),
    ]
    allowed = {"memory": 8.0, "tasks": 2.0, "descriptors": 4.0, "connections": 4.0}
    for name, limit in allowed.items():
        early, late = early_and_late(samples[name])
        as_text = megabytes if name == "memory" else "{:g}".format
        lines.append(
            Line(
                f"soak: {name}, last third over the third before",
                as_text(late),
                as_text(early),
                late - early,
                bar=Bar(limit, most=True, unit="MB" if name == "memory" else "more"),
            )
        )
    return lines


def early_and_late(samples: Sequence[float]) -> tuple[float, float]:
    """Return the medians of the second and the last third; the first one warms up."""
    third = max(1, len(samples) // 3)
    return statistics.median(samples[third : 2 * third]), statistics.median(samples[-third:])


def main() -> None:
    """Run alone; ``--seconds`` for another length."""
    parser = argparse.ArgumentParser(prog="benchmarks.soak", description=__doc__)
    parser.add_argument("--quick", action="store_true", help=f"{QUICK:g} seconds")
    parser.add_argument("--seconds", type=float, help=f"length, {FULL:g} if absent")
    options = parser.parse_args()
    show(measure(quick=options.quick, length=options.seconds))


if __name__ == "__main__":
    main()
