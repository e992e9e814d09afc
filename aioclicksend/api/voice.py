"""Voice: calls that read a text out, their prices, history and languages."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from .. import rest
from ..models.files import Export
from ..models.messages import VoiceMessage
from ..models.results import Count, Receipt, SendResult, VoiceLanguage, VoiceRow
from ..pages import Pages
from .messages import Messages


class Voice(Messages[VoiceMessage, VoiceRow]):
    """Text-to-speech calls."""

    _message = VoiceMessage
    _row = VoiceRow

    # v6 calls lang and voice required in its tables, its models do not; both are optional here. If
    # list_id is set, the API ignores `to`.
    async def send(self, messages: VoiceMessage | Sequence[VoiceMessage]) -> SendResult[VoiceRow]:
        """Make up to 1000 calls in one request.

        Raises:
            ValueError: a message is wrong, or there are more than 1000; use `bulk` for those.
            UnknownOutcomeError: there was no readable answer; `refs` says of which messages.

        """
        return await self._post(self._send, messages)

    _send = rest.register("POST", "/v3/voice/send", send)

    async def price(self, messages: VoiceMessage | Sequence[VoiceMessage]) -> SendResult[VoiceRow]:
        """Return what up to 1000 calls would cost; no call is made."""
        return await self._post(self._price, messages)

    _price = rest.register("POST", "/v3/voice/price", price, repeatable=True)

    @rest.pages("/v3/voice/history")
    def history(
        self,
        *,
        date_from: datetime | int | None = None,
        date_to: datetime | int | None = None,
        operator: str | None = None,
        order_by: str | None = None,
        limit: int = 100,
        prefetch: int = 4,
    ) -> Pages[VoiceRow]:
        """Walk the calls made; the account needs voice access."""
        ...

    @rest.get("/v3/voice/history/export")
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

    @rest.pages("/v3/voice/receipts")
    def receipts(self, *, limit: int = 100, prefetch: int = 4) -> Pages[Receipt]:
        """Walk the unread receipts, with the keys pressed; walking does not mark them read.

        Needs an automation rule with the action POLL.
        """
        ...

    @rest.post("/v3/voice/receipts")
    async def create_test_receipt(self, *, url: str) -> Receipt:
        """Have a receipt made up and pushed to `url`, or listed if that is the word ``poll``."""
        ...

    # Not in v6, which has no way to mark receipts of calls read; the SDK of generation 5 has.
    @rest.put("/v3/voice/receipts-read")
    async def mark_receipts_read(self, *, date_before: datetime | int) -> None:
        """Mark the receipts up to a time read. This cannot be undone.

        Without a time the API marks all, even those that came since they were listed; so it is
        asked for here.
        """
        ...

    # `gender` is a text for languages with one voice and a list for those with two (v6).
    @rest.get("/v3/voice/lang")
    async def languages(self) -> list[VoiceLanguage]:
        """Return the languages and the voices each has."""
        ...

    @rest.put("/v3/voice/{message_id}/cancel")
    async def cancel(self, message_id: str) -> None:
        """Cancel a scheduled call.

        Raises:
            NotFound: it was made, cancelled before, or never existed.

        """
        ...

    async def cancel_all(self, *, everything: bool = False) -> Count:
        """Cancel every scheduled call of the account. This cannot be undone.

        Raises:
            ValueError: not ``everything=True``; the API has no filter for calls.

        """
        if not everything:
            raise ValueError(
                "cancel_all: give everything=True to cancel every scheduled call of the account"
            )
        return await self._cancel_all()

    @rest.put("/v3/voice/cancel-all")
    async def _cancel_all(self) -> Count:
        """Cancel every scheduled call. This cannot be undone."""
        ...

    def _between(self, since: int, until: int | None) -> Pages[VoiceRow]:
        return self.history(date_from=since, date_to=until, order_by="date:desc")
