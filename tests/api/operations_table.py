"""The table in docs/operations.md: ``python -m tests.api.operations_table`` prints it."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cached_property

from aioclicksend import BasicAuth, ClickSend, api
from aioclicksend.groups import Groups
from aioclicksend.rest import Group

BEGIN, END = "<!-- operations -->", "<!-- /operations -->"


def groups() -> Iterator[tuple[str, Group]]:
    """Yield all groups of a client, by the attribute that leads to them."""
    client = ClickSend(auth=BasicAuth("nobody", "nothing"))
    for name, attribute in vars(Groups).items():
        if isinstance(attribute, cached_property):
            yield from _below(f"client.{name}", getattr(client, name))


def table() -> str:
    """Return the table, one row a group."""
    names: dict[str, list[str]] = {}
    for operation in api.operations().values():
        group, _, method = operation.name.partition(".")
        names.setdefault(group, []).append(f"`{method.removeprefix('_')}`")
    lines = ["| group | operations |", "|---|---|"]
    for path, kind in groups():
        if operations := names.get(type(kind).__name__):
            lines.append(f"| `{path}` | {' '.join(operations)} |")
    return "\n".join(lines)


def _below(path: str, group: Group) -> Iterator[tuple[str, Group]]:
    yield path, group
    for name, inner in vars(group).items():
        if isinstance(inner, Group):
            yield from _below(f"{path}.{name}", inner)


if __name__ == "__main__":
    print(f"{BEGIN}\n{table()}\n{END}")  # noqa: T201
