"""The session core: one aiohttp session, one pace, one retry rule for every call of a client."""

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
from yarl import URL

from . import retry as rule
from . import wire
from .attempt import Attempt, Failure, Held, Unwritable, explained, no_replay, tracing
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
        self._middlewares = (no_replay, _authorizing(auth, origins))
        self._pacer = pacer
        self._retry = retry
        self._budget = rule.Budget(retry.budget)
        self.timeout = timeout
        self._hooks = hooks
        self._http = http
        self._owned = http is None
        self._trace = tracing(pacer)
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
            except Held:
                continue
            except Failure as failure:
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
            Failure: it brought no 2xx.
            Held: it was not made, as a pause began.

        """
        http = self._ready()
        body: Any = request.body
        if body is not None and len(body) > _LARGE_BODY:
            body = io.BytesIO(body)
        headers = _HEADERS if body is None else _HEADERS_OF_JSON
        if request.sink is not None:
            headers = _HEADERS | {"Accept": "*/*"}
        progress: Attempt | None = None
        try:
            async with asyncio.timeout(self.timeout.pool) as clock:
                progress = Attempt(request.operation, self.timeout, self._pacer, clock)
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
        except Held:
            raise
        except Unwritable as unwritable:
            raise unwritable.error from None
        except Exception as error:
            # The text of some of aiohttp's errors holds the address with its query.
            shown = None if isinstance(error, aiohttp.ClientResponseError) else error
            raise explained(error, progress) from shown
        started = progress.sent_at
        self._after_reply(request, attempt, reply, 0.0 if started is None else _since(started))
        what = rule.fate(sent=True, status=reply.status)
        if what is not Fate.TAKEN:
            failure = Failure(what, f"HTTP {reply.status}")
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

    async def _wait_or_raise(self, request: Request, attempt: int, failure: Failure) -> None:
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
_HEADERS_OF_JSON = _HEADERS | {"Content-Type": "application/json"}


async def _pour(content: aiohttp.StreamReader, sink: Sink, progress: Attempt) -> None:
    """Write a body to a sink as it comes; the timeout is for each part of it."""
    await sink.begin()
    async for chunk in content.iter_chunked(_CHUNK):
        progress.goes_on()
        try:
            await sink.write(chunk)
        except OSError as error:
            raise Unwritable(error) from error


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


def _decoded(decode: Callable[[Reply], T], reply: Reply) -> T:
    try:
        return decode(reply)
    except Exception as error:
        # The server took the call: a mistake in our reading must not hide that, nor lose the refs.
        odd = f"the reply cannot be read ({type(error).__name__})"
        failure = Failure(Fate.UNKNOWN, str(error) if isinstance(error, Unreadable) else odd)
        failure.reply = reply
        raise failure from error


def _final_error(request: Request, failure: Failure) -> ClickSendError:
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
