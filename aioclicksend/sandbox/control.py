"""The control API: what a test in any language needs, over HTTP and without credentials.

Everything is under `/_sandbox`; `/` is the inbox page. A request that changes something must say
`content-type: application/json`, which no web page of another origin can send without asking
first, and no answer allows it to.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any, NamedTuple, cast

from aiohttp import web

from . import openapi, page
from .calls import as_object
from .configuring import change_settings, read_settings
from .events import Subscription
from .paths import PathTable
from .selection import Selection
from .views import inbound_view, message_view, request_view

if TYPE_CHECKING:
    from .server import Sandbox

PREFIX = "/_sandbox"
_LONGEST_WAIT = 600.0
_MOST = 1000
_LARGEST_BODY = 1024 * 1024
_HEARTBEAT = 15.0
_PAGES = frozenset({*page.FILES, page.ICON})


class Ask(NamedTuple):
    """One request to the control API."""

    sandbox: Sandbox
    path: Mapping[str, str]
    query: Mapping[str, str]
    body: Mapping[str, Any]


class Refused(Exception):
    """A request that cannot be answered, and why."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status


Answer = Callable[[Ask], Awaitable[Any]]


def serves(path: str) -> bool:
    """Tell whether a path belongs to the control API or to the inbox page."""
    return path == PREFIX or path.startswith(PREFIX + "/") or path in _PAGES


def refuse_host() -> web.Response:
    """Refuse a Host that is not this sandbox's."""
    return _json(403, {"error": "this Host is not served: see --allow-host"})


def refuse_page() -> web.Response:
    """Refuse a web page of another origin."""
    return _json(403, {"error": "a web page of another origin may not use this sandbox"})


async def answer(sandbox: Sandbox, request: web.Request) -> web.StreamResponse:
    """Answer one request for the control API or the page."""
    method = "GET" if request.method == "HEAD" else request.method
    path = request.rel_url.raw_path
    if request.path in _PAGES:
        return page.serve(request.path) if method == "GET" else _json(405, {"error": "GET only"})
    if path == PREFIX + "/events" and method == "GET":
        return await _stream(sandbox, request)
    found = _TABLE.find(method, path)
    try:
        if found is None:
            known = any(_TABLE.find(other, path) for other in ("GET", "POST", "PUT", "DELETE"))
            raise Refused(405 if known else 404, f"no {method} {request.path} here: GET {PREFIX}")
        if method != "GET" and request.content_type != "application/json":
            raise Refused(415, "send content-type: application/json, even with an empty body")
        handler, values = found
        body = _object(await _read(request)) if method != "GET" else {}
        return _json(200, await handler(Ask(sandbox, values, request.query, body)))
    except Refused as error:
        return _json(error.status, {"error": str(error)})
    except (TypeError, ValueError) as error:
        # What a setter or a fault says about a value it does not take.
        return _json(400, {"error": str(error)})


async def _read(request: web.Request) -> bytes:
    body = b""
    async for chunk in request.content.iter_any():
        body += chunk
        if len(body) > _LARGEST_BODY:
            raise Refused(413, f"a body has at most {_LARGEST_BODY} bytes")
    return body


def _object(body: bytes) -> dict[str, Any]:
    if not body.strip():
        return {}
    try:
        found = as_object(json.loads(body, parse_constant=_refuse_constant))
    except RecursionError:
        raise Refused(400, "the body is nested too deeply") from None
    except ValueError:
        raise Refused(400, "the body is not JSON") from None
    if found is None:
        raise Refused(400, "the body must be a JSON object")
    return found


def _refuse_constant(name: str) -> None:
    # Python reads NaN and Infinity, which JSON does not have, and would answer with them.
    raise ValueError(name)


def _json(status: int, content: Any) -> web.Response:
    return web.json_response(content, status=status, headers=page.NEVER_STORED)


# Reading what was asked for


def _number(query: Mapping[str, str], name: str, default: float, most: float) -> float:
    try:
        value = float(query.get(name, default))
    except ValueError:
        raise Refused(400, f"{name} must be a number") from None
    if not 0 <= value <= most:
        raise Refused(400, f"{name} must be 0 to {most:g}")
    return value


