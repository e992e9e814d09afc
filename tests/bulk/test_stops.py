"""Ways to stop: the block's end, errors, cancellation, signals."""

from __future__ import annotations

import asyncio
import os
import signal
import sqlite3
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import anyio
import pytest

import aioclicksend as ac
from aioclicksend.sandbox import Sandbox

from .helpers import IMPATIENT, accepts, client, kinds, many, posts, sms


async def test_a_cancelled_task_finishes_what_is_on_the_wire_and_withdraws_the_rest() -> None:
    async with Sandbox(latency=1.0) as sandbox, client(sandbox) as api:
        handles: list[ac.Handle] = []

        async def campaign() -> None:
            batching = ac.Batching(size=5, linger=0.01)
            async with api.sms.bulk(batching=batching, lanes=1) as bulk:
                for message in many(20):
                    handles.append(await bulk.send(message))  # noqa: PERF401
                await asyncio.sleep(3600)

        task = asyncio.create_task(campaign())
        while len(handles) < 20 or not sandbox.requests:
            await asyncio.sleep(0.005)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert kinds([await it for it in handles]) == {"Accepted": 5, "NotSent": 15}
        assert len(sandbox.messages) == 5
    assert not asyncio.all_tasks() - {asyncio.current_task()}


async def test_a_cancel_scope_around_the_block_does_the_same() -> None:
    async with Sandbox(latency=1.0) as sandbox, client(sandbox) as api:
        bulk = api.sms.bulk(batching=ac.Batching(size=5), lanes=1, ramp=None)

        async def cancel(scope: anyio.CancelScope) -> None:
            while not sandbox.requests:
                await asyncio.sleep(0.005)
            scope.cancel()

        scope = anyio.CancelScope()
        async with anyio.create_task_group() as tasks:
            with scope:
                tasks.start_soon(cancel, scope)
                async with bulk:
                    await bulk.run(many(100))
        assert scope.cancelled_caught
        assert bulk.statistics().accepted == len(sandbox.messages) == 5
        assert bulk.statistics().on_wire == 0


async def test_a_doubt_after_a_cancellation_does_not_delay_the_end() -> None:
    """It pauses sending until it was searched for; but after a stop nothing searches any more."""
    async with Sandbox() as sandbox, client(sandbox, timeout=IMPATIENT) as api:
        sandbox.fail_next("hang-before", path="/sms/send")
        go_on = asyncio.Event()

        async def source() -> AsyncIterator[ac.SmsMessage]:
            yield sms(1)
            await go_on.wait()
            yield sms(2)

        bulk = api.sms.bulk(batching=ac.Batching(size=1), lanes=1, ramp=None)

        async def campaign() -> None:
            async with bulk:
                await bulk.run(source())

        task = asyncio.create_task(campaign())
        while not posts(sandbox):
            await asyncio.sleep(0)
        task.cancel()
        go_on.set()
        await asyncio.wait([task])
        assert task.cancelled()
    counts = bulk.statistics()
    assert (counts.accepted, counts.unknown) == (0, 1)


async def test_a_cancelled_caller_does_not_abort_the_batch_of_others() -> None:
    async with Sandbox(latency=0.5) as sandbox, client(sandbox) as api:
        async with api.sms.bulk() as bulk:

            async def request(number: int) -> ac.Outcome:
                return await (await bulk.send(sms(number)))

            tasks = [asyncio.create_task(request(number)) for number in range(10)]
            while not posts(sandbox):
                await asyncio.sleep(0.005)
            tasks[3].cancel()
            results = await asyncio.gather(*tasks, return_exceptions=True)
            assert isinstance(results[3], asyncio.CancelledError)
            assert sum(isinstance(it, ac.Accepted) for it in results) == 9
            assert len(sandbox.messages) == 10
            assert posts(sandbox) == 1


