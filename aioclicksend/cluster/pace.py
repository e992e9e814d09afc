"""One pace for all processes of an account: a row in PostgreSQL that says when the next may start.

A pacer, not a bucket: every grant is a separate moment, `spacing` after the one before, on the
server's clock only. With n requests per window and a spacing of 1/0.95 of window/n, the n + 1st
start lies 1.05 windows behind the first. The twentieth of a window that is left is for lateness:
the larger part for ours, the rest for the way to the server. Who would be later than that asks for
another moment, so no window holds more than n::

    asked ─────── now (server) ─────── answered      now - answered <= ahead <= now - asked
                                                     opens  = slot - the least, so never early
    slot ── spacing ── slot ── spacing ── slot       closes = slot - the most + lateness

By how much the server's clock is ahead of ours is learned from every answer, and the quickest one
says it best: a slow answer does not make its moment uncertain. A process that has seen slow answers
only would be late without knowing it, so it asks again before its first moments. And one whose
answers are slow asks for moments that lie as far ahead as those take: else each would be over when
the answer is there.

The moment is asked for at the wire, with the connection open and the intent durable: both take
longer than a moment lasts. `turn` keeps all but a few requests from getting that far, so that
messages gather in the sender's queue instead of in requests that wait. One moment at a time is
asked for by a process (more where the spacing is short, or answers take longer than that): what a
process holds when it dies is lost to the others.
"""

from __future__ import annotations

import asyncio
import contextlib
import math
from collections import deque
from typing import TYPE_CHECKING, Any

import anyio
from msgspec import Struct

from ..config import RateLimit
from ..errors import ClickSendError, NotSentError
from .database import Connection, DatabaseUnreachableError
from .process import clock

if TYPE_CHECKING:
    from .cluster import Cluster

_SHARE = 0.95
"""Of the rate that is allowed; the rest absorbs lateness."""
_LATE = 0.6
"""Of the slack, how late a start may be; the rest is for its way to the server."""
_VOID_AFTER = 0.2
"""Seconds after which a grant is void however slow the pace is."""
_REMEMBERED = 60.0
"""Seconds for which the slowest pace of the account holds after its last request."""
_AFTER_HOLD = 0.05
"""Seconds added to a pause, as the API's clock may be a little behind."""
_PATIENCE = 20.0
"""Seconds for which a request waits for a database that cannot be reached."""
_LEAST = 1 / 3
"""Of the lateness, what a start may always have: an uncertain clock must not void every grant."""
_EXCHANGES = 4
"""Exchanges with the database before the first moment, at most, while none of them was quick."""
_DRIFT = 2e-4
"""Seconds by which two clocks may drift apart in a second."""
_WEIGHT = 0.25
"""Of the last exchange, in what is known of how long one takes, if it was quicker."""
_APPROACH = 0.4
"""Seconds that a request takes from its turn to the wire, at most, for the pace to be reached."""

_GRANT = """
with held as (
    insert into pause (account, operation, until)
    select a.id, h.operation, clock_timestamp() + make_interval(secs => h.seconds)
    from account a, unnest(%(operations)s::text[], %(seconds)s::float8[]) h (operation, seconds)
    where a.name = %(account)s
    on conflict (account, operation) do update set until = greatest(pause.until, excluded.until)
    returning operation, until),
pauses as (
    select p.operation, p.until from pause p join account a on a.id = p.account
    where a.name = %(account)s
    union all select operation, until from held),
granted as (
    update account set
        next_slot = greatest(next_slot, clock_timestamp() + make_interval(secs => %(lead)s))
            + make_interval(secs =>
            case when spacing_until > now() then greatest(spacing, %(spacing)s)
            else %(spacing)s end),
        spacing_until = case when %(spacing)s >= spacing or spacing_until <= now()
            then clock_timestamp() + make_interval(secs => %(remembered)s) else spacing_until end,
        spacing = case when spacing_until > now() then greatest(spacing, %(spacing)s)
            else %(spacing)s end
    where name = %(account)s and %(take)s
    returning next_slot - make_interval(secs => spacing) as slot)
select extract(epoch from clock_timestamp())::float8,
    (select extract(epoch from slot)::float8 from granted),
    array(select operation from pauses where until > clock_timestamp()),
    array(select extract(epoch from until - clock_timestamp())::float8 from pauses
        where until > clock_timestamp()),
    exists (select 1 from account where name = %(account)s)
"""


