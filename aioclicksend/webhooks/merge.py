"""One delivery per message, merged from receipts in any order.

Receipts are repeated, arrive out of order, and come both by push and by poll. `merge` takes of two
statements the one with the higher rank, and the rank depends on the statements alone. So every
order and every repetition of the same receipts ends in the same delivery:

* a final state wins over a pending one, whenever that arrives;
* of two final or two pending ones the one with the later server time wins: a receipt that expired
  (301, error 20) can be followed by a delivery;
* at the same time, or without times, delivered wins over failed.
"""

from __future__ import annotations

from datetime import datetime

from msgspec import Struct
from msgspec.structs import replace

from .events import DeliveryReceipt, DeliveryState


class MessageDelivery(Struct, frozen=True, kw_only=True):
    """What is known of the delivery of one message, by all receipts so far."""

    message_id: str
    state: DeliveryState
    status_code: int | None = None
    status_text: str | None = None
    error_code: int | None = None
    error_text: str | None = None
    custom_string: str | None = None
    """The ref the message was sent with."""
    message_type: str | None = None
    timestamp: datetime | None = None
    """When this state was reached, by the server's clock."""

    @property
    def is_final(self) -> bool:
        """Whether the message was delivered or has failed for good."""
        return self.state.is_final

    @property
    def reason(self) -> str | None:
        """Why it failed; None if it did not."""
        if self.state is not DeliveryState.FAILED:
            return None
        coded = None if self.error_code is None else f"error {self.error_code}"
        return self.error_text or self.status_text or coded or "no reason given"

    def __repr__(self) -> str:
        return f"MessageDelivery(message_id={self.message_id!r}, state={self.state.value!r})"

    def __rich_repr__(self) -> list[tuple[str, object]]:
        """Return what may be shown; rich would show a Struct whole."""
        return [("message_id", self.message_id), ("state", self.state.value)]


class Change(Struct, frozen=True, kw_only=True):
    """One step in the delivery of a message."""

    seq: int
    """Its place in the store's order of changes: pass the last one as `after` to go on there."""
    delivery: MessageDelivery
    """What is known since."""
    previous: DeliveryState | None = None
    """What was known before; None for the first receipt of a message."""

    @property
    def is_final(self) -> bool:
        """Whether the message became final by this change; True for one change per message.

        If the server contradicts its own final state later, that is one more change, whose
        `previous` is the former final state.
        """
        was_final = self.previous is not None and self.previous.is_final
        return self.delivery.is_final and not was_final


def merge(before: MessageDelivery | None, receipt: DeliveryReceipt) -> MessageDelivery:
    """Return what is known of a message after one more receipt of it.

    Args:
        before: what was known so far; None if nothing was.
        receipt: one with a `message_id`.

    """
    assert receipt.message_id
    now = MessageDelivery(
        message_id=receipt.message_id,
        state=receipt.state,
        status_code=receipt.status_code,
        status_text=receipt.status_text or receipt.status,
        error_code=receipt.error_code,
        error_text=receipt.error_text,
        custom_string=receipt.custom_string,
        message_type=receipt.message_type,
        timestamp=receipt.timestamp,
    )
    return combine(before, now)


def combine(one: MessageDelivery | None, other: MessageDelivery) -> MessageDelivery:
    """Return what two sources together know of one message."""
    if one is None:
        return other
    # Sorted, not compared with what was known first: the order of arrival must not count.
    lower, higher = sorted((one, other), key=_rank)
    return replace(
        higher,
        # Receipts differ in which fields they carry; what one of them knew stays known.
        custom_string=higher.custom_string or lower.custom_string,
        message_type=higher.message_type or lower.message_type,
    )


def is_change(before: MessageDelivery | None, after: MessageDelivery) -> bool:
    """Whether a reader of changes is to see the step from `before` to `after`."""
    # Not the time: a receipt that says the same an hour later is no step.
    return before is None or (before.state, before.status_code, before.error_code) != (
        after.state,
        after.status_code,
        after.error_code,
    )


def _rank(it: MessageDelivery) -> tuple[object, ...]:
    return (
        it.is_final,
        # Nothing ranks below all else: were it equal to 0, the first of two would win.
        float("-inf") if it.timestamp is None else it.timestamp.timestamp(),
        it.state is DeliveryState.DELIVERED,
        # No meaning, but the same for every order of arrival.
        float("-inf") if it.status_code is None else it.status_code,
        float("-inf") if it.error_code is None else it.error_code,
        it.status_text or "",
        it.error_text or "",
    )
