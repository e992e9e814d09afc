"""The client: it owns a session and hangs the groups of operations on it."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from os import PathLike
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import aiohttp

from . import api, wire
from .config import (
    MATON_CONTROL_URL,
    Auth,
    BasicAuth,
    Limits,
    MatonAuth,
    RateLimit,
    Retry,
    Timeout,
    auth_from_environment,
    base_url_from_environment,
    checked_url,
    loopback_origin,
)
from .download import download
from .errors import ConfigurationError
from .groups import Groups
from .hooks import Hooks
from .pacing import Pace, Pacer
from .proxies import Proxies
from .session import Session
from .transport import proxies_of
from .wire import Request

_METHODS = frozenset({"GET", "POST", "PUT", "PATCH", "DELETE"})


class ClickSend(Groups):
    """A client of one account; share one among all tasks of a program.

    It belongs to the event loop of its first call:

        async with ClickSend() as client:
            result = await client.sms.send(SmsMessage(to="+61411111111", body="Hello"))

    Args:
        auth: `BasicAuth` or `MatonAuth`; from the environment if absent.
        base_url: everything before ``/v3``; ``CLICKSEND_BASE_URL`` or the host of `auth` if absent.
        control_url: Maton's control plane; if absent ``MATON_CONTROL_URL``, or the host of
            `base_url` if that is this machine, or Maton's own host.
        rate_limit: the pace of all requests together; None for none.
        pace: a pace that is shared with other clients, in place of `rate_limit`.
        retry: how long calls that may be repeated are tried again.
        timeout: seconds for each phase of a call.
        limits: bytes that replies and downloads may have.
        http: an aiohttp session whose connector, proxy and tracing are used. It stays yours to
            close; its headers, cookies, credentials and middlewares are not used.
        proxy: address of an HTTP proxy, an empty text for none. If absent the proxy of `http`, or
            else ``HTTPS_PROXY`` and ``NO_PROXY``.
        hooks: functions that observe the client.

    Raises:
        ConfigurationError: credentials are missing or doubled, or an address is unsafe.

    """

    def __init__(
        self,
        *,
        auth: Auth | None = None,
        base_url: str | None = None,
        control_url: str | None = None,
        rate_limit: RateLimit | None = RateLimit(),  # noqa: B008 - frozen
        pace: Pace | None = None,
        retry: Retry = Retry(),  # noqa: B008 - frozen
        timeout: Timeout = Timeout(),  # noqa: B008 - frozen
        limits: Limits = Limits(),  # noqa: B008 - frozen
        http: aiohttp.ClientSession | None = None,
        proxy: str | None = None,
        hooks: Hooks | None = None,
    ) -> None:
        if auth is None:
            auth = auth_from_environment(os.environ)
        # A tuple of name and key, as other libraries take it, would fail only at the first call.
        if not isinstance(auth, BasicAuth | MatonAuth):
            raise ConfigurationError("auth must be BasicAuth(...) or MatonAuth(...)")
        base_url = base_url or base_url_from_environment(os.environ, auth) or auth.base_url
        base_url = checked_url(base_url, "base_url")
        if isinstance(auth, MatonAuth):
            control_url = control_url or os.environ.get("MATON_CONTROL_URL")
            # A client of a sandbox must not reach for the real control plane.
            control_url = control_url or loopback_origin(base_url) or MATON_CONTROL_URL
            control_url = checked_url(control_url, "control_url")
        else:
            control_url = None
        given = None if proxy is None else Proxies.given(proxy)
        self._session = Session(
            auth=auth,
            base_url=base_url,
            control_url=control_url,
            pace=pace or Pacer(rate_limit),
            retry=retry,
            timeout=timeout,
            limits=limits,
            proxies=given or proxies_of(http, os.environ),
            hooks=hooks,
            http=http,
        )

    @property
    def base_url(self) -> str:
        """Everything before ``/v3`` of the addresses this client calls."""
        return self._session.base_url

    def add_hooks(self, hooks: Hooks) -> Callable[[], None]:
        """Add hooks beside those the client was made with; return what removes them again."""
        return self._session.add_hooks(hooks)

    async def request(
        self,
        method: str,
        path: str,
        *,
        query: Mapping[str, object] | None = None,
        json: object = None,
    ) -> Any:
        """Call any path of the API under the client's policy and return the decoded ``data``.

        Only a GET, and the POSTs that price something, are repeated after bytes left.

        Args:
            method: GET, POST, PUT, PATCH or DELETE.
            path: from ``/v3/`` on, quoted.
            query: travels as that of every operation does.
            json: the body.

        Raises:
            ValueError: the method or the path is none of this API.
            ClickSendError: as for every call.

        """
        method = method.upper()
        if method not in _METHODS:
            raise ValueError(f"method must be one of {', '.join(sorted(_METHODS))}")
        path = wire.checked_path(path)
        known = api.matching(method, path)
        request = Request(
            f"{method} {api.template_of(path)}" if known is None else known.label,
            method,
            self._session.url(path) + wire.query_for(query or {}),
            None if json is None else wire.body_for(json),
            method == "GET" if known is None else known.repeatable,
            bare=True,
        )
        return await self._session.exchange(request, lambda reply: wire.data_of(request, reply))

    async def download(self, url: str, path: str | PathLike[str]) -> Path:
        """Fetch a file, such as an export, write it to a path and return that.

        It is there whole or not at all, readable for its owner only, and replaces what was there
        before. Only the API's own host sees the credentials: exports can be at a storage elsewhere.

        Raises:
            ValueError: the address does not begin with ``https://``, or holds credentials.
            OSError: the file cannot be written, or the path is a directory or a device.
            ClickSendError: as for every call; `UnknownOutcomeError` if the file is larger than
                `Limits.download`.

        """
        return await download(self._session, url, Path(path))

    async def aclose(self) -> None:
        """Close what this client opened. Calls after it raise `RuntimeError`."""
        await self._session.aclose()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self.aclose()

    def __del__(self) -> None:
        # `__init__` may have raised before there was one.
        if session := getattr(self, "_session", None):
            session.warn_if_open()

    def __repr__(self) -> str:
        return f"ClickSend({self._session.url('/v3/')!r})"
