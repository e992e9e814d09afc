"""Pushes as the documentation and public examples show them, in all three formats."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, Literal, NamedTuple, TypeAlias
from urllib.parse import urlencode

SECRET = "s3cret-of-this-hook"
FORM, JSON = "application/x-www-form-urlencoded", "application/json"

Format: TypeAlias = Literal["form", "query", "json"]
FORMATS: tuple[Format, ...] = ("form", "query", "json")


class Wire(NamedTuple):
    """One push as it travels."""

    method: str
    query: str
    body: bytes
    content_type: str | None


def receipt(message_id: str = "B7A7-1", code: int = 201, **more: Any) -> dict[str, Any]:
    """Return the fields of the receipt in the documentation, with its legacy twins."""
    word = {200: "Sent", 201: "Delivered", 300: "Failed", 301: "Undelivered"}.get(code, "?")
    return {
        "timestamp_send": "1900000000",
        "timestamp": "1900000010",
        "message_id": message_id,
        "messageid": message_id,
        "status": word,
        "status_code": str(code),
        "status_text": f"Success: {word}.",
        "error_code": "",
        "error_text": "",
        "custom_string": "ref-1",
        "customstring": "ref-1",
        "user_id": "1",
        "subaccount_id": "2",
        "message_type": "sms",
        **more,
    }


def inbound(message_id: str = "C9C9-1", body: str = "Yes", **more: Any) -> dict[str, Any]:
    """Return the fields of the inbound SMS in the documentation, with its legacy twins."""
    return {
        "timestamp": "1900000020",
        "from": "+61411111111",
        "to": "+61422222222",
        "body": body,
        "message": body,
        "original_body": "Coming?",
        "originalmessage": "Coming?",
        "original_message_id": "B7A7-1",
        "originalmessageid": "B7A7-1",
        "originalsenderid": "+61422222222",
        "sms": "+61422222222",
        "custom_string": "ref-1",
        "customstring": "ref-1",
        "user_id": "1",
        "subaccount_id": "2",
        "message_id": message_id,
        **more,
    }


def wire(fields: Mapping[str, Any], fmt: Format) -> Wire:
    """Return a push in one of the formats."""
    if fmt == "json":
        return Wire("POST", "", json.dumps(fields).encode(), JSON)
    told = urlencode({name: "" if value is None else value for name, value in fields.items()})
    if fmt == "query":
        return Wire("GET", told, b"", None)
    return Wire("POST", "", told.encode(), FORM)
