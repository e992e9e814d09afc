"""Proxies: of the environment, given, and lent, with a real one on loopback."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any

import aiohttp
import pytest
import trustme

import aioclicksend as ac
from aioclicksend import ClickSend
from aioclicksend.proxies import Proxies

from ..hostile import Hostile, Line
from .helpers import AUTH, MESSAGE, client_of, failure_of

API = "https://rest.example.invalid"
"""A host that no DNS knows."""

NAMES = ("HTTPS_PROXY", "https_proxy", "NO_PROXY", "no_proxy", "HTTP_PROXY", "ALL_PROXY")


@pytest.fixture(autouse=True)
def _no_proxies(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in NAMES:
        monkeypatch.delenv(name, raising=False)


async def refuse(line: Line, _: Any) -> None:
    await line.reply(502)


def status(code: int) -> Any:
    async def serve(line: Line, _: Any) -> None:
        await line.reply(code)

    return serve


@asynccontextmanager
async def tunnel_to(port: int) -> AsyncIterator[Hostile]:
    """Run a proxy whose tunnels all lead to a port of this machine."""

    async def serve(line: Line, _: Any) -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        await line.write(b"HTTP/1.1 200 Connection established\r\n\r\n")
        with suppress(OSError):
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(pour(line.reader, writer))
                tasks.create_task(pour(reader, line.writer))

    async with Hostile(serve) as proxy:
        yield proxy


async def pour(source: asyncio.StreamReader, target: asyncio.StreamWriter) -> None:
    while chunk := await source.read(65536):
        target.write(chunk)
        await target.drain()
    target.close()


@pytest.mark.parametrize("name", ["HTTPS_PROXY", "https_proxy"])
async def test_the_proxy_of_the_environment_is_used(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with Hostile(refuse) as proxy:
        monkeypatch.setenv(name, proxy.url)
        async with client_of(API) as client:
            error = await failure_of(client.sms.send(MESSAGE))
    assert type(error) is ac.NotSentError
    assert {(it.method, it.target) for it in proxy.arrivals} == {
        ("CONNECT", "rest.example.invalid:443")
    }
    assert "authorization" not in proxy.arrivals[0].headers


async def test_requests_go_through_a_tunnel(monkeypatch: pytest.MonkeyPatch) -> None:
    authority = trustme.CA()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("rest.example.invalid").configure_cert(context)
    trusting = ssl.create_default_context()
    authority.configure_trust(trusting)
    seen: list[bytes] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        seen.append(await reader.readuntil(b"\r\n\r\n"))
        body = b'{"http_code":200,"data":{"user_id":7}}'
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%b" % (len(body), body))
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0, ssl=context)
    async with server, tunnel_to(server.sockets[0].getsockname()[1]) as proxy:
        connector = aiohttp.TCPConnector(ssl=trusting)
        monkeypatch.setenv("HTTPS_PROXY", "http://127.0.0.1:9")  # not that of a lent session
        async with aiohttp.ClientSession(connector=connector, proxy=proxy.url) as http:
            async with client_of(API, http=http) as client:
                assert (await client.account.get()).user_id == 7
            async with client_of(API, http=http, proxy=proxy.url) as client:
                assert (await client.account.get()).user_id == 7
    assert [it.target for it in proxy.arrivals] == ["rest.example.invalid:443"] * 2
    assert all(AUTH.headers()["Authorization"].encode() in it for it in seen)


async def test_a_given_proxy_takes_precedence_over_the_environment(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async with Hostile(refuse) as ours, Hostile(refuse) as others:
        monkeypatch.setenv("HTTPS_PROXY", others.url)
        async with client_of(API, proxy=ours.url.replace("http://", "http://jo:secret@")) as client:
            await failure_of(client.account.get())
        assert "proxy-authorization" in ours.arrivals[0].headers
        async with client_of(API, proxy="") as client:
            error = await failure_of(client.account.get())
        assert "host name" in str(error)
        assert others.arrivals == []


@pytest.mark.parametrize("code", [302, 403, 407, 429, 500, 502])
@pytest.mark.parametrize("call", [lambda it: it.sms.send(MESSAGE), lambda it: it.account.get()])
async def test_what_a_proxy_refuses_was_not_sent(code: int, call: Any) -> None:
    async with Hostile(status(code)) as proxy:
        async with client_of(API, proxy=proxy.url) as client:
            error = await failure_of(call(client))
    assert type(error) is ac.NotSentError
    assert "proxy" in str(error)
    assert "rest.example.invalid" not in str(error)


async def test_an_unreachable_or_hanging_proxy_is_not_sent() -> None:
    async with client_of(API, proxy="http://127.0.0.1:9") as client:
        assert type(await failure_of(client.sms.send(MESSAGE))) is ac.NotSentError
    async with Hostile(lambda line, _: line.hang()) as proxy:
        timeout = ac.Timeout(connect=0.05)
        async with client_of(API, proxy=proxy.url, timeout=timeout) as client:
            error = await failure_of(client.sms.send(MESSAGE))
    assert type(error) is ac.NotSentError
    assert "no connection within" in str(error)


async def test_plain_http_never_goes_through_a_proxy() -> None:
    """It is spoken to this machine, and the proxy would read the credentials."""
    async with Hostile(refuse) as proxy, Hostile(lambda line, _: line.ok({})) as server:
        async with client_of(server.url, proxy=proxy.url) as client:
            await client.account.get()
    assert (len(proxy.arrivals), len(server.arrivals)) == (0, 1)


async def test_of_a_lent_session_neither_netrc_nor_a_proxy_for_plain_http_is_used(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "netrc").write_text("default login jo password secret\n")
    (tmp_path / "netrc").chmod(0o600)
    monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))
    async with Hostile(refuse) as proxy, Hostile(lambda line, _: line.ok({})) as server:
        async with Hostile(lambda line, _: line.reply(200, b"file")) as storage:
            for name in ("HTTP_PROXY", "HTTPS_PROXY"):
                monkeypatch.setenv(name, proxy.url)
            async with aiohttp.ClientSession(trust_env=True, proxy=proxy.url) as http:
                async with client_of(server.url, http=http) as client:
                    await client.account.get()
                    await client.download(f"{storage.url}/export.csv", tmp_path / "export.csv")
            async with aiohttp.ClientSession(trust_env=True) as http:
                async with client_of(API, http=http) as client:
                    await failure_of(client.account.get())
    assert {it.method for it in proxy.arrivals} == {"CONNECT"}
    assert len(server.arrivals) == 1
    assert "authorization" not in storage.arrivals[0].headers


@pytest.mark.parametrize(
    ("url", "no_proxy", "bypassed"),
    [
        ("https://rest.clicksend.com/v3/account", "", False),
        ("https://rest.clicksend.com/v3/account", "clicksend.com", True),
        ("https://rest.clicksend.com/v3/account", ".clicksend.com,other", True),
        ("https://rest.clicksend.com/v3/account", "rest.clicksend.com:443", True),
        ("https://rest.clicksend.com:8443/v3/account", "rest.clicksend.com:8443", True),
        ("https://rest.clicksend.com/v3/account", "rest.clicksend.com:8443", False),
        ("https://rest.clicksend.com/v3/account", "other, CLICKSEND.com ", True),
        ("https://rest.clicksend.com/v3/account", "*", True),
        ("https://rest.clicksend.com/v3/account", "send.com", False),
        ("https://rest.clicksend.com/v3/account", "*.clicksend.com", True),
        ("https://rest.clicksend.com/v3/account", "other clicksend.com.", True),
        ("https://rest.clicksend.com/v3/account", "*send.com", False),
        ("https://[2001:db8::1]/v3/account", "[2001:db8::1]", True),
        ("https://127.0.0.1:8443/v3/account", "", True),
        ("https://localhost/v3/account", "", True),
        ("http://localhost/v3/account", "", True),
    ],
)
def test_no_proxy_names_the_hosts_that_are_reached_directly(
    url: str, no_proxy: str, *, bypassed: bool
) -> None:
    environ = {"HTTPS_PROXY": "proxy:3128", "NO_PROXY": no_proxy}
    proxy = Proxies.of_environment(environ).for_url(url)
    assert proxy == (None if bypassed else "http://proxy:3128")


@pytest.mark.parametrize(
    "proxy",
    [
        "socks5://secret@host:1080",
        "http://secret:x@",
        "http://a secret",
        "http://secret:port",
        "\0",
    ],
)
def test_what_is_no_http_proxy_is_refused_without_repeating_it(
    proxy: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(ac.ConfigurationError, match="proxy must") as raised:
        ClickSend(auth=AUTH, proxy=proxy)
    assert "secret" not in str(raised.value)
    if "\0" not in proxy:
        monkeypatch.setenv("HTTPS_PROXY", proxy)
        with pytest.raises(ac.ConfigurationError, match="HTTPS_PROXY must") as raised:
            ClickSend(auth=AUTH)
        assert "secret" not in str(raised.value)
