"""The protocol without I/O: build a request, decode a reply.

Replies are decoded leniently. What the server accepted must never look like a failure because the
reply has an odd shape, so only a body that cannot be read at all is `Unreadable`.

Nothing the server wrote in its own words may reach the text of an error, since it can repeat what
the request held in ways that no filter recognises. Of a refusal only the status and a code that
looks like a code are shown; the rest is in `ReplyError.response_msg` and `.raw`.
"""

from __future__ import annotations

import json
import re
import sys
import unicodedata
from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import datetime
from decimal import Decimal
from email.utils import parsedate_to_datetime
from http import HTTPStatus
from typing import Any, Protocol, TypeAlias
from urllib.parse import quote, unquote, urlencode

import msgspec
from msgspec import Struct

from .codes import code_in, repeats, shown_code
from .errors import ReplyError, TooManyRequests, reply_error_class
from .models.base import unix_seconds


class Unreadable(Exception):
    """A 2xx reply that cannot be understood; its text holds nothing of the reply."""


class Sink(Protocol):
    """Takes the body of a reply that is too large to be kept in memory."""

    async def begin(self) -> None:
        """Discard what was written: the body begins."""
        ...

    async def write(self, chunk: bytes) -> None:
        """Write the next part of the body."""
        ...


Fence: TypeAlias = Callable[[], Awaitable[None]]
"""Awaited just before the first byte of an attempt leaves; what it raises prevents that."""


class Wire:
    """What the owner of a call can see of it while it lasts."""

    __slots__ = ("sent", "turn_taken")

    def __init__(self, *, turn_taken: bool = False) -> None:
        self.turn_taken: bool = turn_taken
        """Whether the owner has waited for the pace already, for the first attempt."""
        self.sent: bool = False
        """Whether bytes have left of which no verdict is known yet."""


class Request(Struct):
    """One call, ready to be written to the wire as often as its retry rule allows."""

    operation: str
    """Method and path template: the name under which it is counted, logged and limited."""
    method: str
    url: str
    body: bytes | None = None
    repeatable: bool = False
    """Whether the server may see it twice without harm: reads and prices."""
    bare: bool = False
    """Whether an empty 2xx is a full answer, as nothing is returned."""
    refs: Sequence[str] = ()
    """The refs of the messages in it, for the error of an unknown outcome."""
    sink: Sink | None = None
    """Takes the body of a reply of success, which then has none."""
    fence: Fence | None = None
    """What it raises is what the call raises."""

    wire: Wire | None = None
    """Shows the owner of the call how far it is."""

    def __repr__(self) -> str:
        return f"Request({self.operation!r})"


