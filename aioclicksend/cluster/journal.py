"""The journal of a bulk run in PostgreSQL: any number of processes send one campaign at once.

::

    process A          PostgreSQL                                   process B
    plan ──COPY──▶  message + standing: planned
    begin ───────▶  lock (skip locked), in_flight, batch, lease  ◀─── begin: finds nothing left
    fence: is our lease still running? (no I/O) ── first byte
    finish ──────▶  accepted | rejected | unknown | not_sent     ◀─── outcome: waits for it
      ✝ (lease over)                        in_doubt             ◀─── claim: looks it up

Invariants:

1. A row lock lasts as long as one short transaction, never as long as a request.
2. The lease is judged by the server's clock, except in `fence`: that subtracts from when we asked
   for it, by a clock that also runs while the machine sleeps. So it ends here before it ends there.
3. A lease that was lost is never renewed: rows may have been claimed by others since.
4. Every statement may be repeated. Numbers of rows and batches are made here, from the owner's.
"""

from __future__ import annotations

import asyncio
import logging
import re
import secrets
import sqlite3
import time
from collections.abc import Sequence
from datetime import datetime
from decimal import Decimal
from hashlib import blake2b, sha256
from itertools import repeat
from typing import TYPE_CHECKING, Any, Literal

import anyio
import msgspec
import psycopg
from msgspec import Struct
from psycopg import sql

from ..bulk.encode import Encoded
from ..bulk.journal import Begun, Entry, Planned, State
from ..bulk.outcome import Accepted, NotSent, Outcome, Rejected, Unknown
from ..bulk.replies import ACCOUNT_REFUSALS
from ..errors import ConfigurationError
from ..models.messages import REF_PREFIX
from . import sentences
from .database import Connection, Database, DatabaseUnreachableError
from .process import Process, birth_of, clock

if TYPE_CHECKING:
    from .cluster import Cluster

log: logging.Logger = logging.getLogger("aioclicksend")

LEASE = 30.0
"""Seconds without a heartbeat after which others look up what a process was sending."""
BEAT = 5.0
OFFER = 5.0
"""Seconds for which rows handed out to one process are not handed out to another."""
ABANDONED = 60.0
"""Seconds to wait for an owner that looks up what a silent one left."""
BEGINNING = 3.0
"""Seconds within which a transaction that claims messages commits, however busy the machine."""
POLL_SOON = 0.05
POLL = 0.5
"""Seconds between two looks for an outcome, if no notification comes first."""

_COUNTER_BITS = 32
_KEY = 8
"""The place of the key's hash in a row of a draft."""
_OPEN = (State.IN_FLIGHT, State.IN_DOUBT)
_JOURNAL_NAME = re.compile(r"[^\x00-\x1f\x7f]{1,120}")


class _Result(Struct, omit_defaults=True):
    """What is written of an outcome."""

    id: int
    state: str
    message_id: str | None = None
    parts: int | None = None
    price: Decimal | None = None
    reason: str | None = None
    detail: str | None = None


class _Ref(Struct):
    custom_string: str = ""


_ref_of = msgspec.json.Decoder(_Ref).decode


