"""Following the receipts of a campaign: `delivery`, with the journal as its store."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing
from os import PathLike
from pathlib import Path

from .. import delivery
from ..client import ClickSend
from ..delivery import Breaker, Mark
from ..webhooks import Inbox
from ..webhooks.sqlite import inbox_of
from .delivery import JournalLedger
from .record import Delivery, Record

log: logging.Logger = logging.getLogger("aioclicksend")


async def look(
    client: ClickSend,
    journal: str | PathLike[str],
    *,
    store: str | PathLike[str] | Inbox | None = None,
    mark: Mark = "own",
    grace: float = 60.0,
) -> Delivery:
    """Store the receipts that are unread, mark them read, and return how the campaign stands.

    The account needs an automation rule with the action POLL. A run may write the journal
    meanwhile.

    Marking takes receipts from all others who poll this account, and goes by time, not by
    message. ``own`` stops before the oldest unread receipt of a message that is not of this
    journal. Until its owner reads that one, all that come later stay unread: they are read at
    every look and counted once. ``all`` marks those, too; they are kept in this journal alone.

    Args:
        client: the client of the account.
        journal: the path of the campaign's journal.
        store: an inbox, or the path of one, whose pushes count as well.
        mark: which receipts to mark read.
        grace: seconds for which a receipt stays unread after it was stored, as one with an earlier
            time may appear later.

    Raises:
        ConfigurationError: there is no such journal or store.
        ClickSendError: the receipts could not be read.

    """
    # Refuses a missing or foreign file before anything is marked read.
    Record(journal)
    return await _look(client, JournalLedger(Path(journal)), journal, store, mark, grace)


async def follow(
    client: ClickSend,
    journal: str | PathLike[str],
    *,
    store: str | PathLike[str] | Inbox | None = None,
    every: float = 30.0,
    mark: Mark = "own",
    grace: float = 60.0,
) -> AsyncGenerator[Delivery]:
    """Look for receipts again and again, and yield how the campaign stands after each look.

    It never ends by itself: break where `Delivery.is_final`, or when no receipt can come any more,
    72 hours after the last message. A look that fails for the network or the server is logged.

        async for stands in follow(client, "promo.db"):
            print(stands.delivered, stands.failed, stands.pending)
            if stands.is_final:
                break

    Args:
        client: the client of the account.
        journal: the path of the campaign's journal.
        store: an inbox, or the path of one, whose pushes count as well.
        every: seconds between two looks.
        mark: which receipts to mark read, see `look`.
        grace: seconds for which they stay unread, see `look`.

    Raises:
        ConfigurationError: there is no such journal or store.
        ClickSendError: the account refuses to list its receipts.

    """
    Record(journal)
    ledger = JournalLedger(Path(journal))
    while True:
        try:
            stands = await _look(client, ledger, journal, store, mark, grace)
        except delivery.TRANSIENT as error:
            log.warning("receipts were not read, the next look will: %s", error)
        else:
            yield stands
        await asyncio.sleep(every)


async def stop_if_failed(
    client: ClickSend,
    journal: str | PathLike[str],
    breaker: Breaker,
    stop: Callable[[], object],
    *,
    store: str | PathLike[str] | Inbox | None = None,
    every: float = 10.0,
) -> Delivery:
    """Follow the receipts beside a run, call `stop` when too many fail, and return how it stands.

    Until then it runs on: give it a separate task, and cancel that when the run has ended.

    Args:
        client: the client of the account.
        journal: the path of the campaign's journal.
        breaker: decides how many are too many.
        stop: stops the run, such as `Run.stop`; what is in flight is finished.
        store: an inbox, or the path of one, whose pushes count as well.
        every: seconds between two looks.

    """
    async with aclosing(follow(client, journal, store=store, every=every)) as looks:
        async for stands in looks:
            if breaker.trips(stands.delivered, stands.failed):
                stop()
                return stands
    raise AssertionError("following never ends")


async def _look(  # noqa: PLR0917
    client: ClickSend,
    ledger: JournalLedger,
    journal: str | PathLike[str],
    store: str | PathLike[str] | Inbox | None,
    mark: Mark,
    grace: float,
) -> Delivery:
    await ledger.prepare()
    copied = 0
    # Pushes first: a receipt that was pushed as well is not new any more when it is polled.
    if store is not None:
        inbox = inbox_of(store)
        await inbox.open()
        try:
            copied = await ledger.copy(inbox)
        finally:
            await inbox.close()
    new = await delivery.look(client, ledger, mark=mark, grace=grace, clock=time.time)
    stands = await asyncio.to_thread(Record(journal).delivery) or Delivery()
    stands.new = new + copied
    return stands
