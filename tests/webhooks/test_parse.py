"""Reading pushes: every documented shape, and everything that could come in its place."""

from __future__ import annotations

import copy
import json
import pickle
from contextlib import suppress
from datetime import UTC, datetime
from typing import Any
from urllib.parse import quote_plus, urlencode

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aioclicksend import ClickSendError
from aioclicksend.webhooks import (
    DeliveryReceipt,
    DeliveryState,
    Event,
    InboundMessage,
    WebhookError,
    dedupe_key,
    parse,
)

from .pushes import FORM, FORMATS, JSON, Format, inbound, receipt, wire


def read(fields: dict[str, Any], fmt: Format = "json") -> Event:
    push = wire(fields, fmt)
    return parse(push.body, content_type=push.content_type, query=push.query)


def read_receipt(**fields: Any) -> DeliveryReceipt:
    event = read(fields)
    assert isinstance(event, DeliveryReceipt)
    return event


def read_inbound(**fields: Any) -> InboundMessage:
    event = read(fields)
    assert isinstance(event, InboundMessage)
    return event


@pytest.mark.parametrize("fmt", FORMATS)
def test_a_receipt_reads_the_same_in_every_format(fmt: Format) -> None:
    event = read(receipt(code=301, error_code="12", error_text="Absent subscriber"), fmt)
    assert isinstance(event, DeliveryReceipt)
    assert (event.message_id, event.status_code, event.error_code) == ("B7A7-1", 301, 12)
    assert (event.status, event.custom_string, event.message_type) == (
        "Undelivered",
        "ref-1",
        "sms",
    )
    assert event.timestamp == datetime.fromtimestamp(1_900_000_010, UTC)
    assert event.timestamp_send == datetime.fromtimestamp(1_900_000_000, UTC)
    assert (event.user_id, event.subaccount_id, event.digits) == (1, 2, None)
    assert event.state is DeliveryState.FAILED
    assert event.raw["messageid"] == "B7A7-1"


@pytest.mark.parametrize("fmt", FORMATS)
def test_an_inbound_message_reads_the_same_in_every_format(fmt: Format) -> None:
    event = read(inbound(body="Café & 100% = 💜"), fmt)
    assert isinstance(event, InboundMessage)
    assert (event.from_, event.to, event.body) == (
        "+61411111111",
        "+61422222222",
        "Café & 100% = 💜",
    )
    assert (event.original_body, event.original_message_id) == ("Coming?", "B7A7-1")
    assert (event.message_id, event.custom_string) == ("C9C9-1", "ref-1")
    assert event.timestamp == datetime.fromtimestamp(1_900_000_020, UTC)
    assert event.raw["sms"] == "+61422222222"


def test_legacy_names_alone_are_enough() -> None:
    event = read_inbound(
        message="Hi", customstring="r", messageid="m", originalmessageid="o", originalmessage="b"
    )
    assert (event.body, event.custom_string, event.message_id) == ("Hi", "r", "m")
    assert (event.original_message_id, event.original_body) == ("o", "b")
    assert read_receipt(status="Delivered", messageid="m", customstring="r").message_id == "m"


def test_the_field_sms_is_never_read() -> None:
    event = read_inbound(body="Hi", sms="+61499999999")
    assert (event.from_, event.to) == (None, None)


def test_numbers_may_be_text_and_texts_numbers() -> None:
    event = read_inbound(body=1234, **{"from": 61411111111}, timestamp=1900000020, user_id="7")
    assert (event.body, event.from_, event.user_id) == ("1234", "61411111111", 7)
    pressed = read_receipt(status_code=201, digits=5, message_type="voice", timestamp=1.9e9)
    assert (pressed.status_code, pressed.digits) == (201, "5")
    assert pressed.timestamp == datetime.fromtimestamp(1_900_000_000, UTC)
    assert read_receipt(status_code="201", digits="007#").digits == "007#"


def test_a_null_custom_string_is_none() -> None:
    assert read(receipt(custom_string=None, customstring=None)).custom_string is None


@pytest.mark.parametrize("name", ["status_code", "status", "status_text"])
def test_any_status_makes_a_receipt_even_beside_a_body(name: str) -> None:
    assert isinstance(read({name: "201", "body": "Hi"}), DeliveryReceipt)


