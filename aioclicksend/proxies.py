"""Which proxy a request goes through: the one that was given, or that of the environment."""

from __future__ import annotations

import re
from collections.abc import Mapping
from urllib.parse import urlsplit

from .config import is_loopback
from .errors import ConfigurationError


class Proxies:
    """A proxy, and the hosts that are reached without it.

    Only https goes through a proxy, as a tunnel that the proxy cannot read. Plain http is spoken to
    this machine alone, and would show the proxy the credentials.
    """

    def __init__(self, proxy: str | None = None, no_proxy: str = "") -> None:
        self._proxy = proxy
        self._direct = [_domain(it) for it in re.split(r"[,\s]+", no_proxy) if it]

    @classmethod
    def given(cls, proxy: str) -> Proxies:
        """Return what `proxy=` asks for; an empty text asks for no proxy."""
        return cls(_checked(proxy, "proxy") if proxy else None)

    @classmethod
    def of_environment(cls, environ: Mapping[str, str]) -> Proxies:
        """Return what ``HTTPS_PROXY`` and ``NO_PROXY`` ask for; lower case goes first, as in curl.

        Raises:
            ConfigurationError: it is no address, or that of another kind of proxy.

        """
        # A CGI server sets HTTP_PROXY from a header of the client (httpoxy); these two it cannot.
        proxy = environ.get("https_proxy") or environ.get("HTTPS_PROXY")
        if not proxy:
            return cls()
        no_proxy = environ.get("no_proxy") or environ.get("NO_PROXY") or ""
        return cls(_checked(proxy, "HTTPS_PROXY"), no_proxy)

    def for_url(self, url: str) -> str | None:
        """Return the proxy for an address, None if it is reached directly."""
        if self._proxy is None:
            return None
        parts = urlsplit(url)
        host = parts.hostname or ""
        # A proxy is another machine: its "localhost" is not ours.
        if parts.scheme != "https" or is_loopback(host):
            return None
        return None if self._is_direct(host, parts.port or 443) else self._proxy

    def _is_direct(self, host: str, port: int) -> bool:
        """Whether ``NO_PROXY`` names a host or a domain it is in, with its port or without one."""
        # An entry with another port stays as it is, and then equals no host.
        names = (it.removesuffix(f":{port}") for it in self._direct)
        return any(it in ("*", host) or host.endswith(f".{it}") for it in names)


def _domain(name: str) -> str:
    """Return a name of ``NO_PROXY`` as it is compared: ``*.corp`` and ``.corp`` mean ``corp``."""
    name = name.lower().replace("[", "").replace("]", "")  # around IPv6
    return name if name == "*" else name.removeprefix("*.").strip(".")


def _checked(proxy: str, what: str) -> str:
    """Return the address of a proxy; its errors do not repeat it, as it can hold a password.

    Raises:
        ConfigurationError: it is not the address of an HTTP proxy.

    """
    proxy = proxy.strip()
    if "://" not in proxy:
        proxy = f"http://{proxy}"  # as curl reads it
    try:
        parts = urlsplit(proxy)
        host, _ = parts.hostname, parts.port
    except ValueError:
        host, parts = None, urlsplit("")
    if not host or not proxy.isprintable() or " " in proxy:
        raise ConfigurationError(f"{what} must look like http://[user:password@]host[:port]")
    if parts.scheme not in ("http", "https"):
        raise ConfigurationError(
            f"{what} must be an http:// or https:// proxy; for others lend a session with a "
            "connector for them: http="
        )
    return proxy
