"""Spreadsheets as a person sees them: what the cells of the visible sheet show.

XLSX files are read here, row by row, since no reader reports how a number is shown and which rows
are hidden while keeping its memory flat. Older and rarer formats (XLS, XLSB, ODS) go through
`calamine`, which holds a sheet whole and aborts the process on a sheet that claims to be huge: so a
separate process with limited memory tries first.

A file is hostile until proven otherwise: nothing is unpacked beyond a limit, document types and
entities are refused, and a stray cell far away from the rest refuses the sheet.
"""

from __future__ import annotations

import posixpath
import re
import subprocess
import sys
import zipfile
import zlib
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from functools import partial
from itertools import islice
from typing import IO, Any, NamedTuple
from xml.parsers import expat

from ..errors import CampaignError
from .cell_format import built_in, shown
from .file import File
from .numbers import looks_like_number
from .table import HIDDEN, Grid, Line, Lines, Table

_ZIP = b"PK\x03\x04"
_OLE = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"
_ENCRYPTED = "EncryptedPackage".encode("utf-16-le")
_CHUNK = 1 << 16
_MOST_UNPACKED = 1 << 30
_MOST_TEXTS = 1 << 28
"""Unpacked bytes of the shared texts, which are held in memory."""
_MOST_CELLS = 50_000_000
"""Of the rectangle that the cells of a sheet reach over."""
_MOST_COLUMNS = 16_384
_LONGEST_TEXT = 1 << 20
"""Of a cell; spreadsheets keep 32 767 characters."""
_MOST_MEMORY = 2 << 30
_REPORTED_SHEETS = 5
_SAMPLE_ROWS = 1000

_far_cell = re.compile(rb'<(?:\w+:)?c\b[^>]*?\br="([A-Z]{3})([0-9]{1,7})"[^>/]*>').finditer
_row_number = re.compile(rb'<(?:\w+:)?row\b[^>]*?\br="([0-9]{1,7})"').findall
_hidden_column = re.compile(
    rb'<(?:\w+:)?col\b[^>]*\b(?:hidden="(?:1|true)"|width="0(?:\.0*)?")'
).search
_merged = re.compile(
    rb'<(?:\w+:)?mergeCell\b[^>]*?\bref="[A-Z]+([0-9]{1,7}):[A-Z]+([0-9]{1,7})"'
).findall
_escaped = re.compile(r"_x([0-9A-Fa-f]{4})_")


class _Sheet(NamedTuple):
    name: str
    path: str
    is_visible: bool


def is_spreadsheet(head: bytes) -> bool:
    """Whether a file begins as XLSX, ODS, XLSB or XLS files do."""
    return head.startswith((_ZIP, _OLE))


def open_sheet(file: File, sheet: str | None) -> Table:
    """Return the table in a sheet of a spreadsheet: the one of that name, or the first visible.

    Raises:
        CampaignError: it cannot be read.

    """
    # An encrypted XLSX is a compound file around the real one, so it begins as an old XLS does.
    if file.head.startswith(_OLE) and _ENCRYPTED in _directory(file):
        raise _locked(file)
    try:
        with file.open() as opened, zipfile.ZipFile(opened) as archive:
            if any(it.flag_bits & 1 for it in archive.infolist()):
                raise _locked(file)
            if "xl/workbook.xml" in archive.namelist():
                return _xlsx(file, archive, sheet)
    except zipfile.BadZipFile as error:
        if file.head.startswith(_ZIP):
            raise _unreadable(file, error) from None
    return _through_calamine(file, sheet)


_DAMAGED = (
    KeyError,
    IndexError,
    ValueError,
    StopIteration,
    RuntimeError,  # an encrypted archive
    NotImplementedError,
    EOFError,
    OSError,
    expat.ExpatError,
    zlib.error,
    zipfile.BadZipFile,
)
"""What comes of files whose parts do not fit together."""


def _unreadable(file: File, error: BaseException) -> CampaignError:
    if isinstance(error, CampaignError):
        return error
    return CampaignError(
        f"{file.name} is no spreadsheet that can be read: it is damaged, or too large; save it as "
        "XLSX or CSV"
    )


