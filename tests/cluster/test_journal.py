"""The journal in PostgreSQL: who may send a message, and what is known of it."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from decimal import Decimal

import pytest

from aioclicksend.bulk.encode import Encoded, encode
from aioclicksend.bulk.journal import JournalProtocol, State
from aioclicksend.bulk.outcome import Accepted, NotSent, Reason, Rejected, Unknown
from aioclicksend.cluster import Cluster, PostgresJournal, process
from aioclicksend.cluster import journal as journal_module
from aioclicksend.errors import ConfigurationError
from aioclicksend.models.messages import SmsMessage

from .conftest import NewCluster, NewJournal


def encoded(
    journal: PostgresJournal, *texts: str, keys: Sequence[str | None] | None = None
) -> Encoded:
    messages = [SmsMessage(to=f"+6141100{n:04}", body=text) for n, text in enumerate(texts)]
    return encode(messages, kind=SmsMessage, prefix=journal.ref_prefix(), keys=keys)


def accepted(count: int = 1, price: str | None = "0.07") -> list[Accepted]:
    amount = None if price is None else Decimal(price)
    return [Accepted(None, "", f"id-{n}", 1, amount) for n in range(count)]


async def test_it_implements_the_protocol(postgres_journal: NewJournal) -> None:
    async with postgres_journal("spring") as journal:
        assert isinstance(journal, JournalProtocol)


async def test_a_message_goes_from_planned_to_accepted(postgres_journal: NewJournal) -> None:
    async with postgres_journal("spring") as journal:
        planned = await journal.plan(journal.new_run(), encoded(journal, "one", "two"))
        assert planned.known == {}
        begun = await journal.begin(planned.rows, 1)
        assert list(begun.won) == list(planned.rows)
        assert await journal.finish(planned.rows, accepted(2), begun.batch) == []
        entries = await journal.outcome(planned.rows)
        assert [it.state for it in entries] == [State.ACCEPTED] * 2
        assert [it.message_id for it in entries] == ["id-0", "id-1"]
        assert await journal.committed() == Decimal("0.14")
        assert await journal.taken(["id-1", "other"]) == {"id-1"}


async def test_equal_messages_are_one_in_two_runs_and_two_in_one(
    postgres_journal: NewJournal,
) -> None:
    async with postgres_journal("spring") as first, postgres_journal("spring") as second:
        messages = [SmsMessage(to="+61411000000", body="hi")] * 3
        one = await first.plan(
            first.new_run(), encode(messages, kind=SmsMessage, prefix=first.ref_prefix())
        )
        other = await second.plan(
            second.new_run(), encode(messages, kind=SmsMessage, prefix=second.ref_prefix())
        )
        assert len(set(one.rows)) == 3
        assert list(other.rows) == list(one.rows)
        assert [other.known[n].state for n in range(3)] == [State.PLANNED] * 3


async def test_a_single_message_without_a_ref_is_always_new(postgres_journal: NewJournal) -> None:
    async with postgres_journal("otp") as journal:
        one = await journal.plan(0, encoded(journal, "code 1"))
        two = await journal.plan(0, encoded(journal, "code 1"))
        assert one.rows[0] != two.rows[0]


async def test_a_single_message_is_found_by_the_callers_ref(postgres_journal: NewJournal) -> None:
    async with postgres_journal("otp") as journal:
        message = SmsMessage(to="+61411000000", body="hi", custom_string="mine")
        other_text = SmsMessage(to="+61411000000", body="ho", custom_string="mine")
        rows = [
            (
                await journal.plan(0, encode([it], kind=SmsMessage, prefix=journal.ref_prefix()))
            ).rows[0]
            for it in (message, message, other_text)
        ]
        assert rows[0] == rows[1] != rows[2]


async def test_of_two_owners_that_begin_a_message_one_wins(postgres_journal: NewJournal) -> None:
    async with postgres_journal("spring") as one, postgres_journal("spring") as two:
        rows = (await one.plan(one.new_run(), encoded(one, "a", "b", "c"))).rows
        first = await one.begin(rows[:2], 1)
        second = await two.begin(rows, 1)
        assert (list(first.won), list(second.won)) == (list(rows[:2]), [rows[2]])
        assert list((await one.begin(rows[:2], 1)).won) == []


async def test_an_attempt_is_begun_once(postgres_journal: NewJournal) -> None:
    async with postgres_journal("spring") as journal:
        rows = (await journal.plan(1, encoded(journal, "a"))).rows
        assert list((await journal.begin(rows, 1)).won) == list(rows)
        assert list((await journal.begin(rows, 2)).won) == list(rows)
        assert list((await journal.begin(rows, 2)).won) == []


async def test_what_an_owner_left_is_in_doubt_and_never_planned(
    postgres_journal: NewJournal,
) -> None:
    async with postgres_journal("spring") as left:
        rows = (await left.plan(1, encoded(left, "a", "b"))).rows
        begun = await left.begin(rows[:1], 1)
    async with postgres_journal("spring") as heir:
        assert [it.row for it in await heir.claim(State.PLANNED, 10)] == [rows[1]]
        (doubt,) = await heir.claim(State.IN_DOUBT, 10)
        assert (doubt.row, doubt.state, doubt.batch) == (rows[0], State.IN_FLIGHT, begun.batch)
        assert doubt.owner_exited
        assert doubt.intent > 1.7e9
        assert await heir.claim(State.IN_DOUBT, 10) == []
        unknown = Unknown(None, "", Reason.NOT_FOUND)
        assert await heir.finish([doubt.row], [unknown], doubt.batch) == []
        assert (await heir.entries([doubt.row]))[0].state is State.UNKNOWN


async def test_the_result_of_a_slow_owner_is_kept(postgres_journal: NewJournal) -> None:
    async with postgres_journal("spring") as slow:
        rows = (await slow.plan(1, encoded(slow, "a"))).rows
        begun = await slow.begin(rows, 1)
        await expire(slow)
        async with postgres_journal("spring") as heir:
            (doubt,) = await heir.claim(State.IN_DOUBT, 10)
            assert not doubt.owner_exited
            await heir.finish(rows, [Unknown(None, "", Reason.NOT_FOUND)], doubt.batch)
        assert await slow.finish(rows, accepted(), begun.batch) == []
        assert (await slow.entries(rows))[0].state is State.ACCEPTED


async def test_an_owner_that_lost_its_lease_begins_nothing(postgres_journal: NewJournal) -> None:
    async with postgres_journal("spring") as journal:
        rows = (await journal.plan(1, encoded(journal, "a"))).rows
        await expire(journal)
        with pytest.raises(ConfigurationError, match="was lost: others took it for dead"):
            await journal.begin(rows, 1)
        with pytest.raises(ConfigurationError, match="was lost"):
            journal.fence()


async def test_a_process_that_stood_still_is_fenced(
    postgres_journal: NewJournal, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with postgres_journal("spring") as journal:
        journal.fence()
        later = process.clock() + journal_module.LEASE
        monkeypatch.setattr(journal_module, "clock", lambda: later)
        with pytest.raises(ConfigurationError, match="stood still"):
            journal.fence()


async def expire(journal: PostgresJournal) -> None:
    await journal._execute("update owner set lease_until = clock_timestamp() where id = %(owner)s")


async def test_a_key_belongs_to_one_message_of_the_account(
    postgres_journal: NewJournal,
) -> None:
    async with postgres_journal("web") as web, postgres_journal("batch") as batch:
        one = await web.plan(0, encoded(web, "code", keys=["otp-1"]))
        same = await batch.plan(0, encoded(batch, "code", keys=["otp-1"]))
        other = await batch.plan(0, encoded(batch, "other text", keys=["otp-1"]))
        assert list(same.rows) == list(one.rows)
        assert same.known[0].state is State.PLANNED
        assert list(other.rows) == [0]
        assert other.known[0].state is State.KEY_CONFLICT


async def test_equal_keys_of_one_call_are_one_message(postgres_journal: NewJournal) -> None:
    async with postgres_journal("web") as journal:
        message = SmsMessage(to="+61411000000", body="hi")
        planned = await journal.plan(
            0,
            encode(
                [message] * 3, kind=SmsMessage, prefix=journal.ref_prefix(), keys=["k", "k", None]
            ),
        )
        assert planned.rows[0] == planned.rows[1] != planned.rows[2]
        assert planned.known[1].row == planned.rows[0]
        assert list(planned.known) == [1]
        assert list((await journal.begin(planned.rows, 1)).won) == list(planned.rows[1:])


async def test_a_message_not_sent_frees_its_key(postgres_journal: NewJournal) -> None:
    async with postgres_journal("web") as journal:
        (row,) = (await journal.plan(0, encoded(journal, "code", keys=["k"]))).rows
        begun = await journal.begin([row], 1)
        await journal.finish([row], [NotSent(None, "", Reason.THROTTLED)], begun.batch)
        again = await journal.plan(0, encoded(journal, "code", keys=["k"]))
        assert list(again.rows) == [row]
        (new,) = (await journal.plan(0, encoded(journal, "new code", keys=["k"]))).rows
        assert new not in (0, row)
        assert list((await journal.begin([row], 1)).won) == []
        assert list((await journal.begin([new], 1)).won) == [new]


@pytest.mark.parametrize(
    "outcome",
    [
        Accepted(None, "", "id", 1, None),
        Rejected(None, "", "INVALID_RECIPIENT"),
        Unknown(None, "", Reason.LAGGING),
    ],
)
async def test_other_outcomes_keep_a_key(
    postgres_journal: NewJournal, outcome: Accepted | Rejected | Unknown
) -> None:
    async with postgres_journal("web") as journal:
        (row,) = (await journal.plan(0, encoded(journal, "code", keys=["k"]))).rows
        begun = await journal.begin([row], 1)
        await journal.finish([row], [outcome], begun.batch)
        other = await journal.plan(0, encoded(journal, "new code", keys=["k"]))
        assert list(other.rows) == [0]


async def test_a_budget_is_shared_by_all_owners(postgres_journal: NewJournal) -> None:
    async with postgres_journal("spring") as one, postgres_journal("spring") as two:
        rows = (await one.plan(1, encoded(one, "a", "b", "c", "d"))).rows
        each = [Decimal("0.10")] * 2
        limit = Decimal("0.30")
        first = await one.begin(rows[:2], 1, reserved=each, limit=limit)
        second = await two.begin(rows[2:], 1, reserved=each, limit=limit)
        assert list(second.won) == [rows[2]]
        assert list(second.over_budget) == [rows[3]]
        await one.finish(rows[:2], accepted(2, "0.07"), first.batch)
        assert await one.committed() == Decimal("0.24")
        await two.finish([rows[2]], [Unknown(None, "", Reason.LAGGING)], second.batch)
        assert await one.committed() == Decimal("0.24")
        assert list((await two.begin([rows[3]], 1, reserved=each[:1], limit=limit)).won) == []


async def test_what_was_not_sent_gives_its_reservation_back(postgres_journal: NewJournal) -> None:
    async with postgres_journal("spring") as journal:
        rows = (await journal.plan(1, encoded(journal, "a"))).rows
        begun = await journal.begin(rows, 1, reserved=[Decimal(1)], limit=Decimal(1))
        await journal.finish(rows, [NotSent(None, "", Reason.THROTTLED)], begun.batch)
        assert await journal.committed() == 0


async def test_workers_are_offered_different_messages(postgres_journal: NewJournal) -> None:
    async with postgres_journal("spring") as one, postgres_journal("spring") as two:
        rows = (await one.plan(1, encoded(one, *map(str, range(6))))).rows
        assert [it.row for it in await one.claim(State.PLANNED, 3)] == list(rows[:3])
        assert [it.row for it in await two.claim(State.PLANNED, 3)] == list(rows[3:])
        assert [it.row for it in await one.claim(State.PLANNED, 3)] == list(rows[:3])
    async with postgres_journal("spring") as heir:
        assert [it.row for it in await heir.claim(State.PLANNED, 9)] == list(rows)


async def test_resolving_decides_on_what_is_unknown(postgres_journal: NewJournal) -> None:
    async with postgres_journal("spring") as journal:
        messages = encoded(journal, "a", "b", "c")
        rows = (await journal.plan(1, messages)).rows
        begun = await journal.begin(rows, 1)
        await journal.finish(rows, [Unknown(None, "", Reason.NOT_FOUND)] * 3, begun.batch)
        assert await journal.resolve([messages.refs[0]], "sent") == 1
        assert await journal.resolve(["mistyped"], "sent") == 0
        assert await journal.resolve(None, "resend") == 2
        states = [it.state for it in await journal.entries(rows)]
        assert states == [State.ACCEPTED, State.NOT_SENT, State.NOT_SENT]
        assert list((await journal.begin(rows, 1)).won) == list(rows[1:])


async def test_an_outcome_is_waited_for(postgres_journal: NewJournal) -> None:
    async with postgres_journal("web") as sender, postgres_journal("web") as waiter:
        rows = (await sender.plan(0, encoded(sender, "code", keys=["k"]))).rows
        begun = await sender.begin(rows, 1)
        waiting = asyncio.create_task(waiter.outcome(rows))
        await asyncio.sleep(0.05)
        assert not waiting.done()
        await sender.finish(rows, accepted(), begun.batch)
        (entry,) = await waiting
        assert entry.state is State.ACCEPTED


async def test_who_loses_waits_for_a_begin_that_has_not_committed(
    postgres_journal: NewJournal,
) -> None:
    async with postgres_journal("web") as sender, postgres_journal("web") as waiter:
        rows = (await sender.plan(0, encoded(sender, "code", keys=["k"]))).rows
        async with sender._database.connection() as connection:
            async with connection.transaction():
                await connection.execute(
                    "update standing set state = 'in_flight', owner = %s", [sender._owner]
                )
                assert list((await waiter.begin(rows, 1)).won) == []
                waiting = asyncio.create_task(waiter.outcome(rows))
                await asyncio.sleep(0.1)
                assert not waiting.done()
        await sender.finish(rows, accepted(), 0)
        (entry,) = await waiting
        assert entry.state is State.ACCEPTED


async def test_a_journal_is_of_one_channel(cluster: Cluster) -> None:
    journal = cluster.journal("spring")
    await journal.start("sms")
    await journal.close()
    with pytest.raises(ConfigurationError, match='"spring" is one of sms messages, not voice'):
        await cluster.journal("spring").start("voice")


@pytest.mark.usefixtures("cluster")
async def test_an_account_that_was_never_made_known_is_refused(
    new_cluster: NewCluster,
) -> None:
    other = new_cluster(account="second")
    with pytest.raises(ConfigurationError, match="cluster migrate --account second"):
        await other.journal("spring").start("sms")
    await other.close()


async def test_odd_texts_are_kept_word_for_word(postgres_journal: NewJournal) -> None:
    async with postgres_journal("spring") as journal:
        message = SmsMessage(
            to="0411 000 000", country="AU", body="a\0b\n\\N\t€", custom_string="r\0"
        )
        messages = encode([message], kind=SmsMessage, prefix=journal.ref_prefix())
        rows = (await journal.plan(1, messages)).rows
        (entry,) = await journal.entries(rows)
        assert (entry.body, entry.ref) == (messages.bodies[0], "r\0")
