from __future__ import annotations

import asyncio
import errno
import json
import random
from collections.abc import Mapping
from typing import Any

import aiohttp
import pytest

from aioclicksend.sandbox import Arrival, Fault, Sandbox

from .conftest import Caller, sms

TWO = {"messages": [sms(1), sms(2)]}


async def post(
    call: Caller, body: Any = TWO, patience: float = 10
) -> tuple[int, bytes, Mapping[str, str]]:
    async with call.http.post(
        call.sandbox.url + "/v3/sms/send",
        json=body,
        headers={"Authorization": "Basic c2FuZGJveDpzYW5kYm94"},
        timeout=aiohttp.ClientTimeout(total=patience),
        allow_redirects=False,
    ) as reply:
        return reply.status, await reply.read(), reply.headers


async def test_refuse_429_is_the_live_refusal(call: Caller, sandbox: Sandbox) -> None:
    sandbox.fail_next("refuse-429", retry_after=20)
    status, body, headers = await post(call)
    assert status == 429
    assert json.loads(body) == {
        "http_code": 429,
        "response_code": "HTTP_TOO_MANY_REQUESTS",
        "response_msg": "Too many attempts.",
        "data": None,
    }
    assert headers["Retry-After"] == headers["ratelimit-reset"] == "20"
    assert headers["x-ratelimit-remaining"] == "0"
    assert sandbox.messages == []


@pytest.mark.parametrize(
    ("fault", "options", "status", "start", "accepted"),
    [
        ("error-before", {}, 500, b'{"http_code": 500', 0),
        ("error-before", {"status": 503, "html": True}, 503, b"<html>", 0),
        ("error-after", {}, 502, b"<html>", 2),
        ("error-after", {"status": 500, "html": False}, 500, b'{"http_code": 500', 2),
        ("garbage", {}, 200, b"<html>", 2),
        ("garbage-before", {}, 200, b"<html>", 0),
        ("empty", {}, 200, b"", 2),
        ("redirect", {}, 307, b"", 0),
        ("envelope-error", {}, 200, b'{"http_code": 500', 0),
        ("slow", {"delay": 0.01}, 200, b'{"http_code": 200', 2),
        ("status", {"status": 418, "body": "teapot"}, 418, b"teapot", 0),
        ("status", {"status": 413, "body": {"a": 1}}, 413, b'{"a": 1}', 0),
    ],
)
async def test_what_arrives_and_what_was_accepted(  # noqa: PLR0917
    call: Caller,
    sandbox: Sandbox,
    fault: str,
    options: dict[str, Any],
    status: int,
    start: bytes,
    accepted: int,
) -> None:
    sandbox.fail_next(fault, **options)
    got, body, _ = await post(call)
    assert got == status
    assert body.startswith(start)
    assert bool(body) == bool(start)
    assert len(sandbox.messages) == accepted
    assert [arrival.status for arrival in sandbox.requests] == [status]
    # Used up: the next one passes.
    assert (await post(call))[0] == 200


@pytest.mark.parametrize(("fault", "accepted"), [("reset-before", 0), ("reset-after", 2)])
async def test_a_reset_is_a_reset_on_the_wire(
    call: Caller, sandbox: Sandbox, fault: str, accepted: int
) -> None:
    sandbox.fail_next(fault)
    with pytest.raises(aiohttp.ClientOSError) as caught:
        await post(call)
    # A server that merely closed would show as ServerDisconnectedError, without a number.
    assert caught.value.errno == errno.ECONNRESET
    assert len(sandbox.messages) == accepted
    assert [arrival.status for arrival in sandbox.requests] == [0]


async def test_half_a_body_is_half_of_what_was_promised(call: Caller, sandbox: Sandbox) -> None:
    host, port = sandbox.url.removeprefix("http://").split(":")
    sandbox.fail_next(Fault.HALF_BODY)
    reader, writer = await asyncio.open_connection(host, int(port))
    body = json.dumps(TWO).encode()
    writer.write(
        b"POST /v3/sms/send HTTP/1.1\r\nHost: localhost\r\n"
        b"Authorization: Basic c2FuZGJveDpzYW5kYm94\r\n"
        b"Content-Length: %d\r\n\r\n%b" % (len(body), body)
    )
    head, _, got = (await reader.read()).partition(b"\r\n\r\n")
    writer.close()
    await writer.wait_closed()
    promised = next(
        int(line.split(b":")[1]) for line in head.split(b"\r\n") if b"Content-Length" in line
    )
    assert head.startswith(b"HTTP/1.1 200")
    assert len(got) == promised // 2
    assert len(sandbox.messages) == 2
    sandbox.fail_next(Fault.HALF_BODY)
    with pytest.raises(aiohttp.ClientPayloadError):
        await post(call)


