"""What of the history is read for a doubt, and what its rows prove."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

import aioclicksend as ac
from aioclicksend.bulk import reconcile
from aioclicksend.bulk.batch import Moment
from aioclicksend.bulk.evidence import Age, Memory, Pass, ServerClock, age_of, same_recipient
from aioclicksend.bulk.lifecycle import Phase

from .fickle import account
from .helpers import sms
from .scene import WALL, Scene, row, scene


def know_the_clock(it: Scene) -> None:
    """Let two replies show that the server is seven seconds ahead; the second was read late."""
    it.memory.clock.learn(WALL + 7, -0.25, 0)
    it.memory.clock.learn(WALL + 8, 0.75, 2)


# The clock.


def test_the_server_clock_is_known_as_well_as_replies_show_it() -> None:
    """A whole second, stamped some time between the sending and the reading of a reply."""
    clock = ServerClock()
    assert not clock.is_known
    clock.learn(107.0, 99.5, 100.25)
    assert (clock.least, clock.closest, clock.most) == (6.75, 6.75, 8.5)
    clock.learn(120.0, 113.0, 114.0)
    assert (clock.least, clock.closest, clock.most) == (6.0, 6.75, 8.5)


@given(
    ahead=st.floats(-1e6, 1e6),
    replies=st.lists(st.tuples(st.floats(0, 3), st.floats(0, 3)), min_size=1, max_size=20),
    delay=st.floats(0, 100),
)
def test_a_row_stamped_after_the_request_is_never_provably_older(
    ahead: float, replies: list[tuple[float, float]], delay: float
) -> None:
    clock = ServerClock()
    now = 1000.0
    for before, after in replies:
        clock.learn(float(int(now + before + ahead)), now, now + before + after)
        now += before + after
    stamped = float(int(now + delay + ahead))
    age = age_of(stamped, Moment(wall=0, mono=now), clock, skew=300, wall_offset=0)
    assert age is not Age.OLDER


# The window.


async def test_the_window_includes_the_skew_until_the_server_clock_is_known() -> None:
    async with scene(skew=300) as it:
        it.doubt(1)
        await it.search(0)
        assert it.windows == [(-301, None)]


async def test_on_the_server_clock_the_window_is_narrow() -> None:
    async with scene(settle=60) as it:
        know_the_clock(it)
        it.doubt(1, failed=0.25)  # sent at -0.75
        await it.search(1)
        assert it.windows == [(3, None)]  # from -0.75 + 6 - 2


async def test_the_deciding_search_ends_at_the_latest_acceptance() -> None:
    """A server may take fifteen seconds to accept what it had read."""
    async with scene(settle=60) as it:
        know_the_clock(it)
        it.doubt(1, failed=0.25)
        await it.search(61)
        assert it.windows == [(3, 26)]  # to 0.25 + 15 + 8.25 + 2


async def test_a_resend_requires_a_search_of_the_whole_settle_time() -> None:
    async with scene(settle=60, resend=True) as it:
        know_the_clock(it)
        it.doubt(1, failed=0.25)
        await it.search(100)
        assert it.windows == [(3, 71)]


async def test_a_window_ends_no_later_than_its_doubts_are_settled() -> None:
    async with scene(settle=1) as it:
        know_the_clock(it)
        it.doubt(1, failed=0.25)
        await it.search(10)
        assert it.windows == [(3, 12)]  # to 0.25 + 1 + 8.25 + 2


async def test_a_window_spans_all_the_doubts_it_is_read_for() -> None:
    async with scene(settle=60) as it:
        know_the_clock(it)
        it.doubt(1, failed=0.25)
        it.doubt(2, failed=20.25)
        await it.search(61)
        assert it.windows == [(3, 46)]
        assert list(it.outcomes) == ["ref-1"]


async def test_a_scheduled_message_may_be_dated_by_its_schedule() -> None:
    """Whether it is, is unknown: so one of them leaves the end of the window open."""
    async with scene(settle=60) as it:
        know_the_clock(it)
        it.doubt(1)
        it.doubt(2, schedule=int(WALL) + 86_400)
        await it.search(61)
        assert it.windows == [(3, None)]


# The pages.


async def test_reading_ends_where_nothing_is_missing() -> None:
    async with scene() as it:
        it.doubt(1)
        it.pages = [[row(1)], [row(2)], [row(3)]]
        await it.search(0)
        assert it.id_of(1) == "ID-1"
        assert len(it.arrivals) <= 2, "the next page may be on its way already"


async def test_reading_continues_where_only_other_doubts_are_found() -> None:
    async with scene() as it:
        it.doubt(1)
        await it.search(0)
        it.doubt(2)
        it.doubts[0].due = 9.0  # the first one is for later
        it.pages = [[row(1)], [row(2)]]
        await it.search(0)
        assert (it.id_of(1), it.id_of(2)) == ("ID-1", "ID-2")


async def test_pages_with_fewer_rows_than_announced_are_read_three_times() -> None:
    """The row in question may be among those that were left out: nothing is sent again then."""
    async with scene(settle=60, resend=True) as it:
        it.doubt(1)
        it.accepted(3, sent=1)
        it.pages, it.totals = [[row(2)], [row(3)]], [3, 3]
        await it.search(60)
        assert len(it.arrivals) == 6
        assert it.due == [61]
        await it.search(70)
        assert it.reason(1) is ac.Reason.NOT_LOOKED_UP
        assert "its pages hold fewer rows than it announces" in it.unknown(1).detail
        assert not it.again


@pytest.mark.parametrize("announced", [2, 1, 0])
async def test_pages_with_all_the_rows_they_announce_are_read_once(announced: int) -> None:
    async with scene(settle=60, resend=True) as it:
        it.doubt(1)
        it.accepted(3, sent=1)
        it.pages, it.totals = [[row(2)], [row(3)]], [announced] * 2
        await it.search(60)
        assert len(it.arrivals) == 2
        assert it.again == ["ref-1"]


# What a row proves.


async def test_a_row_has_id_parts_and_price() -> None:
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
async def test_a_row_was_accepted_unless_its_status_is_a_refusal(
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


@pytest.mark.parametrize(
    "fields",
    [
        {"to": "61400000001"},
        {"to": "+614XXXXX001"},
        {"date": None},
        {"date": int(WALL) - 86_400},
        {"body": "rewritten"},
        {"message_id": None},
    ],
)
async def test_a_generated_ref_proves_by_itself(fields: dict[str, Any]) -> None:
    async with scene() as it:
        it.doubt(1, unique=True)
        it.pages = [[row(1, **fields)]]
        await it.search(0)
        assert isinstance(it.outcomes["ref-1"], ac.Accepted)


AMBIGUOUS: list[dict[str, Any]] = [
    {"to": "+61499999999"},
    {"to": "+614XXXXX001"},
    {"body": "rewritten by the server"},
    {"date": None},
    {"custom_string": "ref"},  # cut off, and the text is another one's
]


@pytest.mark.parametrize("fields", AMBIGUOUS[:4])
async def test_the_ref_of_a_caller_with_another_number_text_or_date_forbids_resending(
    fields: dict[str, Any],
) -> None:
    async with scene(settle=60, resend=True) as it:
        it.doubt(1)
        it.accepted(2, sent=1)
        it.pages = [[row(1, **fields), row(2)]]
        await it.search(60)
        assert not it.again
        assert it.reason(1) is ac.Reason.AMBIGUOUS


@pytest.mark.parametrize("fields", AMBIGUOUS[:3])
async def test_a_row_that_is_provably_older_says_nothing(fields: dict[str, Any]) -> None:
    async with scene(settle=60, resend=True) as it:
        it.doubt(1)
        it.doubt(3, failed=-200.0)  # the search goes back this far
        it.accepted(2, sent=1)
        it.pages = [[row(1, **(fields | {"date": int(WALL) - 400})), row(2)]]
        await it.search(60)
        assert "ref-1" in it.again


async def test_an_equal_message_with_a_generated_ref_is_another_one() -> None:
    """Two equal texts to one number, of which the server took one."""
    async with scene(settle=60, resend=True) as it:
        it.doubt(1, unique=True, custom_string="ac1-0-0-0")
        it.accepted(2, sent=1)
        it.pages = [[row(1, custom_string="ac1-0-0-1"), row(2)]]
        await it.search(60)
        assert it.again == ["ac1-0-0-0"]


async def test_without_the_server_clock_a_row_before_the_request_proves_nothing() -> None:
    async with scene(settle=60, resend=True) as it:
        it.doubt(1)
        it.pages = [[row(1, date=int(WALL) - 100)]]
        await it.search(0)
        assert [doubt.may_resend for doubt in it.doubts] == [False]


def test_nothing_is_provably_older_than_a_request_of_another_process() -> None:
    """The wall clock by which that is known may have been set since."""
    clock = ServerClock()
    clock.learn(1000.0, 999.5, 1000.0)
    ages = [
        age_of(500.0, Moment(wall=1000.0, mono=mono), clock, skew=300, wall_offset=0)
        for mono in (1000.0, None)
    ]
    assert ages == [Age.OLDER, Age.UNCLEAR]


async def test_two_equal_messages_are_found_in_two_rows() -> None:
    async with scene() as it:
        for _ in range(2):
            it.doubt(1)
        it.pages = [[row(1), row(1, message_id="ID-other")]]
        one = Pass(
            it.doubts,
            it.doubts,
            memory=it.memory,
            has_refs=True,
            skew=300,
            wall_offset=WALL,
        )
        rows = [page async for page in it.channel.history(0, None)]
        one.take(one.candidates(rows), {})
        found = {outcome.message_id for _, outcome in one.verdicts()}  # type: ignore[union-attr]
        assert found == {"ID-1", "ID-other"}


@pytest.mark.parametrize("status", ["INTERNAL_ERROR", "SOMETHING_IS_WRONG"])
async def test_a_row_with_an_inconclusive_status_is_ambiguous(status: str) -> None:
    async with scene(settle=60, resend=True) as it:
        it.doubt(1, unique=True)
        it.accepted(2, sent=1)
        it.pages = [[row(1, status=status), row(2)]]
        await it.search(60)
        assert it.reason(1) is ac.Reason.AMBIGUOUS


@pytest.mark.parametrize(
    ("ours", "theirs", "same"),
    [
        ("+61411111111", "61411111111", True),
        ("+61411111111", "0061411111111", True),
        ("+61411111111", "0411111111", False),
        ("+61411111111", "+49411111111", False),
        ("+61411111111", "+614111XXXXX", False),
        ("0411 111 111", "+61411111111", True),
        ("0411 111 111", "+9999961411111111", False),
    ],
)
async def test_a_number_proves_in_full_only(
    ours: str,
    theirs: str,
    same: bool,  # noqa: FBT001
) -> None:
    async with scene() as it:
        it.doubt(1, to=ours, country="AU")
        assert same_recipient(it.doubts[0], theirs) is same


async def test_a_row_that_is_shown_twice_proves_one_message() -> None:
    """Two equal messages of the caller's, of which the server took one."""
    async with scene(settle=60, resend=True) as it:
        it.doubt(1)
        it.doubt(1)
        it.accepted(2, sent=1)
        it.pages = [[row(1), row(1), row(2)]]
        await it.search(0)
        assert it.id_of(1) == "ID-1"
        assert [doubt.may_resend for doubt in it.doubts] == [False]


