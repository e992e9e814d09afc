"""The control API: what a test in any language needs over HTTP, and the same in Python."""

from __future__ import annotations

import asyncio
import io
import json
import time
from collections.abc import AsyncGenerator, Sequence
from typing import Any

import aiohttp
import pytest
import pytest_asyncio

from aioclicksend.sandbox import Sandbox
from aioclicksend.sandbox.control import OPERATIONS
from aioclicksend.sandbox.openapi import document
from aioclicksend.sandbox.records import Record
from aioclicksend.sandbox.requests import RequestLog
from aioclicksend.sandbox.selection import Selection

from .conftest import NOW, Caller, Clock, basic, sms


class Control:
    """The control API of one sandbox, without credentials."""

    def __init__(self, sandbox: Sandbox, http: aiohttp.ClientSession) -> None:
        self.url, self.http = sandbox.url, http

    async def __call__(
        self, method: str, path: str, body: Any = None, /, **query: Any
    ) -> tuple[int, Any]:
        headers = {} if method == "GET" else {"Content-Type": "application/json"}
        data = None if body is None else json.dumps(body)
        async with self.http.request(
            method, f"{self.url}/_sandbox{path}", data=data, params=query, headers=headers
        ) as reply:
            return reply.status, await reply.json()

    async def ok(self, method: str, path: str, body: Any = None, /, **query: Any) -> Any:
        status, content = await self(method, path, body, **query)
        assert status == 200, content
        return content


@pytest_asyncio.fixture
async def control(sandbox: Sandbox, http: aiohttp.ClientSession) -> Control:
    return Control(sandbox, http)


async def test_the_index_lists_every_operation(control: Control) -> None:
    index = await control.ok("GET", "")
    assert index["url"] == control.url
    assert await control.ok("GET", "/health") == {"status": "ok"}
    listed = {tuple(line.split(" ")) for line in index["operations"]}
    assert listed == OPERATIONS


async def test_openapi_describes_every_operation(control: Control) -> None:
    assert await control.ok("GET", "/openapi.json") == document()
    described = {
        (method.upper(), path)
        for path, operations in document()["paths"].items()
        for method in operations
    }
    assert described == OPERATIONS
    known = document()["components"]["schemas"]
    refs = json.dumps(document()).split('"#/components/schemas/')[1:]
    assert {ref.partition('"')[0] for ref in refs} <= known.keys()


async def test_messages_are_shown_in_order(call: Caller, control: Control) -> None:
    await call.send(sms(1), sms(2, body="Ünïcödé 🎉" * 10))
    answer = await control.ok("GET", "/messages")
    first, second = answer["messages"]
    assert answer["total"] == 2
    assert (first["to"], first["body"], first["custom_string"]) == (
        "+61400000001",
        "hello",
        "ref-1",
    )
    assert (first["parts"], first["encoding"], first["price"]) == (1, "GSM-7", "0.0770")
    assert (second["parts"], second["encoding"]) == (2, "UCS-2")
    assert (first["status"], first["direction"], first["channel"]) == ("Sent", "out", "sms")


async def test_messages_are_selected(call: Caller, control: Control) -> None:
    rows = (await call.send(sms(1), sms(2, body="Your CODE is 123456")))["messages"]
    await call.data("POST", "/v3/voice/send", {"messages": [sms(1, body="spoken")]})
    for query, bodies in (
        ({"to": "+61400000001"}, ["hello", "spoken"]),
        ({"to": " 61400000001"}, ["hello", "spoken"]),
        ({"to": "0400000001", "channel": "voice"}, ["spoken"]),
        ({"body": "code"}, ["Your CODE is 123456"]),
        ({"since": rows[0]["message_id"]}, ["Your CODE is 123456", "spoken"]),
        ({"since": "1000"}, ["hello", "Your CODE is 123456", "spoken"]),
        ({"since": "9000000000"}, []),
        ({"limit": "1"}, ["spoken"]),
        ({"to": "+61400000009"}, []),
    ):
        answer = await control.ok("GET", "/messages", **query)
        assert [row["body"] for row in answer["messages"]] == bodies, query


