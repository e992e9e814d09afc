"""Money: what a message costs, in whole ten-thousandths of the account's currency.

The tariff is plausible, not ClickSend's.
"""

from __future__ import annotations

from decimal import Decimal

#: Ten-thousandths in one unit of currency.
SCALE = 10_000

_SMS = {
    "AU": 770, "CA": 330, "CN": 540, "DE": 980, "ES": 810, "FR": 720, "GB": 480, "HK": 690,
    "IE": 760, "IN": 620, "IT": 850, "JP": 830, "NL": 1040, "NZ": 1030, "SG": 560, "US": 290,
    "ZA": 310,
}  # fmt: skip
_SMS_ELSEWHERE = 1100
_MMS = {"AU": 3600, "CA": 900, "NZ": 4100, "US": 900}
_MMS_ELSEWHERE = 4500
_VOICE = {"AU": 385, "CA": 220, "GB": 310, "NZ": 410, "US": 220}
_VOICE_ELSEWHERE = 900

_TARIFFS = {
    "sms": (_SMS, _SMS_ELSEWHERE),
    "mms": (_MMS, _MMS_ELSEWHERE),
    "voice": (_VOICE, _VOICE_ELSEWHERE),
}

_CURRENCIES = {
    "AUD": ("$", "c", "Australian Dollars"),
    "USD": ("$", "c", "US Dollars"),
    "EUR": ("€", "c", "Euros"),
    "GBP": ("£", "p", "British Pounds"),
    "JPY": ("¥", "", "Japanese Yen"),
}


def currency(code: str) -> dict[str, str]:
    """Return a currency as most endpoints describe it."""
    major, minor, name = _CURRENCIES.get(code, (code, "", code))
    return {
        "currency_name_short": code,
        "currency_prefix_d": major,
        "currency_prefix_c": minor,
        "currency_name_long": name,
    }


def full_currency(code: str) -> dict[str, str]:
    """Return a currency as the account and the campaigns describe it."""
    return {
        **currency(code),
        "min_recharge_amount": "20.00",
        "max_recharge_amount": "10000.00",
    }


def price(channel: str, country: str) -> int:
    """Return the price of one part."""
    table, elsewhere = _TARIFFS[channel]
    return table.get(country, elsewhere)


def from_decimal(amount: str | Decimal) -> int:
    """Read an amount such as `"1000.00"`; ValueError unless it is whole ten-thousandths."""
    try:
        scaled = Decimal(amount) * SCALE
        whole = int(scaled)
    except (ArithmeticError, ValueError):
        raise ValueError(f"not an amount of money: {amount!r}") from None
    # Rounded money would make the sum of the rows differ from the balance.
    if whole != scaled:
        raise ValueError(f"an amount has at most four decimals, not {amount!r}")
    return whole


def to_decimal(amount: int) -> Decimal:
    """Return an amount in units of currency."""
    return Decimal(amount) / SCALE


def four_decimals(amount: int) -> str:
    """Write a price as a row carries it."""
    return f"{amount // SCALE}.{amount % SCALE:04d}"


def six_decimals(amount: int) -> str:
    """Write a balance as the account carries it."""
    # // rounds down: -0.5 would become -1.5 without it.
    sign = "-" if amount < 0 else ""
    return f"{sign}{abs(amount) // SCALE}.{abs(amount) % SCALE:04d}00"


def as_number(amount: int) -> int | float:
    """Write a total: a bare `0` when nothing is due.

    The live API does so too. [live notes] github.com/prayantr/clicksend
    """
    return round(amount / SCALE, 4) if amount else 0
