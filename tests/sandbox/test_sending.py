from __future__ import annotations

from typing import Any

import aiohttp
import pytest

from aioclicksend.sandbox import Sandbox

from .conftest import Caller, sms

ACCEPTED_KEYS = (
    "direction date to body from schedule message_id message_parts message_price from_email "
    "list_id custom_string contact_id user_id subaccount_id is_shared_system_number country "
    "carrier status"
)


async def test_an_accepted_row_has_the_live_keys(call: Caller, sandbox: Sandbox) -> None:
    data = await call.send(sms(1, schedule=0))
    (row,) = data["messages"]
    assert list(row) == ACCEPTED_KEYS.split()
    assert row["status"] == "SUCCESS"
    assert row["message_price"] == "0.0770"
    assert row["message_id"] == row["message_id"].upper()
    assert row["schedule"] == row["date"]
    assert data["total_price"] == 0.077
    assert (data["total_count"], data["queued_count"], data["blocked_count"]) == (1, 1, 0)
    assert sandbox.messages[0].to == row["to"] == sandbox.messages[0]["to"]
    assert sandbox.messages[0].from_ == row["from"]


async def test_a_row_for_nobody_keeps_few_keys(call: Caller, sandbox: Sandbox) -> None:
    data = await call.send(sms(to="+61000000000"))
    (row,) = data["messages"]
    assert set(row) == {
        "to",
        "body",
        "from",
        "schedule",
        "message_id",
        "custom_string",
        "is_shared_system_number",
        "status",
    }
    assert (row["status"], row["schedule"]) == ("INVALID_RECIPIENT", "")
    assert data["total_price"] == 0
    assert isinstance(data["total_price"], int)
    assert data["blocked_count"] == 0
    assert sandbox.messages == []
    assert [refused.status for refused in sandbox.rejected] == ["INVALID_RECIPIENT"]


async def test_a_blocked_country_is_counted(call: Caller) -> None:
    data = await call.send(sms(to="+5351234567"))
    (row,) = data["messages"]
    assert row["status"] == "COUNTRY_NOT_ENABLED"
    assert (row["message_parts"], row["message_price"]) == (0, "0.0000")
    assert not {"direction", "date", "user_id"} & set(row)
    assert data["blocked_count"] == 1


@pytest.mark.parametrize(
    ("change", "status"),
    [
        ({"to": "+0001234567"}, "INVALID_RECIPIENT"),
        ({"to": "+6141111"}, "INVALID_RECIPIENT"),
        ({"to": "+614111111111111"}, "INVALID_RECIPIENT"),
        ({"to": ""}, "INVALID_RECIPIENT"),
        ({"to": "somebody"}, "INVALID_RECIPIENT"),
        ({"body": ""}, "EMPTY_MESSAGE"),
        ({"from": "no spaces"}, "INVALID_SENDER_ID"),
        ({"from": "MuchTooLongName"}, "INVALID_SENDER_ID"),
        ({"schedule": "tomorrow"}, "INVALID_SCHEDULE"),
        ({"schedule": 1_900_000_000_000}, "INVALID_SCHEDULE"),
        ({"to": None, "list_id": 999}, "NOT_ENOUGH_PERMISSION_TO_LIST_ID"),
        ({"to": "0411 222 333"}, "SUCCESS"),
        ({"to": "61411222333"}, "SUCCESS"),
        ({"to": "(405) 555-1234", "country": "US"}, "SUCCESS"),
        ({"from": "Shop"}, "SUCCESS"),
    ],
)
async def test_the_verdict_stands_in_the_row(
    call: Caller, change: dict[str, Any], status: str
) -> None:
    data = await call.send(sms(**change))
    assert data["messages"][0]["status"] == status


async def test_local_numbers_take_the_country_given(call: Caller) -> None:
    rows = (await call.send(sms(to="07911 123456", country="GB"), sms(to="0411222333")))["messages"]
    assert [(row["to"], row["country"]) for row in rows] == [
        ("+447911123456", "GB"),
        ("+61411222333", "AU"),
    ]


