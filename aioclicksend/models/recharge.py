"""Credit: packages, purchases, the card they are paid with."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from decimal import Decimal
from typing import ClassVar

from msgspec import field

from .base import Currency, Model


class CreditCard(Model):
    """The card credit is paid with, as far as it is shown."""

    display_number: str | None = None
    expiry_month: int | None = None
    expiry_year: int | None = None
    name: str | None = None


class CardToken(Model):
    """What stands for a card that was stored."""

    token: str | None = None


class Package(Model):
    """Credit for sale, and what its money would buy of each channel."""

    package_id: int | None = None
    package_price: Decimal | None = None
    price_rate: int | None = None
    sms_price: Decimal | None = None
    sms_quantity: Decimal | None = None
    price_sms_carrier_fee: Decimal | None = None
    voice_mobile_price: Decimal | None = None
    voice_mobile_quantity: Decimal | None = None
    voice_landline_price: Decimal | None = None
    voice_landline_quantity: Decimal | None = None
    mms_price: Decimal | None = None
    mms_quantity: Decimal | None = None
    price_mms_carrier_fee: Decimal | None = None
    fax_price: Decimal | None = None
    fax_quantity: Decimal | None = None
    email_price: Decimal | None = None
    email_quantity: Decimal | None = None
    post_letter_black_price: Decimal | None = None
    post_letter_black_quantity: Decimal | None = None
    post_letter_colour_price: Decimal | None = None
    post_letter_colour_quantity: Decimal | None = None
    post_page_black_price: Decimal | None = None
    post_page_colour_price: Decimal | None = None
    post_direct_mail_dl_price: Decimal | None = None
    post_direct_mail_a5_price: Decimal | None = None
    post_direct_mail_min_quantity: Decimal | None = None
    postcard_price: Decimal | None = None
    postcard_quantity: Decimal | None = None
    automation_price: Decimal | None = None


class Packages(Model):
    """All packages, and the money they are sold in."""

    # Documented with and without the underscore.
    also_known_as: ClassVar[Mapping[str, str]] = {"currency": "_currency"}

    packages: list[Package] = []  # noqa: RUF012 - msgspec copies it
    currency: Currency | None = field(name="_currency", default=None)


class Purchase(Model):
    """Credit that was bought."""

    user_id: int | None = None
    amount: Decimal | None = None
    currency: str | None = None
    amount_aud: Decimal | None = None
    date: datetime | None = None


class Transaction(Model):
    """A payment."""

    invoice_number: str | None = None
    amount: Decimal | None = None
    currency: str | None = None
    date: datetime | None = None
