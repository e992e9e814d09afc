"""Stored campaigns whose messages are due later, or not at this hour."""

from __future__ import annotations

import sys
from collections.abc import AsyncIterator
from datetime import UTC, datetime, time, timedelta, tzinfo
from importlib.resources import files
from typing import Self

import pytest

from aioclicksend.cluster import Cluster, campaigns, schema, steps
from aioclicksend.cluster.campaigns import Timed
from aioclicksend.cluster.worker import Worker
from aioclicksend.errors import ConfigurationError
from aioclicksend.quiet import QuietHours
from aioclicksend.sandbox import Sandbox

from .conftest import NewCluster
from .helpers import client_of, texts
from .test_worker import how_many, store

LATER = timedelta(hours=5)


async def store_timed(cluster: Cluster, *dues: timedelta | None, **options: object) -> None:
    """Store a campaign of as many messages, each due so long from now."""
    now = datetime.now(UTC)

    async def timed() -> AsyncIterator[Timed]:
        for message, due in zip(texts(len(dues)), dues, strict=True):
            yield Timed(message, None if due is None else now + due)

    await campaigns.enter(cluster, "spring", "sms", {"text": "hello"}, options=options)
    await campaigns.plan(cluster, "spring", "sms", timed())
    await campaigns.release(cluster, "spring")


async def pass_time(cluster: Cluster, hours: float) -> None:
    """Have all that waits in the database wait so much less."""
    async with cluster.database.connection() as connection:
        gone = timedelta(hours=hours)
        await connection.execute("update standing set due = due - %s", [gone])
        await connection.execute("update journal set rest_until = rest_until - %s", [gone])


async def work_once(cluster: Cluster, sandbox: Sandbox) -> list[str]:
    """Have a worker do what is due, and return the numbers that got a message by it."""
    before = len(sandbox.messages)
    async with client_of(sandbox, cluster) as client:
        await Worker(cluster, client, receipts=False).run_once()
    return [it.to for it in sandbox.messages[before:]]


def hours(*, are_open: bool) -> QuietHours:
    """Return hours that are open now, or closed for five hours more."""
    hour = datetime.now(UTC).replace(minute=0, second=0, microsecond=0)
    opens = hour if are_open else hour + LATER
    closes = opens + timedelta(hours=3)
    return QuietHours.between(at(opens), at(closes), zone="UTC")


def at(moment: datetime) -> time:
    return moment.time()


async def test_each_message_is_sent_once_it_is_due(cluster: Cluster) -> None:
    await store_timed(cluster, None, LATER, 2 * LATER, timedelta(seconds=-1))
    found = await campaigns.status(cluster, "spring")
    assert found.waiting == 2
    assert found.next_due is not None
    assert timedelta(hours=4) < found.next_due - datetime.now(UTC) <= LATER
    async with Sandbox() as sandbox:
        assert sorted(await work_once(cluster, sandbox)) == ["+61411000000", "+61411000003"]
        assert await steps.due(cluster) == []
        await pass_time(cluster, 5)
        assert await work_once(cluster, sandbox) == ["+61411000001"]
        await pass_time(cluster, 5)
        assert await work_once(cluster, sandbox) == ["+61411000002"]
        assert sandbox.duplicates() == {}
    found = await campaigns.status(cluster, "spring")
    assert (found.counts, found.waiting, found.next_due) == ({"accepted": 4}, 0, None)


async def test_entered_again_a_message_keeps_its_time(cluster: Cluster) -> None:
    await store_timed(cluster, LATER)
    await store_timed(cluster, None)
    assert (await campaigns.status(cluster, "spring")).waiting == 1
    assert await steps.due(cluster) == []


async def test_what_is_due_wakes_a_campaign_that_rests(cluster: Cluster) -> None:
    await store_timed(cluster, LATER)
    async with cluster.database.connection() as connection:
        await connection.execute("update journal set rest_until = 'infinity'")
    assert await steps.due(cluster) == []
    async with cluster.database.connection() as connection:
        await connection.execute("update standing set due = clock_timestamp()")
    assert [it.send for it in await steps.due(cluster)] == [True]


async def test_quiet_hours_are_kept_although_they_began_after_the_plan(cluster: Cluster) -> None:
    await store(cluster, "spring", 3, quiet=hours(are_open=False).stored)
    await give_numbers(cluster, "+3546111230", "+3546111231", "+3546111232")
    async with Sandbox() as sandbox:
        assert await work_once(cluster, sandbox) == []
        found = await campaigns.status(cluster, "spring")
        assert (found.counts, found.reasons) == (
            {"not_sent": 3},
            [("not_sent", "quiet_hours", 3)],
        )
        # It rests until they may be written to, so that it is not read at every look.
        assert await steps.due(cluster) == []
        rest = await rest_of(cluster)
        assert timedelta(hours=3, minutes=58) < rest <= LATER
        # Once it is their hour:
        await campaigns.enter(
            cluster, "spring", "sms", {}, options={"quiet": hours(are_open=True).stored}
        )
        await pass_time(cluster, 5)
        assert len(await work_once(cluster, sandbox)) == 3