async def test_the_age_of_a_row_is_compared_on_the_server_clock() -> None:
    async with scene() as it:
        know_the_clock(it)
        it.doubt(4, failed=-10.0)  # the search goes back this far
        for number, date in ((1, 6), (2, 5), (3, 0)):
            it.doubt(number)  # sent at -1: between 5 and 7.25 by the server's clock
            it.pages[0].append(row(number, date=int(WALL) + date))
        await it.search(1)
        assert [it.id_of(number) for number in (1, 2, 3)] == ["ID-1", None, None]
        assert [doubt.may_resend for doubt in it.doubts] == [True, False, True]


@pytest.mark.parametrize("channel", ["mms", "voice"])
async def test_mms_and_calls_may_be_dated_by_when_they_were_added(channel: str) -> None:
    async with scene(channel=channel) as it:
        know_the_clock(it)
        for number, date in ((1, 6), (2, 0)):
            it.doubt(number)
            it.pages[0].append(row(number, date=None, date_added=int(WALL) + date))
        await it.search(1)
        assert (it.id_of(1), it.id_of(2)) == ("ID-1", None)


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


async def test_a_second_row_of_a_message_that_was_found_changes_nothing() -> None:
    async with scene() as it:
        it.doubt(1)
        it.doubt(2)
        it.pages = [[row(1), row(1, message_id="ID-again")]]
        await it.search(0)
        assert it.id_of(1) == "ID-1"
        assert it.due == [1], "the other one is still missing"


