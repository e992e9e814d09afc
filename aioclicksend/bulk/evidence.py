"""What a row of the history proves about a message in doubt. Pure: no I/O, no clock.

A generated ref is unique: a row that carries it is the message, however the server writes number
and date. A caller's ref may come again, and some histories show no refs; then a row is the message
only if all of this holds:

====================  =============================================================================
number                the same E.164
text                  the same
time                  not before the request, by the server's clock
id                    held by no other message of this journal or client
====================  =============================================================================

Any other row that may be the message proves nothing and forbids another attempt: the message ends
as Unknown. Such a row has the ref, however number and text are written; or it has a number with the
same last digits, and a ref that resembles ours or the same text under an unknown ref. Rows
that are provably older, or whose id is taken, are other messages and prove nothing at all.

Absence proves nothing by itself, as the history lags: see `reconcile` for what it takes.
"""

from __future__ import annotations

from collections import defaultdict, deque
from collections.abc import Iterable, Mapping, Sequence
from enum import Enum
from typing import Any, TypeAlias

from msgspec import Struct

from ..models.messages import REF_PREFIX
from .batch import Doubt, Moment
from .outcome import Outcome, Rejected
from .replies import INCONCLUSIVE, REFUSALS, accepted, digits_of, resembles, status_word, tail_of

_CLOCK_MARGIN = 2.0
"""Seconds by which a row must be too old before that counts as proven."""
_COUNTRY_CODE = 3
"""Digits of a country's code at most."""
_SAME_REQUEST = 1.0
"""Seconds within which two recorded moments may be those of one request."""
_TAKEN_FOR = 900.0
"""Seconds for which ids of accepted messages are remembered; older rows are known by their date."""
_CLOCK_MINUTES = 60
"""Minutes for which what replies showed of the server's clock is remembered."""


