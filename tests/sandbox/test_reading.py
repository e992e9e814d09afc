from __future__ import annotations

from typing import Any

import aiohttp
import pytest

from aioclicksend.sandbox import Sandbox

from .conftest import NOW, Caller, Clock, sms


async def test_a_walk_ends_where_the_pager_says(call: Caller) -> None:
    await call.send(*[sms(n) for n in range(40)])
    pages = [await call.data("GET", "/v3/sms/history", page=n, limit=15) for n in (1, 2, 3, 4)]
    assert [len(page["data"]) for page in pages] == [15, 15, 10, 0]
    assert [(page["from"], page["to"]) for page in pages] == [
        (1, 15),
        (16, 30),
        (31, 40),
        (None,) * 2,
    ]
    assert {page["last_page"] for page in pages} == {3}
    assert pages[0]["prev_page_url"] is None
    assert pages[0]["next_page_url"] == "https://api.clicksend.com/v3/sms/history?page=2"
    assert pages[2]["next_page_url"] is None
    refs = [row["custom_string"] for page in pages for row in page["data"]]
    assert refs == [f"ref-{n}" for n in range(40)]


async def test_an_empty_list_has_no_last_page(call: Caller) -> None:
    data = await call.data("GET", "/v3/sms/inbound")
    assert (data["total"], data["last_page"], data["data"]) == (0, 0, [])
    assert (data["from"], data["to"], data["next_page_url"]) == (None, None, None)


@pytest.mark.parametrize(("limit", "given"), [(1, 15), (20, 20), (101, 100), (5000, 100)])
async def test_limits_are_clamped(call: Caller, limit: int, given: int) -> None:
    assert (await call.data("GET", "/v3/sms/history", limit=limit))["per_page"] == given
    assert (await call.data("GET", "/v3/sms/history"))["per_page"] == 15


async def test_small_pages_on_request(http: aiohttp.ClientSession) -> None:
    async with Sandbox(min_limit=1) as sandbox:
        data = await Caller(sandbox, http).data("GET", "/v3/sms/history", limit=2)
        assert data["per_page"] == 2


async def test_history_rows_have_their_odd_types(call: Caller) -> None:
    await call.send(sms())
    (row,) = (await call.data("GET", "/v3/sms/history"))["data"]
    assert isinstance(row["date"], int)
    assert row["schedule"] == str(row["date"])
    assert row["message_parts"] == 1
    assert (row["status"], row["status_code"]) == ("Sent", None)
    await call.data(
        "POST", "/v3/mms/send", {"media_file": "http://x", "messages": [sms(subject="s")]}
    )
    (row,) = (await call.data("GET", "/v3/mms/history"))["data"]
    assert row["message_parts"] == "1.00"
    assert isinstance(row["date"], str)


async def test_history_is_searched_and_sorted(call: Caller) -> None:
    await call.send(sms(1), sms(2, body="bye"), sms(3))

    async def refs(**query: str | int) -> list[str]:
        data = await call.data("GET", "/v3/sms/history", **query)
        return [row["custom_string"] for row in data["data"]]

    assert await refs(q="to:+61400000002") == ["ref-2"]
    assert await refs(q="to:+61400000002,status:SENT") == ["ref-2"]
    assert await refs(q="to:+61400000002,status:failed") == []
    assert await refs(q="to:+61400000002,to:+61400000003", operator="OR") == ["ref-2", "ref-3"]
    assert await refs(order_by="to:desc") == ["ref-3", "ref-2", "ref-1"]
    # The live API does not search by reference, so neither does this.
    assert await refs(q="custom_string:ref-2") == ["ref-1", "ref-2", "ref-3"]


