"""10 000 events, repeated, disordered and polled too, into a process that is killed at random."""

from __future__ import annotations

import asyncio
import os
import random
import socket
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import aiohttp
import anyio
import pytest

from aioclicksend.webhooks import (
    DeliveryReceipt,
    DeliveryState,
    MessageDelivery,
    SqliteInbox,
    dedupe_key,
    merge,
)
from aioclicksend.webhooks.parse import event_of

from .pushes import FORMATS, SECRET, Wire, inbound, receipt, wire

EVENTS = 10_000
REPEATED = 0.3
KILLS = 12
SENDERS = 24


class Server:
    """Serves one inbox on one socket, in one process after another."""

    def __init__(self, listening: socket.socket, environment: dict[str, str]) -> None:
        self._listening = listening
        self._environment = environment
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        fd = self._listening.fileno()
        self._process = subprocess.Popen(  # noqa: S603
            [sys.executable, "-m", "tests.webhooks.serve", "recording", str(fd)],
            env=self._environment,
            pass_fds=[fd],
        )

    def kill(self) -> None:
        assert self._process is not None
        self._process.kill()
        self._process.wait()


@contextmanager
def serving(inbox: Path, handled: Path) -> Iterator[tuple[str, Server]]:
    with socket.create_server(("127.0.0.1", 0), backlog=512) as listening:
        environment = {**os.environ, "INBOX": str(inbox), "HANDLED": str(handled)}
        server = Server(listening, environment)
        server.start()
        try:
            yield f"http://127.0.0.1:{listening.getsockname()[1]}/clicksend/{SECRET}", server
        finally:
            server.kill()


def events(chance: random.Random) -> list[dict[str, Any]]:
    """Return the lives of many messages: receipts of each that end final, and replies to some."""
    told = list[dict[str, Any]]()
    number = 0
    while len(told) < EVENTS:
        number += 1
        name = f"message-{number}"
        end = chance.choice([201, 201, 201, 301])
        told += [
            receipt(name, code, timestamp=str(1_900_000_000 + at), custom_string=f"ac1-{number}")
            for at, code in enumerate([200, *chance.choice([[], [300]]), end])
        ]
        if chance.random() < 0.2:
            told.append(inbound(f"reply-{number}", f"Yes {number}"))
    return told


async def push(http: aiohttp.ClientSession, url: str, it: Wire) -> None:
    """Push as ClickSend does: again until the answer is 200."""
    headers = {"content-type": it.content_type} if it.content_type else {}
    target = f"{url}?{it.query}" if it.query else url
    while True:
        try:
            async with http.request(
                it.method, target, data=it.body or None, headers=headers
            ) as reply:
                if reply.status == 200:
                    return
        except (aiohttp.ClientError, TimeoutError):
            pass
        await anyio.sleep(0.02)


async def poll(inbox: Path, receipts: list[dict[str, Any]]) -> None:
    """Record receipts as a poller of another process does."""
    store = SqliteInbox(inbox)
    await store.open()
    found = [event_of(it) for it in receipts]
    for first in range(0, len(found), 100):
        page = [it for it in found[first : first + 100] if isinstance(it, DeliveryReceipt)]
        await store.record(page, time.time())
        await anyio.sleep(0.05)
    await store.close()


def due(inbox: Path) -> int:
    with closing(sqlite3.connect(inbox, timeout=60)) as db:
        (count,) = db.execute("select count(*) from push where due is not null").fetchone()
    return int(count)


@pytest.mark.slow
@pytest.mark.timeout(600)
async def test_every_event_is_handled_and_recorded_once_whatever_dies(tmp_path: Path) -> None:
    seed = random.randrange(2**32)
    print("seed", seed)  # noqa: T201 - shown if it fails
    chance = random.Random(seed)
    inbox, handled = tmp_path / "inbox.db", tmp_path / "handled"
    told = events(chance)
    todo = told + chance.sample(told, int(len(told) * REPEATED))
    chance.shuffle(todo)
    half = chance.sample([it for it in told if "status_code" in it], len(told) // 3)
    deaths = sorted(chance.sample(range(len(todo) // 20, len(todo)), KILLS), reverse=True)
    left = iter(todo)
    done = 0

    with serving(inbox, handled) as (url, server):

        async def send(http: aiohttp.ClientSession) -> None:
            nonlocal done
            for fields in left:
                await push(http, url, wire(fields, chance.choice(FORMATS)))
                done += 1
                if deaths and done >= deaths[-1]:
                    deaths.pop()
                    server.kill()
                    server.start()

        timeout = aiohttp.ClientTimeout(20)
        async with aiohttp.ClientSession(timeout=timeout) as http, asyncio.TaskGroup() as group:
            for _ in range(SENDERS):
                group.create_task(send(http))
            await push(http, url, wire(todo[0], "form"))
            group.create_task(poll(inbox, half))
        assert not deaths
        while due(inbox):
            await anyio.sleep(0.1)

    expected = {dedupe_key(event) for it in told if (event := event_of(it))}
    assert len(expected) == len(told)
    assert set(handled.read_text().split("\n")) - {""} == expected

    with closing(sqlite3.connect(inbox)) as db:
        keys = [key for (key,) in db.execute("select key from push")]
    assert sorted(keys) == sorted(filter(None, expected))

    lives = dict[str, MessageDelivery]()
    for fields in told:
        event = event_of(fields)
        if isinstance(event, DeliveryReceipt) and event.message_id:
            lives[event.message_id] = merge(lives.get(event.message_id), event)
    store = SqliteInbox(inbox)
    await store.open()
    known = await store.deliveries(list(lives))
    changes = await store.changes(0, 10 * EVENTS)
    await store.close()
    assert known == lives
    assert all(it.is_final for it in known.values())
    ended = [it.delivery.message_id for it in changes if it.is_final]
    assert len(ended) == len(set(ended)) == len(lives)
    assert {it.state for it in known.values()} == {DeliveryState.DELIVERED, DeliveryState.FAILED}