async def test_a_cancelled_block_makes_doubts_unknown_at_once() -> None:
    async with Sandbox() as sandbox, client(sandbox) as api:
        sandbox.fail_next("reset-before", path="/sms/send")
        handles: list[ac.Handle] = []

        async def campaign() -> None:
            async with api.sms.bulk(reconcile=ac.Reconcile(settle=3600)) as bulk:
                handles.append(await bulk.send(sms(1)))
                while not bulk.statistics().in_doubt:
                    await asyncio.sleep(0.005)
                task.cancel()
                await handles[0]

        task = asyncio.create_task(campaign())
        with pytest.raises(asyncio.CancelledError):
            await task
        outcome = handles[0].outcome
        assert isinstance(outcome, ac.Unknown)
        assert outcome.reason is ac.Reason.ABORTED
        assert "its block was cancelled" in outcome.detail


async def test_an_interruption_while_the_block_is_left_is_not_lost() -> None:
    """The block had ended and waited for a doubt: the cancellation must reach its task."""
    async with Sandbox() as sandbox, client(sandbox) as api:
        sandbox.fail_next("reset-before", path="/sms/send")
        handles: list[ac.Handle] = []
        bulk = api.sms.bulk(reconcile=ac.Reconcile(settle=3600))

        async def campaign() -> None:
            async with bulk:
                handles.append(await bulk.send(sms(1)))

        task = asyncio.create_task(campaign())
        while not handles or not bulk.statistics().in_doubt:
            await asyncio.sleep(0.005)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert isinstance(handles[0].outcome, ac.Unknown)


async def test_a_second_interruption_leaves_what_is_on_the_wire() -> None:
    async with Sandbox() as sandbox, client(sandbox) as api:
        sandbox.fail_next("hang-after", path="/sms/send")

        async def campaign() -> None:
            async with api.sms.bulk() as bulk:
                await bulk.send(sms(1))

        task = asyncio.create_task(campaign())
        while not posts(sandbox):
            await asyncio.sleep(0.005)
        task.cancel()
        done, _ = await asyncio.wait([task], timeout=0.2)
        assert not done  # it finishes what is on the wire
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task


async def test_stop_cuts_what_has_no_byte_on_the_wire() -> None:
    """A request that waits for a pause of the server need not be waited for."""
    async with Sandbox() as sandbox, client(sandbox, retry=ac.Retry()) as api:
        sandbox.fail_next("refuse-429", path="/sms/send", retry_after=30)
        async with api.sms.bulk() as bulk:
            handle = await bulk.send(sms(1))
            while not posts(sandbox):
                await asyncio.sleep(0.005)
            await asyncio.sleep(0.1)  # the reply has come, and the request waits
            bulk.stop("enough")
            outcome = await handle
        assert outcome == ac.NotSent(handle.message, "ref-1", ac.Reason.STOPPED, "enough")


async def test_stop_withdraws_what_waits_and_finishes_what_is_on_the_wire() -> None:
    async with Sandbox(latency=0.5) as sandbox, client(sandbox) as api:
        async with api.sms.bulk(batching=ac.Batching(size=10), lanes=2, ramp=None) as bulk:
            running = asyncio.create_task(bulk.run(many(10_000)))
            while posts(sandbox) < 2:
                await asyncio.sleep(0.005)
            bulk.stop()
            report = await running
            with pytest.raises(RuntimeError, match="stopped"):
                await bulk.send(sms(1))
        assert report.accepted == len(sandbox.messages) == 20
        assert 0 < report.not_sent <= 60
        assert report.reasons == {"stopped": report.not_sent}
        assert report.unknown == 0
        assert report.stopped


async def test_abort_makes_what_is_on_the_wire_unknown_and_leaves() -> None:
    async with Sandbox() as sandbox, client(sandbox) as api:
        sandbox.fail_next("hang-after", path="/sms/send")
        async with api.sms.bulk() as bulk:
            handle = await bulk.send(sms(1))
            while not posts(sandbox):
                await asyncio.sleep(0.005)
            bulk.abort()
        assert isinstance(handle.outcome, ac.Unknown)
        assert handle.outcome.reason is ac.Reason.ABORTED
        assert "while it was on the wire" in handle.outcome.detail
        assert bulk.statistics().on_wire == 0


