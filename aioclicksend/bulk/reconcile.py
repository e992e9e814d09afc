"""Looking up what became of messages in doubt.

The API cannot be asked about a ref: its history is walked, newest first, one walk for all messages
in doubt, and rows are matched here. What is found was accepted. What is not found proves nothing,
as the history lags by an unknown time; so it is asked again and again until `settle` seconds have
passed since the failure, and the verdict then comes from full passes begun after that, repeated
until one adds nothing.

Two things make that verdict worth more. The window of a walk is put on the server's own clock,
which the replies to sends have told (the allowance `skew` stands in until then). And messages that
were sent after the doubtful one are witnesses: once they show, the history has come that far.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from collections import defaultdict, deque
from collections.abc import Callable, Container, Iterable, Sequence
from typing import Protocol

from msgspec import Struct

from ..errors import ClickSendError
from ..models.messages import REF_PREFIX
from ..models.results import Row
from ..pages import Page
from .batch import Doubt
from .channel import History
from .matching import is_code, same_number
from .outcome import Accepted, Outcome, Rejected, Unknown
from .rows import parts

log = logging.getLogger("aioclicksend")

_FIRST_WAIT = 1.0
_LONGEST_WAIT = 60.0
_TOGETHER = 0.1
"""Seconds within which doubts that become due share a search."""
_MARGIN = 2.0
"""Seconds around a window on the server's clock, whose times are whole seconds; a quarter of it
where nothing is decided yet."""
_LATE = 15.0
"""Seconds a server may take to accept what it had read when its reply went missing. Before a
message is sent again the window reaches further, to the end of its settle time."""
_SOON = 3.0
"""The same for searches that decide nothing yet: most of what was taken was taken at once."""
AHEAD = 2
"""Pages of the history under way: more would be wasted on walks that end at the first page."""
_TRIES = 5
"""Times one message is sent at most."""
_PATIENCE = 4.0
"""Settle times after which a history that shows no witness, or no page, is given up."""
_REREADS = 3
"""Times a walk is repeated whose pages held fewer rows than announced."""


class Reconcile(Struct, frozen=True):
    """How messages in doubt are settled."""

    settle: float = 60.0
    """Seconds after a failure for which the history is asked again; 0 asks nothing."""
    resend: bool = False
    """Send again what a settled search did not show.

    The risk: a message whose row takes longer than `settle` to show goes out twice. Choose `settle`
    well above the lag you have seen.
    """
    skew: float = 300.0
    """Seconds by which the server's clock may differ from ours, until it has told its time."""

    def __post_init__(self) -> None:
        if self.settle < 0 or self.skew < 0:
            raise ValueError("Reconcile: settle and skew must not be negative")


class Ledger(Protocol):
    """What the reconciler needs of the sender."""

    def conclude(self, verdicts: Sequence[tuple[Doubt, Outcome]], *, found: bool) -> None:
        """Book outcomes of doubtful messages."""
        ...

    def send_again(self, doubts: Sequence[Doubt]) -> None:
        """Queue doubtful messages for another try."""
        ...

    def searched(self) -> None:
        """Learn that a search has ended."""
        ...


class _Witness(Struct, frozen=True):
    """A message that was accepted while others were in doubt."""

    intent: float
    """Wall time before its bytes left."""
    known: float
    """Monotonic time at which its acceptance was known."""


class ServerClock:
    """The difference between the server's clock and ours, as far as replies have told it."""

    def __init__(self) -> None:
        self.behind: float | None = None
        """Least seconds to add to our time to get the server's, by the latest reply."""
        self.closest = float("-inf")
        """The same by the reply that told most: its second had just begun."""
        self.ahead = 0.0

    def observe(self, told: float, sent: float, received: float) -> None:
        """Learn from the whole second a server stamped between two moments of ours."""
        self.behind = told - received
        self.closest = max(self.closest, self.behind)
        self.ahead = told + 1.0 - sent


