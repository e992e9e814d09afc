"""Endpoints of sms, mms and voice."""

from __future__ import annotations

from typing import Any

from .calls import Call, text, whole
from .channels import LANGUAGES, MMS, SMS, VOICE, Kind
from .countries import NAMES
from .crud import Handler
from .files import MOST_ROWS, save_table
from .history import search
from .pages import paginate
from .records import Record, new_id
from .replies import bad_request, not_found
from .rules import WEBHOOKS
from .sending import submit
from .state import SHARED_NUMBER, SUBACCOUNT_ID, Channel, Inbox, receipt_row

_KINDS: dict[Channel, Kind] = {"sms": SMS, "mms": MMS, "voice": VOICE}
# The fields `q` knows. `custom_string` is not among them: [docs] ClickSend API v3.
_SEARCHABLE = frozenset({"status", "to", "from", "subaccount_id", "message_id"})
_ALSO_SEARCHABLE = {"mms": frozenset({"list_id", "direction"})}
_SORTABLE = {
    "date": "date",
    "username": "username",
    "from": "from",
    "to": "to",
    "status": "status",
    "body": "body",
}


def send(channel: Channel) -> Handler:
    """Return the handler that sends."""
    return lambda call: submit(call, _KINDS[channel], price_only=False)


def price(channel: Channel) -> Handler:
    """Return the handler that only prices."""
    return lambda call: submit(call, _KINDS[channel], price_only=True)


def history(channel: Channel) -> Handler:
    """Return the handler that lists what was sent."""
    kind = _KINDS[channel]

    def handler(call: Call) -> dict[str, Any]:
        present = call.state.settings.history.present
        rows = search(call, channel, _searchable(channel), _SORTABLE)
        return paginate(call, rows, f"{channel}/history", lambda row: present(kind.past(row)))

    return handler


def _searchable(channel: Channel) -> frozenset[str]:
    return _SEARCHABLE | _ALSO_SEARCHABLE.get(channel, frozenset())


def export(channel: Channel) -> Handler:
    """Return the handler that writes what was sent into a CSV."""
    kind = _KINDS[channel]

    def handler(call: Call) -> dict[str, str]:
        rows = search(call, channel, _searchable(channel), _SORTABLE)
        present = call.state.settings.history.present
        return save_table(call, [present(kind.past(row)) for row in rows[:MOST_ROWS]])

    return handler


def cancel(channel: Channel) -> Handler:
    """Return the handler that withdraws one scheduled message."""

    def handler(call: Call) -> None:
        record = call.state.by_id.get(call.path["message_id"])
        # The second cancel of a message is a 404 too. [live notes] github.com/prayantr/clicksend
        if (
            record is None
            or record["channel"] != channel
            or record["status"] != "Scheduled"
            or "campaign_id" in record
        ):
            raise not_found("Message record not found.")
        call.state.cancel(record)

    return handler


def cancel_all(channel: Channel) -> Handler:
    """Return the handler that withdraws all scheduled messages, or those of one reference."""

    def handler(call: Call) -> dict[str, int]:
        reference: str | None = None
        if channel == "sms":
            fields = call.fields({"custom_string"}, optional=True)
            reference = text(fields, "custom_string") or None
        doomed = call.state.cancellable(channel, reference)
        for record in doomed:
            call.state.cancel(record)
        return {"count": len(doomed)}

    return handler


def receipts(channel: str) -> Handler:
    """Return the handler that lists unread receipts. Listing does not mark them."""

    def handler(call: Call) -> dict[str, Any]:
        rows = list(call.state.receipts[channel].unread.values())
        return paginate(call, rows, f"{channel}/receipts")

    return handler


def receipt(channel: str) -> Handler:
    """Return the handler for the latest receipt of one message, read or not."""

    def handler(call: Call) -> dict[str, Any]:
        wanted = call.path["message_id"]
        for row in reversed(call.state.receipts[channel].all):
            if row["message_id"] == wanted:
                return row
        raise not_found("Receipt record not found.")

    return handler


def receipts_read(channel: str) -> Handler:
    """Return the handler that marks receipts as read."""
    return lambda call: _mark(call, call.state.receipts[channel])


def make_receipt(channel: str) -> Handler:
    """Return the handler that makes a test receipt: kept for the url `poll`, else pushed there."""

    def handler(call: Call) -> dict[str, Any]:
        url = text(call.fields({"url"}), "url")
        if not url:
            raise bad_request("The url field is required.")
        now = call.state.now()
        row = receipt_row(channel, new_id(), "", 201, None, sent=now, at=now)
        # [docs] help.clicksend.com: a test item carries no reference.
        row["custom_string"] = None
        if channel == "sms":
            # [docs] ClickSend API v3: only a test receipt has it.
            row["digits"] = None
        if url == "poll":
            call.state.receipts[channel].add(row)
        else:
            call.state.push("receipt", url, None, row)
        return row

    return handler


def inbound(call: Call) -> dict[str, Any]:
    """List unread inbound messages. Listing does not mark them."""
    return paginate(call, list(call.state.inbound.unread.values()), "sms/inbound")


def inbound_reply(call: Call) -> dict[str, Any]:
    """Return the first reply to one sent message, read or not."""
    wanted = call.path["original_message_id"]
    for row in call.state.inbound.all:
        if row["original_message_id"] == wanted:
            return row
    raise not_found("Inbound record not found.")


def inbound_read(call: Call) -> None:
    """Mark inbound messages as read."""
    _mark(call, call.state.inbound)


def inbound_read_one(call: Call) -> int:
    """Mark one inbound message as read."""
    wanted = call.path["message_id"]
    if not any(row["message_id"] == wanted for row in call.state.inbound.all):
        raise not_found("Inbound record not found.")
    call.state.inbound.mark(lambda row: row["message_id"] == wanted)
    return 1


def make_inbound(call: Call) -> dict[str, Any]:
    """Make a test message: kept where its url is the word `poll`, else pushed there."""
    fields = call.fields({"url", "webhook_type"})
    url = text(fields, "url")
    if not url:
        raise bad_request("The url field is required.")
    webhook = text(fields, "webhook_type", "post")
    if webhook not in WEBHOOKS:
        raise bad_request(f"Unknown webhook_type: {webhook}")
    now = call.state.now()
    row = Record(
        {
            "timestamp": now,
            "timestamp_send": now,
            "from": "+61400000001",
            "to": SHARED_NUMBER,
            "body": "This is a test message.",
            "original_body": "This is the message it answers.",
            "original_message_id": new_id(),
            "custom_string": None,
            "message_id": new_id(),
            "subaccount_id": SUBACCOUNT_ID,
            "_keyword": "This",
        }
    )
    if url == "poll":
        call.state.inbound.add(row)
    else:
        call.state.push("inbound", url, webhook, row)
    return row


def _mark(call: Call, inbox: Inbox) -> None:
    fields = call.fields({"date_before"}, optional=True)
    # The older documentation puts it in the query.
    before = whole(fields.get("date_before") or call.query.get("date_before"), 0)
    # Taken literally: rows of that very second stay unread.
    inbox.mark(lambda row: not before or int(row["timestamp"]) < before)


def languages(_call: Call) -> list[dict[str, Any]]:
    """List the languages of voice; a single gender comes bare, not in a list."""
    return [
        {
            "code": code,
            "country": NAMES.get(code.split("-")[1].upper(), code),
            "gender": genders if len(genders) > 1 else genders[0],
        }
        for code, genders in LANGUAGES.items()
    ]
