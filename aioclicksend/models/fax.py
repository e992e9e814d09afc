"""Faxes."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal

from msgspec import field

from .base import Currency, Model
from .inputs import Input


class FaxMessage(Input):
    """One fax; what it shows stands once for all faxes of a request."""

    to: str | None = None
    list_id: int | None = None
    """A contact list in place of `to`."""
    from_: str | None = field(name="from", default=None)
    source: str | None = None
    schedule: datetime | int | None = None
    custom_string: str | None = None
    country: str | None = None
    from_email: str | None = None


class FaxRow(Model):
    """One fax of a send, price or history reply."""

    message_id: str | None = None
    to: str | None = None
    from_: str | None = field(name="from", default=None)
    from_email: str | None = None
    status: str = ""
    status_code: str | None = None
    status_text: str | None = None
    date: datetime | None = None
    date_added: datetime | None = None
    schedule: datetime | None = None
    message_pages: int | None = None
    """Came as ``"6.00"`` in histories."""
    message_price: Decimal | None = None
    custom_string: str | None = None
    country: str | None = None
    carrier: str | None = None
    list_id: int | None = None
    user_id: int | None = None
    subaccount_id: int | None = None
    api_username: str | None = field(name="_api_username", default=None)
    file_url: str | None = field(name="_file_url", default=None)


class FaxResult(Model):
    """What the server said about the faxes of one request, or what they would cost."""

    total_price: Decimal | None = None
    total_count: int | None = None
    queued_count: int | None = None
    messages: list[FaxRow] = []  # noqa: RUF012 - msgspec copies it
    currency: Currency | None = field(name="_currency", default=None)
