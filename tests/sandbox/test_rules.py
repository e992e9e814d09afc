from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import aiohttp
import pytest
import pytest_asyncio

from aioclicksend.sandbox import Sandbox

from .conftest import Caller, sms

RECEIPTS = {
    "rule_name": "poll",
    "match_type": 0,
    "action": "POLL",
    "action_address": "",
    "enabled": 1,
}
INBOUND = {
    "rule_name": "poll",
    "dedicated_number": "*",
    "message_search_type": 0,
    "message_search_term": "",
    "action": "POLL",
    "action_address": "",
    "enabled": 1,
}


@pytest_asyncio.fixture
async def ruled(http: aiohttp.ClientSession) -> AsyncIterator[Caller]:
    async with Sandbox(rules_required=True, strict=True) as sandbox:
        yield Caller(sandbox, http)


@pytest.mark.parametrize("channel", ["sms", "mms", "voice", "email", "fax"])
async def test_receipt_rules_come_change_and_go(ruled: Caller, channel: str) -> None:
    path = f"/v3/automations/{channel}/receipts"
    made = await ruled.data("POST", path, RECEIPTS)
    one = f"{path}/{made['receipt_rule_id']}"
    assert await ruled.data("GET", one) == made
    changed = await ruled.data("PUT", one, RECEIPTS | {"enabled": 0})
    assert (await ruled.data("GET", path))["data"] == [changed]
    assert changed == made | {"enabled": 0}
    assert await ruled.data("DELETE", one) == {"email": True, "voice": []}.get(channel)
    assert (await ruled("GET", one))[0] == 404


@pytest.mark.parametrize("channel", ["sms", "fax"])
async def test_inbound_rules_come_and_go(ruled: Caller, channel: str) -> None:
    extra = () if channel == "sms" else ("message_search_type", "message_search_term")
    body = {name: value for name, value in INBOUND.items() if name not in extra}
    path = f"/v3/automations/{channel}/inbound"
    made = await ruled.data("POST", path, body)
    assert (await ruled.data("GET", path))["data"] == [made]
    assert await ruled.data("DELETE", f"{path}/{made['inbound_rule_id']}") is None
    assert (await ruled.data("GET", path))["data"] == []


@pytest.mark.parametrize(
    "change", [{"action": "DANCE"}, {"enabled": 2}, {"match_type": 3}, {"rule_name": ""}, {"x": 1}]
)
async def test_a_rule_must_make_sense(ruled: Caller, change: dict[str, Any]) -> None:
    status, _ = await ruled("POST", "/v3/automations/sms/receipts", RECEIPTS | change)
    assert status == 400


async def listed(call: Caller, channel: str = "sms") -> int:
    sent = (await call.send(sms()))["messages"][0]
    before: int = (await call.data("GET", f"/v3/{channel}/receipts"))["total"]
    call.sandbox.deliver(sent["message_id"])
    after: int = (await call.data("GET", f"/v3/{channel}/receipts"))["total"]
    return after - before


async def test_receipts_are_listed_once_for_every_rule_that_polls(ruled: Caller) -> None:
    path = "/v3/automations/sms/receipts"
    assert await listed(ruled) == 0
    await ruled.data("POST", path, RECEIPTS | {"action": "URL", "action_address": "http://x"})
    await ruled.data("POST", path, RECEIPTS | {"enabled": 0})
    await ruled.data("POST", path, RECEIPTS | {"match_type": 1})
    assert await listed(ruled) == 0
    await ruled.data("POST", path, RECEIPTS | {"match_type": 2})
    assert await listed(ruled) == 1
    await ruled.data("POST", path, RECEIPTS)
    assert await listed(ruled) == 2


async def test_a_receipt_nobody_polls_is_not_kept(ruled: Caller) -> None:
    sent = (await ruled.send(sms()))["messages"][0]
    ruled.sandbox.deliver(sent["message_id"])
    assert (await ruled("GET", f"/v3/sms/receipts/{sent['message_id']}"))[0] == 404


@pytest.mark.parametrize(
    ("rule", "bodies"),
    [
        ({}, ["stop now", "please stop", "hello"]),
        ({"dedicated_number": "+61400000009"}, []),
        ({"message_search_type": 1, "message_search_term": "STOP"}, ["stop now"]),
        ({"message_search_type": 2, "message_search_term": "stop"}, ["stop now", "please stop"]),
        ({"message_search_type": 3, "message_search_term": "stop"}, ["hello"]),
    ],
)
async def test_inbound_rules_choose_by_number_and_body(
    ruled: Caller, rule: dict[str, Any], bodies: list[str]
) -> None:
    await ruled.data("POST", "/v3/automations/sms/inbound", INBOUND | rule)
    for body in ("stop now", "please stop", "hello"):
        ruled.sandbox.receive("+61400000001", body)
    pager = await ruled.data("GET", "/v3/sms/inbound")
    assert [row["body"] for row in pager["data"]] == bodies


async def test_only_the_first_ten_rules_fire(ruled: Caller) -> None:
    for _ in range(12):
        await ruled.data("POST", "/v3/automations/sms/inbound", INBOUND)
    row = ruled.sandbox.receive("+61400000001", "hello")
    assert (await ruled.data("GET", "/v3/sms/inbound"))["total"] == 10
    await ruled.data("PUT", f"/v3/sms/inbound-read/{row.message_id}")
    assert (await ruled.data("GET", "/v3/sms/inbound"))["total"] == 0


async def test_fax_receipts_are_polled_like_others(call: Caller) -> None:
    await call.data("POST", "/v3/fax/receipts", {"url": "poll"})
    (row,) = (await call.data("GET", "/v3/fax/receipts"))["data"]
    assert row["message_type"] == "fax"
    await call.data("PUT", "/v3/fax/receipts-read")
    assert (await call.data("GET", "/v3/fax/receipts"))["total"] == 0
