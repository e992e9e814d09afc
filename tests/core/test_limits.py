"""What a reply may cost: memory, disk, and where a file may come from and go to."""

from __future__ import annotations

import asyncio
import functools
import gzip
import os
import stat
import tracemalloc
import zlib
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from yarl import URL

import aioclicksend as ac
from aioclicksend import Limits

from ..hostile import Arrival, Hostile, Line, data_for
from .helpers import AUTH, CALLS, REF, REPEATABLE, client_of, failure_of

MIB = 2**20
kinds = pytest.mark.parametrize("kind", CALLS)


@functools.cache
def bomb(mib: int) -> bytes:
    """Return some kB that unpack to many MiB."""
    packer = zlib.compressobj(9, wbits=31)
    return b"".join(packer.compress(bytes(MIB)) for _ in range(mib)) + packer.flush()


def packed(status: int, body: bytes) -> Any:
    async def serve(line: Line, _: Arrival) -> None:
        await line.reply(status, body, {"Content-Encoding": "gzip"})

    return serve


async def endless(line: Line, _: Arrival) -> None:
    await line.write(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
    while True:
        await line.write(b"10000\r\n" + bytes(0x10000) + b"\r\n")


@pytest.mark.slow
@kinds
async def test_a_reply_that_unpacks_to_more_than_its_limit_is_an_error(kind: str) -> None:
    operation, call = CALLS[kind]
    async with Hostile(packed(200, bomb(80))) as server:
        async with client_of(server.url) as client:
            tracemalloc.start()
            error = await failure_of(call(client))
            _, peak = tracemalloc.get_traced_memory()
            tracemalloc.stop()
    assert type(error) is ac.UnknownOutcomeError
    assert str(error).startswith(f"{operation} 200 OK: the reply has more than {64 * MIB} bytes")
    assert len(server.arrivals) == 1
    if kind == "POST-send":
        assert error.refs == (REF,)
    assert peak < 100 * MIB


@pytest.mark.parametrize("limit", [1, 1000, 10 * MIB])
async def test_a_reply_without_end_is_left(limit: int) -> None:
    async with Hostile(endless) as server:
        async with client_of(server.url, limits=Limits(reply=limit)) as client:
            error = await failure_of(client.account.get())
        await server.until_all_closed()
    assert f"more than {limit} bytes (Limits.reply)" in str(error)


async def test_a_limit_can_be_reached_and_not_passed() -> None:
    body = b'{"http_code":200,"data":{"user_id":7}}'
    for limit, fits in ((len(body), True), (len(body) - 1, False)):
        async with Hostile(lambda line, _: line.reply(200, body)) as server:
            async with client_of(server.url, limits=Limits(reply=limit)) as client:
                if fits:
                    assert (await client.account.get()).user_id == 7
                else:
                    await failure_of(client.account.get())


@kinds
async def test_an_error_counts_by_its_status_however_large_it_is(kind: str) -> None:
    async with Hostile(packed(404, bomb(80))) as server:
        async with client_of(server.url) as client:
            error = await failure_of(CALLS[kind][1](client))
    assert isinstance(error, ac.NotFound)
    assert (error.raw, error.response_msg) == ("", "")
    assert len(server.arrivals) == 1


@pytest.mark.parametrize("bad", [0, -1])
def test_limits_allow_something(bad: int) -> None:
    for name in ("reply", "download"):
        with pytest.raises(ac.ConfigurationError, match=f"{name} must be greater than 0"):
            Limits(**{name: bad})


# Downloads


async def test_a_download_has_its_own_limit(tmp_path: Path) -> None:
    limits = Limits(reply=10, download=MIB)
    target = tmp_path / "export.csv"
    target.write_bytes(b"before")
    async with Hostile(packed(200, bomb(2))) as server:
        async with client_of(server.url, limits=limits) as client:
            error = await failure_of(client.download(f"{server.url}/files/a.csv", target))
    assert "more than 1048576 bytes (Limits.download)" in str(error)
    assert target.read_bytes() == b"before"
    assert list(tmp_path.iterdir()) == [target]
    async with Hostile(packed(200, gzip.compress(b"x" * MIB))) as server:
        async with client_of(server.url, limits=limits) as client:
            await client.download(f"{server.url}/files/a.csv", target)
    assert target.stat().st_size == MIB


async def test_an_error_in_place_of_a_file_is_bounded_like_a_reply(tmp_path: Path) -> None:
    async with Hostile(packed(404, bomb(80))) as server, client_of(server.url) as client:
        tracemalloc.start()
        error = await failure_of(client.download(f"{server.url}/a.csv", tmp_path / "a.csv"))
        _, peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()
    assert isinstance(error, ac.NotFound)
    assert peak < 100 * MIB
    assert list(tmp_path.iterdir()) == []


@pytest.mark.skipif(os.name == "nt", reason="has no such modes")
async def test_a_download_is_for_its_owner_only(tmp_path: Path) -> None:
    target = tmp_path / "export.csv"
    target.touch(0o666)
    async with Hostile(lambda line, _: line.reply(200, b"a,b")) as server:
        async with client_of(server.url) as client:
            await client.download(f"{server.url}/files/a.csv", target)
    assert stat.S_IMODE(target.stat().st_mode) == 0o600


async def test_a_download_replaces_no_directory_pipe_or_device(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    async with Hostile() as server, client_of(server.url) as client:
        for target in (tmp_path, pipe, Path("/dev/null")):
            with pytest.raises(OSError, match=r"no regular file|ermission|denied"):
                await client.download(f"{server.url}/files/a.csv", target)
    assert server.arrivals == []
    assert pipe.is_fifo()


@pytest.mark.parametrize(
    "url",
    [
        "http://127.0.0.1:9/a.csv",
        "http://localhost/a.csv",
        "http://[::1]/a.csv",
        "http://169.254.169.254/latest/meta-data",
        "https://user:secret@host/a.csv",
        "file:///etc/passwd",
        "ftp://host/a.csv",
        "//host/a.csv",
        "https://",
        "https://[",
        "",
    ],
)
async def test_an_https_api_names_no_file_on_this_machine(url: str, tmp_path: Path) -> None:
    async with client_of("https://rest.clicksend.com") as client:
        with pytest.raises(ValueError, match="the address of a file must") as raised:
            await client.download(url, tmp_path / "a.csv")
    assert "secret" not in str(raised.value)
    assert list(tmp_path.iterdir()) == []


async def test_nothing_of_a_lent_session_leaks(tmp_path: Path) -> None:
    """Its headers, cookies and credentials are for the hosts its owner talks to."""
    jar = aiohttp.CookieJar(unsafe=True)
    headers = {"Authorization": "Bearer theirs", "X-Api-Key": "theirs", "Cookie": "a=theirs"}
    async with (
        Hostile(lambda line, it: line.ok(data_for(it))) as server,
        Hostile(lambda line, _: line.reply(200, b"a,b")) as storage,
        aiohttp.ClientSession(headers=headers, cookie_jar=jar) as http,
    ):
        jar.update_cookies({"session": "theirs"}, URL(storage.url))
        async with client_of(server.url, http=http) as client:
            for _, call in CALLS.values():
                await call(client)
            await client.download(f"{storage.url}/a.csv", tmp_path / "a.csv")
    assert len(server.arrivals) == len(CALLS)
    for arrival in server.arrivals:
        assert arrival.headers["authorization"] == AUTH.headers()["Authorization"]
    assert "authorization" not in storage.arrivals[0].headers
    for arrival in (*server.arrivals, *storage.arrivals):
        assert "theirs" not in repr(arrival.headers)


# New connections for effects


@kinds
async def test_a_call_with_an_effect_never_uses_a_connection_that_was_idle(kind: str) -> None:
    async with Hostile(lambda line, it: line.ok(data_for(it))) as server:
        async with client_of(server.url) as client:
            for _ in range(3):
                await client.account.get()
                await CALLS[kind][1](client)
    lines = [arrival.line for arrival in server.arrivals]
    assert lines == ([1] * 6 if kind in REPEATABLE else [1, 2, 2, 3, 3, 4])


async def test_a_server_that_closes_idle_connections_makes_nothing_unknown() -> None:
    """It answers the first request of a connection and drops all others."""

    async def once(line: Line, arrival: Arrival) -> None:
        if sum(it.line == line.number for it in server.arrivals) > 1:
            line.reset()
            return
        await line.ok(data_for(arrival))

    async with Hostile(once) as server, client_of(server.url) as client:
        for _ in range(50):
            for kind in CALLS.keys() - {"GET", "POST-price"}:
                await CALLS[kind][1](client)
    assert len(server.arrivals) == 200


async def test_a_lent_connector_keeps_its_limit() -> None:
    async with (
        Hostile(lambda line, _: line.hang()) as server,
        aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=1)) as http,
        client_of(server.url, http=http, timeout=ac.Timeout(pool=0.05, read=0.5)) as client,
    ):
        first, second = await asyncio.gather(
            failure_of(CALLS["POST-send"][1](client)), failure_of(CALLS["PUT"][1](client))
        )
    assert "no reply" in str(first)
    assert "no free connection" in str(second)
