"""One attempt of one call: how far it got, and what its end means.

An attempt walks through phases, and one deadline is moved on at each step::

    pool ──▶ connect ──▶ wire ──▶ sent ──▶ reply
    nothing has left ─────────────│ the server may have acted

aiohttp's tracing reports the phase; ``on_request_headers_sent`` fires just before the first byte,
so an attempt that never got past it provably sent nothing. The exception's type cannot decide that:
waiting for the pool and waiting for the reply both end in `TimeoutError`. That signal is also the
one place to wait with a connection in hand: an attempt that is given up in the signals before it
would leave its connection open for ever.
"""

from __future__ import annotations

import asyncio
from typing import Any

import aiohttp
from aiohttp import TraceConfig

from . import retry as rule
from .config import Timeout
from .pacing import Pace
from .retry import Fate
from .wire import Reply, Request


class _ConnectionBroke(aiohttp.ClientError):
    """What aiohttp would silently answer by sending PUT, DELETE or GET a second time."""


class Held(Exception):
    """The server asked for a pause while this attempt waited for a connection."""


class Unwritable(Exception):
    """A sink failed: neither the network's fault nor the server's."""

    def __init__(self, error: OSError) -> None:
        super().__init__()
        self.error: OSError = error


class Attempt:
    """One attempt of one call; aiohttp's tracing reports to it how far it got."""

    __slots__ = (
        "clock",
        "connection",
        "is_answered",
        "opened",
        "pace",
        "phase",
        "request",
        "sent_at",
        "timeout",
        "turn_left",
        "waited",
    )

    def __init__(
        self,
        request: Request,
        timeout: Timeout,
        pace: Pace,
        clock: asyncio.Timeout,
        turn_left: float | None,
    ) -> None:
        self.request: Request = request
        self.timeout: Timeout = timeout
        self.pace: Pace = pace
        self.clock: asyncio.Timeout = clock
        self.turn_left: float | None = turn_left
        self.phase: str = "pool"
        self.connection: object | None = None
        """What tells its connection from others."""
        self.is_answered: bool = False
        """Whether its reply was read to the end."""
        self.opened: bool = False
        """Whether its connection is a new one."""
        self.waited: float = 0.0
        """Seconds spent waiting for the pace with a connection in hand."""
        self.sent_at: float | None = None

    def __deepcopy__(self, _memo: object) -> Attempt:
        return self  # aioresponses copies whatever a request is made with

    def connects(self) -> None:
        """Begin to open a connection."""
        self._check_pause()
        self.opened = True
        self._enter("connect", self.timeout.connect)

    async def sends(self) -> None:
        """Wait, with a connection in hand, for the turn of the next byte, and let it leave."""
        loop = asyncio.get_running_loop()
        started = loop.time()
        self._enter("wire", self.turn_left)
        try:
            await self.pace.at_wire()
        finally:
            self.waited = loop.time() - started
        if self.request.fence is not None:
            await self.request.fence()
        self._check_pause()
        self._enter("sent", self.timeout.read)
        self.sent_at = loop.time()
        if self.request.wire is not None:
            self.request.wire.sent = True

    def goes_on(self) -> None:
        """Restart the deadline of the reply: a part of it came."""
        self._enter("sent", self.timeout.read)

    def _check_pause(self) -> None:
        if self.pace.held_for(self.request.operation) > 0:
            raise Held

    def _enter(self, phase: str, seconds: float | None) -> None:
        self.phase = phase
        now = asyncio.get_running_loop().time()
        self.clock.reschedule(None if seconds is None else now + seconds)

    def timed_out(self) -> Failure:
        """Return the failure that a deadline of this attempt stands for."""
        what = rule.fate(sent=self.sent_at is not None)
        match self.phase:
            case "pool":
                reason = f"no free connection within {self.timeout.pool:g} s"
            case "connect":
                reason = f"no connection within {self.timeout.connect:g} s"
            case "wire":
                reason = f"no turn within {self.timeout.turn:g} s (Timeout.turn)"
                return Failure(what, reason, final=True)
            case _:
                reason = f"no reply within {self.timeout.read:g} s"
        return Failure(what, reason, timed_out=True)


class Failure(Exception):
    """An attempt without a usable reply."""

    def __init__(
        self,
        what: Fate,
        reason: str,
        *,
        reply: Reply | None = None,
        timed_out: bool = False,
        final: bool = False,
    ) -> None:
        super().__init__(reason)
        self.fate: Fate = what
        self.reason: str = reason
        self.reply: Reply | None = reply
        self.timed_out: bool = timed_out
        self.final: bool = final
        """Whether another attempt would end the same way."""


def tracing() -> TraceConfig:
    """Return the signals by which aiohttp reports to an `Attempt` how far it got."""
    trace = TraceConfig()

    async def connects(_session: object, context: Any, _params: object) -> None:
        context.trace_request_ctx.connects()

    async def sends(_session: object, context: Any, _params: object) -> None:
        await context.trace_request_ctx.sends()

    trace.on_connection_create_start.append(connects)
    trace.on_request_headers_sent.append(sends)
    return trace


async def no_replay(
    request: aiohttp.ClientRequest, handler: aiohttp.ClientHandlerType
) -> aiohttp.ClientResponse:
    """Stop aiohttp from repeating idempotent methods by itself: ClickSend buys credit by PUT."""
    try:
        return await handler(request)
    except aiohttp.ClientConnectorError:
        raise
    except (aiohttp.ClientOSError, aiohttp.ServerDisconnectedError) as error:
        raise _ConnectionBroke(type(error).__name__) from error


def explained(error: Exception, progress: Attempt | None) -> Exception:
    """Return the failure an exception stands for, or the exception if it is not the network's."""
    sent = progress is not None and progress.sent_at is not None
    if isinstance(error, TimeoutError) and progress is not None and progress.clock.expired():
        return progress.timed_out()
    if sent or isinstance(error, aiohttp.ClientError | OSError):
        # After bytes left whatever goes wrong leaves the outcome open, even an internal error.
        return Failure(rule.fate(sent=sent), _cause(error))
    return error


def _cause(error: BaseException) -> str:
    """Name what broke without the address or text it may hold."""
    match error:
        case aiohttp.ClientHttpProxyError():
            return f"the proxy refused the tunnel ({error.status})"
        case aiohttp.ClientProxyConnectionError():
            return "the proxy cannot be reached"
        case aiohttp.ClientConnectorDNSError():
            return "the host name was not found"
        case aiohttp.ClientConnectorCertificateError():
            return "the certificate is not valid"
        case aiohttp.ClientSSLError():
            return "TLS failed"
        case aiohttp.ClientConnectorError():
            return "the connection was refused"
        case aiohttp.ClientPayloadError():
            return "the reply broke off"
        case _ConnectionBroke():
            return "the connection broke"
        case _:
            return f"the exchange failed ({type(error).__name__})"
