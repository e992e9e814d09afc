"""What became of a message handed to a bulk sender: one of four, and exactly one."""

from __future__ import annotations

from collections.abc import Mapping
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


class Report(Struct, kw_only=True):
    """What became of the messages of one run."""

    accepted: int = 0
    rejected: int = 0
    not_sent: int = 0
    unknown: int = 0
    cost: Decimal = Decimal(0)
    """Sum of the prices the server told for accepted messages."""
    seconds: float = 0.0
    reasons: dict[str, int] = {}
    """How often each status and reason was given for what was not accepted."""

    @property
    def total(self) -> int:
        """Messages handed in."""
        return self.accepted + self.rejected + self.not_sent + self.unknown

    def add(self, outcomes: list[Outcome]) -> None:
        """Count outcomes in."""
        for outcome in outcomes:
            match outcome:
                case Accepted():
                    self.accepted += 1
                    if outcome.price is not None:
                        self.cost += outcome.price
                case Rejected():
                    self.rejected += 1
                    self._because(outcome.status)
                case NotSent():
                    self.not_sent += 1
                    self._because(outcome.reason)
                case Unknown():
                    self.unknown += 1
                    self._because(outcome.reason)

    def _because(self, reason: str) -> None:
        self.reasons[reason] = self.reasons.get(reason, 0) + 1


class Quote(Struct, kw_only=True):
    """What messages would cost."""

    total: Decimal = Decimal(0)
    currency: str | None = None
    count: int = 0
    """Messages that would be sent."""
    parts: int = 0
    by_country: dict[str, Decimal] = {}
    rejected: Mapping[str, int] = {}
    """Messages that would be refused, by status."""


class Statistics(Struct, kw_only=True):
    """Where a bulk sender stands."""

    queued: int
    """Messages waiting for their request."""
    on_wire: int
    """Messages in requests under way."""
    in_doubt: int
    """Messages whose fate is being looked up."""
    accepted: int
    rejected: int
    not_sent: int
    unknown: int
    cost: Decimal
    posts: int
    """Send requests that ended, retries not counted."""
    failed_posts: int
    """Send requests that left messages in doubt or were not taken."""
    doubted: int
    """Messages that ever were in doubt."""
    found: int
    """Messages in doubt that the history showed to be accepted."""
    resent: int
    """Messages sent again after a settled search."""
    odd_rows: int
    """Rows of replies that belong to no message, or to one that had its row."""
    held: str | None
    """Why sending stopped for good, e.g. ``INSUFFICIENT_CREDIT``."""
