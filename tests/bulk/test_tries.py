"""Further attempts, and replies with gaps."""

from __future__ import annotations

import asyncio

import aioclicksend as ac
from aioclicksend.sandbox import Sandbox

from ..core.helpers import client_of
from ..hostile import Arrival, Hostile, Line
from .helpers import client, kinds, many, outcomes, posts, sms

TEN = ac.Batching(size=10)


async def test_messages_are_sent_again_in_requests_no_larger_than_before() -> None:
    """What made one of them fail may have been its size."""
    async with Sandbox() as sandbox, client(sandbox) as api:
        sandbox.fail_next("reset-before", path="/sms/send", times=2)
        reconcile = ac.Reconcile(settle=0.1, resend=True)
        async with api.sms.bulk(
            batching=TEN, lanes=2, ramp=None, reconcile=reconcile, pause=False
        ) as bulk:
            assert (await bulk.run(many(40))).accepted == 40
        assert bulk.statistics().resent == 20
        sizes = [it.body.count(b'"to"') for it in sandbox.requests if it.path.endswith("/send")]
        assert sizes == [10] * 6


async def test_a_reply_without_any_row_leaves_every_message_in_doubt_once() -> None:
    async def script(line: Line, arrival: Arrival) -> None:
        if arrival.path.endswith("/send"):
            await line.ok({"messages": []})
        else:
            await line.ok({"total": 0, "last_page": 1, "data": []})

    async with Hostile(script) as server, client_of(server.url) as api:
        async with api.sms.bulk(ramp=None, reconcile=ac.Reconcile(settle=0.1)) as bulk:
            settled = await outcomes(bulk.stream(many(3)))
        assert kinds(settled) == {"Unknown": 3}
        assert bulk.statistics().doubted == 3


async def test_messages_of_a_reply_with_gaps_are_witnesses_too() -> None:
    async with Sandbox() as sandbox, client(sandbox) as api:
        sandbox.fail_next("reset-before", path="/sms/send")
        sandbox.fail_next("missing-row", path="/sms/send")
        async with api.sms.bulk(reconcile=ac.Reconcile(settle=1.5), pause=False) as bulk:
            first = await bulk.send(sms(1))
            while not bulk.statistics().in_doubt:
                await asyncio.sleep(0.01)
            later = [await bulk.send(sms(number)) for number in (2, 3)]
            assert kinds([await it for it in later]) == {"Accepted": 2}
            outcome = await first
        assert isinstance(outcome, ac.Unknown)
        assert outcome.reason is ac.Reason.NOT_FOUND


async def test_a_reply_that_comes_late_makes_no_witness_of_what_was_sent_before() -> None:
    async with Sandbox() as sandbox, client(sandbox) as api:
        sandbox.fail_next("slow", path="/sms/send", delay=0.4)
        sandbox.fail_next("reset-before", path="/sms/send")
        async with api.sms.bulk(reconcile=ac.Reconcile(settle=1.5), pause=False) as bulk:
            early = await bulk.send(sms(1))
            while not posts(sandbox):
                await asyncio.sleep(0.01)
            outcome = await (await bulk.send(sms(2)))
            assert isinstance(await early, ac.Accepted)
        assert isinstance(outcome, ac.Unknown)
        assert outcome.reason is ac.Reason.LAGGING


async def test_a_stream_is_read_on_while_earlier_requests_are_in_doubt() -> None:
    async with Sandbox() as sandbox, client(sandbox) as api:
        sandbox.fail_next("reset-before", path="/sms/send", times=2)
        reconcile = ac.Reconcile(settle=3600)
        async with api.sms.bulk(
            batching=TEN, lanes=1, ramp=None, reconcile=reconcile, pause=False
        ) as bulk:
            stream = bulk.stream(many(30))
            async with asyncio.timeout(5):
                settled = [await anext(stream) for _ in range(10)]
            assert kinds(settled) == {"Accepted": 10}
            assert bulk.statistics().in_doubt == 20
            bulk.abort()


async def test_a_ref_that_comes_again_is_not_found_in_the_message_before() -> None:
    """I3: a caller's ref may name two messages; `run` too must know whose row the history shows."""
    async with Sandbox() as sandbox, client(sandbox) as api:
        reconcile = ac.Reconcile(settle=0.1)
        async with api.sms.bulk(ramp=None, pause=False, reconcile=reconcile) as bulk:
            assert (await bulk.run([sms(1)])).accepted == 1
            sandbox.fail_next("reset-before", path="/sms/send")
            report = await bulk.run([sms(1)])
        assert (report.accepted, report.unknown) == (0, 1)
        assert len(sandbox.messages) == 1
