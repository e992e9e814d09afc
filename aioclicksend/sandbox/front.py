"""What happens to one request of an application, from its first byte to the last of the reply.

    login ─ body ─ latency ─ rate ─ fault before ─ handler ─ fault after ─ reply

The order is what makes the faults honest: a request without a login uses up none of them, one that
is refused with 429 had no effect, and after a fault whose name ends in `-after` the effect stands.
"""

from __future__ import annotations

import asyncio
import math
from typing import NamedTuple

from aiohttp import web

from . import files, routes
from .access import GATEWAY, authenticate, is_control_plane
from .calls import Call
from .events import Events
from .faults import (
    HANGS,
    RESETS,
    UNPROCESSED,
    Arrival,
    Failure,
    Fault,
    FaultPlan,
    RateWindow,
    monotonic,
    refuse_429,
    reply_instead,
    spoil,
)
from .gateway import check_connection
from .gateway import control as control_plane
from .imports import finish_imports
from .replies import ApiError, GatewayError, Reply
from .requests import RequestLog
from .state import State
from .views import request_view
from .wire import half, reset, respond

_LARGEST_BODY = 64 * 1024 * 1024
_LARGEST_STRANGER = 64 * 1024


class _Accepted(NamedTuple):
    """A request that was let in."""

    login: str
    body: bytes
    base: str


class Front:
    """Answers the requests of an application, on one account after the other."""

    def __init__(self, events: Events, latency: float) -> None:
        self.events = events
        self.latency = latency
        self.log: RequestLog = RequestLog()
        self.faults: FaultPlan = FaultPlan()
        self.window: RateWindow | None = None

    def begin(self, state: State, rate_limit: tuple[int, float] | None) -> None:
        """Serve a new account, with nothing left of what came before."""
        self.state = state
        self.faults = FaultPlan()
        self.limit(rate_limit)
        self.log.clear()

    def limit(self, rate_limit: tuple[int, float] | None) -> None:
        """Set how many requests are answered in any window of how many seconds; None: all."""
        self.window = RateWindow(*rate_limit) if rate_limit else None

    async def answer(self, request: web.Request, base: str) -> web.StreamResponse:
        """Answer one request of an application; `base` is everything before `/v3`."""
        at = monotonic()
        headers = request.headers.copy()
        # Arrivals can be listed by tests and the page: no credential may stand in them.
        headers.popall("Authorization", None)
        arrival = Arrival(request.method, request.path, dict(request.query), headers, b"", at)
        path = request.rel_url.raw_path
        refused: Reply | None = None
        login, body = "", b""
        try:
            login = authenticate(self.state, request.method, path, request.headers)
            # A caller without a login gets little memory.
            body = await _read(request, _LARGEST_BODY if login else _LARGEST_STRANGER)
            arrival.body = body if login or is_control_plane(path) else b""
        except (ApiError, GatewayError) as error:
            refused = error.reply()
        self.log.add(arrival)
        # At arrival: the limit counts requests, and a latency must not shift them.
        wait = self.window.admit(at) if self.window else None
        if self.latency:
            await asyncio.sleep(self.latency)
        if wait is not None:
            return self._respond(arrival, refuse_429(math.ceil(wait)))
        if refused is not None:
            refused.headers |= self._rate_headers()
            return self._respond(arrival, refused)
        call = _Accepted(login, body, base)
        failure = self.faults.choose(arrival)
        # The page counts down what is left of a fault.
        if failure is not None:
            self.publish_faults()
        if failure is not None and failure.fault is Fault.SLOW:
            await asyncio.sleep(failure.options["delay"])
        if failure is None or failure.fault is Fault.SLOW:
            return self._respond(arrival, self._process(request, arrival, call))
        return await self._fail(request, arrival, failure, call)

    async def _fail(
        self, request: web.Request, arrival: Arrival, failure: Failure, call: _Accepted
    ) -> web.StreamResponse:
        fault = failure.fault
        # Before the effect where the fault says so, else after it.
        reply = None if fault in UNPROCESSED else self._process(request, arrival, call)
        # Told to the page now: this request never ends by itself.
        if fault in HANGS:
            self._publish(arrival)
            # Until the client gives up or the sandbox stops, which cancels this task.
            await asyncio.Event().wait()
        if fault in RESETS:
            self._publish(arrival)
            return reset(request)
        if reply is None:
            return self._respond(arrival, reply_instead(failure, arrival))
        if fault is Fault.HALF_BODY:
            self._publish(arrival)
            return await half(request, arrival, reply)
        return self._respond(arrival, spoil(failure, reply))

    def _respond(self, arrival: Arrival, reply: Reply) -> web.Response:
        response = respond(arrival, reply)
        self._publish(arrival)
        return response

    def _publish(self, arrival: Arrival) -> None:
        self.events.publish("request", lambda: request_view(arrival))

    def publish_faults(self) -> None:
        """Let subscribers know which faults wait."""
        self.events.publish("faults", lambda: [failure.view() for failure in self.faults.armed])

    def _process(self, request: web.Request, arrival: Arrival, call: _Accepted) -> Reply:
        """Let a request have its effect and return the reply."""
        # What has become due before this request must be visible to it.
        self.state.settle()
        finish_imports(self.state)
        if request.method != "GET":
            self.state.version += 1
        try:
            reply = self._dispatch(request, arrival, call)
        except (ApiError, GatewayError) as error:
            reply = error.reply()
        reply.headers |= self._rate_headers()
        return reply

    def _dispatch(self, request: web.Request, arrival: Arrival, accepted: _Accepted) -> Reply:
        state, method = self.state, request.method
        path = request.rel_url.raw_path
        if path.startswith(files.PREFIX):
            return files.serve(state, method, path)
        if is_control_plane(path):
            return control_plane(state, method, path, arrival.query, accepted.body)
        if path.startswith(GATEWAY + "/"):
            check_connection(state, request.headers)
            path = path.removeprefix(GATEWAY)
        # Not the parsed one: a wrong header is the application's, and handlers judge it.
        content_type = request.headers.get("Content-Type", "")
        call = Call(state, accepted.login, {}, arrival.query, None, accepted.base, content_type)
        return routes.answer(method, path, call, accepted.body)

    def _rate_headers(self) -> dict[str, str]:
        # ClickSend counts by the minute and says so; the gateway's short window sends no headers.
        window = self.window if self.window and self.window.per >= 60 else None
        return {
            "x-ratelimit-limit": str(window.requests if window else 6000),
            "x-ratelimit-remaining": str(window.remaining if window else 5999),
            "ratelimit-reset": str(math.ceil(window.per) if window else 47),
        }


async def _read(request: web.Request, most: int) -> bytes:
    """Read a body, refusing one that is larger than anything the API takes."""
    chunks: list[bytes] = []
    size = 0
    async for chunk in request.content.iter_any():
        size += len(chunk)
        if size > most:
            raise ApiError(413, "REQUEST_ENTITY_TOO_LARGE", f"A body has at most {most} bytes.")
        chunks.append(chunk)
    return b"".join(chunks)
