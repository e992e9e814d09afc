"""The import of contacts: asked for now, done a moment later."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping
from typing import Any, cast

from .calls import Call, need, text
from .contacts import REACHABLE, WRITABLE, add_contact, find_list
from .files import find
from .replies import bad_request
from .state import State

# [docs] ClickSend API v3: a column is not called what the field of a contact is called.
_RENAMED = {"phone": "phone_number", **{f"custom{n}": f"custom_{n}" for n in (1, 2, 3, 4)}}
_COLUMNS = {name: name for name in WRITABLE if name not in _RENAMED.values()} | _RENAMED


def start_import(call: Call) -> dict[str, Any]:
    """Queue the rows of an uploaded CSV for a list."""
    list_id = find_list(call)["list_id"]
    fields = call.fields({"file_url", "field_order"})
    need(fields, "file_url", "field_order")
    columns = _columns(fields)
    # Only what was uploaded here: the sandbox fetches nothing from anywhere.
    file = find(call.state, text(fields, "file_url"))
    if file is None:
        raise bad_request("The file_url field must be the address of an upload.")
    table = csv.reader(io.StringIO(file.content.decode("utf-8-sig", "replace")))
    rows = [
        {name: value.strip() for name, value in zip(columns, row, strict=False) if name}
        for row in table
    ]
    due = call.state.clock() + call.state.settings.import_time
    call.state.imports.append((due, list_id, [row for row in rows if _reachable(row)]))
    number = str(call.state.serial())
    return {"msg": "The import has been queued.", "ids": [number], "id": number}


def _columns(fields: Mapping[str, Any]) -> list[str]:
    """Read the order of columns: a list of names or, as current documentation has it, text."""
    given = fields["field_order"]
    if isinstance(given, list):
        names = [str(name).strip() for name in cast("list[object]", given)]
    else:
        names = [name.strip() for name in text(fields, "field_order").split(",")]
    unknown = [name for name in names if name and name not in _COLUMNS]
    if unknown:
        raise bad_request(f"Unknown column: {unknown[0]}")
    return [_COLUMNS.get(name, "") for name in names]


def _reachable(row: Mapping[str, str]) -> bool:
    """Tell a contact from a line of headings or of nothing."""
    return any(
        "@" in row.get(name, "") if name == "email" else any(map(str.isdigit, row.get(name, "")))
        for name in REACHABLE
    )


def finish_imports(state: State) -> None:
    """Add the contacts of every import whose time has come."""
    if not state.imports:
        return
    now = state.clock()
    for due, list_id, rows in state.imports:
        # The list may have been deleted meanwhile.
        if due <= now and list_id in state.contacts:
            for row in rows:
                add_contact(state, list_id, {name: value or None for name, value in row.items()})
            state.version += 1
    state.imports = [pending for pending in state.imports if pending[0] > now]
