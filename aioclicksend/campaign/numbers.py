"""Reading phone numbers as people write them in spreadsheets.

A cell can often be read in more than one way: ``4917139200123`` in a German list is a mobile number
with its country code, and a landline without one. So reading has two steps: `_candidates` lists the
ways to dial a cell, `_chosen` takes the one that makes sense, or refuses to guess between two. A
list needs the one number; an opt-out file takes `every` number that a cell can mean.
"""

from __future__ import annotations

import importlib
import re
import unicodedata
from collections.abc import Iterator
from functools import cache
from typing import Any, NamedTuple

from ..errors import CampaignError
from .numbering import NumberingPlans

_PREFIX = re.compile(r"(?:tel|phone|p|sms|callto|whatsapp)\s*:\s*(?://)?", re.IGNORECASE)
"""What URLs and exports of Facebook put before a number."""
_as_formula = re.compile(r'="?([^"]*)"?').fullmatch
_plausible = re.compile(r"[+(0-9][+0-9\s()./-]{2,30}").fullmatch
_rounded = re.compile(r"[0-9]+(?:[.,][0-9]+)?[eE]\+?[0-9]+").fullmatch
_floated = re.compile(r"\+?[0-9]{6,}\.0+").fullmatch
_dated = re.compile(
    r"\d{4}[-./]\d{1,2}[-./]\d{1,2}|\d{1,2}[-./]\d{1,2}[-./]\d{2,4}|(?:19|20)\d\d[-/](?:19|20)?\d\d"
).fullmatch
_timestamp = re.compile(r"(?:19|20)\d\d(?:0[1-9]|1[0-2])(?:0[1-9]|[12]\d|3[01])").fullmatch
_NOISE = re.compile(r"[\s()./-]")
_e164 = re.compile(r"\+[1-9][0-9]{6,14}").fullmatch
_plain = re.compile(r"\+?\(?[0-9][0-9 ().-]{4,24}[0-9]").fullmatch
"""Signs that mean nothing to the library; a zero in brackets does."""
_UNSIGNED = str.maketrans("", "", "+ ().-")
_trunk_zero = re.compile(r"\(\s*0\s*\)").search
_is_one = re.compile(r"\+?[0-9 ]+").fullmatch
"""A number that can be read in one way, if it begins as abroad or with a trunk prefix."""
_apart = re.compile(r":::|[;,|\n]|/(?=\s*[+0])|\bund\b|\band\b|\bor\b|\boder\b").split
_digit_runs = (
    re.compile(r"[+(]{0,2}[0-9][0-9 ()./-]{5,24}[0-9]").findall,
    re.compile(r"[+(]{0,2}[0-9][0-9().-]{5,18}[0-9]").findall,
)
"""Numbers within other text, as in links, names with a number and lists with bullets."""
_in_thousands = re.compile(r"\+?[0-9]{1,3}(?:,[0-9]{3}){2,4}").fullmatch
"""How a spreadsheet shows a number of three groups or more: two numbers are never written so."""
_SIGNS = dict.fromkeys(map(ord, "~\u2053\u223c\uff5e\u30fc\u2043"), "-") | {
    ord("["): "(", ord("]"): ")", ord("\uff3b"): "(", ord("\uff3d"): ")",
    ord("\u00b7"): ".", ord("\u2022"): ".", ord("\u30fb"): ".",
    **dict.fromkeys(map(ord, "`\u00b4\u2018\u2019"), "'"),
}  # fmt: skip
"""Signs that people put between digits, as `phonenumbers` reads them."""
_FILLERS = frozenset("\u115f\u1160\u2800\u3164\uffa0")
"""Letters and symbols that show nothing."""
_UNKNOWN_ZONE = "Etc/Unknown"
_LONGEST_CELL = 120
"""Characters beyond which a cell is no number, and is not looked at as one."""

