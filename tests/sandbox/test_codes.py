"""One-time codes are found in the texts people write."""

from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aioclicksend.sandbox.codes import find_code


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
        ("Your code is 12 34 56", "123456"),
        ("Your code: 1 2 3 4 5 6", "123456"),
        ("FB-12345 is your Facebook code", "12345"),
        ("4417 is your code until 31-12-26", "4417"),
        ("On 29-11-26 at 10:30 your code 553311 expires", "553311"),
        ("Your code is 123456. Call 1800 555 123 for help", "123456"),
        ("Your code for order 10442 is 9917", "9917"),
        ("Your code is 482\u2011913", "482913"),
        ("Your code is 482\u00a0913", "482913"),
        # Digits of any script, and scripts without spaces.
        ("رمز التحقق: ٤٨٢٩١٣", "482913"),
        ("आपका कोड १२३४५६ है", "123456"),
        ("您的验证码是123456 请勿泄露", "123456"),
        ("[Web발신] 인증번호는 123456입니다", "123456"),
        # Letters and digits.
        ("<#> Your Example code is: 123ABC78\nFA+9qCX9VSu", "123ABC78"),
        ("Your code is abc123", "abc123"),
        ("Use XK7P9Q to log in. Your code expires in 10min", "XK7P9Q"),
        ("Your code expires at 10am, in Room2b", None),
        ("Voucher AB12CD34", None),
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


@pytest.mark.parametrize("text", ["code 1234 ", "code A1B2C3 ", "code is 1 2 3 4 ", "1-"])
def test_a_long_text_takes_no_long_time(text: str) -> None:
    started = time.process_time()
    find_code(text * (200_000 // len(text)))
    assert time.process_time() - started < 1


@given(st.text())
def test_any_text_is_read(body: str) -> None:
    code = find_code(body)
    assert code is None or (code.isascii() and code.isalnum() and 4 <= len(code) <= 10)


@given(st.integers(0, 999_999), st.sampled_from(["Your code is {}", "{} is your code", "OTP: {}."]))
def test_a_code_beside_its_word_is_found(number: int, text: str) -> None:
    assert find_code(text.format(f"{number:06d}")) == f"{number:06d}"
