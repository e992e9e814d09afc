"""Who is not written to, and when not: repeated numbers, opt-outs, quiet hours."""

from __future__ import annotations

from array import array
from collections.abc import Sequence
from datetime import UTC, datetime, time, timedelta
from hashlib import blake2b
from typing import NamedTuple
from zoneinfo import ZoneInfo

from ..client import ClickSend
from .columns import Columns
from .errors import CampaignError
from .numbers import BadNumber, Numbers
from .source import ContactList, Table

_MASK = (1 << 64) - 1
_SPREAD = 0x9E3779B97F4A7C15
_HORIZON = timedelta(days=3)
_ZONES_AWAY = 64


class NumberSet:
    """A set of positive integers of 64 bits, at 12 to 24 bytes each: a tenth of a `set`."""

    def __init__(self) -> None:
        self._slots = array("Q", bytes(8 * 1024))
        self._shift = 64 - 10
        self._count = 0

    def add(self, number: int) -> bool:
        """Add a number and return whether it was absent."""
        place = self._place(number)
        if self._slots[place]:
            return False
        self._slots[place] = number
        self._count += 1
        if self._count * 3 > len(self._slots) * 2:
            self._grow()
        return True

    def __contains__(self, number: int) -> bool:
        return bool(self._slots[self._place(number)])

    def __len__(self) -> int:
        return self._count

    def _place(self, number: int) -> int:
        """Return the slot of a number, or the free one where it belongs."""
        slots = self._slots
        place = (number * _SPREAD & _MASK) >> self._shift
        while (held := slots[place]) and held != number:
            place = (place + 1) % len(slots)
        return place

    def _grow(self) -> None:
        old, self._slots = self._slots, array("Q", bytes(16 * len(self._slots)))
        self._shift -= 1
        for number in filter(None, old):
            self._slots[self._place(number)] = number


def as_integer(number: str) -> int:
    """Return an E.164 number as an integer."""
    return int(number[1:])


def message_hash(number: str, body: str) -> int:
    """Return an integer that stands for a message to a number; equal ones are as good as equal."""
    digest = blake2b(f"{number}\0{body}".encode("utf-8", "surrogatepass"), digest_size=8)
    return int.from_bytes(digest.digest(), "big") or 1


class OptOuts:
    """The numbers of people who do not want to be written to."""

    def __init__(self, numbers: Numbers) -> None:
        self._numbers = numbers
        self._known = NumberSet()
        self.sources: list[str] = []
        """Where numbers were taken from."""
        self.unread: list[tuple[str, int]] = []
        """Source and row of what is no number: whoever it stands for may be written to."""

    def __contains__(self, number: str) -> bool:
        return as_integer(number) in self._known

    def __len__(self) -> int:
        return len(self._known)

    async def read(self, source: Table | ContactList, client: ClickSend | None) -> None:
        """Take the numbers of a file or a contact list in.

        Raises:
            CampaignError: no column of it holds numbers, or it is a list and there is no client.

        """
        self.sources.append(source.name)
        if isinstance(source, ContactList):
            if client is None:
                raise CampaignError(f"{source.name}: the account is needed to read it")
            async for row in source.rows(client):
                cells = row.cells
                self._add(source.name, row.number, cells["phone_number"], cells["address_country"])
            return
        column = Columns(source.columns, {}).find("to")
        if column is None and len(source.columns) == 1:
            column = source.columns[0]
        if column is None:
            listed = Columns(source.columns, {}).listed()
            raise CampaignError(f"opt-outs: no column of {source.name} holds numbers; {listed}")
        for row in source:
            self._add(source.name, row.number, row.cells.get(column, ""))

    def _add(self, source: str, row: int, text: str, country: str = "") -> None:
        try:
            phone = self._numbers.read(text, self._numbers.known(country))
        except BadNumber:
            if text:
                self.unread.append((source, row))
        else:
            self._known.add(as_integer(phone.number))


async def account_opt_outs(client: ClickSend) -> list[ContactList]:
    """Return the lists to which ClickSend moves people who opt out.

    Each account is given an "Opt-Out List". ClickSend obeys it in campaigns of its dashboard, but
    not in what is sent through the API, so it has to be obeyed here.
    """
    return [
        ContactList(it.list_id)
        async for it in client.lists.walk()
        if it.list_id is not None and _is_opt_out_list(it.list_name or "")
    ]


def _is_opt_out_list(name: str) -> bool:
    letters = "".join(filter(str.isalpha, name.casefold()))
    return letters.startswith(("optout", "optedout"))


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
