"""Quiet hours, by the clocks where people are."""

from __future__ import annotations

from datetime import UTC, datetime, time, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aioclicksend.campaign import CampaignError, QuietHours
from aioclicksend.quiet.zones import _AREA_CODES, _REMOTE, Zones, area_of, state_of

phonenumbers = pytest.importorskip("phonenumbers", reason="the extra phone is absent")

SYDNEY, LONDON, PARIS = "+61255501234", "+447700900123", "+33639980001"
MIAMI, NEW_YORK, HOUSTON, TORONTO = "+13055550123", "+12125550123", "+17135550123", "+14165550123"


def utc(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def opening(hours: QuietHours, number: str, moment: str, zone: str) -> str:
    """Return when a number may be written to, both times by a clock in a zone."""
    clock = ZoneInfo(zone)
    found = hours.opening(number, datetime.fromisoformat(moment).replace(tzinfo=clock))
    assert found is not None
    return f"{found.astimezone(clock):%a %H:%M}"


@pytest.mark.parametrize(
    ("country", "number", "zone", "moment", "opens"),
    [
        ("us", NEW_YORK, "America/New_York", "2026-06-03T20:59", "Wed 20:59"),
        ("us", NEW_YORK, "America/New_York", "2026-06-03T21:00", "Thu 08:00"),
        ("us", MIAMI, "America/New_York", "2026-06-03T20:00", "Thu 08:00"),
        ("us", HOUSTON, "America/Chicago", "2026-06-07T11:59", "Sun 12:00"),
        ("us", HOUSTON, "America/Chicago", "2026-06-08T08:30", "Mon 09:00"),
        ("ca", TORONTO, "America/Toronto", "2026-06-06T09:00", "Sat 10:00"),
        ("fr", PARIS, "Europe/Paris", "2026-06-07T12:00", "Mon 08:00"),
        ("fr", PARIS, "Europe/Paris", "2026-06-06T22:00", "Mon 08:00"),
        ("au", SYDNEY, "Australia/Sydney", "2026-06-06T17:00", "Mon 09:00"),
        ("gb", LONDON, "Europe/London", "2026-06-03T07:59", "Wed 08:00"),
    ],
)
def test_presets_keep_the_hours_of_their_country_and_state(
    country: str, number: str, zone: str, moment: str, opens: str
) -> None:
    assert opening(QuietHours.preset(country), number, moment, zone) == opens


def test_a_number_that_may_be_in_several_zones_waits_for_all_of_them() -> None:
    hours = QuietHours.between(time(9), time(20))
    mobile = "+61412345678"  # from Perth to Lord Howe
    assert opening(hours, mobile, "2026-06-03T09:30", "Australia/Sydney") == "Wed 11:00"


def test_an_unknown_zone_is_that_of_the_campaign_or_never_open() -> None:
    number, noon = "+88216555000", utc("2026-06-03T12:00")
    assert QuietHours.between(time(9), time(20)).opening(number, noon) is None
    assert not QuietHours.between(time(9), time(20)).knows(number)
    assert QuietHours.between(time(9), time(20), zone="UTC").opening(number, noon) == noon


def test_hours_may_end_after_midnight() -> None:
    hours = QuietHours.between(time(18), time(2))
    assert opening(hours, LONDON, "2026-06-03T01:59", "Europe/London") == "Wed 01:59"
    assert opening(hours, LONDON, "2026-06-03T02:00", "Europe/London") == "Wed 18:00"


@pytest.mark.parametrize(
    ("moment", "opens"),
    [  # the clocks go forward at 02:00 on 29 March 2026 in Paris, and back at 03:00 on 25 October
        ("2026-03-28T22:30", "2026-03-29T01:30"),
        ("2026-10-24T22:30", "2026-10-25T00:30"),
    ],
)
def test_an_opening_that_the_clocks_skip_or_repeat_is_the_first_one_after(
    moment: str, opens: str
) -> None:
    hours = QuietHours.between(time(2, 30), time(4))
    assert hours.opening(PARIS, utc(moment)) == utc(opens)


def test_wrong_hours_and_zones_are_refused() -> None:
    with pytest.raises(CampaignError, match="same time"):
        QuietHours.between(time(9), time(9))
    with pytest.raises(CampaignError, match="name of a time zone"):
        QuietHours.between(time(9), time(10), zone="Sydney")
    with pytest.raises(CampaignError, match="none of us, ca, au, fr, gb"):
        QuietHours.preset("xx")


@given(
    st.integers(0, 2 * 365 * 24 * 60).map(lambda it: utc("2026-01-01") + timedelta(minutes=it)),
    st.sampled_from([SYDNEY, LONDON, PARIS, MIAMI, NEW_YORK, HOUSTON, "+61412345678"]),
    st.sampled_from(["us", "ca", "au", "fr", "gb"]),
)
def test_what_opens_is_open_and_not_earlier(moment: datetime, number: str, country: str) -> None:
    hours = QuietHours.preset(country)
    found = hours.opening(number, moment)
    if found is None:
        return
    assert moment <= found < moment + timedelta(days=8)
    assert hours.opening(number, found) == found
    if found > moment:
        assert hours.opening(number, found - timedelta(minutes=1)) == found


def test_area_codes_are_in_the_states_that_the_numbering_plan_says() -> None:
    geocoder = pytest.importorskip("phonenumbers.geocoder")
    names = {"FL": "Florida", "MD": "Maryland", "MS": "Mississippi", "NJ": "New Jersey",
             "OK": "Oklahoma", "CT": "Connecticut", "TX": "Texas"}  # fmt: skip
    for state, codes in _AREA_CODES.items():
        for code in codes.split():
            number = f"+1{code}5550123"
            assert state_of(number) == state
            place = geocoder.description_for_number(phonenumbers.parse(number), "en")
            # Overlays younger than the library's data have no place there.
            assert place in ("", "United States") or place.endswith((names[state], f", {state}"))


@pytest.mark.parametrize(
    ("number", "zones"),
    [
        (NEW_YORK, ("America/New_York",)),
        (SYDNEY, ("Australia/Sydney",)),
        ("+33639980001", ("Europe/Paris",)),
        ("+6421555123", ("Pacific/Auckland",)),
        ("+88216555000", ()),
    ],
)
def test_zones_of_numbers(number: str, zones: tuple[str, ...]) -> None:
    assert set(zones) <= set(Zones().of(number))
    assert bool(zones) == bool(Zones().of(number))


@given(
    st.sampled_from(["+61412", "+44770", "+33639", "+491713", "+35312"]), st.integers(0, 999_999)
)
def test_numbers_of_an_area_show_the_same_time(area: str, rest: int) -> None:
    from phonenumbers.timezone import time_zones_for_number  # noqa: PLC0415

    known = Zones()
    known.of(f"{area}000000")
    parsed = phonenumbers.parse(f"{area}{rest:06}")
    expected = set(time_zones_for_number(parsed)) - {"Etc/Unknown"} - _REMOTE
    found = set(known.of(f"{area}{rest:06}"))
    moment = utc("2026-07-01")
    offsets = [{moment.astimezone(ZoneInfo(it)).utcoffset() for it in zones}
               for zones in (expected, found)]  # fmt: skip
    assert not expected or offsets[0] <= offsets[1]


def test_area_codes_of_several_zones_are_known() -> None:
    data = pytest.importorskip("phonenumbers.tzdata").TIMEZONE_DATA
    split = {f"+{prefix[:4]}" for prefix in data if prefix[0] == "1" and len(prefix) > 4}
    for code in split:
        assert len(area_of(f"{code}5550123")) > len(code)
    whole = [f"+{prefix}" for prefix in data if prefix[0] == "1" and len(prefix) == 4]
    assert all(area_of(f"{it}5550123") == it for it in whole if it not in split)


@pytest.mark.parametrize("number", ["+12125550123", "+18505550123", "+19075550123", "+14165550123"])
def test_zones_by_area_are_those_of_the_library(number: str) -> None:
    library = pytest.importorskip("phonenumbers.timezone")
    parsed = pytest.importorskip("phonenumbers").parse(number)
    assert Zones().of(number) == library.time_zones_for_geographical_number(parsed)
