"""Spreadsheets without a library to write them."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Collection, Sequence
from xml.sax.saxutils import escape

_TYPES = """<?xml version="1.0"?>
<Types xmlns="http://schemas.openxmlformats.org/package/2006/content-types">
<Default Extension="rels" ContentType="application/vnd.openxmlformats-package.relationships+xml"/>
<Default Extension="xml" ContentType="application/xml"/>
<Override PartName="/xl/workbook.xml"
 ContentType="application/vnd.openxmlformats-officedocument.spreadsheetml.sheet.main+xml"/>
</Types>"""
_RELATIONS = """<?xml version="1.0"?>
<Relationships xmlns="http://schemas.openxmlformats.org/package/2006/relationships">{}
</Relationships>"""
_RELATION = (
    '<Relationship Id="rId{}" Target="{}" '
    'Type="http://schemas.openxmlformats.org/officeDocument/2006/relationships/{}"/>'
)
_MAIN = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"


Cell = str | float | bool | tuple[float, int] | None
"""A value; a number with the place of its format."""


def xlsx(
    *,
    hidden_rows: Collection[int] = (),
    hidden_sheets: Collection[str] = (),
    formats: Sequence[str] = (),
    since_1904: bool = False,
    **sheets: Sequence[Sequence[Cell]],
) -> bytes:
    """Return an XLSX file with these sheets."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        archive.writestr("[Content_Types].xml", _TYPES)
        whole = _RELATION.format(1, "xl/workbook.xml", "officeDocument")
        archive.writestr("_rels/.rels", _RELATIONS.format(whole))
        names, relations = "", ""
        for number, (name, rows) in enumerate(sheets.items(), 1):
            state = "hidden" if name in hidden_sheets else "visible"
            names += f'<sheet name="{name}" sheetId="{number}" state="{state}" r:id="rId{number}"/>'
            relations += _RELATION.format(number, f"worksheets/sheet{number}.xml", "worksheet")
            archive.writestr(f"xl/worksheets/sheet{number}.xml", _sheet(rows, hidden_rows))
        relations += _RELATION.format(99, "styles.xml", "styles")
        archive.writestr("xl/styles.xml", _styles(formats))
        archive.writestr("xl/_rels/workbook.xml.rels", _RELATIONS.format(relations))
        archive.writestr(
            "xl/workbook.xml",
            f'<workbook xmlns="{_MAIN}" xmlns:r="http://schemas.openxmlformats.org/officeDocument/'
            f'2006/relationships"><workbookPr date1904="{int(since_1904)}"/><sheets>{names}'
            "</sheets></workbook>",
        )
    return out.getvalue()


def _styles(formats: Sequence[str]) -> str:
    named = "".join(
        f'<numFmt numFmtId="{place}" formatCode="{escape(code, {chr(34): "&quot;"})}"/>'
        for place, code in enumerate(formats, 164)
    )
    used = "".join(f'<xf numFmtId="{place}"/>' for place in range(164, 164 + len(formats)))
    return (
        f'<styleSheet xmlns="{_MAIN}"><numFmts>{named}</numFmts><cellStyleXfs><xf numFmtId="9"/>'
        f'</cellStyleXfs><cellXfs><xf numFmtId="0"/>{used}</cellXfs></styleSheet>'
    )


def _sheet(rows: Sequence[Sequence[Cell]], hidden: Collection[int]) -> str:
    lines = ""
    for number, row in enumerate(rows, 1):
        cells = "".join(_cell(f"{chr(65 + place)}{number}", it) for place, it in enumerate(row))
        is_hidden = ' hidden="1"' if number in hidden else ""
        lines += f'<row r="{number}"{is_hidden}>{cells}</row>'
    return f'<worksheet xmlns="{_MAIN}"><sheetData>{lines}</sheetData></worksheet>'


def _cell(place: str, value: Cell) -> str:
    match value:
        case None:
            return ""
        case bool():
            return f'<c r="{place}" t="b"><v>{int(value)}</v></c>'
        case str():
            return f'<c r="{place}" t="inlineStr"><is><t>{escape(value)}</t></is></c>'
        case tuple():
            return f'<c r="{place}" s="{value[1]}"><v>{value[0]!r}</v></c>'
        case _:
            return f'<c r="{place}"><v>{value}</v></c>'
