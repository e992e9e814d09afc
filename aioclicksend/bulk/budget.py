"""Keeping a run below an amount of money."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal


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

    def settle(self, reserved: Decimal, price: Decimal | None) -> None:
        """Give a reservation back and book what was really spent, None for nothing."""
        self.reserved -= reserved
        self.spent += price or 0
