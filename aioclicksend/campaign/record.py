"""The journal of a campaign, read while a run may be writing it.

A journal knows messages; facts about their campaign are in its table ``meta``, as
``campaign.text``, ``campaign.spec`` and so on. It is entered once the journal's lease is held and
before anything is sent; later runs replace what they know anew, such as the list.
"""

from __future__ import annotations

import os
import socket
import sqlite3
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing
from datetime import datetime
from decimal import Decimal
from os import PathLike
from pathlib import Path
from typing import Any, Literal, NamedTuple

from msgspec import Struct

from ..bulk.journal import Journal
from ..bulk.lease import LEASE
from ..errors import ConfigurationError
from .identity import NEVER_SENT, Entry

_PREFIX = "campaign."
_OUTCOMES = """
select {} from outcome left join delivery_state as by_ref
    on by_ref.ref = outcome.ref and outcome.message_id is null
"""
_BY_ID = "(select {0} from delivery_state as it where it.message_id = outcome.message_id)"
_TOLD = f"coalesce({_BY_ID}, by_ref.{{0}})"
_STATE, _REASON = _TOLD.format("state"), _TOLD.format("reason")
_LINE = '"to", outcome.state, outcome.reason, outcome.message_id, parts, price, outcome.ref'
_ENTRIES = """
select json_extract(body, '$.to'), json_extract(body, '$.body'),
    coalesce(state, case when batch is null then 'planned' else 'in_doubt' end) from standing
"""
_BARE_LINES = "select {}, null, null, text from {}"
_LATEST = """
select state, count(*) from (select state, max(id) from outcome group by "to") group by state
"""
_WITH_TEXT = """
(select id, json_extract(body, '$.custom_string') as ref, json_extract(body, '$.to') as "to",
    coalesce(state, case when batch is null then 'planned' else 'in_doubt' end) as state,
    message_id, parts, price, reason, json_extract(body, '$.body') as text from standing) as outcome
"""


class Line(NamedTuple):
    """One recipient, as the journal has it."""

    to: str
    outcome: str
    """``planned`` (never sent), ``in_doubt`` (no verdict yet), ``accepted``, ``rejected``,
    ``unknown``, or ``not_sent`` and ``held``, which the next run sends."""
    reason: str | None
    message_id: str | None
    parts: int | None
    price: str | None
    ref: str
    delivery: str | None
    """``delivered``, ``failed`` or ``pending``; None if no receipt tells."""
    failure: str | None
    """Why it was not delivered."""
    body: str | None
    """Its text."""


class Delivery(Struct, kw_only=True):
    """How many of the accepted messages were delivered, by the receipts seen so far."""

    delivered: int = 0
    failed: int = 0
    pending: int = 0
    """Those without a final receipt."""
    new: int = 0
    """Receipts of any message that the last look saw for the first time."""

    @property
    def is_final(self) -> bool:
        """Whether every accepted message has its final receipt."""
        return not self.pending


