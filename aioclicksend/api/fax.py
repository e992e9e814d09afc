"""Fax. These operations are gone from the current documents and still served."""

from collections.abc import Sequence
from datetime import datetime

from .. import rest
from ..models.fax import FaxMessage, FaxResult, FaxRow
from ..models.results import Receipt
from ..pages import Pages


class Fax(rest.Group):
    """Fax; ClickSend no longer sells it to new customers."""

    @rest.post("/v3/fax/send")
    async def send(self, messages: Sequence[FaxMessage], *, file_url: str) -> FaxResult:
        """Send a PDF to several recipients. This spends money.

        Other files become a PDF by `client.uploads.create(..., convert="fax")`.
        """
        ...

    @rest.post("/v3/fax/price", repeatable=True)
    async def price(self, messages: Sequence[FaxMessage], *, file_url: str) -> FaxResult:
        """Return what faxes would cost; nothing is sent."""
        ...

    @rest.pages("/v3/fax/history")
    def history(
        self,
        *,
        q: str | None = None,
        order: str | None = None,
        date_from: datetime | int | None = None,
        date_to: datetime | int | None = None,
        limit: int = 100,
        prefetch: int = 4,
    ) -> Pages[FaxRow]:
        """Walk the faxes; the SDK calls the order ``order``, older documents ``order_by``."""
        ...

    @rest.pages("/v3/fax/receipts")
    def receipts(self, *, limit: int = 100, prefetch: int = 4) -> Pages[Receipt]:
        """Walk the unread receipts; walking does not mark them read.

        Needs an automation rule with the action POLL.
        """
        ...

    @rest.get("/v3/fax/receipts/{message_id}")
    async def get_receipt(self, message_id: str) -> FaxRow:
        """Return what became of a fax: the fax itself, by the documents, not a receipt."""
        ...

    @rest.post("/v3/fax/receipts")
    async def create_test_receipt(self, *, url: str) -> Receipt:
        """Have a receipt made up and pushed to `url`, or listed if that is the word ``poll``."""
        ...

    @rest.put("/v3/fax/receipts-read")
    async def mark_receipts_read(self, *, date_before: datetime | int) -> None:
        """Mark the receipts up to a time read. This cannot be undone.

        Without a time the API marks all, even those that came since they were listed; so it is
        asked for here.
        """
        ...
