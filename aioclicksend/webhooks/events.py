"""The events that ClickSend pushes: receipts of messages sent, and messages received.

No field is promised by the API: every attribute may be None, and `raw` has all fields as they came.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from datetime import datetime
from enum import StrEnum
from typing import Any, TypeAlias

from msgspec import Struct, field

from ..errors import ClickSendError


class WebhookError(ClickSendError):
    """A push that is neither a receipt nor a message. Its text holds nothing of the push."""


class DeliveryState(StrEnum):
    """What is known of the delivery of one message."""

    PENDING = "pending"
    DELIVERED = "delivered"
    FAILED = "failed"

    @property
    def is_final(self) -> bool:
        """Whether nothing more is to be expected."""
        return self is not DeliveryState.PENDING


# help.clicksend.com article 42318. Codes that are not here are pending: an unknown status must
# never count as delivered.
_BY_STATUS_CODE = {201: DeliveryState.DELIVERED, 301: DeliveryState.FAILED}
_BY_ERROR_CODE = {4: DeliveryState.DELIVERED} | dict.fromkeys(
    (5, 7, 8, 9, 10, 11, 12, 13, 14, 15, 17, 18, 19, 20), DeliveryState.FAILED
)
_BY_WORD = {
    "delivered": DeliveryState.DELIVERED,
    "undelivered": DeliveryState.FAILED,
    "failed": DeliveryState.FAILED,
    "cancelled": DeliveryState.FAILED,
    "rejected": DeliveryState.FAILED,
    "expired": DeliveryState.FAILED,
}


class DeliveryReceipt(Struct, frozen=True, kw_only=True):
    """What became of one message, as far as one push or one polled row says.

    The receipt of a message of any channel, or a key that was pressed during a call (`digits`).
    """

    message_id: str | None = None
    status_code: int | None = None
    """200 and 300 are pending, 201 delivered, 301 failed for good; None if absent or no number."""
    status: str | None = None
    """The status as a word; pushes have it, polled rows do not."""
    status_text: str | None = None
    error_code: int | None = None
    """Why it is in this state, such as 4 delivered or 12 absent subscriber."""
    error_text: str | None = None
    custom_string: str | None = None
    """The ref the message was sent with."""
    message_type: str | None = None
    """``sms``, ``voice``, ``email``, ``fax``; an open set."""
    digits: str | None = None
    """Keys pressed during a call."""
    timestamp: datetime | None = None
    """When the receipt was made, by the server's clock."""
    timestamp_send: datetime | None = None
    user_id: int | None = None
    subaccount_id: int | None = None
    raw: Mapping[str, Any] = field(default_factory=dict)
    """All fields as they came."""

    @property
    def state(self) -> DeliveryState:
        """What the receipt says of the delivery; `PENDING` where it is not understood."""
        # The code before the words: they are free text, whose wording has changed.
        if self.status_code is not None:
            return _BY_STATUS_CODE.get(self.status_code, DeliveryState.PENDING)
        # Polled rows of some channels have a word in place of the status code, and a number here.
        if self.error_code is not None:
            return _BY_ERROR_CODE.get(self.error_code, DeliveryState.PENDING)
        words = (self.status, self.status_text)
        known = (_BY_WORD.get((word or "").strip().lower()) for word in words)
        return next(filter(None, known), DeliveryState.PENDING)

    def __repr__(self) -> str:
        return f"DeliveryReceipt(state={self.state.value!r})"

    def __rich_repr__(self) -> list[tuple[str, object]]:
        """Return what may be shown; rich would show a Struct whole."""
        return [("state", self.state.value)]


class InboundMessage(Struct, frozen=True, kw_only=True):
    """One message received: an SMS, or one attachment of an MMS, whose `body` is its address."""

    message_id: str | None = None
    from_: str | None = field(name="from", default=None)
    """The number of the sender."""
    to: str | None = None
    """The number it was sent to; not every push has it."""
    body: str = ""
    original_body: str | None = None
    """The message of ours that it answers, as far as the API knows."""
    original_message_id: str | None = None
    custom_string: str | None = None
    """The ref of the message of ours that it answers."""
    timestamp: datetime | None = None
    user_id: int | None = None
    subaccount_id: int | None = None
    raw: Mapping[str, Any] = field(default_factory=dict)
    """All fields as they came."""

    def __repr__(self) -> str:
        return "InboundMessage(...)"

    def __rich_repr__(self) -> list[tuple[str, object]]:
        """Return what may be shown; rich would show a Struct whole."""
        return []


Event: TypeAlias = InboundMessage | DeliveryReceipt


def dedupe_key(event: Event) -> str | None:
    """Return what an event and its repetitions have in common; None if it cannot be known.

    The id alone is not enough: an MMS comes as one push per attachment under one id, and a call is
    followed by a receipt for each key pressed.
    """
    if not event.message_id:
        return None
    if isinstance(event, InboundMessage):
        # Hashed: it is an index key, and a body can be long.
        body = hashlib.sha256(event.body.encode()).hexdigest()
        return f"inbound {event.message_id} {body}"
    # Pending and final receipts of one message differ in these: each is an event.
    status, error = _code(event, "status_code"), _code(event, "error_code")
    return f"receipt {event.message_id} {status} {error} {event.digits or ''}"


def _code(receipt: DeliveryReceipt, name: str) -> str:
    """Return a code as text; one that is no number as it came, so that two of them differ."""
    code = getattr(receipt, name)
    if code is None:
        code = receipt.raw.get(name)
    return "" if code is None else str(code)[:64]
