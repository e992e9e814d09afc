"""Counting parts and replacing typography, against independent implementations where there are."""

# ruff: noqa: RUF001 - the ambiguous characters are what this is about

from __future__ import annotations

import unicodedata
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from aioclicksend.text import MAX_PARTS, segments, smart_encode, visible

GSM = (
    "@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞÆæßÉ !\"#¤%&'()*+,-./0123456789:;<=>?"
    "¡ABCDEFGHIJKLMNOPQRSTUVWXYZÄÖÑÜ§¿abcdefghijklmnopqrstuvwxyzäöñüà"
    "\f^{}\\[~]|€"
)
gsm_bodies = st.text(st.sampled_from(GSM), max_size=1300)
bodies = st.text(st.characters(codec="utf-8"), max_size=600) | gsm_bodies
dense = st.text(st.sampled_from("a€😀日{"), min_size=60, max_size=900)


@pytest.fixture(scope="module")
def gsm0338_encode() -> Callable[[str], bytes]:
    codec = pytest.importorskip("gsm0338", reason="the oracle for the alphabet is absent").Codec()
    return lambda body: codec.encode(body)[0]


@pytest.fixture(scope="module")
def smsutil() -> Any:
    return pytest.importorskip("smsutil", reason="the oracle for the counting is absent")


@pytest.mark.parametrize(
    ("body", "encoding", "units", "parts", "left"),
    [
        ("", "GSM-7", 0, 0, 160),
        ("a", "GSM-7", 1, 1, 159),
        ("a" * 160, "GSM-7", 160, 1, 0),
        ("a" * 161, "GSM-7", 161, 2, 145),
        ("a" * 306, "GSM-7", 306, 2, 0),
        ("a" * 1224, "GSM-7", 1224, 8, 0),
        ("a" * 1225, "GSM-7", 1225, 9, 152),
        ("€" * 80, "GSM-7", 160, 1, 0),
        ("日" * 70, "UCS-2", 70, 1, 0),
        ("日" * 71, "UCS-2", 71, 2, 63),
        ("😀" * 35, "UCS-2", 70, 1, 0),
        ("日" * 536, "UCS-2", 536, 8, 0),
        ("日" * 537, "UCS-2", 537, 9, 66),
        ("日€{", "UCS-2", 3, 1, 67),
        ("\r\n", "GSM-7", 2, 1, 158),
    ],
)
def test_units_and_parts(body: str, encoding: str, units: int, parts: int, left: int) -> None:
    counted = segments(body)
    assert counted[:4] == (encoding, units, parts, left)
    assert counted.is_cut == (parts > MAX_PARTS)


def test_an_escape_pair_is_not_split_over_a_boundary() -> None:
    assert segments("a" * 152 + "€" + "a" * 152).parts == 3
    assert segments("a" * 151 + "€" + "a" * 153).parts == 2


def test_a_surrogate_pair_is_not_split_over_a_boundary() -> None:
    assert segments("日" * 66 + "😀" + "日" * 66).parts == 3
    assert segments("日" * 65 + "😀" + "日" * 67).parts == 2


def test_half_a_surrogate_pair_counts_one_unit() -> None:
    assert segments("\ud83d").units == 1


def test_the_characters_that_force_unicode_are_named_with_their_places() -> None:
    counted = segments("It’s 5 € – ok")
    assert counted.forced_by == ((2, "’"), (9, "–"))


def test_the_cost_of_unicode_is_what_its_characters_add() -> None:
    plain = "a" * 159
    assert segments(plain + "'").cost_of_unicode == 0
    counted = segments(plain + "’")
    assert (counted.parts, counted.gsm_parts, counted.cost_of_unicode) == (3, 1, 2)


def test_the_alphabet_is_gsm0338s(gsm0338_encode: Callable[[str], bytes]) -> None:
    for code in range(0x3000):
        character = chr(code)
        try:
            septets = len(gsm0338_encode(character))
        except UnicodeEncodeError:
            septets = 0
        if character == "\x1b":  # the escape itself is no character
            septets = 0
        counted = segments(character)
        assert counted.encoding == ("GSM-7" if septets else "UCS-2"), hex(code)
        if septets:
            assert counted.units == septets, hex(code)


@given(gsm_bodies)
def test_septets_are_gsm0338s(gsm0338_encode: Callable[[str], bytes], body: str) -> None:
    assert segments(body).units == len(gsm0338_encode(body))


