"""One-time codes are found in the texts people write."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aioclicksend.sandbox.views import find_code


@pytest.mark.parametrize(
    ("body", "code"),
    [
        ("Your code is 123456", "123456"),
        ("123456 is your Example code.", "123456"),
        ("G-123456 is your Google verification code.", "123456"),
        ("Code: 123-456. Valid for 10 minutes.", "123456"),
        ("Use 1234 5678 to log in", "12345678"),
        ("code:9876", "9876"),
        ("Call 555-1234. Your code is 9876.", "9876"),
        ("Order 10442 shipped. PIN 7788", "7788"),
        ("Ihr Bestätigungscode lautet 4711.", "4711"),
        ("Su código es 112233", "112233"),
        ("验证码 998877 请勿泄露", "998877"),
        ("Your code is\n\n123456\n\n@example.com #123456", "123456"),
        ("hello", None),
        ("", None),
        ("Call +61400000001", None),
        ("Pay $1234.50 by 12:30", None),
        ("See https://x.test/123456", None),
        ("Your number is 123", None),
        ("Ref 1234567890123", None),
    ],
)
def test_find_code(body: str, code: str | None) -> None:
    assert find_code(body) == code


@given(st.text())
def test_any_text_is_read(body: str) -> None:
    code = find_code(body)
    assert code is None or (code.isdigit() and 4 <= len(code) <= 8)


@given(st.integers(0, 999_999), st.sampled_from(["Your code is {}", "{} is your code", "OTP: {}."]))
def test_a_code_beside_its_word_is_found(number: int, text: str) -> None:
    assert find_code(text.format(f"{number:06d}")) == f"{number:06d}"
