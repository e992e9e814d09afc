"""SMS: sending, pricing, history, replies, receipts, templates."""

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
from ..models.messages import SmsMessage
from ..models.results import Count, InboundSms, Receipt, SendResult, SmsRow, Template
from ..pages import Pages
from .messages import Messages


class SmsTemplates(rest.Group):
    """Saved SMS bodies."""

    @rest.pages("/v3/sms/templates")
    def walk(
        self,
        *,
        q: str | None = None,
        order_by: str | None = None,
        limit: int = 100,
        prefetch: int = 4,
    ) -> Pages[Template]:
        """Walk the templates; `q` searches ``template_id``, ``template_name`` and ``body``."""
        ...

    @rest.post("/v3/sms/templates")
    async def create(self, *, template_name: str, body: str) -> Template:
        """Save a template."""
        ...

    @rest.put("/v3/sms/templates/{template_id}")
    async def update(self, template_id: int, *, template_name: str, body: str) -> Template:
        """Replace name and body of a template."""
        ...

    @rest.delete("/v3/sms/templates/{template_id}")
    async def delete(self, template_id: int) -> None:
        """Delete a template. This cannot be undone."""
        ...


class Sms(Messages[SmsMessage, SmsRow]):
    """SMS."""

    _row = SmsRow

    def __init__(self, session: rest.Caller) -> None:
        super().__init__(session)
        self.templates = SmsTemplates(session)

    async def send(
        self,
        messages: SmsMessage | Sequence[SmsMessage],
        *,
        senders: Sequence[dict[str, str]] | None = None,
        shorten_urls: bool | None = None,
    ) -> SendResult[SmsRow]:
        """Send up to 1000 messages in one request.

        Messages without a `custom_string` are given one, by which `find` can look them up. The API
        answers 200 even if it refuses every message: see `SendResult.rejected`.

        Raises:
            ValueError: a message is wrong, or there are more than 1000; use `bulk` for those.
            UnknownOutcomeError: there was no readable answer; `refs` says of which messages.

        """
        return await self._post(_SEND, messages, senders=senders, shorten_urls=shorten_urls)

    async def price(
        self,
        messages: SmsMessage | Sequence[SmsMessage],
        *,
        senders: Sequence[dict[str, str]] | None = None,
        shorten_urls: bool | None = None,
    ) -> SendResult[SmsRow]:
        """Return what up to 1000 messages would cost; nothing is sent."""
        return await self._post(_PRICE, messages, senders=senders, shorten_urls=shorten_urls)

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
    ) -> BulkSender[SmsMessage]:
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
            SmsMessage,
            _SEND,
            _PRICE,
            lambda since, until: self.history(date_from=since, date_to=until, order_by="date:desc"),
            batching=batching,
            lanes=lanes,
            journal=journal,
            reconcile=reconcile,
            budget=budget,
            ramp=ramp,
            pause=pause,
        )

    @rest.pages("/v3/sms/history")
    def history(
        self,
        *,
        q: str | None = None,
        date_from: datetime | int | None = None,
        date_to: datetime | int | None = None,
        order_by: str | None = None,
        limit: int = 100,
        prefetch: int = 4,
    ) -> Pages[SmsRow]:
        """Walk what was sent and received in about the last four months.

        `q` searches status, to, from, subaccount_id and message_id; `custom_string` cannot be
        searched for, see `find`. Messages of dashboard campaigns are absent.
        """
        ...

    @rest.pages("/v3/sms/inbound")
    def inbound(
        self, *, q: str | None = None, limit: int = 100, prefetch: int = 4
    ) -> Pages[InboundSms]:
        """Walk the unread replies; walking does not mark them read.

        Needs an automation rule with the action POLL.
        """
        ...

    @rest.pages("/v3/sms/receipts")
    def receipts(self, *, limit: int = 100, prefetch: int = 4) -> Pages[Receipt]:
        """Walk the unread receipts; walking does not mark them read.

        Needs an automation rule with the action POLL.
        """
        ...

    @rest.put("/v3/sms/{message_id}/cancel")
    async def cancel(self, message_id: str) -> None:
        """Cancel a scheduled SMS.

        Raises:
            NotFound: it was sent, cancelled before, or never existed.

        """
        ...

    async def cancel_all(
        self, custom_string: str | None = None, *, everything: bool = False
    ) -> Count:
        """Cancel the scheduled SMS that carry a `custom_string`. This cannot be undone.

        Raises:
            ValueError: neither a `custom_string` nor ``everything=True``, which cancels EVERY
                scheduled SMS of the account.

        """
        if (not custom_string) != everything:
            raise ValueError(
                "cancel_all: give either a custom_string, or everything=True to cancel every "
                "scheduled SMS of the account"
            )
        return await self._cancel_all(custom_string=custom_string or None)

    @rest.put("/v3/sms/cancel-all")
    async def _cancel_all(self, *, custom_string: str | None) -> Count:
        """Cancel scheduled SMS."""
        ...


_SEND = rest.register("POST", "/v3/sms/send", Sms.send)
_PRICE = rest.register("POST", "/v3/sms/price", Sms.price, repeatable=True)
