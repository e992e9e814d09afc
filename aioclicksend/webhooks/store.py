"""What a store of pushes, deliveries and opt-outs must do: the seam between webhooks and databases.

::

    push ──► Webhook ──add──►┌───────┐──claim──► handlers ──finish──►
                             │ Inbox │
    poll ──► follow ─record─►└───────┘──changes──► follow, report
                                 ▲
                    blocked() ───┘ asked by bulk before each batch

`SqliteInbox` keeps it in a file, ``cluster.inbox()`` in PostgreSQL. Several processes may use one
store at the same time. Times are those of the store: of the file's machine, or of the database.

Invariants:

* what `add` or `record` returned for is durable, with all of its effects: the event to be handled,
  the delivery of its message, the change, the suppressed number stand in one transaction;
* an event and its repetitions (`events.dedupe_key`) are one event, by whichever way they came;
* an event is claimed by one process at a time, and claimed again only if it was not finished
  within its lease: handlers run at least once;
* `merge` alone decides what a receipt does to a delivery.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import datetime
from typing import Protocol

from msgspec import Struct

from .events import DeliveryReceipt, Event, InboundMessage
from .merge import Change, MessageDelivery

UNREADABLE = "unreadable"
"""The reason of dead letters that `parse` refused."""


class Push(Struct, frozen=True, kw_only=True):
    """One request as it came, from which its event can be read again at any time."""

    body: bytes = b""
    content_type: str | None = None
    query: str | None = None

    def __repr__(self) -> str:
        return f"Push({len(self.body)} bytes)"

    def __rich_repr__(self) -> list[tuple[str, object]]:
        """Return what may be shown; rich would show a Struct whole."""
        return [("bytes", len(self.body))]


class Arrival(Struct, frozen=True, kw_only=True):
    """One push, and what was read in it."""

    push: Push
    event: Event | None
    """None if it cannot be read: it is kept as a dead letter."""
    opt_out: str | None = None
    """The number to suppress, if the event is an opt-out."""

    def __repr__(self) -> str:
        return f"Arrival(push={self.push!r})"

    def __rich_repr__(self) -> list[tuple[str, object]]:
        """Return what may be shown; rich would show a Struct whole."""
        return [("push", self.push)]


class Claimed(Struct, frozen=True, kw_only=True):
    """One event that this process is to handle."""

    id: int
    push: Push
    attempt: int
    """1 for the first."""


class DeadLetter(Struct, frozen=True, kw_only=True):
    """A push that could not be read, or whose handlers failed at every attempt."""

    id: int
    push: Push
    reason: str
    """`UNREADABLE`, or the class of the error that the handler raised."""
    attempts: int
    received: datetime


class Ledger(Protocol):
    """The part of a store that polling for receipts needs."""

    async def record(self, receipts: Sequence[DeliveryReceipt], look: float) -> int:
        """Store polled receipts durably and return how many of them are new.

        Args:
            receipts: receipts that were listed as unread. Those without an id are ignored.
            look: when the walk began that listed them, in unix seconds of this machine. The first
                and the last `look` of each receipt are kept for `markable`.

        """
        ...

    async def markable(self, look: float, grace: float, *, others: bool) -> int | None:
        """Return the unix time before which all receipts may be marked read; None if none may.

        The API marks by time alone. When the newest receipt of an earlier look was found, the
        server's clock had passed its time; `grace` seconds later nothing of before that time
        appears any more, and what appeared until then is stored by the present look. So the time
        is 1 s after the newest server time among receipts first seen at or before
        ``look - grace``; without `others`, at most 1 s before that of the oldest receipt of this
        look (``last seen == look``) that belongs to somebody else. None if no receipt of this
        look is older than it.

        Args:
            look: the present look, whose receipts are all recorded.
            grace: seconds a receipt may take from its server time until it is listed.
            others: whether receipts of messages that this store does not own are marked, too. An
                inbox owns the refs that begin with `REF_PREFIX`.

        """
        ...


class Inbox(Ledger, Protocol):
    """A durable store of pushes, deliveries and suppressed numbers."""

    async def open(self) -> None:
        """Open it; again is allowed and counted, each `open` needs its `close`."""
        ...

    async def close(self) -> None:
        """Finish what was handed in and close it."""
        ...

    async def add(self, arrivals: Sequence[Arrival]) -> list[bool]:
        """Store pushes durably, in one transaction, and return for each whether it is new.

        For each event that is new, in this order: keep the push as due at once; merge a receipt
        that has an id into the delivery of its message, and append a `Change` if `is_change`; put
        `opt_out` on the suppression list. A repetition does nothing. Events without a key are
        always new. Unreadable pushes become dead letters.
        """
        ...

    async def claim(self, limit: int, lease: float) -> list[Claimed]:
        """Return up to `limit` events that are due, the oldest first, for `lease` seconds.

        The events are not due for anybody until the lease ends; their attempts count one more.
        """
        ...

    async def renew(self, ids: Collection[int], lease: float) -> None:
        """Extend the leases of events that are still being handled to `lease` seconds from now."""
        ...

    async def finish(self, ids: Collection[int]) -> None:
        """Note that events, or dead letters, were dealt with; they are never claimed again."""
        ...

    async def fail(self, event_id: int, reason: str, retry_in: float | None) -> None:
        """Make an event due again in `retry_in` seconds, or a dead letter for None."""
        ...

    async def wait(self, seconds: float) -> None:
        """Return when this process added something, or after some time.

        It may return early for no reason. What other processes add may end it, too.
        """
        ...

    async def dead_letters(self, limit: int) -> list[DeadLetter]:
        """Return the oldest dead letters."""
        ...

    async def replay(self, ids: Collection[int]) -> int:
        """Make dead letters due again, as if never attempted; return how many there were."""
        ...

    async def changes(self, after: int, limit: int) -> list[Change]:
        """Return the changes behind the seq `after`, in order.

        No change ever appears behind a seq that was returned before: what commits later has a
        higher seq.
        """
        ...

    async def deliveries(self, ids: Collection[str]) -> dict[str, MessageDelivery]:
        """Return what is known of messages, by their ids; those without a receipt are left out."""
        ...

    async def counts(self) -> dict[tuple[str, str | None], int]:
        """Return how many messages have each state and reason (None unless they failed)."""
        ...

    async def suppress(self, numbers: Collection[str], *, on: bool = True) -> None:
        """Put numbers on the suppression list, or take them off."""
        ...

    async def blocked(self, numbers: Collection[str]) -> set[str]:
        """Return which of some numbers are on the suppression list, as they were written.

        `suppression.stored_keys` and `suppression.asked_keys` decide which numbers are the same.
        """
        ...

    async def replies(self, to: str, limit: int) -> list[InboundMessage]:
        """Return messages received, the newest first.

        Args:
            to: a number: what its owner sent; else the id or the `custom_string` of a message of
                ours: what answered it.
            limit: at most so many.

        """
        ...
