"""Situations in which an earlier engine sent twice, lost messages, overspent or never ended.

Each test counts at the server. They are written against the promise, not the code: no internals.
"""

from __future__ import annotations

import asyncio
import sqlite3
import time
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import closing
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

import aioclicksend as ac
from aioclicksend.sandbox import HistoryBehaviour, Sandbox

from .helpers import accepts, kinds, many, posts, sms
from .helpers import client as impatient

PATIENCE = 60.0
"""Seconds after which something that should end counts as hanging."""


def client(sandbox: Sandbox, **options: Any) -> ac.ClickSend:
    """Return a client whose requests end by the server's doing, however slow the machine is."""
    return impatient(sandbox, **({"timeout": ac.Timeout(connect=20.0, read=30.0)} | options))


def arrivals(sandbox: Sandbox) -> Counter[tuple[str, str]]:
    """Return how often the sandbox accepted each number and text."""
    return Counter((str(it["to"]), str(it["body"])) for it in sandbox.messages)


def plain(number: int, body: str = "Hello") -> ac.SmsMessage:
    """Return a message without a ref."""
    return ac.SmsMessage(to=f"+614{number:08d}", body=body)


# Deciding and claiming are one step.


async def test_concurrent_hand_ins_of_one_journal_arrive_once(tmp_path: Path) -> None:
    async with Sandbox(balance="100000") as sandbox, client(sandbox) as api:
        for attempt in range(12):
            journal = tmp_path / f"{attempt}.db"
            batching = ac.Batching(size=50)
            async with api.sms.bulk(journal=journal, batching=batching, ramp=None) as bulk:
                start = attempt * 1000

                async def hand_in(start: int = start, bulk: Any = bulk) -> list[ac.Outcome]:
                    handles = [await bulk.send(it) for it in many(200, start)]
                    return [await it for it in handles]

                both = await asyncio.gather(hand_in(), hand_in())
            assert all(isinstance(it, ac.Accepted) for settled in both for it in settled)
        assert set(accepts(sandbox).values()) == {1}


async def test_overlapping_runs_of_one_journal_arrive_once(tmp_path: Path) -> None:
    async with Sandbox(balance="100000") as sandbox, client(sandbox) as api:
        for attempt in range(6):
            messages = [plain(attempt * 1000 + it) for it in range(300)]
            batching = ac.Batching(size=50)
            journal = tmp_path / f"{attempt}.db"
            async with api.sms.bulk(journal=journal, batching=batching, ramp=None) as bulk:
                reports = await asyncio.gather(*(bulk.run(messages) for _ in range(3)))
            assert [it.accepted for it in reports] == [300, 300, 300]
        assert set(arrivals(sandbox).values()) == {1}


# The server alters refs, numbers, dates.


@pytest.mark.parametrize("refs", ["lower", "trim", "cut:10"])
async def test_a_server_that_alters_refs_gets_nothing_twice(refs: str) -> None:
    behaviour = HistoryBehaviour(refs=refs)
    async with Sandbox(history=behaviour) as sandbox, client(sandbox) as api:
        sandbox.fail_next("reset-before", path="/sms/send", times=1)
        reconcile = ac.Reconcile(settle=1, resend=True)
        async with api.sms.bulk(
            reconcile=reconcile, batching=ac.Batching(size=10), ramp=None
        ) as bulk:
            messages = [
                sms(it, custom_string=f"  My-Ref-{it}-of-the-campaign ") for it in range(40)
            ]
            report = await bulk.run(messages)
        assert max(arrivals(sandbox).values()) == 1
        assert report.accepted + report.unknown == 40
        assert report.accepted == len(sandbox.messages)


@pytest.mark.parametrize("numbers", ["digits", "zeros", "national"])
@pytest.mark.parametrize("dates", ["unix", "us"])
async def test_a_generated_ref_proves_with_any_number_and_date_format(
    numbers: Any, dates: Any
) -> None:
    behaviour = HistoryBehaviour(numbers=numbers, dates=dates)
    async with Sandbox(history=behaviour) as sandbox, client(sandbox) as api:
        sandbox.fail_next("reset-after", path="/sms/send")
        reconcile = ac.Reconcile(settle=1, resend=True)
        async with api.sms.bulk(reconcile=reconcile, ramp=None) as bulk:
            report = await bulk.run(plain(it) for it in range(10))
        assert report.accepted == 10
        assert set(arrivals(sandbox).values()) == {1}


