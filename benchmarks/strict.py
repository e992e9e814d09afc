"""A strict stand-in for the API: ten requests in any second, and posts that break.

In a separate process, as a `sink` with a memory: it answers searches of the history by window and
by numbers joined with OR, counts every message's arrivals, and refuses what is one too many.

``python -m benchmarks.strict --rate 10 --faults 10`` prints its address and serves until its
standard input ends. `GET /stats` counts; `GET /arrived` lists the refs that arrived.
"""

from __future__ import annotations

import argparse
import asyncio
import gc
import random
import sys
import time
from bisect import bisect_left, bisect_right
from collections import Counter, deque
from urllib.parse import parse_qs

import msgspec

from .sink import FAULTS, Connection, Fault, Row, Settings, Sink

LOST = Fault(taken=False, status=None)
"""The connection breaks before anything was read."""
BROKEN = (LOST, *(it for it in FAULTS if it.status not in (400, 429)))
"""Ends of a request that leave its sender without a verdict."""

_TICK = 0.01
_STALL = 0.02
"""Seconds beyond a tick for which the server stood still."""

_OK = b'{"http_code":200,"response_code":"SUCCESS","response_msg":"OK","data":%b}'
_REFUSAL = (
    b'{"http_code":429,"response_code":"TOO_MANY_REQUESTS","response_msg":"Too many attempts.",'
    b'"data":null}'
)
_PAGE = b'{"total":%d,"per_page":%d,"current_page":%d,"last_page":%d,"data":%b}'


class Strict(Sink):
    """A sink that keeps what it took, and a limit."""

    def __init__(self, rate: int, faults: float, seed: int) -> None:
        super().__init__(Settings())
        self._rate = rate
        self._faults = faults
        self._random = random.Random(seed)
        self._window: deque[float] = deque()
        self._rows: list[Row] = []
        self._dates: list[int] = []
        self._by_number: dict[str, list[Row]] = {}
        self._refs: set[str] = set()
        self.twice = 0
        self.refusals: list[tuple[float, float]] = []
        """When requests were refused, and by how many seconds they came too soon."""
        self.stalls: list[tuple[float, float]] = []
        """When the server itself stood still, from and to."""
        self.seconds: Counter[int] = Counter()

    def answer(self, method: bytes, target: str, body: bytes) -> tuple[int, bytes, bool]:
        """Return status and body of a reply, and whether it comes whole."""
        if target == "/arrived":
            return 200, msgspec.json.encode(list(self._refs)), True
        self.requests += 1
        now = time.time()
        self.seconds[int(now)] += 1
        while self._window and self._window[0] <= now - 1.0:
            self._window.popleft()
        if len(self._window) >= self._rate:
            self.refusals.append((now, self._window[0] + 1.0 - now))
            return 429, _REFUSAL, True
        self._window.append(now)
        path, _, query = target.partition("?")
        if method == b"POST":
            self.posts += 1
            if self._random.random() * 100 < self._faults:
                return self._break(body)
            return 200, self._sent(self._take(body)), True
        if path.endswith("/history"):
            return 200, _OK % self._search(query), True
        return super().answer(method, target, body)

    async def watch(self) -> None:
        """Note when the server stands still: what arrives meanwhile is seen too close together."""
        last = time.time()
        while True:
            await asyncio.sleep(_TICK)
            now = time.time()
            if now - last > _TICK + _STALL:
                self.stalls.append((last, now))
            last = now

    def stats(self) -> bytes:
        """Return what has arrived."""
        counts = {
            "requests": self.requests,
            "posts": self.posts,
            "messages": self.messages,
            "broken": self.faulty,
            "twice": self.twice,
            "refusals": self.refusals,
            "stalls": self.stalls,
            "seconds": {str(second): count for second, count in self.seconds.items()},
        }
        return msgspec.json.encode(counts)

    def _take(self, body: bytes) -> list[Row]:
        rows = super()._take(body)
        for row in rows:
            self.twice += row.custom_string in self._refs
            self._refs.add(row.custom_string)
            self._by_number.setdefault(row.to, []).append(row)
            self._dates.append(row.date)
        self._rows += rows
        return rows

    def _break(self, body: bytes) -> tuple[int, bytes, bool]:
        self.faulty += 1
        fault = self._random.choice(BROKEN)
        rows = self._take(body) if fault.taken else []
        if fault.status is None:
            return 0, self._sent(rows) if fault.half else b"", False
        if fault.status == 200:
            return 200, self._sent(rows[: len(rows) // 2]), True
        return fault.status, _REFUSAL.replace(b"429", b"%d" % fault.status), True

    def _search(self, query: str) -> bytes:
        asked = {name: values[0] for name, values in parse_qs(query).items()}
        page, limit = int(asked.get("page", 1)), int(asked.get("limit", 15))
        since = int(float(asked.get("date_from", 0)))
        until = int(float(asked.get("date_to", 2**40)))
        numbers = [it[3:] for it in asked.get("q", "").split(",") if it.startswith("to:")]
        if numbers:
            found = [
                row
                for number in dict.fromkeys(numbers)
                for row in self._by_number.get(number, ())
                if since <= row.date <= until
            ]
            total, rows = len(found), found[(page - 1) * limit : page * limit]
        else:
            first, last = bisect_left(self._dates, since), bisect_right(self._dates, until)
            total, start = last - first, (page - 1) * limit
            if asked.get("order_by", "").endswith("asc"):
                rows = self._rows[first:last][start : start + limit]
            else:
                end = last - start
                rows = self._rows[max(first, end - limit) : max(first, end)][::-1]
        return _PAGE % (total, limit, page, max(1, -(-total // limit)), msgspec.json.encode(rows))


async def _serve(server: Strict) -> None:
    loop = asyncio.get_running_loop()
    listening = await loop.create_server(lambda: Connection(server), "127.0.0.1", 0)
    port = listening.sockets[0].getsockname()[1]
    print(f"http://127.0.0.1:{port}", flush=True)
    watching = asyncio.create_task(server.watch())
    await loop.run_in_executor(None, sys.stdin.read)
    watching.cancel()
    listening.close()


def main() -> None:
    """Serve until standard input ends."""
    parser = argparse.ArgumentParser(prog="benchmarks.strict", description=__doc__)
    parser.add_argument("--rate", type=int, default=10)
    parser.add_argument("--faults", type=float, default=10.0, help="per cent of the posts")
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    # A full collection of a million lists takes up to half a second, behind which requests pile up
    # and seem to come too soon. There are no cycles.
    gc.disable()
    asyncio.run(_serve(Strict(options.rate, options.faults, options.seed)))


if __name__ == "__main__":
    main()
