# ruff: noqa: RUF001 - typographic quotes are among what encodings differ in
"""Reading tables as programs write them."""

from __future__ import annotations

import csv
import functools
import io
import os
from pathlib import Path

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from aioclicksend.campaign import CampaignError, open_table
from aioclicksend.campaign.source import Row

from .sheets import xlsx

COMMA = b"Name,Mobile\nAnna,0412345678\nBob,0412345679\n"
NDJSON = b'{"Name": "Anna", "Mobile": "0412345678"}\n{"Name":"Bob","Mobile":"0412345679"}\n'


def rows(source: bytes | Path, **options: str) -> list[Row]:
    return list(open_table(source, **options))


def cells(source: bytes | Path, **options: str) -> list[dict[str, str]]:
    return [dict(it.cells) for it in open_table(source, **options)]


ANNA_AND_BOB = [
    {"Name": "Anna", "Mobile": "0412345678"},
    {"Name": "Bob", "Mobile": "0412345679"},
]


@pytest.mark.parametrize(
    "source",
    [
        COMMA,
        COMMA.replace(b",", b";"),
        COMMA.replace(b",", b"\t"),
        COMMA.replace(b",", b"|"),
        COMMA.replace(b",", b", "),
        COMMA.replace(b"\n", b"\r\n"),
        COMMA.replace(b"\n", b"\r"),
        COMMA.replace(b"\n", b"\n\n"),
        COMMA.strip(),
        b"\xef\xbb\xbf" + COMMA,
        b"sep=;\r\n" + COMMA.replace(b",", b";"),
        COMMA.decode().encode("utf-16"),
        COMMA.decode().encode("utf-16-le"),
        COMMA.decode().encode("utf-16-be"),
        COMMA.decode().encode("utf-32"),
        b"'Name','Mobile'\n'Anna','0412345678'\n'Bob','0412345679'\n",
        b'"Name","Mobile"\n"Anna","0412345678"\n"Bob","0412345679"\n',
        b'Name, Mobile\n"Anna", "0412345678"\n"Bob", "0412345679"\n',
        NDJSON,
        b"\xef\xbb\xbf\n" + NDJSON.replace(b"\n", b"\n\n"),
        NDJSON.decode().encode("utf-16"),
    ],
)
def test_common_dialects_read_the_same(source: bytes) -> None:
    assert cells(source) == ANNA_AND_BOB


@pytest.mark.parametrize(
    ("encoding", "recognised"),
    [("utf-8", "utf-8"), ("cp1252", "cp1252"), ("utf-8-sig", "utf-8-sig"), ("utf-16", "utf-16")],
)
def test_encodings_are_recognised(encoding: str, recognised: str) -> None:
    table = open_table("name,to\nZoë “O’Neil”,+61412345678\n".encode(encoding))
    assert next(iter(table)).cells["name"] == "Zoë “O’Neil”"
    assert recognised in table.format


def test_a_late_byte_decides_the_encoding() -> None:
    source = "name,to\n" + "Anna,+61412345678\n" * 100_000 + "Zoë,+61412345678\n"
    assert cells(source.encode("latin-1"))[-1]["name"] == "Zoë"


def test_an_encoding_can_be_given() -> None:
    table = open_table("name,to\nŁukasz,+48512345678\n".encode("cp1250"), encoding="cp1250")
    assert next(iter(table)).cells["name"] == "Łukasz"


def test_rows_keep_their_numbers_in_the_spreadsheet() -> None:
    read = rows(b'name,to\n\nAnna,1\n"Bo\nb",2\n\nCleo,3\n')
    assert [it.number for it in read] == [3, 4, 6]
    assert read[1].cells["name"] == "Bo\nb"


def test_quotes_within_cells_are_read_as_spreadsheets_and_databases_write_them() -> None:
    assert cells(b'a,b\n"say ""hi"", ok",2\n') == [{"a": 'say "hi", ok', "b": "2"}]
    assert cells(b'a,b\n"say \\"hi\\", ok",2\n') == [{"a": 'say "hi", ok', "b": "2"}]
    assert cells(b'a,b\n5" nail,2\n') == [{"a": '5" nail', "b": "2"}]


def test_a_row_with_a_stray_delimiter_is_refused_not_shifted() -> None:
    read = rows(b"name,city,to\nAnna,Sydney, NSW,+61412345678\nBob,Perth,+61412345679\n")
    assert "4 cells below a heading of 3" in read[0].problem
    assert not read[0].cells
    assert read[1].cells["to"] == "+61412345679"


