"""The apps that the README shows, one of each framework; each says what its handlers got.

They are served by uvicorn or aiohttp in a process of their own: see `test_frameworks`.
"""

# ruff: noqa: PLC0415 - each needs its own framework only

from __future__ import annotations

import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Annotated, Any

from aioclicksend.webhooks import DeliveryReceipt, InboundMessage, Webhook, dedupe_key

from .pushes import SECRET

handled = list[str]()


async def on_inbound(message: InboundMessage) -> None:
    handled.append(f"inbound {message.message_id}")


async def on_receipt(receipt: DeliveryReceipt) -> None:
    handled.append(f"receipt {receipt.message_id} {receipt.status_code}")


def hook() -> Webhook:
    return Webhook(
        secrets=[SECRET], store=os.environ["INBOX"], on_inbound=on_inbound, on_receipt=on_receipt
    )


def starlette() -> Any:
    from starlette.applications import Starlette
    from starlette.requests import Request
    from starlette.responses import JSONResponse
    from starlette.routing import Mount, Route

    webhook = hook()

    @asynccontextmanager
    async def lifespan(_app: Starlette) -> AsyncIterator[None]:
        async with webhook:
            yield

    async def seen(_request: Request) -> JSONResponse:
        return JSONResponse(handled)

    return Starlette(
        routes=[Route("/handled", seen), Mount("/clicksend", webhook.asgi)], lifespan=lifespan
    )


def fastapi() -> Any:
    """Mount the hook, and take pushes in a route of the app's own by `Depends`."""
    from fastapi import Depends, FastAPI, Request, Response

    webhook = hook()

    @asynccontextmanager
    async def lifespan(_app: FastAPI) -> AsyncIterator[None]:
        async with webhook:
            yield

    app = FastAPI(lifespan=lifespan)
    app.mount("/clicksend", webhook.asgi)

    def the_hook() -> Webhook:
        return webhook

    async def own(
        request: Request, secret: str, taker: Annotated[Webhook, Depends(the_hook)]
    ) -> Response:
        status = await taker.receive(
            secret,
            await request.body(),
            content_type=request.headers.get("content-type"),
            query=request.url.query,
        )
        return Response(status_code=status)

    # Evaluated here: the names of this function are not those of the module.
    own.__annotations__ = {
        "request": Request,
        "secret": str,
        "taker": Annotated[Webhook, Depends(the_hook)],
        "return": Response,
    }
    app.api_route("/own/{secret}", methods=["GET", "POST"])(own)

    async def seen() -> list[str]:
        return handled

    app.get("/handled")(seen)
    return app


def litestar() -> Any:
    from litestar import Litestar, asgi, get

    webhook = hook()

    @asynccontextmanager
    async def lifespan(_app: Litestar) -> AsyncIterator[None]:
        async with webhook:
            yield

    @get("/handled")
    async def seen() -> list[str]:
        return handled

    return Litestar(
        [asgi("/clicksend", is_mount=True, copy_scope=True)(webhook.asgi), seen],
        lifespan=[lifespan],
    )


def django() -> Any:
    """Send what begins with the prefix to the hook, all the rest to Django."""
    from django.conf import settings
    from django.core.asgi import get_asgi_application
    from django.http import HttpRequest, JsonResponse
    from django.urls import path

    def seen(_request: HttpRequest) -> JsonResponse:
        return JsonResponse(handled, safe=False)

    urls = type("urls", (), {"urlpatterns": [path("handled", seen)]})
    settings.configure(ROOT_URLCONF=urls, ALLOWED_HOSTS=["*"], SECRET_KEY="x", DEBUG=False)
    site, webhook = get_asgi_application(), hook()

    async def app(scope: Any, receive: Any, send: Any) -> None:
        mine = scope["type"] == "lifespan" or scope["path"].startswith("/clicksend/")
        await (webhook.asgi if mine else site)(scope, receive, send)

    return app


def alone() -> Any:
    """Use the hook as the whole application."""
    webhook = hook()

    async def app(scope: Any, receive: Any, send: Any) -> None:
        if scope.get("path") != "/handled":
            await webhook.asgi(scope, receive, send)
            return
        import json

        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": json.dumps(handled).encode()})

    return app


def recording() -> Any:
    """Write each event that was handled to a file, and die at any moment: see `test_kill`."""
    from aiohttp import web

    file = os.open(os.environ["HANDLED"], os.O_WRONLY | os.O_APPEND | os.O_CREAT)

    async def record(event: InboundMessage | DeliveryReceipt) -> None:
        os.write(file, f"{dedupe_key(event)}\n".encode())

    webhook = Webhook(
        secrets=[SECRET],
        store=os.environ["INBOX"],
        on_inbound=record,
        on_receipt=record,
        lease=1.0,
    )

    async def lifespan(_app: web.Application) -> AsyncIterator[None]:
        async with webhook:
            yield

    app = web.Application()
    app.add_routes(webhook.routes("/clicksend"))
    app.cleanup_ctx.append(lifespan)
    return app


def plain_aiohttp() -> Any:
    from aiohttp import web

    webhook = hook()

    async def lifespan(_app: web.Application) -> AsyncIterator[None]:
        async with webhook:
            yield

    async def seen(_request: web.Request) -> web.Response:
        return web.json_response(handled)

    app = web.Application()
    app.add_routes(webhook.routes("/clicksend"))
    app.router.add_get("/handled", seen)
    app.cleanup_ctx.append(lifespan)
    return app