def _directory(file: File) -> bytes:
    """Return the first names in a compound file (MS-CFB, 2.2): its header says where they are."""
    size = 1 << min(int.from_bytes(file.head[30:32], "little"), 12)
    with file.open() as opened:
        opened.seek((int.from_bytes(file.head[48:52], "little") + 1) * size)
        return opened.read(size) + file.head


def _locked(file: File) -> CampaignError:
    return CampaignError(
        f"{file.name} is protected by a password: open it, and save it without one"
    )


def _xlsx(file: File, archive: zipfile.ZipFile, sheet: str | None) -> Table:
    try:
        if sum(it.file_size for it in archive.infolist()) > _MOST_UNPACKED:
            raise CampaignError(f"{file.name} is too large to be read: save it as CSV")
        book = _Book(archive)
        chosen = _chosen(file, book.sheets, sheet)
        notes = _check_extent(file, archive, chosen)
        rows = partial(_rows, file, chosen, book)
        others = [it for it in book.sheets if it is not chosen]
        unread = [it.name for it in others if _holds_numbers(partial(_rows, file, it, book))]
    except _DAMAGED as error:
        raise _unreadable(file, error) from None
    table = _grid(file, chosen.name, rows, unread if sheet is None else ())
    table.format += notes
    return table


def _grid(file: File, sheet: str, lines: Callable[[], Lines], unread: Sequence[str]) -> Table:
    kind = f"spreadsheet, sheet {sheet}"
    if unread:
        more = len(unread) - _REPORTED_SHEETS
        named = ", ".join(unread[:_REPORTED_SHEETS])
        kind += f" (not {named}{f' and {more} more' if more > 0 else ''})"
    return Grid(file.name, kind, file.fingerprint, lines, unread=[f"sheet {it}" for it in unread])


def _chosen(file: File, sheets: Sequence[_Sheet], name: str | None) -> _Sheet:
    if name is None:
        # What a person has hidden is an older list as often as not.
        visible = [it for it in sheets if it.is_visible]
        if not visible:
            raise CampaignError(f"{file.name} has no visible sheet: give the name of one")
        return visible[0]
    found = next((it for it in sheets if it.name == name), None)
    if found is None:
        raise _no_sheet(file, name, [it.name for it in sheets])
    return found


def _no_sheet(file: File, name: str, sheets: Sequence[str]) -> CampaignError:
    return CampaignError(f"{file.name} has no sheet {name!r}, but {', '.join(sheets)}")


def _holds_numbers(rows_of: Callable[[], Lines]) -> bool:
    """Whether there is a phone number in the first rows of a sheet."""
    with closing(rows_of()) as rows:
        return any(any(map(looks_like_number, it[1])) for it in islice(rows, _SAMPLE_ROWS))


def _check_extent(file: File, archive: zipfile.ZipFile, sheet: _Sheet) -> str:
    """Make sure that no stray cell stands far away, and return what else is to know of a sheet.

    Raises:
        CampaignError: one does.

    """
    # By patterns, not by a parser: this passes over the whole sheet before a row of it is read.
    widest, corner, last, tail, unpacked = 0, "", 0, b"", 0
    has_hidden_columns = has_merged_rows = False
    with archive.open(sheet.path) as unpacking:
        while chunk := unpacking.read(1 << 20):
            unpacked += len(chunk)
            if unpacked > _MOST_UNPACKED:
                raise CampaignError(f"{file.name} is too large to be read: save it as CSV")
            text = tail + chunk
            for found in _far_cell(text):
                if (column := _column(found[1])) > widest:
                    widest, corner = column, found[1].decode()
            if b"<row" in text or b":row" in text:
                numbers = _row_number(text)
                last = max([last, *map(int, numbers[-1:])])
            has_hidden_columns = has_hidden_columns or bool(_hidden_column(text))
            if b"mergeCell" in text:
                ends = _merged(text)
                has_merged_rows = has_merged_rows or any(first != last for first, last in ends)
            # A tag may begin in one chunk and end in the next.
            tail = text[-200:]
    if widest * last > _MOST_CELLS:
        raise CampaignError(
            f"{file.name}, sheet {sheet.name}, reaches to {corner}{last}, too large to be read: "
            "delete the stray cells, or save it as CSV"
        )
    notes = ", with hidden columns" if has_hidden_columns else ""
    # A merged cell belongs to its first row; in the others there is nothing.
    return f"{notes}, with merged cells, read in their first row" if has_merged_rows else notes


