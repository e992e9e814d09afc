"""Reading replies: typed where the API keeps to its documents, lenient where it does not.

::

    JSON value ─▶ msgspec.convert, the whole struct ─▶ model
                        │ a value has another type
                        └─▶ field by field: coerced, else left at its default ─▶ model

`read` never fails: what the server accepted must not look like a failure because a field is odd.
The whole object as it came stays in `Model.raw`.
"""

from __future__ import annotations

import functools
import json
import re
import types
import typing
from collections.abc import Mapping
from datetime import UTC, datetime
from decimal import Decimal, InvalidOperation
from typing import Any, ClassVar, Self, TypeVar

import msgspec
from msgspec import UNSET, Struct, field

from ..codes import may_be_shown, shown_currency

M = TypeVar("M", bound="Model")

_HARMLESS = frozenset({"message_id", "status", "status_code", "direction", "country", "code"})
"""Text fields that are shown in a repr, as far as they hold a code or an id."""

_ODD = (msgspec.ValidationError, ValueError, OverflowError, RecursionError)
"""What msgspec raises for a value it cannot take; a ValueError for a lone surrogate."""

_NO_TIME = ("", 0, "0")
"""How the API writes "no time"; ``schedule`` is ``""`` in refused rows."""


class Model(Struct, kw_only=True, dict=True):
    """An object of a reply.

    ``kw_only`` lets every field have its default; ``dict`` makes room for `raw`.
    """

    also_known_as: ClassVar[Mapping[str, str]] = {}
    """Other names under which the API sends a field: other name to wire name."""

    @property
    def raw(self) -> Any:
        """The object as it came, unknown fields included."""
        return self.__dict__.get("raw")

    def __copy__(self) -> Self:
        return _keep(msgspec.structs.replace(self), self.raw)

    def __reduce__(self) -> tuple[Any, ...]:
        # By msgspec's own `raw` would be lost, which is no field. deepcopy and pickle use this.
        fields = {name: getattr(self, name) for name in self.__struct_fields__}
        return _restored, (type(self), fields, self.raw)

    def __repr__(self) -> str:
        """Show ids, amounts, times and codes; texts may hold numbers, bodies or secrets."""
        shown = (f"{name}={value!r}" for name, value in self.__rich_repr__())
        return f"{type(self).__name__}({', '.join(shown)})"

    def __rich_repr__(self) -> list[tuple[str, Any]]:
        """Return what may be shown; rich would show a Struct whole."""
        fields = ((name, getattr(self, name)) for name in self.__struct_fields__)
        return [(name, value) for name, value in fields if _is_harmless(name, value)]


class Currency(Model):
    """The currency of an account."""

    name_short: str = field(name="currency_name_short", default="")
    name_long: str = field(name="currency_name_long", default="")
    prefix_d: str = field(name="currency_prefix_d", default="")
    prefix_c: str = field(name="currency_prefix_c", default="")
    min_recharge_amount: Decimal | None = None
    max_recharge_amount: Decimal | None = None

    def __rich_repr__(self) -> list[tuple[str, Any]]:
        """Return its ISO code, if it is one."""
        return [("name_short", shown_currency(self.name_short))]


class _Field(Struct):
    name: str
    wire: str
    type: Any
    nested: type[Model] | None
    listed: bool


class _Plan(Struct):
    fields: list[_Field]
    times: list[str]
    amounts: list[str]
    nested: list[_Field]
    aliases: Mapping[str, str]


def read(kind: type[M], value: Any) -> M:
    """Return a model filled from a decoded JSON value of any shape; it never fails."""
    if isinstance(value, list) and len(value) == 1:
        value = value[0]  # v6 documents pagers and objects wrapped in a list
    if not isinstance(value, dict):
        return _keep(kind(), value)
    plan = _plan(kind)
    given = _tidied(plan, value)
    model = _at_once(kind, given)
    if model is None or not all(_is_amount(getattr(model, name)) for name in plan.amounts):
        model = kind(**_field_by_field(plan, given))
    else:
        for nested in plan.nested:
            if nested.wire in given:
                # Read again one by one: only `read` keeps the `raw` of what is nested.
                setattr(model, nested.name, _nested(nested, given[nested.wire]))
    return _keep(model, value)


