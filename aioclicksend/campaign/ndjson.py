"""NDJSON files: one JSON object a line."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import closing
from itertools import islice
from typing import Any

import msgspec

from ..errors import CampaignError
from .delimited import undecodable
from .encoding import Encoding
from .file import File
from .table import UNDECODED, Row, Rows, clean, undecoded

_SAMPLE_ROWS = 200


class Ndjson:
    """The objects of a file; their columns are those of the first rows."""

    def __init__(self, file: File, encoding: Encoding, kind: str) -> None:
        self.name: str = file.name
        self.format = kind
        self.fingerprint: str = file.fingerprint
        self.unread: Sequence[str] = ()
        self._file = file
        self._encoding = encoding
        columns: dict[str, None] = {}
        with closing(iter(self)) as rows:
            for row in islice(rows, _SAMPLE_ROWS):
                columns |= dict.fromkeys(row.cells)
        if not columns:
            raise CampaignError(f"{self.name} does not hold a JSON object in each line")
        self.columns: list[str] = list(columns)

    def __iter__(self) -> Rows:
        with self._file.text(self._encoding) as lines:
            try:
                for number, line in enumerate(lines, 1):
                    if clean(line):
                        yield _object(number, line)
            except UnicodeError:
                raise undecodable(self._file, self._encoding) from None


def _object(number: int, line: str) -> Row:
    if undecoded([line]):
        return Row(number, {}, UNDECODED, [line])
    try:
        read = msgspec.json.decode(line)
    except (msgspec.DecodeError, RecursionError, UnicodeError):
        return Row(number, {}, "is no JSON", [line])
    if not isinstance(read, dict):
        return Row(number, {}, "is no JSON object", [line])
    cells: dict[str, str] = {}
    for name, value in read.items():
        column = clean(name)
        if column in cells:
            return Row(number, {}, f"has {column[:30]} twice", [line])
        cells[column] = clean(_text(value))
    return Row(number, cells)


def _text(value: Any) -> str:
    """Return a value as text: whole numbers without a fraction."""
    match value:
        case None:
            return ""
        case bool():
            return "true" if value else "false"
        case float() if value.is_integer():
            return str(int(value))
        case list() | dict():
            return msgspec.json.encode(value).decode()
        case _:
            return str(value)
