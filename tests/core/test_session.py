"""Whose the aiohttp session is, and what becomes of a client at its end."""

from __future__ import annotations

import asyncio
import base64
import gc
import gzip
import warnings
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import aiohttp
import pytest

import aioclicksend as ac
from aioclicksend import ClickSend

from ..hostile import Hostile, Line, nothing_left_behind
from .helpers import AUTH, CALLS, client_of, failure_of

AUTHORIZATION = AUTH.headers()["Authorization"]


def well() -> Hostile:
    return Hostile(lambda line, _: line.ok({}))


# Owned


async def test_a_client_closes_the_session_it_made() -> None:
    async with well() as server:
        async with nothing_left_behind(), client_of(server.url) as client:
            await client.account.get()
            assert server.open == 1
        await server.until_all_closed()


async def test_a_client_works_without_a_block_and_is_closed_by_hand() -> None:
    async with well() as server:
        client = client_of(server.url)
        await client.account.get()
        await client.aclose()
        await server.until_all_closed()


async def test_a_client_that_was_never_used_has_nothing_to_close() -> None:
    client = client_of("http://127.0.0.1:9")
    await client.aclose()
    client_of("http://127.0.0.1:9")
    gc.collect()


async def test_closing_twice_is_closing_once() -> None:
    async with well() as server, aiohttp.ClientSession() as http:
        for options in ({}, {"http": http}):
            async with client_of(server.url, **options) as client:
                await client.account.get()
                await client.aclose()
            await client.aclose()
        assert not http.closed


@pytest.mark.parametrize("kind", CALLS)
async def test_a_call_after_the_end_is_a_programmers_error(kind: str) -> None:
    _, call = CALLS[kind]
    async with well() as server:
        async with client_of(server.url) as client:
            await client.account.get()
        with pytest.raises(RuntimeError, match="this client is closed"):
            await call(client)
        with pytest.raises(RuntimeError, match="this client is closed"):
            await client.lists.walk().collect()
    assert len(server.arrivals) == 1


async def test_a_dropped_client_warns() -> None:
    async with well() as server:
        client = client_of(server.url)
        await client.account.get()
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            http = client._session._transport._session
            del client
            gc.collect()
        assert http is not None
        await http.close()
    (told,) = [it for it in caught if "ClickSend" in str(it.message)]
    assert told.category is ResourceWarning
    assert "async with" in str(told.message)


async def test_calls_in_flight_at_the_end_are_told_what_is_known_of_them() -> None:
    async with Hostile(lambda line, _: line.hang()) as server:
        client = client_of(server.url)
        calls = [asyncio.create_task(failure_of(call(client))) for _, call in CALLS.values()]
        await server.until_arrivals(len(calls))
        await client.aclose()
        ends = await asyncio.gather(*calls, return_exceptions=True)
        await server.until_all_closed()
    for kind, end in zip(CALLS, ends, strict=True):
        if kind in {"GET", "POST-price"}:  # tried again, but there is no client left to do it
            assert isinstance(end, RuntimeError)
        else:
            assert type(end) is ac.UnknownOutcomeError
    assert len(server.arrivals) == len(calls)


# Borrowed


async def test_a_borrowed_session_stays_open_and_as_it_was() -> None:
    traces = [aiohttp.TraceConfig()]
    async with well() as server, aiohttp.ClientSession(trace_configs=traces) as http:
        before = list(http.trace_configs)
        async with nothing_left_behind(), client_of(server.url, http=http) as client:
            await client.account.get()
        assert not http.closed
        assert http.trace_configs == before
        async with http.get(f"{server.url}/other") as response:
            assert response.status == 200
        assert "authorization" not in server.arrivals[-1].headers


async def test_a_borrowed_session_has_other_users_meanwhile() -> None:
    async with well() as server, aiohttp.ClientSession(headers={"X-Mine": "yes"}) as http:
        async with client_of(server.url, http=http) as client:
            await client.account.get()
            async with http.get(f"{server.url}/other", trace_request_ctx=SimpleNamespace()):
                pass
            async with http.post(f"{server.url}/other", data=b"mine"):
                pass
    ours, other, another = server.arrivals
    assert ours.headers["authorization"] == AUTHORIZATION
    assert other.headers["x-mine"] == another.headers["x-mine"] == "yes"
    assert "authorization" not in other.headers
    assert "aioclicksend" not in another.headers["user-agent"]


@pytest.mark.parametrize("raises", [True, lambda _: None])
async def test_a_borrowed_session_that_raises_for_status_does_not_matter(raises: Any) -> None:
    async def serve(line: Line, _: object) -> None:
        await line.reply(404, {"response_code": "NOT_FOUND", "response_msg": "No such list."})

    async with Hostile(serve) as server, aiohttp.ClientSession(raise_for_status=raises) as http:
        async with client_of(server.url, http=http) as client:
            error = await failure_of(client.lists.get(7))
    assert isinstance(error, ac.NotFound)


async def test_a_borrowed_session_that_has_credentials_of_its_own_does_not_send_them() -> None:
    theirs = {"Authorization": "Bearer of-somebody-else", "User-Agent": "somebody/1"}
    async with well() as server, aiohttp.ClientSession(headers=theirs) as http:
        async with client_of(server.url, http=http) as client:
            await client.account.get()
    assert server.arrivals[0].headers["authorization"] == AUTHORIZATION


