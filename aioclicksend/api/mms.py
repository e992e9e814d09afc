"""MMS: sending, pricing, history, receipts."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from .. import rest
from ..models.files import Export
from ..models.messages import MmsMessage
from ..models.results import MmsRow, Receipt, SendResult
from ..pages import Pages
from .campaigns import MmsCampaigns
from .messages import Messages


class Mms(Messages[MmsMessage, MmsRow]):
    """MMS."""

    _message = MmsMessage
    _row = MmsRow

    def __init__(self, session: rest.Caller) -> None:
        super().__init__(session)
        self.campaigns: MmsCampaigns = MmsCampaigns(session)

    # media_file stands beside `messages` in v6 and the SDK, inside of each in other documents; one
    # picture for all satisfies both.
    async def send(self, messages: MmsMessage | Sequence[MmsMessage]) -> SendResult[MmsRow]:
        """Send up to 1000 messages with one picture in one request.

        Raises:
            ValueError: a message is wrong, there are more than 1000, or their pictures differ.
            UnknownOutcomeError: there was no readable answer; `refs` says of which messages.

        """
        return await self._post(self._send, messages)

    _send = rest.register("POST", "/v3/mms/send", send)

    async def price(self, messages: MmsMessage | Sequence[MmsMessage]) -> SendResult[MmsRow]:
        """Return what up to 1000 messages would cost; nothing is sent."""
        return await self._post(self._price, messages)

    _price = rest.register("POST", "/v3/mms/price", price, repeatable=True)

    # message_parts is "1.00" here, an int in the reply to a send (v6); `date` is absent at times.
    @rest.pages("/v3/mms/history")
    def history(
        self,
        *,
        q: str | None = None,
        date_from: datetime | int | None = None,
        date_to: datetime | int | None = None,
        limit: int = 100,
        prefetch: int = 4,
    ) -> Pages[MmsRow]:
        """Walk what was sent and received; states can be compound, as ``Queued:WaitSend``."""
        ...

    @rest.get("/v3/mms/history/export")
    async def export_history(
        self,
        *,
        filename: str | None = None,
        q: str | None = None,
        order_by: str | None = None,
        date_from: datetime | int | None = None,
        date_to: datetime | int | None = None,
        limit: int | None = None,
    ) -> Export:
        """Have the history written to a CSV; `client.download` fetches it."""
        ...

    # Only the SDK of generation 5 and older documents have it.
    @rest.pages("/v3/mms/receipts")
    def receipts(self, *, limit: int = 100, prefetch: int = 4) -> Pages[Receipt]:
        """Walk the unread receipts; walking does not mark them read."""
        ...

    @rest.put("/v3/mms/receipts-read")
    async def mark_receipts_read(self, *, date_before: datetime | int) -> None:
        """Mark the receipts up to a time read. This cannot be undone.

        Without a time the API marks all, even those that came since they were listed; so it is
        asked for here.
        """
        ...
