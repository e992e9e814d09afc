"""Rows to messages: by ref, by number where the ref is lost, never by position alone."""

from __future__ import annotations

import json
import sys
from collections import Counter
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from decimal import Decimal
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

import aioclicksend as ac
from aioclicksend.bulk.batcher import Batcher
from aioclicksend.bulk.budget import Purse
from aioclicksend.bulk.matching import match, same_number
from aioclicksend.bulk.rows import (
    AllAccepted,
    AnyRow,
    InPlace,
    SentRow,
    date_of,
    decode_priced,
    decode_rows,
    parts,
    price,
)
from aioclicksend.wire import Unreadable

from .helpers import sms


def row(number: int, **fields: Any) -> SentRow:
    """Return the row of an accepted message."""
    given: dict[str, Any] = {
        "custom_string": f"ref-{number}",
        "to": f"+614{number:08d}",
        "status": "SUCCESS",
        "message_id": f"ID-{number}",
        "message_parts": 1,
        "message_price": "0.0770",
    }
    return SentRow(**(given | fields))


def reply_of(rows: Sequence[Any]) -> bytes:
    """Return a reply with these rows."""
    return json.dumps({"data": {"messages": rows}}, default=msgspec.structs.asdict).encode()


def told(count: int, *rows: AnyRow) -> tuple[list[Any], int]:
    """Return what rows say of messages 0, 1, 2…: ids, statuses or None, and the odd rows."""
    found = match([sms(it) for it in range(count)], [f"ref-{it}" for it in range(count)], rows)
    short = [getattr(it, "message_id", getattr(it, "status", None)) for it in found.outcomes]
    return short, found.odd


def test_rows_in_another_order_go_by_their_ref() -> None:
    assert told(3, row(2), row(0), row(1)) == (["ID-0", "ID-1", "ID-2"], 0)


def test_a_message_without_a_row_is_in_doubt_by_itself() -> None:
    assert told(3, row(0), row(2)) == (["ID-0", None, "ID-2"], 0)
    assert told(2) == ([None, None], 0)


def test_of_two_rows_for_one_message_the_acceptance_counts() -> None:
    refused = row(0, status="THROTTLED", message_id="no")
    assert told(1, refused, row(0)) == (["ID-0"], 1)
    assert told(1, row(0), refused) == (["ID-0"], 1)
    assert told(2, row(0), row(0, message_id="again"), row(1)) == (["ID-0", "ID-1"], 1)


def test_a_row_of_somebody_else_is_odd() -> None:
    assert told(1, row(0), row(99)) == (["ID-0"], 1)
    assert told(1, row(99)) == ([None], 1)


def test_the_right_ref_with_another_number_is_not_ours() -> None:
    assert told(1, row(0, to="+61499999999")) == (["ID-0"], 0)  # its ref is its own in a batch
    messages = [sms(it, custom_string="spring") for it in range(2)]
    rows = [row(it, custom_string="spring") for it in (1, 0)]
    found = match(messages, ["spring", "spring"], rows).outcomes
    assert [it.message_id for it in found if isinstance(it, ac.Accepted)] == ["ID-0", "ID-1"]
    rows[0].to = "+61499999999"
    found = match(messages, ["spring", "spring"], rows).outcomes
    assert isinstance(found[0], ac.Accepted)
    assert found[1] is None


def test_equal_refs_and_numbers_are_told_apart_by_text() -> None:
    messages = [sms(1, body="One"), sms(1, body="Two")]
    for taken, refused, kinds in (
        ("One", "Two", [ac.Accepted, ac.Rejected]),
        ("Two", "One", [ac.Rejected, ac.Accepted]),
    ):
        rows = [row(1, body=refused, status="EMPTY_MESSAGE"), row(1, body=taken)]
        found = match(messages, ["ref-1", "ref-1"], rows).outcomes
        assert list(map(type, found)) == kinds


