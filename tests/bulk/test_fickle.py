"""A server that rewrites what it returns gets nothing twice, and nothing lost is reported accepted.

In each case one request is carried out without an answer, or lost, and a resend is allowed: beside
a server that returns what it was given, the former would be found and the latter sent again.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta, timezone
from typing import Any

import pytest

import aioclicksend as ac

from .fickle import Account, Fault, Row, account

MESSAGES = 30
IN_DOUBT = range(10, 20)
"""The second request of three."""


def _with(**changes: Callable[[Any], Any]) -> Callable[[Row], Row]:
    """Return what changes some columns of a row."""

    def rewrite(row: Row) -> Row:
        return row | {name: change(row[name]) for name, change in changes.items()}

    return rewrite


def _text(seconds: int, form: str, hours: int = 0) -> str:
    return datetime.fromtimestamp(seconds, timezone(timedelta(hours=hours), "?")).strftime(form)


REFS: dict[str, Callable[[str], Any]] = {
    "trimmed": str.strip,
    "lower": str.lower,
    "upper": str.upper,
    "cut": lambda it: it[:10],
    "cut short": lambda it: it[:3],
    "end": lambda it: it[-4:],
    "empty": lambda _: "",
    "none": lambda _: None,
    "prefixed": lambda it: f"x:{it}",
    "suffixed": lambda it: f"{it}-1",
    "escaped": lambda it: it.replace("-", "&#45;"),
    "without hyphens": lambda it: it.replace("-", ""),
    "constant": lambda _: "ref",
    "a number": lambda _: 12345,
}
NUMBERS: dict[str, Callable[[str], Any]] = {
    "digits": lambda it: it[1:],
    "zeros": lambda it: f"00{it[1:]}",
    "national": lambda it: f"0{it[3:]}",
    "spaced": lambda it: f"{it[:3]} {it[3:6]} {it[6:]}",
    "masked": lambda it: f"{it[:6]}*****",
    "an int": lambda it: int(it[1:]),
    "a uri": lambda it: f"tel:{it}",
    "none": lambda _: None,
}
DATES: dict[str, Callable[[int], Any]] = {
    "text": str,
    "us": lambda it: _text(it, "%m/%d/%Y %I:%M:%S %p"),
    "iso": lambda it: _text(it, "%Y-%m-%dT%H:%M:%SZ"),
    "east": lambda it: _text(it, "%Y-%m-%d %H:%M:%S", 11),
    "west": lambda it: _text(it, "%Y-%m-%d %H:%M:%S", -8),
    "ms": lambda it: it * 1000,
    "zero": lambda _: 0,
    "none": lambda _: None,
}
TEXTS: dict[str, Callable[[str], Any]] = {
    "cut": lambda it: it[:5],
    "with a line break": lambda it: f"{it}\r\n",
    "none": lambda _: None,
    "escaped": lambda it: it.replace("o", "&#111;"),
}
CHANGES: dict[str, Callable[[Row], Row]] = {
    **{f"ref {name}": _with(custom_string=it) for name, it in REFS.items()},
    **{f"number {name}": _with(to=it) for name, it in NUMBERS.items()},
    **{f"date {name}": _with(date=it) for name, it in DATES.items()},
    **{f"text {name}": _with(body=it) for name, it in TEXTS.items()},
    "ref cut, number national": _with(custom_string=REFS["cut"], to=NUMBERS["national"]),
    "ref cut, text cut": _with(custom_string=REFS["cut"], body=TEXTS["cut"]),
    "ref cut, date west": _with(custom_string=REFS["cut"], date=DATES["west"]),
    "ref empty, number zeros": _with(custom_string=REFS["empty"], to=NUMBERS["zeros"]),
    "status INTERNAL_ERROR": _with(status=lambda _: "INTERNAL_ERROR"),
    "one id": _with(message_id=lambda _: "ID"),
    "no id": _with(message_id=lambda _: None),
    "no price": _with(message_price=lambda _: None),
}


def messages(*, named: bool) -> list[ac.SmsMessage]:
    """Return different messages, with refs of the caller's or without."""
    return [
        ac.SmsMessage(
            to=f"+614{it:08d}",
            body="Hello there",
            custom_string=f" My-Ref-{it}-of-Campaign " if named else None,
        )
        for it in range(MESSAGES)
    ]


