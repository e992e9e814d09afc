"""What the journal costs."""

from __future__ import annotations

from functools import partial

from .harness import WARM_UP, Bar, Line, Sink, compared, fresh, in_turns, main, per_second, spaced


def measure(*, quick: bool) -> list[Line]:
    """Compare `bulk.run` with a journal and without."""
    cases = [(50_000, 3)] if quick else [(200_000, 15), (1_000_000, 7)]
    lines = []
    run = "contestants.ours.run"
    for count, rounds in cases:
        with Sink() as sink:
            kept, plain = in_turns(
                rounds,
                [
                    partial(fresh, run, sink.url, count=count, warm_up=WARM_UP, journal=True),
                    partial(fresh, run, sink.url, count=count, warm_up=WARM_UP),
                ],
            )
        of = f"journalled `run`, {spaced(count)} SMS"
        line = partial(compared, ours=kept, other=plain, as_text=per_second)
        lines += [
            line(f"{of}: a second, against plain", "per_second", bar=Bar(0.5)),
            line(f"{of}: a CPU second, against plain", "per_cpu_second"),
        ]
    return lines


if __name__ == "__main__":
    main(measure)
