"""What a campaign would do: counted row by row, and kept nowhere."""

from __future__ import annotations

from decimal import Decimal
from typing import NamedTuple, TypeVar

from msgspec import Struct

from ..bulk.intake import Batching
from ..bulk.sender import RAMP
from ..config import RateLimit
from ..models.messages import SmsMessage
from ..text import Segments, visible
from .numbers import Phone

K = TypeVar("K")

_SHOWN = 20
_SAMPLES = 3


class Problem(NamedTuple):
    """A row that is not sent."""

    row: int
    reason: str
    """What kind of problem it is, in a word or two."""
    detail: str
    column: str = ""
    value: str = ""
    """The cell."""

    def __str__(self) -> str:
        where = f"row {self.row}, column {self.column}" if self.column else f"row {self.row}"
        return f"{where}: {self.detail}"

    def __repr__(self) -> str:
        return f"Problem({str(self)!r})"


class Draft(NamedTuple):
    """A row that is sent, and what."""

    row: int
    message: SmsMessage
    phone: Phone
    segments: Segments
    replaced: int
    """Characters that smart encoding replaced."""


class Sample(Struct):
    """A message as somebody would read it."""

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
    """Whether it was reckoned from a price for a part, and not told by the API."""


class Plan(Struct, kw_only=True):
    """What a campaign would do."""

    source: str
    format: str
    columns: dict[str, str]
    """The column each field is taken from."""
    fingerprint: str
    offline: bool
    """Whether the account was not asked: for prices, its lists and its opt-outs."""
    rows: int = 0
    messages: int = 0
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
    """Numbers that the numbering plan, as it is known, gives to nobody; they are sent."""
    guesses: dict[str, int] = {}
    """What was assumed in reading numbers, and in how many rows."""
    guessed_rows: list[int] = []
    """The first of those rows."""
    scheduled: int = 0
    """Messages that are scheduled for the end of quiet hours."""
    unknown_zones: int = 0
    """Numbers whose time zone is not known; the campaign's own stands in."""
    opt_outs: int = 0
    """Numbers known to have opted out."""
    unread_opt_outs: list[str] = []
    """Where the opt-outs hold what is no number."""
    opt_out_lists: list[str] = []
    """Where opt-outs were taken from."""
    samples: list[Sample] = []
    price: Price | None = None
    balance: Decimal | None = None
    """What the account has; None if it was not asked, or recharges itself."""

    @property
    def total_parts(self) -> int:
        """The parts of all messages together."""
        return sum(parts * count for parts, count in self.parts.items())

    @property
    def is_clean(self) -> bool:
        """Whether every row is sent, the API would refuse none, and the account can pay them."""
        refused = self.price is not None and self.price.rejected
        return not (self.problems or self.unread_opt_outs or refused or self.shortfall)

    @property
    def shortfall(self) -> Decimal:
        """What the account lacks to pay all messages."""
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

    def add(self, it: Draft | Problem) -> None:
        """Count a row in."""
        self.rows += 1
        if isinstance(it, Problem):
            _count(self.problems, it.reason)
            if len(self.first_problems) < _SHOWN:
                self.first_problems.append(it)
            return
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
        self.scheduled += it.message.schedule is not None
        self.replaced += it.replaced > 0
        longer = segments.parts > 1 and segments.parts > max(
            (sample.parts for sample in self.samples), default=0
        )
        if longer or len(self.samples) < _SAMPLES:
            del self.samples[_SAMPLES:]
            self.samples.append(Sample(it.row, it.message.body, segments.encoding, segments.parts))


def _count(counts: dict[K, int], key: K) -> None:
    counts[key] = counts.get(key, 0) + 1