@given(bodies | dense)
@example("a" * 152 + "€" * 5)
@example("日" * 66 + "😀" * 3)
def test_parts_are_smsutils(smsutil: Any, body: str) -> None:
    if "\x1b" in body or not body:
        return  # smsutil takes the escape for a character, and the empty text for Unicode
    counted, split = segments(body), smsutil.split(body)
    assert counted.parts == len(split.parts)
    assert (counted.encoding == "GSM-7") == (split.encoding == "gsm0338")
    size = 1 if counted.encoding == "GSM-7" else 2
    assert counted.units * size == split.total_bytes
    room = (160 if size == 1 else 70) if counted.parts == 1 else (153 if size == 1 else 67)
    assert counted.left == room - split.parts[-1].bytes // size


@given(bodies | dense)
def test_the_parts_hold_the_units_and_no_part_is_empty(body: str) -> None:
    counted = segments(body)
    joined = 153 if counted.encoding == "GSM-7" else 67
    if counted.parts > 1:
        # Each boundary can waste one unit at most.
        assert counted.parts * joined - counted.left >= counted.units
        assert counted.parts * joined - counted.left - counted.units < counted.parts
        assert 0 <= counted.left < joined
    assert 0 <= counted.cost_of_unicode <= counted.parts
    assert bool(counted.forced_by) == (counted.encoding == "UCS-2")
    assert [body[it.at] for it in counted.forced_by] == [it.character for it in counted.forced_by]


def test_typography_is_replaced_and_listed() -> None:
    encoded = smart_encode("“Hi” – it’s\u00a0me…")
    assert encoded.body == '"Hi" - it\'s me...'
    assert encoded.replaced[0] == (0, "“", '"')
    assert [it.old for it in encoded.replaced] == ["“", "”", "–", "’", "\u00a0", "…"]


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ("a\tb", "a b"),
        ("a\u200bb\ufeffc\u00add", "abcd"),
        ("cafe\u0301", "café"),
        ("a\r\nb\u2028c", "a\nb\nc"),
        ("5 • 6", "5 * 6"),
        ("{already} plain €", "{already} plain €"),
    ],
)
def test_what_is_replaced(body: str, expected: str) -> None:
    assert smart_encode(body).body == expected


@pytest.mark.parametrize("body", ["“日本”…", "naïve – ï stays", "👨\u200d👩", "ê – e\u0302"])
def test_a_body_that_stays_unicode_is_left_alone(body: str) -> None:
    assert smart_encode(body) == (body, ())


@given(bodies)
@example("…" * 70)
def test_replacing_never_adds_parts_and_is_done_after_once(body: str) -> None:
    encoded = smart_encode(body)
    assert segments(encoded.body).parts <= segments(body).parts
    assert segments(encoded.body).encoding == "GSM-7" or encoded.body == body
    assert smart_encode(encoded.body) == (encoded.body, ())


@given(st.text(st.sampled_from("aé“”’–…\u00a0\u0301\r\n\u200b"), max_size=200))
def test_what_was_replaced_explains_the_difference(body: str) -> None:
    encoded = smart_encode(body)
    rebuilt, at = "", 0
    for index, old, new in encoded.replaced:
        assert body[index : index + len(old)] == old
        rebuilt += body[at:index] + new
        at = index + len(old)
    assert rebuilt + body[at:] == encoded.body


def test_what_cannot_be_seen_is_named() -> None:
    assert visible("\u200b") == "U+200B ZERO WIDTH SPACE"
    assert visible("\ufeff") == "U+FEFF ZERO WIDTH NO-BREAK SPACE"
    assert visible("\u00a0") == "U+00A0 NO-BREAK SPACE"
    assert visible("\ufe0f") == "U+FE0F VARIATION SELECTOR-16"
    assert visible("\ue000") == "U+E000"
    assert visible("\x07") == "U+0007"
    assert [visible(it) for it in "–ë日"] == ["–", "ë", "日"]


@pytest.mark.slow
def test_many_combining_marks_take_linear_time() -> None:
    body = "e" + "\u0301\u0323" * 120_000
    assert smart_encode(body) == (body, ())
    assert segments(body).units == 240_001


def test_every_replacement_is_in_the_alphabet() -> None:
    for code in range(0x3100):
        character = unicodedata.normalize("NFC", chr(code))
        encoded = smart_encode(character)
        if encoded.replaced:
            assert segments(encoded.body).encoding == "GSM-7"
