"""Running a coroutine so that Ctrl-C is heard at any time."""

from __future__ import annotations

import asyncio
import contextlib
import signal
import socket
from collections.abc import Coroutine, Iterator
from typing import Any, TypeVar

T = TypeVar("T")


def run(work: Coroutine[Any, Any, T]) -> T:
    """Run a coroutine as `asyncio.run` does, in the main thread, and let signals wake its loop.

    Python calls a signal's handler between two steps of the program. `asyncio.run` relies on the
    signal ending the wait for the network; one that comes just before that wait does not, and would
    be heard only with the next reply.
    """

    async def working() -> T:
        with _woken_by_signals(asyncio.get_running_loop()):
            return await work

    return asyncio.run(working())


@contextlib.contextmanager
def _woken_by_signals(loop: asyncio.AbstractEventLoop) -> Iterator[None]:
    ear, mouth = socket.socketpair()
    with ear, mouth:
        ear.settimeout(0)
        mouth.settimeout(0)
        try:
            loop.add_reader(ear, ear.recv, 4096)
        except NotImplementedError:  # Windows, whose loop sees to it by itself
            yield
            return
        before = signal.set_wakeup_fd(mouth.fileno(), warn_on_full_buffer=False)
        try:
            yield
        finally:
            signal.set_wakeup_fd(before)
            loop.remove_reader(ear)
