"""Both ways of the encoder accept the same messages and write JSON of equal meaning."""

from __future__ import annotations

import datetime as dt
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

import aioclicksend as ac
from aioclicksend.bulk import encode as encoding
from aioclicksend.bulk.encode import Encoded, bodies_of, encode
from aioclicksend.models.messages import freeze, request_body, with_ref

from .helpers import sms

LATER = dt.datetime(2030, 1, 1, tzinfo=dt.UTC)
PLAIN = ac.SmsMessage(to="+61491570156", body="Hi")


class _Special(ac.SmsMessage):
    """Not what a bulk of SMS takes."""


def encoded(messages: list[Any], *, compact: bool = False) -> Encoded:
    """Encode messages."""
    return encode(messages, kind=ac.SmsMessage, prefix="p-", compact=compact)


def by_the_general_way(messages: list[Any], monkeypatch: pytest.MonkeyPatch) -> Encoded:
    """Encode messages one after the other."""
    with monkeypatch.context() as patch:
        patch.setattr(encoding, "_encode_alike", lambda *_: None)
        return encoded(messages)


def same(fast: Encoded, general: Encoded) -> None:
    """Compare all that two results hold."""
    decode = msgspec.json.decode
    assert list(fast.refs) == list(general.refs)
    assert fast.has_unique_refs == general.has_unique_refs
    assert list(map(decode, fast.bodies)) == list(map(decode, general.bodies))
    assert list(map(decode, fast.bare)) == list(map(decode, general.bare))
    assert decode(fast.whole_body()) == decode(general.whole_body())
    assert [it.position for it in fast.bad] == [it.position for it in general.bad]
    assert list(fast.messages) == list(general.messages)


UNUSUAL: list[Any] = [
    *[sms(1, to=to) for to in ("+123456", f"+{'1' * 16}", "+01234567", "1234567", "+1\n+2", 7)],
    sms(1, to=None, list_id=7),
    sms(1, list_id=7),
    sms(1, schedule=LATER),
    *[sms(1, body=body) for body in ("", " \n", "half \ud83d", None, 7)],
    *[sms(1, custom_string=ref) for ref in ("", " ", 7)],
    sms(1, source=object()),
    ac.MmsMessage(to="+61491570156", body="Hi", subject="S", media_file="https://a.example"),
    _Special(to="+61491570156", body="Hi"),
    *[sms(1, to=to, custom_string=None) for to in ("+123456", "+1\n+2", 7, None)],
    "text",
    None,
]


@pytest.mark.parametrize("odd", UNUSUAL)
@pytest.mark.parametrize("usual", [sms(0), PLAIN])
def test_one_unusual_message_sends_all_through_the_general_way(
    odd: Any, usual: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    for messages in ([usual, odd], [odd, usual]):
        same(encoded(messages), by_the_general_way(messages, monkeypatch))


@given(
    st.lists(
        st.tuples(
            st.sampled_from(["+61491570156", "+614000", "+14155550100", "0491570156"]),
            st.text(max_size=5),
            st.sampled_from([None, None, "ref"]),
            st.sampled_from([None, None, "Shop"]),
        ),
        min_size=1,
        max_size=4,
    )
)
def test_both_ways_agree(items: list[tuple[str, str, str | None, str | None]]) -> None:
    messages = [
        ac.SmsMessage(to=to, body=body, custom_string=ref, from_=sender)
        for to, body, ref, sender in items
    ]
    with pytest.MonkeyPatch.context() as patch:
        same(encoded(messages), by_the_general_way(messages, patch))


def test_a_thousand_messages_are_given_unique_refs_and_left_as_they_are() -> None:
    """They are the caller's objects: a ref that stayed on one would be taken for the caller's."""
    messages = [sms(it, custom_string=None, body="Grüße 🎉") for it in range(1000)]
    frozen = [freeze(it) for it in messages]
    result = encoded(messages)
    assert list(result.refs) == [f"p-{it:x}" for it in range(1000)]
    assert result.has_unique_refs
    assert result.whole_body() == request_body(list(map(with_ref, frozen, result.refs)))
    assert list(result.bare) == frozen
    assert {it.custom_string for it in messages} == {None}


def test_refs_of_the_caller_are_kept_and_may_repeat() -> None:
    result = encoded([sms(1), sms(1)])
    assert list(result.refs) == ["ref-1", "ref-1"]
    assert not result.has_unique_refs
    mixed = encoded([sms(1), PLAIN])
    assert list(mixed.refs) == ["ref-1", "p-1"]
    assert not mixed.has_unique_refs


@pytest.mark.parametrize(
    "more",
    [
        {"from_": "Shop"},
        {"source": "a"},
        {"country": "AU"},
        {"from_email": "a@b.example"},
        {"contact_id": 0},
        {"show_summary": False},
    ],
)
def test_every_field_of_a_message_is_written(
    more: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where only number and text are looked at, the rest must not be lost."""
    other = ac.SmsMessage(to="+61491570156", body="Hi", **more)
    for messages in ([PLAIN, other, PLAIN], [other, PLAIN], [PLAIN, PLAIN]):
        same(encoded(messages), by_the_general_way(messages, monkeypatch))


@pytest.mark.parametrize("ref", [None, "ref"])
def test_messages_kept_as_json_are_made_again_as_they_were(ref: str | None) -> None:
    fields: list[dict[str, Any]] = [{}, {"from_": "Shop"}, {"body": "Grüße \n🎉"}]
    messages = [sms(place, custom_string=ref, **it) for place, it in enumerate(fields)]
    again = encoded(messages, compact=True).messages
    assert len(again) == 3
    assert list(again) == messages
    assert (again[1], again[1:]) == (messages[1], messages[1:])


@given(st.lists(st.integers(1, 50), min_size=1, max_size=12), st.integers(60, 300))
def test_requests_lose_and_reorder_nothing_and_keep_to_their_size(
    lengths: list[int], max_bytes: int
) -> None:
    result = encoded([sms(it, body="x" * length) for it, length in enumerate(lengths)])
    requests = result.requests(max_bytes)
    assert [place for places in requests for place in places] == list(range(len(lengths)))
    for places in requests:
        assert sum(len(result.bodies[it]) for it in places) <= max_bytes or len(places) == 1
        assert bodies_of(result.body(places)) == [result.bodies[it] for it in places]


def test_requests_share_one_media_file() -> None:
    messages = [
        ac.MmsMessage(to=sms(it).to, body="Hi", subject="S", media_file=f"https://a.example/{file}")
        for it, file in enumerate("abab")
    ]
    result = encode(messages, kind=ac.MmsMessage, prefix="p-")
    assert [list(it) for it in result.requests(10_000)] == [[0, 2], [1, 3]]
    body = msgspec.json.decode(result.body([1, 3]))
    assert body["media_file"] == "https://a.example/b"
    assert not [it for it in body["messages"] if "media_file" in it]
