"""From sent to delivered: pushes and polls merged into one delivery per message.

    pushes ─► Webhook ──► Inbox ──changes──► follow ─► one Change per step, final once
    polls  ─► look ─────►   │
                            └──counts──► report

Pushes can be lost, and polling needs a rule with the action POLL and is shared with all others who
poll the account. With both, a message ends as soon as one of them says so. Receipts of messages
that this store did not send are kept there as well and can be read by their ids.

The API lists the unread receipts of all messages of an account, and marks them by
time alone. So a look stores all of them before it marks any; what is interrupted in between is read
once more, and counted once.
"""

from __future__ import annotations

import logging
import re
import time
from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import aclosing
from os import PathLike
from typing import Literal, TypeAlias

from msgspec import Struct

from .client import ClickSend
from .errors import ClickSendError, NotSentError, ServerError, UnknownOutcomeError
from .models.results import Receipt
from .webhooks import Change, DeliveryReceipt, DeliveryState, Inbox, Ledger, MessageDelivery
from .webhooks.parse import event_of
from .webhooks.sqlite import inbox_of

__all__ = [
    "Breaker",
    "Change",
    "DeliveryReport",
    "DeliveryState",
    "Mark",
    "MessageDelivery",
    "follow",
    "look",
    "report",
]

Mark: TypeAlias = Literal["own", "all", "none"]
"""Which receipts a poll marks read.

Marking takes them from all others who poll the account, and goes by time. ``own`` stops before the
oldest unread receipt of a message that this store did not send. Until its owner reads that one, all
later ones stay unread: they are read at every look and counted once. ``all`` marks those, too.
"""

TRANSIENT = (NotSentError, UnknownOutcomeError, ServerError)
"""Errors of a look that may be over by the next one."""

_PERCENT = re.compile(r"([0-9]{1,3}(?:\.[0-9]+)?) ?%").fullmatch
_IDLE = 0.5
"""Seconds between two looks for what another process stored."""
_MANY = 500
"""Changes that are read at once."""

log: logging.Logger = logging.getLogger("aioclicksend")


class Breaker(Struct, frozen=True):
    """Decides when too many messages fail to go on sending: a bad list, a blocked sender.

    Raises:
        ValueError: a value is out of range.

    """

    share: float
    """The share of failed messages among those that are final, above 0 and up to 1."""
    minimum: int = 50
    """Final messages before it may trip: of the first ones the failed come fastest."""

    def __post_init__(self) -> None:
        if not 0 < self.share <= 1:
            raise ValueError("share: must be above 0 and at most 1")
        if self.minimum < 1:
            raise ValueError("minimum: must be at least 1")

    @classmethod
    def parse(cls, text: str) -> Breaker:
        """Return the breaker of a share such as ``20%``.

        Raises:
            ValueError: it is none.

        """
        percent = _PERCENT(text.strip())
        if percent is None or not 0 < float(percent[1]) <= 100:
            raise ValueError("must be a share such as 20%, above 0% and up to 100%")
        return cls(float(percent[1]) / 100)

    def trips(self, delivered: int, failed: int) -> bool:
        """Whether too many of those that are final have failed."""
        final = delivered + failed
        return final >= self.minimum and failed >= self.share * final


class DeliveryReport(Struct, frozen=True, kw_only=True):
    """How many messages are in which state, by all receipts in a store."""

    delivered: int
    failed: int
    pending: int
    """Those with a receipt, and none that is final."""
    reasons: dict[str, int]
    """Why messages failed, and how many."""


async def look(
    client: ClickSend,
    ledger: Ledger,
    *,
    mark: Mark = "own",
    grace: float = 60.0,
    clock: Callable[[], float] = time.time,
) -> int:
    """Store the receipts that are unread, mark them read, and return how many are new.

    The account needs an automation rule with the action POLL: `client.webhooks.install_polling`.

    Args:
        client: the client of the account.
        ledger: where they are stored: an open inbox, or another `Ledger`.
        mark: which receipts to mark read.
        grace: seconds for which a receipt stays unread after it was stored, as one with an earlier
            time may appear later.
        clock: the present time in unix seconds.

    Raises:
        ClickSendError: the receipts could not be read.

    """
    new = 0
    async with aclosing(_pages(client, ledger, mark, grace, clock)) as pages:
        async for count in pages:
            new += count
    return new


