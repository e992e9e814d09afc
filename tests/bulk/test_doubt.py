"""Never twice, never lost: what happens to messages whose verdict went missing."""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

import aioclicksend as ac
from aioclicksend.bulk.sender import BulkSender
from aioclicksend.sandbox import Fault, Sandbox
from aioclicksend.sandbox.faults import Arrival

from ..core.helpers import client_of
from ..hostile import Arrival as Request
from ..hostile import Hostile, Line, sent
from .helpers import IMPATIENT, accepts, client, kinds, many, outcomes, posts, sms

TAKEN = ["reset-after", "error-after", "half-body", "hang-after", "garbage", "empty"]
"""Faults after which the server has the messages."""
LOST = ["reset-before", "error-before", "hang-before", "garbage-before", "envelope-error"]
"""Faults after which it has not, though the client cannot know."""
ODD = ["shuffle-rows", "missing-row", "duplicate-row", "odd-row"]
"""Replies that are readable but not in order."""


TEN = ac.Batching(size=10)


def storm(share: float, seed: int = 1) -> Callable[[Arrival], Fault | None]:
    """Break a share of the send requests in all ways, the same ones for a seed."""
    chance = random.Random(seed)

    def choose(arrival: Arrival) -> Fault | None:
        if not arrival.path.endswith("/sms/send") or chance.random() >= share:
            return None
        return Fault(chance.choice([*TAKEN, *LOST, *ODD, "refuse-429"]))

    return choose


def timeout_for(fault: str) -> ac.Timeout:
    """Return how long a reply is waited for."""
    return IMPATIENT if fault.startswith("hang") else ac.Timeout(read=30)


async def in_doubt(bulk: BulkSender[Any]) -> None:
    """Wait until something is."""
    while not bulk.statistics().in_doubt:
        await asyncio.sleep(0.005)


@pytest.mark.parametrize("fault", TAKEN)
async def test_what_the_server_took_is_found_and_not_sent_again(fault: str) -> None:
    async with Sandbox() as sandbox, client(sandbox, timeout=timeout_for(fault)) as api:
        sandbox.fail_next(fault, path="/sms/send")
        async with api.sms.bulk(reconcile=ac.Reconcile(settle=5, resend=True)) as bulk:
            report = await bulk.run(many(30))
        assert report.accepted == 30
        assert set(accepts(sandbox).values()) == {1}
        assert bulk.statistics().found > 0 == bulk.statistics().resent


@pytest.mark.parametrize("fault", LOST)
async def test_what_the_server_never_had_is_unknown_by_default(fault: str) -> None:
    async with Sandbox() as sandbox, client(sandbox, timeout=timeout_for(fault)) as api:
        sandbox.fail_next(fault, path="/sms/send")
        async with api.sms.bulk(ramp=None, reconcile=ac.Reconcile(settle=0.2)) as bulk:
            settled = await outcomes(bulk.stream(many(3)))
        assert kinds(settled) == {"Unknown": 3}
        assert posts(sandbox) == 1
        assert not sandbox.messages
        assert isinstance(settled[0], ac.Unknown)
        assert settled[0].reason is ac.Reason.LAGGING
        assert "not in the history after 0.2 s" in settled[0].detail
        assert "nothing sent later" in settled[0].detail


@pytest.mark.parametrize("fault", LOST)
async def test_what_the_server_never_had_is_sent_again_where_opted_in(fault: str) -> None:
    async with Sandbox() as sandbox, client(sandbox, timeout=timeout_for(fault)) as api:
        sandbox.fail_next(fault, path="/sms/send")
        reconcile = ac.Reconcile(settle=0.2, resend=True)
        async with api.sms.bulk(batching=TEN, lanes=1, ramp=None, reconcile=reconcile) as bulk:
            report = await bulk.run(many(30))
        assert report.accepted == 30
        assert set(accepts(sandbox).values()) == {1}
        assert bulk.statistics().resent == 10


