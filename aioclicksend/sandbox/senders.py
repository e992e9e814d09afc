"""Who a message may come from, by country: sender types, alpha tags, regulations, trial limits.

Nothing is barred unless the sandbox was set up so (`barred_senders`, `alpha_tags`, `trial`). What
these endpoints say before a send is what the send then does.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import Any

from .calls import Call, need, text, whole
from .countries import NAMES
from .records import Record
from .replies import Reply, bad_request, not_found
from .state import USER_ID, State

#: What a message may come from. [docs] ClickSend API v3, senders.
SENDER_TYPES = (
    "alpha_tag",
    "10DLC",
    "tollfree",
    "own_number",
    "shortcode",
    "longcode",
    "shared_longcode",
)
# [docs] help.clicksend.com 64361: what is shown in Australia in place of an unapproved alpha tag.
UNVERIFIED = "Unverified"
_COUNTRY_IDS = {iso: number for number, iso in enumerate(sorted(NAMES), 1)}


def sender_type(state: State, sender: str) -> str:
    """Return the type of what stands in `from`; nothing there means a shared number."""
    digits = sender.removeprefix("+")
    if not sender:
        return "shared_longcode"
    if not (digits.isascii() and digits.isdigit()):
        return "alpha_tag"
    if len(digits) <= 6:
        return "shortcode"
    owned = (row["dedicated_number"] for row in state.table("numbers").values())
    return "longcode" if "+" + digits in owned else "own_number"


def is_barred(state: State, country: str, sender: str) -> bool:
    """Tell whether a country takes nothing from such a sender."""
    barred = state.settings.barred_senders.get(country)
    return barred is not None and sender_type(state, sender) in barred


def shown_sender(state: State, country: str, sender: str) -> str:
    """Return the sender a recipient sees."""
    if country != "AU" or not state.alpha_tags_matter or sender_type(state, sender) != "alpha_tag":
        return sender
    approved = {row["alpha_tag"] for row in _tags(state).values() if row["status"] == "APPROVED"}
    return sender if sender in approved else UNVERIFIED


# Sender types and countries


def compliant_types(call: Call) -> dict[str, Any]:
    """Say which sender types each country takes."""
    if call.query.get("filter[product_type]", "SMS") != "SMS":
        raise bad_request("The filter[product_type] must be SMS.")
    asked = [
        value.upper()
        for name, value in call.query.items()
        if name.startswith("filter[country_code]")
    ]
    return {
        "data": [_compliance(call.state, iso) for iso in asked or sorted(NAMES) if iso in NAMES]
    }


def _compliance(state: State, country: str) -> dict[str, Any]:
    barred = state.settings.barred_senders.get(country, frozenset())
    if country not in state.settings.countries:
        barred = frozenset(SENDER_TYPES)
    return {
        "recipient_country_code": country,
        "blocked_sender_types": [kind for kind in SENDER_TYPES if kind in barred],
        "allowed_sender_types": [
            {
                "sender_type": kind,
                "allowed_sender_countries": {"global": True, "country_codes": []},
            }
            for kind in SENDER_TYPES
            if kind not in barred
        ],
    }


def user_countries(call: Call) -> list[dict[str, Any]]:
    """List the countries the account may send to, and what is restricted there."""
    return [_country_row(call.state, iso) for iso in sorted(call.state.settings.countries)]


def country_list(_call: Call) -> list[dict[str, Any]]:
    """List the countries the account could choose."""
    return [_country_head(iso) for iso in sorted(NAMES)]


def _country_head(iso: str) -> dict[str, Any]:
    return {"id": _COUNTRY_IDS[iso], "name": NAMES[iso], "code": iso, "region": ""}


def _country_row(state: State, iso: str) -> dict[str, Any]:
    trial = state.settings.trial
    return {
        **_country_head(iso),
        "agreed_at": None,
        "registration_entity": None,
        "registration_status": {"id": 0, "name": "Not required"},
        "jotform_id": "",
        "sms_registration_type": 0,
        "block_registration": False,
        "block_leads": False,
        "trial_from_address": "",
        "restricted_sending": is_restricted(state, iso),
        "trial_sending": int(trial is not None),
        "trial_sending_description": f"Trial accounts send up to {trial} messages a day."
        if trial is not None
        else "",
        "has_regulation_requirements": int(is_restricted(state, iso)),
        "registration_steps_url": "",
        "regulation_requirements_description": "",
    }


def is_restricted(state: State, country: str) -> bool:
    """Tell whether not every kind of sender may send to a country."""
    return bool(state.settings.barred_senders.get(country))


def summary(state: State, records: Iterable[Record], senders: Mapping[str, str]) -> dict[str, Any]:
    """Return what a price says with `show_summary`: each country and whether it takes the sender.

    `senders` holds what each message named as its sender, by message id.
    """
    counts: dict[str, int] = {}
    unusable: set[str] = set()
    for record in records:
        country: str = record["country"]
        if country:
            counts[country] = counts.get(country, 0) + 1
            if is_barred(state, country, senders[record["message_id"]]):
                unusable.add(country)
    stamp = {"date": "2026-01-01 00:00:00.000000", "timezone_type": 3, "timezone": "UTC"}
    return {
        "test_message": "",
        "countries": [
            {
                "country": {
                    "registration_type": 0,
                    # Spelled so in the documented schema.
                    "receipient_count": count,
                    "usable_sender_id": iso not in unusable,
                    "selected": iso in state.settings.countries,
                    "name": NAMES[iso],
                    "regulation": {
                        "country_user_id": _COUNTRY_IDS[iso],
                        "sms_registration_type": 0,
                        "restricted_sending": is_restricted(state, iso),
                        "trial_sending": state.settings.trial is not None,
                        "regulation_requirements_description": "",
                        "created_at": stamp,
                        "updated_at": stamp,
                    },
                }
            }
            for iso, count in counts.items()
        ],
    }


# Alpha tags: no envelope around any of these answers. [docs] ClickSend API v3


def _tags(state: State) -> dict[int, Record]:
    return state.table("alpha-tags")


def alpha_tags(call: Call) -> Reply:
    """List the alpha tags by an opaque cursor."""
    size = min(max(whole(call.query.get("page_size"), 10), 1), 1000)
    start = whole(call.query.get("offset", "").rpartition("#")[2], 0)
    rows = list(_tags(call.state).values())
    if call.query.get("sort_direction") == "desc":
        rows.reverse()
    page = f"/v3/alpha-tags?page_size={size}"
    after = start + size
    # The cursor has a # in it. [docs] ClickSend API v3
    follows = f"{page}&offset=sandbox%23{after}" if after < len(rows) else None
    pagination = {"self": page, "next": follows, "page_size": size}
    return Reply(200, {"alpha_tags": rows[start:after], "_metadata": {"pagination": pagination}})


def request_alpha_tag(call: Call) -> Reply:
    """Ask for an alpha tag; ClickSend's staff decides later."""
    fields = call.fields(frozenset({"alpha_tag", "reason", "countries", "businesses"}))
    need(fields, "alpha_tag")
    countries = fields.get("countries")
    row = add_alpha_tag(call.state, text(fields, "alpha_tag"), "PENDING", countries or ["AU"])
    row["reason"] = text(fields, "reason")
    return Reply(200, row)


