# ruff: noqa: RUF001 - typographic characters are part of what is counted
"""Campaigns: planned, and made into messages."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import UTC, datetime, time
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from aioclicksend import BasicAuth, ClickSend, RateLimit
from aioclicksend.campaign import (
    Campaign,
    CampaignError,
    ContactList,
    Draft,
    Plan,
    Problem,
    QuietHours,
)
from aioclicksend.campaign.plan import Price
from aioclicksend.models.account import Account
from aioclicksend.sandbox import Sandbox

pytest.importorskip("phonenumbers", reason="the extra phone is absent")

PEOPLE = """Name,Mobile,City
Anna,0412345678,Sydney
Bob,0412 345 679,
,0412345680,Perth
Cleo,not yet,Perth
Dora,+61412345678,Perth
Eve,02 9876 5432,Sydney
Finn,,Sydney
"""
TEXT = "Hi {name|friend}, see you in {city}"


@pytest_asyncio.fixture
async def sandbox() -> AsyncIterator[Sandbox]:
    async with Sandbox() as running:
        yield running


@pytest_asyncio.fixture
async def client(sandbox: Sandbox) -> AsyncIterator[ClickSend]:
    auth = BasicAuth(sandbox.username, sandbox.api_key)
    async with ClickSend(auth=auth, base_url=sandbox.url, rate_limit=None) as client:
        yield client


def campaign(source: str = PEOPLE, body: str | None = TEXT, **options: Any) -> Campaign:
    options.setdefault("country", "AU")
    return Campaign(source.encode(), body, **options)


async def drafts(it: Campaign, client: ClickSend | None = None) -> list[Draft]:
    return [row async for row in it.rows(client) if isinstance(row, Draft)]


async def problems(it: Campaign, client: ClickSend | None = None) -> list[str]:
    return [str(row) async for row in it.rows(client) if isinstance(row, Problem)]


async def test_rows_become_messages_or_are_refused_with_their_number_and_why() -> None:
    made = campaign()
    assert [(it.message.to, it.message.body) for it in await drafts(made)] == [
        ("+61412345678", "Hi Anna, see you in Sydney"),
        ("+61412345680", "Hi friend, see you in Perth"),
    ]
    assert await problems(made) == [
        "row 3, column City: City is empty",
        "row 5, column Mobile: is no phone number",
        "row 6, column Mobile: repeats an earlier row",
        "row 7, column Mobile: is a landline",
        "row 8, column Mobile: is empty",
    ]


async def test_the_same_input_makes_the_same_messages_in_the_same_order() -> None:
    first, second = campaign(), campaign()
    assert await drafts(first) == await drafts(first) == await drafts(second)
    assert first.settings == second.settings


def test_text_and_sender_make_a_campaign_but_its_list_does_not() -> None:
    base = campaign().settings
    assert campaign(PEOPLE + "Gus,0412345699,Perth\n").settings == base
    assert campaign(landlines=True, smart_encoding=True).settings == base
    assert campaign(body=TEXT + "!").settings["text"] != base["text"]
    assert campaign(from_="Shop").settings["text"] != base["text"]


async def test_a_refused_row_does_not_make_a_later_one_its_duplicate() -> None:
    source = "name,to\n,+61412345678\nAnna,+61412345678\n"
    assert [it.row for it in await drafts(campaign(source, "Hi {name}"))] == [3]


async def test_a_number_gets_several_different_messages_on_request_only() -> None:
    source = "to,body\n0412345678,one\n0412345678,two\n0412345678,one\n"
    assert len(await drafts(campaign(source, None))) == 1
    assert [it.message.body for it in await drafts(campaign(source, None, unique="message"))] == [
        "one",
        "two",
    ]


async def test_texts_can_come_from_a_column_and_are_taken_as_they_are() -> None:
    source = "Phone;Message\n0412345678;Hi {name}\n0412345679;\n"
    made = campaign(source, None)
    assert [it.message.body for it in await drafts(made)] == ["Hi {name}"]
    assert await problems(made) == ["row 3, column Message: has no text"]


async def test_smart_encoding_saves_parts() -> None:
    source = "to\n0412345678\n"
    text = "It’s “here” – " + "x" * 80
    plain, smart = campaign(source, text), campaign(source, text, smart_encoding=True)
    assert (await drafts(plain))[0].segments.parts == 2
    assert (await drafts(smart))[0].segments.parts == 1
    assert (await drafts(smart))[0].message.body.startswith('It\'s "here" - ')
    assert (await smart.plan()).replaced == 1


async def test_a_text_of_more_parts_than_are_sent_is_refused() -> None:
    made = campaign("to\n0412345678\n", "x" * 1225)
    assert await problems(made) == ["row 2: its text needs 9 parts, of which 8 would be sent"]


async def test_landlines_are_sent_to_on_request() -> None:
    assert [it.row for it in await drafts(campaign(landlines=True))] == [2, 4, 7]


async def test_a_column_can_hold_the_country_of_each_number() -> None:
    source = "to,land\n07911 123456,gb\n0412345678,\n0412345679,Oz\n"
    made = campaign(source, "Hi", columns={"country": "land"})
    assert [it.message.to for it in await drafts(made)] == ["+447911123456", "+61412345678"]
    assert await problems(made) == ["row 4, column land: is no ISO code of a country"]


async def test_opt_outs_of_files_are_obeyed(tmp_path: Path) -> None:
    path = tmp_path / "stop.csv"
    path.write_text("when,phone\n2024-01-01,+61 412 345 678\n2024-01-02,oops\n")
    made = campaign(opt_out=[path])
    assert [it.row for it in await drafts(made)] == [4]
    plan = await made.plan()
    assert plan.problems["opted out"] == 2
    assert (plan.opt_outs, plan.opt_out_lists) == (1, ["stop.csv"])
    assert plan.unread_opt_outs == ["stop.csv, row 3"]


async def test_an_opt_out_file_without_numbers_is_refused() -> None:
    with pytest.raises(CampaignError, match="no column of the input holds numbers"):
        await campaign(opt_out=[b"when,why\n1,2\n"]).plan()


async def test_the_accounts_own_opt_out_list_is_obeyed(client: ClickSend) -> None:
    stop = await client.lists.create(list_name="Opt-Out List")
    other = await client.lists.create(list_name="Customers who opt for more")
    assert stop.list_id
    assert other.list_id
    await client.contacts.create(stop.list_id, phone_number="+61412345678")
    await client.contacts.create(other.list_id, phone_number="+61412345680")
    made = campaign()
    assert [it.row for it in await drafts(made, client)] == [4]
    assert (await made.plan(client)).opt_out_lists == [
        f"contact list {stop.list_id} (Opt-Out List)"
    ]
    assert [it.row for it in await drafts(campaign(account_opt_outs=False), client)] == [2, 4]


async def test_a_contact_list_is_a_source(client: ClickSend) -> None:
    made = await client.lists.create(list_name="People")
    assert made.list_id
    await client.contacts.create(
        made.list_id, phone_number="+61412345678", first_name="Anna", address_country="AU"
    )
    await client.contacts.create(made.list_id, phone_number="+61412345679")
    people = Campaign(ContactList(made.list_id), "Hi {first_name|friend}")
    assert [it.message.body for it in await drafts(people, client)] == ["Hi Anna", "Hi friend"]
    with pytest.raises(CampaignError, match="the account is needed"):
        await people.plan()


NIGHT = datetime(2026, 6, 3, 20, 0, tzinfo=UTC)  # 06:00 on the next day in Sydney
OPEN = QuietHours.between(time(9), time(17), zone="UTC")


async def test_rows_outside_the_hours_are_due_when_they_open() -> None:
    made = campaign("to\n+61255501234\n+447700900123\n", "Hi", quiet=OPEN, landlines=True,
                    clock=lambda: NIGHT)  # fmt: skip
    sydney, london = await drafts(made)
    assert (sydney.due, london.due) == (
        datetime(2026, 6, 3, 23, 0, tzinfo=UTC),
        datetime(2026, 6, 4, 8, 0, tzinfo=UTC),
    )
    assert sydney.message.schedule is None
    plan = await made.plan()
    assert (plan.messages, plan.scheduled) == (2, 2)
    assert (plan.first_due, plan.last_due) == (sydney.due, london.due)


async def test_at_server_messages_carry_their_schedule() -> None:
    made = campaign("to\n+447700900123\n", "Hi", quiet=OPEN, at_server=True, clock=lambda: NIGHT)
    (draft,) = await drafts(made)
    assert draft.message.schedule == draft.due == datetime(2026, 6, 4, 8, 0, tzinfo=UTC)


async def test_zones_that_are_never_open_together_get_nothing() -> None:
    apart = QuietHours.between(time(9), time(9, 1), zone="UTC")
    assert (await problems(campaign("to\n+61412345678\n", "Hi", quiet=apart))) == [
        "row 2, column to: is never open in all its time zones"
    ]


async def test_a_plan_counts_everything_offline() -> None:
    source = "name,to\nAnna,+61412345678\nZoë,+12125550123\nBob,+61412345679\nEve,1\n"
    seen: list[Problem] = []
    plan = await campaign(source, "Hi {name} –").plan(
        part_price=Decimal("0.05"), on_problem=seen.append
    )
    assert plan.columns == {"to": "to", "name": "name"}
    assert (plan.source, plan.format) == ("the input", "CSV with ,, utf-8")
    assert (plan.rows, plan.messages, plan.problems) == (4, 3, {"bad number": 1})
    assert (plan.parts, plan.total_parts) == ({1: 3}, 3)
    assert plan.countries == {"AU": 2, "US": 1}
    assert (plan.unicode, plan.cost_of_unicode) == (3, 0)
    assert plan.forced_by == {"–": 3, "ë": 1}
    assert plan.price is not None
    assert (plan.price.total, plan.price.is_estimate) == (Decimal("0.15"), True)
    assert plan.offline
    assert not plan.is_clean
    assert [it.row for it in seen] == [5]
    assert [it.value for it in seen] == ["1"]


async def test_a_plan_asks_for_the_price(client: ClickSend, sandbox: Sandbox) -> None:
    source = "to\n0412345678\n0412345679\n+15005550006\n"
    plan = await campaign(source, "Hi").plan(client)
    assert plan.price is not None
    assert not plan.price.is_estimate
    assert plan.price.currency == "AUD"
    assert plan.price.total == sum(plan.price.by_country.values())
    assert plan.price.by_country["AU"] == Decimal("0.1540")
    assert not plan.offline
    assert len(sandbox.messages) == 0


async def test_what_the_api_would_refuse_makes_a_plan_unclean() -> None:
    async with (
        Sandbox(countries={"AU"}) as sandbox,
        ClickSend(auth=BasicAuth("sandbox", "sandbox"), base_url=sandbox.url) as client,
    ):
        plan = await campaign("to\n+35699123456\n", "Hi").plan(client)
    assert plan.problems == {}
    assert plan.price is not None
    assert plan.price.rejected == {"COUNTRY_NOT_ENABLED": 1}
    assert not plan.is_clean


async def test_samples_show_the_first_and_the_longest() -> None:
    source = "to,body\n" + "".join(
        f"04123456{number:02},{'x' * size}\n" for number, size in enumerate([1, 2, 3, 4, 400, 200])
    )
    plan = await campaign(source, None).plan()
    assert [(it.row, it.parts) for it in plan.samples] == [(2, 1), (3, 1), (4, 1), (6, 3)]
    assert "xxx" not in repr(plan)


@pytest.mark.parametrize(
    ("messages", "requests", "seconds"),
    [(0, 0, 0), (1, 1, 0), (11, 2, 0), (1111, 4, 0), (1112, 5, 0), (200_000, 203, 20)],
)
def test_a_plan_reckons_the_time_at_a_pace(messages: int, requests: int, seconds: int) -> None:
    plan = Plan(source="", format="", columns={}, fingerprint="", offline=True, messages=messages)
    assert plan.requests == requests
    assert plan.seconds(RateLimit(requests=10, per=1.0)) == seconds
    assert plan.seconds(None) == 0


async def test_messages_of_a_journal_are_sent_once(
    client: ClickSend, sandbox: Sandbox, tmp_path: Path
) -> None:
    for expected in (2, 2):
        async with client.sms.bulk(journal=tmp_path / "promo.db") as bulk:
            report = await bulk.run(campaign().messages(client))
        assert report.accepted == expected
        assert len(sandbox.messages) == 2


@pytest.mark.parametrize(
    ("source", "body", "says"),
    [
        ("Name;City\nAnna;Sydney\n", "Hi", "no column is known to hold phone numbers"),
        ("Name^Mobile\nAnna^1\n", "Hi", "the columns are: Name^Mobile"),
        ("Name,Mobile\nAnna,1\n", None, "no column is known to hold texts"),
        ("Name,Mobile\nAnna,1\n", "Hi {nam}", "no column for {nam}; did you mean Name?"),
    ],
)
def test_what_does_not_fit_is_refused_before_anything(
    source: str, body: str | None, says: str
) -> None:
    with pytest.raises(CampaignError) as caught:
        campaign(source, body)
    assert says in str(caught.value)
    assert "\n" not in str(caught.value)


async def test_no_rows_at_all_are_refused() -> None:
    with pytest.raises(CampaignError, match="the input has no rows below its heading"):
        await campaign("name,to\n", "Hi").plan()


async def test_texts_of_errors_and_problems_hold_no_number_and_no_text() -> None:
    made = campaign("name,to\nAnna,0412345678\nBob,+6141234\nBob,0412345678\n", "Secret {name}")
    for row in [it async for it in made.rows(None)]:
        for text in (repr(row), str(row)):
            assert "412345" not in text
            assert "Secret" not in text


async def test_a_plan_shows_the_missing_credit(monkeypatch: pytest.MonkeyPatch) -> None:
    """The plan shows before a cent is spent that the balance is too low."""
    async with Sandbox(balance="0.10") as poor:
        auth = BasicAuth(poor.username, poor.api_key)
        async with ClickSend(auth=auth, base_url=poor.url, rate_limit=None) as client:
            short = await campaign("to,name\n0412345678,A\n0412345679,B\n", "Hi").plan(client)
            assert (short.balance, short.shortfall) == (Decimal("0.10"), Decimal("0.0540"))
            assert not short.is_clean
            account = await client.account.get()
            account.auto_recharge = True

            async def recharging() -> Account:
                return account

            monkeypatch.setattr(client.account, "get", recharging)
            recharged = await campaign("to,name\n0412345678,A\n0412345679,B\n", "Hi").plan(client)
    assert (recharged.balance, recharged.is_clean) == (None, True)


@pytest.mark.parametrize(
    ("balance", "unread", "lacks"),
    [("0", [], "1"), ("0.4", [], "0.6"), ("1", [], "0"), ("2", [], "0"), ("2", ["a list"], "0")],
)
def test_a_plan_is_clean_if_the_account_can_pay_and_every_opt_out_was_read(
    balance: str, unread: list[str], lacks: str
) -> None:
    """An account without a cent lacks everything, and is not taken for one not asked."""
    plan = Plan(
        source="the input",
        format="CSV",
        columns={},
        fingerprint="",
        offline=False,
        unread_opt_outs=unread,
        price=Price(Decimal(1)),
        balance=Decimal(balance),
    )
    assert plan.shortfall == Decimal(lacks)
    assert plan.is_clean is (plan.shortfall == 0 and not unread)
    plan.price = None
    assert plan.is_clean is (not unread)
