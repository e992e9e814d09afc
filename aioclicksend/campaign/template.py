"""Texts with fields: ``Hi {name|friend}``."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import NamedTuple

from .columns import Columns
from .errors import CampaignError

_tokens = re.compile(
    r"(?P<twin>\{\{|\}\})"
    r"|\{(?P<name>[^{}|]*)(?:\|(?P<default>[^{}]*))?\}"
    r"|(?P<stray>[{}])"
).finditer


class MissingField(ValueError):
    """A row has nothing for a field that has no default."""

    def __init__(self, column: str) -> None:
        super().__init__(f"{column} is empty")
        self.column = column


class _Field(NamedTuple):
    column: str
    default: str | None


class Template:
    """A text in which ``{field}`` stands for a cell of the row.

    ``{field|default}`` is for rows whose cell is empty, ``{{`` and ``}}`` are braces. There is
    nothing else to it.

    Args:
        text: the text.
        columns: where its fields are to be found.

    Raises:
        CampaignError: a brace is left over, or a field is no column.

    """

    def __init__(self, text: str, columns: Columns) -> None:
        self.columns: dict[str, str] = {}
        """The column of each field."""
        self._parts: list[str | _Field] = []
        end = 0
        for token in _tokens(text):
            self._parts.append(text[end : token.start()])
            end = token.end()
            if token["stray"]:
                raise CampaignError(
                    f"text, character {token.start() + 1}: a {token['stray']} without its partner; "
                    f"write {token['stray'] * 2} for the brace itself"
                )
            if token["twin"]:
                self._parts.append(token["twin"][0])
            else:
                name = token["name"].strip()
                self.columns[name] = _column(name, columns)
                self._parts.append(_Field(self.columns[name], token["default"]))
        self._parts.append(text[end:])
        if not text.strip():
            raise CampaignError("text: is empty")

    def render(self, cells: Mapping[str, str]) -> str:
        """Return the text for a row.

        Raises:
            MissingField: the row has nothing for a field without a default.

        """
        return "".join(
            part if part.__class__ is str else _filled(part, cells)  # type: ignore[arg-type]
            for part in self._parts
        )


def _column(name: str, columns: Columns) -> str:
    found = columns.find(name) if name else None
    if found is None:
        raise CampaignError(f"text: there is no column for {{{name}}}; {columns.listed(name)}")
    return found


def _filled(field: _Field, cells: Mapping[str, str]) -> str:
    value = cells.get(field.column) or field.default
    if value is None:
        raise MissingField(field.column)
    return value
