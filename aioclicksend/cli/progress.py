"""How a bulk sender gets on, on stderr: a bar on a terminal, else a line every two seconds."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import sys
import time
from collections.abc import AsyncGenerator, Callable, Iterator
from contextlib import asynccontextmanager
from typing import Any

from rich.console import Console, Group
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from ..bulk.report import Statistics
from ..bulk.sender import BulkSender
from .output import console

_REDRAW = 0.1
_LINE = 2.0
"""Seconds between two pictures, and between two lines where there is no terminal."""


@asynccontextmanager
async def watch(bulk: BulkSender[Any], total: int) -> AsyncGenerator[None]:
    """Show how a bulk sender gets on with `total` messages, and what the library logs meanwhile."""
    meter = Meter(bulk, total)
    screen = console(sys.stderr)
    with contextlib.ExitStack() as stack:
        if screen.is_terminal:
            # Redrawn by our task alone: rich's own thread would look while the sender changes.
            live = stack.enter_context(
                Live(console=screen, auto_refresh=False, transient=True, redirect_stdout=False)
            )
            showing = _repeat(_REDRAW, lambda: live.update(meter.picture(), refresh=True))
        else:
            showing = _repeat(_LINE, lambda: screen.print(meter.line()))
        stack.enter_context(_notes_on(screen))
        task = asyncio.create_task(showing)
        try:
            yield
        finally:
            task.cancel()


class Meter:
    """What there is to show at a moment."""

    def __init__(self, bulk: BulkSender[Any], total: int) -> None:
        self._bulk = bulk
        self._total = total
        self._began = time.monotonic()

    def line(self) -> str:
        """Return everything in one line."""
        now = self._bulk.statistics()
        return f"{_settled(now):,}/{self._total:,} · {_counts(now)} · {self._pace(now)}"

    def picture(self) -> Group:
        """Return a bar and a line below it."""
        now = self._bulk.statistics()
        settled = _settled(now)
        bar = Table.grid(padding=(0, 2, 0, 0), expand=True)
        bar.add_column(ratio=1)
        bar.add_column(no_wrap=True)
        bar.add_row(
            ProgressBar(self._total, settled),
            f"{settled:,}/{self._total:,}  {self._pace(now)}",
        )
        return Group(bar, Text(_counts(now), style="dim"))

    def _pace(self, now: Statistics) -> str:
        settled = _settled(now)
        rate = settled / max(time.monotonic() - self._began, 0.001)
        left = f"{(self._total - settled) / rate:.0f} s left" if settled else "…"
        return f"{rate:.0f}/s  {left}"


def _settled(now: Statistics) -> int:
    return now.accepted + now.rejected + now.not_sent + now.unknown


def _counts(now: Statistics) -> str:
    sent = _settled(now) - now.not_sent + now.in_doubt + now.on_wire
    return (
        f"sent {sent:,} · accepted {now.accepted:,} · rejected {now.rejected:,} · "
        f"in doubt {now.in_doubt:,} · spent {now.cost:.2f}"
    )


async def _repeat(seconds: float, step: Callable[[], object]) -> None:
    while True:
        await asyncio.sleep(seconds)
        step()


@contextlib.contextmanager
def _notes_on(screen: Console) -> Iterator[None]:
    """Print what the library logs where it does not disturb the picture."""
    log = logging.getLogger("aioclicksend")

    class Notes(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            screen.print(f"  {record.getMessage()}", style="yellow", soft_wrap=True)

    notes, propagate = Notes(logging.WARNING), log.propagate
    log.addHandler(notes)
    log.propagate = False
    try:
        yield
    finally:
        log.removeHandler(notes)
        log.propagate = propagate
