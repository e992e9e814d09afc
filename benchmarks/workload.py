"""The messages that every contestant sends, as plain data: each makes its own objects of them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import islice

SIZE = 1000
"""Messages in a request."""
LANES = 4
"""Requests under way at a time."""


def messages(count: int) -> Iterator[tuple[str, str]]:
    """Yield number and text of each message."""
    for number in range(count):
        yield f"+6141{number % 10_000_000:07}", f"Hello {number}, your order is on its way"


def chunks(count: int) -> Iterator[list[tuple[str, str]]]:
    """Yield the messages of one request after the other."""
    source: Iterable[tuple[str, str]] = messages(count)
    source = iter(source)
    while chunk := list(islice(source, SIZE)):
        yield chunk
