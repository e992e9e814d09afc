"""Ask every question and write the answers to ``benchmarks/README.md``.

It takes about forty minutes, ten of which are the soak; ``--quick`` is a short run.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Iterable
from pathlib import Path

from . import (
    coalescing,
    decoding,
    doubts,
    importing,
    journaling,
    latency,
    limiter,
    memory,
    plan,
    plot,
    price,
    report,
    soak,
    throughput,
    walking,
)
from .harness import Line, show

QUESTIONS = (
    throughput,
    price,
    decoding,
    walking,
    coalescing,
    latency,
    importing,
    memory,
    journaling,
    limiter,
    doubts,
    plan,
    soak,
)
"""Each module says in the first line of its docstring what it asks."""

REPEATED = (throughput, walking, coalescing, importing, memory, journaling)
"""Those whose bars must hold in each of three runs."""


def main() -> None:
    """Run all."""
    parser = argparse.ArgumentParser(prog="benchmarks", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="fewer, smaller and shorter runs")
    parser.add_argument("--into", type=Path, default=Path(__file__).parent, help="where to write")
    options = parser.parse_args()
    sections: list[tuple[str, list[Line]]] = []
    began = time.monotonic()
    for question in QUESTIONS:
        title = (question.__doc__ or "").partition("\n")[0]
        print(f"\n{title}", flush=True)
        lines = question.measure(quick=options.quick)
        show(lines)
        sections.append((title, lines))
    runs = [_bars(line for _, lines in sections for line in lines)]
    if not options.quick:
        runs += [_again(number) for number in ("second", "third")]
    drawn = plot.draw(options.into / "cost.png", quick=options.quick)
    minutes = (time.monotonic() - began) / 60
    text = report.page(sections, runs, minutes=minutes, quick=options.quick, plot=drawn)
    (options.into / "README.md").write_text(text)
    missed = [line.what for run in runs for line in run.values() if "✗" in line.verdict]
    print(f"\n{minutes:.0f} minutes; bars missed: {len(missed)}")
    for what in missed:
        print(f"  {what}")


def _again(number: str) -> dict[str, Line]:
    """Measure bars again, and nothing that has none."""
    print(f"\nThe bars, {number} run", flush=True)
    lines = [line for question in REPEATED for line in question.measure(quick=question is walking)]
    bars = _bars(lines)
    show(list(bars.values()))
    return bars


def _bars(lines: Iterable[Line]) -> dict[str, Line]:
    return {line.what: line for line in lines if line.bar is not None}


if __name__ == "__main__":
    main()
