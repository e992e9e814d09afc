"""The account, its countries and sender addresses, and Maton's connections."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from typing import Any

from msgspec import field

from .base import Currency, Model


class Subaccount(Model):
    """A login below an account. Its API key comes in clear text."""

    subaccount_id: int | None = None
    api_username: str | None = None
    email: str | None = None
    phone_number: str | None = None
    first_name: str | None = None
    last_name: str | None = None
    api_key: str | None = None
    access_smpp: bool | None = None
    access_users: bool | None = None
    access_billing: bool | None = None
    access_reporting: bool | None = None
    access_contacts: bool | None = None
    access_settings: bool | None = None
    access_sms: bool | None = None
    access_email: bool | None = None
    access_voice: bool | None = None
    access_fax: bool | None = None
    access_post: bool | None = None
    access_reseller: bool | None = None
    access_global_sending: bool | None = None
    access_mms: bool | None = None
    hide_pricing: bool | None = None
    share_campaigns: bool | None = None
    notes: str | None = None
    is_main: bool | None = None
    sign_up_type: str | None = None


class Referrer(Model):
    """How the account heard of ClickSend."""

    id: int | None = None
    name: str | None = None


class Account(Model):
    """The account behind the credentials."""

    user_id: int | None = None
    username: str | None = None
    user_email: str | None = None
    active: bool | None = None
    banned: bool | None = None
    date_sign_up: datetime | None = None
    balance: Decimal | None = None
    balance_commission: Decimal | None = None
    user_phone: str | None = None
    reply_to: str | None = None
    delivery_to: str | None = None
    user_first_name: str | None = None
    user_last_name: str | None = None
    account: int | None = None
    account_name: str | None = None
    account_billing_email: str | None = None
    account_billing_mobile: str | None = None
    priority: int | None = None
    country: str | None = None
    country_ip: str | None = None
    default_country_sms: str | None = None
    auto_recharge: bool | None = None
    auto_recharge_amount: Decimal | None = None
    low_credit_amount: Decimal | None = None
    setting_unicode_sms: int | None = None
    setting_email_sms_subject: bool | None = None
    setting_fix_sender_id: bool | None = None
    setting_sms_message_char_limit: int | None = None
    """SMS parts (6 in examples) after which a body is cut; characters in old data."""
    old_dashboard: bool | None = None
    timezone: str | None = None
    price_rate: int | None = None
    private_uploads: bool | None = None
    fax_quality: int | None = None
    setting_sms_hide_your_number: bool | None = None
    setting_sms_hide_business_name: bool | None = None
    pricing_variant: int | None = None
    on_trial: bool | None = None
    trial_expiry: str | None = None
    currency: Currency | None = field(name="_currency", default=None)
    subaccount: Subaccount | None = field(name="_subaccount", default=None)
    referrer_chosen: Referrer | None = field(name="_referrer_chosen", default=None)


class Country(Model):
    """A country and its ISO code."""

    code: str | None = None
    value: str | None = None


class EmailAddress(Model):
    """An address mails may be sent from, once it is verified."""

    email_address_id: int | None = None
    email_address: str | None = None
    verified: bool | None = None
    date_added: datetime | None = None


class Connection(Model):
    """A ClickSend account connected to Maton."""

    connection_id: str | None = None
    status: str | None = None
    """``ACTIVE``, ``PENDING`` or ``FAILED``."""
    url: str | None = None
    """Where a person finishes signing in; it is a secret while the connection is pending."""
    app: str | None = None
    method: str | None = None
    creation_time: datetime | None = None
    last_updated_time: datetime | None = None
    metadata: Any = None
