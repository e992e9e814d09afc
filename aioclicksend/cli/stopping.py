"""Ctrl-C during a run: the first finishes what is on the wire, the second leaves at once."""

from __future__ import annotations

import asyncio
import contextlib
import signal
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from typing import Protocol


class Stoppable(Protocol):
    """A run of messages."""

    def stop(self, why: str) -> object:
        """Read nothing more, and finish what is on the wire."""
        ...

    def abort(self, why: str) -> object:
        """Leave at once."""
        ...


@asynccontextmanager
async def stop_on_ctrl_c(
    run: Stoppable, note: Callable[[str], object], resume: str
) -> AsyncGenerator[None]:
    """Stop a run on SIGINT and SIGTERM.

    Args:
        run: what is stopped.
        note: prints a line.
        resume: the command that goes on with it.

    """
    loop = asyncio.get_running_loop()
    count = 0

    def stop(name: str) -> None:
        nonlocal count
        count += 1
        if count == 1:
            note(
                f"{name}: finishing what is on the wire and looking up what is in doubt; "
                "once more leaves at once"
            )
            run.stop(f"stopped by {name}")
        elif count == 2:
            note(
                f"{name}: leaving now; what was on the wire may or may not have been sent, and the "
                f"next run looks it up: {resume}"
            )
            run.abort(f"stopped by {name}")

    caught = []
    for number in (signal.SIGINT, signal.SIGTERM):
        # An event loop of Windows has no signal handlers.
        with contextlib.suppress(NotImplementedError, RuntimeError):
            loop.add_signal_handler(number, stop, number.name)
            caught.append(number)
    try:
        yield
    finally:
        for number in caught:
            loop.remove_signal_handler(number)
