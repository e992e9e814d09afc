"""Endpoints of email: verify an address, send, price, history."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, cast

from . import prices
from .account import find_address
from .calls import Call, as_object, need, text, whole
from .campaigns import check_credit, check_schedule
from .files import decode, save, save_table
from .history import filtered
from .pages import paginate
from .records import Record, new_id
from .replies import bad_request, not_found
from .state import SUBACCOUNT_ID, USER_ID

PRICE = 50
_KNOWN = frozenset({"to", "cc", "bcc", "from", "subject", "body", "attachments", "schedule"})
_PERSON = frozenset({"email", "name"})
_SENDER = frozenset({"email_address_id", "name"})
_ATTACHMENT = frozenset({"content", "type", "filename", "disposition", "content_id"})
_DISPOSITIONS = ("attachment", "inline")


# Addresses


def send_verification(call: Call) -> None:
    """Pretend to mail a token to an address."""
    address_id = find_address(call)["email_address_id"]
    _asked(call)[address_id] = Record()


def _asked(call: Call) -> dict[int, Record]:
    return call.state.table("email/address-verify")


def verify(call: Call) -> dict[str, Any]:
    """Verify an address; any token will do once one was asked for."""
    found = find_address(call)
    # A token is used once. It cannot be read, as no mail is sent.
    if _asked(call).pop(found["email_address_id"], None) is None:
        raise not_found("Activation token not found.")
    found["verified"] = 1
    return found


def verified_sender(call: Call, address_id: Any) -> dict[str, Any]:
    """Return an address of the account that email may be sent from."""
    found = call.state.addresses.get(whole(address_id, -1))
    if found is None or not found["verified"]:
        raise bad_request("The from address must be a verified address of this account.")
    return found


# Messages


def _people(call: Call, fields: Mapping[str, Any], name: str) -> list[dict[str, str]]:
    given = fields.get(name) or []
    if not isinstance(given, list):
        raise bad_request(f"The {name} field must be a list.")
    people: list[dict[str, str]] = []
    for index, one in enumerate(cast("list[object]", given)):
        person = as_object(one) or {}
        call.refuse_unknown(person, _PERSON, f"{name}[{index}].")
        if "@" not in text(person, "email"):
            raise bad_request(f"{name}[{index}].email must be an email address.")
        people.append({"email": text(person, "email"), "name": text(person, "name")})
    return people


def _draft(call: Call) -> tuple[dict[str, Any], Record]:
    fields = call.fields(_KNOWN)
    need(fields, "to", "from", "subject", "body")
    sender = as_object(fields["from"]) or {}
    call.refuse_unknown(sender, _SENDER, "from.")
    address = verified_sender(call, sender.get("email_address_id"))
    groups = {name: _people(call, fields, name) for name in ("to", "cc", "bcc")}
    schedule = check_schedule(fields)
    record = email_record(
        call,
        to=", ".join(person["email"] for person in groups["to"]),
        sender=address,
        from_name=text(sender, "name"),
        subject=text(fields, "subject"),
        body=text(fields, "body"),
        schedule=schedule,
        count=sum(map(len, groups.values())),
    )
    # History shows the groups apart; a message has one `to`.
    record["people"] = groups
    return fields, record


def email_record(
    call: Call,
    *,
    to: str,
    sender: Mapping[str, Any],
    from_name: str,
    subject: str,
    body: str,
    schedule: int,
    count: int = 1,
    custom_string: str = "",
) -> Record:
    """Shape one email the way messages of all channels are remembered."""
    now = call.state.clock()
    return Record(
        {
            "channel": "email",
            "direction": "out",
            "message_id": new_id(),
            "to": to,
            "from": sender["email_address"],
            "from_email_address_id": sender["email_address_id"],
            "from_name": from_name,
            "subject": subject,
            "body": body,
            "custom_string": custom_string,
            "username": call.login,
            "schedule": max(schedule, int(now)),
            "date": int(now),
            "accepted_at": now,
            "status": "Scheduled" if schedule > now else "Sent",
            "status_code": None,
            "status_text": None,
            "error_code": None,
            "error_text": None,
            "cost": PRICE * count,
            "message_price": prices.four_decimals(PRICE * count),
            "message_parts": 1,
            "country": "",
        }
    )


def plain_text(body: str) -> str:
    """Return what is left of HTML without its tags."""
    return re.sub(r"<[^>]*>", "", body)


def _shape(record: Record) -> dict[str, Any]:
    people = record["people"]
    return {
        "user_id": USER_ID,
        "subaccount_id": SUBACCOUNT_ID,
        "from_email_address_id": record["from_email_address_id"],
        "from_name": record["from_name"],
        "to": people["to"],
        "cc": people["cc"] or None,
        "bcc": people["bcc"] or None,
        "subject": record["subject"],
        "body": record["body"],
        "body_plain_text": plain_text(record["body"]),
        "schedule": record["schedule"],
        "message_id": record["message_id"],
        "status": record["status"],
        "status_text": record["status_text"] or "",
        "soft_bounce_count": 0,
        "hard_bounce_count": int(record["status"] == "Failed"),
        "price": prices.four_decimals(record["cost"]),
        "date_added": record["date"],
        "custom_string": record["custom_string"] or None,
    }


def _attachments(call: Call, fields: Mapping[str, Any]) -> list[dict[str, str]]:
    given = fields.get("attachments") or []
    if not isinstance(given, list):
        raise bad_request("The attachments field must be a list.")
    kept: list[dict[str, str]] = []
    for index, one in enumerate(cast("list[object]", given)):
        at = f"attachments[{index}]"
        attachment = as_object(one) or {}
        call.refuse_unknown(attachment, _ATTACHMENT, f"{at}.")
        need(attachment, "content", "type", "filename")
        disposition = text(attachment, "disposition", "attachment")
        if disposition not in _DISPOSITIONS:
            raise bad_request(f"{at}.disposition must be attachment or inline.")
        # The name becomes a part of an address.
        name, kind = text(attachment, "filename").replace("/", "_"), text(attachment, "type")
        content = decode(text(attachment, "content"), f"{at}.content")
        kept.append(
            {
                "file_name": name,
                "content_type": kind,
                "content_disposition": disposition,
                "content_id": text(attachment, "content_id"),
                "_attachment_file_url": save(call, name, content, kind),
            }
        )
    return kept


def send(call: Call) -> dict[str, Any]:
    """Send one email to all it names."""
    fields, record = _draft(call)
    # Before the attachments are kept: a refused email leaves no files.
    check_credit(call, record["cost"])
    attachments = _attachments(call, fields)
    call.state.accept(record)
    # [docs] ClickSend API v3: this is the status of an email just sent.
    status = "WaitApproval" if record["status"] == "Sent" else record["status"]
    return {
        **_shape(record),
        "status": status,
        "_attachments": attachments,
        "_currency": prices.full_currency(call.state.settings.currency),
    }


def price(call: Call) -> dict[str, Any]:
    """Price one email. The current documentation shows a pager instead, which is an error."""
    _, record = _draft(call)
    people = record["people"]
    return {
        "price": prices.as_number(record["cost"]),
        "subject": record["subject"],
        "body": record["body"],
        "to_array": people["to"],
        "cc_array": people["cc"] or None,
        "bcc_array": people["bcc"] or None,
        "_currency": prices.currency(call.state.settings.currency),
    }


def history(call: Call) -> dict[str, Any]:
    """List the emails sent one by one."""
    rows = filtered(call, call.state.log["email"].rows, frozenset())
    return paginate(call, rows, "email/history", _shape)


def export(call: Call) -> dict[str, str]:
    """Write the emails sent one by one into a CSV."""
    rows = filtered(call, call.state.log["email"].rows, frozenset())
    return save_table(call, [{**_shape(row), "to": row["to"]} for row in rows])