async def test_the_row_of_a_message_that_was_accepted_proves_no_other() -> None:
    """A caller's ref may come again: every id that a reply held is taken."""
    async with scene() as it:
        it.accepted(1, 2)
        it.doubt(1)
        it.doubt(2)
        it.pages = [[row(1), row(2)]]
        await it.search(0)
        assert not it.outcomes


async def test_the_row_of_another_message_of_the_journal_proves_nothing() -> None:
    async with scene(settle=60, resend=True) as it:
        it.taken_ids.add("ID-1")
        it.doubt(1)
        it.accepted(2, sent=1)
        it.pages = [[row(1), row(2)]]
        await it.search(60)
        assert it.again == ["ref-1"]


# Refs that come back altered, and histories without refs.


async def test_a_ref_that_was_cut_proves_with_number_text_and_date() -> None:
    async with scene(settle=60, resend=True) as it:
        it.doubt(1)
        it.doubt(2)
        it.accepted(3, sent=1)
        it.pages = [[row(1, custom_string="REF-"), row(3)]]
        await it.search(1)
        assert it.id_of(1) == "ID-1"
        assert it.memory.refs_are_altered
        await it.search(60)
        assert not it.again, "absence proves nothing where refs are altered"
        assert it.reason(2) is ac.Reason.NOT_FOUND


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


