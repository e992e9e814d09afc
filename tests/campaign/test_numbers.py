"""Reading phone numbers."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aioclicksend.campaign import CampaignError, numbers
from aioclicksend.campaign.numbers import BadNumber, Numbers

pytest.importorskip("phonenumbers", reason="the extra phone is absent")


@pytest.fixture
def without_library(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(numbers, "_library", lambda _: None)


@pytest.mark.parametrize(
    "text",
    [
        "+61412345678",
        "+61 412 345 678",
        "+61 (0)412 345 678",
        "(+61) 412-345-678",
        "0412 345 678",
        "0412.345.678",
        "412345678",
        "61412345678",
        "0061412345678",
        "61412345678.0",
        "'0412345678",
        "tel:+61412345678",
        "\u202a+61412345678\u202c",
        "0412\u00a0345\u2011678",
    ],
)
def test_a_number_is_read_however_it_is_written(text: str) -> None:
    phone = Numbers("AU").read(text)
    assert phone == ("+61412345678", "AU", False, True, (), "", "")


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "is empty"),
        ("n/a", "is no phone number"),
        ("0412 345 678 x3", "is no phone number"),
        ("0412345678/0412345679", "holds several numbers: leave the one that is written to"),
        ("1800FLOWERS", "is no phone number"),
        ("6.14123E+10", "was rounded by a spreadsheet: format its column as text"),
        ("6,14E10", "was rounded by a spreadsheet: format its column as text"),
        ("0412", "is too short"),
        ("+141555526712", "is too long"),
        ("04123456789", "is no number of AU"),
        ("+999123456", "has no known country code"),
        ("0412345678 0412345679", "is too long"),
    ],
)
def test_what_cannot_be_reached_is_refused_and_told_why(text: str, why: str) -> None:
    with pytest.raises(BadNumber) as caught:
        Numbers("AU").read(text)
    assert str(caught.value) == why


def test_without_a_country_a_local_number_is_refused() -> None:
    with pytest.raises(BadNumber, match="no country code"):
        Numbers().read("0412345678")
    assert Numbers().read("+61412345678").country == "AU"


def test_another_country_can_be_told_for_a_row() -> None:
    assert Numbers("AU").read("07911 123456", "GB").number == "+447911123456"


def test_landlines_are_recognised() -> None:
    assert Numbers("AU").read("02 9876 5432").is_landline
    assert not Numbers("US").read("212 555 0123").is_landline  # could be either


def test_an_international_number_that_nobody_has_is_kept_and_marked() -> None:
    assert not Numbers("AU").read("+447700900123").is_assigned


def test_zones_are_those_the_owner_may_live_in() -> None:
    reader = Numbers("AU", zones=True)
    assert {"Australia/Perth", "Australia/Sydney"} <= set(reader.read("0412345678").zones)
    assert reader.read("+12125550123").zones == ("America/New_York",)
    assert reader.read("+447700900123").zones == ()


def test_a_country_must_be_one() -> None:
    with pytest.raises(CampaignError, match="two letters"):
        Numbers("Australia")
    assert Numbers().known("au") == "AU"
    assert Numbers().known("Oz") == ""


@pytest.mark.usefixtures("without_library")
def test_without_the_library_only_e164_is_read() -> None:
    reader = Numbers()
    assert reader.read("+61 412 345-678").number == "+61412345678"
    assert reader.known("AU") == ""
    with pytest.raises(BadNumber, match=r"written as \+"):
        reader.read("0412345678")
    with pytest.raises(CampaignError, match=r"aioclicksend\[phone\]"):
        Numbers("AU")


def test_a_phone_does_not_show_its_number() -> None:
    assert "412345678" not in repr(Numbers("AU").read("0412345678"))


@given(st.text(max_size=40) | st.text("+0123456789 ()-.xe", max_size=24))
def test_any_cell_is_read_or_refused(text: str) -> None:
    try:
        phone = Numbers("AU", zones=True).read(text)
    except BadNumber as error:
        assert "\n" not in str(error)  # noqa: PT017 - whichever comes
    else:
        assert phone.number.startswith("+")
        assert phone.number[1:].isdigit()
        assert len(phone.number) <= 16
