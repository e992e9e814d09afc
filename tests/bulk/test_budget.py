"""A budget is never passed, and nothing is booked twice."""

from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

import aioclicksend as ac
from aioclicksend.bulk.budget import Budget, charged, quoted

REJECTED = ac.Rejected(None, "", "INVALID_RECIPIENT")
NOT_SENT = ac.NotSent(None, "", ac.Reason.REFUSED)
UNKNOWN = ac.Unknown(None, "", ac.Reason.LAGGING)


def accepted(price: str | None, parts: int | None = 1) -> ac.Accepted:
    """Return the outcome of a message that cost so much."""
    return ac.Accepted(None, "", None, parts, None if price is None else Decimal(price))


@given(st.lists(st.tuples(st.lists(st.integers(0, 30), max_size=6), st.integers(0, 6))))
def test_a_budget_is_never_passed(rounds: list[tuple[list[int], int]]) -> None:
    budget = Budget(Decimal(100))
    spent = Decimal(0)
    for amounts, taken in rounds:
        prices = [Decimal(it) for it in amounts]
        for place, amount in enumerate(prices[: budget.reserve(prices)]):
            outcome: ac.Outcome = accepted(str(amount)) if place < taken else REJECTED
            budget.settle([amount], [outcome])
            spent += amount if place < taken else 0
        assert budget.committed == spent <= budget.limit


def test_a_budget_can_be_spent_to_the_last_cent() -> None:
    budget = Budget(Decimal(10))
    assert budget.reserve([Decimal(4), Decimal(4)]) == 2
    budget.settle([Decimal(4), Decimal(4)], [REJECTED, accepted("3")])
    assert budget.committed == Decimal(3)
    assert budget.reserve([Decimal(7), Decimal(0)]) == 2
    assert not budget.closed
    assert Budget(Decimal(0)).reserve([Decimal(0)]) == 1


def test_a_closed_budget_refuses_cheaper_messages() -> None:
    budget = Budget(Decimal(10))
    assert budget.reserve([Decimal(6)]) == 1
    assert budget.reserve([Decimal(6)]) == 0
    assert budget.reserve([Decimal(1)]) == 0
    assert budget.closed


def test_a_server_that_charges_more_than_it_quotes_is_expected_to_do_so_again() -> None:
    budget = Budget(Decimal(10))
    assert budget.expected([Decimal(1)]) == [1]
    budget.reserve([Decimal(1)] * 2)
    budget.settle([Decimal(1)] * 2, [accepted("1.5")] * 2)
    assert budget.expected([Decimal(1)]) == [Decimal("1.5")]
    assert budget.reserve(budget.expected([Decimal(1)] * 9)) == 4
    budget.settle([Decimal("1.5")] * 4, [accepted("1.5")] * 4)
    assert budget.committed == 9 <= budget.limit


def test_a_charge_for_what_was_quoted_as_free_closes_the_budget() -> None:
    budget = Budget(Decimal(10))
    budget.reserve([Decimal(0)])
    budget.settle([Decimal(0)], [accepted("1.5")])
    assert budget.reserve([Decimal(0)]) == 0


def test_a_released_reservation_can_be_used_again() -> None:
    budget = Budget(Decimal(10))
    budget.reserve([Decimal(6), Decimal(4)])
    budget.release([Decimal(4)])
    assert budget.reserve([Decimal(4)]) == 1


@pytest.mark.parametrize(
    ("outcome", "cost"),
    [
        (accepted("0.08"), "0.08"),
        (accepted(None), "0.10"),
        (accepted("0"), "0.10"),
        (accepted("-0.08"), "0.10"),
        (UNKNOWN, "0.10"),
        (REJECTED, "0"),
        (NOT_SENT, "0"),
    ],
)
def test_what_is_not_known_costs_what_was_quoted(outcome: ac.Outcome, cost: str) -> None:
    assert charged(outcome, Decimal("0.10")) == Decimal(cost)


@pytest.mark.parametrize(
    ("outcome", "price"),
    [
        (accepted("0.08"), "0.08"),
        (accepted("0", parts=0), "0"),
        (accepted("0", parts=1), None),
        (accepted("0", parts=None), None),
        (accepted("-1"), None),
        (accepted("-1", parts=0), None),
        (accepted("NaN"), None),
        (accepted("Infinity"), None),
        (accepted(None), None),
        (REJECTED, None),
        (None, None),
    ],
)
def test_only_an_amount_that_can_be_relied_on_is_a_quote(
    outcome: ac.Outcome | None, price: str | None
) -> None:
    assert quoted(outcome) == (None if price is None else Decimal(price))
