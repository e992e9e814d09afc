"""A web service on aiohttp that sends texts: concurrent requests share calls to ClickSend.

``python examples/aiohttp_app.py --sandbox``, then
``curl localhost:8080/texts --json '{"to": "+61411111111", "body": "Hello"}'``

It is for programs on this machine. A page in a browser here could reach it too, so two things are
checked: the content type, since a page of another site can post a form or plain text but no JSON;
and the host, since a name of a foreign site can be made to resolve to this machine. A service that
others can reach needs a login besides.
"""

from __future__ import annotations

import os
from collections.abc import AsyncGenerator, Awaitable, Callable

from _account import connect
from aiohttp import web

from aioclicksend import Accepted, BulkSender, Rejected, SmsMessage

BULK = web.AppKey("bulk", BulkSender[SmsMessage])

HOSTS = frozenset(os.environ.get("HOSTS", "localhost,127.0.0.1").split(","))

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


@web.middleware
async def only_programs_here(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Refuse what a page of a web site could have sent."""
    if request.host.rpartition(":")[0] not in HOSTS and request.host not in HOSTS:
        raise web.HTTPMisdirectedRequest
    if request.method == "POST" and request.content_type != "application/json":
        raise web.HTTPUnsupportedMediaType
    return await handler(request)


async def sender(app: web.Application) -> AsyncGenerator[None]:
    """Keep one client and one bulk sender as long as the app runs."""
    async with connect() as client, client.sms.bulk() as app[BULK]:
        yield  # leaving sends what was handed over


async def send(request: web.Request) -> web.Response:
    """Send one text and answer with its outcome."""
    try:
        text = await request.json()
        message = SmsMessage(to=text["to"], body=text["body"])
    except (ValueError, KeyError, TypeError):
        return web.json_response({"refused": "give a JSON object with to and body"}, status=400)
    try:
        handle = await request.app[BULK].send(message)
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
    app = web.Application(middlewares=[only_programs_here])
    app.cleanup_ctx.append(sender)
    app.router.add_post("/texts", send)
    return app


if __name__ == "__main__":
    web.run_app(make_app(), host="127.0.0.1", port=int(os.environ.get("PORT", "8080")))
