"""Reading a reply to a send: which message each row belongs to, and what it says. No I/O.

::

    bytes ─▶ decode_reply ─▶ Reply: rows ─▶ match ─▶ Match: an outcome each, None: in doubt

The API may order rows differently, leave some out, repeat some, or return a ref altered. A row
belongs to the message whose ref it carries; where its ref is missing or altered, to the one message
that its number and text still fit. Mostly, though, every row is an acceptance and stands where its
message stood; such a reply is decoded by its type alone, and its outcomes are made on demand. No
type of that fast path leaves this module.

What a status means (the API documents some of its words; a row it does not explain is in doubt):

====================  ==========================================================================
word                  meaning
====================  ==========================================================================
success words         accepted
known refusals        rejected; some of them refuse the account rather than the message
``INTERNAL_ERROR``…   no proof that nothing was sent: in doubt
any other word        accepted if the row has an id and a price above 0, else in doubt
====================  ==========================================================================
"""

from __future__ import annotations

import functools
import re
from collections import defaultdict, deque
from collections.abc import Callable, Sequence
from decimal import Decimal
from itertools import repeat
from typing import Any, Generic, Literal, Protocol, TypeVar

import msgspec
from msgspec import Struct, field

from ..models.base import decimal, number, rows_of, text
from ..models.messages import Message
from ..models.results import ACCEPTED
from ..wire import Unreadable, loads
from .outcome import Acceptances, Accepted, Column, Outcome, Reason, Rejected, Unknown

R = TypeVar("R")
T = TypeVar("T")

ACCOUNT_REFUSALS = frozenset(
    {
        "INSUFFICIENT_CREDIT",
        "MISSING_CREDENTIALS",
        "INVALID_CREDENTIALS",
        "ACCOUNT_NOT_ACTIVATED",
    }
)
"""Statuses that refuse the account, not the message: the next messages would be refused, too."""

REFUSALS = ACCOUNT_REFUSALS | {
    "INVALID_RECIPIENT",
    "THROTTLED",
    "INVALID_SENDER_ID",
    "ALREADY_EXISTS",
    "EMPTY_MESSAGE",
    "TOO_MANY_RECIPIENTS",
    "MISSING_REQUIRED_FIELDS",
    "INVALID_SCHEDULE",
    "NOT_ENOUGH_PERMISSION_TO_LIST_ID",
    "INVALID_LANG",
    "INVALID_VOICE",
    "SUBJECT_REQUIRED",
    "INVALID_MEDIA_FILE",
    "COUNTRY_NOT_ENABLED",
    "REGISTRATION_NEEDED",
    "FORBIDDEN",
    "BAD_REQUEST",
}
"""Statuses by which the API is known to refuse a message."""

INCONCLUSIVE = {"INTERNAL_ERROR", "SOMETHING_IS_WRONG"}
"""Statuses that prove neither that a message was taken nor that it was not."""

_SUCCESSES = {"SUCCESS", "QUEUED", "SENT", "SCHEDULED", "COMPLETED", "WAITAPPROVAL", "WAITSEND"}
_HINTS = ACCOUNT_REFUSALS | {"THROTTLED", "ALREADY_EXISTS"}
"""Refusals that, given to a second attempt, do not rule out that the first one was taken.

THROTTLED and ALREADY_EXISTS even hint at it: the number just got this text.
"""

_DATE = re.compile(rb'"date":\s*([0-9]{1,12})\b')
_HEAD = 2000
"""Bytes of a reply in which the first row's date stands, if it has one."""
_MAX_INTEGER = 2**63
_TAIL = 7
"""Digits at the end of a number by which it is compared where it is written differently."""


class Row(Protocol):
    """A row of a reply, of a price or of the history, however it was read."""

    @property
    def custom_string(self) -> str | None: ...  # noqa: D102
    @property
    def status(self) -> str: ...  # noqa: D102
    @property
    def message_id(self) -> str | None: ...  # noqa: D102
    @property
    def message_parts(self) -> Any: ...  # noqa: D102
    @property
    def message_price(self) -> Any: ...  # noqa: D102
    @property
    def to(self) -> str | None: ...  # noqa: D102
    @property
    def body(self) -> str | None: ...  # noqa: D102


