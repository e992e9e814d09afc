"""Campaigns: an SMS or an MMS to all contacts of a list."""

from collections.abc import Sequence
from datetime import datetime

from .. import rest
from ..models.campaigns import MmsCampaign, MmsCampaignPrice, SmsCampaign, SmsCampaignPrice
from ..models.inputs import Sender
from ..pages import Pages


class SmsCampaigns(rest.Group):
    """SMS to whole lists; a list may have up to 20 000 recipients."""

    @rest.pages("/v3/sms-campaigns")
    def walk(
        self,
        *,
        q: str | None = None,
        order_by: str | None = None,
        date_from: datetime | int | None = None,
        date_to: datetime | int | None = None,
        limit: int = 100,
        prefetch: int = 4,
    ) -> Pages[SmsCampaign]:
        """Walk the campaigns; `q` also finds a `custom_string`, unlike that of histories."""
        ...

    @rest.get("/v3/sms-campaigns/{sms_campaign_id}")
    async def get(self, sms_campaign_id: int) -> SmsCampaign:
        """Return one campaign."""
        ...

    @rest.post("/v3/sms-campaigns/send")
    async def send(
        self,
        *,
        list_id: int,
        name: str,
        body: str,
        from_: str | None = None,
        source: str | None = None,
        schedule: datetime | int | None = None,
        senders: Sequence[Sender | dict[str, str]] | None = None,
        url_to_shorten: str | None = None,
    ) -> SmsCampaign:
        """Send an SMS to every contact of a list, now or at `schedule`. This spends money.

        A short link stands for `url_to_shorten` where `body` says ``smsg.us/xxxxx``. The current
        documents call `from_` and `senders` required, older ones and the SDK do not.

        Raises:
            NotFound: there is no such list.

        """
        ...

    @rest.post("/v3/sms-campaigns/price", repeatable=True)
    async def price(
        self,
        *,
        list_id: int,
        name: str,
        body: str,
        from_: str | None = None,
        schedule: datetime | int | None = None,
        url_to_shorten: str | None = None,
    ) -> SmsCampaignPrice:
        """Return what a campaign would cost; nothing is sent."""
        ...

    @rest.put("/v3/sms-campaigns/{sms_campaign_id}")
    async def update(
        self,
        sms_campaign_id: int,
        *,
        list_id: int,
        name: str,
        body: str,
        from_: str | None = None,
        schedule: datetime | int | None = None,
        url_to_shorten: str | None = None,
    ) -> SmsCampaign:
        """Replace a scheduled campaign.

        Older documents say that leaving out `schedule` clears it, which sends the campaign at once.
        """
        ...

    @rest.put("/v3/sms-campaigns/{sms_campaign_id}/cancel")
    async def cancel(self, sms_campaign_id: int) -> SmsCampaign:
        """Cancel a scheduled campaign. This cannot be undone."""
        ...


class MmsCampaigns(rest.Group):
    """MMS to whole lists."""

    @rest.pages("/v3/mms-campaigns")
    def walk(self, *, limit: int = 100, prefetch: int = 4) -> Pages[MmsCampaign]:
        """Walk the campaigns; v6 documents this list without the usual envelope."""
        ...

    @rest.get("/v3/mms-campaigns/{mms_campaign_id}")
    async def get(self, mms_campaign_id: int) -> MmsCampaign:
        """Return one campaign."""
        ...

    @rest.post("/v3/mms-campaigns/send")
    async def send(
        self,
        *,
        list_id: int,
        name: str,
        subject: str,
        body: str,
        media_file: str,
        from_: str | None = None,
        schedule: datetime | int | None = None,
        url_to_shorten: str | None = None,
    ) -> MmsCampaign:
        """Send an MMS to every contact of a list, now or at `schedule`. This spends money."""
        ...

    @rest.post("/v3/mms-campaigns/price", repeatable=True)
    async def price(
        self,
        *,
        list_id: int,
        name: str,
        subject: str,
        body: str,
        media_file: str,
        from_: str | None = None,
        schedule: datetime | int | None = None,
        url_to_shorten: str | None = None,
    ) -> MmsCampaignPrice:
        """Return what a campaign would cost; nothing is sent."""
        ...

    @rest.put("/v3/mms-campaigns/{mms_campaign_id}")
    async def update(
        self,
        mms_campaign_id: int,
        *,
        list_id: int,
        name: str,
        subject: str,
        body: str,
        media_file: str,
        from_: str | None = None,
        schedule: datetime | int | None = None,
    ) -> MmsCampaign:
        """Replace a scheduled campaign."""
        ...

    @rest.put("/v3/mms-campaigns/{mms_campaign_id}/cancel")
    async def cancel(self, mms_campaign_id: int) -> MmsCampaign:
        """Cancel a scheduled campaign. This cannot be undone.

        The body that v6 shows for it was copied from another operation; none is sent.
        """
        ...
