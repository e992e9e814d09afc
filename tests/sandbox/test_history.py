"""The history as documented, and each way in which it can be told to differ."""

from __future__ import annotations

import json
from dataclasses import replace
from decimal import Decimal
from typing import Any

import aiohttp
import pytest
from hypothesis import given
from hypothesis import strategies as st

from aioclicksend.sandbox import HistoryBehaviour, Sandbox
from aioclicksend.sandbox.history import Foreign, Query
from aioclicksend.sandbox.phones import national

from .conftest import NOW, Caller, Clock, sms


async def refs(call: Caller, **query: str | int) -> list[str]:
    data = await call.data("GET", "/v3/sms/history", **query)
    return [row["custom_string"] for row in data["data"]]


TWO = "to:+61400000001,to:+61400000003"


@pytest.mark.parametrize(
    ("behaviour", "query", "found"),
    [
        ("exact", {"q": TWO, "operator": "OR"}, [1, 3]),
        ("exact", {"q": TWO}, []),
        ("exact", {"q": "to:+6140000000"}, []),
        ("exact", {"q": "to:+61400000001,status:Sent"}, [1]),
        ("exact", {"q": "to:+61400000001,status:Failed", "operator": "OR"}, [1]),
        ("exact", {"q": "from:Shop,to:+61400000001", "operator": "OR"}, [1, 2]),
        ("exact", {"q": "from:shop"}, [2]),
        ("exact", {"q": "subaccount_id:119083"}, [1, 2, 3]),
        ("parts", {"q": "to:0000003"}, [3]),
        ("ignore", {"q": TWO, "operator": "OR"}, [1, 2, 3]),
        ("first", {"q": TWO, "operator": "OR"}, [1]),
        ("last", {"q": TWO, "operator": "OR"}, [3]),
        ("last", {"q": TWO + ",from:shop", "operator": "OR"}, [2, 3]),
    ],
)
async def test_q_selects_rows(
    call: Caller, behaviour: Any, query: dict[str, str], found: list[int]
) -> None:
    await call.send(sms(1), sms(2, **{"from": "Shop"}), sms(3))
    call.sandbox.history = HistoryBehaviour(filter=behaviour)
    assert await refs(call, **query) == [f"ref-{n}" for n in found]


async def test_one_message_is_found_by_its_id(call: Caller) -> None:
    rows = (await call.send(sms(1), sms(2)))["messages"]
    assert await refs(call, q=f"message_id:{rows[1]['message_id'].lower()}") == ["ref-2"]


async def test_a_hundred_numbers_are_asked_for_at_once(call: Caller) -> None:
    await call.send(*[sms(n) for n in range(300)])
    wanted = range(50, 150)
    q = ",".join(f"to:+6140000{n:04d}" for n in wanted)
    assert await refs(call, q=q, operator="OR", limit=100) == [f"ref-{n}" for n in wanted]


@pytest.mark.parametrize("channel", ["mms", "voice"])
async def test_other_channels_are_filtered_alike(call: Caller, channel: str) -> None:
    extra = {"subject": "s", "media_file": "http://x", "lang": "en-au", "voice": "male"}
    await call.data("POST", f"/v3/{channel}/send", {"messages": [sms(n, **extra) for n in (1, 2)]})
    q = "to:+61400000002,to:+61400000009"
    data = await call.data("GET", f"/v3/{channel}/history", q=q, operator="OR")
    assert [row["custom_string"] for row in data["data"]] == ["ref-2"]


@pytest.mark.parametrize(
    ("how", "given_back"),
    [("trim", "Ab C"), ("lower", "  ab c "), ("cut:3", "  A"), ("as_sent", "  Ab C ")],
)
async def test_refs_are_altered_wherever_they_come_back(
    call: Caller, sandbox: Sandbox, how: str, given_back: str
) -> None:
    sandbox.history = HistoryBehaviour(refs=how)
    (row,) = (await call.send(sms(custom_string="  Ab C ")))["messages"]
    assert row["custom_string"] == given_back
    assert await refs(call) == [given_back]
    assert sandbox.deliver(row["message_id"]).custom_string == given_back
    assert sandbox.receive("+61400000001", "Yes").custom_string == given_back
    # The sandbox itself still knows what was sent.
    assert sandbox.accepts("  Ab C ") == 1
    assert sandbox.messages[0].custom_string == "  Ab C "


@pytest.mark.parametrize(
    ("style", "written"),
    [("digits", "61400000001"), ("zeros", "0061400000001"), ("national", "0400000001")],
)
@pytest.mark.parametrize("replies", [True, False])
async def test_numbers_are_written_otherwise(
    call: Caller, sandbox: Sandbox, style: Any, written: str, *, replies: bool
) -> None:
    sandbox.history = HistoryBehaviour(numbers=style, replies=replies)
    (row,) = (await call.send(sms()))["messages"]
    assert row["to"] == (written if replies else "+61400000001")
    (row,) = (await call.data("GET", "/v3/sms/history", q="to:+61400000001"))["data"]
    assert row["to"] == written