def test_a_row_that_lost_its_ref_goes_to_the_one_message_its_number_fits() -> None:
    for lost in (None, ""):
        assert told(2, row(1), row(0, custom_string=lost)) == (["ID-0", "ID-1"], 0)
    assert told(2, row(1), row(0, custom_string="", body="Another text")) == ([None, "ID-1"], 1)
    assert told(2, row(1), row(7, custom_string="")) == ([None, "ID-1"], 1)
    assert told(2, row(1), row(0, custom_string="", to=None)) == ([None, "ID-1"], 1)
    again = row(0, custom_string="", message_id="again")
    assert told(2, row(1), row(0, custom_string=""), again) == (["ID-0", "ID-1"], 1)


def test_a_row_that_lost_its_ref_is_not_guessed_between_two_messages() -> None:
    messages, refs = [sms(1), sms(1)], ["a", "b"]
    found = match(messages, refs, [row(1, custom_string="")])
    assert (found.outcomes, found.odd) == ([None, None], 1)


def test_a_row_with_anothers_ref_is_not_placed_by_its_number() -> None:
    assert told(2, row(1), row(0, custom_string="somebody-elses")) == ([None, "ID-1"], 1)


@pytest.mark.parametrize("status", ["Queued", "Sent", "WaitApproval", "QUEUED soon", "", None, "…"])
def test_only_a_code_in_capitals_is_a_refusal(status: str | None) -> None:
    assert told(1, row(0, status=status)) == ([None], 0)


@pytest.mark.parametrize("status", ["INVALID_RECIPIENT", "SOME_NEW_CODE", "FORBIDDEN"])
def test_codes_are_an_open_set(status: str) -> None:
    assert told(1, row(0, status=status)) == ([status], 0)


def test_success_is_success_in_any_case() -> None:
    assert told(1, row(0, status="Success")) == (["ID-0"], 0)


@pytest.mark.parametrize(
    "refused",
    ["INSUFFICIENT_CREDIT", "INVALID_CREDENTIALS", "MISSING_CREDENTIALS", "ACCOUNT_NOT_ACTIVATED"],
)
def test_a_status_that_refuses_the_account_is_pointed_out(refused: str) -> None:
    messages, refs = [sms(0), sms(1)], ["ref-0", "ref-1"]
    assert match(messages, refs, [row(0), row(1, status=refused)]).refusal == refused
    assert match(messages, refs, [row(0), row(1, status="THROTTLED")]).refusal is None


@given(st.data(), st.integers(1, 12))
def test_whatever_order_gaps_and_repeats_every_verdict_is_the_right_one(
    data: st.DataObject, count: int
) -> None:
    picked = data.draw(st.lists(st.integers(0, count - 1), max_size=2 * count))
    short, odd = told(count, *[row(it) for it in picked])
    assert short == [f"ID-{it}" if it in picked else None for it in range(count)]
    assert odd == len(picked) - len(set(picked))


ODD = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-(2**70), 2**70),
    st.floats(allow_nan=False, allow_infinity=False),
    st.sampled_from(["", "1.00", "0.0770", "SUCCESS", "ref-0", "abc"]),
    st.just([]),
    st.just({}),
    st.just({"a": [1]}),
)


@given(
    st.fixed_dictionaries(
        {}, optional=dict.fromkeys([*SentRow.__struct_fields__, "schedule", "extra"], ODD)
    )
)
def test_no_row_of_any_shape_fails_a_reply(odd: dict[str, Any]) -> None:
    good = msgspec.to_builtins(row(1))
    body = {"http_code": 200, "data": {"messages": [odd, good, None, 7, "x"]}}
    rows = decode_rows(json.dumps(body).encode())
    short, _ = told(2, *rows)
    assert short[1] == "ID-1" or odd.get("custom_string") == "ref-1"


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"<html>",
        b"[]",
        b"null",
        b"{}",
        b'{"data":null}',
        b'{"data":[]}',
        b'{"data":{}}',
        b'{"http_code":500,"data":{"messages":[]}}',
        b'{"http_code":"500","data":{"messages":[]}}',
        b'{"http_code":400,"data":{"messages":[]}}',
        b'{"http_code":400,"data":{"messages":[{}]}}',
        b'{"http_code":"400","data":{"messages":[]}}',
        b'{"data":{"messages":[{"status":"SUCCESS"',
    ],
)
def test_a_reply_that_tells_nothing_about_messages_is_unreadable(body: bytes) -> None:
    with pytest.raises(Unreadable):
        decode_rows(body)


