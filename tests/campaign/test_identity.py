"""A list that changed, against the campaign's journal."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from aioclicksend.campaign import Recipients
from aioclicksend.campaign.identity import Entry, Match

JOURNAL = [
    Entry("+61400000001", "Hi Ann", "accepted"),
    Entry("+61400000002", "Hi Bob", "in_doubt"),
    Entry("+61400000003", "Hi Cleo", "planned"),
    Entry("+61400000004", "Hi Dan", "held"),
]


def test_rows_are_found_again_by_their_number() -> None:
    known = Recipients(JOURNAL)
    assert len(known) == 4
    for number, body, match in (
        ("+61400000001", "Hi Ann", Match.UNCHANGED),
        ("+61400000001", "Hi Anna", Match.CHANGED),
        ("+61400000002", "Hi Rob", Match.CHANGED),
        ("+61400000003", "Hi Cleo", Match.UNSENT),
        ("+61400000003", "Hi Chloe", Match.CORRECTED),
        ("+61400000009", "Hi Ann", Match.NEW),
    ):
        assert known.match(number, body) is match


def test_who_opted_out_by_a_reply_is_not_sent_to_by_any_run() -> None:
    journal = [Entry("+61400000001", "Hi Ann", "opted_out"), *JOURNAL[1:]]
    for by_message in (False, True):
        known = Recipients(journal, by_message=by_message)
        for body in ("Hi Ann", "Hi Anna"):
            match = known.match("+61400000001", body)
            assert (match, match.is_settled) == (Match.OPTED_OUT, True)


def test_by_message_another_text_is_another_message() -> None:
    known = Recipients(JOURNAL, by_message=True)
    assert known.match("+61400000001", "Hi Ann") is Match.UNCHANGED
    assert known.match("+61400000001", "Hi Anna") is Match.NEW


def test_a_correction_that_was_sent_counts_as_sent() -> None:
    known = Recipients([*JOURNAL, Entry("+61400000003", "Hi Chloe", "accepted")])
    assert known.match("+61400000003", "Hi Chloe") is Match.UNCHANGED
    assert known.match("+61400000003", "Hi Cleo") is Match.UNCHANGED
    assert len(known) == 4


states = st.sampled_from(["accepted", "rejected", "unknown", "in_doubt", "planned", "held"])
entries = st.builds(Entry, st.integers(10**9, 10**9 + 9).map(lambda it: f"+61{it}"),
                    st.sampled_from("abc"), states)  # fmt: skip


@given(st.lists(entries), entries)
def test_no_possible_recipient_is_sent_to_again(journal: list[Entry], row: Entry) -> None:
    sent = any(it.to == row.to and it.state not in ("planned", "held") for it in journal)
    assert Recipients(journal).match(row.to, row.body).is_settled == sent