async def test_waiting_ends_with_the_message(call: Caller, control: Control) -> None:
    waiting = asyncio.create_task(control.ok("GET", "/messages", to="+61400000002", wait="30"))
    while not call.sandbox.events._subscriptions:
        await asyncio.sleep(0.005)
    await call.send(sms(1))
    assert not waiting.done()
    await call.send(sms(2, body="Your code: 98-76"), sms(2, body="Code 445566"))
    messages = (await waiting)["messages"]
    assert [row["code"] for row in messages] == [None, "445566"]


async def test_waiting_for_a_code_passes_over_what_has_none(call: Caller, control: Control) -> None:
    await call.send(sms(1, body="Welcome!"))
    query = {"to": "+61400000001", "code": "true", "wait": "30"}
    waiting = asyncio.create_task(control.ok("GET", "/messages", **query))
    while not call.sandbox.events._subscriptions:
        await asyncio.sleep(0.005)
    await call.send(sms(1, body="Almost there"), sms(1, body="Your code is 4711"))
    (message,) = (await waiting)["messages"]
    assert message["code"] == "4711"


async def test_a_waiting_test_looks_at_each_message_once(
    call: Caller, sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    looked: list[int] = []
    select = Selection.of

    def counted(self: Selection, rows: Sequence[Record], number: str = "to") -> list[Record]:
        looked.append(len(rows))
        return select(self, rows, number)

    monkeypatch.setattr(Selection, "of", counted)
    await call.send(*[sms(n) for n in range(50)])
    waiting = asyncio.create_task(sandbox.wait_for(to="+61400000099", timeout=30))
    for n in range(50, 60):
        await call.send(sms(n))
    assert sum(looked) == 60
    # What is left after forgetting is another list, and is looked at as a whole.
    sandbox.delete(to="+61400000001")
    await call.send(sms(99, body="found"))
    assert (await waiting).body == "found"


async def test_an_expired_wait_is_an_empty_list(control: Control) -> None:
    assert await control.ok("GET", "/messages", wait="0.05") == {"messages": [], "total": 0}


async def test_a_waiter_that_leaves_is_forgotten(sandbox: Sandbox, control: Control) -> None:
    waiting = asyncio.create_task(control.ok("GET", "/messages", wait="30"))
    while not sandbox.events._subscriptions:
        await asyncio.sleep(0.005)
    started = time.monotonic()
    await sandbox.stop()
    assert time.monotonic() - started < 1
    assert not sandbox.events._subscriptions
    with pytest.raises(aiohttp.ClientError):
        await waiting


async def test_a_reply_answers_the_last_message(call: Caller, control: Control) -> None:
    row = (await call.send(sms(1, **{"from": "Shop"})))["messages"][0]
    heard = await control.ok("POST", "/inbound", {"from": "+61400000001", "body": "STOP"})
    assert (heard["to"], heard["original_message_id"]) == ("Shop", row["message_id"])
    heard = await control.ok(
        "POST", "/inbound", {"from": "+61400000001", "body": "Hi", "to": "+61400000099"}
    )
    assert heard["to"] == "+61400000099"
    # As a person would write the number.
    heard = await control.ok("POST", "/inbound", {"from": "0400 000 001", "body": "local"})
    assert (heard["from"], heard["to"]) == ("+61400000001", "Shop")
    answer = await control.ok("GET", "/messages", direction="all", to="+61400000001")
    assert [row["body"] for row in answer["messages"]] == ["hello", "STOP", "Hi", "local"]
    assert (await call.data("GET", "/v3/sms/inbound"))["total"] == 3


@pytest.mark.parametrize(
    ("body", "status", "code"),
    [(None, "Completed", 201), ({"status_code": 301, "error_code": 12}, "Failed", 301)],
)
async def test_a_receipt_is_made(
    call: Caller, control: Control, body: Any, status: str, code: int
) -> None:
    message_id = (await call.send(sms()))["messages"][0]["message_id"]
    receipt = await control.ok("POST", f"/messages/{message_id}/deliver", body)
    assert receipt["status_code"] == code
    assert call.sandbox.messages[0].status == status
    (row,) = (await call.data("GET", "/v3/sms/receipts"))["data"]
    assert row["message_id"] == message_id


async def test_a_key_pressed_in_a_call(call: Caller, control: Control) -> None:
    await call.data("POST", "/v3/voice/send", {"messages": [sms()]})
    path = f"/messages/{call.sandbox.messages[0].message_id}/deliver"
    assert (await control.ok("POST", path, {"digits": "1"}))["digits"] == "1"


async def test_faults_are_lined_up_and_cleared(call: Caller, control: Control) -> None:
    fault = {"fault": "refuse-429", "times": 2, "path": "/v3/sms/send", "retry_after": 7}
    (listed,) = (await control.ok("POST", "/faults", fault))["faults"]
    assert listed == fault | {"method": None}
    assert (await call("POST", "/v3/sms/send", {"messages": [sms()]}))[0] == 429
    assert call.headers["Retry-After"] == "7"
    assert (await control.ok("GET", "/faults"))["faults"][0]["times"] == 1
    assert await control.ok("DELETE", "/faults") == {"deleted": 1}
    assert (await call("POST", "/v3/sms/send", {"messages": [sms()]}))[0] == 200


async def test_requests_are_listed_without_the_key(call: Caller, control: Control) -> None:
    await call.send(sms())
    await call("GET", "/v3/account")
    answer = await control.ok("GET", "/requests", path="sms/send")
    (row,) = answer["requests"]
    assert (row["method"], row["status"]) == ("POST", 200)
    assert json.loads(row["body"])["messages"][0]["body"] == "hello"
    assert (answer["total"], answer["forgotten"]) == (1, 0)
    # What is asked of the control API is no request of the application.
    assert (await control.ok("GET", "/requests"))["total"] == 2
    assert "authorization" not in json.dumps(answer).lower()


async def test_messages_are_deleted(call: Caller, control: Control) -> None:
    await call.send(sms(1), sms(2), sms(2))
    call.sandbox.receive("+61400000002", "Hi")
    assert await control.ok("DELETE", "/messages", to="+61400000002") == {"deleted": 3}
    assert [row.to for row in call.sandbox.messages] == ["+61400000001"]
    assert call.sandbox.accepts("ref-2") == 0
    assert (await call.data("GET", "/v3/sms/history"))["total"] == 1
    assert (await call.data("GET", "/v3/sms/inbound"))["total"] == 0
    assert await control.ok("DELETE", "/messages") == {"deleted": 1}
    assert await control.ok("GET", "/messages") == {"messages": [], "total": 0}


async def test_reset_forgets_all_but_the_settings(call: Caller, control: Control) -> None:
    await call.send(sms())
    await control.ok("POST", "/faults", {"fault": "empty"})
    await control.ok("PUT", "/settings", {"latency": 0.001})
    assert await control.ok("POST", "/reset") == {"reset": True}
    assert (await control.ok("GET", "/messages"))["messages"] == []
    assert (await control.ok("GET", "/faults"))["faults"] == []
    assert (await control.ok("GET", "/requests"))["requests"] == []
    assert (await control.ok("GET", "/settings"))["latency"] == 0.001


async def test_settings_are_changed_all_or_none(call: Caller, control: Control) -> None:
    before = await control.ok("GET", "/settings")
    changes = {
        "balance": "5.00",
        "rate_limit": [100, 1],
        "auto_deliver": 0.5,
        "history": {"refs": "lower"},
        "push": {"attempts": 2, "backoff": 0},
        "prices": {"sms": {"AU": "0.05"}},
        "reject": {"0400000009": "INVALID_RECIPIENT"},
        "disabled_countries": ["US"],
        "barred_senders": {"GB": ["alpha_tag"]},
        "trial": 3,
        "strict": True,
        "history_lag": 0,
    }
    after = await control.ok("PUT", "/settings", changes)
    assert after.keys() == before.keys()
    assert after["history"] == before["history"] | {"refs": "lower"}
    assert after["push"] == before["push"] | {"attempts": 2, "backoff": 0}
    assert after["prices"] == {"sms": {"AU": "0.0500"}}
    assert after["reject"] == {"+61400000009": "INVALID_RECIPIENT"}
    assert after == after | {
        name: changes[name]
        for name in changes
        if name not in {"history", "push", "prices", "balance", "reject"}
    }
    assert (await call.send(sms()))["total_price"] == 0.05
    assert (await control.ok("GET", "/settings"))["balance"] == "4.950000"
    status, _ = await control("PUT", "/settings", {"latency": 1, "strict": "yes"})
    assert status == 400
    assert (await control.ok("GET", "/settings"))["latency"] == 0
    # What is shown can be set again.
    assert await control.ok("PUT", "/settings", before) == before


@pytest.mark.parametrize(
    ("method", "path", "body", "status", "said"),
    [
        ("GET", "/nowhere", None, 404, "no GET"),
        ("POST", "/health", None, 405, "no POST"),
        ("GET", "/messages?wait=x", None, 400, "wait"),
        ("GET", "/messages?wait=1e9", None, 400, "wait"),
        ("GET", "/messages?limit=-1", None, 400, "limit"),
        ("GET", "/messages?code=1", None, 400, "code"),
        ("GET", "/messages?direction=up", None, 400, "direction"),
        ("POST", "/inbound", {}, 400, "from"),
        ("POST", "/inbound", {"from": "+61400000001"}, 400, "body"),
        ("POST", "/inbound", {"from": 1, "body": "x"}, 400, "from"),
        ("POST", "/inbound", {"from": "1", "body": "x", "form": "1"}, 400, "form"),
        ("POST", "/messages/none/deliver", {}, 404, "id"),
        ("POST", "/messages/none/deliver", {"status_code": 999}, 400, "status_code"),
        ("POST", "/messages/none/deliver", {"error_code": "12"}, 400, "error_code"),
        ("POST", "/faults", {}, 400, "fault"),
        ("POST", "/faults", {"fault": "no-such"}, 400, "no-such"),
        ("POST", "/faults", {"fault": "empty", "times": 0}, 400, "times"),
        ("POST", "/faults", {"fault": "empty", "delay": 1}, 400, "delay"),
        ("POST", "/faults", {"fault": "slow", "delay": "1"}, 400, "delay"),
        ("POST", "/faults", {"fault": "error-before", "status": 42}, 400, "status"),
        ("POST", "/faults", {"fault": "row-status", "status": 1}, 400, "status"),
        ("POST", "/faults", {"fault": "error-after", "html": 1}, 400, "html"),
        ("POST", "/faults", {"fault": "missing-row", "row": None}, 400, "row"),
        ("POST", "/faults", {"fault": "refuse-429", "retry_after": "7"}, 400, "retry_after"),
        ("POST", "/faults", {"fault": "redirect", "location": "/\r\nx: y"}, 400, "location"),
        ("POST", "/faults", {"fault": "status", "headers": {"x": 1}}, 400, "headers"),
        ("POST", "/faults", {"fault": "status", "body": 5}, 400, "body"),
        ("GET", "/messages?too=1", None, 400, "too"),
        ("DELETE", "/messages?too=1", None, 400, "too"),
        ("PUT", "/settings", {"latency": float("nan")}, 400, "JSON"),
        ("PUT", "/settings", {"push": {"delay": 1e12}}, 400, "push.delay"),
        ("PUT", "/settings", {"rate_limit": [True, 1]}, 400, "rate_limit"),
        ("PUT", "/settings", {"lag": 1}, 400, "lag"),
        ("PUT", "/settings", {"latency": -1}, 400, "latency"),
        ("PUT", "/settings", {"latency": "1"}, 400, "latency"),
        ("PUT", "/settings", {"rate_limit": [1]}, 400, "rate_limit"),
        ("PUT", "/settings", {"rate_limit": "10/1"}, 400, "rate_limit"),
        ("PUT", "/settings", {"balance": "NaN"}, 400, "amount"),
        ("PUT", "/settings", {"history": {"refs": "cut"}}, 400, "refs"),
        ("PUT", "/settings", {"history": {"lag": 1}}, 400, "history.lag"),
        ("PUT", "/settings", {"push": {"attempts": 0}}, 400, "attempts"),
        ("PUT", "/settings", {"push": {"attempts": "2"}}, 400, "push.attempts"),
        ("PUT", "/settings", {"disabled_countries": ["XX"]}, 400, "XX"),
        ("PUT", "/settings", {"barred_senders": {"US": ["alpha"]}}, 400, "alpha"),
        ("PUT", "/settings", {"push_anywhere": True}, 400, "push_anywhere"),
        ("POST", "/reset", [], 400, "object"),
    ],
)
async def test_bad_input_is_explained(  # noqa: PLR0917
    control: Control, method: str, path: str, body: Any, status: int, said: str
) -> None:
    path, _, query = path.partition("?")
    pairs = dict([query.split("=")]) if query else {}
    got, content = await control(method, path, body, **pairs)
    assert got == status
    assert said in content["error"]


# Safety


async def test_a_form_of_a_web_page_does_nothing(sandbox: Sandbox, control: Control) -> None:
    kinds = (None, "text/plain", "application/x-www-form-urlencoded", "multipart/form-data")
    for kind in kinds:
        for method, path in sorted(OPERATIONS):
            if method == "GET":
                continue
            url = control.url + path.replace("{message_id}", "x")
            headers = {"Content-Type": kind} if kind else {}
            async with control.http.request(
                method,
                url,
                data=b'{"from":"+61400000001","body":"x","fault":"empty"}',
                headers=headers,
                skip_auto_headers=["Content-Type"],
            ) as reply:
                assert reply.status == 415, (kind, method, path)
    assert (sandbox.inbound, sandbox.faults) == ([], [])


@pytest.mark.parametrize(
    ("host", "status"),
    [
        ("localhost", 200),
        ("localhost:8080", 200),
        ("127.0.0.1:1", 200),
        ("[::1]:8080", 200),
        ("evil.example", 403),
        ("evil.localhost", 403),
        ("192.168.1.5:8080", 403),
        ("localhost.evil.example", 403),
        ("", 403),
    ],
)
async def test_only_the_sandbox_host_is_served(control: Control, host: str, status: int) -> None:
    for path in ("/_sandbox/messages", "/", "/v3/countries"):
        async with control.http.get(control.url + path, headers={"Host": host}) as reply:
            assert reply.status == status, path


async def test_more_hosts_are_allowed_by_name(http: aiohttp.ClientSession) -> None:
    async with Sandbox(allow_hosts=["sms.test"]) as sandbox:
        for host, status in (("sms.test:80", 200), ("other.test", 403)):
            headers = {"Host": host}
            async with http.get(sandbox.url + "/_sandbox/health", headers=headers) as reply:
                assert reply.status == status


async def test_a_web_page_sends_nothing_even_with_the_login(
    sandbox: Sandbox, http: aiohttp.ClientSession
) -> None:
    # As a form whose action is http://sandbox:sandbox@127.0.0.1/… and whose type is text/plain.
    login = basic("sandbox", "sandbox") | {"Content-Type": "text/plain"}
    body = json.dumps({"messages": [sms()]})
    for origin, status in (
        ({"Origin": "https://evil.example"}, 403),
        ({"Origin": "null"}, 403),
        ({"Origin": "http://127.0.0.1:1"}, 403),
        ({"Origin": sandbox.url}, 200),
        ({}, 200),
    ):
        url = sandbox.url + "/v3/sms/send"
        async with http.post(url, data=body, headers=login | origin) as reply:
            assert reply.status == status, origin
    assert len(sandbox.messages) == len(sandbox.requests) == 2


async def test_remote_hosts_need_leave(http: aiohttp.ClientSession) -> None:
    with pytest.raises(ValueError, match="allow_remote"):
        Sandbox(host="0.0.0.0")  # noqa: S104
    async with Sandbox(host="0.0.0.0", allow_remote=True) as sandbox:  # noqa: S104
        assert sandbox.url.startswith("http://127.0.0.1:")
        for host, status in (("10.1.2.3:8080", 200), ("evil.example", 403)):
            headers = {"Host": host}
            async with http.get(sandbox.url + "/_sandbox/health", headers=headers) as reply:
                assert reply.status == status


async def test_a_stranger_leaves_nothing_behind(
    sandbox: Sandbox, http: aiohttp.ClientSession
) -> None:
    sandbox.fail_next("reset-before", times=5)
    for headers in ({}, basic("sandbox", "wrong")):
        for path in ("/v3/sms/send", "/clicksend/v3/sms/send", "/connections"):
            async with http.post(sandbox.url + path, data=b"x" * 100_000, headers=headers) as reply:
                assert reply.status == 401
    assert [arrival.body for arrival in sandbox.requests] == [b""] * 6
    assert sandbox.faults[0].left == 5


@pytest.mark.parametrize("path", ["/v3/sms/send", "/v3/lists", "/v3/uploads", "/v3/short-url"])
async def test_deep_json_is_400(sandbox: Sandbox, http: aiohttp.ClientSession, path: str) -> None:
    body = b"[" * 200_000 + b"]" * 200_000
    headers = basic("sandbox", "sandbox")
    async with http.post(sandbox.url + path, data=body, headers=headers) as reply:
        assert reply.status in {400, 404}
    headers = {"Content-Type": "application/json"}
    url = sandbox.url + "/_sandbox/reset"
    async with http.post(url, data=body, headers=headers) as reply:
        assert reply.status == 400


async def test_a_body_has_its_bounds(sandbox: Sandbox, http: aiohttp.ClientSession) -> None:
    url = sandbox.url + "/v3/forgot-password"
    async with http.put(url, data=b"x" * 100_000) as reply:
        assert reply.status == 413
    headers = {"Content-Type": "application/json"}
    async with http.post(
        sandbox.url + "/_sandbox/reset", data=io.BytesIO(b" " * 2_000_000), headers=headers
    ) as reply:
        assert reply.status == 413


def test_the_oldest_requests_are_forgotten() -> None:
    from aioclicksend.sandbox import Arrival  # noqa: PLC0415

    log = RequestLog(most=100, most_bytes=1000)
    for n in range(250):
        log.add(Arrival("GET", f"/{n}", {}, {}, b"x" * 10, 0.0))
    assert len(log.arrivals) <= 100
    assert log.arrivals[-1].path == "/249"
    assert len(log.arrivals) + log.forgotten == 250
    log.add(Arrival("GET", "/big", {}, {}, b"x" * 5000, 0.0))
    assert log.arrivals == []


async def test_the_oldest_messages_are_forgotten_on_request(http: aiohttp.ClientSession) -> None:
    async with Sandbox(keep=20) as sandbox:
        call = Caller(sandbox, http)
        for start in range(0, 100, 10):
            await call.send(*[sms(n) for n in range(start, start + 10)])
        assert 20 <= len(sandbox.messages) <= 23
        assert sandbox.messages[-1].custom_string == "ref-99"
        assert sandbox.duplicates() == {}
        # What was refused and what came in are bounded as well.
        await call.send(*[sms(n, to="+0") for n in range(100)])
        for n in range(100):
            sandbox.receive("+61400000001", f"reply {n}")
        assert 20 <= len(sandbox.rejected) <= 23
        assert sandbox.rejected[-1].custom_string == "ref-99"
        assert 20 <= len(sandbox.inbound) <= 23
        assert sandbox.inbound[-1].body == "reply 99"
        assert len(sandbox._state.inbound.all) <= 23
        assert len(sandbox.messages) >= 20


# Events


async def read_events(
    http: aiohttp.ClientSession, sandbox: Sandbox
) -> AsyncGenerator[tuple[str, Any], None]:
    async with http.get(sandbox.url + "/_sandbox/events") as reply:
        assert reply.content_type == "text/event-stream"
        kind = ""
        async for line in reply.content:
            name, _, value = line.decode().strip().partition(": ")
            if name == "event":
                kind = value
            elif name == "data":
                yield kind, json.loads(value)


async def test_events_follow_what_happens(
    sandbox: Sandbox, call: Caller, http: aiohttp.ClientSession
) -> None:
    events = read_events(http, sandbox)
    first = asyncio.ensure_future(anext(events))
    while not sandbox.events._subscriptions:
        await asyncio.sleep(0.005)
    await call.send(sms())
    kind, data = await first
    assert (kind, data["body"]) == ("message", "hello")
    kind, data = await anext(events)
    assert (kind, data["path"], data["status"]) == ("request", "/v3/sms/send", 200)
    sandbox.receive("+61400000001", "Hi")
    assert (await anext(events))[1]["direction"] == "in"
    sandbox.deliver(sandbox.messages[0].message_id)
    assert (await anext(events))[1]["status"] == "Completed"
    sandbox.fail_next("empty")
    assert (await anext(events))[0] == "faults"
    sandbox.reset()
    assert (await anext(events))[0] == "reload"
    await events.aclose()


async def test_a_slow_reader_is_asked_to_reload(sandbox: Sandbox, call: Caller) -> None:
    with sandbox.events.subscribe() as subscription:
        await call.send(*[sms(n) for n in range(600)])
        await asyncio.sleep(0)
        assert subscription.qsize() < 501
        assert (await subscription.get()).kind == "reload"


# The same in Python


async def test_wait_for_returns_the_last_message(call: Caller, sandbox: Sandbox) -> None:
    waiting = asyncio.create_task(sandbox.wait_for(to="0400 000 002", body="HELLO"))
    await call.send(sms(1), sms(2), sms(2, custom_string="last"))
    assert (await waiting).custom_string == "last"
    assert (await sandbox.wait_for(channel="sms")).custom_string == "last"


async def test_wait_for_says_what_never_came(sandbox: Sandbox) -> None:
    with pytest.raises(TimeoutError, match="61400000001"):
        await sandbox.wait_for(to="+61400000001", timeout=0.01)
    with pytest.raises(TimeoutError, match="code"):
        await sandbox.code(timeout=0.01)
    with pytest.raises(TypeError, match="number"):
        await sandbox.wait_for(number="+61400000001")


async def test_a_code_is_read_from_the_last_message_with_one(
    call: Caller, sandbox: Sandbox
) -> None:
    await call.send(
        sms(1, body="Code: 111111"), sms(1, body="Your code is 222 333"), sms(1, body="Welcome!")
    )
    assert await sandbox.code(to="+61400000001") == "222333"
    later = sandbox.messages[1].message_id
    waiting = asyncio.create_task(sandbox.code(to="+61400000001", since=later))
    await asyncio.sleep(0)
    await call.send(sms(1, body="G-445566 is your code"))
    assert await waiting == "445566"


async def test_environ_names_what_the_client_reads(sandbox: Sandbox) -> None:
    assert sandbox.environ == {
        "CLICKSEND_USERNAME": "sandbox",
        "CLICKSEND_API_KEY": "sandbox",
        "CLICKSEND_BASE_URL": sandbox.url,
    }
    assert sandbox.maton_environ["CLICKSEND_BASE_URL"] == f"{sandbox.url}/clicksend"


async def test_receipts_come_by_themselves(http: aiohttp.ClientSession) -> None:
    clock = Clock()
    async with Sandbox(clock=clock, auto_deliver=5) as sandbox:
        call = Caller(sandbox, http)
        await call.send(sms(1), sms(2, to="+61411111111"), sms(3, schedule=NOW + 10))
        clock.now += 4
        assert [row.status for row in sandbox.messages] == ["Sent", "Completed", "Scheduled"]
        clock.now += 1
        assert [row.status for row in sandbox.messages] == ["Completed", "Completed", "Scheduled"]
        clock.now += 5
        assert sandbox.messages[2].status == "Sent"
        clock.now += 5
        assert sandbox.messages[2].status == "Completed"
        # Test numbers give no receipt. [live notes]
        assert (await call.data("GET", "/v3/sms/receipts"))["total"] == 2


async def test_receipts_come_without_any_request(http: aiohttp.ClientSession) -> None:
    async with Sandbox(auto_deliver=0.01) as sandbox:
        await Caller(sandbox, http).send(sms())
        with sandbox.events.subscribe() as subscription:
            event = await asyncio.wait_for(subscription.get(), 5)
            while event.kind != "message":
                event = await asyncio.wait_for(subscription.get(), 5)
        assert event.data["status"] == "Completed"
