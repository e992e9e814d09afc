"""Building requests and deciphering replies, without a network."""

from __future__ import annotations

import json
import math
import string
from contextlib import suppress
from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal
from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

import aioclicksend as ac
from aioclicksend import ReplyError, SmsMessage, wire
from aioclicksend.codes import code_in
from aioclicksend.wire import Reply, Request, Unreadable

from ..hostile import Hostile
from .helpers import BODY, MESSAGE, NUMBER, client_of, failure_of
from .mocked import ROOT, Mocked

REQUEST = Request("POST /v3/sms/send", "POST", f"{ROOT}/v3/sms/send")

texts = st.text(st.characters(exclude_categories=["Cs"]))
json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | texts,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(texts, inner, max_size=4),
    max_leaves=12,
)


# Requests


@pytest.mark.parametrize(
    ("value", "segment"),
    [
        (7, "7"),
        ("a/b", "a%2Fb"),
        ("+61411111111", "%2B61411111111"),
        ("a b?c#d", "a%20b%3Fc%23d"),
        ("%2e%2e", "%252e%252e"),
        ("ü", "%C3%BC"),
    ],
)
def test_values_in_a_path_are_quoted(value: object, segment: str) -> None:
    assert wire.path_for("/v3/lists/{list_id}/x", {"list_id": value}) == f"/v3/lists/{segment}/x"


@pytest.mark.parametrize("value", ["", ".", ".."])
def test_a_value_that_would_climb_the_path_is_refused(value: str) -> None:
    with pytest.raises(ValueError, match="list_id must not be"):
        wire.path_for("/v3/lists/{list_id}", {"list_id": value})


@given(texts.filter(lambda it: it not in ("", ".", "..")))
def test_a_path_gives_back_what_was_put_in(value: str) -> None:
    path = wire.path_for("/v3/lists/{list_id}/x", {"list_id": value})
    assert path.count("/") == 4
    assert path.isascii()
    assert unquote(path.split("/")[3]) == value


@given(st.dictionaries(st.text(string.ascii_letters + "_", min_size=1), texts))
def test_a_query_gives_back_what_was_put_in(values: dict[str, str]) -> None:
    query = wire.query_for(values)
    assert dict(parse_qsl(query.removeprefix("?"), keep_blank_values=True)) == values
    assert query.isascii()
    assert "+" not in query


def test_a_query_leaves_out_what_is_none() -> None:
    assert wire.query_for({}) == wire.query_for({"q": None}) == ""
    assert wire.query_for({"q": None, "page": 2}) == "?page=2"


def test_a_query_encodes_times_flags_and_lists() -> None:
    time = datetime(2026, 1, 1, tzinfo=timezone(timedelta(hours=10)))
    query = wire.query_for({"since": time, "yes": True, "no": False, "kind": ["a", "b+"]})
    assert query == "?since=1767189600&yes=1&no=0&kind%5B0%5D=a&kind%5B1%5D=b%2B"


def test_a_body_says_times_as_unix_seconds_and_money_as_text() -> None:
    body = wire.body_for(
        {"at": datetime(2026, 1, 1, tzinfo=UTC), "sum": Decimal("0.0770"), "deep": [{"at": None}]}
    )
    assert json.loads(body) == {"at": 1767225600, "sum": "0.0770", "deep": [{"at": None}]}


@pytest.mark.parametrize("build", [wire.body_for, wire.query_for])
def test_a_time_without_a_zone_is_refused(build: Any) -> None:
    with pytest.raises(ValueError, match="time zone"):
        build({"at": datetime(2026, 1, 1)})  # noqa: DTZ001


def test_a_struct_in_a_body_keeps_its_wire_names_and_leaves_out_defaults() -> None:
    message = SmsMessage(to=NUMBER, body="x", from_="Me", schedule=datetime(2026, 1, 1, tzinfo=UTC))
    assert json.loads(wire.body_for(message)) == {
        "to": NUMBER,
        "body": "x",
        "from": "Me",
        "schedule": 1767225600,
    }


# Replies


@given(st.binary())
def test_any_bytes_are_json_or_unreadable(body: bytes) -> None:
    try:
        wire.loads(body)
    except Unreadable:
        with pytest.raises(ValueError):  # noqa: PT011
            json.loads(body)


@given(json_values)
def test_any_json_is_read(value: object) -> None:
    assert_same(wire.loads(json.dumps(value).encode()), value)
    assert_same(wire.loads(json.dumps(value, ensure_ascii=False).encode("utf-8-sig")), value)


