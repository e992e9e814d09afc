"""An account whose server rewrites what it returns: refs, numbers, texts, dates, ids, prices, rows.

It keeps its own books: what it took, how often, and what it charged for it.
"""

from __future__ import annotations

import time
from collections import Counter, deque
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from decimal import Decimal
from typing import Any, Literal, TypeAlias
from urllib.parse import parse_qs

import aioclicksend as ac

from ..core.helpers import client_of
from ..hostile import Arrival, Hostile, Line

Row: TypeAlias = dict[str, Any]
Fault: TypeAlias = Literal["lost", "unanswered"]
"""`lost`: the connection breaks before the request is carried out; `unanswered`: after that."""

_PAGE = 100


def as_it_is(row: Row) -> Row:
    """Return a row unchanged."""
    return row


class Account:
    """The server's side of one account."""

    def __init__(self, server: Hostile) -> None:
        server.script = self._answer
        self.server = server
        self.taken: list[Row] = []
        """What was accepted, in order."""
        self.faults: deque[Fault | None] = deque()
        """What happens to the next send requests."""
        self.status: deque[int] = deque()
        """What the next send requests are answered instead of being carried out."""
        self.price: str = "0.05"
        """What a message costs."""
        self.quote: Callable[[Row], Row] = as_it_is
        self.currency = "AUD"
        self.kept_in = "AUD"
        self.reply: Callable[[Row], Row] = as_it_is
        """How a row of a reply is written."""
        self.replies: Callable[[list[Row]], list[Row]] = list
        """Which rows of a reply are returned, in which order."""
        self.row: Callable[[Row], Row] = as_it_is
        """How a row of the history is written."""
        self.rows: Callable[[list[Row]], list[Row]] = list
        """Which rows of the history are returned, in which order."""
        self.filters = True
        """Whether the history filters by numbers."""
        self.is_down = False
        """Whether the history cannot be read."""
        self.clock: Callable[[], float] = time.time
        self.sends: list[Arrival] = []
        """The send requests."""
        self.searches = 0

    @property
    def posts(self) -> int:
        """How many send requests came."""
        return len(self.sends)

    @property
    def arrivals(self) -> Counter[tuple[str, str]]:
        """How often each number and text was accepted."""
        return Counter((it["to"], it["body"]) for it in self.taken)

    @property
    def charged(self) -> Decimal:
        """What was charged."""
        return sum((Decimal(it["message_price"]) for it in self.taken), Decimal(0))

    async def _answer(self, line: Line, arrival: Arrival) -> None:
        match arrival.path.rpartition("/")[2]:
            case "send":
                await self._send(line, arrival)
            case "price":
                rows = [self.quote(self._row(it)) for it in arrival.json["messages"]]
                money = {"currency_name_short": self.currency}
                await line.ok({"messages": rows, "_currency": money})
            case "history":
                self.searches += 1
                if self.is_down:
                    await line.reply(503)
                else:
                    await line.ok(self._page(arrival))
            case _:
                await line.ok({"_currency": {"currency_name_short": self.kept_in}})

    async def _send(self, line: Line, arrival: Arrival) -> None:
        self.sends.append(arrival)
        if self.status:
            await line.reply(self.status.popleft())
            return
        fault = self.faults.popleft() if self.faults else None
        if fault == "lost":
            line.reset()
            return
        rows = [self._row(it) for it in arrival.json["messages"]]
        for row in rows:
            row["message_id"] = f"ID-{len(self.taken)}"
            self.taken.append(row)
        if fault == "unanswered":
            line.reset()
            return
        await line.ok({"messages": self.replies([self.reply(dict(it)) for it in rows])})

    def _row(self, message: Row) -> Row:
        return {
            "direction": "out",
            "date": int(self.clock()),
            "to": message["to"],
            "body": message["body"],
            "custom_string": message["custom_string"],
            "status": "SUCCESS",
            "message_parts": 1,
            "message_price": self.price,
        }

    def _page(self, arrival: Arrival) -> Row:
        query = {name: it[0] for name, it in parse_qs(arrival.query).items()}
        since, until = int(query.get("date_from", 0)), int(query.get("date_to", 10**12))
        rows = [it for it in reversed(self.taken) if since <= it["date"] <= until]
        if self.filters and "q" in query:
            wanted = {it.removeprefix("to:") for it in query["q"].split(",")}
            rows = [it for it in rows if it["to"] in wanted]
        shown = self.rows([self.row(dict(it)) for it in rows])
        number = int(query.get("page", 1))
        return {
            "total": len(shown),
            "last_page": max(1, -(-len(shown) // _PAGE)),
            "data": shown[(number - 1) * _PAGE : number * _PAGE],
        }


@asynccontextmanager
async def account(**options: Any) -> AsyncIterator[tuple[Account, ac.ClickSend]]:
    """Open an account, with a client of it."""
    usual: dict[str, Any] = {"timeout": ac.Timeout(connect=20.0, read=30.0)}
    async with Hostile() as server, client_of(server.url, **usual | options) as api:
        yield Account(server), api
