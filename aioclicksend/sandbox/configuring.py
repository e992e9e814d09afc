"""The settings a sandbox shows and takes over HTTP, all checked before the first one is changed."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import asdict, fields
from typing import TYPE_CHECKING, Any, TypeVar, cast

from . import prices
from .calls import as_object
from .countries import NAMES
from .faults import is_seconds
from .history import HistoryBehaviour
from .phones import e164
from .pushes import PushBehaviour
from .senders import SENDER_TYPES

if TYPE_CHECKING:
    from .server import Sandbox

B = TypeVar("B", HistoryBehaviour, PushBehaviour)
Apply = Callable[[], None]


def read_settings(sandbox: Sandbox) -> dict[str, Any]:
    """Return the settings as JSON."""
    settings = sandbox.settings
    tariff: dict[str, dict[str, str]] = {}
    for (channel, country), price in settings.tariff.items():
        tariff.setdefault(channel, {})[country] = prices.four_decimals(price)
    return {
        "latency": sandbox.latency,
        "history_lag": sandbox.history_lag,
        "history": asdict(sandbox.history),
        "rate_limit": None if sandbox.rate_limit is None else list(sandbox.rate_limit),
        "auto_deliver": sandbox.auto_deliver,
        "push": asdict(sandbox.push),
        "balance": prices.six_decimals(prices.from_decimal(sandbox.balance)),
        "prices": tariff,
        "strict": settings.strict,
        "throttle_window": settings.throttle_window,
        "rules_required": settings.rules_required,
        "reject": dict(settings.reject),
        "disabled_countries": sorted(set(NAMES) - set(settings.countries)),
        "barred_senders": {iso: sorted(kinds) for iso, kinds in settings.barred_senders.items()},
        "trial": settings.trial,
    }


def change_settings(sandbox: Sandbox, given: Mapping[str, Any]) -> None:
    """Change the settings named; TypeError or ValueError, and none is changed, if one is wrong."""
    # Two passes: a test that mistypes its last setting must not run on the first ones.
    changes: list[Apply] = []
    for name, value in given.items():
        if name not in _CHANGES:
            raise ValueError(f"unknown setting: {name}; known are {', '.join(_CHANGES)}")
        changes.append(_CHANGES[name](sandbox, name, value))
    for change in changes:
        change()


def _seconds(name: str, value: Any) -> float:
    if not is_seconds(value):
        raise ValueError(f"{name} must be seconds, 0 or more")
    return float(value)


def _on_sandbox(sandbox: Sandbox, name: str, value: Any) -> Apply:
    seconds = _seconds(name, value)
    return lambda: setattr(sandbox, name, seconds)


def _in_settings(sandbox: Sandbox, name: str, value: Any) -> Apply:
    seconds = _seconds(name, value)
    return lambda: setattr(sandbox.settings, name, seconds)


def _auto_deliver(sandbox: Sandbox, name: str, value: Any) -> Apply:
    seconds = None if value is None else _seconds(name, value)
    return lambda: setattr(sandbox, name, seconds)


def _flag(sandbox: Sandbox, name: str, value: Any) -> Apply:
    if not isinstance(value, bool):
        raise TypeError(f"{name} must be true or false")
    return lambda: setattr(sandbox.settings, name, value)


def _rate_limit(sandbox: Sandbox, name: str, value: Any) -> Apply:
    if value is None:
        return lambda: setattr(sandbox, name, None)
    pair = value if isinstance(value, list) else []
    numbers = [one for one in pair if is_seconds(one) and one > 0]
    if len(numbers) != 2 or len(pair) != 2 or int(numbers[0]) != numbers[0]:
        raise ValueError(f"{name} must be [requests, seconds] or null")
    limit = int(numbers[0]), float(numbers[1])
    return lambda: setattr(sandbox, name, limit)


def _behaviour(kind: type[B]) -> Callable[[Sandbox, str, Any], Apply]:
    def read(sandbox: Sandbox, name: str, value: Any) -> Apply:
        given = _mapping(name, value)
        known = {field.name: field for field in fields(kind)}
        examples = asdict(kind())
        for field, one in given.items():
            if field not in known:
                raise ValueError(f"unknown setting: {name}.{field}; known are {', '.join(known)}")
            if not _same_kind(one, examples[field]):
                raise TypeError(f"{name}.{field} must be like {examples[field]!r}")
        made = kind(**(asdict(getattr(sandbox, name)) | given))
        return lambda: setattr(sandbox, name, made)

    return read


def _same_kind(value: Any, example: Any) -> bool:
    # True is an int in Python, and no number of attempts.
    if isinstance(value, bool) or isinstance(example, bool):
        return isinstance(value, bool) and isinstance(example, bool)
    if isinstance(example, float):
        return is_seconds(value)
    return isinstance(value, type(example))


def _mapping(name: str, value: Any) -> dict[str, Any]:
    found = as_object(value)
    if found is None:
        raise TypeError(f"{name} must be an object")
    return found


def _balance(sandbox: Sandbox, name: str, value: Any) -> Apply:
    if not isinstance(value, str | int | float) or isinstance(value, bool):
        raise TypeError(f"{name} must be an amount, as text")
    # Through text: a float such as 0.1 has no exact amount.
    amount = prices.to_decimal(prices.from_decimal(str(value)))
    return lambda: setattr(sandbox, name, amount)


def _prices(sandbox: Sandbox, name: str, value: Any) -> Apply:
    tariff: dict[tuple[str, str], int] = {}
    for channel, table in _mapping(name, value).items():
        if channel not in {"sms", "mms", "voice"}:
            raise ValueError(f"{name}: the channels are sms, mms and voice, not {channel}")
        for country, price in _mapping(f"{name}.{channel}", table).items():
            tariff[channel, _country(country)] = prices.from_decimal(str(price))
    return lambda: setattr(sandbox.settings, "tariff", tariff)


def _country(code: str) -> str:
    if code not in NAMES:
        raise ValueError(f"not a two-letter code of a country: {code}")
    return code


def _reject(sandbox: Sandbox, name: str, value: Any) -> Apply:
    numbers = {e164(number): str(status) for number, status in _mapping(name, value).items()}
    return lambda: setattr(sandbox.settings, name, numbers)


def _disabled(sandbox: Sandbox, name: str, value: Any) -> Apply:
    if not isinstance(value, list):
        raise TypeError(f"{name} must be a list of countries")
    codes = {_country(str(code)) for code in cast("list[object]", value)}
    return lambda: setattr(sandbox.settings, "countries", frozenset(NAMES) - codes)


def _barred(sandbox: Sandbox, name: str, value: Any) -> Apply:
    barred: dict[str, frozenset[str]] = {}
    for country, kinds in _mapping(name, value).items():
        if not isinstance(kinds, list):
            raise TypeError(f"{name}.{country} must be a list of sender types")
        barred[_country(country)] = frozenset(str(kind) for kind in cast("list[object]", kinds))
        check_sender_types(barred[_country(country)])
    return lambda: setattr(sandbox.settings, name, barred)


def check_sender_types(kinds: frozenset[str]) -> None:
    """Raise ValueError for a sender type that does not exist."""
    if unknown := kinds - {*SENDER_TYPES}:
        known = ", ".join(SENDER_TYPES)
        raise ValueError(f"unknown sender type: {min(unknown)}; known are {known}")


def _trial(sandbox: Sandbox, name: str, value: Any) -> Apply:
    if value is not None and (isinstance(value, bool) or not isinstance(value, int) or value < 0):
        raise TypeError(f"{name} must be a number of messages a day, or null")
    return lambda: setattr(sandbox.settings, name, value)


_CHANGES: dict[str, Callable[[Any, str, Any], Apply]] = {
    "latency": _on_sandbox,
    "history_lag": _on_sandbox,
    "history": _behaviour(HistoryBehaviour),
    "rate_limit": _rate_limit,
    "auto_deliver": _auto_deliver,
    "push": _behaviour(PushBehaviour),
    "balance": _balance,
    "prices": _prices,
    "strict": _flag,
    "throttle_window": _in_settings,
    "rules_required": _flag,
    "reject": _reject,
    "disabled_countries": _disabled,
    "barred_senders": _barred,
    "trial": _trial,
}
