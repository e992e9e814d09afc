"""Files that are written for people: CSV, XLSX and JSON, whole or not at all.

A file appears under its name only when it is complete, readable by its owner alone, and never in
the place of a file it was made from. Cells that a spreadsheet would run as a formula are quoted.
"""

from __future__ import annotations

import contextlib
import csv
import importlib
import json
import os
import re
import tempfile
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Protocol, TextIO

from ..errors import CampaignError
from ..printable import printable

# Spreadsheets run a cell that begins so, also after blanks and in full-width forms.
_begins_formula = re.compile(r"\s*[=@+\-\t\r|%\uff1d\uff0b\uff0d\uff20]").match
_formula_after_separator = re.compile(
    r"((?:^;|(?<=\S)[;\t])\s*)(?=[=@+\-|%\uff1d\uff0b\uff0d\uff20])"
).sub
_is_number = re.compile(r"[+-]?[0-9][0-9 ().,-]*").fullmatch


_COMPANIONS = ("", "-wal", "-shm", "-journal")
"""What SQLite adds to the name of a database: it belongs to it and may hold its last rows."""


class Rows(Protocol):
    """Takes the rows of a table."""

    def __call__(self, cells: Sequence[Any], /) -> object:
        """Write one row."""
        ...


def harmless(value: Any) -> Any:
    """Return a cell that no spreadsheet runs as a formula: such texts get an apostrophe.

    Phone numbers and amounts keep their sign. Where semicolons separate cells, as in much of
    Europe, a semicolon inside a text begins a cell as well.
    """
    if not isinstance(value, str) or _is_number(value):
        return value
    value = _formula_after_separator(r"\1'", value)
    return f"'{value}" if _begins_formula(value) else value


@contextmanager
def replacing(path: Path, inputs: Iterable[Path | str | None] = ()) -> Iterator[Path]:
    """Yield a temporary path beside `path`, which takes its place when the block ends well.

    Raises:
        CampaignError: the file is one of the `inputs`, or cannot be written.

    """
    # Compared as files, so that a link to the list is recognised as well.
    for it in inputs:
        if it is not None and any(_is_same(path, Path(f"{it}{more}")) for more in _COMPANIONS):
            raise CampaignError(f"{path} is one of the files this is made from: choose another")
    # A rename would replace a device by a file, or fail on a folder after all the work.
    if path.exists() and not path.is_file():
        raise CampaignError(f"{path} is not a file")
    try:
        descriptor, name = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
    except OSError as error:
        raise CampaignError(f"{path} cannot be written: {error.strerror}") from None
    os.close(descriptor)
    made = Path(name)  # mkstemp makes it 0600
    try:
        yield made
        # In the same folder, so that this is atomic: readers see the old file or the new one.
        made.replace(path)
    except OSError as error:
        raise CampaignError(f"{path} cannot be written: {error.strerror}") from None
    finally:
        with contextlib.suppress(OSError):
            made.unlink(missing_ok=True)


@contextmanager
def table_file(
    path: Path, heading: Sequence[str], inputs: Iterable[Path | str | None] = ()
) -> Iterator[Rows]:
    """Yield what writes the rows of a table to a file: ``.xlsx``, ``.json``, or else CSV.

    Raises:
        CampaignError: the file is one of the `inputs`, cannot be written, or needs an extra.

    """
    with replacing(path, inputs) as made:
        if path.suffix.lower() == ".xlsx":
            with _sheet(made, heading) as rows:
                yield rows
        else:
            with made.open("w", encoding="utf-8", newline="") as file:
                yield from _text_rows(file, heading, as_json=path.suffix.lower() == ".json")


@contextmanager
def table_text(file: TextIO, heading: Sequence[str]) -> Iterator[Rows]:
    """Yield what writes rows as CSV to an open stream, to a terminal without what controls it."""
    shown = printable if file.isatty() else None
    yield from _text_rows(file, heading, as_json=False, shown=shown)


def _text_rows(
    file: TextIO,
    heading: Sequence[str],
    *,
    as_json: bool,
    shown: Callable[[object], str] | None = None,
) -> Iterator[Rows]:
    if not as_json:
        table = csv.writer(file)

        def write_row(cells: Sequence[Any]) -> None:
            row = cells if shown is None else ["" if it is None else shown(it) for it in cells]
            table.writerow([harmless(it) for it in row])

        write_row(heading)
        yield write_row
        return
    opening = "[\n"

    def write(cells: Sequence[Any]) -> None:
        nonlocal opening
        row = dict(zip(heading, cells, strict=True))
        file.write(opening + json.dumps(row, ensure_ascii=False, default=str))
        opening = ",\n"

    yield write
    file.write("\n]\n" if opening == ",\n" else "[]\n")


@contextmanager
def _sheet(path: Path, heading: Sequence[str]) -> Iterator[Rows]:
    try:
        xlsxwriter: Any = importlib.import_module("xlsxwriter")
    except ImportError:
        raise CampaignError(
            "to write a spreadsheet, pip install 'aioclicksend[xlsx]'; a CSV needs nothing"
        ) from None
    # Constant memory, and no cell is ever a formula or a link.
    book = xlsxwriter.Workbook(
        str(path),
        {"constant_memory": True, "strings_to_formulas": False, "strings_to_urls": False},
    )
    sheet = book.add_worksheet()
    place = 0

    def write(cells: Sequence[Any]) -> None:
        nonlocal place
        for column, value in enumerate(cells):
            if value is not None:
                sheet.write(place, column, value if isinstance(value, int) else str(value))
        place += 1

    write(heading)
    try:
        yield write
    finally:
        book.close()


def _is_same(path: Path, other: Path) -> bool:
    try:
        return path.samefile(other)
    except OSError:
        return path.absolute() == other.absolute()
