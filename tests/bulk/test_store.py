"""The journal's file, against a plain model of what it should hold."""

from __future__ import annotations

import sqlite3
import tempfile
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

import aioclicksend as ac
from aioclicksend.bulk import journal as journals
from aioclicksend.bulk import lookup
from aioclicksend.bulk.known import Known
from aioclicksend.bulk.store import Results, Store
from aioclicksend.models.messages import freeze, request_body
from aioclicksend.sandbox import Sandbox

from .helpers import accepts, client, kinds, outcomes, posts, sms

TEXTS = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=20)
STATES = st.sampled_from(["accepted", "rejected", "unknown", "not_sent", "held"])
STEPS = st.lists(
    st.tuples(
        st.sampled_from(["enter", "intend", "record", "unsend"]),
        st.integers(0, 30),
        st.integers(1, 6),
        st.lists(STATES, min_size=6, max_size=6),
    ),
    max_size=25,
)


PIECES: list[tuple[str, int, int, list[str]]] = [
    ("enter", 0, 4, []),
    ("record", 0, 2, ["accepted", "rejected"]),
    ("intend", 0, 3, []),
    ("intend", 0, 4, []),
    ("record", 1, 1, ["unknown"]),
]
"""Messages that were settled in pieces, sent together again, and settled in pieces again."""
FIELDS = ("state", "message_id", "parts", "price", "reason")


def stored(path: Path, work: Callable[[Store], Any]) -> Any:
    """Do something with a store that is opened for it."""
    store = Store(path)
    store.open("sms")
    try:
        return work(store)
    finally:
        store.commit()
        store.close()


def results(states: list[str]) -> Results:
    """Return results of messages that differ in everything."""
    return (
        states,
        [f"[id]-{place}" if it == "accepted" else None for place, it in enumerate(states)],
        [place if it == "accepted" else None for place, it in enumerate(states)],
        [f"0.0{place}" if it == "accepted" else None for place, it in enumerate(states)],
        [f"[{it}]" if it != "accepted" else None for it in states],
    )


class Model:
    """What a store should hold, and the store itself; both are told the same."""

    def __init__(self, store: Store) -> None:
        self.store = store
        self.known: dict[int, Known] = {}
        self._batches = 0

    def enter(self, size: int) -> None:
        """Take new messages."""
        first = len(self.known) + 1
        messages = [freeze(sms(it)) for it in range(first, first + size)]
        self.store.enter(first, size, request_body(messages), None)
        for row, body in enumerate(messages, first):
            self.known[row] = Known(row, f"ref-{row}", body, "planned")

    def record(self, rows: range, told: Results) -> None:
        """Take results."""
        self.store.record(rows, told, 1.0)
        for name, column in zip(FIELDS, told, strict=True):
            for row, value in zip(rows, column, strict=False):
                setattr(self.known[row], name, value)

    def intend(self, rows: range) -> None:
        """Take an intent."""
        self._batches += 1
        self.store.intend(rows, self._batches, 2.0, 1)
        for row in rows:
            it = self.known[row]
            self.known[row] = Known(row, it.ref, it.body, "in_doubt", batch=self._batches)
            self.known[row].intent = 2.0

    def unsend(self, rows: range) -> None:
        """Take messages for not sent."""
        self.store.unsend(list(rows))
        for row in rows:
            self.known[row] = Known(row, self.known[row].ref, self.known[row].body, "planned")

    def check(self) -> None:
        """Compare."""
        store, known = self.store, list(self.known.values())
        assert store.look(self.known) == known
        assert store.look(list(self.known)[1:2]) == known[1:2]
        query = "select count(*) from standing where (state is null) != (at is null)"
        assert store._db.execute(query).fetchone() == (0,)
        assert store.counts() == Counter(it.state for it in known)
        sent = [it for it in known if it.batch is not None]
        assert store.in_doubt() == [it for it in sent if it.state in ("in_doubt", "unknown")]
        waiting = [it for it in known if it.state in ("planned", "not_sent", "held")]
        assert store.planned(0, 100) == waiting
        assert store.planned(waiting[0].row if waiting else 0, 2) == waiting[1:3]


@settings(deadline=None, max_examples=60)
@given(STEPS)
@example([("enter", 0, 2, []), ("record", 0, 2, ["unknown", "unknown"])])  # "[unknown]" for both
@example([("enter", 0, 3, []), ("record", 0, 3, ["accepted", "rejected", "accepted"])])
@example(PIECES)
@example([*PIECES, ("record", 0, 2, ["not_sent", "held"]), ("unsend", 1, 2, [])])
def test_whole_chunks_and_pieces_of_them_keep_what_became_of_each_message(steps: Any) -> None:
    """I2: every message has exactly the state it was last given, however it was grouped."""

    def run(store: Store) -> None:
        model = Model(store)
        for step, start, size, states in steps:
            rows = range(1 + start, min(1 + start + size, len(model.known) + 1))
            if step == "enter":
                model.enter(size)
            elif rows and step == "record":
                model.record(rows, results(states[: len(rows)]))
            elif rows:
                getattr(model, step)(rows)
        model.check()

    with tempfile.TemporaryDirectory() as folder:
        stored(Path(folder) / "promo.db", run)