async def test_without_a_witness_nothing_is_sent_again() -> None:
    """A single message, and nothing sent since: the history may simply lag."""
    async with Sandbox() as sandbox, client(sandbox) as api:
        sandbox.fail_next("reset-before", path="/sms/send")
        reconcile = ac.Reconcile(settle=0.2, resend=True)
        async with api.sms.bulk(reconcile=reconcile) as bulk:
            outcome = await (await bulk.send(sms(1)))
        assert isinstance(outcome, ac.Unknown)
        assert outcome.reason is ac.Reason.LAGGING
        assert posts(sandbox) == 1


@pytest.mark.parametrize("fault", ODD)
async def test_odd_rows_neither_crash_nor_hide_an_acceptance(fault: str) -> None:
    async with Sandbox() as sandbox, client(sandbox) as api:
        sandbox.fail_next(fault, path="/sms/send")
        async with api.sms.bulk(ramp=None, reconcile=ac.Reconcile(settle=5)) as bulk:
            settled = await outcomes(bulk.stream(many(30)))
        ids = {it["custom_string"]: it["message_id"] for it in sandbox.messages}
        assert len(settled) == 30
        for outcome in settled:
            assert isinstance(outcome, ac.Accepted)
            assert outcome.message_id in (ids[outcome.ref], None)
        assert set(accepts(sandbox).values()) == {1}
        assert bulk.statistics().odd_rows == (fault == "duplicate-row")


async def test_settle_zero_asks_nothing() -> None:
    async with Sandbox() as sandbox, client(sandbox) as api:
        sandbox.fail_next("reset-after", path="/sms/send")
        async with api.sms.bulk(reconcile=ac.Reconcile(settle=0)) as bulk:
            outcome = await (await bulk.send(sms(1)))
        assert isinstance(outcome, ac.Unknown)
        assert [it.path for it in sandbox.requests] == ["/v3/sms/send"]


async def test_a_lagging_history_is_asked_until_it_shows() -> None:
    async with Sandbox(history_lag=0.5) as sandbox, client(sandbox) as api:
        sandbox.fail_next("reset-after", path="/sms/send")
        async with api.sms.bulk(reconcile=ac.Reconcile(settle=10)) as bulk:
            outcome = await (await bulk.send(sms(1)))
        assert isinstance(outcome, ac.Accepted)
        asked = sum(it.path == "/v3/sms/history" for it in sandbox.requests)
        assert 2 <= asked <= 4  # at once, after a second, perhaps once more; not all the time


async def test_nothing_is_sent_again_while_messages_sent_later_do_not_show() -> None:
    """The lag is longer than settle: only the witnesses keep the message from going out twice."""
    async with Sandbox(history_lag=1.5) as sandbox, client(sandbox) as api:
        sandbox.fail_next("reset-after", path="/sms/send")
        reconcile = ac.Reconcile(settle=0.5, resend=True)
        async with api.sms.bulk(reconcile=reconcile, ramp=None, pause=False) as bulk:
            first = await bulk.send(sms(1))
            await asyncio.sleep(0.3)
            later = await bulk.send(sms(2))
            assert isinstance(await later, ac.Accepted)
            outcome = await first
        assert isinstance(outcome, ac.Accepted)
        assert set(accepts(sandbox).values()) == {1}


async def test_the_reason_says_whether_messages_sent_later_show() -> None:
    async with Sandbox() as sandbox, client(sandbox) as api:
        sandbox.fail_next("reset-before", path="/sms/send")
        async with api.sms.bulk(reconcile=ac.Reconcile(settle=1.5), pause=False) as bulk:
            first = await bulk.send(sms(1))
            await in_doubt(bulk)
            await bulk.send(sms(2))
            outcome = await first
        assert isinstance(outcome, ac.Unknown)
        assert outcome.reason is ac.Reason.NOT_FOUND
        assert "though messages sent later are" in outcome.detail