class Reply(Struct):
    """A reply that was read to its end."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    def __repr__(self) -> str:
        return f"Reply(status={self.status}, body=<{len(self.body)} bytes>)"


def path_for(template: str, values: Mapping[str, object]) -> str:
    """Fill the holes of a path template, quoted.

    Raises:
        ValueError: a value is empty, would climb the path, or holds a lone surrogate.

    """
    filled = {}
    for name, value in values.items():
        text = str(value)
        if text in ("", ".", ".."):
            raise ValueError(f"{name} must not be {text!r}: it stands in the path {template}")
        try:
            filled[name] = quote(text, safe="")
        except UnicodeEncodeError:
            raise ValueError(f"{name} must not hold a lone surrogate") from None
    return template.format_map(filled)


def checked_path(path: str) -> str:
    """Return a path of the API that a caller gave.

    Raises:
        ValueError: it is none, or a server or gateway could read it as another.

    """
    # A query in a path would bypass quoting, and two slashes make a host of what follows.
    odd = any(mark in path for mark in ("?", "#", " ", "\\", "//")) or not path.isascii()
    if not path.startswith("/v3/") or odd or _is_unsafe(path):
        raise ValueError(
            "path must start with /v3/ and be quoted, e.g. by urllib.parse.quote(value, safe=''); "
            "it must hold no query (use query={...}), no empty segments, and, quoted or not, no "
            "'.' or '..' segments, backslashes or control characters"
        )
    return path


def query_for(values: Mapping[str, object]) -> str:
    """Return the query string, without what is None; ``+`` travels as ``%2B``.

    A list travels as ``name[0]=…&name[1]=…``.

    Raises:
        ValueError: a text holds a lone surrogate.

    """
    pairs = []
    for name, value in values.items():
        if isinstance(value, list | tuple):
            pairs += [(f"{name}[{index}]", _query_text(it)) for index, it in enumerate(value)]
        # None means "not given" everywhere in this API; an empty text is a value and is sent.
        elif value is not None:
            pairs.append((name, _query_text(value)))
    try:
        return "?" + urlencode(pairs, quote_via=quote, safe="") if pairs else ""
    except UnicodeEncodeError:
        raise ValueError("a text of the query holds a lone surrogate") from None


def body_for(value: object) -> bytes:
    """Return the JSON body; times become unix seconds, as everywhere in this API.

    Raises:
        ValueError: a text holds a lone surrogate, or a time has no zone.

    """
    try:
        return msgspec.json.encode(plain(value))
    except UnicodeEncodeError:
        raise ValueError("a text of the request holds a lone surrogate") from None


def plain(value: object) -> Any:
    """Return a value as JSON knows it, aware times as unix seconds.

    Raises:
        ValueError: a time has no zone.

    """
    if isinstance(value, datetime):
        return unix_seconds(value)
    # Times and amounts are kept as they are: msgspec would write ISO text, which this API does not
    # take.
    if isinstance(value, Struct):
        value = msgspec.to_builtins(value, builtin_types=(datetime, Decimal))
    if isinstance(value, Mapping):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [plain(item) for item in value]
    return value


def loads(body: bytes) -> Any:
    """Decode JSON; what msgspec refuses the stdlib takes: NaN, lone surrogates, a BOM.

    A text that is cut in the middle of a character, and a number of thousands of digits, damage
    only themselves. Every text that comes out can be encoded, and so be stored.

    Raises:
        Unreadable: it is no JSON.

    """
    try:
        return msgspec.json.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        try:
            return _with_marks(json.loads(body.decode("utf-8-sig", "replace"), parse_int=_any_int))
        except (ValueError, RecursionError) as error:
            raise Unreadable("no JSON in the reply") from error


def data_of(request: Request, reply: Reply) -> Any:
    """Return the payload of a 2xx reply.

    Most endpoints wrap it in ``{http_code, response_code, response_msg, data}``; short-url,
    own-numbers, alpha-tags and Maton's control plane do not.

    Raises:
        Unreadable: there is no JSON, or the envelope contradicts the status.

    """
    # 204 is documented for one delete only; where nothing is returned an empty 200 says the same.
    if not reply.body.strip():
        if reply.status == HTTPStatus.NO_CONTENT or request.bare:
            return None
        raise Unreadable("an empty reply")
    document = loads(reply.body)
    # Own numbers, alpha tags, short links and Maton's control plane answer without an envelope.
    if not isinstance(document, dict) or "http_code" not in document:
        return document
    # Seen on v2 only: HTTP 200 around an error, which does not say whether anything was done.
    code = _whole_number(document["http_code"])
    if code is not None and code >= HTTPStatus.BAD_REQUEST:
        shown = code if code < 1000 else "beyond 999"
        raise Unreadable(f"a reply of HTTP {reply.status} with http_code {shown} inside")
    return document.get("data")


def refusal(request: Request, reply: Reply, now: float | None = None) -> ReplyError:
    """Return the error that a reply with a status of 4xx or 5xx stands for."""
    document: Any
    try:
        document = loads(reply.body)
    except Unreadable:
        document = reply.body.decode("utf-8", "replace")
    code, message = phrase(reply.status), ""
    if isinstance(document, dict):
        # Both can be of any type: a PHP error once came with the integer 400 as response_code.
        found = code_in(document.get("response_code"))
        if found and not repeats(found, unquote(request.url).encode() + (request.body or b"")):
            code = found
        message = _text(document.get("response_msg") or document.get("message"))
    kind = reply_error_class(reply.status)
    more = "; the server's words are in response_msg" if message else ""
    error = kind(
        f"{request.operation} {reply.status} {_shown(code, reply.status)}: {kind.meaning}{more}",
        operation=request.operation,
        status=reply.status,
        response_code=code,
        response_msg=message,
        raw=document,
    )
    if isinstance(error, TooManyRequests):
        error.retry_after = asked_wait(reply, now)
    return error


def asked_wait(reply: Reply, now: float | None = None) -> float | None:
    """Return the seconds the server asks us to wait: ``Retry-After``, else ``ratelimit-reset``.

    The latter comes with every reply, and counts only where the limit was reached.
    """
    retry_after = reply.headers.get("Retry-After", "")
    seconds = _seconds(retry_after)
    # HTTP allows a date as well. ClickSend sends seconds; a gateway in front of it may not.
    if seconds is None and retry_after and now is not None:
        try:
            seconds = max(0.0, parsedate_to_datetime(retry_after).timestamp() - now)
        except (ValueError, TypeError, OverflowError):
            seconds = None
    if seconds is None and reply.status == HTTPStatus.TOO_MANY_REQUESTS:
        seconds = _seconds(reply.headers.get("ratelimit-reset", ""))
    return seconds if seconds is not None else exhausted_for(reply.headers)


def exhausted_for(headers: Mapping[str, str]) -> float | None:
    """Return the seconds until this endpoint answers again, if it said that was the last one."""
    if headers.get("x-ratelimit-remaining", "").strip() != "0":
        return None
    return _seconds(headers.get("ratelimit-reset", ""))


def code_of(error: ReplyError) -> str:
    """Return the code of an error for texts and events: the API's if it is a known one."""
    return _shown(error.response_code, error.status)