async def test_where_a_history_has_refs_a_row_without_one_proves_nothing() -> None:
    async with scene(channel="sms") as it:
        it.doubt(1)
        it.pages = [[row(1, custom_string="")]]
        await it.search(0)
        assert not it.outcomes


# Asking for numbers.


def witnesses(it: Scene) -> None:
    """Let two messages be accepted after the failure."""
    it.accepted(8, sent=1)
    it.accepted(9, sent=2)


def many_rows(*numbers: int) -> list[list[dict[str, Any]]]:
    """Return a window with a thousand rows of others before those of some numbers."""
    others = [row(1000 + it) for it in range(1000)]
    rows = [*others, *map(row, numbers)]
    return [rows[start : start + 100] for start in range(0, len(rows), 100)]


async def test_a_long_window_is_replaced_by_a_number_lookup_with_witnesses() -> None:
    async with scene(by_number=True) as it:
        it.doubt(1)
        it.doubt(2)
        witnesses(it)
        it.pages = many_rows(1, 8, 9)
        it.by_number = lambda _: [row(8), row(1), row(9)]
        await it.search(3)
        assert it.id_of(1) == "ID-1"
        asked = [query["q"] for query in it.queries if "q" in query]
        assert asked == ["to:+61400000008,to:+61400000001,to:+61400000002,to:+61400000009"]
        assert len(it.arrivals) <= 3


async def test_a_filter_that_hides_a_witness_is_not_used_again() -> None:
    """The window shows both witnesses: the filter takes the first or the last number only."""
    async with scene(settle=60, resend=True, by_number=True) as it:
        it.doubt(1)
        witnesses(it)
        it.pages = many_rows(1, 8, 9)
        it.by_number = lambda numbers: [row(8)] if numbers[0].endswith("8") else []
        await it.search(3)
        assert it.memory.filter_is_broken
        assert it.id_of(1) == "ID-1", "found in the window"


async def test_nothing_is_resent_while_both_witnesses_are_missing() -> None:
    async with scene(settle=60, resend=True, by_number=True) as it:
        it.doubt(1)
        witnesses(it)
        it.pages = many_rows()
        for at in (60, 120, 240):
            await it.search(at)
        assert not it.memory.filter_is_broken
        assert not it.again
        assert it.reason(1) is ac.Reason.LAGGING


async def test_a_number_that_a_working_filter_does_not_show_is_sent_again() -> None:
    async with scene(settle=60, resend=True, by_number=True) as it:
        it.doubt(1)
        witnesses(it)
        it.pages = many_rows(8, 9)
        it.by_number = lambda _: [row(8), row(9)]
        await it.search(60)
        assert it.again == ["ref-1"]
        assert len(it.arrivals) <= 3


async def test_a_look_up_that_leaves_rows_out_decides_nothing() -> None:
    """Though both witnesses show: the row in question may be among those left out."""
    async with scene(settle=60, resend=True, by_number=True) as it:
        it.doubt(1)
        witnesses(it)
        it.pages = many_rows(8, 9)
        it.by_number = lambda _: [row(8), row(9)]
        it.hidden = 1
        for at in (60, 120, 240):
            await it.search(at)
        assert not it.again
        assert isinstance(it.outcomes["ref-1"], ac.Unknown)


