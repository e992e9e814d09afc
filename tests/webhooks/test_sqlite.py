"""The inbox in a file: what an inbox promises, and what a file can be."""

from __future__ import annotations

import asyncio
import os
import sqlite3
import stat
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import closing
from datetime import UTC, datetime
from io import StringIO
from pathlib import Path

import pytest
import pytest_asyncio
from rich.console import Console

from aioclicksend import ConfigurationError
from aioclicksend.webhooks import Arrival, Push, SqliteInbox
from aioclicksend.webhooks.parse import event_of

from . import stores
from .pushes import inbound, receipt
from .stores import arrival, drain


class Clock:
    now = 1_000_000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest_asyncio.fixture
async def one(tmp_path: Path, clock: Clock) -> AsyncIterator[SqliteInbox]:
    inbox = SqliteInbox(tmp_path / "inbox.db", clock=clock)
    await inbox.open()
    yield inbox
    await inbox.close()


@pytest_asyncio.fixture
async def other(one: SqliteInbox, clock: Clock) -> AsyncIterator[SqliteInbox]:
    inbox = SqliteInbox(str(one.path), clock=clock)
    await inbox.open()
    yield inbox
    await inbox.close()


@pytest.mark.parametrize(
    "promise",
    [
        stores.repetitions_are_one_event,
        stores.an_event_is_claimed_once,
        stores.dead_letters_are_listed_and_replayed,
        stores.a_message_has_one_delivery,
        stores.numbers_are_suppressed_however_they_are_written,
    ],
)
async def test_two_processes_share_an_inbox(
    one: SqliteInbox,
    other: SqliteInbox,
    promise: Callable[[SqliteInbox, SqliteInbox], Awaitable[None]],
) -> None:
    await promise(one, other)


@pytest.mark.parametrize(
    "promise",
    [
        stores.repetitions_in_one_batch_are_one_event,
        stores.events_without_an_id_are_all_kept,
        stores.failed_events_are_due_again,
        stores.receipts_are_markable_when_nothing_older_can_appear,
        stores.replies_are_found,
    ],
)
async def test_an_inbox_keeps_its_promises(
    one: SqliteInbox, promise: Callable[[SqliteInbox], Awaitable[None]]
) -> None:
    await promise(one)


async def test_a_lease_ends_unless_it_is_renewed(
    one: SqliteInbox, other: SqliteInbox, clock: Clock
) -> None:
    await one.add([arrival(receipt("a")), arrival(receipt("b"))])
    first, second = await one.claim(5, 60.0)
    clock.now += 50
    await one.renew([first.id], 60.0)
    clock.now += 50
    assert [(it.id, it.attempt) for it in await other.claim(5, 60.0)] == [(second.id, 2)]
    await one.finish([first.id, second.id])
    await one.renew([first.id], 0.0)
    clock.now += 100
    assert await other.claim(5, 60.0) == []


async def test_no_step_of_the_clock_delays_an_event(one: SqliteInbox, clock: Clock) -> None:
    await one.add([arrival(receipt("a"))])
    (claimed,) = await one.claim(1, 60.0)
    await one.add([arrival(receipt("b"))])
    clock.now -= 30 * 24 * 3600
    assert len(await one.claim(5, 60.0)) == 2
    assert claimed.attempt == 1


async def test_what_is_stored_survives_and_is_private(tmp_path: Path) -> None:
    path = tmp_path / "inbox.db"
    for _ in range(2):
        async with SqliteInbox(path) as inbox:
            await inbox.add([arrival(inbound())])
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
        path.chmod(0o644)  # as an older version may have left it
    async with SqliteInbox(path) as inbox:
        assert len(await drain(inbox)) == 1


async def test_what_was_handled_is_forgotten_after_a_time(one: SqliteInbox, clock: Clock) -> None:
    await one.add([arrival(inbound("old")), Arrival(push=Push(body=b"?"), event=None)])
    await drain(one)
    clock.now += 100
    await one.add([arrival(inbound("new")), arrival(inbound("due"))])
    (claimed,) = await one.claim(1, 1.0)
    await one.finish([claimed.id])
    assert await one.forget(datetime.fromtimestamp(clock.now - 50, UTC)) == 1
    assert len(await one.dead_letters(5)) == 1
    assert [it.message_id for it in await one.replies("ref-1", 5)] == ["due", "new"]
    assert await one.forget(datetime.fromtimestamp(clock.now + 50, UTC)) == 1
    assert len(await drain(one)) == 1


async def test_concurrent_calls_share_commits(one: SqliteInbox, tmp_path: Path) -> None:
    added = await asyncio.gather(*(one.add([arrival(receipt(f"m{it}"))]) for it in range(300)))
    assert added == [[True]] * 300
    with closing(sqlite3.connect(tmp_path / "inbox.db")) as db:
        assert db.execute("select count(*) from push").fetchone() == (300,)


