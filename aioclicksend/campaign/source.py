"""Where the rows of a campaign come from: a table in a file, or a contact list of the account."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from typing import ClassVar

from ..client import ClickSend
from ..errors import CampaignError
from .delimited import Delimited, dialect_of, undecodable
from .encoding import Encoding
from .file import File, Input
from .ndjson import Ndjson
from .spreadsheet import is_spreadsheet, open_sheet
from .table import Grid, Row, Rows, Table, clean

__all__ = ["ContactList", "Row", "Rows", "Table", "open_table"]

_SAMPLE = 1 << 16
_is_array = re.compile(r"\s*\[\s*(?:[{\[\]]|$)").match
_is_objects = re.compile(r"\s*\{(?![^{}\"\r\n]+\}\s*(?:[,;|\t\r\n]|$))").match
"""A brace that is no heading such as ``{name},{mobile}``."""


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
        sheet: name of a spreadsheet's sheet; the first visible one if absent.

    Raises:
        CampaignError: it cannot be read, is no table, or could be read in several ways.

    """
    file = File(source)
    if is_spreadsheet(file.head):
        return open_sheet(file, sheet)
    known = Encoding(encoding) if encoding else file.encoding()
    sample = _sample(file, known)
    note = f" ({known.note})" if known.note else ""
    if _is_array(sample):
        raise CampaignError(f"{file.name} is one JSON array: write one object a line instead")
    if _is_objects(sample):
        return Ndjson(file, known, f"NDJSON{note}")
    dialect = dialect_of(sample, delimiter)
    name = {"\t": "tab"}.get(dialect.delimiter, dialect.delimiter)
    return Grid(
        file.name,
        f"CSV with {name}, {known.name}{note}",
        file.fingerprint,
        Delimited(file, known, dialect),
        is_plain=file.is_plain and known.name == "utf-8",
    )


class ContactList:
    """The contacts of a list of the account, read again in each iteration."""

    columns: ClassVar[list[str]] = [
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

    def __init__(self, list_id: int, title: str = "") -> None:
        self.list_id = list_id
        self.name: str = f"contact list {list_id}" + (f" ({title[:40]})" if title else "")
        self.format = "contacts"
        self.fingerprint: str = f"list:{list_id}"

    async def rows(self, client: ClickSend) -> AsyncIterator[Row]:
        """Yield the contacts."""
        number = 0
        async for contact in client.contacts.walk(self.list_id):
            number += 1
            cells = {name: clean(getattr(contact, name) or "") for name in self.columns}
            yield Row(number, cells)


def _sample(file: File, encoding: Encoding) -> str:
    try:
        with file.text(encoding) as text:
            return text.read(_SAMPLE)
    except UnicodeError:
        raise undecodable(file, encoding) from None