class Reconciler:
    """Walks the history for all doubts of one bulk sender."""

    def __init__(
        self,
        history: History,
        reconcile: Reconcile,
        ledger: Ledger,
        *,
        by_text: bool,
        now: Callable[[], float],
        wall: Callable[[], float] = time.time,
    ) -> None:
        self._history = history
        self._policy = reconcile
        self._ledger = ledger
        self._by_text = by_text
        self._now = now
        self._wall = wall
        self.clock = ServerClock()
        self._doubts: dict[int, Doubt] = {}
        self._witnesses: dict[str, _Witness] = {}
        self._taken: deque[list[str | None]] = deque(maxlen=64)
        self._wake = asyncio.Event()
        self._given_up = "not looked up, as settle is 0" if reconcile.settle == 0 else None

    def __len__(self) -> int:
        return len(self._doubts)

    @property
    def unsearched(self) -> bool:
        """Whether there are doubts that no search was made for yet."""
        return any(it.passes == 0 for it in self._doubts.values())

    def add(self, doubts: Iterable[Doubt]) -> None:
        """Take messages in doubt; they are searched for at once."""
        for doubt in doubts:
            doubt.due = self._now()
            self._doubts[id(doubt)] = doubt
        self._wake.set()
        if self._given_up is not None:
            self.give_up(self._given_up)

    def accepted(self, refs: Sequence[str], outcomes: Sequence[Outcome], intent: float) -> None:
        """Learn of messages a reply accepted: one of them is a witness, and their ids are taken.

        Ids matter for refs of the caller's only, which may come again; ours are used once.
        """
        if not refs[-1].startswith(REF_PREFIX):
            self._taken.append([it.message_id for it in outcomes if isinstance(it, Accepted)])
        if self._doubts:
            witness = next((it for it in reversed(outcomes) if isinstance(it, Accepted)), None)
            if witness is not None:
                self._witnesses[witness.ref] = _Witness(intent, self._now())

    def give_up(self, why: str) -> None:
        """Make every doubt Unknown now, and every later one at once."""
        self._given_up = why
        self._conclude(
            [(it, Unknown(it.message, it.ref, f"{it.reason}; {why}")) for it in self._all()]
        )

    async def run(self) -> None:
        """Search whenever a doubt is due, until cancelled."""
        while True:
            await self._until_due()
            try:
                await self._search()
            except Exception:
                log.exception("a search of the history ended in an error of our own")
                self.give_up("the search for it failed")
            if not self._doubts:
                self._witnesses.clear()
            self._ledger.searched()

    async def _until_due(self) -> None:
        while True:
            self._wake.clear()
            wait = min((it.due for it in self._all()), default=float("inf")) - self._now()
            if wait <= 0:
                return
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(None if wait == float("inf") else wait):
                    await self._wake.wait()

    async def _search(self) -> None:
        """Make one pass for the doubts that are due; what it shows of others is taken along."""
        started = self._now()
        wanted = [it for it in self._all() if it.due <= started + _TOGETHER]
        search = _Search(wanted, self._all(), self._taken, by_text=self._by_text)
        try:
            for _ in range(_REREADS):
                if await self._read(search):
                    break
            else:
                search.trouble = "its pages hold fewer rows than it announces"
        except ClickSendError as error:
            log.warning("the history could not be read: %s", error)
            search.trouble = str(error)
        self._conclude(search.verdicts(), found=True)
        open_ones = [it for it in wanted if id(it) in self._doubts]
        self._decide(open_ones, search, started)

    async def _read(self, search: _Search) -> bool:
        """Walk the window once; True if the pages held all the rows they announced."""
        since, until = self._window(search.wanted)
        search.since = since
        walk = self._history(int(since), None if until is None else int(until)).by_page()
        rows = announced = 0
        page: Page[Row]
        try:
            async for page in walk:
                rows += len(page.items)
                announced = announced or page.total or 0
                search.look(page.items, self._witnesses)
                if not search.missing:
                    return True
        finally:
            await walk.aclose()
        return rows >= announced

    def _window(self, doubts: Sequence[Doubt]) -> tuple[float, float | None]:
        """Return from when and until when, on the server's clock, the doubts can be dated."""
        intent = min(it.intent for it in doubts)
        if self.clock.behind is None:
            return intent - self._policy.skew, None
        now, settle = self._now(), self._policy.settle
        decisive = any(now >= it.failed + settle for it in doubts)
        margin = _MARGIN if decisive else _MARGIN / 4
        since = intent + (self.clock.behind if decisive else self.clock.closest) - margin
        if any(it.message.schedule is not None for it in doubts):
            return since, None  # whether a scheduled message is dated by its schedule is unknown
        reach = settle if decisive and self._policy.resend else _LATE if decisive else _SOON
        latest = max(it.failed for it in doubts) + min(reach, settle)
        until = self._wall() + (latest - now) + self.clock.ahead + margin
        return since, None if until > self._wall() + self.clock.behind else until

    def _decide(self, doubts: Sequence[Doubt], search: _Search, started: float) -> None:
        """Settle what the pass did not show, or set the time of its next search."""
        again, verdicts = [], []
        for doubt in doubts:
            doubt.passes += 1
            settled = doubt.failed + self._policy.settle
            if started < settled:
                wait = min(_FIRST_WAIT * 2.0 ** (doubt.passes - 1), _LONGEST_WAIT)
                wait = max(wait, self._now() - started)  # long walks leave room for the sending
                # A search shortly before the one that decides would tell nothing more.
                doubt.due = self._now() + wait
                doubt.due = settled if settled - doubt.due <= wait else doubt.due
                continue
            patient = self._now() < doubt.failed + _PATIENCE * max(self._policy.settle, 1.0)
            later = self._sent_after(doubt)
            # One that was accepted while the search was under way cannot have shown in it.
            due = [ref for ref, it in later.items() if it.known <= started]
            seen = not search.witnesses.isdisjoint(due)
            if patient and (search.trouble or search.found):
                doubt.due = self._now() + (_FIRST_WAIT if search.trouble else 0.0)
            elif later and not due and self._policy.resend:
                doubt.due = self._now()  # the next search can tell whether the history lags
            elif not self._policy.resend or search.trouble or doubt.tries >= _TRIES:
                verdicts.append((doubt, self._unknown(doubt, search, due=bool(due), seen=seen)))
            elif seen or not later:
                again.append(doubt)
            elif patient:
                doubt.due = self._now() + _FIRST_WAIT
            else:
                verdicts.append((doubt, self._unknown(doubt, search, due=bool(due), seen=seen)))
        self._conclude(verdicts)
        if again:
            for doubt in again:
                del self._doubts[id(doubt)]
            log.warning("sending %d messages again that a settled search did not show", len(again))
            self._ledger.send_again(again)

    def _sent_after(self, doubt: Doubt) -> dict[str, _Witness]:
        """Return the witnesses that were sent after a doubt arose."""
        failed = self._wall() - (self._now() - doubt.failed)
        return {ref: it for ref, it in self._witnesses.items() if it.intent >= failed}

    def _unknown(self, doubt: Doubt, search: _Search, *, due: bool, seen: bool) -> Unknown:
        waited = f"{self._policy.settle:g} s"
        if search.trouble:
            how = f"the history could not be read ({search.trouble})"
        elif not due:
            how = f"not in the history after {waited} (nothing sent later to compare with)"
        elif seen:
            how = f"not in the history after {waited}, though messages sent later are"
        else:
            how = f"not in the history after {waited}, nor are messages sent later: it lags"
        return Unknown(doubt.message, doubt.ref, f"{doubt.reason}; {how}")

    def _conclude(self, verdicts: Sequence[tuple[Doubt, Outcome]], *, found: bool = False) -> None:
        for doubt, _ in verdicts:
            del self._doubts[id(doubt)]
        if found:
            ids = [it.message_id for _, it in verdicts if isinstance(it, Accepted)]
            self._taken.append(ids)
        if verdicts:
            self._ledger.conclude(verdicts, found=found)

    def _all(self) -> list[Doubt]:
        return list(self._doubts.values())


