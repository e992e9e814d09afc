"""What a journal says to single messages: which of a batch are to be sent."""

from __future__ import annotations

from .batch import Batch
from .feeding import Planner, outcome_of
from .intake import Handle
from .journal import Journal
from .lookup import Entries
from .under_way import UnderWay


async def claimed(journal: Journal, planner: Planner, under_way: UnderWay, batch: Batch) -> Batch:
    """Enter the messages of a batch and return the part of it that is not known as sent.

    A ref given by the caller names the message: sent once, it is not sent again.

    Raises:
        NotSentError: the journal does not tell.

    """
    rows, _ = journal.places(len(batch))
    kinds = list(map(planner.kind, batch.messages))
    frozen = list(batch.frozen)
    entries = Entries(rows, list(batch.refs), frozen, frozen, kinds, once=True)
    if any(it.custom_string for it in batch.messages):
        journal.remember()
        known = await planner.known(0, entries)
    else:
        journal.enter_all(entries, range(len(batch)))
        known = rows
    if isinstance(known, range):
        under_way.enter(known)
        batch.rows = known
        return batch
    to_send: dict[int, int] = {}
    for place, it in enumerate(known):
        handle: Handle = batch.tokens[place]
        if it.row in under_way:
            under_way.join(it.row, batch, handle)
        elif (outcome := outcome_of(handle.message, it)) is not None:
            batch.settle([handle], [outcome])
        else:
            under_way.enter([it.row])
            to_send[place] = it.row
    part = batch.part(list(to_send))
    part.rows = list(to_send.values())
    return part
