"""Endpoints of the account, templates, email addresses and countries."""

from __future__ import annotations

from typing import Any
from zoneinfo import available_timezones

from . import countries, prices
from .calls import Call, text
from .pages import paginate
from .replies import ApiError, bad_request, not_found
from .state import SUBACCOUNT_ID, USER_ID

ACCESS = [
    "smpp",
    "users",
    "billing",
    "reporting",
    "contacts",
    "settings",
    "sms",
    "email",
    "voice",
    "fax",
    "post",
    "reseller",
    "global_sending",
    "mms",
]
# Looks like a secret, because the live reply holds a real one in clear. [docs] ClickSend API v3
SUBACCOUNT_KEY = "5EC12E70-0000-4000-8000-FA4E00C0FFEE"


def account(call: Call) -> dict[str, Any]:
    """Return the account, its balance and its sub-account with a key in clear text."""
    login = call.login
    email = f"{login}@example.com"
    return {
        "user_id": USER_ID,
        "username": login,
        "user_email": email,
        "active": 1,
        "banned": 0,
        "date_sign_up": 1_600_000_000,
        "balance": "0.000000" if login == "nocredit" else prices.six_decimals(call.state.balance),
        "user_phone": "+61411111111",
        "reply_to": "originalemail",
        "delivery_to": email,
        "user_first_name": "Sand",
        "user_last_name": "Box",
        "account": 1,
        "account_name": "Sandbox",
        "account_billing_email": email,
        "account_billing_mobile": None,
        "priority": 0,
        "country": "AU",
        "country_ip": "AU",
        "default_country_sms": "AU",
        "auto_recharge": 0,
        "auto_recharge_amount": "20.00",
        "low_credit_amount": "0.00",
        "setting_unicode_sms": 0,
        "setting_email_sms_subject": 0,
        "setting_fix_sender_id": 0,
        "setting_sms_message_char_limit": 8,
        "old_dashboard": 0,
        "balance_commission": "0.000000",
        "timezone": "Australia/Melbourne",
        "price_rate": 0,
        "private_uploads": 0,
        "fax_quality": 0,
        "setting_sms_hide_your_number": 0,
        "setting_sms_hide_business_name": 0,
        "pricing_variant": 0,
        "on_trial": int(call.state.settings.trial is not None),
        "trial_expiry": None,
        "_currency": prices.full_currency(call.state.settings.currency),
        "_subaccount": {
            "subaccount_id": SUBACCOUNT_ID,
            "api_username": login,
            "email": email,
            "phone_number": "+61411111111",
            "first_name": "Sand",
            "last_name": "Box",
            "api_key": SUBACCOUNT_KEY,
            **{f"access_{name}": 1 for name in ACCESS},
            "hide_pricing": 0,
            "share_campaigns": 0,
            "notes": None,
            "is_main": 1,
            "sign_up_type": None,
        },
        "_referrer_chosen": None,
        # Not documented, seen live. [live notes] github.com/prayantr/clicksend
        "ai_enabled": 0,
    }


def all_countries(_call: Call) -> list[dict[str, str]]:
    """List the countries of the world."""
    return countries.ROWS


def timezones(_call: Call) -> list[str]:
    """List the time zones by their IANA names, all at once whatever page is asked for."""
    return sorted(available_timezones())


# Templates


def templates(call: Call) -> Any:
    """List the saved bodies."""
    rows = list(call.state.templates.values())
    _, _, direction = call.query.get("order_by", "").partition(":")
    if direction.lower() == "desc":
        rows.reverse()
    pager = paginate(call, rows, "sms/templates")
    if call.state.settings.odd_templates:
        # As the documented example has it: inside a list, its total misspelled.
        pager["totlal"] = pager.pop("total")
        return [pager]
    return pager


def _template(call: Call) -> dict[str, Any]:
    found = call.state.templates.get(call.number("template_id"))
    if found is None:
        raise not_found("Template record not found.")
    return found


def _template_fields(call: Call) -> dict[str, str]:
    fields = call.fields({"template_name", "body"})
    written = {name: text(fields, name) for name in ("body", "template_name")}
    for name, value in written.items():
        if not value:
            raise bad_request(f"The {name} field is required.")
    return written


def create_template(call: Call) -> dict[str, Any]:
    """Save a body under a name."""
    written = _template_fields(call)
    template_id = call.state.serial()
    call.state.templates[template_id] = {"template_id": template_id, **written}
    return call.state.templates[template_id]


def get_template(call: Call) -> dict[str, Any]:
    """Return one template."""
    return _template(call)


def update_template(call: Call) -> dict[str, Any]:
    """Replace the name and the body of one template."""
    found = _template(call)
    found.update(_template_fields(call))
    return found


def delete_template(call: Call) -> None:
    """Forget one template."""
    del call.state.templates[_template(call)["template_id"]]


# Email addresses


def addresses(call: Call) -> dict[str, Any]:
    """List the addresses email may be sent from."""
    return paginate(call, list(call.state.addresses.values()), "email/addresses")


def find_address(call: Call) -> dict[str, Any]:
    """Return the address the path names."""
    found = call.state.addresses.get(call.number("email_address_id"))
    if found is None:
        raise not_found("Email address record not found.")
    return found


def create_address(call: Call) -> dict[str, Any]:
    """Add an address, not yet verified."""
    address = text(call.fields({"email_address"}), "email_address").strip()
    name, _, domain = address.partition("@")
    if not name or "." not in domain:
        raise bad_request("The email_address field must be an email address.")
    if any(row["email_address"] == address for row in call.state.addresses.values()):
        raise ApiError(400, "ALREADY_EXISTS", "The email address is there already.")
    address_id = call.state.serial()
    call.state.addresses[address_id] = {
        "email_address_id": address_id,
        "email_address": address,
        "verified": 0,
        "date_added": str(call.state.now()),
    }
    return call.state.addresses[address_id]


def get_address(call: Call) -> dict[str, Any]:
    """Return one address."""
    return find_address(call)


def delete_address(call: Call) -> None:
    """Forget one address."""
    del call.state.addresses[find_address(call)["email_address_id"]]
