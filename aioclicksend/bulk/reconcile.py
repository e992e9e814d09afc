"""Looking up what became of messages in doubt.

The API cannot be asked about a ref. Its history is searched instead, in passes, one for all doubts
of a moment, and `evidence` says which rows prove what::

    failure ──pass──▶ found: Accepted, Rejected
       │                 │ not found
       │                 ▼
       │       again after 1, 2, 4 … s, until `settle` is over
       └─ settle ─▶ the pass that decides, begun after that
                         ├─ resend=False ───────────────────────────────▶ Unknown
                         ├─ may belong to a row, refs altered, scheduled ─▶ Unknown
                         └─ resend=True, and a witness shows ────────────▶ sent again, same ref

What is found was taken. What is not found proves nothing, as the history lags by an unknown time.
So absence permits another attempt only beside a **witness**: a message of this sender that was sent
after the failure and shows; or, where nothing is left to send, an earlier one whose delay until it
showed was measured and is at most a third of `settle`.

How a pass reads (`_read`). The window from the failed request on is read where it is short. Where
it is long, because others send meanwhile, the doubtful numbers are asked for instead, a hundred a
request. Whether the server joins them by OR is unverified, so each such request begins and ends
with a different witness. A witness that does not show there, though the window shows it, proves
that the filter does not work: from then on the window is read, and with `resend` nothing new is
sent meanwhile, so that the window does not grow.

Everything ends: a pass is bounded in time, a page that hangs is given up, and a doubt is settled at
the latest some seconds after its first pass begun after `settle`.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from typing import Any, Protocol, TypeAlias

import anyio
from msgspec import Struct

from ..errors import ClickSendError, ClientClosedError
from ..pages import Page, Pages
from .batch import Batch, Doubt
from .channel import Channel
from .evidence import Mark, Pass, Window, mark_of
from .lifecycle import Lifecycle, Phase
from .outcome import Acceptances, Accepted, Outcome, Reason, Unknown

log: logging.Logger = logging.getLogger("aioclicksend")

_FIRST_WAIT = 1.0
_LONGEST_WAIT = 60.0
_TOGETHER = 0.1
"""Seconds within which doubts that become due share a pass."""
_MARGIN = 2.0
"""Seconds around a window on the server's clock, whose times are whole seconds."""
_LATE = 15.0
"""Seconds a server may take to accept what it had read when its reply went missing."""
_ATTEMPTS = 5
"""Times one message is sent at most."""
_PATIENCE = 4.0
"""Settle times after which a history that shows no witness is given up."""
_TROUBLE = 10.0
"""Seconds beyond `settle` for which a history that cannot be read is tried again."""
_STALL = 5.0
"""Seconds for which one page may hang before a pass is given up, beside `settle`."""
_LONGEST_PASS = 10.0
"""Seconds that a pass may take, or twice `settle` if that is longer."""
_REREADS = 3
"""Times a window is read again whose pages held fewer rows than announced."""
_PER_REQUEST = 98
"""Numbers asked for in one request; with two witnesses a page of 100 rows holds them all."""


class Reconcile(Struct, frozen=True):
    """How messages in doubt are settled."""

    settle: float = 60.0
    """Seconds after a failure for which the history is asked again; 0 asks nothing."""
    resend: bool = False
    """Send again what a settled search did not show, beside a witness that shows.

    The risk: a message whose row takes longer than `settle` to show goes out twice. Choose `settle`
    well above the lag you have seen.
    """
    skew: float = 300.0
    """Seconds by which the server's clock may differ from ours, until a reply has shown it."""

    def __post_init__(self) -> None:
        if not self.settle >= 0 or not self.skew >= 0:
            raise ValueError("Reconcile: settle and skew must not be negative")


class Ledger(Protocol):
    """What the reconciler needs of the sender."""

    async def conclude(self, verdicts: Sequence[tuple[Doubt, Outcome]], *, found: bool) -> None:
        """Record and settle outcomes of doubtful messages."""
        ...

    def send_again(self, doubts: Sequence[Doubt]) -> None:
        """Queue doubtful messages for another attempt."""
        ...

    async def taken(self, message_ids: Sequence[str]) -> set[str]:
        """Return those of some ids that other messages hold."""
        ...

    def has_more_to_send(self) -> bool:
        """Whether new messages wait to be sent."""
        ...

    def wake(self) -> None:
        """Look again at what may be sent."""
        ...