def phrase(status: int) -> str:
    """Return the word for an HTTP status, e.g. ``NOT_FOUND``."""
    try:
        return HTTPStatus(status).name
    except ValueError:
        return "UNKNOWN_STATUS"


def _shown(code: str, status: int) -> str:
    return shown_code(code) or phrase(status)


def _any_int(digits: str) -> float:
    return int(digits) if len(digits) < sys.int_info.default_max_str_digits else float(digits)


def _with_marks(value: Any) -> Any:
    """Return decoded JSON with a replacement character in place of each lone surrogate."""
    match value:
        case str():
            return value.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
        case list():
            return list(map(_with_marks, value))
        case dict():
            return {_with_marks(name): _with_marks(it) for name, it in value.items()}
        case _:
            return value


def _seconds(text: str) -> float | None:
    try:
        value = float(text)
    except ValueError:
        return None
    # NaN is neither, so it is refused, too.
    return value if 0 <= value < float("inf") else None


def _query_text(value: object) -> str:
    if isinstance(value, bool):
        return str(int(value))
    if isinstance(value, datetime):
        return str(unix_seconds(value))
    return str(value)


def _whole_number(value: object) -> int | None:
    try:
        return int(value)  # type: ignore[call-overload,no-any-return]
    except (TypeError, ValueError, OverflowError):
        return None


def _text(value: object) -> str:
    return value if isinstance(value, str) else "" if value is None else str(value)


def _is_unsafe(text: str) -> bool:
    """Whether a server could read a path as another one.

    Servers unquote more than once, take full-width dots and slashes for plain ones (NFKC), and cut
    off what follows a ``;``.
    """
    for _ in range(_LAYERS):
        text = unquote(text)
    odd = text != unquote(text) or "\ufffd" in text or _NO_TEXT(text)
    segments = re.split(r"[/\\]", unicodedata.normalize("NFKC", text))
    return bool(odd) or any(it.partition(";")[0].strip() in (".", "..") for it in segments)


_LAYERS = 8
"""How often a path may have been quoted."""


_NO_TEXT = re.compile("[\x00-\x1f\x7f-\x9f\ud800-\udfff]").search
"""Finds control characters and lone surrogates."""
