"""Where a number's owner may be: time zones, and US states with hours of their own."""

from __future__ import annotations

import importlib
from typing import Any
from zoneinfo import ZoneInfo

_UNKNOWN = "Etc/Unknown"
_REMOTE = frozenset({"Indian/Christmas", "Indian/Cocos"})
"""Zones of few hundred people that would hold back every mobile number of Australia."""
_PREFIX = 8
"""Characters of a number that decide its zones: a plus, country, area, and some of an exchange."""
_WHOLE = ("+31", "+32", "+33", "+353", "+41", "+43", "+44", "+45", "+46", "+47", "+48", "+49",
          "+614", "+65", "+91")  # fmt: skip
"""What numbers begin with whose zones are all the same, or show the same time."""

_SPLIT = frozenset(
    f"+1{it}"
    for it in (208, 219, 250, 270, 308, 310, 418, 423, 541, 574, 605, 606, 620, 701, 775, 785, 807,
               812, 850, 867, 906, 907, 928)
)  # fmt: skip
"""Area codes of North America that lie in several zones; of the others the code alone decides."""

_AREA_CODES = {
    "FL": "239 305 321 324 352 386 407 448 561 645 656 689 727 728 754 772 786 813 850 863 904 941 "
    "954",
    "MD": "227 240 301 410 443 667",
    "MS": "228 471 601 662 769",
    "NJ": "201 551 609 640 732 848 856 862 908 973",
    "OK": "405 539 572 580 918",
    "CT": "203 475 860 959",
    "TX": "210 214 254 281 325 346 361 409 430 432 469 512 621 682 713 726 737 806 817 830 832 903 "
    "915 936 940 945 956 972 979",
}
"""Area codes of the states whose hours differ from the federal ones (NANPA's assignments)."""

_STATES = {f"+1{code}": state for state, codes in _AREA_CODES.items() for code in codes.split()}


def state_of(number: str) -> str:
    """Return the US state of an E.164 number if it has its own hours, else an empty text.

    People keep a number when they move: the area code is where it was given out.
    """
    return _STATES.get(number[:5], "")


def area_of(number: str) -> str:
    """Return what of an E.164 number decides its zones and its state."""
    if number.startswith("+1") and (code := number[:5]) not in _SPLIT:
        return code
    return number[:4] if number.startswith(_WHOLE) else number[:_PREFIX]


class Zones:
    """The time zones in which the owner of a number may live, by `phonenumbers`."""

    def __init__(self) -> None:
        self._known: dict[str, tuple[str, ...]] = {}
        try:
            self._library: Any = importlib.import_module("phonenumbers")
            self._timezones: Any = importlib.import_module("phonenumbers.timezone")
        except ImportError:
            self._library = None

    @property
    def are_known(self) -> bool:
        """Whether the library that knows them is installed."""
        return self._library is not None

    def of(self, number: str) -> tuple[str, ...]:
        """Return the zones of an E.164 number; none if they are not known."""
        key = area_of(number)
        try:
            return self._known[key]
        except KeyError:
            zones = self._known[key] = self._looked_up(number)
            return zones

    def _looked_up(self, number: str) -> tuple[str, ...]:
        if self._library is None:
            return ()
        try:
            parsed = self._library.parse(number)
        except self._library.NumberParseException:
            return ()
        # In North America by area code, also for numbers that are not assigned: the same for all of
        # a code, whichever number of it comes first.
        is_by_code = number.startswith("+1")
        zones = () if is_by_code else self._timezones.time_zones_for_number(parsed)
        if is_by_code or _UNKNOWN in zones:
            # Numbers that are not assigned still belong to a country.
            zones = self._timezones.time_zones_for_geographical_number(parsed)
        if _UNKNOWN in zones:
            return ()
        # An installation may know fewer zones than the library names.
        known = [it for it in zones if zone(it) is not None]
        return tuple(it for it in known if it not in _REMOTE) or tuple(known)


_cache: dict[str, ZoneInfo | None] = {}


def zone(name: str) -> ZoneInfo | None:
    """Return a time zone by its name; None if there is none."""
    if name not in _cache:
        try:
            _cache[name] = ZoneInfo(name)
        except (KeyError, ValueError, OSError):
            return None
    return _cache[name]
