"""Voice: calls that read a text out, their prices, history and languages."""

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
from ..models.messages import VoiceMessage
from ..models.results import SendResult, VoiceLanguage, VoiceRow
from ..pages import Pages
from .messages import Messages


class Voice(Messages[VoiceMessage, VoiceRow]):
    """Text-to-speech calls."""

    _row = VoiceRow

    async def send(self, messages: VoiceMessage | Sequence[VoiceMessage]) -> SendResult[VoiceRow]:
        """Make up to 1000 calls in one request.

        Raises:
            ValueError: a message is wrong, or there are more than 1000; use `bulk` for those.
            UnknownOutcomeError: there was no readable answer; `refs` says of which messages.

        """
        return await self._post(_SEND, messages)

    async def price(self, messages: VoiceMessage | Sequence[VoiceMessage]) -> SendResult[VoiceRow]:
        """Return what up to 1000 calls would cost; nobody is called."""
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
    ) -> BulkSender[VoiceMessage]:
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
            VoiceMessage,
            _SEND,
            _PRICE,
            lambda since, until: self.history(date_from=since, date_to=until, order_by="date:desc"),
            by_text=True,
            batching=batching,
            lanes=lanes,
            journal=journal,
            reconcile=reconcile,
            budget=budget,
            ramp=ramp,
            pause=pause,
        )

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


_SEND = rest.register("POST", "/v3/voice/send", Voice.send)
_PRICE = rest.register("POST", "/v3/voice/price", Voice.price, repeatable=True)