class PostgresJournal:
    """One journal of a cluster; made by `cluster.journal(name)`. Implements `JournalProtocol`."""

    def __init__(self, cluster: Cluster, name: str) -> None:
        if not _JOURNAL_NAME.fullmatch(name) or not name.strip():
            raise ConfigurationError("journal: the name must be 1 to 120 printable characters")
        self.name = name
        self._cluster = cluster
        self._database = cluster.database
        self._process = Process.current()
        self._lease_until = 0.0
        self._owner = 0
        self._changed = asyncio.Event()

    # Ownership.

    async def start(self, channel: str) -> None:
        """Open the journal, new or not, for one kind of message, and become an owner of it.

        Raises:
            ConfigurationError: the database or its schema cannot be used, or the journal is one
                of another kind of message.

        """
        await self._cluster.open()
        names = {"name": self.name, "account": self._cluster.account, "channel": channel}
        asked_at = clock()

        async def work(connection: Connection) -> tuple[int, int, int]:
            found = await (await connection.execute(sentences.OPEN_JOURNAL, names)).fetchone()
            if found is None:
                raise self._cluster.missing_account()
            journal, account, kept = found
            if kept != channel:
                raise ConfigurationError(
                    f'the journal "{self.name}" is one of {kept} messages, not {channel}'
                )
            owner = {"journal": journal, "lease": LEASE} | msgspec.structs.asdict(self._process)
            made = await (await connection.execute(sentences.BECOME_OWNER, owner)).fetchone()
            assert made is not None
            return journal, account, made[0]

        self._journal, self._account, self._owner = await self._database.run(work)
        # From when we asked: the server began to count later, so ours ends first.
        self._lease_until = asked_at + LEASE
        self._token = f"{secrets.token_hex(4)}-{self._owner:x}"
        # No other process makes these numbers, so a statement whose commit was lost with its
        # connection can be repeated as it is.
        self._next_row = self._owner << _COUNTER_BITS
        self._next_batch = self._owner << _COUNTER_BITS
        self._chunks = 0
        self._runs = 0
        self._occurrences: dict[int, _Occurrences] = {}
        self._outbox_channel = f"{self._database.schema}_{self._journal}"

    @property
    def last_sent(self) -> float | None:
        """None: after a backup was restored `cluster restored` has everything looked up."""
        return None

    async def lacks(self, refs: Sequence[str]) -> bool:  # noqa: ARG002
        """Return False, as `last_sent` is None."""
        return False

    async def close(self) -> None:
        """Give ownership back: what was begun and not finished is for others to look up."""
        if not self._owner:
            return
        # First: nothing may be begun any more while ownership is given back.
        self._lease_until = 0.0
        for seen in self._occurrences.values():
            seen.close()
        try:
            await self._execute(sentences.END)
        except DatabaseUnreachableError as error:
            log.warning("the lease on the journal %r runs out by itself: %s", self.name, error)
        self._owner = 0

    async def heartbeat(self) -> None:
        """Keep ownership and listen for results of others, until cancelled.

        Raises:
            ConfigurationError: ownership was lost; nothing more may be sent.

        """
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(self._listen)
            while True:
                await anyio.sleep(BEAT)
                await self._renew()

    async def _renew(self) -> None:
        asked_at = clock()
        # No longer: once it is over others may hold our rows, and it must not be had back.
        patience = max(self._lease_until - asked_at, 0.0)
        try:
            kept = await self._execute(sentences.RENEW, patience=patience, lease=LEASE)
        except DatabaseUnreachableError as error:
            raise self._lost(str(error)) from None
        if not kept:
            raise self._lost("it was not renewed in time")
        self._lease_until = asked_at + LEASE

    async def _listen(self) -> None:
        """Wake those who wait for outcomes; without it they look from time to time."""
        channel = sql.Identifier(self._outbox_channel)
        while True:
            try:
                connection = await self._database.connect()
                try:
                    await connection.execute(sql.SQL("listen {}").format(channel))
                    async for _ in connection.notifies():
                        self._changed.set()
                finally:
                    with anyio.CancelScope(shield=True):
                        await connection.close()
            except (psycopg.Error, ConfigurationError):
                await anyio.sleep(1.0)

    def fence(self) -> None:
        """Check, just before the first byte, that our lease still runs; without I/O.

        Raises:
            ConfigurationError: it may be over.

        """
        if clock() >= self._lease_until:
            raise self._lost("this process stood still for longer than its lease")

    @property
    def _lease_left(self) -> float:
        """Seconds for which the database is waited for: after that another owner takes over."""
        return max(self._lease_until - clock(), 1.0)

    def _lost(self, why: str) -> ConfigurationError:
        self._lease_until = 0.0
        return ConfigurationError(f'the lease on the journal "{self.name}" was lost: {why}')

    # Entering messages.

    def new_run(self) -> int:
        """Return the number of a new run of this process; 0 is for single messages."""
        self._runs += 1
        return self._runs

    def ref_prefix(self) -> str:
        """Return what the refs of the next chunk begin with: no other chunk's do, ever."""
        self._chunks += 1
        return f"{REF_PREFIX}{self._token}-{self._chunks:x}-"

    async def plan(self, run: int, messages: Encoded) -> Planned:
        """Enter messages, or find those that were entered before, by whichever process."""
        draft = self.draft(run, messages)

        async def work(connection: Connection) -> Planned:
            return await self.enter(connection, draft)

        return await self._database.run(work)

    def draft(
        self,
        run: int,
        messages: Encoded,
        *,
        outbox: Sequence[int | None] = (),
        due: Sequence[datetime | None] = (),
    ) -> list[tuple[Any, ...]]:
        """Return the rows of messages, with numbers of their own and what identifies them.

        Args:
            run: as of `plan`.
            messages: encoded.
            outbox: the row of the outbox of each.
            due: when workers may begin each, at the earliest; a sender that hands the message in
                by itself sends it at once.

        """
        first = self._next_row
        self._next_row += len(messages)
        # A key identifies a message; a single message without a ref is always a new one.
        is_named = [run > 0 or bool(it.custom_string) for it in messages.messages]
        keys = messages.keys or [None] * len(messages)
        media_files = messages.media_files or [None] * len(messages)
        identities: Sequence[str | None] = [None] * len(messages)
        if any(is_named):
            digests = list(map(_digest, messages.bare, media_files))
            identities = [
                _identity(digest, nth) if named and key is None else None
                for digest, nth, named, key in zip(
                    digests, self._count(run, digests), is_named, keys, strict=True
                )
            ]
        return [
            (
                n,
                first + n,
                identity,
                storable(ref),
                storable(message.to or ""),
                body.decode(),
                media,
                not message.custom_string,
                None if key is None else sha256(key.encode("utf-8", "surrogatepass")).digest(),
                None if key is None else _content(message, media),
                number,
                when,
            )
            for n, (message, identity, ref, body, media, key, number, when) in enumerate(
                zip(
                    messages.messages,
                    identities,
                    messages.refs,
                    messages.bodies,
                    media_files,
                    keys,
                    outbox or [None] * len(messages),
                    due or [None] * len(messages),
                    strict=True,
                )
            )
        ]

    def _count(self, run: int, digests: Sequence[bytes]) -> Sequence[int]:
        """Return how often each message came before in its run."""
        if run == 0:
            return [0] * len(digests)
        if run not in self._occurrences:
            self._occurrences[run] = _Occurrences()
        return self._occurrences[run].count(
            [int.from_bytes(it[:8], "big", signed=True) for it in digests]
        )

    async def enter(self, connection: Connection, draft: list[tuple[Any, ...]]) -> Planned:
        """Enter the rows of a draft inside a transaction of the caller's."""
        values = {"journal": self._journal, "account": self._account}
        # By COPY into a temporary table: keys and twins are then found for all rows at once.
        await connection.execute(sentences.CREATE_INCOMING)
        async with connection.cursor() as cursor, cursor.copy(sentences.COPY_INCOMING) as copy:
            for row in draft:
                await copy.write_row(row)
        rows = [row[1] for row in draft]
        conflicts: dict[int, Entry] = {}
        found: dict[int, int] = {}
        if any(row[_KEY] is not None for row in draft):
            found, conflicts = await self._resolve_keys(connection, draft, values)
        without = [*found, *conflicts]
        entered = await connection.execute(sentences.ENTER, values | {"without": without})
        if entered.rowcount + len(without) < len(draft):
            twins = await connection.execute(sentences.FIND_ENTERED, values)
            for it in await twins.fetchall():
                found[int(it[0])] = int(it[1])
        for n, found_row in found.items():
            rows[n] = found_row
        for n in conflicts:
            rows[n] = 0
        # Also of equal messages of one draft, all but the first are known: they share its row, and
        # whichever is sent must carry its ref.
        entries = await _entries(connection, list(found.values()))
        known = {n: entries[row] for n, row in found.items() if row in entries}
        return Planned(rows, known | conflicts)

    async def _resolve_keys(
        self, connection: Connection, draft: list[tuple[Any, ...]], values: dict[str, Any]
    ) -> tuple[dict[int, int], dict[int, Entry]]:
        """Take the keys of new messages; return those found, by position, and the conflicts."""
        await connection.execute(sentences.TAKE_KEYS, values)
        holders = await connection.execute(sentences.KEY_HOLDERS, values)
        found: dict[int, int] = {}
        conflicts: dict[int, Entry] = {}
        passed: set[int] = set()
        for n, row, holder, is_same, state, erased, message_id in await holders.fetchall():
            if erased is not None:
                # Its message was deleted by retention; what is left says how it ended.
                conflicts[n] = _stub(draft[n], State(erased), message_id)
            elif is_same:
                found[n] = holder
            elif state == State.NOT_SENT and holder not in passed:
                passed.add(holder)
                await connection.execute(
                    sentences.HAND_KEY_ON, values | {"id": row, "holder": holder}
                )
            else:
                conflicts[n] = _stub(draft[n], State.KEY_CONFLICT)
        return found, conflicts

    # Sending.

    async def begin(
        self,
        rows: Sequence[int],
        attempt: int,
        *,
        reserved: Sequence[Decimal] = (),
        limit: Decimal | None = None,
    ) -> Begun:
        """Claim messages for one request: claim, intent and reservations are durable on return.

        Raises:
            ConfigurationError: ownership was lost, or the database cannot be reached.

        """
        # Before asking: a process that stood still must not claim anything.
        self.fence()
        self._next_batch += 1
        batch = self._next_batch
        values = self._values(rows=_array(rows), attempt=attempt, batch=batch)

        if limit is None and not reserved:
            won, has_lease = await self._begin_at_once(values)
            begun = Begun(batch, [row for row in dict.fromkeys(rows) if row in won])
        else:
            begun, has_lease = await self._begin_within(limit, rows, reserved, values)
        # Without a lease nothing was locked; with one, another owner was merely faster.
        if not has_lease and not begun.won:
            raise self._lost("others took it for dead")
        return begun

    async def _begin_at_once(self, values: dict[str, Any]) -> tuple[set[int], bool]:
        async def work(connection: Connection) -> tuple[set[int], bool]:
            found = await connection.execute(sentences.BEGIN_AT_ONCE, values)
            row = await found.fetchone()
            assert row is not None
            return set(row[0]), row[1]

        return await self._database.run(work, patience=self._lease_left, in_transaction=False)

    async def _begin_within(
        self,
        limit: Decimal | None,
        rows: Sequence[int],
        reserved: Sequence[Decimal],
        values: dict[str, Any],
    ) -> tuple[Begun, bool]:
        """Begin what fits a budget; the lock on the journal's row puts the spenders in a row."""
        amounts = dict(zip(rows, reserved or repeat(Decimal(0)), strict=False))

        async def work(connection: Connection) -> tuple[Begun, bool]:
            locked = await (await connection.execute(sentences.LOCK, values)).fetchall()
            again = {row for row, is_again in locked if is_again}
            free = {row for row, _ in locked}
            won = [row for row in dict.fromkeys(rows) if row in free]
            over: list[int] = []
            # Spenders wait for each other here, for a few milliseconds; no request is under way.
            if limit is not None:
                book = await connection.execute(sentences.COMMITTED_LOCKED, values)
                won, over = _within(limit, await _number(book), won, amounts, again)
            if won:
                costs = {"won": _array(won), "amounts": [amounts[row] for row in won]}
                await connection.execute(sentences.BEGIN, values | costs)
                # In the same transaction as the claim: no crash can part money from intent.
                if more := sum(amounts[row] for row in won if row not in again):
                    await connection.execute(sentences.COMMIT_MORE, values | {"amount": more})
            kept = await (await connection.execute(sentences.HAS_LEASE, values)).fetchone()
            return Begun(values["batch"], won, over), bool(kept and kept[0]) or bool(over)

        return await self._database.run(work, patience=self._lease_left)

    async def finish(
        self, rows: Sequence[int], outcomes: Sequence[Outcome], batch: int | None = None
    ) -> Sequence[int]:
        """Take outcomes; return the rows that were not written, as another owner began them.

        Args:
            rows: the messages.
            outcomes: the outcome of each.
            batch: the request they were sent in; 0 for messages that are ours, in whichever
                request; None for messages that were never begun here.

        """
        # A result may only reach rows that are still ours, however late it comes.
        statement = sentences.FINISH_BEGUN if batch else sentences.FINISH_OWN
        if batch is None:
            statement = sentences.FINISH_NEVER_BEGUN
        results = msgspec.json.encode(list(map(_result, rows, outcomes))).decode()
        values = self._values(
            rows=_array(rows), batch=batch, channel=self._outbox_channel, results=results
        )

        async def work(connection: Connection) -> set[int]:
            found = await (await connection.execute(statement.encode(), values)).fetchone()
            assert found is not None
            return set(found[0] or ())

        written = await self._database.run(work, patience=self._lease_left, in_transaction=False)
        return [row for row in rows if row not in written]

    # Reading and deciding.

    async def claim(
        self, state: Literal[State.PLANNED, State.IN_DOUBT], limit: int, after: int = 0
    ) -> list[Entry]:
        """Return messages to be sent, or those in doubt, which become ours to look up."""
        # A neighbour that was killed need not keep its rows until its lease is over.
        if state is State.IN_DOUBT:
            await bury_neighbours(self._database)
        values = self._values(limit=limit, after=after, seconds=OFFER)

        statement = sentences.OFFER_SENDABLE
        if state is State.IN_DOUBT:
            statement = sentences.CLAIM_DOUBTFUL

        async def work(connection: Connection) -> list[Entry]:
            found = await connection.execute(statement, values)
            rows = [row for (row,) in await found.fetchall()]
            return list((await _entries(connection, rows)).values())

        return await self._database.run(work, in_transaction=False)

    async def outcome(self, rows: Sequence[int]) -> list[Entry]:
        """Wait until messages are settled or sendable.

        If their owner has exited, this waits for another one to look them up; if none does so
        within a minute they are returned as they are, in doubt.
        """
        begun_by = clock() + BEGINNING
        orphaned_since: float | None = None
        while True:
            # Cleared before the look: a result that comes after it ends the wait.
            self._changed.clear()
            # Counts only: a worker may wait long for what another one sends, and looks often.
            ((waiting, owned, sendable),) = await self._fetch(
                sentences.WAITED_FOR, rows=_array(rows)
            )
            now = clock()
            # Who lost a row may look at it before the winner's transaction is visible.
            pause = POLL_SOON if now < begun_by else POLL
            is_beginning = now < begun_by and sendable
            if waiting:
                orphaned_since = None if owned else orphaned_since or now
            is_abandoned = orphaned_since is not None and now - orphaned_since >= ABANDONED
            if not is_beginning and (not waiting or is_abandoned):
                entries = await self.entries(rows)
                # One that was sendable may have been begun since.
                if is_abandoned or not any(it.state in _OPEN for it in entries):
                    return entries
            with anyio.move_on_after(pause):
                await self._changed.wait()

    async def entries(self, rows: Sequence[int]) -> list[Entry]:
        """Return messages by their rows, in the order asked for."""

        async def work(connection: Connection) -> dict[int, Entry]:
            return await _entries(connection, rows)

        found = await self._database.run(work)
        return [found[row] for row in rows if row in found]

    async def resolve(self, refs: Sequence[str] | None, verdict: Literal["sent", "resend"]) -> int:
        """Decide manually on messages whose outcome is unknown, and return on how many."""
        state = State.ACCEPTED if verdict == "sent" else State.NOT_SENT
        wanted = None if refs is None else list(refs)
        ((count,),) = await self._fetch(sentences.RESOLVE, refs=wanted, state=state.value)
        return int(count)

    async def reconsider(self) -> None:
        """Have what stayed unknown looked up once more, by the next one that opens the journal."""
        await self._execute(sentences.RECONSIDER)

    async def committed(self) -> Decimal:
        """Return what was spent, and what attempts without a verdict may have cost."""
        ((amount,),) = await self._fetch(sentences.COMMITTED)
        return Decimal(amount)

    async def reserve(self, rows: Sequence[int], amounts: Sequence[Decimal]) -> None:
        """Record what messages in doubt may cost that were sent without a reservation."""
        await self._execute(sentences.RESERVE, rows=_array(rows), amounts=list(amounts))

    async def taken(self, message_ids: Sequence[str]) -> set[str]:
        """Return those of some message ids that messages of this journal hold."""
        found = await self._fetch(sentences.TAKEN, ids=list(message_ids))
        return {message_id for (message_id,) in found}

    def _values(self, **more: Any) -> dict[str, Any]:
        return {"journal": self._journal, "owner": self._owner} | more

    async def _fetch(self, statement: str, **values: Any) -> list[tuple[Any, ...]]:
        async def work(connection: Connection) -> list[tuple[Any, ...]]:
            found = await connection.execute(statement.encode(), self._values(**values))
            return await found.fetchall()

        return await self._database.run(work)

    async def _execute(self, statement: str, *, patience: float = 10.0, **values: Any) -> int:
        async def work(connection: Connection) -> int:
            return (await connection.execute(statement.encode(), self._values(**values))).rowcount

        return await self._database.run(work, patience=patience)

    def __repr__(self) -> str:
        return f"PostgresJournal({self.name!r})"