class ServerClock:
    """The server's clock, as far as replies have shown it, against our monotonic one.

    A reply stamps its first row with a whole second, somewhere between the request's first byte
    and the reply's last. The extremes of some time are kept, as a server's clock may step.
    """

    def __init__(self) -> None:
        self._extremes: dict[int, tuple[float, float, float]] = {}
        """By the minute of ours: what `least`, `closest` and `most` return of its replies."""

    def learn(self, stamped: float, sent: float, received: float) -> None:
        """Take the second that the server stamped between two moments of ours."""
        early, late = stamped - received, stamped + 1.0 - sent
        minute = int(received // 60)
        if (known := self._extremes.get(minute)) is not None:
            early_before, closest, late_before = known
            self._extremes[minute] = (
                min(early, early_before),
                max(early, closest),
                max(late, late_before),
            )
            return
        self._extremes[minute] = early, early, late
        # A doubt is settled long before: what was true of the clock when it was sent is still here.
        for old in [it for it in self._extremes if it < minute - _CLOCK_MINUTES]:
            del self._extremes[old]

    @property
    def is_known(self) -> bool:
        """Whether any reply has shown it."""
        return bool(self._extremes)

    @property
    def least(self) -> float:
        """Seconds to add to our clock for the server's: no observation allows less."""
        return min(it for it, _, _ in self._extremes.values())

    @property
    def closest(self) -> float:
        """The same by the observation that was most precise from below."""
        return max(it for _, it, _ in self._extremes.values())

    @property
    def most(self) -> float:
        """The same: no observation allows more."""
        return max(it for _, _, it in self._extremes.values())


class Memory:
    """What was learned of a server, shared by the senders of one client."""

    def __init__(self) -> None:
        self.clock: ServerClock = ServerClock()
        self.refs_are_altered = False
        """Whether it returns refs otherwise than they were sent: then they prove no absence."""
        self.filter_is_broken = False
        """Whether its history does not filter by several numbers."""
        self._taken: deque[tuple[float, float, list[str | None]]] = deque()

    def take(self, ids: list[str | None], sent: float, now: float) -> None:
        """Remember ids of accepted messages whose refs may come again.

        Args:
            ids: the ids.
            sent: unix time just before their request.
            now: the present, on the event loop's clock.

        """
        self._taken.append((now, sent, ids))
        # A long run with the caller's refs would keep every id otherwise.
        while self._taken and self._taken[0][0] < now - _TAKEN_FOR:
            self._taken.popleft()

    def taken(self) -> dict[str, float]:
        """Return the ids that are remembered, and when their requests were sent."""
        return {it: sent for _, sent, ids in self._taken for it in ids if it}


class Age(Enum):
    """How a row's time relates to a request."""

    FRESH = "not before the request"
    UNCLEAR = "perhaps before, perhaps not"
    OLDER = "provably before"


Mark: TypeAlias = "str | tuple[str | None, str, str]"
"""What distinguishes a message in the history: a generated ref, or id, ref and last digits."""


def mark_of(ref: str, to: str | None, message_id: str | None, *, unique: bool) -> Mark | None:
    """Return what shows that a row is an accepted message, None if nothing does."""
    if unique:
        return ref
    # A caller's ref comes again: an earlier row with it says nothing of this message.
    return (message_id, ref, tail_of(to)) if message_id else None


class Window(Struct, frozen=True):
    """The seconds in which a row can be dated that a search shows, by the server's clock."""

    since: float
    until: float

    def holds(self, date: float) -> bool:
        """Whether a row can have this date; another one is not what the server searches by."""
        return self.since - 1 <= date <= self.until + 1


def age_of(
    date: float | None, sent: Moment, clock: ServerClock, skew: float, wall_offset: float
) -> Age:
    """Return how the server's time of a row relates to a request.

    Args:
        date: of the row, in unix seconds by the server's clock; None if it cannot be relied on.
        sent: just before the request; without a monotonic time if another process made it.
        clock: the server's clock.
        skew: seconds by which the server's clock may differ from ours if it is unknown.
        wall_offset: seconds to add to our monotonic clock for our wall clock, now.

    """
    if date is None:
        return Age.UNCLEAR
    if clock.is_known:
        mono = sent.mono if sent.mono is not None else sent.wall - wall_offset
        fresh, older = mono + clock.closest, mono + clock.least - _CLOCK_MARGIN
    else:
        # No reply has shown the server's clock yet: only the configured skew bounds it.
        fresh, older = sent.wall, sent.wall - skew
    # The server's times are whole seconds: a row may be up to a second younger than its date.
    if date >= int(fresh):
        return Age.FRESH
    # The wall clock may have been set since another process read it, by any amount.
    if sent.mono is None:
        return Age.UNCLEAR
    return Age.OLDER if date + 1 < older else Age.UNCLEAR


def same_recipient(doubt: Doubt, to: str | None) -> bool:
    """Whether a row's number provably is that of a message."""
    ours, theirs = digits_of(doubt.message.to), digits_of(to)
    # Accounts that de-identify their data mask digits, and then numbers prove nothing.
    if not ours or not theirs:
        return False
    if (doubt.message.to or "").strip().startswith("+"):
        return ours == theirs.removeprefix("00")
    # A local number: the server has put the country's code in place of its leading zero.
    significant = ours.lstrip("0")
    return theirs.endswith(significant) and len(theirs) - len(significant) <= _COUNTRY_CODE


class Pass:
    """One search of the history: which rows belong to which doubts."""

    def __init__(
        self,
        doubts: Iterable[Doubt],
        wanted: Sequence[Doubt],
        *,
        memory: Memory,
        has_refs: bool,
        skew: float,
        wall_offset: float,
    ) -> None:
        self.wanted = wanted
        """The doubts it is made for; what it shows of others is taken along."""
        self.missing: int = len(wanted)
        self.is_complete = False
        """Whether everything was read that could have shown the wanted ones."""
        self.trouble = ""
        """Why the history could not be read, if so."""
        self.seen: set[Mark] = set()
        """The rows that were read, by all that may distinguish them."""
        self.ambiguous: set[int] = set()
        """The `id`s of doubts that a row may or may not belong to."""
        self.window: Window = Window(float("-inf"), float("inf"))
        """In which the rows are dated that are being read."""
        self._memory = memory
        self._has_refs = has_refs
        self._skew = skew
        self._wall_offset = wall_offset
        self._wanted = set(map(id, wanted))
        self._verdicts: dict[int, tuple[Doubt, Outcome]] = {}
        self._used: set[str] = set()
        self._by_ref: dict[str, list[Doubt]] = defaultdict(list)
        self._by_tail: dict[str, list[Doubt]] = defaultdict(list)
        # All doubts, not only the wanted ones: a row that is read anyway can settle one early.
        for doubt in doubts:
            self._by_ref[doubt.ref].append(doubt)
            self._by_tail[tail_of(doubt.message.to)].append(doubt)

    @property
    def found(self) -> int:
        """How many of the wanted doubts it has settled."""
        return len(self.wanted) - self.missing

    def candidates(self, rows: Iterable[Any]) -> list[Any]:
        """Return the rows that may belong to a doubt, and note which refs were seen."""
        chosen = []
        for row in rows:
            # Replies carry the ref of the message that they answer.
            if row.direction == "in":
                continue
            # Witnesses are recognised by these, so they are noted for every outgoing row.
            ref = row.custom_string or ""
            self.seen.add(ref)
            self.seen.add((row.message_id, ref, tail_of(row.to)))
            if ref in self._by_ref or tail_of(row.to) in self._by_tail:
                chosen.append(row)
        return chosen

    def ids_to_check(self, rows: Iterable[Any]) -> list[str]:
        """Return the ids of candidates that a ref alone does not prove."""
        return [row.message_id for row in rows if row.message_id and not self._has_unique_ref(row)]

    def take(self, rows: Iterable[Any], taken: Mapping[str, float]) -> None:
        """Assign candidates to doubts.

        Args:
            rows: what `candidates` returned.
            taken: ids that accepted messages hold, and the unix times of their requests.

        """
        loose = []
        for row in rows:
            # First, as such a ref proves by itself: servers have given one id to a whole request.
            if self._has_unique_ref(row) or row.message_id not in taken:
                if not self._assign(row):
                    loose.append(row)
            else:
                self._note_taken(row, taken[row.message_id])
        # After all proofs: a doubt that another row has settled is not ambiguous.
        for row in loose:
            self._note_ambiguity(row)

    def verdicts(self) -> list[tuple[Doubt, Outcome]]:
        """Return what was found."""
        return list(self._verdicts.values())

    def _has_unique_ref(self, row: Any) -> bool:
        ref = row.custom_string
        return bool(ref) and any(it.has_unique_ref for it in self._by_ref.get(ref, ()))

    def _assign(self, row: Any) -> bool:
        """Give a row to the doubt it proves; False if it proves none."""
        if status_word(row.status) in INCONCLUSIVE:
            return False
        ref = row.custom_string or ""
        for doubt in self._by_ref.get(ref, ()):
            # Neither number nor text is compared: a history may mask the one and rewrite the other
            # (`shorten_urls`).
            if doubt.has_unique_ref and ref:
                return self._settle(doubt, row)
        # One row is evidence for one message only.
        if row.message_id and row.message_id in self._used:
            return False
        named = [it for it in self._by_ref.get(ref, ()) if ref]
        similar = self._by_tail.get(tail_of(row.to), ())
        # By ref first: it distinguishes messages with equal number and text.
        for doubt in [*named, *similar]:
            if self._proves(doubt, row, ref):
                return self._settle(doubt, row)
        return False

    def _proves(self, doubt: Doubt, row: Any, ref: str) -> bool:
        if id(doubt) in self._verdicts:
            return False
        if not same_recipient(doubt, row.to) or row.body != doubt.message.body:
            return False
        if ref and ref != doubt.ref:
            if not resembles(ref, doubt.ref):
                return False
            # From now on a ref that is missing may only be spelled otherwise.
            self._memory.refs_are_altered = True
        # Ours always have a ref: another program may have sent the same text without one.
        elif not ref and self._has_refs:
            return False
        return self._age(doubt, row) is Age.FRESH

    def _note_taken(self, row: Any, sent: float) -> None:
        """Forbid further attempts of a doubt that may be the very message that holds the id.

        A process that could not record its results meets its own messages again as doubts.
        """
        for doubt in self._by_tail.get(tail_of(row.to), ()):
            same = row.body == doubt.message.body and resembles(
                row.custom_string or doubt.ref, doubt.ref
            )
            if same and sent > doubt.sent.wall - _SAME_REQUEST:
                self.ambiguous.add(id(doubt))

    def _note_ambiguity(self, row: Any) -> None:
        """Forbid further attempts of the doubts that a row may belong to after all."""
        ref = row.custom_string or ""
        suspects = list(self._by_ref.get(ref, ())) if ref else []
        suspects += [
            it
            for it in self._by_tail.get(tail_of(row.to), ())
            if resembles(ref, it.ref)
            or (row.body == it.message.body and not _is_of_another(ref, it.ref))
        ]
        for doubt in suspects:
            if id(doubt) not in self._verdicts and self._age(doubt, row) is not Age.OLDER:
                self.ambiguous.add(id(doubt))

    def _settle(self, doubt: Doubt, row: Any) -> bool:
        if id(doubt) in self._verdicts:
            return True  # a row repeated on a page that shifted
        # A row of the history may as well say that the message was refused.
        verdict: Outcome = accepted(doubt.message, doubt.ref, row)
        if status_word(row.status) in REFUSALS:
            verdict = Rejected(doubt.message, doubt.ref, row.status)
        self._verdicts[id(doubt)] = doubt, verdict
        if row.message_id:
            self._used.add(row.message_id)
        self.missing -= id(doubt) in self._wanted
        return True

    def _age(self, doubt: Doubt, row: Any) -> Age:
        date = row.date or getattr(row, "date_added", None)
        stamp = None if date is None else date.timestamp()
        # Written in another zone or unit than the server searches by: it says nothing.
        if stamp is not None and not self.window.holds(stamp):
            stamp = None
        return age_of(stamp, doubt.sent, self._memory.clock, self._skew, self._wall_offset)


def _is_of_another(theirs: str, ours: str) -> bool:
    """Whether a ref shows that a row with our number and text is another message."""
    return theirs.startswith(REF_PREFIX) and ours not in theirs