def test_an_empty_status_makes_no_receipt() -> None:
    assert read_inbound(status="", status_code=None, body="Hi").body == "Hi"


def test_an_empty_text_is_a_message() -> None:
    assert read_inbound(body="", message_id="m").body == ""


@pytest.mark.parametrize(
    ("fields", "state"),
    [
        ({"status_code": 201}, "delivered"),
        ({"status_code": 301}, "failed"),
        ({"status_code": 200, "status": "Delivered"}, "pending"),
        ({"status_code": 300}, "pending"),
        ({"status_code": 999, "status": "Delivered"}, "pending"),
        ({"status": "Sent"}, "pending"),
        ({"status": "Delivered"}, "delivered"),
        ({"status_text": "UNDELIVERED"}, "failed"),
        ({"status": "?", "error_code": 4}, "delivered"),
        ({"status": "?", "error_code": 16}, "pending"),
        ({"status": "?", "error_code": 19}, "failed"),
        ({"status_code": "Sent"}, "pending"),
        ({"status": "something new"}, "pending"),
    ],
)
def test_an_unknown_status_never_counts_as_delivered(fields: dict[str, Any], state: str) -> None:
    assert read_receipt(**fields).state == state


def test_a_status_code_that_is_a_word_is_none_and_kept_in_raw() -> None:
    event = read_receipt(status_code="Sent", message_id="m")
    assert event.status_code is None
    assert event.raw["status_code"] == "Sent"


@pytest.mark.parametrize("content_type", [None, "", FORM, JSON, "text/plain", "image/png; x=\xff"])
@pytest.mark.parametrize("fmt", FORMATS)
def test_a_missing_or_wrong_content_type_does_no_harm(fmt: Format, content_type: str) -> None:
    push = wire(receipt(), fmt)
    event = parse(push.body, content_type=content_type, query=push.query)
    assert event == read(receipt(), fmt)


def test_json_may_have_a_byte_order_mark_blanks_or_utf_16() -> None:
    told = json.dumps(inbound(), ensure_ascii=False)
    for body in (b"\xef\xbb\xbf" + told.encode(), f"\n  {told}".encode(), told.encode("utf-16")):
        assert isinstance(parse(body, content_type=JSON), InboundMessage)
        assert isinstance(parse(body), InboundMessage)


def test_a_form_in_latin_1_loses_nothing() -> None:
    event = parse(b"body=Caf%E9+ol%e9&from=%2B61411111111&message_id=m", content_type=FORM)
    assert isinstance(event, InboundMessage)
    assert event.body == "Café olé"


def test_the_query_counts_only_where_the_body_has_no_event() -> None:
    event = parse(wire(inbound(), "form").body, query="status_code=201&message_id=other")
    assert event.message_id == "C9C9-1"
    assert parse(b"", query={"status_code": "201", "message_id": "q"}).message_id == "q"
    assert parse(b"token=1", query="body=Hi&message_id=q").message_id == "q"


def test_a_form_of_very_many_fields_is_read_in_part() -> None:
    assert parse(b"status_code=201&" + b"a=1&" * 60_000).raw == {"status_code": "201", "a": "1"}
    with pytest.raises(WebhookError):
        parse(b"a=1&" * 60_000 + b"status_code=201", query="\ud800=1")


def test_the_last_of_equal_form_fields_counts_as_in_php() -> None:
    assert parse(b"status_code=200&status_code=201").raw["status_code"] == "201"


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{}",
        b"[]",
        b"null",
        b"[1, 2]",
        b'"body"',
        b"{",
        b"\xff\xfe\x00",
        b"body",
        b'{"body": null, "message": null}',
        b'{"status": {"a": 1}}',
        b"hello=world",
        b"[" * 100_000,
        b'{"status_code":' + b"9" * 5000 + b"}",
        b'{"event": "link.clicked"}',
    ],
)
def test_what_is_no_event_is_an_error_that_shows_nothing_of_it(body: bytes) -> None:
    with pytest.raises(WebhookError) as caught:
        parse(body)
    assert isinstance(caught.value, ClickSendError)
    assert str(caught.value) == "the push has neither a status nor a text"
    assert caught.value.__context__ is None or caught.value.__suppress_context__