@pytest.mark.parametrize(("fault", "accepted"), [("hang-before", 0), ("hang-after", 2)])
async def test_a_hang_never_answers(
    call: Caller, sandbox: Sandbox, fault: str, accepted: int
) -> None:
    sandbox.fail_next(fault)
    with pytest.raises(TimeoutError):
        await post(call, patience=0.1)
    assert len(sandbox.messages) == accepted


async def test_a_redirect_leads_to_another_path_here(call: Caller, sandbox: Sandbox) -> None:
    sandbox.fail_next("redirect")
    _, _, headers = await post(call)
    assert headers["Location"] == "/redirected/v3/sms/send"
    assert (await call("POST", headers["Location"]))[0] == 404


async def test_rows_are_shuffled_lost_and_doubled(call: Caller, sandbox: Sandbox) -> None:
    async def refs() -> list[str]:
        rows = json.loads((await post(call))[1])["data"]["messages"]
        return [row["custom_string"] for row in rows]

    sandbox.fail_next("shuffle-rows")
    assert await refs() == ["ref-2", "ref-1"]
    sandbox.fail_next("missing-row")
    assert await refs() == ["ref-2"]
    sandbox.fail_next("missing-row", row=1)
    assert await refs() == ["ref-1"]
    sandbox.fail_next("duplicate-row")
    assert await refs() == ["ref-1", "ref-1", "ref-2"]
    assert len(sandbox.messages) == 8


async def test_an_odd_row_was_accepted_all_the_same(call: Caller, sandbox: Sandbox) -> None:
    sandbox.fail_next("odd-row", row=1)
    rows = json.loads((await post(call))[1])["data"]["messages"]
    assert rows[1]["custom_string"] == "ref-2"
    assert (rows[1]["message_price"], rows[1]["message_parts"]) == (0.077, "1.00")
    assert (rows[1]["message_id"], rows[1]["schedule"]) == (None, "")
    assert sandbox.accepts("ref-2") == 1


async def test_faults_pick_their_request(call: Caller, sandbox: Sandbox) -> None:
    sandbox.fail_next("error-before", path="/v3/sms/*", method="post", times=2)
    sandbox.fail_next("error-before", path="countries")
    assert (await call("GET", "/v3/sms/history"))[0] == 200
    assert (await call("GET", "/v3/account"))[0] == 200
    assert (await call("GET", "/v3/countries"))[0] == 500
    assert [(await post(call))[0] for _ in range(3)] == [500, 500, 200]


async def test_a_wrong_fault_or_option_is_said_at_once(sandbox: Sandbox) -> None:
    with pytest.raises(ValueError, match="no-such"):
        sandbox.fail_next("no-such")
    with pytest.raises(TypeError, match="delay"):
        sandbox.fail_next("empty", delay=1)


async def test_a_storm_is_chosen_request_by_request(call: Caller, sandbox: Sandbox) -> None:
    dice = random.Random(7)
    seen: list[str] = []

    def chooser(arrival: Arrival) -> Fault | None:
        seen.append(arrival.path)
        return dice.choice([None, Fault.ERROR_BEFORE, Fault.ERROR_AFTER])

    sandbox.fail_every(chooser)
    statuses = {(await post(call))[0] for _ in range(12)}
    assert statuses == {200, 500, 502}
    assert seen == ["/v3/sms/send"] * 12
    sandbox.fail_every(None)
    assert (await post(call))[0] == 200


async def test_a_chosen_fault_may_carry_options(call: Caller, sandbox: Sandbox) -> None:
    sandbox.fail_every(lambda _arrival: (Fault.REFUSE_429, {"retry_after": 7}))
    status, _, headers = await post(call)
    assert (status, headers["Retry-After"]) == (429, "7")
    sandbox.fail_every(lambda _arrival: (Fault.ERROR_BEFORE, {"status": 503}))
    assert (await post(call))[0] == 503


async def test_every_arrival_is_remembered_without_its_key(call: Caller, sandbox: Sandbox) -> None:
    await post(call)
    await call("GET", "/v3/sms/history", page=2)
    first, second = sandbox.requests
    assert (first.method, first.path, first.status) == ("POST", "/v3/sms/send", 200)
    assert json.loads(first.body) == TWO
    assert second.query == {"page": "2"}
    assert "Host" in first.headers
    assert "Authorization" not in first.headers
    assert second.at >= first.at


async def test_reset_forgets_all_but_the_port(call: Caller, sandbox: Sandbox) -> None:
    url = sandbox.url
    await post(call)
    sandbox.fail_next("error-before")
    sandbox.reset()
    assert (sandbox.messages, sandbox.requests, sandbox.url) == ([], [], url)
    assert sandbox.accepts("ref-1") == 0
    assert (await post(call))[0] == 200