class _SentRow(Struct, gc=False):
    """A row in the types that the API mostly keeps to."""

    custom_string: str = ""
    status: str = ""
    message_id: str | None = None
    message_parts: int | float | str | None = None
    message_price: str | int | float | None = None
    to: str | None = None
    date: int | float | str | None = None
    body: str | None = None


class _ListedRow(Struct, gc=False):
    """An acceptance whose id may be needed."""

    custom_string: str
    status: Literal["SUCCESS"]
    message_id: str
    message_parts: int = 0
    message_price: str = ""


class _CountedRow(Struct, gc=False):
    """An acceptance that is only counted."""

    custom_string: str
    status: Literal["SUCCESS"]
    message_price: str = ""


class PricedRow(_SentRow, gc=False):
    """A row of a price reply."""

    country: str | None = None


class _Data(Struct, Generic[R]):
    messages: list[R]


class _Envelope(Struct, Generic[R]):
    data: _Data[R]
    http_code: int = 200


class _Currency(Struct):
    currency_name_short: str | None = None


class _PricedData(Struct):
    messages: list[PricedRow]
    currency: _Currency | None = field(name="_currency", default=None)


class _PricedEnvelope(Struct):
    data: _PricedData
    http_code: int = 200


_decode = msgspec.json.Decoder(_Envelope[_SentRow]).decode
_decode_listed = msgspec.json.Decoder(_Envelope[_ListedRow]).decode
_decode_counted = msgspec.json.Decoder(_Envelope[_CountedRow]).decode
_decode_priced = msgspec.json.Decoder(_PricedEnvelope).decode
_UNREADABLE = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)


class Reply(Struct):
    """The rows of a reply."""

    rows: Sequence[Any]
    in_order: bool = False
    """Whether each row is an acceptance that carries the ref of the message in its place."""
    with_ids: bool = True
    date: float | None = None
    """When the server took the first message, by its own clock, in whole unix seconds."""


class Priced(Struct):
    """What messages would cost."""

    rows: Sequence[Any]
    """Rows with ``status``, ``country``, ``message_price`` and ``message_parts``."""
    currency: str | None


class Match(Struct):
    """What a reply says about the messages of its batch."""

    outcomes: Sequence[Outcome | None]
    """In the batch's order; None where it is inconclusive."""
    odd: int = 0
    """Rows that belong to no message, or to one that has its row already."""
    account_refusal: str | None = None
    """The first status that refuses the account, if any."""
    altered_refs: bool = False
    """Whether the server returned a ref otherwise than it was sent."""


def decode_reply(body: bytes, refs: Sequence[str], *, counted: bool) -> Reply:
    """Return the rows of a reply to a send of messages with these refs.

    Args:
        body: the reply.
        refs: of the messages, in their order.
        counted: whether rows are only counted, so that their ids need not be read.

    Raises:
        Unreadable: there are no rows, or the envelope reports an error.

    """
    try:
        # Required fields and a literal status: what this type can read consists of acceptances.
        fast: Any = (_decode_counted if counted else _decode_listed)(body)
    except _UNREADABLE:
        pass
    else:
        rows = fast.data.messages
        # Where refs repeat, only the numbers distinguish the rows; these were not read.
        distinct = counted or len(set(refs)) == len(refs)
        if fast.http_code < 400 and distinct and [it.custom_string for it in rows] == refs:
            # As a field of the type it would be read for every row, and the first one is enough.
            date = _DATE.search(body, 0, _HEAD)
            stamp = float(date[1]) if date else 0.0
            return Reply(rows, in_order=True, with_ids=not counted, date=stamp or None)
    try:
        envelope = _decode(body)
    except _UNREADABLE:
        return _reply(_lenient_rows(body))
    # Seen on v2 only. It proves neither that messages were taken nor that they were not.
    if envelope.http_code >= 400:
        raise Unreadable(f"a 2xx reply with http_code {envelope.http_code} inside")
    return _reply(envelope.data.messages)


def decode_priced(body: bytes) -> Priced | None:
    """Return the rows of a price reply, None if a value has an unexpected type."""
    try:
        reply = _decode_priced(body)
    except _UNREADABLE:
        return None
    data = reply.data
    # A reply that contradicts its own HTTP status is no quote.
    if reply.http_code >= 400:
        return None
    return Priced(data.messages, data.currency.currency_name_short if data.currency else None)


