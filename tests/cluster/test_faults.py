"""Workers that are killed, stopped or cut off from their database."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from aioclicksend import SmsMessage
from aioclicksend.bulk.encode import encode
from aioclicksend.bulk.intake import Batching
from aioclicksend.bulk.journal import State
from aioclicksend.bulk.reconcile import Reconcile
from aioclicksend.cluster import Cluster, campaigns, outbox
from aioclicksend.cluster import journal as journal_module
from aioclicksend.cluster.worker import Worker
from aioclicksend.errors import ConfigurationError
from aioclicksend.sandbox import Sandbox

from .conftest import NewCluster
from .helpers import client_of, texts
from .proxy import proxy_of
from .test_outbox import GOOD, enqueue
from .test_worker import how_many, store, until


@asynccontextmanager
async def worker(
    sandbox: Sandbox, cluster: Cluster, url: str
) -> AsyncIterator[subprocess.Popen[bytes]]:
    process = subprocess.Popen(  # noqa: S603
        [sys.executable, "-m", "tests.cluster.working", sandbox.url, cluster.database.schema],
        env=os.environ | {"AIOCLICKSEND_DATABASE_URL": url},
        stdout=subprocess.PIPE,
    )
    assert process.stdout is not None
    try:
        await asyncio.to_thread(process.stdout.readline)
        yield process
    finally:
        with contextlib.suppress(ProcessLookupError):
            process.send_signal(signal.SIGCONT)
            process.kill()
        process.wait()
        process.stdout.close()


@pytest.mark.slow
@pytest.mark.timeout(180)
async def test_a_killed_worker_is_made_up_for(cluster: Cluster, postgres_url: str) -> None:
    await store(cluster, "spring", 2000, settle=1.0)
    async with Sandbox(latency=0.02, balance="100000") as sandbox:
        async with worker(sandbox, cluster, postgres_url) as first:
            await until(cluster, "spring", "accepted", 100)
            first.send_signal(signal.SIGKILL)
            first.wait()
            async with worker(sandbox, cluster, postgres_url):
                async with asyncio.timeout(120):
                    while await open_ones(cluster, "spring"):
                        await asyncio.sleep(0.2)
        counts = (await campaigns.status(cluster, "spring")).counts
        assert sandbox.duplicates() == {}
        assert sum(counts.values()) == 2000
        assert counts["accepted"] == len(sandbox.messages)


@pytest.mark.slow
@pytest.mark.timeout(180)
async def test_sigterm_finishes_what_is_on_the_wire(cluster: Cluster, postgres_url: str) -> None:
    await store(cluster, "spring", 2000)
    async with Sandbox(latency=0.2, balance="100000") as sandbox:
        async with worker(sandbox, cluster, postgres_url) as process:
            await until(cluster, "spring", "accepted", 50)
            process.send_signal(signal.SIGTERM)
            assert await asyncio.to_thread(process.wait, 60) == 0
        counts = (await campaigns.status(cluster, "spring")).counts
        assert counts["accepted"] == len(sandbox.messages) < 2000
        assert set(counts) <= {"accepted", "planned", "not_sent"}


@pytest.mark.slow
@pytest.mark.timeout(120)
async def test_a_worker_that_was_stopped_for_longer_than_its_lease_sends_nothing_more(
    cluster: Cluster, postgres_url: str
) -> None:
    await store(cluster, "spring", 3000, settle=1.0)
    async with Sandbox(latency=0.05, balance="100000") as sandbox:
        async with worker(sandbox, cluster, postgres_url) as first:
            await until(cluster, "spring", "accepted", 50)
            first.send_signal(signal.SIGSTOP)
            # As if it had stood still for longer: its lease is over on the server.
            async with cluster.database.connection() as connection:
                await connection.execute("update owner set lease_until = clock_timestamp()")
            async with worker(sandbox, cluster, postgres_url):
                await until(cluster, "spring", "accepted", 300)
                first.send_signal(signal.SIGCONT)
                async with asyncio.timeout(100):
                    while await open_ones(cluster, "spring"):
                        await asyncio.sleep(0.2)
        assert sandbox.duplicates() == {}
        counts = (await campaigns.status(cluster, "spring")).counts
        assert sum(counts.values()) == 3000
        assert counts["accepted"] == len(sandbox.messages)


async def test_during_a_partition_nothing_is_sent_and_afterwards_everything(
    new_cluster: NewCluster, postgres_url: str
) -> None:
    async with proxy_of(postgres_url) as proxy:
        cluster = new_cluster(url=proxy.url)
        await cluster.migrate()
        async with Sandbox() as sandbox, client_of(sandbox, cluster) as client:
            async with client.sms.bulk(journal=cluster.journal("web")) as bulk:
                assert (await bulk.run(texts(3))).accepted == 3
                proxy.cut()
                handle = await bulk.send(SmsMessage(to="+61411000009", body="late"))
                await asyncio.sleep(0.5)
                assert len(sandbox.messages) == 3
                proxy.mend()
                assert type(await handle).__name__ == "Accepted"
        await cluster.close()


async def test_after_a_partition_longer_than_the_lease_others_have_looked_it_up(
    cluster: Cluster, new_cluster: NewCluster, postgres_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(journal_module, "LEASE", 1.0)
    monkeypatch.setattr(journal_module, "BEAT", 0.2)
    async with proxy_of(postgres_url) as proxy:
        away = new_cluster(url=proxy.url)
        journal = away.journal("spring")
        await journal.start("sms")
        messages = encode(texts(1), kind=SmsMessage, prefix=journal.ref_prefix())
        rows = (await journal.plan(1, messages)).rows
        await journal.begin(rows, 1)
        proxy.cut()
        await asyncio.sleep(1.1)
        with pytest.raises(ConfigurationError, match="was lost"):
            journal.fence()
        heir = cluster.journal("spring")
        await heir.start("sms")
        (doubt,) = await heir.claim(State.IN_DOUBT, 10)
        assert not doubt.owner_exited
        proxy.mend()
        await heir.close()
        await journal.close()
        await away.close()


@pytest.mark.slow
@pytest.mark.timeout(300)
async def test_a_partition_of_half_a_minute_loses_nothing_and_sends_nothing_twice(
    cluster: Cluster, new_cluster: NewCluster, postgres_url: str
) -> None:
    await store(cluster, "spring", 1500, settle=1.0)
    async with proxy_of(postgres_url) as proxy, Sandbox(balance="100000") as sandbox:
        away = new_cluster(url=proxy.url)
        async with client_of(sandbox, away, 10) as far, client_of(sandbox, cluster, 10) as near:
            cut_off = Worker(away, far, batching=Batching(size=5), receipts=False)
            other = Worker(cluster, near, batching=Batching(size=5), receipts=False)
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(cut_off.run())
                await until(cluster, "spring", "accepted", 50)
                proxy.cut()
                await asyncio.sleep(1.0)  # what was on the wire arrives
                before = len(sandbox.messages)
                await asyncio.sleep(29.0)
                assert len(sandbox.messages) == before
                tasks.create_task(other.run())
                await until(cluster, "spring", "accepted", before + 50)
                proxy.mend()
                async with asyncio.timeout(200):
                    while await open_ones(cluster, "spring"):
                        await asyncio.sleep(0.5)
                cut_off.stop("the end")
                other.stop("the end")
        await away.close()
        counts = (await campaigns.status(cluster, "spring")).counts
        assert sandbox.duplicates() == {}
        assert sum(counts.values()) == 1500
        assert counts["accepted"] == len(sandbox.messages)


async def test_the_clock_of_a_process_does_not_matter(
    cluster: Cluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = time.time
    monkeypatch.setattr(time, "time", lambda: real() + 3600)
    await store(cluster, "spring", 20)
    async with Sandbox(clock=real) as sandbox, client_of(sandbox, cluster) as client:
        journal = cluster.journal("spring")
        async with client.sms.bulk(journal=journal, reconcile=Reconcile(settle=1.0)) as bulk:
            await (await bulk.send(SmsMessage(to="+61411999999", body="first")))
            sandbox.fail_next("reset-after", path="sms/send")
            report = await bulk.resume()
        assert (report.accepted, len(sandbox.messages)) == (20, 21)


async def test_one_key_from_several_tasks_and_clusters_arrives_once(
    cluster: Cluster, new_cluster: NewCluster
) -> None:
    others = [cluster, new_cluster(), new_cluster()]
    message = SmsMessage(to="+61411000000", body="Your code is 1234")

    async def call(which: Cluster, sandbox: Sandbox) -> list[str]:
        async with client_of(sandbox, which) as client:
            async with client.sms.bulk(
                journal=which.journal("web"), reconcile=Reconcile(settle=1.0)
            ) as bulk:
                handles = [await bulk.send(message, key="otp-1") for _ in range(10)]
                outcomes = [await it for it in handles]
                return [f"{type(it).__name__} {it.ref}" for it in outcomes]

    async with Sandbox(latency=0.05) as sandbox:
        sandbox.fail_next("reset-after", path="sms/send")
        reported = await asyncio.gather(*(call(it, sandbox) for it in others))
        assert len(sandbox.messages) == 1
        assert len({outcome for one in reported for outcome in one}) == 1
    for it in others[1:]:
        await it.close()


async def open_ones(cluster: Cluster, name: str) -> int:
    states = ("planned", "not_sent", "held", "in_flight", "in_doubt")
    return sum([await how_many(cluster, name, it) for it in states])


async def test_what_waits_in_the_outbox_survives_any_worker(cluster: Cluster) -> None:
    for number in range(5):
        await enqueue(cluster, GOOD, f"order-{number}")
    journal = cluster.journal("outbox.sms")
    await journal.start("sms")
    await outbox.move(cluster, journal, "sms")
    await journal.close()
    async with Sandbox() as sandbox, client_of(sandbox, cluster) as client:
        await Worker(cluster, client, receipts=False).run_once()
        assert len(sandbox.messages) == 5