@settings(deadline=None, max_examples=50)
@given(st.lists(TEXTS, min_size=1, max_size=5), TEXTS)
def test_a_message_comes_out_word_for_word_as_it_went_in(bodies: list[str], ref: str) -> None:
    frozen = [freeze(sms(it, body=body, custom_string=ref)) for it, body in enumerate(bodies)]

    def run(store: Store) -> None:
        store.enter(1, len(frozen), request_body(frozen), None)
        assert [it.body for it in store.look(range(1, len(frozen) + 1))] == frozen
        assert [it.ref for it in store.planned(0, 10)] == [ref] * len(frozen)

    with tempfile.TemporaryDirectory() as folder:
        stored(Path(folder) / "promo.db", run)


async def test_a_first_run_looks_for_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An index of what cannot be there yet would cost half of the speed."""
    monkeypatch.setattr(journals, "Index", None)
    async with Sandbox() as sandbox, client(sandbox) as api:
        async with api.sms.bulk(journal=tmp_path / "promo.db") as bulk:
            assert (await bulk.run(sms(it, custom_string=None) for it in range(20))).accepted == 20
            handle = await bulk.send(sms(99, custom_string=None))
            assert isinstance(await handle, ac.Accepted)


async def test_messages_whose_hashes_agree_are_not_taken_for_each_other(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Never lost: a hash only says where to look."""
    monkeypatch.setattr(lookup, "_keys", lambda bodies, _kinds: [7 for _ in bodies])
    first, second = (
        [sms(it, custom_string=None) for it in numbers] for numbers in ((1, 2), (2, 3))
    )
    async with Sandbox() as sandbox, client(sandbox) as api:
        for _ in range(2):
            async with api.sms.bulk(journal=tmp_path / "promo.db") as bulk:
                for messages in (first, second):
                    settled = await outcomes(bulk.stream(messages))
                    assert [it.message.to for it in settled] == [it.to for it in messages]
                    assert kinds(settled) == {"Accepted": 2}
        assert Counter(it["to"] for it in sandbox.messages) == {sms(it).to: 1 for it in (1, 2, 3)}


async def test_a_lane_does_not_send_by_another_lanes_broken_write(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Intents of several lanes are written together: where that fails, none of them has left."""
    path = tmp_path / "promo.db"
    commit = Store.commit
    calls = 0

    def failing(store: Store) -> None:
        nonlocal calls
        calls += 1
        if calls == 2:
            raise sqlite3.OperationalError("disk I/O error")
        commit(store)

    monkeypatch.setattr(Store, "commit", failing)
    unwritten: list[object] = []
    async with Sandbox(latency=0.01) as sandbox, client(sandbox) as api:

        def look(arrival: Any) -> None:
            refs = [it["custom_string"] for it in msgspec.json.decode(arrival.body)["messages"]]
            with sqlite3.connect(path) as db:
                states = dict(db.execute("select ref, state from outcome"))
            db.close()
            unwritten.extend(ref for ref in refs if states.get(ref) != "in_doubt")

        sandbox.fail_every(look)
        batching = ac.Batching(size=5)
        async with api.sms.bulk(journal=path, batching=batching, ramp=None) as bulk:
            report = await bulk.run(sms(it) for it in range(100))
        assert report.not_sent > 0
        assert any("disk I/O error" in reason for reason in report.reasons)
        assert report.total == 100
        assert posts(sandbox) > 0
        assert not unwritten
        async with api.sms.bulk(journal=path, batching=batching) as bulk:
            assert (await bulk.run(sms(it) for it in range(100))).accepted == 100
        assert set(accepts(sandbox).values()) == {1}


async def test_what_a_reply_leaves_open_stands_by_itself(tmp_path: Path) -> None:
    """A batch settled in pieces: each of its messages reads as it is."""
    path = tmp_path / "promo.db"
    async with Sandbox() as sandbox, client(sandbox) as api:
        sandbox.fail_next("missing-row", path="/sms/send")
        reconcile = ac.Reconcile(settle=0)
        async with api.sms.bulk(journal=path, ramp=None, reconcile=reconcile) as bulk:
            report = await bulk.run(sms(it) for it in range(10))
        with sqlite3.connect(path) as db:
            states = dict(db.execute("select state, count(*) from outcome group by state"))
            assert db.execute("select count(*) from fate").fetchone() == (0,)
            assert db.execute("select count(*) from single").fetchone() == (10,)
        db.close()
    assert report.unknown > 0
    assert states == {"accepted": report.accepted, "unknown": report.unknown}


def test_no_two_journals_give_the_same_refs(tmp_path: Path) -> None:
    """And one gives them as before when it is opened again."""
    paths = [tmp_path / "a.db", tmp_path / "b.db", tmp_path / "a.db"]
    first, second, again = (stored(path, lambda store: store.campaign) for path in paths)
    assert first == again != second


def test_an_intent_survives_a_loss_of_power(tmp_path: Path) -> None:
    """As far as SQLite can promise it: a commit returns once the disk has it."""

    def run(store: Store) -> None:
        assert store._db.execute("pragma synchronous").fetchone() == (2,)  # FULL
        assert store._db.execute("pragma journal_mode").fetchone() == ("wal",)

    stored(tmp_path / "promo.db", run)


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        ("delete from meta where name = 'channel'", "it tells no channel"),
        ("update meta set value = '1' where name = 'schema'", "older, unreleased version"),
    ],
)
def test_a_file_that_is_no_journal_of_ours_any_more_is_refused(
    tmp_path: Path, change: str, complaint: str
) -> None:
    path = tmp_path / "promo.db"
    stored(path, lambda _: None)
    with sqlite3.connect(path) as db:
        db.execute(change)
    db.close()
    with pytest.raises(ac.ConfigurationError, match=complaint):
        stored(path, lambda _: None)