def test_a_reply_with_broken_text_in_a_row_is_read_all_the_same() -> None:
    broken = reply_of([row(0), row(1)]).replace(b"0.0770", b"\xff", 1)
    assert told(2, *decode_rows(broken, ["ref-0", "ref-1"])) == (["ID-0", "ID-1"], 0)


def test_rows_of_equal_refs_are_not_taken_to_stand_in_their_place() -> None:
    messages = [sms(it, custom_string="spring") for it in range(2)]
    body = reply_of([row(it, custom_string="spring", date=7) for it in (1, 0)])
    refs = ["spring", "spring"]
    found = match(messages, refs, decode_rows(body, refs)).outcomes
    assert [it.message_id for it in found if isinstance(it, ac.Accepted)] == ["ID-0", "ID-1"]


@pytest.mark.parametrize(
    ("ours", "theirs", "same"),
    [
        ("+61400000000", "+61400000000", True),
        ("+61400000000", "61400000000", True),
        ("+61400000000", 61400000000, True),
        ("+61400000000", "+61400000001", False),
        ("+1400000000", "+61400000000", False),
        ("+61400000000", " +61400000000 ", True),
        ("+61400000000", " +61400000001", False),
        (None, "+61400000000", True),  # to a list
        ("+61400000000", None, True),
        ("+61400000000", "+614XXXXX000", True),  # de-identified
        ("+61400000000", "", True),
        ("0400 000 000", "+61400000000", True),  # local, with a country
        ("0400 000 000", "+61400000001", False),
    ],
)
def test_numbers_agree_as_far_as_they_can_be_compared(
    ours: str | None,
    theirs: str | int | None,
    same: bool,  # noqa: FBT001
) -> None:
    assert same_number(ours, theirs) is same


@given(
    st.lists(st.tuples(st.integers(1, 50), st.sampled_from("ab"), st.booleans())),
    st.integers(1, 5),
)
def test_a_batcher_loses_mixes_and_reorders_nothing(
    items: list[tuple[int, str, bool]], size: int
) -> None:
    batching = ac.Batching(size=size, linger=2.0, max_bytes=60)
    batcher: Batcher[tuple[int, int, str]] = Batcher(batching)
    batches = []
    for now, (weight, kind, cut) in enumerate(items):
        batches += batcher.add((now, weight, kind), weight, float(now), kind)
        assert (batcher.due is None) == (len(batcher) == 0)
        if cut and len(batcher):
            batches.append(batcher.cut())
    if len(batcher):
        batches.append(batcher.cut())
    flat = [item for batch in batches for item in batch]
    assert flat == [(now, weight, kind) for now, (weight, kind, _) in enumerate(items)]
    for batch in batches:
        assert 1 <= len(batch) <= size
        assert len(Counter(kind for _, _, kind in batch)) == 1
        assert sum(weight for _, weight, _ in batch) <= 60


def test_items_of_one_kind_share_a_batch() -> None:
    batcher: Batcher[int] = Batcher(ac.Batching(max_bytes=10))
    assert batcher.add(0, 5, 0.0, "a") == batcher.add(1, 5, 0.0, "a") == []
    assert batcher.add(2, 5, 0.0, "b") == [[0, 1]]
    assert batcher.add(3, 5, 0.0, "b") == []
    assert batcher.add(4, 1, 0.0, "b") == [[2, 3]]
    assert batcher.cut() == [4]
    assert batcher.add(5, 10, 0.0, "b") == []


def test_a_batch_is_due_when_its_oldest_message_is() -> None:
    batcher: Batcher[int] = Batcher(ac.Batching(linger=2.0))
    batcher.add(1, 1, now=10.0)
    batcher.add(2, 1, now=11.5)
    assert batcher.due == 12.0