def test_a_row_with_broken_quotes_is_refused_and_the_next_is_read() -> None:
    read = rows(b'name,to\n"An"na,1\nBob,2\n')
    assert "quote" in read[0].problem
    assert read[1].cells == {"name": "Bob", "to": "2"}


def test_a_quote_that_is_never_closed_does_not_swallow_the_rest() -> None:
    with pytest.raises(CampaignError, match="row 3: a quote opened in line 3 is never closed"):
        rows(b'name,to\nAnna,1\n"Bob,2\nCleo,3\n')
    with pytest.raises(CampaignError, match="row 2: a quote opened in line 2"):
        rows(b'name,to\n"Bob,2\n' + b"Cleo,3\n" * 30_000)


def test_short_rows_are_filled_and_blank_ones_left_out() -> None:
    assert cells(b"a,b,c\n1\n,,\n \n1,2,3,,\n") == [
        {"a": "1", "b": "", "c": ""},
        {"a": "1", "b": "2", "c": "3"},
    ]


def test_without_a_heading_the_number_is_recognised() -> None:
    table = open_table(b"0412 345 678\n+61412345679\n")
    assert table.columns == ["to"]
    assert "no heading" in table.format
    assert len(list(table)) == 2
    assert open_table(b"Anna;0412345678;Sydney\n").columns == ["1", "to", "3"]
    assert open_table(b"Anna;0412345678;0412345679\n").columns == ["1", "2", "3"]


def test_a_date_is_no_number_and_no_reason_to_miss_the_heading() -> None:
    assert open_table(b"name,to,2024-01-31\nAnna,+61412345678,x\n").columns[2] == "2024-01-31"


def test_missing_and_repeated_headings_are_distinguished() -> None:
    assert open_table(b"to,,to,name,name\n").columns == ["to 1", "2", "to 3", "name 4", "name 5"]


def test_ndjson_values_become_texts() -> None:
    read = rows(
        b'{"to": 61412345678, "f": 61412345678.0, "x": 1.5, "n": null, "b": true, "l": [1]}\n'
        b"[1]\nnope\n"
        b'{"to": "+61412345679", "new": "y"}\n'
    )
    assert read[0].cells == {
        "to": "61412345678",
        "f": "61412345678",
        "x": "1.5",
        "n": "",
        "b": "true",
        "l": "[1]",
    }
    assert [it.problem for it in read] == ["", "is no JSON object", "is no JSON", ""]
    assert read[3].number == 4


def test_ndjson_columns_are_those_of_the_first_rows() -> None:
    assert open_table(b'{"to": "1"}\n{"name": "Anna"}\n').columns == ["to", "name"]


def test_spreadsheets_read_like_csv() -> None:
    pytest.importorskip("python_calamine", reason="the extra xlsx is absent")
    book = xlsx(
        People=[
            [],
            ["Name", "Mobile", "Member"],
            ["Anna", 61412345678, True],
            [],
            ["Bob & co", "0412345679", None],
        ],
        Other=[["to"], ["+61412345678"]],
    )
    table = open_table(book)
    assert table.columns == ["Name", "Mobile", "Member"]
    assert [tuple(it[:3]) for it in table] == [
        (3, {"Name": "Anna", "Mobile": "61412345678", "Member": "TRUE"}, ""),
        (5, {"Name": "Bob & co", "Mobile": "0412345679", "Member": ""}, ""),
    ]
    assert cells(book, sheet="Other") == [{"to": "+61412345678"}]
    with pytest.raises(CampaignError, match="no sheet 'Third', but People, Other"):
        open_table(book, sheet="Third")


def test_a_stream_is_read_again_and_again(tmp_path: Path) -> None:
    path = tmp_path / "people.csv"
    path.write_bytes(COMMA)
    with path.open("rb") as stream:
        table = open_table(stream)
    assert list(table) == list(table) == rows(path)
    assert table.fingerprint == open_table(path).fingerprint
    assert table.fingerprint != open_table(COMMA + b"x,y\n").fingerprint


def test_a_pipe_is_read() -> None:
    read_end, write_end = os.pipe()
    with os.fdopen(write_end, "wb") as pipe:
        pipe.write(COMMA)
    with os.fdopen(read_end, "rb") as pipe:
        assert [dict(it.cells) for it in open_table(pipe)] == ANNA_AND_BOB


