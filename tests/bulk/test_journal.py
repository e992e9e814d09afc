"""Crash-safe runs: what a journal remembers, and who may write it."""

from __future__ import annotations

import asyncio
import os
import sqlite3
import stat
import sys
from pathlib import Path

import pytest

import aioclicksend as ac
from aioclicksend.sandbox import Sandbox

from .helpers import accepts, client, kinds, outcomes, posts, sms


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "promo.db"


def rows(path: Path, query: str) -> list[tuple[object, ...]]:
    """Read the journal as any program could, with plain sqlite3."""
    with sqlite3.connect(path) as db:
        found = db.execute(query).fetchall()
    db.close()
    return found


def plain(count: int) -> list[ac.SmsMessage]:
    """Return messages without refs, as a campaign has them."""
    return [ac.SmsMessage(to=f"+614{it:08d}", body="Your table is booked.") for it in range(count)]


async def test_the_same_input_twice_sends_nothing_twice(path: Path) -> None:
    async with Sandbox() as sandbox, client(sandbox) as api:
        for _ in range(2):
            async with api.sms.bulk(journal=path) as bulk:
                first = await outcomes(bulk.stream(plain(250)))
                again = await outcomes(bulk.stream(plain(250)))
            assert kinds(first) == kinds(again) == {"Accepted": 250}
            assert [it.message_id for it in first] == [it.message_id for it in again]  # type: ignore[union-attr]
        assert set(accepts(sandbox).values()) == {1}
        assert len(sandbox.messages) == 250


async def test_equal_messages_of_one_run_are_different_messages(path: Path) -> None:
    messages = [ac.SmsMessage(to="+61491570156", body="Knock")] * 3
    async with Sandbox() as sandbox, client(sandbox) as api:
        for _ in range(2):
            async with api.sms.bulk(journal=path) as bulk:
                settled = await outcomes(bulk.stream(messages))
            assert len({it.ref for it in settled}) == 3
        assert len(sandbox.messages) == 3
        assert max(accepts(sandbox).values()) == 1


async def test_a_longer_input_sends_only_what_is_new(path: Path) -> None:
    async with Sandbox() as sandbox, client(sandbox) as api:
        for count in (100, 150):
            async with api.sms.bulk(journal=path) as bulk:
                report = await bulk.run(plain(count))
            assert report.accepted == count
        assert len(sandbox.messages) == 150


async def test_a_callers_ref_is_sent_once_by_send_too(path: Path) -> None:
    async with Sandbox() as sandbox, client(sandbox) as api:
        for _ in range(2):
            async with api.sms.bulk(journal=path) as bulk:
                handles = [await bulk.send(sms(1)), await bulk.send(sms(1))]
                assert kinds([await it for it in handles]) == {"Accepted": 2}
        assert accepts(sandbox) == {"ref-1": 1}


async def test_send_without_a_ref_is_a_new_message_every_time(path: Path) -> None:
    async with Sandbox() as sandbox, client(sandbox) as api:
        for _ in range(2):
            async with api.sms.bulk(journal=path) as bulk:
                await (await bulk.send(plain(1)[0]))
        assert len(sandbox.messages) == 2


async def test_the_next_run_sends_what_was_not_sent_and_keeps_refusals(path: Path) -> None:
    bad = ac.SmsMessage(to="+61000000000", body="Hi")
    async with Sandbox() as sandbox, client(sandbox, retry=ac.Retry(attempts=1)) as api:
        sandbox.fail_next("refuse-429", path="/sms/send", retry_after=0)
        async with api.sms.bulk(journal=path, ramp=None) as bulk:
            first = await bulk.run([*plain(5), bad])
        async with api.sms.bulk(journal=path, ramp=None) as bulk:
            second = await bulk.run([*plain(5), bad])
        async with api.sms.bulk(journal=path, ramp=None) as bulk:
            third = await bulk.run([*plain(5), bad])
        assert first.not_sent == 6
        assert (second.accepted, second.rejected) == (5, 1)
        assert (third.accepted, third.rejected) == (5, 1)
        assert posts(sandbox) == 2


async def test_resume_continues_without_the_input(path: Path) -> None:
    async with Sandbox() as sandbox, client(sandbox, retry=ac.Retry(attempts=1)) as api:
        sandbox.fail_next("refuse-429", path="/sms/send", retry_after=0)
        async with api.sms.bulk(journal=path, ramp=None) as bulk:
            assert (await bulk.run(plain(30))).not_sent == 30
        async with api.sms.bulk(journal=path) as bulk:
            assert (await bulk.resume()).accepted == 30
            assert (await bulk.resume()).total == 0
        assert len(sandbox.messages) == 30
        assert max(accepts(sandbox).values()) == 1


