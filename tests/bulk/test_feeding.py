"""From a stream to its requests: ramps, journals, pictures, and what is told of each message."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

import aioclicksend as ac
from aioclicksend.bulk.feeding import outcome_of
from aioclicksend.bulk.journal import Journal
from aioclicksend.bulk.known import Known
from aioclicksend.bulk.lookup import Entries
from aioclicksend.sandbox import Sandbox

from .helpers import accepts, client, kinds, many, outcomes, posts, sms

TEN = ac.Batching(size=10)
AT_ONCE = ac.Reconcile(settle=0.05)


def mms(number: int, picture: int = 0) -> ac.MmsMessage:
    """Return one of many MMS, with one of a few pictures."""
    return ac.MmsMessage(
        to=f"+614{number:08d}",
        body="Look",
        subject="S",
        media_file=f"https://example.org/{picture}.jpg",
    )


def sizes(sandbox: Sandbox) -> list[int]:
    """Return how many messages each send request held."""
    sent = [it for it in sandbox.requests if it.path.endswith("/send")]
    return [len(json.loads(it.body)["messages"]) for it in sent]


async def held_back(api: ac.ClickSend, sandbox: Sandbox, journal: Path, count: int) -> None:
    """Leave a journal with messages that were handed in and not sent."""
    sandbox.fail_next("status", path="/sms/send", status=401)
    async with api.sms.bulk(journal=journal, ramp=None) as bulk:
        assert (await bulk.run(many(count))).not_sent == count
    sandbox.requests.clear()


# Pictures.


async def test_each_mms_keeps_its_own_picture() -> None:
    messages = [mms(number, number % 2) for number in range(6)]
    async with Sandbox() as sandbox, client(sandbox) as api:
        async with api.mms.bulk(ramp=None) as bulk:
            assert (await bulk.run(messages)).accepted == 6
        shown = {it["to"]: it["_media_file_url"] for it in sandbox.messages}
        assert shown == {it.to: it.media_file for it in messages}
        assert sizes(sandbox) == [3, 3]


@pytest.mark.parametrize("journalled", [False, True])
async def test_a_picture_stands_beside_the_messages_of_its_request(
    tmp_path: Path,
    journalled: bool,  # noqa: FBT001
) -> None:
    journal = tmp_path / "x.db" if journalled else None
    async with Sandbox(strict=True) as sandbox, client(sandbox) as api:
        async with api.mms.bulk(ramp=None, journal=journal) as bulk:
            assert (await bulk.run([mms(1), mms(2)])).accepted == 2
        (request,) = sandbox.requests
        told = json.loads(request.body)
        assert told["media_file"] == "https://example.org/0.jpg"
        assert not [it for it in told["messages"] if "media_file" in it]


async def test_an_mms_is_the_same_whatever_company_it_comes_in(tmp_path: Path) -> None:
    """A message beside it that is wrong, or out of the ordinary, must not have it sent again."""
    local = ac.MmsMessage(
        to="0491 570 156", country="AU", body="Look", subject="S", media_file=mms(1).media_file
    )
    async with Sandbox() as sandbox, client(sandbox) as api:
        for messages in ([mms(1)], [mms(1), local]):
            async with api.mms.bulk(journal=tmp_path / "x.db", ramp=None) as bulk:
                assert (await bulk.run(messages)).accepted == len(messages)
        assert sizes(sandbox) == [1, 1]


@pytest.mark.parametrize("journalled", [False, True])
async def test_a_message_with_a_ref_is_not_given_another(
    tmp_path: Path,
    journalled: bool,  # noqa: FBT001
) -> None:
    journal = tmp_path / "x.db" if journalled else None
    async with Sandbox() as sandbox, client(sandbox) as api:
        async with api.sms.bulk(ramp=None, journal=journal) as bulk:
            assert (await bulk.run([sms(1), sms(2, custom_string=None)])).accepted == 2
        (request,) = sandbox.requests
        assert request.body.count(b'"custom_string"') == 2
        assert sandbox.messages[0]["custom_string"] == "ref-1"


async def test_a_run_whose_outcomes_are_only_counted_counts_refusals_too() -> None:
    numbers = [sms(1).to, "+61000000000", sms(2).to]
    async with Sandbox() as sandbox, client(sandbox) as api, api.sms.bulk(ramp=None) as bulk:
        report = await bulk.run(sms(0, to=to, custom_string=None) for to in numbers)
        assert (report.accepted, report.reasons) == (2, {"INVALID_RECIPIENT": 1})
        assert len(sandbox.messages) == 2


# Ramps.


async def test_a_ramp_does_not_pass_the_size_of_a_request() -> None:
    async with Sandbox() as sandbox, client(sandbox) as api:
        async with api.sms.bulk(batching=TEN) as bulk:
            await bulk.run(many(35))
        assert sizes(sandbox) == [1, 10, 10, 10, 4]


async def test_what_the_journal_knows_does_not_count_for_the_ramp(tmp_path: Path) -> None:
    async with Sandbox() as sandbox, client(sandbox) as api:
        async with api.sms.bulk(journal=tmp_path / "x.db") as bulk:
            await bulk.run(many(1))
        async with api.sms.bulk(journal=tmp_path / "x.db", batching=TEN) as bulk:
            await bulk.run(many(12))
        assert sizes(sandbox) == [1, 1, 9, 1]


async def test_messages_behind_known_ones_are_ramped_whatever_came_with_them(
    tmp_path: Path,
) -> None:
    """Known ones are read in large steps: the first new ones come many at a time."""
    async with Sandbox() as sandbox, client(sandbox) as api:
        async with api.sms.bulk(journal=tmp_path / "x.db") as bulk:
            await bulk.run(many(1))
        async with api.sms.bulk(journal=tmp_path / "x.db") as bulk:
            assert (await bulk.run(many(301))).accepted == 301
        assert sizes(sandbox) == [1, 1, 10, 100, 189]


async def test_what_is_resumed_is_not_ramped_and_does_not_count_for_a_ramp(
    tmp_path: Path,
) -> None:
    """An account that took messages before needs no trial."""
    journal = tmp_path / "x.db"
    async with Sandbox(latency=0.1) as sandbox, client(sandbox) as api:
        await held_back(api, sandbox, journal, 40)
        async with api.sms.bulk(journal=journal, batching=TEN) as bulk:
            resuming = asyncio.create_task(bulk.resume())
            async with asyncio.timeout(2):
                while bulk.statistics().on_wire < 40:
                    await asyncio.sleep(0)
            assert (await resuming).accepted == 40
            await bulk.run(many(5, start=100))
        assert sizes(sandbox) == [10, 10, 10, 10, 1, 4]


# Streams that end before their time.


async def test_leaving_a_stream_lets_go_of_an_async_source() -> None:
    closed = asyncio.Event()

    async def source() -> AsyncIterator[ac.SmsMessage]:
        try:
            yield sms(1)
            await asyncio.Event().wait()
        finally:
            closed.set()

    async with Sandbox() as sandbox, client(sandbox) as api, api.sms.bulk() as bulk:
        stream: Any = bulk.stream(source())
        await anext(stream)
        await stream.aclose()
        await asyncio.wait_for(closed.wait(), 2)


async def test_a_stream_that_was_left_while_it_waited_for_room_ends() -> None:
    """Room is made when the requests under way are answered, whoever reads on or does not."""

    def feeders() -> list[str]:
        names = [it.get_name() for it in asyncio.all_tasks()]
        return [it for it in names if it.endswith("Feeder.run")]

    async with Sandbox(latency=0.1) as sandbox, client(sandbox) as api:
        async with api.sms.bulk(batching=TEN, lanes=1, ramp=None) as bulk:
            with pytest.raises(TimeoutError):
                await asyncio.wait_for(anext(bulk.stream(many(1000))), 0.05)
            assert feeders()
            async with asyncio.timeout(2):
                while feeders():
                    await asyncio.sleep(0.01)


async def test_bad_messages_are_read_no_faster_than_their_outcomes() -> None:
    taken = 0

    def bad() -> Iterator[ac.SmsMessage]:
        nonlocal taken
        for taken in range(1, 1001):
            yield sms(taken, body="")

    async with Sandbox() as sandbox, client(sandbox) as api:
        async with api.sms.bulk(batching=TEN, lanes=1, ramp=None) as bulk:
            stream: Any = bulk.stream(bad())
            await anext(stream)
            for _ in range(100):
                await asyncio.sleep(0)
            assert taken <= 50
            assert len(await outcomes(stream)) == 999


async def test_a_message_under_way_is_joined_before_room_is_waited_for(tmp_path: Path) -> None:
    """Once it is settled it tells nobody any more."""
    two = ac.Batching(size=2)
    async with Sandbox(latency=0.2) as sandbox, client(sandbox) as api:
        async with api.sms.bulk(
            journal=tmp_path / "x.db", batching=two, lanes=1, ramp=None
        ) as bulk:
            first = asyncio.create_task(outcomes(bulk.stream([sms(1)])))
            while not bulk.statistics().on_wire:
                await asyncio.sleep(0)
            second = bulk.stream([*many(4, start=10), sms(5, body=""), sms(1)])
            settled = await asyncio.wait_for(outcomes(second), 5)
            assert kinds(await first) == {"Accepted": 1}
        assert kinds(settled) == {"Accepted": 5, "NotSent": 1}
        assert posts(sandbox) == 3


async def test_bad_messages_in_a_row_leave_time_for_other_tasks() -> None:
    async with Sandbox() as sandbox, client(sandbox) as api:
        async with api.sms.bulk(batching=TEN, ramp=None) as bulk:
            running = asyncio.create_task(bulk.run(sms(it, body="") for it in range(1000)))
            turns = 0
            while not running.done():
                await asyncio.sleep(0)
                turns += 1
            assert (await running).not_sent == 1000
        assert turns >= 100


async def test_a_stop_ends_what_is_being_resumed(tmp_path: Path) -> None:
    """What was not read yet is left as it is; it is no outcome of this run."""
    journal = tmp_path / "x.db"
    async with Sandbox(latency=0.1) as sandbox, client(sandbox) as api:
        await held_back(api, sandbox, journal, 100)
        async with api.sms.bulk(journal=journal, batching=TEN, lanes=1) as bulk:
            resuming = asyncio.create_task(bulk.resume())
            while not bulk.statistics().on_wire:
                await asyncio.sleep(0)
            bulk.stop()
            report = await asyncio.wait_for(resuming, 2)
        assert report.accepted == len(sandbox.messages) == 10
        assert report.not_sent <= 20


async def test_a_field_of_a_wrong_type_is_resumed_as_it_was(tmp_path: Path) -> None:
    """Nobody but the API minds; it must not keep all others from being sent."""
    odd: Any = 7
    async with Sandbox() as sandbox, client(sandbox) as api:
        sandbox.fail_next("status", path="/sms/send", status=401)
        async with api.sms.bulk(journal=tmp_path / "x.db", ramp=None) as bulk:
            assert (await bulk.run([sms(1), sms(2, source=odd)])).not_sent == 2
        async with api.sms.bulk(journal=tmp_path / "x.db") as bulk:
            assert (await bulk.resume()).accepted == 2
        first, second = sandbox.requests
        assert first.body == second.body


class BrokenJournal(Journal):
    """A journal that cannot tell what it holds back."""

    async def planned(self, after: int, limit: int) -> list[Known]:  # noqa: ARG002
        raise OSError("the disk is gone")


async def test_what_stops_a_resume_is_raised(tmp_path: Path) -> None:
    async with Sandbox() as sandbox, client(sandbox) as api:
        async with api.sms.bulk(journal=BrokenJournal(tmp_path / "x.db")) as bulk:
            with pytest.raises(OSError, match="the disk is gone"):
                await asyncio.wait_for(bulk.resume(), 2)


# What the journal knows.


class LateJournal(Journal):
    """A journal whose answer to a second claim takes until something has happened."""

    def __init__(self, path: Path) -> None:
        super().__init__(path)
        self.looked = asyncio.Event()
        self.happened = asyncio.Event()
        self.claims = 0

    async def claim(self, run: int, entries: Entries) -> range | list[Known]:
        known = await super().claim(run, entries)
        self.claims += 1
        if self.claims > 1:
            self.looked.set()
            await self.happened.wait()
        return known


async def test_what_is_settled_while_the_journal_is_asked_is_told_as_settled(
    tmp_path: Path,
) -> None:
    journal = LateJournal(tmp_path / "x.db")
    async with Sandbox() as sandbox, client(sandbox) as api:
        sandbox.fail_next("slow", path="/sms/send", delay=0.1)
        async with api.sms.bulk(journal=journal) as bulk:
            first = await bulk.send(sms(1))
            await asyncio.sleep(0.06)  # on the wire: the journal has it in doubt
            second = await bulk.send(sms(1))
            await asyncio.wait_for(journal.looked.wait(), 2)
            assert isinstance(await first, ac.Accepted)
            journal.happened.set()
            assert await second == await first
        assert posts(sandbox) == 1


async def test_an_earlier_unknown_that_is_found_while_the_journal_is_asked_is_accepted(
    tmp_path: Path,
) -> None:
    async with Sandbox(history_lag=3600) as sandbox, client(sandbox) as api:
        sandbox.fail_next("reset-after", path="/sms/send")
        async with api.sms.bulk(journal=tmp_path / "x.db", reconcile=AT_ONCE) as bulk:
            assert isinstance(await (await bulk.send(sms(1))), ac.Unknown)
        sandbox.history_lag = 0
        journal = LateJournal(tmp_path / "x.db")
        journal.claims = 1
        sandbox.fail_next("slow", path="/sms/history", delay=0.2)
        async with api.sms.bulk(journal=journal) as bulk:
            again = await bulk.send(sms(1))
            await asyncio.wait_for(journal.looked.wait(), 2)
            while bulk.statistics().in_doubt:
                await asyncio.sleep(0.01)
            journal.happened.set()
            assert isinstance(await asyncio.wait_for(again, 2), ac.Accepted)
        assert accepts(sandbox) == {"ref-1": 1}


async def test_the_journal_tells_an_outcome_as_it_was(tmp_path: Path) -> None:
    messages = [sms(1), ac.SmsMessage(to="+61000000000", body="Hi")]
    told: list[Sequence[ac.Outcome]] = []
    async with Sandbox() as sandbox, client(sandbox) as api:
        for _ in range(2):
            async with api.sms.bulk(journal=tmp_path / "x.db", ramp=None) as bulk:
                told.append(await outcomes(bulk.stream(messages)))
        assert told[0] == told[1]
        assert kinds(list(told[0])) == {"Accepted": 1, "Rejected": 1}


@pytest.mark.parametrize("state", ["in_doubt", "unknown"])
def test_what_the_journal_has_in_doubt_is_never_just_sent(state: str) -> None:
    known = Known(1, "ref-1", b"{}", state, reason="why")
    assert outcome_of(sms(1), known) == ac.Unknown(sms(1), "ref-1", "why")


async def test_messages_that_are_all_wrong_are_told_so_without_asking_the_journal(
    tmp_path: Path,
) -> None:
    """They keep the refs they came with."""
    async with Sandbox() as sandbox, client(sandbox) as api:
        async with api.sms.bulk(journal=tmp_path / "x.db") as bulk:
            (outcome,) = await outcomes(bulk.stream([sms(1, to="nobody")]))
        assert isinstance(outcome, ac.NotSent)
        assert outcome.ref == "ref-1"


async def test_one_that_is_wrong_is_told_so_among_those_the_journal_knows(tmp_path: Path) -> None:
    async with Sandbox() as sandbox, client(sandbox) as api:
        for _ in range(2):
            async with api.sms.bulk(journal=tmp_path / "x.db", ramp=None) as bulk:
                settled = await outcomes(bulk.stream([sms(1), sms(2, to="nobody")]))
            assert kinds(settled) == {"Accepted": 1, "NotSent": 1}


async def test_what_was_held_back_is_sent_once_by_two_streams(tmp_path: Path) -> None:
    path = tmp_path / "x.db"
    async with Sandbox(latency=0.02) as sandbox, client(sandbox) as api:
        await held_back(api, sandbox, path, 6)
        async with api.sms.bulk(journal=path, ramp=None) as bulk:
            reports = await asyncio.gather(bulk.run(many(6)), bulk.resume(), bulk.run(many(6)))
        assert [it.accepted for it in reports][::2] == [6, 6]
        assert set(accepts(sandbox).values()) == {1}


async def test_a_stream_that_comes_while_another_is_under_way_joins_it(tmp_path: Path) -> None:
    """The first one found the journal empty and looked for nothing."""
    async with Sandbox(latency=0.1) as sandbox, client(sandbox) as api:
        async with api.sms.bulk(journal=tmp_path / "x.db", ramp=None) as bulk:
            first = asyncio.create_task(bulk.run(many(3)))
            while not bulk.statistics().on_wire:
                await asyncio.sleep(0)
            second = await asyncio.wait_for(bulk.run(many(3)), 5)
        assert (await first).accepted == second.accepted == 3
        assert set(accepts(sandbox).values()) == {1}


async def test_a_stream_looks_for_what_was_sent_by_itself_meanwhile(tmp_path: Path) -> None:
    sent = asyncio.Event()

    async def source() -> AsyncIterator[ac.SmsMessage]:
        yield sms(0)
        await sent.wait()
        yield sms(1)

    async with Sandbox() as sandbox, client(sandbox) as api:
        async with api.sms.bulk(journal=tmp_path / "x.db") as bulk:
            stream = bulk.stream(source())
            await anext(stream)
            alone = await (await bulk.send(sms(1)))
            sent.set()
            assert await outcomes(stream) == [alone]
        assert set(accepts(sandbox).values()) == {1}


async def test_what_the_journal_knows_is_not_read_one_by_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A resumed campaign begins by reading a million rows that it knows: in large steps."""
    claims: list[int] = []
    claim = Journal.claim

    async def counted(self: Journal, run: int, entries: Any) -> Any:
        claims.append(len(entries.rows))
        return await claim(self, run, entries)

    async with Sandbox() as sandbox, client(sandbox) as api:
        async with api.sms.bulk(journal=tmp_path / "x.db") as bulk:
            await bulk.run(many(60))
            monkeypatch.setattr(Journal, "claim", counted)
        async with api.sms.bulk(journal=tmp_path / "x.db", batching=TEN) as bulk:
            assert (await bulk.run(many(65))).accepted == 65
        assert claims == [1, *[10] * 6, 4]
        assert len(sandbox.messages) == 65
