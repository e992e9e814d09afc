"""Statistics, delivery issues, and what became of short links."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal

from msgspec import field

from .base import Currency, Model


class Volume(Model):
    """How many messages, and for how much."""

    count: int | None = None
    price: Decimal | None = None


class Traffic(Model):
    """What went out, came in and bounced."""

    outbound: Volume | None = None
    inbound: Volume | None = None
    """Of SMS only."""
    bounced: Volume | None = None


class DayTraffic(Traffic):
    """The traffic of one day."""

    date: datetime | None = None


class TrafficStatistics(Model):
    """The traffic of a channel, in all and by day."""

    total: Traffic | None = None
    stats: list[DayTraffic] = []  # noqa: RUF012 - msgspec copies it
    currency: Currency | None = field(name="_currency", default=None)


class DeliveryIssue(Model):
    """A delivery that was complained about."""

    issue_id: str | None = None
    message_id: str | None = None
    type: str | None = None
    description: str | None = None
    client_comments: str | None = None
    support_comments: str | None = None
    status: str | None = None
    date_added: datetime | None = None
    resolved: bool | None = None
    email_address: str | None = None
    user_id: int | None = None


class LinkCounts(Model):
    """How often the short links of a message were opened."""

    total: int | None = None
    opened_unique: int | None = None
    opened_total: int | None = None
    unopened: int | None = None


class LabelCount(Model):
    """How many opens fall under a label."""

    label: str | None = None
    count: int | None = None


class LinkStatistics(Model):
    """Who opened a short link, in numbers."""

    long_url_id: str | None = None
    links: LinkCounts | None = None
    device: list[LabelCount] = []  # noqa: RUF012 - msgspec copies it
    os: list[LabelCount] = []  # noqa: RUF012 - msgspec copies it
    browser: list[LabelCount] = []  # noqa: RUF012 - msgspec copies it
    country: list[LabelCount] = []  # noqa: RUF012 - msgspec copies it
    region: list[LabelCount] = []  # noqa: RUF012 - msgspec copies it


class LinkContact(Model):
    """The contact who opened a link."""

    contact_id: str | None = None
    first_name: str | None = None
    last_name: str | None = None
    phone_number: str | None = None


class LinkOpen(Model):
    """One contact's opens of a short link."""

    open_count: int | None = None
    date_opened: datetime | None = None
    user_geo_country: str | None = None
    user_geo_region: str | None = None
    user_device: str | None = None
    user_browser: str | None = None
    user_os: str | None = None
    contact: LinkContact | None = None
