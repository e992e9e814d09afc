"""The one-time code in a text, in the many ways in which people write one."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator
from itertools import islice
from typing import NamedTuple

_MOST = 50

# Phones show these like a hyphen and a space, and copy them as they are.
_PLAIN = str.maketrans(
    dict.fromkeys("\u2010\u2011\u2012\u2013\u2014\u2212", "-")
    | dict.fromkeys("\u00a0\u2007\u2009\u202f", " ")
)

# No \b and no \w: Chinese, Japanese and Korean write a number and the words around it as one.
# Parts of numbers, amounts, times, dates and addresses are no codes.
_BEFORE = r"(?<![A-Za-z0-9_./+$€£])(?<!\d[:,-])"
_AFTER = r"(?![A-Za-z0-9_/]|[.,:-]\d)"
_DIGIT = re.compile("[0-9]")
_DIGITS = re.compile(rf"{_BEFORE}(?:\d{{3}}[ -]\d{{3,4}}|\d{{4}}[ -]\d{{4}}|\d{{4,8}}){_AFTER}")
# Three pairs may be a date, and single digits a list: they count beside a word such as "code".
_SPACED = re.compile(rf"{_BEFORE}(?:\d\d([ -])\d\d\1\d\d|\d(?: \d){{3,7}}){_AFTER}")
_MIXED = re.compile(
    r"(?<![A-Za-z0-9_./+#@-])(?=[A-Za-z]*\d)(?=\d*[A-Za-z])[A-Za-z0-9]{4,10}"
    r"(?![A-Za-z0-9_/@]|[.-][A-Za-z0-9])"
)
_UNIT = re.compile(
    r"\d+(?:am|pm|h|hrs?|hours?|m|mins?|minutes?|s|secs?|days?|st|nd|rd|th|x|px|kb|mb|gb)",
    re.IGNORECASE,
)

_HINT = re.compile(
    r"(?:code\b|codice|c[oó]digo|k[oó]d|\botp\b|\bpin\b|\btan\b|passwor|passcode|token|verif"
    r"|contraseña|şifre|код|парол|κωδικ|קוד|رمز|كود|کد|कोड|รหัส|인증|코드|コード|パスワード"
    r"|验证码|驗證碼|校验码|代码)[A-Za-zÀ-ɏа-я]*",
    re.IGNORECASE,
)
# What may stand between "code" and the code itself.
_LINK = re.compile(
    r"(?:[^.!?\n]{0,60}\b(?:is|ist|lautet|est|es|é|è|är|er|jest)\b|\s*(?:هو|是|为|為|は|번호[는은]?)?)"
    r"[\s:=\"'“«»*\[(<#-]*",
    re.IGNORECASE,
)


class _Found(NamedTuple):
    """A candidate; the smallest is the code."""

    unlinked: bool
    kind: int
    distance: int
    code: str


def find_code(body: str) -> str | None:
    """Return the one-time code in a text, without the spaces and dashes it is written with.

    It is what follows a word such as "code", else what is nearest to one. Without such a word the
    first 4 to 8 digits that stand alone count. Digits of any script come back as 0 to 9; a code may
    mix letters and digits. None if there is none.
    """
    text = _plain(body)
    # Most texts have no code, and a page asks for those of hundreds of messages.
    if _DIGIT.search(text) is None:
        return None
    hints = [match.span() for match in _first(_HINT, text)]
    found = [_weigh(text, hints, 0, match) for match in _first(_DIGITS, text)]
    if hints:
        found += [_weigh(text, hints, 1, match) for match in _first(_SPACED, text)]
        mixed = [
            _weigh(text, hints, 2, match)
            for match in _first(_MIXED, text)
            if not _UNIT.fullmatch(match[0])
        ]
        # In small letters it may be any word with a digit in it.
        found += [one for one in mixed if not one.unlinked or one.code.isupper()]
    return min(found).code if found else None


def _first(pattern: re.Pattern[str], text: str) -> Iterator[re.Match[str]]:
    # Each candidate is held against each hint, and an email may have thousands of both.
    return islice(pattern.finditer(text), _MOST)


def _weigh(text: str, hints: list[tuple[int, int]], kind: int, match: re.Match[str]) -> _Found:
    start = match.start()
    return _Found(
        unlinked=not any(
            end <= start and _LINK.fullmatch(text, end, start) is not None for _, end in hints
        ),
        kind=kind,
        distance=min((abs(start - begin) for begin, _ in hints), default=start),
        code=match[0].replace(" ", "").replace("-", ""),
    )


def _plain(body: str) -> str:
    """Return a text of the same length with plain digits, hyphens and spaces."""
    if body.isascii():
        return body
    return "".join(
        str(unicodedata.decimal(char)) if char.isdecimal() else char
        for char in body.translate(_PLAIN)
    )
