"""When the messages of a campaign are due: at one time, at a local time, or by a column.

Times of day are read in a zone. In the hour that is skipped in spring a time does not exist, and in
autumn an hour comes twice: in a zone that was named such a time is refused, as either reading could
be meant. For recipients' own zones (`local`) the campaign cannot ask; there the first moment at
which their clocks have reached the time is taken.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone
from zoneinfo import ZoneInfo

from ..errors import CampaignError
from ..quiet.zones import Zones, zone

_PAST = timedelta(minutes=5)
"""How long ago the time of a campaign may lie when it is begun: typing takes a while."""


class BadTime(ValueError):
    """A time cannot be read, or does not fit; the text is a clause that says why."""


class Schedule:
    """When messages are due.

    Args:
        at: the time of all messages, such as ``2026-12-01 09:00``; None for the column alone.
        zone: the zone in which times without an offset are read.
        local: whether they are read in each recipient's own zone; `zone` is then for those whose
            zone is unknown.
        start: when the campaign was begun; times before it are refused.

    Raises:
        CampaignError: the time or the zone is wrong, or which zone is meant was not said.

    """

    def __init__(
        self, at: str | None, *, zone: str | None = None, local: bool = False, start: datetime
    ) -> None:
        self._home = _zone(zone) if zone else None
        self._local = local
        self._start = start
        self._zones = Zones()
        self._at: datetime | None = None
        if at is not None:
            try:
                self._at = self._read_at(at)
            except BadTime as error:
                raise CampaignError(f"--at: {error}") from None

    def due(self, cell: str, number: str) -> datetime | None:
        """Return when a message is due, in UTC; None for at once.

        Args:
            cell: the time of its row, if that has one.
            number: the recipient, in E.164.

        Raises:
            BadTime: the time cannot be read or has passed, or the recipient's zone is unknown.

        """
        moment = _read(cell) if cell else self._at
        if moment is None:
            return None
        if moment.tzinfo is None:
            moment = self._local_time(moment, number) if self._local else self._home_time(moment)
        moment = moment.astimezone(UTC)
        if moment < self._start - _PAST:
            raise BadTime("lies in the past")
        return moment

    def _read_at(self, text: str) -> datetime:
        moment = _read(text)
        if moment.tzinfo is not None and self._local:
            raise BadTime("has an offset, which --local contradicts")
        if moment.tzinfo is None and not self._local:
            moment = self._home_time(moment)
        # The last zone of the world to reach a local time is UTC-12.
        latest = moment.replace(tzinfo=timezone(-timedelta(hours=12))) if self._local else moment
        if latest < self._start - _PAST:
            raise BadTime("lies in the past")
        return moment

    def _home_time(self, moment: datetime) -> datetime:
        if self._home is None:
            raise BadTime("needs --zone, such as Australia/Sydney, or --local")
        first, second = (moment.replace(tzinfo=self._home, fold=fold) for fold in (0, 1))
        # Both readings have one offset except around a change of the clocks.
        if first.utcoffset() != second.utcoffset():
            if first.astimezone(UTC) > second.astimezone(UTC):
                raise BadTime(f"does not exist in {self._home.key}: the clocks go forward")
            raise BadTime(
                f"comes twice in {self._home.key}: write it with its offset, "
                f"as in {first.isoformat(timespec='minutes')}"
            )
        return first

    def _local_time(self, moment: datetime, number: str) -> datetime:
        clocks = [it for it in map(zone, self._zones.of(number)) if it is not None]
        if not clocks:
            if self._home is None:
                raise BadTime("cannot be placed: the recipient's time zone is unknown, give --zone")
            clocks = [self._home]
        # A number may be in several zones: the message waits until all of them have reached the
        # time.
        return max(_reached(moment, it) for it in clocks)


def _reached(moment: datetime, clock: ZoneInfo) -> datetime:
    """Return the first moment, in UTC, at which a local clock has reached a time."""
    first, second = (moment.replace(tzinfo=clock, fold=fold).astimezone(UTC) for fold in (0, 1))
    if first <= second:
        return first
    # The time is skipped: the two readings lie one step of the clock around the change.
    low, high = second, first
    while high - low > timedelta(seconds=1):
        middle = low + (high - low) / 2
        if middle.astimezone(clock).replace(tzinfo=None) >= moment:
            high = middle
        else:
            low = middle
    return high.replace(microsecond=0)


def _read(text: str) -> datetime:
    try:
        moment = datetime.fromisoformat(text.strip())
    except ValueError:
        raise BadTime("must be a time such as 2026-12-01 09:00") from None
    # Python reads a date alone as midnight, which is no time for a message.
    if ":" not in text:
        raise BadTime("needs a time of day, as in 2026-12-01 09:00")
    return moment


def _zone(name: str) -> ZoneInfo:
    found = zone(name)
    if found is None:
        raise CampaignError("zone: must be the name of a time zone, such as Australia/Sydney")
    return found
