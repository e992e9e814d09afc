"""The journal of a bulk run: what was about to be sent, and what became of it.

A journal decides who may send a message, and keeps what is known of it. The order of writing is
what makes it safe: an intent is durable before the first byte of its request leaves; a result may
be lost, which costs a search in the history and never a second message.

::

    plan ──▶ planned ──begin──▶ in flight ──finish──▶ accepted | rejected | unknown: final
               ▲                    │                 not sent | held: the next run sends it
               └─── not sent ───────┴── its owner went silent ──▶ in doubt: looked up, never planned

Invariants, whichever implementation:

1. `begin` is the only way to a request. It claims: of two callers that begin a message, one wins.
2. `begin` returns after intent, claim and reservation are durable together.
3. `fence` is checked just before the first byte: an owner that lost its lease sends nothing.
4. What a silent owner left is in doubt. It is never planned again by itself.
5. A key belongs to one message permanently, unless that message ends as not sent.

`SqliteJournal` (`aioclicksend.Journal`) serves one process, `aioclicksend.cluster` any number.
Everything that reads a journal uses these methods or its reader, never its tables.
"""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from enum import StrEnum
from typing import Any, Literal, Protocol, runtime_checkable

from msgspec import Struct

from ..encode import Encoded
from ..outcome import Acceptances, Column, Outcome


class State(StrEnum):
    """Where a message stands."""

    PLANNED = "planned"
    """Entered, never begun."""
    IN_FLIGHT = "in_flight"
    """Begun by an owner that is alive; its outcome will follow."""
    IN_DOUBT = "in_doubt"
    """Begun, and its owner ended or went silent before a result was written."""
    ACCEPTED = "accepted"
    REJECTED = "rejected"
    UNKNOWN = "unknown"
    """Its outcome could not be determined: never sent again without a decision."""
    NOT_SENT = "not_sent"
    """Provably not taken: the next run sends it."""
    HELD = "held"
    """Refused because of the account (no credit, not activated): the next run sends it."""
    KEY_CONFLICT = "key_conflict"
    """Not entered: its key belongs to another message."""

    @property
    def is_sendable(self) -> bool:
        """Whether the next run may send it."""
        return self in (State.PLANNED, State.NOT_SENT, State.HELD)


class Entry(Struct, kw_only=True):
    """A message as a journal holds it."""

    row: int
    """The journal's own number of the message."""
    ref: str
    body: bytes
    """Its JSON, frozen: every attempt sends the same bytes."""
    media_file: str | None = None
    """Travels beside the messages of an MMS request."""
    state: State
    message_id: str | None = None
    parts: int | None = None
    price: Decimal | None = None
    reason: str | None = None
    """The server's status where it is rejected or held, else the value of a `Reason`."""
    detail: str | None = None
    batch: int | None = None
    """The request it was last sent in."""
    attempt: int = 0
    """How often it was begun."""
    intent: float = 0.0
    """Unix time at which that request was begun."""
    reserved: Decimal = Decimal(0)
    """What its attempts without a verdict may have cost."""
    owner_exited: bool = False
    """Whether the owner that left it in doubt is known to have exited: else it may still send."""
    has_unique_ref: bool = False
    """Whether this journal generated the ref, so that it proves by itself whose a row is."""


class AllAccepted(Struct):
    """What a journal knows of messages that were all accepted before, in columns."""

    refs: Sequence[str]
    ids: Column[str | None]
    parts: Column[int | None]
    prices: Column[Decimal | None]

    def of(self, messages: Sequence[Any]) -> Acceptances:
        """Return the outcomes of these messages."""
        return Acceptances(messages, self.refs, self.ids, self.parts, self.prices)


class Planned(Struct):
    """What `plan` did with the messages it was given."""

    rows: Sequence[int]
    """The row of each message, in order; 0 for a key conflict. Equal messages may share one."""
    known: dict[int, Entry]
    """By position, the messages that had been entered before (or conflict); the others are new."""
    accepted: AllAccepted | None = None
    """Instead of `known`, where all of them were accepted before: a shortcut for whole chunks."""


