"""What the end of a request means for its batch. Pure: no clock, no I/O, no state.

::

    reply ─▶ a row each ─▶ Accepted, Rejected; no conclusive row: in doubt
    refused (4xx) ───────▶ NotSent; 401 and 403 hold the run, 413 splits the batch
    not sent ────────────▶ NotSent
    no verdict ──────────▶ in doubt ─▶ looked up in the history (`reconcile`)

One rule stands above the table: **after an attempt without a verdict nothing is NotSent any more**.
However a further attempt ends, the first may have been taken (`never_sent`).
"""

from __future__ import annotations

from collections.abc import Sequence

from msgspec import Struct

from ..errors import ClientClosedError, NotSentError, ReplyError, UnknownOutcomeError
from ..wire import code_of
from .batch import Batch
from .outcome import Acceptances, NotSent, Outcome, Reason, Unknown
from .replies import Reply, downgrade_after_retry, match

_TOO_LARGE = 413
_ACCOUNT = (401, 403)


class Verdict(Struct):
    """What to do with a batch whose request has ended."""

    outcomes: Sequence[Outcome | None]
    """In the batch's order; None: in doubt."""
    doubt: str = ""
    """What went wrong with those in doubt, for people."""
    split: bool = False
    """Send it in two halves instead; there are no outcomes then."""
    hold: str | None = None
    """Why nothing more should be sent: the account was refused."""
    odd_rows: int = 0
    altered_refs: bool = False

    @property
    def is_clean(self) -> bool:
        """Whether it leaves nothing in doubt."""
        return isinstance(self.outcomes, Acceptances) or None not in self.outcomes


def of_reply(batch: Batch, reply: Reply) -> Verdict:
    """Return what a readable 2xx reply means."""
    found = match(batch.messages, batch.refs, reply)
    outcomes = found.outcomes
    # The first attempt may be why this one is refused: THROTTLED answers a repeated text.
    if batch.attempt > 1 and not isinstance(outcomes, Acceptances):
        outcomes = [None if it is None else downgrade_after_retry(it) for it in outcomes]
    return Verdict(
        outcomes,
        doubt="the reply has no conclusive row for it",
        hold=found.account_refusal,
        odd_rows=found.odd,
        altered_refs=found.altered_refs,
    )


def of_error(batch: Batch, error: Exception, *, sent: bool) -> Verdict:
    """Return what an exception in place of a reply means.

    Args:
        batch: what was to be sent.
        error: what was raised; anything but our own errors is a defect or a broken environment.
        sent: whether bytes may have left without a verdict since.

    """
    undecided: list[Outcome | None] = [None] * len(batch)
    # A 4xx refuses the request as a whole. After a 5xx the messages may have been taken: that is an
    # UnknownOutcomeError.
    if isinstance(error, ReplyError) and not isinstance(error, UnknownOutcomeError):
        if error.status == _TOO_LARGE and len(batch) > 1:
            return Verdict(undecided, split=True)
        hold = None
        if error.status in _ACCOUNT:
            hold = f"{error.status} {code_of(error)}"
        reason = Reason.THROTTLED if isinstance(error, NotSentError) else Reason.REFUSED
        return _not_taken(batch, reason, str(error), hold)
    if isinstance(error, NotSentError | ClientClosedError):
        return _not_taken(batch, Reason.NOT_CONNECTED, str(error), None)
    # A defect on our side, but provably before the server could read anything.
    if not sent and not isinstance(error, UnknownOutcomeError):
        # Its class only: the text may hold anything.
        detail = f"internal error before the first byte ({type(error).__name__})"
        return _not_taken(batch, Reason.NOT_CONNECTED, detail, None)
    detail = str(error) if isinstance(error, UnknownOutcomeError) else type(error).__name__
    return Verdict(undecided, doubt=detail)


def never_sent(batch: Batch, reason: Reason, detail: str) -> list[Outcome]:
    """Return the outcomes of messages that are not sent now, and will not be."""
    outcome_type = Unknown if batch.attempt > 1 else NotSent
    return [
        outcome_type(message, ref, reason, detail)
        for message, ref in zip(batch.messages, batch.refs, strict=True)
    ]


def _not_taken(batch: Batch, reason: Reason, detail: str, hold: str | None) -> Verdict:
    # This attempt was not taken; the first one still has no verdict, so a search decides.
    if batch.attempt > 1:
        return Verdict([None] * len(batch), doubt=f"retry not accepted: {detail}", hold=hold)
    return Verdict(never_sent(batch, reason, detail), hold=hold)
