"""Who may write a journal: processes that live, died, or are somebody else by now."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import sqlite3
import subprocess
import sys
import time
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

import aioclicksend as ac
from aioclicksend.bulk.lease import Lease
from aioclicksend.sandbox import Sandbox

from .helpers import client, many, outcomes, sms

linux = pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")


@pytest.fixture
async def path(tmp_path: Path) -> Path:
    """Return a journal that nobody uses."""
    path = tmp_path / "promo.db"
    async with Sandbox() as sandbox, client(sandbox) as api, api.sms.bulk(journal=path):
        pass
    return path


def change(path: Path, query: str, *values: Any) -> list[tuple[Any, ...]]:
    """Read or write a journal behind its back."""
    with closing(sqlite3.connect(path, timeout=0.5)) as db, db:
        return db.execute(query, values).fetchall()


def lend(path: Path, pid: int, born: str, *, host: str = "", age: float = 0.0) -> None:
    """Give a journal's lease to some process."""
    beat = time.time() - age
    values = ("other", pid, host or socket.gethostname(), born, beat)
    change(path, "insert or replace into lease values (1, ?, ?, ?, ?, ?)", *values)


def born(pid: int) -> str:
    """Return what Linux tells of the start of a process."""
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[19]


async def is_free(path: Path) -> bool:
    """Whether a run may begin."""
    async with Sandbox() as sandbox, client(sandbox) as api:
        try:
            async with api.sms.bulk(journal=path):
                return True
        except ac.ConfigurationError as error:
            assert "is in use by process" in str(error)  # noqa: PT017 - it need not come
            return False


@linux
async def test_a_lease_tells_its_holder_from_a_later_process_with_its_number(path: Path) -> None:
    async with Sandbox() as sandbox, client(sandbox) as api, api.sms.bulk(journal=path):
        (held,) = change(path, "select pid, host, born from lease")
        assert held == (os.getpid(), socket.gethostname(), born(os.getpid()))
    lend(path, os.getpid(), born(os.getpid()))
    assert not await is_free(path)
    lend(path, os.getpid(), "1")
    assert await is_free(path)


@linux
async def test_a_process_that_died_and_was_not_reaped_holds_nothing(path: Path) -> None:
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as process:
        lend(path, process.pid, born(process.pid))
        assert not await is_free(path)
        process.send_signal(signal.SIGKILL)
        while Path(f"/proc/{process.pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z":
            await asyncio.sleep(0.01)
        assert await is_free(path)


async def test_a_process_that_is_gone_holds_nothing(path: Path) -> None:
    lend(path, 999_999_999, "999999999")
    assert await is_free(path)


@linux
async def test_a_process_of_somebody_else_is_alive(path: Path) -> None:
    """Asked whether it lives, the system refuses; it is there all the same."""
    lend(path, 1, born(1))
    assert not await is_free(path)


@pytest.mark.parametrize(("age", "free"), [(25, False), (35, True)])
async def test_a_process_elsewhere_is_given_half_a_minute(
    path: Path,
    age: float,
    free: bool,  # noqa: FBT001
) -> None:
    lend(path, os.getpid(), "1", host="elsewhere", age=age)
    assert await is_free(path) is free


@linux
async def test_a_process_that_lives_and_does_not_renew_its_lease_loses_it(path: Path) -> None:
    lend(path, os.getpid(), born(os.getpid()), age=60)
    assert await is_free(path)


async def test_a_lease_that_was_taken_over_is_left_to_its_new_holder(path: Path) -> None:
    """What was not committed is let go of at once: the new holder can write."""
    async with Sandbox() as sandbox, client(sandbox) as api:
        async with api.sms.bulk(journal=path) as bulk:
            change(path, "update lease set owner = 'other'")
            (outcome,) = await outcomes(bulk.stream(many(1)))
            assert isinstance(outcome, ac.NotSent)
            change(path, "update lease set beat = 0")
        assert change(path, "select owner from lease") == [("other",)]
        assert not sandbox.requests


async def test_a_lease_that_somebody_took_away_is_missed(path: Path) -> None:
    async with Sandbox() as sandbox, client(sandbox) as api:
        async with api.sms.bulk(journal=path) as bulk:
            change(path, "delete from lease")
            outcome = await (await bulk.send(sms(1)))
        assert isinstance(outcome, ac.NotSent)
        assert "was taken over by another process" in outcome.reason
        assert not sandbox.requests


async def test_a_lease_is_given_back(path: Path) -> None:
    assert change(path, "select * from lease") == []


def test_renewing_a_lease_tells_that_its_holder_is_alive(path: Path) -> None:
    with closing(sqlite3.connect(path)) as db:
        lease = Lease(db, path)
        lease.take()
        db.execute("update lease set beat = 0")
        began = time.time()
        lease.renew()
        ((beat,),) = db.execute("select beat from lease").fetchall()
        assert began <= beat <= time.time()
        Lease(db, path).give_back()  # another's: nothing happens
        lease.check()
        lease.give_back()
        with pytest.raises(ac.ConfigurationError, match="taken over"):
            lease.renew()
