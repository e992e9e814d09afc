"""Countries."""

from __future__ import annotations

from datetime import datetime

from .base import Model


class Country(Model):
    """A country and its ISO code."""

    code: str | None = None
    value: str | None = None


class ListedCountry(Model):
    """A country that can be selected for sending."""

    id: int | None = None
    name: str | None = None
    code: str | None = None
    region: str | None = None


class Registration(Model):
    """A name with an id: who registers senders of a country, or how far that is."""

    id: int | None = None
    name: str | None = None


class SelectedCountry(ListedCountry):
    """A country the account may send to, and what it asks of senders."""

    agreed_at: datetime | None = None
    registration_entity: Registration | None = None
    registration_status: Registration | None = None
    jotform_id: str | None = None
    sms_registration_type: int | None = None
    block_registration: bool | None = None
    block_leads: bool | None = None
    trial_from_address: str | None = None
    restricted_sending: bool | None = None
    trial_sending: bool | None = None
    trial_sending_description: str | None = None
    has_regulation_requirements: bool | None = None
    registration_steps_url: str | None = None
    regulation_requirements_description: str | None = None
