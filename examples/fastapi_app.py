"""A web service that sends texts: concurrent requests share calls to ClickSend.

``python examples/fastapi_app.py --sandbox``, then
``curl -X POST localhost:8000/texts --json '{"to": "+61411111111", "body": "Hello"}'``

It is for programs on this machine. A page in a browser here could reach it too, so host and content
type are checked: see aiohttp_app.py. A service that others can reach needs a login besides.
"""

from __future__ import annotations

import os
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Annotated, Any

import uvicorn
from _account import connect
from fastapi import Depends, FastAPI, Header, HTTPException, Request
from fastapi.middleware.trustedhost import TrustedHostMiddleware
from pydantic import BaseModel

from aioclicksend import Accepted, BulkSender, NotSent, Rejected, SmsMessage, Unknown


@asynccontextmanager
async def lifespan(_: FastAPI) -> AsyncGenerator[dict[str, Any]]:
    """Keep one client and one bulk sender as long as the app runs."""
    async with connect() as client, client.sms.bulk() as bulk:
        yield {"bulk": bulk}  # as request.state.bulk; leaving sends what was handed over


def only_json(content_type: Annotated[str, Header()] = "") -> None:
    """Refuse what a page of a web site could have sent."""
    if content_type.partition(";")[0].strip().lower() != "application/json":
        raise HTTPException(415)


app = FastAPI(lifespan=lifespan, dependencies=[Depends(only_json)])
HOSTS = os.environ.get("HOSTS", "localhost,127.0.0.1").split(",")
app.add_middleware(TrustedHostMiddleware, allowed_hosts=HOSTS)


class Text(BaseModel):
    """A text and its recipient."""

    to: str
    body: str


@app.post("/texts", status_code=201)
async def send(text: Text, request: Request) -> dict[str, str | None]:
    """Send one text and answer with its outcome."""
    bulk: BulkSender[SmsMessage] = request.state.bulk
    try:
        handle = await bulk.send(SmsMessage(to=text.to, body=text.body))
    except ValueError as error:
        raise HTTPException(422, str(error)) from None
    match await handle:
        case Accepted(message_id=message_id):
            return {"message_id": message_id}
        case Rejected(status=status):
            raise HTTPException(422, status)
        case NotSent(reason=reason):
            raise HTTPException(503, reason)
        case Unknown(ref=ref):
            raise HTTPException(504, f"it may have been sent; look for {ref} before trying again")


if __name__ == "__main__":
    uvicorn.run(app, port=int(os.environ.get("PORT", "8000")))
