"""A reply of any shape is read, and each field has the type it is declared to have."""

from __future__ import annotations

import copy
import json
import math
import pickle
import types
import typing
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from aioclicksend import api
from aioclicksend.models.account import Account, Subaccount
from aioclicksend.models.base import Model, decimal, flag, moment, number, read, read_list, text
from aioclicksend.models.results import MmsRow, Receipt, SmsRow, VoiceRow, send_result

from ..hostile import Hostile, Line
from .helpers import MESSAGE, REF, client_of

api.operations()  # so that all models are known


def models(kind: type[Model] = Model) -> Iterator[type[Model]]:
    """Yield every model there is."""
    for inner in kind.__subclasses__():
        yield inner
        yield from models(inner)


each = pytest.mark.parametrize("kind", sorted(set(models()), key=repr))

_ODD: list[Any] = [
    *(
        "",
        " ",
        "0",
        "1",
        "01",
        "-1",
        "1.00",
        "1.50",
        "0.0770",
        "1,000.00",
        "1e3",
        "NaN",
        "Infinity",
    ),
    *("1e99999999", "9" * 50, "true", "yes", "SUCCESS", "\ud800", "ü\0", "٣", "0x10", "1_0"),
    *("2026-01-02 03:04:05", "2026-01-02T03:04:05Z", "2026-01-02T03:04:05+10:00", "2026-01-02"),
    *("0000-00-00 00:00:00", "2026-13-45T99:99:99Z", "2026-01-02T03:04:05.1234567891Z"),
    *(None, True, False, 0, 1, -1, 2, 1_700_000_000, 1_700_000_000_000, 2**63, 2**70, -(2**70)),
    *(0.0, 1.0, 1.5, 1e300, 1e-300, math.nan, math.inf, -math.inf, 10**400),
    *([], {}, [None], [[]], [{}], {"a": 1}, {"\ud800": "\udfff"}, ["male", "female", 1, None]),
]

odd = st.sampled_from(_ODD) | st.recursive(
    st.sampled_from(_ODD) | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=6,
)


def wire_names(kind: type[Model]) -> list[str]:
    return [*(it.encode_name for it in msgspec.structs.fields(kind)), *kind.also_known_as]


def objects(kind: type[Model]) -> st.SearchStrategy[dict[str, Any]]:
    fields = dict.fromkeys([*wire_names(kind), "unheard_of", "\ud800"], odd)
    return st.fixed_dictionaries({}, optional=fields)


def conforms(value: object, hint: Any) -> bool:
    """Whether a value has the type of its field, its times aware and its amounts finite."""
    if hint is Any:
        return True
    if isinstance(hint, types.UnionType) or typing.get_origin(hint) is typing.Union:
        return any(conforms(value, option) for option in typing.get_args(hint))
    origin = typing.get_origin(hint)
    if origin is list:
        (inner,) = typing.get_args(hint)
        return isinstance(value, list) and all(conforms(item, inner) for item in value)
    if origin is not None:
        return isinstance(value, origin)
    if hint is int:
        return type(value) is int
    if isinstance(value, Model):
        return isinstance(value, hint) and fields_conform(value)
    if isinstance(value, datetime):
        return hint is datetime and value.tzinfo is not None
    if isinstance(value, Decimal):
        return hint is Decimal and value.is_finite()
    return isinstance(value, hint)


def fields_conform(model: Model) -> bool:
    hints = typing.get_type_hints(type(model))
    return all(conforms(getattr(model, name), hints[name]) for name in model.__struct_fields__)


@pytest.mark.slow
@each
@settings(max_examples=20, suppress_health_check=[HealthCheck.too_slow])
@given(data=st.data())
def test_any_object_is_read_by_its_model(kind: type[Model], data: st.DataObject) -> None:
    value = data.draw(objects(kind))
    model = read(kind, value)
    assert fields_conform(model), model
    assert model.raw is value
    repr(model)


