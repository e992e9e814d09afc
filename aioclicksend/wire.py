"""The protocol without I/O: build a request, decipher a reply.

A reply is deciphered leniently. What the server took must never look like a failure because it was
told in an odd shape, so only a body that cannot be read at all is `Unreadable`.
"""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from decimal import Decimal
from email.utils import parsedate_to_datetime
from http import HTTPStatus
from typing import Any, Protocol
from urllib.parse import parse_qsl, quote, urlencode, urlsplit

import msgspec
from msgspec import Struct

from .errors import ReplyError, TooManyRequests, reply_error_class
from .models.base import unix_seconds


class Unreadable(Exception):
    """A 2xx reply that says nothing we can understand."""


class Sink(Protocol):
    """Where the body of a reply goes that is too large to be kept."""

    async def begin(self) -> None:
        """Forget what was written: the body begins."""
        ...

    async def write(self, chunk: bytes) -> None:
        """Write the next part of the body."""
        ...


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
    sink: Sink | None = None
    """Takes the body of a reply of success, which then has none."""

    def __repr__(self) -> str:
        return f"Request({self.operation!r})"


class Reply(Struct):
    """What came back, whole."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    def __repr__(self) -> str:
        return f"Reply(status={self.status}, body=<{len(self.body)} bytes>)"


def path_for(template: str, values: Mapping[str, object]) -> str:
    """Fill the holes of a path template, quoted.

    Raises:
        ValueError: a value is empty or would climb the path.

    """
    filled = {}
    for name, value in values.items():
        text = str(value)
        if text in ("", ".", ".."):
            raise ValueError(f"{name} must not be {text!r}: it stands in the path {template}")
        filled[name] = quote(text, safe="")
    return template.format_map(filled)


def query_for(values: Mapping[str, object]) -> str:
    """Return the query string, without what is None; ``+`` travels as ``%2B``.

    A list travels as ``name[0]=…&name[1]=…``.
    """
    pairs = []
    for name, value in values.items():
        if isinstance(value, list | tuple):
            pairs += [(f"{name}[{index}]", _query_text(it)) for index, it in enumerate(value)]
        elif value is not None:
            pairs.append((name, _query_text(value)))
    return "?" + urlencode(pairs, quote_via=quote, safe="") if pairs else ""


def body_for(value: object) -> bytes:
    """Return the JSON body; times become unix seconds, as everywhere in this API."""
    return msgspec.json.encode(plain(value))


def plain(value: object) -> Any:
    """Return a value as JSON knows it, aware times as unix seconds.

    Raises:
        ValueError: a time has no zone.

    """
    if isinstance(value, datetime):
        return unix_seconds(value)
    if isinstance(value, Struct):
        value = msgspec.to_builtins(value, builtin_types=(datetime, Decimal))
    if isinstance(value, Mapping):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [plain(item) for item in value]
    return value


def loads(body: bytes) -> Any:
    """Decode JSON; what msgspec finds too odd the stdlib takes: NaN, lone surrogates, a BOM.

    A text cut in the middle of a character, and a number of thousands of digits, spoil only
    themselves. Every text that comes out can be encoded, so that it can be written down.

    Raises:
        Unreadable: it is no JSON.

    """
    try:
        return msgspec.json.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        try:
            return _encodable(json.loads(body.decode("utf-8-sig", "replace"), parse_int=_any_int))
        except (ValueError, RecursionError) as error:
            raise Unreadable("no JSON in the reply") from error


def data_of(request: Request, reply: Reply) -> Any:
    """Return the payload of a 2xx reply.

    Most endpoints wrap it in ``{http_code, response_code, response_msg, data}``; short-url,
    own-numbers, alpha-tags and Maton's control plane do not.

    Raises:
        Unreadable: there is no JSON, or the envelope contradicts the status.

    """
    if not reply.body.strip():
        if reply.status == HTTPStatus.NO_CONTENT or request.bare:
            return None
        raise Unreadable("an empty reply")
    document = loads(reply.body)
    if not isinstance(document, dict) or "http_code" not in document:
        return document
    # Seen on v2 only: HTTP 200 around an error. Whether anything was done is not said.
    code = _whole_number(document["http_code"])
    if code is not None and code >= HTTPStatus.BAD_REQUEST:
        raise Unreadable(f"a reply of HTTP {reply.status} with http_code {code} inside")
    return document.get("data")


def refusal(request: Request, reply: Reply, now: float | None = None) -> ReplyError:
    """Return the error that a reply with a status of 4xx or 5xx stands for."""
    document: Any
    try:
        document = loads(reply.body)
    except Unreadable:
        document = reply.body.decode("utf-8", "replace")
    code = message = ""
    if isinstance(document, dict):
        # Both can be of any type: a PHP error once came with the integer 400 as response_code.
        code = _short_text(document.get("response_code"))
        message = _short_text(document.get("response_msg") or document.get("message"))
    if not re.fullmatch(r"[A-Za-z][A-Za-z_]*|\d{1,3}", code):
        code = phrase(reply.status)
    told = redact(message, request) or "the server gave no reason"
    error = reply_error_class(reply.status)(
        f"{request.operation} {reply.status} {code}: {told}",
        operation=request.operation,
        status=reply.status,
        response_code=code,
        response_msg=message,
        raw=document,
    )
    if isinstance(error, TooManyRequests):
        error.retry_after = asked_wait(reply, now)
    return error


def redact(text: str, request: Request) -> str:
    """Return a server's text without anything the request held, and without number-like runs."""
    for secret in sorted(_strings(request), key=len, reverse=True):
        text = text.replace(secret, "…")
    text = re.sub(r"[^\s@\"'<>]+@[^\s@\"'<>]+", "…", text)
    text = re.sub(r"\+?\d(?:[\s().-]?\d){5,}", "…", text)
    return text[:200]


