"""The client: it owns a session and hangs the groups of operations on it."""

from __future__ import annotations

import os
from collections.abc import Mapping
from types import TracebackType
from typing import Any, Self

import aiohttp

from . import wire
from .api.account import AccountGroup, Connections, Countries, Email
from .api.contacts import Contacts, Lists
from .api.mms import Mms
from .api.sms import Sms
from .api.voice import Voice
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
from .errors import ConfigurationError
from .pacing import Pacer
from .rest import OPERATIONS
from .session import Session
from .wire import Request

_METHODS = frozenset({"GET", "POST", "PUT", "PATCH", "DELETE"})


class ClickSend:
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
        self._session = session = Session(
            auth=auth,
            base_url=checked_url(base_url, "base_url"),
            control_url=control_url,
            pacer=Pacer(rate_limit),
            retry=retry,
            timeout=timeout,
            hooks=hooks or Hooks(),
            http=http,
        )
        self.account = AccountGroup(session)
        self.sms = Sms(session)
        self.mms = Mms(session)
        self.voice = Voice(session)
        self.lists = Lists(session)
        self.contacts = Contacts(session)
        self.email = Email(session)
        self.countries = Countries(session)
        self.connections = Connections(session)

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
        known = OPERATIONS.get((method, path))
        request = Request(
            f"{method} {wire.unnumbered(path)}",
            method,
            self._session.url(path) + wire.query_for(query or {}),
            None if json is None else wire.body_for(json),
            known.repeatable if known else method == "GET",
            bare=True,
        )
        return await self._session.exchange(request, lambda reply: wire.data_of(request, reply))

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
