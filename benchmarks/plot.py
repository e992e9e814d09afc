# matplotlib is no dependency: without it this module cannot be checked, and draws nothing.
# mypy: disable-error-code="import-not-found, import-untyped, unused-ignore"
# pyright: reportMissingImports=false
"""A picture of how cost grows with the number of messages."""

from __future__ import annotations

import statistics
from pathlib import Path

from . import memory
from .harness import Result

Curve = dict[int, list[Result]]


def draw(path: Path, *, quick: bool) -> bool:
    """Draw the picture; False, with the reason printed, where that cannot be done."""
    try:
        from matplotlib.figure import Figure  # noqa: PLC0415 - optional
    except ImportError as error:
        print(f"no picture: {error}")
        return False
    curves: dict[str, Curve] = {
        "bulk.stream": memory.ours(quick=quick),
        "floor": memory.floor(quick=quick),
        "clicksend-client 6": memory.official(quick=quick),
    }
    figure = Figure(figsize=(11, 4), layout="constrained")
    panels = figure.subplots(1, 2)
    for name, curve in curves.items():
        sizes = list(curve)
        panels[0].loglog(sizes, [_median(curve, it, "cpu") for it in sizes], "o-", label=name)
        panels[1].semilogx(sizes, [_median(curve, it, "memory") for it in sizes], "o-", label=name)
    panels[0].set_ylabel("processor seconds")
    panels[1].set_ylabel("peak memory, MB")
    panels[1].set_ylim(bottom=0)
    for panel in panels:
        panel.set_xlabel("messages")
        panel.grid(visible=True, alpha=0.3)
        panel.legend()
    figure.savefig(path, dpi=110)
    return True


def _median(curve: Curve, size: int, name: str) -> float:
    return float(statistics.median(result[name] for result in curve[size]))
