"""A journal that was put back from a backup sends nothing, as it holds sent messages as unsent."""

from __future__ import annotations

import shutil
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

import aioclicksend as ac
from aioclicksend.bulk.encode import encode

from .fickle import account


def messages(start: int, count: int = 4) -> Iterator[ac.SmsMessage]:
    """Yield messages without refs."""
    return (ac.SmsMessage(to=f"+614{it:08d}", body="Hello") for it in range(start, start + count))


def copy(path: Path) -> Path:
    """Return a copy of a journal, made as a backup is."""
    other = path.with_suffix(".backup")
    with closing(sqlite3.connect(path)) as source, closing(sqlite3.connect(other)) as target:
        source.backup(target)
    return other


def put_back(backup: Path, path: Path) -> None:
    """Replace a journal by its backup."""
    for suffix in ("-wal", "-shm"):
        path.with_name(path.name + suffix).unlink(missing_ok=True)
    shutil.copy(backup, path)


async def test_what_was_sent_after_the_backup_is_not_sent_again(tmp_path: Path) -> None:
    path = tmp_path / "j.db"
    async with account() as (it, api):
        async with api.sms.bulk(journal=path) as bulk:
            await bulk.run(messages(0))
        backup = copy(path)
        async with api.sms.bulk(journal=path) as bulk:
            await bulk.run(messages(10))
        put_back(backup, path)
        async with api.sms.bulk(journal=path) as bulk:
            again = await bulk.run(messages(10))
            assert "older copy" in (bulk.statistics().held or "")
        assert again.reasons == {ac.Reason.JOURNAL.value: 4}
        assert set(it.arrivals.values()) == {1}


async def test_what_the_backup_holds_as_planned_is_not_sent_again(tmp_path: Path) -> None:
    path = tmp_path / "j.db"
    journal = ac.Journal(path)
    await journal.start("sms")
    planned = encode(list(messages(0)), kind=ac.SmsMessage, prefix=journal.ref_prefix())
    await journal.plan(journal.new_run(), planned)
    await journal.close()
    backup = copy(path)
    async with account() as (it, api):
        for expected in (4, 0):
            async with api.sms.bulk(journal=path) as bulk:
                assert (await bulk.resume()).accepted == expected
            put_back(backup, path)
        assert set(it.arrivals.values()) == {1}


@pytest.mark.parametrize("named", [True, False])
async def test_a_journal_that_is_opened_again_is_no_copy(tmp_path: Path, *, named: bool) -> None:
    async with account() as (it, api):
        for start in (0, 10, 20):
            async with api.sms.bulk(journal=tmp_path / "j.db") as bulk:
                refs = {f"mine-{start}"} if named else {None}
                for message in messages(start):
                    message.custom_string = next(iter(refs))
                    assert isinstance(await (await bulk.send(message)), ac.Accepted)
                assert (await bulk.run(messages(start + 100))).accepted == 4
        assert it.searches == 2, "once for each journal that was there"


async def test_a_history_that_is_down_keeps_nothing_from_being_sent(tmp_path: Path) -> None:
    async with account() as (it, api):
        for start in (0, 10):
            async with api.sms.bulk(journal=tmp_path / "j.db") as bulk:
                assert (await bulk.run(messages(start))).accepted == 4
            it.is_down = True
