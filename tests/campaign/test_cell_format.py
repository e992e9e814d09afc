"""Numbers of a spreadsheet as its cells show them."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aioclicksend.campaign.cell_format import built_in, general, shown

DATE = 46204.770833333336


@pytest.mark.parametrize(
    ("value", "code", "expected"),
    [
        (0.1 + 0.2, "General", "0.3"),
        (-3.5, "General", "-3.5"),
        (12, 'General" pcs"', "12 pcs"),
        (0.15, "0%", "15%"),
        (0.1235, "0.0%", "12.4%"),
        (2.675, "0.00", "2.68"),
        (-0.5, "0.00", "-0.50"),
        (1234.5, "#,##0.00", "1,234.50"),
        (1234.5, '"$"#,##0.00', "$1,234.50"),
        (1234.5, '#,##0.00 "EUR"', "1,234.50 EUR"),
        (1234.567, "[$€-407] #,##0.00", "€ 1,234.57"),
        (1234.567, "_($* #,##0.00_)", "$1,234.57"),
        (-5, "#,##0.00;(#,##0.00)", "(5.00)"),
        (-5, "#,##0;[Red]-#,##0", "-5"),
        (0, '0;-0;"none"', "none"),
        (12, "0.##", "12"),
        (12.5, "0.##", "12.5"),
        (1_500_000, '0.0,,"M"', "1.5M"),
        (411111111, "0000000000", "0411111111"),
        (61412345678, "+0", "+61412345678"),
        (4155552671, "(000) 000-0000", "(415) 555-2671"),
        (5552671, "[<=9999999]###-####;(###) ###-####", "555-2671"),
        (4155552671, "[<=9999999]###-####;(###) ###-####", "(415) 555-2671"),
        (1234567, "0.00E+00", "1234567"),
        (0.5, "# ?/?", "0.5"),
        (5, "@", "5"),
        (DATE, "yyyy-mm-dd h:mm:ss", "2026-07-01 18:30:00"),
        (DATE, "dd.mm.yyyy hh:mm", "01.07.2026 18:30"),
        (DATE, "m/d/yy h:mm AM/PM", "7/1/26 6:30 PM"),
        (DATE, "dddd, d mmmm yyyy", "Wednesday, 1 July 2026"),
        (DATE, "[$-407]d. mmm yy", "1. Jul 26"),
        (0.0104166667, "h:mm", "0:15"),
        (0.5 / 86400 * 3, "mm:ss.0", "00:01.5"),
        (1.5, "[h]:mm", "36:00"),
        (-1, "yyyy", "-1"),
        (59, "yyyy-mm-dd", "1900-02-28"),
        (61, "yyyy-mm-dd", "1900-03-01"),
    ],
)
def test_values_are_shown_as_in_a_cell(value: float, code: str, expected: str) -> None:
    assert shown(value, code) == expected


def test_formats_that_have_only_a_number_are_known() -> None:
    assert shown(0.5, built_in(9)) == "50%"
    assert shown(DATE, built_in(14)) == "2026-07-01"
    assert shown(0.5, built_in(20)) == "12:00"
    assert built_in(999) == "General"


@given(st.integers(-(10**15) + 1, 10**15 - 1))
def test_whole_numbers_keep_all_their_digits(number: int) -> None:
    assert general(float(number)) == str(number)


@given(st.decimals(-9999, 9999, places=4))
def test_decimals_come_out_as_they_were_typed(number: object) -> None:
    text = f"{number}".rstrip("0").rstrip(".")
    assert general(float(str(number))) in (text, text.removeprefix("-"))


@given(st.datetimes(datetime(1901, 1, 1), datetime(9999, 12, 31)))  # noqa: DTZ001
def test_times_come_out_to_the_second(moment: datetime) -> None:
    moment = moment.replace(microsecond=0)
    days = (moment - datetime(1899, 12, 30)) / timedelta(days=1)  # noqa: DTZ001
    assert shown(days, "yyyy-mm-dd hh:mm:ss") == moment.isoformat(" ")


codes = st.text('0#?.,%;"[]$-/\\_*@ ymdhsAMPE+eGeneral', max_size=20)


@given(st.floats(), codes)
def test_any_format_shows_something_or_nothing_in_one_piece(value: float, code: str) -> None:
    assert isinstance(shown(value, code), str)
