"""What ``import aioclicksend`` costs over ``import aiohttp``."""

from __future__ import annotations

from functools import partial

from .harness import Bar, Line, compared, fresh, in_turns, main, seconds


def measure(*, quick: bool) -> list[Line]:
    """Import in fresh processes, by turns."""
    modules = ("aioclicksend", "aiohttp", "clicksend", "httpx")
    ours, aiohttp, official, httpx = in_turns(
        7 if quick else 21,
        [partial(fresh, "contestants.imports.load", name=name) for name in modules],
    )
    line = partial(compared, name="cpu", ours=ours, as_text=seconds)
    return [
        line("`import aioclicksend`, against aiohttp", other=aiohttp, bar=Bar(1.3, most=True)),
        line("`import aioclicksend`, against clicksend-client 6", other=official),
        line("`import aioclicksend`, against httpx", other=httpx),
    ]


if __name__ == "__main__":
    main(measure)
