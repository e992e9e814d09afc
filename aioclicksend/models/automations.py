"""Automation rules, and the rules by which mails become SMS."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

from msgspec import field

from .base import Model


class ReceiptRule(Model):
    """What is done with receipts."""

    receipt_rule_id: int | None = None
    rule_name: str | None = None
    match_type: int | None = None
    """0 all, 1 failed, 2 successful."""
    action: str | None = None
    """``URL``, ``POLL`` and others; an open set."""
    action_address: str | None = None
    enabled: bool | None = None


class InboundRule(Model):
    """What is done with messages received."""

    # Documented under both names, by example.
    also_known_as: ClassVar[Mapping[str, str]] = {"sms_inbound_rule_id": "inbound_rule_id"}

    inbound_rule_id: int | None = None
    dedicated_number: str | None = None
    """The number it is for, ``*`` for any."""
    rule_name: str | None = None
    action: str | None = None
    """``URL``, ``POLL`` and others; an open set."""
    action_address: str | None = None
    enabled: bool | None = None


class SmsInboundRule(InboundRule):
    """What is done with SMS received."""

    message_search_type: int | None = None
    """0 any, 1 starts with, 2 contains, 3 does not contain."""
    message_search_term: str | None = None
    body: str | None = None
    webhook_type: str | None = None
    """``post``, ``get`` or ``json``."""


class FaxInboundRule(InboundRule):
    """What is done with faxes received."""

    user_id: int | None = None


class EmailToSmsAddress(Model):
    """A mail address that may send SMS by mail."""

    email_address_id: int | None = None
    email_address: str | None = None
    from_: str | None = field(name="from", default=None)
    from_fax: str | None = None
    voice: str | None = None
    lang: str | None = None
    subaccount_id: int | None = None
    subaccount_name: str | None = field(name="_subaccount_name", default=None)


class StrippedString(Model):
    """A text that is cut out of mails before they are sent as SMS."""

    # Documented under both names.
    also_known_as: ClassVar[Mapping[str, str]] = {"stripped_string": "strip_string"}

    rule_id: int | None = None
    strip_string: str | None = None