async def test_a_reply_that_carries_our_ref_back_is_no_proof() -> None:
    async with Sandbox() as sandbox, client(sandbox) as api:
        sandbox.receive("+61400000001", "Yes", custom_string="ref-1")
        sandbox.fail_next("reset-before", path="/sms/send")
        async with api.sms.bulk(reconcile=ac.Reconcile(settle=0.2)) as bulk:
            outcome = await (await bulk.send(sms(1)))
        assert isinstance(outcome, ac.Unknown)


async def test_an_old_message_with_the_same_ref_and_number_is_no_proof() -> None:
    """A caller's ref used before: the row found must not be the one of an earlier send."""
    async with Sandbox() as sandbox, client(sandbox) as api:
        async with api.sms.bulk(reconcile=ac.Reconcile(settle=0.2)) as bulk:
            assert isinstance(await (await bulk.send(sms(1))), ac.Accepted)
            sandbox.fail_next("reset-before", path="/sms/send")
            outcome = await (await bulk.send(sms(1)))
        assert isinstance(outcome, ac.Unknown)
        assert accepts(sandbox) == {"ref-1": 1}


async def test_messages_that_share_a_ref_are_distinguished_by_number() -> None:
    async with Sandbox() as sandbox, client(sandbox) as api:
        sandbox.fail_next("reset-after", path="/sms/send")
        messages = [sms(number, custom_string="spring") for number in range(20)]
        async with api.sms.bulk(ramp=None, reconcile=ac.Reconcile(settle=2)) as bulk:
            settled = await outcomes(bulk.stream(messages))
        ids = {it["to"]: it["message_id"] for it in sandbox.messages}
        assert kinds(settled) == {"Accepted": 20}
        assert all(
            isinstance(it, ac.Accepted) and it.message_id == ids[it.message.to] for it in settled
        )


@pytest.mark.parametrize("channel", ["mms", "voice"])
async def test_mms_and_voice_are_found_in_their_own_history(channel: str) -> None:
    async with Sandbox() as sandbox, client(sandbox) as api:
        sandbox.fail_next("reset-after", path=f"/{channel}/send")
        group = getattr(api, channel)
        message: ac.MmsMessage | ac.VoiceMessage = ac.VoiceMessage(to="+61491570156", body="Hi")
        if channel == "mms":
            message = ac.MmsMessage(
                to="+61491570156", body="Hi", subject="S", media_file="https://example.org/a.jpg"
            )
        async with group.bulk(reconcile=ac.Reconcile(settle=2)) as bulk:
            outcome = await (await bulk.send(message))
        assert isinstance(outcome, ac.Accepted)
        assert outcome.message_id == sandbox.messages[0]["message_id"]


async def test_intake_pauses_after_a_doubt_until_the_history_was_asked() -> None:
    async with Sandbox(latency=0.02) as sandbox, client(sandbox) as api:
        sandbox.fail_next("reset-after", path="/sms/send")
        batching = ac.Batching(size=10)
        async with api.sms.bulk(batching=batching, lanes=1, ramp=None) as bulk:
            await bulk.run(many(50))
        assert [it.path.rpartition("/")[2] for it in sandbox.requests][:2] == ["send", "history"]


async def second_attempts(
    answer: Callable[[Line, Request], Awaitable[None]], *messages: ac.SmsMessage
) -> tuple[list[ac.Outcome], int]:
    """Return what messages end as that were taken unseen, and how many requests were made.

    The history shows what is sent later and never these messages; further attempts are answered
    as given.
    """
    shown: list[dict[str, Any]] = []
    sends = 0

    async def script(line: Line, arrival: Request) -> None:
        nonlocal sends
        if not arrival.path.endswith("/send"):
            await line.ok({"total": len(shown), "last_page": 1, "data": shown})
            return
        sends += 1
        if sends == 1:
            line.reset()
        elif sends == 2:
            data = sent(arrival)
            shown.extend(it | {"date": int(time.time())} for it in data["messages"])
            await line.ok(data)
        else:
            await answer(line, arrival)

    async with Hostile(script) as server, client_of(server.url, retry=ac.Retry(attempts=1)) as api:
        reconcile = ac.Reconcile(settle=1.0, resend=True)
        async with api.sms.bulk(reconcile=reconcile, pause=False, ramp=None) as bulk:
            running = asyncio.create_task(outcomes(bulk.stream(messages)))
            await in_doubt(bulk)
            assert isinstance(await (await bulk.send(sms(99))), ac.Accepted)
            return await running, sends


