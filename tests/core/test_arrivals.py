"""How often a request arrives, and what the caller is told, for every way it can fail.

The promise on trial: only what provably did not arrive, was refused unread, or does nothing is ever
sent twice.
"""

from __future__ import annotations

import asyncio
import gzip
import re
import socket
from collections.abc import Mapping
from typing import Any

import aiohttp
import pytest
from aiohttp.abc import AbstractResolver, ResolveResult

import aioclicksend as ac
from aioclicksend import RateLimit, Retry, Timeout

from ..hostile import Arrival, Hostile, Line, Script, data_for, envelope, refused_url
from .helpers import AT_ONCE, CALLS, MESSAGE, REF, REPEATABLE, client_of, failure_of

ATTEMPTS = AT_ONCE.attempts

kinds = pytest.mark.parametrize("kind", CALLS)


def assert_not_sent(error: ac.ClickSendError, kind: str, because: str) -> None:
    operation, _ = CALLS[kind]
    assert type(error) is ac.NotSentError
    assert str(error) == f"{operation}: {because}; nothing was sent"


def assert_unknown(error: ac.ClickSendError, kind: str, because: str) -> None:
    """Check the error of a call without a verdict."""
    operation, _ = CALLS[kind]
    assert type(error) is ac.UnknownOutcomeError
    assert re.match(rf"{re.escape(operation)}( \d+ [A-Z_]+)?: ", str(error))
    assert because in str(error)
    assert error.refs == ((REF,) if kind.startswith("POST") else ())
    assert ("may or may not have been carried out" in str(error)) == (kind not in REPEATABLE)


# Nothing left


@kinds
async def test_a_refused_connection_is_not_sent(kind: str) -> None:
    _, call = CALLS[kind]
    async with refused_url() as url, client_of(url) as client:
        assert_not_sent(await failure_of(call(client)), kind, "the connection was refused")


class Lost(AbstractResolver):
    """A resolver that finds nothing."""

    asked = 0

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        self.asked += 1
        raise OSError(f"{host}:{port} ({family}): name or service not known")

    async def close(self) -> None:
        """Have nothing to close."""


@kinds
async def test_a_name_that_is_not_found_is_not_sent(kind: str) -> None:
    _, call = CALLS[kind]
    resolver = Lost()
    connector = aiohttp.TCPConnector(resolver=resolver)
    async with (
        aiohttp.ClientSession(connector=connector) as http,
        client_of("https://rest.clicksend.example", http=http) as client,
    ):
        assert_not_sent(await failure_of(call(client)), kind, "the host name was not found")
    assert resolver.asked == ATTEMPTS


@kinds
async def test_a_server_without_tls_gets_nothing(kind: str) -> None:
    _, call = CALLS[kind]
    async with Hostile(greet=lambda it: it.write(b"HTTP/1.1 400 No\r\n\r\n")) as server:
        async with client_of(server.tls_url) as client:
            assert_not_sent(await failure_of(call(client)), kind, "TLS failed")
    assert (server.lines, server.arrivals) == (ATTEMPTS, [])


@kinds
async def test_a_handshake_that_never_ends_is_not_sent(kind: str) -> None:
    _, call = CALLS[kind]
    timeout = Timeout(connect=0.03)
    async with Hostile(greet=Line.hang) as server:
        async with client_of(server.tls_url, timeout=timeout) as client:
            assert_not_sent(await failure_of(call(client)), kind, "no connection within 0.03 s")
        await server.until_all_closed()
    assert (server.lines, server.arrivals) == (ATTEMPTS, [])


@kinds
async def test_a_call_that_waits_for_a_free_connection_too_long_is_not_sent(kind: str) -> None:
    _, call = CALLS[kind]
    async with (
        Hostile() as server,
        aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=1)) as http,
        client_of(server.url, http=http, timeout=Timeout(pool=0.03)) as client,
    ):
        server.script = lambda line, _: line.hang()
        blocker = asyncio.create_task(client.account.get())
        await server.until_arrivals(1)
        assert_not_sent(await failure_of(call(client)), kind, "no free connection within 0.03 s")
        blocker.cancel()
        await asyncio.wait([blocker])
        assert len(server.arrivals) == 1


