"""What a campaign would do, counted row by row without keeping the rows."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from typing import Any, NamedTuple, TypeVar

import msgspec
from msgspec import Struct

from ..bulk.intake import Batching
from ..bulk.sender import RAMP
from ..config import RateLimit
from ..text import Segments, visible
from .identity import Comparison, Match
from .numbers import Phone
from .warnings import PlanWarning

K = TypeVar("K")

_SHOWN = 20
_SAMPLES = 3

WANTED = frozenset({"opted out", "duplicate"})
"""Reasons for which a row is left out on purpose: nothing about it needs to be corrected."""


class Problem(NamedTuple):
    """A row that is not sent."""

    row: int
    reason: str
    """What kind of problem it is, in a word or two."""
    detail: str
    column: str = ""
    value: str = ""
    """The cell."""
    name: str = ""
    """The recipient's name, if the list has one."""
    written: str = ""
    """The number as it is written in the list."""

    def __str__(self) -> str:
        where = f"row {self.row}, column {self.column}" if self.column else f"row {self.row}"
        return f"{where}: {self.detail}"

    def __repr__(self) -> str:
        return f"Problem({str(self)!r})"


class Draft(NamedTuple):
    """A row that is sent, and what."""

    row: int
    message: Any
    """The message, of the kind its channel sends."""
    phone: Phone
    segments: Segments
    replaced: int
    """Characters that smart encoding replaced."""
    due: datetime | None = None
    """When it may be sent, in UTC; None for at once."""
    name: str = ""
    """The recipient's name, if the list has one."""
    written: str = ""
    """The number as it is written in the list."""

    def __repr__(self) -> str:
        return f"Draft(row={self.row}, parts={self.segments.parts})"


class Sample(Struct):
    """A message as its recipient would read it."""

    row: int
    body: str
    encoding: str
    parts: int

    def __repr__(self) -> str:
        return f"Sample(row={self.row}, parts={self.parts})"


class Price(Struct):
    """What the messages cost."""

    total: Decimal
    currency: str | None = None
    by_country: dict[str, Decimal] = {}
    rejected: dict[str, int] = {}
    """Messages the API would refuse, by its word for why."""
    is_estimate: bool = False
    """Whether it was calculated from a given price of a part, without asking the API."""


class Plan(Struct, kw_only=True):
    """What a campaign would do."""

    source: str
    format: str
    columns: dict[str, str]
    """The column each field is taken from."""
    fingerprint: str
    channel: str = "sms"
    offline: bool
    """Whether the account was not asked: for prices, its lists and its opt-outs."""
    account: str = ""
    """The user name of the account that was asked."""
    rows: int = 0
    messages: int = 0
    """Messages that would be sent now or later; not those that earlier runs sent."""
    comparison: Comparison = msgspec.field(default_factory=Comparison)
    """How the list compares with the campaign's journal."""
    warnings: list[PlanWarning] = []
    problems: dict[str, int] = {}
    """Rows that are not sent, by reason."""
    first_problems: list[Problem] = []
    parts: dict[int, int] = {}
    """Messages by the parts they need."""
    unicode: int = 0
    """Messages that are not in GSM-7."""
    cost_of_unicode: int = 0
    """Parts that are paid for only because of the characters in `forced_by`."""
    forced_by: dict[str, int] = {}
    """In how many messages each character forces Unicode; those that cannot be seen by name."""
    replaced: int = 0
    """Messages in which smart encoding replaced something."""
    countries: dict[str, int] = {}
    unassigned: int = 0
    """Numbers that the numbering plan, as it is known, does not assign; they are sent."""
    guesses: dict[str, int] = {}
    """What was assumed in reading numbers, and in how many rows."""
    guessed_rows: list[int] = []
    """The first of those rows."""
    scheduled: int = 0
    """Messages that are due later."""
    first_due: datetime | None = None
    last_due: datetime | None = None
    opt_outs: int = 0
    """Numbers known to have opted out."""
    unread_opt_outs: list[str] = []
    """Where the opt-outs hold what is no number."""
    opt_out_lists: list[str] = []
    """Where opt-outs were taken from."""
    samples: list[Sample] = []
    price: Price | None = None
    balance: Decimal | None = None
    """The account's credit; None if it was not asked, or recharges itself."""

    @property
    def total_parts(self) -> int:
        """The parts of all messages together."""
        return sum(parts * count for parts, count in self.parts.items())

    @property
    def invalid(self) -> int:
        """Rows that are left out because something about them is wrong."""
        return sum(count for reason, count in self.problems.items() if reason not in WANTED)

    @property
    def is_clean(self) -> bool:
        """Whether every row can be sent, and the account can pay for all of them."""
        refused = self.price is not None and self.price.rejected
        return not (self.invalid or self.unread_opt_outs or refused or self.shortfall)

    @property
    def rows_sent_before(self) -> int:
        """Rows whose recipients got the campaign's message in an earlier run, or may have."""
        return self.comparison.unchanged + self.comparison.changed

    @property
    def shortfall(self) -> Decimal:
        """The credit the account lacks to pay for all messages."""
        if self.price is None or self.balance is None:
            return Decimal(0)
        return max(self.price.total - self.balance, Decimal(0))

    @property
    def requests(self) -> int:
        """Requests a run takes: few messages in the first, then as many as fit."""
        left, requests = self.messages, 0
        for size in RAMP:
            if left > 0:
                left -= size
                requests += 1
        return requests - (-max(left, 0) // Batching().size)

    def seconds(self, rate_limit: RateLimit | None) -> float:
        """Return how long the requests of a run take at least, at a pace."""
        if rate_limit is None:
            return 0.0
        return max(self.requests - 1, 0) // rate_limit.requests * rate_limit.per

    def leave_out(self, it: Problem) -> None:
        """Count a row that is not sent."""
        self.rows += 1
        _count(self.problems, it.reason)
        if len(self.first_problems) < _SHOWN:
            self.first_problems.append(it)

    def compare(self, match: Match) -> None:
        """Count what a row is to the campaign's journal; one that was sent is not added."""
        setattr(self.comparison, match, getattr(self.comparison, match) + 1)
        self.rows += match.is_settled

    def add(self, it: Draft) -> None:
        """Count a row that is sent."""
        self.rows += 1
        self.messages += 1
        segments, phone = it.segments, it.phone
        parts, countries, country = self.parts, self.countries, phone.country or "?"
        parts[segments.parts] = parts.get(segments.parts, 0) + 1
        countries[country] = countries.get(country, 0) + 1
        if segments.forced_by:
            self.unicode += 1
            self.cost_of_unicode += segments.cost_of_unicode
            for character in {foreign.character for foreign in segments.forced_by}:
                _count(self.forced_by, visible(character))
        if phone.guess:
            _count(self.guesses, phone.guess)
            if len(self.guessed_rows) < _SHOWN:
                self.guessed_rows.append(it.row)
        self.unassigned += not phone.is_assigned
        if it.due is not None:
            self.scheduled += 1
            self.first_due = min(self.first_due or it.due, it.due)
            self.last_due = max(self.last_due or it.due, it.due)
        self.replaced += it.replaced > 0
        longer = segments.parts > 1 and segments.parts > max(
            (sample.parts for sample in self.samples), default=0
        )
        if longer or len(self.samples) < _SAMPLES:
            del self.samples[_SAMPLES:]
            self.samples.append(Sample(it.row, it.message.body, segments.encoding, segments.parts))


def _count(counts: dict[K, int], key: K) -> None:
    counts[key] = counts.get(key, 0) + 1
