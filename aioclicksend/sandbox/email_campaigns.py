"""Endpoints of email campaigns: one email for a whole list."""

from __future__ import annotations

from typing import Any

from . import prices
from .calls import Call, need, text, whole
from .campaigns import (
    MOST_RECIPIENTS,
    check_credit,
    check_list,
    check_schedule,
    status_of,
    withdraw,
)
from .crud import Table
from .emails import email_record, plain_text, verified_sender
from .files import save_table
from .history import filtered
from .pages import paginate
from .records import Record
from .replies import ApiError, bad_request
from .state import SUBACCOUNT_ID, USER_ID

_NEEDED = ("name", "subject", "body", "from_email_address_id", "from_name", "list_id")
_CHANGEABLE = frozenset({*_NEEDED, "template_id", "schedule"})
_KNOWN = _CHANGEABLE | {"draft", "custom_string"}
_COUNTS = (
    "open_count",
    "click_count",
    "hard_bounce_count",
    "soft_bounce_count",
    "abuse_count",
    "unsubscribe_count",
)
_TABLE = Table(
    path="email-campaigns",
    key="email_campaign_id",
    missing="Campaign",
    read=lambda _call, _before: {},
)


def _fields(call: Call, known: frozenset[str]) -> dict[str, Any]:
    fields = call.fields(known)
    need(fields, *_NEEDED)
    return fields


def _drafts(call: Call, fields: dict[str, Any], custom_string: str) -> list[Record]:
    sender = verified_sender(call, fields["from_email_address_id"])
    schedule = check_schedule(fields)
    members = call.state.contacts[check_list(call, fields)].values()
    records = [
        Record(
            email_record(
                call,
                to=contact["email"],
                sender=sender,
                from_name=text(fields, "from_name"),
                subject=text(fields, "subject"),
                body=text(fields, "body"),
                schedule=schedule,
                custom_string=custom_string,
            ),
            contact_id=contact["contact_id"],
            to_name=f"{contact['first_name']} {contact['last_name']}".strip(),
        )
        for contact in members
        if contact["email"]
    ]
    if len(records) > MOST_RECIPIENTS:
        raise ApiError(400, "TOO_MANY_RECIPIENTS", "The list is too long for a campaign.")
    return records


def _row(call: Call, fields: dict[str, Any]) -> dict[str, Any]:
    schedule, now = check_schedule(fields), call.state.now()
    return {
        "name": text(fields, "name"),
        "user_id": USER_ID,
        "subaccount_id": SUBACCOUNT_ID,
        "subject": text(fields, "subject"),
        "list_id": check_list(call, fields),
        "from_email_address_id": whole(fields["from_email_address_id"], 0),
        "from_name": text(fields, "from_name"),
        "template_id": whole(fields.get("template_id"), 0),
        # [docs] ClickSend API v3: both times of these are text.
        "schedule": str(max(schedule, now)),
        "status": "Scheduled" if schedule > now else "Sent",
        "body": text(fields, "body"),
        "body_plain_text": plain_text(text(fields, "body")),
    }


def _shape(call: Call, row: Record) -> dict[str, Any]:
    status = status_of(call.state, row)
    sent = call.state.campaigns.get(row["email_campaign_id"], []) if status == "Sent" else []
    failed = sum(record["status"] == "Failed" for record in sent)
    return row | {
        "status": status,
        "send_count": len(sent),
        **dict.fromkeys(_COUNTS, 0),
        "hard_bounce_count": failed,
    }


def _accept(call: Call, campaign_id: int, records: list[Record]) -> None:
    for record in records:
        record["campaign_id"] = campaign_id
        call.state.accept(record, logged=False)
    call.state.campaigns[campaign_id] = records


def _cost(records: list[Record]) -> int:
    return sum(record["cost"] for record in records)


def send(call: Call) -> dict[str, Any]:
    """Send to every contact of a list that has an address; a draft is only kept."""
    fields = _fields(call, _KNOWN)
    custom_string = text(fields, "custom_string")
    records = _drafts(call, fields, custom_string)
    if whole(fields.get("draft"), 0):
        records = []
    check_credit(call, _cost(records))
    row = _TABLE.add(
        call,
        **_row(call, fields),
        date_added=str(call.state.now()),
        custom_string=custom_string,
    )
    if whole(fields.get("draft"), 0):
        row["status"] = "Draft"
    _accept(call, row["email_campaign_id"], records)
    return {
        # Spelled so in the documented example.
        "totlal_count": len(records),
        "total_price": prices.four_decimals(_cost(records)),
        "queued_count": len(records),
        "data": _shape(call, row),
        "_currency": prices.full_currency(call.state.settings.currency),
    }


def price(call: Call) -> dict[str, Any]:
    """Price a campaign."""
    fields = _fields(call, _KNOWN)
    records = _drafts(call, fields, "")
    row = _row(call, fields)
    names = ("name", "subject", "from_email_address_id", "from_name", "body", "list_id")
    return {
        "total_count": len(records),
        "total_price": prices.four_decimals(_cost(records)),
        "queued_count": 0,
        "data": {name: row[name] for name in names},
        "_currency": prices.full_currency(call.state.settings.currency),
    }


def walk(call: Call) -> dict[str, Any]:
    """List the campaigns."""
    rows = list(_TABLE.rows(call).values())
    return paginate(call, rows, "email-campaigns", lambda row: _shape(call, row))


def get(call: Call) -> dict[str, Any]:
    """Return one campaign."""
    return _shape(call, _TABLE.find(call))


def update(call: Call) -> dict[str, Any]:
    """Replace a campaign that waits or is a draft, which then is sent."""
    row = _TABLE.find(call)
    fields = _fields(call, _CHANGEABLE)
    if status_of(call.state, row) not in {"Scheduled", "Draft"}:
        raise bad_request("Only a scheduled campaign can be changed.")
    before = call.state.campaigns[row["email_campaign_id"]]
    records = _drafts(call, fields, row["custom_string"])
    # What the present version reserved pays for the next one.
    check_credit(call, _cost(records), refund=_cost(before))
    call.state.retract(before)
    row.update(_row(call, fields))
    _accept(call, row["email_campaign_id"], records)
    return _shape(call, row)


def cancel(call: Call) -> dict[str, Any]:
    """Withdraw a campaign that waits."""
    row = _TABLE.find(call)
    withdraw(call, row, row["email_campaign_id"])
    return _shape(call, row)


def _emails(call: Call) -> list[Record]:
    emails = call.state.campaigns[_TABLE.find(call)["email_campaign_id"]]
    return filtered(call, emails, frozenset())


def _past(record: Record) -> dict[str, Any]:
    waits = record["status"] == "Scheduled"
    return {
        "email_campaign_id": record["campaign_id"],
        "from_name": record["from_name"],
        "from_address": record["from"],
        "to_name": record["to_name"],
        "to_address": record["to"],
        "contact_id": record["contact_id"],
        "subject": record["subject"],
        "message_id": record["message_id"],
        "processed_at": None if waits else str(record["schedule"]),
        "status": None if waits else record["status"],
        "open_count": 0,
        "click_count": 0,
        "hard_bounce_count": int(record["status"] == "Failed"),
        "soft_bounce_count": 0,
    }


def history(call: Call) -> dict[str, Any]:
    """List the emails of one campaign."""
    number = call.number("email_campaign_id")
    return paginate(call, _emails(call), f"email-campaigns/{number}/history", _past)


def export(call: Call) -> dict[str, str]:
    """Write the emails of one campaign into a CSV."""
    return save_table(call, [_past(record) for record in _emails(call)])
