"""Rows to messages: by ref, by number where the ref is lost, never by position alone."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

import aioclicksend as ac
from aioclicksend.bulk.replies import (
    Reply,
    _SentRow,
    decode_priced,
    decode_reply,
    match,
    parts,
    same_number,
)
from aioclicksend.wire import Unreadable

from .helpers import sms


def row(number: int, **fields: Any) -> _SentRow:
    """Return the row of an accepted message."""
    given: dict[str, Any] = {
        "custom_string": f"ref-{number}",
        "to": f"+614{number:08d}",
        "status": "SUCCESS",
        "message_id": f"ID-{number}",
        "message_parts": 1,
        "message_price": "0.0770",
    }
    return _SentRow(**(given | fields))


def reply_of(rows: Sequence[Any]) -> bytes:
    """Return a reply with these rows."""
    return json.dumps({"data": {"messages": rows}}, default=msgspec.structs.asdict).encode()


def read(count: int, *rows: Any) -> tuple[list[Any], int]:
    """Return what rows say of messages 0, 1, 2…: ids, statuses or None, and the odd rows."""
    refs = [f"ref-{it}" for it in range(count)]
    found = match([sms(it) for it in range(count)], refs, Reply(rows))
    short = [getattr(it, "message_id", getattr(it, "status", None)) for it in found.outcomes]
    return short, found.odd


def test_rows_in_another_order_go_by_their_ref() -> None:
    assert read(3, row(2), row(0), row(1)) == (["ID-0", "ID-1", "ID-2"], 0)


def test_a_message_without_a_row_is_in_doubt_by_itself() -> None:
    assert read(3, row(0), row(2)) == (["ID-0", None, "ID-2"], 0)
    assert read(2) == ([None, None], 0)


def test_of_two_rows_for_one_message_the_acceptance_counts() -> None:
    refused = row(0, status="THROTTLED", message_id="no")
    assert read(1, refused, row(0)) == (["ID-0"], 1)
    assert read(1, row(0), refused) == (["ID-0"], 1)
    assert read(2, row(0), row(0, message_id="again"), row(1)) == (["ID-0", "ID-1"], 1)


def test_a_row_of_another_sender_is_odd() -> None:
    assert read(1, row(0), row(99)) == (["ID-0"], 1)
    assert read(1, row(99)) == ([None], 1)


def test_the_right_ref_with_another_number_is_not_ours() -> None:
    assert read(1, row(0, to="+61499999999")) == ([None], 1)
    messages = [sms(it, custom_string="spring") for it in range(2)]
    rows = [row(it, custom_string="spring") for it in (1, 0)]
    found = match(messages, ["spring", "spring"], Reply(rows)).outcomes
    assert [it.message_id for it in found if isinstance(it, ac.Accepted)] == ["ID-0", "ID-1"]
    rows[0].to = "+61499999999"
    found = match(messages, ["spring", "spring"], Reply(rows)).outcomes
    assert isinstance(found[0], ac.Accepted)
    assert found[1] is None


def test_equal_refs_and_numbers_are_distinguished_by_text() -> None:
    messages = [sms(1, body="One"), sms(1, body="Two")]
    for taken, refused, kinds in (
        ("One", "Two", [ac.Accepted, ac.Rejected]),
        ("Two", "One", [ac.Rejected, ac.Accepted]),
    ):
        rows = [row(1, body=refused, status="EMPTY_MESSAGE"), row(1, body=taken)]
        found = match(messages, ["ref-1", "ref-1"], Reply(rows)).outcomes
        assert list(map(type, found)) == kinds


def test_a_row_that_lost_its_ref_goes_to_the_one_message_its_number_fits() -> None:
    for lost in (None, ""):
        assert read(2, row(1), row(0, custom_string=lost)) == (["ID-0", "ID-1"], 0)
    assert read(2, row(1), row(0, custom_string="", body="Another text")) == ([None, "ID-1"], 1)
    assert read(2, row(1), row(7, custom_string="")) == ([None, "ID-1"], 1)
    assert read(2, row(1), row(0, custom_string="", to=None)) == ([None, "ID-1"], 1)
    again = row(0, custom_string="", message_id="again")
    assert read(2, row(1), row(0, custom_string=""), again) == (["ID-0", "ID-1"], 1)


def test_a_row_that_lost_its_ref_is_not_guessed_between_two_messages() -> None:
    messages, refs = [sms(1), sms(1)], ["a", "b"]
    found = match(messages, refs, Reply([row(1, custom_string="")]))
    assert (found.outcomes, found.odd) == ([None, None], 1)


def test_a_row_with_anothers_ref_is_not_placed_by_its_number() -> None:
    assert read(2, row(1), row(0, custom_string="somebody-elses")) == ([None, "ID-1"], 1)


@pytest.mark.parametrize(
    "status",
    ["SUCCESS", "Success", "Queued", "Sent", "QUEUED:Stamped", "Wait_Approval", "Scheduled"],
)
def test_success_words_are_acceptances(status: str) -> None:
    assert read(1, row(0, status=status, message_price=None)) == (["ID-0"], 0)


@pytest.mark.parametrize("status", ["INVALID_RECIPIENT", "COUNTRY_NOT_ENABLED", "THROTTLED"])
def test_known_refusals_are_rejections(status: str) -> None:
    assert read(1, row(0, status=status)) == ([status], 0)


@pytest.mark.parametrize("status", ["INTERNAL_ERROR", "SOMETHING_IS_WRONG", "NEW_CODE", "", None])
def test_any_other_word_is_in_doubt_unless_it_was_charged(status: str | None) -> None:
    for lacking in ({"message_price": None}, {"message_price": "0.0"}, {"message_id": None}):
        assert read(1, row(0, status=status, **lacking)) == ([None], 0)
    if status not in ("INTERNAL_ERROR", "SOMETHING_IS_WRONG"):
        assert read(1, row(0, status=status)) == (["ID-0"], 0)


@pytest.mark.parametrize(
    "refused",
    ["INSUFFICIENT_CREDIT", "INVALID_CREDENTIALS", "MISSING_CREDENTIALS", "ACCOUNT_NOT_ACTIVATED"],
)
def test_a_status_that_refuses_the_account_is_pointed_out(refused: str) -> None:
    messages, refs = [sms(0), sms(1)], ["ref-0", "ref-1"]
    found = match(messages, refs, Reply([row(0), row(1, status=refused)]))
    assert found.account_refusal == refused
    found = match(messages, refs, Reply([row(0), row(1, status="THROTTLED")]))
    assert found.account_refusal is None


@given(st.data(), st.integers(1, 12))
def test_verdicts_are_right_in_any_order_with_gaps_and_repeats(
    data: st.DataObject, count: int
) -> None:
    picked = data.draw(st.lists(st.integers(0, count - 1), max_size=2 * count))
    short, odd = read(count, *[row(it) for it in picked])
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
        {}, optional=dict.fromkeys([*_SentRow.__struct_fields__, "schedule", "extra"], ODD)
    )
)
def test_no_row_of_any_shape_fails_a_reply(odd: dict[str, Any]) -> None:
    good = msgspec.to_builtins(row(1))
    body = {"http_code": 200, "data": {"messages": [odd, good, None, 7, "x"]}}
    reply = decode_reply(json.dumps(body).encode(), ["ref-0", "ref-1"], counted=False)
    short, _ = read(2, *reply.rows)
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
def test_a_reply_without_rows_is_unreadable(body: bytes) -> None:
    with pytest.raises(Unreadable):
        decode_reply(body, ["ref-0"], counted=False)


def test_a_reply_with_broken_text_in_a_row_is_read_all_the_same() -> None:
    broken = reply_of([row(0), row(1)]).replace(b"0.0770", b"\xff", 1)
    assert read(2, *decode_reply(broken, ["ref-0", "ref-1"], counted=False).rows) == (
        ["ID-0", "ID-1"],
        0,
    )


def test_rows_with_equal_refs_are_not_matched_by_position() -> None:
    messages = [sms(it, custom_string="spring") for it in range(2)]
    body = reply_of([row(it, custom_string="spring", date=7) for it in (1, 0)])
    refs = ["spring", "spring"]
    found = match(messages, refs, decode_reply(body, refs, counted=False)).outcomes
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


def priced(**fields: Any) -> bytes:
    """Return a reply that prices one message."""
    row = {"status": "SUCCESS", "country": "AU", "message_parts": 2, "message_price": "0.1540"}
    data = {"messages": [row | fields], "_currency": {"currency_name_short": "AUD"}}
    return json.dumps({"http_code": 200, "data": data}).encode()


def test_a_usual_price_reply_is_read_by_its_type() -> None:
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
def test_any_other_price_reply_is_left_to_the_lenient_reader(body: bytes) -> None:
    assert decode_priced(body) is None


@pytest.mark.parametrize("counted", [True, False])
@pytest.mark.parametrize("places", [(0, 1, 2), (1, 0, 2), (0, 1), (0, 1, 2, 2), ()])
def test_the_fast_way_reads_a_reply_as_the_general_one_does(
    places: tuple[int, ...],
    counted: bool,  # noqa: FBT001
) -> None:
    refs = ["ref-0", "ref-1", "ref-2"]
    messages = [sms(it) for it in range(3)]
    body = reply_of([row(it, date=1_700_000_000) for it in places])
    fast = decode_reply(body, refs, counted=counted)
    assert fast.in_order == (places == (0, 1, 2))
    general = decode_reply(body.replace(b'"SUCCESS"', b'"Success"'), refs, counted=counted)
    assert not general.in_order
    prices = [getattr(it, "price", None) for it in match(messages, refs, fast).outcomes if it]
    others = [getattr(it, "price", None) for it in match(messages, refs, general).outcomes if it]
    assert prices == others
    assert fast.date == general.date == (1_700_000_000 if places else None)


@pytest.mark.parametrize("counted", [True, False])
def test_a_refusal_among_many_acceptances_is_seen(*, counted: bool) -> None:
    messages = [sms(it) for it in range(100)]
    refs = [f"ref-{it}" for it in range(100)]
    body = reply_of([*map(row, range(99)), row(99, status="INVALID_RECIPIENT")])
    found = match(messages, refs, decode_reply(body, refs, counted=counted))
    assert list(map(type, found.outcomes)) == [ac.Accepted] * 99 + [ac.Rejected]


@pytest.mark.parametrize("date", [0, -1, None, "2026-01-01"])
def test_a_date_that_is_none_is_not_read(date: Any) -> None:
    for status in ("SUCCESS", "Success"):
        body = reply_of([row(0, date=date, status=status)])
        assert decode_reply(body, ["ref-0"], counted=False).date is None


@pytest.mark.parametrize(
    ("ref", "outcome"), [("REF-0", "ID-0"), ("ref", "ID-0"), ("", "ID-0"), ("other", "ID-0")]
)
def test_a_row_with_an_altered_ref_is_placed_by_number_and_text(ref: str, outcome: str) -> None:
    messages, refs = [sms(0), sms(1)], ["ref-0", "ref-1"]
    rows = [row(0, custom_string=ref, body=messages[0].body), row(1)]
    found = match(messages, refs, Reply(rows))
    assert [getattr(it, "message_id", None) for it in found.outcomes] == [outcome, "ID-1"]
    assert found.altered_refs == bool(ref)
    rows[0].body = "Another text"
    assert match(messages, refs, Reply(rows)).outcomes[0] is None


def test_rows_whose_refs_were_swapped_go_by_number_and_text() -> None:
    messages, refs = [sms(0), sms(1)], ["ref-0", "ref-1"]
    rows = [
        row(place, custom_string=refs[1 - place], body=messages[place].body) for place in range(2)
    ]
    found = match(messages, refs, Reply(rows))
    assert [getattr(it, "message_id", None) for it in found.outcomes] == ["ID-0", "ID-1"]
    assert found.altered_refs


def test_a_second_row_of_a_message_is_not_taken_for_an_equal_one() -> None:
    messages, refs = [sms(0), sms(0)], ["ref-0", "ref-1"]
    rows = [row(0, body=messages[0].body) for _ in range(2)]
    found = match(messages, refs, Reply(rows))
    assert [getattr(it, "message_id", None) for it in found.outcomes] == ["ID-0", None]
    assert found.odd == 1


def test_a_row_of_another_country_is_not_placed_by_its_last_digits() -> None:
    messages = [sms(0)]
    rows = [row(0, to="+49400000000", custom_string="other", body=messages[0].body)]
    assert match(messages, ["ref-0"], Reply(rows)).outcomes == [None]


@pytest.mark.parametrize("status", ["SUCCESS", "Success"])
def test_a_reply_that_contradicts_its_status_is_unreadable(status: str) -> None:
    reply = json.loads(reply_of([row(0, status=status)])) | {"http_code": 500}
    with pytest.raises(Unreadable, match="500"):
        decode_reply(json.dumps(reply).encode(), ["ref-0"], counted=False)


@pytest.mark.parametrize(
    ("given", "read"),
    [(3, 3), ("3", 3), (2.0, 2), (None, None), ("many", None), (10**30, None), (1e30, None)],
)
def test_a_number_of_parts_is_one_that_a_journal_can_hold(given: Any, read: int | None) -> None:
    assert parts(given) == read
