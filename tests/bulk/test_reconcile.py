"""When a doubt is looked up, and when that is over: time passes by hand."""

from __future__ import annotations

import asyncio

import pytest

import aioclicksend as ac
from aioclicksend.bulk.lifecycle import Phase

from ..hostile import PATIENCE
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
        assert it.reason(1) is ac.Reason.LAGGING


# At the settle time and after.


async def test_what_a_settled_search_does_not_show_is_unknown_at_once() -> None:
    """Nothing more could be learned without asking to send again."""
    async with scene(settle=60) as it:
        it.doubt(1)
        await it.search(60)
        assert it.reason(1) is ac.Reason.LAGGING
        assert it.unknown(1).detail == (
            "the connection broke; not in the history after 60 s "
            "(nothing sent later to compare with)"
        )


async def test_what_a_settled_search_does_not_show_is_sent_again_beside_a_witness() -> None:
    async with scene(settle=60, resend=True) as it:
        it.doubt(1)
        it.accepted(2, sent=1)
        it.pages = [[row(2)]]
        await it.search(60)
        assert it.again == ["ref-1"]
        assert len(it.reconciler) == 0


async def test_a_message_is_sent_five_times_at_most() -> None:
    async with scene(settle=60, resend=True) as it:
        it.doubt(1, attempt=4)
        it.doubt(2, attempt=5)
        it.accepted(3, sent=1)
        it.pages = [[row(3)]]
        await it.search(60)
        assert it.again == ["ref-1"]
        assert it.reason(2) is ac.Reason.NOT_FOUND


async def test_a_scheduled_message_is_never_sent_again_automatically() -> None:
    """Whether the history shows what is scheduled is unknown."""
    async with scene(settle=60, resend=True) as it:
        it.doubt(1, schedule=1_860_000_000)
        it.accepted(3, sent=1)
        it.pages = [[row(3)]]
        await it.search(60)
        assert not it.again
        assert it.reason(1) is ac.Reason.NOT_FOUND


async def test_a_pass_that_shows_something_is_repeated_before_it_decides() -> None:
    """Rows shift while pages are read: the verdict comes from a pass that adds nothing."""
    async with scene(settle=60, resend=True) as it:
        it.doubt(1)
        it.doubt(2)
        it.accepted(3, sent=1)
        it.pages = [[row(1), row(3)]]
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
        assert it.reason(2) is ac.Reason.LAGGING


async def test_a_history_that_cannot_be_read_is_asked_every_second_for_ten_seconds() -> None:
    async with scene(settle=60, resend=True) as it:
        it.doubt(1)
        it.status = 403
        await it.search(60)
        assert it.due == [61]
        await it.search(69)
        assert it.due == [70]
        await it.search(70)
        assert not it.again
        assert it.reason(1) is ac.Reason.NOT_LOOKED_UP
        assert "the history could not be read (GET /v3/sms/history 403" in it.unknown(1).detail


async def test_trouble_before_the_settle_time_is_forgotten() -> None:
    async with scene(settle=60, resend=True) as it:
        it.doubt(1)
        it.accepted(2, sent=1)
        it.pages = [[row(2)]]
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
        assert it.due == [60.25]
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
        assert it.due == [239.25]
        await it.search(240)
        assert not it.again
        assert it.reason(1) is ac.Reason.LAGGING
        assert it.unknown(1).detail.endswith("nor are messages sent later: it lags")


async def test_without_resend_witnesses_only_decide_the_reason() -> None:
    async with scene(settle=60) as it:
        it.doubt(1)
        it.doubt(3, failed=20)
        it.now = 10
        it.accepted(2)
        it.pages = [[row(2)]]
        await it.search(60)
        assert it.reason(1) is ac.Reason.NOT_FOUND
        await it.search(80)
        assert it.reason(3) is ac.Reason.LAGGING


async def test_a_message_sent_before_the_failure_is_no_witness_by_itself() -> None:
    async with scene(settle=60, resend=True) as it:
        it.accepted(2)
        it.doubt(1, failed=10)
        it.pages = [[row(2)]]
        await it.search(70)
        assert not it.again
        assert it.reason(1) is ac.Reason.LAGGING


@pytest.mark.parametrize(("shown_at", "is_sent_again"), [(10, True), (19, True), (25, False)])
async def test_where_nothing_is_left_to_send_a_measured_lag_decides(
    shown_at: float,
    is_sent_again: bool,  # noqa: FBT001
) -> None:
    """An earlier message that showed within a third of the settle time."""
    async with scene(settle=60, resend=True) as it:
        it.accepted(2)
        it.doubt(1, failed=1)
        await it.search(5)
        it.pages = [[row(2)]]
        it.doubts[0].due = shown_at
        await it.search(shown_at)
        it.doubts[0].due = 61
        await it.search(61)
        assert it.again == (["ref-1"] if is_sent_again else [])


async def test_while_more_is_to_be_sent_a_later_witness_is_waited_for() -> None:
    async with scene(settle=60, resend=True) as it:
        it.doubt(1)
        it.more_to_send = True
        await it.search(60)
        assert it.due == [60.25]
        it.accepted(2)
        it.pages = [[row(2)]]
        await it.search(61)
        assert it.again == ["ref-1"]


async def test_the_first_and_the_last_of_a_batch_are_witnesses() -> None:
    async with scene(settle=60, resend=True) as it:
        it.doubt(1)
        it.now = 10
        it.accepted(2, 3, 4)
        it.pages = [[row(3)]]
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


# The pause.


async def test_new_messages_wait_until_every_doubt_was_searched_for() -> None:
    async with scene(settle=60, by_number=True) as it:
        assert not it.reconciler.wants_pause
        it.doubt(1)
        assert it.reconciler.wants_pause
        assert not it.reconciler.wants_probe
        await it.search(0)
        assert not it.reconciler.wants_pause


async def test_where_windows_are_read_and_resent_new_messages_wait_but_for_a_probe() -> None:
    """Else the window would grow with all that is sent meanwhile."""
    async with scene(settle=60, resend=True) as it:
        it.doubt(1)
        await it.search(0)
        assert it.reconciler.wants_pause
        assert it.reconciler.wants_probe
        it.accepted(2)
        assert it.reconciler.wants_pause
        assert not it.reconciler.wants_probe


# Giving up.


async def test_the_end_settles_all_doubts_and_every_later_one() -> None:
    async with scene(settle=60) as it:
        running = asyncio.create_task(it.reconciler.run())
        it.doubt(1)
        it.lifecycle.advance(Phase.HURRIED, "stopped")
        async with asyncio.timeout(PATIENCE):
            while "ref-1" not in it.outcomes:
                await asyncio.sleep(0)
            it.doubt(2)
            while "ref-2" not in it.outcomes:
                await asyncio.sleep(0)
        assert it.reason(1) is it.reason(2) is ac.Reason.ABORTED
        assert it.unknown(1).detail == "the connection broke; stopped, not looked up"
        assert not it.arrivals
        running.cancel()