def test_national_numbers() -> None:
    numbers = ["+61411111111", "+14155550100", "+447700900123", "+4915112345678"]
    assert [national(n) for n in numbers] == [
        "0411111111",
        "4155550100",
        "07700900123",
        "015112345678",
    ]


@pytest.mark.parametrize(
    ("style", "written"),
    [
        ("text", str(NOW)),
        ("us", "01/15/2027 08:00:00 AM"),
        ("iso", "2027-01-15T08:00:00Z"),
    ],
)
async def test_dates_are_written_otherwise(
    http: aiohttp.ClientSession, style: Any, written: str
) -> None:
    async with Sandbox(clock=Clock(), history=HistoryBehaviour(dates=style)) as sandbox:
        call = Caller(sandbox, http)
        (sent,) = (await call.send(sms()))["messages"]
        assert sent["date"] == NOW
        (row,) = (await call.data("GET", "/v3/sms/history"))["data"]
        assert (row["date"], row["schedule"]) == (written, written)


async def test_a_million_foreign_rows_stand_around_our_own(http: aiohttp.ClientSession) -> None:
    clock = Clock()
    many = HistoryBehaviour(foreign_rows=1_000_000)
    async with Sandbox(clock=clock, history=many, min_limit=1) as sandbox:
        call = Caller(sandbox, http)
        clock.now += 30
        await call.send(sms(1))
        clock.now += 270
        everything = await call.data("GET", "/v3/sms/history", limit=100)
        assert everything["total"] == 1_000_001
        window = {"date_from": NOW + 30, "date_to": NOW + 30}
        total = (await call.data("GET", "/v3/sms/history", **window))["total"]
        seen: list[str] = []
        for page in range(1, -(-total // 100) + 1):
            seen += await refs(call, limit=100, page=page, **window)
        assert len(seen) == len(set(seen)) == total > 1000
        assert seen.count("ref-1") == 1
        assert await refs(call, q="to:+61400000001,to:+61498000007", operator="OR") == [
            "other-7",
            "ref-1",
        ]
        assert await refs(call, q="to:+61400000001", order_by="date:desc") == ["ref-1"]
        last = await refs(call, order_by="date:desc", limit=1)
        assert last == ["other-999999"]
        assert len(sandbox.messages) == 1


@given(
    count=st.integers(0, 60),
    since=st.integers(NOW - 310, NOW + 310),
    length=st.integers(0, 600),
    now=st.integers(NOW - 10, NOW + 310),
)
def test_foreign_rows_are_those_a_scan_would_find(
    count: int, since: int, length: int, now: int
) -> None:
    foreign = Foreign(NOW, count)
    query = Query(since, since + length)
    rows = foreign.select(query, now)
    moments = [foreign.moment(place) for place in range(count)]
    assert moments == sorted(moments)
    assert list(rows.places) == [
        place
        for place, moment in enumerate(moments)
        if since <= moment <= since + length and moment <= now
    ]


@pytest.mark.parametrize("direction", ["asc", "desc"])
async def test_own_and_foreign_rows_share_one_order(
    http: aiohttp.ClientSession, direction: str
) -> None:
    clock = Clock()
    async with Sandbox(clock=clock, history=HistoryBehaviour(foreign_rows=40)) as sandbox:
        call = Caller(sandbox, http)
        for n in range(5):
            await call.send(sms(n))
            clock.now += 60
        query: dict[str, str | int] = {"order_by": f"date:{direction}", "limit": 100}
        rows = (await call.data("GET", "/v3/sms/history", **query))["data"]
        dates = [row["date"] for row in rows]
        assert dates == sorted(dates, reverse=direction == "desc")
        assert len(rows) == 45
        assert {f"ref-{n}" for n in range(5)} < {row["custom_string"] for row in rows}


async def test_an_endless_history_never_says_it_is_over(call: Caller, sandbox: Sandbox) -> None:
    await call.send(*[sms(n) for n in range(20)])
    sandbox.history = HistoryBehaviour(endless=True)
    for page in (1, 2, 7, 12_345):
        data = await call.data("GET", "/v3/sms/history", page=page, limit=100)
        assert data["last_page"] > page
        assert len(data["data"]) == 100


async def test_a_clock_put_back_does_not_hide_rows(http: aiohttp.ClientSession) -> None:
    clock = Clock()
    async with Sandbox(clock=clock) as sandbox:
        call = Caller(sandbox, http)
        await call.send(sms(1))
        clock.now -= 100
        await call.send(sms(2))
        assert await refs(call, date_from=NOW, date_to=NOW) == ["ref-1"]
        assert await refs(call, date_from=NOW - 100, date_to=NOW) == ["ref-2", "ref-1"]


@pytest.mark.parametrize(
    "wrong",
    [
        {"filter": "all"},
        {"refs": "cut:"},
        {"numbers": "us"},
        {"dates": "eu"},
        {"foreign_rows": -1},
    ],
)
def test_a_behaviour_that_does_not_exist_is_refused(wrong: dict[str, Any]) -> None:
    (name,) = wrong
    with pytest.raises(ValueError, match=name):
        HistoryBehaviour(**wrong)


async def test_the_behaviour_survives_a_reset(call: Caller, sandbox: Sandbox) -> None:
    sandbox.history = replace(sandbox.history, refs="lower")
    sandbox.reset()
    (row,) = (await call.send(sms(custom_string="AB")))["messages"]
    assert row["custom_string"] == "ab"


# Money


async def test_sends_are_charged_exactly(http: aiohttp.ClientSession) -> None:
    async with Sandbox(balance="10.00") as sandbox:
        call = Caller(sandbox, http)
        await call.send(sms(1), sms(2, body="x" * 161), sms(3, schedule=9_000_000_000))
        assert (sandbox.spent, sandbox.balance) == (Decimal("0.3080"), Decimal("9.6920"))
        await call.data("PUT", "/v3/sms/cancel-all")
        assert (sandbox.spent, sandbox.balance) == (Decimal("0.2310"), Decimal("9.7690"))
        assert (await call.data("GET", "/v3/account"))["balance"] == "9.769000"


async def test_a_price_changes_between_two_requests(call: Caller, sandbox: Sandbox) -> None:
    body = {"messages": [sms()]}
    before = await call.data("POST", "/v3/sms/price", body)
    sandbox.set_price("AU", "0.1234")
    after = await call.send(sms())
    assert (before["total_price"], after["total_price"]) == (0.077, 0.1234)
    assert after["messages"][0]["message_price"] == "0.1234"
    assert sandbox.spent == Decimal("0.1234")


async def test_credit_ends_in_the_middle_of_a_request(http: aiohttp.ClientSession) -> None:
    async with Sandbox(balance="0.20") as sandbox:
        rows = (await Caller(sandbox, http).send(sms(1), sms(2), sms(3)))["messages"]
        assert [row["status"] for row in rows] == ["SUCCESS", "SUCCESS", "INSUFFICIENT_CREDIT"]
        assert sandbox.balance == Decimal("0.0460")
        sandbox.balance = "5"
        assert sandbox.balance == 5


@pytest.mark.parametrize("amount", ["0.00001", "x", "NaN", "Infinity"])
def test_an_amount_that_is_none_is_refused(amount: str) -> None:
    with pytest.raises(ValueError, match="amount"):
        Sandbox().set_price("AU", amount)


async def test_the_currency_is_told_wherever_there_is_one(http: aiohttp.ClientSession) -> None:
    async with Sandbox(currency="JPY") as sandbox:
        call = Caller(sandbox, http)
        assert (await call.send(sms()))["_currency"]["currency_name_short"] == "JPY"
        account = await call.data("GET", "/v3/account")
        assert account["_currency"]["currency_name_long"] == "Japanese Yen"


async def test_numbers_on_the_reject_list_are_refused(http: aiohttp.ClientSession) -> None:
    async with Sandbox(reject={"+61400000002": "INVALID_SENDER_ID"}) as sandbox:
        rows = (await Caller(sandbox, http).send(sms(1), sms(2, to="0400000002")))["messages"]
        assert [row["status"] for row in rows] == ["SUCCESS", "INVALID_SENDER_ID"]
        assert [row.to for row in sandbox.messages] == ["+61400000001"]


@pytest.mark.parametrize("price", ["-0.05", "NaN", 0, None])
async def test_a_price_nobody_promised(call: Caller, sandbox: Sandbox, price: Any) -> None:
    sandbox.fail_next("odd-price", price=price)
    data = await call.send(sms())
    assert data.get("total_price") == price
    assert data["messages"][0].get("message_price") == price
    assert sandbox.spent == Decimal("0.077")


@pytest.mark.parametrize(("row", "words"), [(None, ["WAIT", "WAIT"]), (1, ["SUCCESS", "WAIT"])])
async def test_a_status_nobody_promised(
    call: Caller, sandbox: Sandbox, row: int | None, words: list[str]
) -> None:
    sandbox.fail_next("row-status", status="WAIT", row=row)
    rows = (await call.send(sms(1), sms(2)))["messages"]
    assert [one["status"] for one in rows] == words
    assert len(sandbox.messages) == 2
    assert json.dumps(sandbox.messages[0].status) == '"Sent"'
