"""Texts with fields: ``Hi {name|friend}``."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from .columns import Columns
from .errors import CampaignError

_LONGEST_NAME = 60
_tokens = re.compile(
    r"(?P<twin>\{\{|\}\})"
    r"|\{(?P<name>[^{}|]*)(?:\|(?P<default>[^{}]*))?\}"
    r"|(?P<stray>[{}])"
).finditer


_FOREIGN = tuple(
    re.compile(pattern)
    for pattern in (
        r"\{\{\{?(?P<name>[^{}|]+)(?:\|[^{}]*)?\}\}\}?",
        r"\[\[?(?P<name>[^][]+)\]\]?",
        r"%%?(?P<name>[^%\s](?:[^%]*[^%\s])?)%%?",
        r"%\((?P<name>[^()]+)\)s",
        r"<<?(?P<name>[^<>]+)>>?",
        r"«(?P<name>[^«»]+)»",
        r"\*\|(?P<name>[^*|]+)\|\*",
        r"#(?P<name>[^\s#]+)#",
        r"\$(?P<name>[A-Za-z_]\w*)",
    )
)
"""How other programs write fields: Mustache, Word, Mailchimp, shells and the like."""


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
    nothing else to it. A column's name in the placeholders of other programs, as ``[name]`` or
    ``{{name}}``, is taken for a mistake: it would go out as it stands, to everybody.

    Args:
        text: the text; a byte order mark before it and the carriage returns of Windows are dropped.
        columns: where its fields are to be found.

    Raises:
        CampaignError: a brace is left over, a field is no column, or it is written otherwise.

    """

    def __init__(self, text: str, columns: Columns) -> None:
        self.columns: dict[str, str] = {}
        """The column of each field."""
        self._fields: list[_Field] = []
        text = text.removeprefix("\ufeff").replace("\r\n", "\n")
        _check_foreign(text, columns)
        end = 0
        frame = ""
        for token in _tokens(text):
            frame += text[end : token.start()].replace("%", "%%")
            end = token.end()
            if token["stray"]:
                raise CampaignError(
                    f"text, character {token.start() + 1}: a {token['stray']} without its partner; "
                    f"write {token['stray'] * 2} for the brace itself"
                )
            if token["twin"]:
                frame += token["twin"][0]
            else:
                name = token["name"].strip()
                self.columns[name] = _column(name, columns)
                default = token["default"]
                self._fields.append(
                    _Field(self.columns[name], None if default is None else default.strip())
                )
                frame += "%s"
        self._frame = frame + text[end:].replace("%", "%%")
        if not text.strip():
            raise CampaignError("text: is empty")

    def render(self, cells: Mapping[str, str]) -> str:
        """Return the text for a row.

        Raises:
            MissingField: the row has nothing for a field without a default.

        """
        values = [cells.get(column) or default for column, default in self._fields]
        if None in values:
            raise MissingField(self._fields[values.index(None)].column)
        return self._frame % tuple(values)


def _check_foreign(text: str, columns: Columns) -> None:
    """Make sure that no column is named in a placeholder of another kind.

    Raises:
        CampaignError: one is.

    """
    for style in _FOREIGN:
        for found in style.finditer(text):
            # Of contact.first_name the last part is what the column is called.
            name = found["name"].strip()
            for part in {name, name.rpartition(".")[2]}:
                if len(part) <= _LONGEST_NAME and columns.called(part) is not None:
                    raise CampaignError(
                        f"text: {found.group()[: _LONGEST_NAME + 6]} would not be replaced, though "
                        f"there is such a column: write {{{part}}}"
                    )
    for found in _dollar_field(text):
        # "${amount}" is an amount in dollars, "${name}" a field of a shell or of JavaScript.
        name = found["name"].partition("|")[0].strip()
        column = columns.find(name) if name else None
        if column is not None and not _are_amounts(columns.values(column)):
            raise CampaignError(f"text: ${{{name}}} would be sent with its $: write {{{name}}}")


_dollar_field = re.compile(r"(?<!\{)\$\{(?P<name>[^{}]+)\}").finditer


def _are_amounts(values: Sequence[str]) -> bool:
    """Whether what a column holds looks like amounts of money; if nothing is known, it may."""
    return all(value.lstrip("-+ ")[:1].isdigit() for value in values)


def _column(name: str, columns: Columns) -> str:
    found = columns.find(name) if name else None
    if found is None:
        raise CampaignError(f"text: there is no column for {{{name}}}; {columns.listed(name)}")
    return found
