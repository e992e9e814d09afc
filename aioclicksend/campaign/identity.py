"""Who is who when a campaign is run again: rows of its list against the messages of its journal.

A journal is one campaign, and within it a recipient is a number. So a list may be saved again,
corrected or extended: each row is found again by its number alone::

    number not in the journal                        new         is sent
    number in the journal, never sent, same text     unsent      is sent, as the same message
    number in the journal, never sent, other text    corrected   is sent with the new text
    number in the journal, sent or in doubt          unchanged, or changed: not sent again
    number in the journal, opted out since           opted out: not sent, with any options
    number in the journal that no row has            gone

With ``unique="message"`` a number may get several texts on purpose; number and text together then
identify a message, so a corrected text is a new one.
"""

from __future__ import annotations

from collections.abc import Iterable
from enum import StrEnum
from typing import NamedTuple

from msgspec import Struct

from .number_set import NumberSet, as_integer, message_hash

NEVER_SENT = frozenset({"planned", "not_sent", "held"})
"""States of messages in a journal that the server provably did not take."""
OPTED_OUT = "opted_out"
"""In place of a state: it was not sent, as its recipient had opted out by a reply."""


class Entry(NamedTuple):
    """A message of the journal."""

    to: str
    body: str
    state: str
    """Its state, or `OPTED_OUT`."""


class Match(StrEnum):
    """What a row is to the campaign's journal."""

    NEW = "new"
    UNSENT = "unsent"
    CORRECTED = "corrected"
    UNCHANGED = "unchanged"
    CHANGED = "changed"
    OPTED_OUT = "opted_out"

    @property
    def is_settled(self) -> bool:
        """Whether nothing is sent: the recipient has got the message, may have, or opted out."""
        return self in (Match.UNCHANGED, Match.CHANGED, Match.OPTED_OUT)


class Comparison(Struct, kw_only=True):
    """How a list compares with the campaign's journal, in rows."""

    new: int = 0
    unsent: int = 0
    corrected: int = 0
    unchanged: int = 0
    changed: int = 0
    """Rows whose text differs from the one their number got."""
    opted_out: int = 0
    """Rows whose recipients opted out by a reply before they were sent to."""
    gone: int = 0
    """Numbers of the journal that the list has no more."""


class Recipients:
    """The numbers of a journal, and which of them got the message.

    Args:
        entries: the messages of the journal.
        by_message: whether number and text identify a message, not the number alone.

    """

    def __init__(self, entries: Iterable[Entry] = (), *, by_message: bool = False) -> None:
        self._by_message = by_message
        self._sent = NumberSet()
        self._never_sent = NumberSet()
        self._opted_out = NumberSet()
        self._messages = NumberSet()
        self._count = 0
        for entry in entries:
            self.add(entry)

    def add(self, entry: Entry) -> None:
        """Add a message of the journal."""
        # As hashes and integers: a journal may hold millions, and this is kept for the whole run.
        # The person opted out, not one of their messages. The inbox that knows it need not be given
        # to the next run.
        if entry.state == OPTED_OUT:
            self._opted_out.add(as_integer(entry.to))
        message = message_hash(entry.to, entry.body)
        key = message if self._by_message else as_integer(entry.to)
        self._messages.add(message)
        # Once per recipient, though a corrected text is a second message to the same number.
        self._count += key not in self._sent and key not in self._never_sent
        was_sent = entry.state not in NEVER_SENT and entry.state != OPTED_OUT
        (self._sent if was_sent else self._never_sent).add(key)

    def __len__(self) -> int:
        """Return how many there are."""
        return self._count

    def match(self, number: str, body: str) -> Match:
        """Return what a row is to the journal."""
        message = message_hash(number, body)
        key = message if self._by_message else as_integer(number)
        is_same = message in self._messages
        # Sent before never sent: after a correction a number may be in both.
        if key in self._sent:
            return Match.UNCHANGED if is_same else Match.CHANGED
        if self._opted_out.count and as_integer(number) in self._opted_out:
            return Match.OPTED_OUT
        if key in self._never_sent:
            return Match.UNSENT if is_same else Match.CORRECTED
        return Match.NEW