async def test_dates_include_both_ends(http: aiohttp.ClientSession) -> None:
    clock = Clock()
    async with Sandbox(clock=clock) as sandbox:
        call = Caller(sandbox, http)
        for n in range(3):
            await call.send(sms(n))
            clock.now += 10
        for since, until, count in (
            (NOW, NOW + 20, 3),
            (NOW + 1, NOW + 19, 1),
            (NOW + 10, NOW + 10, 1),
        ):
            data = await call.data("GET", "/v3/sms/history", date_from=since, date_to=until)
            assert data["total"] == count


async def test_history_lags_behind_acceptance(http: aiohttp.ClientSession) -> None:
    clock = Clock()
    async with Sandbox(clock=clock, history_lag=5) as sandbox:
        call = Caller(sandbox, http)
        await call.send(sms())
        totals: list[int] = []
        for _ in range(3):
            totals.append((await call.data("GET", "/v3/sms/history"))["total"])
            clock.now += 3
        assert totals == [0, 0, 1]
        assert sandbox.accepts("ref-1") == 1


async def test_the_lag_of_history_is_changed_while_it_runs(call: Caller, sandbox: Sandbox) -> None:
    await call.send(sms())
    sandbox.history_lag = 60
    assert (await call.data("GET", "/v3/sms/history"))["total"] == 0
    sandbox.history_lag = 0
    assert (await call.data("GET", "/v3/sms/history"))["total"] == 1


async def test_listing_inbound_does_not_mark_it(call: Caller, sandbox: Sandbox) -> None:
    sent = (await call.send(sms()))["messages"][0]
    sandbox.receive("+61400000001", "Stop please")
    (row,) = (await call.data("GET", "/v3/sms/inbound"))["data"]
    assert (await call.data("GET", "/v3/sms/inbound"))["data"] == [row]
    assert (row["from"], row["body"], row["_keyword"]) == ("+61400000001", "Stop please", "Stop")
    assert (row["original_message_id"], row["custom_string"]) == (sent["message_id"], "ref-1")
    assert await call.data("PUT", f"/v3/sms/inbound-read/{row['message_id']}") == 1
    assert (await call.data("GET", "/v3/sms/inbound"))["total"] == 0
    again = await call.data("GET", f"/v3/sms/inbound/{sent['message_id']}")
    assert again["message_id"] == row["message_id"]
    rows = (await call.data("GET", "/v3/sms/history"))["data"]
    assert [(line["direction"], line["status"]) for line in rows] == [
        ("out", "Sent"),
        ("in", "Received"),
    ]


async def test_marking_stops_before_the_date_given(http: aiohttp.ClientSession) -> None:
    clock = Clock()
    async with Sandbox(clock=clock) as sandbox:
        call = Caller(sandbox, http)
        for body in ("one", "two"):
            sandbox.receive("+61400000001", body)
            clock.now += 1
        await call.data("PUT", "/v3/sms/inbound-read", {"date_before": NOW + 1})
        assert [row["body"] for row in (await call.data("GET", "/v3/sms/inbound"))["data"]] == [
            "two"
        ]
        await call.data("PUT", "/v3/sms/inbound-read")
        assert (await call.data("GET", "/v3/sms/inbound"))["data"] == []


async def test_receipts_are_listed_until_read(call: Caller, sandbox: Sandbox) -> None:
    sent = (await call.send(sms()))["messages"][0]
    path = f"/v3/sms/receipts/{sent['message_id']}"
    assert (await call("GET", path))[0] == 404
    sandbox.deliver(sent["message_id"], 301, 12)
    (row,) = (await call.data("GET", "/v3/sms/receipts"))["data"]
    assert (row["status_code"], row["error_code"], row["custom_string"]) == (301, 12, "ref-1")
    assert "status" not in row
    await call.data("PUT", "/v3/sms/receipts-read")
    assert (await call.data("GET", "/v3/sms/receipts"))["total"] == 0
    assert (await call.data("GET", path))["status_code"] == 301
    assert sandbox.messages[0].status == "Failed"


