"""The one guard between text from outside and a terminal or a log.

Servers, files, file names and databases can hold escape sequences that move the cursor, line breaks
that forge a line of a log, and marks that reverse the direction of what follows.
"""

from __future__ import annotations

import logging
import traceback

LIMIT = 2000
"""Characters of one value that are shown."""


def printable(value: object, *, limit: int = LIMIT) -> str:
    """Return the text of a value on one line, a space in place of what cannot be printed."""
    text = str(value)
    if len(text) > limit:
        text = text[: limit - 1] + "…"
    return text if text.isprintable() else "".join(it if it.isprintable() else " " for it in text)


def guard_log() -> None:
    """Guard what this package logs, wherever it goes."""
    logging.getLogger("aioclicksend").addFilter(_LogGuard())


class _LogGuard(logging.Filter):
    """Makes each record of a logger one printable line, and leaves out the text of exceptions.

    An exception that is logged above DEBUG is a defect: where it was raised matters. Its text may
    quote a number or a message, such as the key of a `KeyError`.
    """

    def filter(self, record: logging.LogRecord) -> bool:
        """Change a record before any handler or formatter sees it."""
        record.msg, record.args = printable(record.getMessage()), None
        is_shown = record.levelno > logging.DEBUG
        if is_shown and record.exc_info and record.exc_info[1] is not None:
            # Formatters print `exc_text` as it is, where they would format `exc_info` themselves.
            record.exc_text = "".join(_frames(record.exc_info[1]))
            record.exc_info = None
        return True


def _frames(error: BaseException) -> list[str]:
    """Return where an exception and what led to it were raised, and their classes."""
    lines: list[str] = []
    seen: set[int] = set()
    cause: BaseException | None = error
    while cause is not None and id(cause) not in seen:
        seen.add(id(cause))
        raised = [*traceback.format_tb(cause.__traceback__), f"{type(cause).__name__}\n"]
        lines[:0] = raised
        cause = cause.__cause__ or cause.__context__
    return ["Traceback (most recent call last), without texts of exceptions:\n", *lines]
