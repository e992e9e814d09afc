"""Every reply the API may give is read, and nothing the documents promise is left out."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from msgspec.structs import fields

from aioclicksend import SendResult, api
from aioclicksend.models.base import Model

from .calls import result_of
from .facts import Fact, load, replies, sample

FACTS = load()
OPERATIONS = api.operations()

each = pytest.mark.parametrize("fact", FACTS, ids=repr)

NOT_TYPED = {
    # Only with `show_summary`, and by two documents that disagree; it is in `raw`.
    "_summary",
    # Of pagers, whose pages are walked by number or by the cursor.
    "per_page",
    "self_page_url",
    "next_page_url",
}


@pytest.mark.slow
@each
@settings(max_examples=50, suppress_health_check=[HealthCheck.too_slow])
@given(data=st.data())
def test_no_reply_is_refused(fact: Fact, data: st.DataObject) -> None:
    payload = data.draw(replies(fact.reply))
    if OPERATIONS[fact.key].name.endswith((".send", ".price")) and "messages" in str(fact.reply):
        # A send whose reply says nothing about messages has an unknown outcome.
        payload = {"messages": [], **payload} if isinstance(payload, dict) else {"messages": []}
    result_of(OPERATIONS[fact.key], enveloped(fact, payload))


@each
def test_every_documented_field_has_a_home(fact: Fact) -> None:
    result = result_of(OPERATIONS[fact.key], enveloped(fact, sample(fact.reply)))
    if fact.rows is not None:
        assert homeless([fact.rows], result) == set()
    elif fact.paged:
        (rows,) = (it for it in fact.reply.values() if isinstance(it, list))
        assert homeless(rows, result) == set()
    elif isinstance(result, Model | SendResult | list):
        tree = fact.reply
        if isinstance(result, list) and isinstance(tree, dict):
            (tree,) = (it for it in tree.values() if isinstance(it, list))
        assert homeless(tree, result) == set()


@each
def test_a_repr_shows_no_text(fact: Fact) -> None:
    harmless = ("status", "status_code", "message_id", "direction", "country", "code")
    reply = sample(fact.reply, lambda name: "1" if name in harmless else "a secret")
    result = result_of(OPERATIONS[fact.key], enveloped(fact, reply))
    structs = [it for it in (result if isinstance(result, list) else [result]) if it != "a secret"]
    assert "a secret" not in repr(structs)


def test_a_list_may_stand_in_another_object() -> None:
    rows = [{"long_url_id": "1"}, {"long_url_id": "2"}]
    operation = OPERATIONS["GET", "/v3/short-url/statistics/{source}/{source_id}"]
    assert [it.long_url_id for it in result_of(operation, {"data": rows})] == ["1", "2"]
    assert [it.long_url_id for it in result_of(operation, rows)] == ["1", "2"]


def enveloped(fact: Fact, payload: Any) -> Any:
    if fact.bare:
        return payload
    return {"http_code": 200, "response_code": "SUCCESS", "response_msg": "", "data": payload}


def homeless(tree: Any, value: Any, path: str = "") -> set[str]:
    """Return the fields of a tree that a value has no attribute for, or nothing in it."""
    if isinstance(tree, list):
        return homeless(tree[0], value[0], path + "[]") if value else {path}
    if not isinstance(tree, dict):
        return {path} if value in (None, "") and tree not in (None, "null") else set()
    others: Mapping[str, str] = {"_currency": "currency"}
    names = {name: name for name in value.__struct_fields__}
    if isinstance(value, Model):
        names = {it.encode_name: it.name for it in fields(value)}
        others = value.also_known_as
    missing = set()
    for name, inner in tree.items():
        if name in NOT_TYPED or name == "$nullable":
            continue
        here, known = f"{path}.{name}", names.get(others.get(name) or name)
        missing |= {here} if known is None else homeless(inner, getattr(value, known), here)
    return missing
