"""Following the receipts of campaigns: stored before marked, and counted once."""

from __future__ import annotations

import asyncio
import sqlite3
import threading
from collections.abc import AsyncIterator
from contextlib import aclosing, closing
from itertools import count
from pathlib import Path
from types import SimpleNamespace
from urllib.parse import urlencode

import pytest
import pytest_asyncio

from aioclicksend import BasicAuth, ClickSend, Retry, ServerError, SmsMessage
from aioclicksend.campaign import Campaign, Delivery, Record, follow, look, running
from aioclicksend.campaign.receipts import stop_if_failed
from aioclicksend.delivery import Breaker, Mark
from aioclicksend.sandbox import Arrival, Fault, Sandbox
from aioclicksend.webhooks import Webhook

pytest.importorskip("phonenumbers", reason="the extra phone is absent")

SIZE = 20
PEOPLE = "to\n" + "".join(f"+614123450{it:02}\n" for it in range(SIZE))
WITHOUT_ID = """
update chunk_result set message_id = json_set(message_id, '$[0]', null)
    where chunk = (select min(chunk) from chunk_result where size > 1)
"""
"""Forget the id of the second message."""
LIST, MARK = "/v3/sms/receipts", "/v3/sms/receipts-read"


class Clock:
    now = 1_900_000_000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture(autouse=True)
