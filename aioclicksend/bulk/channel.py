"""The seam between the engine and one kind of message: the engine itself knows no SMS."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import Any, Protocol, TypeAlias

from msgspec import Struct

from ..models.messages import Message
from ..pages import Pages
from ..wire import Fence, Wire
from .encode import Encoded
from .evidence import Memory
from .replies import Priced, Reply

History: TypeAlias = Callable[[int, int | None], Pages[Any]]
"""Walks the history from one unix second to another, newest first where the API can."""

Lookup: TypeAlias = Callable[[int, Sequence[str]], Pages[Any]]
"""Walks the history of some numbers (E.164) since a unix second, if the API can filter so."""


class Post(Protocol):
    """Posts a request of messages."""

    def __call__(
        self,
        body: bytes,
        refs: Sequence[str],
        wire: Wire,
        fence: Fence | None,
        *,
        counted: bool,
    ) -> Awaitable[Reply]:
        """Post a body and return the rows of the reply.

        Of rows that are only `counted` the ids need not be read.
        """
        ...


class Encode(Protocol):
    """Encodes messages; see `encode.encode`."""

    def __call__(
        self,
        messages: Sequence[Any],
        *,
        prefix: str,
        keys: Sequence[str | None] | None = None,
        compact: bool = False,
    ) -> Encoded:
        """Check messages, give refs to those without, and write their JSON."""
        ...


class Channel(Struct, frozen=True):
    """One kind of message: how it is checked, encoded, posted, priced and looked up."""

    name: str
    """``sms``, ``mms`` or ``voice``."""
    check: Callable[[Any], object]
    """Raises ValueError for a message that cannot be sent; see `encode_one`."""
    encode: Encode
    thaw: Callable[[bytes, str | None], Message]
    """Returns the message that a JSON (and a media file) in a journal came from."""
    turn: Callable[[], Awaitable[None]]
    """Waits until the pace lets another request start."""
    post: Post
    price: Callable[[bytes], Awaitable[Priced]]
    currency: Callable[[], Awaitable[str | None]]
    """Asks for the currency of the account."""
    history: History
    lookup: Lookup | None
    has_refs: bool
    """Whether its history shows refs; else number, text and date must do."""
    memory: Memory
    """What was learned of the server, shared by the senders of one client."""
    on_batch: Callable[..., object] | None = None