async def test_reopening_looks_up_unknown_messages_again(path: Path) -> None:
    async with Sandbox(history_lag=0.5) as sandbox, client(sandbox) as api:
        sandbox.fail_next("reset-after", path="/sms/send")
        async with api.sms.bulk(journal=path, reconcile=ac.Reconcile(settle=0.1)) as bulk:
            assert (await bulk.run(plain(1))).unknown == 1
        await asyncio.sleep(0.5)
        async with api.sms.bulk(journal=path, reconcile=ac.Reconcile(settle=0.1)) as bulk:
            assert (await bulk.run(plain(1))).accepted == 1
        assert len(sandbox.messages) == 1


async def test_two_streams_of_one_input_at_the_same_time_send_it_once(path: Path) -> None:
    async with Sandbox(latency=0.02) as sandbox, client(sandbox) as api:
        async with api.sms.bulk(journal=path, batching=ac.Batching(size=10)) as bulk:
            reports = await asyncio.gather(bulk.run(plain(100)), bulk.run(plain(100)))
        assert [it.accepted for it in reports] == [100, 100]
        assert max(accepts(sandbox).values()) == 1
        assert len(sandbox.messages) == 100


async def test_the_intent_is_on_disk_before_the_request_arrives(path: Path) -> None:
    states: list[object] = []

    async with Sandbox() as sandbox, client(sandbox) as api:

        def look(arrival: object) -> None:
            if getattr(arrival, "path", "").endswith("/send"):
                states.append(rows(path, "select state, count(*) from outcome group by state"))

        sandbox.fail_every(look)
        async with api.sms.bulk(journal=path) as bulk:
            await bulk.run(plain(1))
    assert states == [[("in_doubt", 1)]]


async def test_an_intent_replaces_the_result_of_a_withdrawn_attempt(path: Path) -> None:
    """Were it left "not sent" beside an intent, a crash would have it sent again."""
    states: list[object] = []

    async with Sandbox(latency=0.05) as sandbox, client(sandbox) as api:
        batching = ac.Batching(size=5)
        async with api.sms.bulk(journal=path, batching=batching, lanes=1, ramp=None) as bulk:
            async for _ in bulk.stream(plain(20)):
                break
            await bulk.flush()

            def look(_arrival: object) -> None:
                states.append(
                    rows(
                        path,
                        "select count(*) from outcome join message_state as it using (id) "
                        "where it.at is null and outcome.state not in ('in_doubt', 'planned')",
                    )
                )

            sandbox.fail_every(look)
            assert (await bulk.run(plain(20))).accepted == 20
    assert states
    assert set(map(str, states)) == {"[(0,)]"}


async def test_the_file_reads_with_plain_sqlite(path: Path) -> None:
    async with Sandbox() as sandbox, client(sandbox) as api:
        async with api.sms.bulk(journal=path) as bulk:
            await bulk.run([*plain(2), ac.SmsMessage(to="+61000000000", body="Hi")])
        found = rows(path, 'select "to", state, message_id, parts, price, reason from outcome')
        ids = {it["to"]: it["message_id"] for it in sandbox.messages}
        assert found == [
            ("+61400000000", "accepted", ids["+61400000000"], 1, "0.0770", None),
            ("+61400000001", "accepted", ids["+61400000001"], 1, "0.0770", None),
            ("+61000000000", "rejected", None, None, None, "INVALID_RECIPIENT"),
        ]
        assert rows(path, "select attempt from batch") == [(1,)] * 2
        assert rows(path, "select count(*) from lease") == [(0,)]


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no such permissions")
async def test_only_the_owner_may_read_the_file(path: Path) -> None:
    async with Sandbox() as sandbox, client(sandbox) as api:
        async with api.sms.bulk(journal=path) as bulk:
            await bulk.run(plain(1))
            for file in path.parent.iterdir():
                assert stat.S_IMODE(file.stat().st_mode) == 0o600


async def test_every_attempt_sends_the_same_bytes(path: Path) -> None:
    odd = sms(1, body="Grüße 🎉", schedule=None)
    async with Sandbox() as sandbox, client(sandbox) as api:
        sandbox.fail_next("reset-before", path="/sms/send")
        reconcile = ac.Reconcile(settle=0.3, resend=True)
        async with api.sms.bulk(
            journal=path, reconcile=reconcile, batching=ac.Batching(size=1), lanes=1
        ) as bulk:
            assert (await bulk.run([odd, sms(2)])).accepted == 2
        first, _, second = [it.body for it in sandbox.requests if it.path.endswith("/send")]
        assert first == second
        assert "Grüße 🎉" in first.decode()