@each
def test_what_is_no_object_at_all_is_an_empty_model(kind: type[Model]) -> None:
    values: list[Any] = [None, "", 0, 1, True, 1.5, "text", [], [[]], [1, 2], {}, [{}]]
    for value in values:
        model = read(kind, value)
        assert fields_conform(model)
        assert model == kind()
        assert model.raw == (value[0] if value in ([[]], [{}]) else value)


@each
def test_one_odd_field_spoils_only_itself(kind: type[Model]) -> None:
    """A value of a wrong type must not cost its neighbours theirs."""
    hints = typing.get_type_hints(kind)
    good = {it.encode_name: good_value(hints[it.name]) for it in msgspec.structs.fields(kind)}
    whole = read(kind, good)
    for name in good:
        spoilt = read(kind, {**good, name: {"\ud800": [math.nan]}})
        for it in msgspec.structs.fields(kind):
            if it.encode_name != name:
                assert getattr(spoilt, it.name) == getattr(whole, it.name), (name, it.name)


def good_value(hint: Any) -> Any:
    options = [it for it in typing.get_args(hint) or (hint,) if it is not types.NoneType]
    if typing.get_origin(hint) is list or typing.get_origin(options[0]) is list:
        return []
    simple: dict[Any, Any] = {int: 7, str: "a", bool: True, Decimal: "0.0770", datetime: 10**9}
    return simple.get(options[0], {})


# Money and times


@given(st.decimals(allow_nan=False, allow_infinity=False, places=6, max_value=10**12))
def test_money_is_exact(amount: Decimal) -> None:
    for wire_value in (str(amount), f" {amount} ", amount):
        assert decimal(wire_value) == amount
    assert read(SmsRow, {"message_price": str(amount)}).message_price == amount
    assert read(SmsRow, {"message_price": str(amount), "date": {}}).message_price == amount
    assert str(read(Account, {"balance": str(amount)}).balance) == str(amount)


@given(st.floats(1e-6, 1e6) | st.just(0.0))
def test_an_amount_sent_as_a_number_is_exact(amount: float) -> None:
    assert read(SmsRow, {"message_price": amount}).message_price == Decimal(repr(amount))
    assert send_result(SmsRow, {"total_price": amount}).total_price == Decimal(repr(amount))


@pytest.mark.parametrize("price", ["NaN", "Infinity", "-inf", "1e999999", "free", "", None, [], {}])
def test_what_is_no_amount_is_none(price: Any) -> None:
    assert decimal(price) is None
    assert read(SmsRow, {"message_price": price}).message_price is None
    assert send_result(SmsRow, {"total_price": price}).total_price == 0


NOON = datetime(2026, 1, 2, 12, 0, 0, tzinfo=UTC)
_NOON = int(NOON.timestamp())


@pytest.mark.parametrize(
    "wire_value",
    [
        _NOON,
        float(_NOON),
        str(_NOON),
        f"{_NOON}.0",
        "2026-01-02T12:00:00Z",
        "2026-01-02T12:00:00+00:00",
        "2026-01-02T22:00:00+10:00",
        "2026-01-02T12:00:00",
        "2026-01-02 12:00:00",
    ],
)
@pytest.mark.parametrize("beside", [{}, {"message_parts": []}], ids=["alone", "beside-an-odd-one"])
def test_a_time_in_any_form_is_aware(wire_value: Any, beside: dict[str, Any]) -> None:
    assert moment(wire_value) == NOON
    time = read(SmsRow, {"date": wire_value, **beside}).date
    assert time == NOON
    assert time is not None
    assert time.utcoffset() is not None


@pytest.mark.parametrize(
    "wire_value", ["", 0, "0", None, [], {}, "soon", 10**20, -(10**20), True, False]
)
def test_what_is_no_time_is_none(wire_value: Any) -> None:
    assert moment(wire_value) is None
    assert read(SmsRow, {"schedule": wire_value}).schedule is None


@given(st.datetimes(datetime(1971, 1, 1), datetime(2200, 1, 1), timezones=st.just(UTC)))  # noqa: DTZ001
def test_a_time_survives_iso_and_seconds(time: datetime) -> None:
    assert moment(time.isoformat()) == time
    assert moment(time.replace(tzinfo=None).isoformat()) == time
    seconds = moment(time.timestamp())
    assert seconds is not None
    assert abs(seconds - time) < timedelta(milliseconds=1)


