"""The webhook as an ASGI application: mounted in Starlette, FastAPI, Litestar, Django, or alone."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, MutableMapping
from typing import TYPE_CHECKING, Any, TypeAlias

if TYPE_CHECKING:
    from .hook import Webhook

Scope: TypeAlias = MutableMapping[str, Any]
Receive: TypeAlias = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send: TypeAlias = Callable[[MutableMapping[str, Any]], Awaitable[None]]

METHODS = frozenset({"POST", "GET"})
"""Pushes are forms or JSON by POST, or a query by GET, as the rule says."""


async def serve(hook: Webhook, limit: int, scope: Scope, receive: Receive, send: Send) -> None:
    """Serve one connection of any kind.

    Args:
        hook: takes the pushes.
        limit: bytes of the largest body that is read.
        scope: of ASGI, like the rest.
        receive: events in.
        send: events out.

    """
    if scope["type"] == "lifespan":
        await _live(hook, receive, send)
    elif scope["type"] == "http":
        status = await _take(hook, limit, scope, receive)
        if status is not None:
            await _answer(send, status)
    elif scope["type"] == "websocket":
        await send({"type": "websocket.close", "code": 1000})


async def _take(hook: Webhook, limit: int, scope: Scope, receive: Receive) -> int | None:
    """Return the status of the answer; None if the client left."""
    # The last part of the path: frameworks disagree on whether they strip the mount.
    secret = scope["path"].rstrip("/").rpartition("/")[2]
    # Checked before the body is read, so that unknown callers cost no memory.
    if not hook.knows(secret):
        return 404
    if scope["method"] not in METHODS:
        return 405
    body = bytearray()
    is_whole = False
    while not is_whole:
        event = await receive()
        # The client left in the middle: it will push again.
        if event["type"] != "http.request":
            return None
        body += event.get("body", b"")
        if len(body) > limit:
            return 413
        is_whole = not event.get("more_body", False)
    # ASGI asks servers for lower case; not all of them comply.
    headers = {name.lower(): value for name, value in scope["headers"]}
    content_type = headers.get(b"content-type")
    return await hook.receive(
        secret,
        bytes(body),
        content_type=content_type.decode("latin-1") if content_type else None,
        query=scope["query_string"].decode("latin-1") or None,
    )


async def _answer(send: Send, status: int) -> None:
    headers = [(b"content-length", b"0"), (b"cache-control", b"no-store")]
    if status == 413:
        headers.append((b"connection", b"close"))  # the rest of the body is not read
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": b""})


async def _live(hook: Webhook, receive: Receive, send: Send) -> None:
    """Run the handlers for as long as the server runs, if the hook is the whole application."""
    await receive()
    try:
        await hook.__aenter__()
    except Exception as error:
        # The text names the file or the argument, and nothing of a push.
        await send({"type": "lifespan.startup.failed", "message": str(error)})
        return
    try:
        await send({"type": "lifespan.startup.complete"})
        await receive()
    finally:
        await hook.aclose()
    await send({"type": "lifespan.shutdown.complete"})
