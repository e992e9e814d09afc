"""Receipts in any order end in the same delivery."""

from __future__ import annotations

from datetime import UTC, datetime
from functools import reduce
from itertools import permutations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aioclicksend.webhooks import Change, DeliveryReceipt, DeliveryState, MessageDelivery, merge

PENDING, DELIVERED, FAILED = DeliveryState


def told(code: int | None, at: int | None = None, **more: object) -> DeliveryReceipt:
    time = None if at is None else datetime.fromtimestamp(at, UTC)
    return DeliveryReceipt(message_id="m", status_code=code, timestamp=time, **more)  # type: ignore[arg-type] # pyright: ignore[reportArgumentType]


def merged(*receipts: DeliveryReceipt) -> MessageDelivery:
    known: MessageDelivery | None = None
    for receipt in receipts:
        known = merge(known, receipt)
    assert known is not None
    return known


@pytest.mark.parametrize(
    ("receipts", "state"),
    [
        ([told(200, 1), told(201, 2)], DELIVERED),
        ([told(201, 2), told(200, 9)], DELIVERED),
        ([told(201, 2), told(300, 9), told(200)], DELIVERED),
        ([told(301, 2), told(300, 9)], FAILED),
        ([told(301, 2), told(201, 9)], DELIVERED),
        ([told(201, 2), told(301, 9)], FAILED),
        ([told(201, 2), told(301, 2)], DELIVERED),
        ([told(201), told(301)], DELIVERED),
        ([told(None, 9, status="Delivered"), told(200, 10)], DELIVERED),
        ([told(300, 1), told(200, 2)], PENDING),
        # A clock of the server that is years ahead changes nothing about final and pending.
        ([told(201, 1_000), told(200, 4_000_000_000)], DELIVERED),
    ],
)
def test_the_state_does_not_depend_on_the_order(
    receipts: list[DeliveryReceipt], state: DeliveryState
) -> None:
    for order in permutations(receipts):
        assert merged(*order).state is state


RECEIPTS = st.builds(
    told,
    st.sampled_from([None, 200, 201, 300, 301, 999]),
    st.none() | st.integers(0, 3),
    error_code=st.none() | st.integers(1, 3),
    error_text=st.none() | st.sampled_from("ab"),
    status_text=st.none() | st.sampled_from("ab"),
)


@given(st.lists(RECEIPTS, min_size=1, max_size=5), st.randoms())
def test_order_and_repetition_change_nothing(
    receipts: list[DeliveryReceipt], random: object
) -> None:
    shuffled = receipts * 2
    random.shuffle(shuffled)  # type: ignore[attr-defined] # pyright: ignore[reportAttributeAccessIssue]
    assert merged(*receipts) == merged(*shuffled)


@given(st.lists(RECEIPTS, min_size=2, max_size=6))
def test_a_final_message_never_becomes_pending_again(receipts: list[DeliveryReceipt]) -> None:
    def step(known: MessageDelivery | None, receipt: DeliveryReceipt) -> MessageDelivery:
        after = merge(known, receipt)
        assert after.is_final or known is None or not known.is_final
        return after

    reduce(step, receipts, None)


def test_the_ref_of_any_receipt_is_kept() -> None:
    both = (told(200, 1, custom_string="r", message_type="sms"), told(201, 2))
    for order in permutations(both):
        known = merged(*order)
        assert (known.custom_string, known.message_type) == ("r", "sms")


@pytest.mark.parametrize(
    ("receipt", "reason"),
    [
        (told(301, error_text="Absent", status_text="Bad", error_code=12), "Absent"),
        (told(301, status_text="Bad", error_code=12), "Bad"),
        (told(301, status="Undelivered"), "Undelivered"),
        (told(301, error_code=12), "error 12"),
        (told(301), "no reason given"),
        (told(201, error_text="x"), None),
        (told(300, error_text="x"), None),
    ],
)
def test_the_reason_of_a_failure(receipt: DeliveryReceipt, reason: str | None) -> None:
    assert merged(receipt).reason == reason


def test_a_message_becomes_final_in_one_change() -> None:
    delivered, pending = merged(told(201)), merged(told(200))
    assert Change(seq=1, delivery=delivered).is_final
    assert Change(seq=1, delivery=delivered, previous=PENDING).is_final
    assert not Change(seq=1, delivery=delivered, previous=FAILED).is_final
    assert not Change(seq=1, delivery=pending).is_final
