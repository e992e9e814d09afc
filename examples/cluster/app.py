"""A web service in several processes, and a worker, that share one ClickSend account.

::

    export AIOCLICKSEND_DATABASE_URL=postgresql://localhost/app
    aioclicksend cluster migrate
    aioclicksend worker &
    uvicorn --app-dir examples/cluster app:app --workers 4

``POST /codes`` sends at once, at most one text for a login, whichever process is asked and however
often. ``POST /orders`` books an order and its text in one transaction: rolled back, neither exists.
The worker sends what was committed, also if this process died meanwhile.
"""

from __future__ import annotations

import json
import os
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Annotated, Any

import psycopg
from fastapi import Depends, FastAPI, Header, HTTPException, Request
from fastapi.middleware.trustedhost import TrustedHostMiddleware
from pydantic import BaseModel

from aioclicksend import Accepted, BulkSender, ClickSend, NotSent, RateLimit, SmsMessage, Unknown
from aioclicksend.cluster import Cluster

DATABASE = os.environ.get("AIOCLICKSEND_DATABASE_URL", "postgresql:///app")


@asynccontextmanager
async def lifespan(_: FastAPI) -> AsyncGenerator[dict[str, Any]]:
    """Keep one client and one bulk sender in each process; the pace is one for all of them."""
    cluster = Cluster(DATABASE)
    async with (
        cluster,
        ClickSend(pace=cluster.pace(RateLimit(10, 1))) as client,
        client.sms.bulk(journal=cluster.journal("web")) as bulk,
    ):
        yield {"bulk": bulk}


def only_json(content_type: Annotated[str, Header()] = "") -> None:
    """Refuse what a page of a web site could have sent: see aiohttp_app.py."""
    if content_type.partition(";")[0].strip().lower() != "application/json":
        raise HTTPException(415)


app = FastAPI(lifespan=lifespan, dependencies=[Depends(only_json)])
HOSTS = os.environ.get("HOSTS", "localhost,127.0.0.1").split(",")
app.add_middleware(TrustedHostMiddleware, allowed_hosts=HOSTS)


class Code(BaseModel):
    """A code for a login."""

    login: str
    to: str
    code: str


class Order(BaseModel):
    """An order, whose buyer gets a text."""

    id: str
    to: str


@app.post("/codes", status_code=201)
async def send_code(code: Code, request: Request) -> dict[str, str | None]:
    """Send a code. The login is the key: retries and double clicks get the first outcome."""
    bulk: BulkSender[SmsMessage] = request.state.bulk
    message = SmsMessage(to=code.to, body=f"Your code is {code.code}")
    try:
        outcome = await (await bulk.send(message, key=f"code {code.login}"))
    except ValueError as error:
        raise HTTPException(422, str(error)) from None
    match outcome:
        case Accepted(message_id=message_id):
            return {"message_id": message_id}
        case Unknown(ref=ref):
            raise HTTPException(504, f"the outcome of {ref} cannot be determined")
        case NotSent(reason=reason):
            raise HTTPException(503, reason.value)
        case _:
            raise HTTPException(422, outcome.status)


@app.post("/orders", status_code=201)
async def book(order: Order) -> dict[str, str]:
    """Book an order and enqueue its text: both are committed, or neither is."""
    message = json.dumps({"to": order.to, "body": f"Order {order.id} is booked"})
    async with await psycopg.AsyncConnection.connect(DATABASE) as connection:
        await connection.execute("create table if not exists orders (id text primary key)")
        await connection.execute("insert into orders values (%s)", [order.id])
        await connection.execute(
            "select clicksend.enqueue('sms', %s::jsonb, key => %s)", [message, f"order {order.id}"]
        )
    return {"order": order.id}
