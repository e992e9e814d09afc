"""Running campaigns: once, however often they are begun."""

from __future__ import annotations

import asyncio
import sqlite3
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import closing
from decimal import Decimal
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from aioclicksend import BasicAuth, ClickSend, ConfigurationError, Reconcile, Retry, SmsMessage
from aioclicksend.campaign import (
    Breaker,
    Campaign,
    Ending,
    Recipients,
    Record,
    Voice,
    report_rows,
    resolve,
    running,
    stop_if_failed,
)
from aioclicksend.cli.campaign_journal import code_of
from aioclicksend.cli.campaign_tables import standing
from aioclicksend.sandbox import Fault, Sandbox
from aioclicksend.webhooks import SqliteInbox

pytest.importorskip("phonenumbers", reason="the extra phone is absent")

PEOPLE = "name,to\n" + "".join(f"N{it},+614123450{it:02}\n" for it in range(30))
IMPATIENT = Reconcile(settle=0.2)


@pytest.fixture
def journal(tmp_path: Path) -> Path:
    return tmp_path / "promo.campaign"


@pytest_asyncio.fixture
async def sandbox() -> AsyncIterator[Sandbox]:
    async with Sandbox() as running_sandbox:
        yield running_sandbox


@pytest_asyncio.fixture
async def client(sandbox: Sandbox) -> AsyncIterator[ClickSend]:
    async with ClickSend(
        auth=BasicAuth("sandbox", "sandbox"),
        base_url=sandbox.url,
        rate_limit=None,
        retry=Retry(attempts=1),
    ) as client:
        yield client


def promo(text: str = "Hi {name}", source: str = PEOPLE, **options: Any) -> Campaign:
    return Campaign(source.encode(), text, **options)


async def send(campaign: Campaign, client: ClickSend, journal: Path, **options: Any) -> Ending:
    async with running(campaign, client, journal, **options) as run:
        return await run.send()


def sent(sandbox: Sandbox) -> list[int]:
    """Return how often each recipient was sent something."""
    return sorted(Counter(it.to for it in sandbox.messages).values())


async def test_a_campaign_is_sent_once_however_often_it_is_run(
    client: ClickSend, sandbox: Sandbox, journal: Path
) -> None:
    first, second = [await send(promo(), client, journal) for _ in range(2)]
    for ending in (first, second):
        assert (ending.report.accepted, ending.is_whole, ending.waiting) == (30, True, 0)
    assert sent(sandbox) == [1] * 30
    record = Record(journal)
    assert record.counts() == {"accepted": 30}
    assert record.spent() == second.report.cost == Decimal("2.3100")
    assert record.parts() == 30
    assert record.runner() is None


@pytest.mark.parametrize(
    ("other", "what"),
    [
        (promo("Ho {name}"), "text or sender"),
        (promo(from_="Shop"), "text or sender"),
        (promo(unique="message"), "unique"),
        (promo(channel=Voice()), "channel and text or sender"),
    ],
)
async def test_the_journal_of_another_campaign_is_refused(
    client: ClickSend, sandbox: Sandbox, journal: Path, other: Campaign, what: str
) -> None:
    await send(promo(), client, journal)
    with pytest.raises(
        ConfigurationError, match=f"a campaign with another {what}, which 30 people"
    ):
        await send(other, client, journal)
    assert len(sandbox.messages) == 30


async def test_a_journal_of_something_else_is_refused(
    client: ClickSend, sandbox: Sandbox, tmp_path: Path
) -> None:
    bulk_journal, other, text = tmp_path / "bulk.db", tmp_path / "other.db", tmp_path / "text.db"
    async with client.sms.bulk(journal=bulk_journal) as bulk:
        await bulk.run([SmsMessage(to="+61412345678", body="Hi")])
    with closing(sqlite3.connect(other)) as db, db:
        db.execute("create table meta (name text, value text)")
    text.write_text("nothing of the kind")
    for path, says in (
        (bulk_journal, "not of a campaign"),
        (other, "is no journal"),
        (text, "cannot be read as a journal: file is not a database"),
    ):
        with pytest.raises(ConfigurationError, match=says):
            await send(promo(), client, path)
    with pytest.raises(ConfigurationError, match="there is no journal"):
        Record(tmp_path / "absent.db")
    assert len(sandbox.messages) == 1


async def test_a_journal_in_use_is_refused_with_its_owner(client: ClickSend, journal: Path) -> None:
    async with running(promo(), client, journal):
        assert "process" in (Record(journal).runner() or "")
        with pytest.raises(ConfigurationError, match="one runner at a time"):
            await send(promo(), client, journal)
        with pytest.raises(ConfigurationError, match="one runner at a time"):
            await resolve(journal, "sent")


async def test_what_a_stop_left_is_sent_by_the_next_run(
    client: ClickSend, sandbox: Sandbox, journal: Path
) -> None:
    async with running(promo(), client, journal) as run:
        run.bulk.stop("stopped by a test")
        with pytest.raises(RuntimeError, match="stopped"):
            await run.send()
    assert not sandbox.messages
    ending = await send(promo(), client, journal)
    assert (ending.report.accepted, ending.is_whole) == (30, True)


