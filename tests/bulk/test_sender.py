"""Handing over, coalescing, streaming, backpressure and leaving."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Iterator
from decimal import Decimal
from typing import Any

import pytest

import aioclicksend as ac
from aioclicksend.sandbox import Sandbox

from ..core.mocked import ROOT, Mocked
from .helpers import accepts, client, kinds, many, outcomes, posts, sms


async def test_a_thousand_concurrent_sends_become_one_post() -> None:
    async with Sandbox() as sandbox, client(sandbox) as api, api.sms.bulk() as bulk:
        handles = await asyncio.gather(*map(bulk.send, many(1000)))
        settled = await asyncio.gather(*handles)
        assert posts(sandbox) == 1
        assert kinds(settled) == {"Accepted": 1000}
        assert [it.ref for it in settled] == [f"ref-{number}" for number in range(1000)]


async def test_an_acceptance_has_message_ref_id_parts_and_price() -> None:
    async with Sandbox() as sandbox, client(sandbox) as api, api.sms.bulk() as bulk:
        message = sms(1)
        outcome = await (await bulk.send(message))
        assert isinstance(outcome, ac.Accepted)
        assert outcome.message is message
        assert outcome.ref == "ref-1"
        assert outcome.message_id == sandbox.messages[0]["message_id"]
        assert outcome.parts == 1
        assert outcome.price == Decimal(sandbox.messages[0]["message_price"]) > 0


async def test_a_message_without_a_ref_is_given_a_unique_one() -> None:
    async with Sandbox() as sandbox, client(sandbox) as api, api.sms.bulk() as bulk:
        message = ac.SmsMessage(to="+61491570156", body="Hi")
        first, second = [await (await bulk.send(message)) for _ in range(2)]
        assert message.custom_string is None
        assert first.ref != second.ref
        assert len(first.ref) <= 40
        assert accepts(sandbox) == {first.ref: 1, second.ref: 1}


async def test_rejected_rows_keep_their_status() -> None:
    async with Sandbox() as sandbox, client(sandbox) as api, api.sms.bulk() as bulk:
        bad = ac.SmsMessage(to="+61000000000", body="Hi")
        settled = await outcomes(bulk.stream([sms(1), bad, sms(2)]))
        (rejected,) = [it for it in settled if isinstance(it, ac.Rejected)]
        assert rejected.message is bad
        assert rejected.status == "INVALID_RECIPIENT"
        assert kinds(settled) == {"Accepted": 2, "Rejected": 1}


async def test_flush_cuts_the_linger() -> None:
    async with Sandbox() as sandbox, client(sandbox) as api:
        async with api.sms.bulk(batching=ac.Batching(linger=3600)) as bulk:
            handle = await bulk.send(sms(1))
            await asyncio.sleep(0.05)
            assert posts(sandbox) == 0
            await bulk.flush()
            assert isinstance(handle.outcome, ac.Accepted)


async def test_leaving_the_block_sends_and_settles_what_waits() -> None:
    async with Sandbox() as sandbox, client(sandbox) as api:
        async with api.sms.bulk(batching=ac.Batching(linger=3600)) as bulk:
            handles = [await bulk.send(message) for message in many(5)]
        assert kinds([await it for it in handles]) == {"Accepted": 5}
        assert len(sandbox.messages) == 5


async def test_outside_the_block_send_raises_and_shows_how_to_use_it() -> None:
    async with Sandbox() as sandbox, client(sandbox) as api:
        with pytest.raises(RuntimeError, match=r"async with client\.sms\.bulk\(\) as bulk"):
            await api.sms.bulk().send(sms(1))
        with pytest.raises(RuntimeError, match=r"async with client\.voice\.bulk\(\) as bulk"):
            api.voice.bulk().statistics()


async def test_send_after_the_block_is_refused() -> None:
    async with Sandbox() as sandbox, client(sandbox) as api:
        async with api.sms.bulk() as bulk:
            pass
        with pytest.raises(RuntimeError, match="closed"):
            await bulk.send(sms(1))
        with pytest.raises(RuntimeError, match="closed"):
            await bulk.run(many(1))


async def test_send_waits_only_while_the_queue_is_full() -> None:
    async with Sandbox(latency=0.2) as sandbox, client(sandbox) as api:
        batching = ac.Batching(size=1, queue=2)
        async with api.sms.bulk(batching=batching, lanes=1) as bulk:
            for number in range(3):  # one on the wire, two waiting
                await asyncio.wait_for(bulk.send(sms(number)), 0.1)
                await asyncio.sleep(0)
            waiting = asyncio.ensure_future(bulk.send(sms(3)))
            done, _ = await asyncio.wait([waiting], timeout=0.05)
            assert not done
            await waiting
        assert len(sandbox.messages) == 4


async def test_cancelling_the_wait_for_room_withdraws_the_message() -> None:
    async with Sandbox(latency=0.1) as sandbox, client(sandbox) as api:
        async with api.sms.bulk(batching=ac.Batching(size=1, queue=1), lanes=1) as bulk:
            for number in range(2):
                await bulk.send(sms(number))
                await asyncio.sleep(0)
            with pytest.raises(TimeoutError):
                await asyncio.wait_for(bulk.send(sms(2)), 0.02)
        assert set(accepts(sandbox)) == {"ref-0", "ref-1"}


async def test_cancelling_the_wait_for_a_handle_does_not_withdraw_the_message() -> None:
    async with Sandbox(latency=0.1) as sandbox, client(sandbox) as api:
        async with api.sms.bulk() as bulk:
            handle = await bulk.send(sms(1))
            with pytest.raises(TimeoutError):
                await asyncio.wait_for(handle, 0.06)
            assert isinstance(await handle, ac.Accepted)
        assert len(sandbox.messages) == 1


async def test_stream_yields_every_message_once_from_any_iterable() -> None:
    async def source() -> AsyncIterator[ac.SmsMessage]:
        for message in many(250):
            yield message

    async with Sandbox() as sandbox, client(sandbox) as api:
        async with api.sms.bulk(batching=ac.Batching(size=50)) as bulk:
            for messages in (many(250), list(many(250, 1000)), source()):
                settled = await outcomes(bulk.stream(messages))
                assert len({it.ref for it in settled}) == len(settled) == 250
        assert accepts(sandbox)["ref-7"] == 2  # from the generator and from the async source
        assert len(sandbox.messages) == 750


async def test_messages_of_a_slow_async_source_do_not_wait_for_the_next() -> None:
    reached = asyncio.Event()

    async def source() -> AsyncIterator[ac.SmsMessage]:
        yield sms(1)
        await reached.wait()  # set only once the first message came out again
        yield sms(2)

    async with Sandbox() as sandbox, client(sandbox) as api, api.sms.bulk() as bulk:
        seen = []
        async for outcome in bulk.stream(source()):
            seen.append(outcome.ref)
            reached.set()
        assert seen == ["ref-1", "ref-2"]


async def test_stream_reads_no_further_ahead_than_it_sends() -> None:
    taken = 0

    def source() -> Iterator[ac.SmsMessage]:
        nonlocal taken
        for message in many(10_000):
            taken += 1
            yield message

    async with Sandbox() as sandbox, client(sandbox) as api:
        async with api.sms.bulk(batching=ac.Batching(size=10), lanes=2, ramp=None) as bulk:
            stream = bulk.stream(source())
            await anext(stream)
            await asyncio.sleep(0.1)
            assert taken <= 10 * (2 * 2 + 2)
            await stream.aclose()  # type: ignore[attr-defined]
        assert len(sandbox.messages) <= taken


async def test_breaking_out_of_a_stream_leaves_no_task_and_withdraws_the_rest() -> None:
    async with Sandbox(latency=0.02) as sandbox, client(sandbox) as api:
        async with api.sms.bulk(batching=ac.Batching(size=10), ramp=None) as bulk:
            async for _ in bulk.stream(many(10_000)):
                break
        assert bulk.statistics().on_wire == bulk.statistics().queued == 0
        assert len(sandbox.messages) == bulk.statistics().accepted < 1000
    others = asyncio.all_tasks() - {asyncio.current_task()}
    assert not others


async def test_an_error_of_the_source_follows_the_outcomes_of_all_before() -> None:
    def source() -> Iterator[ac.SmsMessage]:
        yield from many(25)
        raise OSError("the file broke off")

    async with Sandbox() as sandbox, client(sandbox) as api:
        async with api.sms.bulk(batching=ac.Batching(size=10), ramp=None) as bulk:
            settled = []
            with pytest.raises(OSError, match="broke off"):
                async for outcome in bulk.stream(source()):
                    settled.append(outcome)  # noqa: PERF401 - what came before the error counts
            assert kinds(settled) == {"Accepted": 25}
        assert len(sandbox.messages) == 25


async def test_an_error_of_an_async_source_follows_the_outcomes_of_all_before() -> None:
    async def source() -> AsyncIterator[ac.SmsMessage]:
        for message in many(25):
            yield message
        raise OSError("the file broke off")

    async with Sandbox() as sandbox, client(sandbox) as api:
        async with api.sms.bulk(batching=ac.Batching(size=10)) as bulk:
            settled = []
            with pytest.raises(OSError, match="broke off"):
                async for outcome in bulk.stream(source()):
                    settled.append(outcome)  # noqa: PERF401
            assert kinds(settled) == {"Accepted": 25}


@pytest.mark.parametrize(
    ("message", "what"),
    [
        (ac.SmsMessage(to="0491570156", body="Hi"), "to: is no E.164"),
        (ac.SmsMessage(to="+61491570156", body="  "), "body: is empty"),
        (ac.SmsMessage(body="Hi", list_id=5), "list_id"),
        (ac.SmsMessage(body="Hi"), "to: is missing"),
        (ac.MmsMessage(to="+61491570156", body="Hi"), "not a SmsMessage but a MmsMessage"),
        ("+61491570156", "not a SmsMessage but a str"),
    ],
)
async def test_a_wrong_message_is_refused_by_send_and_not_sent_by_stream(
    message: ac.SmsMessage, what: str
) -> None:
    async with Sandbox() as sandbox, client(sandbox) as api, api.sms.bulk() as bulk:
        with pytest.raises(ValueError, match=what) as caught:
            await bulk.send(message)
        assert "491570156" not in str(caught.value)
        wrong, right = sorted(
            await outcomes(bulk.stream([message, sms(2)])), key=lambda it: type(it).__name__
        )[::-1]
        assert isinstance(wrong, ac.NotSent)
        assert wrong.reason is ac.Reason.INVALID
        assert what in wrong.detail
        assert wrong.message is message
        assert isinstance(right, ac.Accepted)
        assert len(sandbox.messages) == 1


@pytest.mark.parametrize("fields", [{"body": "\ud83d"}, {"source": object()}])
async def test_a_message_that_json_cannot_hold_is_not_sent(fields: dict[str, Any]) -> None:
    """And it holds up none of the others."""
    async with Sandbox() as sandbox, client(sandbox) as api, api.sms.bulk() as bulk:
        with pytest.raises(ValueError, match="holds"):
            await bulk.send(sms(1, **fields))
        assert isinstance(await (await bulk.send(sms(2))), ac.Accepted)
        report = await bulk.run([sms(3, **fields), sms(4)])
        assert (report.accepted, report.not_sent) == (1, 1)


async def test_run_counts_outcomes_and_cost() -> None:
    async with Sandbox() as sandbox, client(sandbox) as api, api.sms.bulk() as bulk:
        bad = ac.SmsMessage(to="+61000000000", body="Hi")
        wrong = ac.SmsMessage(to="nobody", body="Hi")
        report = await bulk.run([*many(20), bad, wrong])
        assert (report.accepted, report.rejected, report.not_sent, report.unknown) == (20, 1, 1, 0)
        assert report.total == 22
        assert report.cost == sum(Decimal(it["message_price"]) for it in sandbox.messages)
        assert report.reasons["INVALID_RECIPIENT"] == 1


async def test_price_adds_up_without_sending() -> None:
    async with Sandbox() as sandbox, client(sandbox) as api, api.sms.bulk() as bulk:
        quote = await bulk.price([*many(2500), ac.SmsMessage(to="+61000000000", body="Hi")])
        assert quote.count == quote.parts == 2500
        assert quote.total == sum(quote.by_country.values()) > 0
        assert quote.currency == "AUD"
        assert quote.rejected == {"INVALID_RECIPIENT": 1}
        assert not sandbox.messages
        assert posts(sandbox) == 0


async def test_price_reads_rows_with_unexpected_types() -> None:
    row = {"status": "SUCCESS", "country": 61, "message_parts": "2", "message_price": 0.25}
    data = {"messages": [row, {"status": "INVALID_RECIPIENT"}], "currency": None}
    with Mocked() as mocked:
        mocked.post(f"{ROOT}/v3/sms/price", payload={"http_code": 200, "data": data})
        auth = ac.BasicAuth("a", "b")
        async with ac.ClickSend(auth=auth, base_url=ROOT) as api, api.sms.bulk() as bulk:
            quote = await bulk.price(many(2))
    assert (quote.count, quote.parts, quote.total) == (1, 2, Decimal("0.25"))
    assert (quote.by_country, quote.currency) == ({"61": Decimal("0.25")}, None)
    assert quote.rejected == {"INVALID_RECIPIENT": 1}


async def test_price_says_what_is_wrong() -> None:
    async with Sandbox() as sandbox, client(sandbox) as api, api.sms.bulk() as bulk:
        with pytest.raises(ValueError, match=r"E\.164"):
            await bulk.price([ac.SmsMessage(to="nobody", body="Hi")])
        sandbox.fail_next("status", status=403)
        with pytest.raises(ac.Forbidden):
            await bulk.price(many(10))


async def test_requests_stay_below_the_size_in_bytes() -> None:
    async with Sandbox() as sandbox, client(sandbox) as api:
        batching = ac.Batching(max_bytes=1000)
        async with api.sms.bulk(batching=batching, ramp=None) as bulk:
            assert (await bulk.run(many(50))).accepted == 50
        assert posts(sandbox) > 4
        assert max(len(it.body) for it in sandbox.requests) < 1100


async def test_mms_with_different_pictures_travel_apart() -> None:
    async with Sandbox() as sandbox, client(sandbox) as api:
        async with api.mms.bulk(ramp=None) as bulk:
            messages = [
                ac.MmsMessage(
                    to=f"+6149157015{number}",
                    body="Look",
                    subject="Picture",
                    media_file=f"https://example.org/{number % 2}.jpg",
                )
                for number in range(6)
            ]
            assert (await bulk.run(messages)).accepted == 6
            assert kinds([await (await bulk.send(it)) for it in messages]) == {"Accepted": 6}
        assert {it["_media_file_url"] for it in sandbox.messages} == {
            "https://example.org/0.jpg",
            "https://example.org/1.jpg",
        }


async def test_voice_is_sent_in_bulk() -> None:
    async with Sandbox() as sandbox, client(sandbox) as api, api.voice.bulk() as bulk:
        message = ac.VoiceMessage(to="+61491570156", body="Hello", custom_string="v")
        assert isinstance(await (await bulk.send(message)), ac.Accepted)
        assert sandbox.messages[0]["channel"] == "voice"


async def test_no_request_is_larger_than_the_one_before_allows_while_ramping() -> None:
    async with Sandbox() as sandbox, client(sandbox) as api:
        async with api.sms.bulk() as bulk:
            await bulk.run(many(1500))
            await bulk.run(many(500, 5000))
        sizes = [it.body.count(b'"to"') for it in sandbox.requests]
        assert sizes == [1, 10, 100, 1000, 389, 500]


async def test_an_error_in_the_block_sends_what_was_handed_over_and_says_so() -> None:
    async with Sandbox() as sandbox, client(sandbox) as api:
        with pytest.raises(KeyError) as caught:  # as itself, in no group
            async with api.sms.bulk(batching=ac.Batching(linger=3600)) as bulk:
                for message in many(7):
                    await bulk.send(message)
                raise KeyError("mine")
        assert "7 accepted" in caught.value.__notes__[0]
        assert len(sandbox.messages) == 7


async def test_messages_gather_while_the_pace_is_busy() -> None:
    """A steady flow of single sends under a slow pace fills its requests, it does not queue up."""
    async with Sandbox() as sandbox:
        async with client(sandbox, rate_limit=ac.RateLimit(10, 1)) as api:
            async with api.sms.bulk(batching=ac.Batching(linger=0.001), lanes=2) as bulk:
                handles = []
                began = time.monotonic()
                for number in range(600):
                    handles.append(await bulk.send(sms(number)))
                    await asyncio.sleep(0.001)
                await asyncio.gather(*handles)
                seconds = time.monotonic() - began
        assert posts(sandbox) <= 10 * seconds + 2
        assert len(sandbox.messages) == 600


async def test_single_messages_do_not_starve_beside_a_stream() -> None:
    async with Sandbox(latency=0.01) as sandbox, client(sandbox) as api:
        batching = ac.Batching(size=10, linger=0.001)
        async with api.sms.bulk(batching=batching, lanes=1, ramp=None) as bulk:
            campaign = asyncio.create_task(bulk.run(many(2000)))
            await asyncio.sleep(0.05)
            outcome = await asyncio.wait_for(await bulk.send(sms(9999)), 2)
            assert isinstance(outcome, ac.Accepted)
            assert len(sandbox.messages) < 2001
            bulk.stop()
            await campaign
