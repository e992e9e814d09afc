"""The state machine of `tests/bulk/test_machine.py`, over a journal in PostgreSQL."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import rule, run_state_machine_as_test

from aioclicksend.cluster import Cluster, PostgresJournal
from tests.bulk.test_machine import MESSAGES, Campaign


class DyingJournal(PostgresJournal):
    """A journal whose process is killed at its n-th access."""

    def __init__(self, cluster: Cluster, name: str, accesses: int) -> None:
        super().__init__(cluster, name)
        self._left = accesses
        self._database = _Dying(self)  # type: ignore[assignment]

    def spend(self) -> None:
        """Count an access; the last one kills."""
        self._left -= 1
        if self._left < 0:
            raise OSError("killed")

    async def close(self) -> None:
        """Leave the tables as a dead process does."""
        if self._owner:
            async with self._cluster.database.connection() as connection:
                await connection.execute(
                    "update owner set ended = clock_timestamp(), exited = true where id = %s",
                    [self._owner],
                )


class _Dying:
    def __init__(self, journal: DyingJournal) -> None:
        self._journal = journal
        self._real = journal._cluster.database

    async def run(self, work: Callable[..., Awaitable[Any]], **options: Any) -> Any:
        self._journal.spend()
        return await self._real.run(work, **options)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._real, name)


class PostgresCampaign(Campaign):
    """The same campaign, whose journal is one of a cluster."""

    cluster: Cluster

    def __init__(self) -> None:
        super().__init__()
        self.name = uuid.uuid4().hex

    @rule(numbers=MESSAGES, accesses=st.integers(2, 14))
    def run_and_kill(self, numbers: list[int], accesses: int) -> None:
        async def killed() -> None:
            journal: Any = DyingJournal(self.cluster, self.name, accesses)
            try:
                await self._run(numbers, resend=False, journal=journal)
            except OSError as error:
                assert str(error) == "killed"  # noqa: PT017 - it need not come

        self.wait(killed())

    run_on_a_full_disk = None  # type: ignore[assignment] # the disk is the server's

    def journal(self) -> PostgresJournal:
        return self.cluster.journal(self.name)

    async def _end(self) -> None:
        try:
            # What was looked up once stays unknown until `campaign resume` asks for it again.
            journal = self.journal()
            await journal.start("sms")
            await journal.reconsider()
            await journal.close()
            await super()._end()
        finally:
            await self.cluster.close()


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_the_promise_holds_over_postgresql(postgres_url: str) -> None:
    made = Cluster(postgres_url, schema=f"test_{uuid.uuid4().hex[:12]}")

    async def migrate() -> None:
        async with made.closing():
            await made.migrate()

    asyncio.run(migrate())

    class OverPostgres(PostgresCampaign):
        cluster = made

    run_state_machine_as_test(OverPostgres, settings=Campaign.TestCase.settings)