async def test_a_run_that_is_stopped_half_way_says_so(
    client: ClickSend, sandbox: Sandbox, journal: Path
) -> None:
    campaign = promo()
    async with running(campaign, client, journal, ramp=(1, 10)) as run:
        sandbox.fail_every(lambda _: run.bulk.stop("stopped by a test"))
        ending = await run.send()
    assert not ending.is_whole
    assert len(sandbox.messages) < 30
    sandbox.fail_every(None)
    assert (await send(campaign, client, journal)).is_whole
    assert sent(sandbox) == [1] * 30


async def test_unknown_messages_are_decided_on_by_hand(
    client: ClickSend, sandbox: Sandbox, journal: Path
) -> None:
    sandbox.fail_every(lambda it: Fault.RESET_BEFORE if it.path.endswith("/sms/send") else None)
    ending = await send(promo(), client, journal, reconcile=IMPATIENT, ramp=None)
    assert ending.report.unknown == 30
    sandbox.fail_every(None)
    refs = [line.ref for line in Record(journal).lines()]
    assert await resolve(journal, "sent", refs[:1]) == 1
    assert await resolve(journal, "resend", refs[1:3]) == 2
    assert Record(journal).counts() == {"accepted": 1, "planned": 2, "unknown": 27}
    ending = await send(promo(), client, journal, reconcile=IMPATIENT)
    assert (ending.report.accepted, ending.report.unknown) == (3, 27)
    assert await resolve(journal, "resend") == 27
    await send(promo(), client, journal)
    assert sent(sandbox) == [1] * 29
    assert Record(journal).counts() == {"accepted": 30}


async def test_a_budget_is_for_all_runs_together(
    client: ClickSend, sandbox: Sandbox, journal: Path
) -> None:
    for _ in range(3):
        ending = await send(promo(), client, journal, budget=Decimal("0.80"), ramp=(1, 4))
        assert ending.report.cost <= Decimal("0.80")
    assert len(sandbox.messages) == 10
    assert Record(journal).reasons() == [("not_sent", "budget", 20)]
    await send(promo(), client, journal, budget=Decimal(10))
    assert sent(sandbox) == [1] * 30


async def test_the_record_lists_each_recipient(journal: Path) -> None:
    source = "to\n+61412345678\n+35699123456\n"
    async with Sandbox(countries={"AU"}) as sandbox:
        auth = BasicAuth("sandbox", "sandbox")
        async with ClickSend(auth=auth, base_url=sandbox.url) as client:
            await send(promo("Hi", source), client, journal, facts={"note": "kept"})
    first, second = Record(journal).lines()
    assert (first.to, first.outcome, first.parts, first.price) == (
        "+61412345678",
        "accepted",
        1,
        "0.0770",
    )
    assert first.message_id
    assert first.ref
    assert (second.outcome, second.reason) == ("rejected", "COUNTRY_NOT_ENABLED")
    assert Record(journal).facts["note"] == "kept"
    assert not [it for it in journal.parent.iterdir() if it != journal]


async def test_a_suppressed_number_of_the_store_is_left_out(
    tmp_path: Path, journal: Path, sandbox: Sandbox, client: ClickSend
) -> None:
    table = tmp_path / "list.csv"
    table.write_text(PEOPLE)
    async with SqliteInbox(tmp_path / "inbox.db") as inbox:
        await inbox.suppress(["+61412345007"])
    campaign = Campaign(table, "Hi {name}")
    async with running(campaign, client, journal, store=tmp_path / "inbox.db") as run:
        ending = await run.send()
    assert ending.report.reasons == {"opted_out": 1}
    assert "+61412345007" not in {it["to"] for it in sandbox.messages}
    assert len(sandbox.messages) == 29
    # Nor by a run to which the store is not given, and it is not among those to be sent again.
    async with running(Campaign(table, "Hi {name}"), client, journal) as run:
        ending = await run.send()
    assert ending.left_out == {"opted out": 1}
    assert len(sandbox.messages) == 29
    plan = await campaign.plan(recipients=Recipients(Record(journal).entries()))
    assert (plan.messages, plan.comparison.opted_out, plan.comparison.gone) == (0, 1, 0)
    assert not [it for it in report_rows(Record(journal)) if it.has_failed]
    stands = standing(journal)
    assert (stands.opted_out, stands.open, code_of(stands)) == (1, 0, 0)


async def test_a_run_stops_when_its_messages_are_not_delivered(
    tmp_path: Path,
    journal: Path,
    sandbox: Sandbox,
    client: ClickSend,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    table = tmp_path / "list.csv"
    table.write_text(PEOPLE)
    monkeypatch.setattr(
        "aioclicksend.campaign.run.stop_if_failed", partial(stop_if_failed, every=0.05)
    )
    sandbox.fail_next("slow", path="/sms/send", times=100, delay=0.3)

    async def fail_the_first() -> None:
        while not sandbox.messages:
            await asyncio.sleep(0.01)
        sandbox.deliver(str(sandbox.messages[0]["message_id"]), status_code=301)

    breaker = Breaker(0.2, minimum=1)
    async with running(
        Campaign(table, "Hi {name}"), client, journal, breaker=breaker, ramp=(1,) * 30
    ) as run:
        ending, _ = await asyncio.gather(run.send(), fail_the_first())
    assert not ending.is_whole
    assert len(sandbox.messages) < 30