def read_list(kind: type[M], value: Any) -> list[M]:
    """Return the models of a list; an object in its place is taken for its values."""
    return [read(kind, item) for item in rows_of(value)]


def rows_of(value: Any) -> list[Any]:
    """Return the items of what should be a list.

    It can be missing, stand in another object under ``data``, or be an object of the items.
    """
    if isinstance(value, list):
        return value
    if isinstance(value, dict):
        # A pager where a list is documented, and the other way round.
        inner = value.get("data")
        return inner if isinstance(inner, list) else list(value.values())
    return []


def number(value: Any) -> int | None:
    """Return a whole number that came as int, float or text."""
    if isinstance(value, str) and _GROUPED(value.strip()):
        value = value.replace(",", "")  # has only one reading where there are no fractions
    amount = decimal(value)
    return None if amount is None else int(amount)


def decimal(value: Any) -> Decimal | None:
    """Return an amount that came as text, int or float, exactly as written.

    A comma is read as what it can only be: in ``1,234.50`` it groups, in ``0,0792`` it is the
    decimal point. ``1,234`` could be either, so it is None: an amount is never guessed.
    """
    if isinstance(value, bool):
        return Decimal(int(value))
    if not isinstance(value, str | int | float | Decimal):
        return None
    text = str(value).strip()
    if "," in text:
        if _GROUPED_FRACTION(text):
            text = text.replace(",", "")
        elif _COMMA_FRACTION(text) and not _GROUPED(text):
            text = text.replace(".", "").replace(",", ".")
        else:
            return None
    try:
        amount = Decimal(text)
    except InvalidOperation:
        return None
    return amount if _is_amount(amount) else None


_GROUPED = re.compile(r"[+-]?[1-9]\d{0,2}(,\d{3})+", re.ASCII).fullmatch
_GROUPED_FRACTION = re.compile(r"[+-]?[1-9]\d{0,2}(,\d{3})+\.\d+", re.ASCII).fullmatch
_COMMA_FRACTION = re.compile(r"[+-]?(\d+|[1-9]\d{0,2}(\.\d{3})+),\d+", re.ASCII).fullmatch


def moment(value: Any) -> datetime | None:
    """Return an aware time that came as unix seconds or as ISO text (taken for UTC)."""
    if isinstance(value, bool) or value in _NO_TIME:
        return None
    seconds = decimal(value)
    try:
        if seconds is not None:
            return datetime.fromtimestamp(float(seconds), UTC)
        # Old documents show ISO text without a zone; the API's clock is UTC.
        time = datetime.fromisoformat(value)
        return time if time.tzinfo else time.replace(tzinfo=UTC)
    except (TypeError, ValueError, OverflowError, OSError):
        return None


def unix_seconds(time: datetime) -> int:
    """Return an aware time as whole unix seconds.

    Raises:
        ValueError: it has no zone.

    """
    if time.tzinfo is None:
        raise ValueError(
            "a datetime without a time zone is ambiguous: use datetime(..., tzinfo=...) "
            "or .astimezone()"
        )
    return int(time.timestamp())


def text(value: Any) -> str | None:
    """Return a text, or the text of what came in its place."""
    if value is None or isinstance(value, str):
        return value
    return str(value) if isinstance(value, int | float) else json.dumps(value)


def flag(value: Any) -> bool | None:
    """Return a bool that came as bool, 0/1 or a word."""
    if isinstance(value, str):
        return {"1": True, "true": True, "yes": True, "0": False, "false": False, "no": False}.get(
            value.strip().lower()
        )
    return bool(value) if isinstance(value, int | float) else None


def _is_amount(value: Any) -> bool:
    """Whether a Decimal is finite and of a sensible size; True for what is no Decimal."""
    # An exponent of millions would take gigabytes to turn into an int.
    return not isinstance(value, Decimal) or (value.is_finite() and abs(value.adjusted()) < 40)


