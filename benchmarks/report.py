"""The page that holds the last results, and the machine they came from."""

from __future__ import annotations

import os
import platform
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from importlib import metadata
from pathlib import Path

from .harness import Line

PACKAGES = (
    "aioclicksend",
    "aiohttp",
    "msgspec",
    "anyio",
    "aiolimiter",
    "uvloop",
    "clicksend-client",
    "httpx",
    "pydantic",
)

INTRODUCTION = """\
# Benchmarks

How fast `aioclicksend` is against what it could be (a hand-written loop of aiohttp and msgspec: the
floor) and against what else there is (the official SDK; httpx with pydantic).

```console
$ pip install -e . -r benchmarks/requirements.txt
$ python -m benchmarks              # everything, and writes this page
$ python -m benchmarks --quick      # a short run
$ python -m benchmarks.throughput   # one question alone
```

- The server is `benchmarks/sink.py`, a separate process that answers full rows, checks nothing.
- Every contestant runs in a fresh process. They take turns; ratios are made round by round, and
  what is shown is their median, with the least and the greatest in parentheses.
- Processor seconds are those of the client's process, all its threads together. Throughput is
  measured after an unmeasured warm-up, so that modules loaded late are not part of it.
- All send the same texts to the same numbers in requests of 1000, each with a `custom_string`; the
  floor and we with four requests under way, the official SDK and the httpx loop one after another,
  as their documentation shows.
- The floor checks each row's status, as `run` does, and counts. It does not check messages before
  sending, match rows by their ref, or know what to do about a request that failed: what it lacks is
  part of the ratio. `stream` besides hands every outcome over, with its message, id and price.
- Ratios against the official SDK depend on the machine and on who else uses it: on various machines
  of two cores the floor was 11 to 21 times as fast. On Python 3.12 and 3.13 the SDK is faster.
- A call with an effect opens a connection of its own, for its outcome would be unknown if it were
  written to one that the server closes just then. That is what `sms.send` mostly adds to aiohttp
  alone, which keeps its connection.
- Several workers on one database are measured by `python -m benchmarks.cluster`, days of a hundred
  million messages simulated by `python -m benchmarks.capacity`: `docs/capacity.md` has the figures.
"""


def page(
    sections: Sequence[tuple[str, Sequence[Line]]],
    runs: Sequence[Mapping[str, Line]],
    *,
    minutes: float,
    quick: bool,
    plot: bool,
) -> str:
    """Return the page as Markdown; `runs` are the lines with a bar, run by run."""
    parts = [INTRODUCTION, "## Results\n"]
    day = datetime.now(UTC).date().isoformat()
    run = "A quick run" if quick else "A full run"
    parts.append(f"{run} of {minutes:.0f} minutes, {day}: {machine()}.{_busy()}\n")
    parts.append("| | ours | other | ratio | bar |\n| :-- | --: | --: | --: | :-- |")
    for title, lines in sections:
        parts.append(f"| **{title}** | | | | |")
        parts.extend("| " + " | ".join(line.cells()) + " |" for line in lines)
    if len(runs) > 1:
        parts.append("\n## The bars, run three times\n")
        parts.append("| | first | second | third | bar |\n| :-- | --: | --: | --: | :-- |")
        parts.extend(_thrice(runs))
    if plot:
        parts.append("\n## How cost grows with size\n\n![Cost by number of messages](cost.png)")
    return "\n".join(parts) + "\n"


def _thrice(runs: Sequence[Mapping[str, Line]]) -> Iterator[str]:
    for what, first in runs[0].items():
        lines = [run[what] for run in runs if what in run]
        if first.bar is not None and len(lines) == len(runs):
            marks = "".join(line.verdict[-1] for line in lines)
            values = " | ".join(line.ratio_text for line in lines)
            yield f"| {what} | {values} | {first.bar} {marks} |"


def machine() -> str:
    """Describe the machine and what runs on it."""
    versions = ", ".join(f"{name} {version}" for name in PACKAGES if (version := _version(name)))
    return (
        f"{os.cpu_count()} cores of {_processor()}, {platform.system()}, "
        f"Python {platform.python_version()}, {versions}"
    )


def _busy() -> str:
    """Tell how busy the machine was at the end; much more than 2 means that others were at work."""
    try:
        return f" Load average over the last quarter of an hour: {os.getloadavg()[2]:.1f}."
    except (AttributeError, OSError):
        return ""


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor() or platform.machine()
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.machine()


def _version(name: str) -> str | None:
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return None
