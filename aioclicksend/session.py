"""The session core: one transport, one pace, one retry rule for every call of a client.

::

    exchange ─▶ turn ─▶ attempt ─▶ reply ─▶ decode ─▶ result
                 ▲         │         │        │
                 │         ▼         ▼        ▼
                 └── retry ◀── Failure(fate): what is known about this attempt
                      │
                      └── not allowed or used up: the error that says what is known about the call

Invariants: a request with an effect is written again only if its last attempt provably was not
carried out; every call emits exactly one `EndEvent`; nothing is sent by another event loop than
that of the first call, whose connections would not work there.
"""

from __future__ import annotations

import asyncio
import io
import logging
import random
import secrets
import threading
import time
from collections.abc import Callable, Collection, Coroutine
from typing import Any, TypeVar

import aiohttp
from yarl import URL

from . import retry as rule
from . import wire
from .attempt import Attempt, Failure, Held, Unwritable, explained, no_replay, tracing
from .config import Auth, Limits, Retry, Timeout
from .errors import (
    ClickSendError,
    ClientClosedError,
    ConfigurationError,
    NotSentError,
    ReplyError,
    UnknownOutcomeError,
)
from .hooks import (
    CallOutcome,
    EndEvent,
    Event,
    HoldEvent,
    Hooks,
    ReplyEvent,
    RequestEvent,
    RetryEvent,
)
from .pacing import Pace
from .proxies import Proxies
from .retry import Fate
from .transport import ATTEMPT, NO_TIMEOUT, Transport
from .version import __version__
from .wire import Reply, Request, Unreadable

T = TypeVar("T")

log: logging.Logger = logging.getLogger("aioclicksend")

_LARGE_BODY = 2**20
"""Bytes; aiohttp warns about larger bodies that are not file-like."""

_CHUNK = 2**18
"""Bytes that are read or unpacked at a time, and by which a limit can be exceeded."""