async def test_mms_keep_their_picture_in_the_journal(path: Path) -> None:
    message = ac.MmsMessage(
        to="+61491570156", body="Look", subject="S", media_file="https://example.org/a.jpg"
    )
    async with Sandbox() as sandbox, client(sandbox, retry=ac.Retry(attempts=1)) as api:
        sandbox.fail_next("refuse-429", path="/mms/send", retry_after=0)
        async with api.mms.bulk(journal=path) as bulk:
            assert (await bulk.run([message])).not_sent == 1
        async with api.mms.bulk(journal=path) as bulk:
            assert (await bulk.resume()).accepted == 1
        assert sandbox.messages[0]["_media_file_url"] == "https://example.org/a.jpg"


async def test_one_runner_at_a_time(path: Path) -> None:
    async with Sandbox() as sandbox, client(sandbox) as api, api.sms.bulk(journal=path) as bulk:
        with pytest.raises(ac.ConfigurationError, match="in use by process"):
            async with api.sms.bulk(journal=path):
                pass
        assert (await bulk.run(plain(1))).accepted == 1


async def test_a_runner_whose_lease_was_taken_sends_nothing_more(path: Path) -> None:
    async with Sandbox() as sandbox, client(sandbox) as api:
        async with api.sms.bulk(journal=path) as bulk:
            assert (await bulk.run(plain(1))).accepted == 1
            with sqlite3.connect(path) as db:
                db.execute("update lease set owner = 'other'")
            db.close()
            report = await bulk.run(plain(50))
            assert (report.accepted, report.not_sent) == (0, 50)
            assert report.reasons == {"journal": 50}
            assert "taken over" in str(bulk.statistics().held)
        assert len(sandbox.messages) == 1


async def test_a_journal_of_a_newer_version_is_refused(path: Path) -> None:
    async with Sandbox() as sandbox, client(sandbox) as api:
        async with api.sms.bulk(journal=path):
            pass
        with sqlite3.connect(path) as db:
            db.execute("update meta set value = '999' where name = 'schema'")
        db.close()
        with pytest.raises(ac.ConfigurationError, match="newer version"):
            async with api.sms.bulk(journal=path):
                pass


async def test_a_journal_of_another_channel_is_refused(path: Path) -> None:
    async with Sandbox() as sandbox, client(sandbox) as api:
        async with api.sms.bulk(journal=path):
            pass
        with pytest.raises(ac.ConfigurationError, match="journal of sms messages, not voice"):
            async with api.voice.bulk(journal=path):
                pass


async def test_a_pipe_or_device_is_refused_and_keeps_its_mode(tmp_path: Path) -> None:
    path = tmp_path / "pipe"
    os.mkfifo(path, 0o644)
    with pytest.raises(ac.ConfigurationError, match="it is no regular file"):
        await ac.Journal(path).start("sms")
    assert stat.S_IMODE(path.stat().st_mode) == 0o644


async def test_a_file_that_is_no_journal_is_refused_and_left_alone(path: Path) -> None:
    async with Sandbox() as sandbox, client(sandbox) as api:
        path.write_bytes(b"recipients;numbers\n" * 100)
        with pytest.raises(ac.ConfigurationError, match="cannot be used as a journal"):
            async with api.sms.bulk(journal=path):
                pass
        assert path.read_bytes().startswith(b"recipients")
        other = path.with_name("other.db")
        with sqlite3.connect(other) as db:
            db.execute("create table people (name text)")
        db.close()
        with pytest.raises(ac.ConfigurationError, match="another program's database"):
            async with api.sms.bulk(journal=other):
                pass
        with pytest.raises(ac.ConfigurationError, match="cannot be opened"):
            async with api.sms.bulk(journal=path.parent / "missing" / "x.db"):
                pass


async def test_a_journal_can_be_used_again(path: Path) -> None:
    journal = ac.Journal.open(path)
    async with Sandbox() as sandbox, client(sandbox) as api:
        for count in (5, 8):
            async with api.sms.bulk(journal=journal) as bulk:
                for _ in range(2):
                    assert (await bulk.run(plain(count))).accepted == count
        assert len(sandbox.messages) == 8


async def test_journal_open_is_the_same_as_its_path(path: Path) -> None:
    async with Sandbox() as sandbox, client(sandbox) as api:
        async with api.sms.bulk(journal=ac.Journal.open(path)) as bulk:
            await bulk.run(plain(1))
        async with api.sms.bulk(journal=str(path)) as bulk:
            await bulk.run(plain(1))
        assert len(sandbox.messages) == 1
