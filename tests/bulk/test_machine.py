"""The promise, tried by Hypothesis over runs that fail in every way and are taken up again.

I1 accepts(ref) <= 1, always.
I2 every message handed in has exactly one outcome per run, and the counts add up.
I3 Accepted: the server accepted it. Rejected, NotSent: it did not.
I4 what the server charged never passes the budget.
I5 what was refused before sending never reaches the server.
(I6, a PUT arrives once, is a test of the core.)
"""

from __future__ import annotations

import asyncio
import sqlite3
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Coroutine, Iterable
from contextlib import closing, suppress
from decimal import Decimal
from pathlib import Path
from typing import Any, TypeVar

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

import aioclicksend as ac
from aioclicksend.sandbox import HistoryBehaviour, Sandbox

from .helpers import accepts, client, sms
from .test_doubt import LOST, ODD, TAKEN
from .test_journal_failures import WRITES, FullDisk

T = TypeVar("T")

FAULTS = st.sampled_from([*TAKEN, *LOST, *ODD, "refuse-429", "slow"])
MESSAGES = st.lists(st.integers(0, 40), min_size=1, max_size=14, unique=True)
BEHAVIOURS = [
    HistoryBehaviour(),
    HistoryBehaviour(refs="lower"),
    HistoryBehaviour(refs="cut:5"),
    HistoryBehaviour(numbers="zeros"),
    HistoryBehaviour(numbers="national", replies=True),
    HistoryBehaviour(dates="us"),
    HistoryBehaviour(dates="iso", refs="cut:4", numbers="digits"),
    HistoryBehaviour(filter="first"),
]
WRONG = 13  # these numbers are no phone numbers
INVALID = 17  # these are not numbers


def message(number: int) -> ac.SmsMessage:
    """Return the message of a number: mostly a good one."""
    if number % WRONG == WRONG - 1:
        return sms(number, to="nobody")
    if number % INVALID == INVALID - 1:
        return sms(number, to="+61000000000")
    return sms(number)