async def test_each_request_of_a_look_up_must_show_the_witnesses() -> None:
    async with scene(settle=60, resend=True, by_number=True) as it:
        numbers = range(100, 250)
        for number in numbers:
            it.doubt(number)
        witnesses(it)
        it.pages = many_rows(8, 9)
        it.by_number = lambda asked: [row(8), row(9)] if len(asked) > 90 else []
        await it.search(60)
        assert not it.again


async def test_a_number_in_doubt_is_no_witness_of_the_filter() -> None:
    """Asking for it shows it, whatever the filter does with the other numbers."""
    async with scene(settle=60, resend=True, by_number=True) as it:
        it.doubt(1, to="+61400000008")
        witnesses(it)
        it.pages = many_rows(8, 9)
        it.by_number = lambda _: [row(8), row(9)]
        await it.search(60)
        assert not [query for query in it.queries if "q" in query]


async def test_a_filter_that_shows_everything_is_not_used_again() -> None:
    async with scene(settle=60, resend=True, by_number=True) as it:
        it.doubt(1)
        witnesses(it)
        it.pages = many_rows(8, 9)
        it.by_number = lambda _: [row(8), *map(row, range(100, 400)), row(9)]
        await it.search(60)
        assert it.memory.filter_is_broken


# Deciding.


async def test_nothing_is_sent_again_after_a_stop() -> None:
    async with scene(settle=60, resend=True) as it:
        it.doubt(1)
        it.accepted(2, sent=1)
        it.pages = [[row(2)]]
        it.lifecycle.advance(Phase.STOPPED, "stopped")
        await it.search(60)
        assert not it.again
        assert it.reason(1) is ac.Reason.NOT_FOUND


@pytest.mark.parametrize("is_known", [True, False])
async def test_a_row_from_the_future_proves_nothing(*, is_known: bool) -> None:
    """Its date is written in another zone or unit than the server searches by."""
    async with scene(settle=60, resend=True) as it:
        if is_known:
            know_the_clock(it)
        it.doubt(1)
        it.pages = [[row(1, date=int(WALL) + 36_000)]]
        await it.search(0)
        assert not it.outcomes
        assert not it.doubts[0].may_resend


async def test_the_window_of_another_process_has_the_whole_skew() -> None:
    async with scene(skew=300) as it:
        know_the_clock(it)
        it.doubt(1)
        it.doubts[0].sent = Moment(wall=WALL - 50, mono=None)
        await it.search(1)
        assert it.windows == [(-350, None)]


async def test_a_request_in_the_future_is_searched_for_until_now() -> None:
    """The clock was set back since another process made it."""
    async with scene(skew=300) as it:
        it.doubt(1)
        it.doubts[0].sent = Moment(wall=WALL + 3600, mono=None)
        await it.search(1)
        assert it.windows == [(-299, None)]


async def test_a_pass_that_does_not_end_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reconcile, "_LONGEST_PASS", 0.2)
    monkeypatch.setattr(reconcile, "_TROUBLE", 0.0)
    async with account() as (it, api):
        it.faults.append("lost")
        others = [row(1000 + number) for number in range(200_000)]
        it.rows = lambda _: others
        async with api.sms.bulk(reconcile=ac.Reconcile(settle=0.1)) as bulk:
            outcome = await (await bulk.send(sms(1)))
        assert isinstance(outcome, ac.Unknown)
        assert outcome.reason is ac.Reason.NOT_LOOKED_UP


# Memory.


def test_the_extremes_of_the_server_clock_are_remembered_for_an_hour() -> None:
    clock = ServerClock()
    clock.learn(95.0, 99.5, 100.0)
    clock.learn(101.0, 100.5, 101.0)
    assert (clock.least, clock.closest, clock.most) == (-5.0, 0.0, 1.5)
    clock.learn(-860.0, 139.5, 140.0)  # it was set back
    assert (clock.least, clock.closest, clock.most) == (-1000.0, 0.0, 1.5)
    clock.learn(4000.0, 3999.5, 4000.0)
    assert (clock.least, clock.closest, clock.most) == (0.0, 0.0, 1.5)


def test_ids_of_accepted_messages_are_remembered_for_a_while() -> None:
    memory = Memory()
    memory.take(["old"], 0.0, 0.0)
    memory.take(["ID", None], 800.0, 800.0)
    assert memory.taken() == {"old": 0.0, "ID": 800.0}
    memory.take([], 1000.0, 1000.0)
    assert memory.taken() == {"ID": 800.0}
