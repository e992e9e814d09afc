"""Endpoints of sub-accounts. Each has a login and a key that open the sandbox too."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from typing import Any

from .account import ACCESS
from .calls import Call, need, text, whole
from .crud import Table
from .replies import ApiError
from .state import State

_NEEDED = ("api_username", "email", "phone_number", "first_name", "last_name")
_FLAGS = tuple(f"access_{name}" for name in ACCESS)
_KNOWN = frozenset(
    {*_NEEDED, *_FLAGS, "password", "user_id", "sms_deidentify_message", "notes", "share_campaigns"}
)


def _read(call: Call, before: Mapping[str, Any]) -> dict[str, Any]:
    fields = call.fields(_KNOWN)
    if not before:
        need(fields, *_NEEDED, "password")
    login = text(fields, "api_username")
    others = call.state.table("subaccounts").values()
    # Two accounts with one login could not be distinguished by their requests.
    if login == call.state.settings.username or any(
        row["api_username"] == login and row is not before for row in others
    ):
        raise ApiError(400, "ALREADY_EXISTS", "The username is taken.")
    written: dict[str, str | None] = {
        name: text(fields, name) for name in _NEEDED if name in fields
    }
    if "notes" in fields:
        written["notes"] = text(fields, "notes") or None
    flags = {name: 1 if whole(fields[name], 0) else 0 for name in _FLAGS if name in fields}
    return {**(before or _fresh()), **written, **flags}


def _fresh() -> dict[str, Any]:
    return {
        **dict.fromkeys(_NEEDED, ""),
        "api_key": _new_key(),
        **dict.fromkeys(_FLAGS, 0),
        "hide_pricing": 0,
        "share_campaigns": 0,
        "notes": None,
        "is_main": 0,
        "sign_up_type": None,
    }


def _new_key() -> str:
    return str(uuid.uuid4()).upper()


SUBACCOUNTS = Table(
    path="subaccounts", key="subaccount_id", missing="Subaccount", read=_read, deleted=True
)


def regenerate_key(call: Call) -> dict[str, str]:
    """Replace the key of a sub-account; the one before opens nothing from now on."""
    found = SUBACCOUNTS.find(call)
    found["api_key"] = _new_key()
    return {"api_key": found["api_key"]}


def may_enter(state: State, login: str, key: str) -> bool:
    """Tell whether a sub-account has this login and key."""
    return any(
        row["api_username"] == login and row["api_key"] == key
        for row in state.table("subaccounts").values()
    )