SCRIPT = """
import asyncio, signal, sys
import aioclicksend as ac

signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell's background job ignores it

async def main():
    url, journal = sys.argv[1:]
    auth = ac.BasicAuth("sandbox", "sandbox")
    async with ac.ClickSend(auth=auth, base_url=url, rate_limit=None) as api:
        batching = ac.Batching(size=10)
        async with api.sms.bulk(journal=journal, batching=batching, lanes=2, ramp=None) as bulk:
            async with ac.stop_on_signals(bulk):
                print("ready", flush=True)
                report = await bulk.run(
                    ac.SmsMessage(to=f"+614{it:08d}", body="Hi") for it in range(100_000)
                )
    print(report.accepted, report.rejected, report.unknown, flush=True)

asyncio.run(main())
"""


async def signalled(
    sandbox: Sandbox, journal: Path, *signals: signal.Signals
) -> tuple[int | None, list[str]]:
    """Run a campaign in a separate process and send it signals."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-c", SCRIPT, sandbox.url, str(journal)),
        stdout=asyncio.subprocess.PIPE,
        env=os.environ | {"PYTHONPATH": str(Path(__file__).parents[2])},
    )
    assert process.stdout is not None
    await process.stdout.readline()
    while posts(sandbox) < 2:
        await asyncio.sleep(0.01)
    for number in signals:
        process.send_signal(number)
        await asyncio.sleep(0.3)
    printed, _ = await process.communicate()
    return process.returncode, printed.decode().split()


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no such signals")
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
async def test_the_first_signal_finishes_what_is_on_the_wire_and_reports(
    tmp_path: Path, number: signal.Signals
) -> None:
    async with Sandbox(latency=0.05, balance="100000") as sandbox:
        code, printed = await signalled(sandbox, tmp_path / "x.db", number)
        assert code == 0
        assert printed == [str(len(sandbox.messages)), "0", "0"]
        assert 0 < len(sandbox.messages) < 100_000


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no such signals")
async def test_the_second_signal_leaves_and_the_next_run_looks_up(tmp_path: Path) -> None:
    journal = tmp_path / "x.db"
    async with Sandbox(balance="100000") as sandbox:
        sandbox.fail_next("hang-after", path="/sms/send", times=2)
        code, printed = await signalled(sandbox, journal, signal.SIGINT, signal.SIGINT)
        assert code == 0
        assert printed == ["0", "0", "20"]
        with sqlite3.connect(journal) as db:
            states = dict(db.execute("select state, count(*) from outcome group by state"))
        db.close()
        assert states["unknown"] == 20
        async with client(sandbox) as api, api.sms.bulk(journal=journal) as bulk:
            report = await bulk.resume()
        assert report.accepted == sum(states.values())
        assert set(accepts(sandbox).values()) == {1}


@pytest.mark.slow
@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no such signals")
async def test_without_a_handler_an_interrupt_leaves_a_journal_that_resumes(
    tmp_path: Path,
) -> None:
    """asyncio.run cancels the program on SIGINT: what was sent is written down all the same."""
    script = SCRIPT.replace("async with ac.stop_on_signals(bulk):", "if True:")
    journal = tmp_path / "x.db"
    async with Sandbox(latency=0.05, balance="100000") as sandbox:
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-c", script, sandbox.url, str(journal)),
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            env=os.environ | {"PYTHONPATH": str(Path(__file__).parents[2])},
        )
        assert process.stdout is not None
        await process.stdout.readline()
        while not sandbox.messages:
            await asyncio.sleep(0.01)
        process.send_signal(signal.SIGINT)
        _, errors = await process.communicate()
        assert b"KeyboardInterrupt" in errors
        with sqlite3.connect(journal) as db:
            states = dict(db.execute("select state, count(*) from outcome group by state"))
        db.close()
        assert states["accepted"] == len(sandbox.messages) > 0
        assert set(states) <= {"accepted", "not_sent", "planned"}
