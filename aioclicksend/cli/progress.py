"""How a bulk sender gets on, on stderr: a bar on a terminal, else a line every two seconds."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import sys
import time
from collections import deque
from collections.abc import AsyncGenerator, Callable, Iterator
from contextlib import asynccontextmanager
from typing import Any

from rich.console import Console, Group
from rich.live import Live
from rich.padding import Padding
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from ..bulk.outcome import Statistics
from ..bulk.sender import BulkSender
from .output import console

_REDRAW = 0.1
_LINE = 2.0
"""Seconds between two pictures, and between two lines where there is no terminal."""
_MEMORY = 10.0
"""Seconds over which the rate is taken: a run begins slowly, and pauses when in doubt."""
_MINUTES = 120
"""Seconds from which a time is told in minutes."""


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
        self._seen: deque[tuple[float, int]] = deque()

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
        moment, settled = time.monotonic(), _settled(now)
        if settled:  # until then there is nothing to reckon with
            self._seen.append((moment, settled))
        while self._seen and moment - self._seen[0][0] > _MEMORY:
            self._seen.popleft()
        since, before = self._seen[0] if self._seen else (moment, 0)
        if settled == before:
            return "…"
        rate = (settled - before) / (moment - since)
        return f"{rate:,.0f}/s  {_span((self._total - settled) / rate)} left"


def _span(seconds: float) -> str:
    if seconds < _MINUTES:
        return f"{seconds:.0f} s"
    hours, minutes = divmod(round(seconds / 60), 60)
    return f"{hours} h {minutes} min" if hours else f"{minutes} min"


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
            note = Padding(record.getMessage(), (0, 0, 0, 2), expand=False)
            screen.print(note, style="yellow")

    notes, propagate = Notes(logging.WARNING), log.propagate
    log.addHandler(notes)
    log.propagate = False
    try:
        yield
    finally:
        log.removeHandler(notes)
        log.propagate = propagate