def all_rows(**fields: Any) -> Callable[[Line, Request], Awaitable[None]]:
    """Return what answers with rows that have some fields."""

    async def answer(line: Line, arrival: Request) -> None:
        data = sent(arrival)
        data["messages"] = [it | fields for it in data["messages"]]
        await line.ok(data)

    return answer


@pytest.mark.parametrize("status", ["THROTTLED", "INSUFFICIENT_CREDIT"])
async def test_a_throttled_or_account_refusal_of_a_retry_is_unknown(
    status: str,
) -> None:
    """The first attempt was taken unseen; the refusal of its copy must not be taken for its own."""
    (outcome,), sends = await second_attempts(all_rows(status=status), sms(1))
    assert isinstance(outcome, ac.Unknown)
    assert outcome.reason is ac.Reason.RETRY_REFUSED
    assert status in outcome.detail
    assert sends == 3


async def test_a_retry_refused_for_its_message_is_rejected() -> None:
    """Its first attempt would have been refused as well."""
    (outcome,), _ = await second_attempts(all_rows(status="INVALID_RECIPIENT"), sms(1))
    assert isinstance(outcome, ac.Rejected)


@pytest.mark.slow
@pytest.mark.parametrize("status", [400, 401, 429])
async def test_a_retry_that_is_not_accepted_does_not_make_a_message_not_sent(status: int) -> None:
    """The first was taken unseen: however the second ends, NotSent would be wrong."""
    (outcome,), _ = await second_attempts(lambda line, _: line.reply(status), sms(1))
    assert isinstance(outcome, ac.Unknown)


@pytest.mark.slow
async def test_the_half_of_a_retry_is_a_retry() -> None:
    """The first attempt was taken unseen; the second was halved, and its halves refused."""
    answers = iter([413])

    async def answer(line: Line, _arrival: Request) -> None:
        await line.reply(next(answers, 400))

    settled, _ = await second_attempts(answer, sms(1), sms(2))
    assert kinds(settled) == {"Unknown": 2}


async def test_a_retry_that_is_stopped_before_it_left_ends_unknown() -> None:
    shown: list[dict[str, Any]] = []
    sends = 0
    go_on = asyncio.Event()

    async def script(line: Line, arrival: Request) -> None:
        nonlocal sends
        if not arrival.path.endswith("/send"):
            # The witness shows once the only lane is busy.
            rows = shown if sends == 3 else []
            await line.ok({"total": len(rows), "last_page": 1, "data": rows})
            return
        sends += 1
        if sends == 1:
            line.reset()
            return
        data = sent(arrival)
        shown.extend(it | {"date": int(time.time())} for it in data["messages"])
        if sends == 3:
            await go_on.wait()
        await line.ok(data)

    async with Hostile(script) as server, client_of(server.url) as api:
        reconcile = ac.Reconcile(settle=0.1, resend=True)
        async with api.sms.bulk(reconcile=reconcile, lanes=1, pause=False) as bulk:
            first = await bulk.send(sms(1))
            await in_doubt(bulk)
            await (await bulk.send(sms(2)))
            third = await bulk.send(sms(3))
            while not bulk.statistics().resent:
                await asyncio.sleep(0.005)
            bulk.stop()
            go_on.set()
        outcome = await first
        assert isinstance(outcome, ac.Unknown)
        assert outcome.reason is ac.Reason.STOPPED
        assert isinstance(await third, ac.Accepted)
    assert sends == 3


