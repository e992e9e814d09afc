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

A row with the ref that fails number or text, or whose time is unclear, may be the message or not.
It proves nothing, and it forbids another attempt: the message ends as Unknown. Rows that are
provably older, or whose id is taken, are other messages and prove nothing at all.

Absence proves nothing by itself, as the history lags: see `reconcile` for what it takes.
"""

from __future__ import annotations

from collections import defaultdict, deque
from collections.abc import Iterable, Mapping, Sequence
from enum import Enum
from typing import Any

from .batch import Doubt, Moment
from .outcome import Outcome, Rejected
from .replies import REFUSALS, accepted, resembles, status_word

_TAIL = 7
"""Digits at the end of a number by which rows are first compared: any format has them."""
_OBSERVATIONS = 16
_CLOCK_MARGIN = 2.0
"""Seconds by which a row must be too old before that counts as proven."""
_SAME_REQUEST = 1.0
"""Seconds within which two recorded moments may be those of one request."""
_TAKEN_FOR = 900.0
"""Seconds for which ids of accepted messages are remembered; older rows are known by their date."""


class ServerClock:
    """The server's clock, as far as replies have shown it, against our monotonic one.

    A reply stamps its first row with a whole second, somewhere between the request's first byte
    and the reply's last. The offsets of several replies are kept, as a server's clock may step.
    """

    def __init__(self) -> None:
        self.stamps: deque[tuple[float, float, float]] = deque(maxlen=_OBSERVATIONS)
        """Seconds that the server stamped, each between two moments of ours: sent, received."""

    @property
    def is_known(self) -> bool:
        """Whether any reply has shown it."""
        return bool(self.stamps)

    @property
    def least(self) -> float:
        """Seconds to add to our clock for the server's: no observation allows less."""
        return min(stamped - received for stamped, _, received in self.stamps)

    @property
    def closest(self) -> float:
        """The same by the observation that was most precise from below."""
        return max(stamped - received for stamped, _, received in self.stamps)

    @property
    def most(self) -> float:
        """The same: no observation allows more."""
        return max(stamped + 1.0 - sent for stamped, sent, _ in self.stamps)


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


def age_of(
    date: float | None, sent: Moment, clock: ServerClock, skew: float, wall_offset: float
) -> Age:
    """Return how the server's time of a row relates to a request.

    Args:
        date: of the row, in unix seconds by the server's clock; None if it cannot be read.
        sent: just before the request; without a monotonic time if another process made it.
        clock: the server's clock.
        skew: seconds by which the server's clock may differ from ours if it is unknown.
        wall_offset: seconds to add to our monotonic clock for our wall clock, now.

    """
    if date is None:
        return Age.UNCLEAR
    if clock.is_known:
        mono = sent.mono if sent.mono is not None else sent.wall - wall_offset
        # Another process's wall clock may have been set since: its moments are less certain.
        margin = _CLOCK_MARGIN if sent.mono is not None else skew
        fresh, older = mono + clock.closest, mono + clock.least - margin
    else:
        # No reply has shown the server's clock yet: only the configured skew bounds it.
        fresh, older = sent.wall, sent.wall - skew
    # The server's times are whole seconds: a row may be up to a second younger than its date.
    if date >= int(fresh):
        return Age.FRESH
    return Age.OLDER if date + 1 < older else Age.UNCLEAR


def same_recipient(doubt: Doubt, to: str | None) -> bool:
    """Whether a row's number provably is that of a message."""
    ours, theirs = _digits(doubt.message.to), _digits(to)
    # Accounts that de-identify their data mask digits, and then numbers prove nothing.
    if not ours or not theirs:
        return False
    if (doubt.message.to or "").strip().startswith("+"):
        return ours == theirs.removeprefix("00")
    # A local number: the server has put the country's code in place of its leading zero.
    return theirs.endswith(ours.lstrip("0"))


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
        self.seen: set[str] = set()
        """Refs of the rows that were read."""
        self.ambiguous: set[int] = set()
        """The `id`s of doubts that a row may or may not belong to."""
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
            self._by_tail[_tail(doubt.message.to)].append(doubt)

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
            # Witnesses are recognised by their refs, so these are noted for every outgoing row.
            ref = row.custom_string or ""
            self.seen.add(ref)
            if ref in self._by_ref or _tail(row.to) in self._by_tail:
                chosen.append(row)
        return chosen

    def ids_to_check(self, rows: Iterable[Any]) -> list[str]:
        """Return the ids of candidates that a ref alone does not prove."""
        return [
            row.message_id
            for row in rows
            if row.message_id
            and not any(it.has_unique_ref for it in self._by_ref.get(row.custom_string or "", ()))
        ]

    def take(self, rows: Iterable[Any], taken: Mapping[str, float]) -> None:
        """Assign candidates to doubts.

        Args:
            rows: what `candidates` returned.
            taken: ids that accepted messages hold, and the unix times of their requests.

        """
        loose = []
        for row in rows:
            # One row is evidence for one message only.
            if row.message_id and row.message_id in self._used:
                continue
            if row.message_id and row.message_id in taken:
                self._note_taken(row, taken[row.message_id])
            elif not self._assign(row):
                loose.append(row)
        # After all proofs: a doubt that another row has settled is not ambiguous.
        for row in loose:
            self._note_ambiguity(row)

    def verdicts(self) -> list[tuple[Doubt, Outcome]]:
        """Return what was found."""
        return list(self._verdicts.values())

    def _assign(self, row: Any) -> bool:
        """Give a row to the doubt it proves; False if it proves none."""
        ref = row.custom_string or ""
        for doubt in self._by_ref.get(ref, ()):
            # Neither number nor text is compared: a history may mask the one and rewrite the other
            # (`shorten_urls`).
            if doubt.has_unique_ref and ref:
                return self._settle(doubt, row)
        named = [it for it in self._by_ref.get(ref, ()) if ref]
        similar = [it for it in self._by_tail.get(_tail(row.to), ()) if _may_be(it, row)]
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
        for doubt in self._by_tail.get(_tail(row.to), ()):
            same = row.body == doubt.message.body and resembles(
                row.custom_string or doubt.ref, doubt.ref
            )
            if same and sent > doubt.sent.wall - _SAME_REQUEST:
                self.ambiguous.add(id(doubt))

    def _note_ambiguity(self, row: Any) -> None:
        """Forbid further attempts of the doubts that a row may belong to after all."""
        ref = row.custom_string or ""
        suspects = self._by_ref.get(ref, []) if ref else []
        suspects = suspects + [
            it
            for it in self._by_tail.get(_tail(row.to), ())
            if row.body == it.message.body and (not ref or resembles(ref, it.ref))
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
        self.ambiguous.discard(id(doubt))
        if row.message_id:
            self._used.add(row.message_id)
        self.missing -= id(doubt) in self._wanted
        return True

    def _age(self, doubt: Doubt, row: Any) -> Age:
        date = row.date or getattr(row, "date_added", None)
        stamp = None if date is None else date.timestamp()
        clock = self._memory.clock
        return age_of(stamp, doubt.sent, clock, self._skew, self._wall_offset)


def _may_be(doubt: Doubt, row: Any) -> bool:
    return bool(row.body == doubt.message.body)


def _digits(number: str | None) -> str:
    """Return the digits of a number, "" if some are masked."""
    text = str(number or "").strip()
    plain = "".join(it for it in text if it not in "+ ().-/")
    return plain if plain.isascii() and plain.isdigit() else ""


def _tail(number: str | None) -> str:
    return _digits(number)[-_TAIL:]
