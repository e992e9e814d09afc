"""The aiohttp sessions a client sends through, and who closes them.

A client uses two: one keeps connections alive for calls that may be repeated, one opens a
connection for each call with an effect::

    GET, prices      ──▶ pooled   idle connections are reused
    sends, PUT, ...  ──▶ fresh    a new connection for every request

A server may close an idle connection in the very moment in which a request is written to it. The
outcome of that request is unknown, since a connection that breaks looks the same before and after
the request was carried out. Neither a short keep-alive nor a look at the socket closes the gap (see
benchmarks/idle_race.py for figures), a connection that was never idle does. It costs a handshake
for each request, and a bulk request carries up to 1000 messages.

Of a session that was lent to us only the connector, the proxy and the tracing are used: its
headers, cookies and credentials belong to other hosts, and its middlewares could repeat a call.
"""

from __future__ import annotations

import warnings
from collections.abc import Sequence

import aiohttp
from aiohttp import BaseConnector, ClientRequest, ClientSession, ClientTimeout, TraceConfig
from aiohttp.client_proto import ResponseHandler
from aiohttp.tracing import Trace

_KEEPALIVE = 10.0
"""Seconds. Shorter than servers keep idle connections, so that fewer reads have to be repeated."""

NO_TIMEOUT = ClientTimeout(total=None, connect=None, sock_connect=None, sock_read=None)


class Transport:
    """Opens the sessions at the first request; those on a lent connector leave that open."""

    def __init__(self, lent: ClientSession | None, trace: TraceConfig) -> None:
        self._lent = lent
        self._trace = trace
        self._pooled: ClientSession | None = None
        self._fresh: ClientSession | None = None

    def session(self, *, reuse: bool) -> ClientSession:
        """Return the session for a request; `reuse` allows an idle connection.

        Raises:
            RuntimeError: the session that was lent is closed.

        """
        if self._lent is not None and self._lent.closed:
            raise RuntimeError("the aiohttp session given as http= is closed")
        if self._pooled is None or self._fresh is None:
            self._pooled, self._fresh = self._open()
        return self._pooled if reuse else self._fresh

    async def aclose(self) -> None:
        """Close what was opened here."""
        for session in (self._fresh, self._pooled):
            if session is not None:
                await session.close()

    def warn_if_open(self) -> None:
        """Warn about connections that were dropped without being closed."""
        if self._lent is None and self._pooled is not None and not self._pooled.closed:
            warnings.warn(
                "unclosed ClickSend client: use 'async with' or await client.aclose()",
                ResourceWarning,
                stacklevel=3,
            )

    def _open(self) -> tuple[ClientSession, ClientSession]:
        lent = self._lent
        if lent is None:
            connector: BaseConnector = aiohttp.TCPConnector(keepalive_timeout=_KEEPALIVE)
        else:
            assert lent.connector is not None  # it is not closed
            connector = lent.connector
        pooled = self._session(connector, owned=lent is None)
        return pooled, self._session(_FreshConnector(connector), owned=True)

    def _session(self, connector: BaseConnector, *, owned: bool) -> ClientSession:
        lent = self._lent
        traces: Sequence[TraceConfig] = () if lent is None else lent.trace_configs
        return ClientSession(
            connector=connector,
            connector_owner=owned,
            cookie_jar=aiohttp.DummyCookieJar(),
            timeout=NO_TIMEOUT,
            trace_configs=[*traces, self._trace],
            trust_env=lent is not None and lent.trust_env,
            # Has no public name; without it requests would bypass the lender's proxy.
            proxy=None if lent is None else lent._default_proxy,  # noqa: SLF001
        )


class _FreshConnector(BaseConnector):
    """Opens connections through another connector and never keeps one for a second request."""

    def __init__(self, opener: BaseConnector) -> None:
        super().__init__(
            force_close=True, limit=opener.limit, limit_per_host=opener.limit_per_host
        )
        self._opener = opener
        self.allowed_protocol_schema_set = opener.allowed_protocol_schema_set

    async def _create_connection(
        self, req: ClientRequest, traces: list[Trace], timeout: ClientTimeout
    ) -> ResponseHandler:
        # The method by which aiohttp's connectors differ: it knows TLS, DNS, proxies and sockets.
        return await self._opener._create_connection(req, traces, timeout)  # noqa: SLF001