class Begun(Struct):
    """What `begin` claimed."""

    batch: int
    """Names the request towards `finish`."""
    won: Sequence[int]
    """The rows that are this caller's to send, in order. Mostly all of them."""
    over_budget: Sequence[int] = ()
    """The rows that a budget shared with other processes has no room for."""


@runtime_checkable
class JournalProtocol(Protocol):
    """What a bulk sender needs of a journal."""

    @property
    def last_sent(self) -> float | None:
        """When it was last sent from before `start`, in unix seconds.

        None where it need not be checked whether it is an older copy: it is new, or guards itself.
        """
        ...

    async def start(self, channel: str) -> None:
        """Open it for one kind of message (``sms``, ``mms``, ``voice``) and become an owner.

        Raises:
            ConfigurationError: it cannot be used; the text says why and what to do.

        """
        ...

    async def close(self) -> None:
        """Write what is left and give ownership back. Safe to call twice."""
        ...

    async def heartbeat(self) -> None:
        """Keep ownership, until cancelled.

        Raises:
            ConfigurationError: it was lost, or the journal was deleted; nothing more may be sent.

        """
        ...

    def new_run(self) -> int:
        """Return the number of a new run; 0 is for single messages.

        Within a run equal messages are different messages; in two runs they are the same.
        """
        ...

    def ref_prefix(self) -> str:
        """Return what the refs of the next chunk begin with: no other chunk's do, ever."""
        ...

    async def plan(self, run: int, messages: Encoded) -> Planned:
        """Enter messages, or find those that were entered before.

        A message is found by its key, by a ref of the caller's (run 0), or by its content.
        """
        ...

    async def begin(
        self,
        rows: Sequence[int],
        attempt: int,
        *,
        reserved: Sequence[Decimal] = (),
        limit: Decimal | None = None,
    ) -> Begun:
        """Claim messages for one request: intent, claim and reservations are durable on return.

        Args:
            rows: sendable ones; or ones in doubt that this owner claimed, to be sent again.
            attempt: 1 for the first.
            reserved: what each may cost, if there is a budget.
            limit: the budget, for journals that other processes spend from too.

        Raises:
            ConfigurationError: ownership was lost, or the journal cannot be written.

        """
        ...

    def fence(self) -> None:
        """Check ownership just before the first byte leaves; without I/O.

        Raises:
            ConfigurationError: it may have been lost: the request must not be sent.

        """
        ...

    async def finish(
        self, rows: Sequence[int], outcomes: Sequence[Outcome], batch: int | None = None
    ) -> Sequence[int]:
        """Take outcomes. Returns the rows not written, as another owner has begun them.

        Without a `batch` the messages were never begun here; only those are written (and, if they
        were planned, left sendable with the reason) that no other owner has begun.
        """
        ...

    async def claim(
        self, state: Literal[State.PLANNED, State.IN_DOUBT], limit: int, after: int = 0
    ) -> list[Entry]:
        """Return up to `limit` messages with rows above `after`: sendable ones, or those in doubt.

        In doubt are ``in_doubt`` and ``unknown`` ones whose owner has exited; they become this
        owner's to look up.
        """
        ...

    async def outcome(self, rows: Sequence[int]) -> list[Entry]:
        """Wait until messages that another owner has begun are settled, or sendable again."""
        ...

    async def resolve(self, refs: Sequence[str] | None, verdict: Literal["sent", "resend"]) -> int:
        """Decide manually on messages whose outcome is unknown, and return on how many.

        ``sent`` makes them accepted; ``resend`` lets the next run send them. All if no refs.
        """
        ...

    async def committed(self) -> Decimal:
        """Return what was spent, and what attempts without a verdict may have cost."""
        ...

    async def reserve(self, rows: Sequence[int], amounts: Sequence[Decimal]) -> None:
        """Record what messages in doubt may cost that were sent without a reservation."""
        ...

    async def lacks(self, refs: Sequence[str]) -> bool:
        """Return whether it has given some of these refs without knowing that they were sent.

        If the history shows one, the journal is an older copy of itself.
        """
        ...

    async def taken(self, message_ids: Sequence[str]) -> set[str]:
        """Return those of some message ids that messages of this journal hold."""
        ...
