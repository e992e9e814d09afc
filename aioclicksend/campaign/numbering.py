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
from typing import Any, NamedTuple

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


class _Lengths(dict[int, "tuple[_Match, list[Found | None]] | None"]):
    """The compiled patterns of a country code by the length of a number, compiled when needed."""

    def __init__(self, plans: NumberingPlans, code: int) -> None:
        super().__init__()
        self._plans = plans
        self._code = code

    def __missing__(self, length: int) -> tuple[_Match, list[Found | None]] | None:
        made = self[length] = self._plans.compile(self._code, length)
        return made


class _Code:
    """A country code: where its numbers begin, and its patterns."""

    def __init__(self, code: int, metadata: Any, plans: NumberingPlans) -> None:
        self.size = len(str(code))
        self.lengths = _Lengths(plans, code)
        prefix = metadata.national_prefix_for_parsing
        # The library takes a national prefix off even behind a country code, and not always.
        self.needs_library = re.compile(f"0|{prefix}" if prefix else "0").match


class _Home:
    """How local numbers of a region are dialled."""

    def __init__(self, code: _Code, metadata: Any) -> None:
        self.code = code
        self.prefix = str(metadata.country_code)
        general = metadata.general_desc.national_number_pattern
        self.is_general = re.compile(general).fullmatch
        self.lengths = frozenset(metadata.general_desc.possible_length)
        self.longest = max(self.lengths)
        abroad = metadata.international_prefix
        self.goes_abroad = re.compile(abroad or "(?!)").match
        trunk = metadata.national_prefix_for_parsing
        self.trunk = re.compile(trunk or "(?!)").match
        self.rewrites = bool(metadata.national_prefix_transform_rule)


class NumberingPlans:
    """Decides plain numbers as `phonenumbers` does, or not at all."""

    def __init__(self, library: Any) -> None:
        self._lib = library
        self.unknown: int = library.PhoneNumberType.UNKNOWN
        """The kind of a number that no plan gives to anyone."""
        self._codes: dict[str, _Code | None] = {}
        self._homes: dict[str, _Home | None] = {}

    def international(self, digits: str) -> Found | None:
        """Return what is known of a number given as country code and number, without a plus."""
        code = self._code(digits)
        if code is None or code.needs_library(digits, code.size):
            return None
        return self._find(code, digits, code.size)

    def local(self, digits: str, region: str) -> tuple[str, Found] | None:
        """Return a number as dialled in a region: its country code with the number, and the rest."""
        home = self._home(region)
        if home is None or home.goes_abroad(digits):
            return None
        if digits.startswith(home.prefix):
            # The library takes the country code off where only that makes it a number.
            if len(digits) <= home.longest and home.is_general(digits):
                return None
            if not home.is_general(digits[len(home.prefix) :]):
                return None
            found = self.international(digits)
            return None if found is None else (digits, found)
        start = 0
        if trunk := home.trunk(digits):
            start = trunk.end()
            rest = digits[start:]
            if home.rewrites or len(rest) not in home.lengths:
                return None
            if not home.is_general(rest) and home.is_general(digits):
                return None
        if digits.startswith("0", start):
            return None
        found = self._find(home.code, digits, start)
        return None if found is None else (home.prefix + digits[start:], found)

    def _find(self, code: _Code, digits: str, start: int) -> Found | None:
        compiled = code.lengths[len(digits) - start]
        if compiled is None:
            return None
        match, found = compiled
        place = match(digits, start)
        return None if place is None else found[place.lastindex or 0]

    def _code(self, digits: str) -> _Code | None:
        first = digits[:_LONGEST_CODE]
        try:
            return self._codes[first]
        except KeyError:
            made = self._codes[first] = self._made(first)
            return made

    def _made(self, first: str) -> _Code | None:
        for size in range(1, len(first) + 1):
            regions = self._lib.COUNTRY_CODE_TO_REGION_CODE.get(int(first[:size]))
            if regions and first[0] != "0":
                code = int(first[:size])
                # Keyed by three digits, so that a lookup is one step: codes of one share an object.
                shared = self._codes.get(f"={code}")
                if shared is None and regions[0] != "001":
                    shared = _Code(code, self._metadata(regions[0]), self)
                    self._codes[f"={code}"] = shared
                return shared
        return None

    def _home(self, region: str) -> _Home | None:
        try:
            return self._homes[region]
        except KeyError:
            metadata = self._metadata(region)
            code = self._code(str(metadata.country_code)) if metadata is not None else None
            home = None if code is None else _Home(code, metadata)
            self._homes[region] = home
            return home

    def _metadata(self, region: str) -> Any:
        return self._lib.PhoneMetadata.metadata_for_region(region, None)

    def compile(self, code: int, length: int) -> tuple[_Match, list[Found | None]] | None:
        """Return the pattern for the numbers of a code and length, and what its groups stand for."""
        regions = self._lib.COUNTRY_CODE_TO_REGION_CODE[code]
        if length not in self._metadata(regions[0]).general_desc.possible_length:
            return None
        found: list[Found | None] = [None]
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
        return re.compile("|".join(parts)).match, found

    def _kinds(self, metadata: Any, length: int) -> Iterator[tuple[str, int]]:
        """Yield a pattern for each kind of number of a length, in the library's order."""

        def pattern(name: str) -> str | None:
            described = getattr(metadata, name)
            if described is None:
                return None
            if described.possible_length and length not in described.possible_length:
                return None
            text: str | None = described.national_number_pattern
            return f"(?:{text})\\Z" if text else None

        types = self._lib.PhoneNumberType
        if pattern("general_desc") is None:
            return
        for name, kind in _KINDS_FIRST:
            if text := pattern(name):
                yield text, getattr(types, kind)
        fixed, mobile = pattern("fixed_line"), pattern("mobile")
        if metadata.same_mobile_and_fixed_line_pattern:
            if fixed:
                yield fixed, types.FIXED_LINE_OR_MOBILE
            return
        if fixed and mobile:
            yield f"(?={mobile}){fixed}", types.FIXED_LINE_OR_MOBILE
        if fixed:
            yield fixed, types.FIXED_LINE
        if mobile:
            yield mobile, types.MOBILE