class Grant(Struct, frozen=True):
    """A moment in which one request may start, by the clock of this process."""

    opens: float
    closes: float


class DatabaseClock:
    """By how much the clock of the database is ahead of ours: at least, and at most.

    The server reads its clock after we have asked and before its answer is there. So an exchange
    says this up to the time it took, and of several the bounds that are closest hold.
    """

    def __init__(self) -> None:
        self._least = -math.inf
        self._most = math.inf
        self._learned_at = 0.0
        self.exchanges: int = 0
        """How many it has learned from since a clock was set."""

    def learn(self, asked_at: float, now: float, answered_at: float) -> None:
        """Learn from an exchange in which the server's clock showed `now`."""
        drift = _DRIFT * (answered_at - self._learned_at)
        least, most = self._least - drift, self._most + drift
        # What contradicts this exchange was learned before one of the clocks was set.
        if least > now - asked_at or most < now - answered_at:
            least, most = -math.inf, math.inf
            self.exchanges = 0
        self.exchanges += 1
        self._least, self._most = max(least, now - answered_at), min(most, now - asked_at)
        self._learned_at = answered_at

    @property
    def uncertainty(self) -> float:
        """Seconds by which `ours` may be too late."""
        return self._most - self._least

    def ours(self, moment: float) -> float:
        """Return when a moment of the server's is on our clock: then, or a little later."""
        return moment - self._least


