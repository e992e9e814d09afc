"""Mails, mail campaigns, templates and sender addresses."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from decimal import Decimal
from typing import ClassVar

from msgspec import field

from .base import Currency, Model
from .campaigns import Campaign, CampaignPrice
from .inputs import Input


class EmailRecipient(Input):
    """Who a mail is sent to."""

    email: str
    name: str | None = None


class EmailSender(Input):
    """Who a mail is from: one of `client.email.addresses`, which must be verified."""

    # Documented as a number and as text.
    email_address_id: int | str
    name: str | None = None


class EmailAttachment(Input):
    """A file in a mail."""

    content: str
    """The file in base64."""
    type: str | None = None
    """Its MIME type."""
    filename: str | None = None
    disposition: str | None = None
    """``attachment`` or ``inline``."""
    content_id: str | None = None
    """The name by which ``cid:`` in the body refers to an inline file."""


class EmailMessage(Input):
    """One mail, the same for all its recipients."""

    to: Sequence[EmailRecipient]
    from_: EmailSender = field(name="from")
    subject: str
    body: str
    """HTML."""
    cc: Sequence[EmailRecipient] | None = None
    bcc: Sequence[EmailRecipient] | None = None
    attachments: Sequence[EmailAttachment] | None = None
    schedule: datetime | int | None = None
    """When to send: an aware time or unix seconds; now if absent."""


class EmailPerson(Model):
    """A recipient of a mail."""

    email: str | None = None
    name: str | None = None


class AttachedFile(Model):
    """A file in a mail that was sent."""

    file_name: str | None = None
    content_type: str | None = None
    content_disposition: str | None = None
    content_id: str | None = None
    url: str | None = field(name="_attachment_file_url", default=None)


class Email(Model):
    """A mail that was sent or is about to be."""

    message_id: str | None = None
    status: str = ""
    """E.g. ``WaitApproval``; an open set."""
    status_text: str | None = None
    from_email_address_id: int | None = None
    from_name: str | None = None
    to: list[EmailPerson] = []  # noqa: RUF012 - msgspec copies it
    cc: list[EmailPerson] = []  # noqa: RUF012 - msgspec copies it
    bcc: list[EmailPerson] = []  # noqa: RUF012 - msgspec copies it
    subject: str | None = None
    body: str | None = None
    body_plain_text: str | None = None
    schedule: datetime | None = None
    date_added: datetime | None = None
    price: Decimal | None = None
    custom_string: str | None = None
    soft_bounce_count: int | None = None
    hard_bounce_count: int | None = None
    user_id: int | None = None
    subaccount_id: int | None = None
    attachments: list[AttachedFile] = field(name="_attachments", default_factory=list)
    currency: Currency | None = field(name="_currency", default=None)


class EmailPrice(Model):
    """What a mail would cost."""

    price: Decimal | None = None
    subject: str | None = None
    body: str | None = None
    # Named so in older documents only; the current ones show a pager here, by mistake.
    to_array: list[EmailPerson] = []  # noqa: RUF012 - msgspec copies it
    cc_array: list[EmailPerson] = []  # noqa: RUF012 - msgspec copies it
    bcc_array: list[EmailPerson] = []  # noqa: RUF012 - msgspec copies it
    currency: Currency | None = field(name="_currency", default=None)


class EmailAddress(Model):
    """An address mails may be sent from, once it is verified."""

    email_address_id: int | None = None
    email_address: str | None = None
    verified: bool | None = None
    date_added: datetime | None = None


class EmailCampaign(Campaign):
    """A mail to a whole list, and how it fared."""

    email_campaign_id: int | None = None
    subject: str | None = None
    from_email_address_id: int | None = None
    from_name: str | None = None
    template_id: int | None = None
    body_plain_text: str | None = None
    send_count: int | None = None
    open_count: int | None = None
    click_count: int | None = None
    hard_bounce_count: int | None = None
    soft_bounce_count: int | None = None
    abuse_count: int | None = None
    unsubscribe_count: int | None = None


class EmailCampaignResult(CampaignPrice):
    """What a mail campaign costs, and the campaign itself."""

    also_known_as: ClassVar[Mapping[str, str]] = {
        "currency": "_currency",
        "totlal_count": "total_count",  # as the documents spell it
    }

    queued_count: int | None = None
    campaign: EmailCampaign | None = field(name="data", default=None)


class EmailCampaignRow(Model):
    """What became of a campaign's mail to one contact."""

    email_campaign_id: int | None = None
    message_id: str | None = None
    contact_id: int | None = None
    from_name: str | None = None
    from_address: str | None = None
    to_name: str | None = None
    to_address: str | None = None
    subject: str | None = None
    processed_at: datetime | None = None
    status: str | None = None
    open_count: int | None = None
    click_count: int | None = None
    hard_bounce_count: int | None = None
    soft_bounce_count: int | None = None


class EmailTemplate(Model):
    """A template of the account; lists leave out its body."""

    template_id: int | None = None
    template_id_master: int | None = None
    template_name: str | None = None
    body: str | None = None


class Thumbnail(Model):
    """Pictures of a template."""

    small: str | None = None
    large: str | None = None


class MasterTemplate(Model):
    """A template of ClickSend's, from which those of the account are made."""

    template_id_master: int | None = None
    template_name: str | None = None
    category_id: int | None = None
    date_added: datetime | None = None
    body: str | None = None
    thumbnail: Thumbnail | None = None


class TemplateCategory(Model):
    """A kind of master templates."""

    # A list says category_name, a single category says name.
    also_known_as: ClassVar[Mapping[str, str]] = {"name": "category_name"}

    category_id: int | None = None
    category_name: str | None = None