# A ref of the caller's comes again.


async def test_a_row_with_the_ref_but_another_text_is_not_this_message() -> None:
    async with Sandbox() as sandbox, client(sandbox) as api:
        async with api.sms.bulk(reconcile=ac.Reconcile(settle=1), ramp=None) as bulk:
            first = await bulk.run(sms(it, custom_string="news", body="One") for it in range(20))
            sandbox.fail_next("reset-before", path="/sms/send")
            second = await bulk.run(sms(it, custom_string="news", body="Two") for it in range(20))
        assert (first.accepted, second.unknown) == (20, 20)


@pytest.mark.slow
@pytest.mark.parametrize("journaled", [False, True])
async def test_a_message_like_an_earlier_one_is_not_found_in_its_row(
    tmp_path: Path, *, journaled: bool
) -> None:
    journals = [tmp_path / "one.db", tmp_path / "two.db"] if journaled else [None, None]
    outcome: ac.Outcome | None = None
    async with Sandbox() as sandbox, client(sandbox) as api:
        for journal, fault in zip(journals, (None, "reset-before"), strict=True):
            if fault:
                await asyncio.sleep(1.1)  # the server's dates are whole seconds
                sandbox.fail_next(fault, path="/sms/send")
            async with api.sms.bulk(journal=journal, reconcile=ac.Reconcile(settle=1)) as bulk:
                outcome = await (await bulk.send(sms(1, custom_string="reminder")))
        assert isinstance(outcome, ac.Unknown)
        assert len(sandbox.messages) == 1


async def test_a_call_like_an_earlier_one_is_not_found_in_its_row() -> None:
    async with Sandbox() as sandbox, client(sandbox) as api:
        call = ac.VoiceMessage(to="+61411111111", body="Hello", country="AU")
        async with api.voice.bulk(reconcile=ac.Reconcile(settle=1)) as bulk:
            assert isinstance(await (await bulk.send(call)), ac.Accepted)
            sandbox.fail_next("reset-before", path="/voice/send")
            assert isinstance(await (await bulk.send(call)), ac.Unknown)
        assert len(sandbox.messages) == 1


async def test_a_message_whose_result_was_lost_is_not_taken_for_another_one(
    tmp_path: Path,
) -> None:
    """The client remembers its id, the journal does not: it must not be sent again."""
    path = tmp_path / "j.db"
    async with Sandbox() as sandbox, client(sandbox) as api:
        async with api.sms.bulk(journal=path, ramp=None) as bulk:
            assert (await bulk.run(many(4))).accepted == 4
        with closing(sqlite3.connect(path)) as db, db:
            db.execute("update chunk_result set state = null, message_id = null, price = null")
        for _ in range(2):
            reconcile = ac.Reconcile(settle=0.5, resend=True)
            async with api.sms.bulk(journal=path, reconcile=reconcile, ramp=None) as bulk:
                await bulk.run(many(4, 10))
                await bulk.resume()
        assert set(accepts(sandbox).values()) == {1}


# Absence without a witness proves nothing.


async def test_nothing_is_sent_again_without_a_witness() -> None:
    async with Sandbox() as sandbox, client(sandbox) as api:
        sandbox.fail_next("reset-before", path="/sms/send")
        reconcile = ac.Reconcile(settle=0.5, resend=True)
        async with api.sms.bulk(reconcile=reconcile) as bulk:
            outcome = await (await bulk.send(sms(1)))
        assert isinstance(outcome, ac.Unknown)
        assert outcome.reason is ac.Reason.LAGGING
        assert posts(sandbox) == 1


async def test_a_lagging_history_gets_nothing_twice() -> None:
    async with Sandbox(history_lag=2.0) as sandbox, client(sandbox) as api:
        sandbox.fail_next("reset-after", path="/sms/send")
        reconcile = ac.Reconcile(settle=0.5, resend=True)
        async with api.sms.bulk(
            reconcile=reconcile, batching=ac.Batching(size=10), ramp=None
        ) as bulk:
            report = await bulk.run(plain(it) for it in range(50))
        assert set(arrivals(sandbox).values()) == {1}
        assert report.total == 50


