"""Reading the rows of a reply, in any shape the API has for them. No I/O."""

from __future__ import annotations

import functools
import re
from collections.abc import Callable, Iterator, Sequence
from decimal import Decimal
from itertools import repeat
from typing import Any, Generic, Literal, Protocol, TypeAlias, TypeVar, overload

import msgspec
from msgspec import Struct, field

from ..models.base import decimal, number, rows_of, text
from ..models.messages import Message
from ..wire import Unreadable, loads
from .outcome import Accepted

R = TypeVar("R")
T = TypeVar("T")

Column: TypeAlias = "Sequence[T] | repeat[T]"
"""What each row has, or what they share."""


class SentRow(Struct, gc=False):
    """What of a row matters here, in the types the API mostly keeps to."""

    custom_string: str = ""
    status: str = ""
    message_id: str | None = None
    message_parts: int | float | str | None = None
    message_price: str | int | float | None = None
    to: str | None = None
    date: int | float | str | None = None
    body: str | None = None


class _UsualRow(Struct, gc=False):
    """What is read of a row where every row is an acceptance and stands in its place.

    Besides its price, see `_Usual`. Reading the others would take longer than all the rest.
    """

    custom_string: str
    status: Literal["SUCCESS"]

    @property
    def date(self) -> None:
        """Not read."""

    to = body = date


class _ListedRow(_UsualRow, gc=False):
    """What is read of a row whose message's outcome somebody may ask for."""

    message_id: str
    message_parts: int = 0


class _CountedRow(_UsualRow, gc=False):
    """What is read of a row that is only counted."""

    @property
    def message_id(self) -> None:
        """Not read."""

    message_parts = message_id


class _Data(Struct, Generic[R]):
    messages: list[R]


class _Envelope(Struct, Generic[R]):
    data: _Data[R]
    http_code: int = 200


class PricedRow(SentRow, gc=False):
    """A row of a price reply."""

    country: str | None = None


class _Currency(Struct):
    currency_name_short: str | None = None


class _PricedData(Struct):
    messages: list[PricedRow]
    currency: _Currency | None = field(name="_currency", default=None)


class _PricedEnvelope(Struct):
    data: _PricedData
    http_code: int = 200


class Priced(Struct):
    """What messages would cost."""

    rows: Sequence[Any]
    """`PricedRow`s, or what has the same attributes."""
    currency: str | None


_decode = msgspec.json.Decoder(_Envelope[SentRow]).decode
_decode_priced = msgspec.json.Decoder(_PricedEnvelope).decode
_DATE = re.compile(rb'"date":\s*([0-9]{1,12})\b')
_LARGE = 2**63
_MANY = 100
"""Rows from which on it pays to read the next reply against their price."""
_HEAD = 2000
"""Bytes of a reply in which the first row's date stands, if it has one."""


class AnyRow(Protocol):
    """A row, however it was read."""

    @property
    def custom_string(self) -> str: ...  # noqa: D102
    @property
    def status(self) -> str: ...  # noqa: D102
    @property
    def message_id(self) -> str | None: ...  # noqa: D102
    @property
    def message_parts(self) -> int | float | str | None: ...  # noqa: D102
    @property
    def message_price(self) -> Any: ...  # noqa: D102
    @property
    def date(self) -> Any: ...  # noqa: D102
    @property
    def to(self) -> str | None: ...  # noqa: D102
    @property
    def body(self) -> str | None: ...  # noqa: D102


def parts(value: int | float | str | None) -> int | None:
    """Return a number of parts, None for one that no database can hold."""
    found = value if isinstance(value, int) else number(value)
    return found if found is None or abs(found) < _LARGE else None


@functools.lru_cache(maxsize=4096)
def price(value: str | float | None) -> Decimal | None:
    """Return a price; the same few come again and again."""
    return decimal(value)


def read_all(values: Sequence[Any], read: Callable[[Any], T]) -> Column[T]:
    """Read the values of some rows, which mostly are all the same."""
    if values.count(values[0]) == len(values):
        return repeat(read(values[0]))
    return list(map(read, values))


class Distinct(list[str]):
    """Refs that are known to be all different."""


class InPlace(list[AnyRow]):
    """Acceptances that are known to stand in the order of their messages."""

    date: int | None = None
    """When the server took the first one, in unix seconds."""

    @functools.cached_property
    def one_price(self) -> str | float | None:
        """What each of them costs, None if they do not all cost the same."""
        first = self[0].message_price
        alike = [row.message_price for row in self].count(first) == len(self)
        return first if alike else None

    def prices(self, read: Callable[[Any], T]) -> Column[T]:
        """Read what each of them costs."""
        if self.one_price is not None:
            return repeat(read(self.one_price))
        return [read(row.message_price) for row in self]


