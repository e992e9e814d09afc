"""The commands of a cluster, run as people run them."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
import uuid
from datetime import UTC
from pathlib import Path

import pytest

from aioclicksend.cli import clustered, progress
from aioclicksend.cli.database import VARIABLE, Database
from aioclicksend.cli.output import PLAIN, Output
from aioclicksend.cluster import Cluster, campaigns, steps
from aioclicksend.errors import ConfigurationError
from aioclicksend.sandbox import Sandbox

from .helpers import client_of
from .test_outbox import GOOD, enqueue
from .test_worker import how_many, store


def run(*argv: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(  # noqa: S603
        [sys.executable, "-m", "aioclicksend", *argv],
        env=os.environ | environment,
        capture_output=True,
        text=True,
        timeout=200,
        check=False,
    )


async def run_on(
    cluster: Cluster, *argv: str, **environment: str
) -> subprocess.CompletedProcess[str]:
    """Run a command on the tables of a cluster."""
    return await asyncio.to_thread(run, *argv, "--schema", cluster.database.schema, **environment)


@pytest.fixture
def people(tmp_path: Path) -> Path:
    """Return a list of two."""
    path = tmp_path / "people.csv"
    path.write_text("to,name\n+61411111111,Ann\n+61422222222,Bob\n")
    return path


def test_a_password_in_the_arguments_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(VARIABLE, raising=False)
    with pytest.raises(ConfigurationError, match="--database holds a password") as caught:
        Database("postgresql://someone:hunter2@127.0.0.1:1/db").cluster()
    assert "hunter2" not in str(caught.value)
    Database("postgresql://someone:@127.0.0.1:1/db").cluster()
    with pytest.raises(ConfigurationError, match="no database: give --database, or set"):
        Database().cluster()
    monkeypatch.setenv(VARIABLE, "postgresql://someone:hunter2@127.0.0.1:1/db")
    assert "hunter2" not in repr(Database().cluster())


@pytest.mark.slow
@pytest.mark.timeout(300)
async def test_from_migrate_to_a_text(cluster: Cluster, postgres_url: str) -> None:
    await enqueue(cluster, GOOD)
    await enqueue(cluster, GOOD | {"to": "nonsense"})
    async with Sandbox() as sandbox:
        environment = sandbox.environ | {VARIABLE: postgres_url}

        async def command(*argv: str) -> subprocess.CompletedProcess[str]:
            return await run_on(cluster, *argv, **environment)

        migrated = await command("cluster", "migrate")
        assert migrated.returncode == 0, migrated.stderr
        once = await command("worker", "--once")
        assert once.returncode == 0, once.stderr
        assert len(sandbox.messages) == 1
        health = await command("worker", "health", "--anywhere")
        assert health.returncode == 4
        dead = await command("cluster", "outbox", "list")
        assert "bad message" in dead.stdout
        erased = await command("cluster", "erase", "--number", "+61411000000", "--yes")
        assert "1 messages deleted" in erased.stdout, erased.stderr


async def test_another_accounts_credentials_are_refused(cluster: Cluster) -> None:
    async with cluster.database.connection() as connection:
        await connection.execute("update account set clicksend_user = '1'")
    async with Sandbox() as sandbox, client_of(sandbox, cluster) as client:
        with pytest.raises(ConfigurationError, match='"main" of this database is that of'):
            await cluster.bind(client)


def test_status_report_and_stages_of_a_stored_campaign(
    postgres_url: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    schema = f"test_{uuid.uuid4().hex[:12]}"
    database = Database(postgres_url, schema=schema)

    async def prepare() -> None:
        cluster = Cluster(postgres_url, schema=schema)
        async with cluster.closing():
            await cluster.migrate()
            await store(cluster, "spring", 3)

    asyncio.run(prepare())
    out = Output()
    assert clustered.status("spring", database, out) == 1
    assert "planned" in capsys.readouterr().out
    assert clustered.set_stage("spring", database, out, "pause") == 1
    assert "paused" in capsys.readouterr().out
    assert clustered.report("spring", database, out, tmp_path / "report.csv") == 1
    assert (tmp_path / "report.csv").read_text().count("+61411") == 3
    with pytest.raises(ConfigurationError, match='no campaign "autumn"'):
        clustered.status("autumn", database, out)

    async def check() -> None:
        cluster = Cluster(postgres_url, schema=schema)
        async with cluster.closing():
            assert not await campaigns.is_to_be_sent(cluster, "spring")
            assert await how_many(cluster, "spring", "planned") == 3

    asyncio.run(check())


async def test_the_progress_of_a_campaign_that_others_send(
    cluster: Cluster, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(progress, "_LINE", 0.01)
    monkeypatch.setattr(clustered, "_LOOK", 0.01)
    await store(cluster, "spring", 3)
    seen = ""

    async def until(text: str) -> None:
        nonlocal seen
        async with asyncio.timeout(20):
            while text not in seen:
                await asyncio.sleep(0.01)
                seen += capsys.readouterr().err

    async with clustered._watched(cluster, "spring", PLAIN):
        await until("0/3")
        async with Sandbox() as sandbox, client_of(sandbox, cluster) as client:
            await steps.send(cluster, client, "spring", "sms")
        await until("3/3 · sent 3 · accepted 3")


@pytest.mark.slow
@pytest.mark.timeout(300)
async def test_a_campaign_is_stored_and_sent_by_a_worker(
    cluster: Cluster, postgres_url: str, people: Path
) -> None:
    async with Sandbox() as sandbox:
        options = ("--database", postgres_url)

        async def command(*argv: str) -> subprocess.CompletedProcess[str]:
            return await run_on(cluster, *argv, *options, **sandbox.environ)

        text = ("--text", "Hi {name}, we open at 9.", "--name", "spring", "--yes")
        stored = await command("campaign", "run", str(people), *text, "--detach")
        assert stored.returncode == 0, stored.stderr
        assert sandbox.messages == []
        other = await command(
            "campaign", "run", str(people), "--text", "Other", "--name", "spring", "--yes"
        )
        assert other.returncode == 4
        assert "exists with another text" in other.stderr
        assert (await command("worker", "--once")).returncode == 0
        assert len(sandbox.messages) == 2
        status = await command("campaign", "status", "spring")
        assert (status.returncode, "accepted" in status.stdout) == (0, True), status.stderr
        again = await command("campaign", "run", str(people), *text)
        assert again.returncode == 0, again.stderr
        assert len(sandbox.messages) == 2


@pytest.mark.slow
@pytest.mark.timeout(300)
async def test_the_database_of_the_environment_and_a_later_start(
    cluster: Cluster, postgres_url: str, people: Path
) -> None:
    async with Sandbox() as sandbox:
        environment = sandbox.environ | {VARIABLE: postgres_url}

        async def command(*argv: str) -> subprocess.CompletedProcess[str]:
            return await run_on(cluster, *argv, **environment)

        later = ("--text", "Hi {name}", "--name", "spring", "--yes", "--at", "2099-12-01 09:00",
                 "--zone", "UTC")  # fmt: skip
        here = await command("campaign", "run", str(people), *later)
        assert (here.returncode, "needs --detach" in here.stderr) == (2, True), here.stderr
        store = await command("campaign", "run", str(people), *later, "--detach", "--store", "x.db")
        assert (store.returncode, "--store is not for" in store.stderr) == (2, True), store.stderr
        stored = await command("campaign", "run", str(people), *later, "--detach")
        assert stored.returncode == 0, stored.stderr
        assert (await command("worker", "--once")).returncode == 0
        assert sandbox.messages == []
        assert (await campaigns.load(cluster, "spring")).starts.year == 2099
        status = await command("campaign", "status", "spring")
        assert (status.returncode, "planned" in status.stdout) == (1, True), status.stderr
        cancelled = await command("campaign", "cancel", "spring", "--yes")
        assert cancelled.returncode == 0, cancelled.stderr
        assert (await campaigns.load(cluster, "spring")).stage == "cancelled"
        again = await command("campaign", "run", str(people), *later, "--detach")
        assert (again.returncode, "cancel --undo spring" in again.stderr) == (4, True), again.stderr
        undone = await command("campaign", "cancel", "spring", "--undo")
        assert undone.returncode == 0, undone.stderr
        assert (await campaigns.load(cluster, "spring")).stage == "paused"
        again = await command("campaign", "run", str(people), *later, "--detach")
        assert (again.returncode, "spring is paused" in again.stderr) == (0, True), again.stderr


@pytest.mark.slow
@pytest.mark.timeout(300)
async def test_each_recipients_own_time_and_hours(
    cluster: Cluster, postgres_url: str, tmp_path: Path
) -> None:
    people = tmp_path / "people.csv"
    people.write_text("to,name\n+61411111111,Ann\n+447911123456,Bob\n")
    text = ("--text", "Hi {name}", "--name", "spring", "--yes", "--at", "2099-12-01 09:00",
            "--local", "--not-before", "08:00", "--not-after", "21:00")  # fmt: skip
    async with Sandbox() as sandbox:
        environment = sandbox.environ | {VARIABLE: postgres_url}

        async def command(*argv: str) -> subprocess.CompletedProcess[str]:
            return await run_on(cluster, *argv, **environment)

        server = await command("campaign", "run", str(people), *text, "--detach", "--at-server")
        assert (server.returncode, "--at-server is not for" in server.stderr) == (2, True)
        stored = await command("campaign", "run", str(people), *text, "--detach")
        assert stored.returncode == 0, stored.stderr
        assert (await command("worker", "--once")).returncode == 0
        assert sandbox.messages == []
        found = await campaigns.load(cluster, "spring")
        # Nine o'clock in all of Australia comes before that of Great Britain.
        assert f"{found.starts.astimezone(UTC):%d %H:%M}" == "01 01:00"
        assert found.options["quiet"]["name"] == "08:00 to 21:00"
        status = await command("campaign", "status", "spring")
        assert "1, the first on 2099-12-01 09:00 UTC" in status.stdout, status.stdout
        report = tmp_path / "failed.csv"
        failed = await command("campaign", "report", "spring", "--failed", "--csv", str(report))
        assert (failed.returncode, report.read_text("utf-8-sig")) == (1, "to,body\n")


@pytest.mark.slow
@pytest.mark.timeout(300)
async def test_a_list_that_is_corrected_and_extended_sends_nobody_a_second_text(
    cluster: Cluster, postgres_url: str, people: Path
) -> None:
    async with Sandbox() as sandbox:
        options = ("--database", postgres_url)

        async def command(*argv: str) -> str:
            done = await run_on(cluster, *argv, *options, **sandbox.environ)
            assert done.returncode in (0, 1), done.stderr
            return done.stdout

        async def run_list(*argv: str) -> str:
            text = ("--text", "Hi {name}", "--name", "spring", "--yes")
            return await command("campaign", "run", str(people), *text, *argv)

        await run_list("--detach")
        people.write_text(people.read_text().replace("Ann", "Anne"))
        await run_list("--detach")
        await command("worker", "--once")
        assert sorted(it.body for it in sandbox.messages) == ["Hi Anne", "Hi Bob"]
        people.write_text(people.read_text().replace("Bob", "Rob") + "+61433333333,Cy\n")
        shown = await run_list()
        assert "to be sent      1 message, 1 part" in shown, shown
        assert [it.body for it in sandbox.messages[2:]] == ["Hi Cy"]
        assert "ready" in (await command("campaign", "list")).split()
