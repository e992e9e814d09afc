"""What a sender counts, and what its journal holds of each message."""

from __future__ import annotations

import asyncio
import sqlite3
import time
from pathlib import Path
from typing import Any

import pytest

import aioclicksend as ac
from aioclicksend.sandbox import Sandbox

from ..core.helpers import client_of
from ..hostile import Arrival, Hostile, Line, refused_url, sent
from .helpers import client, many, outcomes, sms

TEN = ac.Batching(size=10)


def states(journal: Path, table: str) -> list[str]:
    """Return the states in a table of a journal, as anybody could."""
    with sqlite3.connect(journal) as db:
        found = [state for (state,) in db.execute(f"select state from {table} order by id")]  # noqa: S608
    db.close()
    return found


async def test_messages_are_counted_where_they_are() -> None:
    async with Sandbox(latency=0.1) as sandbox, client(sandbox) as api:
        async with api.sms.bulk(batching=TEN, lanes=1) as bulk:
            handles = [await bulk.send(message) for message in many(25)]
            while not bulk.statistics().on_wire:
                await asyncio.sleep(0)
            counts = bulk.statistics()
            assert (counts.on_wire, counts.queued, counts.accepted) == (10, 15, 0)
            await bulk.flush()
            await asyncio.gather(*handles)
        counts = bulk.statistics()
        assert (counts.on_wire, counts.queued, counts.accepted) == (0, 0, 25)


@pytest.mark.parametrize(
    ("fault", "doubted", "found"),
    [
        ("reset-before", 10, 0),
        ("reset-after", 10, 10),
        ("missing-row", 1, 1),
        ("status", 0, 0),
        ("slow", 0, 0),
    ],
)
async def test_requests_that_failed_and_messages_in_doubt_are_counted(
    fault: str, doubted: int, found: int
) -> None:
    async with Sandbox() as sandbox, client(sandbox) as api:
        options: dict[str, Any] = {"status": 400} if fault == "status" else {}
        sandbox.fail_next(fault, path="/sms/send", **options)
        reconcile = ac.Reconcile(settle=0.1)
        async with api.sms.bulk(batching=TEN, lanes=1, ramp=None, reconcile=reconcile) as bulk:
            await bulk.run(many(20))
        counts = bulk.statistics()
        assert (counts.posts, counts.failed_posts) == (2, fault != "slow")
        assert (counts.doubted, counts.found, counts.resent) == (doubted, found, 0)


async def test_every_odd_row_is_counted() -> None:
    async def script(line: Line, arrival: Arrival) -> None:
        data = sent(arrival)
        data["messages"] *= 3
        await line.ok(data)

    async with Hostile(script) as server, client_of(server.url) as api, api.sms.bulk() as bulk:
        assert isinstance(await (await bulk.send(sms(1))), ac.Accepted)
        assert bulk.statistics().odd_rows == 2


async def test_what_the_history_shows_to_be_refused_is_not_counted_as_found() -> None:
    async def script(line: Line, arrival: Arrival) -> None:
        if arrival.path.endswith("/send"):
            line.reset()
            return
        rows = [
            {"custom_string": f"ref-{number}", "to": sms(number).to, "body": sms(number).body}
            | {"status": status, "date": int(time.time())}
            for number, status in ((1, "INVALID_RECIPIENT"), (2, "Sent"))
        ]
        await line.ok({"total": 2, "last_page": 1, "data": rows})

    async with Hostile(script) as server, client_of(server.url) as api:
        async with api.sms.bulk(ramp=None) as bulk:
            report = await bulk.run(many(2, start=1))
        assert (report.accepted, report.rejected) == (1, 1)
        assert bulk.statistics().found == 1


@pytest.mark.parametrize(
    ("fault", "options"),
    [("status", {"status": 413}), ("missing-row", {}), ("duplicate-row", {})],
)
async def test_the_journal_has_the_outcome_of_each_part_of_a_request(
    tmp_path: Path, fault: str, options: dict[str, Any]
) -> None:
    journal = tmp_path / "x.db"
    async with Sandbox() as sandbox, client(sandbox) as api:
        sandbox.fail_next(fault, path="/sms/send", **options)
        async with api.sms.bulk(journal=journal, ramp=None) as bulk:
            report = await bulk.run([*many(4), sms(5, to="+61000000000")])
        assert (report.accepted, report.rejected) == (4, 1)
    assert states(journal, "outcome") == ["accepted"] * 4 + ["rejected"]


async def test_the_journal_holds_what_was_not_connected_as_not_sent(tmp_path: Path) -> None:
    journal = tmp_path / "x.db"
    async with refused_url() as url, client_of(url) as api:
        async with api.sms.bulk(journal=journal) as bulk:
            outcome = await (await bulk.send(sms(1)))
    assert isinstance(outcome, ac.NotSent)
    assert outcome.reason is ac.Reason.NOT_CONNECTED
    assert states(journal, "outcome") == ["not_sent"]


async def test_a_doubt_of_an_earlier_process_is_settled_before_the_block_is_left(
    tmp_path: Path,
) -> None:
    """Nobody asks for it; its window is that of its own intent, not all of the past."""
    journal = tmp_path / "x.db"
    reconcile = ac.Reconcile(settle=0.05)
    async with Sandbox(history_lag=3600) as sandbox, client(sandbox) as api:
        sandbox.fail_next("reset-after", path="/sms/send")
        began = time.time()
        async with api.sms.bulk(journal=journal, reconcile=reconcile) as bulk:
            await (await bulk.send(sms(1)))
        assert states(journal, "outcome") == ["unknown"]
        sandbox.history_lag = 0
        sandbox.requests.clear()
        async with api.sms.bulk(journal=journal, reconcile=reconcile):
            pass
        assert states(journal, "outcome") == ["accepted"]
        (look,) = sandbox.requests
        assert began - 302 < int(look.query["date_from"]) < began - 298


async def test_a_journal_that_cannot_be_written_holds_the_run(tmp_path: Path) -> None:
    journal = tmp_path / "x.db"
    async with Sandbox() as sandbox, client(sandbox) as api:
        async with api.sms.bulk(journal=journal) as bulk:
            with sqlite3.connect(journal) as db:
                db.execute("update lease set owner = 'other'")
            db.close()
            settled = await outcomes(bulk.stream(many(1)))
            held = bulk.statistics().held
        assert held is not None
        assert held.startswith("the journal cannot be used: ")
        assert [(it.reason, it.detail) for it in settled if isinstance(it, ac.NotSent)] == [
            (ac.Reason.JOURNAL, held)
        ]
        assert not sandbox.requests
