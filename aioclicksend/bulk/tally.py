"""The running counts of a bulk sender."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal

from .outcome import Accepted, NotSent, Outcome, Rejected, Unknown
from .rows import AllAccepted


class Tally:
    """Counts outcomes and requests as they come."""

    def __init__(self) -> None:
        self.by_class: dict[type, int] = dict.fromkeys((Accepted, Rejected, NotSent, Unknown), 0)
        self.cost = Decimal(0)
        self.posts = 0
        self.failed_posts = 0
        self.doubted = 0
        self.found = 0
        self.resent = 0
        self.odd_rows = 0

    def add(self, outcomes: Sequence[Outcome]) -> None:
        """Count outcomes in."""
        counts = self.by_class
        if isinstance(outcomes, AllAccepted):
            counts[Accepted] += len(outcomes)
            self.cost += outcomes.cost
            return
        for outcome in outcomes:
            counts[outcome.__class__] += 1
        self.cost += sum(it.price for it in outcomes if isinstance(it, Accepted) and it.price)
