"""A reconciler whose clocks are set by hand, before a server whose history is a list."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from typing import Any

import aioclicksend as ac
from aioclicksend.bulk.batch import Batch, Doubt, doubts_of
from aioclicksend.bulk.intake import HandleSink
from aioclicksend.bulk.reconcile import Reconciler

from ..core.helpers import client_of
from ..hostile import PATIENCE, Arrival, Hostile, Line
from .helpers import sms

WALL = 1_760_000_000.0
"""Our wall time while the monotonic clock shows 0."""


def row(number: int, **fields: Any) -> dict[str, Any]:
    """Return a message's row in the history; a field given as None is left out."""
    told: dict[str, Any] = {
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
    return {name: it for name, it in (told | fields).items() if it is not None}


class Scene:
    """What a reconciler sees, and what it tells its sender."""

    def __init__(
        self,
        server: Hostile,
        api: ac.ClickSend,
        policy: ac.Reconcile,
        channel: str,
    ) -> None:
        server.script = self._answer
        self.now = 0.0
        self.pages: list[list[dict[str, Any]]] = [[]]
        self.totals: list[int] = []
        """What the pages announce, if it is not the truth."""
        self.status = 200
        self.takes = 0.0
        """Seconds that a page takes to come."""
        self.arriving: Callable[[], None] | None = None
        """What happens while a page is on its way."""
        self.outcomes: dict[str, ac.Outcome] = {}
        self.again: list[str] = []
        self._searched = asyncio.Event()
        self.arrivals = server.arrivals
        group = getattr(api, channel)
        self.reconciler = Reconciler(
            group._between,
            policy,
            self,
            by_text=group._by_text,
            now=lambda: self.now,
            wall=lambda: WALL + self.now,
        )

    def doubt(
        self, number: int, *, failed: float = 0.0, tries: int = 1, **fields: Any
    ) -> ac.SmsMessage:
        """Let a message come in doubt that was sent a second before it failed."""
        message = sms(number, **fields)
        ref = message.custom_string or "ac1-own"
        batch = Batch([message], [ref], [b"{}"], HandleSink(), [None], tries=tries)
        batch.intent = WALL + failed - 1
        self.reconciler.add(doubts_of(batch, [0], "the connection broke", failed))
        return message

    def accepted(self, *numbers: int) -> None:
        """Let messages be accepted that were sent just now."""
        refs = [f"ref-{it}" for it in numbers]
        outcomes = [ac.Accepted(sms(it), f"ref-{it}", f"ID-{it}", 1, None) for it in numbers]
        self.reconciler.accepted(refs, outcomes, WALL + self.now)

    async def search(self, at: float) -> None:
        """Make one pass at some time."""
        self.now = at
        assert min(self.due) <= at
        await self.reconciler._search()

    async def turn(self, at: float) -> None:
        """Let the reconciler, which runs, make its pass at some time."""
        self.now = at
        self._searched.clear()
        self.reconciler._wake.set()
        async with asyncio.timeout(PATIENCE):
            await self._searched.wait()

    @property
    def due(self) -> list[float]:
        """When the messages that are still in doubt are searched for next."""
        return [it.due for it in self.reconciler._all()]

    @property
    def windows(self) -> list[tuple[float, float | None]]:
        """From when and until when each request asked, in seconds of our time."""
        queries = [dict(it.split("=") for it in one.query.split("&")) for one in self.arrivals]
        ends = [it.get("date_to") for it in queries]
        return [
            (int(it["date_from"]) - WALL, None if end is None else int(end) - WALL)
            for it, end in zip(queries, ends, strict=True)
        ]

    def id_of(self, number: int) -> str | None:
        """Return the id under which a message was found, None if it was not."""
        outcome = self.outcomes.get(f"ref-{number}")
        return outcome.message_id if isinstance(outcome, ac.Accepted) else None

    def reason(self, number: int) -> str:
        """Return why a message's fate is unknown."""
        outcome = self.outcomes[f"ref-{number}"]
        assert isinstance(outcome, ac.Unknown)
        return outcome.reason

    # What the reconciler tells.

    def conclude(self, verdicts: Sequence[tuple[Doubt, ac.Outcome]], *, found: bool) -> None:
        for doubt, outcome in verdicts:
            assert doubt.ref not in self.outcomes, "one outcome each"
            assert found is not isinstance(outcome, ac.Unknown)
            self.outcomes[doubt.ref] = outcome

    def send_again(self, doubts: Sequence[Doubt]) -> None:
        self.again += [it.ref for it in doubts]

    def searched(self) -> None:
        self._searched.set()

    async def _answer(self, line: Line, arrival: Arrival) -> None:
        self.now += self.takes
        if self.arriving is not None:
            self.arriving()
        if self.status != 200:
            await line.reply(self.status)
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
) -> AsyncIterator[Scene]:
    """Set one up."""
    policy = ac.Reconcile(settle=settle, resend=resend, skew=skew)
    async with Hostile() as server, client_of(server.url) as api:
        yield Scene(server, api, policy, channel)
