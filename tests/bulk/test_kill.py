"""Killed at any write of its journal, a run is resumed without sending twice or losing one."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import aioclicksend as ac
from aioclicksend.sandbox import Sandbox

from .dying import MESSAGES, WRITES, run
from .helpers import accepts

ROOT = Path(__file__).parents[2]
NEW = 3
"""Messages that only the second run has: what is sent later shows how up to date the history is."""
TYPICAL = {("_begin", 2, "after"), ("_commit", 1, "after"), ("_record", 2, "before")}

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="Windows has no SIGKILL")


def points() -> Iterator[Any]:
    """Yield all places to die at; most of them are for the long run of the tests."""
    for write, calls in WRITES.items():
        for count in range(1, calls + 1):
            for when in ("before", "after"):
                marks = [] if (write, count, when) in TYPICAL else [pytest.mark.slow]
                yield pytest.param(write, count, when, marks=marks)


async def die(sandbox: Sandbox, journal: Path, write: str, count: int, when: str) -> int:
    """Run the messages in a process of its own that dies at one of its writes."""
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        *("-m", "tests.bulk.dying", sandbox.url, str(journal), write, str(count), when),
        cwd=ROOT,
    )
    return await process.wait()


@pytest.mark.parametrize(("write", "count", "when"), list(points()))
async def test_a_run_killed_at_any_journal_write_ends_with_every_message_accepted_once(
    tmp_path: Path, write: str, count: int, when: str
) -> None:
    async with Sandbox() as sandbox:
        journal = tmp_path / "promo.db"
        code = await die(sandbox, journal, write, count, when)
        # The lanes share writes: the last ones of a kind are not always needed.
        assert code == -9 or count > 1
        reconcile = ac.Reconcile(settle=0.3, resend=True)
        report = await run(sandbox.url, str(journal), MESSAGES + NEW, reconcile=reconcile)
        assert (report.accepted, report.total) == (MESSAGES + NEW, MESSAGES + NEW)
        taken = accepts(sandbox)
        assert len(taken) == MESSAGES + NEW
        assert set(taken.values()) == {1}


async def test_without_resend_what_a_killed_run_left_in_doubt_is_unknown(tmp_path: Path) -> None:
    """Killed right after an intent, before its request: nothing is sent blindly."""
    async with Sandbox() as sandbox:
        journal = tmp_path / "promo.db"
        assert await die(sandbox, journal, "_commit", 1, "after") == -9
        assert not sandbox.messages
        report = await run(sandbox.url, str(journal), reconcile=ac.Reconcile(settle=0.2))
        assert report.unknown > 0
        assert report.total == MESSAGES
        assert set(accepts(sandbox).values()) == {1}
        assert report.accepted == len(accepts(sandbox)) == MESSAGES - report.unknown