async def test_a_failing_operation_does_not_affect_others_of_its_transaction(
    one: SqliteInbox,
) -> None:
    bad = one.fail(1, object(), None)  # type: ignore[arg-type] # pyright: ignore[reportArgumentType]
    results = await asyncio.gather(
        one.add([arrival(receipt("a"))]), bad, one.add([arrival(receipt("b"))]),
        return_exceptions=True,
    )  # fmt: skip
    assert [results[0], results[2]] == [[True], [True]]
    assert isinstance(results[1], sqlite3.Error)
    assert len(await drain(one)) == 2


async def test_a_commit_that_fails_acknowledges_nothing(one: SqliteInbox, tmp_path: Path) -> None:
    with closing(sqlite3.connect(tmp_path / "inbox.db")) as db:
        db.execute(
            "create trigger full before insert on push begin select raise(rollback, 'x'); end"
        )
        db.commit()
        results = await asyncio.gather(
            *(one.add([arrival(receipt(f"m{it}"))]) for it in range(3)), return_exceptions=True
        )
        assert all(isinstance(it, sqlite3.Error) for it in results)
        db.execute("drop trigger full")
        db.commit()
    assert await one.add([arrival(receipt("m0"))]) == [True]


async def test_what_was_promised_is_synced_to_the_disk(one: SqliteInbox) -> None:
    statements = list[str]()
    await one._do(lambda db: db.set_trace_callback(statements.append), is_durable=False)
    for call in (
        one.add([arrival(receipt())]),
        one.suppress(["+61411111111"]),
        one.fail(1, "x", None),
        one.replay([1]),
        one.record([stores.polled("m", 201)], 1.0),
    ):
        await call
        last = [it for it in statements if it.startswith("pragma")][-1]
        assert last == "pragma synchronous = full"
        await one.claim(5, 0.0)


async def test_a_cancelled_wait_leaves_the_inbox_usable(one: SqliteInbox) -> None:
    adding = asyncio.create_task(one.add([arrival(receipt())]))
    await asyncio.sleep(0)
    adding.cancel()
    with pytest.raises(asyncio.CancelledError):
        await adding
    assert await one.add([arrival(receipt())]) == [False]


async def test_waiting_ends_when_something_is_added(one: SqliteInbox) -> None:
    waiting = asyncio.create_task(one.wait(3600.0))
    await asyncio.sleep(0)
    await one.add([arrival(receipt())])
    await waiting
    await one.wait(0.0)


@pytest.mark.parametrize("round_", range(10))
async def test_processes_that_start_together_share_a_new_file(tmp_path: Path, round_: int) -> None:
    inboxes = [SqliteInbox(tmp_path / "inbox.db") for _ in range(8)]
    await asyncio.gather(*(it.open() for it in inboxes))
    added = await asyncio.gather(*(it.add([arrival(receipt(f"m{round_}"))]) for it in inboxes))
    assert sum(new for (new,) in added) == 1
    await asyncio.gather(*(it.close() for it in inboxes))


async def test_a_closed_inbox_says_so(tmp_path: Path) -> None:
    inbox = SqliteInbox(tmp_path / "inbox.db")
    with pytest.raises(RuntimeError, match="is not open"):
        await inbox.claim(1, 1.0)


@pytest.mark.parametrize("content", [b"not a database, but long enough to be one" * 50, "journal"])
async def test_a_foreign_file_is_refused_and_left_alone(
    tmp_path: Path, content: bytes | str
) -> None:
    path = tmp_path / "other.db"
    if isinstance(content, bytes):
        path.write_bytes(content)
    else:
        with closing(sqlite3.connect(path)) as db:
            db.execute("create table meta (name, value)")
            db.commit()
    before = path.read_bytes()
    inbox = SqliteInbox(path)
    with pytest.raises(ConfigurationError, match=r"other\.db"):
        await inbox.open()
    assert path.read_bytes() == before
    path.unlink()
    await inbox.open()
    await inbox.close()


async def test_a_missing_folder_and_a_newer_schema_are_clear_errors(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="cannot be opened as an inbox: No such file"):
        await SqliteInbox(tmp_path / "none" / "inbox.db").open()
    inbox = SqliteInbox(tmp_path / "inbox.db")
    await inbox.open()
    await inbox.close()
    with closing(sqlite3.connect(tmp_path / "inbox.db")) as db:
        db.execute("pragma user_version = 99")
    with pytest.raises(ConfigurationError, match="newer version"):
        await inbox.open()


def test_pushes_do_not_show_what_they_hold() -> None:
    assert repr(Push(body=b"from=+61411111111")) == "Push(17 bytes)"
    shown = StringIO()
    for thing in (arrival(inbound(), opt_out="+61411111111"), event_of(inbound())):
        Console(file=shown).print(thing)
    assert "61411" not in shown.getvalue()
    assert "61411" not in repr(arrival(inbound(), opt_out="+61411111111"))


async def test_a_pipe_is_refused_and_keeps_its_mode(tmp_path: Path) -> None:
    path = tmp_path / "pipe"
    os.mkfifo(path, 0o644)
    with pytest.raises(ConfigurationError, match="it is no regular file"):
        await SqliteInbox(path).open()
    assert path.stat().st_mode & 0o777 == 0o644
