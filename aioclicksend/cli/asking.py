"""Asking before anything is sent or deleted.

A command that sends or cannot be undone either asks a person at a terminal or was given `--yes`.
Without a terminal, and where standard input is used for something else, only `--yes` counts: an
answer that comes through a pipe was written before the question.
"""

from __future__ import annotations

import shutil
import signal
import sys
from typing import Annotated

from cyclopts import Parameter

from ..printable import printable
from .errors import Declined

Yes = Annotated[bool, Parameter(name="--yes", help="Do not ask.")]


def require_answer(*, yes: bool, stdin_used: bool = False) -> None:
    """Make sure that the question can be asked, before any work is done for it.

    Args:
        yes: whether `--yes` was given.
        stdin_used: whether the list or the text comes through standard input.

    Raises:
        ValueError: there is no terminal to ask at.

    """
    if yes:
        return
    if stdin_used:
        raise ValueError("standard input is used for the list or the text: add --yes")
    if not sys.stdin.isatty():
        raise ValueError("this cannot be undone: without a terminal it needs --yes")


def confirm(question: str, *, yes: bool) -> None:
    """Return if the answer is yes, or `--yes` was given.

    Raises:
        ValueError: there is no terminal to ask at.
        Declined: the answer is no.

    """
    require_answer(yes=yes)
    if yes:
        return
    _discard_typed_ahead()
    question = printable(question, limit=len(question))
    # On stderr, since stdout may be a file; on a separate line where both do not fit into one.
    warning = "This cannot be undone. [y/N] "
    fits = len(question) + len(warning) < shutil.get_terminal_size().columns
    gap = " " if fits else "\n"
    print(f"{question}{gap}{warning}", end="", file=sys.stderr, flush=True)  # noqa: T201
    answer = ""
    # asyncio's handler would only remember a Ctrl-C and keep waiting for the answer.
    handler = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        answer = sys.stdin.readline()
    finally:
        signal.signal(signal.SIGINT, handler)
        if not answer.endswith("\n"):
            print(file=sys.stderr)  # noqa: T201 - Ctrl-C and Ctrl-D leave the cursor behind the question
    # Everything else is a no, also an empty line and the end of the input.
    if answer.strip().lower() not in ("y", "yes"):
        raise Declined


def _discard_typed_ahead() -> None:
    """Discard keys pressed before the question was there: they cannot answer it."""
    try:
        descriptor = sys.stdin.fileno()
    except OSError:
        return  # a stream of a test
    if sys.platform == "win32":
        import msvcrt  # noqa: PLC0415

        while msvcrt.kbhit():
            msvcrt.getwch()
    else:
        import termios  # noqa: PLC0415

        termios.tcflush(descriptor, termios.TCIFLUSH)