# Numbers, truths, texts


@pytest.mark.parametrize(
    ("wire_value", "known"),
    [("1.00", 1), ("29.00", 29), (1.0, 1), ("1,000", 1000), (True, 1), (2**70, 2**70), ("x", None)],
)
def test_a_whole_number_in_any_form(wire_value: Any, known: int | None) -> None:
    assert number(wire_value) == known
    assert read(MmsRow, {"message_parts": wire_value}).message_parts == known


@pytest.mark.parametrize(
    ("wire_value", "known"),
    [(1, True), (0, False), ("1", True), ("0", False), ("yes", True), (True, True), ("x", None)],
)
def test_a_flag_in_any_form(wire_value: Any, known: bool | None) -> None:  # noqa: FBT001
    assert flag(wire_value) is known
    assert read(SmsRow, {"is_shared_system_number": wire_value}).is_shared_system_number is known


@pytest.mark.parametrize(
    ("wire_value", "known"),
    [(201, "201"), ("Sent", "Sent"), (1.5, "1.5"), (None, None), ([1], "[1]")],
)
def test_a_text_in_any_form(wire_value: Any, known: str | None) -> None:
    assert text(wire_value) == known
    assert read(Receipt, {"status_code": wire_value}).status_code == known


def test_a_name_that_changed_is_read_under_both() -> None:
    assert read(Receipt, {"_message_type": "sms"}).message_type == "sms"
    assert read(Receipt, {"message_type": "sms", "_message_type": "old"}).message_type == "sms"


# Raw


def test_what_came_is_there_whole_at_every_level() -> None:
    wire_value = {
        "balance": "4.998000",
        "ai_enabled": 1,
        "_subaccount": {"subaccount_id": 7, "unheard_of": [1]},
        "_currency": [],
    }
    account = read(Account, wire_value)
    assert account.raw is wire_value
    assert account.raw["ai_enabled"] == 1
    assert account.currency is None
    assert isinstance(account.subaccount, Subaccount)
    assert account.subaccount.raw["unheard_of"] == [1]


@pytest.mark.parametrize(
    "twin",
    [copy.copy, copy.deepcopy, lambda it: pickle.loads(pickle.dumps(it))],  # noqa: S301
)
def test_what_came_survives_copies_and_pickles(twin: Callable[[Any], Any]) -> None:
    """As pools of processes, task queues and caches make them."""
    row = {"message_id": "x", "from": "+61", "date": 1767225600, "carrier": "y", "unheard_of": [1]}
    account = {"balance": "4.99", "_subaccount": {"subaccount_id": 7, "unheard_of": [1]}}
    result = {"messages": [row], "total_price": "1.00"}
    for model in (read(SmsRow, row), read(Account, account), read(SmsRow, None)):
        again = twin(model)
        assert type(again) is type(model)
        assert again == model
        assert again.raw == model.raw
    assert twin(read(Account, account)).subaccount.raw["unheard_of"] == [1]
    again = twin(send_result(SmsRow, result))
    assert again.raw == result
    assert again.messages[0].raw == row


@given(odd)
def test_any_model_is_equal_to_its_pickle(value: Any) -> None:
    for kind in (SmsRow, Account, Receipt):
        model = read(kind, {"status": value, "balance": value, "custom_string": value})
        again = pickle.loads(pickle.dumps(model))  # noqa: S301
        assert repr(again) == repr(model)
        assert repr(again.raw) == repr(model.raw)


