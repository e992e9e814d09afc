"""Rows of cells below a heading, from any type of file.

One reader serves the list and the opt-outs. Its promise: each row of a file comes out of it, as
cells or as a problem with the row's number and its raw texts, or the file is refused. Nothing is
skipped but what is empty.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Generator, Iterable, Mapping, Sequence
from contextlib import closing
from itertools import islice
from typing import NamedTuple, Protocol, runtime_checkable

from ..errors import CampaignError
from .columns import is_heading
from .numbers import looks_like_number

_SAMPLE_ROWS = 200
_SAMPLE_CELLS = 20_000
_CONTROLS = dict.fromkeys([*range(9), 0x0B, 0x0C, *range(0x0E, 0x20), 0x7F])
_MARKS = "".join(
    map(
        chr,
        [
            *(0xAD, 0x034F, 0x115F, 0x1160, 0x180E, 0x2800, 0x3164, 0xFEFF, 0xFFA0),
            *range(0x200B, 0x2010),
            *range(0x202A, 0x202F),
            *range(0x2060, 0x2070),
        ],
    )
)
"""Characters that show nothing. Variation selectors are none of them: emoji end in them."""
_BLANKS = "".join(chr(it) for it in range(0x3001) if chr(it).isspace()) + _MARKS
_as_formula = re.compile(r'="((?:[^"]|"")*)"').fullmatch
_is_undecoded = re.compile("[\udc80-\udcff]").search


class Row(NamedTuple):
    """One row as it was read."""

    number: int
    """Its number in the spreadsheet, or its line; a heading is row 1."""
    cells: Mapping[str, str]
    """Texts by column, without space around them."""
    problem: str = ""
    """Why it cannot be read."""
    texts: Sequence[str] = ()
    """What stands in a row with a problem, as far as it could be divided."""
    is_hidden: bool = False
    """Whether a spreadsheet does not show it; then the problem says so, and it has its cells."""


Rows = Generator[Row, None, None]
Line = tuple[int, Sequence[str], str]
"""A row's number, its texts, and why it cannot be read."""
Lines = Generator[Line, None, None]
HIDDEN = "is hidden in the spreadsheet: show it, or delete it"


@runtime_checkable
class Table(Protocol):
    """The rows of a file, read from its start in each iteration and kept nowhere."""

    name: str
    format: str
    """How it was read, and what was guessed."""
    columns: list[str]
    fingerprint: str
    """A hash of its bytes."""
    unread: Sequence[str]
    """Parts of the file that are not read, such as other sheets."""

    def __iter__(self) -> Rows: ...


def sample(table: Table) -> list[Row]:
    """Return the first rows of a table, to see what its columns hold."""
    with closing(iter(table)) as rows:
        count = max(1, min(_SAMPLE_ROWS, _SAMPLE_CELLS // max(len(table.columns), 1)))
        return list(islice(rows, count))


class Grid:
    """Lines of cells below a heading; or without one, if the first line holds a phone number."""

    def __init__(
        self,
        name: str,
        kind: str,
        fingerprint: str,
        lines: Callable[[], Lines],
        *,
        is_plain: bool = False,
        unread: Sequence[str] = (),
    ) -> None:
        self.name = name
        self.format: str = kind
        self.fingerprint = fingerprint
        self.unread = unread
        self._lines = lines
        # What is plain ASCII without controls and formulas has nothing to be cleaned but blanks.
        self._clean: Callable[[str], str] = str.strip if is_plain else clean
        self._heading = 0
        self.heading: list[str] = []
        """The cells of the heading, as they stand there; none if there is no heading."""
        # Empty rows above a heading are layout, and no reason to refuse.
        with closing(lines()) as started:
            first = next((it for it in started if it[2] or any(map(self._clean, it[1]))), None)
        if first is None:
            raise CampaignError(f"{self.name} has no rows")
        number, texts, problem = first
        # Without its heading nothing of a table can be trusted. A hidden one is a heading still.
        if problem and problem != HIDDEN:
            raise CampaignError(f"{self.name}, row {number}: {problem}")
        cells = list(map(self._clean, texts))
        if any(map(_is_undecoded, cells)):
            raise CampaignError(f"{self.name}, row {number}: {UNDECODED}")
        if is_heading(cells):
            self._heading = number
            self.heading = cells
            self.columns: list[str] = _unique(cells)
        else:
            self.format += ", no heading"
            # The only number of a row is the phone's; of two, either could be.
            phones = [cell for cell in cells if looks_like_number(cell)]
            self.columns = [
                "to" if [cell] == phones else str(place) for place, cell in enumerate(cells, 1)
            ]

    def __iter__(self) -> Rows:
        columns, width, clean = self.columns, len(self.columns), self._clean
        heading, new = self._heading, tuple.__new__
        for number, texts, problem in self._lines():
            if number <= heading:
                continue
            cells = list(map(clean, texts))
            if not problem and len(cells) == width:
                if any(cells):
                    row = dict(zip(columns, cells))  # noqa: B905 - the lengths were compared
                    # A NamedTuple's own constructor takes half as long as reading the row.
                    yield new(Row, (number, row, "", (), False))
                continue
            if problem == HIDDEN:
                cells += [""] * (width - len(cells))
                yield Row(number, dict(zip(columns, cells, strict=False)), HIDDEN, cells, True)  # noqa: FBT003
            elif problem:
                yield Row(number, {}, problem, cells)
            elif len(cells) > width and any(cells[width:]):
                # "Smith, Anna" without quotes moves each cell behind it by one: the number may
                # stand where the city should.
                why = (
                    f"has {len(cells)} cells below a heading of {width}: a cell that holds the "
                    "delimiter must be quoted"
                )
                yield Row(number, {}, why, cells)
            elif any(cells):
                # Spreadsheets leave empty cells at the end of a row out.
                cells += [""] * (width - len(cells))
                yield Row(number, dict(zip(columns, cells, strict=False)))


UNDECODED = "is not in the encoding of the rest: save the file as UTF-8, or give its encoding"


def clean(text: str) -> str:
    """Return a cell without what spreadsheets do not show: space, invisible marks, controls.

    A cell written as a formula for a text, ``="0411"``, is that text.
    """
    if text.isascii():
        if not text.isprintable():
            text = text.translate(_CONTROLS)
        text = text.strip()
    else:
        text = text.translate(_CONTROLS).strip(_BLANKS)
    if text.startswith('="') and (formula := _as_formula(text)):
        return clean(formula[1].replace('""', '"'))
    return text


def undecoded(texts: Iterable[str]) -> bool:
    """Whether a text holds bytes that could not be decoded."""
    return any(map(_is_undecoded, texts))


def _unique(names: Sequence[str]) -> list[str]:
    """Return column names, numbered where they are missing or repeated.

    Of repeated ones all are numbered, so that the plain name means none of them.
    """
    counts = Counter(names)
    taken: set[str] = set()
    unique: list[str] = []
    for place, name in enumerate(names, 1):
        wanted = name if name and counts[name] == 1 else f"{name} {place}".strip()
        if wanted in taken:
            wanted = f"{name or 'column'} {place}"
        while wanted in taken:
            wanted += "'"
        taken.add(wanted)
        unique.append(wanted)
    return unique
