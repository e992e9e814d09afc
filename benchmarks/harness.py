"""Running contestants side by side, and reporting their results.

Each contestant runs in a separate process, so that its memory and its processor seconds are its
own; where two are compared they take turns, so that a machine that is busy or warm is so for both.
"""

from __future__ import annotations

import json
import statistics
import subprocess
import sys
import urllib.request
from collections.abc import Callable, Mapping, Sequence
from types import TracebackType
from typing import Any, Self

from msgspec import Struct

from .sink import Settings

WARM_UP = 5_000
"""Messages sent before a throughput is measured."""

TIMES = "×"  # noqa: RUF001 - the sign is meant

Result = Mapping[str, Any]
"""What one run of a contestant measured."""


class Bar(Struct, frozen=True):
    """What a ratio has to reach."""

    limit: float
    most: bool = False
    """Whether the limit is an upper one."""
    unit: str = TIMES

    def met(self, value: float) -> bool:
        """Whether a value is good enough."""
        return value <= self.limit if self.most else value >= self.limit

    def __str__(self) -> str:
        return f"{'≤' if self.most else '≥'} {self.limit:g} {self.unit}"


class Line(Struct, frozen=True):
    """One line of the table."""

    what: str
    ours: str
    other: str = ""
    ratio: float | None = None
    spread: tuple[float, float] | None = None
    """The least and the greatest ratio among the rounds."""
    bar: Bar | None = None

    @property
    def verdict(self) -> str:
        """Whether the bar is met, with the bar."""
        if self.bar is None or self.ratio is None:
            return ""
        return f"{self.bar} {'✓' if self.bar.met(self.ratio) else '✗'}"

    @property
    def ratio_text(self) -> str:
        """The ratio and its spread."""
        if self.ratio is None:
            return ""
        unit = TIMES if self.bar is None else self.bar.unit
        if self.spread is None:
            return f"{self.ratio:.2f} {unit}"
        low, high = self.spread
        return f"{self.ratio:.2f} {unit} ({low:.2f} to {high:.2f})"

    def cells(self) -> tuple[str, str, str, str, str]:
        """Return the cells of the table."""
        return self.what, self.ours, self.other, self.ratio_text, self.verdict


class Sink:
    """A sink in its own process, for the length of a block."""

    def __init__(self, settings: Settings = Settings()) -> None:  # noqa: B008 - frozen
        self._settings = settings
        self._process: subprocess.Popen[str] | None = None
        self.url = ""

    def __enter__(self) -> Self:
        command = [sys.executable, "-m", "benchmarks.sink"]
        for name in ("delay", "rows", "faults"):
            command += [f"--{name}", str(getattr(self._settings, name))]
        if self._settings.arrivals:
            command.append("--arrivals")
        self._process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        assert self._process.stdout is not None
        self.url = self._process.stdout.readline().strip()
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        assert self._process is not None
        self._process.communicate()

    def stats(self) -> dict[str, Any]:
        """Return what has arrived."""
        with urllib.request.urlopen(f"{self.url}/stats") as reply:  # noqa: S310 - loopback
            values: dict[str, Any] = json.load(reply)
        return values


def fresh(contestant: str, url: str = "", **options: Any) -> Result:
    """Run a contestant, ``module.function``, in a fresh process and return what it measured.

    With `warm_up` it first runs unmeasured with this many messages, to load what is loaded late.
    """
    command = [sys.executable, "-m", "benchmarks.client", contestant, url, json.dumps(options)]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
    result: Result = json.loads(done.stdout.splitlines()[-1])
    return result


def in_turns(rounds: int, runs: Sequence[Callable[[], Result]]) -> list[list[Result]]:
    """Run contestants in turns and return the results of each."""
    results: list[list[Result]] = [[] for _ in runs]
    for _ in range(rounds):
        for run, kept in zip(runs, results, strict=True):
            kept.append(run())
    return results


def median(results: Sequence[Result], name: str) -> float:
    """Return the median of one measure."""
    return float(statistics.median(result[name] for result in results))


def ratios(ours: Sequence[Result], other: Sequence[Result], name: str) -> list[float]:
    """Return our measure over the other's, round by round."""
    return [mine[name] / their[name] for mine, their in zip(ours, other, strict=True)]


def compared(
    what: str,
    name: str,
    ours: Sequence[Result],
    other: Sequence[Result],
    *,
    as_text: Callable[[float], str],
    bar: Bar | None = None,
) -> Line:
    """Return the line that compares a measure of two contestants."""
    each = ratios(ours, other, name)
    return Line(
        what,
        as_text(median(ours, name)),
        as_text(median(other, name)),
        statistics.median(each),
        (min(each), max(each)),
        bar,
    )


def per_second(value: float) -> str:
    """Tell a rate of messages."""
    return f"{spaced(round(value))}/s"


def spaced(number: int) -> str:
    """Tell a number by thousands."""
    return f"{number:,}".replace(",", " ")


def seconds(value: float) -> str:
    """Tell a duration."""
    return f"{value:.2f} s" if value >= 0.1 else f"{value * 1e3:.2f} ms"


def megabytes(value: float) -> str:
    """Tell an amount of memory."""
    return f"{value:.1f} MB"


def show(lines: Sequence[Line]) -> None:
    """Print lines as columns."""
    rows = [line.cells() for line in lines]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for row in rows:
        print("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)))


def main(measure: Callable[..., list[Line]]) -> None:
    """Run one question alone; ``--quick`` for a short run."""
    show(measure(quick="--quick" in sys.argv[1:]))
