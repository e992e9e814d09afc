"""The session core: one aiohttp session, one pace, one retry rule for every call of a client.

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
import io
import logging
import random
import time
import warnings
from collections.abc import Callable, Collection, Coroutine
from typing import Any, TypeVar

import aiohttp
from aiohttp import TraceConfig
from yarl import URL

from . import retry as rule
from . import wire
from .config import Auth, HoldEvent, Hooks, ReplyEvent, RequestEvent, Retry, RetryEvent, Timeout
from .errors import ClickSendError, ConfigurationError, NotSentError, UnknownOutcomeError
from .pacing import Pacer
from .retry import Fate
from .version import __version__
from .wire import Reply, Request, Sink, Unreadable

T = TypeVar("T")

log = logging.getLogger("aioclicksend")

_KEEPALIVE = 10.0
"""Seconds. Shorter than servers keep theirs: a request on a connection that the other side is just
closing has an unknown outcome."""

_LARGE_BODY = 2**20
"""Bytes; aiohttp warns about larger bodies that are not file-like."""

_CHUNK = 2**18
"""Bytes of a file that are written at a time."""

_NO_TIMEOUT = aiohttp.ClientTimeout(total=None, connect=None, sock_connect=None, sock_read=None)


class _ConnectionBroke(aiohttp.ClientError):
    """What aiohttp would silently answer by sending PUT, DELETE or GET a second time."""


class _Held(Exception):
    """The server asked for a pause while this attempt waited for a connection."""


class _Unwritable(Exception):
    """A sink failed: neither the network's fault nor the server's."""

    def __init__(self, error: OSError) -> None:
        super().__init__()
        self.error = error


class _Attempt:
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

    def __deepcopy__(self, _memo: object) -> _Attempt:
        return self  # aioresponses copies whatever a request is made with

    def connects(self) -> None:
        self._go_on()
        self._enter("connect", self.timeout.connect)

    def connected(self) -> None:
        self._enter("wire", None)

    async def sends(self) -> None:
        await self.pacer.at_wire()
        self._go_on()
        self._enter("sent", self.timeout.read)
        self.sent_at = asyncio.get_running_loop().time()

    def _go_on(self) -> None:
        if self.pacer.held_for(self.operation) > 0:
            raise _Held

    def _enter(self, phase: str, seconds: float | None) -> None:
        self.phase = phase
        now = asyncio.get_running_loop().time()
        self.clock.reschedule(None if seconds is None else now + seconds)

    def goes_on(self) -> None:
        self._enter("sent", self.timeout.read)

    def what_ran_out(self) -> str:
        match self.phase:
            case "pool":
                return f"no free connection within {self.timeout.pool:g} s"
            case "connect":
                return f"no connection within {self.timeout.connect:g} s"
            case _:
                return f"no reply within {self.timeout.read:g} s"


class _Failure(Exception):
    """An attempt without a usable reply."""

    def __init__(self, what: Fate, reason: str, *, timed_out: bool = False) -> None:
        super().__init__(reason)
        self.fate = what
        self.reason = reason
        self.timed_out = timed_out
        self.reply: Reply | None = None


class Session:
    """Sends requests under the client's policy; borrowed or owned, it is closed only if owned."""

    def __init__(
        self,
        *,
        auth: Auth,
        base_url: str,
        control_url: str | None,
        pacer: Pacer,
        retry: Retry,
        timeout: Timeout,
        hooks: Hooks,
        http: aiohttp.ClientSession | None,
    ) -> None:
        self._base_url = base_url
        self._control_url = control_url
        origins = {URL(url).origin() for url in (base_url, control_url) if url}
        self._middlewares = (_no_replay, _authorizing(auth, origins))
        self._pacer = pacer
        self._retry = retry
        self._budget = rule.Budget(retry.budget)
        self.timeout = timeout
        self._hooks = hooks
        self._http = http
        self._owned = http is None
        self._trace = _tracing(pacer)
        self._prepared = False
        self._closed = False
        self._walks: set[asyncio.Task[Any]] = set()

    def url(self, path: str) -> str:
        """Return the address of a path: ``/v3/…`` at the API, all else at Maton's control plane."""
        if path.startswith("/v3/"):
            return self._base_url + path
        if self._control_url is None:
            raise ConfigurationError(
                "connections belong to Maton's control plane: use auth=MatonAuth(...)"
            )
        return self._control_url + path

    async def exchange(self, request: Request, decode: Callable[[Reply], T]) -> T:
        """Send a request, again where its rule allows, and decode the reply.

        Raises:
            NotSentError: nothing was taken by the server.
            UnknownOutcomeError: bytes left, and there is no readable verdict.
            ReplyError: the server refused.

        """
        attempt = 1
        while True:
            await self._pacer.turn(request.operation)
            self._tell(self._hooks.before_request, RequestEvent(request.operation, attempt))
            try:
                reply = await self._send(request, attempt)
                result = _decoded(decode, reply)
            except _Held:
                continue
            except _Failure as failure:
                await self._wait_or_raise(request, attempt, failure)
                attempt += 1
            else:
                self._budget.earn()
                return result

    async def aclose(self) -> None:
        """End what walks have in flight and close the aiohttp session, if it is ours."""
        self._closed = True
        for task in self._walks:
            task.cancel()
        if self._walks:
            await asyncio.wait(self._walks)
        if self._http is None:
            return
        if self._owned:
            await self._http.close()
        elif self._prepared:
            self._http.trace_configs.remove(self._trace)
            self._prepared = False

    def start(self, work: Coroutine[Any, Any, T]) -> asyncio.Task[T]:
        """Run a walk's page in the background; it ends with its walk or with the session."""
        task = asyncio.create_task(work)
        self._walks.add(task)
        task.add_done_callback(self._walk_ended)
        return task

    def warn_if_open(self) -> None:
        """Warn about a session that was dropped without being closed."""
        if self._owned and self._http is not None and not self._http.closed:
            warnings.warn(
                "unclosed ClickSend client: use 'async with' or await client.aclose()",
                ResourceWarning,
                stacklevel=3,
            )

    def _walk_ended(self, task: asyncio.Task[Any]) -> None:
        self._walks.discard(task)
        if not task.cancelled():
            task.exception()  # a page nobody came for: its error is nobody's either

    async def _send(self, request: Request, attempt: int) -> Reply:
        """Make one attempt.

        Raises:
            _Failure: it brought no 2xx.
            _Held: it was not made, as a pause began.

        """
        http = self._ready()
        body: Any = request.body
        if body is not None and len(body) > _LARGE_BODY:
            body = io.BytesIO(body)
        headers = _HEADERS if body is None else _HEADERS | {"Content-Type": "application/json"}
        if request.sink is not None:
            headers = _HEADERS | {"Accept": "*/*"}
        progress: _Attempt | None = None
        try:
            async with asyncio.timeout(self.timeout.pool) as clock:
                progress = _Attempt(request.operation, self.timeout, self._pacer, clock)
                async with http.request(
                    request.method,
                    URL(request.url, encoded=True),
                    data=body,
                    headers=headers,
                    allow_redirects=False,
                    raise_for_status=False,
                    auto_decompress=True,
                    timeout=_NO_TIMEOUT,
                    middlewares=self._middlewares,
                    trace_request_ctx=progress,
                ) as response:
                    if request.sink is not None and response.ok:
                        await _pour(response.content, request.sink, progress)
                    reply = Reply(response.status, response.headers, await response.read())
        except asyncio.CancelledError:
            if progress is not None and progress.sent_at is not None and not request.repeatable:
                log.warning(
                    "%s cancelled after bytes left: its outcome is unknown", request.operation
                )
            raise
        except _Held:
            raise
        except _Unwritable as unwritable:
            raise unwritable.error from None
        except Exception as error:
            # The text of some of aiohttp's errors holds the address with its query.
            shown = None if isinstance(error, aiohttp.ClientResponseError) else error
            raise _explained(error, progress) from shown
        started = progress.sent_at
        self._after_reply(request, attempt, reply, 0.0 if started is None else _since(started))
        what = rule.fate(sent=True, status=reply.status)
        if what is not Fate.TAKEN:
            failure = _Failure(what, f"HTTP {reply.status}")
            failure.reply = reply
            raise failure
        return reply

    def _after_reply(self, request: Request, attempt: int, reply: Reply, seconds: float) -> None:
        event = ReplyEvent(request.operation, attempt, reply.status, seconds)
        self._tell(self._hooks.after_reply, event)
        log.debug("%s %d in %.3f s", request.operation, reply.status, seconds)
        pause = wire.exhausted_for(reply.headers)
        if pause and reply.status != 429:
            # Counted by the server for this endpoint only, unlike a 429.
            self._hold(request.operation, pause, everything=False)

    async def _wait_or_raise(self, request: Request, attempt: int, failure: _Failure) -> None:
        asked = None
        if failure.reply is not None:
            asked = wire.asked_wait(failure.reply, time.time())
        delay = rule.delay(attempt, self._retry, random.random, asked)
        if failure.fate is Fate.THROTTLED:
            self._hold(request.operation, delay, everything=True)
        again = (
            rule.may_repeat(failure.fate, repeatable=request.repeatable)
            and attempt < self._retry.attempts
            and (asked is None or asked <= self._retry.server_cap)
            and self._budget.spend(timed_out=failure.timed_out)
        )
        if not again:
            raise _final_error(request, failure) from failure.__cause__
        event = RetryEvent(request.operation, attempt, failure.reason, delay)
        self._tell(self._hooks.on_retry, event)
        log.info("%s: %s; trying again in %.1f s", request.operation, failure.reason, delay)
        if failure.fate is not Fate.THROTTLED:
            await asyncio.sleep(delay)  # a 429 waits at the gate, together with all others

    def _hold(self, operation: str, seconds: float, *, everything: bool) -> None:
        seconds = min(seconds, self._retry.server_cap)
        self._pacer.hold(seconds, None if everything else operation)
        self._tell(self._hooks.on_hold, HoldEvent(operation, seconds, everything))
        log.info("%s: the server asks for a pause of %.1f s", operation, seconds)

    def _tell(self, hook: Callable[[Any], object] | None, event: object) -> None:
        if hook is None:
            return
        try:
            hook(event)
        except Exception as error:
            log.warning("hook %r failed: %s", hook, type(error).__name__)

    def _ready(self) -> aiohttp.ClientSession:
        if self._closed:
            raise RuntimeError("this client is closed")
        if self._http is None:
            self._http = aiohttp.ClientSession(
                connector=aiohttp.TCPConnector(keepalive_timeout=_KEEPALIVE),
                cookie_jar=aiohttp.DummyCookieJar(),
                trace_configs=[self._trace],
            )
        elif not self._owned and not self._prepared:
            self._trace.freeze()
            self._http.trace_configs.append(self._trace)
        self._prepared = True
        return self._http


