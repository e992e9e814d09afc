"""Disks that are full at any write, journals that are slow, openings and closings that are cut."""

from __future__ import annotations

import asyncio
import functools
import sqlite3
import threading
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

import aioclicksend as ac
from aioclicksend.bulk.encode import encode
from aioclicksend.pacing import Pacer
from aioclicksend.sandbox import Sandbox

from .fickle import Account, account
from .helpers import many, sms

PATIENCE = 60.0
WRITES = ["_insert", "_begin", "_record", "_commit", "_withdraw", "_look", "_plan"]


class FullDisk(ac.Journal):
    """A journal one of whose writes fails from the n-th time on, for some times."""

    def __init__(self, path: Path, write: str, count: int, times: int) -> None:
        super().__init__(path)
        self._count, self._left = count, times
        setattr(self, write, functools.partial(self._failing, getattr(self, write)))

    def _failing(self, work: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        self._count -= 1
        if self._count < 0 and self._left > 0:
            self._left -= 1
            raise sqlite3.OperationalError("database or disk is full")
        return work(*args, **kwargs)


async def _fill(path: Path, write: str, count: int, times: int) -> None:
    messages = [*many(20), *(ac.SmsMessage(to=f"+615{it:08d}", body="Hi") for it in range(20))]
    options: dict[str, Any] = {
        "batching": ac.Batching(size=4),
        "lanes": 2,
        "ramp": None,
        "reconcile": ac.Reconcile(settle=0.1),
    }
    async with account() as (it, api):
        journal = FullDisk(path, write, count, times)
        with suppress(ac.ConfigurationError):  # where it cannot even be opened
            async with api.sms.bulk(journal=journal, **options) as bulk:
                handles = [await bulk.send(message) for message in messages[:4]]
                reports = await asyncio.gather(*(bulk.run(messages) for _ in range(2)))
                assert all([await handle for handle in handles])
            assert [report.total for report in reports] == [40, 40]
            for report in reports:
                assert report.accepted <= len(it.arrivals)
        # The next process, on a disk with room, finishes what is left.
        async with api.sms.bulk(journal=path, **options) as bulk:
            again = await bulk.run(messages)
        assert again.accepted + again.unknown == 40
        assert again.accepted <= len(it.arrivals)
        assert max(it.arrivals.values()) == 1


@pytest.mark.parametrize("write", WRITES)
async def test_a_disk_that_is_full_at_a_write(tmp_path: Path, write: str) -> None:
    async with asyncio.timeout(PATIENCE):
        await asyncio.gather(
            *(
                _fill(tmp_path / f"{count}-{times}.db", write, count, times)
                for count in (0, 1, 3)
                for times in (1, 10**6)
            )
        )


async def _opens(path: Path, api: ac.ClickSend) -> None:
    async with api.sms.bulk(journal=path) as bulk:
        assert (await bulk.run(many(2))).accepted == 2


async def _cancel_after(steps: int, task: asyncio.Task[None]) -> None:
    for _ in range(steps):
        await asyncio.sleep(0)
    task.cancel()
    with suppress(asyncio.CancelledError):
        await task


@pytest.mark.parametrize("steps", range(0, 12, 2))
async def test_an_opening_that_is_cancelled_gives_the_journal_back(
    tmp_path: Path, steps: int
) -> None:
    path = tmp_path / "j.db"
    async with account() as (it, api):
        opening = asyncio.create_task(_opens(path, api))
        await _cancel_after(steps, opening)
        await _opens(path, api)
        assert max(it.arrivals.values()) == 1


@pytest.mark.parametrize("steps", range(0, 12, 2))
async def test_a_closing_that_is_cancelled_gives_the_journal_back(
    tmp_path: Path, steps: int
) -> None:
    path = tmp_path / "j.db"
    left = asyncio.Event()

    async def use(api: ac.ClickSend) -> None:
        async with api.sms.bulk(journal=path) as bulk:
            await bulk.run(many(2))
            left.set()

    async with account() as (it, api):
        using = asyncio.create_task(use(api))
        await left.wait()
        await _cancel_after(steps, using)
        await _opens(path, api)
        assert set(it.arrivals.values()) == {1}


class SlowJournal(ac.Journal):
    """A journal whose commits wait until they are let go."""

    def __init__(self, path: Path) -> None:
        super().__init__(path)
        self.waits = asyncio.Event()
        self.is_slow = False
        self._loop = asyncio.get_running_loop()

    def _commit(self) -> None:
        while self.is_slow:
            self._loop.call_soon_threadsafe(self.waits.set)
            time.sleep(0.005)  # on the journal's thread
        super()._commit()


@asynccontextmanager
async def slow(path: Path) -> AsyncIterator[tuple[SlowJournal, Account, ac.BulkSender[Any]]]:
    """Open a sender with a slow journal."""
    journal = SlowJournal(path)
    async with account() as (it, api), api.sms.bulk(journal=journal, ramp=None) as bulk:
        yield journal, it, bulk


@pytest.mark.parametrize("end", ["stop", "abort", "hold"])
async def test_an_intent_that_comes_too_late_sends_nothing(tmp_path: Path, end: str) -> None:
    async with slow(tmp_path / "j.db") as (journal, it, bulk):
        journal.is_slow = True
        handle = await bulk.send(sms(1))
        await journal.waits.wait()
        if end == "hold":  # as when another lane is refused
            bulk._lifecycle.hold(ac.Reason.HELD, "no credit")
        else:
            getattr(bulk, end)()
        journal.is_slow = False
        outcome = await handle
        assert isinstance(outcome, ac.NotSent)
        assert outcome.reason is (ac.Reason.HELD if end == "hold" else ac.Reason.STOPPED)
        assert not it.taken


async def test_a_cancelled_begin_leaves_the_write_to_the_others(tmp_path: Path) -> None:
    journal = SlowJournal(tmp_path / "j.db")
    await journal.start("sms")
    plan = [
        await journal.plan(
            journal.new_run(), encode([sms(it)], kind=ac.SmsMessage, prefix=journal.ref_prefix())
        )
        for it in range(3)
    ]
    journal.is_slow = True
    first = asyncio.create_task(journal.begin(plan[0].rows, 1))
    await journal.waits.wait()
    second, third = (asyncio.create_task(journal.begin(it.rows, 1)) for it in plan[1:])
    await asyncio.sleep(0)
    second.cancel()
    journal.is_slow = False
    for task, planned in ((first, plan[0]), (third, plan[2])):
        assert list((await task).won) == list(planned.rows)
    await journal.close()


async def test_an_intent_that_was_rolled_back_is_not_won(tmp_path: Path) -> None:
    """A question writes what waits; what fails there takes the intents before it along."""
    journal = FullDisk(tmp_path / "j.db", "_begin", 1, 1)
    await journal.start("sms")
    plan = [
        await journal.plan(
            journal.new_run(), encode([sms(it)], kind=ac.SmsMessage, prefix=journal.ref_prefix())
        )
        for it in range(2)
    ]
    let_go = threading.Event()
    busy = journal._submit(let_go.wait)
    question = asyncio.create_task(journal.look(plan[0].rows))
    await asyncio.sleep(0)
    begins = [asyncio.create_task(journal.begin(it.rows, 1)) for it in plan]
    await asyncio.sleep(0)
    let_go.set()
    results = await asyncio.gather(question, *begins, return_exceptions=True)
    assert [type(it) for it in results] == [ac.ConfigurationError] * 3
    assert await busy
    await journal.close()


class LostJournal(ac.Journal):
    """A journal whose process was stopped for longer than its lease, just before the first byte."""

    def fence(self) -> None:
        raise ac.ConfigurationError("another process may own it")


async def test_a_lease_that_ends_just_before_the_first_byte_sends_nothing(tmp_path: Path) -> None:
    async with account() as (it, api):
        async with api.sms.bulk(journal=LostJournal(tmp_path / "j.db")) as bulk:
            outcomes = [await (await bulk.send(sms(number))) for number in range(2)]
            assert "another process" in (bulk.statistics().held or "")
        assert [outcome.reason for outcome in outcomes] == [ac.Reason.JOURNAL] * 2  # type: ignore[union-attr]
        assert not it.sends


async def test_one_row_in_a_request_twice_is_sent_once(tmp_path: Path) -> None:
    """The first hand-in of a key is refused, and the two others leave together."""
    async with account() as (it, api):
        it.status.append(400)
        async with api.sms.bulk(journal=tmp_path / "j.db", lanes=1) as bulk:
            message = ac.SmsMessage(to="+61400000001", body="Hello")
            handles = [await bulk.send(message, key="k") for _ in range(3)]
            outcomes = [await handle for handle in handles]
        assert list(map(type, outcomes)) == [ac.NotSent, ac.Accepted, ac.Accepted]
        assert len(it.taken) == 1


async def test_what_another_request_sends_is_reserved_once(tmp_path: Path) -> None:
    async with account() as (it, api):
        async with api.sms.bulk(journal=tmp_path / "j.db", budget=Decimal(10)) as bulk:
            handles = [await bulk.send(sms(1), key="k") for _ in range(2)]
            assert [type(await handle) for handle in handles] == [ac.Accepted] * 2
            assert bulk._budget is not None
            assert bulk._budget.committed == it.charged == Decimal("0.05")


# The ramp.


async def test_the_ramp_begins_behind_what_is_known(tmp_path: Path) -> None:
    path = tmp_path / "j.db"
    async with account() as (it, api):
        async with api.sms.bulk(journal=path) as bulk:
            await bulk.run(many(30))
        posts = it.posts
        async with api.sms.bulk(journal=path, ramp=(1, 10)) as bulk:
            await bulk.run(many(130))
        sizes = [len(arrival.json["messages"]) for arrival in it.sends[posts:]]
        assert sizes[:2] == [1, 10]


async def test_a_known_list_is_not_read_at_the_pace_of_requests(tmp_path: Path) -> None:
    path = tmp_path / "j.db"
    pace = _Counting()
    async with Sandbox(balance="100000") as sandbox:
        auth = ac.BasicAuth("sandbox", "sandbox")
        async with ac.ClickSend(auth=auth, base_url=sandbox.url, pace=pace) as api:
            for most in (20, 3):
                pace.turns = 0
                async with api.sms.bulk(journal=path) as bulk:
                    assert (await bulk.run(many(3000))).accepted == 3000
                assert pace.turns <= most
        assert len(sandbox.messages) == 3000


async def test_what_is_resumed_is_not_ramped(tmp_path: Path) -> None:
    path = tmp_path / "j.db"
    async with account() as (it, api):
        async with api.sms.bulk(journal=path, suppress=_Down(), ramp=None) as bulk:
            await bulk.run(many(30))
        async with api.sms.bulk(journal=path, batching=ac.Batching(size=10)) as bulk:
            assert (await bulk.resume()).accepted == 30
        assert it.posts == 3


class _Counting(Pacer):
    """A pace that counts turns."""

    turns = 0

    def __init__(self) -> None:
        super().__init__(None)

    async def turn(self, operation: str) -> None:
        self.turns += 1
        await super().turn(operation)


class _Down:
    """A suppression list that cannot be read."""

    async def blocked(self, numbers: Any) -> set[str]:  # noqa: ARG002
        raise OSError("down")