class Record:
    """The journal of a campaign, opened for reading.

    Raises:
        ConfigurationError: there is none, or it is a journal of something else.

    """

    def __init__(self, path: str | PathLike[str]) -> None:
        self.path = Path(path)
        if not self.path.exists():
            raise ConfigurationError(f"there is no journal {self.path}")
        try:
            meta = dict(self._rows("select name, value from meta"))
            if "channel" not in meta:
                raise ConfigurationError(f"{self.path} is no journal")
        except sqlite3.Error as error:
            raise ConfigurationError(f"{self.path} is no journal: {error}") from None
        self.facts = {
            name.removeprefix(_PREFIX): value
            for name, value in meta.items()
            if name.startswith(_PREFIX)
        }
        """What was entered about the campaign; nothing if it broke off before that."""
        if not self.facts and self.counts():
            raise ConfigurationError(f"{self.path} is a journal, but not of a campaign")

    def check(self, settings: Mapping[str, str]) -> None:
        """Make sure that a campaign is the one of this journal.

        Raises:
            ConfigurationError: it is another one.

        """
        other = [name for name, value in settings.items() if self.facts.get(name, value) != value]
        if not other:
            return
        got = sum(count for state, count in self.counts().items() if state not in NEVER_SENT)
        what = " and ".join(other).replace("text", "text or sender")
        raise ConfigurationError(
            f"{self.path} is the journal of a campaign with another {what}, which {got:,} people "
            f"got or may have got. To go on with that: aioclicksend campaign resume {self.path}. "
            "To send this one as a campaign of its own, to those people, too: --journal with a new "
            "name"
        )

    def entries(self) -> Iterator[Entry]:
        """Yield number, text and state of each message."""
        with closing(self._connect()) as db:
            for row in db.execute(_ENTRIES):
                yield Entry(*row)

    def cancelled(self) -> datetime | None:
        """Return when the campaign was cancelled; None if it was not."""
        found = self._rows("select value from meta where name = 'campaign.cancelled'")
        return datetime.fromisoformat(found[0][0]) if found and found[0][0] else None

    def counts(self) -> dict[str, int]:
        """Return how many messages have each outcome.

        A message that was never sent does not count once a corrected one of its number follows it.
        """
        counts = dict[str, int](self._rows("select state, count(*) from outcome group by state"))
        if self.facts.get("unique") == "number" and counts.keys() & NEVER_SENT:
            counts = dict(self._rows(_LATEST))
        return counts

    def reasons(self) -> list[tuple[str, str, int]]:
        """Return outcome, reason and number of what was not accepted, the most frequent first."""
        return self._rows(
            "select state, reason, count(*) from outcome where reason is not null "
            "and state != 'accepted' group by 1, 2 order by 3 desc"
        )

    def spent(self) -> Decimal:
        """Return what the accepted messages cost, as far as the server told."""
        prices = self._rows(
            "select price, count(*) from outcome where state = 'accepted' and price is not null "
            "group by price"
        )
        return sum((Decimal(price) * count for price, count in prices), Decimal(0))

    def committed(self) -> Decimal:
        """Return what was spent, with what messages in doubt may have cost: the highest price."""
        prices = self._rows("select distinct price from outcome where price is not null")
        highest = max((Decimal(price) for (price,) in prices), default=Decimal(0))
        counts = self.counts()
        return self.spent() + highest * (counts.get("in_doubt", 0) + counts.get("unknown", 0))

    def parts(self) -> int:
        """Return how many parts the accepted messages have together."""
        ((parts,),) = self._rows("select sum(parts) from outcome where state = 'accepted'")
        return parts or 0

    def delivery(self) -> Delivery | None:
        """Return how many were delivered; None if nobody followed the receipts."""
        if not self._has_receipts():
            return None
        columns = f"coalesce({_STATE}, 'pending'), count(*)"
        counts = self._rows(
            f"{_OUTCOMES.format(columns)} where outcome.state = 'accepted' group by 1"
        )
        return Delivery(**dict(counts))

    def failures(self) -> list[tuple[str, int]]:
        """Return why messages were not delivered and how many, the most frequent first."""
        if not self._has_receipts():
            return []
        return self._rows(
            f"{_OUTCOMES.format(_REASON + ' as why, count(*)')} where outcome.state = 'accepted' "
            "and why is not null group by 1 order by 2 desc"
        )

    def runner(self) -> str | None:
        """Return who is writing it now, if anybody is."""
        for pid, host, beat in self._rows("select pid, host, beat from lease"):
            gone = host == socket.gethostname() and not _is_alive(pid)
            if not gone and time.time() - beat < LEASE:
                return f"process {pid} on {host}"
        return None

    def lines(self) -> Iterator[Line]:
        """Yield the recipients in the order of the input."""
        with closing(self._connect()) as db:
            statement = _BARE_LINES.format(_LINE, _WITH_TEXT)
            if self._has_receipts():
                columns = f"{_LINE}, {_STATE}, {_REASON}, text"
                statement = _OUTCOMES.format(columns).replace("from outcome", f"from {_WITH_TEXT}")
            for row in db.execute(f"{statement} order by id"):
                yield Line(*row)

    def _has_receipts(self) -> bool:
        return bool(self._rows("select 1 from sqlite_master where name = 'delivery_state'"))

    def _rows(self, statement: str) -> list[Any]:
        with closing(self._connect()) as db:
            return db.execute(statement).fetchall()

    def _connect(self) -> sqlite3.Connection:
        # Not mode=ro, which would leave the files of the WAL behind.
        db = sqlite3.connect(f"{self.path.absolute().as_uri()}?mode=rw", uri=True, timeout=10.0)
        db.execute("pragma query_only = on")
        return db


def enter(path: Path, facts: Mapping[str, str]) -> Record:
    """Write facts about the campaign of a journal, replacing those of earlier runs."""
    with closing(sqlite3.connect(path, timeout=10.0)) as db, db:
        db.executemany(
            "insert or replace into meta values (?, ?)",
            [(_PREFIX + name, value) for name, value in facts.items()],
        )
    return Record(path)


async def resolve(
    path: Path, verdict: Literal["sent", "resend"], refs: Sequence[str] | None = None
) -> int:
    """Decide on messages whose outcome is unknown, and return on how many.

    Args:
        path: the journal.
        verdict: ``sent`` if they are known to have gone out; ``resend`` to have the next run send
            them, at the risk that somebody gets them twice.
        refs: only these; all if absent.

    Raises:
        ConfigurationError: it is no journal of a campaign, or in use.

    """
    Record(path)
    journal = Journal(path)
    await journal.start("sms")
    try:
        doubtful = await journal.in_doubt()
        rows = [it.row for it in doubtful if refs is None or it.ref in refs]
        if not rows:
            return 0
        if verdict == "sent":
            await journal.accept(rows, "resolved manually")
        else:
            await journal.unsend(rows)
    finally:
        await journal.stop()
    return len(rows)


def _is_alive(pid: int) -> bool:
    if sys.platform == "win32":
        return True  # signal 0 is Ctrl-C there
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except OSError:
        pass  # it is somebody else's
    return True
