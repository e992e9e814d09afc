"""What every implementation of a journal promises, of the one in PostgreSQL."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack

import pytest

from aioclicksend.bulk.journal import JournalProtocol
from aioclicksend.cluster import Cluster
from tests.bulk import test_journal_protocol as common
from tests.bulk.test_journal_protocol import Open

pytestmark = pytest.mark.slow  # as many migrations as tests

# The same tests, also those that are added later, of another journal.
globals().update({name: it for name, it in vars(common).items() if name.startswith("test_")})
journal = common.journal
# Single messages without a ref or a key are always new here: to count them among those of a run,
# every process would have to wait for every other one.
del globals()["test_a_run_finds_single_messages_whenever_they_were_entered"]


@pytest.fixture
async def reopen(cluster: Cluster) -> AsyncIterator[Open]:
    async with AsyncExitStack() as stack:

        async def open_journal() -> JournalProtocol:
            journal = cluster.journal("x")
            await journal.start("sms")
            stack.push_async_callback(journal.close)
            return journal

        yield open_journal
