"""What pricing costs, against the same posts made by other means.

The official SDK is left out: its models want the dates of a price reply as text, and refuse the
numbers that this sink returns, like the API's documentation of sends.
"""

from __future__ import annotations

from functools import partial

from .harness import WARM_UP, Line, Sink, compared, fresh, in_turns, main, per_second, spaced


def measure(*, quick: bool) -> list[Line]:
    """Compare `bulk.price` with a hand-written loop and with httpx + pydantic."""
    count, rounds = (20_000, 3) if quick else (100_000, 5)
    with Sink() as sink:
        ours, floor, usual = in_turns(
            rounds,
            [
                partial(fresh, "contestants.ours.price", sink.url, count=count, warm_up=WARM_UP),
                partial(fresh, "contestants.floor.price", sink.url, count=count, warm_up=WARM_UP),
                partial(fresh, "contestants.usual.price", sink.url, count=count, warm_up=WARM_UP),
            ],
        )
    of = f"`price`, {spaced(count)} SMS: a CPU second, against"
    line = partial(compared, name="per_cpu_second", ours=ours, as_text=per_second)
    return [
        line(f"{of} the floor", other=floor),
        line(f"{of} httpx + pydantic", other=usual),
    ]


if __name__ == "__main__":
    main(measure)