async def test_once_a_reply_has_shown_the_time_little_of_the_history_is_read() -> None:
    async with Sandbox() as sandbox, client(sandbox) as api:
        began = time.time()
        async with api.sms.bulk() as bulk:
            await (await bulk.send(sms(1)))
            sandbox.fail_next("reset-after", path="/sms/send")
            assert isinstance(await (await bulk.send(sms(2))), ac.Accepted)
        look = sandbox.requests[-1]
        assert look.path.endswith("/history")
        assert began - 5 < int(look.query["date_from"]) <= time.time()


async def test_the_date_of_a_scheduled_message_does_not_set_the_clock() -> None:
    """It may be that of its schedule: the history would be looked through from tomorrow on."""
    tomorrow = int(time.time()) + 86_400
    lost: list[dict[str, Any]] = []

    async def script(line: Line, arrival: Request) -> None:
        if not arrival.path.endswith("/send"):
            await line.ok({"total": len(lost), "last_page": 1, "data": lost})
            return
        data = sent(arrival)
        for message, row in zip(arrival.json["messages"], data["messages"], strict=True):
            row["date"] = message.get("schedule", int(time.time()))
            row["message_id"] = f"ID of {row['custom_string']}"
        if "schedule" in arrival.json["messages"][-1]:
            await line.ok(data)
        else:
            lost.extend(data["messages"])
            line.reset()

    async with Hostile(script) as server, client_of(server.url) as api:
        reconcile = ac.Reconcile(settle=0.2, resend=True)
        async with api.sms.bulk(reconcile=reconcile) as bulk:
            for message in (sms(1, schedule=tomorrow), sms(2)):
                assert isinstance(await (await bulk.send(message)), ac.Accepted)
        assert sum(it.path.endswith("/send") for it in server.arrivals) == 2


async def test_a_date_that_is_none_does_not_set_the_clock() -> None:
    async def script(line: Line, arrival: Request) -> None:
        data = sent(arrival)
        for row, date in zip(data["messages"], (0,), strict=True):
            row["date"] = date
        await line.ok(data)

    async with Hostile(script) as server, client_of(server.url) as api, api.sms.bulk() as bulk:
        await (await bulk.send(sms(1)))
        assert not bulk._channel.memory.clock.is_known


@pytest.mark.slow
async def test_a_fifth_of_the_posts_broken_and_no_message_accepted_twice() -> None:
    async with Sandbox(balance="100000") as sandbox, client(sandbox, timeout=IMPATIENT) as api:
        sandbox.fail_every(storm(0.2))
        reconcile = ac.Reconcile(settle=1, resend=True)
        async with api.sms.bulk(batching=ac.Batching(size=100), reconcile=reconcile) as bulk:
            report = await bulk.run(many(5000))
        # Of the last request there may be no witness: then a message stays unknown.
        assert report.accepted + report.unknown == report.total == 5000
        assert report.accepted >= 4500
        assert set(accepts(sandbox).values()) == {1}
        assert len(accepts(sandbox)) >= report.accepted
        assert bulk.statistics().failed_posts > 3


@pytest.mark.slow
async def test_without_resend_nothing_is_sent_twice_and_all_accepted_is_reported() -> None:
    async with (
        Sandbox(balance="100000", history_lag=1.0) as sandbox,
        client(sandbox, timeout=IMPATIENT) as api,
    ):
        sandbox.fail_every(storm(0.2, seed=2))
        reconcile = ac.Reconcile(settle=4, resend=False)
        async with api.sms.bulk(batching=ac.Batching(size=100), reconcile=reconcile) as bulk:
            settled = await outcomes(bulk.stream(many(5000)))
        taken = accepts(sandbox)
        assert set(taken.values()) == {1}
        assert {it.ref for it in settled if isinstance(it, ac.Accepted)} == set(taken)
        assert kinds(settled) == {"Accepted": len(taken), "Unknown": 5000 - len(taken)}
        assert len({it.ref for it in settled}) == 5000
