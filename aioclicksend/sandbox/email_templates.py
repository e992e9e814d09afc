"""Endpoints of email templates and of the master templates they begin with."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from .calls import Call, need, text, whole
from .crud import Table
from .files import EXAMPLES
from .pages import paginate
from .replies import bad_request, not_found

_CATEGORIES = {1: "Newsletters", 2: "Notices"}
_MASTERS: dict[int, tuple[str, int]] = {
    11: ("Plain letter", 1),
    12: ("Two columns", 1),
    21: ("Receipt", 2),
}
_DATE = 1_600_000_000


def _body(master: int) -> str:
    return f"<html><body><h1>{_MASTERS[master][0]}</h1></body></html>"


def _master(call: Call, master: int) -> dict[str, Any]:
    picture = f"{call.base}{EXAMPLES}{master}"
    return {
        "template_id_master": master,
        "template_name": _MASTERS[master][0],
        "date_added": _DATE,
        "body": _body(master),
        "thumbnail": {
            "small": f"{picture}-small.png",
            "large": f"{picture}-large.png",
        },
    }


def masters(call: Call) -> list[dict[str, Any]]:
    """List the master templates: a bare list; `page` has no effect."""
    return [_master(call, master) for master in _MASTERS]


def get_master(call: Call) -> dict[str, Any]:
    """Return one master template."""
    master = call.number("template_id")
    if master not in _MASTERS:
        raise not_found("Master template record not found.")
    return _master(call, master)


def categories(_call: Call) -> list[dict[str, Any]]:
    """List the categories of master templates."""
    return [{"category_id": number, "category_name": name} for number, name in _CATEGORIES.items()]


def _category(call: Call) -> int:
    number = call.number("category_id")
    if number not in _CATEGORIES:
        raise not_found("Category record not found.")
    return number


def get_category(call: Call) -> dict[str, Any]:
    """Return one category, whose name is called otherwise than in the list."""
    number = _category(call)
    # [docs] ClickSend API v3: `category_name` in the list, `name` here.
    return {"category_id": number, "name": _CATEGORIES[number]}


def category_masters(call: Call) -> list[dict[str, Any]]:
    """List the master templates of one category."""
    number = _category(call)
    return [
        {**_master(call, master), "category_id": number}
        for master, (_, category) in _MASTERS.items()
        if category == number
    ]


def _read(call: Call, before: Mapping[str, Any]) -> dict[str, Any]:
    if before:
        fields = call.fields({"template_name", "body"})
        need(fields, "body")
        name = text(fields, "template_name") or before["template_name"]
        return {"template_name": name, "body": text(fields, "body")}
    fields = call.fields({"template_name", "template_id_master"})
    need(fields, "template_name", "template_id_master")
    master = whole(fields["template_id_master"], -1)
    if master not in _MASTERS:
        raise bad_request("The template_id_master field names no master template.")
    return {
        "template_id_master": master,
        "template_name": text(fields, "template_name"),
        "body": _body(master),
    }


TEMPLATES = Table(path="email/templates", key="template_id", missing="Template", read=_read)


def walk(call: Call) -> dict[str, Any]:
    """List the templates by name, without their bodies."""
    rows = list(TEMPLATES.rows(call).values())
    names = ("template_id", "template_name")
    return paginate(call, rows, TEMPLATES.path, lambda row: {name: row[name] for name in names})
