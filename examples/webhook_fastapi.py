"""Receipts and opt-outs in a FastAPI app: who got the text, and who wants no more.

``python examples/webhook_fastapi.py``, then push as ClickSend does, and look:
``curl localhost:8000/clicksend/change-me -d message_id=1 -d status_code=201``
``curl localhost:8000/messages/1``
"""

from __future__ import annotations

import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import uvicorn
from fastapi import FastAPI, HTTPException

from aioclicksend.webhooks import Webhook

hook = Webhook(secrets=[os.environ.get("WEBHOOK_SECRET", "change-me")], store="inbox.db")


@asynccontextmanager
async def lifespan(_: FastAPI) -> AsyncIterator[None]:
    """Run the handlers as long as the app runs."""
    async with hook:
        yield


app = FastAPI(lifespan=lifespan)
app.mount("/clicksend", hook.asgi)


@app.get("/messages/{message_id}")
async def state(message_id: str) -> dict[str, str | None]:
    """Return what became of a message."""
    found = await hook.store.deliveries([message_id])
    if message_id not in found:
        raise HTTPException(404, "no receipt yet")
    return {"state": found[message_id].state, "reason": found[message_id].reason}


@app.get("/opted-out/{number}")
async def opted_out(number: str) -> bool:
    """Return whether somebody asked not to be written to."""
    return bool(await hook.store.blocked([number]))


if __name__ == "__main__":
    uvicorn.run(app, port=int(os.environ.get("PORT", "8000")), access_log=False)