@pytest.mark.parametrize(
    ("wire_value", "known"),
    [
        ("0,0792", "0.0792"),
        ("0,079", "0.079"),
        ("-0,5", "-0.5"),
        ("12,5", "12.5"),
        ("1234,50", "1234.50"),
        ("1,234.50", "1234.50"),
        ("-1,234,567.8", "-1234567.8"),
        ("1.234,50", "1234.50"),
        ("1.234.567,8", "1234567.8"),
        ("1,234", None),
        ("1,234,567", None),
        ("12,34,567.8", None),
        ("1,2,3", None),
        ("0,123.45", None),
        (",5", None),
        ("5,", None),
        ("1,234.5,6", None),
        ("EUR 5", None),
    ],
)
def test_a_comma_is_never_guessed(wire_value: str, known: str | None) -> None:
    assert decimal(wire_value) == (None if known is None else Decimal(known))
    assert read(SmsRow, {"message_price": wire_value}).message_price == decimal(wire_value)


def test_a_list_can_be_an_object_and_an_object_a_list() -> None:
    rows = [{"list_id": 1}, {"list_id": 2}]
    assert len(read_list(SmsRow, rows)) == len(read_list(SmsRow, {"0": rows[0], "7": rows[1]})) == 2
    assert read_list(SmsRow, None) == read_list(SmsRow, "") == read_list(SmsRow, {}) == []
    assert read(SmsRow, [{"message_id": "ID"}]).message_id == "ID"


# Replies to sends


@settings(suppress_health_check=[HealthCheck.too_slow])
@given(odd | st.fixed_dictionaries({}, optional={
    "messages": st.lists(objects(SmsRow), max_size=3) | odd,
    "total_price": odd,
    "total_count": odd,
    "queued_count": odd,
    "blocked_count": odd,
    "_currency": odd,
    "currency": odd,
}))  # fmt: skip
def test_any_reply_to_a_send_is_read_or_unknown(data: Any) -> None:
    for kind in (SmsRow, MmsRow, VoiceRow):
        result = send_result(kind, data, [REF])
        assert result.raw is data
        assert isinstance(result.total_price, Decimal)
        assert result.total_price.is_finite()
        assert len(result.accepted) + len(result.rejected) == len(result.messages)
        assert (REF in result.unknown) == all(row.custom_string != REF for row in result.messages)
        repr(result)


async def test_odd_rows_of_an_accepted_send_are_no_error() -> None:
    """Over the wire, in bytes no encoder would write."""
    odd_row = (
        b'{"status":"SUCCESS","custom_string":"ref-1","message_id":123,"message_parts":"1.00",'
        b'"message_price":0.0770,"schedule":"","date":"2026-01-02 12:00:00","from":null,'
        b'"body":"caf\xc3","list_id":[],"user_id":NaN,"contact_id":"","country":{},'
        b'"is_shared_system_number":1e999,"carrier":"\\ud83d","n":' + b"9" * 5000 + b"}"
    )
    body = b'{"http_code":200,"data":{"total_price":0,"messages":[' + odd_row + b"]}}"
    async with Hostile(lambda line, _: line.reply(200, body)) as server:
        async with client_of(server.url) as client:
            result = await client.sms.send(MESSAGE)
    (row,) = result.accepted
    assert (row.message_id, row.message_parts, row.message_price) == ("123", 1, Decimal("0.077"))
    assert (row.date, row.schedule, row.list_id, row.user_id) == (NOON, None, None, None)
    assert row.body == "caf\N{REPLACEMENT CHARACTER}"
    assert result.unknown == ()


async def test_rows_that_went_missing_are_unknown_and_not_forgotten() -> None:
    messages = [msgspec.structs.replace(MESSAGE, custom_string=f"ref-{n}") for n in range(3)]

    async def serve(line: Line, _: object) -> None:
        await line.ok({"messages": [{"custom_string": "ref-1", "status": "SUCCESS"}]})

    async with Hostile(serve) as server, client_of(server.url) as client:
        result = await client.sms.send(messages)
    assert len(result.accepted) == 1
    assert result.unknown == ("ref-0", "ref-2")


@pytest.mark.parametrize("data", [json.dumps({"http_code": 200, "data": [None, "", 7, {}, []]})])
async def test_a_page_of_rows_that_are_none_is_read(data: str) -> None:
    async with Hostile(lambda line, _: line.reply(200, data.encode())) as server:
        async with client_of(server.url) as client:
            rows = await client.sms.history().collect()
    assert [row.raw for row in rows] == [None, "", 7, {}, []]
