"""The types a user sees. Never run: mypy and pyright read it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import datetime
from decimal import Decimal
from typing import Any, Literal, assert_type

import aiohttp

import aioclicksend as ac
from aioclicksend.models.account import Account
from aioclicksend.models.contacts import Contact, ContactList
from aioclicksend.models.results import MmsRow, SmsRow, VoiceLanguage, VoiceRow


class OwnPace:
    async def turn(self, operation: str) -> None:
        raise NotImplementedError(operation)

    async def at_wire(self) -> None: ...
    def hold(self, seconds: float, operation: str | None = None) -> None:
        raise NotImplementedError(seconds, operation)

    def held_for(self, operation: str) -> float:
        return float(len(operation))


class NoPace:
    async def turn(self, operation: str) -> None:
        raise NotImplementedError(operation)


def observing(end: ac.EndEvent, batch: ac.BatchEvent, request: ac.RequestEvent) -> None:
    assert_type(end.id, str)
    assert_type(end.status, int | None)
    assert_type(end.response_code, str | None)
    assert_type(end.outcome, Literal["ok", "refused", "not_sent", "unknown", "cancelled"])
    assert_type(batch.unknown, int)
    assert_type(request.waited, float)


async def setting_up(http: aiohttp.ClientSession) -> None:
    async with ac.ClickSend() as client:
        assert_type(client, ac.ClickSend)
    hooks = ac.Hooks(on_retry=lambda event: print(event.delay))  # noqa: T201
    ac.ClickSend(auth=ac.BasicAuth("name", "key"), rate_limit=None, http=http, hooks=hooks)
    ac.ClickSend(
        auth=ac.MatonAuth("key", connection_id="one"),
        base_url="https://api.maton.ai/clicksend",
        control_url="https://api.maton.ai",
        rate_limit=ac.RateLimit(10, 1.0),
        retry=ac.Retry(attempts=3),
        timeout=ac.Timeout(connect=5.0, read=60.0, turn=2.0),
        limits=ac.Limits(reply=2**20, download=2**30),
        proxy="http://proxy:3128",
        pace=OwnPace(),
    )
    remove = client.add_hooks(ac.Hooks(on_end=lambda event: print(event.outcome)))  # noqa: T201
    assert_type(remove(), None)
    assert_type(client.base_url, str)
    ac.ClickSend(pace=NoPace())  # type: ignore[arg-type]
    ac.Hooks(on_batch=lambda event: event.status)  # type: ignore[attr-defined]
    ac.ClickSend("name", "key")  # type: ignore[arg-type,call-arg]
    ac.ClickSend(auth="key")  # type: ignore[arg-type]
    ac.BasicAuth("name")  # type: ignore[call-arg]


async def sending(client: ac.ClickSend) -> None:
    sms = await client.sms.send(ac.SmsMessage(to="+61411111111", body="Hi"))
    assert_type(sms, ac.SendResult[SmsRow])
    assert_type(sms.total_price, Decimal)
    assert_type(sms.accepted, list[SmsRow])
    assert_type(sms.messages[0].message_price, Decimal | None)
    assert_type(sms.messages[0].date, datetime | None)
    assert_type(sms.messages[0].accepted, bool)
    assert_type(await client.sms.find("ref"), list[SmsRow])
    assert_type(await client.mms.price([ac.MmsMessage()]), ac.SendResult[MmsRow])
    assert_type(await client.voice.send((ac.VoiceMessage(),)), ac.SendResult[VoiceRow])
    await client.sms.send(ac.VoiceMessage())  # type: ignore[arg-type]
    await client.mms.send([ac.SmsMessage()])  # type: ignore[list-item]
    ac.SmsMessage("+61411111111")  # type: ignore[call-arg]


async def calling(client: ac.ClickSend) -> None:
    assert_type(await client.account.get(), Account)
    assert_type(await client.voice.languages(), list[VoiceLanguage])
    assert_type(await client.sms.cancel("ID"), None)
    assert_type(await client.contacts.create(7, email="a@example.com"), Contact)
    assert_type(await client.request("GET", "/v3/new"), Any)


async def walking(client: ac.ClickSend) -> None:
    lists = client.lists.walk(limit=100, prefetch=8)
    assert_type(lists, ac.Pages[ContactList])
    assert_type(aiter(lists), AsyncIterator[ContactList])
    assert_type(await lists.page(3), ac.Page[ContactList])
    assert_type(await lists.collect(limit=50), list[ContactList])
    async for item in lists:
        assert_type(item, ContactList)
    async for page in lists.by_page():
        assert_type(page, ac.Page[ContactList])
        assert_type(page.items, list[ContactList])


async def failing(client: ac.ClickSend) -> None:
    try:
        await client.account.get()
    except ac.TooManyRequests as error:
        assert_type(error.retry_after, float | None)
        assert_type(error.status, int)
    except ac.UnknownOutcomeError as error:
        assert_type(error.refs, tuple[str, ...])
    except ac.ReplyError as error:
        assert_type(error.response_code, str)
        assert_type(error.raw, object)