async def test_a_test_number_is_free_and_complete_at_once(call: Caller, sandbox: Sandbox) -> None:
    data = await call.send(sms(to="+61411111111", schedule=9_000_000_000))
    row = data["messages"][0]
    assert (row["message_price"], row["message_parts"]) == ("0.0000", 0)
    assert sandbox.messages[0].status == "Completed"


@pytest.mark.parametrize(
    ("body", "parts"),
    [
        ("a" * 160, 1),
        ("a" * 161, 2),
        ("a" * 306, 2),
        ("a" * 307, 3),
        ("€" * 80, 1),
        ("€" * 81, 2),
        ("ж" * 70, 1),
        ("ж" * 71, 2),
        ("😀" * 35, 1),
        ("😀" * 36, 2),
        ("a" * 5000, 8),
    ],
)
async def test_parts_are_counted_and_paid(call: Caller, body: str, parts: int) -> None:
    row = (await call.send(sms(body=body)))["messages"][0]
    assert row["message_parts"] == parts
    assert row["message_price"] == f"{parts * 0.077:.4f}"


async def test_what_eight_parts_do_not_hold_is_cut(call: Caller) -> None:
    row = (await call.send(sms(body="a" * 5000)))["messages"][0]
    assert len(row["body"]) == 8 * 153


async def test_credit_runs_out_row_by_row(http: aiohttp.ClientSession) -> None:
    async with Sandbox(balance="0.16") as sandbox:
        call = Caller(sandbox, http)
        data = await call.send(sms(1), sms(2), sms(3), sms(4, to="+61411111111"))
        assert [row["status"] for row in data["messages"]] == [
            "SUCCESS",
            "SUCCESS",
            "INSUFFICIENT_CREDIT",
            "SUCCESS",
        ]
        assert (await call.data("GET", "/v3/account"))["balance"] == "0.006000"


async def test_price_accepts_nothing_and_costs_nothing(call: Caller, sandbox: Sandbox) -> None:
    data = await call.data(
        "POST", "/v3/sms/price", {"messages": [sms(1), sms(2, to="+1")], "show_summary": True}
    )
    accepted, refused = data["messages"]
    assert (accepted["status"], refused["status"]) == ("SUCCESS", "INVALID_RECIPIENT")
    assert not {"direction", "user_id", "subaccount_id"} & set(accepted)
    assert data["total_price"] == 0.077
    assert data["_summary"]["countries"][0]["country"]["receipient_count"] == 1
    assert sandbox.messages == []
    assert sandbox.rejected == []
    assert (await call.data("GET", "/v3/account"))["balance"] == "1000.000000"


async def test_a_thousand_pass_and_one_more_refuses_all(call: Caller, sandbox: Sandbox) -> None:
    status, envelope = await call(
        "POST", "/v3/sms/send", {"messages": [sms(n) for n in range(1001)]}
    )
    assert (status, envelope["response_code"]) == (400, "BAD_REQUEST")
    assert sandbox.messages == []
    assert (await call.send(*[sms(n) for n in range(1000)]))["queued_count"] == 1000


async def test_a_list_expands_to_its_contacts(call: Caller, sandbox: Sandbox) -> None:
    found = await call.data("POST", "/v3/lists", {"list_name": "friends"})
    path = f"/v3/lists/{found['list_id']}/contacts"
    for number in ("+61400000001", "+61400000002"):
        await call.data("POST", path, {"phone_number": number})
    await call.data("POST", path, {"email": "nobody@example.com"})
    data = await call.send({"list_id": found["list_id"], "body": "hi", "custom_string": "x"})
    assert [row["to"] for row in data["messages"]] == ["+61400000001", "+61400000002"]
    assert {row["list_id"] for row in data["messages"]} == {str(found["list_id"])}
    assert sandbox.accepts("x") == 2
    # The same reference for two people is no duplicate.
    assert sandbox.duplicates() == {}
    await call.send(sms(1, custom_string="x"))
    assert sandbox.duplicates() == {"x": 2}


