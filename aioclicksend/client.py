"""The client: it owns a session and hangs the groups of operations on it."""

from __future__ import annotations

import os
from collections.abc import Mapping
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
    Hooks,
    MatonAuth,
    RateLimit,
    Retry,
    Timeout,
    auth_from_environment,
    checked_url,
)
from .download import download
from .errors import ConfigurationError
from .groups import Groups
from .pacing import Pacer
from .session import Session
from .wire import Request

_METHODS = frozenset({"GET", "POST", "PUT", "PATCH", "DELETE"})


class ClickSend(Groups):
    """A client of one account; share one among all tasks of a program.

    ::

        async with ClickSend() as client:
            result = await client.sms.send(SmsMessage(to="+61411111111", body="Hello"))

    Args:
        auth: `BasicAuth` or `MatonAuth`; from the environment if absent.
        base_url: everything before ``/v3``; ``CLICKSEND_BASE_URL`` or the host of `auth` if absent.
        control_url: Maton's control plane; ``MATON_CONTROL_URL`` or its usual host if absent.
        rate_limit: the pace of all requests together; None for none.
        retry: how long to insist on what may be repeated.
        timeout: seconds for each phase of a call.
        http: an aiohttp session to borrow. It stays yours to close; its middlewares are not used.
        hooks: callables that watch.

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
        retry: Retry = Retry(),  # noqa: B008 - frozen
        timeout: Timeout = Timeout(),  # noqa: B008 - frozen
        http: aiohttp.ClientSession | None = None,
        hooks: Hooks | None = None,
    ) -> None:
        if auth is None:
            auth = auth_from_environment(os.environ)
        if not isinstance(auth, BasicAuth | MatonAuth):
            raise ConfigurationError("auth must be BasicAuth(...) or MatonAuth(...)")
        if isinstance(auth, MatonAuth):
            control_url = control_url or os.environ.get("MATON_CONTROL_URL") or MATON_CONTROL_URL
            control_url = checked_url(control_url, "control_url")
        else:
            control_url = None
        base_url = base_url or os.environ.get("CLICKSEND_BASE_URL") or auth.base_url
        self._session = Session(
            auth=auth,
            base_url=checked_url(base_url, "base_url"),
            control_url=control_url,
            pacer=Pacer(rate_limit),
            retry=retry,
            timeout=timeout,
            hooks=hooks or Hooks(),
            http=http,
        )

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

        Raises:
            ValueError: the method or the path is none of this API.
            ClickSendError: as for every call.

        """
        method = method.upper()
        if method not in _METHODS:
            raise ValueError(f"method must be one of {', '.join(sorted(_METHODS))}")
        if not path.startswith("/v3/") or any(mark in path for mark in "?# \r\n"):
            raise ValueError("path must start with /v3/ and hold no query: use query={...}")
        request = Request(
            f"{method} {wire.unnumbered(path)}",
            method,
            self._session.url(path) + wire.query_for(query or {}),
            None if json is None else wire.body_for(json),
            _is_repeatable(method, path),
            bare=True,
        )
        return await self._session.exchange(request, lambda reply: wire.data_of(request, reply))

    async def download(self, url: str, path: str | PathLike[str]) -> Path:
        """Fetch a file, such as an export, write it to a path and return that.

        It is there whole or not at all, and takes the place of what was there before. Only the
        API's own host sees the credentials: exports can be at a storage elsewhere.

        Raises:
            ValueError: the address does not begin with ``https://``.
            OSError: the file cannot be written.
            ClickSendError: as for every call.

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
        if session := getattr(self, "_session", None):
            session.warn_if_open()

    def __repr__(self) -> str:
        return f"ClickSend({self._session.url('/v3/')!r})"


def _is_repeatable(method: str, path: str) -> bool:
    known = api.operations().get((method, path)) if method == "POST" else None
    return known.repeatable if known else method == "GET"