@pytest.mark.parametrize("filter_", ["exact", "first", "last", "ignore", "parts"])
@pytest.mark.parametrize(
    "fault", ["reset-after", pytest.param("reset-before", marks=pytest.mark.slow)]
)
async def test_look_ups_by_number_trust_no_filter_that_they_have_not_seen_work(
    filter_: Any, fault: str
) -> None:
    """Others send 1 700 messages a second, so asking for the numbers is cheaper than reading."""
    behaviour = HistoryBehaviour(filter=filter_, foreign_rows=1_000_000)
    async with Sandbox(history=behaviour) as sandbox, client(sandbox) as api:
        sandbox.fail_next(fault, path="/sms/send")
        reconcile = ac.Reconcile(settle=1.5, resend=True)
        async with api.sms.bulk(
            reconcile=reconcile, batching=ac.Batching(size=20), ramp=None, lanes=2
        ) as bulk:
            report = await bulk.run(plain(it) for it in range(200))
        assert set(arrivals(sandbox).values()) == {1}
        assert report.accepted == len(sandbox.messages)
        assert report.accepted + report.unknown == 200


# Money.


async def test_a_budget_covers_all_runs_of_a_journal(tmp_path: Path) -> None:
    async with Sandbox() as sandbox, client(sandbox) as api:
        for run in range(4):
            async with api.sms.bulk(journal=tmp_path / "j.db", budget=Decimal("1.00")) as bulk:
                await bulk.run(plain(run * 100 + it) for it in range(20))
        assert sum(Decimal(str(it["message_price"])) for it in sandbox.messages) <= Decimal("1.00")
        assert len(sandbox.messages) == 12  # at 0.0770


async def test_what_is_in_doubt_keeps_its_reservation_in_the_journal(tmp_path: Path) -> None:
    async with Sandbox(history_lag=3600) as sandbox, client(sandbox) as api:
        for run in range(3):
            sandbox.fail_next("reset-after", path="/sms/send")
            async with api.sms.bulk(
                journal=tmp_path / "j.db",
                budget=Decimal("1.00"),
                reconcile=ac.Reconcile(settle=0.2),
            ) as bulk:
                await bulk.run(plain(run * 100 + it) for it in range(20))
        assert len(sandbox.messages) <= 12


@pytest.mark.parametrize("price", ["0", "-0.0770", "NaN", "Infinity", None, "abc"])
async def test_a_quote_that_is_no_price_sends_nothing(price: str | None) -> None:
    async with Sandbox() as sandbox, client(sandbox) as api:
        sandbox.fail_next("odd-price", path="/sms/price", times=100, price=price)
        async with api.sms.bulk(budget=Decimal(10)) as bulk:
            outcome = await (await bulk.send(plain(1)))
        assert isinstance(outcome, ac.NotSent)
        assert outcome.reason is ac.Reason.NOT_PRICED
        assert not sandbox.messages


async def test_a_refused_quote_sends_nothing() -> None:
    async with Sandbox() as sandbox, client(sandbox) as api:
        sandbox.fail_next("row-status", path="/sms/price", times=100, status="THROTTLED")
        async with api.sms.bulk(budget=Decimal(10)) as bulk:
            outcome = await (await bulk.send(plain(1)))
        assert isinstance(outcome, ac.NotSent)
        assert not sandbox.messages


@pytest.mark.parametrize("amount", ["NaN", "Infinity", "-1"])
def test_a_budget_must_be_an_amount(amount: str) -> None:
    api = ac.ClickSend(auth=ac.BasicAuth("a", "b"), base_url="http://127.0.0.1:1")
    with pytest.raises(ValueError, match="budget: must be a finite Decimal"):
        api.sms.bulk(budget=Decimal(amount))


# Everything ends.


async def test_senders_held_back_by_a_full_queue_hear_of_a_stop() -> None:
    async with Sandbox() as sandbox, client(sandbox, timeout=ac.Timeout(read=30.0)) as api:
        sandbox.fail_next("hang-before", path="/sms/send", times=100)
        with pytest.raises(RuntimeError, match="stopped"):
            async with asyncio.timeout(PATIENCE):
                async with api.sms.bulk(batching=ac.Batching(size=2, queue=4), lanes=1) as bulk:
                    asyncio.get_running_loop().call_later(0.3, bulk.stop, "SIGINT")
                    asyncio.get_running_loop().call_later(0.6, bulk.abort, "SIGINT")
                    for message in many(100):
                        await bulk.send(message)