def match(messages: Sequence[Message], refs: Sequence[str], reply: Reply) -> Match:
    """Return what the rows of a reply say about the messages of its batch."""
    rows = reply.rows
    if reply.in_order:
        return Match(_acceptances(messages, refs, reply))
    found, odd, altered = _pair(messages, refs, rows)
    outcomes = list(map(judge, messages, refs, found))
    statuses = {it.status for it in outcomes if isinstance(it, Rejected)}
    return Match(outcomes, odd, next(iter(statuses & ACCOUNT_REFUSALS), None), altered)


def judge(message: Message, ref: str, row: Row | None) -> Outcome | None:
    """Return what one row of a reply says about its message, None where it is inconclusive."""
    if row is None:
        return None
    word = status_word(row.status)
    if word in REFUSALS:
        return Rejected(message, ref, row.status)
    # The API's set of statuses is open: a message with an id and a price was taken.
    if word in _SUCCESSES or _is_charged(row):
        return accepted(message, ref, row)
    return None


def accepted(message: Message, ref: str, row: Row) -> Accepted:
    """Return the acceptance that a row stands for."""
    return Accepted(
        message, ref, text(row.message_id), parts(row.message_parts), price(row.message_price)
    )


def downgrade_after_retry(outcome: Outcome) -> Outcome:
    """Return what an outcome of a further attempt proves, the first one's being unknown."""
    if isinstance(outcome, Rejected) and status_word(outcome.status) in _HINTS:
        return Unknown(
            outcome.message,
            outcome.ref,
            Reason.RETRY_REFUSED,
            f"sent again and answered {outcome.status}: the first attempt may have been taken",
        )
    return outcome


def status_word(status: str | None) -> str:
    """Return a status as it is compared: success words vary in spelling (``Queued:Stamped``)."""
    plain = (status or "").strip().upper()
    success = plain.partition(":")[0].replace("_", "")
    return success if success in _SUCCESSES else plain


def parts(value: int | float | str | None) -> int | None:
    """Return a number of parts, None for one that no database can hold."""
    found = value if isinstance(value, int) else number(value)
    return found if found is None or abs(found) < _MAX_INTEGER else None


@functools.lru_cache(maxsize=4096)
def price(value: str | float | None) -> Decimal | None:
    """Return a price; the same few come again and again."""
    return decimal(value)


def resembles(theirs: str, ours: str) -> bool:
    """Whether a ref may be one of ours that was trimmed, cut or changed in case."""
    altered, sent = theirs.strip().lower(), ours.strip().lower()
    # How long a `custom_string` may be is undocumented, so a server may cut it.
    return bool(altered) and sent.startswith(altered)


def digits_of(number: str | None) -> str:
    """Return the digits of a number, "" if some are masked."""
    text = str(number or "").strip()
    plain = "".join(it for it in text if it not in "+ ().-/")
    return plain if plain.isascii() and plain.isdigit() else ""


def tail_of(number: str | None) -> str:
    """Return the last digits of a number, which any way of writing it has."""
    return digits_of(number)[-_TAIL:]


def same_number(ours: str | None, theirs: str | int | None) -> bool:
    """Whether two numbers agree as far as they can be compared.

    A local number comes back in E.164 or the other way round, and accounts that de-identify their
    data mask digits.
    """
    if theirs is None or ours is None:
        return True
    mine, other = digits_of(ours), digits_of(str(theirs))
    if not mine or not other:
        return ours == theirs or not other  # masked digits cannot be compared
    if ours.strip().startswith("+") and not other.startswith("0"):
        return mine == other
    # Without the zeros that stand for a country's code, or come before it.
    short, long = sorted((mine.lstrip("0"), other.lstrip("0")), key=len)
    return bool(short) and long.endswith(short)


def _is_charged(row: Row) -> bool:
    # Refused rows may have an id as well, but none has a price above 0.
    amount = price(row.message_price)
    return bool(text(row.message_id)) and amount is not None and amount > 0


def _reply(rows: list[Any]) -> Reply:
    date = rows[0].date if rows else None
    return Reply(rows, date=float(date) if isinstance(date, int | float) and date > 0 else None)


def _acceptances(messages: Sequence[Message], refs: Sequence[str], reply: Reply) -> Acceptances:
    rows = reply.rows
    prices = _column([it.message_price for it in rows], price)
    if not reply.with_ids:
        return Acceptances(messages, refs, repeat(None), repeat(None), prices)
    ids = [it.message_id for it in rows]
    return Acceptances(
        messages, refs, ids, _column([it.message_parts for it in rows], parts), prices
    )


