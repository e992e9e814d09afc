"""Runs that wait: for a time, for opening hours, for a row's own time; and runs that go on."""

from __future__ import annotations

from collections import Counter
from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from datetime import UTC, datetime, time, timedelta
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from aioclicksend import BasicAuth, ClickSend, ConfigurationError, Reason, Retry
from aioclicksend.campaign import (
    Campaign,
    CampaignError,
    Ending,
    QuietHours,
    Recipients,
    Record,
    Schedule,
    report_rows,
    running,
)
from aioclicksend.campaign.record import enter
from aioclicksend.quiet.gate import Gate
from aioclicksend.sandbox import Sandbox

pytest.importorskip("phonenumbers", reason="the extra phone is absent")

START = datetime(2026, 12, 1, tzinfo=UTC)
PEOPLE = "name,to\nAnn,+61255501234\nBob,+447700900123\nCy,+12125550123\n"


class Clock:
    """A clock that moves when a task waits."""

    def __init__(self) -> None:
        self.now = START
        self.on_wait: Any = None

    def __call__(self) -> datetime:
        return self.now

    async def sleep(self, seconds: float) -> None:
        # Hours are waited for in steps of seconds: the steps are taken together.
        self.now += timedelta(seconds=max(seconds, 600.0))
        if self.on_wait is not None:
            self.on_wait()


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def journal(tmp_path: Path) -> Path:
    return tmp_path / "promo.campaign"


@pytest_asyncio.fixture
async def sandbox() -> AsyncIterator[Sandbox]:
    async with Sandbox() as sandbox:
        yield sandbox


@pytest_asyncio.fixture
async def client(sandbox: Sandbox) -> AsyncIterator[ClickSend]:
    async with ClickSend(
        auth=BasicAuth("sandbox", "sandbox"),
        base_url=sandbox.url,
        rate_limit=None,
        retry=Retry(attempts=1),
    ) as client:
        yield client


def promo(clock: Clock, source: str = PEOPLE, text: str = "Hi {name}", **options: Any) -> Campaign:
    return Campaign(source.encode(), text, clock=clock, landlines=True, **options)


async def send(
    campaign: Campaign, client: ClickSend, journal: Path, clock: Clock, **options: Any
) -> Ending:
    async with running(campaign, client, journal, sleep=clock.sleep, **options) as run:
        return await run.send()


def sent(sandbox: Sandbox) -> dict[str, int]:
    return dict(Counter(it.to for it in sandbox.messages))


def local(at: str) -> Schedule:
    return Schedule(at, local=True, start=START)


async def test_each_recipient_gets_it_at_their_own_nine_o_clock(
    client: ClickSend, sandbox: Sandbox, journal: Path, clock: Clock
) -> None:
    seen: list[tuple[str, int]] = []
    clock.on_wait = lambda: seen.append((f"{clock.now:%d %H:%M}", len(sandbox.messages)))
    campaign = promo(clock, schedule=local("2026-12-02 09:00"))
    ending = await send(campaign, client, journal, clock)
    assert (ending.report.accepted, ending.is_whole, ending.waiting) == (3, True, 0)
    assert [it.to for it in sandbox.messages] == ["+61255501234", "+447700900123", "+12125550123"]
    counts = dict(seen)
    assert (counts["01 22:00"], counts["01 22:10"]) == (0, 1)
    assert (counts["02 09:00"], counts["02 09:10"], counts["02 14:00"]) == (1, 2, 2)


async def test_quiet_hours_hold_back_what_is_not_due_and_send_it_when_they_open(
    client: ClickSend, sandbox: Sandbox, journal: Path, clock: Clock
) -> None:
    clock.now = datetime(2026, 12, 1, 23, 0, tzinfo=UTC)  # 10:00 in Sydney, 18:00 in New York
    campaign = promo(clock, quiet=QuietHours.between(time(9), time(20)))
    ending = await send(campaign, client, journal, clock)
    assert ending.is_whole
    assert [it.to for it in sandbox.messages] == ["+61255501234", "+12125550123", "+447700900123"]
    assert clock.now >= datetime(2026, 12, 2, 9, 0, tzinfo=UTC)


