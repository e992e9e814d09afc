"""The rules of `client.webhooks`: made once, repaired, reported, and only one's own deleted."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pytest
import pytest_asyncio

from aioclicksend import BasicAuth, ClickSend, ConfigurationError, Retry
from aioclicksend.sandbox import Sandbox

URL, OLD = "https://example.org/clicksend/new", "https://example.org/clicksend/old"


@pytest_asyncio.fixture
async def sandbox() -> AsyncIterator[Sandbox]:
    async with Sandbox() as running:
        yield running


@pytest_asyncio.fixture
async def client(sandbox: Sandbox) -> AsyncIterator[ClickSend]:
    async with ClickSend(
        auth=BasicAuth("sandbox", "sandbox"),
        base_url=sandbox.url,
        rate_limit=None,
        retry=Retry(attempts=1),
    ) as client:
        yield client


async def rules(client: ClickSend) -> list[tuple[str | None, str | None, bool | None]]:
    found: list[Any] = await client.automations.sms.inbound.walk().collect()
    found += await client.automations.sms.receipts.walk().collect()
    return [(it.action, it.action_address, it.enabled) for it in found]


async def inbound_rule(client: ClickSend, url: str, **more: Any) -> int:
    fields: dict[str, Any] = {
        "dedicated_number": "*",
        "rule_name": "theirs",
        "message_search_type": 0,
        "message_search_term": "",
        "action": "URL",
        "action_address": url,
        "enabled": 1,
        **more,
    }
    rule = await client.automations.sms.inbound.create(**fields)
    assert rule.inbound_rule_id
    return rule.inbound_rule_id


async def test_rules_are_made_once(client: ClickSend) -> None:
    first = await client.webhooks.install(URL)
    assert [it.kind for it in first.created] == ["inbound", "sms"]
    assert first.is_complete
    again = await client.webhooks.install(URL)
    assert (again.created, again.repaired) == ((), ())
    assert again.installed == first.installed == first.created
    assert await rules(client) == [("URL", URL, True)] * 2
    assert await client.webhooks.check(URL) == again


async def test_other_channels_are_asked_for(client: ClickSend) -> None:
    report = await client.webhooks.install(URL, receipts=["sms", "voice", "email"], inbound=False)
    assert [it.kind for it in report.installed] == ["sms", "voice", "email"]
    assert await client.webhooks.uninstall(URL) == 3
    with pytest.raises(ValueError, match="receipts"):
        await client.webhooks.install(URL, receipts="sms")  # type: ignore[arg-type] # pyright: ignore[reportArgumentType]


async def test_checking_changes_nothing(client: ClickSend) -> None:
    report = await client.webhooks.check(URL)
    assert report.missing == ("inbound", "sms")
    assert not report.is_complete
    assert await rules(client) == []


@pytest.mark.parametrize(
    "partial",
    [
        {"enabled": 0},
        {"message_search_type": 1, "message_search_term": "YES"},
        {"dedicated_number": "+61411111111"},
    ],
)
async def test_a_partial_rule_is_repaired(client: ClickSend, partial: dict[str, Any]) -> None:
    rule_id = await inbound_rule(client, URL, **partial)
    assert (await client.webhooks.check(URL)).missing == ("inbound", "sms")
    report = await client.webhooks.install(URL)
    assert [it.rule_id for it in report.repaired] == [rule_id]
    assert [it.kind for it in report.created] == ["sms"]
    assert len(await rules(client)) == 2
    assert (await client.automations.sms.inbound.get(rule_id)).rule_name == "theirs"


async def test_stale_and_doubled_rules_are_reported_and_left(client: ClickSend) -> None:
    await client.webhooks.install(OLD)
    ids = [await inbound_rule(client, URL) for _ in range(2)]
    await inbound_rule(client, "https://example.org/other/secret")
    await inbound_rule(client, "", action="POLL")
    report = await client.webhooks.install(URL)
    assert [it.rule_id for it in report.installed][:1] == ids[:1]
    assert [it.rule_id for it in report.doubled] == ids[1:]
    assert [it.kind for it in report.stale] == ["inbound", "sms"]
    assert not report.is_complete
    assert len(await rules(client)) == 7
    assert "old" not in repr(report)
    assert await client.webhooks.uninstall(OLD) == 2
    assert (await client.webhooks.check(URL)).stale == ()


async def test_only_rules_of_exactly_the_address_are_deleted(client: ClickSend) -> None:
    await client.webhooks.install(URL)
    await client.webhooks.install(OLD)
    assert await client.webhooks.uninstall(URL) == 2
    assert await rules(client) == [("URL", OLD, True)] * 2
    assert await client.webhooks.uninstall(URL) == 0


async def test_polling_has_one_rule(client: ClickSend) -> None:
    for _ in range(2):
        report = await client.webhooks.install_polling()
        assert [it.kind for it in report.installed] == ["sms"]
    assert await rules(client) == [("POLL", None, True)] or await rules(client) == [
        ("POLL", "", True)
    ]


@pytest.mark.parametrize(
    "url", ["http://example.org/x/secret", "example.org", "", "ftp://example.org", "https:///x"]
)
async def test_an_address_that_is_not_https_is_refused(client: ClickSend, url: str) -> None:
    for call in (client.webhooks.install, client.webhooks.check, client.webhooks.uninstall):
        with pytest.raises(ConfigurationError) as caught:
            await call(url)
        assert "secret" not in str(caught.value)
    assert await rules(client) == []


async def test_a_sandbox_may_push_to_this_machine(client: ClickSend) -> None:
    assert (await client.webhooks.install("http://127.0.0.1:9/clicksend/x")).is_complete
