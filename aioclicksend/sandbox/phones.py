"""Read phone numbers the way the sandbox accepts them.

This is plausibility, not a numbering plan: the calling code must exist, the national part must have
a possible length and must not be all zeros.
"""

from __future__ import annotations

from typing import NamedTuple

from .countries import BY_CALLING_CODE, CALLING_CODES

_NOISE = str.maketrans("", "", " \t-().")
_NATIONAL_LENGTHS = {
    "1": (10, 10),
    "27": (9, 9),
    "31": (9, 9),
    "33": (9, 9),
    "34": (9, 9),
    "44": (9, 10),
    "61": (9, 9),
    "64": (8, 10),
    "65": (8, 8),
    "86": (8, 11),
    "91": (10, 10),
}
_CANADA_TEXT = (
    "204 226 236 249 250 263 289 306 343 354 365 367 368 382 387 403 416 418 428 431 437 438 450 "
    "468 474 506 514 519 548 579 581 584 587 604 613 639 647 672 683 705 709 742 753 778 780 782 "
    "807 819 825 867 873 879 902 905"
)
_CANADA = frozenset(_CANADA_TEXT.split())

#: Numbers that cost nothing and never reach anyone: [docs] ClickSend API v3, testing.
TEST_NUMBERS = frozenset(
    {
        "+61411111111",
        "+61422222222",
        "+61433333333",
        "+61444444444",
        "+14055555555",
        "+14055555666",
        "+447777777777",
        "+8615555555555",
    }
)


class Phone(NamedTuple):
    """A number in E.164 form and the country it belongs to."""

    number: str
    country: str


def _international(digits: str) -> Phone | None:
    if not 7 <= len(digits) <= 15:
        return None
    for size in (4, 3, 2, 1):
        code = digits[:size]
        country = BY_CALLING_CODE.get(code)
        if country is not None:
            break
    else:
        return None
    # Caribbean codes are 1 and an area code: their national part is shorter by that area code.
    low, high = (7, 7) if size == 4 else _NATIONAL_LENGTHS.get(code, (5, 13))
    national = digits[size:]
    if not low <= len(national) <= high or not national.strip("0"):
        return None
    if code == "1" and national[:3] in _CANADA:
        country = "CA"
    return Phone("+" + digits, country)


def parse(raw: str, country: str = "", default_country: str = "AU") -> Phone | None:
    """Return the number in E.164 form, or None if it cannot be reached.

    A number without `+` is local to `country`, else to the account's own country.
    """
    text = raw.translate(_NOISE)
    digits = text[1:] if text[:1] == "+" else text
    if not (digits.isascii() and digits.isdigit()):
        return None
    if text[0] == "+":
        return _international(digits)
    if digits.startswith("00"):
        return _international(digits[2:])
    local = CALLING_CODES.get((country or default_country).upper())
    if local is None:
        return None
    trunk = digits.startswith("0")
    as_local = _international(local + digits.lstrip("0"))
    if trunk:
        return as_local
    as_international = _international(digits)
    if country and not (as_international and digits.startswith(local)):
        return as_local or as_international
    return as_international or as_local


def e164(raw: str) -> str:
    """Return a number in E.164 form; what is none, such as a short code or a name, as it is."""
    phone = parse(raw) if raw.strip() else None
    return phone.number if phone else raw


def national(number: str) -> str:
    """Return an E.164 number as people of its country write it, as far as a zero goes."""
    digits = number.removeprefix("+")
    code = next((digits[:n] for n in (3, 2, 1) if digits[:n] in BY_CALLING_CODE), "")
    # North America has no trunk prefix.
    return digits[1:] if code == "1" else "0" + digits.removeprefix(code)