def kept_by_the_pace(campaign: Campaign, clock: Clock, until: datetime) -> None:
    """Let requests leave at a time, though their rows are read before it."""
    rows = campaign.rows

    async def slow(client: ClickSend | None, *, to_send: bool = False) -> AsyncGenerator[Any]:
        async for it in rows(client, to_send=to_send):
            yield it
            clock.now = max(clock.now, until)

    campaign.rows = slow  # type: ignore[method-assign]


async def test_quiet_hours_that_begin_while_a_request_waits_hold_it_back(
    client: ClickSend, sandbox: Sandbox, journal: Path, clock: Clock
) -> None:
    clock.now = datetime(2026, 12, 1, 8, 59, tzinfo=UTC)  # 19:59 in Sydney
    opens = datetime(2026, 12, 1, 22, 0, tzinfo=UTC)
    source = "name,to\nAnn,+61255501234\nBob,+61255501235\n"
    campaign = promo(clock, source, quiet=QuietHours.between(time(9), time(20)))
    seen: list[tuple[int, datetime | None]] = []
    async with running(campaign, client, journal, sleep=clock.sleep) as run:
        kept_by_the_pace(campaign, clock, datetime(2026, 12, 1, 9, 1, tzinfo=UTC))
        clock.on_wait = lambda: seen.append((len(sandbox.messages), run.waits_for))
        ending = await run.send()
    assert seen[0] == (0, opens)
    assert clock.now >= opens
    assert (ending.report.accepted, ending.report.not_sent, ending.waiting) == (2, 0, 0)
    assert (ending.report.reasons, ending.is_whole) == ({}, True)
    assert sent(sandbox) == {"+61255501234": 1, "+61255501235": 1}


async def test_what_quiet_hours_hold_back_when_a_run_is_stopped_is_sent_by_the_next(
    client: ClickSend, sandbox: Sandbox, journal: Path, clock: Clock
) -> None:
    clock.now = datetime(2026, 12, 1, 8, 59, tzinfo=UTC)
    source, quiet = "name,to\nAnn,+61255501234\n", QuietHours.between(time(9), time(20))
    campaign = promo(clock, source, quiet=quiet)
    async with running(campaign, client, journal, sleep=clock.sleep) as run:
        kept_by_the_pace(campaign, clock, datetime(2026, 12, 1, 9, 1, tzinfo=UTC))
        clock.on_wait = run.stop
        ending = await run.send()
    assert (ending.report.total, ending.waiting, ending.is_whole) == (0, 1, False)
    assert [it.reason for it in Record(journal).lines()] == ["quiet_hours"]
    assert not sandbox.messages
    clock.on_wait = None
    ending = await send(promo(clock, source, quiet=quiet), client, journal, clock)
    assert ending.report.accepted == 1


async def test_who_opts_out_by_a_reply_is_not_kept_for_later() -> None:
    class Store:
        async def blocked(self, numbers: Sequence[str]) -> set[str]:
            return {"+61255501234"} & set(numbers)

    late = datetime(2026, 12, 1, 9, 1, tzinfo=UTC)
    gate = Gate(Store(), QuietHours.between(time(9), time(20)), lambda: late)
    found = await gate.blocked(["+61255501234", "+61255501235", "+447700900123"])
    assert found == {"+61255501234": Reason.OPTED_OUT, "+61255501235": Reason.QUIET_HOURS}


