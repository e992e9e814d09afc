"""Keeping a run below an amount of money."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal

from .outcome import Accepted, Outcome, Rejected, Unknown


class Purse:
    """An amount that is reserved before sending and settled with the real prices.

    Once something did not fit it is closed: smaller messages behind it do not slip past.
    """

    def __init__(self, limit: Decimal) -> None:
        if limit < 0:
            raise ValueError("budget: must not be negative")
        self.limit = limit
        self.spent = Decimal(0)
        self.reserved = Decimal(0)
        self.closed = False

    def reserve(self, prices: Sequence[Decimal]) -> int:
        """Reserve the prices of as many messages, from the first, as fit; return how many."""
        count = 0
        for price in prices:
            if self.closed or self.spent + self.reserved + price > self.limit:
                self.closed = True
                break
            self.reserved += price
            count += 1
        return count

    def settle(self, reserved: Sequence[Decimal], outcomes: Sequence[Outcome]) -> None:
        """Give reservations back and book what was really spent, or may have been."""
        for amount, outcome in zip(reserved, outcomes, strict=True):
            self.reserved -= amount
            self.spent += _cost(outcome, amount)


def quoted(outcome: Outcome | None) -> Decimal | None:
    """Return what a message would cost, None if that was not told; what is refused is free."""
    return Decimal(0) if isinstance(outcome, Rejected) else getattr(outcome, "price", None)


def _cost(outcome: Outcome, reserved: Decimal) -> Decimal:
    """Return what an outcome takes: what is not known is as dear as it was priced."""
    if isinstance(outcome, Accepted):
        return reserved if outcome.price is None else outcome.price
    return reserved if isinstance(outcome, Unknown) else Decimal(0)
