"""The floor: aiohttp and msgspec by hand, doing the same posts and no more than must be done."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator

import aiohttp
import msgspec
from msgspec import Struct

from ..meter import Meter
from ..workload import LANES, chunks


class Sms(Struct, gc=False):
    """A message as it is posted."""

    to: str
    body: str
    custom_string: str


class Row(Struct, gc=False):
    """What of a row matters."""

    to: str
    custom_string: str
    message_id: str
    message_parts: int
    message_price: str
    status: str


class Data(Struct):
    """The payload of a reply."""

    messages: list[Row]


class Envelope(Struct):
    """A reply."""

    http_code: int
    data: Data


encode = msgspec.json.Encoder().encode
decode = msgspec.json.Decoder(Envelope).decode


def send(url: str, count: int) -> dict[str, float]:
    """Send messages."""
    return asyncio.run(_post_all(f"{url}/v3/sms/send", count))


def price(url: str, count: int) -> dict[str, float]:
    """Price messages."""
    return asyncio.run(_post_all(f"{url}/v3/sms/price", count))


async def _post_all(url: str, count: int) -> dict[str, float]:
    headers = {"Authorization": "Basic c2luazpzaW5r", "Content-Type": "application/json"}
    accepted = 0
    with Meter() as meter:
        async with aiohttp.ClientSession(headers=headers) as http:
            bodies = _bodies(count)

            async def lane() -> int:
                taken = 0
                for body in bodies:
                    async with http.post(url, data=body) as response:
                        response.raise_for_status()
                        reply = decode(await response.read())
                    taken += sum(row.status == "SUCCESS" for row in reply.data.messages)
                return taken

            accepted = sum(await asyncio.gather(*(lane() for _ in range(LANES))))
    assert accepted == count
    return meter.result(count)


def _bodies(count: int) -> Iterator[bytes]:
    number = 0
    for chunk in chunks(count):
        batch = []
        for to, body in chunk:
            batch.append(Sms(to, body, f"floor-{number:x}"))
            number += 1
        yield encode({"messages": batch})
