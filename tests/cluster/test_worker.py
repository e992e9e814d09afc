"""Steps and workers against a sandbox."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from pathlib import Path

import pytest
from psycopg.types.json import Jsonb

from aioclicksend import ClickSend
from aioclicksend.bulk.intake import Batching
from aioclicksend.bulk.journal import Begun, Entry, State
from aioclicksend.bulk.outcome import Reason, Report, Unknown
from aioclicksend.cluster import Cluster, campaigns, outbox, steps
from aioclicksend.cluster.campaigns import Timed
from aioclicksend.cluster.database import Connection
from aioclicksend.cluster.worker import Worker, workers
from aioclicksend.errors import ClickSendError, ConfigurationError
from aioclicksend.models.messages import SmsMessage, thaw
from aioclicksend.sandbox import Sandbox
from aioclicksend.webhooks.sqlite import opened

from .conftest import NewCluster
from .helpers import client_of, plan, texts
from .test_outbox import GOOD, enqueue


async def store(cluster: Cluster, name: str, count: int, **options: object) -> None:
    await campaigns.enter(cluster, name, "sms", {"text": "hello"}, options=options)
    await plan(cluster, name, texts(count))
    await campaigns.release(cluster, name)


async def until(cluster: Cluster, name: str, state: str, count: int) -> None:
    async with asyncio.timeout(30):
        while await how_many(cluster, name, state) < count:
            await asyncio.sleep(0.05)


async def how_many(cluster: Cluster, name: str, state: str) -> int:
    try:
        return (await campaigns.status(cluster, name)).counts.get(state, 0)
    except ConfigurationError:
        return 0  # a worker makes the journal of an outbox


async def test_two_steps_send_a_campaign_once(cluster: Cluster, new_cluster: NewCluster) -> None:
    await store(cluster, "spring", 2500)
    other = new_cluster()
    async with Sandbox(balance="100000") as sandbox:
        async with client_of(sandbox, cluster) as one, client_of(sandbox, other) as two:
            await asyncio.gather(
                steps.send(cluster, one, "spring", "sms"), steps.send(other, two, "spring", "sms")
            )
        assert len(sandbox.messages) == 2500
        assert sandbox.duplicates() == {}
    assert (await campaigns.status(cluster, "spring")).counts == {"accepted": 2500}
    assert await steps.due(cluster) == []
    await other.close()


@pytest.mark.parametrize(
    ("reason", "is_left_alone"),
    [
        ("journal", False),  # its own lease was lost: no reason for the others to wait
        ("stopped", False),
        ("opted_out", False),
        ("quiet_hours", True),
        ("held", True),
        ("INSUFFICIENT_CREDIT", True),
        ("not_connected", True),
    ],
)
async def test_only_what_the_api_did_not_take_is_left_alone_by_all(
    cluster: Cluster,
    reason: str,
    is_left_alone: bool,  # noqa: FBT001 - a parameter of the test
) -> None:
    await store(cluster, "spring", 1)
    report = Report(not_sent=1, reasons={reason: 1})
    await steps._rest_after(cluster, "spring", report, None, is_campaign=True)
    assert (await steps.due(cluster) == []) == is_left_alone


async def test_a_step_raises_its_error_as_itself(
    cluster: Cluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    await store(cluster, "spring", 1)

    async def fail(*_: object) -> None:
        raise ConfigurationError("no database")

    async with Sandbox() as sandbox, client_of(sandbox, cluster) as client:
        monkeypatch.setattr("aioclicksend.bulk.sender.BulkSender.resume", fail)
        with pytest.raises(ConfigurationError, match="no database"):
            await steps.send(cluster, client, "spring", "sms")


async def test_what_a_dead_worker_left_is_sent_while_ours_waits_for_another(
    cluster: Cluster,
) -> None:
    await store(cluster, "spring", 2)
    other = cluster.journal("spring")
    await other.start("sms")
    first, second = await other.claim(State.PLANNED, 2)

    class Faster:
        """Begins what our worker has read, and lets go of the rest, as if it died."""

        begun: Begun | None = None

        async def blocked(self, numbers: Sequence[str]) -> set[str]:
            if number_of(first) in numbers:
                self.begun = await other.begin([first.row], 1)
                await delete_offers(cluster)
            return set()

    faster = Faster()
    await delete_offers(cluster)
    await other.claim(State.PLANNED, 1, first.row)
    async with Sandbox() as sandbox, client_of(sandbox, cluster) as client:
        async with asyncio.timeout(20), asyncio.TaskGroup() as tasks:
            sending = tasks.create_task(
                steps.send(
                    cluster, client, "spring", "sms", batching=Batching(size=1), suppress=faster
                )
            )
            await until(cluster, "spring", "accepted", 1)
            assert [it.to for it in sandbox.messages] == [number_of(second)]
            assert not sending.done()
            assert faster.begun is not None
            unknown = Unknown(None, "", Reason.LAGGING, "")
            await other.finish([first.row], [unknown], faster.begun.batch)
    await other.close()


def number_of(entry: Entry) -> str | None:
    return thaw(entry.body, SmsMessage).to


async def delete_offers(cluster: Cluster) -> None:
    async with cluster.database.connection() as connection:
        await connection.execute("delete from offer")


async def test_the_outbox_is_sent_and_a_key_arrives_once(cluster: Cluster) -> None:
    for _ in range(3):
        await enqueue(cluster, GOOD, "order-17")
    await enqueue(cluster, GOOD)
    await enqueue(cluster, GOOD | {"to": "nonsense"})
    assert [it.journal for it in await steps.due(cluster)] == ["outbox.sms"]
    async with Sandbox() as sandbox, client_of(sandbox, cluster) as client:
        await steps.send(cluster, client, "outbox.sms", "sms")
        assert len(sandbox.messages) == 2
    assert (await campaigns.status(cluster, "outbox.sms")).counts == {"accepted": 2}
    assert len(await outbox.dead_rows(cluster)) == 1
    assert await steps.due(cluster) == []


async def test_what_a_dead_process_left_is_looked_up_and_not_sent(cluster: Cluster) -> None:
    await store(cluster, "spring", 2)
    async with Sandbox() as sandbox, client_of(sandbox, cluster) as client:
        left = cluster.journal("spring")
        await left.start("sms")
        arrived, lost = await left.claim(State.PLANNED, 10)
        await client.sms.send(thaw(arrived.body, SmsMessage))
        await left.begin([arrived.row, lost.row], 1)
        await left.close()
        await campaigns.pause(cluster, "spring")
        (due,) = await steps.due(cluster)
        assert (due.send, due.rescue) == (False, True)
        await store_options(cluster, "spring", settle=0.5)
        await steps.rescue(cluster, client, "spring", "sms")
        assert len(sandbox.messages) == 1
    assert (await campaigns.status(cluster, "spring")).counts == {"accepted": 1, "unknown": 1}
    assert await steps.due(cluster) == []


async def test_a_doubt_that_cannot_be_priced_takes_the_budget_of_all(cluster: Cluster) -> None:
    await store(cluster, "spring", 4, settle=0.3, budget="1.00")
    async with Sandbox() as sandbox, client_of(sandbox, cluster) as client:
        left = cluster.journal("spring")
        await left.start("sms")
        (lost,) = await left.claim(State.PLANNED, 1)
        await left.begin([lost.row], 1)
        await left.close()
        sandbox.fail_next("error-before", path="/sms/price", times=10)
        await steps.rescue(cluster, client, "spring", "sms")
        sandbox.clear_faults()
        # Also for another sender, which finds the message unknown and has no need to price it.
        report = await steps.send(cluster, client, "spring", "sms")
        assert (report.not_sent, sandbox.messages) == (3, [])
        assert (await campaigns.load(cluster, "spring")).stage == "paused"


async def opt_out(client: ClickSend, number: str) -> None:
    """Put a number on the account's list of people who opted out."""
    stop = await client.lists.create(list_name="Opt-Out List")
    assert stop.list_id
    await client.contacts.create(stop.list_id, phone_number=number)