_ALIASES = {
    "UK": "GB", "EN": "GB", "GBR": "GB", "ENGLAND": "GB", "USA": "US", "UAE": "AE", "AUS": "AU",
    "NZL": "NZ", "CAN": "CA", "GER": "DE", "DEU": "DE", "FRA": "FR", "ESP": "ES", "ITA": "IT",
    "IRL": "IE", "IND": "IN", "SGP": "SG", "ZAF": "ZA", "RSA": "ZA", "JAP": "JP", "JPN": "JP",
    "AUSTRALIA": "AU", "GERMANY": "DE", "FRANCE": "FR", "CANADA": "CA", "IRELAND": "IE",
}  # fmt: skip
"""What people write for the codes of countries."""


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
    service: str = ""
    """What kind of service it is, such as ``toll-free``: these take no SMS, or cost extra."""
    guess: str = ""
    """What was assumed in reading it."""

    def __repr__(self) -> str:
        return f"Phone(country={self.country!r})"

    @property
    def takes_sms(self) -> bool:
        """Whether it is assigned, and to a kind of phone that can be written to."""
        return self.is_assigned and not self.is_landline and not self.service


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
        self._plans = None if self._lib is None else _plans(self._lib)
        self._zones: Any = _library("phonenumbers.timezone") if zones else None
        self._kinds = {} if self._lib is None else _services(self._lib.PhoneNumberType)
        self._codes: dict[str, str] = {}
        self._country = ""
        if country:
            self.require_library()
            self._country = self.known(country)
            if not self._country:
                raise CampaignError(
                    f"country: {self.meant(country)}must be an ISO code of two letters, such as AU"
                )

    def require_library(self) -> None:
        """Make sure that numbers of all countries can be read.

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

    def meant(self, country: str) -> str:
        """Return a question after the code that may have been meant; empty if none comes near."""
        name = country.strip().upper()
        return f"{name}: did you mean {_ALIASES[name]}? " if name in _ALIASES else ""

    def read(self, text: str, country: str = "") -> Phone:
        """Return the number in a cell.

        Args:
            text: the cell.
            country: ISO code in capitals by which it is read, if not that of the others.

        Raises:
            BadNumber: there is none, none that can exist, or two between which nothing decides.

        """
        region = country or self._country
        # Most cells of a list are plain digits, and the library takes ten times as long for them.
        if (phone := self._read_plain(text, region)) is not None:
            return phone
        text = self._checked(text)
        if self._lib is None:
            return self._read_strictly(text)
        return self._chosen(text, region)

    def every(self, text: str, country: str = "") -> tuple[list[str], bool]:
        """Return every number that a cell can mean, in E.164, and whether it was understood.

        A cell may hold several numbers, each of which can be read in several ways.
        """
        try:
            phone = self.read(text, country)
            # The one reading that a list would take is the only one there is: with a plus or a
            # trunk prefix nothing else can be meant.
            if text[:1] in ("+", "0") and not phone.guess and _is_one(text):
                return [phone.number], True
            is_read = True
        except BadNumber as error:
            is_read = isinstance(error, _Ambiguous)
        found = dict.fromkeys(self._readings(text, country))
        # Beyond that a cell is a text; somebody's whole history must not take a minute.
        pieces = [it for it in _apart(text[:10_000]) if it]
        if len(pieces) > 1:
            each = [dict.fromkeys(self._readings(piece, country)) for piece in pieces]
            is_read = is_read or all(each)
            for numbers in each:
                found |= numbers
        # Also numbers within other text. Such a cell is not understood all the same: whether these
        # are the person's numbers is not known, so that it is reported as well.
        for runs in _digit_runs:
            for piece in runs(text[:10_000]):
                found |= dict.fromkeys(self._readings(piece, country))
        return list(found), is_read

    def _readings(self, text: str, country: str) -> Iterator[str]:
        """Yield the numbers that a text can mean."""
        try:
            text = self._checked(text)
        except BadNumber:
            return
        if self._lib is None:
            number = _NOISE.sub("", text)
            if _e164(number) or _e164(f"+{number}"):
                yield f"+{number.removeprefix('+')}"
            return
        region = country or self._country
        is_written_out = _is_international(text)
        for candidate in _candidates(text, self._code_of(region), also_foreign=True):
            phone = self._parsed(candidate, region)
            # An unassigned number suppresses no one, unless it was written in full.
            if isinstance(phone, Phone) and (phone.is_assigned or is_written_out):
                yield phone.number

    def _checked(self, text: str) -> str:
        """Return a cell as the library can read it.

        Raises:
            BadNumber: it does not look like a number.

        """
        text = tidied(text)
        if not text:
            raise BadNumber("is empty")
        if len(text) > _LONGEST_CELL:
            raise BadNumber("is no phone number")
        # "6.14E+10" is how a spreadsheet shows a long number in a narrow column, and how it saves
        # it as CSV: its last digits are gone.
        if _rounded(text):
            raise BadNumber("was rounded by a spreadsheet: format its column as text")
        # Programs that read a column with empty cells make its numbers floats: "61411111111.0".
        if _floated(text):
            text = text.partition(".")[0]
        if ":::" in text or len([it for it in _apart(text) if _plausible(it.strip())]) > 1:
            raise BadNumber("holds several numbers: leave the one that is written to")
        if not _plausible(text):
            raise BadNumber("is no phone number")
        if text.find("+", 2) > 0 or text.count("/") > 1:
            raise BadNumber("holds several numbers: leave the one that is written to")
        return text

    def _read_strictly(self, text: str) -> Phone:
        number = _NOISE.sub("", text)
        if not _e164(number):
            raise BadNumber("is not written as +, country code, number")
        return Phone(number)

    def _read_plain(self, text: str, region: str) -> Phone | None:
        """Return a number that the compiled numbering plans decide alone; None for any other.

        Raises:
            BadNumber: they know that the region has no such number.

        """
        plans = self._plans
        if plans is None:
            return None
        is_written_out = text[:1] == "+"
        digits = text[1:] if is_written_out else text
        is_bare = digits.isdigit() and digits.isascii()
        if not is_bare:
            digits = _without_signs(text)
            if not digits:
                return None
            is_written_out = "+" in text[:2]
        if is_written_out:
            found = plans.international(digits)
        elif region and (local := plans.local(digits, region)) is not None:
            whole, found = local
            if found.kind == plans.unknown:
                # It may still be one from abroad, or with its country code: the slow path tries.
                if digits.startswith(("00", self._code_of(region))):
                    return None
                raise BadNumber(f"is no number of {region}")
            digits = whole
        else:
            return None
        if found is None:
            return None
        is_assigned = found.kind != plans.unknown
        if not (is_assigned or is_bare):
            return None  # a zero behind its country code may be too many
        is_landline, service = self._kinds[found.kind]
        zones = self._zones_of(digits) if self._zones is not None else ()
        number = (f"+{digits}", found.region, is_landline, is_assigned, zones, service, "")
        return tuple.__new__(Phone, number)  # its own constructor takes as long as all the rest

    def _chosen(self, text: str, region: str) -> Phone:
        """Return the number that a cell means."""
        read: dict[str, Phone] = {}
        why = ""
        for candidate in _candidates(text, self._code_of(region)):
            phone = self._parsed(candidate, region)
            if isinstance(phone, Phone):
                read.setdefault(phone.number, phone)
            else:
                # Of the likeliest reading: what the others lack would only confuse.
                why = why or phone
        if not read:
            raise BadNumber(why)
        # A mobile before a landline, and either before an unassigned number: a list is made of
        # people who can be written to.
        for is_likely in (_can_be_written_to, _is_assigned):
            likely = [it for it in read.values() if is_likely(it)]
            if len(likely) > 1:
                raise _Ambiguous("can be read as two numbers: write it as +, country code, number")
            if likely:
                assigned = sum(it.is_assigned for it in read.values())
                is_guess = assigned > 1 and not _trunk_zero(text)
                return likely[0]._replace(guess=_WITH_CODE if is_guess else "")
        if _is_international(text):
            # Who writes a number out means it: plans change, and the list may know better.
            return next(iter(read.values()))
        raise BadNumber(f"is no number of {region}" if region else "has no known country code")

    def _code_of(self, region: str) -> str:
        if not region:
            return ""
        try:
            return self._codes[region]
        except KeyError:
            code = self._codes[region] = str(self._lib.country_code_for_region(region))
            return code

    def _parsed(self, text: str, region: str) -> Phone | str:
        """Return what the library makes of a text, or why it is no number."""
        lib: Any = self._lib
        try:
            parsed = lib.parse(text, region or None)
        except lib.NumberParseException as error:
            if error.error_type == error.INVALID_COUNTRY_CODE and not _is_international(text):
                return "has no country code: write +, or give the country"
            return _UNPARSED.get(error.error_type, "is no phone number")
        possible = lib.is_possible_number_with_reason(parsed)
        if possible != lib.ValidationResult.IS_POSSIBLE:
            return _IMPOSSIBLE.get(possible, "has an impossible length")
        kind = lib.number_type(parsed)
        is_landline, service = self._kinds[kind]
        digits = f"{parsed.country_code}{lib.national_significant_number(parsed)}"
        return Phone(
            f"+{digits}",
            lib.region_code_for_number(parsed)
            or lib.region_code_for_country_code(parsed.country_code),
            is_landline,
            kind != lib.PhoneNumberType.UNKNOWN,
            self._zones_of(digits) if self._zones is not None else (),
            service,
        )

    def _zones_of(self, digits: str) -> tuple[str, ...]:
        lib: Any = self._lib
        zones: tuple[str, ...] = self._zones.time_zones_for_number(lib.parse(f"+{digits}"))
        return () if _UNKNOWN_ZONE in zones else zones


class _Ambiguous(BadNumber):
    """Nothing decides between two readings."""


def looks_like_number(text: str) -> bool:
    """Whether a cell would be read as a phone number, in any country."""
    if not text or len(text) > _LONGEST_CELL:
        return False
    text = tidied(text)
    if not _plausible(text) or _dated(text):
        return False
    digits = sum(map(str.isdigit, text))
    return digits > 6 and (digits < 16 or "/" in text)  # E.164 has at most 15


def is_date(text: str) -> bool:
    """Whether a cell that could be read as a number is more likely a date."""
    return bool(_dated(text) or _timestamp(text))


def tidied(text: str) -> str:
    """Return a cell with digits and signs in ASCII, and without what exports add to it."""
    text = text.translate(_SIGNS)
    if not text.isascii():
        text = "".join(map(_in_ascii, text))
    # A text in a spreadsheet begins with an apostrophe, and some programs write it out.
    text = " ".join(text.split()).lstrip("'").rstrip("';,")
    if _in_thousands(text):
        return text.replace(",", "")
    if text.startswith("=") and (formula := _as_formula(text)):
        text = formula[1].strip()
    if prefix := _PREFIX.match(text):
        text = text[prefix.end() :]
    return text


def _in_ascii(character: str) -> str:
    """Return the digit, dash, space or sign that a character stands for; invisible ones vanish."""
    if character < "\x80":
        return character
    category = unicodedata.category(character)
    if category == "Nd":
        return str(unicodedata.decimal(character))
    if category == "Pd" or character == "\N{MINUS SIGN}":
        return "-"
    # Marks vanish, as the one that makes a digit a keycap does.
    if category in ("Cf", "Mn", "Me") or character in _FILLERS:
        return ""
    if character.isspace():
        return " "
    return unicodedata.normalize("NFKC", character)


def _candidates(text: str, code: str, *, also_foreign: bool = False) -> Iterator[str]:
    """Yield the ways to dial a cell, the likeliest first.

    Args:
        text: the cell.
        code: the country code by which local numbers are read, if any.
        also_foreign: whether digits may begin with the code of some other country.

    """
    digits = text.lstrip("(")
    if digits.startswith("00"):
        # Not every country dials 00 for abroad, but it is written everywhere.
        yield from _candidates(f"+{digits[2:]}", code)
    if _is_international(text) or digits.startswith("00"):
        # "+44 (0)7911 123456": the zero is dialled at home, and never behind the country code. The
        # library keeps it where the plan of the country has no such prefix.
        if _trunk_zero(text):
            yield _without_trunk_zero(text)
        yield text
        if zero := _zero_behind_code(text):
            yield zero
        return
    yield text
    # Exports leave the plus out, as spreadsheets take it for a sum: "4917139200123".
    plain = _NOISE.sub("", text)
    if not plain.startswith("0") and (also_foreign or (code and plain.startswith(code))):
        yield f"+{plain}"


def _without_signs(text: str) -> str:
    """Return the digits of a number whose signs mean nothing; an empty text if they may."""
    digits = text.replace(" ", "").removeprefix("+")
    if digits.isdigit() and digits.isascii():
        return digits
    return text.translate(_UNSIGNED) if _plain(text) and "(0)" not in text else ""


def _without_trunk_zero(text: str) -> str:
    zero = _trunk_zero(text)
    return text if zero is None else f"{text[: zero.start()]} {text[zero.end() :]}"


def _zero_behind_code(text: str) -> str:
    """Return an international number without the zero between its country code and the rest."""
    found = re.match(r"\(?\+\s*([0-9]{1,3})[\s().-]+0(?=[\s().-]*[1-9])", text)
    return f"+{found[1]} {text[found.end() :]}" if found else ""


def _is_international(text: str) -> bool:
    return text.startswith(("+", "(+"))


def _can_be_written_to(phone: Phone) -> bool:
    return phone.takes_sms


def _is_assigned(phone: Phone) -> bool:
    return phone.is_assigned


_WITH_CODE = "taken to begin with the country code"
_UNPARSED = {0: "has no known country code", 2: "is too short", 3: "is too short", 4: "is too long"}
"""By `NumberParseException.error_type`."""
_IMPOSSIBLE = {2: "is too short", 3: "is too long", 4: "lacks its area code"}
"""By `ValidationResult`."""


def _services(types: Any) -> dict[int, tuple[bool, str]]:
    """Return for each kind of number whether it is a landline, and what service it is."""
    return {
        types.FIXED_LINE: (True, ""),
        types.TOLL_FREE: (False, "toll-free"),
        types.PREMIUM_RATE: (False, "premium-rate"),
        types.SHARED_COST: (False, "shared-cost"),
        types.PERSONAL_NUMBER: (False, "personal"),
        types.PAGER: (False, "pager"),
        # Numbers of internet telephony ring at a computer or a box; few of them take texts.
        types.VOIP: (False, "VoIP"),
        types.UAN: (False, "company"),
        types.VOICEMAIL: (False, "voicemail"),
    } | dict.fromkeys((types.MOBILE, types.FIXED_LINE_OR_MOBILE, types.UNKNOWN), (False, ""))


@cache
def _plans(library: Any) -> NumberingPlans:
    """Return the compiled plans, which are made once: compiling those of the US takes a while."""
    return NumberingPlans(library)


def _library(name: str) -> Any:
    try:
        return importlib.import_module(name)
    except ImportError:
        return None
