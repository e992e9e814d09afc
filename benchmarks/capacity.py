"""Days of 1 M, 100 M and 1 G messages, simulated: how many accounts, and who waits for how long.

``python -m benchmarks.capacity`` prints the table of docs/capacity.md; ``--check`` simulates what
``python -m benchmarks.cluster --messages 200000 --kill-every 0`` measures, to compare the two.

::

    single messages ─(day's curve)─▶ outbox ───┐
    campaigns ──────(9, 12, 17 h)──▶ backlog ──┼─▶ a moment of the pace ─▶ post of ≤ 1000 ─▶ arrived
                          look-ups ────────────┘                            │ broken
                             ▲────────(after 1, 3, 7 … s)───────────────────┘

One account is simulated, moment by moment of its pace; all of them are alike. Who has something to
send takes the moments in turns. Nothing is drawn by chance but which posts break.
"""

from __future__ import annotations

import argparse
import math
import random
from collections import Counter, deque
from typing import NamedTuple

PACE = 9.5
"""Requests a second that the pace lets an account make, of the ten it has."""
SIZE = 1000
SETTLE = 60.0
"""Seconds for which what is in doubt is looked up."""
LOOKED_UP = 98
"""Numbers that one request of a look-up asks for, where the history grows meanwhile."""
BROKEN = 0.01
"""The share of posts whose connection breaks, or that end in a 5xx; far more than on a good day.

Half of them have been taken: the first look finds these. The others are looked for until `SETTLE`
is over, at intervals that double.
"""
CAMPAIGNS = {9: 0.25, 12: 0.15, 17: 0.1}
"""The shares of a day's messages that are handed in at once, by the hour."""
CURVE = (1, 1, 1, 1, 1, 2, 4, 7, 9, 10, 9, 8, 8, 8, 8, 8, 8, 7, 6, 5, 4, 3, 2, 1)
"""How the others divide among the hours."""

DATABASE_CPU = 35e-6
"""Seconds of the server's processors for a message in a full request, as measured."""
REQUEST_CPU = 2e-3
"""The same for a request, however small: its statements, and its moment of the pace."""
PATIENCE = 5.0
"""Seconds that 99 % of single messages wait at most, where there are enough accounts."""
WHOLE = 3 * 3600.0
"""Seconds within which campaigns are out, where there are enough accounts."""

_CHOICES = (1, 2, 3, 4, 6, 8, 12, 16)


class Day(NamedTuple):
    """What a day was like for an account."""

    posts: int
    lookups: int
    waited_half: float
    """Seconds that single messages waited until their post left: the median."""
    waited_99: float
    """The same, the 99th percentile."""
    campaign: float
    """Seconds until the last message of a campaign was posted, the longest."""
    left: int
    """Messages that were not posted when the day was over."""
    database: float
    """Processors of the database that the account kept busy, in the busiest hour."""
    seconds: float
    """Until the last request."""


