"""Where the rows of a campaign come from: a table in a file, or a contact list of the account."""

from __future__ import annotations

import contextlib
import csv
import io
import json
import re
from collections import Counter
from collections.abc import AsyncIterator, Callable, Generator, Iterable, Mapping, Sequence
from contextlib import closing
from itertools import islice
from typing import Any, NamedTuple, Protocol, runtime_checkable

import msgspec

from ..client import ClickSend
from .errors import CampaignError
from .file import File, Input

_DELIMITERS = ",;\t|"
_SAMPLE_ROWS = 200
_looks_like_phone = re.compile(
    r"(?!\d{1,4}[-.]\d{1,2}[-.]\d{1,4}$)\+?\(?[0-9][0-9 ().-]{6,20}"  # but not like a date
).fullmatch
_SPREADSHEETS = (b"PK\x03\x04", b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1")
"""How XLSX, ODS and XLSB files begin, and XLS files."""


class Row(NamedTuple):
    """One row as it was read."""

    number: int
    """Its number in the spreadsheet, or its line; a heading is row 1."""
    cells: Mapping[str, str]
    """Texts by column, without space around them."""
    problem: str = ""
    """Why it cannot be read."""


Rows = Generator[Row, None, None]


@runtime_checkable
class Table(Protocol):
    """The rows of a file, read from its start in each iteration and kept nowhere."""

    name: str
    format: str
    """How it was read."""
    columns: list[str]
    fingerprint: str
    """A hash of its bytes."""

    def __iter__(self) -> Rows: ...


def open_table(
    source: Input,
    *,
    encoding: str | None = None,
    delimiter: str | None = None,
    sheet: str | None = None,
) -> Table:
    """Return the table in a file or stream; what kind it is shows in its first bytes.

    Args:
        source: a path, an open binary file, or bytes. A stream is kept in a temporary file.
        encoding: of a text; recognised if absent.
        delimiter: between the cells of a CSV file; recognised if absent.
        sheet: name of a spreadsheet's sheet; the first if absent.

    Raises:
        CampaignError: it cannot be read, or is no table.

    """
    file = File(source)
    if file.head.startswith(_SPREADSHEETS):
        return _Grid(file, f"sheet {sheet}" if sheet else "spreadsheet", _Sheet(file, sheet))
    encoding = encoding or file.encoding()
    sample = _sample(file, encoding)
    first = sample.lstrip()[:1]
    if first == "[":
        raise CampaignError(f"{file.name} is one JSON array: write one object a line instead")
    if first == "{":
        return _Ndjson(file, encoding)
    dialect = _dialect(sample, delimiter)
    name = {"\t": "tab"}.get(dialect.delimiter, dialect.delimiter)
    return _Grid(file, f"CSV with {name}, {encoding}", _Csv(file, encoding, dialect))


class ContactList:
    """The contacts of a list of the account, walked anew in each iteration."""

    columns = [  # noqa: RUF012 - nobody changes it
        "phone_number",
        "first_name",
        "last_name",
        "email",
        "organization_name",
        "custom_1",
        "custom_2",
        "custom_3",
        "custom_4",
        "address_line_1",
        "address_line_2",
        "address_city",
        "address_state",
        "address_postal_code",
        "address_country",
    ]

    def __init__(self, list_id: int) -> None:
        self.list_id = list_id
        self.name = f"contact list {list_id}"
        self.format = "contacts"
        self.fingerprint = f"list:{list_id}"

    async def rows(self, client: ClickSend) -> AsyncIterator[Row]:
        """Yield the contacts."""
        number = 0
        async for contact in client.contacts.walk(self.list_id):
            number += 1
            cells = {name: (getattr(contact, name) or "").strip() for name in self.columns}
            yield Row(number, cells)


class _Dialect(NamedTuple):
    delimiter: str
    quote: str = '"'
    escape: str | None = None
    skip: int = 0
    """Lines before the table: Excel's ``sep=;``."""


def _sample(file: File, encoding: str) -> str:
    try:
        with file.text(encoding) as text:
            return text.read(1 << 16)
    except UnicodeError:
        raise _undecodable(file, encoding) from None


def _undecodable(file: File, encoding: str) -> CampaignError:
    return CampaignError(f"{file.name} is not in {encoding}: tell its encoding")


def _dialect(sample: str, delimiter: str | None) -> _Dialect:
    skip = 0
    if told := re.match(r"sep=(.)\r?\n", sample):
        delimiter, skip = delimiter or told[1], 1
        sample = sample[told.end() :]
    if delimiter is not None and (len(delimiter) != 1 or delimiter in '"\r\n'):
        raise CampaignError("delimiter: must be one character")
    heading = sample.partition("\n")[0].strip()
    quote = "'" if heading[:1] == heading[-1:] == "'" else '"'
    escape = "\\" if re.search(r'\\"[^,;\t|\r\n"]', sample) else None
    rated = {mark: _agreement(sample, _Dialect(mark, quote, escape)) for mark in _DELIMITERS}
    return _Dialect(delimiter or max(rated, key=lambda it: rated[it]), quote, escape, skip)


def _agreement(sample: str, dialect: _Dialect) -> tuple[float, int]:
    """Return how many rows have as many cells as the first, and how many cells that is."""
    reader = _reader(io.StringIO(sample, newline=""), dialect)
    widths: list[int] = []
    with contextlib.suppress(csv.Error):  # the sample may end within quotes
        widths.extend(len(cells) for cells in islice(reader, _SAMPLE_ROWS) if cells)
    if not widths or widths[0] < 2:
        return 0.0, 0
    return Counter(widths)[widths[0]] / len(widths), widths[0]


def _reader(lines: Iterable[str], dialect: _Dialect) -> Any:
    return csv.reader(
        lines,
        delimiter=dialect.delimiter,
        quotechar=dialect.quote,
        escapechar=dialect.escape,
        skipinitialspace=True,
        strict=True,
    )


class _Line(NamedTuple):
    number: int
    cells: list[str]
    problem: str = ""


Lines = Generator[_Line, None, None]


class _Csv:
    """The lines of a CSV file."""

    def __init__(self, file: File, encoding: str, dialect: _Dialect) -> None:
        self._file = file
        self._encoding = encoding
        self._dialect = dialect

    def __call__(self) -> Lines:
        with self._file.text(self._encoding) as text:
            for _ in range(self._dialect.skip):
                text.readline()
            reader = _reader(text, self._dialect)
            number = 0
            while True:
                number += 1
                begin = reader.line_num + 1
                try:
                    cells = next(reader, None)
                except UnicodeError:
                    raise _undecodable(self._file, self._encoding) from None
                except csv.Error as error:
                    if "expected after" not in str(error):
                        # The rest of the file stands within those quotes.
                        raise CampaignError(
                            f"{self._file.name}, row {number}: a quote opened in line {begin} is "
                            "never closed"
                        ) from None
                    yield _Line(number, [], "a quote stands within a quoted cell")
                    continue
                if cells is None:
                    return
                yield _Line(number, cells)


class _Sheet:
    """The lines of a sheet of a spreadsheet, which is held in memory as a whole."""

    def __init__(self, file: File, sheet: str | None) -> None:
        try:
            import python_calamine  # noqa: PLC0415 - an extra
        except ImportError:
            raise CampaignError(
                f"{file.name} is a spreadsheet: pip install 'aioclicksend[xlsx]', or save it as CSV"
            ) from None
        try:
            with file.open() as opened:
                book = python_calamine.CalamineWorkbook.from_filelike(opened)
                if sheet is not None and sheet not in book.sheet_names:
                    raise CampaignError(
                        f"{file.name} has no sheet {sheet!r}, but {', '.join(book.sheet_names)}"
                    )
                name = book.sheet_names[0] if sheet is None else sheet
                self._sheet = book.get_sheet_by_name(name)
        except (python_calamine.CalamineError, IndexError, OSError) as error:
            raise CampaignError(
                f"{file.name} is no spreadsheet that can be read: {error}"
            ) from None

    def __call__(self) -> Lines:
        for number, cells in enumerate(self._sheet.iter_rows(), 1):
            yield _Line(number, [_text(cell) for cell in cells])


class _Grid:
    """Lines of cells below a heading; or without one, if the first line holds a phone number."""

    def __init__(self, file: File, kind: str, lines: Callable[[], Lines]) -> None:
        self.name = file.name
        self.format = kind
        self.fingerprint = file.fingerprint
        self._lines = lines
        self._heading = 0
        with closing(lines()) as started:
            first = next(
                (it for it in started if it.problem or any(map(str.strip, it.cells))), None
            )
        if first is None:
            raise CampaignError(f"{self.name} has no rows")
        if first.problem:
            raise CampaignError(f"{self.name}, row {first.number}: {first.problem}")
        cells = [cell.strip() for cell in first.cells]
        phones = [cell for cell in cells if _looks_like_phone(cell)]
        if phones:
            self.format += ", no heading"
            self.columns = [
                "to" if [cell] == phones else str(place) for place, cell in enumerate(cells, 1)
            ]
        else:
            self._heading = first.number
            self.columns = _unique(cells)

    def __iter__(self) -> Rows:
        columns, width = self.columns, len(self.columns)
        for number, texts, problem in self._lines():
            if number <= self._heading:
                continue
            cells = list(map(str.strip, texts))
            if problem:
                yield Row(number, {}, problem)
            elif len(cells) > width and any(cells[width:]):
                yield Row(
                    number,
                    {},
                    f"has {len(cells)} cells below a heading of {width}: a cell that holds the "
                    "delimiter must be quoted",
                )
            elif any(cells):
                cells += [""] * (width - len(cells))
                yield Row(number, dict(zip(columns, cells, strict=False)))


class _Ndjson:
    """One JSON object a line."""

    def __init__(self, file: File, encoding: str) -> None:
        self.name = file.name
        self.format = "NDJSON"
        self.fingerprint = file.fingerprint
        self._file = file
        self._encoding = encoding
        columns: dict[str, None] = {}
        with closing(iter(self)) as rows:
            for row in islice(rows, _SAMPLE_ROWS):
                columns |= dict.fromkeys(row.cells)
        if not columns:
            raise CampaignError(f"{self.name} does not hold a JSON object in each line")
        self.columns = list(columns)

    def __iter__(self) -> Rows:
        with self._file.text(self._encoding) as lines:
            try:
                for number, line in enumerate(lines, 1):
                    if line.isspace():
                        continue
                    yield _object(number, line)
            except UnicodeError:
                raise _undecodable(self._file, self._encoding) from None


def _object(number: int, line: str) -> Row:
    try:
        read = msgspec.json.decode(line)
    except (msgspec.DecodeError, RecursionError, UnicodeError):
        return Row(number, {}, "is no JSON")
    if not isinstance(read, dict):
        return Row(number, {}, "is no JSON object")
    return Row(number, {name.strip(): _text(value) for name, value in read.items()})


def _text(value: Any) -> str:
    """Return a cell as text: whole numbers without a fraction, times as ISO writes them."""
    match value:
        case str():
            return value.strip()
        case None:
            return ""
        case bool():
            return str(value).lower()
        case float() if value.is_integer() and abs(value) < 1e15:
            return str(int(value))
        case list() | dict():
            return json.dumps(value, ensure_ascii=False)
        case _:
            return str(value)


def _unique(names: Sequence[str]) -> list[str]:
    """Return column names, numbered where they are missing or repeated."""
    unique: list[str] = []
    for place, name in enumerate(names, 1):
        wanted = name or str(place)
        while wanted in unique:
            wanted = f"{name or 'column'} {place}" if wanted == name else f"{wanted}'"
        unique.append(wanted)
    return unique