def assert_same(one: object, other: object) -> None:
    assert json.dumps(one, sort_keys=True) == json.dumps(other, sort_keys=True)


@pytest.mark.parametrize(
    ("body", "value"),
    [
        (b'{"a":NaN,"b":-Infinity}', {"a": math.nan, "b": -math.inf}),
        (b'{"a":"\\ud800"}', {"a": "\N{REPLACEMENT CHARACTER}"}),
        (b'[{"\\udc00b":["\\ud83d\\ude00 \\ud83d"]}]', [{"\ufffdb": ["\U0001f600 \ufffd"]}]),
        (b'{"a":"caf\xc3"}', {"a": "caf\N{REPLACEMENT CHARACTER}"}),
        (b'{"a":' + b"9" * 30 + b"}", {"a": 10**30 - 1}),
        (b'{"a":' + b"9" * 5000 + b"}", {"a": math.inf}),
        (b'{"a":1e999}', {"a": math.inf}),
        (b"\xef\xbb\xbf{}", {}),
    ],
)
def test_an_odd_value_spoils_only_itself(body: bytes, value: object) -> None:
    assert_same(wire.loads(body), value)


@pytest.mark.parametrize("depth", [500, 5000, 500_000])
def test_a_reply_of_any_depth_is_read_or_unreadable(depth: int) -> None:
    try:
        wire.loads(b"[" * depth + b"]" * depth)
    except Unreadable:
        assert depth > 500


@pytest.mark.parametrize(
    ("document", "data"),
    [
        ({"http_code": 200, "response_code": "SUCCESS", "response_msg": "", "data": [1]}, [1]),
        ({"http_code": "200", "data": 1}, 1),
        ({"http_code": 200}, None),
        ({"http_code": None, "data": 1}, 1),
        ({"http_code": "fine", "data": 1}, 1),
        ({"http_code": True, "data": 1}, 1),
        ({"http_code": [500], "data": 1}, 1),
        ({"data": [1], "total": 1}, {"data": [1], "total": 1}),
        ({"connections": []}, {"connections": []}),
        ([{"a": 1}], [{"a": 1}]),
        (1, 1),
        (None, None),
    ],
)
def test_an_envelope_is_opened_and_what_has_none_is_left_whole(document: Any, data: Any) -> None:
    assert wire.data_of(REQUEST, Reply(200, {}, json.dumps(document).encode())) == data


@pytest.mark.parametrize("code", [400, 429, 500, "500", 500.0, "  503 ", 10**20])
def test_an_envelope_that_contradicts_the_status_is_unreadable(code: object) -> None:
    body = json.dumps({"http_code": code, "data": {}}).encode()
    with pytest.raises(Unreadable, match="inside"):
        wire.data_of(REQUEST, Reply(200, {}, body))


def test_an_empty_reply_is_enough_only_where_nothing_is_returned() -> None:
    bare = msgspec.structs.replace(REQUEST, bare=True)
    assert wire.data_of(bare, Reply(200, {}, b"")) is None
    assert wire.data_of(REQUEST, Reply(204, {}, b"")) is None
    with pytest.raises(Unreadable):
        wire.data_of(REQUEST, Reply(200, {}, b""))


@given(json_values)
def test_any_envelope_is_read_or_unreadable(value: object) -> None:
    body = json.dumps({"http_code": value, "data": 1}).encode()
    with suppress(Unreadable):
        assert wire.data_of(REQUEST, Reply(200, {}, body)) == 1


# Refusals


@given(
    st.integers(400, 599),
    st.binary() | json_values.map(lambda it: json.dumps(it).encode()),
    st.dictionaries(st.sampled_from(["Retry-After", "ratelimit-reset"]), st.text()),
)
def test_any_refusal_becomes_a_reply_error(
    status: int, body: bytes, headers: dict[str, str]
) -> None:
    error = wire.refusal(REQUEST, Reply(status, headers, body), 1.8e9)
    assert isinstance(error, ReplyError)
    assert str(error).startswith(f"POST /v3/sms/send {status} ")
    assert "\n" not in str(error).partition(":")[0]


@given(json_values, json_values)
def test_any_code_and_message_make_an_error(code: object, message: object) -> None:
    body = json.dumps({"response_code": code, "response_msg": message}).encode()
    error = wire.refusal(REQUEST, Reply(400, {}, body))
    assert error.status == 400
    assert error.response_code


