"""Sending a campaign: once, however often it is begun."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import aclosing, asynccontextmanager
from decimal import Decimal
from os import PathLike
from pathlib import Path

from msgspec import Struct

from ..bulk.intake import Batching
from ..bulk.reconcile import Reconcile
from ..bulk.outcome import Report
from ..bulk.sender import RAMP, BulkSender
from ..client import ClickSend
from ..models.messages import SmsMessage
from .campaign import Campaign
from .plan import Draft
from .record import Record, enter

_BATCHING = Batching(linger=10.0)  # a list that is walked through the API comes in slowly


class Ending(Struct, kw_only=True):
    """How a run ended."""

    report: Report
    """The outcomes of its messages, those of earlier runs included."""
    waiting: int = 0
    """Rows that were left out as it is night where they would go: for a later run."""
    is_whole: bool = False
    """Whether the input was read to its end, and nothing was withdrawn by a stop."""


class Run:
    """A campaign being sent, inside `running`."""

    def __init__(self, campaign: Campaign, client: ClickSend, bulk: BulkSender[SmsMessage]) -> None:
        self.bulk = bulk
        self._campaign = campaign
        self._client = client
        self._waiting = 0
        self._read = False

    async def send(self) -> Ending:
        """Send what is not settled yet, and return how everything stands."""
        report = await self.bulk.run(self._messages())
        whole = self._read and not report.stopped
        return Ending(report=report, waiting=self._waiting, is_whole=whole)

    async def _messages(self) -> AsyncGenerator[SmsMessage, None]:
        async with aclosing(self._campaign.rows(self._client)) as rows:
            async for it in rows:
                if isinstance(it, Draft):
                    yield it.message
                else:
                    self._waiting += it.reason == "quiet hours"
        self._read = True


@asynccontextmanager
async def running(
    campaign: Campaign,
    client: ClickSend,
    journal: str | PathLike[str],
    *,
    facts: Mapping[str, str] | None = None,
    budget: Decimal | None = None,
    reconcile: Reconcile = Reconcile(),  # noqa: B008 - frozen
    ramp: Sequence[int] | None = RAMP,
) -> AsyncGenerator[Run]:
    """Open the journal of a campaign, new or begun, for a run.

    ::

        async with running(campaign, client, "promo.db") as run, stop_on_signals(run.bulk):
            ending = await run.send()

    Args:
        campaign: what is to be sent.
        client: the client that sends it.
        journal: the path of its journal.
        facts: what else is to be remembered of it, if it is begun.
        budget: amount that is never spent beyond, by all runs together.
        reconcile: how messages in doubt are settled from the history.
        ramp: sizes of the first requests; None for none.

    Raises:
        ConfigurationError: the journal is of another campaign, or in use.

    """
    path = Path(journal)
    if path.exists():
        Record(path).check(campaign.settings)
    async with client.sms.bulk(
        batching=_BATCHING, journal=path, budget=budget, reconcile=reconcile, ramp=ramp
    ) as bulk:
        enter(path, campaign.settings | dict(facts or {})).check(campaign.settings)
        yield Run(campaign, client, bulk)
