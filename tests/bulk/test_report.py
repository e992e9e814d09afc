"""Sums: of a run, of a sender, of replies that leave prices out."""

from __future__ import annotations

from decimal import Decimal

import pytest

import aioclicksend as ac
from aioclicksend.bulk.matching import match
from aioclicksend.bulk.rows import AllAccepted
from aioclicksend.bulk.tally import Tally

from .helpers import sms
from .test_rows import row

OUTCOMES: list[ac.Outcome] = [
    ac.Accepted(sms(1), "ref-1", "ID-1", 1, Decimal("0.5")),
    ac.Accepted(sms(2), "ref-2", "ID-2", 1, None),
    ac.Accepted(sms(3), "ref-3", "ID-3", 1, Decimal("0.25")),
    *(ac.Rejected(sms(it), "ref", "INVALID_RECIPIENT") for it in range(3)),
    *(ac.NotSent(sms(it), "ref", "budget") for it in range(4)),
    *(ac.Unknown(sms(it), "ref", "the connection broke") for it in range(5)),
]


def all_accepted(*prices: str | float | None, parts: int | str | None = 1) -> AllAccepted:
    """Return the outcomes of a reply that accepted everything."""
    messages = [sms(it) for it in range(len(prices))]
    rows = [row(it, message_price=price, message_parts=parts) for it, price in enumerate(prices)]
    found = match(messages, [f"ref-{it}" for it in range(len(prices))], rows).outcomes
    assert isinstance(found, AllAccepted)
    return found


def test_a_report_counts_outcomes_and_reasons() -> None:
    report = ac.Report()
    for part in (OUTCOMES[:5], OUTCOMES[5:]):
        report.add(part)
    assert (report.accepted, report.rejected, report.not_sent, report.unknown) == (3, 3, 4, 5)
    assert report.total == 15
    assert report.cost == Decimal("0.75")
    assert report.reasons == {"INVALID_RECIPIENT": 3, "budget": 4, "the connection broke": 5}


def test_a_report_adds_whole_replies_up() -> None:
    report = ac.Report()
    report.add(all_accepted("0.10", "0.10"))
    report.add(all_accepted("0.30"))
    assert (report.accepted, report.total, report.cost) == (3, 3, Decimal("0.50"))
    assert not report.reasons


def test_a_tally_counts_outcomes_and_cost() -> None:
    tally = Tally()
    tally.add(OUTCOMES)
    tally.add(all_accepted("0.10", "0.10"))
    assert tally.by_class == {ac.Accepted: 5, ac.Rejected: 3, ac.NotSent: 4, ac.Unknown: 5}
    assert tally.cost == Decimal("0.95")


@pytest.mark.parametrize(
    ("prices", "cost"),
    [
        (["0.10", "0.10", "0.10"], "0.30"),
        (["0.10", "0.20", "0.10"], "0.40"),
        (["0.10", None], "0.10"),
        ([None, None], "0"),
        ([0.1, "0.20"], "0.30"),
    ],
)
def test_a_reply_costs_the_sum_of_the_prices_it_tells(
    prices: list[str | float | None], cost: str
) -> None:
    assert all_accepted(*prices).cost == Decimal(cost)


@pytest.mark.parametrize(("told", "parts"), [(2, 2), ("2", 2), ("2.00", 2), (None, None)])
def test_parts_are_a_whole_number_however_they_are_written(
    told: int | str | None, parts: int | None
) -> None:
    assert [it.parts for it in all_accepted("0.10", parts=told)] == [parts]
