"""The one guard between text from outside and a terminal or a log.

Servers, files, file names and databases can hold escape sequences that move the cursor, line breaks
that forge a line of a log, and marks that reverse the direction of what follows.
"""

from __future__ import annotations

LIMIT = 2000
"""Characters of one value that are shown."""


def printable(value: object, *, limit: int = LIMIT) -> str:
    """Return the text of a value on one line, a space in place of what cannot be printed."""
    text = str(value)
    if len(text) > limit:
        text = text[: limit - 1] + "…"
    return text if text.isprintable() else "".join(it if it.isprintable() else " " for it in text)