def test_lone_surrogates_and_nul_become_what_databases_take() -> None:
    event = parse(b'{"body": "a\\ud800b\\u0000c \\ud83d\\ude00", "message_id": "m\\u0000"}')
    assert isinstance(event, InboundMessage)
    assert event.body == "a\ufffdb\ufffdc 😀"
    assert event.message_id == "m\ufffd"
    event.body.encode()


@pytest.mark.parametrize("value", ["", "x", "1e400", "nan", -1, 10**30, True, [], {}, 1.7e12])
def test_a_time_that_is_none_is_none(value: Any) -> None:
    event = read_inbound(body="Hi", timestamp=value)
    assert event.timestamp is None or event.timestamp.tzinfo is UTC


def test_repr_and_errors_show_no_values() -> None:
    for event in (read(inbound(body="secret text")), read(receipt(message_id="secret id"))):
        assert "secret" not in repr(event)
        assert "614" not in repr(event)


def test_events_are_frozen_and_survive_copies() -> None:
    for event in (read(inbound()), read(receipt())):
        with pytest.raises(AttributeError):
            event.message_id = "x"  # type: ignore[misc] # pyright: ignore[reportAttributeAccessIssue]
        for again in (copy.copy(event), copy.deepcopy(event), _pickled(event)):
            assert again == event
            assert again.raw == event.raw


def _pickled(event: Event) -> Event:
    again = pickle.loads(pickle.dumps(event))  # noqa: S301
    assert isinstance(again, type(event))
    return again


def test_repetitions_share_a_key_whatever_the_format() -> None:
    for fields in (inbound(), receipt(), receipt(digits="1", message_type="voice")):
        assert len({dedupe_key(read(fields, fmt)) for fmt in FORMATS}) == 1
    polled = {"message_id": "B7A7-1", "status_code": 201, "error_code": None, "digits": None}
    assert dedupe_key(read(polled)) == dedupe_key(read(receipt()))


def test_what_differs_has_another_key() -> None:
    events = [
        receipt(),
        receipt(code=200),
        receipt(code=301, error_code=12),
        receipt(code=301, error_code=13),
        receipt(digits="1"),
        receipt(digits="2"),
        receipt("other"),
        receipt(status_code="Sent"),
        receipt(status_code="Queued"),
        inbound(),
        inbound(body="https://media/1"),
        inbound("other"),
    ]
    assert len({dedupe_key(read(it)) for it in events}) == len(events)


def test_without_an_id_there_is_no_key() -> None:
    for fields in (inbound(""), receipt("")):
        assert dedupe_key(read({**fields, "messageid": ""})) is None


TEXT = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=20)


@given(TEXT, TEXT, TEXT, st.sampled_from(FORMATS))
def test_any_text_survives_any_format(body: str, sender: str, ref: str, fmt: Format) -> None:
    event = read({"body": body, "from": sender, "custom_string": ref, "message_id": "m"}, fmt)
    assert isinstance(event, InboundMessage)
    assert (event.body, event.from_, event.custom_string) == (body, sender or None, ref or None)


@given(st.dictionaries(TEXT, TEXT))
def test_forms_are_read_as_the_standard_library_writes_them(fields: dict[str, str]) -> None:
    for quote in (quote_plus, lambda text, *_more: "".join(f"%{it:02x}" for it in text.encode())):
        pushed = {**fields, "status": "Sent"}
        body = urlencode(pushed, quote_via=quote).encode()
        assert parse(body, content_type=FORM).raw == pushed


JSONS = st.recursive(
    st.none() | st.booleans() | st.floats() | st.integers() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=5,
)
NAMES = st.sampled_from(sorted({*receipt(), *inbound(), "digits"}))


@given(st.dictionaries(NAMES, JSONS))
def test_values_of_any_type_are_an_event_or_a_webhook_error(fields: dict[str, Any]) -> None:
    try:
        event = parse(json.dumps(fields).encode())
    except WebhookError:
        return
    dedupe_key(event)
    assert str(event) == repr(event)


@given(st.binary(), st.sampled_from([None, FORM, JSON]))
def test_any_bytes_are_an_event_or_a_webhook_error(body: bytes, content_type: str | None) -> None:
    with suppress(WebhookError):
        dedupe_key(parse(body, content_type=content_type, query=body.decode("latin-1")))
