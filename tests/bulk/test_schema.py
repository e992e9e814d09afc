"""Files of schema 2 are migrated on opening.

`schema_2_sms.sql` and `schema_2_mms.sql` are dumps of journals that version 0.x wrote: whole chunks
and chunks in pieces; accepted, rejected, unknown, not sent and in doubt.
"""

from __future__ import annotations

import sqlite3
from contextlib import closing
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

import aioclicksend as ac
from aioclicksend.bulk.journal import Entry, State
from aioclicksend.bulk.journal.reader import JournalReader
from aioclicksend.sandbox import Sandbox

from .helpers import accepts, client, sms

HERE = Path(__file__).parent


def of_schema_2(path: Path, channel: str) -> Path:
    """Return a file as the version before wrote it."""
    with closing(sqlite3.connect(path)) as db:
        db.executescript((HERE / f"schema_2_{channel}.sql").read_text())
    return path


def read(path: Path, query: str) -> list[tuple[Any, ...]]:
    """Read a journal as anybody could, with plain sqlite3."""
    with closing(sqlite3.connect(path)) as db:
        return db.execute(query).fetchall()


async def entries(path: Path, channel: str, last: int, first: int = 1) -> list[Entry]:
    """Open a journal and return some of its messages."""
    journal = ac.Journal(path)
    await journal.start(channel)
    try:
        return await journal.look(range(first, last + 1))
    finally:
        await journal.close()


async def test_every_message_keeps_its_state(tmp_path: Path) -> None:
    found = await entries(of_schema_2(tmp_path / "x.db", "sms"), "sms", 15)
    assert [it.state for it in found] == [
        *[State.ACCEPTED] * 3,
        *[State.ACCEPTED, State.REJECTED],
        *[State.UNKNOWN] * 2,
        *[State.NOT_SENT] * 2,
        State.ACCEPTED,
        *[State.UNKNOWN, State.ACCEPTED, State.ACCEPTED],
        *[State.IN_DOUBT] * 2,
    ]
    assert len({it.message_id for it in found if it.message_id}) == 7
    assert {it.price for it in found if it.state is State.ACCEPTED} == {Decimal("0.0770")}
    assert {it.parts for it in found if it.state is State.ACCEPTED} == {1}
    assert [it.has_unique_ref for it in found] == [it.ref != "mine" for it in found]


async def test_the_texts_of_reasons_become_details(tmp_path: Path) -> None:
    found = await entries(of_schema_2(tmp_path / "x.db", "sms"), "sms", 15)
    assert (found[4].reason, found[4].detail) == ("INVALID_RECIPIENT", None)
    assert found[5].reason == ac.Reason.NO_VERDICT
    assert str(found[5].detail).startswith("POST /v3/sms/send: the connection broke")
    assert found[7].reason == ac.Reason.STOPPED
    assert "429" in str(found[7].detail)
    assert (found[0].reason, found[0].detail) == (None, None)


async def test_requests_keep_their_time_and_attempt(tmp_path: Path) -> None:
    found = await entries(of_schema_2(tmp_path / "x.db", "sms"), "sms", 15)
    assert (found[13].intent, found[13].attempt, found[13].owner_exited) == (1760000000.0, 1, True)


async def test_the_file_says_its_new_schema_and_reads_with_plain_sqlite(tmp_path: Path) -> None:
    path = of_schema_2(tmp_path / "x.db", "sms")
    reader = JournalReader(path)  # before: it reads the older one as well
    before = reader.counts()
    await entries(path, "sms", 1)
    assert read(path, "select value from meta where name = 'schema'") == [("3",)]
    assert JournalReader(path).counts() == before
    assert JournalReader(path).spent() == reader.spent() == Decimal("0.5390")
    tables = {name for (name,) in read(path, "select name from sqlite_master where type = 'table'")}
    assert not tables & {"fate", "single", "batch_2"}
    new = tmp_path / "new.db"
    await entries(new, "sms", 0)
    columns = "select m.name, p.name from sqlite_master m, pragma_table_info(m.name) p order by 1"
    assert read(path, columns) == read(new, columns)


async def test_a_migrated_run_goes_on_and_sends_nothing_twice(tmp_path: Path) -> None:
    path = of_schema_2(tmp_path / "x.db", "sms")
    numbers = [0, 1, 2, 10, 20, 21, 30, 31, 50, 51, 52, 60, 61, 99]
    async with Sandbox() as sandbox, client(sandbox) as api:
        async with api.sms.bulk(journal=path, reconcile=ac.Reconcile(settle=0)) as bulk:
            report = await bulk.run(sms(it, custom_string=None) for it in numbers)
            again = await (await bulk.send(sms(40, custom_string="mine")))
    # Known: 6 accepted; sent now: the two that were not, and the new one; in doubt stays so.
    assert (report.accepted, report.unknown, report.total) == (9, 5, 14)
    assert isinstance(again, ac.Accepted)
    sent = {str(it["to"]) for it in sandbox.messages}
    assert sent == {sms(30).to, sms(31).to, sms(99).to}
    assert set(accepts(sandbox).values()) == {1}


async def test_mms_keep_their_media_files(tmp_path: Path) -> None:
    path = of_schema_2(tmp_path / "x.db", "mms")
    found = await entries(path, "mms", 5, first=3)
    files = [f"https://example.org/{it}.jpg" for it in "aba"]
    assert [it.media_file for it in found] == files
    async with Sandbox() as sandbox, client(sandbox) as api:
        async with api.mms.bulk(journal=path) as bulk:
            assert (await bulk.resume()).accepted == 1
        assert [it["_media_file_url"] for it in sandbox.messages] == files[:1]


@pytest.mark.parametrize(("schema", "complaint"), [("1", "an older, unreleased"), ("4", "a newer")])
async def test_a_file_of_any_other_version_is_refused_and_left_alone(
    tmp_path: Path, schema: str, complaint: str
) -> None:
    path = of_schema_2(tmp_path / "x.db", "sms")
    with closing(sqlite3.connect(path)) as db, db:
        db.execute("update meta set value = ?", (schema,)) if schema == "1" else db.execute(
            "update meta set value = ? where name = 'schema'", (schema,)
        )
    with pytest.raises(ac.ConfigurationError, match=f"{complaint} version|not sms"):
        await entries(path, "sms", 1)
    assert read(path, "select count(*) from single") == [(5,)]
