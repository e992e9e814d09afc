"""MMS: sending, pricing, history, receipts."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from decimal import Decimal
from os import PathLike

from .. import rest
from ..bulk.batcher import Batching
from ..bulk.journal import Journal
from ..bulk.reconcile import Reconcile
from ..bulk.sender import RAMP, BulkSender
from ..models.messages import MmsMessage
from ..models.results import MmsRow, Receipt, SendResult
from ..pages import Pages
from .messages import Messages


class Mms(Messages[MmsMessage, MmsRow]):
    """MMS."""

    _row = MmsRow

    async def send(self, messages: MmsMessage | Sequence[MmsMessage]) -> SendResult[MmsRow]:
        """Send up to 1000 messages with one picture in one request.

        Raises:
            ValueError: a message is wrong, there are more than 1000, or their pictures differ.
            UnknownOutcomeError: there was no readable answer; `refs` says of which messages.

        """
        return await self._post(_SEND, messages)

    async def price(self, messages: MmsMessage | Sequence[MmsMessage]) -> SendResult[MmsRow]:
        """Return what up to 1000 messages would cost; nothing is sent."""
        return await self._post(_PRICE, messages)

    def bulk(
        self,
        *,
        batching: Batching = Batching(),  # noqa: B008 - frozen
        lanes: int = 4,
        journal: Journal | str | PathLike[str] | None = None,
        reconcile: Reconcile = Reconcile(),  # noqa: B008 - frozen
        budget: Decimal | None = None,
        ramp: Sequence[int] | None = RAMP,
        pause: bool = True,
    ) -> BulkSender[MmsMessage]:
        """Return a sender for any number of messages; use it as ``async with ... as bulk``.

        Args:
            batching: how messages are put together into requests.
            lanes: requests under way at a time.
            journal: makes a run crash-safe: a `Journal`, or the path of its file.
            reconcile: how messages in doubt are settled from the history.
            budget: amount that is never spent beyond, priced before sending.
            ramp: sizes of the first requests of streams; None for none.
            pause: send nothing new after a request without a verdict until the history was asked.

        """
        return self._bulk(
            MmsMessage,
            _SEND,
            _PRICE,
            lambda since, until: self.history(date_from=since, date_to=until),
            by_text=True,
            batching=batching,
            lanes=lanes,
            journal=journal,
            reconcile=reconcile,
            budget=budget,
            ramp=ramp,
            pause=pause,
        )

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

    @rest.pages("/v3/mms/receipts")
    def receipts(self, *, limit: int = 100, prefetch: int = 4) -> Pages[Receipt]:
        """Walk the unread receipts; walking does not mark them read."""
        ...


_SEND = rest.register("POST", "/v3/mms/send", Mms.send)
_PRICE = rest.register("POST", "/v3/mms/price", Mms.price, repeatable=True)
