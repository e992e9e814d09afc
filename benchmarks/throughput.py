"""How many messages a second, of the wall and of the processor."""

from __future__ import annotations

from functools import partial

from .harness import (
    WARM_UP,
    Bar,
    Line,
    Sink,
    compared,
    fresh,
    in_turns,
    main,
    megabytes,
    per_second,
    spaced,
)


def measure(*, quick: bool) -> list[Line]:
    """Compare `bulk.run` and `bulk.stream` with a hand-written loop and other clients."""
    count, rounds = (50_000, 3) if quick else (200_000, 15)
    with Sink() as sink:
        run, stream, uvloop, floor, official, usual = in_turns(
            rounds,
            [
                partial(fresh, "contestants.ours.run", sink.url, count=count, warm_up=WARM_UP),
                partial(fresh, "contestants.ours.stream", sink.url, count=count, warm_up=WARM_UP),
                partial(
                    fresh,
                    "contestants.ours.run",
                    sink.url,
                    count=count,
                    warm_up=WARM_UP,
                    uvloop=True,
                ),
                partial(fresh, "contestants.floor.send", sink.url, count=count, warm_up=WARM_UP),
                partial(fresh, "contestants.official.send", sink.url, count=count, warm_up=WARM_UP),
                partial(fresh, "contestants.usual.send", sink.url, count=count, warm_up=WARM_UP),
            ],
        )
    of = f"{spaced(count)} SMS"
    cpu, wall = "per_cpu_second", "per_second"
    line = partial(compared, as_text=per_second)
    return [
        line(f"`run`, {of}: a CPU second, against the floor", cpu, run, floor, bar=Bar(0.8)),
        line(f"`stream`, {of}: a CPU second, against the floor", cpu, stream, floor, bar=Bar(0.65)),
        line("`run`: a CPU second, against clicksend-client 6", cpu, run, official, bar=Bar(12)),
        line("`run`: a CPU second, against httpx + pydantic", cpu, run, usual),
        line("`run` with uvloop: a CPU second, against `run` without", cpu, uvloop, run),
        line("`run`: a second, against the floor", wall, run, floor),
        line("`stream`: a second, against the floor", wall, stream, floor),
        line("`run`: a second, against clicksend-client 6", wall, run, official),
        line("`run`: a second, against httpx + pydantic", wall, run, usual),
        compared("`run`: peak memory, against the floor", "memory", run, floor, as_text=megabytes),
    ]


if __name__ == "__main__":
    main(measure)
