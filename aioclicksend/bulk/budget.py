"""Keeping what a sender spends within an amount of money.

An amount is reserved before a request and booked as spent when a result says what was charged.
What is in doubt keeps its reservation at the quoted price; a further attempt reserves again, as the
first one may have been charged. With a journal the reservations stand there as well (beside the
intents), and `Budget` begins with what the journal has committed.

A server that once charged more than it had quoted is expected to do so again: from then on as many
times the quote are reserved. Once something did not fit, the budget is closed: cheaper messages
behind it do not slip past.
"""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal

from .outcome import Accepted, Outcome, Unknown


class Budget:
    """An amount of money that reservations and expenses never pass."""

    def __init__(self, limit: Decimal) -> None:
        self.limit = limit
        self.committed: Decimal = Decimal(0)
        """What is spent or reserved."""
        self.closed: bool = False
        self._excess = Decimal(1)
        """How many times its quote a message may be charged."""

    def expected(self, quotes: Sequence[Decimal]) -> list[Decimal]:
        """Return what messages with these quotes may cost."""
        return [it * self._excess for it in quotes] if self._excess > 1 else list(quotes)

    def reserve(self, prices: Sequence[Decimal]) -> int:
        """Reserve the prices of as many messages, from the first, as fit; return how many."""
        count = 0
        for amount in prices:
            # Checked message by message: the part of a batch that fits is sent.
            if self.closed or self.committed + amount > self.limit:
                self.closed = True
                break
            self.committed += amount
            count += 1
        return count

    def release(self, prices: Sequence[Decimal]) -> None:
        """Give back reservations of messages that were not begun after all."""
        self.committed -= sum(prices, Decimal(0))

    def settle(self, reserved: Sequence[Decimal], outcomes: Sequence[Outcome]) -> None:
        """Replace the reservations of one attempt by what its outcomes say was charged."""
        worst = Decimal(1)
        for amount, outcome in zip(reserved, outcomes, strict=True):
            cost = charged(outcome, amount)
            # The server's price counts, even above the reservation: that money is spent.
            self.committed += cost - amount
            if cost > amount > 0:
                worst = max(worst, cost / amount)
            elif cost > amount:
                self.closed = True  # quoted as free: no quote can be relied on
        # Added, not multiplied: lanes that reserved before this was known will say the same.
        self._excess += worst - 1


def quoted(outcome: Outcome | None) -> Decimal | None:
    """Return the price that a row of a price reply quotes, None if it quotes none to rely on.

    A refused message, a missing, negative or infinite amount, and parts that cost nothing are no
    price. Test numbers are free: 0 parts at 0.
    """
    if not isinstance(outcome, Accepted):
        return None
    amount = outcome.price
    if amount is None or not amount.is_finite() or amount < 0:
        return None
    return amount if amount > 0 or outcome.parts == 0 else None


def charged(outcome: Outcome, reserved: Decimal) -> Decimal:
    """Return what an outcome costs; what is not known is as expensive as it was quoted."""
    if isinstance(outcome, Accepted):
        price = outcome.price
        return price if price is not None and says_charge(price) else reserved
    return reserved if isinstance(outcome, Unknown) else Decimal(0)


def says_charge(price: Decimal) -> bool:
    """Whether an acceptance with this price says what was charged.

    Nothing, or less than that, does not. Free messages were quoted as free: nothing is reserved for
    them.
    """
    return price > 0
