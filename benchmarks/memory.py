"""How memory and cost grow with the number of messages."""

from __future__ import annotations

import statistics

from .harness import Bar, Line, Result, Sink, fresh, main, megabytes, seconds, spaced

SIZES = (1_000, 10_000, 100_000, 1_000_000)


def sweep(contestant: str, sizes: tuple[int, ...], rounds: int) -> dict[int, list[Result]]:
    """Run a contestant at several sizes."""
    results: dict[int, list[Result]] = {size: [] for size in sizes}
    with Sink() as sink:
        for _ in range(rounds):
            for size, kept in results.items():
                kept.append(fresh(contestant, sink.url, count=size))
    return results


def ours(*, quick: bool) -> dict[int, list[Result]]:
    """Stream messages with `bulk.stream`."""
    sizes, rounds = (SIZES[:3], 1) if quick else (SIZES, 3)
    return sweep("contestants.ours.stream", sizes, rounds)


def floor(*, quick: bool) -> dict[int, list[Result]]:
    """Send as many with the hand-written loop."""
    return sweep("contestants.floor.send", SIZES[:3] if quick else SIZES, 1)


def official(*, quick: bool) -> dict[int, list[Result]]:
    """Send some of them with the official SDK."""
    return sweep("contestants.official.send", SIZES[:2] if quick else SIZES[:3], 1)


def measure(*, quick: bool) -> list[Line]:
    """Compare the peak memory, and the cost of a message, of small streams and large ones."""
    results = ours(quick=quick)
    small, large = list(results)[-2:]
    lines = []
    for size in list(results)[1:]:
        wall = statistics.median(it["wall"] for it in results[size])
        cpu = statistics.median(it["cpu"] / size for it in results[size])
        memory = statistics.median(it["memory"] for it in results[size])
        lines.append(
            Line(
                f"`stream`, {spaced(size)} SMS: peak memory; time; CPU of one message",
                f"{megabytes(memory)}; {seconds(wall)}; {cpu * 1e6:.2f} µs",
            )
        )
    grown = [
        more["memory"] - less["memory"]
        for less, more in zip(results[small], results[large], strict=True)
    ]
    lines.append(
        Line(
            f"`stream`: peak memory of {spaced(large)} over {spaced(small)}",
            megabytes(statistics.median(it["memory"] for it in results[large])),
            megabytes(statistics.median(it["memory"] for it in results[small])),
            statistics.median(grown),
            (min(grown), max(grown)),
            Bar(15, most=True, unit="MB"),
        )
    )
    return lines


if __name__ == "__main__":
    main(measure)
