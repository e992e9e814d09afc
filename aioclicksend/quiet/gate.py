"""What is looked at once more just before a request of a run leaves.

A row is read long before its message is sent: the queue, the pace and a held account lie between,
and a run over night takes its time. So who may be written to is asked twice::

    row read ─▶ due? opted out? ─▶ queue, pace, hold ─▶ Gate.blocked ─▶ POST
                                                         │ opted out by a reply meanwhile: never
                                                         └ quiet hours began: at the next opening
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime

from ..bulk.dispatch import Suppression, held_back
from ..bulk.outcome import Reason
from .hours import QuietHours


class Gate:
    """Decides which numbers of a request are held back; a `Suppression`.

    Args:
        store: knows who has opted out by a reply, if there is one.
        quiet: the hours of the campaign, if it keeps any.
        clock: returns the present time.

    """

    def __init__(
        self, store: Suppression | None, quiet: QuietHours | None, clock: Callable[[], datetime]
    ) -> None:
        self._store = store
        self._quiet = quiet
        self._clock = clock
        self.opens: datetime | None = None
        """When the first of those held back for quiet hours may be written to."""

    async def blocked(self, numbers: Sequence[str]) -> dict[str, Reason]:
        """Return those of some numbers that are held back, and why."""
        found: dict[str, Reason] = {}
        if self._quiet is not None:
            now = self._clock()
            for number in numbers:
                opening = self._quiet.opening(number, now)
                if opening is None or opening > now:
                    found[number] = Reason.QUIET_HOURS
                    self._note(opening)
        if self._store is not None:
            # An opt-out comes before quiet hours: such a message must not wait for them.
            found |= await held_back(self._store, numbers)
        return found

    @property
    def opens_in(self) -> float | None:
        """Seconds until `opens`; None if nothing is held back, or never opens."""
        return None if self.opens is None else (self.opens - self._clock()).total_seconds()

    def _note(self, opening: datetime | None) -> None:
        if opening is not None and (self.opens is None or opening < self.opens):
            self.opens = opening