async def test_mms_and_voice_receipts_speak_in_text(call: Caller, sandbox: Sandbox) -> None:
    mms = {"media_file": "http://x", "messages": [sms(subject="s")]}
    await call.data("POST", "/v3/mms/send", mms)
    voice = {"messages": [sms(lang="en-au", voice="male")]}
    await call.data("POST", "/v3/voice/send", voice)
    for record in sandbox.messages:
        sandbox.deliver(record.message_id)
    (row,) = (await call.data("GET", "/v3/mms/receipts"))["data"]
    assert (row["status_code"], row["error_code"]) == ("Completed", "")
    (row,) = (await call.data("GET", "/v3/voice/receipts"))["data"]
    assert (row["status_code"], row["digits"]) == ("201", "")
    assert isinstance(row["timestamp"], str)


async def test_a_test_receipt_is_kept_only_for_polling(call: Caller) -> None:
    for url, total in (("https://example.com", 0), ("poll", 1)):
        await call.data("POST", "/v3/sms/receipts", {"url": url})
        await call.data("POST", "/v3/sms/inbound", {"url": url})
        assert (await call.data("GET", "/v3/sms/receipts"))["total"] == total
        assert (await call.data("GET", "/v3/sms/inbound"))["total"] == total


async def test_only_what_is_scheduled_is_cancelled_and_once(
    http: aiohttp.ClientSession,
) -> None:
    clock = Clock()
    async with Sandbox(clock=clock, balance="1.00") as sandbox:
        call = Caller(sandbox, http)
        rows = (await call.send(sms(1), sms(2, schedule=NOW + 9), sms(3, schedule=NOW + 9)))[
            "messages"
        ]
        assert [record.status for record in sandbox.messages] == ["Sent", "Scheduled", "Scheduled"]
        now, soon, later = (f"/v3/sms/{row['message_id']}/cancel" for row in rows)
        assert await call.data("PUT", soon) is None
        assert (await call.data("GET", "/v3/account"))["balance"] == "0.846000"
        clock.now += 10
        for path in (now, soon, later, "/v3/sms/unheard-of/cancel"):
            assert (await call("PUT", path))[0] == 404
        assert [record.status for record in sandbox.messages] == ["Sent", "Cancelled", "Sent"]


async def test_cancel_all_counts_and_minds_the_reference(call: Caller) -> None:
    later = 9_000_000_000
    await call.send(*[sms(n, schedule=later) for n in range(3)], sms(9))
    voice = {"messages": [sms(lang="en-au", voice="male", schedule=later)]}
    spoken = (await call.data("POST", "/v3/voice/send", voice))["messages"][0]
    assert await call.data("PUT", "/v3/sms/cancel-all", {"custom_string": "ref-1"}) == {"count": 1}
    assert await call.data("PUT", "/v3/sms/cancel-all") == {"count": 2}
    assert await call.data("PUT", "/v3/sms/cancel-all") == {"count": 0}
    assert await call.data("PUT", f"/v3/voice/{spoken['message_id']}/cancel") is None
    assert await call.data("PUT", "/v3/voice/cancel-all") == {"count": 0}


async def test_templates_come_and_go(call: Caller) -> None:
    fields = {"template_name": "hi", "body": "Hello"}
    made = await call.data("POST", "/v3/sms/templates", fields)
    path = f"/v3/sms/templates/{made['template_id']}"
    changed = await call.data("PUT", path, fields | {"body": "Bye"})
    assert changed == made | {"body": "Bye"}
    assert (await call.data("GET", "/v3/sms/templates"))["data"] == [changed]
    assert await call.data("DELETE", path) is None
    assert (await call("DELETE", path))[0] == 404
    assert (await call("POST", "/v3/sms/templates", {"body": "x"}))[0] == 400


async def test_the_odd_pager_of_templates(http: aiohttp.ClientSession) -> None:
    async with Sandbox(odd_templates=True) as sandbox:
        data: Any = await Caller(sandbox, http).data("GET", "/v3/sms/templates")
        assert data[0]["totlal"] == 0
        assert "total" not in data[0]