async def bury_neighbours(database: Database) -> None:
    """End the owners of which we can see, being on the same machine, that they have exited."""
    place = Process.current().place
    if not place:
        return

    async def work(connection: Connection) -> None:
        found = await connection.execute(sentences.NEIGHBOURS, {"place": place})
        gone = [owner for owner, pid, birth in await found.fetchall() if birth_of(pid) != birth]
        if gone:
            await connection.execute(sentences.BURY, {"owners": gone})

    await database.run(work)


class _Occurrences:
    """How often a message came in a run: the first of some equal ones is 0, the next one is 1.

    Hashes in memory, about 25 bytes a message; SQLite holds them at a third of what a set takes.
    They are the same in every process: should two messages share one, each run still counts alike.
    """

    def __init__(self) -> None:
        self._db = sqlite3.connect(":memory:", isolation_level=None)
        self._db.execute("create table seen (hash integer primary key, times integer not null)")

    def count(self, hashes: Sequence[int]) -> list[int]:
        """Return how often each came before."""
        if len(set(hashes)) == len(hashes):
            before = self._db.total_changes
            self._db.execute("savepoint chunk")
            self._db.execute(
                "insert or ignore into seen select value, 1 from json_each(?)",
                (msgspec.json.encode(hashes),),
            )
            if self._db.total_changes - before == len(hashes):
                self._db.execute("release chunk")
                return [0] * len(hashes)
            self._db.execute("rollback to chunk")
            self._db.execute("release chunk")
        return [self._count_one(it) for it in hashes]

    def close(self) -> None:
        """Forget everything."""
        self._db.close()

    def _count_one(self, hashed: int) -> int:
        ((times,),) = self._db.execute(
            "insert into seen values (?, 1) on conflict (hash) do update set times = times + 1 "
            "returning times",
            (hashed,),
        ).fetchall()
        return int(times) - 1