@pytest.mark.parametrize(
    ("body", "code", "message"),
    [
        ({"response_code": "BAD_REQUEST", "response_msg": "No."}, "BAD_REQUEST", "No."),
        ({"response_code": 400, "response_msg": "trim() expects"}, "400", "trim() expects"),
        ({"message": "no connection for the app"}, "BAD_REQUEST", "no connection for the app"),
        ({"response_code": "what a <mess>"}, "BAD_REQUEST", ""),
        ("<html>", "BAD_REQUEST", ""),
        ([], "BAD_REQUEST", ""),
    ],
)
def test_an_error_shows_the_code_and_keeps_the_servers_words(
    body: Any, code: str, message: str
) -> None:
    error = wire.refusal(REQUEST, Reply(400, {}, json.dumps(body).encode()))
    assert str(error).startswith(f"POST /v3/sms/send 400 {code}: a field is wrong or missing")
    assert (error.response_code, error.response_msg, error.raw) == (code, message, body)
    assert not message or message not in str(error)


@pytest.mark.parametrize(
    "code",
    [
        "+61411111111",
        "61411111111",
        61411111111,
        "INVALID_61411111111",
        "Incorrect API key: 0A1B2C3D",
        "0A1B2C3D",
        "a1b2c3d4e5f60718",
        "BAD\x1b[31m_REQUEST",
        "BAD_REQUEST\n",
        "b\u00e4d",
        {"code": "BAD"},
        ["BAD"],
        True,
        None,
        "",
    ],
)
def test_a_bad_response_code_is_replaced_by_that_of_the_status(code: object) -> None:
    assert code_in(code) == ""
    reply = Reply(400, {}, msgspec.json.encode({"response_code": code, "data": None}))
    error = wire.refusal(REQUEST, reply)
    assert error.response_code == "BAD_REQUEST"
    assert str(error) == "POST /v3/sms/send 400 BAD_REQUEST: a field is wrong or missing"


@pytest.mark.parametrize("code", ["BAD_REQUEST", "10DLC_REQUIRED", "E_42", "400", 400, "not_found"])
def test_a_code_is_shown_as_it_came(code: object) -> None:
    assert code_in(code) == str(code)


def test_a_code_is_cut_to_64_characters() -> None:
    reply = Reply(400, {}, b'{"response_code": "%b"}' % (b"X" * 1_000_000))
    error = wire.refusal(REQUEST, reply)
    assert error.response_code == "X" * 64
    assert len(str(error)) < 200


def test_an_error_of_html_keeps_it() -> None:
    error = wire.refusal(REQUEST, Reply(502, {}, b"<html>Bad \xff</html>"))
    assert error.raw == "<html>Bad \N{REPLACEMENT CHARACTER}</html>"
    assert str(error).startswith("POST /v3/sms/send 502 BAD_GATEWAY: the server failed")
    assert "html" not in str(error)


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (400, ac.BadRequest),
        (401, ac.Unauthorized),
        (403, ac.Forbidden),
        (404, ac.NotFound),
        (429, ac.TooManyRequests),
        (405, ReplyError),
        (500, ac.ServerError),
        (599, ac.ServerError),
    ],
)
def test_a_status_has_its_class(status: int, kind: type[ReplyError]) -> None:
    assert type(wire.refusal(REQUEST, Reply(status, {}, b""))) is kind


@given(st.text(), st.text(), st.integers(100, 599), st.none() | st.floats(0, 1e10))
def test_no_header_is_odd_enough_to_break_the_wait(
    retry_after: str, reset: str, status: int, now: float | None
) -> None:
    headers = {"Retry-After": retry_after, "ratelimit-reset": reset, "x-ratelimit-remaining": "0"}
    wait = wire.asked_wait(Reply(status, headers, b""), now)
    assert wait is None or 0 <= wait < math.inf


