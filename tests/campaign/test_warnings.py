"""A plan that knows the account, the countries, the law and the text."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime, time
from decimal import Decimal
from typing import Any

import msgspec
import pytest

from aioclicksend import BasicAuth, ClickSend, Retry
from aioclicksend.campaign import Campaign, Plan, PlanWarning, QuietHours
from aioclicksend.campaign.warnings import cut_by_account
from aioclicksend.models.account import Account
from aioclicksend.sandbox import Fault, Sandbox

pytest.importorskip("phonenumbers", reason="the extra phone is absent")

NOON = datetime(2026, 6, 3, 1, 0, tzinfo=UTC)  # a Wednesday: 11:00 in Sydney
CLEAN = "Hi {name}, we open at 9. Reply STOP to opt out"
AU = "name,to\nAnn,+61412345678\nBob,+61412345679\n"
US = "name,to\nCy,+12125550123\nDi,+12125550124\nEd,+12125550125\n"
EXTRA = 6
"""Requests a plan may make besides prices, the account and its opt-out lists."""


@asynccontextmanager
async def client_of(**settings: Any) -> AsyncIterator[tuple[ClickSend, Sandbox]]:
    async with (
        Sandbox(**settings) as sandbox,
        ClickSend(
            auth=BasicAuth("sandbox", "sandbox"),
            base_url=sandbox.url,
            rate_limit=None,
            retry=Retry(attempts=1),
        ) as client,
    ):
        yield client, sandbox


async def plan_of(
    source: str = AU,
    text: str | None = CLEAN,
    *,
    sandbox: dict[str, Any] | None = None,
    prepare: Callable[[Sandbox], object] = lambda _: None,
    now: datetime = NOON,
    **options: Any,
) -> Plan:
    async with client_of(**(sandbox or {})) as (client, served):
        prepare(served)
        plan = await Campaign(source.encode(), text, clock=lambda: now, **options).plan(client)
        paths = [it.path for it in served.requests]
        usual = sum(it.endswith(("/sms/price", "/v3/account", "/v3/lists")) for it in paths)
        assert len(paths) - usual <= EXTRA
        assert not served.messages
        return plan


def found(plan: Plan) -> dict[str, int]:
    return {it.code: it.rows for it in plan.warnings}


async def test_a_clean_list_gives_none() -> None:
    for text in (CLEAN, "Sale at https://shop.example/sale today. Reply STOP to opt out"):
        assert (await plan_of(text=text)).warnings == []


@pytest.mark.parametrize(
    ("text", "codes"),
    [
        ("Hi {name}, we open at 9.", {"opt_out_missing"}),
        ("Sale! (First Name), STOP to end", {"dashboard_placeholder"}),
        ("Opt out: smsu.io/xxxxx", {"dashboard_placeholder"}),
        ("Opt out: StopMsg.me/xxxxx", {"dashboard_placeholder"}),
        ("https://a.example/1 https://a.example/2 STOP to opt out", {"many_links"}),
        ("https://a.example/" + "x" * 250 + " STOP to opt out", {"long_link"}),
        ("See bit.ly/abc, STOP to opt out", {"public_shortener"}),
        ("Hi Zo\u00c3\u00ab, STOP to opt out", {"garbled_text"}),
        ("It\u00e2\u20ac\u2122s on, STOP to opt out", {"garbled_text"}),
        ("Hi Zo\ufffd, STOP to opt out", {"garbled_text"}),
        ("Voil\u00e0 \u00c5se, \u00dcn\u00ef: 5\u00a0\u20ac, STOP to opt out", set()),
        ("See https://tinyurl.com/abc, STOP to opt out", {"public_shortener"}),
    ],
)
async def test_texts_are_looked_at(text: str, codes: set[str]) -> None:
    plan = await plan_of(text=text)
    assert found(plan) == dict.fromkeys(codes, 2)
    assert all(it.first_rows == [2, 3] and it.action for it in plan.warnings)


async def test_rows_with_different_texts_are_checked_one_by_one() -> None:
    source = (
        "to,body\n+61412345678,See bit.ly/x STOP to end\n+61412345679,Hi\n"
        "+61412345670,Bye. Unsubscribe: a.example\n"
    )
    plan = await plan_of(source, None)
    assert {it.code: it.first_rows for it in plan.warnings} == {
        "public_shortener": [2], "opt_out_missing": [3],
    }  # fmt: skip


async def test_a_link_in_a_field_is_found() -> None:
    plan = await plan_of("name,to\nhttps://bit.ly/x,+61412345678\nBob,+61412345679\n")
    assert {it.code: it.first_rows for it in plan.warnings} == {"public_shortener": [2]}


async def test_a_reply_cannot_reach_a_name() -> None:
    approved = {"alpha_tags": {"Shop": "APPROVED"}}
    plan = await plan_of(from_="Shop", sandbox=approved)
    assert found(plan) == {"opt_out_unreachable": 2}
    link = "Hi {name}, opt out: https://shop.example/stop"
    assert (await plan_of(text=link, from_="Shop", sandbox=approved)).warnings == []


async def test_an_alpha_tag_must_be_approved_and_possible() -> None:
    link = "Hi {name}, opt out: https://shop.example/stop"
    for tags in ({}, {"Shop": "PENDING"}, {"Other": "APPROVED"}):
        plan = await plan_of(text=link, from_="Shop", sandbox={"alpha_tags": tags})
        assert found(plan) == {"alpha_tag_unapproved": 2}
        assert "may be replaced by 'Unverified'" in plan.warnings[0].text
    evening = NOON.replace(hour=15)
    plan = await plan_of(US, link, from_="Shop", sandbox={"alpha_tags": {}}, now=evening)
    assert found(plan) == {"alpha_tag_impossible": 3}


async def test_a_sender_type_can_be_barred_in_a_country() -> None:
    barred = {"barred_senders": {"AU": ["shared_longcode"]}}
    plan = await plan_of(sandbox=barred)
    assert found(plan) == {"country_restricted": 2, "sender_blocked": 2}
    (blocked,) = [it for it in plan.warnings if it.code == "sender_blocked"]
    assert "AU bars senders of this type, shared_longcode; it allows alpha_tag" in blocked.text


async def test_a_country_can_be_off() -> None:
    plan = await plan_of(sandbox={"countries": ["US"]})
    assert found(plan) == {"country_off": 2}


async def test_a_trial_is_limited() -> None:
    assert found(await plan_of(sandbox={"trial": 200})) == {"trial_account": 2}


async def test_a_country_can_be_open_for_a_trial_only(monkeypatch: pytest.MonkeyPatch) -> None:
    async with client_of() as (client, _):
        selected = await client.countries.selected()
        opened = [
            msgspec.structs.replace(it, trial_sending=1) if it.code == "AU" else it
            for it in selected
        ]

        async def on_trial(_: object) -> list[Any]:
            return opened

        # The sandbox opens a country for a trial only if the whole account is on trial.
        monkeypatch.setattr(type(client.countries), "selected", on_trial)
        plan = await Campaign(AU.encode(), CLEAN, clock=lambda: NOON).plan(client)
    assert found(plan) == {"country_trial": 2}


async def test_a_number_not_owned_is_no_sender() -> None:
    plan = await plan_of(text="Hi, opt out: https://a.example/stop", from_="+61499999999")
    assert found(plan) == {"sender_not_yours": 2}


async def test_hours_of_the_recipients_are_looked_at() -> None:
    both = AU + US.partition("\n")[2]
    plan = await plan_of(both, now=NOON.replace(hour=3))  # 23:00 in New York
    assert {it.code: it.first_rows for it in plan.warnings} == {"quiet_hours": [4, 5, 6]}
    for quiet in (QuietHours.preset("us"), QuietHours.between(time(9), time(20))):
        assert found(await plan_of(US, now=NOON.replace(hour=3), quiet=quiet)) == {}


async def test_carriers_have_caps() -> None:
    many = "name,to\n" + "".join(f"x,+1212555{it:04}\n" for it in range(2001))
    plan = await plan_of(many, now=NOON.replace(hour=15))
    assert found(plan)["carrier_cap"] == 2001
    (cap,) = [it for it in plan.warnings if it.code == "carrier_cap"]
    assert "this may take 2 days" in cap.text


async def test_credit_can_be_short() -> None:
    plan = await plan_of(sandbox={"balance": Decimal("0.10")})
    assert found(plan) == {"credit_short": 2}
    assert "lacks 0.0540 AUD" in plan.warnings[0].text


async def test_numbers_without_a_subscriber_are_named() -> None:
    plan = await plan_of("name,to\nAnn,+61412345678\nBob,+447700900123\n", now=NOON.replace(hour=9))
    assert {it.code: it.first_rows for it in plan.warnings if it.code == "unassigned"} == {
        "unassigned": [3]
    }


@pytest.mark.parametrize(("limit", "cut"), [(6, 1), (7, 0), (8, 0), (None, 0), (160, 2), (1200, 0)])
def test_the_accounts_own_limit_cuts_messages(limit: int | None, cut: int) -> None:
    account = Account(setting_sms_message_char_limit=limit)
    assert [it.rows for it in cut_by_account(account, {7: 1, 3: 1, 1: 5})] == ([cut] if cut else [])


async def test_what_the_account_does_not_answer_is_said() -> None:
    def refuse(sandbox: Sandbox) -> None:
        sandbox.fail_every(
            lambda it: (
                Fault.ERROR_BEFORE
                if it.path.endswith(("/user-countries", "/compliant-sender-types"))
                else None
            )
        )

    plan = await plan_of(prepare=refuse)
    assert found(plan) == {"not_checked": 2}
    assert "about its countries and senders" in plan.warnings[0].text


async def test_warnings_are_json() -> None:
    import msgspec  # noqa: PLC0415

    plan = await plan_of(text="Hi {name}")
    (warning,) = json.loads(msgspec.json.encode(plan.warnings))
    assert warning["code"] == "opt_out_missing"
    assert msgspec.convert(warning, PlanWarning) == plan.warnings[0]
