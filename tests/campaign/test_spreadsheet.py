"""Spreadsheets as a person sees them, and as an attacker makes them."""

from __future__ import annotations

import io
import zipfile

import pytest

from aioclicksend.campaign import Campaign, CampaignError, Draft, Problem, open_table, spreadsheet
from aioclicksend.campaign.table import Row

from .sheets import xlsx

DATE = 46204.770833333336
"""2026-07-01 18:30."""


def rows(source: bytes, sheet: str | None = None) -> list[Row]:
    return list(open_table(source, sheet=sheet))


def changed(book: bytes, part: str, old: str, new: str) -> bytes:
    """Return a file with a text in one of its parts replaced."""
    out = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(book)) as before, zipfile.ZipFile(out, "w") as after:
        for name in before.namelist():
            text = before.read(name).decode()
            after.writestr(name, text.replace(old, new) if name == part else text)
    return out.getvalue()


def one_sheet(data: str) -> bytes:
    """Return a file with this XML for the rows of its sheet."""
    book = xlsx(S=[["to"]])
    old = '<row r="1"><c r="A1" t="inlineStr"><is><t>to</t></is></c></row>'
    return changed(book, "xl/worksheets/sheet1.xml", old, data)


def test_numbers_are_read_with_the_digits_a_sheet_shows() -> None:
    book = xlsx(
        S=[
            ["to", "amount"],
            *([61412345678, it] for it in (0.30000000000000004, 8.6999999999999993)),
            [61412345678, 434.99999999999994],
            [61412345678.0, 1234567890123450],
            [6.1412345678e10, 1.2e16],
        ]
    )
    read = [dict(it.cells) for it in rows(book)]
    assert [it["amount"] for it in read] == [
        "0.3",
        "8.7",
        "435",
        "1234567890123450",
        "12000000000000000",
    ]
    assert {it["to"] for it in read} == {"61412345678"}


def test_formats_are_read_as_shown() -> None:
    formats = ["0%", "dd.mm.yyyy hh:mm", "0000000000", '"$"#,##0.00', "h:mm AM/PM"]
    values = [(0.15, 1), (DATE, 2), (412345678, 3), (1234.5, 4), (0.75, 5)]
    book = xlsx(S=[["rate", "when", "to", "price", "at"], values], formats=formats)
    assert [list(it.cells.values()) for it in rows(book)] == [
        ["15%", "01.07.2026 18:30", "0412345678", "$1,234.50", "6:00 PM"]
    ]


def test_dates_of_old_macs_are_read() -> None:
    book = xlsx(S=[["when"], [(DATE - 1462, 1)]], formats=["yyyy-mm-dd"], since_1904=True)
    assert rows(book)[0].cells == {"when": "2026-07-01"}


async def test_hidden_rows_are_left_out_and_reported() -> None:
    people = [["to"], ["+61412345678"], ["+61412345679"]]
    made = Campaign(xlsx(S=people, hidden_rows={3}), "Hi")
    first, second = [it async for it in made.rows(None)]
    assert isinstance(first, Draft)
    assert isinstance(second, Problem)
    assert (second.row, second.reason) == (3, "hidden")
    assert "is hidden in the spreadsheet" in second.detail


def test_the_first_visible_sheet_is_read_and_named() -> None:
    book = xlsx(
        Old=[["to"], ["+61412345670"]],
        People=[["to"], ["+61412345671"]],
        More=[["to"], ["+61412345672"]],
        hidden_sheets={"Old"},
    )
    table = open_table(book)
    assert [dict(it.cells) for it in table] == [{"to": "+61412345671"}]
    assert table.format == "spreadsheet, sheet People (not Old, More)"
    assert rows(book, "Old")[0].cells == {"to": "+61412345670"}
    with pytest.raises(CampaignError, match="has no sheet 'X', but Old, People, More"):
        open_table(book, sheet="X")
    with pytest.raises(CampaignError, match="no visible sheet"):
        open_table(xlsx(Old=[["to"]], hidden_sheets={"Old"}))


def test_hidden_columns_are_mentioned() -> None:
    book = xlsx(S=[["to", "name"], ["+61412345678", "Anna"]])
    columns = '<cols><col min="2" max="2" hidden="1"/></cols><sheetData>'
    hidden = changed(book, "xl/worksheets/sheet1.xml", "<sheetData>", columns)
    assert open_table(hidden).format == "spreadsheet, sheet S, with hidden columns"


