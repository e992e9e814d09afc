"""When a doubt is looked up, and when that is over: time passes by hand."""

from __future__ import annotations

import asyncio

import pytest

import aioclicksend as ac

from .scene import row, scene


def test_a_negative_settle_or_skew_is_refused() -> None:
    with pytest.raises(ValueError, match="must not be negative"):
        ac.Reconcile(settle=-1)
    with pytest.raises(ValueError, match="must not be negative"):
        ac.Reconcile(skew=-1)
    assert ac.Reconcile(settle=0, skew=0).skew == 0


# Until the settle time is over.


async def test_searches_grow_rarer_until_one_at_the_settle_time() -> None:
    """A search that would come shortly before the deciding one is left out."""
    async with scene(settle=60) as it:
        it.doubt(1)
        dues = [0.0]
        while not it.outcomes:
            await it.search(dues[-1])
            dues += it.due
        assert dues == [0, 1, 3, 7, 15, 31, 60]


async def test_no_two_searches_are_more_than_a_minute_apart() -> None:
    async with scene(settle=300) as it:
        it.doubt(1)
        dues = [0.0]
        while not it.outcomes:
            await it.search(dues[-1])
            dues += it.due
        assert dues == [0, 1, 3, 7, 15, 31, 63, 123, 183, 300]


async def test_a_walk_that_takes_long_is_followed_by_as_long_a_pause() -> None:
    async with scene(settle=60) as it:
        it.doubt(1)
        it.takes = 10
        await it.search(0)
        assert it.due == [20]


async def test_only_what_is_due_is_searched_for() -> None:
    async with scene(settle=60) as it:
        it.doubt(1)
        await it.search(0)
        it.now = 0.5
        it.doubt(2, failed=0.5)
        await it.search(0.5)
        assert it.due == [1, 1.5]


async def test_doubts_that_become_due_at_nearly_the_same_time_share_a_search() -> None:
    async with scene(settle=60) as it:
        it.doubt(1)
        await it.search(0)
        it.now = 0.95
        it.doubt(2, failed=0.95)
        await it.search(0.95)
        assert it.due == pytest.approx([2.95, 1.95])
        assert len(it.arrivals) == 2


async def test_what_another_search_shows_of_a_doubt_is_taken_along() -> None:
    async with scene(settle=60) as it:
        it.doubt(1)
        await it.search(0)
        it.now = 0.5
        it.doubt(2, failed=0.5)
        it.pages = [[row(1)]]
        await it.search(0.5)
        assert it.id_of(1) == "ID-1"
        assert it.due == [1.5]


async def test_a_pass_that_began_before_the_settle_time_decides_nothing() -> None:
    """It may have read the page in question before the row came."""
    async with scene(settle=60) as it:
        it.doubt(1)
        it.takes = 5
        await it.search(58)
        assert not it.outcomes
        assert it.due == [60]
        await it.search(60)
        assert "not in the history after 60 s" in it.reason(1)


# At the settle time and after.


async def test_what_a_settled_search_does_not_show_is_unknown_at_once() -> None:
    """Nothing more could be learned without asking to send again."""
    async with scene(settle=60) as it:
        it.doubt(1)
        await it.search(60)
        assert it.reason(1) == (
            "the connection broke; not in the history after 60 s "
            "(nothing sent later to compare with)"
        )


async def test_what_a_settled_search_does_not_show_is_sent_again_where_opted_in() -> None:
    async with scene(settle=60, resend=True) as it:
        it.doubt(1)
        await it.search(60)
        assert it.again == ["ref-1"]
        assert len(it.reconciler) == 0


async def test_a_message_is_sent_five_times_at_most() -> None:
    async with scene(settle=60, resend=True) as it:
        it.doubt(1, tries=4)
        it.doubt(2, tries=5)
        await it.search(60)
        assert it.again == ["ref-1"]
        assert "not in the history" in it.reason(2)


async def test_a_pass_that_shows_something_is_repeated_before_it_decides() -> None:
    """Rows shift while pages are read: the verdict comes from a pass that adds nothing."""
    async with scene(settle=60, resend=True) as it:
        it.doubt(1)
        it.doubt(2)
        it.pages = [[row(1)]]
        await it.search(60)
        assert it.id_of(1) == "ID-1"
        assert not it.again
        assert it.due == [60]
        await it.search(60)
        assert it.again == ["ref-2"]


async def test_what_is_found_at_the_end_of_all_patience_still_leaves_the_rest_decided() -> None:
    async with scene(settle=60) as it:
        it.doubt(1)
        it.doubt(2)
        it.pages = [[row(1)]]
        await it.search(240)
        assert it.id_of(1) == "ID-1"
        assert "not in the history" in it.reason(2)


