# ruff: noqa: RUF001 - letters of other scripts are what this is about
"""Encodings: known, guessed with a note, or asked for."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aioclicksend.campaign import CampaignError, open_table


def listed(names: list[str], encoding: str) -> bytes:
    lines = "".join(f"{name};+6149157{row:04}\n" for row, name in enumerate(names))
    return f"name;to\n{lines}".encode(encoding)


def names(source: bytes, encoding: str | None = None) -> list[str]:
    return [it.cells["name"] for it in open_table(source, encoding=encoding)]


@pytest.mark.parametrize(
    ("name", "encoding"),
    [
        ("Иван", "cp1251"),
        ("Иван", "koi8_r"),
        ("Иван", "cp866"),
        ("Νίκος", "cp1253"),
        ("Zażółć", "cp1250"),
        ("Łukasz", "cp1250"),
        ("Kovář", "cp1250"),
        ("Şükrü", "cp1254"),
        ("René", "mac_roman"),
        ("Müller", "mac_roman"),
        ("Müller", "cp850"),
        ("Zoë", "cp850"),
        ("こんにちは", "shift_jis"),
        ("田中さん", "euc_jp"),
        ("王小明", "gbk"),
        ("王小明", "big5"),
        ("김철수", "euc_kr"),
        ("Hélène", "cp1252"),  # or Hélčne, a Czech would read
        ("Jānis", "cp1257"),
        ("Pēteris", "iso8859-13"),
        ("Pēteris", "iso8859-4"),
        ("田中", "iso2022_jp"),
        ("김철수", "iso2022_kr"),
        ("ﾀﾅｶ", "shift_jis"),  # one letter of it is valid UTF-8 by chance
        ("Łukasz Dvořák", "mac_latin2"),
    ],
)
def test_an_encoding_that_cannot_be_known_is_asked_for(name: str, encoding: str) -> None:
    source = listed(["Anna", name], encoding)
    with pytest.raises(CampaignError, match=r"not in UTF-8.* give it with --encoding NAME"):
        open_table(source)
    assert names(source, encoding) == ["Anna", name]


@pytest.mark.parametrize(
    "name", ["Zoë", "René", "Müller", "Strauß", "José", "“Zoë”", "5 € – Zoë", "McGrégor"]
)
def test_an_encoding_is_guessed_where_all_candidates_agree(name: str) -> None:
    table = open_table(listed([name], "cp1252"))
    assert [it.cells["name"] for it in table] == [name]
    assert "cp1252 (guessed: check the names)" in table.format


def test_a_bad_byte_in_utf8_refuses_its_row_alone() -> None:
    source = listed(["Zoë", "Łukasz", "X"], "utf-8").replace(b"X", b"Ren\xe9")
    table = open_table(source)
    first, second, third = table
    assert (first.cells["name"], second.cells["name"]) == ("Zoë", "Łukasz")
    assert third.number == 4
    assert "not in the encoding of the rest" in third.problem
    assert "not valid in some rows" in table.format


def test_an_encoding_that_was_given_is_not_bent() -> None:
    source = listed(["Zoë"], "cp1252")
    with pytest.raises(CampaignError, match="is not in utf-8: give its encoding"):
        names(source, "utf-8")
    with pytest.raises(CampaignError, match="none called 'klingon'"):
        names(source, "klingon")


@pytest.mark.parametrize("byte", [b"\x1f", b"\x00", b"\x7f", b"\x0b"])
def test_a_control_character_is_dropped_wherever_it_stands(byte: bytes) -> None:
    for before in (0, 5_000):
        lines = b"Anna;+61491570006\n" * before
        source = b"name;to\n" + lines + b"So" + byte + b"ft;+61491570156\n"
        assert names(source)[-1] == "Soft"


def test_the_end_of_file_mark_and_padding_are_no_rows() -> None:
    for end in (b"\x1a", b"\x00\x00\x00", b"\r\n\x1a\r\n"):
        assert names(b"name;to\r\nAnna;+61491570006\r\n" + end) == ["Anna"]


@given(st.binary(max_size=200))
def test_any_bytes_are_decoded_or_refused(junk: bytes) -> None:
    try:
        for row in open_table(b"name;to\n" + junk):
            assert row.problem or "".join(row.cells.values()).encode()
    except CampaignError as error:  # such as a quote that is never closed
        assert "\n" not in str(error)  # noqa: PT017 - whichever comes


@given(st.lists(st.text(st.characters(codec="utf-8", categories=["L"]), min_size=1), min_size=1))
def test_utf8_is_always_known(words: list[str]) -> None:
    table = open_table(listed(words, "utf-8"))
    assert "guessed" not in table.format
    assert len(list(table)) == len(words)
