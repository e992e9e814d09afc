"""A stored campaign whose list changes while it is sent: everybody gets one text, the last in time.

Hypothesis enters lists, has workers send, kills one of them, pauses, cancels, lets time pass and
opts people out, in any order. What arrives is counted at the server.
"""

from __future__ import annotations

import asyncio
import csv
import tempfile
import uuid
from collections import Counter
from collections.abc import AsyncIterator, Awaitable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, TypeVar

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from aioclicksend.bulk.journal import State
from aioclicksend.campaign import Campaign, Draft, Schedule
from aioclicksend.cli import clustered
from aioclicksend.cluster import Cluster, campaigns
from aioclicksend.cluster.worker import Worker
from aioclicksend.errors import ConfigurationError
from aioclicksend.models.messages import SmsMessage, thaw
from aioclicksend.sandbox import Sandbox

from .helpers import client_of

T = TypeVar("T")

PEOPLE = [f"+6141100000{it}" for it in range(6)]
ROWS = st.dictionaries(
    st.sampled_from(PEOPLE),
    st.tuples(st.sampled_from("abc"), st.sampled_from([0, 1, 5])),
    min_size=1,
)
"""A list: the text of each, and in how many hours it is due."""


class StoredList(RuleBasedStateMachine):
    url: str
    schema: str

    def __init__(self) -> None:
        super().__init__()
        # An account of its own: an opt-out holds for all campaigns of one.
        self.name = uuid.uuid4().hex
        self.cluster = Cluster(self.url, account=self.name, schema=self.schema)
        self.loop = asyncio.new_event_loop()
        self.sandbox = Sandbox()
        self.wait(self.cluster.migrate())
        self.wait(self.sandbox.__aenter__())
        self.wanted: dict[str, str] = {}
        """The text that each is to get."""
        self.due_in: dict[str, int] = {}
        """In how many hours at the earliest."""
        self.settled: set[str] = set()
        """Who may have got a text, or opted out: nobody sends these another one."""
        self.opted_out: set[str] = set()
        self.stage = ""

    def wait(self, work: Awaitable[T]) -> T:
        async def done() -> T:
            try:
                return await work
            finally:
                await self.cluster.close()

        return self.loop.run_until_complete(done())

    @rule(rows=ROWS)
    def enter(self, rows: dict[str, tuple[str, int]]) -> None:
        """Run the command with a list that is new, corrected, shorter or longer."""
        try:
            self.stage = self.wait(self._enter(rows))
        except ConfigurationError:
            assert self.stage == "cancelled"
            return
        assert self.stage != "cancelled"
        for number, (text, hours) in rows.items():
            if number not in self.settled:
                # The same message again keeps its time, which this one may be earlier than.
                if self.wanted.get(number) != text:
                    self.due_in[number] = hours
                self.wanted[number] = text

    async def _enter(self, rows: dict[str, tuple[str, int]]) -> str:
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder, "list.csv")
            now = datetime.now(UTC)
            with path.open("w", newline="") as file:
                writer = csv.writer(file)
                writer.writerow(("to", "body", "schedule"))
                for number, (text, hours) in rows.items():
                    due = now + timedelta(hours=hours)
                    writer.writerow((number, text, due.isoformat() if hours else ""))
            made = Campaign(path, schedule=Schedule(None, start=now))

            async def drafts() -> AsyncIterator[Draft]:
                async for it in made.rows(None):
                    assert isinstance(it, Draft)
                    yield it

            return await clustered.store(
                self.cluster, self.name, made, drafts(), options={"settle": 0.2}
            )

    @precondition(lambda self: self.stage)
    @rule()
    def work(self) -> None:
        """Have a worker do what is due."""
        before = {it.to for it in self.sandbox.messages}
        self.wait(self._work())
        after = {it.to for it in self.sandbox.messages}
        if self.stage != "ready":
            assert after == before
        assert not (after - before) & self.opted_out
        assert all(self.due_in[it] <= 0 for it in after - before)
        self.settled |= after

    async def _work(self) -> None:
        async with client_of(self.sandbox, self.cluster) as client:
            await Worker(self.cluster, client, receipts=False).run_once()

    @precondition(lambda self: self.stage == "ready")
    @rule(has_arrived=st.booleans())
    def die(self, *, has_arrived: bool) -> None:
        """Kill a worker that had begun a message, before or after its request was taken."""
        self.wait(self._die(has_arrived=has_arrived))

    async def _die(self, *, has_arrived: bool) -> None:
        journal = self.cluster.journal(self.name)
        await journal.start("sms")
        for entry in await journal.claim(State.PLANNED, 1):
            message: SmsMessage = thaw(entry.body, SmsMessage)
            await journal.begin([entry.row], 1)
            assert message.to is not None
            if message.to in self.opted_out:
                has_arrived = False  # a worker asks before it posts
            self.settled.add(message.to)
            if has_arrived:
                async with client_of(self.sandbox, self.cluster) as client:
                    await client.sms.send(message)
        await journal.close()

    @precondition(lambda self: self.stage)
    @rule(hours=st.sampled_from([1, 4]))
    def let_time_pass(self, hours: int) -> None:
        async def pass_time() -> None:
            async with self.cluster.database.connection() as connection:
                gone = timedelta(hours=hours)
                # Of all accounts: no other one is in use.
                await connection.execute("update standing set due = due - %s", [gone])
                await connection.execute("update campaign set starts = starts - %s", [gone])

        self.wait(pass_time())
        self.due_in = {number: left - hours for number, left in self.due_in.items()}

    @rule(number=st.sampled_from(PEOPLE))
    def opt_out(self, number: str) -> None:
        async def suppress() -> None:
            inbox = self.cluster.inbox()
            await inbox.open()
            await inbox.suppress([number])

        self.wait(suppress())
        self.opted_out.add(number)

    @precondition(lambda self: self.stage)
    @rule(what=st.sampled_from(["pause", "resume", "cancel", "undo_cancel"]))
    def change_stage(self, what: str) -> None:
        change: Any = getattr(campaigns, what)
        becomes = {"pause": "paused", "resume": "ready", "cancel": "cancelled"}
        try:
            self.wait(change(self.cluster, self.name))
        except ConfigurationError:
            return
        self.stage = becomes.get(what, "paused")

    @invariant()
    def nobody_gets_two(self) -> None:
        counts = Counter(it.to for it in self.sandbox.messages)
        assert all(count == 1 for count in counts.values()), counts

    @invariant()
    def each_gets_the_text_that_was_entered_last(self) -> None:
        for it in self.sandbox.messages:
            assert it.body == self.wanted[it.to]

    def teardown(self) -> None:
        try:
            if self.stage:
                if self.stage == "cancelled":
                    self.change_stage("undo_cancel")
                self.change_stage("resume")
                for _ in range(3):
                    self.let_time_pass(4)
                self.work()
                self.nobody_gets_two()
                self.each_gets_the_text_that_was_entered_last()
                arrived = {it.to for it in self.sandbox.messages}
                # Nobody is forgotten but who opted out, or whose worker died before it was taken.
                assert set(self.wanted) - arrived <= self.opted_out | self.settled
        finally:
            self.wait(self.sandbox.__aexit__(None, None, None))
            self.loop.close()


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_a_list_that_changes_while_it_is_sent(postgres_url: str) -> None:
    class OverPostgres(StoredList):
        url = postgres_url
        schema = f"test_{uuid.uuid4().hex[:12]}"

    run_state_machine_as_test(
        OverPostgres, settings=settings(max_examples=25, stateful_step_count=20, deadline=None)
    )