async def test_a_run_over_an_idle_source_hears_of_a_stop() -> None:
    async def idle() -> AsyncIterator[ac.SmsMessage]:
        yield sms(1)
        await asyncio.Event().wait()

    async with Sandbox() as sandbox, client(sandbox) as api:
        async with asyncio.timeout(PATIENCE), api.sms.bulk() as bulk:
            asyncio.get_running_loop().call_later(0.3, bulk.stop)
            report = await bulk.run(idle())
        assert (report.accepted, report.stopped) == (1, True)


async def test_stop_does_not_wait_for_a_pause_of_the_server() -> None:
    async with Sandbox() as sandbox, client(sandbox, retry=ac.Retry(attempts=5)) as api:
        sandbox.fail_next("refuse-429", path="/sms/send", times=100, retry_after=20)
        started = time.monotonic()
        async with api.sms.bulk() as bulk:
            handles = [await bulk.send(it) for it in many(3)]
            await asyncio.sleep(0.3)
            bulk.stop()
            settled = [await it for it in handles]
        assert kinds(settled) == {"NotSent": 3}
        assert time.monotonic() - started < 19


async def test_abort_knows_that_a_429_was_not_taken() -> None:
    async with Sandbox() as sandbox, client(sandbox, retry=ac.Retry(attempts=5)) as api:
        sandbox.fail_next("refuse-429", path="/sms/send", times=100, retry_after=20)
        async with api.sms.bulk() as bulk:
            handle = await bulk.send(sms(1))
            await asyncio.sleep(0.3)
            bulk.abort()
            assert isinstance(await handle, ac.NotSent)


async def test_a_client_closed_early_leaves_nothing_hanging() -> None:
    async with Sandbox() as sandbox:
        api = client(sandbox)
        async with asyncio.timeout(PATIENCE), api.sms.bulk() as bulk:
            assert isinstance(await (await bulk.send(sms(1))), ac.Accepted)
            await api.aclose()
            for number in (2, 3):
                outcome = await (await bulk.send(sms(number)))
                assert isinstance(outcome, ac.NotSent)


async def test_an_endless_history_does_not_keep_a_block_from_being_left() -> None:
    behaviour = HistoryBehaviour(endless=True, foreign_rows=100_000)
    async with Sandbox(history=behaviour) as sandbox, client(sandbox) as api:
        sandbox.fail_next("reset-before", path="/sms/send")
        async with asyncio.timeout(PATIENCE):
            async with api.sms.bulk(reconcile=ac.Reconcile(settle=0.5)) as bulk:
                outcome = await (await bulk.send(sms(1)))
        assert isinstance(outcome, ac.Unknown)


@pytest.mark.slow
async def test_a_hanging_history_does_not_keep_a_block_from_being_left() -> None:
    async with Sandbox() as sandbox, client(sandbox, timeout=ac.Timeout(read=60.0)) as api:
        sandbox.fail_next("reset-before", path="/sms/send")
        sandbox.fail_next("hang-before", path="/sms/history", times=100)
        async with asyncio.timeout(PATIENCE):
            async with api.sms.bulk(reconcile=ac.Reconcile(settle=0.5)) as bulk:
                outcome = await (await bulk.send(sms(1)))
        assert isinstance(outcome, ac.Unknown)
        assert outcome.reason is ac.Reason.NOT_LOOKED_UP


# What was read has an outcome.


async def test_everything_read_is_reported_when_stopped_in_the_first_request() -> None:
    read = 0

    async def source() -> AsyncIterator[ac.SmsMessage]:
        nonlocal read
        for message in many(1000):
            read += 1
            yield message
            await asyncio.sleep(0)

    async with Sandbox() as sandbox, client(sandbox) as api:
        sandbox.fail_next("slow", path="/sms/send", delay=0.3)
        async with api.sms.bulk() as bulk:
            asyncio.get_running_loop().call_later(0.1, bulk.stop)
            report = await bulk.run(source())
        assert report.total == read
        assert report.stopped


async def test_everything_read_is_reported_when_the_source_leaks_a_cancellation() -> None:
    async def source() -> AsyncIterator[ac.SmsMessage]:
        for message in many(37):
            yield message
        raise asyncio.CancelledError

    async with Sandbox() as sandbox, client(sandbox) as api:
        settled = []
        async with api.sms.bulk() as bulk:
            with pytest.raises(RuntimeError, match="raised CancelledError"):
                async for outcome in bulk.stream(source()):
                    settled.append(outcome)  # noqa: PERF401 - what came before the error counts
        assert kinds(settled) == {"Accepted": 37}


