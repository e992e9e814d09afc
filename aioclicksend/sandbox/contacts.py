"""Endpoints of lists and their contacts."""

from __future__ import annotations

import secrets
from typing import Any, cast

from .calls import Call, text, whole
from .pages import paginate
from .replies import ApiError, bad_request, not_found
from .state import State

_NAMES = ("first_name", "last_name", "custom_1", "custom_2", "custom_3", "custom_4")
_PLACES = (
    "fax_number",
    "organization_name",
    "email",
    "address_line_1",
    "address_line_2",
    "address_city",
    "address_state",
    "address_postal_code",
    "address_country",
)
WRITABLE = ("phone_number", *_NAMES, *_PLACES)
# `date_added` is in the documented request body, though it is read-only. [docs] ClickSend API v3
_KNOWN = frozenset({*WRITABLE, "date_added"})
REACHABLE = ("phone_number", "email", "fax_number")


def find_list(call: Call, name: str = "list_id") -> dict[str, Any]:
    """Return the list the path names."""
    found = call.state.lists.get(call.number(name))
    if found is None:
        raise not_found("List record not found.")
    return found


def _list_row(call: Call, found: dict[str, Any]) -> dict[str, Any]:
    return found | {
        "_contacts_count": len(call.state.contacts[found["list_id"]]),
        "_import_in_progress": int(
            any(list_id == found["list_id"] for _, list_id, _ in call.state.imports)
        ),
        "_optout_in_progress": 0,
    }


def _list_name(call: Call) -> str:
    name = text(call.fields({"list_name"}), "list_name").strip()
    if not name:
        raise bad_request("The list_name field is required.")
    return name


def lists(call: Call) -> dict[str, Any]:
    """List the contact lists."""
    rows = list(call.state.lists.values())
    return paginate(call, rows, "lists", lambda row: _list_row(call, row), linked=True)


def create_list(call: Call) -> dict[str, Any]:
    """Make an empty list."""
    name = _list_name(call)
    list_id = call.state.serial()
    call.state.contacts[list_id] = {}
    call.state.lists[list_id] = {
        "list_id": list_id,
        "list_name": name,
        "list_email_id": secrets.token_hex(8).upper(),
    }
    return _list_row(call, call.state.lists[list_id])


def get_list(call: Call) -> dict[str, Any]:
    """Return one list."""
    return _list_row(call, find_list(call))


def update_list(call: Call) -> dict[str, Any]:
    """Rename one list."""
    found = find_list(call)
    found["list_name"] = _list_name(call)
    return _list_row(call, found)


def delete_list(call: Call) -> None:
    """Forget one list and its contacts."""
    list_id = find_list(call)["list_id"]
    del call.state.lists[list_id]
    del call.state.contacts[list_id]


def remove_duplicates(call: Call) -> dict[str, int]:
    """Keep the first of the contacts that agree in the fields named, by default in the number."""
    members = call.state.contacts[find_list(call)["list_id"]]
    # An object in the current documentation, a list of names in the older one: its keys count.
    given: Any = call.fields({"fields"}, optional=True).get("fields")
    # Iterating over either gives the names.
    if not isinstance(given, dict | list | None):
        raise bad_request("The fields field must be an object or a list of names.")
    named = [str(name) for name in cast("list[object]", given or [])]
    unknown = [name for name in named if name not in WRITABLE]
    if unknown:
        raise bad_request(f"Unknown field: {unknown[0]}")
    seen: set[tuple[Any, ...]] = set()
    doomed: list[int] = []
    for contact_id, contact in members.items():
        key = tuple(contact[name] for name in named or ["phone_number"])
        if key in seen:
            doomed.append(contact_id)
        seen.add(key)
    for contact_id in doomed:
        del members[contact_id]
    return {"deleted": len(doomed)}


def remove_opted_out(call: Call) -> dict[str, int]:
    """Delete the contacts whose number or email stands on an opt-out list."""
    members = call.state.contacts[find_list(call)["list_id"]]
    opted_out = call.state.contacts[find_list(call, "opt_out_list_id")["list_id"]].values()
    unwanted = {row[name] for row in opted_out for name in ("phone_number", "email") if row[name]}
    doomed = [
        contact_id
        for contact_id, row in members.items()
        if row["phone_number"] in unwanted or row["email"] in unwanted
    ]
    for contact_id in doomed:
        del members[contact_id]
    return {"deleted": len(doomed)}


