"""Accounts and subaccounts, their keys, usage and referrals."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal

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
    # The API writes flags as 0 and 1.
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
    """How the account's owner found ClickSend."""

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
    # Not documented, seen in live replies.
    ai_enabled: bool | None = None
    referrer_chosen: Referrer | None = field(name="_referrer_chosen", default=None)


class ApiKey(Model):
    """A new API key, in clear text."""

    api_key: str | None = None


class PhoneVerification(Model):
    """A verification of an account's phone number under way."""

    activation_token: str | None = None
    country: str | None = None
    type: str | None = None
    user_phone: str | None = None


class SubaccountUsage(Model):
    """What a subaccount sent by one channel in a month."""

    subaccount_id: int | None = None
    username: str | None = None
    total_count: Decimal | None = None
    """Came as ``"29.00"``, ``"10"`` and as a number."""
    total_price: Decimal | None = None
    notes: str | None = None


class UsageTotal(Model):
    """What the whole account sent by one channel in a month."""

    count: Decimal | None = None
    price: Decimal | None = None


class Usage(Model):
    """What an account sent in a month, by channel."""

    sms: list[SubaccountUsage] = []  # noqa: RUF012 - msgspec copies it
    mms: list[SubaccountUsage] = []  # noqa: RUF012 - msgspec copies it
    voice: list[SubaccountUsage] = []  # noqa: RUF012 - msgspec copies it
    fax: list[SubaccountUsage] = []  # noqa: RUF012 - msgspec copies it
    post: list[SubaccountUsage] = []  # noqa: RUF012 - msgspec copies it
    postcards: list[SubaccountUsage] = []  # noqa: RUF012 - msgspec copies it
    email: list[SubaccountUsage] = []  # noqa: RUF012 - msgspec copies it
    email_transactional: list[SubaccountUsage] = []  # noqa: RUF012 - msgspec copies it
    sms_total: UsageTotal | None = None
    mms_total: UsageTotal | None = None
    voice_total: UsageTotal | None = None
    fax_total: UsageTotal | None = None
    post_total: UsageTotal | None = None
    postcards_total: UsageTotal | None = None
    email_total: UsageTotal | None = None
    email_transactional_total: UsageTotal | None = None
    currency: Currency | None = field(name="_currency", default=None)


class Referral(Model):
    """An account that came by our referral."""

    referral_rule_id: int | None = None
    # Spelled as the API spells it.
    refered_user_id: int | None = None
    date_referred: datetime | None = None
    percentage_referral: Decimal | None = None
