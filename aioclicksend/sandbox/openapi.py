"""The description of the control API, as `GET /_sandbox/openapi.json` answers it."""

from __future__ import annotations

from functools import cache
from typing import Any

from .faults import Fault

_TEXT = {"type": "string"}
_WHOLE = {"type": "integer"}
_NUMBER = {"type": "number"}
_FLAG = {"type": "boolean"}


def _ref(name: str) -> dict[str, Any]:
    return {"$ref": f"#/components/schemas/{name}"}


def _object(*needed: str, **properties: Any) -> dict[str, Any]:
    return {"type": "object", "properties": properties} | (
        {"required": [*needed]} if needed else {}
    )


def _list(items: Any) -> dict[str, Any]:
    return {"type": "array", "items": items}


def _or_null(kind: str) -> dict[str, Any]:
    return {"type": [kind, "null"]}


_SCHEMAS: dict[str, Any] = {
    "Message": _object(
        message_id=_TEXT,
        direction={"enum": ["out", "in"]},
        channel={"enum": ["sms", "mms", "voice", "email"]},
        to=_TEXT,
        body=_TEXT,
        subject=_TEXT,
        media=_or_null("string"),
        custom_string=_or_null("string"),
        status=_TEXT,
        status_code=_or_null("string"),
        error_code=_or_null("string"),
        parts=_WHOLE,
        encoding={"enum": ["GSM-7", "UCS-2"]},
        price=_TEXT,
        country=_TEXT,
        campaign_id=_or_null("integer"),
        date={**_NUMBER, "description": "Unix seconds."},
        schedule=_or_null("integer"),
        code={**_or_null("string"), "description": "The one-time code found in the text."},
        **{"from": _TEXT},
    ),
    "Fault": _object(
        "fault",
        fault={"enum": [fault.value for fault in Fault]},
        times={**_WHOLE, "default": 1},
        method=_or_null("string"),
        path={**_or_null("string"), "description": "Part of the path from /v3 on, or a glob."},
    )
    | {"description": "Other fields are options of the fault, such as retry_after or status."},
    "Request": _object(
        method=_TEXT,
        path=_TEXT,
        query=_object(),
        status={**_WHOLE, "description": "0 if no reply went out."},
        body=_TEXT,
        size=_WHOLE,
        date=_NUMBER,
    ),
    "Push": _object(
        id=_WHOLE,
        kind={"enum": ["inbound", "receipt"]},
        url=_TEXT,
        format={"enum": ["form", "query", "json"]},
        fields=_object(),
        state={"enum": ["waiting", "delivered", "failed", "refused"]},
        attempts=_list({"type": ["integer", "string"]}),
        created_at=_NUMBER,
    ),
    "Settings": _object(
        latency=_NUMBER,
        history_lag=_NUMBER,
        history=_object(),
        rate_limit={
            "type": ["array", "null"],
            "items": _NUMBER,
            "description": "[requests, seconds]",
        },
        auto_deliver=_or_null("number"),
        push=_object(),
        balance=_TEXT,
        prices=_object(),
        strict=_FLAG,
        throttle_window=_NUMBER,
        rules_required=_FLAG,
        reject=_object(),
        disabled_countries=_list(_TEXT),
        barred_senders=_object(),
        trial=_or_null("integer"),
    ),
    "Error": _object("error", error=_TEXT),
}


def _query(name: str, description: str, schema: Any = _TEXT) -> dict[str, Any]:
    return {"name": name, "in": "query", "description": description, "schema": schema}


_SELECTION = [
    _query("to", "Recipient, in any form; percent-encode the +."),
    _query("body", "Part of the text, in any case."),
    _query("channel", "One channel.", {"enum": ["sms", "mms", "voice", "email"]}),
    _query("since", "Unix seconds, or the id of a message: only what came after it."),
]
_LIMIT = _query("limit", "So many at most, the last ones.", {**_WHOLE, "maximum": 1000})


