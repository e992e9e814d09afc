"""What became of a message handed to a bulk sender: one of four, and exactly one."""

from __future__ import annotations

from decimal import Decimal
from typing import Any, TypeAlias

from msgspec import Struct


class Accepted(Struct, frozen=True, gc=False):
    """The server took it."""

    message: Any
    ref: str
    message_id: str | None
    parts: int | None
    price: Decimal | None

    def __repr__(self) -> str:
        return f"Accepted(ref={self.ref!r}, message_id={self.message_id!r})"


class Rejected(Struct, frozen=True, gc=False):
    """The server read it and refused; `status` is the API's word for why."""

    message: Any
    ref: str
    status: str

    def __repr__(self) -> str:
        return f"Rejected(ref={self.ref!r}, status={self.status!r})"


class NotSent(Struct, frozen=True, gc=False):
    """Provably not taken by the server: it can be sent again."""

    message: Any
    ref: str
    reason: str

    def __repr__(self) -> str:
        return f"NotSent(ref={self.ref!r}, reason={self.reason!r})"


class Unknown(Struct, frozen=True, gc=False):
    """Bytes left, and neither a reply nor the history told what became of it."""

    message: Any
    ref: str
    reason: str

    def __repr__(self) -> str:
        return f"Unknown(ref={self.ref!r}, reason={self.reason!r})"


Outcome: TypeAlias = Accepted | Rejected | NotSent | Unknown