def _selection(query: Mapping[str, str], *beside: str) -> Selection:
    # A misspelt filter would select everything: a test that waits would read another's message,
    # and one that deletes would delete them all.
    _known(query, "to", "body", "channel", "since", *beside, what="parameter")
    since: float | str | None = query.get("since") or None
    if since is not None:
        try:
            since = float(since)
        except ValueError:
            since = str(since)
    return Selection(
        to=_phone(query.get("to")),
        body=query.get("body") or None,
        channel=query.get("channel") or None,
        since=since,
    )


def _phone(value: str | None) -> str | None:
    if not value:
        return None
    # An unescaped + in a query is a space.
    return "+" + value[1:] if value.startswith(" ") else value


def _text(body: Mapping[str, Any], name: str, *, needed: bool = False) -> str | None:
    value = body.get(name)
    if value is None and not needed:
        return None
    if not isinstance(value, str) or (needed and not value):
        raise Refused(400, f"{name} must be a text")
    return value


def _known(given: Mapping[str, Any], *names: str, what: str = "field") -> None:
    for name in given:
        if name not in names:
            raise Refused(400, f"unknown {what}: {name}; known are {', '.join(names)}")


def _whole(body: Mapping[str, Any], name: str, default: int | None) -> int | None:
    value = body.get(name, default)
    if value is None or (isinstance(value, int) and not isinstance(value, bool)):
        return value
    raise Refused(400, f"{name} must be a whole number")


# Handlers


async def _index(ask: Ask) -> dict[str, Any]:
    return {
        "name": "aioclicksend sandbox",
        "url": ask.sandbox.url,
        "page": "/",
        "openapi": f"{PREFIX}/openapi.json",
        "operations": sorted(f"{method} {path}" for method, path in OPERATIONS),
    }


async def _health(_ask: Ask) -> dict[str, str]:
    return {"status": "ok"}


async def _messages(ask: Ask) -> dict[str, Any]:
    """Answer the sent messages selected, the last of very many."""
    selection = _selection(ask.query, "code", "wait", "limit", "direction")
    code = ask.query.get("code", "false")
    if code not in {"true", "false"}:
        raise Refused(400, "code must be true or false")
    selection = replace(selection, has_code=code == "true")
    direction = ask.query.get("direction", "out")
    if direction not in {"out", "in", "all"}:
        raise Refused(400, "direction must be out, in or all")
    limit = int(_number(ask.query, "limit", _MOST, _MOST))
    wait = _number(ask.query, "wait", 0, _LONGEST_WAIT)
    sandbox = ask.sandbox
    sent = [] if direction == "in" else selection.of(sandbox.messages)
    if wait and not sent and direction != "in":
        sent = await sandbox.wait_for_any(selection, wait)
    heard = [] if direction == "out" else selection.of(sandbox.inbound, "from")
    rows = [*map(message_view, sent[-limit:]), *map(inbound_view, heard[-limit:])] if limit else []
    if direction == "all":
        rows.sort(key=lambda row: row["date"])
        rows = rows[-limit:]
    return {"messages": rows, "total": len(sent) + len(heard)}


async def _delete_messages(ask: Ask) -> dict[str, int]:
    selection = _selection(ask.query)
    return {
        "deleted": ask.sandbox.delete(
            to=selection.to, body=selection.body, channel=selection.channel, since=selection.since
        )
    }


async def _deliver(ask: Ask) -> dict[str, Any]:
    _known(ask.body, "status_code", "error_code", "digits")
    status = _whole(ask.body, "status_code", 201)
    if status is None or status not in {200, 201, 300, 301}:
        raise Refused(400, "status_code must be 200, 201, 300 or 301")
    message_id = ask.path["message_id"]
    try:
        return dict(
            ask.sandbox.deliver(
                message_id,
                status,
                _whole(ask.body, "error_code", None),
                _text(ask.body, "digits") or "",
            )
        )
    except KeyError:
        raise Refused(404, "no message has this id") from None


async def _receive(ask: Ask) -> dict[str, Any]:
    names = ("from", "body", "to", "custom_string", "original_message_id")
    _known(ask.body, *names)
    row = ask.sandbox.receive(
        cast("str", _text(ask.body, "from", needed=True)),
        cast("str", _text(ask.body, "body", needed=True)),
        *(_text(ask.body, name) for name in names[2:]),
    )
    return dict(row)


