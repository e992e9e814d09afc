from __future__ import annotations

from decimal import Decimal
from typing import Any

import aiohttp
import pytest

from aioclicksend.sandbox import Sandbox

from .conftest import NOW, Caller, Clock

ANN = {"phone_number": "+61400000001", "email": "ann@example.com", "first_name": "Ann"}
BEE = {"phone_number": "+61400000002", "email": "bee@example.com"}
NOBODY = {"phone_number": "12"}


def fields(kind: str, list_id: int, **more: Any) -> dict[str, Any]:
    media = {"subject": "hi", "media_file": "http://x/a.jpg"} if kind == "mms" else {}
    return {"list_id": list_id, "name": "spring", "from": "", "body": "Hi", **media, **more}


@pytest.mark.parametrize("kind", ["sms", "mms"])
async def test_a_campaign_sends_to_its_list_and_history_does_not_show_it(
    call: Caller, sandbox: Sandbox, kind: str
) -> None:
    list_id = await call.a_list(ANN, BEE, NOBODY)
    path = f"/v3/{kind}-campaigns"
    priced = await call.data("POST", path + "/price", fields(kind, list_id))
    assert (priced["total_count"], priced["data"]["body"]) == (2, "Hi")
    assert sandbox.messages == []
    made = await call.data("POST", path + "/send", fields(kind, list_id))
    assert (made["status"], made["_total_count"], made["_list_name"]) == ("Sent", 2, "friends")
    assert [record.to for record in sandbox.messages] == ["+61400000001", "+61400000002"]
    assert {record.campaign_id for record in sandbox.messages} == {made[f"{kind}_campaign_id"]}
    assert [row.status for row in sandbox.rejected] == ["INVALID_RECIPIENT"]
    assert (await call.data("GET", f"/v3/{kind}/history"))["total"] == 0
    left = Decimal((await call.data("GET", "/v3/account"))["balance"])
    assert left == 1000 - Decimal(priced["total_price"])
    assert await call.data("GET", f"{path}/{made[f'{kind}_campaign_id']}") == made


async def test_a_campaign_forgets_its_messages(http: aiohttp.ClientSession) -> None:
    async with Sandbox(keep=8) as sandbox:
        call = Caller(sandbox, http)
        body = fields("sms", await call.a_list(ANN, BEE))
        for _ in range(10):
            await call.data("POST", "/v3/sms-campaigns/send", body)
        held = sum(map(len, sandbox._state.campaigns.values()))
        assert 8 <= held <= len(sandbox.messages) <= 9


async def test_the_list_of_mms_campaigns_has_no_envelope(call: Caller) -> None:
    made = await call.data("POST", "/v3/mms-campaigns/send", fields("mms", await call.a_list(ANN)))
    assert (await call("GET", "/v3/mms-campaigns"))[1]["data"] == [made]


@pytest.mark.parametrize(("strict", "status"), [(False, 200), (True, 400)])
async def test_an_update_of_an_mms_campaign_may_leave_its_media_out(
    http: aiohttp.ClientSession, *, strict: bool, status: int
) -> None:
    async with Sandbox(strict=strict, clock=Clock()) as sandbox:
        call = Caller(sandbox, http)
        later = fields("mms", await call.a_list(ANN), schedule=NOW + 9)
        made = await call.data("POST", "/v3/mms-campaigns/send", later)
        path = f"/v3/mms-campaigns/{made['mms_campaign_id']}"
        bare = fields("sms", later["list_id"], schedule=NOW + 9, body="Bye")
        assert (await call("PUT", path, bare))[0] == status
        now = await call.data("GET", path)
        assert (now["subject"], now["_media_file_url"]) == ("hi", "http://x/a.jpg")
        assert now["body"] == ("Hi" if strict else "Bye")


async def test_sms_campaigns_are_searched(call: Caller) -> None:
    list_id = await call.a_list(ANN)
    for name in ("spring", "autumn"):
        await call.data("POST", "/v3/sms-campaigns/send", fields("sms", list_id, name=name))
    pager = await call.data("GET", "/v3/sms-campaigns", q="name:autumn,status:sent")
    assert [row["name"] for row in pager["data"]] == ["autumn"]


@pytest.mark.parametrize(
    ("change", "status", "code"),
    [
        ({"list_id": 9}, 404, "NOT_FOUND"),
        ({"body": ""}, 400, "BAD_REQUEST"),
        ({"schedule": "soon"}, 400, "INVALID_SCHEDULE"),
    ],
)
async def test_a_campaign_is_refused_as_a_whole(
    call: Caller, sandbox: Sandbox, change: dict[str, Any], status: int, code: str
) -> None:
    body = fields("sms", await call.a_list(ANN)) | change
    answer = await call("POST", "/v3/sms-campaigns/send", body)
    assert (answer[0], answer[1]["response_code"]) == (status, code)
    assert sandbox.messages == []


