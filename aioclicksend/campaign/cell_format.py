"""Numbers of a spreadsheet as its cells show them: ``0.15`` as 15%, ``46204.77`` as a time.

A cell holds a number and a format code such as ``0.00%`` or ``dd.mm.yyyy hh:mm``. A person writes a
text with what the cell shows in mind, so that is what has to go out. What depends on the language
of the program (the "short date") is written as ISO 8601 has it; fractions and exponents, which
no message needs, are shown as plain numbers.
"""

from __future__ import annotations

import re
from datetime import datetime, timedelta
from decimal import ROUND_HALF_UP, Context, Decimal
from functools import lru_cache
from typing import NamedTuple

_BUILT_IN = {
    0: "General", 1: "0", 2: "0.00", 3: "#,##0", 4: "#,##0.00", 9: "0%", 10: "0.00%",
    14: "yyyy-mm-dd", 15: "d-mmm-yy", 16: "d-mmm", 17: "mmm-yy", 18: "h:mm AM/PM",
    19: "h:mm:ss AM/PM", 20: "h:mm", 21: "h:mm:ss", 22: "yyyy-mm-dd h:mm", 37: "#,##0;-#,##0",
    38: "#,##0;-#,##0", 39: "#,##0.00;-#,##0.00", 40: "#,##0.00;-#,##0.00", 45: "mm:ss",
    46: "[h]:mm:ss", 47: "mm:ss.0", 49: "@",
}  # fmt: skip
"""ECMA-376, 18.8.30: formats that files name by number only."""
_GENERAL = "General"
_DIGITS = 15
"""Significant digits that spreadsheets keep."""
_LARGEST = 10**_DIGITS
_LATEST = 2_958_466
"""The day after 9999-12-31, in days since 1900."""

# Enough for the largest number in the longest format that files may name, of 255 characters.
_round = Context(prec=300, rounding=ROUND_HALF_UP).quantize
_token = re.compile(
    r'"(?P<quoted>[^"]*)"|\\(?P<escaped>.)|_(?P<space>.)|\*(?P<fill>.)'
    r"|\[\$(?P<currency>[^\]-]*)[^\]]*\]|\[(?P<elapsed>h+|m+|s+)\]|\[[^\]]*\]"
    r"|(?P<half>AM/PM|A/P)|(?P<date>y+|m+|d+|h+|s+(?:\.0+)?)|(?P<digits>[0#?.,]+)|(?P<other>.)",
    re.IGNORECASE | re.DOTALL,
)
_general_places = re.compile("General", re.IGNORECASE)
_is_conditional = re.compile(r"\[[<>=]").search
_MONTHS = (
    "January", "February", "March", "April", "May", "June", "July", "August", "September",
    "October", "November", "December",
)  # fmt: skip
_DAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")


class _Piece(NamedTuple):
    kind: str
    text: str


def built_in(number: int) -> str:
    """Return the code of a format that is named by its number."""
    return _BUILT_IN.get(number, _GENERAL)


def shown(value: float, code: str, *, since_1904: bool = False) -> str:
    """Return a number as a cell of a format shows it.

    Args:
        value: the number.
        code: the format's code.
        since_1904: whether days are counted from 1904, as old files of Macs do.

    """
    section = _section(code, value)
    pieces = _pieces(section)
    kinds = {it.kind for it in pieces}
    if not -_LARGEST < value < _LARGEST:  # nor is NaN
        return general(value)
    if "date" in kinds or "elapsed" in kinds:
        return _moment(value + 1462 * since_1904, pieces)
    if "digits" not in kinds or "/" in section or _is_scientific(pieces):
        literal = "".join(it.text for it in pieces if it.kind == "literal").strip()
        if "digits" in kinds or literal in ("", "@"):
            return general(value)
        return _general_places.sub(general(value), literal)
    return _number(value, pieces, is_own_sign=value < 0 and ";" in code)


