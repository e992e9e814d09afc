"""Endpoints of the automation rules. Only the actions POLL and URL do anything here."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from .calls import Call, need, text, whole
from .crud import Table
from .replies import bad_request

# [docs] ClickSend API v3, automations.
_ACTIONS = frozenset(
    {
        "AUTO_REPLY",
        "EMAIL_USER",
        "EMAIL_FIXED",
        "URL",
        "SMS",
        "POLL",
        "GROUP_SMS",
        "MOVE_CONTACT",
        "CREATE_CONTACT",
        "CREATE_CONTACT_PLUS_EMAIL",
        "CREATE_CONTACT_PLUS_NAME_EMAIL",
        "CREATE_CONTACT_PLUS_NAME",
        "SMPP",
        "NONE",
    }
)
_ANY = frozenset({"rule_name", "action", "action_address", "enabled"})
_RECEIPT = _ANY | {"match_type"}
_FAX_INBOUND = _ANY | {"dedicated_number"}
_SMS_INBOUND = _FAX_INBOUND | {
    "message_search_type",
    "message_search_term",
    "body",
    "webhook_type",
}
WEBHOOKS = ("post", "get", "json")
# POLL needs no address, though the documentation marks it as required.
_OPTIONAL = frozenset({"action_address", "message_search_term", "body", "webhook_type"})


def _reader(known: frozenset[str]) -> Callable[[Call, Mapping[str, Any]], dict[str, Any]]:
    def read(call: Call, _before: Mapping[str, Any]) -> dict[str, Any]:
        fields = call.fields(known)
        need(fields, *sorted(known - _OPTIONAL))
        action = text(fields, "action")
        if action not in _ACTIONS:
            raise bad_request(f"Unknown action: {action}")
        row: dict[str, Any] = {
            "rule_name": text(fields, "rule_name"),
            "action": action,
            "action_address": text(fields, "action_address"),
            "enabled": _number(fields, "enabled", 1),
        }
        if "match_type" in known:
            row["match_type"] = _number(fields, "match_type", 2)
        if "dedicated_number" in known:
            row["dedicated_number"] = text(fields, "dedicated_number")
        if "message_search_type" in known:
            row |= _search(fields)
        return row

    return read


def _search(fields: Mapping[str, Any]) -> dict[str, Any]:
    webhook = text(fields, "webhook_type", "post")
    if webhook not in WEBHOOKS:
        raise bad_request(f"Unknown webhook_type: {webhook}")
    return {
        "message_search_type": _number(fields, "message_search_type", 3),
        "message_search_term": text(fields, "message_search_term"),
        "body": text(fields, "body") or None,
        "webhook_type": webhook,
    }


def _number(fields: Mapping[str, Any], name: str, last: int) -> int:
    number = whole(fields.get(name), -1)
    if not 0 <= number <= last:
        raise bad_request(f"The {name} field must be 0 to {last}.")
    return number


def receipt_rules(channel: str) -> Table:
    """Return the rules for the receipts of one channel."""
    # [docs] ClickSend API v3: deleting one answers true for email, [] for voice, null for others.
    return Table(
        path=f"automations/{channel}/receipts",
        key="receipt_rule_id",
        missing="Receipt rule",
        read=_reader(_RECEIPT),
        deleted={"email": True, "voice": []}.get(channel),
    )


def inbound_rules(channel: str) -> Table:
    """Return the rules for what comes in by sms or fax."""
    return Table(
        path=f"automations/{channel}/inbound",
        key="inbound_rule_id",
        missing="Inbound rule",
        read=_reader(_SMS_INBOUND if channel == "sms" else _FAX_INBOUND),
        linked=channel == "sms",
    )