async def test_the_accounts_opt_outs_are_read_again_before_sending(cluster: Cluster) -> None:
    await store(cluster, "spring", 3, account_opt_outs=True)
    async with Sandbox() as sandbox, client_of(sandbox, cluster) as client:
        await opt_out(client, "0411 000 001")
        report = await steps.send(cluster, client, "spring", "sms")
        assert (report.accepted, report.reasons) == (2, {"opted_out": 1})
        assert "+61411000001" not in {it.to for it in sandbox.messages}


async def test_an_opt_out_without_a_number_pauses_the_campaign(cluster: Cluster) -> None:
    await store(cluster, "spring", 3, account_opt_outs=True)
    async with Sandbox() as sandbox, client_of(sandbox, cluster) as client:
        await opt_out(client, "unlisted")
        with pytest.raises(ConfigurationError, match="no number could be read"):
            await steps.send(cluster, client, "spring", "sms")
        assert not sandbox.messages
    assert (await campaigns.load(cluster, "spring")).stage == "paused"


async def test_without_the_accounts_opt_outs_nothing_is_sent(cluster: Cluster) -> None:
    await store(cluster, "spring", 3, account_opt_outs=True)
    async with Sandbox() as sandbox, client_of(sandbox, cluster) as client:
        sandbox.fail_next("error-before", path="/lists", times=20)
        with pytest.raises(ClickSendError):
            await steps.send(cluster, client, "spring", "sms")
        assert not sandbox.messages
    assert await steps.due(cluster) == []