async def test_leaving_the_block_reports_what_a_run_in_another_task_has_read() -> None:
    read = 0

    async def source() -> AsyncIterator[ac.SmsMessage]:
        nonlocal read
        for message in many(1000):
            read += 1
            yield message
            await asyncio.sleep(0.001)

    async with Sandbox() as sandbox, client(sandbox) as api:
        async with api.sms.bulk() as bulk:
            run = asyncio.create_task(bulk.run(source()))
            await asyncio.sleep(0.1)
        report = await run
        assert report.total == read == len(sandbox.messages)
        assert report.stopped


# The journal's file.


async def test_a_file_without_tables_is_a_new_journal(tmp_path: Path) -> None:
    path = tmp_path / "j.db"
    db = sqlite3.connect(path)
    db.execute("pragma journal_mode = wal")
    db.close()
    async with Sandbox() as sandbox, client(sandbox) as api:
        async with api.sms.bulk(journal=path) as bulk:
            assert (await bulk.run(many(3))).accepted == 3


async def test_a_journal_deleted_during_a_run_is_noticed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("aioclicksend.bulk.journal.sqlite.LEASE", 0.3)
    path = tmp_path / "j.db"
    async with Sandbox() as sandbox, client(sandbox) as api:
        async with api.sms.bulk(journal=path) as bulk:
            assert isinstance(await (await bulk.send(sms(1))), ac.Accepted)
            path.unlink()
            async with asyncio.timeout(PATIENCE):
                while bulk.statistics().held is None:
                    await asyncio.sleep(0.05)
            outcome = await (await bulk.send(sms(2)))
        assert isinstance(outcome, ac.NotSent)
        assert outcome.reason is ac.Reason.JOURNAL


@pytest.mark.parametrize("how", ["deleted", "replaced"])
async def test_nothing_is_sent_once_the_journal_is_gone(tmp_path: Path, how: str) -> None:
    path = tmp_path / "j.db"
    async with Sandbox() as sandbox, client(sandbox) as api:
        async with api.sms.bulk(journal=path) as bulk:
            assert (await bulk.run(many(3))).accepted == 3
            backup = path.read_bytes()
            path.unlink()
            if how == "replaced":
                path.write_bytes(backup)
            report = await bulk.run(many(3, 10))
        assert report.reasons == {"journal": 3}
        assert len(sandbox.messages) == 3


# What a row's status means.


@pytest.mark.parametrize("status", ["QUEUED", "WAIT_APPROVAL", "SENT", "Queued:Stamped"])
async def test_success_words_are_acceptances(status: str) -> None:
    async with Sandbox() as sandbox, client(sandbox) as api:
        sandbox.fail_next("row-status", path="/sms/send", status=status)
        async with api.sms.bulk() as bulk:
            assert isinstance(await (await bulk.send(sms(1))), ac.Accepted)


@pytest.mark.parametrize("status", ["INTERNAL_ERROR", "SOMETHING_IS_WRONG"])
async def test_an_internal_error_is_no_proof_that_nothing_was_sent(status: str) -> None:
    async with Sandbox() as sandbox, client(sandbox) as api:
        sandbox.fail_next("row-status", path="/sms/send", status=status)
        async with api.sms.bulk(reconcile=ac.Reconcile(settle=1)) as bulk:
            outcome = await (await bulk.send(sms(1)))
        assert isinstance(outcome, ac.Accepted)  # found in the history
        assert len(sandbox.messages) == 1


# Pricing, misuse.


async def test_prices_travel_in_the_requests_that_a_run_makes() -> None:
    async with Sandbox(balance="100000") as sandbox, client(sandbox) as api:
        batching = ac.Batching(size=1000, max_bytes=1000)
        async with api.sms.bulk(batching=batching, ramp=None) as bulk:
            await bulk.price(many(100))
            priced = len(sandbox.requests)
            await bulk.run(many(100))
        assert priced == posts(sandbox) > 5


async def test_a_sender_outside_its_block_says_what_to_write() -> None:
    api = ac.ClickSend(auth=ac.BasicAuth("a", "b"), base_url="http://127.0.0.1:1")
    bulk = api.sms.bulk()
    with pytest.raises(RuntimeError, match=r"async with client\.sms\.bulk"):
        await bulk.send(sms(1))
    with pytest.raises(RuntimeError, match=r"async with client\.sms\.bulk"):
        await bulk.run(many(1))


