"""A backup that was restored: it does not know what was sent after it was taken."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from aioclicksend.cluster import Cluster, campaigns, outbox, retention
from aioclicksend.cluster.worker import Worker
from aioclicksend.errors import ConfigurationError
from aioclicksend.sandbox import Sandbox

from .helpers import client_of
from .test_outbox import GOOD, enqueue
from .test_worker import how_many, store

# What the tables held before anything was sent.
RESTORE = """
update standing set state = 'planned', owner = null, batch = null, attempt = 0, message_id = null,
    parts = null, price = null, settled = null;
delete from batch; delete from offer; delete from owner;
"""


async def work_once(cluster: Cluster, sandbox: Sandbox) -> None:
    async with client_of(sandbox, cluster) as client:
        await Worker(cluster, client, receipts=False).run_once()


async def test_what_was_sent_after_a_backup_is_found_and_not_sent_again(cluster: Cluster) -> None:
    taken = datetime.now(UTC)
    await store(cluster, "spring", 6, settle=0.3)
    async with Sandbox() as sandbox:
        await work_once(cluster, sandbox)
        async with cluster.database.connection() as connection:
            await connection.execute(RESTORE)
        found = await retention.restored(cluster, taken.isoformat())
        assert found == (6, 0)
        await work_once(cluster, sandbox)
        assert len(sandbox.messages) == 6
        assert sandbox.duplicates() == {}
    assert (await campaigns.status(cluster, "spring")).counts == {"accepted": 6}


async def test_what_was_not_sent_is_for_a_person_to_decide(cluster: Cluster) -> None:
    await store(cluster, "spring", 3, settle=0.3)
    async with Sandbox() as sandbox:
        await retention.restored(cluster, datetime.now(UTC).isoformat())
        await work_once(cluster, sandbox)
        assert not sandbox.messages
        assert await how_many(cluster, "spring", "unknown") == 3
        assert await campaigns.resolve(cluster, "spring", "resend") == 3
        await work_once(cluster, sandbox)
        assert len(sandbox.messages) == 3


async def test_the_outbox_of_a_backup_is_put_aside(cluster: Cluster) -> None:
    await enqueue(cluster, GOOD, "order-17")
    async with Sandbox() as sandbox:
        found = await retention.restored(cluster, datetime.now(UTC).isoformat())
        assert found == (0, 1)
        await work_once(cluster, sandbox)
        assert not sandbox.messages
        (row,) = await outbox.dead_rows(cluster)
        assert "restored backup" in row.reason
        assert await outbox.replay(cluster, [row.id]) == 1
        await work_once(cluster, sandbox)
        assert len(sandbox.messages) == 1


async def test_workers_are_stopped_first(cluster: Cluster) -> None:
    journal = cluster.journal("spring")
    await journal.start("sms")
    now = datetime.now(UTC) - timedelta(hours=1)
    with pytest.raises(ConfigurationError, match="stop them first"):
        await retention.restored(cluster, now.isoformat())
    await journal.close()
    with pytest.raises(ConfigurationError, match="with an offset"):
        await retention.restored(cluster, "2026-12-01 09:00")