async def test_opt_outs_in_the_inbox_are_obeyed(cluster: Cluster) -> None:
    await store(cluster, "spring", 3)
    inbox = cluster.inbox()
    await inbox.open()
    await inbox.suppress(["+61411000001"])
    async with Sandbox() as sandbox, client_of(sandbox, cluster) as client:
        report = await steps.send(cluster, client, "spring", "sms")
        assert (report.accepted, report.reasons) == (2, {"opted_out": 1})
        assert await steps.due(cluster) == []
        assert len(sandbox.messages) == 2


async def test_a_store_is_obeyed_beside_the_inbox(cluster: Cluster, tmp_path: Path) -> None:
    await store(cluster, "spring", 4)
    inbox = cluster.inbox()
    await inbox.open()
    await inbox.suppress(["+61411000001"])
    async with (
        opened(tmp_path / "inbox.db") as file,
        Sandbox() as sandbox,
        client_of(sandbox, cluster) as client,
    ):
        assert file is not None
        await file.suppress(["+61411000002"])
        await Worker(cluster, client, suppress=file, receipts=False).run_once()
        assert sorted(it.to[-1] for it in sandbox.messages) == ["0", "3"]


@pytest.mark.slow
async def test_a_campaign_is_paused_while_it_is_sent(
    cluster: Cluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(steps, "OBEY", 0.05)
    await store(cluster, "spring", 20_000)
    async with Sandbox(latency=0.05, balance="100000") as sandbox:
        async with client_of(sandbox, cluster) as client:
            sending = asyncio.create_task(steps.send(cluster, client, "spring", "sms", lanes=1))
            await until(cluster, "spring", "accepted", 1)
            await campaigns.pause(cluster, "spring")
            report = await sending
            assert 0 < report.accepted < 20_000
            assert await steps.due(cluster) == []
        assert sandbox.duplicates() == {}


async def test_a_list_that_is_corrected_while_it_is_sent_reaches_each_person_once(
    cluster: Cluster, new_cluster: NewCluster
) -> None:
    await store(cluster, "spring", 300)
    other, edition = new_cluster(), 0

    async def corrections() -> AsyncIterator[Timed]:
        for message in texts(300):
            yield Timed(SmsMessage(to=message.to, body=f"edition {edition}"), is_correction=True)

    async with Sandbox(latency=0.02) as sandbox, client_of(sandbox, cluster) as client:
        small = Batching(size=10)
        while len(sandbox.messages) < 300:
            # What one step reads and another process withdraws is left to the next step.
            sending = asyncio.create_task(
                steps.send(cluster, client, "spring", "sms", lanes=2, batching=small)
            )
            while not sending.done():
                edition += 1
                await campaigns.plan(other, "spring", "sms", corrections())
                await asyncio.sleep(0.01)
            await sending
        assert len({it.to for it in sandbox.messages}) == len(sandbox.messages) == 300
        assert len({it.body for it in sandbox.messages}) > 1
    assert (await campaigns.status(cluster, "spring")).counts == {"accepted": 300}


async def test_a_worker_sends_campaigns_and_outbox_until_it_is_stopped(cluster: Cluster) -> None:
    await store(cluster, "spring", 50)
    async with Sandbox() as sandbox, client_of(sandbox, cluster) as client:
        worker = Worker(cluster, client, receipts=False)
        running = asyncio.create_task(worker.run())
        await until(cluster, "spring", "accepted", 50)
        assert [it.is_alive for it in await workers(cluster)] == [True]
        await enqueue(cluster, GOOD)
        await until(cluster, "outbox.sms", "accepted", 1)
        worker.stop("enough")
        async with asyncio.timeout(20):
            await running
        assert await workers(cluster) == []
        assert len(sandbox.messages) == 51


async def test_a_worker_does_what_is_due_once(cluster: Cluster) -> None:
    await store(cluster, "spring", 5)
    await enqueue(cluster, GOOD)
    async with Sandbox() as sandbox, client_of(sandbox, cluster) as client:
        await Worker(cluster, client, receipts=False).run_once()
        assert len(sandbox.messages) == 6


async def store_options(cluster: Cluster, name: str, **options: object) -> None:
    async def work(connection: Connection) -> None:
        await connection.execute(
            "update campaign set options = %s from journal j where j.id = campaign.journal "
            "and j.name = %s",
            [Jsonb(options), name],
        )

    await cluster.database.run(work)