REFUSED = ac.Rejected(None, "", "INVALID_RECIPIENT")


def accepted(price: Decimal) -> ac.Accepted:
    """Return the outcome of a message that cost so much."""
    return ac.Accepted(None, "", None, None, price)


@given(st.lists(st.tuples(st.lists(st.integers(0, 30), max_size=6), st.integers(0, 6))))
def test_a_purse_is_never_passed(rounds: list[tuple[list[int], int]]) -> None:
    purse = Purse(Decimal(100))
    for amounts, taken in rounds:
        prices = [Decimal(it) for it in amounts]
        for place, amount in enumerate(prices[: purse.reserve(prices)]):
            purse.settle([amount], [accepted(amount) if place < taken else REFUSED])
        assert purse.reserved == 0
        assert purse.spent <= purse.limit


def test_a_purse_can_be_spent_to_the_last_cent() -> None:
    with pytest.raises(ValueError, match="negative"):
        Purse(Decimal(-1))
    purse = Purse(Decimal(10))
    assert purse.reserve([Decimal(4), Decimal(4)]) == 2
    purse.settle([Decimal(4), Decimal(4)], [REFUSED, accepted(Decimal(3))])
    assert (purse.spent, purse.reserved) == (Decimal(3), Decimal(0))
    assert purse.reserve([Decimal(7), Decimal(0)]) == 2
    assert not purse.closed
    assert Purse(Decimal(0)).reserve([Decimal(0)]) == 1


def test_a_purse_keeps_what_is_reserved_out_of_reach() -> None:
    purse = Purse(Decimal(10))
    assert purse.reserve([Decimal(6)]) == 1
    assert purse.reserve([Decimal(6)]) == 0
    assert purse.reserve([Decimal(1)]) == 0, "smaller ones do not slip past"


def priced(**fields: Any) -> bytes:
    """Return a reply that prices one message."""
    row = {"status": "SUCCESS", "country": "AU", "message_parts": 2, "message_price": "0.1540"}
    data = {"messages": [row | fields], "_currency": {"currency_name_short": "AUD"}}
    return json.dumps({"http_code": 200, "data": data}).encode()


def test_a_usual_price_reply_is_read_at_a_glance() -> None:
    reply = decode_priced(priced())
    assert reply is not None
    assert reply.currency == "AUD"
    assert [(it.country, it.message_price) for it in reply.rows] == [("AU", "0.1540")]


@pytest.mark.parametrize(
    "body",
    [
        priced(country=61),
        b'{"http_code": 400, "data": {"messages": []}}',
        priced(country="AU").replace(b"AU", b"\xff"),
        b'{"data": {"messages": ' + b"[" * 100_000,
        b'{"http_code": 200, "data": null}',
        b"<html>",
    ],
)
def test_any_other_price_reply_is_left_to_who_reads_all_shapes(body: bytes) -> None:
    assert decode_priced(body) is None


def test_rows_in_another_order_are_not_taken_to_stand_in_their_place() -> None:
    """Nor those of which one is missing, nor those of equal refs."""

    def read(refs: list[str], *places: int) -> Any:
        return decode_rows(reply_of([row(it) for it in places]), refs)

    refs = ["ref-0", "ref-1", "ref-2"]
    assert isinstance(read(refs, 0, 1, 2), InPlace)
    for places in [(1, 0, 2), (0, 1), (0, 1, 2, 2), ()]:
        assert not isinstance(read(refs, *places), InPlace)
    assert not isinstance(read(["ref-0", "ref-0"], 0, 0), InPlace)


