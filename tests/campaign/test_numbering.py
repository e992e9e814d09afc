"""Compiled numbering plans against `phonenumbers`, over all regions."""

from __future__ import annotations

from collections.abc import Iterator
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

phonenumbers = pytest.importorskip("phonenumbers", reason="the extra phone is absent")

from aioclicksend.campaign.numbering import NumberingPlans  # noqa: E402 - behind the skip

PLANS = NumberingPlans(phonenumbers)
REGIONS = sorted(phonenumbers.SUPPORTED_REGIONS)
KINDS = (
    "mobile", "fixed_line", "toll_free", "premium_rate", "shared_cost", "voip", "personal_number",
    "pager", "uan", "voicemail",
)  # fmt: skip

Answer = tuple[str, str, int]
"""Country code and number, region, kind."""


def by_library(text: str, region: str | None) -> Answer | None:
    """Return what `phonenumbers` says; None if it is no possible number."""
    try:
        parsed = phonenumbers.parse(text, region)
    except phonenumbers.NumberParseException:
        return None
    possible = phonenumbers.is_possible_number_with_reason(parsed)
    if possible != phonenumbers.ValidationResult.IS_POSSIBLE:
        return None
    where = phonenumbers.region_code_for_number(parsed)
    return (
        f"{parsed.country_code}{phonenumbers.national_significant_number(parsed)}",
        where or phonenumbers.region_code_for_country_code(parsed.country_code),
        phonenumbers.number_type(parsed),
    )


def international(digits: str) -> Answer | None:
    found = PLANS.international(digits)
    return None if found is None else (digits, found.region, found.kind)


def local(digits: str, region: str) -> Answer | None:
    found = PLANS.local(digits, region)
    return None if found is None else (found[0], found[1].region, found[1].kind)


def examples(region: str) -> list[str]:
    metadata = phonenumbers.PhoneMetadata.metadata_for_region(region)
    described = [getattr(metadata, kind) for kind in KINDS]
    return [it.example_number for it in described if it is not None and it.example_number]


def changed(number: str, random: Random) -> str:
    """Return a number like another: some of its last digits others, or one too many or few."""
    kept = random.randrange(len(number) + 1)
    size = len(number) + random.choice((0, 0, 0, 0, -1, 1))
    return number[:kept] + "".join(random.choice("0123456789") for _ in range(size - kept))


def spellings(number: str, region: str) -> Iterator[tuple[str, bool]]:
    """Yield ways to dial a number of a region, and whether they begin with its country code."""
    metadata = phonenumbers.PhoneMetadata.metadata_for_region(region)
    code = str(metadata.country_code)
    yield code + number, True
    yield code + (metadata.national_prefix or "0") + number, True
    yield number, False
    yield (metadata.national_prefix or "0") + number, False
    yield code + number, False


def check(number: str, region: str) -> int:
    """Hold all spellings against the library, and return how many the plans decided."""
    decided = 0
    for digits, is_written_out in spellings(number, region):
        if not 3 < len(digits) < 16:
            continue
        answer = international(digits) if is_written_out else local(digits, region)
        if answer is not None:
            decided += 1
            assert answer == by_library(f"+{digits}" if is_written_out else digits, region)
    return decided


@pytest.mark.slow
@pytest.mark.parametrize("region", REGIONS)
def test_the_examples_of_each_region_are_decided_as_by_the_library(region: str) -> None:
    for number in examples(region):
        check(number, region)


@pytest.mark.slow
@settings(max_examples=400)
@given(st.sampled_from(REGIONS), st.randoms(use_true_random=False))
def test_numbers_like_the_examples_are_decided_as_by_the_library(
    region: str, random: Random
) -> None:
    check(changed(random.choice(examples(region)), random), region)


@settings(max_examples=400)
@given(st.sampled_from(REGIONS), st.text("0123456789", min_size=3, max_size=14))
def test_any_digits_are_decided_as_by_the_library_or_not_at_all(region: str, digits: str) -> None:
    check(digits, region)


@pytest.mark.slow
def test_fifty_thousand_numbers_are_decided_as_by_the_library() -> None:
    random = Random(20_261_128)
    total = decided = 0
    for region in REGIONS:
        known = examples(region)
        for _ in range(45):
            decided += check(changed(random.choice(known), random), region)
            total += 5
    assert total > 50_000
    # Half of these are wrong on purpose; of a list it is nearly all.
    assert decided > total * 0.45


def test_the_usual_spellings_of_large_countries_need_no_library() -> None:
    for region in (
        "AU",
        "CA",
        "DE",
        "ES",
        "FR",
        "GB",
        "IE",
        "IN",
        "NL",
        "NZ",
        "PL",
        "SE",
        "US",
        "ZA",
    ):
        metadata = phonenumbers.PhoneMetadata.metadata_for_region(region)
        mobile = metadata.mobile.example_number
        assert international(f"{metadata.country_code}{mobile}") is not None, region
        if metadata.national_prefix == "0":
            assert local(f"0{mobile}", region) is not None, region
