"""Quiet hours."""

from __future__ import annotations

from datetime import UTC, datetime, time, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aioclicksend.campaign import CampaignError, QuietHours

SYDNEY = ("Australia/Sydney",)
BOTH = ("Australia/Perth", "Australia/Sydney")


def at(text: str, zone: str = "Australia/Sydney") -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=ZoneInfo(zone))


def hours(start: str, not_before: int = 9, not_after: int = 20) -> QuietHours:
    return QuietHours(time(not_before), time(not_after), zone="Europe/Berlin", start=at(start))


def test_within_the_hours_a_message_goes_at_once() -> None:
    quiet = hours("2024-06-05T10:00")
    assert quiet.slot(SYDNEY, at("2024-06-05T10:00")) == (None, None)
    assert quiet.slot(SYDNEY, at("2024-06-05T19:59")) == (None, None)


@pytest.mark.parametrize(
    ("start", "opening"),
    [
        ("2024-06-05T08:59", "2024-06-05T09:00"),
        ("2024-06-05T20:00", "2024-06-06T09:00"),
        ("2024-06-05T23:30", "2024-06-06T09:00"),
        ("2024-06-05T00:00", "2024-06-05T09:00"),
    ],
)
def test_outside_the_hours_it_is_scheduled_for_the_next(start: str, opening: str) -> None:
    slot = hours(start).slot(SYDNEY, at(start))
    assert slot == (at(opening), None)


def test_it_must_be_time_in_every_zone_the_recipient_may_live_in() -> None:
    slot = hours("2024-06-05T10:00").slot(BOTH, at("2024-06-05T10:00"))
    assert slot == (at("2024-06-05T09:00", "Australia/Perth"), None)
    assert hours("2024-06-05T12:00").slot(BOTH, at("2024-06-05T12:00")) == (None, None)


def test_zones_that_are_never_awake_together_get_nothing() -> None:
    quiet = hours("2024-06-05T10:00", 9, 11)
    assert quiet.slot((*BOTH, "Pacific/Honolulu"), at("2024-06-05T10:00")) is None


def test_an_unknown_zone_is_taken_for_the_campaigns() -> None:
    for zones in ((), ("Mars/Olympus",)):
        slot = hours("2024-06-05T10:00").slot(zones, at("2024-06-05T10:00"))
        assert slot == (at("2024-06-05T09:00", "Europe/Berlin"), None)


def test_hours_may_span_midnight() -> None:
    quiet = hours("2024-06-05T12:00", 20, 2)
    assert quiet.slot(SYDNEY, at("2024-06-05T12:00")) == (at("2024-06-05T20:00"), None)
    assert hours("2024-06-05T01:00", 20, 2).slot(SYDNEY, at("2024-06-05T01:00")) == (None, None)


def test_a_resumed_run_makes_the_same_schedules_and_keeps_out_of_the_night() -> None:
    quiet = hours("2024-06-05T22:00")
    morning = at("2024-06-06T09:00")
    assert quiet.slot(SYDNEY, at("2024-06-05T23:00")) == (morning, None)
    assert quiet.slot(SYDNEY, at("2024-06-06T12:00")) == (morning, None)
    late = quiet.slot(SYDNEY, at("2024-06-06T21:00"))
    assert late == (morning, at("2024-06-07T09:00"))


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"zone": "Nowhere"}, "name of a time zone"),
        ({"zone": ""}, "name of a time zone"),
        ({"not_after": time(9)}, "same time"),
        ({"start": datetime(2024, 1, 1)}, "tell its time zone"),  # noqa: DTZ001
        ({"start": datetime.now(UTC) + timedelta(hours=1)}, "lie ahead"),
    ],
)
def test_hours_that_make_no_sense_are_refused(options: dict[str, object], says: str) -> None:
    good = {"not_before": time(9), "not_after": time(20), "zone": "UTC", "start": datetime.now(UTC)}
    with pytest.raises(CampaignError, match=says):
        QuietHours(**(good | options))  # type: ignore[arg-type]


zones = st.sampled_from(
    ["Australia/Sydney", "Australia/Perth", "Europe/London", "America/New_York", "Asia/Kathmandu"]
)


@given(
    st.datetimes(datetime(2023, 1, 1), datetime(2024, 12, 31), timezones=st.just(UTC)),  # noqa: DTZ001
    st.lists(zones, min_size=1, max_size=2, unique=True).map(tuple),
    st.times().map(lambda it: it.replace(microsecond=0)),
    st.times().map(lambda it: it.replace(microsecond=0)),
    st.timedeltas(timedelta(0), timedelta(days=2)),
)
def test_nothing_is_ever_sent_in_quiet_hours(
    start: datetime,
    where: tuple[str, ...],
    not_before: time,
    not_after: time,
    later: timedelta,
) -> None:
    if not_before == not_after:
        return
    quiet = QuietHours(not_before, not_after, zone="UTC", start=start)
    now = quiet.start + later
    slot = quiet.slot(where, now)
    if slot is None or slot.wait_until is not None:
        return
    leaves = max(now, slot.schedule) if slot.schedule else now
    for zone in where:
        clock = leaves.astimezone(ZoneInfo(zone)).time()
        if not_before < not_after:
            assert not_before <= clock < not_after
        else:
            assert clock >= not_before or clock < not_after
