"""Email: single mails, campaigns, templates and sender addresses."""

from datetime import datetime

from .. import rest
from ..models.email import (
    Email,
    EmailAddress,
    EmailCampaign,
    EmailCampaignResult,
    EmailCampaignRow,
    EmailMessage,
    EmailPrice,
    EmailTemplate,
    MasterTemplate,
    TemplateCategory,
)
from ..models.files import Export
from ..pages import Pages


class EmailAddresses(rest.Group):
    """Addresses mails may be sent from."""

    @rest.pages("/v3/email/addresses")
    def walk(self, *, limit: int = 100, prefetch: int = 4) -> Pages[EmailAddress]:
        """Walk the addresses."""
        ...

    @rest.get("/v3/email/addresses/{email_address_id}")
    async def get(self, email_address_id: int) -> EmailAddress:
        """Return one address."""
        ...

    @rest.post("/v3/email/addresses")
    async def create(self, *, email_address: str) -> EmailAddress:
        """Add an address; a mail to it asks for verification."""
        ...

    @rest.delete("/v3/email/addresses/{email_address_id}")
    async def delete(self, email_address_id: int) -> None:
        """Delete an address. This cannot be undone."""
        ...

    @rest.put("/v3/email/address-verify/{email_address_id}/send")
    async def send_verification(self, email_address_id: int) -> None:
        """Send the mail that asks for verification once more.

        The body that v6 shows for it and for `verify` was copied from elsewhere; none is sent.
        """
        ...

    @rest.put("/v3/email/address-verify/{email_address_id}/verify/{activation_token}")
    async def verify(self, email_address_id: int, activation_token: str) -> EmailAddress:
        """Verify an address by the token that was mailed to it."""
        ...


class EmailCampaigns(rest.Group):
    """Mails to whole lists."""

    @rest.pages("/v3/email-campaigns")
    def walk(self, *, limit: int = 100, prefetch: int = 4) -> Pages[EmailCampaign]:
        """Walk the campaigns."""
        ...

    @rest.get("/v3/email-campaigns/{email_campaign_id}")
    async def get(self, email_campaign_id: int) -> EmailCampaign:
        """Return one campaign and how it fared so far."""
        ...

    # The reply spells the count `totlal_count` and has its data nested twice (v6).
    @rest.post("/v3/email-campaigns/send")
    async def send(
        self,
        *,
        name: str,
        list_id: int,
        from_email_address_id: int,
        from_name: str,
        subject: str,
        body: str,
        template_id: int | None = None,
        schedule: datetime | int | None = None,
        draft: int | None = None,
        custom_string: str | None = None,
    ) -> EmailCampaignResult:
        """Send a mail to every contact of a list, now or at `schedule`. This spends money."""
        ...

    @rest.post("/v3/email-campaigns/price", repeatable=True)
    async def price(
        self,
        *,
        name: str,
        list_id: int,
        from_email_address_id: int,
        from_name: str,
        subject: str,
        body: str,
        template_id: int | None = None,
        schedule: datetime | int | None = None,
        draft: int | None = None,
        custom_string: str | None = None,
    ) -> EmailCampaignResult:
        """Return what a campaign would cost; nothing is sent."""
        ...

    @rest.put("/v3/email-campaigns/{email_campaign_id}")
    async def update(
        self,
        email_campaign_id: int,
        *,
        name: str,
        list_id: int,
        from_email_address_id: int,
        from_name: str,
        subject: str,
        body: str,
        template_id: int | None = None,
        schedule: datetime | int | None = None,
    ) -> EmailCampaign:
        """Replace a scheduled campaign."""
        ...

    @rest.put("/v3/email-campaigns/{email_campaign_id}/cancel")
    async def cancel(self, email_campaign_id: int) -> EmailCampaign:
        """Cancel a scheduled campaign. This cannot be undone.

        The body that v6 shows for it was copied from another operation; none is sent.
        """
        ...

    @rest.pages("/v3/email-campaigns/{email_campaign_id}/history")
    def history(
        self,
        email_campaign_id: int,
        *,
        date_from: datetime | int | None = None,
        date_to: datetime | int | None = None,
        limit: int = 100,
        prefetch: int = 4,
    ) -> Pages[EmailCampaignRow]:
        """Walk the mails of a campaign, one a contact, with opens and clicks."""
        ...

    @rest.get("/v3/email-campaigns/{email_campaign_id}/history/export")
    async def export_history(
        self,
        email_campaign_id: int,
        *,
        date_from: datetime | int | None = None,
        date_to: datetime | int | None = None,
    ) -> Export:
        """Have the history of a campaign written to a CSV; `client.download` fetches it."""
        ...