@pytest.mark.parametrize("body", [None, [], {}, {"messages": []}, {"messages": ["x"]}])
async def test_a_malformed_body_is_a_400(call: Caller, body: Any) -> None:
    status, envelope = await call("POST", "/v3/sms/send", body)
    assert (status, envelope["response_code"]) == (400, "BAD_REQUEST")


async def test_a_nested_value_gets_the_number_400(call: Caller, sandbox: Sandbox) -> None:
    status, envelope = await call(
        "POST", "/v3/sms/send", {"messages": [sms(1), sms(2, body={"a": 1})]}
    )
    assert (status, envelope["response_code"]) == (400, 400)
    assert sandbox.messages == []


async def test_strict_names_the_unknown_field(http: aiohttp.ClientSession) -> None:
    async with Sandbox(strict=True) as sandbox:
        call = Caller(sandbox, http)
        for body, name in (
            ({"messages": [sms(colour="red")]}, "messages[0].colour"),
            ({"messages": [sms()], "colour": "red"}, "colour"),
        ):
            status, envelope = await call("POST", "/v3/sms/send", body)
            assert status == 400
            assert envelope["response_msg"].endswith(name)
        await call.send(sms())


async def test_the_throttle_is_off_unless_asked_for(call: Caller) -> None:
    rows = (await call.send(sms(1), sms(1)))["messages"]
    assert [row["status"] for row in rows] == ["SUCCESS", "SUCCESS"]
    async with Sandbox(throttle_window=60) as sandbox:
        rows = (await Caller(sandbox, call.http).send(sms(1), sms(1)))["messages"]
        assert [row["status"] for row in rows] == ["SUCCESS", "THROTTLED"]


async def test_countries_can_be_chosen(http: aiohttp.ClientSession) -> None:
    async with Sandbox(countries=["CU"]) as sandbox:
        rows = (await Caller(sandbox, http).send(sms(to="+5351234567"), sms()))["messages"]
        assert [row["status"] for row in rows] == ["SUCCESS", "COUNTRY_NOT_ENABLED"]


async def test_mms_takes_its_file_at_the_top_or_inside(call: Caller, sandbox: Sandbox) -> None:
    message = sms(subject="A subject longer than twenty", media_file="http://x/y.jpg")
    data = await call.data("POST", "/v3/mms/send", {"messages": [message]})
    assert data["messages"][0]["subject"] == "A subject longer than twenty"[:20]
    top = {"media_file": "http://x/z.jpg", "messages": [sms(2, subject="s"), sms(3)]}
    rows = (await call.data("POST", "/v3/mms/send", top))["messages"]
    assert rows[0]["_media_file_url"] == "http://x/z.jpg"
    assert rows[0]["schedule"] == ""
    assert rows[1]["status"] == "SUBJECT_REQUIRED"
    assert [record.channel for record in sandbox.messages] == ["mms", "mms"]


@pytest.mark.parametrize(
    ("lang", "voice", "status"),
    [
        ("en-au", "female", "SUCCESS"),
        ("pt-pt", "female", "INVALID_VOICE"),
        ("en-au", "Female", "INVALID_VOICE"),
        ("xx-xx", "female", "INVALID_LANG"),
        (None, None, "SUCCESS"),
        (None, "female", "SUCCESS"),
        ("pt-pt", None, "SUCCESS"),
    ],
)
async def test_voice_needs_a_language_and_a_voice_it_has(
    call: Caller, lang: str | None, voice: str | None, status: str
) -> None:
    body = {"messages": [sms(lang=lang, voice=voice)]}
    data = await call.data("POST", "/v3/voice/send", body)
    assert data["messages"][0]["status"] == status
    priced = await call.data("POST", "/v3/voice/price", body)
    assert priced["messages"][0]["status"] == status
