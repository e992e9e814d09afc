"""The transactional outbox."""

from __future__ import annotations

# psycopg wants literal texts; the schema's name is part of these.
# pyright: reportArgumentType=false, reportCallIssue=false
from typing import Any

import psycopg
import pytest
from psycopg.types.json import Jsonb

from aioclicksend.bulk.journal import State
from aioclicksend.cluster import Cluster, outbox
from aioclicksend.cluster.database import Connection

from .conftest import NewJournal

GOOD = {"to": "+61411000000", "body": "Your order is booked"}


async def enqueue(
    cluster: Cluster, message: Any, key: str | None = None, channel: str = "sms"
) -> int:
    async def work(connection: Connection) -> int:
        found = await connection.execute(
            "select enqueue(%s, %s, key => %s)", [channel, Jsonb(message), key]
        )
        row = await found.fetchone()
        assert row
        return int(row[0])

    return await cluster.database.run(work)


async def test_what_was_committed_moves_into_the_journal_once(
    cluster: Cluster, postgres_journal: NewJournal
) -> None:
    async with postgres_journal("outbox.sms") as one, postgres_journal("outbox.sms") as two:
        await enqueue(cluster, GOOD)
        await enqueue(cluster, GOOD)
        assert await outbox.waiting_channels(cluster) == ["sms"]
        assert await outbox.move(cluster, one, "sms") == 2
        assert await outbox.move(cluster, two, "sms") == 0
        entries = await one.claim(State.PLANNED, 10)
        assert [it.state for it in entries] == [State.PLANNED] * 2
        assert b"Your order is booked" in entries[0].body
        assert len({it.ref for it in entries}) == 2


async def test_what_was_rolled_back_never_existed(
    cluster: Cluster, postgres_journal: NewJournal
) -> None:
    async with cluster.database.connection() as connection:
        with pytest.raises(ZeroDivisionError):
            async with connection.transaction():
                await connection.execute(
                    'select enqueue(\'sms\', \'{"to": "+61411000000", "body": "no"}\')'
                )
                raise ZeroDivisionError
    async with postgres_journal("outbox.sms") as journal:
        assert await outbox.move(cluster, journal, "sms") == 0


async def test_open_transactions_with_one_key_do_not_wait(
    cluster: Cluster, postgres_journal: NewJournal
) -> None:
    statement = 'select enqueue(\'sms\', \'{"to": "+61411000000", "body": "hi"}\', key => \'k\')'
    async with cluster.database.connection() as one, cluster.database.connection() as two:
        await two.execute("set lock_timeout = '2s'")
        async with one.transaction(), two.transaction():
            await one.execute(statement)
            await two.execute(statement)
        await two.execute("reset lock_timeout")
    async with postgres_journal("outbox.sms") as journal:
        assert await outbox.move(cluster, journal, "sms") == 2
        assert len(await journal.claim(State.PLANNED, 10)) == 1
    assert await outbox.dead_rows(cluster) == []


@pytest.mark.parametrize(
    ("message", "reason"),
    [
        ({"to": "nonsense", "body": "hi"}, "bad message: to"),
        ({"to": "+61411000000", "body": ""}, "bad message: body: is empty"),
        ({"to": "+61411000000", "body": "hi", "shcedule": 1}, "bad message: unknown field"),
        ({"to": 61411000000, "body": "hi"}, "bad message: Expected"),
    ],
)
async def test_a_bad_message_is_dead_and_can_be_replayed(
    cluster: Cluster, postgres_journal: NewJournal, message: dict[str, Any], reason: str
) -> None:
    async with postgres_journal("outbox.sms") as journal:
        row = await enqueue(cluster, message)
        good = await enqueue(cluster, GOOD)
        assert await outbox.move(cluster, journal, "sms") == 2
        (dead,) = await outbox.dead_rows(cluster)
        assert (dead.id, dead.reason[: len(reason)]) == (row, reason)
        assert "6141" not in dead.reason
        assert await outbox.replay(cluster, [good]) == 0
        assert await outbox.replay(cluster) == 1
        assert await outbox.move(cluster, journal, "sms") == 1


async def test_a_key_of_another_text_is_dead(
    cluster: Cluster, postgres_journal: NewJournal
) -> None:
    async with postgres_journal("outbox.sms") as journal:
        await enqueue(cluster, GOOD, "order-17")
        await enqueue(cluster, GOOD, "order-17")
        other = await enqueue(cluster, GOOD | {"body": "other"}, "order-17")
        await outbox.move(cluster, journal, "sms")
        (dead,) = await outbox.dead_rows(cluster)
        assert (dead.id, dead.reason[:12]) == (other, "key conflict")
        assert len(await journal.claim(State.PLANNED, 10)) == 1


@pytest.mark.parametrize(
    ("arguments", "error"),
    [
        ("'fax', '{\"to\": \"+61411000000\"}'", "channel must be sms, mms or voice"),
        ("'sms', '[]'", "message must be an object"),
        ("'sms', '{\"body\": \"hi\"}'", "message must be an object with"),
        ("'sms', '{\"to\": \"+61411000000\"}', account => 'other'", 'no account "other"'),
        ('null, \'{"to": "+61411000000"}\'', "channel must be"),
    ],
)
async def test_enqueue_refuses_what_no_worker_could_read(
    cluster: Cluster, arguments: str, error: str
) -> None:
    async with cluster.database.connection() as connection:
        with pytest.raises(psycopg.errors.RaiseException, match=error):
            await connection.execute(f"select enqueue({arguments})")


async def test_an_application_needs_no_more_than_execute(
    cluster: Cluster, postgres_url: str
) -> None:
    schema = cluster.database.schema
    role = f"app_{schema}"
    async with await psycopg.AsyncConnection.connect(postgres_url, autocommit=True) as owner:
        await owner.execute(f"create role {role}")
        try:
            await owner.execute(f"set role {role}")
            call = f'select {schema}.enqueue(\'sms\', \'{{"to": "+61411000000", "body": "x"}}\')'
            with pytest.raises(psycopg.errors.InsufficientPrivilege):
                await owner.execute(call)
            await owner.execute("reset role")
            await owner.execute(f"grant usage on schema {schema} to {role}")
            await owner.execute(
                f"grant execute on function {schema}.enqueue(text, jsonb, text, text) to {role}"
            )
            await owner.execute(f"set role {role}")
            await owner.execute(call)
            with pytest.raises(psycopg.errors.InsufficientPrivilege):
                await owner.execute(f"select * from {schema}.outbox")  # noqa: S608
        finally:
            await owner.execute("reset role")
            await owner.execute(f"drop owned by {role}")
            await owner.execute(f"drop role {role}")
