"""What a journal that fails, an account that is held and an abort do to single messages."""

from __future__ import annotations

import asyncio
import logging
from pathlib import Path

import pytest

import aioclicksend as ac
from aioclicksend.bulk.journal import Journal
from aioclicksend.bulk.known import Known
from aioclicksend.bulk.lookup import Entries
from aioclicksend.sandbox import Sandbox

from .helpers import accepts, client, kinds, many, outcomes, posts, sms


class FullJournal(Journal):
    """A journal whose disk is full."""

    async def claim(self, run: int, entries: Entries) -> range | list[Known]:  # noqa: ARG002
        raise OSError("no space left")


class SlowJournal(Journal):
    """A journal on a disk that does not answer."""

    def __init__(self, path: Path) -> None:
        super().__init__(path)
        self.asked = asyncio.Event()

    async def claim(self, run: int, entries: Entries) -> range | list[Known]:
        self.asked.set()
        await asyncio.Event().wait()
        return await super().claim(run, entries)


async def test_messages_that_the_journal_cannot_take_in_are_not_sent(tmp_path: Path) -> None:
    """None of them left, so they are not in doubt; and those behind them stay at home too."""
    async with Sandbox() as sandbox, client(sandbox) as api:
        async with api.sms.bulk(journal=FullJournal(tmp_path / "x.db")) as bulk:
            handles = [await bulk.send(message) for message in many(2)]
            settled = [await asyncio.wait_for(it, 2) for it in handles]
            assert bulk.statistics().held == "held: the journal cannot be written (no space left)"
        assert {type(it) for it in settled} == {ac.NotSent}
        assert not sandbox.requests


async def test_a_stream_that_the_journal_cannot_take_in_is_not_sent(tmp_path: Path) -> None:
    async with Sandbox() as sandbox, client(sandbox) as api:
        async with api.sms.bulk(journal=tmp_path / "x.db") as bulk:
            await bulk.run(many(1))
        async with api.sms.bulk(journal=FullJournal(tmp_path / "x.db"), ramp=None) as bulk:
            report = await bulk.run([*many(3), sms(3, to="nobody")])
        assert report.reasons["held: the journal cannot be written (no space left)"] == 3
        assert (report.not_sent, posts(sandbox)) == (4, 1)


async def test_abort_withdraws_what_waits_for_the_journal(tmp_path: Path) -> None:
    async with Sandbox() as sandbox, client(sandbox) as api:
        journal = SlowJournal(tmp_path / "x.db")
        async with api.sms.bulk(journal=journal) as bulk:
            handle = await bulk.send(sms(1))
            await journal.asked.wait()
            bulk.abort("enough")
            outcome = await asyncio.wait_for(handle, 2)
        assert outcome == ac.NotSent(handle.message, "ref-1", "enough")
        assert not sandbox.requests


async def test_a_held_sender_still_tells_what_the_journal_knows(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async with Sandbox() as sandbox, client(sandbox) as api:
        async with api.sms.bulk(journal=tmp_path / "x.db") as bulk:
            first = await (await bulk.send(sms(1)))
            sandbox.fail_next("status", path="/sms/send", status=401)
            assert isinstance(await (await bulk.send(sms(2))), ac.NotSent)
            assert bulk.statistics().held
            assert await (await bulk.send(sms(1))) == first
        assert posts(sandbox) == 2
    assert not [it for it in caplog.records if it.levelno >= logging.ERROR]


async def test_a_ref_is_sent_once_whatever_company_it_comes_in(tmp_path: Path) -> None:
    async with Sandbox() as sandbox, client(sandbox) as api:
        batching = ac.Batching(size=2)
        async with api.sms.bulk(journal=tmp_path / "x.db", batching=batching) as bulk:
            await (await bulk.send(sms(1)))
            handles = [await bulk.send(it) for it in (sms(1), sms(2, custom_string=None))]
            assert kinds([await it for it in handles]) == {"Accepted": 2}
        assert accepts(sandbox)["ref-1"] == 1
        assert len(sandbox.messages) == 2


async def test_a_stream_joins_what_is_being_sent_by_itself(tmp_path: Path) -> None:
    """It is not in doubt as long as its reply may come."""
    async with Sandbox(latency=0.05) as sandbox, client(sandbox) as api:
        async with api.sms.bulk(journal=tmp_path / "x.db") as bulk:
            handle = await bulk.send(sms(1))
            while not bulk.statistics().on_wire:
                await asyncio.sleep(0)
            (outcome,) = await outcomes(bulk.stream([sms(1)]))
            assert isinstance(outcome, ac.Accepted)
            assert outcome == await handle
        assert len(sandbox.messages) == 1


async def test_mms_sent_by_themselves_keep_their_picture(tmp_path: Path) -> None:
    message = ac.MmsMessage(
        to="+61491570156", body="Look", subject="S", media_file="https://example.org/a.jpg"
    )
    async with Sandbox() as sandbox, client(sandbox, retry=ac.Retry(attempts=1)) as api:
        sandbox.fail_next("refuse-429", path="/mms/send", retry_after=0)
        async with api.mms.bulk(journal=tmp_path / "x.db") as bulk:
            assert isinstance(await (await bulk.send(message)), ac.NotSent)
        async with api.mms.bulk(journal=tmp_path / "x.db") as bulk:
            assert (await bulk.resume()).accepted == 1
        assert sandbox.messages[0]["_media_file_url"] == "https://example.org/a.jpg"


class EndlessJournal(Journal):
    """A journal that cannot take how a request ended."""

    def end(self, batch: int, state: str) -> None:  # noqa: ARG002
        raise OSError("no space left")


async def test_an_error_after_a_request_was_settled_settles_nothing_again(tmp_path: Path) -> None:
    async with Sandbox() as sandbox, client(sandbox) as api:
        journal = EndlessJournal(tmp_path / "x.db")
        async with api.sms.bulk(journal=journal, reconcile=ac.Reconcile(settle=0.05)) as bulk:
            report = await bulk.run(many(3))
        assert (report.accepted, report.total) == (3, 3)
        assert bulk.statistics().doubted == 0
