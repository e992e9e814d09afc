"""Keep an account in a file from one run to the next.

The file is JSON, written under a temporary name and moved into place, readable by its owner only. A
message stands in several places of the account at once (accepted, in a log, in a campaign), so it
is written once and referred to by its id elsewhere.
"""

from __future__ import annotations

import base64
import json
import os
import tempfile
from pathlib import Path
from typing import Any

from .history import Log
from .records import Record
from .state import File, Inbox, State

_VERSION = 1
_BY_NUMBER = ("templates", "lists", "addresses")


def save(path: Path, state: State) -> None:
    """Write the account to a file."""
    content = json.dumps(_dump(state)).encode()
    path.parent.mkdir(parents=True, exist_ok=True)
    # mkstemp makes it readable by the owner only.
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=path.name, suffix=".tmp")
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(content)
        Path(name).replace(path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise


def load(path: Path, state: State) -> None:
    """Fill a new account from a file, if it is there; ValueError if it is not such a file."""
    try:
        content = path.read_bytes()
    except FileNotFoundError:
        return
    try:
        stored = json.loads(content)
        if stored["sandbox"] != _VERSION:
            raise ValueError("another version")
        _fill(state, stored)
    # Whatever somebody else's file holds, one clear line: it is never overwritten.
    except (ValueError, KeyError, TypeError, AttributeError, IndexError, RecursionError):
        raise ValueError(f"{path} is not the state of a sandbox: name another file") from None


def _dump(state: State) -> dict[str, Any]:
    # By place, so that a message that changes later changes everywhere it stands.
    places = {record["message_id"]: n for n, record in enumerate(state.accepted)}
    return {
        "sandbox": _VERSION,
        "balance": state.balance,
        "serial": state.last_serial,
        "started": state.started,
        "accepted": state.accepted,
        "rejected": state.rejected,
        "heard": state.heard,
        # A place among the accepted messages, or the row itself.
        "log": {
            channel: [places.get(row["message_id"], row) for row in log.rows]
            for channel, log in state.log.items()
        },
        "inbound": _dump_inbox(state.inbound),
        "receipts": {channel: _dump_inbox(inbox) for channel, inbox in state.receipts.items()},
        **{name: list(getattr(state, name).items()) for name in _BY_NUMBER},
        "contacts": [[number, list(rows.items())] for number, rows in state.contacts.items()],
        "connections": state.connections,
        "tables": {name: list(table.items()) for name, table in state.tables.items()},
        "campaigns": [
            [number, [places[row["message_id"]] for row in rows if row["message_id"] in places]]
            for number, rows in state.campaigns.items()
        ],
        "files": {
            key: [file.name, base64.b64encode(file.content).decode(), file.content_type]
            for key, file in state.files.items()
        },
    }


def _dump_inbox(inbox: Inbox) -> dict[str, Any]:
    places = {id(row): n for n, row in enumerate(inbox.all)}
    return {"all": inbox.all, "unread": [places[id(row)] for row in inbox.unread.values()]}


def _fill(state: State, stored: dict[str, Any]) -> None:
    state.balance, state.last_serial = int(stored["balance"]), int(stored["serial"])
    state.started = float(stored["started"])
    state.accepted = [Record(row) for row in stored["accepted"]]
    state.rejected = [Record(row) for row in stored["rejected"]]
    state.heard = [Record(row) for row in stored["heard"]]
    state.by_id = {row["message_id"]: row for row in state.accepted}
    for channel, rows in stored["log"].items():
        state.log[channel] = Log()
        for row in rows:
            known = state.accepted[row] if isinstance(row, int) else Record(row)
            state.log[channel].add(known)
    _fill_inbox(state.inbound, stored["inbound"])
    for channel, inbox in stored["receipts"].items():
        _fill_inbox(state.receipts[channel], inbox)
    for name in _BY_NUMBER:
        setattr(state, name, dict(stored[name]))
    state.contacts = {number: dict(rows) for number, rows in stored["contacts"]}
    state.connections = dict(stored["connections"])
    state.tables = {
        name: {number: Record(row) for number, row in table}
        for name, table in stored["tables"].items()
    }
    state.campaigns = {
        number: [state.accepted[place] for place in places]
        for number, places in stored["campaigns"]
    }
    state.files = {
        key: File(name, base64.b64decode(content), kind)
        for key, (name, content, kind) in stored["files"].items()
    }
    # Not stored: it follows from the messages, and an older file may lack it.
    state.index()


def _fill_inbox(inbox: Inbox, stored: dict[str, Any]) -> None:
    rows = [Record(row) for row in stored["all"]]
    inbox.all = []
    for row in rows:
        inbox.add(row, 1)
    inbox.unread.clear()
    for place in stored["unread"]:
        inbox.requeue(rows[place])
