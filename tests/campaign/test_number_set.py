"""The set of numbers that is small in memory."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from aioclicksend.campaign.number_set import NumberSet, message_hash


@given(st.lists(st.integers(1, 2**64 - 1) | st.integers(61400000000, 61400003000), max_size=3000))
def test_a_number_set_is_a_set(numbers: list[int]) -> None:
    ours, theirs = NumberSet(run=7), set[int]()
    for number in numbers:
        assert ours.add(number) == (number not in theirs)
        theirs.add(number)
    assert len(ours) == len(theirs)
    assert all(number in ours for number in theirs)
    assert all((number in ours) == (number in theirs) for number in range(61400000000, 61400000100))


def test_equal_messages_hash_alike_and_others_do_not() -> None:
    assert message_hash("+61412345678", "a") == message_hash("+61412345678", "a")
    assert message_hash("+61412345678", "a") != message_hash("+61412345678", "b")
