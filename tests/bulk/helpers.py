"""What the tests of bulk sending share."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import Any

import aioclicksend as ac
from aioclicksend.sandbox import Sandbox

FAST = ac.Retry(base=0.01, cap=0.02)


IMPATIENT = ac.Timeout(connect=10.0, read=0.5)
"""For requests that are never answered."""


def client(sandbox: Sandbox, **options: Any) -> ac.ClickSend:
    """Return a client of a sandbox, unpaced."""
    defaults: dict[str, Any] = {
        "rate_limit": None,
        "retry": FAST,
        "timeout": ac.Timeout(connect=10.0, read=30.0),
    }
    auth = ac.BasicAuth(sandbox.username, sandbox.api_key)
    return ac.ClickSend(auth=auth, base_url=sandbox.url, **(defaults | options))


def sms(number: int, **fields: Any) -> ac.SmsMessage:
    """Return one of a hundred million different messages, each with its own ref."""
    given: dict[str, Any] = {
        "to": f"+614{number:08d}",
        "body": "Your table is booked.",
        "custom_string": f"ref-{number}",
    }
    return ac.SmsMessage(**(given | fields))


def many(count: int, start: int = 0) -> Iterator[ac.SmsMessage]:
    """Yield messages with different numbers and refs."""
    return (sms(number) for number in range(start, start + count))


def accepts(sandbox: Sandbox) -> Counter[str]:
    """Return how often the sandbox accepted each ref, by its own record."""
    return Counter(str(it["custom_string"]) for it in sandbox.messages)


def posts(sandbox: Sandbox) -> int:
    """Return how many send requests arrived."""
    return sum(it.path.endswith("/send") for it in sandbox.requests)


async def outcomes(stream: Any) -> list[ac.Outcome]:
    """Return all outcomes of a stream."""
    return [outcome async for outcome in stream]


def kinds(settled: list[ac.Outcome]) -> Counter[str]:
    """Return how many outcomes of each kind there are."""
    return Counter(type(outcome).__name__ for outcome in settled)
