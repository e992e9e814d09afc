"""Who may ask: the Host header, and the login of the API and of the gateway. Headers only.

A request is let in or refused before its body is read, so nothing of a stranger's request is kept
and no fault that was lined up for the application is used up by one.
"""

from __future__ import annotations

import base64
import binascii
import ipaddress
from collections.abc import Collection, Mapping
from urllib.parse import urlsplit

from . import files, routes
from .gateway import check_bearer
from .replies import ApiError
from .state import State
from .subaccounts import may_enter

GATEWAY = "/clicksend"
# [docs] ClickSend API v3, testing: logins that fail in a certain way, all with this key.
TEST_KEY = "D83DED51-9E35-4D42-9BB9-0E34B7CA85AE"
_TEST_LOGINS = frozenset({"nocredit", "notactive", "banned"})


def is_loopback(host: str) -> bool:
    """Tell whether a name or address can only ever be this machine."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def may_ask_for(header: str | None, allowed: Collection[str], *, remote: bool) -> bool:
    """Tell whether a Host header names this sandbox.

    A web page whose name was made to point here (DNS rebinding) sends that name. An address cannot
    be made to point elsewhere, so a sandbox that serves remotely answers to any.
    """
    try:
        host = urlsplit(f"//{header or ''}").hostname or ""
    except ValueError:
        return False
    # Any port: a container maps its own to another.
    if is_loopback(host) or host in allowed:
        return True
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return remote


def is_foreign_page(origin: str | None, host: str | None) -> bool:
    """Tell whether a request comes from a web page that is not the sandbox's own.

    Browsers name the page's origin in all that could change something; programs send no such
    header. A form may carry the login in its address, and the default one is no secret.
    """
    return origin is not None and origin.partition("://")[2] != host


def is_control_plane(path: str) -> bool:
    """Tell whether a path is that of Maton's control plane."""
    return path == "/connections" or path.startswith("/connections/")


def authenticate(state: State, method: str, path: str, headers: Mapping[str, str]) -> str:
    """Return the login a request acts for, empty where none is needed, or refuse."""
    # An export or an upload is fetched without a login, as from the pre-signed addresses of the
    # live API: the random address is the secret.
    if path.startswith(files.PREFIX):
        return ""
    if is_control_plane(path):
        check_bearer(state, headers)
        return ""
    if path.startswith(GATEWAY + "/"):
        check_bearer(state, headers)
        return state.settings.username
    if routes.allow_anonymous(method, path):
        return ""
    return _basic(state, headers.get("Authorization", ""))


def _basic(state: State, header: str) -> str:
    """Return the login, or refuse: with the same words for every method and path."""
    login, key = basic_login(header)
    # Before the real login: what they answer must not depend on how the sandbox was set up.
    if key == TEST_KEY and login in _TEST_LOGINS:
        if login == "notactive":
            raise ApiError(403, "ACCOUNT_NOT_ACTIVATED", "The account is not activated.")
        if login == "banned":
            raise ApiError(403, "FORBIDDEN", "The account is banned.")
        return login
    known = (state.settings.username, state.settings.api_key)
    if (login, key) != known and not may_enter(state, login, key):
        raise ApiError(401, "UNAUTHORIZED", "Authorization failed.")
    return login


def basic_login(header: str) -> tuple[str, str]:
    """Return login and key of a Basic header, both empty for anything else."""
    scheme, _, encoded = header.partition(" ")
    if scheme.lower() != "basic":
        return "", ""
    try:
        login, _, key = base64.b64decode(encoded, validate=True).decode().partition(":")
    except (binascii.Error, UnicodeDecodeError):
        return "", ""
    return login, key
