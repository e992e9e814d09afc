"""Killed at any write of its journal, a run is resumed without sending twice or losing one."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

import pytest

import aioclicksend as ac
from aioclicksend.sandbox import Sandbox

from .dying import MESSAGES, run
from .helpers import accepts

ROOT = Path(__file__).parents[2]

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="Windows has no SIGKILL")


async def die(sandbox: Sandbox, journal: Path, at: int, when: str) -> tuple[int, bytes]:
    """Run the messages in a process of its own that dies at one of its writes."""
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        *("-m", "tests.bulk.dying", sandbox.url, str(journal), str(at), when),
        cwd=ROOT,
        stdout=asyncio.subprocess.PIPE,
    )
    printed, _ = await process.communicate()
    assert process.returncode is not None
    return process.returncode, printed


async def test_a_run_killed_at_any_journal_write_ends_with_every_message_accepted_once(
    tmp_path: Path,
) -> None:
    """I1, I2 and I3 over a kill at every write point: before it, and after it."""
    async with Sandbox(latency=0.01) as sandbox:
        _, printed = await die(sandbox, tmp_path / "whole.db", 0, "after")
        writes = int(printed)
        assert writes > 15

        async def one(at: int, when: str) -> None:
            async with Sandbox(latency=0.01) as mine:
                journal = tmp_path / f"{at}-{when}.db"
                code, _ = await die(mine, journal, at, when)
                # The two lanes race: the last writes of a run are not always as many.
                assert code == -9 or at > writes - 4, (at, when)
                report = await run(
                    mine.url, str(journal), reconcile=ac.Reconcile(settle=0.3, resend=True)
                )
                taken = accepts(mine)
                assert (report.accepted, report.total) == (MESSAGES, MESSAGES), (at, when)
                assert len(taken) == MESSAGES, (at, when)
                assert set(taken.values()) == {1}, (at, when)

        points = [(at, when) for at in range(1, writes + 1) for when in ("before", "after")]
        slots = asyncio.Semaphore(4)

        async def limited(at: int, when: str) -> None:
            async with slots:
                await one(at, when)

        async with asyncio.TaskGroup() as tasks:
            for at, when in points:
                tasks.create_task(limited(at, when))


async def test_without_resend_a_killed_run_ends_honestly_unknown(tmp_path: Path) -> None:
    """I1, I2, I3: killed right after an intent, before its request: nothing is sent blindly."""
    async with Sandbox() as sandbox:
        journal = tmp_path / "promo.db"
        for at in range(1, 40):
            code, _ = await die(sandbox, journal, at, "after")
            assert code == -9
            report = await run(sandbox.url, str(journal), reconcile=ac.Reconcile(settle=0.2))
            if report.unknown:
                break
            journal.unlink()
            sandbox.reset()
        else:
            pytest.fail("no kill fell between intent and request")
        assert report.total == MESSAGES
        assert set(accepts(sandbox).values()) == {1}
        assert report.accepted == len(accepts(sandbox)) == MESSAGES - report.unknown
