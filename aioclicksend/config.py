"""How a client is set up: credentials, hosts, rate limit, timeouts, retries, size limits."""

from __future__ import annotations

import base64
import ipaddress
from collections.abc import Mapping
from typing import Any, Protocol
from urllib.parse import urlsplit

from msgspec import Struct

from .errors import ConfigurationError

CLICKSEND_URL = "https://rest.clicksend.com"
MATON_URL = "https://gateway.maton.ai/clicksend"
MATON_CONTROL_URL = "https://ctrl.maton.ai"
_GATEWAY = "/clicksend"
"""The path of Maton's gateway to ClickSend."""


class Auth(Protocol):
    """Credentials and the base URL they belong to."""

    @property
    def base_url(self) -> str:
        """Everything before ``/v3``, unless the client is given another."""
        ...

    def headers(self) -> dict[str, str]:
        """Return the headers that authenticate a request."""
        ...


class BasicAuth(Struct, frozen=True):
    """A ClickSend user name and API key, used directly at rest.clicksend.com."""

    username: str
    api_key: str

    def __post_init__(self) -> None:
        _header_safe("username", self.username)
        _header_safe("api_key", self.api_key)
        # RFC 7617: the first colon ends the user name, so the rest would become part of the key.
        if ":" in self.username:
            raise ConfigurationError("BasicAuth: username must not hold a colon")

    @property
    def base_url(self) -> str:
        """ClickSend's own host."""
        return CLICKSEND_URL

    def headers(self) -> dict[str, str]:
        """Return the Basic header; it is sent with every request, as the API never challenges."""
        token = base64.b64encode(f"{self.username}:{self.api_key}".encode()).decode()
        return {"Authorization": f"Basic {token}"}

    def __repr__(self) -> str:
        return "BasicAuth(username=***, api_key=***)"

    def __rich_repr__(self) -> list[tuple[str, Any]]:
        """Return nothing; rich would show a Struct whole."""
        return []


class MatonAuth(Struct, frozen=True):
    """A Maton API key: calls go through Maton's gateway to the connected ClickSend account.

    Without `connection_id` the gateway takes the oldest active connection.
    """

    api_key: str
    connection_id: str | None = None

    def __post_init__(self) -> None:
        _header_safe("api_key", self.api_key)
        if self.connection_id is not None:
            _header_safe("connection_id", self.connection_id)

    @property
    def base_url(self) -> str:
        """Maton's gateway."""
        return MATON_URL

    def headers(self) -> dict[str, str]:
        """Return the Bearer header and, where one is chosen, the connection."""
        headers = {"Authorization": f"Bearer {self.api_key}"}
        if self.connection_id is not None:
            headers["Maton-Connection"] = self.connection_id
        return headers

    def __repr__(self) -> str:
        return "MatonAuth(api_key=***)"

    def __rich_repr__(self) -> list[tuple[str, Any]]:
        """Return nothing; rich would show a Struct whole."""
        return []


class RateLimit(Struct, frozen=True):
    """At most `requests` starts in any window of `per` seconds."""

    requests: int = 10
    per: float = 1.0

    def __post_init__(self) -> None:
        _positive("RateLimit", requests=self.requests, per=self.per)


class Timeout(Struct, frozen=True):
    """Seconds a call may spend in each of its phases."""

    connect: float = 5.0
    """From a free place in the pool to an open connection: DNS, TCP and TLS together."""
    read: float = 60.0
    """From the first byte sent to the last byte of the reply."""
    pool: float = 60.0
    """Waiting for a free connection."""
    turn: float | None = None
    """Waiting for the pace and for pauses, in all attempts together; None for as long as it takes.
    A call that waits longer raises `NotSentError`."""

    def __post_init__(self) -> None:
        _positive("Timeout", connect=self.connect, read=self.read, pool=self.pool)
        if self.turn is not None:
            _positive("Timeout", turn=self.turn)


class Limits(Struct, frozen=True):
    """Bytes a reply may have, unpacked; what has more is an error and is not read to its end."""

    reply: int = 64 * 2**20
    """Of a reply that is kept in memory."""
    download: int = 2 * 2**30
    """Of a file that `client.download` writes."""

    def __post_init__(self) -> None:
        _positive("Limits", reply=self.reply, download=self.download)


