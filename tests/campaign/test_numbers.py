"""Reading phone numbers."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from aioclicksend.campaign import CampaignError, numbers
from aioclicksend.campaign.numbers import BadNumber, Numbers, Phone

phonenumbers = pytest.importorskip("phonenumbers", reason="the extra phone is absent")


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
        "0412\u30fc345\u30fc678",
        "0412~345~678",
        "+61 [0] 412 345 678",
        "0412\u00b7345\u2022678",
        "0\ufe0f\u20e34\ufe0f\u20e312345678",
        "0412\u2800345\u3164678",
        "\u20190412345678",
        "0412345678;",
        "61,412,345,678",
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
def test_unreachable_numbers_are_refused_with_a_reason(text: str, why: str) -> None:
    with pytest.raises(BadNumber) as caught:
        Numbers("AU").read(text)
    assert str(caught.value) == why


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("+48 (0) 512 345 678", "+48512345678"),
        ("+420 (0)601 123 456", "+420601123456"),
        ("+30 (0)691 234 5678", "+306912345678"),
        ("+852 (0)5123 4567", "+85251234567"),
        ("0048 (0)512 345 678", "+48512345678"),
        ("+48 0512 345 678", "+48512345678"),
        ("+49 (0)171 / 39 20 01 23", "+4917139200123"),
        ("+44 (0)7911 123456", "+447911123456"),
        ("+39 (0)347 1234567", "+393471234567"),
        ("+39 (0)6 12345678", "+390612345678"),
        ("+39 06 12345678", "+390612345678"),
    ],
)
def test_a_trunk_zero_is_taken_off_where_there_is_none(text: str, number: str) -> None:
    assert Numbers().read(text).number == number
    assert Numbers("DE").read(text).number == number


def test_a_mobile_with_country_code_but_without_plus_is_read() -> None:
    reader = Numbers("DE")
    phone = reader.read("4917139200123")
    assert (phone.number, phone.is_landline) == ("+4917139200123", False)
    assert phone.guess
    assert not reader.read("0171 39200123").guess
    assert not Numbers("AU").read("61412345678").guess  # can be read in one way only
    assert set(reader.every("4917139200123")[0]) == {"+4917139200123", "+494917139200123"}


def test_all_german_mobiles_are_read_without_a_plus() -> None:
    reader = Numbers("DE")
    for prefix in ("151", "152", "157", "159", "160", "162", "163", "170", "171", "175", "179"):
        for tail in ("20012345", "39200123"):
            digits = f"49{prefix}{tail}"[: 13 if prefix[1] != "5" else 14]
            assert reader.read(digits).number == f"+{digits}"


def test_a_cell_that_can_be_two_mobiles_is_refused(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    reader = Numbers("DE")
    phones = iter([Phone("+494917139200123", "DE"), Phone("+4917139200123", "DE")])
    monkeypatch.setattr(reader, "_parsed", lambda *_: next(phones))
    with pytest.raises(BadNumber, match="can be read as two numbers: write it as"):
        reader.read("4917139200123")


@pytest.mark.parametrize(
    ("country", "text", "service"),
    [
        ("AU", "1800 160 401", "toll-free"),
        ("AU", "1300 975 707", "shared-cost"),
        ("AU", "13 14 50", "shared-cost"),
        ("AU", "1900 123 456", "premium-rate"),
        ("GB", "0800 123 4567", "toll-free"),
        ("GB", "0906 701 0000", "premium-rate"),
        ("GB", "07640 123456", "pager"),
        ("US", "+1 800 555 0123", "toll-free"),
        ("DE", "0900 1234567", "premium-rate"),
    ],
)
def test_services_are_recognised(country: str, text: str, service: str) -> None:
    phone = Numbers(country).read(text)
    assert (phone.service, phone.takes_sms) == (service, False)


@pytest.mark.parametrize(
    "text",
    [
        "+61\u202f412\u202f345\u202f678",
        "+61\u2009412\u2009345\u2009678",
        "+61\t412\t345\t678",
        "\uff10\uff14\uff11\uff12\uff13\uff14\uff15\uff16\uff17\uff18",
        "\u0660\u0664\u0661\u0662\u0663\u0664\u0665\u0666\u0667\u0668",
        "0412\u2212345\u2212678",
        "\uff0b61412345678",
        '="0412345678"',
        "p:+61412345678",
        "TEL: 0412 345 678",
        "0412/345 678",
    ],
)
def test_spaces_digits_and_dashes_of_all_scripts_are_read(text: str) -> None:
    assert Numbers("AU").read(text).number == "+61412345678"


@pytest.mark.parametrize(
    "text",
    [
        "+61 411 111 111 ::: +61 422 222 222",
        "0411111111/0422222222",
        "0411111111, 0422222222",
        "0411111111;0422222222",
        "0171/39200125 0171/39200126",
        "+61411111111 +61422222222",
    ],
)
def test_several_numbers_in_a_cell_are_named(text: str) -> None:
    with pytest.raises(BadNumber, match="holds several numbers"):
        Numbers("AU").read(text)


@pytest.mark.parametrize(("code", "meant"), [("UK", "GB"), ("usa", "US"), ("Germany", "DE")])
def test_a_country_by_another_name_is_answered_with_its_code(code: str, meant: str) -> None:
    with pytest.raises(CampaignError, match=f"{code.upper()}: did you mean {meant}\\?"):
        Numbers(code)


spelled = st.builds(
    lambda digits, form: form.format(*digits),
    st.lists(st.sampled_from("0123456789"), min_size=12, max_size=12),
    st.sampled_from(
        [
            "+61 4{}{} {}{}{} {}{}{}", "+614{}{}{}{}{}{}{}{}", "04{}{}-{}{}{}-{}{}{}",
            "({}{}{}) {}{}{}-{}{}{}{}", "+1 ({}{}{}) {}{}{}-{}{}{}{}", "+49 1{}{} {}{}{}{}{}{}{}",
            "0{}{}{}{}.{}{}{}.{}{}{}", "+4{}{}{}{}{}{}{}{}{}{}", "{}{}{}{}{}{}{}{}{}{}{}",
        ]
    ),
)  # fmt: skip


@settings(max_examples=400)
@given(spelled, st.sampled_from(["AU", "US", "DE", "GB", "CA", "NZ", "IE", "FR"]))
def test_numbers_are_what_the_library_reads(text: str, region: str) -> None:
    try:
        phone = Numbers(region).read(text)
    except BadNumber:
        return
    if phone.guess or "(0)" in text:
        return
    parsed = phonenumbers.parse(text, region)
    national = phonenumbers.national_significant_number(parsed)
    if phone.is_assigned and phonenumbers.is_valid_number(parsed):
        assert phone.number == f"+{parsed.country_code}{national}"
        assert phone.country == phonenumbers.region_code_for_number(parsed)


def test_without_a_country_a_local_number_is_refused() -> None:
    with pytest.raises(BadNumber, match="no country code"):
        Numbers().read("0412345678")
    assert Numbers().read("+61412345678").country == "AU"


def test_a_row_can_have_another_country() -> None:
    assert Numbers("AU").read("07911 123456", "GB").number == "+447911123456"


def test_landlines_are_recognised() -> None:
    assert Numbers("AU").read("02 9876 5432").is_landline
    assert not Numbers("US").read("212 555 0123").is_landline  # could be either


def test_an_unassigned_international_number_is_kept_and_marked() -> None:
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


@pytest.mark.parametrize(
    ("number", "service"),
    [
        ("+33 9 12 34 56 78", "VoIP"),
        ("+81 50 1234 5678", "VoIP"),
        ("+44 56 1234 5678", "VoIP"),
        ("+39 800 123 456", "toll-free"),
        ("+34 902 123 456", "shared-cost"),
        ("+1 900 555 1234", "premium-rate"),
        ("+800 1234 5678", "toll-free"),
    ],
)
def test_service_numbers_of_any_country_are_known(number: str, service: str) -> None:
    phone = Numbers().read(number)
    assert (phone.service, phone.takes_sms) == (service, False)
