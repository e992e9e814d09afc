"""Stored campaigns: identity, stages, and the status that any host may ask for."""

from __future__ import annotations

from collections.abc import AsyncIterator
from decimal import Decimal

import pytest

from aioclicksend.bulk.outcome import Accepted, Outcome, Reason, Rejected, Unknown
from aioclicksend.cluster import Cluster, campaigns, retention
from aioclicksend.cluster.campaigns import Timed
from aioclicksend.errors import ConfigurationError
from aioclicksend.models.messages import SmsMessage

from .conftest import NewCluster, NewJournal
from .test_journal import encoded

FACTS = {"input": "list", "text": "hello"}


async def test_a_name_belongs_to_one_campaign(cluster: Cluster) -> None:
    stored = await campaigns.enter(cluster, "spring", "sms", FACTS, options={"settle": 3.0})
    again = await campaigns.enter(cluster, "spring", "sms", FACTS)
    assert again == stored
    assert stored.options == {"settle": 3.0}
    assert await campaigns.names(cluster) == ["spring"]
    with pytest.raises(ConfigurationError, match='"spring" exists with another text: give this'):
        await campaigns.enter(cluster, "spring", "sms", FACTS | {"text": "other"})
    with pytest.raises(ConfigurationError, match="sms messages, not voice"):
        await campaigns.enter(cluster, "spring", "voice", FACTS)


async def test_how_it_is_sent_changes_only_with_the_same_campaign(cluster: Cluster) -> None:
    careful = {"budget": "1.00", "resend": False}
    await campaigns.enter(cluster, "spring", "sms", FACTS, options=careful)
    reckless = {"budget": "99.00", "resend": True}
    with pytest.raises(ConfigurationError, match="another text"):
        await campaigns.enter(cluster, "spring", "sms", {"text": "other"}, options=reckless)
    assert (await campaigns.load(cluster, "spring")).options == careful
    again = await campaigns.enter(cluster, "spring", "sms", FACTS, options={"resend": True})
    assert again.options == {"budget": "1.00", "resend": True}


async def test_the_stages(cluster: Cluster) -> None:
    await campaigns.enter(cluster, "spring", "sms", FACTS)
    assert not await campaigns.is_to_be_sent(cluster, "spring")
    await campaigns.release(cluster, "spring")
    assert await campaigns.is_to_be_sent(cluster, "spring")
    await campaigns.pause(cluster, "spring")
    assert not await campaigns.is_to_be_sent(cluster, "spring")
    await campaigns.resume(cluster, "spring")
    await campaigns.cancel(cluster, "spring")
    with pytest.raises(ConfigurationError, match='"spring" is cancelled'):
        await campaigns.resume(cluster, "spring")
    assert await campaigns.is_to_be_sent(cluster, "never stored")


async def test_the_status_counts_also_what_a_silent_owner_left(
    cluster: Cluster, postgres_journal: NewJournal
) -> None:
    async with postgres_journal("spring") as journal:
        rows = (await journal.plan(1, encoded(journal, *"abcdef"))).rows
        begun = await journal.begin(rows[:4], 1)
        outcomes: list[Outcome] = [
            Accepted(None, "", "id", 2, Decimal("0.14")),
            Rejected(None, "", "INVALID_RECIPIENT"),
            Unknown(None, "", Reason.NOT_FOUND),
        ]
        await journal.finish(rows[:3], outcomes, begun.batch)
        found = await campaigns.status(cluster, "spring")
        assert found.counts == {
            "planned": 2,
            "in_flight": 1,
            "accepted": 1,
            "rejected": 1,
            "unknown": 1,
        }
        assert (found.parts, found.cost) == (2, Decimal("0.14"))
        assert sorted(found.reasons) == [
            ("rejected", "INVALID_RECIPIENT", 1),
            ("unknown", "not_found", 1),
        ]
        assert found.delivery == {"pending": 1}
        assert len(found.senders) == 1
    found = await campaigns.status(cluster, "spring")
    assert (found.counts["in_doubt"], found.senders) == (1, [])
    lines = [line async for line in campaigns.lines(cluster, "spring")]
    assert [it.outcome for it in lines] == [
        "accepted",
        "rejected",
        "unknown",
        "in_doubt",
        "planned",
        "planned",
    ]
    assert lines[0].to == "+61411000000"


async def test_resolving_refuses_a_mistyped_ref(
    cluster: Cluster, postgres_journal: NewJournal
) -> None:
    async with postgres_journal("spring") as journal:
        messages = encoded(journal, "a")
        rows = (await journal.plan(1, messages)).rows
        begun = await journal.begin(rows, 1)
        await journal.finish(rows, [Unknown(None, "", Reason.NOT_FOUND)], begun.batch)
    with pytest.raises(ConfigurationError, match="1 of the refs belong to no message"):
        await campaigns.resolve(cluster, "spring", "sent", ["mistyped"])
    assert await campaigns.resolve(cluster, "spring", "sent", [messages.refs[0]]) == 1
    with pytest.raises(ConfigurationError, match='no campaign "sprang"'):
        await campaigns.resolve(cluster, "sprang", "sent")


