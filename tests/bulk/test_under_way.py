"""Which messages are under way, in whatever pieces they are settled, and who is told."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest

import aioclicksend as ac
from aioclicksend.bulk.under_way import UnderWay

from .helpers import sms


class Told:
    """A sink that keeps what it is told."""

    def __init__(self) -> None:
        self.outcomes: dict[Any, ac.Outcome] = {}

    def settle(self, tokens: Sequence[Any], outcomes: Sequence[ac.Outcome]) -> None:
        """Keep them."""
        self.outcomes.update(zip(tokens, outcomes, strict=True))


def unknown(rows: Sequence[int]) -> list[ac.Unknown]:
    """Return outcomes that differ."""
    return [ac.Unknown(sms(it), f"ref-{it}", "no reply") for it in rows]


@pytest.mark.parametrize(
    "pieces",
    [
        [range(5, 9)],
        [[5, 8], [6, 7]],
        [[8, 3], [12, 7, 6]],
        [range(5, 7), range(7, 9), range(1, 5)],
    ],
)
@pytest.mark.parametrize("joined", [[], [6, 8]])
def test_each_who_joined_is_told_of_its_own_message_and_nothing_stays_under_way(
    pieces: list[Sequence[int]], joined: list[int]
) -> None:
    under_way, sink = UnderWay(), Told()
    for rows in (range(1, 5), range(5, 9), [9, 12]):
        under_way.enter(rows)
    for row in joined:
        under_way.join(row, sink, row)
    for piece in pieces:
        assert all(row in under_way for row in piece)
        under_way.settle(piece, unknown(piece))
        assert not any(row in under_way for row in piece)
    assert sink.outcomes == dict(zip(joined, unknown(joined), strict=True))
    settled = {row for piece in pieces for row in piece}
    assert {row for row in range(15) if row in under_way} == {*range(1, 10), 12} - settled