async def test_a_dict_is_refused_with_the_class_that_is_needed() -> None:
    async with Sandbox() as sandbox, client(sandbox) as api, api.sms.bulk() as bulk:
        with pytest.raises(ValueError, match="not a SmsMessage but a dict"):
            await bulk.send({"to": "+61411111111", "body": "Hi"})  # type: ignore[arg-type]


# Keys and suppression.


async def test_a_key_is_sent_once_and_all_callers_get_the_same_outcome(tmp_path: Path) -> None:
    async with Sandbox() as sandbox, client(sandbox) as api:
        async with api.sms.bulk(journal=tmp_path / "j.db") as bulk:
            handles = await asyncio.gather(
                *(bulk.send(plain(1), key="otp-8731") for _ in range(50))
            )
            ids = {(await it).message_id for it in handles}  # type: ignore[union-attr]
        async with api.sms.bulk(journal=tmp_path / "j.db") as bulk:
            again = await (await bulk.send(plain(1), key="otp-8731"))
            other = await (await bulk.send(plain(1, "Other"), key="otp-8731"))
        assert isinstance(again, ac.Accepted)
        assert ids == {again.message_id}
        assert isinstance(other, ac.NotSent)
        assert other.reason is ac.Reason.KEY_CONFLICT
        assert len(sandbox.messages) == 1


async def test_not_sent_frees_a_key(tmp_path: Path) -> None:
    async with Sandbox() as sandbox, client(sandbox, retry=ac.Retry(attempts=1)) as api:
        sandbox.fail_next("refuse-429", path="/sms/send")
        async with api.sms.bulk(journal=tmp_path / "j.db") as bulk:
            first = await (await bulk.send(plain(1), key="k"))
            second = await (await bulk.send(plain(1, "Other"), key="k"))
        assert (type(first), type(second)) == (ac.NotSent, ac.Accepted)


async def test_a_key_that_is_freed_sends_what_was_entered(tmp_path: Path) -> None:
    """Handed in twice at once, and the first is refused: the second has its ref."""
    path = tmp_path / "j.db"
    async with Sandbox() as sandbox, client(sandbox, retry=ac.Retry(attempts=1)) as api:
        sandbox.fail_next("refuse-429", path="/sms/send")
        async with api.sms.bulk(journal=path, lanes=1, ramp=None) as bulk:
            handles = [await bulk.send(plain(1), key="k") for _ in range(2)]
            settled = [await it for it in handles]
        assert list(map(type, settled)) == [ac.NotSent, ac.Accepted]
        (sent,) = accepts(sandbox)
    with closing(sqlite3.connect(path)) as db:
        assert db.execute("select ref, state from outcome").fetchall() == [(sent, "accepted")]


async def test_a_key_needs_a_journal() -> None:
    async with Sandbox() as sandbox, client(sandbox) as api, api.sms.bulk() as bulk:
        with pytest.raises(ValueError, match="journal"):
            await bulk.send(plain(1), key="k")


class Blocked:
    """A suppression list."""

    def __init__(self, *numbers: str) -> None:
        self.numbers = set(numbers)

    async def blocked(self, numbers: Any) -> set[str]:
        return self.numbers.intersection(numbers)


async def test_suppressed_numbers_are_not_written_to(tmp_path: Path) -> None:
    for journal in (None, tmp_path / "j.db"):
        async with Sandbox() as sandbox, client(sandbox) as api:
            suppress = Blocked("+61400000003")
            async with api.sms.bulk(suppress=suppress, journal=journal) as bulk:
                report = await bulk.run(plain(it) for it in range(10))
            assert (report.accepted, report.reasons) == (9, {"opted_out": 1})
            assert "+61400000003" not in {it["to"] for it in sandbox.messages}


async def test_a_batch_that_is_cut_after_a_part_was_settled_settles_the_rest_once() -> None:
    async with Sandbox() as sandbox, client(sandbox, timeout=ac.Timeout(read=30.0)) as api:
        sandbox.fail_next("hang-before", path="/sms/price", times=10)
        suppress = Blocked("+61400000003")
        async with api.sms.bulk(suppress=suppress, budget=Decimal(10), ramp=None) as bulk:
            asyncio.get_running_loop().call_later(0.5, bulk.stop)
            report = await bulk.run(plain(it) for it in range(10))
            statistics = bulk.statistics()
        assert report.reasons == {"opted_out": 1, "stopped": 9}
        assert (report.total, statistics.not_sent) == (10, 10)
        assert not sandbox.messages
