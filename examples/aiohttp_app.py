"""A web service on aiohttp that sends texts: concurrent requests share calls to ClickSend.

``python examples/aiohttp_app.py --sandbox``, then
``curl localhost:8080/texts --json '{"to": "+61411111111", "body": "Hello"}'``
"""

from __future__ import annotations

import os
from collections.abc import AsyncGenerator

from _account import connect
from aiohttp import web

from aioclicksend import Accepted, BulkSender, Rejected, SmsMessage

BULK = web.AppKey("bulk", BulkSender[SmsMessage])


async def sender(app: web.Application) -> AsyncGenerator[None]:
    """Keep one client and one bulk sender as long as the app runs."""
    async with connect() as client, client.sms.bulk() as app[BULK]:
        yield  # leaving sends what was handed over


async def send(request: web.Request) -> web.Response:
    """Send one text and tell what became of it."""
    text = await request.json()
    try:
        handle = await request.app[BULK].send(SmsMessage(to=text["to"], body=text["body"]))
    except ValueError as error:
        return web.json_response({"refused": str(error)}, status=422)
    match await handle:
        case Accepted(message_id=message_id):
            return web.json_response({"message_id": message_id}, status=201)
        case Rejected(status=status):
            return web.json_response({"refused": status}, status=422)
        case other:  # NotSent can be tried again, Unknown has to be looked up by its ref
            return web.json_response({"reason": other.reason, "ref": other.ref}, status=503)


def make_app() -> web.Application:
    """Return the app."""
    app = web.Application()
    app.cleanup_ctx.append(sender)
    app.router.add_post("/texts", send)
    return app


if __name__ == "__main__":
    web.run_app(make_app(), host="127.0.0.1", port=int(os.environ.get("PORT", "8080")))