_HEADERS = {"Accept": "application/json", "User-Agent": f"aioclicksend/{__version__}"}


def _tracing(pacer: Pacer) -> TraceConfig:
    """Return the signals by which aiohttp tells an `_Attempt` how far it got."""
    trace = TraceConfig()

    def ours(context: Any) -> _Attempt | None:
        # A borrowed session has other users, among them other clients.
        attempt = context.trace_request_ctx
        return attempt if isinstance(attempt, _Attempt) and attempt.pacer is pacer else None

    async def connects(_session: object, context: Any, _params: object) -> None:
        if attempt := ours(context):
            attempt.connects()

    async def connected(_session: object, context: Any, _params: object) -> None:
        if attempt := ours(context):
            attempt.connected()

    async def sends(_session: object, context: Any, _params: object) -> None:
        if attempt := ours(context):
            await attempt.sends()

    trace.on_connection_create_start.append(connects)
    trace.on_connection_create_end.append(connected)
    trace.on_connection_reuseconn.append(connected)
    trace.on_request_headers_sent.append(sends)
    return trace


async def _pour(content: aiohttp.StreamReader, sink: Sink, progress: _Attempt) -> None:
    """Write a body to a sink as it comes; the timeout is for each part of it."""
    await sink.begin()
    async for chunk in content.iter_chunked(_CHUNK):
        progress.goes_on()
        try:
            await sink.write(chunk)
        except OSError as error:
            raise _Unwritable(error) from error


