"""The journal of a campaign, read while a run may be writing it.

A journal knows messages; facts about their campaign are in its table ``meta``, as
``campaign.text``, ``campaign.spec`` and so on. They are entered once the journal's lease is held
and before anything is sent; later runs update what has changed, such as the list.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from decimal import Decimal
from os import PathLike
from pathlib import Path
from typing import Literal

from msgspec import Struct

from ..bulk.journal.reader import JournalReader, Line
from ..bulk.journal.sqlite import Journal
from ..errors import ConfigurationError
from .identity import NEVER_SENT, Entry

_PREFIX = "campaign."


class Delivery(Struct, kw_only=True):
    """How many of the accepted messages were delivered, by the receipts seen so far."""

    delivered: int = 0
    failed: int = 0
    pending: int = 0
    """Those without a final receipt."""
    new: int = 0
    """Receipts of any message that the last look saw for the first time."""

    @property
    def is_final(self) -> bool:
        """Whether every accepted message has its final receipt."""
        return not self.pending


class Record:
    """The journal of a campaign, opened for reading.

    Raises:
        ConfigurationError: there is none, or it is a journal of something else.

    """

    def __init__(self, path: str | PathLike[str]) -> None:
        self._reader = reader = JournalReader(path)
        self.path: Path = reader.path
        self.facts: dict[str, str] = {
            name.removeprefix(_PREFIX): value
            for name, value in reader.meta.items()
            if name.startswith(_PREFIX)
        }
        """What was entered about the campaign; nothing if it broke off before that."""
        # Without facts but empty, a run was killed before it entered them: that journal can be
        # used.
        if not self.facts and not reader.is_empty and self.counts():
            raise ConfigurationError(f"{self.path} is a journal, but not of a campaign")

    def check(self, settings: Mapping[str, str]) -> None:
        """Make sure that a campaign is the one of this journal.

        Raises:
            ConfigurationError: it is another one.

        """
        other = [name for name, value in settings.items() if self.facts.get(name, value) != value]
        if not other:
            return
        # Said with its price: with a new journal all of these get a second message.
        got = sum(count for state, count in self.counts().items() if state not in NEVER_SENT)
        what = " and ".join(other).replace("text", "text or sender")
        raise ConfigurationError(
            f"{self.path} is the journal of a campaign with another {what}, which {got:,} people "
            f"got or may have got. To go on with that: aioclicksend campaign resume {self.path}. "
            "To send this one as a separate campaign, to those people, too: --journal with a new "
            "name"
        )

    def entries(self) -> Iterator[Entry]:
        """Yield number, text and state of each message, in the order of `lines`."""
        return map(Entry._make, self._reader.texts())

    def cancelled(self) -> datetime | None:
        """Return when the campaign was cancelled; None if it was not."""
        # Read again: the campaign may be cancelled by another process at any time.
        at = JournalReader(self.path).meta.get(f"{_PREFIX}cancelled")
        return datetime.fromisoformat(at) if at else None

    def counts(self) -> dict[str, int]:
        """Return how many messages have each outcome.

        A message that was never sent does not count once a corrected one of its number follows it.
        """
        if self._reader.is_empty:
            return {}
        counts = self._reader.counts()
        # A corrected text is a second message of its number, and only the last one counts.
        if self.facts.get("unique") == "number" and counts.keys() & NEVER_SENT:
            counts = self._reader.latest_counts()
        return counts

    def reasons(self) -> list[tuple[str, str, int]]:
        """Return outcome, reason and number of what was not accepted, the most frequent first."""
        return [] if self._reader.is_empty else self._reader.reasons()

    def spent(self) -> Decimal:
        """Return what the accepted messages cost, as far as the server said."""
        return Decimal(0) if self._reader.is_empty else self._reader.spent()

    def parts(self) -> int:
        """Return how many parts the accepted messages have together."""
        return 0 if self._reader.is_empty else self._reader.parts()

    def delivery(self) -> Delivery | None:
        """Return how many were delivered; None if receipts were never followed."""
        return Delivery(**self._reader.deliveries()) if self._reader.has_receipts else None

    def failures(self) -> list[tuple[str, int]]:
        """Return why messages were not delivered and how many, the most frequent first."""
        return self._reader.failures() if self._reader.has_receipts else []

    def runner(self) -> str | None:
        """Return the process that writes it now, if any."""
        return self._reader.owner()

    def lines(self) -> Iterator[Line]:
        """Yield the recipients in the order of the input."""
        return self._reader.lines()

    def enter(self, facts: Mapping[str, str]) -> None:
        """Write facts about the campaign, replacing those of earlier runs."""
        self._reader.enter({_PREFIX + name: value for name, value in facts.items()})
        self.facts.update(facts)


def enter(path: Path, facts: Mapping[str, str]) -> Record:
    """Write facts about the campaign of a journal, replacing those of earlier runs."""
    record = Record(path)
    record.enter(facts)
    return record


async def resolve(
    path: Path, verdict: Literal["sent", "resend"], refs: Sequence[str] | None = None
) -> int:
    """Decide on messages whose outcome is unknown, and return on how many.

    Args:
        path: the journal.
        verdict: ``sent`` if they are known to have gone out; ``resend`` to have the next run send
            them, at the risk that people get them twice.
        refs: only these; all if absent.

    Raises:
        ConfigurationError: it is no journal of a campaign, or in use.

    """
    # Through the journal itself, not its reader: a run that is in progress must not be changed.
    channel = Record(path).facts.get("channel", "sms")
    journal = Journal(path)
    await journal.start(channel)
    try:
        return await journal.resolve(refs, verdict)
    finally:
        await journal.close()
