"""Automation rules with the action URL call the application's webhook."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Any
from urllib.parse import parse_qsl

import aiohttp
import pytest
import pytest_asyncio
from aiohttp import web

from aioclicksend.sandbox import PushBehaviour, Sandbox
from aioclicksend.sandbox.pushes import may_call

from .conftest import Caller, sms

QUICK = PushBehaviour(backoff=0.01)


class Hook:
    """An application's webhook on loopback that remembers its calls."""

    def __init__(self) -> None:
        self.calls: list[tuple[str, str, str, bytes]] = []
        self.statuses: list[int] = []
        self.hang = asyncio.Event()
        self.hang.set()
        self.url = ""

    async def handle(self, request: web.Request) -> web.Response:
        body = await request.read()
        self.calls.append((request.method, request.content_type, request.query_string, body))
        status = self.statuses.pop(0) if self.statuses else 200
        await self.hang.wait()
        return web.Response(status=status)

    def fields(self, at: int = -1) -> dict[str, Any]:
        _, kind, query, body = self.calls[at]
        if kind == "application/json":
            content: dict[str, Any] = json.loads(body)
            return content
        return dict(parse_qsl(query or body.decode(), keep_blank_values=True))

    async def called(self, times: int) -> None:
        async with asyncio.timeout(10):
            while len(self.calls) < times:
                await asyncio.sleep(0.005)


@pytest_asyncio.fixture
async def hook() -> AsyncIterator[Hook]:
    made = Hook()
    app = web.Application()
    app.router.add_route("*", "/{path:.*}", made.handle)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    made.url = f"http://127.0.0.1:{runner.addresses[0][1]}/clicksend/secret"
    yield made
    made.hang.set()
    await runner.cleanup()


async def inbound_rule(call: Caller, url: str, **changes: Any) -> int:
    rule = {
        "dedicated_number": "*",
        "rule_name": "r",
        "message_search_type": 0,
        "message_search_term": "",
        "action": "URL",
        "action_address": url,
        "enabled": 1,
        **changes,
    }
    made: int = (await call.data("POST", "/v3/automations/sms/inbound", rule))["inbound_rule_id"]
    return made


async def receipt_rule(call: Caller, url: str, channel: str = "sms", **changes: Any) -> None:
    rule = {
        "rule_name": "r",
        "match_type": 0,
        "action": "URL",
        "action_address": url,
        "enabled": 1,
        **changes,
    }
    await call.data("POST", f"/v3/automations/{channel}/receipts", rule)


async def done(sandbox: Sandbox, state: str = "delivered") -> None:
    async with asyncio.timeout(10):
        while any(push["state"] == "waiting" for push in sandbox.pushes):
            await asyncio.sleep(0.005)
    assert {push["state"] for push in sandbox.pushes} == {state}


@pytest.mark.parametrize(
    ("webhook", "method", "kind"),
    [
        ("post", "POST", "application/x-www-form-urlencoded"),
        ("get", "GET", "application/octet-stream"),
        ("json", "POST", "application/json"),
    ],
)
async def test_a_reply_is_pushed_in_each_format(  # noqa: PLR0917
    call: Caller, sandbox: Sandbox, hook: Hook, webhook: str, method: str, kind: str
) -> None:
    await inbound_rule(call, hook.url, webhook_type=webhook)
    await call.send(sms(1, **{"from": "+61411000000"}))
    row = sandbox.receive("+61400000001", "Yes & no 🎉")
    await hook.called(1)
    assert hook.calls[0][:2] == (method, kind)
    fields = hook.fields()
    assert fields["body"] == fields["message"] == "Yes & no 🎉"
    assert (fields["from"], fields["to"]) == ("+61400000001", "+61411000000")
    assert fields["message_id"] == row["message_id"]
    assert fields["custom_string"] == fields["customstring"] == "ref-1"
    assert fields["original_message_id"] == fields["originalmessageid"]
    assert fields["original_body"] == fields["originalmessage"] == "hello"
    number = int if webhook == "json" else str
    for name in ("timestamp", "user_id", "subaccount_id"):
        assert isinstance(fields[name], number)
    await done(sandbox)


