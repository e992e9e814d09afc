"""Sending a campaign: once to each recipient, however often it is begun.

A run makes passes over the list until nothing is left that is due later::

    read the list, the opt-outs and the journal ─▶ send what is due and was never sent
             ▲                                               │
             └────────── wait for the next row to be due ◀───┘  cancelled? stopped?

Each pass reads the opt-outs again, so that someone who opts out while a run waits is left out.
Quiet hours are looked at when a row is read and, by `Gate`, just before its request leaves; what
they hold back then is sent in a later pass.
Whether a recipient was sent to is decided by `Recipients`, from the journal as it was when the run
began; messages of the run itself are in the journal, which hands nothing out twice.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncGenerator, Awaitable, Callable, Coroutine, Mapping, Sequence
from contextlib import AsyncExitStack, aclosing, asynccontextmanager
from datetime import datetime
from decimal import Decimal
from os import PathLike
from pathlib import Path
from typing import Any

import anyio
from msgspec import Struct

from ..bulk.intake import Batching
from ..bulk.outcome import Reason, Report
from ..bulk.reconcile import Reconcile
from ..bulk.sender import RAMP, BulkSender
from ..client import ClickSend
from ..delivery import Breaker
from ..errors import CampaignError
from ..quiet import Gate
from ..webhooks import Inbox
from ..webhooks.sqlite import opened
from . import roster
from .campaign import Campaign
from .identity import Match, Recipients
from .plan import Draft, Problem
from .receipts import stop_if_failed
from .record import Record, enter

log: logging.Logger = logging.getLogger("aioclicksend")

_BATCHING = Batching(linger=10.0)  # contact lists arrive slowly through the API
_TOGETHER = 5000
"""Rows of the list that are written in one go."""
_LOOK_EVERY = 3.0
"""Seconds between two looks at whether the campaign was cancelled or the run stopped."""


class Ending(Struct, kw_only=True):
    """How a run ended."""

    report: Report
    """The outcomes of its messages, and of those of earlier runs that are still on the list."""
    waiting: int = 0
    """Rows that are due later, when the run was stopped before."""
    left_out: dict[str, int] = {}
    """Rows of the last pass that were not sent, by reason."""
    is_cancelled: bool = False
    """Whether the campaign was cancelled."""
    is_whole: bool = False
    """Whether all rows were read and nothing was withdrawn by a stop."""


class Run:
    """A campaign being sent, inside `running`."""

    def __init__(
        self,
        campaign: Campaign,
        client: ClickSend,
        bulk: BulkSender[Any],
        record: Record,
        *,
        sleep: Callable[[float], Awaitable[None]],
        agreed: Callable[[Draft], bool] | None,
        store: Inbox | None,
        breaker: Breaker | None,
        gate: Gate,
    ) -> None:
        self.bulk = bulk
        self.waits_for: datetime | None = None
        """When the next row is due, while the run waits for it."""
        self._campaign = campaign
        self._client = client
        self._record = record
        self._sleep = sleep
        self._agreed = agreed
        self._store = store
        self._breaker = breaker
        self._gate = gate
        # Read once for each pass: an equal row further down must not find the run's own messages.
        self._recipients = Recipients(record.entries(), by_message=campaign.by_message)
        self._left_out: dict[str, int] = {}
        self._waiting = 0
        self._read = False
        self._is_first = True
        self._stopped = False
        self._cancelled = False
        self._next_due: datetime | None = None

    async def send(self) -> Ending:
        """Send what was not sent yet, wait for what is due later, and return how it ended."""
        whole, is_whole = Report(), False
        async with _watched(self._watch, self._watch_receipts):
            while not self._stopped:
                report = await self.bulk.run(self._messages())
                self._put_off(report)
                _add(whole, report)
                # A later pass must not count again what the first one has reported.
                self._is_first = False
                if self._is_withdrawn(report):
                    break
                if self._next_due is None:
                    is_whole = self._read
                    break
                await self._wait(self._next_due)
                # What this pass has sent is found unchanged by the next one.
                self._recipients = Recipients(
                    self._record.entries(), by_message=self._campaign.by_message
                )
        return Ending(
            report=whole,
            waiting=self._waiting,
            left_out=self._left_out,
            is_cancelled=self._cancelled,
            is_whole=is_whole,
        )

    def stop(self, why: str = "stopped") -> None:
        """Read nothing more: what waits is not sent, what is on the wire is finished."""
        self._stopped = True
        self.bulk.stop(why)

    def abort(self, why: str = "stopped") -> None:
        """Stop and leave at once: what is on the wire or in doubt becomes Unknown."""
        self._stopped = True
        self.bulk.abort(why)

    async def keep_roster(self) -> None:
        """Write the rows of the list beside the messages, for the report."""
        # Before anything is sent: a report must name the rows also of a run that is killed.
        path, rows = self._record.path, list[roster.ListRow]()
        await asyncio.to_thread(roster.begin, path)
        async with aclosing(self._campaign.rows(self._client, to_send=True)) as found:
            async for it in found:
                # A contact list can change between the plan and the run; nothing has been sent yet.
                if isinstance(it, Draft) and not self._is_agreed(it):
                    raise CampaignError("the list changed since it was read: nothing was sent")
                rows.append(self._list_row(it))
                if len(rows) == _TOGETHER:
                    await asyncio.to_thread(roster.add, path, rows)
                    rows = []
        await asyncio.to_thread(roster.add, path, rows)

    async def _messages(self) -> AsyncGenerator[Any, None]:
        self._read, self._waiting, self._next_due, self._left_out = False, 0, None, {}
        async with aclosing(self._campaign.rows(self._client, to_send=True)) as rows:
            async for it in rows:
                if isinstance(it, Problem):
                    self._left_out[it.reason] = self._left_out.get(it.reason, 0) + 1
                    continue
                message = it.message
                # By number, not by row: a corrected or extended list must send nothing twice.
                match = self._recipients.match(message.to or "", message.body)
                if match.is_settled:
                    if self._is_reported(match):
                        yield message
                    elif match is Match.OPTED_OUT:
                        self._left_out["opted out"] = self._left_out.get("opted out", 0) + 1
                elif not self._is_agreed(it):
                    self._left_out["changed"] = self._left_out.get("changed", 0) + 1
                elif self._is_later(it):
                    self._waiting += 1
                else:
                    yield message
        self._read = True

    def _put_off(self, report: Report) -> None:
        """Count what was held back for quiet hours as waiting: it is sent in a later pass."""
        if (opens := self._gate.opens) is None:
            return
        self._gate.opens = None
        count = report.reasons.pop(Reason.QUIET_HOURS, 0)
        report.not_sent -= count
        self._waiting += count
        self._next_due = min(self._next_due or opens, opens)

    def _is_reported(self, match: Match) -> bool:
        """Return whether a message that is in the journal is handed in for its outcome alone.

        The journal recognises it only if it is exactly the same: without a `schedule` for the API.
        """
        return match is Match.UNCHANGED and self._is_first and not self._campaign.at_server

    def _is_agreed(self, it: Draft) -> bool:
        if self._agreed is None or self._agreed(it):
            return True
        return self._recipients.match(it.message.to or "", it.message.body).is_settled

    def _is_later(self, it: Draft) -> bool:
        if it.due is None or self._campaign.at_server or it.due <= self._campaign.clock():
            return False
        # The pass ends first, so that rows that are due are not kept waiting by one that is not.
        self._next_due = min(self._next_due or it.due, it.due)
        return True

    async def _wait(self, due: datetime) -> None:
        self.waits_for = due
        while not self._stopped:
            left = (due - self._campaign.clock()).total_seconds()
            if left <= 0:
                break
            # In short steps: a cancelled campaign or a stop ends the wait, and so does a clock that
            # is set.
            await self._sleep(min(left, _LOOK_EVERY))
        self.waits_for = None

    async def _watch(self) -> None:
        """Stop the run when the campaign is cancelled, also by another process."""
        while True:
            if await asyncio.to_thread(self._record.cancelled) is not None:
                self._cancelled = True
                self.stop("the campaign was cancelled")
                return
            await anyio.sleep(_LOOK_EVERY)

    async def _watch_receipts(self) -> None:
        """Stop the run when too many of its messages are not delivered."""
        if self._breaker is not None:
            await stop_if_failed(
                self._client, self._record.path, self._breaker, self._trip, store=self._store
            )

    def _trip(self) -> None:
        log.warning("stopped: too many messages are not delivered (--stop-if-failed)")
        self.stop("too many messages are not delivered")

    def _is_withdrawn(self, report: Report) -> bool:
        return self._stopped or report.stopped

    def _list_row(self, it: Draft | Problem) -> roster.ListRow:
        if isinstance(it, Problem):
            return roster.ListRow(it.row, None, it.name, it.written, it.reason, it.detail)
        key = roster.key_of(
            it.message.to or "", it.message.body, by_message=self._campaign.by_message
        )
        return roster.ListRow(it.row, key, it.name, it.written, None, None)


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
    sleep: Callable[[float], Awaitable[None]] = anyio.sleep,
    agreed: Callable[[Draft], bool] | None = None,
    store: str | PathLike[str] | Inbox | None = None,
    breaker: Breaker | None = None,
) -> AsyncGenerator[Run]:
    """Open the journal of a campaign, new or begun, for a run.

        async with running(campaign, client, "promo.campaign") as run:
            ending = await run.send()

    Args:
        campaign: what is to be sent.
        client: the client that sends it.
        journal: the path of its journal.
        facts: what else is kept about the campaign.
        budget: amount that is never spent beyond, by all runs together.
        reconcile: how messages in doubt are settled from the history.
        ramp: sizes of the first requests; None for none.
        sleep: waits a number of seconds.
        agreed: whether a message was in the plan, for lists that can change after it: contact
            lists of the account.
        store: an inbox, or the path of one: numbers on its suppression list are left out of every
            request, also those who reply STOP during the run.
        breaker: stops the run when too many messages are not delivered, by polled receipts and by
            those that were pushed to `store`.

    Raises:
        ConfigurationError: the journal is of another campaign, was cancelled, or is in use; or the
            list changed since the plan.

    """
    path = Path(journal)
    # Before the journal is opened: another campaign's file must not be changed.
    _check(path, campaign)
    group = campaign.channel.group(client)
    async with AsyncExitStack() as stack:
        inbox = await stack.enter_async_context(opened(store))
        # Of what ClickSend keeps for later nothing is looked at again.
        quiet = None if campaign.at_server else campaign.quiet
        gate = Gate(inbox, quiet, campaign.clock)
        bulk = await stack.enter_async_context(
            group.bulk(
                batching=_BATCHING,
                journal=path,
                budget=budget,
                reconcile=reconcile,
                ramp=ramp,
                suppress=gate if inbox is not None or quiet is not None else None,
            )
        )
        record = enter(path, campaign.settings | dict(facts or {}))
        run = Run(
            campaign,
            client,
            bulk,
            record,
            sleep=sleep,
            agreed=agreed,
            store=inbox,
            breaker=breaker,
            gate=gate,
        )
        await run.keep_roster()
        yield run


def _check(path: Path, campaign: Campaign) -> None:
    """Make sure that a journal, if there is one, is of this campaign, which was not cancelled.

    Raises:
        ConfigurationError: it is of another, or was cancelled.

    """
    if not path.exists():
        return
    record = Record(path)
    record.check(campaign.settings)
    if (at := record.cancelled()) is not None:
        raise CampaignError(
            f"{record.path} was cancelled on {at:%Y-%m-%d %H:%M} UTC; to lift that: "
            f"aioclicksend campaign cancel --undo {record.path}"
        )


@asynccontextmanager
async def _watched(*watchers: Callable[[], Coroutine[Any, Any, None]]) -> AsyncGenerator[None]:
    """Run watchers beside the block, and end them with the block."""
    tasks = [asyncio.create_task(it()) for it in watchers]
    try:
        yield
    finally:
        for task in tasks:
            task.cancel()
        # A watcher that fails does not stop the run; its messages are settled all the same.
        for outcome in await asyncio.gather(*tasks, return_exceptions=True):
            if isinstance(outcome, Exception):
                log.warning("a watcher of the run failed: %s", type(outcome).__name__)


def _add(whole: Report, more: Report) -> None:
    """Add the outcomes of a pass to those of the passes before."""
    # The cost is what was spent by this run; the budget is kept by the journal over all runs.
    whole.accepted += more.accepted
    whole.rejected += more.rejected
    whole.not_sent += more.not_sent
    whole.unknown += more.unknown
    whole.cost += more.cost
    whole.seconds += more.seconds
    whole.stopped = whole.stopped or more.stopped
    for reason, count in more.reasons.items():
        whole.reasons[reason] = whole.reasons.get(reason, 0) + count
