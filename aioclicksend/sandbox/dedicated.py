"""Endpoints of dedicated numbers: search, buy, list. The numbers and their prices are made up."""

from __future__ import annotations

from typing import Any

from . import prices
from .calls import Call, as_object, text, whole
from .countries import CALLING_CODES, NAMES
from .pages import paginate
from .phones import parse
from .records import Record
from .replies import ApiError, bad_request, not_found

_OFFERED = 40
_MONTHLY = 19 * prices.SCALE
_KNOWN = frozenset({"dedicated_number", "type", "registration_data"})
_REGISTRATION = frozenset(
    {
        "business_name",
        "business_address",
        "suburb",
        "postcode",
        "state",
        "contact_name",
        "contact_number",
        "country",
    }
)
# [docs] ClickSend API v3, number statuses.
_READY = {
    "value": 0,
    "label": "REGISTRATION_NOT_REQUIRED",
    "description": "Your number is ready to go.",
    "name": "Ready to use",
}


def _offer(country: str) -> list[str]:
    code = CALLING_CODES[country]
    # An area code tells Canada from the United States.
    start = "204" if country == "CA" else "480"
    for width in (9, 10, 8, 7):
        first = int(start.ljust(width, "0")) + 100
        if parse(f"+{code}{first}"):
            return [f"+{code}{first + n}" for n in range(_OFFERED)]
    return []


def _country(code: str) -> str:
    if code.upper() not in CALLING_CODES:
        raise bad_request("The country must be a two-letter code.")
    return code.upper()


def search(call: Call) -> dict[str, Any]:
    """List the numbers of a country that can be bought."""
    country = _country(call.path["country"])
    owned = {row["dedicated_number"] for row in call.state.table("numbers").values()}
    wanted = call.query.get("search", "").lstrip("+")
    # [docs] ClickSend API v3: 0 starts with, 1 anywhere, 2 ends with.
    found = {0: str.startswith, 2: str.endswith}.get(
        whole(call.query.get("search_type"), 1), str.__contains__
    )
    numbers = [n for n in _offer(country) if n not in owned and found(n.lstrip("+"), wanted)]
    pager = paginate(call, numbers, "numbers/search", lambda number: _offered(country, number))
    # Relative, and without the country. [live] third-party adapters
    for name in ("next_page_url", "prev_page_url"):
        link = pager[name]
        pager[name] = link and "/?" + link.partition("?")[2]
    return {**pager, "_currency": prices.currency(call.state.settings.currency)}


def _offered(country: str, number: str) -> dict[str, Any]:
    return {
        "country": country,
        "country_name": NAMES[country],
        "dedicated_number": number,
        "price_setup": "0.00",
        "price_monthly": _money(_MONTHLY),
        "price_total": _money(_MONTHLY),
        "address_requirement": None,
    }


def _money(amount: int) -> str:
    return f"{amount / prices.SCALE:.2f}"


def buy(call: Call) -> dict[str, Any]:
    """Buy a number: the first month is paid at once."""
    fields = call.fields(_KNOWN, optional=True)
    data = fields.get("registration_data")
    if data is not None:
        call.refuse_unknown(as_object(data) or {}, _REGISTRATION, "registration_data.")
    kind = text(fields, "type") or call.query.get("type", "sms")
    if kind not in {"sms", "mms"}:
        raise bad_request("The type must be sms or mms.")
    phone = parse("+" + call.path["dedicated_number"].strip().lstrip("+"))
    owned = call.state.table("numbers")
    if phone is None or phone.number not in _offer(phone.country):
        raise not_found("Number record not found.")
    if any(row["dedicated_number"] == phone.number for row in owned.values()):
        raise ApiError(400, "ALREADY_EXISTS", "The number is taken.")
    if call.login == "nocredit" or call.state.balance < _MONTHLY:
        raise ApiError(400, "INSUFFICIENT_CREDIT", "There is not enough credit.")
    call.state.balance -= _MONTHLY
    owned[call.state.serial()] = Record(
        dedicated_number=phone.number,
        country=phone.country,
        price=_money(_MONTHLY),
        _country_name=NAMES[phone.country],
        notes=None,
        type=kind,
        number_type="longcode",
        number_category=None,
        number_guid=f"sandbox-{phone.number[1:]}",
        form_submission_id=None,
        status=_READY,
    )
    return {
        "dedicated_number": phone.number,
        "country": phone.country,
        "price_total": _money(_MONTHLY),
        "_price_setup": "0.00",
        "_price_monthly": _money(_MONTHLY),
        "_currency": prices.currency(call.state.settings.currency),
    }


def owned_numbers(call: Call) -> dict[str, Any]:
    """List the numbers bought; without any, rows and currency are left out as well."""
    rows = list(call.state.table("numbers").values())
    pager = paginate(call, rows, "numbers")
    if rows:
        return {**pager, "_currency": prices.currency(call.state.settings.currency)}
    # [live] third-party adapters
    del pager["data"]
    return pager
