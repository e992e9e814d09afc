"""Examples for the operations the sandbox does not model, built from their documented shapes.

`shapes.json` holds one tree for each: names and types, `@n` for a tree several of them share.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from importlib import resources
from typing import Any, cast
from urllib.parse import quote

from . import prices
from .calls import Call, whole
from .files import EXAMPLES
from .pages import paginate
from .paths import PathTable
from .replies import Reply, envelope

#: Names an example on the wire: it knows nothing of what was asked or done before.
MARK = {"X-Sandbox": "example"}
_Tree = dict[str, Any]
_List = list[object]
_ROWS = 3
_NOW = 1_700_000_000
_ISO = "2023-11-14T22:13:20.000Z"
_MONEY = ("price", "amount", "balance", "cost", "credit")
_KNOWN_VALUES: dict[str, Any] = {
    **prices.full_currency("AUD"),
    "country": "AU",
    "country_code": "AU",
    "code": "AU",
    "recipient_country_code": "AU",
    "sender_country_code": "AU",
    "address_country": "AU",
    "phone_number": "+61411111111",
    "dedicated_number": "+61411111111",
    "user_phone": "+61411111111",
    "to": "+61411111111",
    "email": "user@example.com",
    "user_email": "user@example.com",
    "email_address": "user@example.com",
    "timezone": "Australia/Melbourne",
    "lang": "en-au",
    "voice": "female",
    "status": "Completed",
    "total_count": "1",
}


@dataclass(frozen=True, slots=True)
class Shape:
    """What one operation answers."""

    method: str
    path: str
    data: Any
    envelope: bool = True
    status: int = 200
    pages: str = ""
    beside: Mapping[str, Any] | None = None

    def reply(self, call: Call) -> Reply:
        """Build the example."""
        if self.pages:
            rows = [_Example(call.base, row).build(self.data[0]) for row in range(1, _ROWS + 1)]
            beside = _Example(call.base, 1).build(self.beside or {})
            content = _PAGERS[self.pages](self, call, rows) | beside
        else:
            content = _Example(call.base, 1).build(self.data)
        if not self.envelope:
            # [docs] ClickSend API v3: deleting some of these answers without a body.
            reply = Reply(self.status, b"" if content is None else content)
        else:
            reply = envelope(self.status, "SUCCESS", "This is an example.", content)
        reply.headers |= MARK
        return reply


@cache
def load() -> tuple[Shape, ...]:
    """Read the shapes. Nobody needs them before an operation is called that is not modelled."""
    text = resources.files("aioclicksend.sandbox").joinpath("shapes.json").read_text("utf-8")
    stored = json.loads(text)
    return tuple(
        Shape(**{name: _expand(value, stored["shared"]) for name, value in row.items()})
        for row in stored["operations"]
    )


def _expand(tree: Any, shared: Sequence[Any]) -> Any:
    if isinstance(tree, dict):
        return {name: _expand(value, shared) for name, value in cast("_Tree", tree).items()}
    if isinstance(tree, list):
        return [_expand(value, shared) for value in cast("_List", tree)]
    if isinstance(tree, str) and tree.startswith("@"):
        return _expand(shared[int(tree[1:])], shared)
    return tree


@cache
def _table() -> PathTable[Shape]:
    table = PathTable[Shape]()
    # A path that names a thing goes before one that has a place for any.
    for shape in sorted(load(), key=lambda shape: shape.path.count("{")):
        table.add(shape.method, shape.path, shape)
    return table


def find(method: str, raw_path: str) -> tuple[Shape, dict[str, str]] | None:
    """Return the shape of a request and the values in the path."""
    return _table().find(method, raw_path)


# Values


@dataclass(frozen=True, slots=True)
class _Example:
    base: str
    row: int

    def build(self, tree: Any, name: str = "") -> Any:
        if isinstance(tree, dict):
            return {key: self.build(value, key) for key, value in cast("_Tree", tree).items()}
        if isinstance(tree, list):
            return [self.build(value, name) for value in cast("_List", tree)]
        if isinstance(tree, str) and tree.startswith("="):
            return tree[1:]
        return None if tree is None else self._leaf(tree, name)

    def _leaf(self, kind: str, name: str) -> Any:
        return {
            "int": self._number(name),
            "number": 0.077 if any(word in name for word in _MONEY) else self.row,
            "bool": True,
            "uuid": f"00000000-0000-4000-8000-{self.row:012d}",
            "url": f"{self.base}{EXAMPLES}{name.strip('_')}.csv",
            "time": _ISO,
            "unix": str(_NOW),
            "str": self._text(name),
        }[kind]

    def _number(self, name: str) -> int:
        if name.startswith(("date", "timestamp")) or name in {"schedule", "agreed_at"}:
            return _NOW
        return self.row if name.endswith("id") else 1

    def _text(self, name: str) -> str:
        if name in _KNOWN_VALUES:
            return str(_KNOWN_VALUES[name])
        if name.endswith(("_timestamp", "_at")):
            return _ISO
        if name.endswith("url"):
            return f"{self.base}{EXAMPLES}{name.strip('_')}.csv"
        if name.startswith(("date", "timestamp")) or name == "schedule":
            return str(_NOW)
        if any(word in name for word in _MONEY):
            return "1.0000"
        return f"{name} {self.row}"


# Pagers


def _plain(shape: Shape, call: Call, rows: list[Any]) -> dict[str, Any]:
    return paginate(call, rows, shape.path.removeprefix("/v3/"))


def _slice(call: Call, rows: list[Any], size: str, most: int) -> tuple[list[Any], int, int]:
    """Cut a page by an opaque offset; return it, its size and the place after it."""
    count = min(max(whole(call.query.get(size), 10), 1), most)
    start = whole(call.query.get("offset", "").rpartition("#")[2], 0)
    return rows[start : start + count], count, start + count


def _cursor(shape: Shape, call: Call, rows: list[Any]) -> dict[str, Any]:
    page, size, after = _slice(call, rows, "page_size", 500)
    address = f"{shape.path}?page_size={size}"
    # [docs] ClickSend API v3: the cursor has a # in it.
    follows = f"{address}&offset={quote(f'sandbox#{after}', safe='')}" if after < _ROWS else None
    pagination = {"self": address, "next": follows, "page_size": size}
    return {shape.pages: page, "_metadata": {"pagination": pagination}}


def _senders(_shape: Shape, call: Call, rows: list[Any]) -> dict[str, Any]:
    page, size, after = _slice(call, rows, "per_page", 500)
    # [docs] ClickSend API v3: another path of another version.
    address = f"https://api.clicksend.com/v4/sender_assignment_settings?per_page={size}"
    return {
        "data": page,
        "per_page": size,
        "self_page_url": address,
        "next_page_url": f"{address}&offset={after}" if after < _ROWS else None,
    }


def _tracking(shape: Shape, call: Call, rows: list[Any]) -> dict[str, Any]:
    page, size, after = _slice(call, rows, "per_page", 100)
    path = shape.path.replace("{long_url_id}", quote(call.path["long_url_id"], safe=""))
    address = f"https://api.clicksend.com{path}?offset="
    before = after - 2 * size
    return {
        "total": _ROWS,
        "per_page": size,
        "current_page_size": len(page),
        "prev_page_url": f"{address}{before}" if before >= 0 else None,
        "next_page_url": f"{address}{after}" if after < _ROWS else None,
        "data": page,
    }


_PAGERS = {
    "page": _plain,
    "own_numbers": _cursor,
    "senders": _senders,
    "tracking": _tracking,
}
