"""What every implementation of a journal promises.

A further implementation adds its factory to `FACTORIES`.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import AsyncExitStack
from decimal import Decimal
from pathlib import Path
from typing import Any, TypeAlias

import pytest

import aioclicksend as ac
from aioclicksend.bulk.encode import Encoded, encode
from aioclicksend.bulk.journal import Entry, JournalProtocol, Planned, State
from aioclicksend.models.messages import REF_PREFIX

from .helpers import sms

Open: TypeAlias = Callable[[], Awaitable[JournalProtocol]]
"""Returns a journal of the same contents, started; its previous owner has closed it."""


async def sqlite(folder: Path, stack: AsyncExitStack) -> Open:
    """Keep journals in a file."""

    async def open_journal() -> JournalProtocol:
        journal = ac.Journal(folder / "x.db")
        await journal.start("sms")
        stack.push_async_callback(journal.close)
        return journal

    return open_journal


FACTORIES: list[Callable[[Path, AsyncExitStack], Awaitable[Open]]] = [sqlite]


@pytest.fixture(params=FACTORIES, ids=lambda it: it.__name__)
async def reopen(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Open]:
    async with AsyncExitStack() as stack:
        yield await request.param(tmp_path, stack)


@pytest.fixture
async def journal(reopen: Open) -> JournalProtocol:
    return await reopen()


def encoded(
    journal: JournalProtocol,
    numbers: Sequence[int],
    *,
    keys: Sequence[str | None] | None = None,
    **fields: Any,
) -> Encoded:
    """Return messages without refs of their own, as a stream hands them in."""
    messages = [sms(it, **({"custom_string": None} | fields)) for it in numbers]
    return encode(messages, kind=ac.SmsMessage, prefix=journal.ref_prefix(), keys=keys)


async def plan(
    journal: JournalProtocol, numbers: Sequence[int], run: int | None = None, **fields: Any
) -> Planned:
    """Enter messages in a run of their own."""
    run = journal.new_run() if run is None else run
    return await journal.plan(run, encoded(journal, numbers, **fields))


async def look(journal: JournalProtocol, numbers: Sequence[int]) -> list[Entry]:
    """Return what a journal knows of messages, as a later run learns it."""
    messages = encoded(journal, numbers)
    planned = await journal.plan(journal.new_run(), messages)
    if planned.accepted is not None:
        outcomes = planned.accepted.of(messages.messages)
        return [
            Entry(
                row=row,
                ref=it.ref,
                body=b"",
                state=State.ACCEPTED,
                message_id=it.message_id,
                parts=it.parts,
                price=it.price,
            )
            for row, it in zip(planned.rows, outcomes, strict=True)
        ]
    return [planned.known[place] for place in range(len(numbers))]


def accepted(count: int, price: str | None = "0.10", **ids: str) -> list[ac.Outcome]:
    """Return the outcomes of messages that were accepted."""
    amount = None if price is None else Decimal(price)
    return [ac.Accepted(None, "", ids.get("id", f"ID-{it}"), 1, amount) for it in range(count)]


def unknown(count: int) -> list[ac.Outcome]:
    """Return the outcomes of messages that are unknown."""
    return [ac.Unknown(None, "", ac.Reason.LAGGING, "why") for _ in range(count)]


def not_sent(count: int) -> list[ac.Outcome]:
    """Return the outcomes of messages that were not sent."""
    return [ac.NotSent(None, "", ac.Reason.REFUSED, "why") for _ in range(count)]


# Starting.


def test_it_has_all_the_methods(journal: JournalProtocol) -> None:
    assert isinstance(journal, JournalProtocol)


async def test_it_is_of_one_kind_of_message(journal: JournalProtocol) -> None:
    await journal.close()
    with pytest.raises(ac.ConfigurationError, match="sms"):
        await journal.start("voice")


async def test_closing_twice_is_closing(journal: JournalProtocol) -> None:
    await journal.close()
    await journal.close()


async def test_no_two_chunks_get_refs_with_the_same_prefix(reopen: Open) -> None:
    prefixes: set[str] = set()
    for start in (0, 10):
        journal = await reopen()
        for number in range(start, start + 3):
            prefix = journal.ref_prefix()
            assert prefix.startswith(REF_PREFIX)
            assert prefix not in prefixes
            prefixes.add(prefix)
            messages = encode([sms(number, custom_string=None)], kind=ac.SmsMessage, prefix=prefix)
            await journal.plan(journal.new_run(), messages)
        await journal.close()


# Planning.


async def test_new_messages_get_rows_of_their_own(journal: JournalProtocol) -> None:
    planned = await plan(journal, [1, 2, 2])
    assert len(set(planned.rows)) == 3
    assert 0 not in planned.rows
    assert not planned.known


async def test_equal_messages_differ_within_a_run_and_are_the_same_in_two(reopen: Open) -> None:
    journal = await reopen()
    run = journal.new_run()
    first = [*(await plan(journal, [1, 2, 2], run)).rows, *(await plan(journal, [1], run)).rows]
    assert len(set(first)) == 4
    second = await plan(journal, [1, 2, 2, 1, 1])
    assert list(second.rows[:4]) == first
    assert second.rows[4] not in first
    assert set(second.known) == {0, 1, 2, 3}
    await journal.close()
    journal = await reopen()
    third = await plan(journal, [2, 1, 3])
    assert list(third.rows[:2]) == [first[1], first[0]]
    assert set(third.known) == {0, 1}


async def test_a_known_message_comes_as_it_was_entered(journal: JournalProtocol) -> None:
    messages = encoded(journal, [1])
    (row,) = (await journal.plan(journal.new_run(), messages)).rows
    (entry,) = await look(journal, [1])
    assert (entry.row, entry.ref, entry.body) == (row, messages.refs[0], messages.bodies[0])
    assert (entry.state, entry.batch, entry.attempt) == (State.PLANNED, None, 0)
    assert entry.has_unique_ref


async def test_single_messages_are_found_by_a_ref_of_the_caller_only(
    journal: JournalProtocol,
) -> None:
    without = [(await plan(journal, [1], 0)).rows[0] for _ in range(2)]
    assert len(set(without)) == 2
    named = [(await plan(journal, [1], 0, custom_string="mine")) for _ in range(2)]
    assert named[0].rows == named[1].rows
    assert not named[0].known
    assert not named[1].known[0].has_unique_ref


async def test_a_run_finds_single_messages_whenever_they_were_entered(reopen: Open) -> None:
    """Also after the journal had to find something again, and as the next process does."""
    journal = await reopen()
    await plan(journal, [1])
    await plan(journal, [1, 2], custom_string="mine")
    single = (await plan(journal, [7, 8], 0)).rows
    for _ in range(2):
        found = await plan(journal, [8, 7, 9])
        assert list(found.rows[:2]) == [single[1], single[0]]
        await journal.close()
        journal = await reopen()


async def test_two_equal_refs_in_one_call_share_a_row(journal: JournalProtocol) -> None:
    planned = await plan(journal, [1, 1], 0, custom_string="mine")
    assert planned.rows[0] == planned.rows[1]


# Beginning.


async def test_begin_wins_what_no_owner_has_begun(journal: JournalProtocol) -> None:
    rows = (await plan(journal, [1, 2, 3])).rows
    begun = await journal.begin(rows[:2], 1)
    assert list(begun.won) == list(rows[:2])
    again = await journal.begin(rows, 1)
    assert list(again.won) == [rows[2]]
    assert again.batch != begun.batch
    found = await look(journal, [1, 2, 3])
    assert [it.state for it in found] == [State.IN_FLIGHT] * 3
    assert [it.batch for it in found] == [begun.batch, begun.batch, again.batch]
    assert [it.attempt for it in found] == [1, 1, 1]


async def test_of_many_tasks_that_begin_the_same_rows_one_wins_each(
    journal: JournalProtocol,
) -> None:
    rows = list((await plan(journal, range(40))).rows)
    parts = [rows[start : start + 8] for start in (0, 4, 8, 16, 20, 24, 32)]

    async def begin(number: int) -> Sequence[int]:
        return (await journal.begin(parts[number % len(parts)], 1)).won

    won = await asyncio.gather(*map(begin, range(50)))
    assert sorted(row for some in won for row in some) == rows


async def test_a_settled_message_cannot_be_begun(journal: JournalProtocol) -> None:
    rows = (await plan(journal, [1, 2, 3])).rows
    begun = await journal.begin(rows, 1)
    outcomes = [accepted(1)[0], ac.Rejected(None, "", "INVALID_RECIPIENT"), unknown(1)[0]]
    await journal.finish(rows, outcomes, begun.batch)
    assert not (await journal.begin(rows, 1)).won


@pytest.mark.parametrize(
    ("outcome", "state"),
    [
        (not_sent(1)[0], State.NOT_SENT),
        (ac.Rejected(None, "", "INSUFFICIENT_CREDIT"), State.HELD),
    ],
)
async def test_what_was_not_taken_can_be_begun_again(
    journal: JournalProtocol, outcome: ac.Outcome, state: State
) -> None:
    rows = (await plan(journal, [1, 2])).rows
    begun = await journal.begin(rows, 1)
    await journal.finish(rows, [outcome] * 2, begun.batch)
    found = await look(journal, [1, 2])
    assert [it.state for it in found] == [state] * 2
    assert found[0].reason == ("INSUFFICIENT_CREDIT" if state is State.HELD else "refused")
    assert found[0].detail == (None if state is State.HELD else "why")
    assert list((await journal.begin(rows, 1)).won) == list(rows)
    found = await look(journal, [1, 2])
    assert {(it.state, it.reason, it.detail) for it in found} == {(State.IN_FLIGHT, None, None)}


async def test_only_what_is_in_doubt_can_be_sent_again(journal: JournalProtocol) -> None:
    rows = (await plan(journal, [1, 2])).rows
    assert not (await journal.begin(rows, 2)).won
    await journal.begin(rows[:1], 1)
    assert list((await journal.begin(rows, 2)).won) == [rows[0]]


async def test_an_owner_passes_its_own_fence(journal: JournalProtocol) -> None:
    journal.fence()


# Finishing.


async def test_results_are_kept_for_each_message(reopen: Open) -> None:
    journal = await reopen()
    rows = (await plan(journal, range(4))).rows
    begun = await journal.begin(rows, 1)
    outcomes: list[ac.Outcome] = [
        ac.Accepted(None, "", "[odd id]", 2, Decimal("0.20")),
        ac.Accepted(None, "", None, None, None),
        ac.Rejected(None, "", "INVALID_RECIPIENT"),
        ac.Unknown(None, "", ac.Reason.LAGGING, "[why]"),
    ]
    assert not await journal.finish(rows, outcomes, begun.batch)
    for _ in range(2):
        found = await look(journal, range(4))
        assert [(it.message_id, it.parts, it.price) for it in found] == [
            ("[odd id]", 2, Decimal("0.20")),
            *[(None, None, None)] * 3,
        ]
        assert [(it.state, it.reason, it.detail) for it in found] == [
            *[(State.ACCEPTED, None, None)] * 2,
            (State.REJECTED, "INVALID_RECIPIENT", None),
            (State.UNKNOWN, "lagging", "[why]"),
        ]
        await journal.close()
        journal = await reopen()


async def test_a_chunk_that_was_accepted_as_a_whole_is_known_as_a_whole(reopen: Open) -> None:
    journal = await reopen()
    rows = (await plan(journal, range(3))).rows
    begun = await journal.begin(rows, 1)
    await journal.finish(rows, accepted(3), begun.batch)
    found = await look(journal, range(3))
    assert [it.message_id for it in found] == ["ID-0", "ID-1", "ID-2"]
    assert {it.price for it in found} == {Decimal("0.10")}


async def test_planned_rows_are_withdrawn_unless_another_owner_has_begun_them(
    journal: JournalProtocol,
) -> None:
    rows = (await plan(journal, [1, 2, 3])).rows
    await journal.begin(rows[1:2], 1)
    lost = await journal.finish(rows, not_sent(3))
    assert list(lost) == [rows[1]]
    states = [it.state for it in await look(journal, [1, 2, 3])]
    assert states == [State.NOT_SENT, State.IN_FLIGHT, State.NOT_SENT]


# What an earlier owner left.


async def test_what_is_planned_is_claimed_in_steps(journal: JournalProtocol) -> None:
    rows = list((await plan(journal, range(5))).rows)
    begun = await journal.begin(rows[1:3], 1)
    await journal.finish(rows[1:2], not_sent(1), begun.batch)
    first = await journal.claim(State.PLANNED, 2)
    rest = await journal.claim(State.PLANNED, 10, first[-1].row)
    assert [it.row for it in [*first, *rest]] == [rows[0], rows[1], rows[3], rows[4]]


async def test_what_an_owner_left_without_a_verdict_is_in_doubt_and_never_planned(
    reopen: Open,
) -> None:
    journal = await reopen()
    rows = (await plan(journal, range(4))).rows
    begun = await journal.begin(rows[:3], 1)
    await journal.finish(rows[:1], accepted(1), begun.batch)
    await journal.finish(rows[1:2], unknown(1), begun.batch)
    await journal.close()
    journal = await reopen()
    assert [it.row for it in await journal.claim(State.PLANNED, 10)] == [rows[3]]
    doubts = await journal.claim(State.IN_DOUBT, 10)
    assert [it.row for it in doubts] == list(rows[1:3])
    assert all(it.owner_exited and it.attempt == 1 and it.intent > 1e9 for it in doubts)
    assert not (await journal.begin(rows[1:3], 1)).won
    # Looked up by this owner: others wait for what it finds.
    assert {it.state for it in await look(journal, [1, 2])} == {State.IN_FLIGHT}
    await journal.finish(rows[1:3], accepted(2), 0)
    assert {it.state for it in await look(journal, [1, 2])} == {State.ACCEPTED}


# Waiting for another task.


async def test_outcome_waits_until_the_winner_is_done(journal: JournalProtocol) -> None:
    rows = (await plan(journal, [1, 2])).rows
    begun = await journal.begin(rows, 1)
    waiting = [asyncio.create_task(journal.outcome(rows)) for _ in range(5)]
    await journal.finish(rows[:1], accepted(1), begun.batch)
    await asyncio.sleep(0.05)
    assert not any(it.done() for it in waiting)
    await journal.finish(rows[1:], not_sent(1), begun.batch)
    for task in waiting:
        assert [it.state for it in await task] == [State.ACCEPTED, State.NOT_SENT]
    assert [it.state for it in await journal.outcome(rows)] == [State.ACCEPTED, State.NOT_SENT]


async def test_a_wait_for_an_outcome_can_be_cancelled(journal: JournalProtocol) -> None:
    rows = (await plan(journal, [1])).rows
    begun = await journal.begin(rows, 1)
    waiting = asyncio.create_task(journal.outcome(rows))
    await asyncio.sleep(0.02)
    waiting.cancel()
    await asyncio.wait([waiting])
    await journal.finish(rows, accepted(1), begun.batch)
    assert [it.state for it in await journal.outcome(rows)] == [State.ACCEPTED]


# Keys.


async def test_a_key_stands_for_one_message(reopen: Open) -> None:
    journal = await reopen()
    first = await plan(journal, [1], 0, keys=["k"])
    begun = await journal.begin(first.rows, 1)
    again = await plan(journal, [1], 0, keys=["k"])
    assert again.rows == first.rows
    assert again.known[0].state is State.IN_FLIGHT
    await journal.finish(first.rows, accepted(1), begun.batch)
    await journal.close()
    journal = await reopen()
    later = await plan(journal, [1], 0, keys=["k"])
    assert later.known[0].state is State.ACCEPTED
    assert later.known[0].message_id == "ID-0"


async def test_a_key_in_one_call_twice_stands_for_one_message(journal: JournalProtocol) -> None:
    planned = await plan(journal, [1, 1, 2], 0, keys=["k", "k", "k"])
    assert planned.rows[0] == planned.rows[1]
    assert planned.rows[2] == 0
    assert planned.known[2].state is State.KEY_CONFLICT


@pytest.mark.parametrize("other", [{"numbers": [2]}, {"numbers": [1], "body": "Another text"}])
async def test_a_key_with_another_number_or_text_is_a_conflict(
    journal: JournalProtocol, other: dict[str, Any]
) -> None:
    await plan(journal, [1], 0, keys=["k"])
    planned = await plan(journal, run=0, keys=["k"], **other)
    assert list(planned.rows) == [0]
    assert planned.known[0].state is State.KEY_CONFLICT


async def test_a_ref_does_not_matter_to_a_key(journal: JournalProtocol) -> None:
    first = await plan(journal, [1], 0, keys=["k"], custom_string="a")
    again = await plan(journal, [1], 0, keys=["k"], custom_string="b")
    assert again.rows == first.rows


@pytest.mark.parametrize("end", [accepted, unknown])
async def test_a_key_is_kept_by_accepted_rejected_and_unknown(
    journal: JournalProtocol, end: Callable[[int], list[ac.Outcome]]
) -> None:
    first = await plan(journal, [1], 0, keys=["k"])
    begun = await journal.begin(first.rows, 1)
    await journal.finish(first.rows, end(1), begun.batch)
    assert (await plan(journal, [2], 0, keys=["k"])).known[0].state is State.KEY_CONFLICT


async def test_a_key_is_freed_by_what_was_not_sent(journal: JournalProtocol) -> None:
    first = await plan(journal, [1], 0, keys=["k"])
    begun = await journal.begin(first.rows, 1)
    await journal.finish(first.rows, not_sent(1), begun.batch)
    other = await plan(journal, [2], 0, keys=["k"])
    assert not other.known
    assert other.rows[0] not in first.rows
    assert list((await journal.begin(other.rows, 1)).won) == list(other.rows)


async def test_messages_with_and_without_keys_mix_in_one_batch(
    journal: JournalProtocol,
) -> None:
    """Also where the key was there before, and the message beside it comes with a ref."""
    await plan(journal, [1], 0, keys=["k"], custom_string="a")
    both = await plan(journal, [1, 2], 0, keys=["k", None], custom_string="b")
    assert both.rows[0] != both.rows[1]
    later = await plan(journal, [1], custom_string="b")
    assert list((await journal.begin(later.rows, 1)).won) == list(later.rows), "it was entered"


# Money.


async def test_what_is_spent_and_reserved_is_committed(reopen: Open) -> None:
    journal = await reopen()
    rows = (await plan(journal, range(6))).rows
    prices = [Decimal("0.10"), Decimal("0.20"), *[Decimal("0.30")] * 4]
    begun = await journal.begin(rows, 1, reserved=prices)
    assert await journal.committed() == Decimal("1.50")
    outcomes: list[ac.Outcome] = [
        *accepted(1, "0.08"),  # cheaper than quoted
        *accepted(1, None),  # charged what is not known: as quoted
        ac.Rejected(None, "", "INVALID_RECIPIENT"),
        *not_sent(1),
        *unknown(1),
    ]
    await journal.finish(rows[:5], outcomes, begun.batch)  # the sixth stays in flight
    expected = Decimal("0.08") + Decimal("0.20") + 2 * Decimal("0.30")
    for _ in range(2):
        assert await journal.committed() == expected
        await journal.close()
        journal = await reopen()


@pytest.mark.parametrize("price", [None, "0", "0.0000", "-0.10"])
async def test_an_acceptance_that_does_not_say_its_charge_keeps_its_reservation(
    reopen: Open, price: str | None
) -> None:
    journal = await reopen()
    rows = (await plan(journal, range(4))).rows
    begun = await journal.begin(rows, 1, reserved=[Decimal("0.10")] * 4)
    # Also where the others of its request do say it.
    await journal.finish(rows, [*accepted(3, "0.08"), *accepted(1, price)], begun.batch)
    whole = (await plan(journal, range(10, 12))).rows
    begun = await journal.begin(whole, 1, reserved=[Decimal("0.10")] * 2)
    await journal.finish(whole, accepted(2, price), begun.batch)
    for _ in range(2):
        assert await journal.committed() == 3 * Decimal("0.08") + 3 * Decimal("0.10")
        await journal.close()
        journal = await reopen()


async def test_a_further_attempt_reserves_again(journal: JournalProtocol) -> None:
    """The first one may have been charged as well."""
    rows = (await plan(journal, range(2))).rows
    await journal.begin(rows, 1, reserved=[Decimal("0.10")] * 2)
    second = await journal.begin(rows, 2, reserved=[Decimal("0.10")] * 2)
    assert await journal.committed() == Decimal("0.40")
    await journal.finish(rows, accepted(2, "0.10"), second.batch)
    assert await journal.committed() == Decimal("0.40")


# Deciding manually, and ids.


@pytest.mark.parametrize("verdict", ["sent", "resend"])
async def test_what_is_unknown_can_be_decided_manually(reopen: Open, verdict: Any) -> None:
    journal = await reopen()
    messages = encoded(journal, range(3))
    rows = (await journal.plan(journal.new_run(), messages)).rows
    begun = await journal.begin(rows, 1)
    await journal.finish(rows, unknown(3), begun.batch)
    await journal.close()
    journal = await reopen()
    assert await journal.resolve(messages.refs[:1], verdict) == 1
    assert await journal.resolve(["no such ref"], verdict) == 0
    assert await journal.resolve(None, verdict) == 2
    assert await journal.resolve(None, verdict) == 0
    won = (await journal.begin(rows, 1)).won
    assert list(won) == ([] if verdict == "sent" else list(rows))
    if verdict == "sent":
        assert {it.state for it in await look(journal, range(3))} == {State.ACCEPTED}


async def test_what_was_resolved_keeps_what_it_may_have_cost(journal: JournalProtocol) -> None:
    rows = (await plan(journal, range(1))).rows
    begun = await journal.begin(rows, 1, reserved=[Decimal("0.10")])
    await journal.finish(rows, unknown(1), begun.batch)
    await journal.resolve(None, "resend")
    assert await journal.committed() == Decimal("0.10")
    await journal.begin(rows, 1, reserved=[Decimal("0.10")])
    assert await journal.committed() == Decimal("0.20")


async def test_ids_of_its_messages_are_taken(reopen: Open) -> None:
    journal = await reopen()
    whole = (await plan(journal, [1, 2])).rows
    pieces = (await plan(journal, [3, 4])).rows
    begun = await journal.begin(whole, 1)
    await journal.finish(whole, accepted(2), begun.batch)
    begun = await journal.begin(pieces[:1], 1)
    await journal.finish(pieces[:1], accepted(1, id="ID-7"), begun.batch)
    for _ in range(2):
        assert await journal.taken(["ID-0", "ID-1", "ID-7", "ID-9"]) == {"ID-0", "ID-1", "ID-7"}
        assert await journal.taken(["ID", "D-1", "", "[", "ID-"]) == set(), "parts of ids"
        await journal.close()
        journal = await reopen()
