"""Numbers bought, numbers of one's own, alpha tags and default senders."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal

from msgspec import field

from .base import Currency, Model
from .inputs import Input


class NumberStatus(Model):
    """How far a dedicated number is."""

    value: int | None = None
    """From 0 to 5."""
    label: str | None = None
    description: str | None = None
    name: str | None = None


class DedicatedNumber(Model):
    """A number the account rents."""

    dedicated_number: str | None = None
    country: str | None = None
    country_name: str | None = field(name="_country_name", default=None)
    price: Decimal | None = None
    notes: str | None = None
    type: str | None = None
    number_type: str | None = None
    number_category: str | None = None
    number_guid: str | None = None
    form_submission_id: str | None = None
    # An enum, written as an object.
    status: NumberStatus | None = None


class AvailableNumber(Model):
    """A number that can be bought."""

    dedicated_number: str | None = None
    country: str | None = None
    country_name: str | None = None
    price_setup: Decimal | None = None
    price_monthly: Decimal | None = None
    price_total: Decimal | None = None
    address_requirement: str | None = None


class NumberPurchase(Model):
    """What a number bought costs."""

    dedicated_number: str | None = None
    country: str | None = None
    price_total: Decimal | None = None
    price_setup: Decimal | None = field(name="_price_setup", default=None)
    price_monthly: Decimal | None = field(name="_price_monthly", default=None)
    currency: Currency | None = field(name="_currency", default=None)


class NumberHolder(Input):
    """Who holds a number, as Australia wants to know."""

    business_name: str
    business_address: str
    suburb: str
    postcode: str
    state: str
    contact_name: str
    contact_number: str
    country: str


class OwnNumber(Model):
    """A number of one's own, verified to be a sender."""

    id: str | None = None
    account_id: str | None = None
    workspace_id: str | None = None
    user_id: str | None = None
    phone_number: str | None = None
    country: str | None = None
    label: str | None = None
    status: str | None = None
    """``PENDING``, ``APPROVED`` or ``REJECTED``."""
    # ISO text, unlike the unix seconds of all older resources.
    verified_timestamp: datetime | None = None
    notified_timestamp: datetime | None = None
    is_nearing_expiration: bool | None = None
    created_timestamp: datetime | None = None
    updated_timestamp: datetime | None = None


class OwnNumberVerification(Model):
    """A verification under way: a code was sent to the number."""

    id: str | None = None
    own_number_id: str | None = None
    status: str | None = None
    remaining_attempts: int | None = None
    expires_timestamp: datetime | None = None
    created_timestamp: datetime | None = None
    updated_timestamp: datetime | None = None


class AlphaTag(Model):
    """A sender name of letters."""

    id: str | None = None
    account_id: str | None = None
    workspace_id: str | None = None
    user_id: str | None = None
    alpha_tag: str | None = None
    status: str | None = None
    reason: str | None = None
    countries: list[str] = []  # noqa: RUF012 - msgspec copies it
    created_timestamp: datetime | None = None
    updated_timestamp: datetime | None = None


class BusinessInfo(Input):
    """How a business is reached."""

    website: str | None = None
    phone_number: str | None = None


class BusinessAddress(Input):
    """Where a business is."""

    addr_line1: str | None = None
    addr_line2: str | None = None
    city: str | None = None
    state: str | None = None
    postal: str | None = None


class Representative(Input):
    """Who speaks for a business."""

    first_name: str | None = None
    last_name: str | None = None
    email: str | None = None


class PartnerRepresentative(Representative):
    """Who speaks for a partner."""

    title: str | None = None


class AlphaTagBusiness(Input):
    """The business behind an alpha tag; the ``partner_`` fields are for an entity associate."""

    country: str
    business_name: str | None = None
    business_relationship: str | None = None
    """``PRIMARY`` or ``ENTITY_ASSOCIATE``."""
    business_info: BusinessInfo | None = None
    business_address: BusinessAddress | None = None
    representative: Representative | None = None
    abn: str | None = None
    partner_business_name: str | None = None
    partner_abn: str | None = None
    partner_business_info: BusinessInfo | None = None
    partner_business_address: BusinessAddress | None = None
    partner_representative: PartnerRepresentative | None = None


class SenderStrategy(Input):
    """A sender to try for a country."""

    sender_type: str
    """``alpha_tag``, ``10DLC``, ``tollfree``, ``own_number``, ``shortcode``, ``longcode`` or
    ``shared_longcode``."""
    sender_id: str
    sender_country_code: str | None = None
    note: str | None = None


class DefaultSenderStrategy(Model):
    """A sender that is tried for a country."""

    sender_type: str | None = None
    sender_id: str | None = None
    sender_country_code: str | None = None
    priority: int | None = None
    status: str | None = None
    """``ENABLED`` or ``DISABLED``."""
    note: str | None = None


class DefaultSender(Model):
    """Which senders stand for messages to a country that name none."""

    id: str | None = None
    user_id: int | None = None
    subaccount_id: int | None = None
    country_code: str | None = None
    product_type: str | None = None
    default_sender_strategies: list[DefaultSenderStrategy] = []  # noqa: RUF012 - msgspec copies it
    status: str | None = None
    """``ENABLED`` or ``DISABLED``."""
    created_timestamp: datetime | None = None
    updated_timestamp: datetime | None = None


class AllowedCountries(Model):
    """Where senders of a type may come from."""

    # A keyword in Python.
    global_: bool | None = field(name="global", default=None)
    country_codes: list[str] = []  # noqa: RUF012 - msgspec copies it


class AllowedSenderType(Model):
    """A type of sender that a country lets through."""

    sender_type: str | None = None
    allowed_sender_countries: AllowedCountries | None = None


class CompliantSenderTypes(Model):
    """Which types of senders a country lets through."""

    recipient_country_code: str | None = None
    blocked_sender_types: list[str] = []  # noqa: RUF012 - msgspec copies it
    allowed_sender_types: list[AllowedSenderType] = []  # noqa: RUF012 - msgspec copies it