async def test_a_receipt_is_pushed_as_a_form(call: Caller, sandbox: Sandbox, hook: Hook) -> None:
    await receipt_rule(call, hook.url)
    await call.send(sms())
    sandbox.deliver(sandbox.messages[0].message_id, 301, 12)
    await hook.called(1)
    assert hook.calls[0][:2] == ("POST", "application/x-www-form-urlencoded")
    fields = hook.fields()
    assert fields["message_id"] == fields["messageid"] == sandbox.messages[0].message_id
    assert (fields["status_code"], fields["error_code"]) == ("301", "12")
    assert (fields["status"], fields["message_type"]) == ("Undelivered", "sms")
    assert fields["customstring"] == "ref-1"
    assert "digits" not in fields


@pytest.mark.parametrize("format_", ["query", "json"])
async def test_receipts_take_other_formats_on_request(
    call: Caller, sandbox: Sandbox, hook: Hook, format_: Any
) -> None:
    sandbox.push = replace(QUICK, receipt_format=format_)
    await receipt_rule(call, hook.url)
    await call.send(sms())
    sandbox.deliver(sandbox.messages[0].message_id)
    await hook.called(1)
    assert hook.fields()["status"] == "Delivered"


async def test_a_key_pressed_in_a_call_is_pushed(
    call: Caller, sandbox: Sandbox, hook: Hook
) -> None:
    await receipt_rule(call, hook.url, "voice")
    await call.data("POST", "/v3/voice/send", {"messages": [sms()]})
    sandbox.deliver(sandbox.messages[0].message_id, digits="1")
    await hook.called(1)
    assert (hook.fields()["digits"], hook.fields()["message_type"]) == ("1", "voice")


async def test_only_rules_that_match_fire(call: Caller, sandbox: Sandbox, hook: Hook) -> None:
    await inbound_rule(call, hook.url, enabled=0)
    await inbound_rule(call, hook.url, action="POLL")
    await inbound_rule(call, hook.url, dedicated_number="+61499999999")
    await inbound_rule(call, hook.url, message_search_type=1, message_search_term="stop")
    await receipt_rule(call, hook.url, match_type=1)
    await call.send(sms())
    sandbox.deliver(sandbox.messages[0].message_id)
    sandbox.receive("+61400000001", "hello")
    sandbox.receive("+61400000001", "STOP it")
    await done(sandbox)
    assert [hook.fields(n)["body"] for n in range(len(hook.calls))] == ["STOP it"]


async def test_ten_rules_fire_at_most(call: Caller, sandbox: Sandbox, hook: Hook) -> None:
    for _ in range(12):
        await inbound_rule(call, hook.url)
    sandbox.receive("+61400000001", "hello")
    await done(sandbox)
    assert len(hook.calls) == 10


async def test_a_push_is_tried_until_it_is_answered(
    call: Caller, sandbox: Sandbox, hook: Hook
) -> None:
    sandbox.push = QUICK
    hook.statuses = [500, 404, 301, 204]
    await inbound_rule(call, hook.url)
    sandbox.receive("+61400000001", "hello")
    await hook.called(5)
    await done(sandbox)
    assert sandbox.pushes[0]["attempts"] == [500, 404, 301, 204, 200]
    assert len({hook.fields(n)["message_id"] for n in range(5)}) == 1


async def test_a_push_is_given_up_in_the_end(call: Caller, sandbox: Sandbox) -> None:
    sandbox.push = replace(QUICK, attempts=3)
    await inbound_rule(call, "http://127.0.0.1:9/closed")
    sandbox.receive("+61400000001", "hello")
    await done(sandbox, "failed")
    assert sandbox.pushes[0]["attempts"] == ["ClientConnectorError"] * 3


async def test_a_hanging_application_holds_nobody_else(
    call: Caller, sandbox: Sandbox, hook: Hook
) -> None:
    sandbox.push = replace(QUICK, timeout=0.05, attempts=2)
    hook.hang.clear()
    await inbound_rule(call, hook.url)
    sandbox.receive("+61400000001", "hello")
    await done(sandbox, "failed")
    assert sandbox.pushes[0]["attempts"] == ["no answer in time"] * 2


