"""Following the receipts of a campaign: read, stored, and only then marked read.

The API lists the receipts of all messages of an account that nobody has marked read, and marks them
by time alone. So a look reads and stores all of them, this campaign's or not, before it marks any;
whatever breaks off in between is read once more, and counted once.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import AsyncGenerator
from os import PathLike
from pathlib import Path
from typing import Literal, TypeAlias

from ..client import ClickSend
from ..errors import ClickSendError, NotSentError, ServerError, UnknownOutcomeError
from ..models.results import Receipt
from . import delivery
from .record import Delivery, Record

Marking: TypeAlias = Literal["own", "all", "none"]

_TOGETHER = 1000
"""Receipts that are stored in one go."""

_TROUBLE = (NotSentError, UnknownOutcomeError, ServerError)
"""What may be over by the next look."""

log = logging.getLogger("aioclicksend")


async def look(
    client: ClickSend,
    journal: str | PathLike[str],
    *,
    mark: Marking = "own",
    grace: float = 60.0,
) -> Delivery:
    """Store the receipts that are unread, mark them read, and return how the campaign stands.

    The account needs an automation rule with the action POLL. A run may write the journal
    meanwhile.

    Marking takes receipts from everybody else who polls this account, and goes by time, not by
    message. ``own`` stops before the oldest unread receipt of a message that is not of this
    journal, for whoever reads that. As long as nobody does, all that come later stay unread: they
    are read at every look and counted once. ``all`` marks those, too; they are kept in this journal
    alone. Whoever else marks on this account takes receipts from this campaign in turn.

    Args:
        client: the client of the account.
        journal: the path of the campaign's journal.
        mark: which receipts to mark read.
        grace: seconds for which a receipt stays unread after it was stored, as one with an earlier
            time may be on its way.

    Raises:
        ConfigurationError: there is no such journal.
        ClickSendError: the receipts could not be read.

    """
    path = Path(journal)
    record = Record(path)
    await asyncio.to_thread(delivery.prepare, path)
    began, new, read, is_whole = time.time(), 0, 0, True
    totals, taken = set[int | None](), list[Receipt]()
    async for page in client.sms.receipts().by_page():
        taken += page.items
        read += len(page.items)
        totals.add(page.total)
        is_whole = is_whole and all(map(delivery.is_storable, page.items))
        if len(taken) >= _TOGETHER:
            new += await asyncio.to_thread(delivery.store, path, taken, began)
            taken = []
    new += await asyncio.to_thread(delivery.store, path, taken, began)
    # Somebody who marks meanwhile shifts the pages, and with them what we have not seen.
    if mark != "none" and is_whole and totals <= {read}:
        await _mark(client, path, began, grace, others=mark == "all")
    stands = await asyncio.to_thread(record.delivery) or Delivery()
    stands.new = new
    return stands


async def follow(
    client: ClickSend,
    journal: str | PathLike[str],
    *,
    every: float = 30.0,
    mark: Marking = "own",
    grace: float = 60.0,
) -> AsyncGenerator[Delivery]:
    """Look for receipts again and again, and yield how the campaign stands after each look.

    It never ends by itself: break where `Delivery.is_final`, or when no receipt can come any more,
    72 hours after the last message. A look that fails for the network or the server is logged.

    ::

        async for stands in follow(client, "promo.db"):
            print(stands.delivered, stands.failed, stands.pending)
            if stands.is_final:
                break

    Args:
        client: the client of the account.
        journal: the path of the campaign's journal.
        every: seconds between two looks.
        mark: which receipts to mark read, see `look`.
        grace: seconds for which they stay unread, see `look`.

    Raises:
        ConfigurationError: there is no such journal.
        ClickSendError: the account refuses to tell.

    """
    while True:
        try:
            stands = await look(client, journal, mark=mark, grace=grace)
        except _TROUBLE as error:
            log.warning("receipts were not read, the next look will: %s", error)
        else:
            yield stands
        await asyncio.sleep(every)


async def _mark(client: ClickSend, path: Path, began: float, grace: float, *, others: bool) -> None:
    before = await asyncio.to_thread(delivery.markable, path, began, grace, others=others)
    if before is None:
        return
    try:
        await client.sms.mark_receipts_read(date_before=before)
    except ClickSendError as error:  # unread they are found again, and are known then
        log.warning("receipts were not marked read, the next look will: %s", error)