class EmailTemplates(rest.Group):
    """Templates of the account."""

    @rest.pages("/v3/email/templates")
    def walk(self, *, limit: int = 100, prefetch: int = 4) -> Pages[EmailTemplate]:
        """Walk the templates; their bodies are only in what `get` returns."""
        ...

    @rest.get("/v3/email/templates/{template_id}")
    async def get(self, template_id: int) -> EmailTemplate:
        """Return one template."""
        ...

    @rest.post("/v3/email/templates")
    async def create(self, *, template_name: str, template_id_master: int) -> EmailTemplate:
        """Make a template from a master template."""
        ...

    @rest.put("/v3/email/templates/{template_id}")
    async def update(
        self, template_id: int, *, body: str, template_name: str | None = None
    ) -> EmailTemplate:
        """Replace the body of a template."""
        ...

    @rest.delete("/v3/email/templates/{template_id}")
    async def delete(self, template_id: int) -> None:
        """Delete a template. This cannot be undone."""
        ...


class EmailMasterTemplates(rest.Group):
    """ClickSend's own templates. Its lists take `page` and `limit`, and come without a pager."""

    # Takes page and limit and answers a bare list all the same (v6): there is nothing to walk.
    @rest.get("/v3/email/master-templates")
    async def all(
        self, *, page: int | None = None, limit: int | None = None
    ) -> list[MasterTemplate]:
        """Return the templates."""
        ...

    @rest.get("/v3/email/master-templates/{template_id}")
    async def get(self, template_id: int) -> MasterTemplate:
        """Return one template."""
        ...

    @rest.get("/v3/email/master-templates-categories")
    async def categories(
        self, *, page: int | None = None, limit: int | None = None
    ) -> list[TemplateCategory]:
        """Return the categories."""
        ...

    @rest.get("/v3/email/master-templates-categories/{category_id}")
    async def get_category(self, category_id: int) -> TemplateCategory:
        """Return one category; the API calls its name ``name`` here, not ``category_name``."""
        ...

    @rest.get("/v3/email/master-templates-categories/{category_id}/master-templates")
    async def in_category(
        self, category_id: int, *, page: int | None = None, limit: int | None = None
    ) -> list[MasterTemplate]:
        """Return the templates of a category."""
        ...


class EmailGroup(rest.Group):
    """Email."""

    def __init__(self, session: rest.Caller) -> None:
        super().__init__(session)
        self.addresses: EmailAddresses = EmailAddresses(session)
        self.campaigns: EmailCampaigns = EmailCampaigns(session)
        self.templates: EmailTemplates = EmailTemplates(session)
        self.master_templates: EmailMasterTemplates = EmailMasterTemplates(session)

    # One message a request, and its row is the whole of `data`, not a list as for SMS (v6).
    @rest.post("/v3/email/send")
    async def send(self, message: EmailMessage) -> Email:
        """Send one mail, now or at its `schedule`. This spends money."""
        ...

    # v6 documents the reply of a list here by mistake; the model is that of older documents.
    @rest.post("/v3/email/price", repeatable=True)
    async def price(self, message: EmailMessage) -> EmailPrice:
        """Return what a mail would cost; nothing is sent.

        v6 documents an empty pager for the answer; older documents the price that comes.
        """
        ...

    @rest.pages("/v3/email/history")
    def history(
        self,
        *,
        date_from: datetime | int | None = None,
        date_to: datetime | int | None = None,
        limit: int = 100,
        prefetch: int = 4,
    ) -> Pages[Email]:
        """Walk the mails sent; the fields of the rows are not documented, see `Email.raw`."""
        ...

    @rest.get("/v3/email/history/export")
    async def export_history(
        self,
        *,
        filename: str,
        date_from: datetime | int | None = None,
        date_to: datetime | int | None = None,
    ) -> Export:
        """Have the history written to a CSV; `client.download` fetches it."""
        ...