def _operation(
    summary: str,
    answer: Any,
    *,
    parameters: list[dict[str, Any]] | None = None,
    body: Any = None,
    path: str | None = None,
    kind: str = "application/json",
) -> dict[str, Any]:
    place = {"name": path, "in": "path", "required": True, "schema": _TEXT}
    error = {"description": "Refused", "content": {"application/json": {"schema": _ref("Error")}}}
    operation: dict[str, Any] = {
        "summary": summary,
        "responses": {
            "200": {"description": "Done", "content": {kind: {"schema": answer}}},
            "4XX": error,
        },
    }
    if parameters or path:
        operation["parameters"] = [*([place] if path else []), *(parameters or [])]
    if body is not None:
        operation["requestBody"] = {"content": {"application/json": {"schema": body}}}
    return operation


@cache
def document() -> dict[str, Any]:
    """Return the whole description."""
    empty = _object()
    paths: dict[str, Any] = {
        "": {"get": _operation("What there is.", empty)},
        "/health": {"get": _operation("Whether it runs.", _object(status=_TEXT))},
        "/messages": {
            "get": _operation(
                "List sent messages, oldest first; with wait, as soon as there is one.",
                _object(messages=_list(_ref("Message")), total=_WHOLE),
                parameters=[
                    *_SELECTION,
                    _query("wait", "Seconds; none by then is an empty list.", _NUMBER),
                    _query("code", "Only those with a one-time code.", {"enum": ["true", "false"]}),
                    _query("direction", "out by default.", {"enum": ["out", "in", "all"]}),
                    _LIMIT,
                ],
            ),
            "delete": _operation(
                "Forget messages.", _object(deleted=_WHOLE), parameters=_SELECTION, body=empty
            ),
        },
        "/messages/{message_id}/deliver": {
            "post": _operation(
                "Make the delivery receipt of a message.",
                empty,
                path="message_id",
                body=_object(
                    status_code={"enum": [200, 201, 300, 301], "default": 201},
                    error_code=_or_null("integer"),
                    digits={**_TEXT, "description": "Keys pressed during a voice call."},
                ),
            )
        },
        "/inbound": {
            "post": _operation(
                "Let an SMS come in; it answers the last message to that number.",
                empty,
                body=_object(
                    "from",
                    "body",
                    body=_TEXT,
                    to={**_TEXT, "description": "The last sender by default."},
                    custom_string=_TEXT,
                    original_message_id=_TEXT,
                    **{"from": _TEXT},
                ),
            )
        },
        "/requests": {
            "get": _operation(
                "List the requests that arrived, oldest first.",
                _object(requests=_list(_ref("Request")), total=_WHOLE, forgotten=_WHOLE),
                parameters=[_query("path", "Part of the path."), _LIMIT],
            )
        },
        "/reset": {"post": _operation("Forget all but the settings.", empty, body=empty)},
        "/faults": {
            "get": _operation("List the faults that wait.", _object(faults=_list(_ref("Fault")))),
            "post": _operation(
                "Let the next matching requests go wrong.",
                _object(faults=_list(_ref("Fault"))),
                body=_ref("Fault"),
            ),
            "delete": _operation("Disarm all faults.", _object(deleted=_WHOLE), body=empty),
        },
        "/pushes": {
            "get": _operation("List the last webhook calls.", _object(pushes=_list(_ref("Push"))))
        },
        "/settings": {
            "get": _operation("Show the settings.", _ref("Settings")),
            "put": _operation(
                "Change the settings named, all or none.", _ref("Settings"), body=_ref("Settings")
            ),
        },
        "/events": {
            "get": _operation(
                "Server-sent events: message, request, push, faults, settings, reload.",
                _TEXT,
                kind="text/event-stream",
            )
        },
        "/openapi.json": {"get": _operation("This description.", empty)},
    }
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "aioclicksend sandbox, control API",
            "version": "1",
            "description": "No credentials; every POST, PUT and DELETE must say "
            "content-type: application/json, even without a body.",
        },
        "paths": {f"/_sandbox{path}": operations for path, operations in paths.items()},
        "components": {"schemas": _SCHEMAS},
    }