class Session:
    """Sends requests under the client's policy."""

    def __init__(
        self,
        *,
        auth: Auth,
        base_url: str,
        control_url: str | None,
        pace: Pace,
        retry: Retry,
        timeout: Timeout,
        limits: Limits,
        proxies: Proxies,
        hooks: Hooks | None,
        http: aiohttp.ClientSession | None,
    ) -> None:
        self.base_url = base_url
        self._control_url = control_url
        origins = {URL(url).origin() for url in (base_url, control_url) if url}
        self._middlewares = (no_replay, _authorizing(auth, origins))
        self._pace = pace
        self._retry = retry
        self._budget = rule.Budget(retry.budget)
        self.timeout = timeout
        self.limits = limits
        self._proxies = proxies
        self._hooks: tuple[Hooks, ...] = () if hooks is None else (hooks,)
        self._transport = Transport(http, tracing())
        self._loop: asyncio.AbstractEventLoop | None = None
        self._claiming = threading.Lock()
        self._closed = False
        self._walks: set[asyncio.Task[Any]] = set()

    def url(self, path: str) -> str:
        """Return the address of a path: ``/v3/…`` at the API, all else at Maton's control plane."""
        if path.startswith("/v3/"):
            return self.base_url + path
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
            RuntimeError: the client is closed, or belongs to another event loop.

        """
        self._claim_loop()
        call = _Call(request, self.timeout.turn)
        try:
            result = await self._until_verdict(call, decode)
        except BaseException as error:
            self._end(call, error)
            raise
        self._end(call, None)
        return result

    async def turn(self, operation: str) -> None:
        """Wait until the pace lets a request of this operation start."""
        await self._pace.turn(operation)

    async def aclose(self) -> None:
        """End what walks have in flight and close the connections."""
        if self._loop is not None and not self._loop.is_closed():
            self._claim_loop()
        self._closed = True
        walks = [task for task in self._walks if not task.get_loop().is_closed()]
        for task in walks:
            task.cancel()
        if walks:
            await asyncio.wait(walks)
        await self._transport.aclose()

    def start(self, work: Coroutine[Any, Any, T]) -> asyncio.Task[T]:
        """Run a walk's page in the background; it ends with its walk or with the session."""
        task = asyncio.create_task(work)
        self._walks.add(task)
        task.add_done_callback(self._walk_ended)
        return task

    def emit(self, event: Event) -> None:
        """Pass an event to everything that observes this client."""
        for hooks in self._hooks:
            hooks.emit(event)

    def add_hooks(self, hooks: Hooks) -> Callable[[], None]:
        """Add hooks beside those there are; return what removes them again."""
        self._hooks = (*self._hooks, hooks)

        def remove() -> None:
            self._hooks = tuple(it for it in self._hooks if it is not hooks)

        return remove

    def warn_if_open(self) -> None:
        """Warn about a session that was dropped without being closed."""
        self._transport.warn_if_open()

    def _claim_loop(self) -> None:
        """Take possession of the running event loop, or check that it is the one we have.

        Raises:
            RuntimeError: the client belongs to another.

        """
        loop = asyncio.get_running_loop()
        if self._loop is loop:
            return
        with self._claiming:  # event loops of other threads may come at the same time
            if self._loop is None:
                self._loop = loop
        if self._loop is not loop:
            raise RuntimeError(
                "this client belongs to another event loop, that of its first call; nothing was "
                "sent. Make one client for each asyncio.run() and each thread"
            )

    def _walk_ended(self, task: asyncio.Task[Any]) -> None:
        self._walks.discard(task)
        if not task.cancelled():
            task.exception()  # of a page that was fetched ahead and never read

    async def _until_verdict(self, call: _Call, decode: Callable[[Reply], T]) -> T:
        while True:
            wire_of = call.request.wire
            if wire_of is not None and wire_of.turn_taken:
                wire_of.turn_taken = False  # for the first attempt only
            else:
                await self._turn(call)
            call.attempts = call.failures + 1
            if self._hooks:
                self.emit(RequestEvent(call.id, call.operation, call.attempts, call.waited_now))
            try:
                reply = await self._attempt(call)
                result = _decoded(decode, reply)
            except Held:
                continue
            except Failure as failure:
                await self._wait_or_raise(call, failure)
                call.failures += 1
            else:
                self._budget.earn()
                return result

    async def _turn(self, call: _Call) -> None:
        """Wait until the pace lets the call ask for a connection.

        Raises:
            NotSentError: that took longer than `Timeout.turn`.

        """
        loop = asyncio.get_running_loop()
        started = loop.time()
        scope = asyncio.timeout(call.turn_left)
        try:
            async with scope:
                await self._pace.turn(call.operation)
        except TimeoutError:
            if not scope.expired():
                raise  # the pace's own
            raise self._overdue(call) from None
        finally:
            call.waited(loop.time() - started)

    def _overdue(self, call: _Call) -> ClickSendError:
        """Return the error of a call whose turn did not come in time."""
        if call.throttled is not None:  # says more: why there was a pause, and how long
            return _final_error(call.request, call.throttled)
        return NotSentError(
            f"{call.operation}: no turn within {self.timeout.turn:g} s (Timeout.turn); "
            "nothing was sent"
        )

    async def _attempt(self, call: _Call) -> Reply:
        """Make one attempt.

        Raises:
            Failure: it brought no 2xx.
            Held: it was not made, as a pause began.

        """
        if self._closed:
            raise ClientClosedError("this client is closed")
        request = call.request
        http = self._transport.session()
        progress: Attempt | None = None
        try:
            async with asyncio.timeout(self.timeout.pool) as clock:
                progress = Attempt(request, self.timeout, self._pace, clock, call.turn_left)
                ATTEMPT.set(progress)
                async with http.request(
                    request.method,
                    URL(request.url, encoded=True),
                    data=_payload(request.body),
                    headers=_headers(request),
                    allow_redirects=False,
                    raise_for_status=False,
                    auto_decompress=True,
                    middlewares=self._middlewares,
                    proxy=self._proxies.for_url(request.url),
                    timeout=NO_TIMEOUT,
                    trace_request_ctx=progress,
                ) as response:
                    reply = await self._read(response, request, progress)
                    progress.is_answered = True
        except asyncio.CancelledError:
            if progress is not None and progress.sent_at is not None and not request.repeatable:
                log.warning(
                    "%s cancelled after bytes left: its outcome is unknown", request.operation
                )
            raise
        except (Held, Failure):
            raise
        except Unwritable as unwritable:
            raise unwritable.error from None
        except Exception as error:
            # The text of some of aiohttp's errors holds the address with its query.
            shown = None if isinstance(error, aiohttp.ClientResponseError) else error
            raise explained(error, progress) from shown
        finally:
            if progress is not None:
                call.took(progress)
                self._transport.took(progress)
        self._after_reply(call, reply, _since(call.sent_at))
        what = rule.fate(sent=True, status=reply.status)
        if request.wire is not None and what is not Fate.UNKNOWN:
            request.wire.sent = False
        if what is not Fate.TAKEN:
            # A second request would be redirected as well.
            final = 300 <= reply.status < 400
            raise Failure(what, f"HTTP {reply.status}", reply=reply, final=final)
        return reply

    async def _read(
        self, response: aiohttp.ClientResponse, request: Request, progress: Attempt
    ) -> Reply:
        """Read a reply, at most as much of it as the limits allow.

        Raises:
            Failure: a reply of success is larger. An error says enough by its status.

        """
        succeeded = 200 <= response.status < 300
        sink = request.sink if succeeded else None
        limit = self.limits.reply if sink is None else self.limits.download
        if sink is not None:
            await sink.begin()
        parts: list[bytes] = []
        size = 0
        while chunk := await response.content.read(_CHUNK):
            size += len(chunk)
            if size > limit:
                response.close()  # what is left would have to be read before a second request
                if not succeeded:
                    parts.clear()
                    break
                field = "reply" if sink is None else "download"
                raise Failure(
                    Fate.UNKNOWN,
                    f"the reply has more than {limit} bytes (Limits.{field})",
                    final=True,
                    reply=Reply(response.status, response.headers, b""),
                )
            if sink is None:
                parts.append(chunk)
                continue
            progress.goes_on()
            try:
                await sink.write(chunk)
            except OSError as error:
                raise Unwritable(error) from error
        return Reply(response.status, response.headers, b"".join(parts))

    def _after_reply(self, call: _Call, reply: Reply, seconds: float) -> None:
        call.status = reply.status
        if self._hooks:
            self.emit(ReplyEvent(call.id, call.operation, call.attempts, reply.status, seconds))
        log.debug("%s %d in %.3f s", call.operation, reply.status, seconds)
        pause = wire.exhausted_for(reply.headers)
        if pause and reply.status != 429:
            # Counted by the server for this endpoint only, unlike a 429.
            self._hold(call, pause, everything=False)

    async def _wait_or_raise(self, call: _Call, failure: Failure) -> None:
        asked = None
        if failure.reply is not None:
            asked = wire.asked_wait(failure.reply, time.time())
        attempt = call.attempts
        delay = rule.delay(attempt, self._retry, random.random, asked)
        if failure.fate is Fate.THROTTLED:
            call.throttled = failure
            self._hold(call, delay, everything=True)
        again = (
            rule.may_repeat(failure.fate, repeatable=call.request.repeatable)
            and not failure.final
            and attempt < self._retry.attempts
            and (asked is None or asked <= self._retry.server_cap)
            and self._budget.spend(timed_out=failure.timed_out)
        )
        if not again:
            raise _final_error(call.request, failure) from failure.__cause__
        if self._hooks:
            self.emit(RetryEvent(call.id, call.operation, attempt, failure.reason, delay))
        log.info("%s: %s; trying again in %.1f s", call.operation, failure.reason, delay)
        if failure.fate is not Fate.THROTTLED:
            await asyncio.sleep(delay)  # a 429 waits at the gate, together with all others

    def _hold(self, call: _Call, seconds: float, *, everything: bool) -> None:
        seconds = min(seconds, self._retry.server_cap)
        self._pace.hold(seconds, None if everything else call.operation)
        self.emit(HoldEvent(call.id, call.operation, seconds, everything))
        log.info("%s: the server asks for a pause of %.1f s", call.operation, seconds)

    def _end(self, call: _Call, error: BaseException | None) -> None:
        if not self._hooks:
            return
        self.emit(
            EndEvent(
                id=call.id,
                operation=call.operation,
                attempts=call.attempts,
                seconds=_since(call.started),
                status=call.status,
                response_code=error.response_code if isinstance(error, ReplyError) else None,
                outcome=_outcome(error, sent=call.sent_at is not None),
            )
        )