@pytest.mark.parametrize(("settle", "patience"), [(60.0, 240.0), (0.25, 4.0)])
async def test_a_history_that_cannot_be_read_is_asked_every_second_for_four_settle_times(
    settle: float, patience: float
) -> None:
    """Four seconds at least; then the messages are Unknown and not sent again."""
    async with scene(settle=settle, resend=True) as it:
        it.doubt(1)
        it.status = 403
        await it.search(settle)
        assert it.due == [settle + 1]
        await it.search(patience - 1)
        assert it.due == [patience]
        await it.search(patience)
        assert not it.again
        assert "the history could not be read (GET /v3/sms/history 403" in it.reason(1)


async def test_trouble_before_the_settle_time_is_forgotten() -> None:
    async with scene(settle=60, resend=True) as it:
        it.doubt(1)
        it.status = 403
        await it.search(0)
        it.status = 200
        await it.search(60)
        assert it.again == ["ref-1"]


# Witnesses: messages sent later.


async def test_a_message_is_sent_again_only_once_one_sent_later_shows() -> None:
    async with scene(settle=60, resend=True) as it:
        it.doubt(1)
        it.now = 10
        it.accepted(2)
        await it.search(60)
        assert not it.again
        assert it.due == [61]
        it.pages = [[row(2)]]
        await it.search(61)
        assert it.again == ["ref-1"]


async def test_one_of_several_messages_sent_later_is_enough() -> None:
    async with scene(settle=60, resend=True) as it:
        it.doubt(1)
        it.now = 10
        it.accepted(2)
        it.accepted(3)
        it.pages = [[row(2)]]
        await it.search(60)
        assert it.again == ["ref-1"]


async def test_a_history_that_never_shows_what_was_sent_later_ends_in_unknown() -> None:
    async with scene(settle=60, resend=True) as it:
        it.doubt(1)
        it.now = 10
        it.accepted(2)
        await it.search(239)
        assert it.due == [240]
        await it.search(240)
        assert not it.again
        assert it.reason(1).endswith("nor are messages sent later: it lags")


async def test_without_resend_witnesses_only_tell_the_reason() -> None:
    async with scene(settle=60) as it:
        it.doubt(1)
        it.doubt(3, failed=20)
        it.now = 10
        it.accepted(2)
        it.pages = [[row(2)]]
        await it.search(60)
        assert it.reason(1).endswith("though messages sent later are")
        await it.search(80)
        assert it.reason(3).endswith("(nothing sent later to compare with)")


async def test_a_message_sent_before_the_failure_is_no_witness() -> None:
    async with scene(settle=60, resend=True) as it:
        it.doubt(9)  # somebody else's, which has witnesses kept
        it.accepted(2)
        it.now = 10
        it.doubt(1, failed=10)
        await it.search(70)
        assert it.again == ["ref-1"]
        assert it.due == [71]


async def test_a_message_accepted_while_the_pages_were_read_is_waited_for() -> None:
    """It cannot have shown, so its absence says nothing: the next pass can tell."""
    async with scene(settle=60, resend=True) as it:
        it.doubt(1)
        it.takes = 2
        it.arriving = lambda: it.accepted(2)
        await it.search(60)
        assert not it.again
        assert it.due == [62]


async def test_without_resend_nobody_waits_for_what_was_accepted_meanwhile() -> None:
    async with scene(settle=60) as it:
        it.doubt(1)
        it.takes = 2
        it.arriving = lambda: it.accepted(2)
        await it.search(60)
        assert it.reason(1).endswith("(nothing sent later to compare with)")


async def test_a_witness_that_shows_early_does_not_count_for_the_pass_it_came_in() -> None:
    """Known after the pass began, it may have been on a page read before the doubtful row came."""
    async with scene(settle=60, resend=True) as it:
        it.doubt(1)
        it.now = 10
        it.accepted(2)
        it.takes = 2
        it.arriving = lambda: it.accepted(3)
        it.pages = [[row(3)]]
        await it.search(60)
        assert not it.again
        assert it.due == [63]


async def test_the_last_of_a_batch_is_its_witness() -> None:
    """It was accepted last: where it shows, the others do."""
    async with scene(settle=60, resend=True) as it:
        it.doubt(1)
        it.now = 10
        it.accepted(2, 3, 4)
        it.pages = [[row(2), row(3)]]
        await it.search(60)
        assert not it.again
        it.pages = [[row(4)]]
        await it.search(61)
        assert it.again == ["ref-1"]


async def test_what_was_sent_later_is_remembered_until_no_doubt_is_left() -> None:
    async with scene(settle=60, resend=True) as it:
        running = asyncio.create_task(it.reconciler.run())
        it.doubt(1)
        await it.turn(0)
        it.now = 10
        it.accepted(2)
        for at in (60, 61, 62):
            await it.turn(at)
            assert not it.again
        it.pages = [[row(2)]]
        await it.turn(63)
        assert it.again == ["ref-1"]
        running.cancel()


# Giving up.


async def test_giving_up_ends_all_doubts_and_every_later_one() -> None:
    async with scene(settle=60) as it:
        it.doubt(1)
        it.reconciler.give_up("stopped")
        it.doubt(2)
        assert it.reason(1) == it.reason(2) == "the connection broke; stopped"
        assert not it.arrivals