def test_an_error_of_the_spreadsheet_is_not_sent() -> None:
    cells = '<c r="A2"><v>61412345678</v></c><c r="B2" t="e"><v>#N/A</v></c>'
    head = '<c r="A1" t="inlineStr"><is><t>to</t></is></c><c r="B1" t="str"><v>name</v></c>'
    read = rows(one_sheet(f'<row r="1">{head}</row><row r="2">{cells}</row>'))
    assert [it.problem for it in read] == ["a cell holds an error of the spreadsheet: #N/A"]


def test_texts_are_read_whole() -> None:
    rich = "<is><r><t>An</t></r><r><t>na</t></r><rPh><t>x</t></rPh></is>"
    data = (
        '<row><c t="inlineStr"><is><t>name</t></is></c><c t="str"><v>to</v></c></row>'
        f'<row><c t="inlineStr">{rich}</c><c t="str"><v>+61412345678_x000D_</v></c></row>'
    )
    assert [dict(it.cells) for it in rows(one_sheet(data))] == [
        {"name": "Anna", "to": "+61412345678"}
    ]


def test_a_stray_cell_far_away_refuses_the_sheet_before_it_is_read() -> None:
    head = '<c r="A1" t="str"><v>to</v></c>'
    far = '<c r="XFD1" t="str"><v>x</v></c>'
    data = f'<row r="1">{head}{far}</row><row r="1048576"><c r="A1048576"><v>1</v></c></row>'
    with pytest.raises(CampaignError, match="reaches to XFD1048576, too large to be read"):
        open_table(one_sheet(data))
    empty = '<row r="1048576"><c r="XFD1048576" s="0"/></row>'
    people = f'<row r="1">{head}</row><row r="2"><c r="A2"><v>61412345678</v></c></row>{empty}'
    assert len(rows(one_sheet(people))) == 1


def test_a_file_that_unpacks_to_too_much_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(spreadsheet, "_MOST_UNPACKED", 10_000)
    book = changed(xlsx(S=[["to"], ["+61412345678"]]), "xl/styles.xml", "</", " " * 9_000 + "</")
    with pytest.raises(CampaignError, match="too large to be read: save it as CSV"):
        open_table(book)


@pytest.mark.parametrize(
    "data",
    [
        '<row r="2"><c r="A2"><v>1</v></c></row><row r="1"><c r="A1"><v>1</v></c></row>',
        '<row r="1"><c r="B1"><v>1</v></c><c r="A1"><v>1</v></c></row>',
        '<row r="1"><c r="A1"><v>1</v></c><c r="A1"><v>1</v></c></row>',
        '<row r="1"><c r="ZZZZZZ1"><v>1</v></c></row>',
        f'<row r="1"><c r="A1" t="str"><v>{"x" * 9_000_000}</v></c></row>',
        '<row r="1"><c r="A1"><v>one</v></c></row>',
    ],
)
def test_a_sheet_that_would_mislead_is_refused(data: str) -> None:
    with pytest.raises(CampaignError, match="no spreadsheet that can be read"):
        rows(one_sheet(data))


@pytest.mark.parametrize(
    ("part", "old", "new"),
    [
        ("xl/workbook.xml", "<workbook", '<!DOCTYPE x [<!ENTITY a "aaaa">]><workbook'),
        ("xl/workbook.xml", "</workbook>", ""),
        ("xl/workbook.xml", 'r:id="rId1"', 'r:id="rId7"'),
        ("xl/_rels/workbook.xml.rels", "worksheets/sheet1.xml", "worksheets/sheet9.xml"),
    ],
)
def test_a_damaged_file_is_refused_in_one_line(part: str, old: str, new: str) -> None:
    with pytest.raises(CampaignError, match="no spreadsheet that can be read") as caught:
        rows(changed(xlsx(S=[["to"], ["1"]]), part, old, new))
    assert "\n" not in str(caught.value)


def test_a_damaged_sheet_is_refused_in_one_line() -> None:
    with pytest.raises(CampaignError, match="no spreadsheet that can be read") as caught:
        rows(one_sheet('<row r="1"><c r="A1" t="s"><v>99</v></c></row>'))
    assert "\n" not in str(caught.value)


