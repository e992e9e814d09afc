"""Letters and postcards."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from decimal import Decimal
from typing import ClassVar

from msgspec import field

from .base import Currency, Model
from .inputs import Input


class PostRecipient(Input):
    """Who a letter or postcard is sent to."""

    address_name: str
    address_line_1: str
    address_city: str
    address_state: str
    address_postal_code: str
    address_country: str
    return_address_id: int
    """One of `client.post.return_addresses`."""
    address_line_2: str | None = None
    schedule: datetime | int | None = None


class Address(Model):
    """A postal address."""

    address_name: str | None = None
    address_line_1: str | None = None
    address_line_2: str | None = None
    address_city: str | None = None
    address_state: str | None = None
    address_postal_code: str | None = None
    address_country: str | None = None


class ReturnAddress(Address):
    """Where undeliverable post goes."""

    return_address_id: int | None = None
    user_id: int | None = None


class PostRow(Address):
    """One letter or postcard of a send, price or history reply."""

    message_id: str | None = None
    status: str = ""
    """Can be compound, as ``Queued:Stamped``."""
    status_code: str | None = None
    status_text: str | None = None
    return_address_id: int | None = None
    return_address: ReturnAddress | None = field(name="_return_address", default=None)
    colour: bool | None = None
    duplex: bool | None = None
    priority_post: bool | None = None
    priority: int | None = None
    post_pages: int | None = None
    # Seen as 11 and as "1.710000".
    post_price: Decimal | None = None
    post_price_supplier: Decimal | None = None
    message_id_supplier: str | None = None
    date_added: datetime | None = None
    schedule: datetime | None = None
    custom_string: str | None = None
    source: str | None = None
    list_id: int | None = None
    user_id: int | None = None
    subaccount_id: int | None = None
    ip_address: str | None = None
    letter_file_name: str | None = None
    api_username: str | None = field(name="_api_username", default=None)
    file_url: str | None = field(name="_file_url", default=None)


class PostResult(Model):
    """What the server said about the post of one request, or what it would cost."""

    also_known_as: ClassVar[Mapping[str, str]] = {"total_cost": "total_count"}  # sic, in prices

    total_price: Decimal | None = None
    total_count: int | None = None
    queued_count: int | None = None
    recipients: list[PostRow] = []  # noqa: RUF012 - msgspec copies it
    currency: Currency | None = field(name="_currency", default=None)
