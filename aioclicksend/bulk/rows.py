"""Telling from a reply what became of each message of a batch. Pure.

The API may order rows differently, leave some out, repeat some or write them oddly. A row belongs
to the message whose ref it carries; where a row lost its ref, to the one message that its number
(and text) still fit. A message without a row is in doubt by itself.
"""

from __future__ import annotations

import functools
import re
from collections import defaultdict, deque
from collections.abc import Sequence
from decimal import Decimal
from typing import Any

import msgspec
from msgspec import Struct

from ..models.base import decimal, number, rows_of, text
from ..models.messages import Message
from ..models.results import ACCEPTED
from ..wire import Unreadable, loads
from .outcome import Accepted, Rejected

ACCOUNT_REFUSALS = frozenset(
    {
        "INSUFFICIENT_CREDIT",
        "MISSING_CREDENTIALS",
        "INVALID_CREDENTIALS",
        "ACCOUNT_NOT_ACTIVATED",
    }
)
"""Statuses that say the account, not the message, is refused: the next ones would be too."""


class SentRow(Struct, gc=False):
    """What of a row matters here. Types as loose as JSON's: no row may fail a reply."""

    custom_string: str | int | float | None = None
    status: str | None = None
    message_id: str | int | None = None
    message_parts: int | float | str | None = None
    message_price: str | int | float | None = None
    to: str | int | None = None
    body: str | None = None
    direction: str | None = None
    date: int | float | str | None = None


class _Data(Struct):
    messages: list[SentRow]


class _Envelope(Struct):
    data: _Data
    http_code: int = 200


is_code = re.compile(r"[A-Z][A-Z0-9_]+").fullmatch
_decode = msgspec.json.Decoder(_Envelope).decode


class Match(Struct):
    """What a reply tells about a batch."""

    outcomes: list[Accepted | Rejected | None]
    """In the batch's order; None where there was no row."""
    odd: int
    """Rows that were left over."""
    refusal: str | None
    """The first status that refuses the account, if any."""


def decode_rows(body: bytes) -> list[SentRow]:
    """Return the rows of a reply to a send.

    Raises:
        Unreadable: there are none, or the envelope tells of an error.

    """
    try:
        envelope = _decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return _loose_rows(body)
    if envelope.http_code >= 400:
        raise Unreadable(f"a 2xx reply with http_code {envelope.http_code} inside")
    return envelope.data.messages


def match(messages: Sequence[Message], refs: Sequence[str], rows: Sequence[SentRow]) -> Match:
    """Return what the rows of a reply say about the messages of its batch."""
    if len(rows) == len(refs) and all(map(_same_ref, rows, refs)):
        told_apart = len(set(refs)) == len(refs) or (
            all(map(_same_to, rows, messages))
            and len({(ref, it.to) for ref, it in zip(refs, messages, strict=True)}) == len(refs)
        )
        if told_apart:
            return _finished(list(map(judge, messages, refs, rows)), odd=0)
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


@functools.lru_cache(maxsize=4096)
def price(value: str | float | None) -> Decimal | None:
    """Return a price; the same few come again and again."""
    return decimal(value)


def judge(message: Message, ref: str, row: SentRow | None) -> Accepted | Rejected | None:
    """Return what one row says about its message, None where it leaves that open.

    Only ``SUCCESS`` is acceptance, and only a code in capitals a refusal: a word like ``Queued``
    in its place would be neither.
    """
    if row is None:
        return None
    status = row.status or ""
    if status == ACCEPTED or status.upper() == ACCEPTED:
        parts = row.message_parts
        return Accepted(
            message,
            ref,
            text(row.message_id),
            parts if parts.__class__ is int else number(parts),
            price(row.message_price),
        )
    return Rejected(message, ref, status) if is_code(status) else None


def _same_ref(row: SentRow, ref: str) -> bool:
    return row.custom_string == ref


def _same_to(row: SentRow, message: Message) -> bool:
    return row.to == message.to


def _pair(
    messages: Sequence[Message], refs: Sequence[str], rows: Sequence[SentRow]
) -> tuple[list[SentRow | None], int]:
    """Return each message's row, and how many rows belong to none."""
    by_ref: dict[str, deque[int]] = defaultdict(deque)
    by_both: dict[tuple[str, object], deque[int]] = defaultdict(deque)
    for index, ref in enumerate(refs):
        by_ref[ref].append(index)
        by_both[ref, messages[index].to].append(index)
    found: list[SentRow | None] = [None] * len(refs)
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
    messages: Sequence[Message], found: list[SentRow | None], rows: Sequence[SentRow]
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
            for index in by_number.get(str(row.to), ())
            if found[index] is None and row.body in (None, messages[index].body)
        ]
        if row.custom_string not in (None, "") or len(fits) != 1:
            odd += 1
        else:
            found[fits[0]] = row
    return odd


def _finished(outcomes: list[Accepted | Rejected | None], odd: int) -> Match:
    statuses = {it.status for it in outcomes if it.__class__ is Rejected}
    return Match(outcomes, odd, next(iter(statuses & ACCOUNT_REFUSALS), None))


def _refused(row: SentRow) -> bool:
    return row.status != ACCEPTED


def _loose_rows(body: bytes) -> list[SentRow]:
    """Read the rows of a reply in which something has an unforeseen type."""
    document: Any = loads(body)
    if not isinstance(document, dict):
        raise Unreadable("a reply that is no object")
    code = number(document.get("http_code"))
    if code is not None and code >= 400:
        raise Unreadable(f"a 2xx reply with http_code {code} inside")
    data = document.get("data")
    if not isinstance(data, dict) or "messages" not in data:
        raise Unreadable("a reply that tells nothing about the messages")
    return [_loose_row(row) for row in rows_of(data["messages"]) if isinstance(row, dict)]


def _loose_row(row: dict[str, Any]) -> SentRow:
    try:
        return msgspec.convert(row, SentRow)
    except msgspec.ValidationError:
        known = {name: text(row.get(name)) for name in SentRow.__struct_fields__}
        return SentRow(**known)
