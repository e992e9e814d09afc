"""The aiohttp session that requests go through, and who closes it.

A call with an effect goes out on a new connection, except for a busy bulk sender's::

    GET, price     ──▶ an idle connection, or a new one
    send, PUT, …   ──▶ a new one; idle ones in its way are closed
    a bulk request ──▶ one that was in use less than a second ago, or a new one

A server may close an idle connection in the very moment in which a request is written to it, and a
connection that breaks looks the same before and after the request was carried out: its outcome is
unknown. Neither a short keep-alive nor a look at the socket closes that gap
(benchmarks/idle_race.py has the figures); a new connection has none. It costs a handshake for each
such call. A bulk sender without a rate limit would spend a third of its time on that; it keeps its
connections busy instead, and looks up what is in doubt. Once a connection that was used again broke
without a verdict, this server is trusted no more and every call with an effect opens its own.

Of a session that was lent only the connector, the proxy and the tracing are used: its headers,
cookies and credentials belong to other hosts, and its middlewares could repeat a call.
"""

from __future__ import annotations

import time
import warnings
from collections.abc import Mapping
from contextvars import ContextVar
from typing import Any
from weakref import WeakKeyDictionary

import aiohttp
from aiohttp import BaseConnector, ClientRequest, ClientSession, ClientTimeout, TraceConfig
from aiohttp.connector import Connection
from aiohttp.tracing import Trace
from yarl import URL

from .attempt import Attempt
from .proxies import Proxies

_KEEPALIVE = 10.0
"""Seconds; shorter than servers keep idle connections, so that fewer reads have to be repeated."""

NO_TIMEOUT = ClientTimeout(total=None, connect=None, sock_connect=None, sock_read=None)

_BUSY = 1.0
"""Seconds since its last reply for which a connection counts as busy."""

ATTEMPT: ContextVar[Attempt] = ContextVar("attempt")
"""The attempt that asks for a connection; aiohttp passes the connector nothing of ours."""


class Transport:
    """Opens a session at the first request, on its own connector or a lent one."""

    def __init__(self, lent: ClientSession | None, trace: TraceConfig) -> None:
        self._lent = lent
        self._trace = trace
        self._session: ClientSession | None = None

    def session(self) -> ClientSession:
        """Return the session.

        Raises:
            RuntimeError: the one that was lent is closed.

        """
        if self._lent is not None and self._lent.closed:
            raise RuntimeError("the aiohttp session given as http= is closed")
        if self._session is None:
            self._session = self._open(self._lent)
        return self._session

    def took(self, attempt: Attempt) -> None:
        """Learn from an attempt that has ended."""
        if self._session is not None and isinstance(self._session.connector, _Connector):
            self._session.connector.took(attempt)

    async def aclose(self) -> None:
        """Close what was opened here."""
        if self._session is not None:
            await self._session.close()

    def warn_if_open(self) -> None:
        """Warn about connections that were dropped without being closed."""
        if self._lent is None and self._session is not None and not self._session.closed:
            warnings.warn(
                "unclosed ClickSend client: use 'async with' or await client.aclose()",
                ResourceWarning,
                stacklevel=3,
            )

    def _open(self, lent: ClientSession | None) -> ClientSession:
        if lent is None:
            own = aiohttp.TCPConnector(keepalive_timeout=_KEEPALIVE)
            return _session(_Connector(own, owned=True), trace_configs=[self._trace])
        assert lent.connector is not None  # as it is not closed
        return _session(
            _Connector(lent.connector, owned=False),
            trace_configs=[*lent.trace_configs, self._trace],
        )


def proxies_of(lent: ClientSession | None, environ: Mapping[str, str]) -> Proxies:
    """Return what requests go through where no proxy is given: that of a session, or of ours.

    A lent session's own rules are not used: by them plain http goes through a proxy, too, and with
    `trust_env` aiohttp adds passwords of a netrc file.
    """
    if lent is None:
        return Proxies.of_environment(environ)
    # Neither has a public name.
    proxy, auth = lent._default_proxy, lent._default_proxy_auth  # noqa: SLF001
    if proxy is None:
        return Proxies.of_environment(environ) if lent.trust_env else Proxies()
    url = URL(proxy)
    if auth is not None:
        url = url.with_user(auth.login).with_password(auth.password)
    return Proxies(str(url))


def _session(connector: BaseConnector, **options: Any) -> ClientSession:
    return ClientSession(
        # No cookies: the API needs none, and those of one host must not reach another.
        connector=connector,
        cookie_jar=aiohttp.DummyCookieJar(),
        timeout=NO_TIMEOUT,
        **options,
    )


class _Connector(BaseConnector):
    """Hands out the connections of another connector, new ones to calls with an effect."""

    def __init__(self, opener: BaseConnector, *, owned: bool) -> None:
        super().__init__()
        self._opener = opener
        self._owned = owned
        self.allowed_protocol_schema_set = opener.allowed_protocol_schema_set
        self._answered: WeakKeyDictionary[object, float] = WeakKeyDictionary()
        """When the last reply on a connection was read."""
        self.may_reuse = True
        """Whether no connection that was used again has broken yet."""

    def took(self, attempt: Attempt) -> None:
        """Learn from an attempt that has ended whether its connection is one to use again."""
        if attempt.connection is None or attempt.sent_at is None:
            return
        if attempt.is_answered:
            self._answered[attempt.connection] = time.monotonic()
        # It broke without a reply on a connection that was used again: the server closes idle ones.
        elif not attempt.opened:
            self.may_reuse = False

    async def connect(
        self,
        req: ClientRequest,
        traces: list[Trace],
        timeout: ClientTimeout,  # noqa: ASYNC109 - aiohttp's signature
    ) -> Connection:
        """Return a connection; called by aiohttp once per request."""
        attempt = ATTEMPT.get()
        while True:
            connection = await self._opener.connect(req, traces, timeout)
            used = self._answered.get(connection.protocol, float("-inf"))
            busy = self.may_reuse and time.monotonic() - used < _BUSY
            in_bulk = attempt.request.wire is not None
            if attempt.opened or attempt.request.repeatable or (in_bulk and busy):
                attempt.connection = connection.protocol
                return connection
            # Idle for an unknown time; closed rather than kept for a read, which would find it
            # stale, too.
            connection.close()

    async def close(self, *, abort_ssl: bool = False) -> None:
        """Close the other connector, if it is ours."""
        await super().close(abort_ssl=abort_ssl)
        if self._owned:
            await self._opener.close(abort_ssl=abort_ssl)
