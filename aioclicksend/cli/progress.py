"""Progress of messages on stderr: a bar on a terminal, else a line every two seconds."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import sys
import time
from collections import deque
from collections.abc import AsyncGenerator, Callable, Iterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime

from rich.console import Console, Group
from rich.live import Live
from rich.padding import Padding
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from ..bulk.outcome import Counts
from ..printable import printable
from .output import PLAIN, Output, console

_REDRAW = 0.1
_LINE = 2.0
"""Seconds between two pictures, and between two lines where there is no terminal."""
_MEMORY = 10.0
"""Seconds over which the rate is averaged: a run starts slowly, and pauses when in doubt."""
_MINUTES = 120
"""Seconds from which a time is shown in minutes."""


@asynccontextmanager
async def watch(
    counts: Callable[[], Counts],
    total: int,
    out: Output = PLAIN,
    waits_for: Callable[[], datetime | None] = lambda: None,
) -> AsyncGenerator[None]:
    """Show the progress of messages, and what the library logs meanwhile.

    Args:
        counts: returns how many have come how far: `BulkSender.statistics`, for one.
        total: how many messages there are.
        out: how the command prints; as JSON there is no progress.
        waits_for: when a run that waits for its time continues.

    """
    meter = Meter(counts, total, waits_for)
    screen = console(sys.stderr)
    with contextlib.ExitStack() as stack:
        if out.json:
            showing = None
        elif screen.is_terminal:
            # Redrawn by this task alone: rich's own thread would read while the sender changes.
            live = stack.enter_context(
                Live(console=screen, auto_refresh=False, transient=True, redirect_stdout=False)
            )
            showing = _repeat(_REDRAW, lambda: live.update(meter.picture(), refresh=True))
        else:
            showing = _repeat(_LINE, lambda: screen.print(meter.line()))
        stack.enter_context(_notes_on(screen))
        task = None if showing is None else asyncio.create_task(showing)
        try:
            yield
        finally:
            if task is not None:
                task.cancel()


class Meter:
    """The progress at a moment, as a line and as a picture."""

    def __init__(
        self,
        counts: Callable[[], Counts],
        total: int,
        waits_for: Callable[[], datetime | None] = lambda: None,
    ) -> None:
        self._waits_for = waits_for
        self._counts = counts
        self._total = total
        self._seen: deque[tuple[float, int]] = deque()

    def line(self) -> str:
        """Return everything in one line."""
        now = self._counts()
        return f"{_settled(now):,}/{self._total:,} · {_counts(now)} · {self._pace(now)}"

    def picture(self) -> Group:
        """Return a bar and a line below it."""
        now = self._counts()
        settled = _settled(now)
        bar = Table.grid(padding=(0, 2, 0, 0), expand=True)
        bar.add_column(ratio=1)
        bar.add_column(no_wrap=True)
        bar.add_row(
            ProgressBar(self._total, settled),
            f"{settled:,}/{self._total:,}  {self._pace(now)}",
        )
        return Group(bar, Text(_counts(now), style="dim"))

    def _pace(self, now: Counts) -> str:
        if (due := self._waits_for()) is not None:
            left = max((due - datetime.now(UTC)).total_seconds(), 0.0)
            return f"waiting for {due:%Y-%m-%d %H:%M} UTC, in {_span(left)}"
        moment, settled = time.monotonic(), _settled(now)
        if settled:  # before that there is no rate
            self._seen.append((moment, settled))
        while self._seen and moment - self._seen[0][0] > _MEMORY:
            self._seen.popleft()
        since, before = self._seen[0] if self._seen else (moment, 0)
        if settled == before:
            return "…"
        # Over the last seconds, not from the start: a pause must show while it lasts.
        rate = (settled - before) / (moment - since)
        return f"{rate:,.0f}/s  {_span((self._total - settled) / rate)} left"


def _span(seconds: float) -> str:
    if seconds < _MINUTES:
        return f"{seconds:.0f} s"
    hours, minutes = divmod(round(seconds / 60), 60)
    return f"{hours} h {minutes} min" if hours else f"{minutes} min"


def _settled(now: Counts) -> int:
    return now.accepted + now.rejected + now.not_sent + now.unknown


def _counts(now: Counts) -> str:
    # What has left this machine, with and without a verdict.
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
    """Print what the library logs above the picture."""
    log = logging.getLogger("aioclicksend")

    class Notes(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            note = Padding(printable(record.getMessage()), (0, 0, 0, 2), expand=False)
            screen.print(note, style="yellow")

    notes, propagate = Notes(logging.WARNING), log.propagate
    log.addHandler(notes)
    log.propagate = False
    try:
        yield
    finally:
        log.removeHandler(notes)
        log.propagate = propagate