def _column(values: list[Any], read: Callable[[Any], T]) -> Column[T]:
    """Read the values of some rows, which mostly are all the same."""
    # One value in place of a thousand equal ones, for a journal as well.
    if values and values.count(values[0]) == len(values):
        return repeat(read(values[0]))
    return list(map(read, values))


def _pair(
    messages: Sequence[Message], refs: Sequence[str], rows: Sequence[Any]
) -> tuple[list[Any], int, bool]:
    """Return each message's row, how many rows belong to none, and whether refs were altered."""
    by_ref: dict[str, deque[int]] = defaultdict(deque)
    by_both: dict[tuple[str, object], deque[int]] = defaultdict(deque)
    # Refs of the caller's may repeat: number and text distinguish such messages.
    for index, ref in enumerate(refs):
        by_ref[ref].append(index)
        by_both[ref, messages[index].to].append(index)
    found: list[Any] = [None] * len(refs)
    unplaced = []
    odd = 0
    # Acceptances first: of two rows for one message the one that costs money counts.
    for row in sorted(rows, key=lambda it: it.status != ACCEPTED):
        ref = text(row.custom_string) or ""
        if ref not in by_ref:
            unplaced.append(row)
            continue
        to = getattr(row, "to", None)
        exact = [it for it in by_both.get((ref, to), ()) if found[it] is None]
        fits = exact or [
            it for it in by_ref[ref] if found[it] is None and same_number(messages[it].to, to)
        ]
        if not fits:
            # A second row of a message is evidence for nothing. If the number contradicts the ref,
            # the server may have returned it with another message.
            if any(same_number(messages[it].to, to) for it in by_ref[ref]):
                odd += 1
            else:
                unplaced.append(row)
            continue
        body = getattr(row, "body", None)
        found[next((it for it in fits if messages[it].body == body), fits[0])] = row
    more_odd, altered = _place_by_content(messages, refs, found, unplaced)
    return found, odd + more_odd, altered


def _place_by_content(
    messages: Sequence[Message], refs: Sequence[str], found: list[Any], rows: Sequence[Any]
) -> tuple[int, bool]:
    """Place rows without their ref where number and text fit exactly one message.

    A ref that came back altered is no reason to doubt such a row; but this server's refs can prove
    no absence any more. Returns how many rows remain, and whether a ref was altered.
    """
    by_tail: dict[str, list[int]] = defaultdict(list)
    if rows:
        for index, message in enumerate(messages):
            if found[index] is None:
                by_tail[tail_of(message.to)].append(index)
    odd = 0
    altered = False
    for row in rows:
        has_ref = row.custom_string not in (None, "")
        fits = [
            index
            for index in by_tail.get(tail_of(row.to), ())
            if found[index] is None
            and same_number(messages[index].to, row.to)
            # Without a ref the number is enough; an altered ref must have the same text as well.
            and (row.body == messages[index].body or (row.body is None and not has_ref))
        ]
        if len(fits) > 1 and has_ref:
            fits = [it for it in fits if resembles(str(row.custom_string), refs[it])]
        # A guess could report a message as accepted that was not.
        if len(fits) != 1:
            odd += 1
            continue
        found[fits[0]] = row
        altered = altered or has_ref
    return odd, altered


def _lenient_rows(body: bytes) -> list[_SentRow]:
    """Read the rows of a reply in which a value has an unexpected type."""
    # Messages that were taken must not end in doubt because one value changed its type.
    document: Any = loads(body)
    if not isinstance(document, dict):
        raise Unreadable("a reply that is no object")
    code = number(document.get("http_code"))
    if code is not None and code >= 400:
        raise Unreadable(f"a 2xx reply with http_code {code} inside")
    data = document.get("data")
    if not isinstance(data, dict) or "messages" not in data:
        raise Unreadable("a reply without rows for its messages")
    return [_lenient_row(row) for row in rows_of(data["messages"]) if isinstance(row, dict)]


def _lenient_row(row: dict[str, Any]) -> _SentRow:
    try:
        return msgspec.convert(row, _SentRow)
    except msgspec.ValidationError:
        # Field by field, as text: one unexpected type must not hide ref and status.
        known = {name: text(row.get(name)) for name in _SentRow.__struct_fields__}
        return _SentRow(**{name: value for name, value in known.items() if value is not None})
