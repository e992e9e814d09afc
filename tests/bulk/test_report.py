"""Counts and sums of a run, also of replies that leave prices out."""

from __future__ import annotations

from decimal import Decimal
from itertools import repeat

import pytest

import aioclicksend as ac
from aioclicksend.bulk.outcome import Acceptances

from .helpers import sms

OUTCOMES: list[ac.Outcome] = [
    ac.Accepted(sms(1), "ref-1", "ID-1", 1, Decimal("0.5")),
    ac.Accepted(sms(2), "ref-2", "ID-2", 1, None),
    ac.Accepted(sms(3), "ref-3", "ID-3", 1, Decimal("0.25")),
    *(ac.Rejected(sms(it), "ref", "INVALID_RECIPIENT") for it in range(3)),
    *(ac.NotSent(sms(it), "ref", ac.Reason.BUDGET) for it in range(4)),
    *(ac.Unknown(sms(it), "ref", ac.Reason.LAGGING, "the connection broke") for it in range(5)),
]


def all_accepted(*prices: str | None) -> Acceptances:
    """Return the outcomes of a reply that accepted everything."""
    count = len(prices)
    amounts = [None if it is None else Decimal(it) for it in prices]
    return Acceptances(
        [sms(it) for it in range(count)],
        [f"ref-{it}" for it in range(count)],
        [f"ID-{it}" for it in range(count)],
        repeat(1),
        repeat(amounts[0]) if len(set(prices)) == 1 else amounts,
    )


def test_a_report_counts_outcomes_and_reasons() -> None:
    report = ac.Report()
    for part in (OUTCOMES[:5], OUTCOMES[5:]):
        report.add(part)
    assert (report.accepted, report.rejected, report.not_sent, report.unknown) == (3, 3, 4, 5)
    assert report.total == 15
    assert report.cost == Decimal("0.75")
    assert report.reasons == {"INVALID_RECIPIENT": 3, "budget": 4, "lagging": 5}


def test_a_report_adds_whole_replies_up() -> None:
    report = ac.Report()
    report.add(all_accepted("0.10", "0.10"))
    report.add(all_accepted("0.30"))
    assert (report.accepted, report.total, report.cost) == (3, 3, Decimal("0.50"))
    assert not report.reasons


@pytest.mark.parametrize(
    ("prices", "cost"),
    [
        (["0.10", "0.10", "0.10"], "0.30"),
        (["0.10", "0.20", "0.10"], "0.40"),
        (["0.10", None], "0.10"),
        ([None, None], "0"),
    ],
)
def test_a_reply_costs_the_sum_of_the_prices_that_are_known(
    prices: list[str | None], cost: str
) -> None:
    found = all_accepted(*prices)
    assert found.cost == Decimal(cost)
    assert [it.price for it in found] == [it and Decimal(it) for it in prices]
    assert found[0].message_id == "ID-0"
    assert found[1:] == list(found)[1:]


def test_the_reasons_are_a_closed_set_of_lower_case_values() -> None:
    assert [it.name.lower() for it in ac.Reason] == [it.value for it in ac.Reason]


def test_no_number_or_text_shows_in_an_outcome() -> None:
    for outcome in OUTCOMES:
        assert "+614" not in repr(outcome)
        assert "table" not in repr(outcome)