def _digest(bare: bytes, media_file: str | None) -> bytes:
    hashed = blake2b(bare, digest_size=16)
    if media_file is not None:
        hashed.update(b"\0" + media_file.encode("utf-8", "surrogatepass"))
    return hashed.digest()


def _identity(digest: bytes, nth: int) -> str:
    """Return what a message is found by: its content, and how often that came before."""
    if nth:
        digest = blake2b(b"%b %d" % (digest, nth), digest_size=16).digest()
    return digest.hex()


def _content(message: Any, media_file: str | None) -> bytes:
    """Return what must not differ between two messages with one key: number, text, media file."""
    return sha256(msgspec.json.encode([message.to, message.body, media_file])).digest()


def _within(
    limit: Decimal,
    committed: Decimal,
    rows: list[int],
    amounts: dict[int, Decimal],
    again: set[int],
) -> tuple[list[int], list[int]]:
    """Divide rows into those that fit a budget and the rest, which begins with the first too many.

    What is behind it stays behind: a cheaper message must not slip past.
    """
    for place, row in enumerate(rows):
        committed += Decimal(0) if row in again else amounts[row]
        if committed > limit:
            return rows[:place], rows[place:]
    return rows, []


def _result(row: int, outcome: Outcome) -> _Result:
    match outcome:
        case Accepted():
            parts = outcome.parts
            is_count = isinstance(parts, int) and abs(parts) < 2**31
            return _Result(
                row,
                State.ACCEPTED.value,
                message_id=_text(outcome.message_id),
                parts=parts if is_count else None,
                price=outcome.price,
            )
        case Rejected():
            state = State.HELD if outcome.status in ACCOUNT_REFUSALS else State.REJECTED
            return _Result(row, state.value, reason=_text(outcome.status))
        case NotSent() | Unknown():
            state = State.NOT_SENT if isinstance(outcome, NotSent) else State.UNKNOWN
            return _Result(
                row, state.value, reason=outcome.reason.value, detail=_text(outcome.detail)
            )