async def test_who_opts_out_while_a_run_waits_is_left_out(
    client: ClickSend, sandbox: Sandbox, journal: Path, clock: Clock, tmp_path: Path
) -> None:
    opt_outs = tmp_path / "stop.csv"
    opt_outs.write_text("to\n+61499999999\n")
    clock.on_wait = lambda: opt_outs.write_text("to\n+447700900123\n")
    campaign = promo(
        clock, schedule=Schedule("2026-12-01 12:00", zone="UTC", start=START), opt_out=[opt_outs]
    )
    ending = await send(campaign, client, journal, clock)
    assert (ending.report.accepted, ending.left_out) == (2, {"opted out": 1})
    assert "+447700900123" not in sent(sandbox)


async def test_a_run_stopped_while_waiting_resumes_later(
    client: ClickSend, sandbox: Sandbox, journal: Path, clock: Clock
) -> None:
    campaign = promo(clock, schedule=local("2026-12-02 09:00"))
    async with running(campaign, client, journal, sleep=clock.sleep) as run:
        clock.on_wait = lambda: run.stop() if sandbox.messages else None
        ending = await run.send()
    assert not ending.is_whole
    assert len(sandbox.messages) == 1
    clock.on_wait = None
    assert (await send(campaign, client, journal, clock)).is_whole
    assert set(sent(sandbox).values()) == {1}
    assert len(sandbox.messages) == 3


async def test_a_campaign_that_is_cancelled_while_it_waits_sends_nothing_more(
    client: ClickSend, sandbox: Sandbox, journal: Path, clock: Clock, monkeypatch: Any
) -> None:
    monkeypatch.setattr("aioclicksend.campaign.run._LOOK_EVERY", 0.01)
    campaign = promo(clock, schedule=local("2026-12-02 09:00"))

    async def sleep(_: float) -> None:
        # Time stands still until the run has seen that it was cancelled.
        import anyio  # noqa: PLC0415

        enter(journal, {"cancelled": START.isoformat()})
        await anyio.sleep(0.01)

    async with running(campaign, client, journal, sleep=sleep) as run:
        ending = await run.send()
    assert (ending.is_cancelled, ending.is_whole, ending.waiting) == (True, False, 3)
    assert not sandbox.messages
    with pytest.raises(ConfigurationError, match="was cancelled on 2026-12-01 00:00 UTC"):
        await send(campaign, client, journal, clock)
    enter(journal, {"cancelled": ""})
    assert (await send(campaign, client, journal, clock)).is_whole


async def test_a_schedule_column_is_obeyed_row_by_row(
    client: ClickSend, sandbox: Sandbox, journal: Path, clock: Clock
) -> None:
    source = (
        "name,to,schedule\nAnn,+61255501234,2026-12-01 09:00\nBob,+447700900123,\n"
        "Cy,+12125550123,soon\nDi,+12125550124,2026-11-01 09:00\n"
    )
    campaign = promo(clock, source, schedule=Schedule(None, zone="UTC", start=START))
    plan = await campaign.plan()
    assert (plan.messages, plan.scheduled, plan.problems) == (2, 1, {"bad time": 2})
    assert plan.columns["schedule"] == "schedule"
    ending = await send(campaign, client, journal, clock)
    assert [it.to for it in sandbox.messages] == ["+447700900123", "+61255501234"]
    assert (ending.left_out, clock.now >= START + timedelta(hours=9)) == ({"bad time": 2}, True)


def test_a_column_of_times_is_never_ignored_silently(clock: Clock) -> None:
    source = "name,to,Schedule\nAnn,+61255501234,2026-12-01 09:00\n"
    with pytest.raises(CampaignError, match="has a column 'Schedule': give the zone"):
        promo(clock, source)
    promo(clock, source, columns={"schedule": ""})
    with pytest.raises(CampaignError, match="no field 'shcedule'; did you mean schedule"):
        promo(clock, source, columns={"shcedule": "Schedule"})