async def run(it: Account, api: ac.ClickSend, fault: Fault, *, named: bool) -> ac.Report:
    """Send three requests, of which the second fails."""
    it.faults.extend([None, fault])
    async with api.sms.bulk(
        reconcile=ac.Reconcile(settle=0.3, resend=True),
        batching=ac.Batching(size=len(IN_DOUBT)),
        lanes=1,
        ramp=None,
    ) as bulk:
        return await bulk.run(messages(named=named))


async def _try(
    change: Callable[[Row], Row], fault: Fault, *, named: bool, reply: bool, places: Sequence[int]
) -> str:
    """Return how the promise was broken, "" if it was kept."""
    changed = {f"+614{place:08d}" for place in places}

    def rewrite(row: Row) -> Row:
        return change(row) if row["to"] in changed else row

    async with account() as (it, api):
        it.row = rewrite
        if reply:
            it.reply = rewrite
        report = await run(it, api, fault, named=named)
        if max(it.arrivals.values()) > 1:
            return "twice"
        if report.accepted > len(it.arrivals):
            return "lost"
        return "" if report.total == MESSAGES else "unreported"


@pytest.mark.parametrize("named", [True, False], ids=["named", "generated"])
@pytest.mark.parametrize(
    "places",
    [pytest.param(range(MESSAGES), marks=pytest.mark.slow, id="all"), range(10, 14)],
    ids=["all", "some"],
)
@pytest.mark.parametrize("reply", [True, False], ids=["reply", "history"])
async def test_rows_that_are_rewritten(*, named: bool, places: Sequence[int], reply: bool) -> None:
    cases = [(name, fault) for name in CHANGES for fault in ("unanswered", "lost")]
    broken = await asyncio.gather(
        *(
            _try(CHANGES[name], fault, named=named, reply=reply, places=places)  # type: ignore[arg-type]
            for name, fault in cases
        )
    )
    assert {case: it for case, it in zip(cases, broken, strict=True) if it} == {}


@pytest.mark.slow
async def test_an_earlier_row_with_the_ref_is_no_witness() -> None:
    """All messages have one ref, and the history lags: the earlier rows show, the later do not."""
    async with account() as (it, api):
        shown = 10
        it.rows = lambda rows: rows[-shown:]
        it.faults.extend([None, "unanswered"])
        async with api.sms.bulk(
            reconcile=ac.Reconcile(settle=0.3, resend=True),
            batching=ac.Batching(size=10),
            lanes=1,
            ramp=None,
        ) as bulk:
            named = [
                ac.SmsMessage(to=f"+614{n:08d}", body="Hello", custom_string="news")
                for n in range(MESSAGES)
            ]
            report = await bulk.run(named)
        assert report.unknown == 10
        assert set(it.arrivals.values()) == {1}


@pytest.mark.parametrize("named", [True, False])
async def test_beside_an_honest_server_all_arrive(*, named: bool) -> None:
    for fault in ("unanswered", "lost"):
        async with account() as (it, api):
            report = await run(it, api, fault, named=named)
            assert report.accepted == MESSAGES
            assert set(it.arrivals.values()) == {1}


async def test_refs_that_a_reply_returned_altered_prove_no_absence() -> None:
    """The rows in doubt cannot be recognised, though those sent later show as they were."""

    def unrecognisable(row: Row) -> Row:
        place = int(row["to"][4:])
        return row | {"custom_string": "x", "to": None, "body": "y"} if place in IN_DOUBT else row

    async with account() as (it, api):
        it.row = unrecognisable
        it.reply = lambda row: row | {"custom_string": row["custom_string"].lower()}
        report = await run(it, api, "unanswered", named=True)
        assert (report.accepted, report.unknown) == (20, 10)
        assert set(it.arrivals.values()) == {1}