@pytest.mark.parametrize(
    ("status", "headers", "wait"),
    [
        (429, {"Retry-After": "39"}, 39),
        (429, {"Retry-After": "0.5", "ratelimit-reset": "7"}, 0.5),
        (429, {"ratelimit-reset": "7"}, 7),
        (429, {"Retry-After": "later", "ratelimit-reset": "7"}, 7),
        (429, {}, None),
        (503, {"Retry-After": "39"}, 39),
        (503, {"ratelimit-reset": "7"}, None),
        (503, {"ratelimit-reset": "7", "x-ratelimit-remaining": "0"}, 7),
        (429, {"Retry-After": "Thu, 01 Jan 2026 00:00:10 GMT"}, 10),
        (429, {"Retry-After": "Wed, 31 Dec 2025 00:00:00 GMT"}, 0),
    ],
)
def test_the_wait_a_server_asks_for(status: int, headers: dict[str, str], wait: float) -> None:
    assert wire.asked_wait(Reply(status, headers, b""), 1767225600) == wait


# Paths


@pytest.mark.parametrize(
    ("path", "label"),
    [
        ("/v3/sms/receipts", "/v3/sms/receipts"),
        ("/v3/lists/1234/contacts", "/v3/lists/{list_id}/contacts"),
        ("/v3/sms/history", "/v3/sms/history"),
        ("/v3/x/+61411111111", "/v3/x/…"),
        ("/v3/x/%2B61411111111/send", "/v3/x/…/send"),
        ("/v3/sms/Jane%20Citizen/cancel/x", "/v3/sms/…/cancel/…"),
        ("/v3/x/somebody@example.com/y", "/v3/x/…/…"),
        ("/v3/Jane", "/v3/…"),
        ("/v3/contacts/jane", "/v3/contacts/…"),
        ("/v3/+61411111111", "/v3/…"),
    ],
)
async def test_any_path_is_named_without_what_was_filled_in(path: str, label: str) -> None:
    ends: list[ac.EndEvent] = []
    async with Hostile(lambda line, _: line.ok({})) as server:
        async with client_of(server.url, hooks=ac.Hooks(on_end=ends.append)) as client:
            await client.request("GET", path)
    assert [it.operation for it in ends] == [f"GET {label}"]
    assert server.arrivals[0].path == path


@pytest.mark.parametrize(
    "path",
    [
        "/v3/../../github/user",
        "/v3/..",
        "/v3/./account",
        "/v3/a/%2e%2e/b",
        "/v3/a/%2E./b",
        "/v3/a/%252e%252e/b",
        "/v3/a%2f..%2fb",
        "/v3/a%5c..%5cb",
        "/v3/%25252525252e%25252525252e/account",
        "/v3/..;/account",
        "/v3/..%3bx=1/account",
        "/v3/..%20/account",
        "/v3/%EF%BC%8E%EF%BC%8E/account",
        "/v3/%E2%80%A5/account",
        "/v3/..%EF%BC%8Faccount",
        "/v3/a%EF%BC%BC..%EF%BC%BCb",
        "/v3/%c0%ae%c0%ae/account",
        "/v3/%e0%80%ae./account",
        "/v3/a\\..\\b",
        "/v3//account",
        "/v3/acc\0unt",
        "/v3/acc%00unt",
        "/v3/acc%0d%0aunt",
        "/v3/acc\x7funt",
        "/v3/acc ount",
        "/v3/k\u00f6ln",
        "/v3/\ud800",
        "//evil.example/v3/account",
        "https://evil.example/v3/account",
        "/V3/account",
        "",
    ],
)
async def test_a_path_that_leads_elsewhere_is_refused_before_anything_is_sent(path: str) -> None:
    async with Hostile() as server, client_of(server.url) as client:
        with pytest.raises(ValueError, match="path must start with /v3/"):
            await client.request("GET", path)
    assert server.arrivals == []


async def test_a_path_may_end_with_a_slash() -> None:
    async with Hostile(lambda line, _: line.ok({})) as server, client_of(server.url) as client:
        await client.request("PUT", "/v3/lists/7/remove-duplicates/")
    assert server.arrivals[0].path == "/v3/lists/7/remove-duplicates/"


@pytest.mark.parametrize("value", ["", ".", "..", "\ud800"])
async def test_an_id_that_no_path_can_hold_is_refused(value: str) -> None:
    async with Hostile() as server, client_of(server.url) as client:
        with pytest.raises(ValueError, match="message_id must not"):
            await client.sms.cancel(value)
    assert server.arrivals == []


async def test_a_lone_surrogate_is_refused_in_query_and_body() -> None:
    async with Hostile() as server, client_of(server.url) as client:
        with pytest.raises(ValueError, match="query holds a lone surrogate"):
            await client.sms.history(q="body:\ud800").collect()
        with pytest.raises(ValueError, match="request holds a lone surrogate"):
            await client.lists.create(list_name="\ud800")
    assert server.arrivals == []


