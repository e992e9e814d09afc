"""When messages are due."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aioclicksend.campaign import CampaignError, Schedule
from aioclicksend.campaign.schedule import BadTime

pytest.importorskip("phonenumbers", reason="the extra phone is absent")

START = datetime(2026, 6, 1, tzinfo=UTC)
SYDNEY, LONDON, NEW_YORK = "+61255501234", "+447700900123", "+12125550123"


def due(at: str | None, number: str = LONDON, cell: str = "", **options: Any) -> str:
    moment = Schedule(at, start=START, **options).due(cell, number)
    return "now" if moment is None else f"{moment:%m-%d %H:%M}"


def test_a_time_is_read_in_its_zone_or_by_its_offset() -> None:
    assert due("2026-12-01 09:00", zone="Australia/Sydney") == "11-30 22:00"
    assert due("2026-12-01T09:00+01:00") == "12-01 08:00"
    assert due("2026-12-01T09:00Z", zone="Australia/Sydney") == "12-01 09:00"


def test_a_local_time_is_reached_where_each_recipient_is() -> None:
    for number, moment in ((SYDNEY, "11-30 22:00"), (LONDON, "12-01 09:00"),
                           (NEW_YORK, "12-01 14:00"), ("+61412345678", "12-01 01:00")):  # fmt: skip
        assert due("2026-12-01 09:00", number, local=True) == moment


def test_a_column_names_the_time_of_its_row() -> None:
    assert due(None, cell="2026-12-01 09:00", zone="UTC") == "12-01 09:00"
    assert due("2026-12-02 09:00", cell="2026-12-01 09:00", zone="UTC") == "12-01 09:00"
    assert due(None, cell="", zone="UTC") == "now"
    assert due(None, SYDNEY, "2026-12-01 09:00", local=True) == "11-30 22:00"


@pytest.mark.parametrize(
    ("at", "options", "says"),
    [
        ("2026-12-01 09:00", {}, "needs --zone, such as Australia/Sydney, or --local"),
        ("2026-12-01", {"zone": "UTC"}, "needs a time of day"),
        ("tomorrow", {"zone": "UTC"}, "must be a time such as"),
        ("2026-12-01T09:00Z", {"local": True}, "which --local contradicts"),
        ("2026-05-31 09:00", {"zone": "UTC"}, "lies in the past"),
        ("2026-12-01 09:00", {"zone": "Sydney"}, "name of a time zone"),
        ("2027-03-28 02:30", {"zone": "Europe/Paris"}, "does not exist in Europe/Paris"),
        ("2026-10-25 02:30", {"zone": "Europe/Paris"}, "comes twice in Europe/Paris: .*\\+02:00"),
    ],
)
def test_a_time_that_can_be_read_in_two_ways_or_none_is_refused(
    at: str, options: dict[str, Any], says: str
) -> None:
    with pytest.raises(CampaignError, match=says):
        due(at, **options)


def test_a_wrong_time_of_a_row_is_its_own_problem() -> None:
    cases: list[tuple[str, str, dict[str, Any], str]] = [
        ("soon", LONDON, {"zone": "UTC"}, "must be a time"),
        ("2026-05-01 09:00", LONDON, {"zone": "UTC"}, "lies in the past"),
        ("2026-12-01 09:00", LONDON, {}, "needs --zone"),
        ("2026-12-01 09:00", "+88216555000", {"local": True}, "zone is unknown, give --zone"),
    ]
    for cell, number, options, says in cases:
        with pytest.raises(BadTime, match=says):
            due(None, number, cell, **options)
    assert due(None, "+88216555000", "2026-12-01 09:00", local=True, zone="UTC") == "12-01 09:00"


def test_a_local_time_that_the_clocks_skip_or_repeat_is_its_first_moment() -> None:
    # Clocks in London go from 01:00 to 02:00 on 28 March 2027, and from 02:00 to 01:00 on
    # 25 October 2026.
    assert due("2027-03-28 01:30", LONDON, local=True) == "03-28 01:00"
    assert due("2026-10-25 01:30", LONDON, local=True) == "10-25 00:30"


@given(
    st.integers(1, 500 * 24 * 60).map(
        lambda it: (START + timedelta(minutes=it + 1440)).replace(tzinfo=None)
    )
)
def test_at_a_local_time_no_clock_is_before_it(moment: datetime) -> None:
    for number, zone in ((SYDNEY, "Australia/Sydney"), (NEW_YORK, "America/New_York")):
        found = Schedule(moment.isoformat(), local=True, start=START).due("", number)
        assert found is not None
        assert found.astimezone(ZoneInfo(zone)).replace(tzinfo=None) >= moment
