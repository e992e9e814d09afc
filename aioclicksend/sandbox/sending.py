"""Judge, price and accept what a send or price call carries, row by row."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, cast

from . import phones, prices, segments
from .calls import Call, as_object, text
from .channels import Kind
from .records import Record, new_id
from .replies import bad_request
from .senders import is_barred, shown_sender, summary
from .state import SHARED_NUMBER, SUBACCOUNT_ID, State

MAX_MESSAGES = 1000
# A later time was given in milliseconds.
_LATEST_SCHEDULE = 100_000_000_000
_SENDER_LENGTH = range(3, 12)
_SUCCESS = "SUCCESS"


@dataclass(slots=True)
class _Draft:
    """One message for one recipient."""

    message: dict[str, Any]
    to: str
    country: str
    list_id: str | None = None
    contact_id: str | None = None


def submit(call: Call, kind: Kind, *, price_only: bool) -> dict[str, Any]:
    """Answer a send or a price call.

    HTTP 200 even if every message was refused: the verdict stands in each row.
    [live] github.com/prayantr/clicksend and rudderlabs/rudder-transformer fixtures
    """
    top = call.fields(kind.top)
    messages: Any = top.get("messages")
    if not isinstance(messages, list) or not messages:
        raise bad_request("The messages field must be a list with at least one message.")
    checked = [
        _checked(call, kind, message, index)
        for index, message in enumerate(cast("list[object]", messages))
    ]
    drafts = [draft for message in checked for draft in _expand(call.state, kind, message)]
    if len(drafts) > MAX_MESSAGES:
        raise bad_request(f"A call takes at most {MAX_MESSAGES} messages, list members counted.")
    # Every field is read before anything is accepted, so a malformed one refuses the whole call.
    records = [_record(call, kind, top, draft) for draft in drafts]
    return _answer(call, kind, top, records, price_only=price_only)


def draft(call: Call, kind: Kind, message: dict[str, Any], top: Mapping[str, Any]) -> list[Record]:
    """Judge and price one message for everyone it goes to, accepting nothing."""
    return [_record(call, kind, top, one) for one in _expand(call.state, kind, message)]


def _checked(call: Call, kind: Kind, message: object, index: int) -> dict[str, Any]:
    at = f"messages[{index}]"
    fields = as_object(message)
    if fields is None:
        raise bad_request(f"{at} must be an object.")
    if call.state.settings.strict:
        call.refuse_unknown(fields, kind.fields, f"{at}.")
        if fields.get("to") and fields.get("list_id"):
            raise bad_request(f"{at}.to and {at}.list_id exclude each other.")
    return fields


def _expand(state: State, kind: Kind, message: dict[str, Any]) -> Iterator[_Draft]:
    country = text(message, "country")
    list_id = text(message, "list_id")
    if not list_id:
        yield _Draft(message, text(message, "to"), country, contact_id=_contact_id(kind, message))
        return
    # An unknown list is no error of the call: its one row is refused.
    members = state.contacts.get(int(list_id)) if list_id.isascii() and list_id.isdigit() else None
    if members is None:
        yield _Draft(message, "", country, list_id=list_id)
        return
    for contact in members.values():
        if contact["phone_number"]:
            yield _Draft(
                message,
                contact["phone_number"],
                country or contact["address_country"] or "",
                list_id,
                str(contact["contact_id"]),
            )


def _contact_id(kind: Kind, message: Mapping[str, Any]) -> str | None:
    return (text(message, "contact_id") or None) if kind.name == "sms" else None


def _record(call: Call, kind: Kind, top: Mapping[str, Any], draft: _Draft) -> Record:
    """Shape one row and judge everything that does not depend on the rows before it."""
    state, message = call.state, draft.message
    body = text(message, "body")
    sender = text(message, "from")
    phone = phones.parse(draft.to, draft.country)
    now = state.clock()
    schedule = when(message.get("schedule"))
    test = phone is not None and phone.number in phones.TEST_NUMBERS
    # Test numbers are free: no parts, price "0.0000". [live notes] github.com/prayantr/clicksend
    parts = 0 if test else kind.parts(body)
    country = phone.country if phone else ""
    cost = state.price(kind.name, country) * parts
    date = int(now)
    # A time that has passed means now.
    later = schedule is not None and schedule > now
    record = Record(
        channel=kind.name,
        direction="out",
        message_id=new_id(),
        to=phone.number if phone else draft.to,
        # What does not fit into eight parts is cut off silently. [docs] ClickSend API v3
        body=segments.cut(body) if kind.name == "sms" else body,
        custom_string=text(message, "custom_string"),
        schedule=schedule if later else date,
        date=date,
        status=_SUCCESS,
        message_parts=parts,
        message_price=prices.four_decimals(cost),
        accepted_at=now,
        cost=cost,
        country=country,
        carrier="",
        from_email=text(message, "from_email") or None,
        list_id=draft.list_id,
        contact_id=draft.contact_id,
        source=text(message, "source"),
        is_shared_system_number=not sender and kind.shared_sender,
        username=call.login,
        subaccount_id=SUBACCOUNT_ID,
        status_code=None,
        status_text=None,
        error_code=None,
        error_text=None,
        later=later and not test,
        test=test,
    )
    record["status"] = (
        _refusal(call.state, draft, phone, record, sender)
        or ("INVALID_SCHEDULE" if schedule is None else kind.check(message, top))
        or (kind.check_strictly(message) if state.settings.strict else None)
        or _SUCCESS
    )
    record["from"] = shown_sender(state, country, sender) or (
        SHARED_NUMBER if kind.shared_sender else ""
    )
    record.update(kind.extras(message, top))
    return record


def when(value: Any) -> int | None:
    """Return when to send, 0 for now, None for a time that cannot be read."""
    if value is None or value == "":
        return 0
    read = text({"schedule": value}, "schedule")
    seconds = int(read) if read.isascii() and read.isdigit() else -1
    return seconds if 0 <= seconds < _LATEST_SCHEDULE else None


def _refusal(
    state: State, draft: _Draft, phone: phones.Phone | None, record: Record, sender: str
) -> str | None:
    """Return why no channel would take a message."""
    if draft.list_id is not None and draft.contact_id is None:
        return "NOT_ENOUGH_PERMISSION_TO_LIST_ID"
    if phone is None:
        return "INVALID_RECIPIENT"
    # Before everything a message could do about it: the test that lists a number wants this status.
    if phone.number in state.settings.reject:
        return state.settings.reject[phone.number]
    if phone.country not in state.settings.countries:
        return "COUNTRY_NOT_ENABLED"
    if not record["body"]:
        return "EMPTY_MESSAGE"
    if sender and not _sender_is_valid(sender):
        return "INVALID_SENDER_ID"
    return "INVALID_SENDER_ID" if is_barred(state, phone.country, sender) else None


def _sender_is_valid(sender: str) -> bool:
    digits = sender.removeprefix("+")
    if digits.isascii() and digits.isdigit():
        return 3 <= len(digits) <= 15
    return len(sender) in _SENDER_LENGTH and sender.isascii() and sender.replace("+", "").isalnum()


def _answer(
    call: Call, kind: Kind, top: Mapping[str, Any], records: list[Record], *, price_only: bool
) -> dict[str, Any]:
    rows: list[dict[str, Any]] = []
    present = call.state.settings.history.present_reply
    total = queued = blocked = 0
    for record in records:
        # Row by row and in order: an earlier row of the call may have used up the credit.
        if not price_only and record["status"] == _SUCCESS:
            record["status"] = _afford(call, record)
        if record["status"] == _SUCCESS:
            rows.append(present((kind.priced if price_only else kind.sent)(record)))
            total += record["cost"]
            queued += 1
            if not price_only:
                accept(call.state, record)
        else:
            rows.append(present(_refused(record)))
            # Refused numbers are not counted as blocked. [live] rudderlabs/rudder-transformer
            # fixtures
            blocked += record["status"] == "COUNTRY_NOT_ENABLED"
            if not price_only:
                call.state.reject(record)
    data: dict[str, Any] = {
        "total_price": prices.as_number(total),
        "total_count": len(rows),
        "queued_count": queued,
        "messages": rows,
        "_currency": prices.currency(call.state.settings.currency),
    }
    if kind.name == "sms":
        data["blocked_count"] = blocked
        if price_only and _wants_summary(top):
            senders = {
                record["message_id"]: "" if record["is_shared_system_number"] else record["from"]
                for record in records
            }
            data["_summary"] = summary(call.state, records, senders)
    return data


def _afford(call: Call, record: Record) -> str:
    """Judge what depends on the account and on the rows before."""
    state = call.state
    if call.login == "nocredit" or record["cost"] > state.balance:
        return "INSUFFICIENT_CREDIT"
    trial = state.settings.trial
    if trial is not None:
        # That there is a daily limit is documented; its status is a guess.
        day = (state.now() // 86_400, record["country"])
        if state.trial_sent[day] >= trial:
            return "TOO_MANY_RECIPIENTS"
        state.trial_sent[day] += 1
    window = state.settings.throttle_window
    if window:
        # How long ago counts as recent is unstated, so the window is a setting. [docs] THROTTLED
        key = (record["to"], record["body"])
        now = state.clock()
        if now - state.recent.get(key, float("-inf")) < window:
            return "THROTTLED"
        state.recent[key] = now
    return _SUCCESS


def accept(state: State, record: Record, *, logged: bool = True) -> None:
    """Take in one judged message; not logged, history will not show it."""
    # A test number completes at once, even if it is scheduled.
    # [live notes] github.com/prayantr/clicksend
    if record.pop("later"):
        record["status"] = "Scheduled"
    else:
        record["status"] = "Completed" if record["test"] else "Sent"
    state.accept(record, logged=logged)


def _refused(record: Record) -> dict[str, Any]:
    """Shape a refused row: fewer keys, an empty schedule, no price.

    [live] rudderlabs/rudder-transformer fixtures and github.com/prayantr/clicksend show two such
    shapes; statuses not shown there get the longer one.
    """
    row: dict[str, Any] = {
        "to": record["to"],
        "body": record["body"],
        "from": record["from"],
        "schedule": "",
        "message_id": record["message_id"],
        "custom_string": record["custom_string"],
        "is_shared_system_number": record["is_shared_system_number"],
        "status": record["status"],
    }
    if record["status"] != "INVALID_RECIPIENT":
        row |= {
            "message_parts": 0,
            "message_price": "0.0000",
            "country": record["country"],
            "carrier": record["carrier"],
        }
    if record["status"] not in {"INVALID_RECIPIENT", "COUNTRY_NOT_ENABLED"}:
        row |= {name: record[name] for name in ("from_email", "list_id", "contact_id")}
    return row


def _wants_summary(top: Mapping[str, Any]) -> bool:
    # Documented inside a message, though it speaks of the whole call: both places count.
    return bool(top.get("show_summary")) or any(
        message.get("show_summary") for message in top["messages"]
    )
