"""One try of one call: how far it got, and what its end means.

An attempt walks through phases, and one deadline is moved on at each step::

    pool ──▶ connect ──▶ wire ──▶ sent ──▶ reply
    nothing has left ─────────────│ the server may have acted

aiohttp's tracing tells the phase; ``on_request_headers_sent`` fires just before the first byte, so
an attempt that never got past it provably sent nothing. The exception's type cannot tell: waiting
for the pool and waiting for the reply both end in `TimeoutError`. That signal is also the one place
to wait with a connection in hand: one given up in the signals before it would stay open for ever.
"""

from __future__ import annotations

import asyncio
from typing import Any

import aiohttp
from aiohttp import TraceConfig

from . import retry as rule
from .config import Timeout
from .pacing import Pacer
from .retry import Fate
from .wire import Reply


class _ConnectionBroke(aiohttp.ClientError):
    """What aiohttp would silently answer by sending PUT, DELETE or GET a second time."""


class Held(Exception):
    """The server asked for a pause while this attempt waited for a connection."""


class Unwritable(Exception):
    """A sink failed: neither the network's fault nor the server's."""

    def __init__(self, error: OSError) -> None:
        super().__init__()
        self.error = error


class Attempt:
    """One try of one call, told by aiohttp how far it got."""

    __slots__ = ("clock", "operation", "pacer", "phase", "sent_at", "timeout")

    def __init__(
        self, operation: str, timeout: Timeout, pacer: Pacer, clock: asyncio.Timeout
    ) -> None:
        self.operation = operation
        self.timeout = timeout
        self.pacer = pacer
        self.clock = clock
        self.phase = "pool"
        self.sent_at: float | None = None

    def __deepcopy__(self, _memo: object) -> Attempt:
        return self  # aioresponses copies whatever a request is made with

    def connects(self) -> None:
        """Begin to open a connection."""
        self._go_on()
        self._enter("connect", self.timeout.connect)

    async def sends(self) -> None:
        """Wait, with a connection in hand, for the turn of the next byte, and let it leave."""
        self._enter("wire", None)
        await self.pacer.at_wire()
        self._go_on()
        self._enter("sent", self.timeout.read)
        self.sent_at = asyncio.get_running_loop().time()

    def _go_on(self) -> None:
        if self.pacer.held_for(self.operation) > 0:
            raise Held

    def _enter(self, phase: str, seconds: float | None) -> None:
        self.phase = phase
        now = asyncio.get_running_loop().time()
        self.clock.reschedule(None if seconds is None else now + seconds)

    def goes_on(self) -> None:
        """Give the reply its time anew: a part of it came."""
        self._enter("sent", self.timeout.read)

    def what_ran_out(self) -> str:
        """Name the time that is over."""
        match self.phase:
            case "pool":
                return f"no free connection within {self.timeout.pool:g} s"
            case "connect":
                return f"no connection within {self.timeout.connect:g} s"
            case _:
                return f"no reply within {self.timeout.read:g} s"


class Failure(Exception):
    """An attempt without a usable reply."""

    def __init__(self, what: Fate, reason: str, *, timed_out: bool = False) -> None:
        super().__init__(reason)
        self.fate = what
        self.reason = reason
        self.timed_out = timed_out
        self.reply: Reply | None = None


def tracing(pacer: Pacer) -> TraceConfig:
    """Return the signals by which aiohttp tells an `Attempt` how far it got."""
    trace = TraceConfig()

    def ours(context: Any) -> Attempt | None:
        # A borrowed session has other users, among them other clients.
        attempt = context.trace_request_ctx
        return attempt if isinstance(attempt, Attempt) and attempt.pacer is pacer else None

    async def connects(_session: object, context: Any, _params: object) -> None:
        if attempt := ours(context):
            attempt.connects()

    async def sends(_session: object, context: Any, _params: object) -> None:
        if attempt := ours(context):
            await attempt.sends()

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
    if isinstance(error, TimeoutError) and progress is not None:
        return Failure(rule.fate(sent=sent), progress.what_ran_out(), timed_out=True)
    if sent or isinstance(error, aiohttp.ClientError | OSError):
        # After bytes left whatever went wrong leaves the outcome open, even an error of our own.
        return Failure(rule.fate(sent=sent), _cause(error))
    return error


def _cause(error: BaseException) -> str:
    """Name what broke without the address or text it may hold."""
    match error:
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