async def follow(
    client: ClickSend | None,
    store: str | PathLike[str] | Inbox,
    *,
    after: int = 0,
    every: float = 30.0,
    mark: Mark = "own",
    grace: float = 60.0,
) -> AsyncGenerator[Change]:
    """Yield every step in the delivery of every message, as pushes and polls make it known.

    It yields what the store knows already, then new changes without an end. Each message is final
    in one change, see `Change.is_final`. A poll that fails for the network or the server is logged
    and the next one reads what it missed.

        async for change in delivery.follow(client, "inbox.db"):
            if change.is_final:
                print(change.delivery.message_id, change.delivery.state)

    Args:
        client: polls for receipts; None for pushes alone.
        store: an inbox or the path of one, also one that other processes push to.
        after: the `Change.seq` behind which to begin.
        every: seconds between two polls.
        mark: which receipts to mark read.
        grace: seconds for which they stay unread, see `look`.

    Raises:
        ConfigurationError: the store cannot be opened.
        ClickSendError: the account refuses to list its receipts.

    """
    inbox = inbox_of(store)
    await inbox.open()
    try:
        due = time.monotonic()
        while True:
            if client is not None and time.monotonic() >= due:
                async with aclosing(_pages(client, inbox, mark, grace, time.time)) as pages:
                    async for _ in _patiently(pages):
                        # Between two pages, so that a long poll does not hold back pushes.
                        while changes := await inbox.changes(after, _MANY):
                            for change in changes:
                                after = change.seq
                                yield change
                due = time.monotonic() + every
            changes = await inbox.changes(after, _MANY)
            for change in changes:
                after = change.seq
                yield change
            # Nothing runs beside this generator: it may be dropped at any `yield`.
            if not changes:
                await inbox.wait(_IDLE)
    finally:
        await inbox.close()


async def report(store: str | PathLike[str] | Inbox) -> DeliveryReport:
    """Return how many messages were delivered, failed or are pending, by all receipts so far.

    Raises:
        ConfigurationError: the store cannot be opened.

    """
    inbox = inbox_of(store)
    await inbox.open()
    try:
        counts = await inbox.counts()
    finally:
        await inbox.close()
    by_state = dict.fromkeys(DeliveryState, 0)
    reasons = dict[str, int]()
    for (state, reason), count in counts.items():
        by_state[DeliveryState(state)] += count
        if reason is not None:
            reasons[reason] = count
    return DeliveryReport(
        delivered=by_state[DeliveryState.DELIVERED],
        failed=by_state[DeliveryState.FAILED],
        pending=by_state[DeliveryState.PENDING],
        reasons=reasons,
    )


async def _pages(
    client: ClickSend, ledger: Ledger, mark: Mark, grace: float, clock: Callable[[], float]
) -> AsyncGenerator[int]:
    """Store the unread receipts page by page, yield how many of each are new; mark them then."""
    began, read, totals, is_whole = clock(), 0, set[int | None](), True
    async for page in client.sms.receipts().by_page():
        receipts = _storable(page.items)
        read += len(page.items)
        totals.add(page.total)
        is_whole = is_whole and len(receipts) == len(page.items)
        yield await ledger.record(receipts, began)
    # If another client marks meanwhile, the pages shift and some receipts may not be seen.
    if mark != "none" and is_whole and totals <= {read}:
        await _mark(client, ledger, began, grace, others=mark == "all")


async def _patiently(pages: AsyncGenerator[int]) -> AsyncGenerator[int]:
    """Yield what a look yields, and end it with a line in the log if it fails for a while."""
    while True:
        try:
            count = await anext(pages)
        except StopAsyncIteration:
            return
        except TRANSIENT as error:
            log.warning("receipts were not read, the next look will: %s", error)
            return
        yield count


def _storable(rows: Sequence[Receipt]) -> list[DeliveryReceipt]:
    """Return the receipts that say of which message they are, and of when."""
    events = (event_of(row.raw) for row in rows if isinstance(row.raw, dict))
    return [
        it
        for it in events
        if isinstance(it, DeliveryReceipt) and it.message_id and it.timestamp is not None
    ]


async def _mark(
    client: ClickSend, ledger: Ledger, look: float, grace: float, *, others: bool
) -> None:
    before = await ledger.markable(look, grace, others=others)
    if before is None:
        return
    try:
        await client.sms.mark_receipts_read(date_before=before)
    except ClickSendError as error:  # unread they are found again, and are known then
        log.warning("receipts were not marked read, the next look will: %s", error)