def test_a_password_is_named() -> None:
    locked = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(600)
    locked += "EncryptedPackage".encode("utf-16-le") + bytes(600)
    with pytest.raises(CampaignError, match="is protected by a password"):
        open_table(locked)


@pytest.mark.parametrize(
    "page",
    [
        b"MIME-Version: 1.0\r\nX-Document-Type: Workbook\r\n",
        b"<html><table><tr><td>to</td></tr></table></html>",
        b"\xef\xbb\xbf <!DOCTYPE html>",
    ],
)
def test_a_web_page_is_named(page: bytes) -> None:
    with pytest.raises(CampaignError, match=r"is a web page \(HTML\), not a spreadsheet"):
        open_table(page)


def ods(rows: str) -> bytes:
    """Return an OpenDocument file with these rows."""
    names = "urn:oasis:names:tc:opendocument:xmlns"
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("mimetype", "application/vnd.oasis.opendocument.spreadsheet")
        archive.writestr("META-INF/manifest.xml", "<manifest/>")
        archive.writestr(
            "content.xml",
            f'<office:document-content xmlns:office="{names}:office:1.0" '
            f'xmlns:table="{names}:table:1.0" xmlns:text="{names}:text:1.0"><office:body>'
            f'<office:spreadsheet><table:table table:name="S">{rows}</table:table>'
            "</office:spreadsheet></office:body></office:document-content>",
        )
    return out.getvalue()


def test_other_kinds_are_read_through_calamine_after_a_trial() -> None:
    pytest.importorskip("python_calamine", reason="the extra xlsx is absent")
    text = '<table:table-cell office:value-type="string"><text:p>{}</text:p></table:table-cell>'
    line = "<table:table-row>{}</table:table-row>"
    people = line.format(text.format("to")) + line.format(text.format("+61412345678"))
    assert [dict(it.cells) for it in rows(ods(people))] == [{"to": "+61412345678"}]
    cell = text.format("x").replace(
        "<table:table-cell", '<table:table-cell table:number-columns-repeated="16000"'
    )
    far = f'<table:table-row table:number-rows-repeated="1048570">{cell}</table:table-row>'
    with pytest.raises(CampaignError, match="damaged, or too large"):
        rows(ods(people + far))


def test_a_formula_without_its_value_refuses_the_row() -> None:
    cells = '<c r="A{0}" t="inlineStr"><is><t>+6141234567{0}</t></is></c>'
    book = one_sheet(
        '<row r="1"><c r="A1" t="inlineStr"><is><t>to</t></is></c>'
        '<c r="B1" t="inlineStr"><is><t>name</t></is></c></row>'
        f'<row r="2">{cells.format(2)}<c r="B2"><f>A2</f></c></row>'
        f'<row r="3">{cells.format(3)}<c r="B3" t="str"><f>A3</f><v>Bob</v></c></row>'
        f'<row r="4">{cells.format(4)}<c r="B4" t="str"><f>A4</f><v></v></c></row>'
    )
    first, second, third = rows(book)
    assert "a formula has no value" in first.problem
    assert (second.problem, second.cells["name"]) == ("", "Bob")
    assert (third.problem, third.cells["name"]) == ("", "")


def test_rows_without_height_and_columns_without_width_are_hidden() -> None:
    book = xlsx(S=[["to"], ["+61412345678"], ["+61412345679"]])
    flat = changed(book, "xl/worksheets/sheet1.xml", '<row r="3"', '<row r="3" ht="0"')
    assert [it.is_hidden for it in rows(flat)] == [False, True]
    columns = '<cols><col min="1" max="1" width="0" customWidth="1"/></cols><sheetData>'
    narrow = changed(book, "xl/worksheets/sheet1.xml", "<sheetData>", columns)
    assert "with hidden columns" in open_table(narrow).format


def test_merged_rows_are_told_in_the_plan() -> None:
    book = xlsx(S=[["to", "name"], ["+61412345678", "Anna"], ["+61412345679", ""]])
    merged = '</sheetData><mergeCells><mergeCell ref="{}"/></mergeCells>'
    for cells, is_told in (("B2:B3", True), ("A1:B1", False)):
        source = changed(book, "xl/worksheets/sheet1.xml", "</sheetData>", merged.format(cells))
        assert ("with merged cells" in open_table(source).format) is is_told
