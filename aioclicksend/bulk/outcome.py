"""What became of a message handed to a bulk sender: one of four outcomes, and exactly one.

::

    Accepted   the server took it       Rejected   the server read it and refused it
    NotSent    provably not taken       Unknown    bytes left; its outcome cannot be determined

`NotSent` may be sent again without risk. `Unknown` may not: the message may have been delivered.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from decimal import Decimal
from enum import StrEnum
from itertools import repeat
from typing import Any, TypeAlias, TypeVar, overload

from msgspec import Struct

from ..codes import shown_currency, shown_id

T = TypeVar("T")

Column: TypeAlias = "Sequence[T] | repeat[T]"
"""A value for each of some messages, or one value that all of them share."""


class Reason(StrEnum):
    """Why a message is `NotSent` or `Unknown`. The set is closed; compare members, not text."""

    # Not sent.
    STOPPED = "stopped"
    """`stop()`, a signal, or the end of the block came before it was sent."""
    WITHDRAWN = "withdrawn"
    """The reader of its stream left before it was sent."""
    BUDGET = "budget"
    """It did not fit the budget."""
    NOT_PRICED = "not_priced"
    """Under a budget: no usable price was quoted for it."""
    HELD = "held"
    """The account was refused (no credit, wrong credentials), so nothing more is sent."""
    QUIET_HOURS = "quiet_hours"
    """It would arrive in the recipient's quiet hours."""
    OPTED_OUT = "opted_out"
    """Its number is on the suppression list."""
    KEY_CONFLICT = "key_conflict"
    """Its idempotency key belongs to a message with another number or text."""
    JOURNAL = "journal"
    """The journal cannot be written, or another process owns it."""
    INVALID = "invalid"
    """Something is wrong with the message itself."""
    REFUSED = "refused"
    """The server refused the request as a whole (a 4xx reply)."""
    THROTTLED = "throttled"
    """The server answered 429 until the retries ran out."""
    NOT_CONNECTED = "not_connected"
    """No connection, or it broke before the first byte left."""

    # Unknown.
    NO_VERDICT = "no_verdict"
    """Bytes left and no readable reply came; nothing has been looked up since."""
    NO_ROW = "no_row"
    """The reply has no conclusive row for it; nothing has been looked up since."""
    NOT_FOUND = "not_found"
    """The history does not show it, though it shows messages sent later."""
    LAGGING = "lagging"
    """The history does not show it, and nothing proves that the history is up to date."""
    NOT_LOOKED_UP = "not_looked_up"
    """The history could not be read, or was not asked."""
    AMBIGUOUS = "ambiguous"
    """A row of the history may be this message or another one."""
    RETRY_REFUSED = "retry_refused"
    """It was sent again and refused in a way that hints that the first attempt was taken."""
    ABORTED = "aborted"
    """`abort()`, a second signal or a cancellation cut off its request or its look-up."""


class Accepted(Struct, frozen=True, gc=False):
    """The server took it."""

    message: Any
    ref: str
    message_id: str | None
    parts: int | None
    price: Decimal | None

    def __repr__(self) -> str:
        return f"Accepted(ref={self.ref!r}, message_id={shown_id(self.message_id)!r})"


class Rejected(Struct, frozen=True, gc=False):
    """The server read it and refused it; `status` is the server's word for why."""

    message: Any
    ref: str
    status: str

    def __repr__(self) -> str:
        return f"Rejected(ref={self.ref!r}, status={self.status!r})"


class NotSent(Struct, frozen=True, gc=False):
    """Provably not taken by the server: it can be sent again."""

    message: Any
    ref: str
    reason: Reason
    detail: str = ""
    """The circumstances, for people."""

    def __repr__(self) -> str:
        return f"NotSent(ref={self.ref!r}, reason={self.reason.value!r}, detail={self.detail!r})"


class Unknown(Struct, frozen=True, gc=False):
    """Bytes left, and neither a reply nor the history shows what became of it."""

    message: Any
    ref: str
    reason: Reason
    detail: str = ""
    """The circumstances, for people."""

    def __repr__(self) -> str:
        return f"Unknown(ref={self.ref!r}, reason={self.reason.value!r}, detail={self.detail!r})"


Outcome: TypeAlias = Accepted | Rejected | NotSent | Unknown