def _is_harmless(name: str, value: Any) -> bool:
    """Whether a field may be shown in a repr; the server can write anything into any of them."""
    if isinstance(value, str):
        return name in _HARMLESS and may_be_shown(value)
    if isinstance(value, int | float | Decimal):
        return -_SHORTEST_NUMBER < value < _SHORTEST_NUMBER
    return isinstance(value, datetime)


_SHORTEST_NUMBER = 10**7
"""Smaller numbers are no phone numbers."""


def _restored(kind: type[M], fields: dict[str, Any], raw: Any) -> M:
    return _keep(kind(**fields), raw)


def _keep(model: M, raw: Any) -> M:
    vars(model)["raw"] = raw
    return model


def _tidied(plan: _Plan, value: dict[str, Any]) -> dict[str, Any]:
    """Return the object under the names we know, its times aware where they are text."""
    given = value
    for name in plan.times:
        # msgspec reads unix seconds, but takes 0 for 1970 and digits as text for nothing.
        if name in given and (given[name] == 0 or isinstance(given[name], str)):
            given = {**given, name: moment(given[name])}
    for other, name in plan.aliases.items():
        # The present name wins where both are sent.
        if other in given and name not in given:
            given = {**given, name: given[other]}
    return given


def _at_once(kind: type[M], given: dict[str, Any]) -> M | None:
    try:
        return msgspec.convert(given, kind, strict=False)
    except _ODD:
        return None


def _field_by_field(plan: _Plan, given: dict[str, Any]) -> dict[str, Any]:
    known = {}
    for entry in plan.fields:
        if entry.wire not in given:
            continue
        value = given[entry.wire]
        understood = _nested(entry, value) if entry.nested else _coerced(entry.type, value)
        if understood is not UNSET:
            known[entry.name] = understood
    return known


def _nested(entry: _Field, value: Any) -> Any:
    assert entry.nested is not None
    if entry.listed:
        return read_list(entry.nested, value)
    # PHP writes an empty object as [], and some endpoints as "".
    return read(entry.nested, value) if value and isinstance(value, dict | list) else None


_COERCE: dict[Any, Any] = {int: number, Decimal: decimal, datetime: moment, str: text, bool: flag}


def _coerced(kind: Any, value: Any) -> Any:
    """Return a value as its field's type, None where allowed, or UNSET to keep the default."""
    try:
        understood = msgspec.convert(value, kind, strict=False)
        if _is_amount(understood):
            return understood
    except _ODD:
        pass
    options = typing.get_args(kind) if isinstance(kind, types.UnionType) else (kind,)
    for option in options:
        if typing.get_origin(option) is list:
            return _coerced_list(typing.get_args(option)[0], value)
        understood = _COERCE[option](value) if option in _COERCE else None
        if understood is not None:
            return understood
    return None if types.NoneType in options else UNSET


def _coerced_list(kind: Any, value: Any) -> list[Any]:
    """Return a list of what is understood; a lone item often comes without its list."""
    items = value if isinstance(value, list) else [] if value in (None, "") else [value]
    understood = (_coerced(kind, item) for item in items)
    return [item for item in understood if item is not None and item is not UNSET]


@functools.cache
def _plan(kind: type[Model]) -> _Plan:
    hints = typing.get_type_hints(kind)
    entries = []
    for info in msgspec.structs.fields(kind):
        hint = hints[info.name]
        options = [it for it in typing.get_args(hint) or (hint,) if it is not types.NoneType]
        listed = typing.get_origin(hint) is list
        nested = next(
            (it for it in options if isinstance(it, type) and issubclass(it, Model)), None
        )
        entries.append(_Field(info.name, info.encode_name, hint, nested, listed))
    return _Plan(
        fields=entries,
        times=[it.wire for it in entries if datetime in (it.type, *typing.get_args(it.type))],
        amounts=[it.name for it in entries if Decimal in (it.type, *typing.get_args(it.type))],
        nested=[it for it in entries if it.nested],
        aliases=kind.also_known_as,
    )
