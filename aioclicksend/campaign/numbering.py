"""Numbering plans as compiled patterns: the common case of reading a number, without the library.

`phonenumbers` decides with dozens of small matches per number. For a plain number its answer is a
function of the country code, the length and the digits, so it can be compiled once:

    +61412345678 ─ plan of 61 ─ pattern for 9 digits ─ first alternative that matches = (AU, mobile)

Alternatives stand in the library's own order: regions of a code as it tries them, in each region
the kinds of number as it tries them. Whatever the patterns cannot decide alone is None here, and
goes to the library: leading zeros, national prefixes behind a country code, prefixes that are
rewritten, impossible lengths. Tests hold both against each other over all regions.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple, TypeVar

T = TypeVar("T")
_Match = Callable[..., re.Match[str] | None]

_LONGEST_CODE = 3
_KINDS_FIRST = (
    ("premium_rate", "PREMIUM_RATE"),
    ("toll_free", "TOLL_FREE"),
    ("shared_cost", "SHARED_COST"),
    ("voip", "VOIP"),
    ("personal_number", "PERSONAL_NUMBER"),
    ("pager", "PAGER"),
    ("uan", "UAN"),
    ("voicemail", "VOICEMAIL"),
)
"""The order in which `phonenumbers` tries kinds, before fixed lines and mobiles."""


class Found(NamedTuple):
    """What a plan says of a number."""

    region: str
    kind: int
    """A `PhoneNumberType` of the library."""


class _Patterns(dict[int, "tuple[_Match, list[Found | None]] | None"]):
    """Compiled patterns by the length of a number, made when they are needed."""

    def __init__(self, compile_: Callable[[int], tuple[_Match, list[Found | None]] | None]) -> None:
        super().__init__()
        self._compile = compile_

    def __missing__(self, length: int) -> tuple[_Match, list[Found | None]] | None:
        made = self[length] = self._compile(length)
        return made


class _Code:
    """A country code: where its numbers begin, and its patterns."""

    def __init__(self, code: int, metadata: Any, plans: NumberingPlans) -> None:
        self.size = len(str(code))
        trunk = metadata.national_prefix_for_parsing
        # The library takes a national prefix off even behind a country code, and not always.
        unsure = f"(?!0|(?:{trunk}))" if trunk else "(?!0)"
        self.written_out = _Patterns(lambda length: plans.compile(code, length, unsure))
        self.national = _Patterns(lambda length: plans.compile(code, length))


class _Home:
    """How local numbers of a region are dialled."""

    def __init__(self, code: _Code, metadata: Any, plans: NumberingPlans) -> None:
        self.code = code
        self.prefix = str(metadata.country_code)
        general = metadata.general_desc.national_number_pattern
        self.is_general = re.compile(general).fullmatch
        self.lengths = frozenset(metadata.general_desc.possible_length)
        self.longest = max(self.lengths)
        abroad = metadata.international_prefix or "(?!)"
        self.goes_abroad = re.compile(abroad).match
        trunk = metadata.national_prefix_for_parsing or "(?!)"
        self.trunk = re.compile(trunk).match
        self.rewrites = bool(metadata.national_prefix_transform_rule)
        self.zero = metadata.national_prefix == "0" and not self.rewrites
        """Whether numbers are dialled with a zero before them, the case that matters most."""
        before = f"(?!{abroad})(?=(?>{trunk})(?<=\\A0))0(?!0)(?=(?:{general})\\Z)"
        numeric = metadata.country_code

        def with_zero(length: int) -> tuple[_Match, list[Found | None]] | None:
            if length - 1 not in self.lengths:
                return None
            return plans.compile(numeric, length - 1, before)

        self.with_zero = _Patterns(with_zero)

    def start(self, digits: str) -> int | None:
        """Return where a number begins behind its trunk prefix; None if that is not certain."""
        start = 0
        if trunk := self.trunk(digits):
            start = trunk.end()
            rest = digits[start:]
            if self.rewrites or len(rest) not in self.lengths:
                return None
            if not self.is_general(rest) and self.is_general(digits):
                return None
        return None if digits.startswith("0", start) else start


class _Made(dict[str, T]):
    """Objects by name, made when they are needed."""

    def __init__(self, make: Callable[[str], T]) -> None:
        super().__init__()
        self._make = make

    def __missing__(self, name: str) -> T:
        made = self[name] = self._make(name)
        return made


class NumberingPlans:
    """Decides plain numbers as `phonenumbers` does, or not at all."""

    def __init__(self, library: Any) -> None:
        self._lib = library
        self.unknown: int = library.PhoneNumberType.UNKNOWN
        """The kind of a number that no plan gives to anyone."""
        self._codes = _Made(self._made)
        self._homes = _Made(self._home)

    def international(self, digits: str) -> Found | None:
        """Return what is known of a number given as country code and number, without a plus."""
        code = self._codes[digits[:_LONGEST_CODE]]
        if code is None:
            return None
        compiled = code.written_out[len(digits) - code.size]
        if compiled is None:
            return None
        match, found = compiled
        place = match(digits, code.size)
        return None if place is None else found[place.lastindex or 0]

    def local(self, digits: str, region: str) -> tuple[str, Found] | None:
        """Return a number as dialled in a region, from its country code on, and what it is."""
        home = self._homes[region]
        if home is None:
            return None
        if home.zero and digits[:1] == "0" and (compiled := home.with_zero[len(digits)]):
            match, kinds = compiled
            if (place := match(digits)) and (found := kinds[place.lastindex or 0]):
                return home.prefix + digits[1:], found
        if home.goes_abroad(digits):
            return None
        if digits.startswith(home.prefix):
            return self._behind_own_code(digits, home)
        start = home.start(digits)
        compiled = None if start is None else home.code.national[len(digits) - start]
        if start is None or compiled is None:
            return None
        match, kinds = compiled
        found = kinds[place.lastindex or 0] if (place := match(digits, start)) else None
        return None if found is None else (home.prefix + digits[start:], found)

    def _behind_own_code(self, digits: str, home: _Home) -> tuple[str, Found] | None:
        """Return a number that begins like one with the region's country code, if it is one.

        The library takes the code off only where that alone makes it a number.
        """
        if len(digits) <= home.longest and home.is_general(digits):
            return None
        if not home.is_general(digits[len(home.prefix) :]):
            return None
        found = self.international(digits)
        return None if found is None else (digits, found)

    def _made(self, first: str) -> _Code | None:
        """Return the country code that digits begin with."""
        for size in range(1, len(first) + 1):
            regions = self._lib.COUNTRY_CODE_TO_REGION_CODE.get(int(first[:size]))
            if first[0] != "0" and regions and regions[0] != "001":
                if size < len(first):
                    return self._codes[first[:size]]
                return _Code(int(first), self._metadata(regions[0]), self)
        return None

    def _home(self, region: str) -> _Home | None:
        metadata = self._metadata(region)
        code = None if metadata is None else self._codes[str(metadata.country_code)]
        return None if code is None else _Home(code, metadata, self)

    def _metadata(self, region: str) -> Any:
        return self._lib.PhoneMetadata.metadata_for_region(region, None)

    def compile(
        self, code: int, length: int, before: str = ""
    ) -> tuple[_Match, list[Found | None]] | None:
        """Return the pattern for the numbers of a code, and what its groups stand for.

        Args:
            code: the country code.
            length: of the number without it.
            before: a pattern that has to match before the number.

        """
        regions = self._lib.COUNTRY_CODE_TO_REGION_CODE[code]
        if length not in self._metadata(regions[0]).general_desc.possible_length:
            return None
        found: list[Found | None] = [None] * (1 + re.compile(before).groups)
        parts: list[str] = []

        def add(pattern: str, what: Found | None) -> str:
            found.append(what)
            found.extend([None] * re.compile(pattern).groups)
            return f"({pattern})"

        for region in regions:
            metadata = self._metadata(region)
            if metadata is None:
                continue
            leading = metadata.leading_digits if len(regions) > 1 else None
            general = metadata.general_desc.national_number_pattern
            start = f"(?={leading})" if leading else ""
            start += f"(?=(?:{general})\\Z)"
            kinds = list(self._kinds(metadata, length))
            if kinds:
                found.extend([None] * re.compile(start).groups)
                each = "|".join(add(text, Found(region, kind)) for text, kind in kinds)
                parts.append(f"{start}(?:{each})")
            if leading:
                # It belongs to this region, but is of no kind: none of the later ones may have it.
                parts.append(add(f"(?={leading})", Found(region, self.unknown)))
        parts.append(add("", Found(regions[0], self.unknown)))
        return re.compile(f"{before}(?:{'|'.join(parts)})").match, found

    def _kinds(self, metadata: Any, length: int) -> Iterator[tuple[str, int]]:
        """Yield a pattern for each kind of number of a length, in the library's order."""
        types = self._lib.PhoneNumberType
        if _pattern(metadata.general_desc, length) is None:
            return
        for name, kind in _KINDS_FIRST:
            if text := _pattern(getattr(metadata, name), length):
                yield text, getattr(types, kind)
        fixed = _pattern(metadata.fixed_line, length)
        mobile = _pattern(metadata.mobile, length)
        if metadata.same_mobile_and_fixed_line_pattern:
            mobile = fixed
        if fixed and mobile:
            yield f"(?={mobile}){fixed}", types.FIXED_LINE_OR_MOBILE
        if fixed:
            yield fixed, types.FIXED_LINE
        if mobile:
            yield mobile, types.MOBILE


def _pattern(described: Any, length: int) -> str | None:
    """Return the pattern of a kind of number, if it has numbers of a length."""
    if described is None or not described.national_number_pattern:
        return None
    if described.possible_length and length not in described.possible_length:
        return None
    return f"(?:{described.national_number_pattern})\\Z"