def unnumbered(path: str) -> str:
    """Return a path without what may be a phone number or a mail address."""
    path = re.sub(r"[^/]+(?:@|%40)[^/]+", "…", path)
    return re.sub(r"(?:%2B|\+)?\d(?:(?:%20|[\s().-])?\d){6,}", "…", path)


def asked_wait(reply: Reply, now: float | None = None) -> float | None:
    """Return the seconds the server asks us to wait: ``Retry-After``, else ``ratelimit-reset``.

    The latter comes with every reply, and counts only where the limit was reached.
    """
    retry_after = reply.headers.get("Retry-After", "")
    seconds = _seconds(retry_after)
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


def phrase(status: int) -> str:
    """Return the word for an HTTP status, e.g. ``NOT_FOUND``."""
    try:
        return HTTPStatus(status).name
    except ValueError:
        return "UNKNOWN_STATUS"


def _any_int(digits: str) -> float:
    return int(digits) if len(digits) < sys.int_info.default_max_str_digits else float(digits)


def _encodable(value: Any) -> Any:
    """Return decoded JSON with a mark in place of each half of a character."""
    match value:
        case str():
            return value.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
        case list():
            return list(map(_encodable, value))
        case dict():
            return {_encodable(name): _encodable(it) for name, it in value.items()}
        case _:
            return value


def _seconds(text: str) -> float | None:
    try:
        value = float(text)
    except ValueError:
        return None
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


def _short_text(value: object) -> str:
    return value if isinstance(value, str) else "" if value is None else str(value)


def _strings(request: Request) -> Iterator[str]:
    """Yield the texts of a request that are long enough to tell something."""
    pending: list[Any] = []
    for _, value in parse_qsl(urlsplit(request.url).query):
        # q=field:value,field:value
        pending += [value, quote(value, safe=""), *re.split("[:,]", value)]
    if request.body is not None:
        pending.append(json.loads(request.body))
    while pending:
        value = pending.pop()
        if isinstance(value, str) and len(value) > 2:
            yield value
            yield from (json.dumps(value, ensure_ascii=it)[1:-1] for it in (True, False))
        elif isinstance(value, dict):
            pending.extend(value.values())
        elif isinstance(value, list):
            pending.extend(value)
