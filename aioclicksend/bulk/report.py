"""What a run, a pricing and a sender have to tell in sum."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from decimal import Decimal

from msgspec import Struct

from .outcome import Accepted, NotSent, Outcome, Rejected, Unknown
from .rows import AllAccepted


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

    def add(self, outcomes: Sequence[Outcome]) -> None:
        """Count outcomes in."""
        if isinstance(outcomes, AllAccepted):
            self.accepted += len(outcomes)
            self.cost += outcomes.cost
            return
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