class _Call:
    """What is known about a call so far."""

    __slots__ = (
        "attempts",
        "failures",
        "id",
        "operation",
        "request",
        "sent_at",
        "started",
        "status",
        "throttled",
        "turn_left",
        "waited_now",
    )

    def __init__(self, request: Request, turn: float | None) -> None:
        self.id = secrets.token_hex(8)
        self.request = request
        self.operation = request.operation
        self.started = asyncio.get_running_loop().time()
        self.attempts = 0
        self.failures = 0
        """Attempts that failed; one that a pause prevented is made again under its number."""
        self.sent_at: float | None = None
        """When the first byte of the last attempt left; None if none did."""
        self.status: int | None = None
        self.throttled: Failure | None = None
        self.turn_left = turn
        self.waited_now = 0.0
        """Seconds the last turn took to come."""

    def waited(self, seconds: float) -> None:
        """Note that the call waited for its turn."""
        self.waited_now = seconds
        if self.turn_left is not None:
            self.turn_left = max(0.0, self.turn_left - seconds)

    def took(self, attempt: Attempt) -> None:
        """Note how far an attempt got."""
        self.sent_at = attempt.sent_at
        if self.turn_left is not None:
            self.turn_left = max(0.0, self.turn_left - attempt.waited)


def _payload(body: bytes | None) -> bytes | io.BytesIO | None:
    """Return a body as aiohttp takes it without a warning."""
    return io.BytesIO(body) if body is not None and len(body) > _LARGE_BODY else body