async def test_pushes_are_repeated_and_disordered(
    call: Caller, sandbox: Sandbox, hook: Hook
) -> None:
    await inbound_rule(call, hook.url)
    sandbox.push = replace(QUICK, repeat=3)
    sandbox.receive("+61400000001", "hello")
    await hook.called(3)
    await done(sandbox)
    assert [hook.fields(n)["body"] for n in range(3)] == ["hello"] * 3
    hook.calls.clear()
    sandbox.push = replace(QUICK, delay=0.2, disorder=True)
    for body in "abc":
        sandbox.receive("+61400000001", body)
    await hook.called(3)
    assert [hook.fields(n)["body"] for n in range(3)] == ["c", "b", "a"]


async def test_pushes_keep_their_order_by_default(
    call: Caller, sandbox: Sandbox, hook: Hook
) -> None:
    await inbound_rule(call, hook.url)
    for n in range(30):
        sandbox.receive("+61400000001", str(n))
    await hook.called(30)
    assert [hook.fields(n)["body"] for n in range(30)] == [str(n) for n in range(30)]


@pytest.mark.parametrize(
    "url",
    [
        "http://example.com/",
        "http://192.168.0.1/",
        "http://x.localhost/",
        "http://127.0.0.1.evil.example/",
        "ftp://127.0.0.1/",
        "file:///etc/passwd",
        "not an address",
        "http://[::1",
    ],
)
async def test_only_loopback_is_called(call: Caller, sandbox: Sandbox, url: str) -> None:
    await inbound_rule(call, url)
    sandbox.receive("+61400000001", "hello")
    (push,) = sandbox.pushes
    assert push["state"] == "refused"


def test_any_address_is_called_on_request() -> None:
    assert may_call("https://example.com/hook", anywhere=True)
    assert not may_call("file:///etc/passwd", anywhere=True)
    assert may_call("http://localhost:3000/", anywhere=False)
    assert may_call("http://[::1]:3000/", anywhere=False)


async def test_a_redirect_is_not_followed(call: Caller, sandbox: Sandbox, hook: Hook) -> None:
    sandbox.push = replace(QUICK, attempts=1)
    hook.statuses = [302]
    await inbound_rule(call, hook.url)
    sandbox.receive("+61400000001", "hello")
    await done(sandbox, "failed")
    assert len(hook.calls) == 1


@pytest.mark.parametrize("path", ["/v3/sms/inbound", "/v3/sms/receipts", "/v3/voice/receipts"])
async def test_a_test_item_is_pushed_to_its_address(
    call: Caller, sandbox: Sandbox, hook: Hook, path: str
) -> None:
    made = await call.data("POST", path, {"url": hook.url})
    await done(sandbox)
    assert hook.fields()["message_id"] == made["message_id"]
    assert hook.fields()["custom_string"] == ""
    if "inbound" in path:
        assert {"timestamp_send", "original_message_id", "original_body"} <= made.keys()
    # It is no item to poll.
    assert (await call.data("GET", path))["total"] == 0


async def test_a_sandbox_that_stops_lets_go_of_its_pushes(
    http: aiohttp.ClientSession, hook: Hook
) -> None:
    before = asyncio.all_tasks()
    hook.hang.clear()
    async with Sandbox() as sandbox:
        await inbound_rule(Caller(sandbox, http), hook.url)
        sandbox.receive("+61400000001", "hello")
        await hook.called(1)
    hook.hang.set()
    await asyncio.sleep(0.05)
    assert asyncio.all_tasks() <= before


@pytest.mark.parametrize(
    "wrong",
    [{"attempts": 0}, {"repeat": 0}, {"backoff": -1}, {"timeout": 0}, {"receipt_format": "x"}],
)
def test_a_behaviour_that_does_not_exist_is_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="must be"):
        PushBehaviour(**wrong)
