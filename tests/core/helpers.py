"""What the tests of the client have in common."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

import aioclicksend as ac
from aioclicksend import BasicAuth, ClickSend, Retry, SmsMessage

AUTH = BasicAuth("someone", "a-key-that-nobody-may-see")
NUMBER = "+61411111111"
BODY = "the words nobody else may read"
REF = "ref-1"
MESSAGE = SmsMessage(to=NUMBER, body=BODY, custom_string=REF)

AT_ONCE = Retry(attempts=3, base=0.0)
"""Retries without a wait."""


def client_of(url: str, **options: Any) -> ClickSend:
    """Return a client without pace, whose retries do not wait."""
    usual: dict[str, Any] = {
        "auth": AUTH,
        "base_url": url,
        "rate_limit": None,
        "retry": AT_ONCE,
    }
    return ClickSend(**usual | options)


Call = Callable[[ClickSend], Awaitable[object]]

CALLS: dict[str, tuple[str, Call]] = {
    "GET": ("GET /v3/account", lambda it: it.account.get()),
    "POST-price": ("POST /v3/sms/price", lambda it: it.sms.price(MESSAGE)),
    "POST-send": ("POST /v3/sms/send", lambda it: it.sms.send(MESSAGE)),
    "PUT": ("PUT /v3/lists/{list_id}", lambda it: it.lists.update(7, list_name="friends")),
    "PUT-cancel": ("PUT /v3/sms/{message_id}/cancel", lambda it: it.sms.cancel("ID-1")),
    "DELETE": ("DELETE /v3/lists/{list_id}", lambda it: it.lists.delete(7)),
}
"""One call of each kind: its name in errors, and the call."""

REPEATABLE = frozenset({"GET", "POST-price"})
"""The kinds that may arrive more than once."""


async def failure_of(call: Awaitable[object]) -> ac.ClickSendError:
    """Return the error a call ends with."""
    try:
        await call
    except ac.ClickSendError as error:
        return error
    raise AssertionError("the call did not fail")
