"""Small servers on loopback that misbehave in one way each and count what arrives.

An arrival is a request whose head was read whole; what becomes of it is up to the server's script.
"""

from __future__ import annotations

import asyncio
import json
import socket
import struct
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any, Self, TypeAlias

PATIENCE = 5.0
"""Seconds until something that should happen at once is taken for never happening."""

_FORGET_WITH_RST = struct.pack("ii", 1, 0)


@dataclass
class Arrival:
    """One request, as it was read off the wire."""

    method: str
    target: str
    headers: dict[str, str]
    body: bytes
    line: int
    """Which connection it came by, from 1."""
    at: float = field(default_factory=time.monotonic)

    @property
    def path(self) -> str:
        return self.target.partition("?")[0]

    @property
    def query(self) -> str:
        return self.target.partition("?")[2]

    @property
    def page(self) -> int:
        """The page of a list it asks for."""
        return int(dict(pair.split("=") for pair in self.query.split("&"))["page"])

    @property
    def json(self) -> Any:
        return json.loads(self.body)


class Line:
    """One connection, seen from the server."""

    def __init__(
        self, number: int, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        self.number = number
        self.reader = reader
        self.writer = writer

    async def read(self, *, body: bool = True) -> Arrival | None:
        """Read a request, or only its head; None if none follows."""
        try:
            head = await self.reader.readuntil(b"\r\n\r\n")
        except (asyncio.IncompleteReadError, asyncio.LimitOverrunError):
            return None
        first, *rest = head.decode("utf-8", "replace").strip().split("\r\n")
        method, target, _ = first.split(" ")
        headers = {
            name.strip().lower(): value.strip()
            for name, _, value in (line.partition(":") for line in rest)
        }
        content = b""
        if body:
            content = await self.reader.readexactly(int(headers.get("content-length", "0")))
        return Arrival(method, target, headers, content, self.number)

    async def write(self, *parts: bytes) -> None:
        self.writer.write(b"".join(parts))
        await self.writer.drain()

    async def reply(
        self,
        status: int = 200,
        content: Any = b"",
        headers: Mapping[str, str] | None = None,
        *,
        length: int | None = None,
    ) -> None:
        """Answer; `content` is JSON unless it is bytes, `length` a lie about it."""
        body = content if isinstance(content, bytes) else json.dumps(content).encode()
        fields = {
            "Content-Type": "application/json",
            "Content-Length": str(len(body) if length is None else length),
            **(headers or {}),
        }
        head = "".join(f"{name}: {value}\r\n" for name, value in fields.items())
        await self.write(f"HTTP/1.1 {status} Said\r\n{head}\r\n".encode("latin-1"), body)

    async def ok(self, data: Any = None) -> None:
        """Answer with an envelope of success."""
        await self.reply(200, envelope(data))

    async def hang(self) -> None:
        """Say nothing until the client hangs up."""
        await self.reader.read()

    def reset(self) -> None:
        """Close with a TCP reset."""
        connection = self.writer.get_extra_info("socket")
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _FORGET_WITH_RST)
        self.writer.transport.abort()


Script: TypeAlias = Callable[[Line, Arrival], Awaitable[None]]
Greeting: TypeAlias = Callable[[Line], Awaitable[None]]


class Hostile:
    """A server whose every request is answered by a script.

    `greet` takes over a connection before anything is read, and `heads_only` leaves bodies unread.
    """

    def __init__(
        self,
        script: Script | None = None,
        *,
        greet: Greeting | None = None,
        heads_only: bool = False,
    ) -> None:
        self.script = script
        self.arrivals: list[Arrival] = []
        self.lines = 0
        """Connections so far."""
        self.open = 0
        """Connections now."""
        self._greet = greet
        self._heads_only = heads_only
        self._changed = asyncio.Condition()
        self._tasks: set[asyncio.Task[None]] = set()
        self._server: asyncio.Server | None = None
        self._port = 0

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._port}"

    @property
    def tls_url(self) -> str:
        """The same address under a scheme it does not speak."""
        return f"https://127.0.0.1:{self._port}"

    async def until(self, true: Callable[[Self], bool]) -> None:
        """Wait until something is true of this server."""
        async with asyncio.timeout(PATIENCE), self._changed:
            await self._changed.wait_for(lambda: true(self))

    async def until_arrivals(self, count: int) -> None:
        await self.until(lambda it: len(it.arrivals) >= count)

    async def until_all_closed(self) -> None:
        """Wait until the client has let go of every connection."""
        await self.until(lambda it: it.open == 0)

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self._port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        assert self._server is not None
        self._server.close()
        for task in self._tasks:
            task.cancel()
        if self._tasks:
            await asyncio.wait(self._tasks)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        self.lines += 1
        self.open += 1
        line = Line(self.lines, reader, writer)
        try:
            await self._announce()
            await self._converse(line)
        except (OSError, asyncio.IncompleteReadError, asyncio.CancelledError):
            pass
        finally:
            writer.transport.abort() if writer.is_closing() else writer.close()
            with suppress(OSError, asyncio.CancelledError):
                await writer.wait_closed()
            self._tasks.discard(task)
            self.open -= 1
            with suppress(asyncio.CancelledError):
                await self._announce()

    async def _converse(self, line: Line) -> None:
        if self._greet is not None:
            await self._greet(line)
            return
        while (arrival := await line.read(body=not self._heads_only)) is not None:
            self.arrivals.append(arrival)
            await self._announce()
            if self.script is not None:
                await self.script(line, arrival)
            if line.writer.is_closing():
                return

    async def _announce(self) -> None:
        async with self._changed:
            self._changed.notify_all()


def envelope(data: Any = None, http_code: Any = 200) -> dict[str, Any]:
    return {
        "http_code": http_code,
        "response_code": "SUCCESS",
        "response_msg": "Here are your data.",
        "data": data,
    }


def data_for(arrival: Arrival) -> dict[str, Any]:
    """Return the ``data`` that a call may end well with."""
    return sent(arrival) if b'"messages"' in arrival.body else {}


def sent(arrival: Arrival) -> dict[str, Any]:
    """Return the ``data`` of a send that took every message."""
    rows = [
        {
            "to": message.get("to"),
            "body": message["body"],
            "custom_string": message["custom_string"],
            "message_id": f"ID-{index}",
            "message_parts": 1,
            "message_price": "0.0770",
            "status": "SUCCESS",
        }
        for index, message in enumerate(arrival.json["messages"])
    ]
    return {"total_price": 0.077 * len(rows), "total_count": len(rows), "messages": rows}


@asynccontextmanager
async def refused_url() -> AsyncIterator[str]:
    """Yield an address at which every connection is refused; its port stays taken."""
    with socket.socket() as unheard:
        unheard.bind(("127.0.0.1", 0))
        yield f"http://127.0.0.1:{unheard.getsockname()[1]}"


@asynccontextmanager
async def nothing_left_behind() -> AsyncIterator[None]:
    """Fail if the block leaves a task of the client; one turn of the loop is free."""
    before = asyncio.all_tasks()
    yield
    await asyncio.sleep(0)
    left = {task for task in asyncio.all_tasks() - before if not _is_a_servers(task)}
    assert not left, left


def _is_a_servers(task: asyncio.Task[Any]) -> bool:
    name = getattr(task.get_coro(), "__qualname__", "")
    return name.startswith(("Hostile.", "RequestHandler."))