@pytest.mark.filterwarnings("ignore:The 'auth' parameter:DeprecationWarning")
@pytest.mark.filterwarnings("ignore:BasicAuth is deprecated:DeprecationWarning")
async def test_a_borrowed_session_with_a_login_of_its_own_does_not_send_it() -> None:
    auth = aiohttp.BasicAuth("somebody", "else")
    async with well() as server, aiohttp.ClientSession(auth=auth) as http:
        async with client_of(server.url, http=http) as client:
            await client.account.get()
    assert server.arrivals[0].headers["authorization"] == AUTHORIZATION


async def test_a_borrowed_session_that_decompresses_nothing_does_not_matter() -> None:
    body = gzip.compress(b'{"http_code":200,"data":{"user_id":7}}')
    async with (
        Hostile(lambda line, _: line.reply(200, body, {"Content-Encoding": "gzip"})) as server,
        aiohttp.ClientSession(auto_decompress=False) as http,
        client_of(server.url, http=http) as client,
    ):
        assert (await client.account.get()).user_id == 7


async def test_a_borrowed_session_with_a_base_url_of_its_own_does_not_matter() -> None:
    async with well() as server, aiohttp.ClientSession("http://127.0.0.1:9/their/") as http:
        async with client_of(server.url, http=http) as client:
            await client.account.get()
    assert server.arrivals[0].path == "/v3/account"


async def test_middlewares_of_a_borrowed_session_do_not_repeat_our_calls() -> None:
    async def twice(
        request: aiohttp.ClientRequest, handler: aiohttp.ClientHandlerType
    ) -> aiohttp.ClientResponse:
        await handler(request)
        return await handler(request)

    async with well() as server, aiohttp.ClientSession(middlewares=[twice]) as http:
        async with client_of(server.url, http=http) as client:
            await client.account.get()
    assert len(server.arrivals) == 1


async def test_a_short_timeout_of_a_borrowed_session_does_not_matter() -> None:
    async def late(line: Line, _: object) -> None:
        await asyncio.sleep(0.1)
        await line.ok({})

    timeout = aiohttp.ClientTimeout(total=0.05, sock_read=0.05)
    async with Hostile(late) as server, aiohttp.ClientSession(timeout=timeout) as http:
        async with client_of(server.url, http=http) as client:
            await client.account.get()
    assert len(server.arrivals) == 1


async def test_cookies_of_the_api_are_not_kept() -> None:
    async def serve(line: Line, _: object) -> None:
        await line.reply(200, {"data": {}}, {"Set-Cookie": "session=1; Path=/"})

    async with Hostile(serve) as server, client_of(server.url) as client:
        await client.account.get()
        await client.account.get()
    assert "cookie" not in server.arrivals[1].headers


# What is sent


async def test_every_request_carries_credentials_and_says_who_asks() -> None:
    async with well() as server, client_of(server.url) as client:
        await client.account.get()
        await client.lists.update(7, list_name="friends")
    get, put = server.arrivals
    for arrival in (get, put):
        assert arrival.headers["authorization"] == AUTHORIZATION
        assert arrival.headers["accept"] == "application/json"
        assert arrival.headers["user-agent"] == f"aioclicksend/{ac.__version__}"
    assert put.headers["content-type"] == "application/json"
    assert put.json == {"list_name": "friends"}
    assert "content-type" not in get.headers


async def test_a_maton_client_names_its_connection() -> None:
    async with well() as server:
        auth = ac.MatonAuth("key", connection_id="one")
        async with ClickSend(
            auth=auth, base_url=f"{server.url}/clicksend", control_url=server.url
        ) as client:
            await client.account.get()
            await client.connections.get("a/b")
    api, control = server.arrivals
    assert api.path == "/clicksend/v3/account"
    assert control.path == "/connections/a%2Fb"
    for arrival in (api, control):
        assert arrival.headers["authorization"] == "Bearer key"
        assert arrival.headers["maton-connection"] == "one"


async def test_a_file_at_another_host_is_fetched_without_the_credentials(tmp_path: Path) -> None:
    async with well() as storage, well() as server, client_of(server.url) as client:
        await client.download(f"{storage.url}/export.csv?signature=1", tmp_path / "a.csv")
        await client.download(f"{server.url}/files/export.csv", tmp_path / "b.csv")
    assert "authorization" not in storage.arrivals[0].headers
    assert server.arrivals[0].headers["authorization"] == AUTHORIZATION


async def test_connections_need_maton() -> None:
    async with well() as server, client_of(server.url) as client:
        with pytest.raises(ac.ConfigurationError, match="MatonAuth"):
            await client.connections.all()
    assert server.arrivals == []


async def test_a_basic_login_is_sent_in_utf_8() -> None:
    async with well() as server:
        async with client_of(server.url, auth=ac.BasicAuth("jürgen", "schlüssel")) as client:
            await client.account.get()
    token = server.arrivals[0].headers["authorization"].removeprefix("Basic ")
    assert base64.b64decode(token).decode() == "jürgen:schlüssel"