def add_alpha_tag(state: State, tag: str, status: str, countries: Any = ("AU",)) -> Record:
    """Keep an alpha tag and its status."""
    state.alpha_tags_matter = True
    now = _iso(state)
    row = Record(
        id=str(uuid.uuid4()),
        account_id=_ACCOUNT,
        workspace_id=_ACCOUNT,
        user_id=str(USER_ID),
        alpha_tag=tag,
        status=status,
        reason="",
        countries=list(countries),
        created_timestamp=now,
        updated_timestamp=now,
    )
    _tags(state)[state.serial()] = row
    return row


_ACCOUNT = "00000000-0000-4000-8000-000000000001"


def _iso(state: State) -> str:
    return f"{datetime.fromtimestamp(state.now(), UTC):%Y-%m-%dT%H:%M:%S.000Z}"


def _find_tag(call: Call) -> tuple[int, Record]:
    for number, row in _tags(call.state).items():
        if row["id"] == call.path["alpha_tag_id"]:
            return number, row
    raise not_found("Alpha tag not found.")


def alpha_tag(call: Call) -> Reply:
    """Return one alpha tag."""
    return Reply(200, _find_tag(call)[1])


def delete_alpha_tag(call: Call) -> Reply:
    """Forget one alpha tag; the answer has no documented body."""
    del _tags(call.state)[_find_tag(call)[0]]
    return Reply(200, b"")