class _Witness(Struct):
    """A message of this sender that was accepted."""

    batch: Batch
    place: int
    mark: Mark
    """What shows it in the history."""
    sent: float
    """Just before its request, on the event loop's clock."""
    accepted: float
    """When its acceptance was known, on the same clock."""
    has_shown: bool = False
    """Whether a pass has shown it."""

    @property
    def to(self) -> str:
        """Its number; looked up only now, as most messages are kept as JSON."""
        return self.batch.messages[self.place].to or ""


class Reconciler:
    """Looks up all doubts of one bulk sender."""

    def __init__(
        self,
        channel: Channel,
        policy: Reconcile,
        ledger: Ledger,
        lifecycle: Lifecycle,
        *,
        now: Callable[[], float],
        wall: Callable[[], float] = time.time,
    ) -> None:
        self._channel = channel
        self._policy = policy
        self._ledger = ledger
        self._lifecycle = lifecycle
        self._now = now
        self._wall = wall
        self._doubts: dict[int, Doubt] = {}
        self._witnesses: deque[_Witness] = deque(maxlen=16)
        """The first and the last message of each of the last accepted batches."""
        self._lag: float | None = None
        """How long the last witness took to show, at most."""
        self._changed = asyncio.Event()
        self._searching: anyio.CancelScope | None = None
        lifecycle.on_change(self._on_phase_change)

    def __len__(self) -> int:
        return len(self._doubts)

    @property
    def wants_pause(self) -> bool:
        """Whether new messages should wait: a doubt was not searched for, or windows would grow."""
        if not self._doubts or self._policy.settle == 0:
            return False
        # One look first: mostly it shows that the request was taken, and the run continues.
        if any(it.passes == 0 for it in self._doubts.values()):
            return True
        # A window holds everything sent since; each second of sending costs a hundred pages of it.
        reads_windows = self._channel.lookup is None or self._channel.memory.filter_is_broken
        return (
            self._policy.resend
            and reads_windows
            and any(it.may_resend for it in self._doubts.values())
        )

    @property
    def wants_probe(self) -> bool:
        """Whether a paused sender should send a few new messages, to get a witness."""
        if not self.wants_pause or any(it.passes == 0 for it in self._doubts.values()):
            return False
        # An earlier message proves only that the history was up to date before the failure.
        latest = max(it.failed for it in self._doubts.values())
        return not any(it.sent >= latest for it in self._witnesses)

    def add(self, doubts: Iterable[Doubt]) -> None:
        """Take messages in doubt; they are searched for at once."""
        for doubt in doubts:
            # At once: mostly the request was taken, and the first search settles it.
            doubt.due = self._now()
            self._doubts[id(doubt)] = doubt
        self._changed.set()

    def accepted(self, batch: Batch, outcomes: Sequence[Outcome]) -> None:
        """Learn of a batch that a reply has settled: a witness, and ids that are taken."""
        if batch.sent is None or batch.sent.mono is None:
            return
        if isinstance(outcomes, Acceptances):
            # Two of a batch, as look-ups by number need two different numbers.
            first, last = 0, len(outcomes) - 1
        else:
            positions = [it for it, one in enumerate(outcomes) if isinstance(one, Accepted)]
            if not positions:
                return
            first, last = positions[0], positions[-1]
        now = self._now()
        if not batch.has_unique_refs:
            # A ref of the caller's may come again: then the ids distinguish the messages.
            ids = [it.message_id for it in outcomes if isinstance(it, Accepted)]
            self._channel.memory.take(ids, batch.sent.wall, now)
        for place in {first, last}:
            unique, ref = batch.has_unique_ref(place), batch.refs[place]
            # Neither object is looked at where the ref is enough: both may be made on demand.
            to = None if unique else batch.messages[place].to
            message_id = None if unique else outcomes[place].message_id  # type: ignore[union-attr]
            mark = mark_of(ref, to, message_id, unique=unique)
            if mark is not None:
                self._witnesses.append(_Witness(batch, place, mark, batch.sent.mono, now))

    async def run(self) -> None:
        """Search whenever a doubt is due, until cancelled."""
        while True:
            await self._until_due()
            if self._policy.settle == 0:
                await self._give_up(Reason.NOT_LOOKED_UP, "not looked up, as settle is 0")
                continue
            if self._lifecycle.phase >= Phase.HURRIED:
                await self._give_up(Reason.ABORTED, f"{self._lifecycle.detail}, not looked up")
                continue
            try:
                with anyio.CancelScope() as self._searching:
                    await self._search()
            except ClientClosedError as error:  # no search will succeed any more
                await self._give_up(Reason.NOT_LOOKED_UP, str(error))
            except Exception as error:
                log.exception("internal error while searching the history")
                # Only what is in doubt now: a later search may succeed.
                detail = f"the search for it failed ({type(error).__name__})"
                await self._give_up(Reason.NOT_LOOKED_UP, detail)
            finally:
                self._searching = None
            # What was found, or that everything was searched for once, may end the pause.
            self._ledger.wake()

    async def _until_due(self) -> None:
        while True:
            # Cleared before the look, so that a doubt added after it ends the wait.
            self._changed.clear()
            doubts = self._doubts.values()
            if doubts and self._lifecycle.phase >= Phase.HURRIED:
                return
            wait = min((it.due for it in doubts), default=float("inf")) - self._now()
            if wait <= 0:
                return
            with anyio.move_on_after(None if wait == float("inf") else wait):
                await self._changed.wait()

    def _on_phase_change(self) -> None:
        self._changed.set()
        # What the search has not found by now ends as Unknown, in `run`.
        if self._lifecycle.phase >= Phase.HURRIED and self._searching is not None:
            self._searching.cancel()

    async def _give_up(self, reason: Reason, detail: str) -> None:
        verdicts: list[tuple[Doubt, Outcome]] = [
            (it, Unknown(it.message, it.ref, reason, f"{it.detail}; {detail}"))
            for it in self._doubts.values()
        ]
        await self._conclude(verdicts)

    # One pass.

    async def _search(self) -> None:
        """Make one pass for the doubts that are due."""
        started = self._now()
        # A pass for those that are nearly due would read the same pages again.
        wanted = [it for it in self._doubts.values() if it.due <= started + _TOGETHER]
        one = Pass(
            list(self._doubts.values()),
            wanted,
            memory=self._channel.memory,
            has_refs=self._channel.has_refs,
            skew=self._policy.skew,
            wall_offset=self._wall() - started,
        )
        # A history without an end, or of a million rows, must not hold the sender forever.
        bound = max(_LONGEST_PASS, 2 * self._policy.settle)
        try:
            with anyio.move_on_after(bound) as limit:
                await self._read(one)
            if limit.cancelled_caught:
                one.trouble = f"it could not be read within {bound:g} s"
        # What was read before the error still proves presence; absence needs a complete pass.
        except ClickSendError as error:
            one.trouble = str(error)
        except _Stalled:
            one.trouble = "a page of it did not come"
        # Before anything is concluded, while the witnesses of this pass are known.
        self._measure_lag(one)
        found = one.verdicts()
        await self._conclude(found, found=True)
        open_ones = [it for it in wanted if id(it) in self._doubts]
        await self._decide(open_ones, one, started)

    async def _read(self, one: Pass) -> None:
        """Read what may show the wanted doubts: the window, or their numbers if that is cheaper."""
        # Rows that arrive meanwhile shift the pages: fewer rows than announced may hide some.
        for _ in range(_REREADS):
            announced = 0
            rows: set[_RowKey] = set()
            since, until = self._window(one.wanted)
            one.window = self._dated(since, until)
            walk = self._channel.history(since, until).by_page()
            try:
                while (page := await self._page(walk)) is not None:
                    await self._look(one, page)
                    # A page that shifted repeats rows and leaves out others.
                    rows.update(map(_row_key, page.items))
                    announced = announced or page.total or 0
                    # All are found: the rest of the window could prove nothing more.
                    if not one.missing:
                        one.is_complete = True
                        return
                    # Only the first page shows how long the window is, with what others have sent.
                    if page.number == 1 and self._numbers_are_cheaper(one, announced):
                        break
                else:
                    one.is_complete = len(rows) >= announced
                    if one.is_complete:
                        return
                    continue
            finally:
                await _close(walk)
            one.is_complete = await self._look_up_numbers(one)
            return
        one.trouble = one.trouble or "its pages hold fewer rows than it announces"

    def _numbers_are_cheaper(self, one: Pass, announced: int) -> bool:
        if self._channel.lookup is None or self._channel.memory.filter_is_broken:
            return False
        numbers = {it.message.to or "" for it in one.wanted}
        # The history keeps numbers in E.164: asking for a local one would show nothing.
        if not all(it.startswith("+") for it in numbers):
            return False
        decides = any(self._now() >= it.failed + self._policy.settle for it in one.wanted)
        if self._policy.resend and decides and None in self._two_witnesses(one.wanted, numbers):
            return False  # without a witness a look-up proves no absence, the window may
        # In requests. The first page of the window, a hundred rows, is read already.
        return len(numbers) / _PER_REQUEST + 1 < (announced - 100) / 100

    async def _look_up_numbers(self, one: Pass) -> bool:
        """Ask for the numbers in doubt; return whether what did not show is really absent."""
        lookup, memory = self._channel.lookup, self._channel.memory
        assert lookup is not None
        found = {id(doubt) for doubt, _ in one.verdicts()}
        numbers = sorted({it.message.to or "" for it in one.wanted if id(it) not in found})
        first, last = self._two_witnesses(one.wanted, set(numbers))
        # Early enough to show the witnesses as well, which may be older than the failures.
        since, _ = self._window(one.wanted)
        since = (
            min(since, int(min(it.sent for it in (first, last)) + self._least_offset()) - 5)
            if (first and last)
            else since
        )
        one.window = self._dated(since, None)
        shows = is_whole = True
        for start in range(0, len(numbers), _PER_REQUEST):
            some = numbers[start : start + _PER_REQUEST]
            asked = [*([first.to] if first else []), *some, *([last.to] if last else [])]
            # Each request must show both by itself.
            one.seen.difference_update(it.mark for it in (first, last) if it)
            announced = 0
            rows: set[_RowKey] = set()
            walk = lookup(since, asked).by_page()
            try:
                while (page := await self._page(walk)) is not None:
                    await self._look(one, page)
                    rows.update(map(_row_key, page.items))
                    announced = announced or page.total or 0
                    # A number may well have ten rows in a few minutes. More than that shows that
                    # the filter has no effect.
                    if page.number == 1 and (page.total or 0) > 10 * len(asked) + 100:
                        memory.filter_is_broken = True  # it shows everything there is
                        return False
            finally:
                await _close(walk)
            is_whole = is_whole and len(rows) >= announced
            shows = shows and all(it is not None and it.mark in one.seen for it in (first, last))
        if shows or not one.missing:
            return is_whole or not one.missing
        if first is None or last is None:
            return False  # nothing to check the filter with
        # The filter hides a witness, or the history lags. Either way this pass proves no absence.
        if await self._is_shown_by(self._channel.history(since, None), one, first, last):
            # It may have caught up meanwhile, so the filter is given another chance.
            again = lookup(since, [first.to, last.to])
            if not await self._is_shown_by(again, one, first, last):
                memory.filter_is_broken = True
                log.warning("the history does not filter by several numbers; reading windows")
        return False

    async def _is_shown_by(
        self, pages: Pages[Any], one: Pass, first: _Witness, last: _Witness
    ) -> bool:
        """Whether some pages show two witnesses; they are read until they do."""
        wanted = {first.mark, last.mark}
        # These pages must show them; what earlier ones showed does not count.
        one.seen -= wanted
        walk = pages.by_page()
        try:
            while (page := await self._page(walk)) is not None:
                await self._look(one, page)
                if wanted <= one.seen:
                    return True
        finally:
            await _close(walk)
        return False

    def _two_witnesses(
        self, wanted: Sequence[Doubt], numbers: set[str]
    ) -> tuple[_Witness | None, _Witness | None]:
        """Return two messages that the history should show, best sent after the failures."""
        failed = max(it.failed for it in wanted)
        # A number in doubt is no witness: the filter for that number itself would show it.
        usable = [it for it in self._witnesses if it.to.startswith("+") and it.to not in numbers]
        later = [it for it in usable if it.sent >= failed] or usable
        if len({it.to for it in later}) < 2:
            later = usable
        if len({it.to for it in later}) < 2:
            return None, None
        first = later[0]
        return first, next(it for it in reversed(later) if it.to != first.to)

    async def _page(self, walk: Any) -> Page[Any] | None:
        """Return the next page, None after the last.

        Raises:
            _Stalled: it did not come in time.

        """
        with anyio.move_on_after(_STALL + self._policy.settle):
            page: Page[Any] | None = await anext(walk, None)
            return page
        raise _Stalled

    async def _look(self, one: Pass, page: Page[Any]) -> None:
        rows = one.candidates(page.items)
        taken = self._channel.memory.taken()
        # A generated ref needs no id as proof, so mostly the journal is not asked.
        if ids := one.ids_to_check(rows):
            # Other messages of the journal: this one has no id there, or it would be no doubt.
            taken |= dict.fromkeys(await self._ledger.taken(ids), float("-inf"))
        one.take(rows, taken)

    def _window(self, doubts: Sequence[Doubt]) -> tuple[int, int | None]:
        """Return from when and until when, on the server's clock, the doubts can be dated."""
        now = self._now()
        clock, settle, skew = self._channel.memory.clock, self._policy.settle, self._policy.skew
        # Another process's intent has no time on our monotonic clock, so the whole skew applies.
        foreign = any(it.sent.mono is None for it in doubts)
        if not clock.is_known or foreign:
            # A request in the future was begun before our clock was set back.
            return int(min(self._wall(), *(it.sent.wall for it in doubts)) - skew), None
        since = min(it.sent.mono or now for it in doubts) + clock.least - _MARGIN
        decisive = any(now >= it.failed + settle for it in doubts)
        if not decisive or any(it.message.schedule is not None for it in doubts):
            return int(since), None  # whether a scheduled row is dated by its schedule is unknown
        # Before another attempt the window reaches as far as the request can have been taken late.
        reach = settle if self._policy.resend else min(_LATE, settle)
        until = max(it.failed for it in doubts) + reach + clock.most + _MARGIN
        # An end in the future is left open: rows may still get a date before it.
        return int(since), None if until > now + clock.least else int(until) + 1

    def _dated(self, since: int, until: int | None) -> Window:
        """Return when rows of a window can be dated: not later than now."""
        clock = self._channel.memory.clock
        if until is None and clock.is_known:
            until = int(self._now() + clock.most + _MARGIN)
        elif until is None:
            until = int(self._wall() + self._policy.skew)
        return Window(since, until)

    def _least_offset(self) -> float:
        clock = self._channel.memory.clock
        return clock.least if clock.is_known else self._wall() - self._now() - self._policy.skew

    def _measure_lag(self, one: Pass) -> None:
        """Learn how long a witness took to show, at most: until the first pass that shows it."""
        shown = [it for it in self._witnesses if not it.has_shown and it.mark in one.seen]
        for witness in shown:
            witness.has_shown = True
        # The latest one: an older witness may have shown long before this pass looked.
        if shown:
            self._lag = self._now() - shown[-1].accepted

    # Deciding.

    async def _decide(self, doubts: Sequence[Doubt], one: Pass, started: float) -> None:
        """Settle what a pass did not show, or set the time of its next search."""
        again: list[Doubt] = []
        verdicts: list[tuple[Doubt, Outcome]] = []
        for doubt in doubts:
            doubt.passes += 1
            settled = doubt.failed + self._policy.settle
            # For good: a later pass may miss the row that raised the question.
            if id(doubt) in one.ambiguous:
                doubt.may_resend = False
            if started < settled:
                wait = min(_FIRST_WAIT * 2.0 ** (doubt.passes - 1), _LONGEST_WAIT)
                # Long passes leave room for sending; one shortly before the decision adds nothing.
                wait = max(wait, self._now() - started)
                doubt.due = self._now() + wait
                doubt.due = settled if settled - doubt.due <= wait else doubt.due
                continue
            verdict = self._verdict(doubt, one, settled)
            if isinstance(verdict, int | float):
                doubt.due = self._now() + verdict
            elif verdict is None:
                again.append(doubt)
            else:
                verdicts.append((doubt, verdict))
        await self._conclude(verdicts)
        if again:
            for doubt in again:
                # If the next attempt ends without a verdict as well, it becomes a new doubt.
                del self._doubts[id(doubt)]
            log.warning("sending %d messages again that a settled search did not show", len(again))
            self._ledger.send_again(again)

    def _verdict(self, doubt: Doubt, one: Pass, settled: float) -> Outcome | float | None:
        """Return a doubt's outcome, or seconds until its next search, or None: send it again."""
        now = self._now()
        patient = now < doubt.failed + _PATIENCE * max(self._policy.settle, 1.0)
        waited = f"{self._policy.settle:g} s"
        # A history that could not be read says nothing, neither presence nor absence.
        if one.trouble:
            if now < settled + _TROUBLE:
                return _FIRST_WAIT
            detail = f"the history could not be read ({one.trouble})"
            return self._unknown(doubt, Reason.NOT_LOOKED_UP, detail)
        if id(doubt) in one.ambiguous:
            detail = "a row of the history may be this message or another one"
            return self._unknown(doubt, Reason.AMBIGUOUS, detail)
        if one.found and patient:
            return 0.0  # the history still moves: repeat until a pass adds nothing
        # Where a message sent after the failure shows, the history has come that far.
        later = [it for it in self._witnesses if it.sent >= doubt.failed]
        shows = any(it.mark in one.seen for it in later)
        if self._may_resend(doubt):
            if one.is_complete and shows:
                return None
            if patient and (later or self._ledger.has_more_to_send() or not one.is_complete):
                return _FIRST_WAIT / 4  # a witness will show, or has yet to be sent
            if one.is_complete and not later and self._lag_is_short():
                return None
        # Up to date, and without the message: probably not taken, but that is no proof.
        if shows:
            detail = f"not in the history after {waited}, though messages sent later are"
            return self._unknown(doubt, Reason.NOT_FOUND, detail)
        detail = (
            f"not in the history after {waited}, nor are messages sent later: it lags"
            if later
            else f"not in the history after {waited} (nothing sent later to compare with)"
        )
        return self._unknown(doubt, Reason.LAGGING, detail)

    def _may_resend(self, doubt: Doubt) -> bool:
        """Whether absence would permit another attempt of a message at all."""
        return (
            self._policy.resend
            and self._lifecycle.phase < Phase.STOPPED
            and doubt.may_resend
            and doubt.attempt < _ATTEMPTS
            and not self._channel.memory.refs_are_altered
        )

    def _lag_is_short(self) -> bool:
        """Whether a measured delay stands in for a witness, where nothing is left to send."""
        return self._lag is not None and self._lag <= self._policy.settle / 3

    def _unknown(self, doubt: Doubt, reason: Reason, detail: str) -> Unknown:
        return Unknown(doubt.message, doubt.ref, reason, f"{doubt.detail}; {detail}")

    async def _conclude(
        self, verdicts: Sequence[tuple[Doubt, Outcome]], *, found: bool = False
    ) -> None:
        if not verdicts:
            return
        # Before anything is awaited: a doubt that is concluded twice would be settled twice.
        for doubt, _ in verdicts:
            del self._doubts[id(doubt)]
        if found:
            for doubt, it in verdicts:
                if isinstance(it, Accepted) and not doubt.has_unique_ref:
                    self._channel.memory.take([it.message_id], doubt.sent.wall, self._now())
        # A search that is cancelled here must not leave outcomes recorded but not passed on.
        with anyio.CancelScope(shield=True):
            await self._ledger.conclude(verdicts, found=found)


_RowKey: TypeAlias = "tuple[str | None, ...]"


def _row_key(row: Any) -> _RowKey:
    """Return what distinguishes a row of the history from the others."""
    return row.message_id, row.custom_string, row.to, row.body


async def _close(walk: Any) -> None:
    """End a walk, also where the pass was cancelled: its pages under way are dropped."""
    with anyio.CancelScope(shield=True):
        await walk.aclose()


class _Stalled(Exception):
    """A page of the history did not come in time."""