class _Book:
    """What all sheets of an XLSX file share: their names, texts and formats."""

    def __init__(self, archive: zipfile.ZipFile) -> None:
        targets: dict[str, str] = {}
        self.sheets: list[_Sheet] = []
        self.since_1904 = False
        self.texts: list[str] = []
        self.formats: list[str] = []
        self._codes: dict[int, str] = {}
        self._is_cell_format = False

        def relation(name: str, attributes: dict[str, str]) -> None:
            if name == "Relationship":
                target = attributes["Target"]
                is_absolute = target.startswith("/")
                path = target[1:] if is_absolute else posixpath.normpath(f"xl/{target}")
                targets[attributes["Id"]] = path
                kind = attributes.get("Type", "").rpartition("/")[2]
                targets.setdefault(f"={kind}", path)

        def sheet(name: str, attributes: dict[str, str]) -> None:
            if name == "sheet":
                # Its namespace has a prefix of the file's choice.
                key = next(value for key, value in attributes.items() if key.endswith(":id"))
                visible = attributes.get("state", "visible") == "visible"
                path = targets[key]
                if "worksheets" in path or "chartsheets" not in path:
                    self.sheets.append(_Sheet(attributes["name"], path, visible))
            elif name == "workbookPr":
                self.since_1904 = attributes.get("date1904") in ("1", "true")

        _parse(archive, "xl/_rels/workbook.xml.rels", relation)
        _parse(archive, "xl/workbook.xml", sheet)
        if (styles := targets.get("=styles")) in archive.namelist():
            _parse(archive, styles, self._style, self._style_end)
        if (texts := targets.get("=sharedStrings")) in archive.namelist():
            self._read_texts(archive, texts)

    def _style(self, name: str, attributes: dict[str, str]) -> None:
        if name == "numFmt":
            self._codes[int(attributes["numFmtId"])] = attributes["formatCode"]
        elif name == "cellXfs":
            self._is_cell_format = True
        elif name == "xf" and self._is_cell_format:
            number = int(attributes.get("numFmtId", "0"))
            self.formats.append(self._codes.get(number) or built_in(number))

    def _style_end(self, name: str) -> None:
        if name == "cellXfs":
            self._is_cell_format = False

    def _read_texts(self, archive: zipfile.ZipFile, path: str) -> None:
        pieces: list[str] = []
        inside: set[str] = set()

        def start(name: str, _: dict[str, str]) -> None:
            inside.add(name)
            if name == "si":
                pieces.clear()

        def end(name: str) -> None:
            inside.discard(name)
            if name == "si":
                self.texts.append(_unescaped("".join(pieces)))

        def characters(text: str) -> None:
            # A reading aid for Asian names (rPh) stands within the text, and is no part of it.
            if "t" in inside and "rPh" not in inside:
                pieces.append(text)

        _parse(archive, path, start, end, characters, most=_MOST_TEXTS)


def _unescaped(text: str) -> str:
    """Return a text with the characters that XML cannot hold, which stand as ``_x000D_``."""
    return _escaped.sub(lambda it: chr(int(it[1], 16)), text) if "_x" in text else text


def _local(name: str) -> str:
    """Return the name of an element without its namespace's prefix."""
    return name.rpartition(":")[2]


def _parser(
    start: Callable[[str, dict[str, str]], None],
    end: Callable[[str], None] | None = None,
    characters: Callable[[str], None] | None = None,
) -> Any:
    parser = expat.ParserCreate()
    parser.buffer_text = True
    parser.StartDoctypeDeclHandler = _refuse_document_type
    parser.StartElementHandler = lambda name, attributes: start(_local(name), attributes)
    if end is not None:
        parser.EndElementHandler = lambda name: end(_local(name))
    if characters is not None:
        parser.CharacterDataHandler = characters
    return parser


