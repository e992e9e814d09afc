"""The example: a web service in several processes, a worker, and a sandbox."""

from __future__ import annotations

import asyncio
import contextlib
import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import aiohttp
import psycopg
import pytest
from psycopg import sql
from psycopg.conninfo import make_conninfo

from aioclicksend.cluster import Cluster
from aioclicksend.sandbox import Sandbox

pytest.importorskip("fastapi")
pytest.importorskip("uvicorn")

FOLDER = Path(__file__).parents[2] / "examples" / "cluster"


def free_port() -> int:
    with socket.socket() as it:
        it.bind(("127.0.0.1", 0))
        return int(it.getsockname()[1])


@contextmanager
def running(*command: str, **environment: str) -> Iterator[None]:
    process = subprocess.Popen([sys.executable, "-m", *command], env=os.environ | environment)  # noqa: S603
    try:
        yield
    finally:
        process.terminate()
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(20)
        process.kill()
        process.wait()


@pytest.mark.slow
@pytest.mark.timeout(240)
async def test_several_web_processes_and_a_worker_send_each_text_once(postgres_url: str) -> None:
    # The example uses the usual schema, so that it gets a database of its own.
    with psycopg.connect(postgres_url, autocommit=True) as connection:
        connection.execute(sql.SQL("drop database if exists example with (force)"))
        connection.execute(sql.SQL("create database example"))
    url = make_conninfo(postgres_url, dbname="example")
    cluster = Cluster(url)
    async with cluster.closing():
        await cluster.migrate()
    port = str(free_port())
    async with Sandbox() as sandbox:
        environment = sandbox.environ | {"AIOCLICKSEND_DATABASE_URL": url}
        web = ("uvicorn", "--app-dir", str(FOLDER), "app:app", "--workers", "3", "--port", port)
        with running("aioclicksend", "worker", **environment), running(*web, **environment):
            async with aiohttp.ClientSession(f"http://127.0.0.1:{port}") as http:
                await until_it_answers(http)

                async def send_code() -> tuple[int, str]:
                    code = {"login": "ann", "to": "+61411111111", "code": "1234"}
                    async with http.post("/codes", json=code) as reply:
                        return reply.status, (await reply.json())["message_id"]

                answers = await asyncio.gather(*(send_code() for _ in range(20)))
                assert {status for status, _ in answers} == {201}
                assert len({message_id for _, message_id in answers}) == 1
                for status in (201, 500):  # booked once: the second transaction is rolled back
                    order = {"id": "17", "to": "+61422222222"}
                    async with http.post("/orders", json=order) as reply:
                        assert reply.status == status
                async with asyncio.timeout(60):
                    while len(sandbox.messages) < 2:
                        await asyncio.sleep(0.2)
        assert sorted(it.to for it in sandbox.messages) == ["+61411111111", "+61422222222"]


async def until_it_answers(http: aiohttp.ClientSession) -> None:
    async with asyncio.timeout(90):
        while True:
            with contextlib.suppress(aiohttp.ClientConnectionError):
                async with http.get("/openapi.json") as reply:
                    if reply.status == 200:
                        return
            await asyncio.sleep(0.3)