def minutes(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let looks be a minute apart."""
    times = count(1_000_000, 61)
    clock = SimpleNamespace(time=lambda: float(next(times)))
    monkeypatch.setattr("aioclicksend.campaign.receipts.time", clock)


@pytest_asyncio.fixture
async def sandbox(clock: Clock) -> AsyncIterator[Sandbox]:
    async with Sandbox(clock=clock) as running_sandbox:
        yield running_sandbox


@pytest_asyncio.fixture
async def client(sandbox: Sandbox) -> AsyncIterator[ClickSend]:
    async with ClickSend(
        auth=BasicAuth("sandbox", "sandbox"),
        base_url=sandbox.url,
        rate_limit=None,
        retry=Retry(attempts=1),
    ) as client:
        yield client


@pytest_asyncio.fixture
async def journal(client: ClickSend, sandbox: Sandbox, tmp_path: Path) -> Path:
    path = tmp_path / "promo.campaign"
    async with running(Campaign(PEOPLE.encode(), "Hi"), client, path) as run:
        await run.send()
    assert len(sandbox.messages) == SIZE
    sandbox.requests.clear()
    return path


def ids(sandbox: Sandbox) -> list[str]:
    return [it.message_id for it in sandbox.messages]


async def unread(client: ClickSend) -> list[str | None]:
    return [it.message_id async for it in client.sms.receipts()]


def marks(sandbox: Sandbox) -> list[Arrival]:
    return [it for it in sandbox.requests if it.path == MARK]


def stored(journal: Path) -> list[tuple[str, str]]:
    with closing(sqlite3.connect(journal)) as db:
        rows = db.execute("select message_id, key from polled_receipt").fetchall()
    return [(message_id, key.split(" ")[2]) for message_id, key in rows]


async def test_without_receipts_everything_is_pending_and_nothing_is_marked(
    client: ClickSend, sandbox: Sandbox, journal: Path
) -> None:
    assert Record(journal).delivery() is None
    for _ in range(2):
        assert await look(client, journal) == Delivery(pending=SIZE)
    assert not marks(sandbox)


async def test_receipts_are_counted_by_what_they_say(
    client: ClickSend, sandbox: Sandbox, journal: Path
) -> None:
    first, second, third, fourth, *_ = ids(sandbox)
    sandbox.deliver(first)
    sandbox.deliver(second, 301, 12)
    sandbox.deliver(third, 200)
    sandbox.deliver(fourth, 300, 16)
    assert await look(client, journal) == Delivery(delivered=1, failed=1, pending=SIZE - 2, new=4)
    assert Record(journal).failures() == [("Error 12", 1)]
    found = {it.message_id: (it.delivery, it.failure) for it in Record(journal).lines()}
    assert found[first] == ("delivered", None)
    assert found[second] == ("failed", "Error 12")
    assert found[third] == found[fourth] == ("pending", None)
    assert found[ids(sandbox)[5]] == (None, None)


async def test_a_receipt_that_comes_again_is_one(
    client: ClickSend, sandbox: Sandbox, journal: Path
) -> None:
    first = ids(sandbox)[0]
    for _ in range(3):
        sandbox.deliver(first, 300, 16)
        sandbox.deliver(first)
    assert (await look(client, journal)).new == 2
    assert (await look(client, journal)).new == 0
    assert sorted(stored(journal)) == [(first, "201"), (first, "300")]
    assert Record(journal).delivery() == Delivery(delivered=1, pending=SIZE - 1)


@pytest.mark.parametrize(
    ("final", "late", "failed"), [(201, 200, 0), (201, 300, 0), (301, 200, 1), (301, 300, 1)]
)
async def test_a_final_code_wins_over_a_pending_one_that_comes_late(  # noqa: PLR0917
    client: ClickSend, sandbox: Sandbox, journal: Path, clock: Clock, late: int, final: int,
    failed: int,
) -> None:  # fmt: skip
    first = ids(sandbox)[0]
    sandbox.deliver(first, final)
    await look(client, journal)
    clock.now += 3600
    sandbox.deliver(first, late)
    stands = await look(client, journal)
    assert (stands.delivered, stands.failed, stands.new) == (1 - failed, failed, 1)


async def test_of_two_final_codes_the_later_one_counts(
    client: ClickSend, sandbox: Sandbox, journal: Path, clock: Clock
) -> None:
    first = ids(sandbox)[0]
    sandbox.deliver(first, 301, 20)
    clock.now += 60
    sandbox.deliver(first, 201)
    assert (await look(client, journal)).delivered == 1
    assert Record(journal).failures() == []


async def test_receipts_are_marked_at_a_look_after_they_were_stored(
    client: ClickSend, sandbox: Sandbox, journal: Path
) -> None:
    for message_id in ids(sandbox):
        sandbox.deliver(message_id)
    assert (await look(client, journal)).is_final
    assert len(await unread(client)) == SIZE
    await look(client, journal)
    assert await unread(client) == []
    assert (await look(client, journal)).delivered == SIZE
    assert len(marks(sandbox)) == 1


async def test_newer_receipts_are_not_marked_with_older_ones(
    client: ClickSend, sandbox: Sandbox, journal: Path, clock: Clock
) -> None:
    first, second, third, *_ = ids(sandbox)
    sandbox.deliver(first)
    await look(client, journal)
    clock.now += 2
    sandbox.deliver(second)

    def one_more(arrival: Arrival) -> None:
        if arrival.path == MARK:
            sandbox.deliver(third)

    sandbox.fail_every(one_more)
    await look(client, journal)
    sandbox.fail_every(None)
    assert await unread(client) == [second, third]


async def test_a_receipt_that_was_not_there_for_long_is_left_unread(
    client: ClickSend, sandbox: Sandbox, journal: Path
) -> None:
    sandbox.deliver(ids(sandbox)[0])
    await look(client, journal, grace=100)
    await look(client, journal, grace=100)
    assert not marks(sandbox)
    await look(client, journal, grace=100)
    assert len(marks(sandbox)) == 1


async def test_mark_none_marks_nothing(client: ClickSend, sandbox: Sandbox, journal: Path) -> None:
    sandbox.deliver(ids(sandbox)[0])
    for _ in range(3):
        await look(client, journal, mark="none")
    assert not marks(sandbox)


@pytest.mark.parametrize(("mark", "left"), [("own", 2), ("all", 0)])
async def test_receipts_of_unknown_messages_stay_for_others(  # noqa: PLR0917
    client: ClickSend, sandbox: Sandbox, journal: Path, clock: Clock, mark: Mark, left: int
) -> None:
    sent = await client.sms.send(SmsMessage(to="+61412345999", body="Somebody else's"))
    foreign = sent.messages[0].message_id
    assert foreign
    ours = ids(sandbox)[:3]
    sandbox.deliver(ours[0])
    clock.now += 10
    sandbox.deliver(foreign)
    clock.now += 10
    sandbox.deliver(ours[1])
    for _ in range(2):
        await look(client, journal, mark=mark)
    stands = await look(client, journal, mark=mark)
    assert await unread(client) == [foreign, ours[1]][:left]
    assert (stands.delivered, stands.pending) == (2, SIZE - 2)
    assert (foreign, "201") in stored(journal)
    # Once its owner has read it, ours are marked again.
    await client.sms.mark_receipts_read(date_before=int(clock.now))
    await look(client, journal, mark=mark)
    assert await unread(client) == []


async def test_a_receipt_in_the_same_second_as_a_foreign_one_stays(
    client: ClickSend, sandbox: Sandbox, journal: Path
) -> None:
    sent = await client.sms.send(SmsMessage(to="+61412345999", body="Somebody else's"))
    assert sent.messages[0].message_id
    sandbox.deliver(ids(sandbox)[0])
    sandbox.deliver(sent.messages[0].message_id)
    for _ in range(3):
        await look(client, journal)
    assert not marks(sandbox)


async def test_a_message_in_doubt_is_ours_by_its_ref(
    client: ClickSend, sandbox: Sandbox, journal: Path
) -> None:
    with closing(sqlite3.connect(journal)) as db, db:
        unknown = (
            "update chunk_result set state = null "
            "where chunk = (select min(chunk) from chunk_result)"
        )
        assert [db.execute(it).rowcount for it in (unknown, WITHOUT_ID)] == [1, 1]
    first, second, *_ = ids(sandbox)
    sandbox.deliver(first)
    sandbox.deliver(second)
    await look(client, journal)
    assert await look(client, journal) == Delivery(delivered=1, pending=SIZE - 2)
    assert not await unread(client)


async def test_pages_that_shift_while_they_are_read_are_not_marked(
    client: ClickSend, sandbox: Sandbox, journal: Path, clock: Clock
) -> None:
    first = ids(sandbox)[0]
    for _ in range(250):
        sandbox.deliver(first)
    clock.now += 10
    late = ids(sandbox)[1]
    sandbox.deliver(late)
    await look(client, journal)

    def somebody_else_marks(arrival: Arrival) -> None:
        if arrival.query.get("page") == "2":
            sandbox.fail_every(None)
            sandbox._state.receipts["sms"].mark(lambda row: row["message_id"] == first)

    sandbox.fail_every(somebody_else_marks)
    stands = await look(client, journal)
    assert not marks(sandbox)
    assert await unread(client) == [late]
    assert stands.delivered == 2
    await look(client, journal)
    assert await unread(client) == []


@pytest.mark.parametrize("fault", [Fault.RESET_BEFORE, Fault.RESET_AFTER, Fault.ERROR_AFTER])
async def test_a_mark_that_fails_is_made_up_for(
    client: ClickSend, sandbox: Sandbox, journal: Path, caplog: pytest.LogCaptureFixture,
    fault: Fault,
) -> None:  # fmt: skip
    sandbox.deliver(ids(sandbox)[0])
    await look(client, journal)
    sandbox.fail_next(fault, path=MARK)
    assert (await look(client, journal)).delivered == 1
    assert "not marked read, the next look will" in caplog.text
    await look(client, journal)
    assert await unread(client) == []
    assert stored(journal) == [(ids(sandbox)[0], "201")]


async def test_an_interrupted_poll_loses_no_receipt(
    client: ClickSend, sandbox: Sandbox, journal: Path
) -> None:
    sandbox.deliver(ids(sandbox)[0])
    await look(client, journal)
    sandbox.deliver(ids(sandbox)[1])
    sandbox.fail_next(Fault.HANG_BEFORE, path=MARK)
    broken = asyncio.create_task(look(client, journal))
    while not marks(sandbox):
        await asyncio.sleep(0.01)
    broken.cancel()
    with pytest.raises(asyncio.CancelledError):
        await broken
    assert len(stored(journal)) == 2
    assert (await look(client, journal)).delivered == 2
    assert await unread(client) == []


async def test_a_page_that_fails_marks_nothing_and_what_was_read_is_kept(
    client: ClickSend, sandbox: Sandbox, journal: Path
) -> None:
    for message_id in ids(sandbox) * 6:
        sandbox.deliver(message_id)
    await look(client, journal)
    sandbox.fail_every(lambda it: Fault.ERROR_BEFORE if it.query.get("page") == "2" else None)
    with pytest.raises(ServerError):
        await look(client, journal)
    assert not marks(sandbox)
    assert Record(journal).delivery() == Delivery(delivered=SIZE)


async def test_a_receipt_without_a_message_stops_marking(
    client: ClickSend, sandbox: Sandbox, journal: Path
) -> None:
    first = ids(sandbox)[0]
    sandbox.deliver(first)
    await look(client, journal)
    odd = sandbox.deliver(first, 300)
    odd["message_id"] = None
    assert (await look(client, journal)).delivered == 1
    assert not marks(sandbox)


async def test_following_survives_errors_and_ends_on_request(
    client: ClickSend, sandbox: Sandbox, journal: Path, caplog: pytest.LogCaptureFixture
) -> None:
    sandbox.fail_next(Fault.ERROR_BEFORE, path=LIST)
    seen: list[int] = []
    async with aclosing(follow(client, journal, every=0.01)) as looks:
        async for stands in looks:
            seen.append(stands.delivered)
            if stands.is_final:
                break
            for message_id in ids(sandbox)[len(seen) * 10 - 10 : len(seen) * 10]:
                sandbox.deliver(message_id)
    assert seen == [0, 10, 20]
    assert "were not read, the next look will" in caplog.text


async def test_a_run_waits_while_receipts_are_written(
    client: ClickSend, sandbox: Sandbox, tmp_path: Path
) -> None:
    path, ended = tmp_path / "promo.campaign", threading.Event()

    def write_again_and_again() -> None:
        with closing(sqlite3.connect(path, isolation_level=None, timeout=20)) as writer:
            while not ended.wait(0.02):
                writer.execute("begin immediate")
                ended.wait(0.02)
                writer.execute("rollback")

    try:
        async with running(Campaign(PEOPLE.encode(), "Hi"), client, path, ramp=[1] * SIZE) as run:
            writing = asyncio.create_task(asyncio.to_thread(write_again_and_again))
            assert (await run.send()).report.accepted == SIZE
    finally:
        ended.set()
    await writing
    assert len(sandbox.messages) == SIZE


@pytest.mark.slow
async def test_a_run_and_its_receipts_share_the_journal(
    client: ClickSend, sandbox: Sandbox, tmp_path: Path
) -> None:
    people = "to\n" + "".join(f"+614{it:08}\n" for it in range(20_000_000, 20_003_000))
    path = tmp_path / "promo.campaign"
    delivered = set[str]()
    async with running(Campaign(people.encode(), "Hi"), client, path) as run:
        sending = asyncio.create_task(run.send())
        while not sending.done():
            for message_id in set(ids(sandbox)) - delivered:
                delivered.add(message_id)
                sandbox.deliver(message_id)
            await look(client, path)
        assert (await sending).report.accepted == 3000
    for message_id in set(ids(sandbox)) - delivered:
        sandbox.deliver(message_id)
    assert await look(client, path) == Delivery(delivered=3000, new=3000 - len(delivered))


async def test_pushes_count_as_well_and_those_of_others_stay_in_their_store(
    client: ClickSend, sandbox: Sandbox, journal: Path, tmp_path: Path
) -> None:
    ours = [it.ref for it in Record(journal).lines()]
    store = tmp_path / "inbox.db"
    async with Webhook(secrets=["s"], store=store) as hook:
        for name, ref in zip([*ids(sandbox)[:3], "foreign"], [*ours[:3], "theirs"], strict=True):
            form = urlencode({"message_id": name, "status_code": 201, "custom_string": ref})
            assert await hook.receive("s", form.encode()) == 200
        sandbox.deliver(ids(sandbox)[2], 200)
        sandbox.deliver(ids(sandbox)[3], 301, 12)
        stands = await look(client, journal, store=store)
        assert stands == Delivery(delivered=3, failed=1, pending=SIZE - 4, new=5)
        assert (await look(client, journal, store=hook.store)).delivered == 3
    with closing(sqlite3.connect(journal)) as db:
        (count,) = db.execute("select count(*) from message_delivery").fetchone()
    assert count == 4


async def test_two_receipts_of_a_ref_are_one_line(
    client: ClickSend, sandbox: Sandbox, journal: Path
) -> None:
    with closing(sqlite3.connect(journal)) as db, db:
        assert db.execute(WITHOUT_ID).rowcount == 1
    ref = next(it.ref for it in Record(journal).lines() if it.message_id is None)
    for name, code in (("one", 200), ("two", 201), ("three", 300)):
        row = sandbox.deliver(ids(sandbox)[0], code)
        row["message_id"], row["custom_string"] = name, ref
    stands = await look(client, journal)
    lines = list(Record(journal).lines())
    assert len(lines) == SIZE
    assert [it.delivery for it in lines if it.ref == ref] == ["delivered"]
    assert stands.delivered + stands.failed + stands.pending == SIZE


async def test_a_journal_of_an_earlier_version_can_be_followed(
    client: ClickSend, sandbox: Sandbox, journal: Path
) -> None:
    first, second, third, *_ = ids(sandbox)
    rows = [
        (first, "201", "ok", "", "", "r", 100, 1.0, 2.0),
        (second, "300", "", "16", "", "r", 100, 1.0, 2.0),
        (second, "301", "Bad", "12", "Absent", "r", 101, 1.0, 2.0),
    ]
    with closing(sqlite3.connect(journal)) as db, db:
        db.execute(
            "create table delivery (message_id, status_code, status_text, error_code, error_text, "
            "ref, timestamp, first_seen, last_seen, primary key (message_id, status_code))"
        )
        db.execute("create view delivery_state as select 1 as message_id")
        db.executemany("insert into delivery values (?, ?, ?, ?, ?, ?, ?, ?, ?)", rows)
    sandbox.deliver(third)
    for _ in range(2):
        stands = await look(client, journal, mark="none")
        assert (stands.delivered, stands.failed, stands.pending) == (2, 1, SIZE - 3)
    assert Record(journal).failures() == [("Absent", 1)]


async def test_a_run_is_stopped_when_too_many_receipts_fail(
    client: ClickSend, sandbox: Sandbox, journal: Path
) -> None:
    stopped: list[str] = []
    for message_id in ids(sandbox)[:8]:
        sandbox.deliver(message_id)
    watching = asyncio.create_task(
        stop_if_failed(
            client, journal, Breaker(0.2, minimum=10), lambda: stopped.append("x"), every=0.01
        )
    )
    while len([it for it in sandbox.requests if it.path == LIST]) < 3:
        await asyncio.sleep(0.01)
    assert not stopped
    for message_id in ids(sandbox)[8:10]:
        sandbox.deliver(message_id, 301, 12)
    stands = await watching
    assert (stands.delivered, stands.failed, stopped) == (8, 2, ["x"])