# No verdict


async def reset(line: Line, _arrival: Arrival) -> None:
    line.reset()


async def close(line: Line, _arrival: Arrival) -> None:
    line.writer.close()


async def half_a_head(line: Line, _arrival: Arrival) -> None:
    await line.write(b"HTTP/1.1 200 OK\r\nContent-Le")
    line.writer.close()


async def half_a_body(line: Line, arrival: Arrival) -> None:
    await line.reply(200, envelope(data_for(arrival)), length=100_000)
    line.writer.close()


async def half_a_chunk(line: Line, _arrival: Arrival) -> None:
    head = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
    await line.write(head, b'40\r\n{"http_code":200,"data":{}}')
    line.writer.close()


async def no_http(line: Line, _arrival: Arrival) -> None:
    await line.write(b"SSH-2.0-OpenSSH_9.2\r\n")
    line.writer.close()


async def no_gzip(line: Line, _arrival: Arrival) -> None:
    await line.reply(200, b"this was never compressed", {"Content-Encoding": "gzip"})


async def cut_gzip(line: Line, _arrival: Arrival) -> None:
    body = gzip.compress(b'{"http_code":200,"data":{}}' * 50)
    await line.reply(200, body[: len(body) // 2], {"Content-Encoding": "gzip"})


BROKEN = {
    "reset": (reset, "the connection broke"),
    "closed": (close, "the connection broke"),
    "half-head": (half_a_head, "the connection broke"),
    "half-body": (half_a_body, "the reply broke off"),
    "half-chunk": (half_a_chunk, "the reply broke off"),
    "no-http": (no_http, "the exchange failed (ClientResponseError)"),
    "no-gzip": (no_gzip, "the reply broke off"),
    "cut-gzip": (cut_gzip, "no JSON in the reply"),
}


@kinds
@pytest.mark.parametrize("how", BROKEN)
async def test_a_broken_exchange_is_unknown_and_only_reads_are_repeated(
    kind: str, how: str
) -> None:
    _, call = CALLS[kind]
    script, because = BROKEN[how]
    async with Hostile(script) as server:
        async with client_of(server.url) as client:
            assert_unknown(await failure_of(call(client)), kind, because)
        assert len(server.arrivals) == (ATTEMPTS if kind in REPEATABLE else 1)
        await server.until_all_closed()


async def drip(line: Line, _arrival: Arrival) -> None:
    await line.write(b"HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\n")
    while True:
        await line.write(b" ")
        await asyncio.sleep(0.01)


async def drip_heads(line: Line, _arrival: Arrival) -> None:
    await line.write(b"HTTP/1.1 200 OK\r\n")
    while True:
        await line.write(b"X-More: yes\r\n")
        await asyncio.sleep(0.01)


SILENT: dict[str, Script] = {
    "says-nothing": lambda line, _: line.hang(),
    "drips": drip,
    "drips-heads": drip_heads,
}


@kinds
@pytest.mark.parametrize("how", SILENT)
async def test_timeout_after_send_is_unknown_not_resent(kind: str, how: str) -> None:
    _, call = CALLS[kind]
    options: dict[str, Any] = {"timeout": Timeout(read=0.04), "retry": Retry(attempts=2, base=0)}
    async with Hostile(SILENT[how]) as server:
        async with client_of(server.url, **options) as client:
            assert_unknown(await failure_of(call(client)), kind, "no reply within 0.04 s")
        assert len(server.arrivals) == (2 if kind in REPEATABLE else 1)
        await server.until_all_closed()


async def never_reads(_line: Line, _arrival: Arrival) -> None:
    await asyncio.sleep(60)


@pytest.mark.parametrize("method", ["POST", "PUT"])
async def test_a_server_that_never_reads_the_body_is_unknown_not_resent(method: str) -> None:
    """More than the buffers of both sides hold: the sending itself gets stuck."""
    huge = {"text": "x" * 20_000_000}
    async with Hostile(never_reads, heads_only=True) as server:
        async with client_of(server.url, timeout=Timeout(read=0.3)) as client:
            error = await failure_of(client.request(method, "/v3/uploads", json=huge))
        assert type(error) is ac.UnknownOutcomeError
        assert "no reply within 0.3 s" in str(error)
        assert len(server.arrivals) == 1


async def test_a_verdict_given_before_the_body_was_read_counts() -> None:
    huge = {"text": "x" * 20_000_000}

    async def refuse(line: Line, _arrival: Arrival) -> None:
        await line.reply(413, b"<html>Request Entity Too Large</html>", {"Connection": "close"})
        await asyncio.sleep(0.05)
        line.writer.close()

    async with Hostile(refuse, heads_only=True) as server:
        async with client_of(server.url, timeout=Timeout(read=2)) as client:
            error = await failure_of(client.request("POST", "/v3/uploads", json=huge))
        assert isinstance(error, ac.ReplyError)
        assert error.status == 413
        assert len(server.arrivals) == 1


# A connection that was kept alive


@kinds
@pytest.mark.parametrize("how", ["reset", "closed"])
async def test_a_stale_connection_is_not_silently_replayed(kind: str, how: str) -> None:
    """By itself, aiohttp would send GET, PUT and DELETE again on a new connection."""
    _, call = CALLS[kind]
    broken, because = BROKEN[how]

    async def first_well(line: Line, arrival: Arrival) -> None:
        if len(server.arrivals) == 1:
            await line.ok()
        else:
            await broken(line, arrival)

    async with Hostile(first_well) as server:
        async with client_of(server.url, retry=Retry(attempts=1)) as client:
            await client.request("GET", "/v3/account")
            assert_unknown(await failure_of(call(client)), kind, because)
        assert [it.line for it in server.arrivals] == [1, 1 if kind in REPEATABLE else 2]


@kinds
async def test_a_connection_closed_after_its_reply_is_not_used_again(kind: str) -> None:
    _, call = CALLS[kind]

    async def once(line: Line, arrival: Arrival) -> None:
        await line.ok(data_for(arrival))
        line.writer.close()

    async with Hostile(once) as server:
        async with client_of(server.url) as client:
            await call(client)
            await server.until_all_closed()
            await asyncio.sleep(0.01)  # for the client to be told by its own socket
            await call(client)
        assert [it.line for it in server.arrivals] == [1, 2]


async def test_a_reply_that_belongs_to_another_request_settles_no_message() -> None:
    """Some servers write to idle connections, which HTTP takes for the next reply."""

    async def serve(line: Line, arrival: Arrival) -> None:
        await line.ok(data_for(arrival))
        if len(server.arrivals) == 1:
            await asyncio.sleep(0.02)
            alien = {"custom_string": "of-another", "status": "SUCCESS"}
            await line.ok({"messages": [alien]})

    async with Hostile(serve) as server:
        async with client_of(server.url) as client:
            await client.account.get()
            await asyncio.sleep(0.05)
            result = await client.sms.send(MESSAGE)
    assert [row.custom_string for row in result.accepted] == [REF]
    assert [it.line for it in server.arrivals] == [1, 2]


# A verdict


HTML = b"<html><body><h1>Bad Gateway</h1></body></html>"


@kinds
@pytest.mark.parametrize("status", [500, 502, 503, 408, 499])
async def test_an_error_of_a_server_is_unknown_unless_the_call_has_no_effect(
    kind: str, status: int
) -> None:
    operation, call = CALLS[kind]
    async with Hostile(lambda line, _: line.reply(status, HTML)) as server:
        async with client_of(server.url) as client:
            error = await failure_of(call(client))
    if kind in REPEATABLE:
        assert len(server.arrivals) == ATTEMPTS
        assert type(error) is (ac.ServerError if status >= 500 else ac.ReplyError)
        assert error.status == status
    else:
        assert len(server.arrivals) == 1
        assert_unknown(error, kind, "may or may not")
    assert str(error).startswith(f"{operation} {status} ")


REFUSALS = {
    400: ac.BadRequest,
    401: ac.Unauthorized,
    403: ac.Forbidden,
    404: ac.NotFound,
    405: ac.ReplyError,
    413: ac.ReplyError,
    418: ac.ReplyError,
    451: ac.ReplyError,
}


@kinds
@pytest.mark.parametrize("status", REFUSALS)
async def test_a_refusal_is_raised_and_not_repeated(kind: str, status: int) -> None:
    operation, call = CALLS[kind]
    content = {
        "http_code": status,
        "response_code": "SOMETHING_IS_WRONG",
        "response_msg": "No.",
        "data": None,
    }
    async with Hostile(lambda line, _: line.reply(status, content)) as server:
        async with client_of(server.url) as client:
            error = await failure_of(call(client))
    assert len(server.arrivals) == 1
    assert isinstance(error, ac.ReplyError)
    assert type(error) is REFUSALS[status]
    assert str(error).startswith(f"{operation} {status} SOMETHING_IS_WRONG: ")
    assert "No." not in str(error)
    assert (error.operation, error.status) == (operation, status)
    assert (error.response_code, error.response_msg) == ("SOMETHING_IS_WRONG", "No.")
    assert error.raw == content


@kinds
@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
async def test_a_redirect_is_never_followed(kind: str, status: int) -> None:
    operation, call = CALLS[kind]

    async with Hostile(lambda line, _: line.ok()) as elsewhere:
        headers = {"Location": f"{elsewhere.url}/v3/account"}
        async with Hostile(lambda line, _: line.reply(status, b"", headers)) as server:
            async with client_of(server.url) as client:
                error = await failure_of(call(client))
        assert (len(server.arrivals), elsewhere.arrivals) == (1, [])
    # By 301, 302 and 303 a server can refer to the result of what it did.
    in_doubt = status < 304 and kind not in REPEATABLE
    assert type(error) is (ac.UnknownOutcomeError if in_doubt else ac.NotSentError)
    assert str(error).startswith(f"{operation} {status} ")
    assert "base_url" in str(error)
    if kind == "POST-send" and in_doubt:
        assert isinstance(error, ac.UnknownOutcomeError)
        assert error.refs == (REF,)


UNREADABLE: dict[str, tuple[bytes, str]] = {
    "html": (HTML, "no JSON in the reply"),
    "empty": (b"", "an empty reply"),
    "blank": (b" \n", "an empty reply"),
    "half": (b'{"http_code":200,"data":{"mess', "no JSON in the reply"),
    "error-inside": (b'{"http_code":500,"data":null}', "http_code 500 inside"),
    "error-as-text": (b'{"http_code":"503","data":null}', "http_code 503 inside"),
}


@kinds
@pytest.mark.parametrize("what", UNREADABLE)
async def test_an_unreadable_success_is_unknown(kind: str, what: str) -> None:
    operation, call = CALLS[kind]
    body, because = UNREADABLE[what]
    async with Hostile(lambda line, _: line.reply(200, body)) as server:
        async with client_of(server.url) as client:
            if kind in {"DELETE", "PUT-cancel"} and not body.strip():
                await call(client)  # returns nothing, so nothing is a full answer
                assert len(server.arrivals) == 1
                return
            error = await failure_of(call(client))
    assert_unknown(error, kind, because)
    assert str(error).startswith(f"{operation} 200 OK: ")
    assert len(server.arrivals) == (ATTEMPTS if kind in REPEATABLE else 1)


@pytest.mark.parametrize("data", [None, [], {}, "", 1, True, {"total_price": 1}, [1]])
async def test_a_reply_without_rows_leaves_a_send_unknown(data: object) -> None:
    async with Hostile(lambda line, _: line.ok(data)) as server:
        async with client_of(server.url) as client:
            assert_unknown(await failure_of(client.sms.send(MESSAGE)), "POST-send", "messages")
    assert len(server.arrivals) == 1


@kinds
async def test_a_mistake_in_reading_a_reply_leaves_the_call_unknown(
    kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The server took it: that must not be lost in an error of our own."""

    def broken(*_: object) -> None:
        raise LookupError

    _, call = CALLS[kind]
    monkeypatch.setattr("aioclicksend.wire.data_of", broken)
    async with Hostile(lambda line, it: line.ok(data_for(it))) as server:
        async with client_of(server.url) as client:
            error = await failure_of(call(client))
    assert_unknown(error, kind, "the reply cannot be read (LookupError)")
    assert len(server.arrivals) == (ATTEMPTS if kind in REPEATABLE else 1)


@pytest.mark.parametrize("depth", [100, 700, 900, 950, 990, 2000])
async def test_a_reply_too_deep_to_read_is_read_or_unknown(depth: int) -> None:
    nested = "[" * depth + "]" * depth
    row = f'{{"body":{nested},"custom_string":"{REF}"}}'
    body = f'{{"http_code":200,"data":{{"messages":[{row}]}}}}'
    async with Hostile(lambda line, _: line.reply(200, body.encode())) as server:
        async with client_of(server.url) as client:
            refs: object = None
            try:
                result = await client.sms.send(MESSAGE)
            except ac.UnknownOutcomeError as error:
                refs = error.refs
            else:
                refs = (result.messages[0].custom_string,)
    assert refs == (REF,)
    assert len(server.arrivals) == 1


# 429


ASKS: dict[str, Mapping[str, str]] = {
    "retry-after": {"Retry-After": "0"},
    "reset": {"ratelimit-reset": "0"},
    "both": {"Retry-After": "0", "ratelimit-reset": "9999"},
    "neither": {},
    "negative": {"Retry-After": "-5"},
    "no-number": {"Retry-After": "nan", "ratelimit-reset": "soon"},
    "a-past-date": {"Retry-After": "Wed, 21 Oct 2015 07:28:00 GMT"},
    "no-date": {"Retry-After": "Wed, 99 Oct 2015 07:28:00 GMT"},
    "no-ascii": {"Retry-After": "\xff\xfe"},
    "endless": {"Retry-After": "inf"},
}


@pytest.mark.parametrize(
    ("kind", "asks"),
    [*((kind, "retry-after") for kind in CALLS), *(("POST-send", asks) for asks in ASKS)],
)
async def test_a_429_is_refused_unread_and_repeated_for_every_verb(kind: str, asks: str) -> None:
    operation, call = CALLS[kind]
    content = {"response_code": "HTTP_TOO_MANY_REQUESTS", "response_msg": "Too many attempts."}
    async with Hostile(lambda line, _: line.reply(429, content, ASKS[asks])) as server:
        async with client_of(server.url, retry=Retry(attempts=2, base=0)) as client:
            error = await failure_of(call(client))
    assert len(server.arrivals) == 2
    assert type(error) is ac.TooManyRequests
    assert isinstance(error, ac.NotSentError)
    assert str(error).startswith(f"{operation} 429 HTTP_TOO_MANY_REQUESTS: ")
    assert "attempts" not in str(error)


@kinds
async def test_a_call_held_by_a_429_arrives_once_it_is_let_in(kind: str) -> None:
    _, call = CALLS[kind]

    async def at_second_try(line: Line, arrival: Arrival) -> None:
        if len(server.arrivals) == 1:
            await line.reply(429, b"", {"Retry-After": "0"})
        else:
            await line.ok(data_for(arrival))

    async with Hostile(at_second_try) as server:
        async with client_of(server.url) as client:
            await call(client)
    assert len(server.arrivals) == 2
    assert server.arrivals[0].body == server.arrivals[1].body


@kinds
async def test_pace_and_pool_do_not_change_how_often_a_call_arrives(kind: str) -> None:
    _, call = CALLS[kind]
    async with Hostile(reset) as server:
        async with client_of(server.url, rate_limit=RateLimit(1000, 1.0)) as client:
            await failure_of(call(client))
    assert len(server.arrivals) == (ATTEMPTS if kind in REPEATABLE else 1)
