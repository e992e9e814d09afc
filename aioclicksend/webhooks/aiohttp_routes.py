"""The webhook as routes of an aiohttp application."""

from __future__ import annotations

from typing import TYPE_CHECKING

from aiohttp import ClientPayloadError, web
from aiohttp.http_exceptions import HttpProcessingError

from .asgi import METHODS

if TYPE_CHECKING:
    from .hook import Webhook

_CHUNK = 64 * 1024


def routes(hook: Webhook, prefix: str, limit: int) -> list[web.AbstractRouteDef]:
    """Return the routes of one hook: all methods of ``prefix/SECRET``.

    Args:
        hook: takes the pushes.
        prefix: the path before the secret.
        limit: bytes of the largest body that is read.

    """

    async def take(request: web.Request) -> web.Response:
        secret = request.match_info["secret"]
        if not hook.knows(secret):
            return _answer(404)
        if request.method not in METHODS:
            return _answer(405)
        body = await _body(request, limit)
        if body is None:
            return _answer(413)
        status = await hook.receive(
            secret,
            body,
            content_type=request.headers.get("content-type"),
            query=request.rel_url.raw_query_string or None,
        )
        return _answer(status)

    # Whatever slashes the prefix has: one between its parts.
    path = "/".join(("", *filter(None, prefix.split("/")), "{secret}"))
    # A slash behind the secret as well, as in ASGI: a person may have typed it into a rule.
    path += "{slash:/?}"
    # All methods, so that a wrong secret is 404 for each of them.
    return [web.route("*", path, take)]


async def _body(request: web.Request, limit: int) -> bytes | None:
    """Return the unpacked body; None if it is too large, empty if it is broken."""
    body = bytearray()
    try:
        async for chunk in request.content.iter_chunked(_CHUNK):
            body += chunk
            if len(body) > limit:
                return None
    except (ClientPayloadError, HttpProcessingError, web.RequestPayloadError):
        return b""  # a wrong content-encoding: kept as what cannot be read
    return bytes(body)


def _answer(status: int) -> web.Response:
    response = web.Response(status=status, headers={"cache-control": "no-store"})
    if status == 413:
        response.force_close()  # the rest of the body is not read
    return response
