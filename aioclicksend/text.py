"""What an SMS body takes: its alphabet, its parts, and how to make it cheaper. Pure.

A body travels in septets if all its characters are in GSM 03.38, else in UTF-16, where a part holds
less than half as much. One part holds 160 or 70 units; where there are more, each part gives up
some room to the header that joins them, and holds 153 or 67.

A character of two units is never cut in half by the end of a part. For the escape pairs of GSM
03.38 that is 3GPP TS 23.040, 9.2.3.24.1; for the surrogate pairs of UTF-16, which the standard does
not know as it speaks of UCS-2, it is what phones need, since half a pair cannot be shown. So a body
can need one part more than its units alone would.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable
from typing import Literal, NamedTuple

MAX_PARTS = 8
"""Parts the API sends of a body; it cuts off the rest."""

_BASIC = (
    "@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞÆæßÉ !\"#¤%&'()*+,-./0123456789:;<=>?"
    "¡ABCDEFGHIJKLMNOPQRSTUVWXYZÄÖÑÜ§¿abcdefghijklmnopqrstuvwxyzäöñüà"
)
_EXTENSION = "\f^{}\\[~]|€"
"""Characters that travel behind an escape and so count twice."""

_find_foreign = re.compile(f"[^{re.escape(_BASIC + _EXTENSION)}]").finditer
_all_gsm = re.compile(f"[{re.escape(_BASIC + _EXTENSION)}]*").fullmatch
_is_one_part = re.compile(f"[{re.escape(_BASIC)}]{{1,160}}").fullmatch
_new = tuple.__new__
_SELECTORS = frozenset(
    map(chr, [0x034F, 0x115F, 0x1160, 0x2800, 0x3164, 0xFFA0, *range(0xFE00, 0xFE10)])
)
"""Characters that are printable by their category, and yet leave nothing to see."""
_ESCAPED = str.maketrans({character: f"\x1b{character}" for character in _EXTENSION})


class Foreign(NamedTuple):
    """A character that is not in GSM 03.38, and where in the body it stands."""

    at: int
    character: str


class Segments(NamedTuple):
    """How a body is split into parts."""

    encoding: Literal["GSM-7", "UCS-2"]
    units: int
    """Septets, or 16-bit units."""
    parts: int
    """Parts it needs, also where that is more than the API sends; 0 if it is empty."""
    left: int
    """Units that would still fit into the last part."""
    forced_by: tuple[Foreign, ...] = ()
    """The characters that keep it out of GSM-7."""
    gsm_parts: int = 0
    """Parts it would need with a GSM-7 character in place of each of those."""

    @property
    def cost_of_unicode(self) -> int:
        """Parts that are paid for only because of the characters in `forced_by`."""
        return self.parts - self.gsm_parts

    @property
    def is_cut(self) -> bool:
        """Whether it has more parts than the API sends."""
        return self.parts > MAX_PARTS


def visible(character: str) -> str:
    """Return a character, or its code and name where it cannot be seen."""
    if character.isprintable() and not character.isspace() and character not in _SELECTORS:
        return character
    name = unicodedata.name(character, "")
    return f"U+{ord(character):04X} {name}".rstrip()


def segments(body: str) -> Segments:
    """Return how a body is split into parts.

    A line break counts one, as in the standard; ClickSend's help counts it as two, which is true of
    a CR with an LF.
    """
    if _is_one_part(body):
        # Most bodies: no need to count.
        size = len(body)
        return _new(Segments, ("GSM-7", size, 1, 160 - size, (), 1))
    if _all_gsm(body):
        units, parts, left = _gsm(body)
        return Segments("GSM-7", units, parts, left, (), parts)
    foreign = tuple(Foreign(it.start(), it.group()) for it in _find_foreign(body))
    units, parts, left = _ucs2(body)
    characters = list(body)
    for it in foreign:
        characters[it.at] = "?"
    return Segments("UCS-2", units, parts, left, foreign, _gsm("".join(characters))[1])


def _gsm(body: str) -> tuple[int, int, int]:
    septets = body.translate(_ESCAPED)
    return _split(len(septets), 160, 153, lambda last: septets[last] == "\x1b")


def _ucs2(body: str) -> tuple[int, int, int]:
    octets = body.encode("utf-16-be", "surrogatepass")

    def is_halved(last: int) -> bool:
        return octets[2 * last] >> 2 == 0xD8 >> 2 and octets[2 * last + 2] >> 2 == 0xDC >> 2

    return _split(len(octets) // 2, 70, 67, is_halved)


def _split(
    units: int, single: int, joined: int, is_halved: Callable[[int], bool]
) -> tuple[int, int, int]:
    """Return units, parts, and the room left in the last part."""
    if units <= single:
        return units, int(units > 0), single - units
    parts = end = 0
    while end < units:
        parts += 1
        end += joined
        if end < units and is_halved(end - 1):
            end -= 1
    return units, parts, end - units


class Replacement(NamedTuple):
    """What `smart_encode` put in place of something, and where in the old body that stood."""

    at: int
    old: str
    new: str


class SmartText(NamedTuple):
    """A body made to fit GSM-7, and how."""

    body: str
    replaced: tuple[Replacement, ...]


_EQUIVALENTS = {
    "'": "\N{LEFT SINGLE QUOTATION MARK}\N{RIGHT SINGLE QUOTATION MARK}\N{PRIME}"
    "\N{SINGLE LOW-9 QUOTATION MARK}\N{SINGLE HIGH-REVERSED-9 QUOTATION MARK}"
    "\N{SINGLE LEFT-POINTING ANGLE QUOTATION MARK}\N{SINGLE RIGHT-POINTING ANGLE QUOTATION MARK}"
    "\N{MODIFIER LETTER APOSTROPHE}\N{MODIFIER LETTER TURNED COMMA}\N{ACUTE ACCENT}`",
    '"': "\N{LEFT DOUBLE QUOTATION MARK}\N{RIGHT DOUBLE QUOTATION MARK}\N{DOUBLE PRIME}"
    "\N{DOUBLE LOW-9 QUOTATION MARK}\N{DOUBLE HIGH-REVERSED-9 QUOTATION MARK}"
    "\N{LEFT-POINTING DOUBLE ANGLE QUOTATION MARK}\N{RIGHT-POINTING DOUBLE ANGLE QUOTATION MARK}",
    "-": "\N{HYPHEN}\N{NON-BREAKING HYPHEN}\N{FIGURE DASH}\N{EN DASH}\N{EM DASH}"
    "\N{HORIZONTAL BAR}\N{MINUS SIGN}\N{HYPHEN BULLET}",
    "*": "\N{BULLET}\N{TRIANGULAR BULLET}",
    "/": "\N{FRACTION SLASH}\N{DIVISION SLASH}",
    ".": "\N{ONE DOT LEADER}",
    "..": "\N{TWO DOT LEADER}",
    "...": "\N{HORIZONTAL ELLIPSIS}",
    " ": "\t\N{NO-BREAK SPACE}\N{NARROW NO-BREAK SPACE}\N{MEDIUM MATHEMATICAL SPACE}"
    "\N{IDEOGRAPHIC SPACE}" + "".join(map(chr, range(0x2000, 0x200B))),
    "\n": "\x0b\x85\N{LINE SEPARATOR}\N{PARAGRAPH SEPARATOR}",
    "": "\N{SOFT HYPHEN}\N{ZERO WIDTH SPACE}\N{ZERO WIDTH NON-JOINER}\N{ZERO WIDTH JOINER}"
    "\N{WORD JOINER}\N{ZERO WIDTH NO-BREAK SPACE}\N{VARIATION SELECTOR-16}"
    "\N{LEFT-TO-RIGHT MARK}\N{RIGHT-TO-LEFT MARK}"
    + "".join(map(chr, [*range(0x202A, 0x202F), *range(0x2066, 0x206A)])),
}
_REPLACEMENTS = {old: new for new, olds in _EQUIVALENTS.items() for old in olds} | {"\r\n": "\n"}
_replaceable = re.compile(
    f"\r\n|[{re.escape(''.join(filter(None, ''.join(_EQUIVALENTS.values()))))}]"
    # Not more accents than a letter bears: putting many in order takes quadratic time.
    "|[^\\W\\d_][\u0300-\u036f]{1,4}(?![\u0300-\u036f])"
)


def smart_encode(body: str) -> SmartText:
    """Replace typographic quotes, dashes, spaces and alike where that makes a body fit GSM-7.

    Invisible characters go, accents that stand apart from their letters are joined to them, and
    letters are otherwise left alone. A body that something else keeps out of GSM-7, or that would
    need more parts, is returned as it is: there is nothing to be gained.
    """
    replaced: list[Replacement] = []

    def replace(found: re.Match[str]) -> str:
        old = found.group()
        new = _REPLACEMENTS.get(old)
        if new is None:
            new = unicodedata.normalize("NFC", old)
        if new != old:
            replaced.append(Replacement(found.start(), old, new))
        return new

    encoded = _replaceable.sub(replace, body)
    if not replaced or not _all_gsm(encoded) or segments(encoded).parts > segments(body).parts:
        return SmartText(body, ())
    return SmartText(encoded, tuple(replaced))