def _refuse_document_type(*_: object) -> None:
    # Spreadsheets have none; entities that multiply do.
    raise ValueError("a document type")


def _parse(
    archive: zipfile.ZipFile,
    path: str,
    start: Callable[[str, dict[str, str]], None],
    end: Callable[[str], None] | None = None,
    characters: Callable[[str], None] | None = None,
    *,
    most: int = _MOST_UNPACKED,
) -> None:
    """Read a part of a file through callbacks."""
    parser = _parser(start, end, characters)
    with archive.open(path) as part:
        for chunk in _chunks(part, most):
            parser.Parse(chunk, False)  # noqa: FBT003
        parser.Parse(b"", True)  # noqa: FBT003


def _chunks(part: IO[bytes], most: int) -> Iterator[bytes]:
    left = most
    while chunk := part.read(_CHUNK):
        left -= len(chunk)
        if left < 0:
            raise ValueError("too large")
        yield chunk


def _rows(file: File, sheet: _Sheet, book: _Book) -> Lines:
    """Yield the rows of a sheet that hold anything."""
    reader = _SheetReader(book)
    try:
        with (
            file.open() as opened,
            zipfile.ZipFile(opened) as archive,
            archive.open(sheet.path) as part,
        ):
            for chunk in _chunks(part, _MOST_UNPACKED):
                reader.parser.Parse(chunk, False)  # noqa: FBT003
                yield from reader.rows
                reader.rows.clear()
            reader.parser.Parse(b"", True)  # noqa: FBT003
            yield from reader.rows
    except _DAMAGED as error:
        raise _unreadable(file, error) from None


class _SheetReader:
    """Takes the events of a sheet's XML, and makes rows of them."""

    def __init__(self, book: _Book) -> None:
        self.rows: list[Line] = []
        self._book = book
        self._number = 0
        self._is_hidden = False
        self._cells: list[str] = []
        self._error = ""
        self._kind = ""
        self._style = 0
        self._place = 0
        self._is_formula = False
        self._is_text = False
        self._is_phonetic = False
        self._text: list[str] = []
        self._length = 0
        self.parser = _parser(self._start, self._end, self._characters)

    def _start(self, name: str, attributes: dict[str, str]) -> None:
        if name == "f":
            self._is_formula = True
        elif name == "c":
            self._is_formula = False
            reference = attributes.get("r")
            # A cell without a reference follows the one before.
            self._place = _column(reference.encode()) if reference else len(self._cells) + 1
            # Of two cells in one place it cannot be known which one is shown.
            if not len(self._cells) < self._place <= _MOST_COLUMNS:
                raise ValueError("cells out of order")
            self._kind = attributes.get("t", "n")
            self._style = int(attributes.get("s", "0"))
            self._text.clear()
            self._length = 0
        elif name in ("v", "t"):
            self._is_text = not self._is_phonetic
        elif name == "rPh":
            self._is_phonetic = True
        elif name == "row":
            number = int(attributes.get("r", self._number + 1))
            if number <= self._number:
                raise ValueError("rows out of order")
            self._number = number
            # A row of no height is as invisible as a hidden one.
            is_flat = float(attributes.get("ht", "1")) == 0
            self._is_hidden = is_flat or attributes.get("hidden") in ("1", "true")
            self._cells, self._error = [], ""

    def _characters(self, text: str) -> None:
        if self._is_text:
            self._text.append(text)
            self._length += len(text)
            if self._length > _LONGEST_TEXT:
                raise ValueError("a text too long")

    def _end(self, name: str) -> None:
        if name in ("v", "t"):
            self._is_text = False
        elif name == "rPh":
            self._is_phonetic = False
        elif name == "c" and self._is_formula and not self._text and self._kind != "str":
            # Programs that write formulas without calculating them leave the result out; read as
            # empty, the row would silently get the default of a field.
            self._error = "a formula has no value: open the file in a spreadsheet and save it"
        elif name == "c" and self._text:
            cells = self._cells
            cells.extend([""] * (self._place - 1 - len(cells)))
            cells.append(self._shown("".join(self._text)))
        elif name == "row" and (any(self._cells) or self._error):
            problem = self._error or (HIDDEN if self._is_hidden else "")
            self.rows.append((self._number, self._cells, problem))

    def _shown(self, text: str) -> str:
        """Return what a cell shows."""
        match self._kind:
            case "s":
                # Python would count a negative one from the end, and show another cell's text.
                if (place := int(text)) < 0:
                    raise ValueError("a text out of place")
                return self._book.texts[place]
            case "b":
                return "TRUE" if text.strip() == "1" else "FALSE"
            case "e":
                self._error = f"a cell holds an error of the spreadsheet: {text[:20]}"
                return text
            case "n":
                formats = self._book.formats
                code = formats[self._style] if self._style < len(formats) else "General"
                return shown(float(text), code, since_1904=self._book.since_1904)
            case _:
                return _unescaped(text)


