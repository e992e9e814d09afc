"""What it costs to read a reply of 1000 rows."""

from __future__ import annotations

from functools import partial

from .harness import Line, compared, fresh, in_turns, main, seconds


def measure(*, quick: bool) -> list[Line]:
    """Compare our two readers, the lean one of `bulk` and that of `send`, with others."""
    repeat, rounds = (30, 3) if quick else (200, 5)
    lean, rich, floor, plain, pydantic = in_turns(
        rounds,
        [
            partial(fresh, f"contestants.readers.{name}", repeat=repeat)
            for name in ("bulk", "send", "floor", "plain", "with_pydantic")
        ],
    )
    line = partial(compared, name="cpu_each", as_text=seconds)
    return [
        line("read 1000 rows in `bulk`, against a lean msgspec struct", ours=lean, other=floor),
        line("read 1000 rows in `bulk`, against json + dict", ours=lean, other=plain),
        line("read 1000 rows in `bulk`, against pydantic", ours=lean, other=pydantic),
        line("read 1000 rows in `send` (every field), against json + dict", ours=rich, other=plain),
        line("read 1000 rows in `send` (every field), against pydantic", ours=rich, other=pydantic),
    ]


if __name__ == "__main__":
    main(measure)
