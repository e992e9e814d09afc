"""SMS: sending, pricing, history, replies, receipts, templates."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Literal

from .. import rest
from ..models.files import Export
from ..models.inputs import Sender
from ..models.messages import SmsMessage
from ..models.results import Count, InboundSms, Receipt, SendResult, SmsRow, Template
from ..pages import Pages
from .campaigns import SmsCampaigns
from .messages import AHEAD, Messages


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

    @rest.get("/v3/sms/templates/{template_id}")
    async def get(self, template_id: int) -> Template:
        """Return one template."""
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

    _message = SmsMessage
    _row = SmsRow
    _by_text = False

    def __init__(self, session: rest.Caller) -> None:
        super().__init__(session)
        self.templates: SmsTemplates = SmsTemplates(session)
        self.campaigns: SmsCampaigns = SmsCampaigns(session)

    async def send(
        self,
        messages: SmsMessage | Sequence[SmsMessage],
        *,
        senders: Sequence[Sender | dict[str, str]] | None = None,
        shorten_urls: bool | None = None,
    ) -> SendResult[SmsRow]:
        """Send up to 1000 messages in one request.

        Messages without a `custom_string` are given one, by which `find` can look them up. The API
        answers 200 even if it refuses every message: see `SendResult.rejected`.

        Raises:
            ValueError: a message is wrong, or there are more than 1000; use `bulk` for those.
            UnknownOutcomeError: there was no readable answer; `refs` says of which messages.

        """
        return await self._post(self._send, messages, senders=senders, shorten_urls=shorten_urls)

    _send = rest.register("POST", "/v3/sms/send", send)

    async def price(
        self,
        messages: SmsMessage | Sequence[SmsMessage],
        *,
        senders: Sequence[Sender | dict[str, str]] | None = None,
        shorten_urls: bool | None = None,
    ) -> SendResult[SmsRow]:
        """Return what up to 1000 messages would cost; nothing is sent."""
        return await self._post(self._price, messages, senders=senders, shorten_urls=shorten_urls)

    _price = rest.register("POST", "/v3/sms/price", price, repeatable=True)

    # Accounts that de-identify their data get numbers with masked digits here (help 43125).
    @rest.pages("/v3/sms/history")
    def history(
        self,
        *,
        q: str | None = None,
        operator: Literal["AND", "OR"] | None = None,
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

    # The dashboard's exports end at 50,000 rows and cut bodies at 160 characters (help).
    @rest.get("/v3/sms/history/export")
    async def export_history(
        self,
        *,
        filename: str | None = None,
        q: str | None = None,
        order_by: str | None = None,
        date_from: datetime | int | None = None,
        date_to: datetime | int | None = None,
        page: int | None = None,
        limit: int | None = None,
    ) -> Export:
        """Have the history written to a CSV; `client.download` fetches it."""
        ...

    # Two rules with the action POLL list every reply and receipt twice (seen live).
    @rest.pages("/v3/sms/inbound")
    def inbound(
        self, *, q: str | None = None, limit: int = 100, prefetch: int = 4
    ) -> Pages[InboundSms]:
        """Walk the unread replies; walking does not mark them read.

        Needs an automation rule with the action POLL.
        """
        ...

    @rest.get("/v3/sms/inbound/{original_message_id}")
    async def get_inbound(self, original_message_id: str) -> InboundSms:
        """Return the first reply to a message of ours, whose id is taken; read or unread."""
        ...

    @rest.post("/v3/sms/inbound")
    async def create_test_inbound(
        self, *, url: str, webhook_type: Literal["post", "get", "json"] | None = None
    ) -> InboundSms:
        """Have a reply made up and pushed to `url`, or listed if that is the word ``poll``."""
        ...

    @rest.put("/v3/sms/inbound-read")
    async def mark_inbound_read(self, *, date_before: datetime | int) -> None:
        """Mark the replies up to a time read. This cannot be undone.

        Without a time the API marks all, even those that came since they were listed; so it is
        asked for here.
        """
        ...

    # Answers 1 or [], by sample; both mean that it was done.
    @rest.put("/v3/sms/inbound-read/{message_id}")
    async def mark_inbound_message_read(self, message_id: str) -> None:
        """Mark one reply read, by its own id."""
        ...

    @rest.pages("/v3/sms/receipts")
    def receipts(self, *, limit: int = 100, prefetch: int = 4) -> Pages[Receipt]:
        """Walk the unread receipts; walking does not mark them read.

        Needs an automation rule with the action POLL.
        """
        ...

    # A polled receipt has no `status` word, a pushed one has. Its status_code is an int by the
    # schema and "201" in the examples.
    @rest.get("/v3/sms/receipts/{message_id}")
    async def get_receipt(self, message_id: str) -> Receipt:
        """Return the receipt of a message, read or unread; test numbers never have one."""
        ...

    @rest.post("/v3/sms/receipts")
    async def create_test_receipt(self, *, url: str) -> Receipt:
        """Have a receipt made up and pushed to `url`, or listed if that is the word ``poll``."""
        ...

    @rest.put("/v3/sms/receipts-read")
    async def mark_receipts_read(self, *, date_before: datetime | int) -> None:
        """Mark the receipts up to a time read. This cannot be undone.

        Without a time the API marks all, even those that came since they were listed; so it is
        asked for here.
        """
        ...

    # A second cancel is a 404, too (seen live): NotFound does not say that a message went out.
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
                scheduled SMS of the account. A blank text is none: a server that trims it would
                cancel everything.

        """
        blank = not any(it.isprintable() and not it.isspace() for it in custom_string or "")
        if (blank and not everything) or (everything and custom_string):
            raise ValueError(
                "cancel_all: give either a custom_string that is not blank, or everything=True to "
                "cancel every scheduled SMS of the account"
            )
        return await self._cancel_all(custom_string=custom_string or None)

    @rest.put("/v3/sms/cancel-all")
    async def _cancel_all(self, *, custom_string: str | None) -> Count:
        """Cancel scheduled SMS, by default all. This cannot be undone."""
        ...

    def _between(self, since: int, until: int | None) -> Pages[SmsRow]:
        return self.history(date_from=since, date_to=until, order_by="date:desc", prefetch=AHEAD)

    def _lookup(self) -> Callable[[int, Sequence[str]], Pages[SmsRow]]:
        def walk(since: int, numbers: Sequence[str]) -> Pages[SmsRow]:
            # Whether a repeated field is joined by OR is undocumented: the caller checks.
            q = ",".join(f"to:{it}" for it in numbers)
            return self.history(
                q=q, operator="OR", date_from=since, order_by="date:desc", prefetch=AHEAD
            )

        return walk