def _column(reference: bytes) -> int:
    """Return the number of a column by a reference such as ``AB12``."""
    number = 0
    for letter in reference:
        if letter < ord("A"):
            break
        number = number * 26 + letter - ord("A") + 1
    return number


def _through_calamine(file: File, sheet: str | None) -> Table:
    try:
        import python_calamine  # noqa: PLC0415 - an extra
    except ImportError:
        raise CampaignError(
            f"{file.name} is a spreadsheet: pip install 'aioclicksend[xlsx]', or save it as CSV"
        ) from None
    _try_apart(file, sheet)
    try:
        with file.open() as opened:
            book = python_calamine.CalamineWorkbook.from_filelike(opened)
            visible = [
                it.name
                for it in book.sheets_metadata
                if it.visible == python_calamine.SheetVisibleEnum.Visible
                and it.typ == python_calamine.SheetTypeEnum.WorkSheet
            ]
            if sheet is not None and sheet not in book.sheet_names:
                raise _no_sheet(file, sheet, book.sheet_names)
            name = sheet if sheet is not None else visible[0]
            read = book.get_sheet_by_name(name)
    except (python_calamine.CalamineError, IndexError, OSError) as error:
        raise _unreadable(file, error) from None

    def lines() -> Lines:
        for number, cells in enumerate(read.iter_rows(), 1):
            yield number, [_text(cell) for cell in cells], ""

    table = _grid(file, name, lines, [it for it in visible if it != name] if sheet is None else ())
    # What a percent or an amount looks like, and which rows are hidden, is known of XLSX only.
    table.format += ", without formats and hidden rows: save it as XLSX to keep them"
    return table


_TRIAL = """
import sys
try:
    import resource
    resource.setrlimit(resource.RLIMIT_AS, (int(sys.argv[2]), int(sys.argv[2])))
except ImportError:
    pass
import io, python_calamine
book = python_calamine.CalamineWorkbook.from_filelike(io.BytesIO(sys.stdin.buffer.read()))
for name in book.sheet_names if not sys.argv[1] else {sys.argv[1]} & {*book.sheet_names}:
    book.get_sheet_by_name(name)
"""
_TRIAL_SECONDS = 120


def _try_apart(file: File, sheet: str | None) -> None:
    """Read a file in a process that may die of it.

    Raises:
        CampaignError: it did.

    """
    trial = [sys.executable, "-c", _TRIAL, sheet or "", str(_MOST_MEMORY)]
    try:
        with file.open() as opened:
            subprocess.run(  # noqa: S603 - our own interpreter
                trial, input=opened.read(), capture_output=True, check=True, timeout=_TRIAL_SECONDS
            )
    except (subprocess.SubprocessError, OSError) as error:
        if b"assword" in (getattr(error, "stderr", None) or b""):
            raise _locked(file) from None
        raise _unreadable(file, error) from None


def _text(value: Any) -> str:
    """Return a value of `calamine` as text."""
    match value:
        case None:
            return ""
        case bool():
            return "TRUE" if value else "FALSE"
        case int() | float():
            return shown(float(value), "General")
        case _ if hasattr(value, "isoformat"):
            return str(value.isoformat(" ") if hasattr(value, "date") else value.isoformat())
        case _:
            return str(value)
