"""What a server that closes idle connections costs, by the way a client keeps connections.

``python benchmarks/idle_race.py [REQUESTS]``

The server answers, waits for up to twice the client's interval, and closes the connection without
reading what may have arrived meanwhile: the worst case of an idle timeout. *Unknown* are requests
whose bytes left and that got no reply. For the cost of each way the server keeps connections open.
"""

from __future__ import annotations

import asyncio
import random
import resource
import socket
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import aiohttp
from aiohttp.connector import Connection

from aioclicksend import BasicAuth, ClickSend, UnknownOutcomeError

INTERVAL = 0.002
"""Seconds between two requests of a client."""
BODY = b'{"http_code":200,"data":{}}'
REPLY = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%b" % (len(BODY), BODY)

Call = Callable[[], Awaitable[bool]]
"""Makes one request with an effect; False if its outcome is unknown."""


@asynccontextmanager
async def server(*, closes: bool) -> AsyncIterator[str]:
    """Run the server, and yield its address."""
    chance = random.Random(1)

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while head := await reader.readuntil(b"\r\n\r\n"):
                length = head.lower().partition(b"content-length: ")[2].split(b"\r\n")[0]
                await reader.readexactly(int(length or 0))
                writer.write(REPLY)
                if closes:
                    await asyncio.sleep(chance.random() * 2 * INTERVAL)
                    break
        except (OSError, asyncio.IncompleteReadError):
            pass
        writer.close()

    listening = await asyncio.start_server(serve, "127.0.0.1", 0)
    async with listening:
        yield f"http://127.0.0.1:{listening.sockets[0].getsockname()[1]}"


class Probing(aiohttp.TCPConnector):
    """Looks at the socket of an idle connection before it is used."""

    async def connect(self, *args: object, **kwargs: object) -> Connection:
        """Return a connection whose other side has not closed it, as far as is known here."""
        while True:
            connection = await super().connect(*args, **kwargs)  # type: ignore[arg-type]
            assert connection.transport is not None
            raw = connection.transport.get_extra_info("socket")
            try:
                closed = socket.socket.recv(raw._sock, 1, socket.MSG_PEEK) == b""  # noqa: SLF001
            except BlockingIOError:
                return connection
            if not closed:
                return connection
            connection.close()


@asynccontextmanager
async def aiohttp_call(url: str, connector: aiohttp.TCPConnector) -> AsyncIterator[Call]:
    """Yield calls of a plain aiohttp session."""
    async with aiohttp.ClientSession(connector=connector) as http:

        async def call() -> bool:
            try:
                async with http.post(f"{url}/v3/lists", data=b"{}") as reply:
                    await reply.read()
            except (aiohttp.ClientOSError, aiohttp.ServerDisconnectedError):
                return False
            return True

        yield call


@asynccontextmanager
async def our_call(url: str) -> AsyncIterator[Call]:
    """Yield calls of this package's client."""
    auth = BasicAuth("someone", "key")
    async with ClickSend(auth=auth, base_url=url, rate_limit=None) as client:

        async def call() -> bool:
            try:
                await client.request("POST", "/v3/lists", json={})
            except UnknownOutcomeError:
                return False
            return True

        yield call


WAYS = {
    "aiohttp, keep-alive of 15 s": lambda url: aiohttp_call(url, aiohttp.TCPConnector()),
    "aiohttp, keep-alive of 1 ms": lambda url: aiohttp_call(
        url, aiohttp.TCPConnector(keepalive_timeout=0.001)
    ),
    "aiohttp, idle sockets looked at": lambda url: aiohttp_call(url, Probing()),
    "aiohttp, no keep-alive": lambda url: aiohttp_call(url, aiohttp.TCPConnector(force_close=True)),
    "aioclicksend": our_call,
}


async def main(requests: int) -> None:
    """Print a row for each way."""
    print(f"{'':34}{'unknown':>9}{'CPU/call':>12}")
    for name, way in WAYS.items():
        async with server(closes=True) as url, way(url) as call:
            unknown = 0
            for _ in range(requests):
                unknown += not await call()
                await asyncio.sleep(INTERVAL)
        async with server(closes=False) as url, way(url) as call:
            before = resource.getrusage(resource.RUSAGE_SELF)
            for _ in range(requests):
                await call()
            after = resource.getrusage(resource.RUSAGE_SELF)
        spent = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
        print(f"{name:34}{unknown / requests:>9.1%}{spent / requests * 1e6:>9.0f} µs")


if __name__ == "__main__":
    asyncio.run(main(int(sys.argv[1]) if len(sys.argv) > 1 else 2000))