class Retry(Struct, frozen=True):
    """How often and how long to retry. Which calls are retried is fixed."""

    attempts: int = 5
    """Attempts of one call, the first included."""
    base: float = 0.5
    """Seconds; the n-th wait is random between 0 and ``base * 2**n``."""
    cap: float = 30.0
    """Seconds, the longest wait we choose ourselves."""
    server_cap: float = 120.0
    """Seconds, the longest wait the server may ask for before we give up at once."""
    budget: float = 500.0
    """Retry tokens of the whole client: a retry costs 5 (10 after a timeout), a success earns 1."""

    def __post_init__(self) -> None:
        _positive("Retry", attempts=self.attempts, cap=self.cap, server_cap=self.server_cap)
        if self.base < 0 or self.budget < 0:
            raise ConfigurationError("Retry: base and budget must not be negative")


def auth_from_environment(environ: Mapping[str, str]) -> Auth:
    """Return the credentials that the environment holds.

    Raises:
        ConfigurationError: none, half of a pair, or both kinds are set.

    """
    names = ("CLICKSEND_USERNAME", "CLICKSEND_API_KEY")
    username, api_key = (environ.get(name, "") for name in names)
    maton_key = environ.get("MATON_API_KEY", "")
    # Either may be left over from another project; the wrong one sends from another account.
    if maton_key and (username or api_key):
        raise ConfigurationError(
            "both MATON_API_KEY and CLICKSEND_USERNAME/CLICKSEND_API_KEY are set: unset one kind, "
            "or pass auth=BasicAuth(...) or auth=MatonAuth(...)"
        )
    if maton_key:
        return MatonAuth(maton_key, environ.get("MATON_CONNECTION_ID") or None)
    if username and api_key:
        return BasicAuth(username, api_key)
    if username or api_key:
        missing = names[bool(username)]
        raise ConfigurationError(f"{missing} is not set: set both")
    raise ConfigurationError(
        "no credentials: set CLICKSEND_USERNAME and CLICKSEND_API_KEY, or MATON_API_KEY, "
        "or pass auth=BasicAuth(...) or auth=MatonAuth(...)"
    )


def base_url_from_environment(environ: Mapping[str, str], auth: Auth) -> str | None:
    """Return the base URL that the environment holds.

    The sandbox serves Maton's gateway below ``/clicksend``, which is added for a loopback address.
    """
    url = environ.get("CLICKSEND_BASE_URL")
    if not url or not isinstance(auth, MatonAuth):
        return url
    url = checked_url(url, "CLICKSEND_BASE_URL")
    if loopback_origin(url) is None or url.endswith(_GATEWAY):
        return url
    return url + _GATEWAY


def checked_url(url: str, what: str) -> str:
    """Return a base URL without a trailing slash or ``/v3``.

    Raises:
        ConfigurationError: it is no URL, holds credentials, or is plain http to another machine.

    """
    url = url.strip()
    shape = ConfigurationError(f"{what} must look like https://host[:port][/prefix]")
    try:
        parts = urlsplit(url)
        host, _ = parts.hostname, parts.port
    except ValueError:
        raise shape from None
    # Letters of other alphabets can pass for ASCII ones; such names are given in punycode.
    clean = url.isascii() and url.isprintable() and " " not in url
    if not host or not clean or parts.scheme not in ("http", "https"):
        raise shape
    if parts.username is not None or parts.password is not None:
        raise ConfigurationError(f"{what} must not hold credentials: pass auth= instead")
    if parts.query or parts.fragment:
        raise ConfigurationError(f"{what} must hold neither query nor fragment")
    if parts.scheme == "http" and not is_loopback(host):
        raise ConfigurationError(
            f"{what} is plain http to another machine, which would send the credentials in clear: "
            "use https"
        )
    # People paste the address with its version, which every path here begins with.
    path = parts.path.rstrip("/").removesuffix("/v3").rstrip("/")
    return f"{parts.scheme}://{parts.netloc}{path}"


def is_loopback(host: str) -> bool:
    """Whether a host is this machine, the only one that plain http is spoken to.

    A literal address or ``localhost``. Names below it, such as ``x.localhost``, are resolved by
    DNS, which could send the credentials anywhere.
    """
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def loopback_origin(url: str) -> str | None:
    """Return scheme, host and port of a URL whose host is this machine, else None."""
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc}" if is_loopback(parts.hostname or "") else None


def _header_safe(name: str, value: object) -> None:
    if not isinstance(value, str) or not value.strip():
        raise ConfigurationError(f"{name} must be a non-empty string")
    if not value.isprintable():
        raise ConfigurationError(f"{name} holds a line break or another unprintable character")


def _positive(what: str, **values: float) -> None:
    for name, value in values.items():
        if not value > 0:
            raise ConfigurationError(f"{what}: {name} must be greater than 0")
