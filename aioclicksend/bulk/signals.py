"""Stopping a bulk sender by signals."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import signal
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Any

from .sender import BulkSender

log: logging.Logger = logging.getLogger("aioclicksend")


@asynccontextmanager
async def stop_on_signals(bulk: BulkSender[Any]) -> AsyncGenerator[None]:
    """Stop a bulk sender on SIGINT and SIGTERM instead of interrupting the program.

    The first signal takes in nothing more, finishes what is on the wire and looks up what is in
    doubt; the second makes that Unknown and leaves. Where the event loop has no signal
    handlers (Windows) this does nothing.
    """
    loop = asyncio.get_running_loop()
    names: list[str] = []

    def stop(name: str) -> None:
        names.append(name)
        if len(names) > 1:
            bulk.abort(f"stopped by {name}")
            return
        log.warning(
            "%s: finishing what is on the wire and looking up what is in doubt; "
            "once more leaves at once",
            name,
        )
        bulk.stop(f"stopped by {name}")

    caught = []
    for number in (signal.SIGINT, signal.SIGTERM):
        # RuntimeError: the loop runs outside the main thread, where signals cannot be caught.
        with contextlib.suppress(NotImplementedError, RuntimeError):
            loop.add_signal_handler(number, stop, number.name)
            caught.append(number)
    try:
        yield
    finally:
        for number in caught:
            loop.remove_signal_handler(number)