def test_a_counted_row_tells_the_same_but_for_its_id() -> None:
    """What `run` counts must not differ from what `stream` shows."""
    refs = ["ref-0", "ref-1"]
    body = reply_of([row(it, date=1700000000) for it in range(2)])
    counted, shown = (decode_rows(body, refs, counted=it) for it in (True, False))
    messages = [sms(it) for it in range(2)]
    told = [match(messages, refs, it).outcomes for it in (counted, shown)]
    assert [[it.price for it in outcomes if isinstance(it, ac.Accepted)] for outcomes in told] == [
        [Decimal("0.0770")] * 2
    ] * 2
    assert [it.message_id for it in counted] == [None, None]
    assert [it.message_id for it in shown] == ["ID-0", "ID-1"]
    assert date_of(counted) == date_of(shown) == 1700000000


PRICES = st.sampled_from(["0.0770", "0.0770", "0.1540", "0.0", "", "free", None, 0.077, ...])


@given(st.lists(st.lists(PRICES, min_size=1, max_size=4), max_size=8))
def test_a_row_costs_the_same_whatever_the_replies_before_it_cost(
    replies: list[list[Any]],
) -> None:
    """Rows are read faster if all cost what those of the last reply did: they must read alike."""
    for few in replies:
        prices = (few * 100)[:100]
        refs = [f"ref-{it}" for it in range(len(prices))]
        rows = [msgspec.structs.asdict(row(it)) for it in range(len(prices))]
        for each, amount in zip(rows, prices, strict=True):
            each["message_price"] = amount
            if amount is ...:
                del each["message_price"]
        body = reply_of(rows)
        messages = [sms(it) for it in range(len(prices))]
        found = [
            match(messages, refs, decode_rows(body, refs, counted=it)).outcomes
            for it in (True, False)
        ]
        costs = [price(None if it is ... else it) for it in prices]
        for outcomes in found:
            assert isinstance(outcomes, AllAccepted)
            assert outcomes.cost == sum(filter(None, costs))
            assert [it.price for it in outcomes] == costs


@pytest.mark.parametrize("counted", [True, False])
def test_replies_to_clients_in_other_threads_change_no_price(*, counted: bool) -> None:
    """What the last reply cost is known to the whole process, and may change at any moment."""
    refs = [f"ref-{it}" for it in range(100)]
    messages = [sms(it) for it in range(100)]

    def read(amount: str) -> set[Decimal]:
        body = reply_of([row(it, message_price=amount) for it in range(100)])
        costs = set()
        for _ in range(200):
            found = match(messages, refs, decode_rows(body, refs, counted=counted))
            assert isinstance(found.outcomes, AllAccepted)
            costs.add(found.outcomes.cost)
        return costs

    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    try:
        with ThreadPoolExecutor() as threads:
            costs = list(threads.map(read, ["0.0770", "0.1540"]))
    finally:
        sys.setswitchinterval(interval)
    assert costs == [{Decimal("7.70")}, {Decimal("15.40")}]


@pytest.mark.parametrize("counted", [True, False])
def test_a_refusal_is_not_overlooked_after_replies_without_any(*, counted: bool) -> None:
    messages = [sms(it) for it in range(100)]
    refs = [f"ref-{it}" for it in range(100)]
    for status, verdict in [*[("SUCCESS", ac.Accepted)] * 2, ("INVALID_RECIPIENT", ac.Rejected)]:
        body = reply_of([*map(row, range(99)), row(99, status=status)])
        found = match(messages, refs, decode_rows(body, refs, counted=counted))
        assert list(map(type, found.outcomes)) == [ac.Accepted] * 99 + [verdict]


def test_the_date_of_a_reply_is_that_of_its_first_row() -> None:
    assert date_of([row(0, date=1700000000), row(1, date=5)]) == 1700000000
    assert date_of([row(0, date="2026-01-01")]) is None
    assert date_of([row(0, date=0)]) is date_of([row(0, date=-1)]) is None
    assert date_of(decode_rows(reply_of([row(0, date=10**12)]), ["ref-0"])) is None
    assert date_of([]) is None


@pytest.mark.parametrize(
    ("told", "read"),
    [(3, 3), ("3", 3), (2.0, 2), (None, None), ("many", None), (10**30, None), (1e30, None)],
)
def test_a_number_of_parts_is_one_that_a_journal_can_hold(told: Any, read: int | None) -> None:
    assert parts(told) == read
