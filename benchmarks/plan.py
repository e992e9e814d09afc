"""What planning a campaign offline takes, against only reading its numbers with `phonenumbers`."""

from __future__ import annotations

import statistics
from functools import partial

from .harness import Bar, Line, compared, fresh, in_turns, main, megabytes, seconds, spaced


def measure(*, quick: bool) -> list[Line]:
    """Compare a whole plan with the library's reading of its numbers, and weigh a long one."""
    count, rounds = (50_000, 3) if quick else (200_000, 5)
    large = 200_000 if quick else 1_000_000
    ours, read, parsed = in_turns(
        rounds,
        [
            partial(fresh, "contestants.planned.plan", count=count),
            partial(fresh, "contestants.planned.parse", count=count),
            partial(fresh, "contestants.planned.parse_only", count=count),
        ],
    )
    line = partial(compared, name="cpu", ours=ours, tell=seconds)
    most = fresh("contestants.planned.plan", count=large)
    return [
        line(
            f"`campaign plan --offline`, {spaced(count)} rows, against reading their numbers",
            other=read,
            bar=Bar(0.35, most=True),
        ),
        line("the same, against `phonenumbers.parse` alone", other=parsed),
        Line(
            f"`campaign plan --offline`, {spaced(large)} rows: peak memory",
            megabytes(most["memory"]),
            megabytes(statistics.median(it["memory"] for it in ours)),
            most["memory"],
            bar=Bar(100, most=True, unit="MB"),
        ),
    ]


if __name__ == "__main__":
    main(measure)
