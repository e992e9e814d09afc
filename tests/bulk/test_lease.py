"""Who may write a journal: processes that live, died, or have another process's number."""

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
from aioclicksend.bulk.encode import Encoded, encode
from aioclicksend.bulk.journal import Entry, State
from aioclicksend.bulk.journal import lease as leases
from aioclicksend.bulk.journal.lease import Lease
from aioclicksend.sandbox import Sandbox

from .fickle import account
from .helpers import client, many, outcomes, sms

linux = pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")


@pytest.fixture
async def path(tmp_path: Path) -> Path:
    """Return a journal that is not in use."""
    path = tmp_path / "promo.db"
    async with Sandbox() as sandbox, client(sandbox) as api, api.sms.bulk(journal=path):
        pass
    return path


def change(path: Path, query: str, *values: Any) -> list[tuple[Any, ...]]:
    """Read or write a journal behind its back."""
    with closing(sqlite3.connect(path, timeout=0.5)) as db, db:
        return db.execute(query, values).fetchall()


def lend(path: Path, pid: int, born: str, *, space: str = "", age: float = 0.0) -> None:
    """Give a journal's lease to some process."""
    beat = time.time() - age
    values = ("other", pid, socket.gethostname(), space or leases._space(), born, beat)
    change(path, "insert or replace into lease values (1, ?, ?, ?, ?, ?, ?)", *values)


def born(pid: int) -> str:
    """Return when Linux started a process."""
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
async def test_a_lease_distinguishes_its_holder_from_a_later_process_with_its_number(
    path: Path,
) -> None:
    async with Sandbox() as sandbox, client(sandbox) as api, api.sms.bulk(journal=path):
        (held,) = change(path, "select pid, host, born from lease")
        assert held == (os.getpid(), socket.gethostname(), born(os.getpid()))
    lend(path, os.getppid(), born(os.getppid()))
    assert not await is_free(path)
    lend(path, os.getppid(), "1")
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


async def test_an_exited_process_holds_nothing(path: Path) -> None:
    lend(path, 999_999_999, "999999999")
    assert await is_free(path)


@linux
async def test_a_process_of_another_user_is_alive(path: Path) -> None:
    """Asked whether it lives, the system refuses; it is there all the same."""
    lend(path, 1, born(1))
    assert not await is_free(path)


@pytest.mark.parametrize(("age", "free"), [(25, False), (35, True)])
async def test_a_lease_of_another_host_expires_after_half_a_minute(
    path: Path,
    age: float,
    free: bool,  # noqa: FBT001
) -> None:
    lend(path, os.getpid(), "1", space="elsewhere", age=age)
    assert await is_free(path) is free


@linux
async def test_a_process_that_lives_and_does_not_renew_its_lease_loses_it(path: Path) -> None:
    lend(path, os.getppid(), born(os.getppid()), age=60)
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


async def test_a_lease_taken_by_another_owner_is_noticed(path: Path) -> None:
    async with Sandbox() as sandbox, client(sandbox) as api:
        async with api.sms.bulk(journal=path) as bulk:
            change(path, "delete from lease")
            outcome = await (await bulk.send(sms(1)))
        assert isinstance(outcome, ac.NotSent)
        assert outcome.reason is ac.Reason.JOURNAL
        assert "was taken over by another process" in outcome.detail
        assert not sandbox.requests


async def test_a_lease_is_given_back(path: Path) -> None:
    assert change(path, "select * from lease") == []


def test_renewing_a_lease_shows_that_its_holder_is_alive(path: Path) -> None:
    with closing(sqlite3.connect(path)) as db:
        lease = Lease(db, path)
        lease.take()
        db.execute("update lease set beat = 0")
        began = time.time()
        lease.renew()
        ((beat,),) = db.execute("select beat from lease").fetchall()
        assert began <= beat <= time.time()
        Lease(db, path).release()  # another's: nothing happens
        lease.check()
        lease.release()
        with pytest.raises(ac.ConfigurationError, match="taken over"):
            lease.renew()


@linux
async def test_what_a_silent_owner_left_is_never_sent_again_by_itself(path: Path) -> None:
    """It may only be stopped, and complete its request when it wakes up."""
    for age, silent in ((60.0, True), (0.0, False)):
        journal = ac.Journal(path)
        await journal.start("sms")
        rows = (await journal.plan(journal.new_run(), message(journal))).rows
        await journal.begin(rows, 1)
        await journal.close()
        if silent:
            lend(path, os.getppid(), born(os.getppid()), age=age)
        else:
            lend(path, 999_999_999, "999999999")
        await journal.start("sms")
        entry = (await journal.claim(State.IN_DOUBT, 10, rows[0] - 1))[-1]
        assert entry.owner_exited is not silent
        await journal.close()


def message(journal: ac.Journal) -> Encoded:
    """Return a new message."""
    prefix = journal.ref_prefix()
    return encode([sms(1, custom_string=prefix)], kind=ac.SmsMessage, prefix=prefix)


def test_an_owner_that_did_not_run_for_long_does_not_pass_the_fence(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = 1000.0
    monkeypatch.setattr(leases, "now", lambda: clock)
    with closing(sqlite3.connect(path)) as db:
        lease = Lease(db, path)
        lease.take()
        lease.fence()
        clock += leases.LEASE * 0.6
        lease.fence()
        lease.renew()
        clock += leases.LEASE * 0.6
        lease.fence()
        clock += leases.LEASE * 0.2
        with pytest.raises(ac.ConfigurationError, match="did not run for 24 s"):
            lease.fence()
        lease.check()
        lease.fence()


async def test_a_lease_from_the_future_is_watched_for_a_change(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A clock was set back: only a renewal shows that the owner lives."""
    monkeypatch.setattr(leases, "_WATCH", 1.0)
    lend(path, os.getpid(), "1", space="elsewhere", age=-3600)
    assert await is_free(path)


async def test_a_journal_serves_one_sender_at_a_time(tmp_path: Path) -> None:
    journal = ac.Journal(tmp_path / "j.db")
    async with account() as (it, api):
        async with api.sms.bulk(journal=journal) as bulk:
            assert (await bulk.run(many(3))).accepted == 3
            with pytest.raises(ac.ConfigurationError, match="in use by another sender"):
                async with api.sms.bulk(journal=journal):
                    pass
            assert (await bulk.run(many(3, 10))).accepted == 3
        async with api.sms.bulk(journal=journal) as bulk:
            assert (await bulk.run(many(3, 20))).accepted == 3
        assert set(it.arrivals.values()) == {1}


@pytest.mark.parametrize("exited", [True, False])
@pytest.mark.parametrize("scheduled", [True, False])
def test_only_what_an_owner_left_that_has_exited_may_be_sent_again(
    *, exited: bool, scheduled: bool
) -> None:
    """A stopped one may wake up; and what is scheduled may be missing from the history."""
    api = ac.ClickSend(auth=ac.BasicAuth("a", "b"), base_url="http://127.0.0.1:1")
    body = b'{"to":"+61400000001","body":"Hi","custom_string":"r"%b}'
    entry = Entry(
        row=1,
        ref="r",
        body=body % (b',"schedule":1900000000' if scheduled else b""),
        state=State.IN_DOUBT,
        attempt=3,
        owner_exited=exited,
    )
    (doubt,), _ = api.sms.bulk()._doubts_of([entry], 0.0)
    assert doubt.may_resend == (exited and not scheduled)
    assert doubt.attempt == 3