class Account:
    """An account with its backlog, moment by moment."""

    def __init__(self, *, broken: float, settle: float, seed: int = 1) -> None:
        self._broken = broken
        self._settle = settle
        self._chance = random.Random(seed)
        self._singles: deque[tuple[float, float]] = deque()
        self._waiting = 0.0
        """How many single messages wait."""
        self._campaigns: deque[tuple[float, float]] = deque()
        self._looks: list[float] = []
        self._turn = 0
        self._waits: Counter[int] = Counter()
        self._busy: Counter[int] = Counter()
        self._posts = 0
        self._lookups = 0
        self._longest = 0.0
        self._last = 0.0

    def hand_in(self, now: float, messages: float, *, campaign: bool = False) -> None:
        """Have some messages wait."""
        (self._campaigns if campaign else self._singles).append((now, messages))
        self._waiting += 0.0 if campaign else messages

    def moment(self, now: float) -> None:
        """Use one moment of the pace, if there is something to do."""
        for _ in range(3):
            self._turn = (self._turn + 1) % 3
            if self._turn == 0 and self._looks and self._looks[0] <= now:
                del self._looks[0]
                self._lookups += 1
                self._spend(now, REQUEST_CPU)
                return
            if self._turn == 1 and self._waiting >= 1:
                self._post(now, self._singles, single=True)
                return
            if self._turn == 2 and self._campaigns:
                self._post(now, self._campaigns, single=False)
                return

    def day(self) -> Day:
        """Return what it was like."""
        waiting = sum(it for _, it in (*self._singles, *self._campaigns))
        return Day(
            posts=self._posts,
            lookups=self._lookups,
            waited_half=self._waited(0.5),
            waited_99=self._waited(0.99),
            campaign=self._longest,
            left=int(waiting),
            database=max(self._busy.values()) / 1e6 / 3600,
            seconds=self._last,
        )

    def _post(self, now: float, queue: deque[tuple[float, float]], *, single: bool) -> None:
        room = float(SIZE)
        while queue and room > 0:
            since, count = queue[0]
            taken = min(room, count)
            room -= taken
            if single:
                # In hundredths of a second.
                self._waiting -= taken
                self._waits[round((now - since) * 100)] += round(taken * 1000)
            else:
                self._longest = max(self._longest, now - since)
            if taken == count:
                queue.popleft()
            else:
                queue[0] = (since, count - taken)
        self._posts += 1
        self._spend(now, REQUEST_CPU + (SIZE - room) * DATABASE_CPU)
        if self._chance.random() < self._broken:
            self._doubt(now, math.ceil((SIZE - room) / LOOKED_UP))

    def _doubt(self, now: float, requests: int) -> None:
        after = 1.0
        looks = [now + after]
        if self._chance.random() < 0.5:
            while after < self._settle:
                after = min(2 * after + 1, self._settle)
                looks.append(now + after)
        for moment in looks:
            self._looks += [moment] * requests
        self._looks.sort()

    def _spend(self, now: float, seconds: float) -> None:
        self._last = now
        self._busy[int(now // 3600)] += round(seconds * 1e6)

    def _waited(self, share: float) -> float:
        left = share * sum(self._waits.values())
        for hundredths, count in sorted(self._waits.items()):
            left -= count
            if left <= 0:
                return hundredths / 100
        return 0.0


def simulate(messages: float) -> Day:
    """Simulate a day of an account that has so many messages to send."""
    account = Account(broken=BROKEN, settle=SETTLE)
    campaigns = {hour * 3600: share * messages for hour, share in CAMPAIGNS.items()}
    singles = messages - sum(campaigns.values())
    each = [singles * it / sum(CURVE) / 3600 / PACE for it in CURVE]
    for number in range(round(24 * 3600 * PACE)):
        now = number / PACE
        account.hand_in(now, each[int(now // 3600)])
        for begins in [it for it in campaigns if it <= now]:
            account.hand_in(now, campaigns.pop(begins), campaign=True)
        account.moment(now)
    return account.day()


def enough(messages: int) -> tuple[int, Day]:
    """Return the smallest number of accounts that is enough for a day's messages, and one's day."""
    for accounts in _CHOICES:
        day = simulate(messages / accounts)
        if day.left < SIZE and day.waited_99 <= PATIENCE and day.campaign <= WHOLE:
            return accounts, day
    raise ValueError(f"{_CHOICES[-1]} accounts are not enough for {messages:,} messages a day")


def table() -> str:
    """Return the table of the documentation, in Markdown."""
    volumes = {"1 M": 10**6, "100 M": 10**8, "1 G": 10**9}
    days = {name: enough(count) for name, count in volumes.items()}
    rows = {
        "accounts that are enough": [f"{accounts}" for accounts, _ in days.values()],
        "a single message waits, median and 99 %": [
            f"{it.waited_half:.1f} s, {it.waited_99:.1f} s" for _, it in days.values()
        ],
        "the longest campaign is out after": [_duration(it.campaign) for _, it in days.values()],
        "messages in a request": [
            f"{count / accounts / day.posts:.0f}"
            for count, (accounts, day) in zip(volumes.values(), days.values(), strict=True)
        ],
        "look-ups, of all requests": [
            f"{it.lookups / (it.posts + it.lookups):.1%}" for _, it in days.values()
        ],
        "processors of the database, busiest hour": [
            f"{accounts * it.database:.2f}" for accounts, it in days.values()
        ],
    }
    lines = [f"| a day | {' | '.join(volumes)} |", "|---|---|---|---|"]
    return "\n".join([*lines, *(f"| {name} | {' | '.join(it)} |" for name, it in rows.items())])


def burst(messages: int) -> Day:
    """Simulate one campaign, as the benchmark of a cluster sends it if nobody is killed."""
    account = Account(broken=0.1, settle=3.0)
    account.hand_in(0.0, messages, campaign=True)
    for number in range(round(3600 * PACE)):
        account.moment(number / PACE)
    return account.day()


def _duration(seconds: float) -> str:
    return f"{seconds:.0f} s" if seconds < 120 else f"{seconds / 60:.0f} min"


def main() -> None:
    """Print the table, or what the benchmark of a cluster is compared with."""
    parser = argparse.ArgumentParser(prog="benchmarks.capacity", description=__doc__)
    parser.add_argument("--check", action="store_true", help="simulate the cluster's benchmark")
    if parser.parse_args().check:
        day = burst(200_000)
        requests = day.posts + day.lookups
        print(f"200 000 messages, 10 % of posts broken: {requests} requests in {day.seconds:.0f} s")
    else:
        print(table())


if __name__ == "__main__":
    main()