class AllAccepted(Sequence[Accepted]):
    """The outcomes of a batch whose every message was accepted, made when they are looked at."""

    def __init__(self, messages: Sequence[Message], refs: Sequence[str], rows: InPlace) -> None:
        self._messages = messages
        self._refs = refs
        self.rows = rows
        self._cost: Decimal | None = None
        self._outcomes: list[Accepted] | None = None

    def __len__(self) -> int:
        return len(self.rows)

    def __iter__(self) -> Iterator[Accepted]:
        return iter(self._made)

    @overload
    def __getitem__(self, index: int) -> Accepted: ...

    @overload
    def __getitem__(self, index: slice) -> list[Accepted]: ...

    def __getitem__(self, index: int | slice) -> Accepted | list[Accepted]:
        return self._made[index]

    @property
    def cost(self) -> Decimal:
        """The sum of their prices."""
        if self._cost is None:
            if (one := self.rows.one_price) is not None:
                self._cost = (price(one) or Decimal(0)) * len(self)
            else:
                self._cost = sum(
                    (price(row.message_price) or Decimal(0) for row in self.rows), Decimal(0)
                )
        return self._cost

    @property
    def ids(self) -> list[str | None]:
        """Their `message_id`s."""
        return [row.message_id for row in self.rows]

    @property
    def _made(self) -> list[Accepted]:
        if self._outcomes is None:
            rows = self.rows
            self._outcomes = list(
                map(
                    Accepted,
                    self._messages,
                    self._refs,
                    self.ids,
                    read_all([row.message_parts for row in rows], parts),
                    rows.prices(price),
                )
            )
        return self._outcomes


class _Usual:
    """Reads replies whose rows are as usual; faster if each costs what all did last time."""

    def __init__(self, row: type[_UsualRow]) -> None:
        self._row = row
        self._price: str | None = None

    def decode(self, body: bytes) -> tuple[_Envelope[Any], str | None]:
        """Return the envelope, and what each row is known to cost.

        Raises:
            msgspec.DecodeError: not every row is as usual.

        """
        each = self._price  # clients in other threads change it
        if each is not None:
            try:
                return _decoder_of(self._row, each)(body), each
            except msgspec.ValidationError:
                self._price = None
        return _decoder_of(self._row, None)(body), None

    def expect(self, one_price: Any) -> None:
        """Note what each row of a reply cost, None if they differed."""
        self._price = one_price or None


@functools.lru_cache(maxsize=64)
def _decoder_of(row: type[_UsualRow], one_price: str | None) -> Callable[[bytes], _Envelope[Any]]:
    """Return what reads replies of such rows that cost this each, or anything if that is None."""
    cost: Any = ("message_price", str, "")
    if one_price is not None:
        cost = ("message_price", Literal[one_price])
    priced = msgspec.defstruct(row.__name__, [cost], bases=(row,), gc=False, kw_only=True)
    envelope: Any = _Envelope
    return msgspec.json.Decoder[_Envelope[Any]](envelope[priced]).decode


_counted = _Usual(_CountedRow)
_listed = _Usual(_ListedRow)


def decode_rows(
    body: bytes, refs: Sequence[str] = (), *, counted: bool = False
) -> Sequence[AnyRow]:
    """Return the rows of a reply to a send of messages with these refs.

    Args:
        body: the reply.
        refs: of the messages, in their order.
        counted: whether rows are only counted, so that nobody asks for their ids.

    Raises:
        Unreadable: there are none, or the envelope tells of an error.

    """
    usual = _counted if counted else _listed
    try:
        reply, each = usual.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        pass
    else:
        rows = reply.data.messages
        if reply.http_code < 400 and in_place(rows, refs) and _are_distinct(refs):
            found = InPlace(rows)
            if each is not None:
                found.one_price = each
            elif len(rows) >= _MANY:
                usual.expect(found.one_price)
            if date := _DATE.search(body, 0, _HEAD):
                found.date = int(date[1])
            return found
    try:
        envelope = _decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return _loose_rows(body)
    if envelope.http_code >= 400:
        raise Unreadable(f"a 2xx reply with http_code {envelope.http_code} inside")
    return envelope.data.messages


def decode_priced(body: bytes) -> Priced | None:
    """Return the rows of a price reply, None if something in it is not as usual."""
    try:
        reply = _decode_priced(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None
    data = reply.data
    if reply.http_code >= 400:
        return None
    return Priced(data.messages, data.currency.currency_name_short if data.currency else None)


def date_of(rows: Sequence[AnyRow]) -> float | None:
    """Return when the server took the first message, in unix seconds, if it says so."""
    date = rows.date if isinstance(rows, InPlace) else rows[0].date if rows else None
    return float(date) if isinstance(date, int | float) and date > 0 else None


def in_place(rows: Sequence[AnyRow], refs: Sequence[str]) -> bool:
    """Whether every ref stands where it was sent."""
    return [row.custom_string for row in rows] == refs


def _are_distinct(refs: Sequence[str]) -> bool:
    return isinstance(refs, Distinct) or len(set(refs)) == len(refs)


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
        return SentRow(**{name: value for name, value in known.items() if value is not None})
