"""Whether a journal is an older copy of itself, put back from a backup.

Such a copy holds messages as unsent that went out after it was made, and would give their refs to
other messages. The history shows both: refs of this journal that it has not given yet, or of
messages that it has never begun. It is asked once, before the first request of a journal that was
used before. What it does not show, because it lags, is not noticed.
"""

from __future__ import annotations

import logging

import anyio

from ..errors import ClickSendError
from .channel import Channel
from .journal import JournalProtocol

log: logging.Logger = logging.getLogger("aioclicksend")

_PAGES = 5
"""Pages that are read, the newest first: what was sent after the copy was made is there."""
_PATIENCE = 10.0
"""Seconds for which they are read."""


async def is_older_copy(journal: JournalProtocol, channel: Channel, skew: float) -> bool:
    """Return whether the history shows messages of a journal that it has not sent."""
    if journal.last_sent is None or not channel.has_refs:
        return False
    walk = channel.history(max(0, int(journal.last_sent - skew)), None).by_page()
    try:
        with anyio.move_on_after(_PATIENCE):
            for _ in range(_PAGES):
                if (page := await anext(walk, None)) is None:
                    break
                refs = [it.custom_string for it in page.items if it.custom_string]
                if await journal.lacks(refs):
                    return True
    # Sending does not depend on it: a history that is down must not keep every restart waiting.
    except ClickSendError as error:
        log.warning("whether the journal is an older copy could not be checked: %s", error)
    finally:
        with anyio.CancelScope(shield=True):
            await walk.aclose()
    return False
