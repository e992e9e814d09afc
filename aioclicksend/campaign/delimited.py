"""CSV files: how their cells are divided, and what to do where quotes are broken.

An unclosed quote takes in everything up to the next quote: other people's rows become part of one
cell, silently. So a record over several lines is looked at twice, as the one row it is and as the
lines it stands in. Where lines read as separate rows, or the quotes do not fit, none of
those lines is trusted, and each is reported under its own number.
"""

from __future__ import annotations

import contextlib
import csv
import io
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from typing import Any, NamedTuple, TextIO

from ..errors import CampaignError
from .columns import is_known_heading, is_number_heading
from .encoding import Encoding
from .file import File
from .numbers import looks_like_number
from .table import UNDECODED, Lines, clean, undecoded

_DELIMITERS = ",;\t|"
_SAMPLE_ROWS = 200
_single_quoted = re.compile(r"(?:^|[,;\t|])'[^'\r\n]*'(?=[,;\t|]|$)").search
_separator_line = re.compile(r'(?:"sep=(.)"|sep=(.))\r?\n', re.IGNORECASE).match
"""What Excel writes, and reads, before a table."""


class Dialect(NamedTuple):
    """How cells are divided."""

    delimiter: str
    quote: str = '"'
    escape: str | None = None
    skip: int = 0
    """Lines before the table: Excel's ``sep=;``."""
    is_spaced: bool = False
    """Whether a space follows the delimiter."""


def dialect_of(sample: str, delimiter: str | None) -> Dialect:
    """Return how the cells of a file are divided, by its beginning.

    Raises:
        CampaignError: the delimiter that was given is none.

    """
    skip = 0
    # Excel obeys this line without showing it, so people do not know that it is there.
    if line := _separator_line(sample):
        delimiter, skip = delimiter or line[1] or line[2], 1
        sample = sample[line.end() :]
    if delimiter is not None and (len(delimiter) != 1 or delimiter in '"\r\n'):
        raise CampaignError("delimiter: must be one character")
    heading = sample.partition("\n")[0].strip()
    # MySQL and others escape a quote by a backslash where CSV doubles it.
    escape = "\\" if re.search(r'\\"[^,;\t|\r\n"]', sample) else None

    def dialect(quote: str) -> Dialect:
        rated = {mark: _agreement(sample, Dialect(mark, quote, escape)) for mark in _DELIMITERS}
        mark = delimiter or max(rated, key=lambda it: rated[it])
        return Dialect(mark, quote, escape, skip, f"{mark} " in heading)

    if heading[:1] == heading[-1:] == "'":
        return dialect("'")
    if _may_be_single_quoted(sample) and _is_readable(sample, single := dialect("'")):
        return single
    return dialect('"')


def _may_be_single_quoted(sample: str) -> bool:
    """Whether most lines have a cell in single quotes, and none a double one."""
    lines = sample.splitlines()[1:_SAMPLE_ROWS]
    # An apostrophe may begin a number in a spreadsheet, but then none ends it.
    in_quotes = sum(map(bool, map(_single_quoted, lines)))
    return '"' not in sample and in_quotes * 2 > len(lines)


def _is_readable(sample: str, dialect: Dialect) -> bool:
    """Whether each cell ends with its closing quote."""
    try:
        for _ in islice(_reader(io.StringIO(sample, newline=""), dialect), _SAMPLE_ROWS):
            pass
    except csv.Error as error:
        return "expected after" not in str(error)  # the sample may end within quotes
    return True


def _agreement(sample: str, dialect: Dialect) -> tuple[float, bool, int]:
    """Return how many rows have as many cells as the first, if it names columns, and its cells."""
    reader = _reader(io.StringIO(sample, newline=""), dialect)
    first: Sequence[str] = ()
    widths: Counter[int] = Counter()
    with contextlib.suppress(csv.Error):  # the sample may end within quotes
        for cells in islice(reader, _SAMPLE_ROWS):
            first = first or cells
            if cells:
                widths[len(cells)] += 1
    if len(first) < 2:
        return 0.0, False, 0
    # The true delimiter makes rows of one width; commas within texts do not.
    agreeing = widths[len(first)] / widths.total()
    return agreeing, any(map(is_known_heading, first)), len(first)


def _reader(lines: Iterable[str], dialect: Dialect) -> Any:
    return csv.reader(
        lines,
        delimiter=dialect.delimiter,
        quotechar=dialect.quote,
        escapechar=dialect.escape,
        skipinitialspace=True,
        # Else a quote in the middle of a cell is taken as it comes, and rows with it.
        strict=True,
    )


