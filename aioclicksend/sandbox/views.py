"""How the control API and the inbox page show what the sandbox remembers."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from .codes import find_code
from .records import Record
from .segments import is_gsm


def message_view(record: Record) -> dict[str, Any]:
    """Return one sent message as JSON."""
    body: str = record["body"]
    return {
        "message_id": record["message_id"],
        "direction": "out",
        "channel": record["channel"],
        "to": record["to"],
        "from": record["from"],
        "body": body,
        "subject": record.get("subject", ""),
        "media": record.get("_media_file_url"),
        "custom_string": record["custom_string"],
        "status": record["status"],
        "status_code": record["status_code"],
        "error_code": record["error_code"],
        "parts": record["message_parts"],
        "encoding": "GSM-7" if is_gsm(body) else "UCS-2",
        "price": record["message_price"],
        "country": record["country"],
        "campaign_id": record.get("campaign_id"),
        "date": record["accepted_at"],
        "schedule": record["schedule"] if record["status"] == "Scheduled" else None,
        "code": find_code(body),
    }


def inbound_view(row: Record) -> dict[str, Any]:
    """Return one inbound message as JSON."""
    return {
        "message_id": row["message_id"],
        "direction": "in",
        "channel": "sms",
        "to": row["to"],
        "from": row["from"],
        "body": row["body"],
        "custom_string": row["custom_string"],
        "original_message_id": row["original_message_id"],
        "date": row["accepted_at"],
        "status": "Received",
        "code": find_code(row["body"]),
    }


def request_view(arrival: Any, shown: int = 4000) -> dict[str, Any]:
    """Return one request as JSON, with the beginning of its body."""
    query: Mapping[str, str] = arrival.query
    return {
        "method": arrival.method,
        "path": arrival.path,
        "query": dict(query),
        "status": arrival.status,
        "body": arrival.body[:shown].decode("utf-8", "replace"),
        "size": len(arrival.body),
        "date": arrival.date,
    }
