"""The Maton side: bearer keys, connections, and the control plane that manages them."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from .replies import GatewayError, Reply
from .state import State


def check_bearer(state: State, headers: Mapping[str, str]) -> None:
    """Refuse a request without the gateway's key."""
    if headers.get("Authorization", "") != f"Bearer {state.settings.maton_key}":
        raise GatewayError(401, "Invalid or missing API key.")


def check_connection(state: State, headers: Mapping[str, str]) -> None:
    """Refuse a request no ACTIVE connection can carry; unnamed, the oldest one does."""
    wanted = headers.get("Maton-Connection")
    chosen = state.connections.values()
    # All of them are this account, so which one carries a request makes no difference.
    if not any(
        row["status"] == "ACTIVE" and wanted in {None, "", row["connection_id"]} for row in chosen
    ):
        raise GatewayError(400, "No active connection for this app.")


def control(state: State, method: str, path: str, query: Mapping[str, str], body: bytes) -> Reply:
    """Answer the control plane, which wraps nothing in envelopes."""
    pieces = path.strip("/").split("/")
    if pieces[0] != "connections" or len(pieces) > 2:
        raise GatewayError(404, "Not found.")
    if len(pieces) == 2:
        return _one(state, method, pieces[1])
    if method == "GET":
        return Reply(200, {"connections": _filtered(state, query)})
    if method == "POST":
        return _create(state, body)
    raise GatewayError(405, "Method not allowed.")


def _filtered(state: State, query: Mapping[str, str]) -> list[dict[str, Any]]:
    # Other parameters have no effect, as on every list of the API.
    asked = {name: query[name] for name in ("app", "status") if query.get(name)}
    return [
        row
        for row in state.connections.values()
        if all(row[name] == value for name, value in asked.items())
    ]


def _create(state: State, body: bytes) -> Reply:
    try:
        app = json.loads(body)["app"]
    except (ValueError, KeyError, TypeError, RecursionError):
        raise GatewayError(400, "The app field is required.") from None
    if app != "clicksend":
        raise GatewayError(400, "Unknown app.")
    # The real answer to a create is not shown anywhere; this is the likelier of two shapes.
    return Reply(200, {"connection_id": state.add_connection("PENDING")["connection_id"]})


def _one(state: State, method: str, connection_id: str) -> Reply:
    row = state.connections.get(connection_id)
    if row is None:
        raise GatewayError(404, "Connection not found.")
    if method == "GET":
        return Reply(200, {"connection": row})
    if method == "DELETE":
        del state.connections[connection_id]
        return Reply(200, {})
    raise GatewayError(405, "Method not allowed.")