async def test_at_server_messages_are_posted_at_once(
    client: ClickSend, sandbox: Sandbox, journal: Path, clock: Clock
) -> None:
    when = (datetime.now(UTC) + timedelta(days=2)).replace(microsecond=0)
    schedule = Schedule(when.isoformat(), start=when)
    campaign = promo(clock, schedule=schedule, at_server=True)
    for _ in range(2):
        ending = await send(campaign, client, journal, clock)
        assert (ending.waiting, clock.now) == (0, START)
    assert {it.schedule for it in sandbox.messages} == {int(when.timestamp())}
    assert set(sent(sandbox).values()) == {1}


CHANGED = "name,to\r\nDi,+61255501239\r\nAnna,+61255501234\r\nCy,+12125550123\r\n"


async def test_a_changed_list_is_sent_to_new_recipients_only(
    client: ClickSend, sandbox: Sandbox, journal: Path, clock: Clock
) -> None:
    assert (await send(promo(clock), client, journal, clock)).report.accepted == 3
    changed = promo(clock, CHANGED)
    plan = await changed.plan(client, recipients=Recipients(Record(journal).entries()))
    it = plan.comparison
    assert (it.new, it.unchanged, it.changed, it.gone) == (1, 1, 1, 1)
    assert (plan.messages, plan.price and plan.price.total) == (1, plan.price and plan.price.total)
    await send(changed, client, journal, clock)
    assert sent(sandbox) == {
        "+61255501234": 1, "+447700900123": 1, "+12125550123": 1, "+61255501239": 1,
    }  # fmt: skip
    assert [message.body for message in sandbox.messages][-1] == "Hi Di"


async def test_a_row_corrected_before_it_was_sent_is_sent_corrected(
    client: ClickSend, sandbox: Sandbox, journal: Path, clock: Clock
) -> None:
    from decimal import Decimal  # noqa: PLC0415

    await send(promo(clock), client, journal, clock, budget=Decimal("0.0001"))
    assert not sandbox.messages
    corrected = promo(clock, PEOPLE.replace("Ann", "Anna"))
    await send(corrected, client, journal, clock, budget=Decimal(10))
    assert sorted(it.body for it in sandbox.messages) == ["Hi Anna", "Hi Bob", "Hi Cy"]
    assert Record(journal).counts() == {"accepted": 3}
    assert [(row.row, row.outcome) for row in report_rows(Record(journal))] == [
        (2, "accepted"), (3, "accepted"), (4, "accepted"),
    ]  # fmt: skip


async def test_the_report_has_every_row_of_the_list(
    client: ClickSend, journal: Path, clock: Clock
) -> None:
    source = "Name;Mobile\nAnn;0412 345 678\nBob;not yet\nCy;+61412345678\nDi;\n"
    await send(promo(clock, source, country="AU"), client, journal, clock)
    rows = list(report_rows(Record(journal)))
    assert [(it.row, it.name, it.number, it.to, it.outcome) for it in rows] == [
        (2, "Ann", "0412 345 678", "+61412345678", "accepted"),
        (3, "Bob", "not yet", None, "left_out"),
        (4, "Cy", "+61412345678", None, "left_out"),
        (5, "Di", "", None, "left_out"),
    ]
    assert rows[2].reason == "duplicate: repeats an earlier row"
    assert (rows[0].parts, rows[0].price) == (1, "0.0770")
    gone = promo(clock, "Name;Mobile\nEve;0412 345 679\n", country="AU")
    await send(gone, client, journal, clock)
    rows = list(report_rows(Record(journal)))
    assert [(it.row, it.to) for it in rows] == [(2, "+61412345679"), (None, "+61412345678")]


async def test_a_list_that_grew_after_the_plan_is_not_sent(
    client: ClickSend, sandbox: Sandbox, journal: Path, clock: Clock
) -> None:
    with pytest.raises(CampaignError, match="changed since it was read: nothing was sent"):
        await send(promo(clock), client, journal, clock, agreed=lambda it: it.row != 3)
    assert not sandbox.messages