async def test_without_the_zones_of_numbers_nobody_is_written_to(
    cluster: Cluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    await store(cluster, "spring", 2, quiet=hours(are_open=True).stored)
    monkeypatch.setitem(sys.modules, "phonenumbers", None)
    async with Sandbox() as sandbox, client_of(sandbox, cluster) as client:
        with pytest.raises(ConfigurationError, match="quiet hours need: pip install"):
            await steps.send(cluster, client, "spring", "sms")
        assert not sandbox.messages
    assert (await campaigns.load(cluster, "spring")).stage == "paused"


async def test_who_is_in_another_zone_is_written_to_all_the_same(cluster: Cluster) -> None:
    await store(cluster, "spring", 2, quiet=hours(are_open=False).stored)
    # Of Iceland, whose time is UTC, and of Japan, nine hours ahead of it.
    await give_numbers(cluster, "+3546111234", "+819012345678")
    hour = datetime.now(UTC).replace(minute=0, second=0, microsecond=0)
    tokyo = QuietHours.between(
        at(hour + timedelta(hours=9)), at(hour + timedelta(hours=11)), zone="UTC"
    )
    await campaigns.enter(cluster, "spring", "sms", {}, options={"quiet": tokyo.stored})
    async with Sandbox() as sandbox:
        assert await work_once(cluster, sandbox) == ["+819012345678"]
        assert await how_many(cluster, "spring", "not_sent") == 1


class HourOff(datetime):
    """The clock of a machine that is wrong."""

    @classmethod
    def now(cls, tz: tzinfo | None = None) -> Self:
        return super().now(tz) + timedelta(hours=1)


async def test_the_hour_is_that_of_the_server(
    cluster: Cluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    await store(cluster, "spring", 2, quiet=hours(are_open=True).stored)
    await give_numbers(cluster, "+3546111230", "+3546111231")
    asked: list[datetime] = []
    opening = QuietHours.opening

    def note(self: QuietHours, number: str, moment: datetime) -> datetime | None:
        asked.append(moment)
        return opening(self, number, moment)

    monkeypatch.setattr(QuietHours, "opening", note)
    monkeypatch.setattr(steps, "datetime", HourOff)
    async with Sandbox() as sandbox:
        assert len(await work_once(cluster, sandbox)) == 2
    monkeypatch.undo()
    assert len(asked) == 2
    assert all(abs(it - datetime.now(UTC)) < timedelta(seconds=60) for it in asked)


async def test_a_step_sends_nothing_of_a_campaign_that_is_not_to_be_sent(cluster: Cluster) -> None:
    await store(cluster, "spring", 3)
    async with Sandbox() as sandbox, client_of(sandbox, cluster) as client:
        await campaigns.pause(cluster, "spring")
        report = await steps.send(cluster, client, "spring", "sms")
        assert (report.accepted, sandbox.messages) == (0, [])
        await campaigns.cancel(cluster, "spring")
        await steps.send(cluster, client, "spring", "sms")
        await campaigns.undo_cancel(cluster, "spring")
        await steps.send(cluster, client, "spring", "sms")
        assert not sandbox.messages
        await campaigns.resume(cluster, "spring")
        assert (await steps.send(cluster, client, "spring", "sms")).accepted == 3


async def test_a_campaign_that_starts_later_is_not_begun_by_a_step(cluster: Cluster) -> None:
    later = datetime.now(UTC) + LATER
    await campaigns.enter(cluster, "spring", "sms", {"text": "hello"}, starts=later)
    await store(cluster, "spring", 3)
    async with Sandbox() as sandbox, client_of(sandbox, cluster) as client:
        await steps.send(cluster, client, "spring", "sms")
        assert not sandbox.messages


async def test_tables_of_version_1_are_brought_up_to_date(new_cluster: NewCluster) -> None:
    cluster = new_cluster()
    async with cluster.database.connection() as connection:
        name = f'"{cluster.database.schema}"'
        await connection.execute(f"create schema {name}".encode())
        text = files("aioclicksend.cluster").joinpath("schema.sql").read_text("utf-8")
        await connection.execute(text.replace("{schema}", name).encode())
        await connection.execute("insert into meta values ('version', '1')")
    await cluster.migrate()
    await store_timed(cluster, None, LATER)
    async with Sandbox() as sandbox:
        assert len(await work_once(cluster, sandbox)) == 1
    assert schema.VERSION == 2


async def test_the_failed_as_a_list(cluster: Cluster) -> None:
    await store_timed(cluster, *[None] * 5, LATER)
    states = {
        "000000": "state = 'accepted'",
        "000001": "state = 'rejected', reason = 'INVALID_RECIPIENT'",
        "000002": "state = 'not_sent', reason = 'opted_out'",
        "000003": "state = 'unknown'",
        "000004": "state = 'accepted', message_id = 'failed'",
    }
    async with cluster.database.connection() as connection:
        for end, state in states.items():
            await connection.execute(
                f"update standing set {state} from message m where m.id = standing.id "  # noqa: S608
                f"""and m."to" like '%{end}'""".encode()
            )
        await connection.execute(
            "insert into delivery (account, message_id, state, known) "
            "select id, 'failed', 'failed', '{}' from account"
        )
    found = [it async for it in campaigns.failed(cluster, "spring")]
    assert found == [("+61411000001", "hello 1"), ("+61411000004", "hello 4")]


NUMBER = """
update message set "to" = %(to)s,
    body = jsonb_set(body::jsonb, '{to}', to_jsonb(%(to)s::text))::text
where "to" like %(end)s
"""


async def give_numbers(cluster: Cluster, *numbers: str) -> None:
    """Give the messages of a campaign other numbers."""
    async with cluster.database.connection() as connection:
        for n, number in enumerate(numbers):
            await connection.execute(NUMBER, {"to": number, "end": f"%00000{n}"})


async def rest_of(cluster: Cluster) -> timedelta:
    async with cluster.database.connection() as connection:
        found = await connection.execute("select rest_until - clock_timestamp() from journal")
        row = await found.fetchone()
        assert row is not None
        rest: timedelta = row[0]
        return rest