class Delimited:
    """The lines of a CSV file; called, it reads them from the start."""

    def __init__(self, file: File, encoding: Encoding, dialect: Dialect) -> None:
        self._file = file
        self._encoding = encoding
        self._dialect = dialect
        self._may_be_undecoded = encoding.errors != "strict"

    def __call__(self) -> Lines:
        """Yield the lines, each with its number and what is wrong with it."""
        with self._file.text(self._encoding) as text:
            for _ in range(self._dialect.skip):
                text.readline()
            try:
                yield from self._records(text)
            except UnicodeError:
                raise undecodable(self._file, self._encoding) from None

    def _records(self, text: TextIO) -> Lines:
        held: list[str] = []
        """The lines of the record that is being read."""

        def lines() -> Iterator[str]:
            for line in text:
                held.append(line)
                yield line

        reader = _reader(lines(), self._dialect)
        number = width = 0
        numbers: set[int] = set()
        """Where the heading says that numbers stand."""
        while True:
            why = ""
            try:
                for cells in reader:
                    if len(held) > 1 and self._takes_in_rows(cells, held, width, numbers):
                        why = "takes in what looks like rows"
                        break
                    number += 1
                    if not width:
                        width = len(cells)
                        numbers = _places_of_numbers(cells)
                    is_bad = self._may_be_undecoded and undecoded(cells)
                    yield number, cells, UNDECODED if is_bad else ""
                    held.clear()
                else:
                    return
            except csv.Error as error:
                why = self._reason(str(error), number + 1, reader.line_num, len(held))
            if len(held) > 1:
                begin = reader.line_num - len(held) + 1
                why = (
                    f"a quote opened in line {begin} {why} up to line {reader.line_num}: close it, "
                    "or double the quotes that are part of a text"
                )
            # Each under its own number, so that its person is found again in the report.
            for line in held:
                number += 1
                yield number, self._divided(line), why
            held.clear()

    def _reason(self, error: str, number: int, line: int, lines: int) -> str:
        """Return why a record cannot be read.

        Raises:
            CampaignError: nothing behind it can be read, either.

        """
        if "field limit" in error and lines == 1:
            return f"a cell is too large: it has more than {csv.field_size_limit():,} characters"
        if "expected after" not in error:
            # Everything behind it stands within those quotes, so no row of it can be named.
            far = f" within {csv.field_size_limit():,} characters" if "field limit" in error else ""
            raise CampaignError(
                f"{self._file.name}, row {number}: a quote opened in line {line - lines + 1} is "
                f"{'not' if far else 'never'} closed{far}"
            )
        return (
            "a quote stands within a quoted cell" if lines == 1 else "is not closed as it should be"
        )

    def _divided(self, line: str) -> list[str]:
        """Return the cells of a line by its delimiters alone."""
        return [
            it.strip(self._dialect.quote + " \r\n") for it in line.split(self._dialect.delimiter)
        ]

    def _takes_in_rows(
        self, cells: Sequence[str], lines: Sequence[str], width: int, numbers: set[int]
    ) -> bool:
        """Whether a cell over several lines holds rows of the table.

        They show by too many cells; by a number where the table or the row itself has its own; or,
        in a table of three columns or more, by having as many cells in each line.
        """
        delimiter = self._dialect.delimiter
        # A cell that holds the end of one row and the beginning of the next.
        if len(cells) > width > 0:
            return True
        if width > 2 and all(line.count(delimiter) == width - 1 for line in lines):
            return True
        places = numbers | {at for at, it in enumerate(cells) if looks_like_number(clean(it))}
        for column, cell in enumerate(cells):
            if "\n" not in cell and "\r" not in cell:
                continue
            inner = cell.splitlines()
            for place, line in enumerate(inner):
                parts = line.split(delimiter)
                start = column if place == 0 else 0
                goes_on = place == len(inner) - 1 and column < len(cells) - 1
                if start + len(parts) + goes_on < min(width, 2):
                    continue
                if len(parts) != width and self._is_prose(parts):
                    continue
                for at, part in enumerate(parts, start):
                    is_number = looks_like_number(clean(part.strip(self._dialect.quote)))
                    if is_number and (not places or at in places or len(parts) > width):
                        return True
        return False

    def _is_prose(self, parts: Sequence[str]) -> bool:
        """Whether a space follows each comma, as in sentences, and not in the heading."""
        if self._dialect.is_spaced or self._dialect.delimiter != ",":
            return False
        return len(parts) > 1 and all(it.startswith(" ") for it in parts[1:])


def _places_of_numbers(first: Sequence[str]) -> set[int]:
    """Return the columns of numbers by the first row: by its headings, else by its numbers."""
    return {at for at, it in enumerate(first) if is_number_heading(it)} or {
        at for at, it in enumerate(first) if looks_like_number(clean(it))
    }


def undecodable(file: File, encoding: Encoding) -> CampaignError:
    """Return the error of a text that is not in its encoding."""
    return CampaignError(
        f"{file.name} is not in {encoding.name}: give its encoding with --encoding NAME"
    )
