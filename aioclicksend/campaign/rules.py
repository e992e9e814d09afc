"""When people are not written to: quiet hours."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, time, timedelta
from typing import NamedTuple
from zoneinfo import ZoneInfo

from .errors import CampaignError

_HORIZON = timedelta(days=3)
_ZONES_AWAY = 64


class Slot(NamedTuple):
    """When a message may be sent."""

    schedule: datetime | None = None
    """The time to schedule it for, None for at once."""
    wait_until: datetime | None = None
    """It is quiet now though the planned time has come: when it may be handed over again."""


class QuietHours:
    """When people may be written to, by the clocks where they are.

    Who may live in several zones is written to when it is time in all of them; who lives nobody
    knows where, by the clock of `zone`.

    Args:
        not_before: the time of day from which on.
        not_after: the time of day until which; earlier than `not_before` for a span over midnight.
        zone: time zone of those whose own is not known, such as ``Australia/Sydney``.
        start: when the campaign was begun. Schedules follow from it, so a run that is to be resumed
            must be given the same again: another would make other messages of the same rows.

    Raises:
        CampaignError: there is no such zone, or no time is left.

    """

    def __init__(self, not_before: time, not_after: time, *, zone: str, start: datetime) -> None:
        home = _zone(zone)
        if home is None:
            raise CampaignError("zone: must be the name of a time zone, such as Australia/Sydney")
        if not_before == not_after:
            raise CampaignError("quiet hours: not_before and not_after are the same time")
        if start.tzinfo is None:
            raise CampaignError("quiet hours: start must tell its time zone")
        if start > datetime.now(UTC):
            raise CampaignError("quiet hours: start must not lie ahead")
        self._not_before = not_before.replace(tzinfo=None)
        self._not_after = not_after.replace(tzinfo=None)
        self._home = home
        self.start = start.astimezone(UTC).replace(microsecond=0)
        self._clocks: dict[tuple[str, ...], tuple[ZoneInfo, ...]] = {}
        self._planned: dict[tuple[str, ...], datetime | None] = {}
        self._slots: dict[tuple[str, ...], Slot | None] = {}
        self._minute: datetime | None = None

    def __repr__(self) -> str:
        span = f"{self._not_before:%H:%M}-{self._not_after:%H:%M}"
        return f"QuietHours({span}, zone={self._home.key!r}, start={self.start.isoformat()})"

    def slot(self, zones: tuple[str, ...], now: datetime) -> Slot | None:
        """Return when somebody in these zones is written to; None if it is never time in all."""
        minute = now.replace(second=0, microsecond=0)
        if minute != self._minute:
            self._minute = minute
            self._slots.clear()
        try:
            return self._slots[zones]
        except KeyError:
            slot = self._slots[zones] = self._slot(zones, now)
            return slot

    def _slot(self, zones: tuple[str, ...], now: datetime) -> Slot | None:
        clocks = self._zones(zones)
        if zones not in self._planned:
            self._planned[zones] = self._opening(clocks, self.start)
        planned = self._planned[zones]
        if planned is None:
            return None
        schedule = None if planned == self.start else planned
        if planned > now:
            return Slot(schedule)
        opening = self._opening(clocks, now)
        if opening is None:  # a change to summer time can close what was open when it was planned
            return None
        return Slot(schedule, None if opening == now else opening)

    def _zones(self, zones: tuple[str, ...]) -> tuple[ZoneInfo, ...]:
        try:
            return self._clocks[zones]
        except KeyError:
            known = tuple(it for it in map(_zone, zones) if it is not None)
            clocks = self._clocks[zones] = known or (self._home,)
            return clocks

    def _opening(self, clocks: Sequence[ZoneInfo], moment: datetime) -> datetime | None:
        """Return the first moment from one on at which it is time on all clocks."""
        limit = moment + _HORIZON
        for _ in range(_ZONES_AWAY):
            closed = [it for it in clocks if not self._is_open(moment.astimezone(it).time())]
            if not closed:
                return moment
            moment = max(self._next(it, moment) for it in closed)
            if moment > limit:
                break
        return None

    def _is_open(self, clock: time) -> bool:
        if self._not_before < self._not_after:
            return self._not_before <= clock < self._not_after
        return clock >= self._not_before or clock < self._not_after

    def _next(self, zone: ZoneInfo, moment: datetime) -> datetime:
        """Return when it is `not_before` next in a zone."""
        local = moment.astimezone(zone)
        opening = datetime.combine(local.date(), self._not_before, zone).replace(fold=local.fold)
        if opening.replace(tzinfo=None) <= local.replace(tzinfo=None):
            opening += timedelta(days=1)
        return opening.astimezone(UTC)


def _zone(name: str) -> ZoneInfo | None:
    try:
        return ZoneInfo(name)
    except (KeyError, ValueError, OSError):
        return None
