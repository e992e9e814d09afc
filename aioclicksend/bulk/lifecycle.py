"""Whether a bulk sender still takes messages in, and whether it still sends them.

::

    OPEN ─block left─▶ CLOSING ──stop()──▶ STOPPED ──cancelled──▶ HURRIED ──abort()──▶ ABORTED
    takes in           sends what          withdraws what         looks nothing        cuts what
                       it has              is not on the wire     up any more          is on it

It only moves to the right. Beside it stands `held`: the account was refused or the journal is lost,
so nothing more is sent, in any phase.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from enum import IntEnum

from .outcome import Reason

log: logging.Logger = logging.getLogger("aioclicksend")


class Phase(IntEnum):
    """How far a bulk sender is on its way to its end."""

    OPEN = 0
    CLOSING = 1
    STOPPED = 2
    HURRIED = 3
    ABORTED = 4


class Lifecycle:
    """The phase of a bulk sender, and why nothing more is sent, in one place."""

    def __init__(self) -> None:
        self.phase: Phase = Phase.OPEN
        self.detail: str = ""
        """Why it was stopped, for people."""
        self.held: tuple[Reason, str] | None = None
        self._listeners: dict[object, Callable[[], object]] = {}

    @property
    def takes_in(self) -> bool:
        """Whether further messages are read."""
        return self.phase is Phase.OPEN

    @property
    def refusal(self) -> tuple[Reason, str] | None:
        """Why a message would not be sent now, None if it would."""
        # A stop comes first: the caller asked for it.
        if self.phase >= Phase.STOPPED:
            return Reason.STOPPED, self.detail
        return self.held

    def on_change(self, listener: Callable[[], object]) -> Callable[[], object]:
        """Have something called at each change of phase; return how to end that."""
        token = object()
        self._listeners[token] = listener
        return lambda: self._listeners.pop(token, None)

    def advance(self, phase: Phase, detail: str = "") -> None:
        """Move on to a phase; one that lies behind is ignored."""
        if phase <= self.phase:
            return
        # The first reason is the cause; what follows only hurries it.
        if phase >= Phase.STOPPED and not self.detail:
            self.detail = detail
        self.phase = phase
        # A copy: a listener may end its own subscription.
        for listener in list(self._listeners.values()):
            listener()

    def hold(self, reason: Reason, detail: str) -> None:
        """Send nothing more: the next messages would be refused, or could not be recorded."""
        # The first refusal is the cause; others come from requests that were in flight with it.
        if self.held is None:
            self.held = reason, detail
            log.warning("bulk sending is held: %s", detail)

    def raise_unless_open(self) -> None:
        """Raise where a message cannot be handed over any more.

        Raises:
            RuntimeError: the block was left, or sending was stopped.

        """
        if self.phase >= Phase.STOPPED:
            raise RuntimeError(f"this bulk sender was stopped: {self.detail}")
        if self.phase is not Phase.OPEN:
            raise RuntimeError("this bulk sender is closed: its block was left")
