"""Texts with fields: ``Hi {name|friend}``."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import NamedTuple

from ..errors import CampaignError
from .columns import Columns

_LONGEST_NAME = 60
_tokens = re.compile(
    r"(?P<twin>\{\{|\}\})"
    r"|\{(?P<name>[^{}|]*)(?:\|(?P<default>[^{}]*))?\}"
    r"|(?P<stray>[{}])"
).finditer


_BRACKETS = (
    r"\{\{\{?(?P<name>[^{}]+)\}\}\}?",
    r"\[\[?(?P<name>[^][]+)\]\]?",
    r"%%?(?P<name>[^%\s](?:[^%]*[^%\s])?)%%?",
    r"%\((?P<name>[^()]+)\)s",
    r"<<?(?P<name>[^<>]+)>>?",
    r"«(?P<name>[^«»]+)»",
    r"‹(?P<name>[^‹›]+)›",  # noqa: RUF001 - quotes around names
    r"【(?P<name>[^【】]+)】",
    r"｛(?P<name>[^｛｝]+)｝",  # noqa: RUF001 - full-width braces
    r"&lt;(?P<name>[^&;]+)&gt;",
    r"\*\|(?P<name>[^*|]+)\|\*",
    r"#(?P<name>[^\s#]+)#",
    r"\$\(?(?P<name>[A-Za-z_]\w*)\)?",
)
_LOOSE = (
    r"\((?P<name>[^()]{3,60})\)",
    r"(?<!\w)(?P<mark>[~_|!^`=*+@:-]{1,2})(?P<name>\w[^\n]{1,60}?)(?P=mark)(?!\w)",
    r"(?<![\w:/@%.])[:@%](?P<name>[^\W\d]\w{2,60})",
)
"""Signs that also stand in prose: these count only around the very name of a column."""
_FOREIGN = tuple(re.compile(pattern) for pattern in (*_BRACKETS, *_LOOSE))
"""How other programs write fields: Mustache, Word, Mailchimp, SQL, shells, dashboards."""
_own_fields = re.compile(r"\{(?P<name>[^{}]+)\}")
_ROW_STYLES = (_own_fields, *map(re.compile, _BRACKETS))
_may_hold_field = re.compile(r"[{\[%<«‹【｛&#$]|\*\|").search  # noqa: RUF001


class MissingField(ValueError):
    """A row has nothing for a field that has no default."""

    def __init__(self, column: str, why: str = "is empty") -> None:
        super().__init__(f"{column} {why}")
        self.column = column


class _Field(NamedTuple):
    column: str
    default: str | None


class Template:
    """A text in which ``{field}`` stands for a cell of the row.

    ``{field|default}`` is for rows whose cell is empty, or says so as programs do (``NULL``);
    ``{{`` and ``}}`` are braces. There is nothing else to it. A column's name in the placeholders
    of other programs, as ``[name]`` or ``{{name}}``, is taken for a mistake: it would be sent as it
    stands, to all recipients.

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
                if default is not None and default.startswith("|"):
                    raise CampaignError(f"text: write {{{name}|default}} with one |, not two")
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
        # By "%" and not by replacing: what stands in a cell is never read as a field itself.
        values = [cells.get(column) or default for column, default in self._fields]
        if not NO_VALUE.isdisjoint(values):
            values = [self._value(cells, *field) for field in self._fields]
        if None in values:
            raise MissingField(self._fields[values.index(None)].column)
        return self._frame % tuple(values)

    def _value(self, cells: Mapping[str, str], column: str, default: str | None) -> str | None:
        cell = cells.get(column) or default
        if cell in _ERRORS:
            raise MissingField(column, f"holds an error of a spreadsheet: {cell}")
        return default if cell in _NULLS else cell


_NULLS = frozenset({"NULL", "null", "(null)", "NaN", "nan", "<NA>", "\\N", "undefined"})
"""How databases, pandas and JavaScript export an empty cell, which is no name for a person."""
_ERRORS = frozenset({"#N/A", "#REF!", "#NAME?", "#VALUE!", "#DIV/0!", "#NULL!", "#NUM!", "#SPILL!"})
NO_VALUE = _NULLS | _ERRORS


def field_in(text: str, columns: Columns) -> str:
    """Return a placeholder in a text of a row that names a column; an empty text if none does.

    Such texts are taken as they are, so that it would be sent as it stands.
    """
    if not _may_hold_field(text):
        return ""
    return next((found for found, _ in _placeholders(text, columns, _ROW_STYLES)), "")


def _placeholders(
    text: str, columns: Columns, styles: Iterable[re.Pattern[str]]
) -> Iterator[tuple[str, str]]:
    """Yield what looks like a placeholder of a column, and the column."""
    for style in styles:
        for found in style.finditer(text):
            for part in _parts(found["name"]):
                column = columns.called(part) if len(part) <= _LONGEST_NAME else None
                if column is not None:
                    yield found.group()[: _LONGEST_NAME + 6], column
                    break


def _parts(name: str) -> Iterator[str]:
    """Yield what of a placeholder may be the name of a column."""
    # Of {{contact.first_name}} the last part, of [name|friend] the first.
    # Signs of the other language within the brackets: <%= name %>, [*name*], {{#name}}.
    name = name.strip(" %*!?=$#/-")
    yield name
    yield _ends.split(name, maxsplit=1)[0].strip()
    yield _begins.split(name)[-1].strip()


def _check_foreign(text: str, columns: Columns) -> None:
    """Make sure that no column is named in a placeholder of another kind.

    Raises:
        CampaignError: one is.

    """
    for found, column in _placeholders(text, columns, _FOREIGN):
        raise CampaignError(
            f"text: {found} would not be replaced, though there is such a column: "
            f"write {{{column}}}"
        )
    for dollar in _dollar_field(text):
        # "${amount}" is an amount in dollars, "${name}" a field of a shell or of JavaScript.
        name = dollar["name"].partition("|")[0].strip()
        named = columns.find(name) if name else None
        if named is not None and not _are_amounts(columns.values(named)):
            raise CampaignError(f"text: ${{{name}}} would be sent with its $: write {{{name}}}")


_ends = re.compile(r"\||\bor\b|\?\?")
_begins = re.compile(r"[.:]|->")
_dollar_field = re.compile(r"(?<!\{)\$\{(?P<name>[^{}]+)\}").finditer


def _are_amounts(values: Sequence[str]) -> bool:
    """Whether what a column holds looks like amounts of money; if nothing is known, it may."""
    return all(value.lstrip("-+ ")[:1].isdigit() for value in values)


def _column(name: str, columns: Columns) -> str:
    found = columns.find(name) if name else None
    if found is None:
        raise CampaignError(f"text: there is no column for {{{name}}}; {columns.listed(name)}")
    return found
