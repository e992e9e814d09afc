"""Reading one push, without any I/O.

ClickSend pushes a form, a query or JSON, unsigned, under names that changed over the years. No real
push has been published and the content type of the JSON form is undocumented, so what the header
says is tried first and the other formats after it: the first that yields an event counts.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import unquote_to_bytes

from ..models.base import moment, number
from .events import DeliveryReceipt, Event, InboundMessage, WebhookError

_STATUS = ("status_code", "status", "status_text")
_BODY = ("body", "message")
_LEGACY = {
    "message_id": "messageid",
    "custom_string": "customstring",
    "original_message_id": "originalmessageid",
    "original_body": "originalmessage",
}
"""Older names that still travel beside the present ones, or alone.

``sms`` is never read: it is the receiving number by the help pages, the sender's in one example.
"""


_FIELDS = 1000
"""Fields of a form that are read: each costs time, and no push has more than about twenty."""


def parse(
    body: bytes,
    *,
    content_type: str | None = None,
    query: str | Mapping[str, str] | None = None,
) -> Event:
    """Return the event of one push.

    Args:
        body: the body of the request; empty for pushes by GET.
        content_type: its header, if there was one. A wrong one does no harm.
        query: the query of the address, raw or decoded.

    Raises:
        WebhookError: it is neither a receipt nor a message.

    """
    for fields in _readings(body, content_type or "", query):
        event = event_of(fields)
        if event is not None:
            return event
    raise WebhookError("the push has neither a status nor a text")


def _readings(
    body: bytes, content_type: str, query: str | Mapping[str, str] | None
) -> Iterator[Mapping[str, Any]]:
    """Yield the fields by each format that the push can have, the likeliest first."""
    body = bytes(body)
    readers = [_read_json, _read_form]
    if not ("json" in content_type.lower() or body.lstrip().startswith((b"{", b"\xef\xbb\xbf{"))):
        readers.reverse()
    # The query last: an address may carry other parameters beside a whole body.
    for read in readers:
        yield read(body)
    if isinstance(query, Mapping):
        yield dict(query)
    elif query:
        yield _read_form(query.encode(errors="replace"))


def _read_json(body: bytes) -> Mapping[str, Any]:
    try:
        fields = json.loads(body.removeprefix(b"\xef\xbb\xbf"))
    except (ValueError, RecursionError):
        return {}
    # A list or a bare value: another format may still be readable.
    return fields if isinstance(fields, dict) else {}


def _read_form(body: bytes) -> Mapping[str, Any]:
    fields = {}
    # Not parse_qs: of another charset it would keep replacement characters only.
    for pair in body.split(b"&", _FIELDS)[:_FIELDS]:
        name, equals, value = pair.replace(b"+", b" ").partition(b"=")
        if equals:
            fields[_decoded(name)] = _decoded(value)
    return fields


def _decoded(quoted: bytes) -> str:
    octets = unquote_to_bytes(quoted)
    try:
        return octets.decode()
    except UnicodeDecodeError:
        # Old phones and gateways: every byte has a meaning in it, so nothing is lost.
        return octets.decode("latin-1")


def event_of(fields: Mapping[str, Any]) -> Event | None:
    """Return the event of a push, or of a polled row, by its fields; None if it is none."""
    # A receipt first: the documented fields of an inbound message include no status, while a
    # receipt might one day carry the body.
    if any(_text(fields, name) for name in _STATUS):
        return _receipt(fields)
    # An empty text is a message too: somebody sent nothing, or only a picture.
    if any(fields.get(name) is not None for name in _BODY):
        return _inbound(fields)
    return None


def _receipt(fields: Mapping[str, Any]) -> DeliveryReceipt:
    return DeliveryReceipt(
        message_id=_text(fields, "message_id"),
        status_code=_number(fields, "status_code"),
        status=_text(fields, "status"),
        status_text=_text(fields, "status_text"),
        error_code=_number(fields, "error_code"),
        error_text=_text(fields, "error_text"),
        custom_string=_text(fields, "custom_string"),
        # The underscore is the older name.
        message_type=_text(fields, "message_type") or _text(fields, "_message_type"),
        digits=_text(fields, "digits"),
        timestamp=moment(fields.get("timestamp")),
        timestamp_send=moment(fields.get("timestamp_send")),
        user_id=_number(fields, "user_id"),
        subaccount_id=_number(fields, "subaccount_id"),
        raw=fields,
    )


def _inbound(fields: Mapping[str, Any]) -> InboundMessage:
    return InboundMessage(
        message_id=_text(fields, "message_id"),
        from_=_text(fields, "from"),
        to=_text(fields, "to"),
        body=_text(fields, "body") or _text(fields, "message") or "",
        original_body=_text(fields, "original_body"),
        original_message_id=_text(fields, "original_message_id"),
        custom_string=_text(fields, "custom_string"),
        # Polled rows name the time otherwise than pushes.
        timestamp=moment(fields.get("timestamp")) or moment(fields.get("timestamp_send")),
        user_id=_number(fields, "user_id"),
        subaccount_id=_number(fields, "subaccount_id"),
        raw=fields,
    )


def _number(fields: Mapping[str, Any], name: str) -> int | None:
    value = fields.get(name)
    # True would be read as 1, the code of a message that is queued.
    return None if isinstance(value, bool) else number(value)


def _text(fields: Mapping[str, Any], name: str) -> str | None:
    """Return a field as text that any database takes; None if it is absent or empty."""
    value = fields.get(name)
    if value in (None, "") and name in _LEGACY:
        value = fields.get(_LEGACY[name])
    if value is None or isinstance(value, bool | dict | list):
        return None
    # Lone surrogates cannot be encoded, and PostgreSQL takes no NUL.
    text = str(value).encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    return text.replace("\0", "\ufffd") or None
