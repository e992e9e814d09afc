"""A reconciler whose clocks are set by hand, in front of a server whose history is a list."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from typing import Any
from urllib.parse import parse_qsl

import msgspec

import aioclicksend as ac
from aioclicksend.bulk.batch import Batch, Doubt, Moment, doubts_of
from aioclicksend.bulk.encode import Encoded
from aioclicksend.bulk.lifecycle import Lifecycle
from aioclicksend.bulk.reconcile import Reconciler

from ..core.helpers import client_of
from ..hostile import PATIENCE, Arrival, Hostile, Line
from .helpers import sms

WALL = 1_760_000_000.0
"""Our wall time while the monotonic clock shows 0."""


def row(number: int, **fields: Any) -> dict[str, Any]:
    """Return a message's row in the history; a field given as None is left out."""
    columns: dict[str, Any] = {
        "direction": "out",
        "date": int(WALL),
        "to": f"+614{number:08d}",
        "body": "Your table is booked.",
        "status": "Sent",
        "message_id": f"ID-{number}",
        "message_parts": 1,
        "message_price": "0.0770",
        "custom_string": f"ref-{number}",
    }
    return {name: it for name, it in (columns | fields).items() if it is not None}


def query_of(arrival: Arrival) -> dict[str, str]:
    """Return what a request asked for."""
    return dict(parse_qsl(arrival.query))


class NoSink:
    """The scene keeps the outcomes itself."""

    def settle(self, tokens: Sequence[Any], outcomes: Sequence[ac.Outcome]) -> None:
        pass


def batch(*messages: ac.SmsMessage, unique: bool = False, attempt: int = 1) -> Batch:
    """Return a batch of messages."""
    refs = [it.custom_string or "ac1-own" for it in messages]
    encoded = Encoded(list(messages), refs, bodies=[b"{}"] * len(refs), generated=unique)
    return Batch(encoded, range(len(refs)), NoSink(), [], attempt=attempt)


