"""A partition between a process and its database: a proxy that stops passing bytes on."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from psycopg.conninfo import conninfo_to_dict


class Proxy:
    """Passes bytes between TCP clients and a PostgreSQL on a Unix socket, unless it is cut."""

    def __init__(self, url: str) -> None:
        given = conninfo_to_dict(url)
        self._user = given.get("user") or "postgres"
        self._name = given.get("dbname") or "postgres"
        self._host, self._port = str(given["host"]), str(given.get("port") or 5432)
        self._open = asyncio.Event()
        self._open.set()
        self.url = ""
        self._busy: set[asyncio.Task[None]] = set()

    def cut(self) -> None:
        """Pass nothing on; connections stay open, as in a partition."""
        self._open.clear()

    def mend(self) -> None:
        """Pass everything on again."""
        self._open.set()

    def accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.ensure_future(self._serve(reader, writer))
        self._busy.add(task)
        task.add_done_callback(self._busy.discard)

    async def close(self) -> None:
        """End all connections."""
        for task in list(self._busy):
            task.cancel()
        await asyncio.gather(*self._busy, return_exceptions=True)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if self._host.startswith("/"):
            path = f"{self._host}/.s.PGSQL.{self._port}"
            there = await asyncio.open_unix_connection(path)
        else:
            there = await asyncio.open_connection(self._host, int(self._port))
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._pass_on(reader, there[1]))
            tasks.create_task(self._pass_on(there[0], writer))

    async def _pass_on(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError):
            try:
                while data := await reader.read(65536):
                    await self._open.wait()
                    writer.write(data)
                    await writer.drain()
            finally:
                writer.close()
                await writer.wait_closed()

    def name_of(self, port: int) -> str:
        return f"postgresql://{self._user}@127.0.0.1:{port}/{self._name}"


@asynccontextmanager
async def proxy_of(url: str) -> AsyncIterator[Proxy]:
    proxy = Proxy(url)
    server = await asyncio.start_server(proxy.accept, "127.0.0.1", 0)
    proxy.url = proxy.name_of(server.sockets[0].getsockname()[1])
    try:
        yield proxy
    finally:
        server.close()
        await proxy.close()
