"""Which automation rules fire for a receipt or an inbound message."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

Rule = Mapping[str, Any]
# [docs] help.clicksend.com, inbound rules: the first ten that match fire, in order of creation.
_MOST_INBOUND = 10


def firing(rules: Iterable[Rule], row: Mapping[str, Any]) -> list[Rule]:
    """Return the rules that fire for a row, in order of creation."""
    matching = [rule for rule in rules if rule["enabled"] and _matches(rule, row)]
    if "from" in row:
        matching = matching[:_MOST_INBOUND]
    return matching


def _matches(rule: Rule, row: Mapping[str, Any]) -> bool:
    return _matches_receipt(rule, row) if "match_type" in rule else _matches_inbound(rule, row)


def _matches_receipt(rule: Rule, row: Mapping[str, Any]) -> bool:
    # [docs] ClickSend API v3, older: 0 all, 1 failed, 2 successful.
    failed = str(row["status_code"]) in {"301", "Failed"}
    wanted: int = rule["match_type"]
    return wanted == 0 or failed == (wanted == 1)


def _matches_inbound(rule: Rule, row: Mapping[str, Any]) -> bool:
    if rule["dedicated_number"] not in {"*", row["to"]}:
        return False
    body: str = row["body"].lower()
    term: str = rule["message_search_term"].lower()
    match rule["message_search_type"]:
        case 1:
            return body.startswith(term)
        case 2:
            return term in body
        case 3:
            return term not in body
        case _:
            return True
