"""Telling from a reply what became of each message of a batch. Pure.

The API may order rows differently, leave some out, repeat some or write them oddly. A row belongs
to the message whose ref it carries; where a row lost its ref, to the one message that its number
(and text) still fit. A message without a row is in doubt by itself.
"""

from __future__ import annotations

import re
from collections import defaultdict, deque
from collections.abc import Sequence

from msgspec import Struct

from ..models.base import text
from ..models.messages import Message
from ..models.results import ACCEPTED
from .outcome import Accepted, Outcome, Rejected, Unknown
from .rows import AllAccepted, AnyRow, InPlace, in_place, parts, price

ACCOUNT_REFUSALS = frozenset(
    {
        "INSUFFICIENT_CREDIT",
        "MISSING_CREDENTIALS",
        "INVALID_CREDENTIALS",
        "ACCOUNT_NOT_ACTIVATED",
    }
)
"""Statuses that say the account, not the message, is refused: the next ones would be too."""
_HINTS = ACCOUNT_REFUSALS | {"THROTTLED"}
"""Refusals that, given to a message sent again, do not say that its first try was refused too."""

is_code = re.compile(r"[A-Z][A-Z0-9_]+").fullmatch


class Match(Struct):
    """What a reply tells about a batch."""

    outcomes: Sequence[Accepted | Rejected | None]
    """In the batch's order; None where there was no row."""
    odd: int = 0
    """Rows that were left over."""
    refusal: str | None = None
    """The first status that refuses the account, if any."""


def match(messages: Sequence[Message], refs: Sequence[str], rows: Sequence[AnyRow]) -> Match:
    """Return what the rows of a reply say about the messages of its batch."""
    if isinstance(rows, InPlace):
        return Match(AllAccepted(messages, refs, rows))
    if in_place(rows, refs) and (
        len(set(refs)) == len(refs) or _numbers_in_place(rows, messages, refs)
    ):
        if [row.status for row in rows].count(ACCEPTED) == len(rows):
            return Match(AllAccepted(messages, refs, InPlace(rows)))
        return _finished(list(map(judge, messages, refs, rows)))
    found, odd = _pair(messages, refs, rows)
    return _finished(list(map(judge, messages, refs, found)), odd)


def same_number(ours: str | None, theirs: str | int | None) -> bool:
    """Whether two numbers agree as far as they can be compared.

    A local number comes back in E.164, and accounts that de-identify their data mask digits.
    """
    if theirs is None or ours is None:
        return True
    mine, told = ours.strip(), str(theirs).strip()
    if mine == told:
        return True
    if not told.lstrip("+").isdigit():
        return True
    digits = "".join(filter(str.isdigit, mine))
    if mine.startswith("+"):
        return digits == told.lstrip("+")
    return told.endswith(digits.lstrip("0"))


def judge(message: Message, ref: str, row: AnyRow | None) -> Accepted | Rejected | None:
    """Return what one row says about its message, None where it leaves that open.

    Only ``SUCCESS`` is acceptance, and only a code in capitals a refusal: a word like ``Queued``
    in its place would be neither.
    """
    if row is None:
        return None
    status = row.status or ""
    if status == ACCEPTED or status.upper() == ACCEPTED:
        return Accepted(
            message,
            ref,
            text(row.message_id),
            parts(row.message_parts),
            price(row.message_price),
        )
    return Rejected(message, ref, status) if is_code(status) else None


def second_thought(outcome: Outcome) -> Outcome:
    """Read the answer to a message that was sent before, with its first fate unknown."""
    if isinstance(outcome, Rejected) and outcome.status in _HINTS:
        why = f"sent again and answered {outcome.status}: the first one may have landed"
        return Unknown(outcome.message, outcome.ref, why)
    return outcome


def _numbers_in_place(
    rows: Sequence[AnyRow], messages: Sequence[Message], refs: Sequence[str]
) -> bool:
    """Whether refs and numbers together tell all messages apart, and the rows are in order."""
    pairs = [(ref, message.to) for ref, message in zip(refs, messages, strict=True)]
    told = [(ref, row.to) for ref, row in zip(refs, rows, strict=True)]
    return told == pairs and len(set(pairs)) == len(pairs)


def _pair(
    messages: Sequence[Message], refs: Sequence[str], rows: Sequence[AnyRow]
) -> tuple[list[AnyRow | None], int]:
    """Return each message's row, and how many rows belong to none."""
    by_ref: dict[str, deque[int]] = defaultdict(deque)
    by_both: dict[tuple[str, object], deque[int]] = defaultdict(deque)
    for index, ref in enumerate(refs):
        by_ref[ref].append(index)
        by_both[ref, messages[index].to].append(index)
    found: list[AnyRow | None] = [None] * len(refs)
    unplaced = []
    odd = 0
    # Acceptances first: of two rows for one message the one that costs money counts.
    for row in sorted(rows, key=_refused):
        ref = text(row.custom_string) or ""
        if ref not in by_ref:
            unplaced.append(row)
            continue
        exact = [it for it in by_both.get((ref, row.to), ()) if found[it] is None]
        fits = exact or [
            it for it in by_ref[ref] if found[it] is None and same_number(messages[it].to, row.to)
        ]
        if not fits:
            odd += 1
            continue
        found[next((it for it in fits if messages[it].body == row.body), fits[0])] = row
    return found, odd + _place_by_number(messages, found, unplaced)


def _place_by_number(
    messages: Sequence[Message], found: list[AnyRow | None], rows: Sequence[AnyRow]
) -> int:
    """Place rows that lost their ref where exactly one message fits; return how many remain."""
    by_number: dict[str, list[int]] = defaultdict(list)
    if rows:
        for index, message in enumerate(messages):
            if found[index] is None:
                by_number[str(message.to)].append(index)
    odd = 0
    for row in rows:
        fits = [
            index
            for index in by_number.get(row.to or "", ())
            if found[index] is None and row.body in (None, messages[index].body)
        ]
        if row.custom_string not in (None, "") or len(fits) != 1:
            odd += 1
        else:
            found[fits[0]] = row
    return odd


def _finished(outcomes: list[Accepted | Rejected | None], odd: int = 0) -> Match:
    statuses = {it.status for it in outcomes if isinstance(it, Rejected)}
    return Match(outcomes, odd, next(iter(statuses & ACCOUNT_REFUSALS), None))


def _refused(row: AnyRow) -> bool:
    return row.status != ACCEPTED
