"""The groups of operations, each imported when it is first used.

Importing all of them takes longer than importing aiohttp.
"""

# ruff: noqa: PLC0415

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING

from .session import Session

if TYPE_CHECKING:
    from .api.account import AccountGroup, Referrals, Reseller, Subaccounts, Verification
    from .api.automations import Automations
    from .api.connections import Connections
    from .api.contacts import Contacts, Lists
    from .api.countries import Countries
    from .api.email import EmailGroup
    from .api.email_to_sms import EmailToSms
    from .api.fax import Fax
    from .api.mms import Mms
    from .api.numbers import AlphaTags, DefaultSenders, Numbers, OwnNumbers
    from .api.post import Post
    from .api.recharge import Recharge
    from .api.reports import DeliveryIssues, ShortUrls, Statistics
    from .api.sms import Sms
    from .api.uploads import Uploads
    from .api.voice import Voice
    from .api.webhooks import Webhooks


class Groups:
    """All groups of the API, as attributes."""

    _session: Session

    # Cached on the client: a group is an object per client, made when it is first asked for.
    @cached_property
    def account(self) -> AccountGroup:
        """The account behind the credentials."""
        from .api.account import AccountGroup

        return AccountGroup(self._session)

    @cached_property
    def verification(self) -> Verification:
        """Forgotten user names and passwords."""
        from .api.account import Verification

        return Verification(self._session)

    @cached_property
    def subaccounts(self) -> Subaccounts:
        """Logins below the account."""
        from .api.account import Subaccounts

        return Subaccounts(self._session)

    @cached_property
    def reseller(self) -> Reseller:
        """Accounts of a reseller's clients."""
        from .api.account import Reseller

        return Reseller(self._session)

    @cached_property
    def referrals(self) -> Referrals:
        """Accounts that were referred by this one."""
        from .api.account import Referrals

        return Referrals(self._session)

    @cached_property
    def recharge(self) -> Recharge:
        """Credit: packages, purchases, payments."""
        from .api.recharge import Recharge

        return Recharge(self._session)

    @cached_property
    def sms(self) -> Sms:
        """SMS, their templates and campaigns."""
        from .api.sms import Sms

        return Sms(self._session)

    @cached_property
    def mms(self) -> Mms:
        """MMS and their campaigns."""
        from .api.mms import Mms

        return Mms(self._session)

    @cached_property
    def voice(self) -> Voice:
        """Text-to-speech calls."""
        from .api.voice import Voice

        return Voice(self._session)

    @cached_property
    def email(self) -> EmailGroup:
        """Mails, their campaigns, templates and sender addresses."""
        from .api.email import EmailGroup

        return EmailGroup(self._session)

    @cached_property
    def fax(self) -> Fax:
        """Fax."""
        from .api.fax import Fax

        return Fax(self._session)

    @cached_property
    def post(self) -> Post:
        """Letters, postcards, return addresses."""
        from .api.post import Post

        return Post(self._session)

    @cached_property
    def lists(self) -> Lists:
        """Contact lists."""
        from .api.contacts import Lists

        return Lists(self._session)

    @cached_property
    def contacts(self) -> Contacts:
        """The contacts on a list."""
        from .api.contacts import Contacts

        return Contacts(self._session)

    @cached_property
    def automations(self) -> Automations:
        """Rules for messages received and for receipts, by channel."""
        from .api.automations import Automations

        return Automations(self._session)

    @cached_property
    def webhooks(self) -> Webhooks:
        """Pushes of receipts and messages received to an address."""
        from .api.webhooks import Webhooks

        return Webhooks(self._session)

    @cached_property
    def email_to_sms(self) -> EmailToSms:
        """Mail addresses that may send SMS by mail."""
        from .api.email_to_sms import EmailToSms

        return EmailToSms(self._session)

    @cached_property
    def numbers(self) -> Numbers:
        """Dedicated numbers."""
        from .api.numbers import Numbers

        return Numbers(self._session)

    @cached_property
    def own_numbers(self) -> OwnNumbers:
        """Numbers of your own as senders."""
        from .api.numbers import OwnNumbers

        return OwnNumbers(self._session)

    @cached_property
    def alpha_tags(self) -> AlphaTags:
        """Sender names."""
        from .api.numbers import AlphaTags

        return AlphaTags(self._session)

    @cached_property
    def default_senders(self) -> DefaultSenders:
        """Senders of messages that name none, by country."""
        from .api.numbers import DefaultSenders

        return DefaultSenders(self._session)

    @cached_property
    def countries(self) -> Countries:
        """Countries, and to which of them the account may send."""
        from .api.countries import Countries

        return Countries(self._session)

    @cached_property
    def uploads(self) -> Uploads:
        """Files for MMS, fax, post and imports."""
        from .api.uploads import Uploads

        return Uploads(self._session)

    @cached_property
    def short_urls(self) -> ShortUrls:
        """Clicks on short links."""
        from .api.reports import ShortUrls

        return ShortUrls(self._session)

    @cached_property
    def statistics(self) -> Statistics:
        """Messages sent, day by day."""
        from .api.reports import Statistics

        return Statistics(self._session)

    @cached_property
    def delivery_issues(self) -> DeliveryIssues:
        """Reports of failed deliveries."""
        from .api.reports import DeliveryIssues

        return DeliveryIssues(self._session)

    @cached_property
    def connections(self) -> Connections:
        """ClickSend accounts connected to Maton."""
        from .api.connections import Connections

        return Connections(self._session)