def _array(rows: Sequence[int]) -> str:
    """Return an array as PostgreSQL reads it; lists of a thousand take psycopg much longer."""
    return f"{{{','.join(map(str, rows))}}}"


def storable(value: Any) -> str:
    """Return a text that PostgreSQL can store: without NUL and lone surrogates."""
    text = str(value)
    if text.isascii() and "\0" not in text:
        return text
    return text.encode("utf-8", "replace").decode().replace("\0", "\ufffd")


def _text(value: str | None) -> str | None:
    return None if value is None else storable(value)


def _stub(row: tuple[Any, ...], state: State, message_id: str | None = None) -> Entry:
    """Return the entry of a message that was not entered."""
    return Entry(row=0, ref=row[3], body=row[5].encode(), state=state, message_id=message_id)


async def _entries(connection: Connection, rows: Sequence[int]) -> dict[int, Entry]:
    """Return messages by their rows."""
    if not rows:
        return {}
    found = await connection.execute(sentences.ENTRIES, {"rows": _array(rows)})
    return {row[0]: _entry(row) for row in await found.fetchall()}


def _entry(found: tuple[Any, ...]) -> Entry:
    row, text, media_file, generated, state, *result, batch, attempt, age, reserved, exited = found
    message_id, parts, price, reason, detail = result
    # By our own clock, wrong as it may be: it is compared with times that were read from it.
    begun = 0.0 if age is None else time.time() - age
    body = text.encode()
    return Entry(
        row=row,
        ref=_ref_of(body).custom_string,
        body=body,
        media_file=media_file,
        state=State(state),
        message_id=message_id,
        parts=parts,
        price=price,
        reason=reason,
        detail=detail,
        batch=batch,
        attempt=attempt,
        intent=begun,
        reserved=reserved,
        owner_exited=exited,
        has_unique_ref=generated,
    )


async def _number(cursor: Any) -> Decimal:
    row = await cursor.fetchone()
    return Decimal(row[0])
