"""A client belongs to the event loop of its first call."""

from __future__ import annotations

import asyncio
import gc
import subprocess
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from aioclicksend import BasicAuth, ClickSend
from aioclicksend.sandbox import Sandbox

from ..hostile import Hostile
from .helpers import MESSAGE, client_of


@pytest.fixture
def sandbox() -> Iterator[Sandbox]:
    """Yield a sandbox in a separate thread with its own event loop."""
    ready, end = threading.Event(), threading.Event()
    found: list[Sandbox] = []

    async def serve() -> None:
        async with Sandbox() as sandbox:
            found.append(sandbox)
            ready.set()
            await asyncio.to_thread(end.wait)

    thread = threading.Thread(target=lambda: asyncio.run(serve()))
    thread.start()
    ready.wait()
    yield found[0]
    end.set()
    thread.join()


def client_for(sandbox: Sandbox) -> ClickSend:
    return client_of(sandbox.url, auth=BasicAuth(sandbox.username, sandbox.api_key))


def test_another_event_loop_is_refused_before_a_byte_leaves(sandbox: Sandbox) -> None:
    client = client_for(sandbox)

    async def send() -> None:
        await client.sms.send(MESSAGE)

    with asyncio.Runner() as first:
        first.run(send())
        for _ in range(2):
            with (
                pytest.raises(RuntimeError, match="belongs to another event loop"),
                ThreadPoolExecutor(1) as pool,
            ):
                pool.submit(lambda: asyncio.run(send())).result()
        first.run(send())
        first.run(client.aclose())
    assert len(sandbox.messages) == 2


def test_a_closed_event_loop_is_another_one(sandbox: Sandbox) -> None:
    client = client_for(sandbox)

    async def send() -> None:
        await client.sms.send(MESSAGE)

    async def walk() -> None:
        await client.sms.history().collect()

    with asyncio.Runner() as runner:
        runner.run(send())
        runner.run(client.aclose())
    for call in (send, walk):
        with pytest.raises(RuntimeError, match="another event loop"):
            asyncio.run(call())
    asyncio.run(client.aclose())
    assert len(sandbox.messages) == 1


def test_of_threads_that_call_at_once_one_sends(sandbox: Sandbox) -> None:
    client = client_for(sandbox)
    together = threading.Barrier(4)

    async def send() -> str:
        together.wait()
        try:
            await client.sms.send(MESSAGE)
        except RuntimeError as error:
            return str(error)
        await client.aclose()
        return ""

    with ThreadPoolExecutor(4) as pool:
        errors = list(pool.map(lambda _: asyncio.run(send()), range(4)))
    refused = [it for it in errors if it]
    assert len(refused) == 3
    assert all("another event loop" in it for it in refused)
    assert len(sandbox.messages) == 1


async def test_closing_from_another_event_loop_is_refused_while_the_first_runs() -> None:
    async with Hostile(lambda line, _: line.ok({})) as server, client_of(server.url) as client:
        await client.account.get()

        def close() -> None:
            asyncio.run(client.aclose())

        with pytest.raises(RuntimeError, match="another event loop"):
            await asyncio.to_thread(close)
        await client.account.get()


ENDS = """
import asyncio
from aioclicksend import BasicAuth, ClickSend
from aioclicksend.sandbox import Sandbox

clients = [ClickSend(auth=BasicAuth("a", "b")) for _ in range(2)]
asyncio.run(clients[0].aclose())

async def main():
    async with Sandbox() as sandbox:
        auth = BasicAuth(sandbox.username, sandbox.api_key)
        client = ClickSend(auth=auth, base_url=sandbox.url)
        clients.append(client)
        await client.account.get()
        {close}

asyncio.run(main())
{late}
"""


@pytest.mark.slow
@pytest.mark.parametrize(
    ("close", "late"),
    [("await client.aclose()", ""), ("await client.aclose()", "asyncio.run(clients[2].aclose())")],
)
def test_closed_and_unused_clients_end_in_silence(close: str, late: str) -> None:
    code = ENDS.format(close=close, late=late)
    process = subprocess.run(  # noqa: S603
        [sys.executable, "-W", "error", "-c", code],
        capture_output=True,
        text=True,
        check=False,
    )
    assert (process.returncode, process.stderr) == (0, "")


@pytest.mark.slow
def test_a_client_left_open_only_warns() -> None:
    process = subprocess.run(  # noqa: S603
        [sys.executable, "-W", "always", "-c", ENDS.format(close="pass", late="")],
        capture_output=True,
        text=True,
        check=False,
    )
    assert process.returncode == 0
    assert "unclosed ClickSend client" in process.stderr
    assert "RuntimeError" not in process.stderr
    assert "Exception ignored" not in process.stderr


def test_a_client_can_be_dropped_without_a_loop() -> None:
    client_of("http://127.0.0.1:9")
    gc.collect()
