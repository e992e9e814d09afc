"""What a bulk would cost, from replies that leave things out; nothing is sent."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from decimal import Decimal
from typing import Any

import pytest

import aioclicksend as ac
from aioclicksend.sandbox import Sandbox

from ..core.helpers import client_of
from ..hostile import Arrival, Hostile, Line, sent
from .helpers import client, many, posts, sms


async def test_messages_of_an_async_iterable_are_priced() -> None:
    async def source() -> AsyncIterator[ac.SmsMessage]:
        for message in many(25):
            yield message

    async with Sandbox() as sandbox, client(sandbox) as api:
        async with api.sms.bulk(batching=ac.Batching(size=10)) as bulk:
            quote = await asyncio.wait_for(bulk.price(source()), 5)
        assert quote.count == 25
        assert posts(sandbox) == 0


async def test_what_a_price_reply_leaves_out_is_not_made_up() -> None:
    rows: list[dict[str, Any]] = [
        {"status": "SUCCESS"},
        {"status": "SUCCESS", "message_price": "0.1", "message_parts": 2, "country": "AU"},
        {"status": "SUCCESS", "message_price": "0.2", "message_parts": 3, "country": "AU"},
        {"status": "SUCCESS", "message_price": "0.4", "country": "NZ"},
        {"status": "INVALID_RECIPIENT", "message_price": "9", "message_parts": 1, "country": "AU"},
        {"status": "INVALID_RECIPIENT"},
    ]

    async def script(line: Line, _arrival: Arrival) -> None:
        await line.ok({"messages": rows})

    async with Hostile(script) as server, client_of(server.url) as api, api.sms.bulk() as bulk:
        quote = await bulk.price(many(6))
    assert (quote.count, quote.parts, quote.total) == (4, 5, Decimal("0.7"))
    assert quote.by_country == {"?": 0, "AU": Decimal("0.3"), "NZ": Decimal("0.4")}
    assert quote.rejected == {"INVALID_RECIPIENT": 2}
    assert quote.currency is None


async def test_several_requests_add_up() -> None:
    currencies = [{"currency_name_short": "AUD"}, {"currency_name_short": "USD"}, None]

    async def script(line: Line, arrival: Arrival) -> None:
        data = sent(arrival)
        for row in data["messages"]:
            row["country"] = "AU"
        data["messages"][0]["status"] = "INVALID_RECIPIENT"
        await line.ok(data | {"_currency": currencies.pop(0)})

    async with Hostile(script) as server, client_of(server.url) as api:
        async with api.sms.bulk(lanes=1, batching=ac.Batching(size=10)) as bulk:
            quote = await bulk.price(many(25))
    assert (quote.count, quote.parts) == (22, 22)
    assert quote.by_country == {"AU": quote.total} == {"AU": Decimal("0.077") * 22}
    assert quote.rejected == {"INVALID_RECIPIENT": 3}
    assert quote.currency == "AUD"


async def test_a_message_that_is_wrong_is_not_priced() -> None:
    async with Sandbox() as sandbox, client(sandbox) as api, api.sms.bulk() as bulk:
        for wrong in (sms(1, body=" "), ac.MmsMessage(to="+61491570156", body="Hi"), "text"):
            with pytest.raises(ValueError, match=r"body: is empty|not a SmsMessage"):
                await bulk.price([wrong])  # type: ignore[list-item]
        assert not sandbox.requests


async def test_mms_are_priced_with_their_own_pictures() -> None:
    pictures = [f"https://example.org/{number}.jpg" for number in (0, 1, 0)]
    messages = [
        ac.MmsMessage(to=f"+6149157015{place}", body="Look", subject="S", media_file=picture)
        for place, picture in enumerate(pictures)
    ]
    async with Sandbox() as sandbox, client(sandbox) as api, api.mms.bulk() as bulk:
        assert (await bulk.price(messages)).count == 3
        assert [it.body.count(b'"to"') for it in sandbox.requests] == [2, 1]
        shown = [json.loads(it.body)["media_file"] for it in sandbox.requests]
        assert shown == pictures[:2]
        with pytest.raises(ValueError, match="not a MmsMessage but a str"):
            await bulk.price(["text"])  # type: ignore[list-item]


async def test_every_priced_message_has_its_own_ref() -> None:
    """Without one the API's rows could not be distinguished."""
    async with Hostile(lambda line, arrival: line.ok(sent(arrival))) as server:
        async with client_of(server.url) as api, api.sms.bulk() as bulk:
            await bulk.price([sms(1), sms(2, custom_string=None), sms(3, custom_string=None)])
        (arrival,) = server.arrivals
    refs = [it["custom_string"] for it in arrival.json["messages"]]
    assert refs[0] == "ref-1"
    assert len(set(refs)) == 3
    assert arrival.body.count(b'"custom_string"') == 3


async def test_a_failed_price_request_ends_the_pricing() -> None:
    """The other lanes are not waited for, nor is the source read on."""
    taken = 0

    async def source() -> AsyncIterator[ac.SmsMessage]:
        nonlocal taken
        for message in many(100_000):
            taken += 1
            yield message

    async with Sandbox() as sandbox, client(sandbox) as api:
        sandbox.fail_next("status", path="/sms/price", status=403)
        async with api.sms.bulk(batching=ac.Batching(size=10), lanes=2) as bulk:
            with pytest.raises(ac.Forbidden):
                await bulk.price(source())
        assert taken < 1000
