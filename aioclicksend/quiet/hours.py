"""Quiet hours: when people may be written to, by the clocks where they are.

An hour is open for a number if it is open on the clock of every zone its owner may live in::

    hours of the number's place ─┐
    zones of the number ─────────┴─▶ opening(moment) ─▶ moment itself, or when it opens next

Presets hold what law or practice asks of marketing; their sources are in docs/campaigns.md. They
are a safeguard, not legal advice.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, time, timedelta
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo

import msgspec

from ..errors import CampaignError, ConfigurationError
from .zones import Zones, state_of, zone

_HORIZON = timedelta(days=8)
_STEPS = 64
"""Openings that are tried before zones count as never open together."""


class Hours(NamedTuple):
    """The open hours of one day; `closes` before `opens` is on the day after."""

    opens: time
    closes: time


Week = tuple[Hours | None, ...]
"""The hours of each day from Monday on; None for a day without any."""


def _hours(opens: float, closes: float) -> Hours:
    return Hours(_clock(opens), _clock(closes))


def _clock(hour: float) -> time:
    return time.max if hour >= 24 else time(int(hour), round(hour % 1 * 60))


def _daily(opens: float, closes: float) -> Week:
    return (_hours(opens, closes),) * 7


# The federal hours apply where a state has none.
_US = _daily(8, 21)
_STATES: Mapping[str, Week] = {
    **dict.fromkeys(("FL", "MD", "MS", "NJ", "OK"), _daily(8, 20)),
    "CT": _daily(9, 20),
    "TX": (*(_hours(9, 21),) * 6, _hours(12, 21)),
}
PRESETS: Mapping[str, Week] = {
    "us": _US,
    "ca": (*(_hours(9, 21.5),) * 5, *(_hours(10, 18),) * 2),
    "au": (*(_hours(9, 20),) * 5, _hours(9, 17), None),
    "fr": (*(_hours(8, 22),) * 6, None),
    "gb": _daily(8, 21),
}
"""The hours of each preset, named for its country."""


class QuietHours:
    """When numbers may be written to.

    Args:
        week: the open hours of each day.
        zone: time zone of numbers whose own is unknown, such as ``Australia/Sydney``.
        name: how the hours are shown.
        states: whether US states have the hours of their own law.

    Raises:
        CampaignError: there is no such zone.

    """

    def __init__(
        self, week: Week, *, zone: str | None = None, name: str = "", states: bool = False
    ) -> None:
        self._week = week
        self._states = states
        self._name = name
        self._home = _needed_zone(zone) if zone else None
        self._zones = Zones()
        self._openings: dict[tuple[str, tuple[str, ...]], datetime | None] = {}
        self._minute: datetime | None = None

    @classmethod
    def between(cls, not_before: time, not_after: time, *, zone: str | None = None) -> QuietHours:
        """Return the same hours for every day; `not_after` may be past midnight.

        Raises:
            CampaignError: there is no such zone, or no time is left.

        """
        if not_before == not_after:
            raise CampaignError("quiet hours: not_before and not_after are the same time")
        hours = Hours(not_before.replace(tzinfo=None), not_after.replace(tzinfo=None))
        return cls((hours,) * 7, zone=zone, name=f"{hours.opens:%H:%M} to {hours.closes:%H:%M}")

    @classmethod
    def preset(cls, country: str, *, zone: str | None = None) -> QuietHours:
        """Return the hours of a country's law or practice.

        Raises:
            CampaignError: there is no preset of this name.

        """
        name = country.lower()
        if name not in PRESETS:
            raise CampaignError(f"quiet hours: {country!r} is none of {', '.join(PRESETS)}")
        return cls(PRESETS[name], zone=zone, name=name.upper(), states=name == "us")

    @classmethod
    def of_stored(cls, stored: Mapping[str, Any]) -> QuietHours:
        """Return hours that were stored as `stored` gives them.

        Raises:
            ConfigurationError: the zones of numbers are not known here, as they were there.

        """
        week = msgspec.convert(stored["week"], Week)
        made = cls(week, zone=stored["zone"], name=stored["name"], states=stored["states"])
        # All people would be taken to live in the zone of the campaign, and be written to at night.
        if not made._zones.are_known:
            raise ConfigurationError("quiet hours need: pip install 'aioclicksend[phone]'")
        return made

    @property
    def stored(self) -> dict[str, Any]:
        """The hours as JSON can hold them, for a process on another host."""
        zone = self._home and self._home.key
        week = msgspec.to_builtins(self._week)
        return {"week": week, "zone": zone, "name": self._name, "states": self._states}

    def __repr__(self) -> str:
        return f"QuietHours({self._name!r}, zone={self._home.key if self._home else None!r})"

    def __str__(self) -> str:
        return self._name

    def knows(self, number: str) -> bool:
        """Return whether the time zone of a number is known, or replaced by the campaign's."""
        return self._home is not None or bool(self._zones.of(number))

    def opening(self, number: str, moment: datetime) -> datetime | None:
        """Return the first time from `moment` on at which a number may be written to.

        None if its zones are unknown, or are never open together.
        """
        # Answers are kept per minute: a list has thousands of numbers in the same few zones.
        minute = moment.replace(second=0, microsecond=0)
        if minute != self._minute:
            self._minute = minute
            self._openings.clear()
        key = (state_of(number) if self._states else "", self._zones.of(number))
        if key not in self._openings:
            week = _STATES.get(key[0], self._week)
            self._openings[key] = _opening(week, self._clocks(key[1]), moment)
        opening = self._openings[key]
        # Within a minute the answer is shared, so it may be some seconds before this moment.
        return None if opening is None else max(opening, moment)

    def _clocks(self, zones: Sequence[str]) -> list[ZoneInfo]:
        clocks = [it for it in map(zone, zones) if it is not None]
        return clocks or ([self._home] if self._home else [])


def _opening(week: Week, clocks: Sequence[ZoneInfo], moment: datetime) -> datetime | None:
    """Return the first time from `moment` on that is open on all clocks."""
    if not clocks:
        return None
    limit = moment + _HORIZON
    for _ in range(_STEPS):
        closed = [it for it in clocks if not _is_open(week, moment.astimezone(it))]
        if not closed:
            return moment
        # To the latest of these openings: before it at least one zone is closed.
        moment = max(_next_opening(week, it, moment) for it in closed)
        if moment > limit:
            break
    return None


def _is_open(week: Week, local: datetime) -> bool:
    today, yesterday = week[local.weekday()], week[local.weekday() - 1]
    clock = local.time()
    # "Until 20:00" means that nothing arrives at eight any more: the end is closed.
    if today and today.opens <= clock and (clock < today.closes or today.closes < today.opens):
        return True
    # Hours that pass midnight belong to the day on which they began.
    return yesterday is not None and yesterday.closes < yesterday.opens and clock < yesterday.closes


def _next_opening(week: Week, clock: ZoneInfo, moment: datetime) -> datetime:
    """Return when it opens next on a clock, after `moment`."""
    local = moment.astimezone(clock)
    # A week from today on has each day; a day more, as the hours of today may be over.
    for days in range(9):
        date = local.date() + timedelta(days=days)
        hours = week[date.weekday()]
        if hours is None:
            continue
        # On the local clock and then in UTC, so that a change of the clocks in between is counted.
        opening = datetime.combine(date, hours.opens, clock).astimezone(UTC)
        if opening > moment:
            return opening
    return moment + _HORIZON * 2


def _needed_zone(name: str) -> ZoneInfo:
    found = zone(name)
    if found is None:
        raise CampaignError("zone: must be the name of a time zone, such as Australia/Sydney")
    return found