async def _requests(ask: Ask) -> dict[str, Any]:
    limit = int(_number(ask.query, "limit", 200, _MOST))
    part = ask.query.get("path", "")
    found = [one for one in ask.sandbox.requests if part in one.path]
    return {
        "requests": [request_view(one) for one in found[-limit:]] if limit else [],
        "total": len(found),
        "forgotten": ask.sandbox.requests_forgotten,
    }


async def _reset(ask: Ask) -> dict[str, bool]:
    ask.sandbox.reset()
    return {"reset": True}


async def _faults(ask: Ask) -> dict[str, Any]:
    return {"faults": [failure.view() for failure in ask.sandbox.faults]}


async def _add_fault(ask: Ask) -> dict[str, Any]:
    options = dict(ask.body)
    fault = _text(options, "fault", needed=True)
    options.pop("fault")
    times = _whole(options, "times", 1)
    if times is None or times < 1:
        raise Refused(400, "times must be 1 or more")
    where = {name: _text(options, name) for name in ("method", "path")}
    rest = {name: options[name] for name in options if name not in {"times", *where}}
    ask.sandbox.fail_next(cast("str", fault), times=times, **where, **rest)
    return await _faults(ask)


async def _clear_faults(ask: Ask) -> dict[str, int]:
    return {"deleted": ask.sandbox.clear_faults()}


async def _pushes(ask: Ask) -> dict[str, Any]:
    return {"pushes": ask.sandbox.pushes}


async def _settings(ask: Ask) -> dict[str, Any]:
    return read_settings(ask.sandbox)


async def _change_settings(ask: Ask) -> dict[str, Any]:
    change_settings(ask.sandbox, ask.body)
    ask.sandbox.events.publish("settings", lambda: read_settings(ask.sandbox))
    return read_settings(ask.sandbox)


async def _openapi(_ask: Ask) -> dict[str, Any]:
    return openapi.document()


_HANDLERS: tuple[tuple[str, str, Answer], ...] = (
    ("GET", PREFIX, _index),
    ("GET", f"{PREFIX}/health", _health),
    ("GET", f"{PREFIX}/messages", _messages),
    ("DELETE", f"{PREFIX}/messages", _delete_messages),
    ("POST", f"{PREFIX}/messages/{{message_id}}/deliver", _deliver),
    ("POST", f"{PREFIX}/inbound", _receive),
    ("GET", f"{PREFIX}/requests", _requests),
    ("POST", f"{PREFIX}/reset", _reset),
    ("GET", f"{PREFIX}/faults", _faults),
    ("POST", f"{PREFIX}/faults", _add_fault),
    ("DELETE", f"{PREFIX}/faults", _clear_faults),
    ("GET", f"{PREFIX}/pushes", _pushes),
    ("GET", f"{PREFIX}/settings", _settings),
    ("PUT", f"{PREFIX}/settings", _change_settings),
    ("GET", f"{PREFIX}/openapi.json", _openapi),
)
#: Every operation of the control API, as (method, path).
OPERATIONS = frozenset(
    {*((method, path) for method, path, _ in _HANDLERS), ("GET", f"{PREFIX}/events")}
)
_TABLE = PathTable[Answer]()
for _method, _path, _handler in _HANDLERS:
    _TABLE.add(_method, _path, _handler)


# Events


async def _stream(sandbox: Sandbox, request: web.Request) -> web.StreamResponse:
    """Send what happens as server-sent events until the reader leaves."""
    response = web.StreamResponse(
        headers={"Content-Type": "text/event-stream", **page.NEVER_STORED}
    )
    with sandbox.events.subscribe() as subscription:
        await response.prepare(request)
        await response.write(b"retry: 1000\n\n")
        while True:
            try:
                await response.write(await _next(subscription))
            except ConnectionResetError:
                return response


async def _next(subscription: Subscription) -> bytes:
    try:
        async with asyncio.timeout(_HEARTBEAT):
            event = await subscription.get()
    except TimeoutError:
        return b": still here\n\n"
    return f"event: {event.kind}\ndata: {json.dumps(event.data)}\n\n".encode()
