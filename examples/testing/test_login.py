"""Test an application that sends one-time codes, with the fixture `clicksend_sandbox`."""

from __future__ import annotations

import pytest

from aioclicksend import ClickSend, SmsMessage
from aioclicksend.sandbox import Sandbox


async def log_in(number: str) -> None:
    """Send a one-time code: a stand-in for the application."""
    async with ClickSend() as client:
        await client.sms.send(SmsMessage(to=number, body="Your code is 482913"))


async def test_a_code_is_sent(clicksend_sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch) -> None:
    """The code reaches the recipient."""
    for name, value in clicksend_sandbox.environ.items():
        monkeypatch.setenv(name, value)
    await log_in("+61412345678")
    assert await clicksend_sandbox.code(to="+61412345678") == "482913"
