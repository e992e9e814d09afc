"""Statistics, delivery issues, and what became of short links."""

from typing import Literal

from .. import rest
from ..models.reports import DeliveryIssue, LinkOpen, LinkStatistics, TrafficStatistics
from ..pages import Pages


class Statistics(rest.Group):
    """How much was sent, day by day."""

    @rest.get("/v3/statistics/sms")
    async def sms(self) -> TrafficStatistics:
        """Return how many SMS went out, came in and bounced."""
        ...

    @rest.get("/v3/statistics/voice")
    async def voice(self) -> TrafficStatistics:
        """Return how many calls went out and failed."""
        ...


class DeliveryIssues(rest.Group):
    """Deliveries that were complained about."""

    @rest.pages("/v3/delivery-issues")
    def walk(self, *, limit: int = 100, prefetch: int = 4) -> Pages[DeliveryIssue]:
        """Walk the issues; the schema has a pager for them, the documents' page a bare list."""
        ...

    @rest.post("/v3/delivery-issues")
    async def create(
        self,
        *,
        type: Literal[  # noqa: A002 - the API's name
            "SMS", "MMS", "VOICE", "EMAIL_MARKETING", "EMAIL_TRANSACTIONAL", "FAX", "POST"
        ],
        description: str,
        email_address: str,
        message_id: str | None = None,
        client_comments: str | None = None,
        support_comments: str | None = None,
        resolved: bool | None = None,
    ) -> DeliveryIssue:
        """Complain about a delivery; the answer goes to `email_address`."""
        ...


class ShortUrls(rest.Group):
    """What became of the short links in messages. Its replies have no envelope."""

    @rest.get("/v3/short-url/statistics/{source}/{source_id}")
    async def statistics(
        self, source_id: str, *, source: Literal["quick_sms"] = "quick_sms"
    ) -> list[LinkStatistics]:
        """Return how often the links of a message, whose id is `source_id`, were opened."""
        ...

    # total, per_page and next stand at the root of the reply, not in `data` (v6).
    @rest.linked_pages("/v3/short-url/tracking/{long_url_id}")
    def tracking(self, long_url_id: str, *, prefetch: int = 4) -> Pages[LinkOpen]:
        """Walk who opened a link; the API has no name for the size of a page here."""
        ...
