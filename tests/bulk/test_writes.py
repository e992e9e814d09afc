"""How a journal is written: before the first byte leaves, in order, and again if that failed."""

from __future__ import annotations

import asyncio
import sqlite3
import threading
from collections.abc import AsyncIterator
from contextlib import closing
from pathlib import Path
from typing import Any

import msgspec
import pytest

import aioclicksend as ac
from aioclicksend.bulk.journal import Journal
from aioclicksend.bulk.store import Store
from aioclicksend.models.messages import freeze, request_body
from aioclicksend.sandbox import Sandbox

from .helpers import accepts, client, many, posts, sms


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "promo.db"


@pytest.fixture
async def journal(path: Path) -> AsyncIterator[Journal]:
    """Return a journal that is open."""
    journal = Journal(path)
    await journal.start("sms")
    yield journal
    await journal.stop()


def read(path: Path, query: str) -> list[tuple[Any, ...]]:
    """Read the journal as anybody could, with plain sqlite3."""
    with closing(sqlite3.connect(path)) as db:
        return db.execute(query).fetchall()


def enter(journal: Journal, count: int) -> range:
    """Take new messages."""
    rows, _ = journal.places(count)
    journal.enter(rows, request_body([freeze(sms(it)) for it in rows]))
    return rows


async def test_whatever_lane_a_message_leaves_by_its_intent_is_in_the_file_before(
    path: Path,
) -> None:
    """Writes are shared by lanes: none may leave by a write that its intent came too late for."""
    missing: list[str] = []

    def look(arrival: Any) -> None:
        refs = {it["custom_string"] for it in msgspec.json.decode(arrival.body)["messages"]}
        states = dict(read(path, "select ref, state from outcome"))
        missing.extend(ref for ref in refs if states.get(ref) != "in_doubt")

    async with Sandbox() as sandbox, client(sandbox) as api:
        sandbox.fail_every(look)
        batching = ac.Batching(size=2)
        async with api.sms.bulk(journal=path, batching=batching, lanes=8, ramp=None) as bulk:
            reports = await asyncio.gather(bulk.run(many(100)), bulk.run(many(100, 100)))
        assert [it.accepted for it in reports] == [100, 100]
        assert posts(sandbox) >= 100
        assert set(accepts(sandbox).values()) == {1}
    assert not missing


async def test_an_intent_that_a_write_came_too_early_for_waits_for_the_next(
    journal: Journal, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    gathered, go_on = threading.Event(), threading.Event()
    gather = Journal._apply

    def slowly(self: Journal) -> None:
        gather(self)
        gathered.set()
        go_on.wait(5)

    rows = enter(journal, 2)
    monkeypatch.setattr(Journal, "_apply", slowly)
    first = asyncio.create_task(journal.intend(rows[:1], 1.0, 1))
    await asyncio.to_thread(gathered.wait, 5)
    second = asyncio.create_task(journal.intend(rows[1:], 1.0, 1))
    await asyncio.sleep(0)
    go_on.set()
    assert [await first, await second] == [1, 2]
    assert read(path, "select distinct state from outcome") == [("in_doubt",)]


async def test_a_lane_that_is_cancelled_takes_no_other_lanes_write_with_it(
    journal: Journal, path: Path
) -> None:
    go_on = threading.Event()
    busy = asyncio.create_task(journal._run(go_on.wait, 5))
    rows = enter(journal, 2)
    lanes = [asyncio.create_task(journal.intend(rows[it : it + 1], 1.0, 1)) for it in range(2)]
    await asyncio.sleep(0)
    lanes[0].cancel()
    await asyncio.sleep(0)
    go_on.set()
    assert await lanes[1] == 2
    assert await busy
    assert read(path, "select distinct state from outcome") == [("in_doubt",)]


@pytest.mark.parametrize("failures", [1, 2])
@pytest.mark.parametrize("write", ["enter", "intend", "end", "commit"])
async def test_what_could_not_be_written_is_at_the_next_try_as_it_was_taken(
    journal: Journal, path: Path, monkeypatch: pytest.MonkeyPatch, write: str, failures: int
) -> None:
    """Nothing is left out, written twice, or overtaken by what was taken meanwhile."""
    works = getattr(Store, write)
    left = failures

    def failing(store: Store, *args: Any) -> None:
        nonlocal left
        if left == 0:
            works(store, *args)
            return
        if left == failures:
            journal.record([1], [ac.NotSent(sms(1), "ref-1", "withdrawn")])
            journal.end(2, "not_sent")
        left -= 1
        raise sqlite3.OperationalError("disk I/O error")

    rows = enter(journal, 4)
    await journal.intend(rows[3:], 1.0, 1)
    monkeypatch.setattr(Store, write, failing)
    enter(journal, 2)
    journal.end(1, "answered")
    for number in range(failures):
        with pytest.raises(sqlite3.OperationalError):
            await journal.intend(rows[number : number + 1], 1.0, 1)
        assert read(path, "select state, count(*) from outcome group by state") == [
            ("in_doubt", 1),
            ("planned", 3),
        ]
    await journal.intend(rows[2:3], 1.0, 1)
    states = dict(read(path, "select id, state from outcome"))
    second = "in_doubt" if failures == 2 else "planned"
    assert states == {
        1: "not_sent",
        2: second,
        3: "in_doubt",
        4: "in_doubt",
        5: "planned",
        6: "planned",
    }
    batches = [state for (state,) in read(path, "select state from batch order by id")]
    assert batches == ["answered", "not_sent", *["intent"] * failures]