class Scene:
    """What a reconciler sees, and what it does with its sender."""

    def __init__(
        self,
        server: Hostile,
        api: ac.ClickSend,
        policy: ac.Reconcile,
        channel: str,
        *,
        by_number: bool,
    ) -> None:
        server.script = self._answer
        self.now = 0.0
        self.pages: list[list[dict[str, Any]]] = [[]]
        self.by_number: Callable[[list[str]], list[dict[str, Any]]] = lambda _: []
        """What the history shows of some numbers, if it is asked for these."""
        self.hidden = 0
        """Rows that such an answer announces and leaves out."""
        self.totals: list[int] = []
        """What the pages announce, if it is not the truth."""
        self.status = 200
        self.takes = 0.0
        """Seconds that a page takes to come."""
        self.arriving: Callable[[], None] | None = None
        """What happens while a page is on its way."""
        self.outcomes: dict[str, ac.Outcome] = {}
        self.again: list[str] = []
        self.taken_ids: set[str] = set()
        """Ids that other messages of the journal hold."""
        self.more_to_send = False
        self._searched = asyncio.Event()
        self.arrivals = server.arrivals
        self.lifecycle = Lifecycle()
        built = getattr(api, channel)._channel()
        self.channel = built if by_number else msgspec.structs.replace(built, lookup=None)
        self.memory = self.channel.memory
        self.reconciler = Reconciler(
            self.channel,
            policy,
            self,
            self.lifecycle,
            now=lambda: self.now,
            wall=lambda: WALL + self.now,
        )

    def doubt(
        self,
        number: int,
        *,
        failed: float = 0.0,
        attempt: int = 1,
        unique: bool = False,
        **fields: Any,
    ) -> ac.SmsMessage:
        """Let a message come in doubt that was sent a second before it failed."""
        message = sms(number, **fields)
        one = batch(message, unique=unique, attempt=attempt)
        one.sent = Moment(wall=WALL + failed - 1, mono=failed - 1)
        self.reconciler.add(doubts_of(one, [0], "the connection broke", failed))
        return message

    def accepted(self, *numbers: int, sent: float | None = None, unique: bool = False) -> None:
        """Let messages be accepted now, which were sent just now or earlier."""
        sent = self.now if sent is None else sent
        some = batch(*map(sms, numbers), unique=unique)
        some.sent = Moment(wall=WALL + sent, mono=sent)
        self.reconciler.accepted(
            some, [ac.Accepted(sms(it), f"ref-{it}", f"ID-{it}", 1, None) for it in numbers]
        )

    async def search(self, at: float) -> None:
        """Make one pass at some time."""
        self.now = at
        assert min(self.due) <= at
        await self.reconciler._search()

    async def turn(self, at: float) -> None:
        """Let the reconciler, which runs, make its pass at some time."""
        self.now = at
        self._searched.clear()
        self.reconciler._changed.set()
        async with asyncio.timeout(PATIENCE):
            await self._searched.wait()

    @property
    def doubts(self) -> list[Doubt]:
        """What is in doubt."""
        return list(self.reconciler._doubts.values())

    @property
    def due(self) -> list[float]:
        """When the messages that are still in doubt are searched for next."""
        return [it.due for it in self.doubts]

    @property
    def queries(self) -> list[dict[str, str]]:
        """What each request asked for."""
        return [query_of(it) for it in self.arrivals]

    @property
    def windows(self) -> list[tuple[float, float | None]]:
        """From when and until when each request asked, in seconds of our time."""
        return [
            (
                int(it["date_from"]) - WALL,
                None if "date_to" not in it else int(it["date_to"]) - WALL,
            )
            for it in self.queries
        ]

    def id_of(self, number: int) -> str | None:
        """Return the id under which a message was found, None if it was not."""
        outcome = self.outcomes.get(f"ref-{number}")
        return outcome.message_id if isinstance(outcome, ac.Accepted) else None

    def reason(self, number: int) -> ac.Reason:
        """Return why a message's outcome is unknown."""
        return self.unknown(number).reason

    def unknown(self, number: int) -> ac.Unknown:
        """Return a message's outcome, which is unknown."""
        outcome = self.outcomes[f"ref-{number}"]
        assert isinstance(outcome, ac.Unknown)
        return outcome

    # What the reconciler asks of its sender.

    async def conclude(self, verdicts: Sequence[tuple[Doubt, ac.Outcome]], *, found: bool) -> None:
        for doubt, outcome in verdicts:
            assert doubt.ref not in self.outcomes, "one outcome each"
            assert found is not isinstance(outcome, ac.Unknown)
            self.outcomes[doubt.ref] = outcome

    def send_again(self, doubts: Sequence[Doubt]) -> None:
        self.again += [it.ref for it in doubts]

    async def taken(self, message_ids: Sequence[str]) -> set[str]:
        return self.taken_ids.intersection(message_ids)

    def has_more_to_send(self) -> bool:
        return self.more_to_send

    def wake(self) -> None:
        self._searched.set()

    async def _answer(self, line: Line, arrival: Arrival) -> None:
        self.now += self.takes
        if self.arriving is not None:
            self.arriving()
        if self.status != 200:
            await line.reply(self.status)
            return
        if q := query_of(arrival).get("q"):
            rows = self.by_number([it.removeprefix("to:") for it in q.split(",")])
            total = len(rows) + self.hidden
            await line.ok({"total": total, "last_page": 1, "data": rows})
            return
        place = arrival.page - 1
        total = sum(map(len, self.pages))
        await line.ok(
            {
                "total": self.totals[place] if self.totals else total,
                "last_page": len(self.pages),
                "data": self.pages[place],
            }
        )


@asynccontextmanager
async def scene(
    *,
    settle: float = 60.0,
    resend: bool = False,
    skew: float = 300.0,
    channel: str = "sms",
    by_number: bool = False,
) -> AsyncIterator[Scene]:
    """Set one up; the history can be asked for numbers only if `by_number`."""
    policy = ac.Reconcile(settle=settle, resend=resend, skew=skew)
    async with Hostile() as server, client_of(server.url) as api:
        yield Scene(server, api, policy, channel, by_number=by_number)
