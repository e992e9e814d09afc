"""What holds the lanes up, what withdraws a message, and internal errors."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from typing import Any

import msgspec
import pytest

import aioclicksend as ac
from aioclicksend.bulk.replies import Reply
from aioclicksend.bulk.sender import BulkSender
from aioclicksend.pages import Pages
from aioclicksend.sandbox import Sandbox

from ..core.helpers import client_of
from ..hostile import Arrival, Hostile, Line, sent
from .helpers import accepts, client, kinds, many, outcomes, posts, sms

PRICE = Decimal("0.0770")
TEN = ac.Batching(size=10)


def altered(bulk: BulkSender[Any], **changes: Callable[..., Any]) -> BulkSender[Any]:
    """Return a sender whose channel does something else."""
    bulk._channel = msgspec.structs.replace(bulk._channel, **changes)
    return bulk


async def on_wire(bulk: BulkSender[Any]) -> None:
    """Wait until something is."""
    while not bulk.statistics().on_wire:
        await asyncio.sleep(0)


# The pause after a request without a verdict.


async def test_without_settle_there_is_no_search_to_pause_for() -> None:
    async with Sandbox() as sandbox, client(sandbox) as api:
        sandbox.fail_next("reset-after", path="/sms/send")
        reconcile = ac.Reconcile(settle=0)
        async with api.sms.bulk(batching=TEN, lanes=1, ramp=None, reconcile=reconcile) as bulk:
            report = await asyncio.wait_for(bulk.run(many(30)), 5)
        assert (report.accepted, report.unknown) == (20, 10)


async def test_a_sender_that_is_not_to_pause_goes_on_while_the_history_is_read() -> None:
    async with Sandbox() as sandbox, client(sandbox) as api:
        sandbox.fail_next("reset-after", path="/sms/send")
        sandbox.fail_next("slow", path="/sms/history", delay=0.3)
        async with api.sms.bulk(batching=TEN, lanes=1, ramp=None, pause=False) as bulk:
            stream = bulk.stream(many(30))
            for _ in range(20):
                await anext(stream)
            assert bulk.statistics().in_doubt == 10
            assert len(await outcomes(stream)) == 10


async def test_the_pause_lasts_until_every_doubt_was_searched_for() -> None:
    """One that arises while another is searched for has to be asked for first."""
    lost = 0
    looks = 0
    seen = []
    looking, both_lost = asyncio.Event(), asyncio.Event()

    async def script(line: Line, arrival: Arrival) -> None:
        nonlocal lost, looks
        if arrival.path.endswith("/send"):
            lost += 1
            if lost > 2:
                await line.ok(sent(arrival))
                return
            if lost == 2:
                await looking.wait()
            line.reset()
            if lost == 2:
                both_lost.set()
            return
        looks += 1
        looking.set()
        await both_lost.wait()
        await asyncio.sleep(0.05)  # the second reset arrives before this reply
        if looks == 2:
            seen.append(lost)
        await line.ok({"total": 0, "last_page": 1, "data": []})

    async with Hostile(script) as server, client_of(server.url) as api:
        reconcile = ac.Reconcile(settle=0.3)
        async with api.sms.bulk(batching=TEN, lanes=2, ramp=None, reconcile=reconcile) as bulk:
            report = await bulk.run(many(40))
        assert (report.accepted, report.unknown) == (20, 20)
        assert seen == [2]


async def test_the_pause_does_not_last_until_every_doubt_is_settled() -> None:
    async with Sandbox() as sandbox, client(sandbox) as api:
        sandbox.fail_next("reset-before", path="/sms/send")
        reconcile = ac.Reconcile(settle=3600)
        async with api.sms.bulk(lanes=1, reconcile=reconcile) as bulk:
            await bulk.send(sms(1))
            while not bulk.statistics().in_doubt:
                await asyncio.sleep(0.01)
            later = await asyncio.wait_for(await bulk.send(sms(2)), 2)
            assert isinstance(later, ac.Accepted)
            bulk.abort()


# Stopping and holding.


async def test_the_first_refusal_of_the_account_is_reported() -> None:
    async with Sandbox(latency=0.02) as sandbox, client(sandbox) as api:
        sandbox.fail_next("status", path="/sms/send", status=401)
        sandbox.fail_next("status", path="/sms/send", status=403)
        async with api.sms.bulk(batching=TEN, lanes=2, ramp=None) as bulk:
            await bulk.run(many(100))
        held = bulk.statistics().held
        assert held is not None
        assert held.startswith("401")
        assert posts(sandbox) == 2


async def test_the_first_reason_to_stop_is_reported() -> None:
    async with Sandbox() as sandbox, client(sandbox) as api:
        async with api.sms.bulk() as bulk:
            bulk.stop("first")
            bulk.stop("second")
            with pytest.raises(RuntimeError, match="was stopped: first"):
                await bulk.send(sms(1))


async def test_abort_makes_what_is_in_doubt_unknown_at_once() -> None:
    async with Sandbox() as sandbox, client(sandbox) as api:
        sandbox.fail_next("reset-before", path="/sms/send")
        async with api.sms.bulk(reconcile=ac.Reconcile(settle=3600)) as bulk:
            handle = await bulk.send(sms(1))
            while not bulk.statistics().in_doubt:
                await asyncio.sleep(0.01)
            bulk.abort("enough")
            outcome = await asyncio.wait_for(handle, 2)
        assert isinstance(outcome, ac.Unknown)
        assert outcome.reason is ac.Reason.ABORTED
        assert "enough" in outcome.detail


async def test_abort_withdraws_the_half_that_had_not_left() -> None:
    async with Sandbox() as sandbox, client(sandbox) as api:
        sandbox.fail_next("status", path="/sms/send", status=413)
        sandbox.fail_next("hang-after", path="/sms/send")
        async with api.sms.bulk(ramp=None) as bulk:
            stream = asyncio.create_task(outcomes(bulk.stream(many(10))))
            while posts(sandbox) < 2:
                await asyncio.sleep(0.01)
            bulk.abort()
            settled = await asyncio.wait_for(stream, 2)
        assert {it.ref for it in settled if isinstance(it, ac.Unknown)} == set(accepts(sandbox))
        assert kinds(settled) == {"Unknown": 5, "NotSent": 5}


async def test_leaving_a_stream_withdraws_what_waits() -> None:
    async with Sandbox(latency=0.02) as sandbox, client(sandbox) as api:
        async with api.sms.bulk(batching=TEN, lanes=1, ramp=None) as bulk:
            async for _ in bulk.stream(many(1000)):
                break
        assert bulk.statistics().accepted == len(sandbox.messages) <= 30
        assert bulk.statistics().not_sent <= 30


async def test_leaving_the_block_stops_reading_the_stream_of_another_task() -> None:
    async with Sandbox(latency=0.05) as sandbox, client(sandbox) as api:
        async with api.sms.bulk(batching=TEN, lanes=1, ramp=None) as bulk:
            running = asyncio.create_task(bulk.run(many(100_000)))
            await on_wire(bulk)
        report = await running
        assert report.accepted == report.total == len(sandbox.messages) < 100
        assert report.stopped


# Internal errors.


async def test_an_error_after_the_server_took_a_request_is_looked_up() -> None:
    async with Sandbox() as sandbox, client(sandbox) as api:
        bulk = api.sms.bulk(ramp=None, reconcile=ac.Reconcile(settle=5))
        post = bulk._channel.post

        async def broken(*args: Any, **options: Any) -> Reply:
            await post(*args, **options)
            raise RuntimeError

        async with altered(bulk, post=broken):
            settled = await outcomes(bulk.stream(many(3)))
        assert kinds(settled) == {"Accepted": 3}
        assert set(accepts(sandbox).values()) == {1}


async def test_an_error_before_a_request_left_does_not_stop_the_others() -> None:
    async with Sandbox() as sandbox, client(sandbox) as api:
        bulk = api.sms.bulk()
        post = bulk._channel.post
        broken = [True]

        async def once(*args: Any, **options: Any) -> Reply:
            if broken and broken.pop():
                raise RuntimeError
            return await post(*args, **options)

        async with altered(bulk, post=once):
            first = await (await bulk.send(sms(1)))
            second = await (await bulk.send(sms(2)))
        assert isinstance(first, ac.NotSent)
        assert "RuntimeError" in first.detail
        assert isinstance(second, ac.Accepted)


async def test_an_error_while_the_history_is_searched_ends_in_unknown() -> None:
    def broken(_since: int, _until: int | None) -> Pages[Any]:
        raise RuntimeError

    async with Sandbox() as sandbox, client(sandbox) as api:
        sandbox.fail_next("reset-after", path="/sms/send")
        async with altered(api.sms.bulk(), history=broken) as bulk:
            outcome = await asyncio.wait_for(await bulk.send(sms(1)), 5)
        assert isinstance(outcome, ac.Unknown)
        assert outcome.reason is ac.Reason.NOT_LOOKED_UP


# With a journal.


async def test_three_streams_of_one_input_all_learn_each_outcome(tmp_path: Path) -> None:
    messages = [*many(10), ac.SmsMessage(to="+61000000000", body="Hi")]
    async with Sandbox(latency=0.05) as sandbox, client(sandbox) as api:
        async with api.sms.bulk(journal=tmp_path / "x.db", ramp=None) as bulk:
            streams = [outcomes(bulk.stream(messages)) for _ in range(3)]
            async with asyncio.timeout(5):
                for settled in await asyncio.gather(*streams):
                    assert kinds(settled) == {"Accepted": 10, "Rejected": 1}
                    assert len({it.ref for it in settled}) == 11
        assert len(sandbox.messages) == 10


# Waiting.


async def test_flush_waits_for_what_is_in_doubt_beside_other_waits() -> None:
    """A reply with a gap settles most of its batch; the rest is waited for too."""
    async with Sandbox() as sandbox, client(sandbox) as api:
        sandbox.fail_next("missing-row", path="/sms/send")
        sandbox.fail_next("slow", path="/sms/history", delay=0.1)
        async with api.sms.bulk() as bulk:
            handles = [await bulk.send(message) for message in many(3)]
            async with asyncio.timeout(5):
                await asyncio.gather(bulk.flush(), bulk.flush())
            assert kinds([it.outcome for it in handles if it.outcome]) == {"Accepted": 3}
            await asyncio.wait_for(bulk.flush(), 5)
