"""What the API reports about senders and countries before a send is what the send does."""

from __future__ import annotations

from typing import Any

import aiohttp
import pytest

from aioclicksend.sandbox import Sandbox
from aioclicksend.sandbox.senders import sender_type

from .conftest import NOW, Caller, Clock, sms

US, AU = "+12025550123", "+61400000001"


async def statuses(call: Caller, *messages: dict[str, Any]) -> list[str]:
    return [row["status"] for row in (await call.send(*messages))["messages"]]


async def test_a_barred_sender_is_announced_and_refused(http: aiohttp.ClientSession) -> None:
    async with Sandbox(barred_senders={"US": ["alpha_tag", "shared_longcode"]}) as sandbox:
        call = Caller(sandbox, http)
        query = {
            "filter[product_type]": "SMS",
            "filter[country_code][0]": "US",
            "filter[country_code][1]": "AU",
        }
        us, au = (await call.data("GET", "/v3/senders/compliant-sender-types", **query))["data"]
        assert us["blocked_sender_types"] == ["alpha_tag", "shared_longcode"]
        assert "own_number" in [kind["sender_type"] for kind in us["allowed_sender_types"]]
        assert (au["recipient_country_code"], au["blocked_sender_types"]) == ("AU", [])
        restricted = {
            row["code"]: row["restricted_sending"]
            for row in await call.data("GET", "/v3/user-countries")
        }
        assert (restricted["US"], restricted["AU"]) == (True, False)
        messages = [
            sms(1, to=US, **{"from": "Shop"}),
            sms(2, to=US),
            sms(3, to=US, **{"from": "+12025550100"}),
            sms(4, **{"from": "Shop"}),
        ]
        body = {"messages": messages, "show_summary": True}
        countries = (await call.data("POST", "/v3/sms/price", body))["_summary"]["countries"]
        usable = {one["country"]["name"]: one["country"]["usable_sender_id"] for one in countries}
        assert usable == {"United States": False, "Australia": True}
        # The official SDK decodes this one strictly, though it is a number in /user-countries.
        assert all(one["country"]["regulation"]["trial_sending"] is False for one in countries)
        assert await statuses(call, *messages) == [
            "INVALID_SENDER_ID",
            "INVALID_SENDER_ID",
            "SUCCESS",
            "SUCCESS",
        ]


async def test_what_country_is_closed_takes_no_sender(http: aiohttp.ClientSession) -> None:
    async with Sandbox(countries=["AU"]) as sandbox:
        call = Caller(sandbox, http)
        query = {"filter[country_code][0]": "US"}
        (row,) = (await call.data("GET", "/v3/senders/compliant-sender-types", **query))["data"]
        assert row["allowed_sender_types"] == []
        assert [row["code"] for row in await call.data("GET", "/v3/user-countries")] == ["AU"]


async def test_an_unapproved_alpha_tag_is_replaced_in_australia(
    http: aiohttp.ClientSession,
) -> None:
    tags = {"Shop": "APPROVED", "Cafe": "PENDING"}
    async with Sandbox(alpha_tags=tags) as sandbox:
        call = Caller(sandbox, http)
        _, listed = await call("GET", "/v3/alpha-tags")
        assert {row["alpha_tag"]: row["status"] for row in listed["alpha_tags"]} == tags
        froms = ["Shop", "Cafe", "Club", "+61400000009"]
        messages = [sms(n, **{"from": sender}) for n, sender in enumerate(froms)]
        rows = (await call.send(*messages, sms(9, to=US, **{"from": "Cafe"})))["messages"]
        assert [row["from"] for row in rows] == [
            "Shop",
            "Unverified",
            "Unverified",
            "+61400000009",
            "Cafe",
        ]
        sandbox.reset()
        _, listed = await call("GET", "/v3/alpha-tags")
        assert len(listed["alpha_tags"]) == 2


async def test_alpha_tags_come_and_go(call: Caller) -> None:
    _, made = await call("POST", "/v3/alpha-tags", {"alpha_tag": "Shop", "reason": "my shop"})
    assert (made["status"], made["reason"], made["countries"]) == ("PENDING", "my shop", ["AU"])
    path = f"/v3/alpha-tags/{made['id']}"
    assert (await call("GET", path))[1] == made
    async with call.http.delete(
        call.sandbox.url + path, headers={"Authorization": "Basic c2FuZGJveDpzYW5kYm94"}
    ) as reply:
        assert (reply.status, await reply.read()) == (200, b"")
    assert (await call("GET", path))[0] == 404


async def test_a_trial_account_sends_so_many_a_day(http: aiohttp.ClientSession) -> None:
    clock = Clock()
    async with Sandbox(trial=2, clock=clock) as sandbox:
        call = Caller(sandbox, http)
        assert (await call.data("GET", "/v3/account"))["on_trial"] == 1
        rows = await call.data("GET", "/v3/user-countries")
        assert {row["trial_sending"] for row in rows} == {1}
        assert await statuses(call, *[sms(n) for n in range(3)]) == [
            "SUCCESS",
            "SUCCESS",
            "TOO_MANY_RECIPIENTS",
        ]
        assert await statuses(call, sms(4, to=US)) == ["SUCCESS"]
        clock.now = NOW + 86_400
        assert await statuses(call, sms(5)) == ["SUCCESS"]


@pytest.mark.parametrize(
    ("sender", "kind"),
    [
        ("", "shared_longcode"),
        ("Shop", "alpha_tag"),
        ("12345", "shortcode"),
        ("+61400000001", "own_number"),
        ("+61480000139", "longcode"),
    ],
)
async def test_the_type_of_a_sender(call: Caller, sender: str, kind: str) -> None:
    await call.data("POST", "/v3/numbers/buy/+61480000139")
    assert sender_type(call.sandbox._state, sender) == kind


def test_a_sender_type_that_does_not_exist_is_refused() -> None:
    with pytest.raises(ValueError, match="unknown sender type: alpha;"):
        Sandbox(barred_senders={"US": ["alpha"]})


async def test_time_zones_have_names(call: Caller) -> None:
    assert "Australia/Melbourne" in await call.data("GET", "/v3/timezones")


async def test_a_number_bought_is_ready(call: Caller) -> None:
    await call.data("POST", "/v3/numbers/buy/+61480000139")
    (row,) = (await call.data("GET", "/v3/numbers"))["data"]
    assert (row["status"]["value"], row["status"]["name"]) == (0, "Ready to use")


async def test_a_row_of_a_closed_country_lacks_what_the_live_row_lacks(call: Caller) -> None:
    (row,) = (await call.send(sms(to="+98912345678")))["messages"]
    assert row["status"] == "COUNTRY_NOT_ENABLED"
    assert not {"from_email", "list_id", "contact_id", "direction", "date"} & set(row)


async def test_strict_demands_what_only_the_description_demands(
    http: aiohttp.ClientSession,
) -> None:
    async with Sandbox(strict=True) as sandbox:
        call = Caller(sandbox, http)
        messages = [sms(1, voice="male"), sms(2, lang="en-au"), sms(3, lang="en-au", voice="male")]
        rows = (await call.data("POST", "/v3/voice/send", {"messages": messages}))["messages"]
        assert [row["status"] for row in rows] == ["INVALID_LANG", "INVALID_VOICE", "SUCCESS"]
