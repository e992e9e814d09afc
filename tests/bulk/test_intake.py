"""From a stream to its requests: ramps, journals, media files, and streams that end early."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

import aioclicksend as ac
from aioclicksend.bulk.intake import outcome_of
from aioclicksend.bulk.journal import Entry, State
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


# Media files.


async def test_each_mms_keeps_its_own_media_file() -> None:
    messages = [mms(number, number % 2) for number in range(6)]
    async with Sandbox() as sandbox, client(sandbox) as api:
        async with api.mms.bulk(ramp=None) as bulk:
            assert (await bulk.run(messages)).accepted == 6
        shown = {it["to"]: it["_media_file_url"] for it in sandbox.messages}
        assert shown == {it.to: it.media_file for it in messages}
        assert sizes(sandbox) == [3, 3]


@pytest.mark.parametrize("journalled", [False, True])
async def test_a_media_file_is_a_top_level_field_of_its_request(
    tmp_path: Path,
    journalled: bool,  # noqa: FBT001
) -> None:
    journal = tmp_path / "x.db" if journalled else None
    async with Sandbox(strict=True) as sandbox, client(sandbox) as api:
        async with api.mms.bulk(ramp=None, journal=journal) as bulk:
            assert (await bulk.run([mms(1), mms(2)])).accepted == 2
        (request,) = sandbox.requests
        request_json = json.loads(request.body)
        assert request_json["media_file"] == "https://example.org/0.jpg"
        assert not [it for it in request_json["messages"] if "media_file" in it]


async def test_an_mms_is_the_same_beside_any_other(tmp_path: Path) -> None:
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


# Streams that end before their time.


async def test_leaving_a_stream_closes_an_async_source() -> None:
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


async def test_an_in_flight_message_is_joined_without_waiting_for_room(tmp_path: Path) -> None:
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


async def test_resume_keeps_a_field_of_a_wrong_type(tmp_path: Path) -> None:
    """Only the API minds; it must not keep all others from being sent."""
    odd: Any = 7
    async with Sandbox() as sandbox, client(sandbox) as api:
        sandbox.fail_next("status", path="/sms/send", status=401)
        async with api.sms.bulk(journal=tmp_path / "x.db", ramp=None) as bulk:
            assert (await bulk.run([sms(1), sms(2, source=odd)])).not_sent == 2
        async with api.sms.bulk(journal=tmp_path / "x.db") as bulk:
            assert (await bulk.resume()).accepted == 2
        first, second = (it for it in sandbox.requests if it.path.endswith("/send"))
        assert first.body == second.body


class BrokenJournal(ac.Journal):
    """A journal that cannot list what it holds back."""

    async def claim(self, state: State, limit: int, after: int = 0) -> list[Entry]:  # noqa: ARG002
        if state is State.IN_DOUBT:
            return []
        raise OSError("the disk was removed")


async def test_what_stops_a_resume_is_raised(tmp_path: Path) -> None:
    async with Sandbox() as sandbox, client(sandbox) as api:
        async with api.sms.bulk(journal=BrokenJournal(tmp_path / "x.db")) as bulk:
            with pytest.raises(OSError, match="the disk was removed"):
                await asyncio.wait_for(bulk.resume(), 2)


# What the journal knows.


async def test_the_journal_returns_an_outcome_as_it_was(tmp_path: Path) -> None:
    messages = [sms(1), ac.SmsMessage(to="+61000000000", body="Hi")]
    settled: list[Sequence[ac.Outcome]] = []
    async with Sandbox() as sandbox, client(sandbox) as api:
        for _ in range(2):
            async with api.sms.bulk(journal=tmp_path / "x.db", ramp=None) as bulk:
                settled.append(await outcomes(bulk.stream(messages)))
        assert settled[0] == settled[1]
        assert kinds(list(settled[0])) == {"Accepted": 1, "Rejected": 1}


@pytest.mark.parametrize("state", ["in_doubt", "unknown"])
def test_a_message_in_doubt_is_looked_up_before_it_is_sent(state: str) -> None:
    entry = Entry(row=1, ref="ref-1", body=b"{}", state=State(state), detail="why")
    assert outcome_of(sms(1), entry) == ac.Unknown(sms(1), "ref-1", ac.Reason.NO_VERDICT, "why")


async def test_messages_that_are_all_wrong_are_not_sent_and_keep_their_refs(
    tmp_path: Path,
) -> None:
    async with Sandbox() as sandbox, client(sandbox) as api:
        async with api.sms.bulk(journal=tmp_path / "x.db") as bulk:
            (outcome,) = await outcomes(bulk.stream([sms(1, to="nobody")]))
        assert isinstance(outcome, ac.NotSent)
        assert outcome.ref == "ref-1"


async def test_a_bad_message_among_known_ones_is_not_sent(tmp_path: Path) -> None:
    async with Sandbox() as sandbox, client(sandbox) as api:
        for _ in range(2):
            async with api.sms.bulk(journal=tmp_path / "x.db", ramp=None) as bulk:
                settled = await outcomes(bulk.stream([sms(1), sms(2, to="nobody")]))
            assert kinds(settled) == {"Accepted": 1, "NotSent": 1}


async def test_two_streams_send_held_messages_once(tmp_path: Path) -> None:
    path = tmp_path / "x.db"
    async with Sandbox(latency=0.02) as sandbox, client(sandbox) as api:
        await held_back(api, sandbox, path, 6)
        async with api.sms.bulk(journal=path, ramp=None) as bulk:
            reports = await asyncio.gather(bulk.run(many(6)), bulk.resume(), bulk.run(many(6)))
        assert [it.accepted for it in reports][::2] == [6, 6]
        assert set(accepts(sandbox).values()) == {1}


async def test_a_stream_joins_messages_in_flight(tmp_path: Path) -> None:
    """The first one found the journal empty and looked for nothing."""
    async with Sandbox(latency=0.1) as sandbox, client(sandbox) as api:
        async with api.sms.bulk(journal=tmp_path / "x.db", ramp=None) as bulk:
            first = asyncio.create_task(bulk.run(many(3)))
            while not bulk.statistics().on_wire:
                await asyncio.sleep(0)
            second = await asyncio.wait_for(bulk.run(many(3)), 5)
        assert (await first).accepted == second.accepted == 3
        assert set(accepts(sandbox).values()) == {1}


async def test_a_stream_finds_single_messages_sent_meanwhile(tmp_path: Path) -> None:
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