async def _no_replay(
    request: aiohttp.ClientRequest, handler: aiohttp.ClientHandlerType
) -> aiohttp.ClientResponse:
    """Stop aiohttp from repeating idempotent methods by itself: ClickSend buys credit by PUT."""
    try:
        return await handler(request)
    except aiohttp.ClientConnectorError:
        raise
    except (aiohttp.ClientOSError, aiohttp.ServerDisconnectedError) as error:
        raise _ConnectionBroke(type(error).__name__) from error


def _authorizing(auth: Auth, origins: Collection[URL]) -> aiohttp.ClientMiddlewareType:
    """Return what adds the credentials: beside those of a borrowed session aiohttp refuses ours.

    Files can be at other hosts, which must not see them.
    """

    async def authorize(
        request: aiohttp.ClientRequest, handler: aiohttp.ClientHandlerType
    ) -> aiohttp.ClientResponse:
        if request.url.origin() in origins:
            request.headers.update(auth.headers())
        return await handler(request)

    return authorize


def _explained(error: Exception, progress: _Attempt | None) -> Exception:
    """Return the failure an exception stands for, or the exception if it is not the network's."""
    sent = progress is not None and progress.sent_at is not None
    if isinstance(error, TimeoutError) and progress is not None:
        return _Failure(rule.fate(sent=sent), progress.what_ran_out(), timed_out=True)
    if sent or isinstance(error, aiohttp.ClientError | OSError):
        # After bytes left whatever went wrong leaves the outcome open, even an error of our own.
        return _Failure(rule.fate(sent=sent), _cause(error))
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


def _decoded(decode: Callable[[Reply], T], reply: Reply) -> T:
    try:
        return decode(reply)
    except Exception as error:
        # The server took the call: a mistake in our reading must not hide that, nor lose the refs.
        odd = f"the reply cannot be read ({type(error).__name__})"
        failure = _Failure(Fate.UNKNOWN, str(error) if isinstance(error, Unreadable) else odd)
        failure.reply = reply
        raise failure from error


def _final_error(request: Request, failure: _Failure) -> ClickSendError:
    reply = failure.reply
    lead, status = request.operation, 0 if reply is None else reply.status
    if reply is not None:
        lead += f" {status} {wire.phrase(status)}"
        if 300 <= status < 400:
            return NotSentError(f"{lead}: redirected, which is not followed; check base_url")
        if status >= 400 and (failure.fate is not Fate.UNKNOWN or request.repeatable):
            return wire.refusal(request, reply, time.time())
    if failure.fate is Fate.UNKNOWN:
        doubt = "" if request.repeatable else "; it may or may not have been carried out"
        return UnknownOutcomeError(f"{lead}: {failure.reason}{doubt}", refs=request.refs)
    return NotSentError(f"{lead}: {failure.reason}; nothing was sent")


def _since(moment: float) -> float:
    return asyncio.get_running_loop().time() - moment
