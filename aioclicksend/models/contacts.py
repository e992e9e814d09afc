"""Contact lists and contacts."""

from __future__ import annotations

from datetime import datetime

from msgspec import field

from .base import Model


class ContactList(Model):
    """A list of contacts."""

    list_id: int | None = None
    list_name: str | None = None
    list_email_id: str | None = None
    contacts_count: int | None = field(name="_contacts_count", default=None)
    import_in_progress: bool | None = field(name="_import_in_progress", default=None)
    optout_in_progress: bool | None = field(name="_optout_in_progress", default=None)


class Contact(Model):
    """A person on a list. Fields that were never set are null or empty."""

    contact_id: int | None = None
    list_id: int | None = None
    phone_number: str | None = None
    first_name: str | None = None
    last_name: str | None = None
    custom_1: str | None = None
    custom_2: str | None = None
    custom_3: str | None = None
    custom_4: str | None = None
    # A number in the current documents, text in the older ones.
    date_added: datetime | None = None
    date_updated: datetime | None = None
    fax_number: str | None = None
    organization_name: str | None = None
    email: str | None = None
    address_line_1: str | None = None
    address_line_2: str | None = None
    address_city: str | None = None
    address_state: str | None = None
    address_postal_code: str | None = None
    address_country: str | None = None
    list_name: str | None = field(name="_list_name", default=None)


class Deleted(Model):
    """How many contacts were removed."""

    deleted: int | None = None


class Found(Model):
    """A contact or a list that a search found."""

    id: int | None = None
    type: str | None = None
    """``contact`` or ``list``."""
    name: str | None = None
    contact: str | None = None
    """The number of a contact, or the `list_email_id` of a list."""
    contacts_count: int | None = None


class ContactImport(Model):
    """An import that was started."""

    msg: str | None = None
    # The id twice, and as text.
    ids: list[str] = []  # noqa: RUF012 - msgspec copies it
    id: str | None = None