@pytest.mark.parametrize(
    ("source", "says"),
    [
        (b"", "is empty"),
        (b"\n\n", "no rows"),
        (b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR", "binary"),
        (b"%PDF-1.7\n\xe2\xe3\xcf\xd3\x01\x02", "binary"),
        (b"\x1f\x8b\x08\x00", "binary"),
        (b"PK\x03\x04rubbish", "no spreadsheet"),
        (b'[{"to": "+61412345678"}]', "one JSON array"),
        (b"{nonsense\n", "JSON object in each line"),
    ],
)
def test_what_is_no_table_is_refused_in_one_line(source: bytes, says: str) -> None:
    with pytest.raises(CampaignError, match=says) as caught:
        open_table(source)
    assert "\n" not in str(caught.value)


def test_a_file_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    with pytest.raises(CampaignError, match=r"absent\.csv cannot be read: No such file"):
        open_table(tmp_path / "absent.csv")
    with pytest.raises(CampaignError, match="cannot be read: Is a directory"):
        open_table(tmp_path)


def test_wrong_options_are_refused() -> None:
    with pytest.raises(CampaignError, match="there is none called 'klingon'"):
        open_table(COMMA, encoding="klingon")
    with pytest.raises(CampaignError, match="not in utf-16"):
        open_table(COMMA + b"x", encoding="utf-16")
    with pytest.raises(CampaignError, match="must be one character"):
        open_table(COMMA, delimiter=";;")


def test_a_wrong_encoding_shows_where_it_breaks() -> None:
    source = b"name,to\n" + b"Anna,1\n" * 100_000 + b"Zo\xeb,2\n"
    with pytest.raises(CampaignError, match="not in utf-8"):
        rows(source, encoding="utf-8")


words = st.text(
    st.characters(codec="utf-8", exclude_categories=["Cc", "Cf", "Cs", "Z"]), max_size=12
)
names = st.sampled_from(["Anna", "Bob", "O'Neil", "Smith, Eve", "Zo\xeb"])
numbers = st.integers(10**8, 10**9 - 1).map(lambda it: f"+61{it}")


@pytest.mark.slow
@given(
    st.lists(st.tuples(words, words, words), min_size=1, max_size=12),
    st.sampled_from(",;\t|"),
    st.sampled_from(["\n", "\r\n"]),
    st.sampled_from(["utf-8", "utf-8-sig", "utf-16"]),
    st.sampled_from(["needed", "always"]),
)
def test_what_csv_writes_is_read(
    lines: list[tuple[str, str, str]], delimiter: str, end: str, encoding: str, quotes: str
) -> None:
    assume(not any("\\" in cell for line in lines for cell in line))
    out = io.StringIO(newline="")
    write = functools.partial(csv.writer, out, delimiter=delimiter, lineterminator=end)
    writer = write(quoting=csv.QUOTE_ALL) if quotes == "always" else write()
    writer.writerows([("first", "second", "third"), *lines])
    table = open_table(out.getvalue().encode(encoding), delimiter=delimiter)
    expected = [it for it in lines if any(map(str.strip, it))]
    assert [tuple(it.cells.values()) for it in table] == expected


@given(
    st.lists(st.tuples(names, numbers, st.text(" ,;.'\"abc", max_size=20)), min_size=2, max_size=9),
    st.sampled_from(",;\t|"),
)
def test_the_delimiter_is_recognised(lines: list[tuple[str, str, str]], delimiter: str) -> None:
    out = io.StringIO(newline="")
    csv.writer(out, delimiter=delimiter).writerows([("name", "mobile", "note"), *lines])
    table = open_table(out.getvalue().encode())
    assert table.columns == ["name", "mobile", "note"]
    assert [it.cells["mobile"] for it in table] == [number for _, number, _ in lines]


def test_single_quotes_are_known_by_the_rows_alone() -> None:
    table = open_table(b"name,to\n'Anna','+61412345678'\n'O''Neil, Bob','+61412345679'\n")
    assert [it.cells["name"] for it in table] == ["Anna", "O'Neil, Bob"]
    table = open_table(b"name,to\nO'Neil,'+61412345678\nAnna,'+61412345679\n")
    assert [it.cells["name"] for it in table] == ["O'Neil", "Anna"]


def test_a_record_of_too_many_cells_over_several_lines_loses_no_line() -> None:
    source = b'name,to\n"Ann","none""\n""Bob","nor here"\n"Cy","+61412345678"\n'
    read = list(open_table(source))
    assert [it.number for it in read] == [2, 3, 4]
    assert [bool(it.problem) for it in read] == [True, True, False]