class DyingJournal(ac.Journal):
    """A journal whose process is killed at its n-th access."""

    def __init__(self, path: Path, accesses: int) -> None:
        super().__init__(path)
        self._left = accesses

    def _submit(self, work: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        self._left -= 1
        if self._left < 0:
            raise OSError("killed")
        return super()._submit(work, *args, **kwargs)

    async def close(self) -> None:
        """Leave the file as a dead process does: what was not committed is lost."""
        if not self._is_open:
            return
        self._is_open = False
        for thing in (self._index, self._db):
            if thing is not None:
                await asyncio.wrap_future(self._thread.submit(thing.close))
        self._thread.shutdown()
        with closing(sqlite3.connect(self.path)) as db, db:
            db.execute("delete from lease")  # its process has exited


class Campaign(RuleBasedStateMachine):
    """A campaign that is run, broken off and taken up again against one account."""

    def __init__(self) -> None:
        super().__init__()
        self.loop = asyncio.new_event_loop()
        self.folder = tempfile.TemporaryDirectory()
        self.path = Path(self.folder.name) / "promo.db"
        self.ahead = 0
        """Seconds by which our wall clock is ahead of the server's."""
        real = time.time
        self.sandbox = Sandbox(balance="100000", clock=real)
        self.wait(self.sandbox.start())
        self.api = client(self.sandbox, timeout=ac.Timeout(connect=10, read=0.1))
        self.clock = pytest.MonkeyPatch()
        self.clock.setattr("time.time", lambda: real() + self.ahead)
        self.handed_in: set[str] = set()
        self.refused: set[str] = set()

    def journal(self) -> Any:
        """Return what a sender is given as its journal."""
        return self.path

    def wait(self, work: Coroutine[Any, Any, T]) -> T:
        """Run a coroutine to its end."""
        return self.loop.run_until_complete(work)

    @rule(fault=FAULTS, times=st.integers(1, 3))
    def break_the_next_posts(self, fault: str, times: int) -> None:
        self.sandbox.fail_next(fault, path="/sms/send", times=times)

    @rule(fault=st.sampled_from(["error-before", "reset-before", "refuse-429"]))
    def break_the_next_look_at_the_history(self, fault: str) -> None:
        self.sandbox.fail_next(fault, path="/sms/history")

    @rule(numbers=MESSAGES, resend=st.booleans())
    def run(self, numbers: list[int], resend: bool) -> None:  # noqa: FBT001 - drawn by name
        settled = self.wait(self._run(numbers, resend=resend))
        self._check(numbers, settled)

    @rule(numbers=MESSAGES, seconds=st.floats(0, 0.1))
    def run_and_cancel(self, numbers: list[int], seconds: float) -> None:
        async def cancelled() -> None:
            task = asyncio.ensure_future(self._run(numbers, resend=False))
            await asyncio.sleep(seconds)
            task.cancel()
            await asyncio.wait([task])
            if not task.cancelled():
                self._check(numbers, task.result())

        self.wait(cancelled())

    @rule(numbers=MESSAGES, accesses=st.integers(2, 14))
    def run_and_kill(self, numbers: list[int], accesses: int) -> None:
        async def killed() -> None:
            try:
                await self._run(numbers, resend=False, journal=DyingJournal(self.path, accesses))
            except OSError as error:
                assert str(error) == "killed"  # noqa: PT017 - it need not come

        self.wait(killed())

    @rule(numbers=MESSAGES, cents=st.integers(0, 60))
    def run_on_a_budget(self, numbers: list[int], cents: int) -> None:
        budget = Decimal(cents) / 100
        before = self._charged()
        settled = self.wait(self._run(numbers, resend=False, budget=budget))
        # What earlier runs spent counts; those without a budget may have passed it already.
        assert self._charged() <= max(before, budget)  # I4
        self._check(numbers, settled)

    @rule(numbers=MESSAGES, others=MESSAGES, resend=st.booleans())
    def hand_in_at_once(self, numbers: list[int], others: list[int], resend: bool) -> None:  # noqa: FBT001 - drawn by name
        self._hand_in({*numbers, *others})

        async def all_of_them() -> None:
            async with self._bulk(self.api, resend=resend) as bulk:

                async def singly(some: list[int]) -> list[ac.Outcome]:
                    good = [it for it in some if it % WRONG != WRONG - 1]
                    handles = [await bulk.send(message(it)) for it in good]
                    return [await it for it in handles]

                async def streamed(some: list[int]) -> list[ac.Outcome]:
                    return [it async for it in bulk.stream(map(message, some))]

                ways = (streamed(numbers), streamed(others), singly(numbers), singly(others))
                first, second, *_ = await asyncio.gather(*ways)
            self._check(numbers, first)
            self._check(others, second)

        self.wait(all_of_them())

    @rule(numbers=MESSAGES, write=st.sampled_from(WRITES), count=st.integers(0, 6))
    def run_on_a_full_disk(self, numbers: list[int], write: str, count: int) -> None:
        journal = FullDisk(self.path, write, count, 10**6)
        before = accepts(self.sandbox)
        with suppress(ac.ConfigurationError):  # where it cannot even be opened
            settled = self.wait(self._run(numbers, resend=False, journal=journal))
            self._check(numbers, settled, before)

    @rule(behaviour=st.sampled_from(BEHAVIOURS))
    def rewrite_the_history(self, behaviour: HistoryBehaviour) -> None:
        self.sandbox.history = behaviour

    @rule(seconds=st.integers(-100, 100))
    def set_the_clock(self, seconds: int) -> None:
        self.ahead = seconds

    @invariant()
    def nothing_was_accepted_twice(self) -> None:
        assert max(accepts(self.sandbox).values(), default=1) == 1  # I1

    @invariant()
    def nothing_wrong_was_sent(self) -> None:
        assert not self.refused & set(accepts(self.sandbox))  # I5
        assert set(accepts(self.sandbox)) <= self.handed_in

    def teardown(self) -> None:
        """End in calm weather: all that can be sent is, once."""
        try:
            self.wait(self._end())
        finally:
            self.clock.undo()
            self.wait(self.api.aclose())
            self.wait(self.sandbox.stop())
            self.loop.close()
            self.folder.cleanup()

    async def _end(self) -> None:
        self.sandbox.clear_faults()
        self.sandbox.history = HistoryBehaviour()
        numbers = sorted(map(_number, self.handed_in))
        async with client(self.sandbox) as api:
            # A new message in each run is the witness that absence means something.
            for new in (100, 101, 102):
                await self._run([*numbers, new], resend=True, api=api)
        good = {
            ref for ref in self.handed_in - self.refused if _number(ref) % INVALID != INVALID - 1
        }
        assert set(accepts(self.sandbox)) == good
        self.nothing_was_accepted_twice()

    async def _run(
        self,
        numbers: list[int],
        *,
        resend: bool,
        journal: ac.Journal | None = None,
        budget: Decimal | None = None,
        api: ac.ClickSend | None = None,
    ) -> list[ac.Outcome]:
        self._hand_in(numbers)
        bulk = self._bulk(api or self.api, resend=resend, journal=journal, budget=budget)
        async with bulk:
            return [outcome async for outcome in bulk.stream(map(message, numbers))]

    def _hand_in(self, numbers: Iterable[int]) -> None:
        self.handed_in |= {f"ref-{number}" for number in numbers}
        self.refused |= {f"ref-{number}" for number in numbers if number % WRONG == WRONG - 1}

    def _bulk(
        self,
        api: ac.ClickSend,
        *,
        resend: bool,
        journal: ac.Journal | None = None,
        budget: Decimal | None = None,
    ) -> ac.BulkSender[ac.SmsMessage]:
        return api.sms.bulk(
            batching=ac.Batching(size=4),
            lanes=2,
            ramp=None,
            journal=journal or self.journal(),
            budget=budget,
            reconcile=ac.Reconcile(settle=0.05, resend=resend),
        )

    def _charged(self) -> Decimal:
        return sum((Decimal(it["message_price"]) for it in self.sandbox.messages), Decimal(0))

    def _check(
        self,
        numbers: list[int],
        settled: list[ac.Outcome],
        before: Counter[str] | None = None,
    ) -> None:
        taken = accepts(self.sandbox)
        assert sorted(it.ref for it in settled) == sorted(f"ref-{it}" for it in numbers)  # I2
        for outcome in settled:
            if isinstance(outcome, ac.Accepted):  # I3
                assert taken[outcome.ref] == 1
            elif isinstance(outcome, ac.NotSent) and outcome.reason is ac.Reason.JOURNAL:
                # A journal that cannot be read cannot say what earlier runs have sent.
                assert before is not None
                assert taken[outcome.ref] == before[outcome.ref]
            elif not isinstance(outcome, ac.Unknown):
                assert taken[outcome.ref] == 0


def _number(ref: str) -> int:
    return int(ref.removeprefix("ref-"))


Campaign.TestCase.settings = settings(
    max_examples=20,
    stateful_step_count=8,
    deadline=None,
    phases=[Phase.explicit, Phase.reuse, Phase.generate],
    suppress_health_check=[HealthCheck.too_slow],
)
TestCampaign = pytest.mark.slow(Campaign.TestCase)
