"""Owners of a journal that stop, die or lose it, clocks that jump, and disks that fill up."""

from __future__ import annotations

import asyncio
import signal
import sqlite3
import sys
import time
from collections import Counter
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

import aioclicksend as ac
from aioclicksend.sandbox import Sandbox

from .test_promises import client

PATIENCE = 60.0

_OWNER = """
import asyncio, sys
import aioclicksend as ac
from aioclicksend.bulk.journal import lease, sqlite
lease.LEASE = sqlite.LEASE = 1.5
async def main(url, journal):
    auth = ac.BasicAuth("sandbox", "sandbox")
    limit = ac.RateLimit(20, 1.0)
    async with ac.ClickSend(auth=auth, base_url=url, rate_limit=limit) as api:
        bulk = api.sms.bulk(journal=journal, batching=ac.Batching(size=5), ramp=None,
                            reconcile=ac.Reconcile(settle=1.0, resend=True))
        async with bulk:
            messages = [ac.SmsMessage(to=f"+614{n:08d}", body="Hi") for n in range(300)]
            print("began", flush=True)
            report = await bulk.run(messages)
    print(report.accepted, report.not_sent, report.unknown, flush=True)
asyncio.run(main(*sys.argv[1:]))
"""


async def _owner(url: str, journal: Path) -> asyncio.subprocess.Process:
    return await asyncio.create_subprocess_exec(
        sys.executable, "-c", _OWNER, url, str(journal),
        stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.DEVNULL,
    )  # fmt: skip


def arrivals(sandbox: Sandbox) -> Counter[str]:
    """Return how often each number was accepted."""
    return Counter(str(it["to"]) for it in sandbox.messages)


@pytest.mark.slow
@pytest.mark.skipif(sys.platform == "win32", reason="needs SIGSTOP")
@pytest.mark.timeout(180)
async def test_an_owner_that_was_stopped_for_longer_than_its_lease_sends_nothing_twice(
    tmp_path: Path,
) -> None:
    async with Sandbox() as sandbox:
        journal = tmp_path / "j.db"
        first = await _owner(sandbox.url, journal)
        assert first.stdout is not None
        assert await first.stdout.readline() == b"began\n"
        while len(sandbox.messages) < 50:
            await asyncio.sleep(0.05)
        first.send_signal(signal.SIGSTOP)
        while _is_locked(journal):  # stopped in the middle of a write, where nobody could go on
            first.send_signal(signal.SIGCONT)
            await asyncio.sleep(0.02)
            first.send_signal(signal.SIGSTOP)
        try:
            await asyncio.sleep(3)
            second = await _owner(sandbox.url, journal)
            assert second.stdout is not None
            assert await second.stdout.readline() == b"began\n"
            await asyncio.sleep(1)
        finally:
            first.send_signal(signal.SIGCONT)
        out, _ = await second.communicate()
        await first.communicate()
        accepted, not_sent, unknown = map(int, out.split())
        assert accepted + not_sent + unknown == 300
        assert set(arrivals(sandbox).values()) == {1}
        assert len(sandbox.messages) >= accepted


def _is_locked(journal: Path) -> bool:
    with closing(sqlite3.connect(journal, timeout=0)) as db:
        try:
            db.execute("begin immediate")
        except sqlite3.OperationalError:
            return True
    return False


@pytest.mark.slow
async def test_a_clock_step_sends_nothing_twice(monkeypatch: pytest.MonkeyPatch) -> None:
    async with Sandbox(history_lag=0.8) as sandbox, client(sandbox) as api:
        reconcile = ac.Reconcile(settle=2.5, resend=True)
        async with api.sms.bulk(reconcile=reconcile, ramp=None) as bulk:
            messages = [ac.SmsMessage(to=f"+614{n:08d}", body="Hi") for n in range(30)]
            assert (await bulk.run(messages[:10])).accepted == 10
            sandbox.fail_next("reset-after", path="/sms/send")
            run = asyncio.create_task(bulk.run(messages[10:20]))
            while len(sandbox.messages) < 20:
                await asyncio.sleep(0.01)
            real = time.time
            monkeypatch.setattr("time.time", lambda: real() + 100)
            later = await bulk.run(messages[20:])
            report = await run
        assert (report.accepted, later.accepted) == (10, 10)
        assert set(arrivals(sandbox).values()) == {1}


async def _fill_disk(bulk: Any) -> None:
    """Let the journal's file grow no more."""
    journal = bulk._journal

    def limit() -> None:
        (pages,) = journal._db.execute("pragma page_count").fetchone()
        journal._db.execute(f"pragma max_page_count = {pages}")

    await journal._run(limit)


@pytest.mark.slow
async def test_a_full_disk_ends_a_run_with_its_report(tmp_path: Path) -> None:
    async with Sandbox(balance="100000") as sandbox, client(sandbox) as api:
        path = tmp_path / "j.db"
        async with asyncio.timeout(PATIENCE):
            async with api.sms.bulk(journal=path, batching=ac.Batching(size=100)) as bulk:
                messages = [ac.SmsMessage(to=f"+614{n:08d}", body="Hi") for n in range(20_000)]
                await bulk.run(messages[:100])
                await _fill_disk(bulk)
                report = await bulk.run(messages[100:])
        assert report.total == 19_900
        assert report.reasons.get("journal", 0) > 0
        assert report.stopped or report.not_sent
        async with asyncio.timeout(PATIENCE), api.sms.bulk(journal=path) as bulk:
            again = await bulk.run(messages)
        assert again.accepted + again.unknown == 20_000
        assert set(arrivals(sandbox).values()) == {1}


async def test_a_damaged_journal_is_one_clear_error(tmp_path: Path) -> None:
    path = tmp_path / "j.db"
    async with Sandbox() as sandbox, client(sandbox) as api:
        async with api.sms.bulk(journal=path) as bulk:
            await bulk.run(ac.SmsMessage(to=f"+614{n:08d}", body="Hi " * 20) for n in range(2000))
        data = bytearray(path.read_bytes())
        data[8192:] = b"\x55" * (len(data) - 8192)
        path.write_bytes(data)
        with pytest.raises(ac.ConfigurationError, match=r"j\.db"):
            async with api.sms.bulk(journal=path):
                pass