def _headers(request: Request) -> dict[str, str]:
    if request.sink is not None:
        return _HEADERS_FOR_FILE
    return _HEADERS if request.body is None else _HEADERS_WITH_JSON


_HEADERS = {"Accept": "application/json", "User-Agent": f"aioclicksend/{__version__}"}
_HEADERS_WITH_JSON = _HEADERS | {"Content-Type": "application/json"}
_HEADERS_FOR_FILE = _HEADERS | {"Accept": "*/*"}


def _authorizing(auth: Auth, origins: Collection[URL]) -> aiohttp.ClientMiddlewareType:
    """Return what adds the credentials to requests to the API's own hosts, and to no others."""

    async def authorize(
        request: aiohttp.ClientRequest, handler: aiohttp.ClientHandlerType
    ) -> aiohttp.ClientResponse:
        if request.url.origin() in origins:
            request.headers.update(auth.headers())
        return await handler(request)

    return authorize


def _decoded(decode: Callable[[Reply], T], reply: Reply) -> T:
    try:
        return decode(reply)
    except Exception as error:
        # The server took the call: a mistake in our reading must not hide that, nor lose the refs.
        odd = f"the reply cannot be read ({type(error).__name__})"
        reason = str(error) if isinstance(error, Unreadable) else odd
        raise Failure(Fate.UNKNOWN, reason, reply=reply) from error


def _final_error(request: Request, failure: Failure) -> ClickSendError:
    """Return the error that says what is known about a call whose last attempt failed."""
    reply = failure.reply
    lead, status = request.operation, 0 if reply is None else reply.status
    if reply is not None:
        lead += f" {status} {wire.phrase(status)}"
        if status >= 400 and (failure.fate is not Fate.UNKNOWN or request.repeatable):
            return wire.refusal(request, reply, time.time())
    redirected = 300 <= status < 400
    reason = "redirected, which is not followed; check base_url" if redirected else failure.reason
    if failure.fate is Fate.UNKNOWN and not (redirected and request.repeatable):
        doubt = "" if request.repeatable else "; it may or may not have been carried out"
        return UnknownOutcomeError(f"{lead}: {reason}{doubt}", refs=request.refs)
    return NotSentError(f"{lead}: {reason}" + ("" if redirected else "; nothing was sent"))


def _outcome(error: BaseException | None, *, sent: bool) -> CallOutcome:
    match error:
        case None:
            return "ok"
        case UnknownOutcomeError():
            return "unknown"
        case ReplyError():
            return "refused"
        case NotSentError():
            return "not_sent"
        case Exception():  # not one of ours, e.g. of a fence or of a file that cannot be written
            return "unknown" if sent else "not_sent"
        case _:
            return "cancelled"


def _since(moment: float | None) -> float:
    """Return the seconds since a moment of the running loop's clock, 0 if it never came."""
    return 0.0 if moment is None else asyncio.get_running_loop().time() - moment