async def test_retention_keeps_counts_and_keys(
    cluster: Cluster, postgres_journal: NewJournal
) -> None:
    async with postgres_journal("web") as journal:
        rows = (await journal.plan(0, encoded(journal, "a", "b", keys=["k", None]))).rows
        begun = await journal.begin(rows[:1], 1)
        await journal.finish(rows[:1], [Accepted(None, "", "id", 1, Decimal(1))], begun.batch)
        assert await retention.retain(cluster, 1) == 0
        await journal._execute("update standing set settled = settled - interval '2 days'")
        assert await retention.retain(cluster, 1) == 1
        found = await campaigns.status(cluster, "web")
        assert (found.counts, found.cost) == ({"accepted": 1, "planned": 1}, Decimal(1))
        (again,) = (await journal.plan(0, encoded(journal, "other", keys=["k"]))).known.values()
        assert again.state == "accepted"
        assert len([line async for line in campaigns.lines(cluster, "web")]) == 1


async def test_erasing_a_person(cluster: Cluster, postgres_journal: NewJournal) -> None:
    async with postgres_journal("web") as journal:
        rows = (await journal.plan(1, encoded(journal, "a", "b"))).rows
        begun = await journal.begin(rows[:1], 1)
        with pytest.raises(ConfigurationError, match="1 messages to this number are under way"):
            await retention.erase(cluster, "+61 411 000 000")
        await journal.finish(rows[:1], [Accepted(None, "", "id", 1, Decimal(1))], begun.batch)
        assert await retention.erase(cluster, "+61 411 000 000") == 1
        assert [line.to async for line in campaigns.lines(cluster, "web")] == ["+61411000001"]
        assert (await campaigns.status(cluster, "web")).counts["accepted"] == 1
    with pytest.raises(ConfigurationError, match="international form"):
        await retention.erase(cluster, "0411")


async def correct(cluster: Cluster, *bodies: str) -> int:
    """Enter a corrected text for the first numbers of a campaign."""

    async def messages() -> AsyncIterator[Timed]:
        for number, body in enumerate(bodies):
            message = SmsMessage(to=f"+614110000{number:02}", body=body)
            yield Timed(message, is_correction=True)

    return await campaigns.plan(cluster, "spring", "sms", messages())


async def test_a_correction_replaces_what_is_not_begun_and_nothing_else(
    cluster: Cluster, postgres_journal: NewJournal
) -> None:
    async with postgres_journal("spring") as journal:
        rows = (await journal.plan(1, encoded(journal, *"abcd"))).rows
        await journal.begin(rows[1:2], 1)
        begun = await journal.begin(rows[2:3], 1)
        await journal.finish(rows[2:3], [Unknown(None, "", Reason.NOT_FOUND)], begun.batch)
    assert await correct(cluster, "A", "B", "C") == 1
    # Said again because a commit was lost, it comes to the same.
    assert await correct(cluster, "A", "B", "C") <= 1
    found = [it async for it in campaigns.entries(cluster, "spring")]
    assert sorted(found) == [
        ("+61411000000", "A", "planned"),
        ("+61411000001", "b", "in_flight"),
        ("+61411000002", "c", "unknown"),
        ("+61411000003", "d", "planned"),
    ]


async def test_a_list_is_entered_by_one_process_at_a_time(
    cluster: Cluster, new_cluster: NewCluster
) -> None:
    other = new_cluster()
    async with campaigns.planning(cluster, "spring"):
        with pytest.raises(ConfigurationError, match="being stored by another process"):
            async with campaigns.planning(other, "spring"):
                pass
        async with campaigns.planning(other, "autumn"):
            pass
    async with campaigns.planning(other, "spring"):
        pass


async def test_a_campaign_whose_recipients_were_deleted_is_not_entered_again(
    cluster: Cluster, postgres_journal: NewJournal
) -> None:
    await campaigns.enter(cluster, "spring", "sms", FACTS)
    async with postgres_journal("spring") as journal:
        rows = (await journal.plan(1, encoded(journal, *"ab"))).rows
        begun = await journal.begin(rows, 1)
        outcomes: list[Outcome] = [Accepted(None, "", it, 1, Decimal(1)) for it in "ab"]
        await journal.finish(rows, outcomes, begun.batch)
    await campaigns.enter(cluster, "spring", "sms", FACTS)
    assert await retention.erase(cluster, "+61 411 000 000") == 1
    with pytest.raises(ConfigurationError, match="not known who got them: send to new people"):
        await campaigns.enter(cluster, "spring", "sms", FACTS)


async def test_a_report_is_read_in_pages(
    cluster: Cluster, postgres_journal: NewJournal, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(campaigns, "_PAGE", 3)
    async with postgres_journal("other") as journal:
        await journal.plan(1, encoded(journal, *"xyz"))
    async with postgres_journal("spring") as journal:
        await journal.plan(1, encoded(journal, *"abcdefgh"))
    # No transaction is open while its reader takes a break.
    async with cluster.database.connection() as connection:
        await connection.execute("set idle_in_transaction_session_timeout = '1ms'")
    found = [it.to async for it in campaigns.lines(cluster, "spring")]
    assert found == [f"+6141100000{it}" for it in range(8)]