def general(value: float) -> str:
    """Return a number with the digits that spreadsheets keep, and without an exponent."""
    if value != value or value in (float("inf"), float("-inf")):  # noqa: PLR0124 - NaN
        return str(value)
    text = f"{Decimal(f'{value:.{_DIGITS}g}'):f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


@lru_cache(1024)
def _pieces(section: str) -> tuple[_Piece, ...]:
    """Return the parts of a format; minutes and months are distinguished."""
    pieces: list[_Piece] = []
    for found in _token.finditer(section):
        kind, text = found.lastgroup or "", found.group(found.lastgroup or 0)
        if kind in ("quoted", "escaped", "currency", "other"):
            pieces.append(_Piece("percent" if kind == "other" and text == "%" else "literal", text))
        elif kind == "space":
            pieces.append(_Piece("literal", " "))
        elif kind in ("date", "elapsed", "half", "digits"):
            pieces.append(_Piece(kind, text if kind == "digits" else text.lower()))
    if any(it.kind in ("date", "elapsed") for it in pieces):
        # Commas and points stand between dates, and are no digits there.
        pieces = [
            it._replace(kind="literal") if it.kind in ("digits", "percent") else it for it in pieces
        ]
    times = [at for at, it in enumerate(pieces) if it.kind in ("date", "elapsed")]
    for place, at in enumerate(times):
        if pieces[at].kind == "date" and pieces[at].text in ("m", "mm"):
            before = pieces[times[place - 1]].text[0] if place else ""
            after = pieces[times[place + 1]].text[0] if place + 1 < len(times) else ""
            if before == "h" or after == "s" or (before == "s" and after != "d"):
                pieces[at] = _Piece("date", "n" * len(pieces[at].text))
    return tuple(pieces)


def _section(code: str, value: float) -> str:
    """Return the part of a format that is for positive numbers, negative ones, or zero."""
    if ";" not in code:
        return code
    sections = re.split(r';(?=(?:[^"]*"[^"]*")*[^"]*$)', code[:400])
    if _is_conditional(code):
        return _conditional(sections, value)
    # The format of negative numbers brings its own sign, or brackets in its place.
    if value < 0 and len(sections) > 1:
        return sections[1]
    return sections[2] if value == 0 and len(sections) > 2 else sections[0]


def _conditional(sections: list[str], value: float) -> str:
    for section in sections:
        found = re.search(r"\[(<=|>=|<>|<|>|=)\s*(-?[0-9.]+)\]", section)
        if found is None:
            return section
        limit = float(found[2])
        holds = {
            "<": value < limit,
            "<=": value <= limit,
            ">": value > limit,
            ">=": value >= limit,
            "=": value == limit,
            "<>": value != limit,
        }
        if holds[found[1]]:
            return section
    return _GENERAL


def _is_scientific(pieces: tuple[_Piece, ...]) -> bool:
    return any(
        it.kind == "literal" and it.text in ("E", "e") and pieces[at - 1].kind == "digits"
        for at, it in enumerate(pieces)
        if at
    )


def _number(value: float, pieces: tuple[_Piece, ...], *, is_own_sign: bool) -> str:
    """Return a number in a format with places for digits."""
    places = "".join(it.text for it in pieces if it.kind == "digits")
    # Commas behind the last digit divide by a thousand each: "0,," shows millions.
    thousands = len(places) - len(places.rstrip(","))
    whole, _, fraction = places.rstrip(",").partition(".")
    # Through 15 digits first, as spreadsheets do: 0.1 + 0.2 is 0.3 in them.
    number = abs(Decimal(f"{value:.{_DIGITS}g}"))
    if any(it.kind == "percent" for it in pieces):
        number *= 100
    number = _round(number.scaleb(-3 * thousands), Decimal(1).scaleb(-len(fraction)))
    integer, _, decimals = f"{number:f}".partition(".")
    least = len(re.findall("0", whole))
    integer = integer.lstrip("0").rjust(least, "0") if least else integer.lstrip("0")
    while decimals and fraction[len(decimals) - 1 :].startswith(("#", "?")) and decimals[-1] == "0":
        decimals = decimals[:-1]
    if "," in whole:
        integer = f"{int(integer or 0):,}" if len(integer) > least else integer
    filled = _fill(pieces, whole, integer, decimals)
    return f"-{filled}" if value < 0 and number and not is_own_sign else filled


