"""Databases that cannot be used: what is wrong, what to do, and never a password."""

from __future__ import annotations

# psycopg wants literal texts; the schema's name is part of these.
# pyright: reportArgumentType=false, reportCallIssue=false
import psycopg
import pytest

from aioclicksend.cluster import Cluster, schema
from aioclicksend.cluster import database as module
from aioclicksend.cluster.database import DatabaseUnreachableError, holds_password
from aioclicksend.errors import ConfigurationError

from .conftest import NewCluster


@pytest.mark.parametrize(
    "url", ["", "  ", "mysql://host/db", "postgresql://host:port:/db", "host", "a=b\nc=d"]
)
def test_what_is_no_url_is_refused_without_repeating_it(url: str) -> None:
    with pytest.raises(ConfigurationError, match="must look like postgresql://user@host"):
        Cluster(url)


@pytest.mark.parametrize(
    ("url", "found"),
    [
        ("postgresql://u:secret@host/db", True),
        ("postgresql://u:@host/db", False),
        ("postgresql://u@host/db", False),
        ("postgresql://host/db?password=secret", True),
        ("host=h password=secret", True),
        ("host=h sslpassword=secret", True),
        ("host=h", False),
    ],
)
def test_a_password_is_recognized(url: str, found: bool) -> None:  # noqa: FBT001
    assert holds_password(url) is found


@pytest.mark.parametrize("name", ["", "Upper", "a-b", "a;drop", "1a", "a" * 49])
def test_a_schema_has_a_plain_name(name: str) -> None:
    with pytest.raises(ConfigurationError, match="schema: must begin"):
        Cluster("postgresql://host/db", schema=name)


@pytest.mark.parametrize("name", ["", "two words", "a" * 65])
def test_an_account_has_a_plain_name(name: str) -> None:
    with pytest.raises(ConfigurationError, match="account:"):
        Cluster("postgresql://host/db", account=name)


async def test_a_missing_schema_says_what_to_run(new_cluster: NewCluster) -> None:
    cluster = new_cluster()
    with pytest.raises(ConfigurationError, match=r"has no schema .* aioclicksend cluster migrate"):
        await cluster.open()
    await cluster.close()


async def test_a_newer_schema_is_refused(cluster: Cluster, new_cluster: NewCluster) -> None:
    async with cluster.database.connection() as connection:
        await connection.execute("update meta set value = '99' where name = 'version'")
    other = new_cluster()
    with pytest.raises(ConfigurationError, match="version 99, made by a newer aioclicksend"):
        await other.open()
    with pytest.raises(ConfigurationError, match="upgrade it"):
        await other.migrate()
    await other.close()


@pytest.mark.usefixtures("cluster")
async def test_an_older_schema_is_refused(
    new_cluster: NewCluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(schema, "VERSION", 3)
    other = new_cluster()
    with pytest.raises(ConfigurationError, match="version 2, this aioclicksend needs 3: run"):
        await other.open()
    await other.close()


async def test_migrating_again_changes_nothing(cluster: Cluster) -> None:
    await cluster.migrate()
    await cluster.open()


@pytest.mark.usefixtures("cluster")
async def test_an_old_server_is_refused(
    new_cluster: NewCluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "OLDEST_SERVER", 990000)
    other = new_cluster()
    with pytest.raises(ConfigurationError, match="too old: 13 or newer"):
        await other.open()


async def test_an_unreachable_server_says_why_and_holds_no_password() -> None:
    cluster = Cluster("postgresql://someone:hunter2@127.0.0.1:1/db")
    with pytest.raises(DatabaseUnreachableError, match="refused") as caught:
        await cluster.open(patience=0)
    assert "hunter2" not in str(caught.value)
    assert "hunter2" not in repr(cluster) + repr(cluster.database)


async def test_a_role_without_privileges_is_told_where_to_read(
    cluster: Cluster, postgres_url: str
) -> None:
    role = f"nobody_{cluster.database.schema}"
    async with await psycopg.AsyncConnection.connect(postgres_url, autocommit=True) as owner:
        await owner.execute(f"create role {role}")
        try:
            other = Cluster(postgres_url, schema=cluster.database.schema)
            async with other.database.connection() as connection:
                await connection.execute(f"set role {role}")
            with pytest.raises(ConfigurationError, match=r"docs/hosts.md|has no schema"):
                await other.open()
            await other.close()
        finally:
            await owner.execute(f"drop role {role}")


async def test_connections_that_died_are_replaced(cluster: Cluster) -> None:
    async def pid(connection: module.Connection) -> int:
        row = await (await connection.execute("select pg_backend_pid()")).fetchone()
        assert row
        return int(row[0])

    first = await cluster.database.run(pid)
    async with await cluster.database.connect() as killer:
        await killer.execute("select pg_terminate_backend(%s)", [first])
    assert await cluster.database.run(pid) != first
