"""How much faster a walk gets by asking for pages ahead."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from functools import partial

from .harness import (
    Bar,
    Line,
    Result,
    Sink,
    compared,
    fresh,
    in_turns,
    main,
    median,
    ratios,
    seconds,
    spaced,
)
from .sink import Settings

AHEAD = (1, 4, 8)


def measure(*, quick: bool) -> list[Line]:
    """Walk histories of two lengths at several latencies, with 1, 4 and 8 pages in flight."""
    cases = [(10_000, 0.05, 3)]
    if quick:
        cases += [(10_000, 0.0, 1), (10_000, 0.02, 1)]
    else:
        cases += [(10_000, delay, 3) for delay in (0.0, 0.02, 0.1)]
        cases += [(100_000, delay, 1) for delay in (0.0, 0.02, 0.1)]
    lines = []
    for rows, delay, rounds in cases:
        with Sink(Settings(rows=rows, delay=delay)) as sink:
            walk = "contestants.ours.walk"
            walks = in_turns(
                rounds, [partial(fresh, walk, sink.url, prefetch=ahead) for ahead in AHEAD]
            )
            lines += _lines(f"walk {spaced(rows)} rows at {delay * 1e3:g} ms", delay, walks)
            if rows == 10_000 and delay == 0.05:
                lines.append(_inbound(sink, rounds))
    return lines


def _lines(what: str, delay: float, walks: Sequence[Sequence[Result]]) -> list[Line]:
    alone = walks[0]
    lines = []
    for ahead, results in zip(AHEAD[1:], walks[1:], strict=True):
        each = ratios(alone, results, "wall")
        lines.append(
            Line(
                f"{what}, prefetch={ahead} against 1",
                seconds(median(results, "wall")),
                seconds(median(alone, "wall")),
                statistics.median(each),
                (min(each), max(each)),
                Bar(6) if (delay, ahead) == (0.05, 8) else None,
            )
        )
    return lines


def _inbound(sink: Sink, rounds: int) -> Line:
    walk = "contestants.ours.walk"
    history, inbound = in_turns(
        rounds,
        [partial(fresh, walk, sink.url, prefetch=8, kind=it) for it in ("history", "inbound")],
    )
    what = "walk the same of inbound, prefetch=8, against history"
    return compared(what, "wall", inbound, history, as_text=seconds)


if __name__ == "__main__":
    main(measure)
