"""What a bulk sender needs of an API: it knows no SMS, only how to post, price and look up."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import Any, Protocol, TypeAlias

from msgspec import Struct

from ..models.messages import Message
from ..pages import Pages
from .rows import AnyRow, Priced

History: TypeAlias = Callable[[int, int | None], Pages[Any]]
"""Walks the history from one unix second to another, newest first where the API can."""


class Post(Protocol):
    """Posts messages."""

    def __call__(
        self, body: bytes, refs: Sequence[str], *, counted: bool
    ) -> Awaitable[Sequence[AnyRow]]:
        """Post a body, whose refs it is given, and return the rows of the reply.

        Of rows that are only `counted` the ids need not be read.
        """
        ...


class Channel(Struct, frozen=True):
    """One kind of message."""

    name: str
    message: type[Message]
    body: Callable[[Sequence[Message], Sequence[bytes]], bytes]
    """Makes the body of a request of frozen messages."""
    send: Post
    price: Callable[[bytes], Awaitable[Priced]]
    history: History
    kind: Callable[[Message], object]
    """What messages of one request must agree in."""
    by_text: bool
    """Whether its history may lack refs, so that number and text must do."""
