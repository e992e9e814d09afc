"""What of the history is read for a doubt, and which of its rows are taken for it."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

import aioclicksend as ac
from aioclicksend.bulk.reconcile import ServerClock

from .scene import WALL, Scene, row, scene


def told(it: Scene) -> None:
    """Let two replies tell that the server is seven seconds ahead; the second was read late."""
    it.reconciler.clock.observe(WALL + 7, WALL - 0.25, WALL)
    it.reconciler.clock.observe(WALL + 8, WALL + 0.75, WALL + 2)


# The window.


def test_the_servers_clock_is_known_as_well_as_its_replies_tell() -> None:
    """A whole second, stamped some time between the sending and the reading of a reply."""
    clock = ServerClock()
    clock.observe(107.0, 99.5, 100.25)
    assert (clock.behind, clock.closest, clock.ahead) == (6.75, 6.75, 8.5)
    clock.observe(120.0, 113.0, 114.0)
    assert (clock.behind, clock.closest, clock.ahead) == (6.0, 6.75, 8.0)


async def test_until_the_server_told_its_time_the_window_allows_for_any_skew() -> None:
    async with scene(skew=300) as it:
        it.doubt(1)
        await it.search(0)
        assert it.windows == [(-301, None)]


async def test_on_the_servers_own_clock_the_window_is_narrow() -> None:
    """A look that decides nothing yet is cheap: what was taken was mostly taken at once."""
    async with scene(settle=60) as it:
        told(it)
        it.doubt(1, failed=0.25)  # sent at -0.75
        await it.search(1)
        await it.search(40)
        assert it.windows == [(5, None), (5, 12)]  # from -0.75 + 7 - 0.5 to 0.25 + 3 + 8.25 + 0.5


async def test_the_look_that_decides_has_a_wider_window() -> None:
    """A server may take fifteen seconds to accept what it had read."""
    async with scene(settle=60) as it:
        told(it)
        it.doubt(1, failed=0.25)
        await it.search(61)
        assert it.windows == [(3, 25)]  # from -0.75 + 6 - 2 to 0.25 + 15 + 8.25 + 2


async def test_before_a_message_is_sent_again_all_of_its_settle_time_is_looked_through() -> None:
    async with scene(settle=60, resend=True) as it:
        told(it)
        it.doubt(1, failed=0.25)
        await it.search(100)
        assert it.windows == [(3, 70)]
        assert it.again == ["ref-1"]


async def test_a_window_ends_no_later_than_its_doubts_are_settled() -> None:
    async with scene(settle=1) as it:
        told(it)
        it.doubt(1, failed=0.25)
        await it.search(10)
        assert it.windows == [(3, 11)]  # to 0.25 + 1 + 8.25 + 2


async def test_a_window_spans_all_the_doubts_it_is_walked_for() -> None:
    async with scene(settle=60) as it:
        told(it)
        it.doubt(1, failed=0.25)
        it.doubt(2, failed=20.25)
        it.doubt(3, failed=10.25)
        await it.search(50)
        assert it.windows == [(5, 32)]


async def test_one_doubt_that_is_to_be_decided_widens_the_window_for_all() -> None:
    async with scene(settle=60) as it:
        told(it)
        it.doubt(1, failed=0.25)
        it.doubt(2, failed=20.25)
        await it.search(61)
        assert it.windows == [(3, 45)]
        assert list(it.outcomes) == ["ref-1"]


async def test_a_scheduled_message_may_be_dated_by_its_schedule() -> None:
    """Whether it is, is unknown: so one of them leaves the end of the window open."""
    async with scene(settle=60) as it:
        told(it)
        it.doubt(1)
        it.doubt(2, schedule=int(WALL) + 86_400)
        await it.search(61)
        assert it.windows == [(3, None)]


async def test_a_row_older_than_the_window_is_not_taken() -> None:
    """An API that ignored the filter would show messages with the same ref from earlier runs."""
    async with scene() as it:
        told(it)
        for number, date in ((1, 5), (2, 3)):
            it.doubt(number)  # sent at -1, looked for from 5.5
            it.pages[0].append(row(number, date=int(WALL) + date))
        await it.search(1)
        assert (it.id_of(1), it.id_of(2)) == ("ID-1", None)


@pytest.mark.parametrize("channel", ["mms", "voice"])
async def test_mms_and_calls_may_be_dated_by_when_they_were_added(channel: str) -> None:
    async with scene(channel=channel) as it:
        told(it)
        for number, date in ((1, 6), (2, 0)):
            it.doubt(number)
            it.pages[0].append(row(number, date=None, date_added=int(WALL) + date))
        await it.search(1)
        assert (it.id_of(1), it.id_of(2)) == ("ID-1", None)


async def test_a_row_without_a_date_is_taken() -> None:
    async with scene() as it:
        told(it)
        it.doubt(1)
        it.pages = [[row(1, date=None)]]
        await it.search(1)
        assert it.id_of(1) == "ID-1"


# The pages.


async def test_a_walk_ends_where_nothing_is_missing() -> None:
    async with scene() as it:
        it.doubt(1)
        it.pages = [[row(1)], [row(2)], [row(3)]]
        await it.search(0)
        assert it.id_of(1) == "ID-1"
        assert len(it.arrivals) == 1


async def test_a_walk_that_finds_only_doubts_of_others_goes_on() -> None:
    async with scene() as it:
        it.doubt(1)
        await it.search(0)
        it.doubt(2)
        it.reconciler._all()[0].due = 9.0  # the first one is for later
        it.pages = [[row(1)], [row(2)]]
        await it.search(0)
        assert (it.id_of(1), it.id_of(2)) == ("ID-1", "ID-2")


async def test_pages_that_hold_fewer_rows_than_they_announce_are_read_three_times() -> None:
    """The row in question may be among those that were left out: nothing is sent again then."""
    async with scene(settle=60, resend=True) as it:
        it.doubt(1)
        it.pages, it.totals = [[row(2)], [row(3)]], [3, 3]
        await it.search(239)
        assert len(it.arrivals) == 6
        assert it.due == [240]
        await it.search(240)
        assert "its pages hold fewer rows than it announces" in it.reason(1)
        assert not it.again


async def test_what_the_first_page_announces_counts() -> None:
    async with scene(settle=60, resend=True) as it:
        it.doubt(1)
        it.pages, it.totals = [[row(2)], [row(3)]], [3, 2]
        await it.search(60)
        assert len(it.arrivals) == 6
        assert not it.again


@pytest.mark.parametrize("announced", [2, 1, 0])
async def test_pages_that_hold_all_the_rows_they_announce_or_more_are_read_once(
    announced: int,
) -> None:
    async with scene(settle=60, resend=True) as it:
        it.doubt(1)
        it.pages, it.totals = [[row(2)], [row(3)]], [announced] * 2
        await it.search(60)
        assert len(it.arrivals) == 2
        assert it.again == ["ref-1"]


# The rows.


async def test_a_row_tells_id_parts_and_price() -> None:
    async with scene() as it:
        message = it.doubt(1)
        it.pages = [[row(1, message_parts=2, message_price="0.1540")]]
        await it.search(0)
        assert it.outcomes == {"ref-1": ac.Accepted(message, "ref-1", "ID-1", 2, Decimal("0.1540"))}


@pytest.mark.parametrize(
    ("status", "rejected"),
    [
        ("Sent", False),
        ("WaitApproval", False),
        ("", False),
        ("SUCCESS", False),
        ("INVALID_RECIPIENT", True),
    ],
)
async def test_a_row_in_the_history_was_accepted_unless_it_has_a_code(
    status: str,
    rejected: bool,  # noqa: FBT001
) -> None:
    async with scene() as it:
        it.doubt(1)
        it.pages = [[row(1, status=status)]]
        await it.search(0)
        found = it.outcomes["ref-1"]
        assert isinstance(found, ac.Rejected if rejected else ac.Accepted)
        assert not isinstance(found, ac.Rejected) or found.status == status


@pytest.mark.parametrize(("direction", "ours"), [("out", True), (None, True), ("in", False)])
async def test_a_message_that_came_in_is_no_proof(direction: str | None, ours: bool) -> None:  # noqa: FBT001
    async with scene() as it:
        it.doubt(1)
        it.pages = [[row(1, direction=direction)]]
        await it.search(0)
        assert it.id_of(1) == ("ID-1" if ours else None)


async def test_a_row_with_anothers_number_is_no_proof() -> None:
    async with scene() as it:
        it.doubt(1)
        it.pages = [[row(1, to="+61499999999")]]
        await it.search(0)
        assert not it.outcomes


async def test_each_row_counts_for_one_message() -> None:
    """Two messages with one ref and one number: one row proves one of them."""
    async with scene() as it:
        it.doubt(1, custom_string="spring", body="One")
        it.doubt(1, custom_string="spring", body="Two")
        twice = row(1, custom_string="spring", body="Two")
        it.pages = [[twice, twice]]
        await it.search(0)
        assert it.outcomes["spring"].message.body == "Two"
        assert len(it.reconciler) == 1
        await it.search(1)  # the same row again
        assert len(it.reconciler) == 1


async def test_rows_without_an_id_are_different_rows() -> None:
    async with scene() as it:
        for number in (1, 2):
            it.doubt(number)
            it.pages[0].append(row(number, message_id=None))
        await it.search(0)
        assert set(it.outcomes) == {"ref-1", "ref-2"}


async def test_a_second_row_for_a_message_that_was_found_is_nobodys() -> None:
    async with scene() as it:
        it.doubt(1)
        it.doubt(2)
        it.pages = [[row(1), row(1, message_id="ID-again")]]
        await it.search(0)
        assert it.id_of(1) == "ID-1"
        assert len(it.reconciler) == 1
        assert it.due == [1], "the other one is still missing"


async def test_a_row_of_a_message_whose_reply_came_is_not_taken_for_another() -> None:
    """A caller's ref may come again: every row that a reply told is spoken for."""
    async with scene() as it:
        it.accepted(1, 2)
        it.doubt(1)
        it.doubt(2)
        it.pages = [[row(1), row(2)]]
        await it.search(0)
        assert not it.outcomes


FIELDS: list[tuple[dict[str, Any], bool]] = [
    ({}, True),
    ({"to": "+61400000002"}, False),
    ({"body": "Another text"}, False),
    ({"custom_string": "somebody-elses"}, False),
]


@pytest.mark.parametrize(("fields", "found"), FIELDS)
async def test_where_a_history_lacks_refs_number_and_text_must_agree(
    fields: dict[str, Any],
    found: bool,  # noqa: FBT001
) -> None:
    async with scene(channel="voice") as it:
        it.doubt(1)
        it.pages = [[row(1, **({"custom_string": ""} | fields))]]
        await it.search(0)
        assert it.id_of(1) == ("ID-1" if found else None)


async def test_where_a_history_has_refs_a_row_without_one_is_somebody_elses() -> None:
    async with scene(channel="sms") as it:
        it.doubt(1)
        it.pages = [[row(1, custom_string="")]]
        await it.search(0)
        assert not it.outcomes