async def test_credit_must_suffice_for_the_whole_list(http: aiohttp.ClientSession) -> None:
    async with Sandbox(balance="0.10") as sandbox:
        call = Caller(sandbox, http)
        body = fields("sms", await call.a_list(ANN, BEE))
        answer = await call("POST", "/v3/sms-campaigns/send", body)
        assert answer[1]["response_code"] == "INSUFFICIENT_CREDIT"
        assert sandbox.messages == []


async def test_what_waits_is_changed_or_cancelled_and_paid_back(
    http: aiohttp.ClientSession,
) -> None:
    clock = Clock()
    async with Sandbox(clock=clock, balance="1.00") as sandbox:
        call = Caller(sandbox, http)
        list_id = await call.a_list(ANN, BEE)
        later = fields("sms", list_id, schedule=NOW + 9)
        ids = [
            (await call.data("POST", "/v3/sms-campaigns/send", later))["sms_campaign_id"]
            for _ in range(3)
        ]
        changed, cancelled, kept = (f"/v3/sms-campaigns/{number}" for number in ids)
        assert (await call.data("PUT", changed, later | {"body": "Bye"}))["body"] == "Bye"
        assert sorted(record.body for record in sandbox.messages) == ["Bye"] * 2 + ["Hi"] * 4
        assert (await call.data("PUT", cancelled + "/cancel"))["status"] == "Cancelled"
        assert (await call("PUT", cancelled + "/cancel"))[0] == 404
        assert (await call.data("GET", "/v3/account"))["balance"] == "0.692000"
        # A campaign is not cancelled message by message.
        assert await call.data("PUT", "/v3/sms/cancel-all") == {"count": 0}
        one = sandbox.messages[0].message_id
        assert (await call("PUT", f"/v3/sms/{one}/cancel"))[0] == 404
        clock.now += 10
        assert (await call.data("GET", kept))["status"] == "Sent"
        assert (await call("PUT", kept, later))[0] == 400
        assert (await call("PUT", kept + "/cancel"))[0] == 404
        statuses = sorted(record.status for record in sandbox.messages)
        assert statuses == ["Cancelled"] * 2 + ["Sent"] * 4


# Email


async def email_fields(call: Caller, **more: Any) -> dict[str, Any]:
    return {
        "name": "spring",
        "subject": "Hello",
        "body": "<p>Hi</p>",
        "from_name": "Shop",
        "from_email_address_id": await call.an_address(),
        "list_id": await call.a_list(ANN, BEE, {"phone_number": "+61400000003"}),
        **more,
    }


async def test_an_email_campaign_goes_to_those_with_an_address(
    call: Caller, sandbox: Sandbox
) -> None:
    body = await email_fields(call, custom_string="ref")
    priced = await call.data("POST", "/v3/email-campaigns/price", body)
    assert (priced["total_count"], priced["total_price"]) == (2, "0.0100")
    answer = await call.data("POST", "/v3/email-campaigns/send", body)
    assert (answer["totlal_count"], answer["data"]["send_count"]) == (2, 2)
    assert [record.to for record in sandbox.messages] == ["ann@example.com", "bee@example.com"]
    assert sandbox.accepts("ref") == 2
    assert (await call.data("GET", "/v3/email/history"))["total"] == 0
    path = f"/v3/email-campaigns/{answer['data']['email_campaign_id']}"
    rows = (await call.data("GET", path + "/history"))["data"]
    assert [(row["to_name"], row["status"]) for row in rows] == [("Ann", "Sent"), ("", "Sent")]
    url = (await call.data("GET", path + "/history/export"))["url"]
    assert (await call.fetch(url))[2].count(b"@example.com") == 4
    assert (await call.data("GET", "/v3/email-campaigns"))["data"] == [answer["data"]]


async def test_a_draft_is_sent_when_it_is_updated(call: Caller, sandbox: Sandbox) -> None:
    body = await email_fields(call)
    made = (await call.data("POST", "/v3/email-campaigns/send", body | {"draft": 1}))["data"]
    assert (made["status"], sandbox.messages) == ("Draft", [])
    path = f"/v3/email-campaigns/{made['email_campaign_id']}"
    assert (await call.data("PUT", path, body))["status"] == "Sent"
    assert len(sandbox.messages) == 2


async def test_a_waiting_email_campaign_is_cancelled(call: Caller, sandbox: Sandbox) -> None:
    body = await email_fields(call, schedule=9_000_000_000)
    made = (await call.data("POST", "/v3/email-campaigns/send", body))["data"]
    assert (made["status"], made["schedule"]) == ("Scheduled", "9000000000")
    path = f"/v3/email-campaigns/{made['email_campaign_id']}/cancel"
    assert (await call.data("PUT", path))["status"] == "Cancelled"
    assert {record.status for record in sandbox.messages} == {"Cancelled"}
    assert (await call.data("GET", "/v3/account"))["balance"] == "1000.000000"
