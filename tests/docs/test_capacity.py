"""The simulation behind the page on capacity."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks import capacity

PAGE = Path(__file__).parents[2] / "docs" / "capacity.md"


@pytest.mark.slow
def test_the_page_shows_what_the_simulation_says() -> None:
    assert capacity.table() in PAGE.read_text()


def test_without_faults_a_campaign_takes_as_long_as_the_pace_says() -> None:
    account = capacity.Account(broken=0.0, settle=3.0)
    account.hand_in(0.0, 95_000, campaign=True)
    for number in range(200):
        account.moment(number / capacity.PACE)
    day = account.day()
    assert (day.posts, day.lookups, day.left) == (95, 0, 0)
    assert day.campaign == pytest.approx(94 / capacity.PACE)


def test_single_messages_and_a_campaign_take_turns() -> None:
    account = capacity.Account(broken=0.0, settle=3.0)
    account.hand_in(0.0, 10_000, campaign=True)
    for number in range(21):
        account.hand_in(number / capacity.PACE, 1)
        account.moment(number / capacity.PACE)
    day = account.day()
    # Every other moment was a single message's, so that none waited for longer than one of them.
    assert (day.posts, day.left) == (21, 0)
    assert day.campaign == pytest.approx(19 / capacity.PACE)
    assert day.waited_99 <= 2 / capacity.PACE


def test_a_broken_post_is_looked_up_a_hundred_numbers_at_a_time() -> None:
    account = capacity.Account(broken=1.0, settle=3.0)
    account.hand_in(0.0, 1000, campaign=True)
    for number in range(100):
        account.moment(number / capacity.PACE)
    # One look if it was taken; a second one, three seconds later, if it was not.
    assert account.day().lookups in (11, 22)
