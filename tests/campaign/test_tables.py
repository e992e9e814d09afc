"""No row of a file is ever silently missing, with any quotes, separators and encoding."""

from __future__ import annotations

import re

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from aioclicksend.campaign import CampaignError, open_table

_number = re.compile(r"\+6149157\d{4}").findall

HEADINGS = (("name", "to"), ("to", "name"), ("name", "to", "note"), ("to", "name", "note"), ("to",))
cells = st.sampled_from(
    [
        "Ann", '"Ann"', '"An""n"', '"Ann', 'Ann"', 'A"n', '"An\nn"', '""', "", "O'Neil", "'Ann'",
        '"Ann;', '"A,n"', "A,n", "A;n", ' "Ann"', '"Ann" ', '"""', 'Ann\\"', "Zo\xeb", '"a\r\nb"',
        '12"', "\x1f", "\u200b", "x" * 50,
    ]
)  # fmt: skip
decorated = st.sampled_from(["{}", '"{}"', '"{}', '{}"', " {} ", '="{}"', "'{}", "tel:{}"])


@st.composite
def files(draw: st.DrawFn) -> tuple[bytes, set[str]]:
    """Return a file, and the numbers in it: one in each of its lines, where the column is."""
    columns = draw(st.sampled_from(HEADINGS))
    delimiter = draw(st.sampled_from([",", ";", "\t", "|"]))
    end = draw(st.sampled_from(["\n", "\r\n"]))
    lines = [delimiter.join(columns)]
    numbers = set()
    for row in range(draw(st.integers(1, 7))):
        number = f"+6149157{row:04}"
        numbers.add(number)
        texts = [
            draw(decorated).format(number) if name == "to" else draw(cells) for name in columns
        ]
        lines.append(delimiter.join(texts))
    text = end.join(lines) + draw(st.sampled_from(["", end]))
    encoding = draw(st.sampled_from(["utf-8", "utf-8-sig", "utf-16", "cp1252"]))
    return text.encode(encoding, "replace"), numbers


@pytest.mark.slow
@settings(max_examples=300)
@given(files())
@example((b'name,to\n"Ann,+61491570000\nDee,+61491570001\n"Bob",+61491570002\n', {
    "+61491570000", "+61491570001", "+61491570002",
}))  # fmt: skip
@example((b'name,to\n"Ann,+61491570000\nBob,+61491570001\nCy 12",+61491570002\n', {
    "+61491570000", "+61491570001", "+61491570002",
}))  # fmt: skip
@example((b'to,name\n+61491570000,"Ann\n+61491570001",""', {"+61491570000", "+61491570001"}))
@example((b'name;to;note\n"Ann;; +61491570000 ;Ann\n12";+61491570001;Ann', {
    "+61491570000", "+61491570001",
}))  # fmt: skip
@example((b'"Ann";"+61491570000"\r\n"Bob";"+61491570001""\r\n""Di";"+61491570002"\r\n', {
    "+61491570000", "+61491570001", "+61491570002",
}))  # fmt: skip
def test_each_row_is_read_or_refused_by_its_number_or_the_file_is(
    made: tuple[bytes, set[str]],
) -> None:
    source, numbers = made
    try:
        rows = list(open_table(source))
    except CampaignError:
        return
    found: list[str] = []
    for row in rows:
        held = [it for text in (*row.cells.values(), *row.texts) for it in _number(text)]
        if row.problem:
            assert not row.cells
        else:
            # No recipient gets a text with another row in it.
            assert len(set(held)) <= 1, row
        found += set(held)
    assert sorted(found) == sorted(numbers)
    assert [it.number for it in rows] == sorted({it.number for it in rows})


@given(st.binary(max_size=300) | st.text(',;"\n\r\tab+1', max_size=200).map(str.encode))
def test_any_bytes_are_a_table_or_refused(source: bytes) -> None:
    try:
        table = open_table(source)
        rows = list(table)
    except CampaignError as error:
        assert "\n" not in str(error)  # noqa: PT017 - whichever comes
    else:
        assert rows == list(table)


def test_a_heading_of_many_columns_takes_linear_time() -> None:
    width = 60_000
    heading = ",".join(["to", *["x"] * (width - 1)])
    table = open_table(f"{heading}\n+61491570006\n".encode())
    assert len(set(table.columns)) == width
    assert next(iter(table)).cells["to"] == "+61491570006"


def test_lines_that_each_open_a_quote_take_linear_time() -> None:
    lines = '+61491570006,"x\n' * 30_000
    rows = list(open_table(f"to,name\n{lines}".encode()))
    assert len(rows) == 30_000
    assert all(it.problem for it in rows)


def test_deeply_nested_json_is_refused_by_its_row() -> None:
    source = b'{"to": "+61491570006"}\n{"to": ' + b"[" * 100_000 + b"]" * 100_000 + b"}\n"
    assert [it.problem for it in open_table(source)] == ["", "is no JSON"]
