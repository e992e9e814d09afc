"""Which message of a journal one that is handed in stands for: an earlier one, or a new one."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

import aioclicksend as ac
from aioclicksend.bulk import lookup
from aioclicksend.bulk.journal import Journal
from aioclicksend.bulk.known import Known
from aioclicksend.bulk.lookup import Entries
from aioclicksend.models.messages import REF_PREFIX, freeze, request_body, with_ref
from aioclicksend.sandbox import Sandbox

from .helpers import client, sms


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "promo.db"


@pytest.fixture(autouse=True, params=["hashes differ", "hashes agree"])
def hashes(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Try everything with hashes that agree, too: a hash only says where to look."""
    if request.param == "hashes agree":
        monkeypatch.setattr(lookup, "_keys", lambda bodies, _kinds: [7 for _ in bodies])


@asynccontextmanager
async def opened(path: Path) -> AsyncIterator[Journal]:
    """Open a journal."""
    journal = Journal(path)
    await journal.start("sms")
    try:
        yield journal
    finally:
        await journal.stop()


def entries(
    journal: Journal, numbers: Sequence[int], kinds: list[str | None] | None = None
) -> Entries:
    """Return messages without refs of their own, as a stream hands them in."""
    rows, prefix = journal.places(len(numbers))
    bare = [freeze(sms(it, custom_string=None)) for it in numbers]
    refs = [f"{prefix}{place:x}" for place in range(len(numbers))]
    frozen = [with_ref(body, ref) for body, ref in zip(bare, refs, strict=True)]
    return Entries(rows, refs, bare, frozen, kinds)


async def claimed(
    journal: Journal, run: int, numbers: Sequence[int], kinds: list[str | None] | None = None
) -> list[int]:
    """Hand messages in and return the rows they stand for."""
    found = await journal.claim(run, entries(journal, numbers, kinds))
    return list(found) if isinstance(found, range) else [it.row for it in found]


async def test_every_run_of_a_process_finds_what_an_earlier_process_took(path: Path) -> None:
    """Also the first of two that begin before either has looked."""
    async with opened(path) as journal:
        assert await claimed(journal, journal.new_run(), [1, 2, 2]) == [1, 2, 3]
    async with opened(path) as journal:
        first, second = journal.new_run(), journal.new_run()
        assert await claimed(journal, first, [2, 1, 2]) == [2, 1, 3]
        assert await claimed(journal, second, [2, 1, 2]) == [2, 1, 3]


async def test_a_run_goes_on_with_equal_messages_when_another_begins(path: Path) -> None:
    """They are different messages, though what it took before the other came is looked for."""
    async with opened(path) as journal:
        first = journal.new_run()
        journal.enter_all(entries(journal, [1, 2]), range(2))
        second = journal.new_run()
        assert await claimed(journal, first, [1]) == [3]
        assert await claimed(journal, second, [1, 1, 1]) == [1, 3, 6]
        assert await claimed(journal, first, [1]) == [6]


async def test_equal_messages_of_runs_that_overlap_are_sent_as_often_as_one_run_has_them(
    path: Path,
) -> None:
    """Never lost: what another run asks for meanwhile, this one has asked for all the same."""
    messages = [sms(1, custom_string=None)] * 6
    async with Sandbox() as sandbox, client(sandbox) as api:
        batching = ac.Batching(size=2)
        async with api.sms.bulk(journal=path, batching=batching, ramp=None) as bulk:
            reports = await asyncio.gather(bulk.run(messages), bulk.run(messages))
        assert [it.accepted for it in reports] == [6, 6]
        assert len(sandbox.messages) == 6


async def test_what_was_only_just_taken_is_found_with_what_became_of_it(path: Path) -> None:
    async with opened(path) as journal:
        journal.new_run()
        journal.enter_all(entries(journal, [1, 2]), range(2))
        again = journal.new_run()
        assert await claimed(journal, again, [2, 3]) == [2, 4]
        journal.record([2], [ac.Rejected(sms(2), "ref", "INVALID_RECIPIENT")])
        known = await journal.claim(journal.new_run(), entries(journal, [2]))
        assert [it.state for it in known if isinstance(it, Known)] == ["rejected"]


async def test_a_message_is_found_once_for_each_time_it_was_taken(path: Path) -> None:
    """In whatever company it came: else of two equal messages one would be lost."""
    async with opened(path) as journal:
        assert await claimed(journal, journal.new_run(), [1, 2, 2]) == [1, 2, 3]
    async with opened(path) as journal:
        assert await claimed(journal, journal.new_run(), [1, 1, 4]) == [1, 5, 6]
        assert await claimed(journal, journal.new_run(), [4, 4, 2, 2, 2]) == [6, 8, 2, 3, 11]


async def test_a_message_that_is_sent_once_is_found_in_its_own_batch(path: Path) -> None:
    kinds: list[str | None] = ["a.jpg", "a.jpg", None, None, None]
    async with opened(path) as journal:
        once = entries(journal, [1, 2, 1, 2, 1], kinds)
        once.once = True
        found = await journal.claim(0, once)
        assert [it.row for it in found if isinstance(it, Known)] == [1, 2, 3, 4, 3]


async def test_a_ref_of_another_journal_is_a_callers_ref(path: Path) -> None:
    """It belongs to the message; a message without it is another one."""
    async with opened(path) as journal:
        rows, _ = journal.places(1)
        theirs = freeze(sms(1, custom_string=f"{REF_PREFIX}0123abcd-1-0"))
        journal.enter(rows, request_body([theirs]))
    async with opened(path) as journal:
        assert await claimed(journal, journal.new_run(), [1]) == [2]


async def test_only_the_new_ones_of_a_batch_are_entered(path: Path) -> None:
    """Entered with their neighbours, messages that were sent would be sent again by a resume."""
    async with opened(path) as journal:
        assert await claimed(journal, journal.new_run(), [1, 2]) == [1, 2]
        assert await claimed(journal, journal.new_run(), [3, 1, 4, 5, 2]) == [3, 1, 5, 6, 2]
        planned = await journal.planned(0, 100)
        assert [it.row for it in planned] == [1, 2, 3, 5, 6]
        assert len({it.ref for it in planned}) == 5


async def test_a_message_with_another_picture_is_another_message(path: Path) -> None:
    """In one run and in the next, and also if their hashes agree."""
    kinds: list[str | None] = ["a.jpg", "b.jpg", None]
    async with opened(path) as journal:
        assert await claimed(journal, journal.new_run(), [1, 1, 1], kinds) == [1, 2, 3]
    for _ in range(2):
        async with opened(path) as journal:
            for _ in range(2):
                run = journal.new_run()
                assert await claimed(journal, run, [1, 1, 1], kinds[::-1]) == [3, 2, 1]
