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
from aioclicksend.bulk import journal as journals
from aioclicksend.bulk.journal import Journal
from aioclicksend.bulk.rows import AllAccepted, InPlace, SentRow
from aioclicksend.bulk.store import Store
from aioclicksend.models.messages import freeze, request_body
from aioclicksend.sandbox import Sandbox

from ..core.helpers import client_of
from ..hostile import Arrival, Hostile, Line
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


def test_outcomes_that_are_kept_at_a_glance_are_kept_as_each_by_itself() -> None:
    """Also where the server wrote numbers and prices in several ways, or none at all."""
    told: list[tuple[Any, Any]] = [(1, "0.10"), ("2", 0.2), (None, None), (1, "0.10")]
    rows = [
        SentRow(f"ref-{place}", "SUCCESS", f"ID-{place}", count, price)
        for place, (count, price) in enumerate(told)
    ]
    for some in (rows, rows[:1] * 2, rows[2:3] * 2):
        outcomes = AllAccepted(
            list(many(len(some))), [it.custom_string for it in some], InPlace(some)
        )
        each = list(zip(some, *journals._accepted(outcomes), strict=False))
        assert each == list(zip(some, *journals._results(list(outcomes)), strict=True))


async def test_no_reply_is_too_odd_to_be_written_down(path: Path) -> None:
    """Else the journal could take nothing any more, because of one message."""

    async def script(line: Line, arrival: Arrival) -> None:
        if arrival.path.endswith("/send") and len(server.arrivals) > 1:
            line.reset()
            return
        number = min(len(server.arrivals), 2)
        row = {
            "to": sms(number).to,
            "custom_string": f"ref-{number}",
            "status": "SUCCESS",
            "message_id": f"\ud83d{number}",
            "message_parts": 10**30,
            "message_price": "1e999",
        }
        await line.ok({"messages": [row], "data": [row], "total": 1, "last_page": 1})

    async with Hostile(script) as server, client_of(server.url) as api:
        async with api.sms.bulk(journal=path, ramp=None) as bulk:
            for number in (1, 2):
                assert (await bulk.run([sms(number)])).accepted == 1
            assert bulk.statistics().found == 1
    assert read(path, "select message_id, parts from outcome where state = 'accepted'") == [
        ("\N{REPLACEMENT CHARACTER}1", None),
        ("\N{REPLACEMENT CHARACTER}2", None),
    ]


async def test_what_is_decided_by_hand_is_in_the_file_at_once(journal: Journal, path: Path) -> None:
    rows = enter(journal, 2)
    await journal.intend(rows, 1.0, 1)
    await journal.accept(rows[:1], "found by hand")
    assert read(path, "select state from outcome where id = 1") == [("accepted",)]
    await journal.unsend(rows[1:])
    assert read(path, "select state, price, reason from outcome order by id") == [
        ("accepted", None, "found by hand"),
        ("planned", None, None),
    ]


@pytest.mark.parametrize(("lease", "beats"), [(0.0, True), (1e9, False)])
async def test_results_do_not_wait_for_an_intent_and_the_lease_is_renewed_in_time(
    journal: Journal, path: Path, monkeypatch: pytest.MonkeyPatch, lease: float, *, beats: bool
) -> None:
    monkeypatch.setattr(journals, "_COMMIT_EVERY", 0.01)
    monkeypatch.setattr(journals, "LEASE", lease)
    rows = enter(journal, 1)
    await journal.intend(rows, 1.0, 1)
    with closing(sqlite3.connect(path)) as db, db:
        db.execute("update lease set beat = 0")
    journal.record(rows, [ac.NotSent(sms(1), "ref-1", "withdrawn")])
    keeping = asyncio.create_task(journal.keep())
    async with asyncio.timeout(5):
        query = "select state, (select beat > 0 from lease) from outcome"
        while read(path, query) != [("not_sent", beats)]:
            await asyncio.sleep(0.005)
    keeping.cancel()
    await asyncio.wait([keeping])
    assert keeping.cancelled()


async def test_an_opening_that_is_cancelled_leaves_the_file_free(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The thread goes on opening it: whoever comes next must not find it in use."""
    go_on = threading.Event()
    works = Store.open

    def slowly(store: Store, channel: str) -> None:
        go_on.wait(5)
        works(store, channel)

    monkeypatch.setattr(Store, "open", slowly)
    opening = asyncio.create_task(Journal(path).start("sms"))
    await asyncio.sleep(0)
    opening.cancel()
    await asyncio.sleep(0)
    go_on.set()
    with pytest.raises(asyncio.CancelledError):
        await opening
    assert read(path, "select count(*) from lease") == [(0,)]


async def test_a_closing_that_is_cancelled_closes_the_file_first(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    go_on = threading.Event()
    works = Store.close

    def slowly(store: Store) -> None:
        go_on.wait(5)
        works(store)

    monkeypatch.setattr(Store, "close", slowly)
    journal = Journal(path)
    await journal.start("sms")
    closing_down = asyncio.create_task(journal.stop())
    await asyncio.sleep(0)
    for _ in range(2):
        closing_down.cancel()
        await asyncio.sleep(0.001)
        assert not closing_down.done()
    go_on.set()
    with pytest.raises(asyncio.CancelledError):
        await closing_down
    assert read(path, "select count(*) from lease") == [(0,)]
