"""Whether the rate limit is never broken, and still reached."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence

from .harness import Bar, Line, Sink, fresh, main
from .sink import Settings

RATES = (5, 10, 100, 1000)


def measure(*, quick: bool) -> list[Line]:
    """Look at the arrivals at the server of a client that always has something to send."""
    length = 5.0 if quick else 30.0
    lines = []
    for rate in RATES:
        with Sink(Settings(arrivals=True)) as sink:
            fresh("contestants.eager.ask", sink.url, rate=rate, seconds=length)
            arrivals = sink.stats()["arrivals"]
        most = most_in_a_window(arrivals, 1.0)
        share = (len(arrivals) - 1) / (arrivals[-1] - arrivals[0]) / rate
        what = f"RateLimit({rate}, 1) for {length:g} s:"
        lines += [
            Line(
                f"{what} most arrivals in any second, over the allowed",
                f"{most}",
                f"{rate}",
                most / rate,
                bar=Bar(1, most=True),
            ),
            Line(
                f"{what} reached share of the allowed rate",
                f"{share * rate:.1f}/s",
                f"{rate}/s",
                share,
                bar=Bar(0.95),
            ),
        ]
    return lines


def most_in_a_window(moments: Sequence[float], length: float) -> int:
    """Return the most moments that fall into any window of a length."""
    most = 0
    window: deque[float] = deque()
    for moment in sorted(moments):
        window.append(moment)
        while moment - window[0] >= length:
            window.popleft()
        most = max(most, len(window))
    return most


if __name__ == "__main__":
    main(measure)