def _fill(pieces: tuple[_Piece, ...], whole: str, integer: str, decimals: str) -> str:
    """Return the format with its digits: literals within them, as of ``000-000``, stay."""
    slots = [len(re.findall("[0#?]", it.text.partition(".")[0])) for it in pieces]
    if "." in "".join(it.text for it in pieces if it.kind == "digits"):
        first_point = next(at for at, it in enumerate(pieces) if "." in it.text)
        slots[first_point + 1 :] = [0] * (len(slots) - first_point - 1)
    digits = [at for at, it in enumerate(pieces) if it.kind == "digits" and slots[at]]
    taken: dict[int, str] = {}
    rest = integer
    # From the right: the leftmost group takes what is left over.
    for at in reversed(digits):
        size = len(rest) if at == digits[0] else slots[at]
        taken[at], rest = (rest[-size:], rest[:-size]) if size else ("", rest)
    shown = ""
    is_decimal = False
    for at, it in enumerate(pieces):
        if it.kind == "digits":
            shown += taken.get(at, "")
            if "." in it.text and not is_decimal:
                is_decimal = True
                shown += f".{decimals}" if decimals or "." not in whole else ""
        elif it.kind in ("literal", "percent"):
            shown += it.text
    return shown.strip().removesuffix(".")


def _moment(value: float, pieces: tuple[_Piece, ...]) -> str:
    """Return days since 1900 as a date, a time of day, or a time that has passed."""
    if not 0 <= value < _LATEST:
        return general(value)
    finest = max((it.text.count("0") for it in pieces if it.text.startswith("s")), default=0)
    total = round(Decimal(repr(value)) * 86_400, finest)
    # Files count a 29 February 1900 that never was.
    days = int(total // 86_400) + (1 if value < 60 else 0)
    moment = datetime(1899, 12, 30) + timedelta(days=days, seconds=float(total % 86_400))  # noqa: DTZ001
    is_half = any(it.kind == "half" for it in pieces)
    shown = ""
    for it in pieces:
        if it.kind == "elapsed":
            unit = {"h": 3600, "m": 60, "s": 1}[it.text[0]]
            shown += str(int(total // unit)).rjust(len(it.text), "0")
        elif it.kind == "half":
            shown += (
                ("PM" if moment.hour >= 12 else "AM") if "m" in it.text else "AP"[moment.hour // 12]
            )
        elif it.kind == "date":
            shown += _part(it.text, moment, is_half=is_half)
        else:
            shown += it.text
    return shown.strip()


def _part(code: str, moment: datetime, *, is_half: bool) -> str:
    """Return one part of a date or time, such as that of ``mmm``."""
    size = len(code)
    match code[0]:
        case "y":
            return f"{moment.year:04}" if size > 2 else f"{moment.year % 100:02}"
        case "m":
            month = _MONTHS[moment.month - 1]
            names = {3: month[:3], 4: month, 5: month[0]}
            return names.get(size) or str(moment.month).rjust(min(size, 2), "0")
        case "d":
            day = _DAYS[moment.weekday()]
            names = {3: day[:3], 4: day}
            return names.get(size) or str(moment.day).rjust(min(size, 2), "0")
        case "h":
            # On a clock of twelve hours midnight and noon are 12, not 0.
            hour = (moment.hour - 1) % 12 + 1 if is_half else moment.hour
            return str(hour).rjust(min(size, 2), "0")
        case "n":
            return str(moment.minute).rjust(min(size, 2), "0")
        case _:
            seconds, _, fraction = code.partition(".")
            text = str(moment.second).rjust(min(len(seconds), 2), "0")
            return (
                f"{text}.{moment.microsecond:06}"[: len(text) + 1 + len(fraction)]
                if fraction
                else text
            )
