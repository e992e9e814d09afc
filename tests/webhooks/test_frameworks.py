"""Pushes into real running apps of each framework, over real sockets."""

from __future__ import annotations

import gzip
import os
import signal
import socket
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from pathlib import Path

import aiohttp
import anyio
import pytest
import pytest_asyncio

from .pushes import FORMATS, SECRET, inbound, receipt, wire

APPS = {
    "plain_aiohttp": "aiohttp",
    "starlette": "starlette",
    "fastapi": "fastapi",
    "litestar": "litestar",
    "django": "django",
    "alone": "uvicorn",
}


@contextmanager
def serving(name: str, inbox: Path) -> Iterator[tuple[str, subprocess.Popen[bytes]]]:
    """Run an app of `apps` in a process and yield its address."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        command = [sys.executable, "-m", "tests.webhooks.serve", name, str(server.fileno())]
        process = subprocess.Popen(  # noqa: S603
            command, env={**os.environ, "INBOX": str(inbox)}, pass_fds=[server.fileno()]
        )
        try:
            # It listens already: requests wait until the app has started.
            yield f"http://127.0.0.1:{server.getsockname()[1]}", process
        finally:
            process.kill()
            process.wait()


@pytest_asyncio.fixture
async def http() -> AsyncIterator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(40)) as session:
        yield session


async def handled(http: aiohttp.ClientSession, url: str, count: int) -> list[str]:
    with anyio.fail_after(30):
        while True:
            async with http.get(f"{url}/handled") as reply:
                seen: list[str] = await reply.json(content_type=None)
            if len(seen) >= count:
                return sorted(seen)
            await anyio.sleep(0.02)


@pytest.mark.slow
@pytest.mark.parametrize("name", APPS)
async def test_pushes_reach_the_handlers_of_an_app(
    http: aiohttp.ClientSession, tmp_path: Path, name: str
) -> None:
    pytest.importorskip(APPS[name])
    with serving(name, tmp_path / "inbox.db") as (url, process):
        prefixes = ["/clicksend", "/own"] if name == "fastapi" else ["/clicksend"]
        for prefix in prefixes:
            address = f"{url}{prefix}/{SECRET}"
            for fmt in FORMATS:
                for fields in (inbound(fmt), receipt(fmt), receipt(fmt, 200)):
                    it = wire(fields, fmt)
                    headers = {"content-type": it.content_type} if it.content_type else {}
                    target = f"{address}?{it.query}" if it.query else address
                    for _ in range(2):
                        async with http.request(
                            it.method, target, data=it.body or None, headers=headers
                        ) as reply:
                            assert (reply.status, await reply.read()) == (200, b"")
        expected = sorted(
            line
            for fmt in FORMATS
            for line in (f"inbound {fmt}", f"receipt {fmt} 200", f"receipt {fmt} 201")
        )
        assert await handled(http, url, len(expected)) == expected
        for method, target, body, status in (
            ("POST", f"{url}/clicksend/wrong", b"body=Hi", 404),
            ("GET", f"{url}/clicksend/wrong?body=Hi", None, 404),
            ("PUT", f"{url}/clicksend/wrong", b"body=Hi", 404),
            ("PUT", f"{url}/clicksend/{SECRET}", b"body=Hi", 405),
            ("POST", f"{url}/clicksend/{SECRET}", b"body=" + b"x" * 300_000, 413),
            ("POST", f"{url}/clicksend/{SECRET}", b"\xff\x00?", 200),
        ):
            async with http.request(method, target, data=body) as reply:
                assert reply.status == status, (method, status)
        process.send_signal(signal.SIGTERM)
        assert await anyio.to_thread.run_sync(process.wait) in (0, -signal.SIGTERM)


async def test_a_slash_behind_the_secret_does_no_harm(
    http: aiohttp.ClientSession, tmp_path: Path
) -> None:
    with serving("plain_aiohttp", tmp_path / "inbox.db") as (url, _process):
        for path, status in ((SECRET, 200), (f"{SECRET}/", 200), (f"{SECRET}/x", 404), ("", 404)):
            async with http.post(f"{url}/clicksend/{path}", data=b"body=Hi") as reply:
                assert reply.status == status, path


async def test_a_body_of_wrong_encoding_is_kept_as_unreadable(
    http: aiohttp.ClientSession, tmp_path: Path
) -> None:
    with serving("plain_aiohttp", tmp_path / "inbox.db") as (url, _process):
        # aiohttp closes the connection, as it cannot find the end of such a body.
        headers = {"content-encoding": "gzip", "connection": "close"}
        async with http.post(
            f"{url}/clicksend/{SECRET}", data=b"body=Hi&message_id=1", headers=headers
        ) as reply:
            assert reply.status == 200
        async with http.post(f"{url}/clicksend/{SECRET}", data=b"body=Hi&message_id=2") as reply:
            assert reply.status == 200
        assert await handled(http, url, 1) == ["inbound 2"]


async def test_a_body_that_unpacks_to_more_than_the_limit_is_refused(
    http: aiohttp.ClientSession, tmp_path: Path
) -> None:
    with serving("plain_aiohttp", tmp_path / "inbox.db") as (url, _process):
        headers = {"content-encoding": "gzip"}
        data = gzip.compress(b"body=" + b"x" * 10_000_000)
        async with http.post(f"{url}/clicksend/{SECRET}", data=data, headers=headers) as reply:
            assert reply.status == 413