class ClusterPace:
    """A `Pace` that all processes of an account share; made by `cluster.pace()`.

    While the database cannot be reached nothing starts: requests wait for it for 20 s and then
    raise `NotSentError` with the cause.
    """

    def __init__(self, cluster: Cluster, limit: RateLimit) -> None:
        self._cluster = cluster
        self._spacing = limit.per / (limit.requests * _SHARE)
        slack = self._spacing * limit.requests - limit.per
        self._void_after = min(_VOID_AFTER, _LATE * slack)
        self._together = max(1, int(_VOID_AFTER / self._spacing))
        """Moments that are asked for at a time where answers are quick."""
        self._asking = anyio.CapacityLimiter(self._together)
        self._heard_at = -math.inf
        """When the last exchange was over."""
        self._took = 0.0
        """Seconds that an exchange takes, of late."""
        self._answer_took = 0.0
        """The same of the answer alone, as far as the clocks can tell."""
        self._ahead = max(2, math.ceil(_APPROACH / self._spacing))
        self._queue = asyncio.Lock()
        self._approaching: deque[float] = deque()
        """Until when each request that had its turn is counted as on its way to the wire."""
        self._at_wire = 0
        """Requests that have a connection and wait for their moment."""
        self._left = asyncio.Event()
        self._clock = DatabaseClock()
        self._until: dict[str, float] = {}
        self._unshared: dict[str, float] = {}
        """Pauses that the other processes do not know of yet."""
        self._sharing: asyncio.Future[None] | None = None

    async def turn(self, operation: str) -> None:
        """Wait until this operation may ask for a connection, and until no pause holds it.

        Raises:
            NotSentError: the database cannot be reached.

        """
        while True:
            # In order: who came first must not be passed by who looks at the right moment.
            async with self._queue:
                await self._wait_for_room()
                # A pause that another process received, before a connection is taken. The answer to
                # each grant contains the pauses, too.
                if clock() - self._heard_at > max(self._spacing, self._took):
                    await self.share()
                if (pause := self.held_for(operation)) <= 0:
                    self._approaching.append(clock() + _APPROACH)
                    return
            await asyncio.sleep(pause)

    async def _wait_for_room(self) -> None:
        """Wait until few enough requests are between their turn and the first byte."""
        while True:
            # Not all get there: what a lane takes may be paused, blocked or begun by another one.
            while self._approaching and self._approaching[0] <= clock():
                self._approaching.popleft()
            if len(self._approaching) + self._at_wire < self._ahead:
                return
            self._left.clear()
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(_APPROACH):
                    await self._left.wait()

    async def at_wire(self) -> None:
        """Wait, with a connection in hand, until the next byte may leave.

        Raises:
            NotSentError: the database cannot be reached.

        """
        if self._approaching:
            self._approaching.popleft()
        self._at_wire += 1
        try:
            # Not more moments at a time than can be used before they are void.
            async with self._asking:
                while True:
                    grant = await self._take()
                    await asyncio.sleep(max(grant.opens - clock(), 0.0))
                    # Busy or stopped for too long: the moment has passed.
                    if clock() < grant.closes:
                        return
        finally:
            self._at_wire -= 1
            self._left.set()

    def hold(self, seconds: float, operation: str | None = None) -> None:
        """Hold one operation, or everything, for the next `seconds`, in all processes."""
        name = operation or ""
        until = clock() + seconds + _AFTER_HOLD
        if until > self._until.get(name, 0.0):
            self._until[name] = self._unshared[name] = until
            # At once: the others send meanwhile, and this process may have no further request.
            self._sharing = asyncio.ensure_future(self._share_quietly())

    def held_for(self, operation: str) -> float:
        """Return the seconds for which this operation is still held, 0 if it is not."""
        until = max(self._until.get("", 0.0), self._until.get(operation, 0.0))
        return max(0.0, until - clock())

    async def share(self) -> None:
        """Exchange pauses with the other processes now; every grant does so, too.

        Raises:
            NotSentError: the database cannot be reached.

        """
        await self._ask(take=False)

    async def _share_quietly(self) -> None:
        # The next request shares what this one could not, or fails with the cause.
        with contextlib.suppress(ClickSendError):
            await self.share()

    async def _take(self) -> Grant:
        """Return the next moment of the account."""
        # Not for ever: a distant database never answers that quickly.
        while (
            self._clock.uncertainty > self._void_after * _LEAST
            and self._clock.exchanges < _EXCHANGES
        ):
            await self.share()
        grant = await self._ask(take=True)
        assert grant is not None
        return grant

    async def _ask(self, *, take: bool) -> Grant | None:
        """Share pauses with the other processes, and take the next moment or none."""
        now = clock()
        # Taken out before the exchange, during which `hold` may add more.
        shared, self._unshared = self._unshared, {}
        values = {
            "account": self._cluster.account,
            "operations": list(shared),
            "seconds": [max(until - now, 0.0) for until in shared.values()],
            "spacing": self._spacing,
            "remembered": _REMEMBERED,
            "take": take,
            "lead": min(self._answer_took, _VOID_AFTER),
        }
        asked_at = clock()

        async def work(connection: Connection) -> Any:
            nonlocal asked_at
            asked_at = clock()
            found = await (await connection.execute(_GRANT, values)).fetchone()
            assert found is not None
            if not found[-1]:
                raise self._cluster.missing_account()
            return found[:-1]

        try:
            await self._cluster.open(patience=_PATIENCE)
            server_now, slot, operations, seconds = await self._cluster.database.run(
                work, patience=_PATIENCE, in_transaction=False
            )
        except DatabaseUnreachableError as error:
            self._unshared = shared | self._unshared
            raise NotSentError(f"no pace, so nothing may be sent: {error}") from None
        except BaseException:
            self._unshared = shared | self._unshared
            raise
        answered_at = clock()
        # `asked_at` is that of the attempt which was answered, if the connection broke before.
        self._clock.learn(asked_at, server_now, answered_at)
        self._note_times(asked_at, answered_at, self._clock.ours(server_now))
        for operation, left in zip(operations, seconds, strict=True):
            until = answered_at + left
            self._until[operation] = max(self._until.get(operation, 0.0), until)
        if slot is None:
            return None
        opens = self._clock.ours(slot)
        late = max(self._void_after - self._clock.uncertainty, self._void_after * _LEAST)
        return Grant(opens, opens + late)

    def _note_times(self, asked_at: float, answered_at: float, server_read: float) -> None:
        self._heard_at = answered_at
        self._took = _risen(self._took, answered_at - asked_at)
        self._answer_took = _risen(self._answer_took, answered_at - server_read)
        # Enough for one to be granted at each moment, however long an exchange takes.
        needed = math.ceil(min(self._took, _VOID_AFTER) / self._spacing)
        self._asking.total_tokens = max(self._together, needed)

    def __repr__(self) -> str:
        return f"ClusterPace(account={self._cluster.account!r}, spacing={self._spacing:.4f})"


def _risen(known: float, last: float) -> float:
    """Return a duration of late: up at once, since a moment would be missed, and down slowly."""
    return max(last, known + _WEIGHT * (last - known))