def _contact(call: Call, list_name: str = "list_id") -> dict[str, Any]:
    members = call.state.contacts.get(call.number(list_name), {})
    found = members.get(call.number("contact_id"))
    if found is None:
        raise not_found("Contact record not found.")
    return found


def _contact_row(call: Call, contact: dict[str, Any]) -> dict[str, Any]:
    return contact | {"_list_name": call.state.lists[contact["list_id"]]["list_name"]}


def _written(call: Call) -> dict[str, Any]:
    fields = call.fields(_KNOWN)
    written: dict[str, Any] = {}
    for name in WRITABLE:
        if name in fields:
            value = text(fields, name)
            # Emptied: null for a way to reach somebody, as in a new contact, and empty text
            # elsewhere.
            written[name] = value or (None if name in REACHABLE else "")
    return written


def contacts(call: Call) -> dict[str, Any]:
    """List the contacts of one list, or those touched after a moment."""
    list_id = find_list(call)["list_id"]
    rows = list(call.state.contacts[list_id].values())
    after = whole(call.query.get("updated_after"), 0)
    if after:
        rows = [row for row in rows if row["date_updated"] > after]
    path = f"lists/{list_id}/contacts"
    return paginate(call, rows, path, lambda row: _contact_row(call, row))


def create_contact(call: Call) -> dict[str, Any]:
    """Add a contact that can be reached in some way."""
    list_id = call.number("list_id")
    if list_id not in call.state.lists:
        # Not a 404: [live] rudderlabs/rudder-transformer fixtures.
        raise ApiError(403, "FORBIDDEN", "You do not have access to this list.")
    written = _written(call)
    if not any(written.get(name) for name in REACHABLE):
        raise bad_request("One of phone_number, email or fax_number is required.")
    return _contact_row(call, add_contact(call.state, list_id, written))


def add_contact(state: State, list_id: int, written: dict[str, Any]) -> dict[str, Any]:
    """Put a contact on a list."""
    now = state.now()
    contact: dict[str, Any] = {
        "contact_id": state.serial(),
        "list_id": list_id,
        "phone_number": None,
        **dict.fromkeys(_NAMES, ""),
        "date_added": now,
        "date_updated": now,
        **dict.fromkeys(_PLACES),
        **written,
    }
    state.contacts[list_id][contact["contact_id"]] = contact
    return contact


def get_contact(call: Call) -> dict[str, Any]:
    """Return one contact."""
    return _contact_row(call, _contact(call))


def update_contact(call: Call) -> dict[str, Any]:
    """Change the fields given and leave the others."""
    contact = _contact(call)
    changed = contact | _written(call)
    if not any(changed[name] for name in REACHABLE):
        raise bad_request("One of phone_number, email or fax_number is required.")
    contact.update(changed, date_updated=call.state.now())
    return _contact_row(call, contact)


def delete_contact(call: Call) -> None:
    """Forget one contact."""
    contact = _contact(call)
    del call.state.contacts[contact["list_id"]][contact["contact_id"]]


def copy_contact(call: Call) -> dict[str, Any]:
    """Add a contact to a second list, under a new id."""
    original = _contact(call, "from_list_id")
    target = find_list(call, "to_list_id")["list_id"]
    now = call.state.now()
    # Two rows, as the API has it: deleting one leaves the other.
    copied = original | {
        "contact_id": call.state.serial(),
        "list_id": target,
        "date_added": now,
        "date_updated": now,
    }
    call.state.contacts[target][copied["contact_id"]] = copied
    return _contact_row(call, copied)


def transfer_contact(call: Call) -> dict[str, Any]:
    """Move a contact to another list."""
    contact = _contact(call, "from_list_id")
    target = find_list(call, "to_list_id")["list_id"]
    del call.state.contacts[contact["list_id"]][contact["contact_id"]]
    contact.update(list_id=target, date_updated=call.state.now())
    call.state.contacts[target][contact["contact_id"]] = contact
    return _contact_row(call, contact)
