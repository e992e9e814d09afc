"""What is known of the API, and replies made of it."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeAlias

from hypothesis import strategies as st

Tree: TypeAlias = Any
"""A type as the facts write it, shapes filled in."""

_FILE = Path(__file__).parent.parent / "facts" / "operations.json"

_PAGER = {
    "total": "int",
    "per_page": "int",
    "current_page": "int",
    "last_page": "int",
    "next_page_url": "str?",
    "prev_page_url": "str?",
    "from": "int?",
    "to": "int?",
}


class Fact:
    """One operation as its sources have it."""

    def __init__(self, entry: dict[str, Any], shapes: dict[str, Any]) -> None:
        self.key = (entry["method"], entry["path"])
        self.method, self.path = self.key
        self.paged: str | None = entry.get("paged")
        self.query = set(entry.get("query", ()))
        self.body = names_in(_filled(entry.get("body", {}), shapes))
        self.required = {*entry.get("required", ()), *entry.get("required_query", ())}
        self.bare: bool = entry.get("bare", False)
        self.rows: Tree = None
        if "rows" in entry:
            self.rows = _filled(entry["rows"], shapes)
            beside = _filled(entry.get("beside", {}), shapes)
            self.reply: Tree = {**_PAGER, "data": [self.rows], **beside}
        else:
            self.reply = _filled(entry["reply"], shapes)

    def __repr__(self) -> str:
        return f"{self.method} {self.path}"


def load() -> list[Fact]:
    """Return all facts."""
    document = json.loads(_FILE.read_text())
    return [Fact(entry, document["shapes"]) for entry in document["operations"]]


def names_in(tree: Tree, prefix: str = "") -> set[str]:
    """Return the names of all fields, as ``messages[].to``."""
    if isinstance(tree, dict):
        inner = [(f"{prefix}.{name}" if prefix else name, it) for name, it in tree.items()]
        return {name for name, _ in inner}.union(*(names_in(it, name) for name, it in inner))
    if isinstance(tree, list):
        return set[str]().union(*(names_in(it, f"{prefix}[]") for it in tree))
    return set[str]()


def sample(tree: Tree, text: Callable[[str], str] = lambda _name: "1", name: str = "") -> Any:
    """Return a reply as the documents promise it: every field there, and none null."""
    if isinstance(tree, dict):
        return {key: sample(it, text, key) for key, it in tree.items() if key != "$nullable"}
    if isinstance(tree, list):
        return [sample(tree[0], text, name)]
    if tree in (None, "null", "empty"):
        return None
    if tree.startswith(("int", "number")):
        return 1
    return True if tree.startswith("bool") else text(name)


def replies(tree: Tree) -> st.SearchStrategy[Any]:
    """Return a strategy for replies as the API is known to bend its own documents."""
    if isinstance(tree, dict):
        fields = {key: replies(it) for key, it in tree.items() if key != "$nullable"}
        always = {key for key, it in tree.items() if not str(it).endswith("*")}
        whole = st.fixed_dictionaries(
            {key: it for key, it in fields.items() if key in always},
            optional={key: it for key, it in fields.items() if key not in always}
            | {"not_in_the_documents": _ANYTHING},
        )
        part = st.fixed_dictionaries({}, optional=fields)
        # PHP writes an empty object as [], and some endpoints wrap an object in a list.
        return st.one_of(whole, part, whole.map(lambda it: [it]), st.sampled_from([None, [], {}]))
    if isinstance(tree, list):
        items = st.lists(replies(tree[0]), max_size=2)
        by_key = items.map(lambda it: {str(index): item for index, item in enumerate(it)})
        return st.one_of(items, by_key, st.sampled_from([None, [], {}, ""]))
    return _SCALARS[_kind_of(tree)]


def _kind_of(tree: str | None) -> str:
    if tree is None or tree.startswith(("null", "empty", "any", "obj")):
        return "any"
    return "text" if tree.startswith("str") and "|" not in tree else "number"


_TEXTS = ["", "1", "0", "01", "1.50", "-1", "SUCCESS", "+61411111111", "2026-01-02 03:04:05", "ü"]
_NUMBERS = [0, 1, 15, -1, 1.5, "", "0", "1", "0.0000", "29.00", "1,000.00", "10", None, True]
_TIMES = [1_700_000_000, "1700000000", "2026-01-02T03:04:05Z", "0000-00-00 00:00:00", 10**20]
_ODD: list[Any] = [None, [], {}, False, 2**70, float("nan"), "\ud800"]

_ANYTHING = st.sampled_from([*_TEXTS, *_NUMBERS, *_ODD, [1, "a", None], {"a": {"b": []}}])
_SCALARS = {
    "text": st.sampled_from([*_TEXTS, *_TIMES, *_ODD[:4], None, 7, 1.5]),
    "number": st.sampled_from([*_NUMBERS, *_TIMES, *_ODD, "a word", ["male", "female"]]),
    "any": _ANYTHING,
}


def _filled(tree: Tree, shapes: dict[str, Any]) -> Tree:
    if isinstance(tree, str) and tree.startswith("@"):
        return _filled(shapes[tree[1:]], shapes)
    if isinstance(tree, dict):
        return {key: _filled(it, shapes) for key, it in tree.items()}
    if isinstance(tree, list):
        return [_filled(it, shapes) for it in tree]
    return tree
