"""Reading phone numbers as people write them in spreadsheets."""

from __future__ import annotations

import importlib
import re
from typing import Any, NamedTuple

from .errors import CampaignError

_INVISIBLE = dict.fromkeys(
    [0xAD, 0xFEFF, *range(0x200B, 0x2010), *range(0x202A, 0x202F), *range(0x2060, 0x206A)]
)
_plausible = re.compile("[+(0-9][+0-9\\s().\u2010-\u2015-]{2,30}").fullmatch
_rounded = re.compile(r"[0-9]+(?:[.,][0-9]+)?[eE]\+?[0-9]+").fullmatch
_floated = re.compile(r"\+?[0-9]{6,}\.0+").fullmatch
_NOISE = re.compile("[\\s().\u2010-\u2015-]")
_e164 = re.compile(r"\+[1-9][0-9]{6,14}").fullmatch
_UNKNOWN_ZONE = "Etc/Unknown"


class BadNumber(ValueError):
    """A cell holds no number that can be reached; the text is a clause that says why."""


class Phone(NamedTuple):
    """A number that was read."""

    number: str
    """In E.164."""
    country: str = ""
    """ISO code of the country, empty if that is not known."""
    is_landline: bool = False
    is_assigned: bool = True
    """Whether the numbering plan as it is known gives such numbers to anyone."""
    zones: tuple[str, ...] = ()
    """The time zones its owner may live in; none if that is not known."""

    def __repr__(self) -> str:
        return f"Phone(country={self.country!r})"


class Numbers:
    """Reads numbers, with `phonenumbers` if it is installed and as strict E.164 if not.

    Args:
        country: ISO code by which local numbers are read.
        zones: whether time zones are wanted.

    Raises:
        CampaignError: the country is none, or needs `phonenumbers`.

    """

    def __init__(self, country: str | None = None, *, zones: bool = False) -> None:
        self._lib = _library("phonenumbers")
        self._zones = _library("phonenumbers.timezone") if zones else None
        self._country = None
        if country:
            self.require_library()
            self._country = self.known(country)
            if not self._country:
                raise CampaignError("country: must be an ISO code of two letters, such as AU")

    def require_library(self) -> None:
        """Make sure that countries can be told apart.

        Raises:
            CampaignError: there is no `phonenumbers`.

        """
        if self._lib is None:
            raise CampaignError(
                "country: to read local numbers, pip install 'aioclicksend[phone]'; "
                "without it write numbers as +, country code, number"
            )

    def known(self, country: str) -> str:
        """Return the code of a country in capitals if it is one, else an empty text."""
        code = country.upper()
        return code if self._lib is not None and code in self._lib.SUPPORTED_REGIONS else ""

    def read(self, text: str, country: str = "") -> Phone:
        """Return the number in a cell.

        Args:
            text: the cell.
            country: ISO code in capitals by which it is read, if not that of the others.

        Raises:
            BadNumber: there is none, or none that can exist.

        """
        text = text.translate(_INVISIBLE).strip().removeprefix("'").removeprefix("tel:")
        if not text:
            raise BadNumber("is empty")
        if _rounded(text):
            raise BadNumber("was rounded by a spreadsheet: format its column as text")
        if _floated(text):
            text = text.partition(".")[0]
        if not _plausible(text):
            raise BadNumber("is no phone number")
        return self._read_strictly(text) if self._lib is None else self._read(text, country)

    def _read_strictly(self, text: str) -> Phone:
        number = _NOISE.sub("", text)
        if not _e164(number):
            raise BadNumber("is not written as +, country code, number")
        return Phone(number)

    def _read(self, text: str, country: str) -> Phone:
        lib: Any = self._lib
        region = country or self._country
        parsed, kind = self._parsed(text, region)
        local = not text.startswith(("+", "(+"))
        if kind is None and text.startswith("00"):
            # Not every country dials 00 for abroad, but everybody writes it.
            parsed, kind = self._parsed(f"+{text[2:]}", region)
            local = False
        if isinstance(parsed, str):
            raise BadNumber(parsed)
        if kind is None and local:
            raise BadNumber(f"is no number of {region}")
        types = lib.PhoneNumberType
        zones: tuple[str, ...] = ()
        if self._zones is not None:
            zones = self._zones.time_zones_for_number(parsed)
        return Phone(
            f"+{parsed.country_code}{lib.national_significant_number(parsed)}",
            lib.region_code_for_number(parsed)
            or lib.region_code_for_country_code(parsed.country_code),
            kind == types.FIXED_LINE,
            kind is not None,
            () if _UNKNOWN_ZONE in zones else zones,
        )

    def _parsed(self, text: str, region: str | None) -> tuple[Any, int | None]:
        """Return the number or why it is none, and what kind of number the plan says it is."""
        lib: Any = self._lib
        try:
            parsed = lib.parse(text, region)
        except lib.NumberParseException as error:
            if error.error_type == error.INVALID_COUNTRY_CODE and not text.startswith(("+", "(+")):
                return "has no country code: write +, or tell the country", None
            return _UNPARSED.get(error.error_type, "is no phone number"), None
        possible = lib.is_possible_number_with_reason(parsed)
        if possible != lib.ValidationResult.IS_POSSIBLE:
            return _IMPOSSIBLE.get(possible, "has an impossible length"), None
        kind = lib.number_type(parsed)
        return parsed, None if kind == lib.PhoneNumberType.UNKNOWN else kind


_UNPARSED = {0: "has no known country code", 2: "is too short", 3: "is too short", 4: "is too long"}
"""By `NumberParseException.error_type`."""
_IMPOSSIBLE = {2: "is too short", 3: "is too long", 4: "lacks its area code"}
"""By `ValidationResult`."""


def _library(name: str) -> Any:
    try:
        return importlib.import_module(name)
    except ImportError:
        return None