class Acceptances(Sequence[Accepted]):
    """The outcomes of a batch whose every message was accepted; objects are made on demand.

    A run that only counts never looks at them, and a journal takes the columns as they are.
    """

    __slots__ = ("_outcomes", "ids", "messages", "parts", "prices", "refs")

    def __init__(
        self,
        messages: Sequence[Any],
        refs: Sequence[str],
        ids: Column[str | None],
        parts: Column[int | None],
        prices: Column[Decimal | None],
    ) -> None:
        self.messages: Sequence[Any] = messages
        self.refs: Sequence[str] = refs
        self.ids: Column[str | None] = ids
        self.parts: Column[int | None] = parts
        self.prices: Column[Decimal | None] = prices
        self._outcomes: list[Accepted] | None = None

    def __len__(self) -> int:
        return len(self.refs)

    def __iter__(self) -> Iterator[Accepted]:
        return iter(self._list())

    @overload
    def __getitem__(self, index: int) -> Accepted: ...

    @overload
    def __getitem__(self, index: slice) -> list[Accepted]: ...

    def __getitem__(self, index: int | slice) -> Accepted | list[Accepted]:
        return self._list()[index]

    @property
    def cost(self) -> Decimal:
        """The sum of the prices that are known."""
        # A `repeat` has no end and is not used up by reading its value.
        if isinstance(self.prices, repeat):
            return (next(self.prices) or Decimal(0)) * len(self)
        return sum((it for it in self.prices if it), Decimal(0))

    def _list(self) -> list[Accepted]:
        if self._outcomes is None:
            self._outcomes = list(
                map(Accepted, self.messages, self.refs, self.ids, self.parts, self.prices)
            )
        return self._outcomes


class Report(Struct, kw_only=True):
    """The outcomes of a run, counted. A sender also has one for all that it has sent."""

    accepted: int = 0
    rejected: int = 0
    not_sent: int = 0
    unknown: int = 0
    cost: Decimal = Decimal(0)
    """The sum of the server's prices of accepted messages."""
    seconds: float = 0.0
    reasons: dict[str, int] = {}
    """How many messages there are for each status (rejected) and `Reason` (not sent, unknown)."""
    stopped: bool = False
    """Whether the run ended before its input did: some was left unread, or read and not sent."""

    @property
    def total(self) -> int:
        """Messages that were read, each with its outcome."""
        return self.accepted + self.rejected + self.not_sent + self.unknown

    def add(self, outcomes: Sequence[Outcome]) -> None:
        """Count outcomes."""
        # In columns: counting must not make a thousand objects.
        if isinstance(outcomes, Acceptances):
            self.accepted += len(outcomes)
            self.cost += outcomes.cost
            return
        for outcome in outcomes:
            match outcome:
                case Accepted():
                    self.accepted += 1
                    if outcome.price is not None:
                        self.cost += outcome.price
                case Rejected():
                    self.rejected += 1
                    self._count(outcome.status)
                case NotSent():
                    self.not_sent += 1
                    self._count(outcome.reason.value)
                case Unknown():
                    self.unknown += 1
                    self._count(outcome.reason.value)

    def _count(self, reason: str) -> None:
        self.reasons[reason] = self.reasons.get(reason, 0) + 1


class Quote(Struct, kw_only=True):
    """What messages would cost."""

    total: Decimal = Decimal(0)
    currency: str | None = None
    count: int = 0
    """Messages that would be sent."""
    parts: int = 0
    by_country: dict[str, Decimal] = {}
    rejected: dict[str, int] = {}
    """Messages that would be refused, by status."""

    def __repr__(self) -> str:
        currency = self.currency and shown_currency(self.currency)
        return f"Quote(total={self.total}, currency={currency!r}, count={self.count})"

    def __rich_repr__(self) -> list[tuple[str, Any]]:
        """Return what may be shown; rich would show a Struct whole."""
        return [("total", self.total), ("count", self.count)]


class Counts(Struct, kw_only=True):
    """How many messages have come how far."""

    on_wire: int
    """Messages in requests under way."""
    in_doubt: int
    """Messages that are being looked up."""
    accepted: int
    rejected: int
    not_sent: int
    unknown: int
    cost: Decimal


class Statistics(Counts, kw_only=True):
    """The state of a bulk sender at one moment."""

    queued: int
    """Messages waiting for their request."""
    posts: int
    """Send requests that ended, retries not counted."""
    failed_posts: int
    """Send requests that left messages in doubt or were not taken."""
    doubted: int
    """Messages that ever were in doubt."""
    found: int
    """Messages in doubt that the history showed to be accepted."""
    resent: int
    """Messages sent again after a settled search."""
    odd_rows: int
    """Rows of replies that belong to no message, or to one that has its row already."""
    held: str | None
    """Why sending stopped permanently, such as ``INSUFFICIENT_CREDIT``; None while it continues."""
