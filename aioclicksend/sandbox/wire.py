"""Put replies on the wire, whole or broken."""

from __future__ import annotations

import socket
import struct

from aiohttp import web

from .faults import Arrival
from .replies import Reply

_FORGET_WITH_RST = struct.pack("ii", 1, 0)


def respond(arrival: Arrival, reply: Reply) -> web.Response:
    """Answer in full."""
    arrival.status = reply.status
    headers = {"Content-Type": reply.content_type, **reply.headers}
    return web.Response(status=reply.status, body=reply.encode(), headers=headers)


def reset(request: web.Request) -> web.Response:
    """Close with a TCP reset and not one byte of reply."""
    transport = request.transport
    if transport is not None:
        connection: socket.socket | None = transport.get_extra_info("socket")
        if connection is not None:
            # Linger 0 makes close send a reset instead of a FIN: what a client sees when a proxy
            # dies.
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _FORGET_WITH_RST)
        transport.abort()
    # Never read: the connection is closed.
    return web.Response()


async def half(request: web.Request, arrival: Arrival, reply: Reply) -> web.StreamResponse:
    """Promise a whole body, send half of it and hang up."""
    body = reply.encode()
    response = web.StreamResponse(status=reply.status, headers={"Content-Type": reply.content_type})
    # The whole length: a client must not take the half for all there is.
    response.content_length = len(body)
    await response.prepare(request)
    await response.write(body[: len(body) // 2])
    arrival.status = reply.status
    if request.transport is not None:
        request.transport.close()
    return response