# The same through the client


async def test_a_request_is_built_from_its_arguments() -> None:
    with Mocked() as mocked:
        data: dict[str, Any] = {"http_code": 200, "data": {"list_id": 9, "list_name": "a"}}
        mocked.get(f"{ROOT}/v3/sms/history?date_from=5&limit=20&page=3&q=to%3A%2B61", payload=data)
        mocked.put(f"{ROOT}/v3/lists/9", payload=data)
        mocked.delete(f"{ROOT}/v3/sms/templates/9", payload={"http_code": 200, "data": None})
        async with client_of(ROOT) as client:
            await client.sms.history(q="to:+61", date_from=5, limit=20).page(3)
            await client.lists.update(9, list_name="a")
            await client.sms.templates.delete(9)
        calls = [(method, str(url), kwargs["data"]) for method, url, kwargs in mocked.calls]
    assert calls == [
        ("GET", f"{ROOT}/v3/sms/history?date_from=5&limit=20&page=3&q=to:%2B61", None),
        ("PUT", f"{ROOT}/v3/lists/9", b'{"list_name":"a"}'),
        ("DELETE", f"{ROOT}/v3/sms/templates/9", None),
    ]


async def test_a_reply_is_deciphered_into_its_struct() -> None:
    row = {
        "custom_string": "ref-1",
        "status": "SUCCESS",
        "message_id": "ID",
        "message_price": "0.0770",
        "message_parts": 1,
        "date": 1767225600,
        "schedule": "",
        "to": NUMBER,
        "body": BODY,
    }
    data = {"total_price": 0.077, "messages": [row], "queued_count": "1"}
    with Mocked() as mocked:
        mocked.post(f"{ROOT}/v3/sms/send", payload={"http_code": 200, "data": data})
        async with client_of(ROOT) as client:
            result = await client.sms.send(MESSAGE)
    (row_read,) = result.accepted
    assert (row_read.message_price, row_read.date) == (
        Decimal("0.0770"),
        datetime(2026, 1, 1, tzinfo=UTC),
    )
    assert row_read.schedule is None
    assert row_read.raw == row
    assert (result.total_price, result.queued_count) == (Decimal("0.077"), 1)
    assert (result.unknown, result.raw) == ((), data)


async def test_a_mocked_refusal_is_an_error_like_any_other() -> None:
    with Mocked() as mocked:
        mocked.get(f"{ROOT}/v3/account", status=403, payload={"response_code": "FORBIDDEN"})
        async with client_of(ROOT) as client:
            error = await failure_of(client.account.get())
    assert str(error) == "GET /v3/account 403 FORBIDDEN: the account may not do this"


@pytest.mark.parametrize(
    "path", ["/account", "v3/account", "/v3/a?b=1", "/v3/a#b", "/v3/a\r\nX: y"]
)
async def test_a_path_that_is_none_of_the_api_is_refused(path: str) -> None:
    client = client_of(ROOT)
    with pytest.raises(ValueError, match="path must start with /v3/"):
        await client.request("GET", path)
    with pytest.raises(ValueError, match="method must be one of"):
        await client.request("TRACE", "/v3/account")


async def test_any_path_can_be_called_under_the_same_rule() -> None:
    with Mocked() as mocked:
        for method in ("get", "post", "put", "patch", "delete"):
            getattr(mocked, method)(
                f"{ROOT}/v3/new/thing?a=1", payload={"http_code": 200, "data": [method]}
            )
        async with client_of(ROOT) as client:
            for method in ("get", "POST", "Put", "patch", "DELETE"):
                data = await client.request(method, "/v3/new/thing", query={"a": 1}, json={"b": 2})
                assert data == [method.lower()]
        assert {kwargs["data"] for *_, kwargs in mocked.calls} == {b'{"b":2}'}


def test_the_address_of_a_request_is_never_in_its_repr() -> None:
    request = Request(
        "GET /v3/search", "GET", f"{ROOT}/v3/search?q={NUMBER}", body=BODY.encode(), refs=["ref-1"]
    )
    assert repr(request) == "Request('GET /v3/search')"
    assert (
        repr(Reply(200, {"A": NUMBER}, BODY.encode()))
        == f"Reply(status=200, body=<{len(BODY)} bytes>)"
    )
    assert urlsplit(request.url).query
