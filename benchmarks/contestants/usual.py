# These packages are installed for comparison only: without them these lines cannot be checked.
# mypy: disable-error-code="import-not-found, misc, unused-ignore"
# pyright: reportMissingImports=false
"""httpx and pydantic, as a user would write it."""

from __future__ import annotations

import asyncio
from decimal import Decimal

import httpx
import pydantic

from ..meter import Meter
from ..workload import chunks


class Sms(pydantic.BaseModel):
    """A message as it is posted."""

    to: str
    body: str
    custom_string: str


class Row(pydantic.BaseModel):
    """A row of the reply."""

    to: str
    body: str
    custom_string: str
    message_id: str
    message_parts: int
    message_price: Decimal
    status: str


class Data(pydantic.BaseModel):
    """The payload of a reply."""

    messages: list[Row]


class Envelope(pydantic.BaseModel):
    """A reply."""

    http_code: int
    data: Data


def send(url: str, count: int) -> dict[str, float]:
    """Send messages."""
    return asyncio.run(_post_all(f"{url}/v3/sms/send", count))


def price(url: str, count: int) -> dict[str, float]:
    """Price messages."""
    return asyncio.run(_post_all(f"{url}/v3/sms/price", count))


async def _post_all(url: str, count: int) -> dict[str, float]:
    accepted = number = 0
    with Meter() as meter:
        async with httpx.AsyncClient(auth=("sink", "sink")) as http:
            for chunk in chunks(count):
                batch = []
                for to, body in chunk:
                    batch.append(Sms(to=to, body=body, custom_string=f"usual-{number:x}"))
                    number += 1
                response = await http.post(
                    url, json={"messages": [it.model_dump() for it in batch]}
                )
                response.raise_for_status()
                reply = Envelope.model_validate(response.json())
                accepted += sum(row.status == "SUCCESS" for row in reply.data.messages)
    assert accepted == count
    return meter.result(count)