class _Search:
    """One pass: which rows of the history belong to which doubts."""

    def __init__(
        self,
        wanted: list[Doubt],
        doubts: Iterable[Doubt],
        taken: Iterable[Iterable[str | None]],
        *,
        by_text: bool,
    ) -> None:
        self.wanted = wanted
        """The doubts whose window is walked."""
        self.since = 0.0
        self.missing = len(wanted)
        self.witnesses: set[str] = set()
        self.trouble = ""
        self._wanted = set(map(id, wanted))
        self._taken = {message_id for ids in taken for message_id in ids}
        self._verdicts: dict[int, tuple[Doubt, Outcome]] = {}
        self._by_ref: dict[str, list[Doubt]] = defaultdict(list)
        self._by_text: dict[tuple[str | None, str | None], list[Doubt]] = defaultdict(list)
        for doubt in doubts:
            self._by_ref[doubt.ref].append(doubt)
            if by_text:
                self._by_text[doubt.message.to, doubt.message.body].append(doubt)

    @property
    def found(self) -> int:
        """How many of the wanted doubts the pass has settled."""
        return len(self.wanted) - self.missing

    def look(self, rows: Iterable[Row], witnesses: Container[str]) -> None:
        """Take in rows of the history."""
        for row in rows:
            ref = row.custom_string or ""
            if ref in witnesses:
                self.witnesses.add(ref)
            candidates = self._by_ref.get(ref) if ref else self._by_text.get((row.to, row.body))
            if candidates and self._can_be_ours(row):
                self._assign(row, candidates)

    def verdicts(self) -> list[tuple[Doubt, Outcome]]:
        """Return what was found."""
        return list(self._verdicts.values())

    def _can_be_ours(self, row: Row) -> bool:
        if row.direction == "in" or (row.message_id and row.message_id in self._taken):
            return False
        date = row.date or getattr(row, "date_added", None)
        return date is None or date.timestamp() >= self.since - 1

    def _assign(self, row: Row, candidates: Sequence[Doubt]) -> None:
        fits = [
            it
            for it in candidates
            if id(it) not in self._verdicts and same_number(it.message.to, row.to)
        ]
        if not fits:
            return
        doubt = next((it for it in fits if it.message.body == row.body), fits[0])
        verdict: Outcome
        if is_code(row.status) and row.status != "SUCCESS":
            verdict = Rejected(doubt.message, doubt.ref, row.status)
        else:
            verdict = Accepted(
                doubt.message,
                doubt.ref,
                row.message_id,
                parts(row.message_parts),
                row.message_price,
            )
        self._verdicts[id(doubt)] = (doubt, verdict)
        self._taken.add(row.message_id)
        self.missing -= id(doubt) in self._wanted
