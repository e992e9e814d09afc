"""Campaigns: one message to a whole list."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from decimal import Decimal
from typing import ClassVar

from msgspec import field

from .base import Currency, Model


class Campaign(Model):
    """What the campaigns of all channels have in common."""

    name: str | None = None
    list_id: int | None = None
    body: str | None = None
    status: str = ""
    """``Queued``, ``Sent``, ``Scheduled`` or ``Cancelled``; an open set."""
    # Documented as a number and as text.
    schedule: datetime | None = None
    date_added: datetime | None = None
    custom_string: str | None = None
    user_id: int | None = None
    subaccount_id: int | None = None
    total_count: int | None = field(name="_total_count", default=None)
    list_name: str | None = field(name="_list_name", default=None)


class CampaignSender(Model):
    """The sender that the recipients of one country see."""

    recipient_country_code: str | None = None
    sender_id: str | None = None
    sender_type: str | None = None
    sender_country_code: str | None = None


class SmsCampaign(Campaign):
    """An SMS to a whole list."""

    sms_campaign_id: int | None = None
    from_: str | None = field(name="from", default=None)
    source: str | None = None
    url_to_shorten: str | None = None
    unsubscribe_link: int | None = None
    senders: list[CampaignSender] = []  # noqa: RUF012 - msgspec copies it
    ip_address: str | None = None


class MmsCampaign(Campaign):
    """An MMS to a whole list."""

    mms_campaign_id: int | None = None
    from_: str | None = field(name="from", default=None)
    subject: str | None = None
    file_name: str | None = None
    media_file_url: str | None = field(name="_media_file_url", default=None)


class CampaignPrice(Model):
    """What a campaign would cost."""

    # Documented with and without the underscore.
    also_known_as: ClassVar[Mapping[str, str]] = {"currency": "_currency"}

    total_price: Decimal | None = None
    total_count: int | None = None
    currency: Currency | None = field(name="_currency", default=None)


class SmsCampaignPrice(CampaignPrice):
    """What an SMS campaign would cost."""

    # A price answers what it would send in a second `data`.
    campaign: SmsCampaign | None = field(name="data", default=None)


class MmsCampaignPrice(CampaignPrice):
    """What an MMS campaign would cost."""

    campaign: MmsCampaign | None = field(name="data", default=None)
